"""Sample series of the home on page two, generated once per machine.

They are load, PV generation and the inputs of devices on the representative days.
"""

from collections.abc import Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import PyTree
from numpy.typing import NDArray

from prosumax.data.cache import file_digest, load_or_compute, source_digest
from prosumax.data.generators.household import (
    appliances,
    hot_water,
    lifestyles,
    load,
    occupancy,
)
from prosumax.data.generators.household.load import synthetic_load
from prosumax.data.generators.solar import position, pv, weather
from prosumax.data.generators.solar.weather import monthly_irradiation_kwh_m2
from prosumax.devices.home import (
    HomeState,
    devices_net_kwh,
    initial_state,
    step_devices,
)
from prosumax.scenario.loading import load_scenario
from prosumax.simulation.community import assemble
from prosumax.simulation.inputs import Profiles, read_profiles
from prosumax.web.model import state

Series = NDArray[np.float64]

STEPS_PER_DAY = 96
YEAR = 2023
TIME_ZONE = "Europe/Brussels"
SEED = 1
SEASON_MONTHS: Mapping[str, int] = {"winter": 1, "spring": 4, "summer": 7, "autumn": 10}
"""Month whose most typical day represents a season."""
DAY_TYPES = state.choice_options(state.HomePageState, "day_type")
WEATHER_TYPES = state.choice_options(state.HomePageState, "weather")
SHIFTABLE_APPLIANCES = ("washing machine", "dishwasher")
"""Appliances whose time the visitor sets; they are left out of the generated loads."""

PV_PLANES: Mapping[str, tuple[tuple[float, float], ...]] = {
    "south": ((35.0, 180.0),),
    "eastwest": ((35.0, 90.0), (35.0, 270.0)),
    "north": ((35.0, 0.0),),
}
"""Tilt and azimuth, in degrees, of the planes that share the panels, by orientation."""

_MAX_PEOPLE = 6
_SERIES_PREFIX = "device_series_"
_LAST_DAY = 28  # of a month that may be shown; daylight saving time ends on 29 October
_OVERCAST_SHARE = 0.4  # of a month's usual irradiation, on a day that stays overcast
_LIFESTYLE: Mapping[str, tuple[str, str, str]] = {
    "office": ("single", "couple", "family_with_teenagers"),
    "home": ("retired", "family", "family"),
    "remote": ("home_business", "home_business", "home_business"),
    "retired": ("retired", "retired", "retired"),
    "nights": ("night_shifts", "night_shifts", "night_shifts"),
}
"""Lifestyle of the load generator by routine, for one resident, two, and more."""
_ANNUAL_KWH = (2000.0, 2970.0, 3300.0, 3800.0, 4300.0, 4800.0)
"""Annual load of a home with one to six residents.

The values are those of the lifestyles up to four residents; each further resident adds 500 kWh.
"""


class TableIndex(NamedTuple):
    """Position of a home in the sample tables, one index per axis."""

    routine: int
    people: int
    season: int
    day_type: int
    weather: int
    orientation: int


class SampleTables(NamedTuple):
    """Generated series, indexed by the positions of a `TableIndex`.

    Attributes:
        day_of_month: Representative day of a season [season, day type].
        load_kwh: Load without shiftable appliances [routine, people, season, day type, step].
        solar_kwh: PV generation per kWp [season, day type, weather, orientation, step].
        month_load_kwh: Monthly load, shiftable appliances included [routine, people, month].
        month_solar_kwh: Monthly PV generation per kWp in usual weather [orientation, month].
        month_device_kwh: Monthly electricity of the devices of `device_sections` [people, month].
        device_series: Inputs of these devices, the leaves of their series in the order of
            `jax.tree.leaves`, each [people, season, day type, weather, step, ...].
    """

    day_of_month: NDArray[np.int64]
    load_kwh: Series
    solar_kwh: Series
    month_load_kwh: Series
    month_solar_kwh: Series
    month_device_kwh: Series
    device_series: tuple[Series, ...]


def table_index(home: state.HomePageState) -> TableIndex:
    """Return the position of a home in the sample tables.

    Args:
        home: Settings of the home page.
    """
    return TableIndex(
        state.ROUTINES.index(home.routine),
        home.people - 1,
        state.SEASONS.index(home.season),
        DAY_TYPES.index(home.day_type),
        WEATHER_TYPES.index(home.weather),
        list(PV_PLANES).index(home.orientation),
    )


def representative_date(season: str, day_type: str) -> str:
    """Return the representative date of a season, YYYY-MM-DD.

    Args:
        season: One of `state.SEASONS`.
        day_type: One of `DAY_TYPES`.
    """
    index = state.SEASONS.index(season), DAY_TYPES.index(day_type)
    number = int(load_tables().day_of_month[index])
    return f"{YEAR}-{SEASON_MONTHS[season]:02d}-{number:02d}"


def base_scenario(start: str, days: int, weather_type: str) -> dict[str, object]:
    """Return the part of a scenario that does not depend on the home.

    Args:
        start: First day, YYYY-MM-DD.
        days: Number of days.
        weather_type: One of `WEATHER_TYPES`.
    """
    return {
        "name": "home",
        "seed": SEED,
        "period": {
            "start": f"{start}T00:00",
            "steps": STEPS_PER_DAY * days,
            "step_minutes": 15,
            "time_zone": TIME_ZONE,
        },
        "location": {"latitude_deg": 50.85, "longitude_deg": 4.35, "altitude_m": 60},
        "weather": _weather_spec(weather_type),
        "policy": "self-consumption",
        "market": {"mechanism": "none"},
    }


def pv_spec(peak_kwp: float, orientation: str) -> dict[str, object]:
    """Return the scenario entry of a PV system.

    Args:
        peak_kwp: Peak power of all planes together, kWp.
        orientation: One of `PV_PLANES`.
    """
    planes = PV_PLANES[orientation]
    arrays = [
        {"peak_kw": peak_kwp / len(planes), "tilt_deg": tilt, "azimuth_deg": azimuth}
        for tilt, azimuth in planes
    ]
    return {"source": "synthetic", "arrays": arrays}


def device_sections(people: int) -> dict[str, object]:
    """Return the simulated devices that a visitor can add, as sections of a home in a scenario.

    Args:
        people: Number of residents.
    """
    return {"heat_pump": {"hot_water": {"occupants": people}}}


@cache
def load_tables() -> SampleTables:
    """Load the sample tables from the cache, or generate them."""
    generators = source_digest(
        load, occupancy, lifestyles, appliances, pv, weather, position, hot_water
    )
    key = {"code": [generators, file_digest(Path(__file__))], "routines": state.ROUTINES}
    tables = load_or_compute("demo_home", key, _generate)
    names = sorted((name for name in tables if name.startswith(_SERIES_PREFIX)), key=_leaf_number)
    leaves = tuple(tables.pop(name) for name in names)
    return SampleTables(**tables, device_series=leaves)


def _weather_spec(weather_type: str) -> dict[str, object]:
    if weather_type == "clear":
        return {"source": "clear_sky"}
    if weather_type == "gray":
        usual = monthly_irradiation_kwh_m2("normal")
        overcast = [round(_OVERCAST_SHARE * kwh, 1) for kwh in usual]
        return {"source": "synthetic", "monthly_kwh_m2": overcast}
    return {"source": "synthetic"}


def _generate() -> dict[str, PyTree]:
    tables = {name: np.zeros(shape) for name, shape in _shapes().items()}
    dates = np.array(
        [
            [_representative_day(month, day_type) for day_type in DAY_TYPES]
            for month in SEASON_MONTHS.values()
        ]
    )
    _generate_days(tables, dates)
    year = pd.date_range(
        f"{YEAR}-01-01", f"{YEAR + 1}-01-01", freq="15min", tz=TIME_ZONE, inclusive="left"
    )
    for index, orientation in enumerate(PV_PLANES):
        solar_kwh = _read_home(f"{YEAR}-01-01", 365, "mixed", orientation).solar_kwh[:, 0]
        tables["month_solar_kwh"][index] = _monthly_sums(solar_kwh, year)
    tables["month_device_kwh"][:] = [_monthly_sums(kwh, year) for kwh in _device_year()]
    _generate_loads(tables, year)
    return {**tables, "day_of_month": dates}


def _generate_days(tables: dict[str, Series], dates: NDArray[np.int64]) -> None:
    """Fill in PV generation and inputs of devices of the representative days."""
    for (season, month), (day, _), (sky, weather_type) in product(
        enumerate(SEASON_MONTHS.values()), enumerate(DAY_TYPES), enumerate(WEATHER_TYPES)
    ):
        start = f"{YEAR}-{month:02d}-{dates[season, day]:02d}"
        for plane, orientation in enumerate(PV_PLANES):
            profiles = _read_home(start, 1, weather_type, orientation)
            tables["solar_kwh"][season, day, sky, plane] = profiles.solar_kwh[:, 0]
        for people in range(1, _MAX_PEOPLE + 1):
            sections = device_sections(people)
            profiles = _read_home(start, 1, weather_type, "south", sections)
            for number, leaf in enumerate(jax.tree.leaves(profiles.devices)):
                shape = (_MAX_PEOPLE, *tables["solar_kwh"].shape[:3], *leaf.shape)
                table = tables.setdefault(f"{_SERIES_PREFIX}{number}", np.zeros(shape))
                table[people - 1, season, day, sky] = leaf


def _generate_loads(tables: dict[str, Series], year: pd.DatetimeIndex) -> None:
    """Fill in the loads of the representative days and of the months."""
    for (routine, name), people in product(enumerate(state.ROUTINES), range(1, _MAX_PEOPLE + 1)):
        annual_kwh = _ANNUAL_KWH[people - 1]
        generated = synthetic_load(
            year.tz_convert("UTC"),
            _LIFESTYLE[name][min(people, 3) - 1],
            annual_kwh,
            SEED,
            TIME_ZONE,
            occupants=people,
            excluded_uses=SHIFTABLE_APPLIANCES,
        )
        scale = annual_kwh / generated.kwh.sum()
        tables["month_load_kwh"][routine, people - 1] = _monthly_sums(generated.kwh, year) * scale
        for (season, month), (day, day_type) in product(
            enumerate(SEASON_MONTHS.values()), enumerate(DAY_TYPES)
        ):
            candidates = (
                (year.month == month) & (year.day <= _LAST_DAY) & _matches_day_type(year, day_type)
            )
            days = generated.kwh[candidates].reshape(-1, STEPS_PER_DAY)
            tables["load_kwh"][routine, people - 1, season, day] = _most_typical(days)


def _shapes() -> dict[str, tuple[int, ...]]:
    days = (len(SEASON_MONTHS), len(DAY_TYPES))
    return {
        "load_kwh": (len(state.ROUTINES), _MAX_PEOPLE, *days, STEPS_PER_DAY),
        "solar_kwh": (*days, len(WEATHER_TYPES), len(PV_PLANES), STEPS_PER_DAY),
        "month_load_kwh": (len(state.ROUTINES), _MAX_PEOPLE, 12),
        "month_solar_kwh": (len(PV_PLANES), 12),
        "month_device_kwh": (_MAX_PEOPLE, 12),
    }


_NO_LOAD = {"source": "values", "values": [0.0]}
_NO_TARIFF = {"energy": 0, "network": 0, "levies": 0, "vat": 0, "feed_in": 0}


def _read_home(
    start: str,
    days: int,
    weather_type: str,
    orientation: str,
    sections: Mapping[str, object] | None = None,
) -> Profiles:
    """Read the profiles of a home with 1 kWp of PV, no load and the given devices."""
    home: dict[str, object] = {
        "name": "Home",
        "load": _NO_LOAD,
        "solar": pv_spec(1.0, orientation),
        **(sections or {}),
    }
    base = base_scenario(start, days, weather_type)
    return read_profiles(load_scenario({**base, "tariff": _NO_TARIFF, "homes": [home]}))


def _device_year() -> Series:
    """Simulate the electricity of the devices for one year, kWh [people, step]."""
    homes = [
        {"name": str(people), "load": _NO_LOAD, **device_sections(people)}
        for people in range(1, _MAX_PEOPLE + 1)
    ]
    base = base_scenario(f"{YEAR}-01-01", 365, "mixed")
    scenario = load_scenario({**base, "tariff": _NO_TARIFF, "homes": homes})
    community = assemble(scenario, read_profiles(scenario))
    no_load_kwh = jnp.zeros(len(homes))

    def simulate_step(before: HomeState, inputs: dict[str, PyTree]) -> tuple[HomeState, PyTree]:
        after, flows, _ = step_devices(
            community.homes, before, inputs, None, no_load_kwh, community.step_hours
        )
        return after, devices_net_kwh(flows)

    initial = initial_state(community.homes)
    _, kwh = jax.lax.scan(simulate_step, initial, community.series.devices)
    return np.asarray(kwh, np.float64).T


def _leaf_number(name: str) -> int:
    return int(name.removeprefix(_SERIES_PREFIX))


def _monthly_sums(kwh: Series, year: pd.DatetimeIndex) -> Series:
    return np.bincount(np.asarray(year.month) - 1, kwh, 12).astype(np.float64)


def _representative_day(month: int, day_type: str) -> int:
    """Return the day of the month whose hourly PV generation is most typical."""
    days = pd.date_range(f"{YEAR}-{month:02d}-01", periods=_LAST_DAY)
    profiles = _read_home(f"{days[0].date()}", len(days), "mixed", "south")
    solar_kwh = profiles.solar_kwh[:, 0].reshape(-1, STEPS_PER_DAY)
    candidates = _matches_day_type(days, day_type)
    distance = np.where(candidates, _distance_from_mean(solar_kwh), np.inf)
    return int(days[int(np.argmin(distance))].day)


def _matches_day_type(days: pd.DatetimeIndex, day_type: str) -> NDArray[np.bool_]:
    return np.asarray((days.dayofweek >= 5) == (day_type == "weekend"))


def _most_typical(days: Series) -> Series:
    """Return the most typical of several days [day, step], which is not an average of them."""
    return np.asarray(days[int(np.argmin(_distance_from_mean(days)))])


def _distance_from_mean(days: Series) -> Series:
    """Compute the sum of hourly deviations of each day from the mean day, kWh [day]."""
    hourly = days.reshape(len(days), 24, 4).sum(axis=2)
    return np.asarray(np.abs(hourly - hourly.mean(axis=0)).sum(axis=1))
