"""Time series for simulations: file readers, synthetic generators, public data sets and cache.

Everything here runs on the host in float64 with NumPy and pandas; nothing runs in JAX. A data
source of a scenario is a subclass of `Source` in a registry such as `load_sources`.
"""

from prosumax.data.base import Site, Source, SourceContext, WeatherSource
from prosumax.data.datasets import DATASETS, fetch_dataset
from prosumax.data.registry import load_sources, price_sources, solar_sources, weather_sources

__all__ = [
    "DATASETS",
    "Site",
    "Source",
    "SourceContext",
    "WeatherSource",
    "fetch_dataset",
    "load_sources",
    "price_sources",
    "solar_sources",
    "weather_sources",
]
