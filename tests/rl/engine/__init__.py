"""Tests of `prosumax.rl.engine`."""
