"""Household physics: what happens behind one meter in one step. One file per device.

The four kinds of MAHTM (passive or active, consumer or prosumer) are not modelled apart: they are which devices exist.
Passive homes have no storage, consumers have no solar.
"""

from prosumax.devices import appliance, battery, ev, flexible, heat_pump
from prosumax.devices.home import (
    HomeParams,
    HomeState,
    tradable_kwh,
    initial_state,
    household_type,
    step_devices,
    step,
    default_devices_kwh,
)

__all__ = [
    "HomeParams",
    "HomeState",
    "appliance",
    "battery",
    "ev",
    "flexible",
    "tradable_kwh",
    "heat_pump",
    "initial_state",
    "household_type",
    "step_devices",
    "step",
    "default_devices_kwh",
]
