"""Observation terms by name."""

from prosumax.rl.observations import home_terms, mahtm

__all__ = ["home_terms", "mahtm"]
