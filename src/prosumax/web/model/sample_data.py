"""Sample series of the home on page two, generated once per machine.

They are load, PV generation, outdoor temperature and hot water of the representative days.
"""

from collections.abc import Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import PyTree
from numpy.typing import NDArray

from prosumax import devices
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
from prosumax.devices.flexible import DeviceSeries
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
        outdoor_c: Outdoor temperature, degrees Celsius [season, day type, weather, step].
        heat_gain_kwh: Heat gain of a building [season, day type, weather, step].
        hot_water_kwh: Heat in the hot water [people, season, day type, step].
        month_load_kwh: Monthly load, shiftable appliances included [routine, people, month].
        month_solar_kwh: Monthly PV generation per kWp in usual weather [orientation, month].
        month_heat_pump_kwh: Monthly electricity of a heat pump [people, month].
    """

    day_of_month: NDArray[np.int64]
    load_kwh: Series
    solar_kwh: Series
    outdoor_c: Series
    heat_gain_kwh: Series
    hot_water_kwh: Series
    month_load_kwh: Series
    month_solar_kwh: Series
    month_heat_pump_kwh: Series


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


@cache
def load_tables() -> SampleTables:
    """Load the sample tables from the cache, or generate them."""
    generators = source_digest(
        load, occupancy, lifestyles, appliances, pv, weather, position, hot_water
    )
    key = {"code": [generators, file_digest(Path(__file__))], "routines": state.ROUTINES}
    return SampleTables(**load_or_compute("demo_home", key, _generate))


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
    tables["month_heat_pump_kwh"][:] = [_monthly_sums(kwh, year) for kwh in _heat_pump_year()]
    _generate_loads(tables, year)
    return {**tables, "day_of_month": dates}


def _generate_days(tables: dict[str, Series], dates: NDArray[np.int64]) -> None:
    """Fill in PV generation, temperatures and hot water of the representative days."""
    for (season, month), (day, _), (sky, weather_type), (plane, orientation) in product(
        enumerate(SEASON_MONTHS.values()),
        enumerate(DAY_TYPES),
        enumerate(WEATHER_TYPES),
        enumerate(PV_PLANES),
    ):
        start = f"{YEAR}-{month:02d}-{dates[season, day]:02d}"
        profiles = _read_home(start, 1, weather_type, orientation, heat_pump=True)
        tables["solar_kwh"][season, day, sky, plane] = profiles.solar_kwh[:, 0]
        assert profiles.devices is not None
        assert profiles.devices.heat_pump is not None
        heat = profiles.devices.heat_pump
        tables["outdoor_c"][season, day, sky] = heat.outdoor_c
        tables["heat_gain_kwh"][season, day, sky] = np.asarray(heat.heat_gain_kwh)[:, 0]
        if sky == plane == 0:
            for people in range(1, _MAX_PEOPLE + 1):
                profiles = _read_home(
                    start, 1, weather_type, orientation, heat_pump=True, people=people
                )
                assert profiles.devices is not None
                assert profiles.devices.heat_pump is not None
                hot_water_kwh = np.asarray(profiles.devices.heat_pump.hot_water_kwh)
                tables["hot_water_kwh"][people - 1, season, day] = hot_water_kwh[:, 0]


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
        "outdoor_c": (*days, len(WEATHER_TYPES), STEPS_PER_DAY),
        "heat_gain_kwh": (*days, len(WEATHER_TYPES), STEPS_PER_DAY),
        "hot_water_kwh": (_MAX_PEOPLE, *days, STEPS_PER_DAY),
        "month_load_kwh": (len(state.ROUTINES), _MAX_PEOPLE, 12),
        "month_solar_kwh": (len(PV_PLANES), 12),
        "month_heat_pump_kwh": (_MAX_PEOPLE, 12),
    }


_NO_LOAD = {"source": "values", "values": [0.0]}
_NO_TARIFF = {"energy": 0, "network": 0, "levies": 0, "vat": 0, "feed_in": 0}


def _read_home(
    start: str,
    days: int,
    weather_type: str,
    orientation: str,
    heat_pump: bool = False,
    people: int = 3,
) -> Profiles:
    """Read the profiles of a home with 1 kWp of PV and no load."""
    home: dict[str, object] = {
        "name": "Home",
        "load": _NO_LOAD,
        "solar": pv_spec(1.0, orientation),
    }
    if heat_pump:
        home["heat_pump"] = {"hot_water": {"occupants": people}}
    base = base_scenario(start, days, weather_type)
    return read_profiles(load_scenario({**base, "tariff": _NO_TARIFF, "homes": [home]}))


def _heat_pump_year() -> Series:
    """Simulate the electricity of heat pumps for one year, kWh [people, step]."""
    homes = [
        {
            "name": str(people),
            "load": _NO_LOAD,
            "heat_pump": {"hot_water": {"occupants": people}},
        }
        for people in range(1, _MAX_PEOPLE + 1)
    ]
    base = base_scenario(f"{YEAR}-01-01", 365, "mixed")
    scenario = load_scenario({**base, "tariff": _NO_TARIFF, "homes": homes})
    community = assemble(scenario, read_profiles(scenario))

    def simulate_step(
        before: devices.HomeState, inputs: DeviceSeries | None
    ) -> tuple[devices.HomeState, PyTree]:
        after, flows = devices.step_devices(
            community.homes, before, inputs, None, community.step_hours
        )
        assert flows is not None
        assert flows.heat_pump is not None
        heat = flows.heat_pump
        return after, heat.space_heating_electricity_kwh + heat.hot_water_electricity_kwh

    initial = devices.initial_state(community.homes)
    _, kwh = jax.lax.scan(simulate_step, initial, community.series.devices)
    return np.asarray(kwh, np.float64).T


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
