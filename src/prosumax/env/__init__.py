"""The world: one step of a community as a pipeline of pure functions."""

from prosumax.env.step import Outcome, Record, State, initial_state, step

__all__ = ["Outcome", "Record", "State", "initial_state", "step"]
