"""Time series: where numbers come from. One module per source; NumPy and pandas side, nothing here runs in JAX."""

from prosumax.profiles.citylearn import read_load, read_series, read_solar
from prosumax.profiles.datasets import DATASETS, fetch
from prosumax.profiles.generation import CARBON_KG_PER_KWH, generated_prices, merit_order, price_and_carbon
from prosumax.profiles.lifestyles import LIFESTYLES
from prosumax.profiles.load import Load, synthetic_load
from prosumax.profiles.mahtm import mahtm_load, mahtm_shape, mahtm_solar
from prosumax.profiles.sky import Neighbour, Sky, clear_sky, synthetic_sky
from prosumax.profiles.solar import Panels, solar_kwh_per_kwp
from prosumax.profiles.tables import read_table

__all__ = [
    "CARBON_KG_PER_KWH",
    "DATASETS",
    "LIFESTYLES",
    "Load",
    "Neighbour",
    "Panels",
    "Sky",
    "clear_sky",
    "fetch",
    "generated_prices",
    "mahtm_load",
    "mahtm_shape",
    "mahtm_solar",
    "merit_order",
    "price_and_carbon",
    "read_load",
    "read_series",
    "read_solar",
    "read_table",
    "solar_kwh_per_kwp",
    "synthetic_load",
    "synthetic_sky",
]
