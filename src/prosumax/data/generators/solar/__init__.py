"""Solar resource and PV generation: solar position, synthetic weather, AC yield of a PV system."""

from prosumax.data.generators.solar.pv import PVSystem, pv_yield_kwh_per_kwp
from prosumax.data.generators.solar.weather import (
    CloudVariability,
    WeatherSeries,
    clear_sky_weather,
    synthetic_weather,
)

__all__ = [
    "CloudVariability",
    "PVSystem",
    "WeatherSeries",
    "clear_sky_weather",
    "pv_yield_kwh_per_kwp",
    "synthetic_weather",
]
