"""Tests of `prosumax.rl.algorithms`."""
