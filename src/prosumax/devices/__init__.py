"""Devices: the physics behind one meter in one step, one file per device.

The household types of MAHTM (passive or active, consumer or prosumer) follow from the devices of
a home: passive homes have no storage, consumers have no PV.
"""

from prosumax.devices import appliance, battery, battery_aging, ev, flexible, heat_pump
from prosumax.devices.home import (
    HomeParams,
    HomeState,
    default_devices_kwh,
    household_type,
    initial_state,
    step,
    step_devices,
    tradable_kwh,
)

__all__ = [
    "HomeParams",
    "HomeState",
    "appliance",
    "battery",
    "battery_aging",
    "default_devices_kwh",
    "ev",
    "flexible",
    "heat_pump",
    "household_type",
    "initial_state",
    "step",
    "step_devices",
    "tradable_kwh",
]
