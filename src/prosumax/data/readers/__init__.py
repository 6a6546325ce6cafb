"""Readers of time series, one file format per module; errors name file, line and fix."""

from prosumax.data.readers.meter_file import METER_UNITS, MeterReadOptions
from prosumax.data.readers.meters import HomeMeterData, MeterData, read_meters
from prosumax.data.readers.tables import read_table

__all__ = [
    "METER_UNITS",
    "HomeMeterData",
    "MeterData",
    "MeterReadOptions",
    "read_meters",
    "read_table",
]
