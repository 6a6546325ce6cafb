"""Time series: where numbers come from. One module per source; NumPy and pandas side, nothing here runs in JAX."""

from prosumax.profiles.citylearn import read_load, read_series, read_solar
from prosumax.profiles.datasets import DATASETS, fetch
from prosumax.profiles.day_ahead import typical_day_ahead_eur_per_mwh
from prosumax.profiles.fills import fills
from prosumax.profiles.generation import CARBON_KG_PER_KWH, generated_prices, merit_order, price_and_carbon
from prosumax.profiles.hot_water import PERSONS, hot_water_kwh
from prosumax.profiles.load import LIFESTYLES, synthetic_load_kwh
from prosumax.profiles.mahtm import mahtm_load, mahtm_shape, mahtm_solar
from prosumax.profiles.meter_file import UNITS, Reading
from prosumax.profiles.meters import HomeMeter, Meters, read_meters
from prosumax.profiles.solar import Sky, solar_kwh_per_kwp, synthetic_sky
from prosumax.profiles.tables import read_table
from prosumax.profiles.trips import DRIVERS, drawn_drives, fixed_drives, plugged_after, whereabouts

__all__ = [
    "CARBON_KG_PER_KWH",
    "DATASETS",
    "DRIVERS",
    "LIFESTYLES",
    "PERSONS",
    "UNITS",
    "HomeMeter",
    "Meters",
    "Reading",
    "Sky",
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
    "synthetic_load_kwh",
    "synthetic_sky",
    "whereabouts",
    "typical_day_ahead_eur_per_mwh",
]
