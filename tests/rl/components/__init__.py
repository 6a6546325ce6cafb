"""Tests of `prosumax.rl.components`."""
