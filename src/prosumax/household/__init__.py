"""Household physics: what happens behind one meter in one step. One file per device.

The four kinds of MAHTM (passive or active, consumer or prosumer) are not modelled apart: they are which devices exist.
Passive homes have no storage, consumers have no solar.
"""

from prosumax.household import battery
from prosumax.household.home import HomeParams, HomeState, feasible, initial_state, kind, step

__all__ = ["HomeParams", "HomeState", "battery", "feasible", "initial_state", "kind", "step"]
