"""Household physics: what happens behind one meter in one step. One file per device.

The four kinds of MAHTM (passive or active, consumer or prosumer) are not modelled apart: they are which devices exist.
Passive homes have no storage, consumers have no solar.
"""

from prosumax.household import appliances, battery, car, devices, heat_pump
from prosumax.household.home import (
    HomeParams,
    HomeState,
    feasible,
    initial_state,
    kind,
    run_devices,
    step,
    usual_kwh,
)

__all__ = [
    "HomeParams",
    "HomeState",
    "appliances",
    "battery",
    "car",
    "devices",
    "feasible",
    "heat_pump",
    "initial_state",
    "kind",
    "run_devices",
    "step",
    "usual_kwh",
]
