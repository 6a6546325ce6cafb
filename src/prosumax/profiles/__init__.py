"""Time series: where numbers come from. One module per source; NumPy and pandas side, nothing here runs in JAX."""

from prosumax.profiles.citylearn import read_load, read_series, read_solar
from prosumax.profiles.datasets import DATASETS, fetch
from prosumax.profiles.day_ahead import typical_day_ahead_eur_per_mwh
from prosumax.profiles.fills import fills
from prosumax.profiles.generation import CARBON_KG_PER_KWH, generated_prices, merit_order, price_and_carbon
from prosumax.profiles.hot_water import PERSONS, hot_water_kwh
from prosumax.profiles.lifestyles import LIFESTYLES
from prosumax.profiles.load import Load, synthetic_load
from prosumax.profiles.mahtm import mahtm_load, mahtm_shape, mahtm_solar
from prosumax.profiles.meter_file import UNITS, Reading
from prosumax.profiles.meters import HomeMeter, Meters, read_meters
from prosumax.profiles.sky import Neighbour, Sky, clear_sky, synthetic_sky
from prosumax.profiles.solar import Panels, solar_kwh_per_kwp
from prosumax.profiles.tables import read_table
from prosumax.profiles.trips import DRIVERS, drawn_drives, fixed_drives, plugged_after, whereabouts

__all__ = [
    "CARBON_KG_PER_KWH",
    "DATASETS",
    "DRIVERS",
    "HomeMeter",
    "LIFESTYLES",
    "Load",
    "Meters",
    "Neighbour",
    "PERSONS",
    "Panels",
    "Reading",
    "Sky",
    "UNITS",
    "clear_sky",
    "drawn_drives",
    "fetch",
    "fills",
    "fixed_drives",
    "generated_prices",
    "hot_water_kwh",
    "mahtm_load",
    "mahtm_shape",
    "mahtm_solar",
    "merit_order",
    "plugged_after",
    "price_and_carbon",
    "read_load",
    "read_meters",
    "read_series",
    "read_solar",
    "read_table",
    "solar_kwh_per_kwp",
    "synthetic_load",
    "synthetic_sky",
    "typical_day_ahead_eur_per_mwh",
    "whereabouts",
]
