"""Household physics: what happens behind one meter in one step. One file per device.

The four kinds of MAHTM (passive or active, consumer or prosumer) are not modelled apart: they are which devices exist.
Passive homes have no storage, consumers have no solar.
"""

from prosumax.devices import appliance, battery, ev, flexible, heat_pump
from prosumax.devices.home import (
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
    "appliance",
    "battery",
    "ev",
    "flexible",
    "feasible",
    "heat_pump",
    "initial_state",
    "kind",
    "run_devices",
    "step",
    "usual_kwh",
]
