"""Devices: the physics behind one meter in one step, one file per kind of device.

Every kind implements `Device` and registers itself in `devices`; `home` runs all of them behind the
meter of a home.
"""

from prosumax.devices.base import (
    AnyDevice,
    Device,
    DeviceContext,
    DeviceObservation,
    LinearDevice,
    devices,
    stack_fields,
)
from prosumax.devices.linear_program import LinearProgram
from prosumax.scenario.schema.devices import DeviceConfig
from prosumax.types import DeviceFlow, StorageFlow

__all__ = [
    "AnyDevice",
    "Device",
    "DeviceConfig",
    "DeviceContext",
    "DeviceFlow",
    "DeviceObservation",
    "LinearDevice",
    "LinearProgram",
    "StorageFlow",
    "devices",
    "stack_fields",
]
