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

__all__ = [
    "AnyDevice",
    "Device",
    "DeviceContext",
    "DeviceObservation",
    "LinearDevice",
    "LinearProgram",
    "devices",
    "stack_fields",
]
