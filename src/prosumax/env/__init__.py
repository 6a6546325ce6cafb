"""The world: one step of a community as a pipeline of pure functions."""

from prosumax.env.step import Record, State, initial_state, step

__all__ = ["Record", "State", "initial_state", "step"]
