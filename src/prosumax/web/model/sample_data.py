"""What is random about the home of page two, drawn once per machine: use, sun, heat and water on the days shown."""

from collections.abc import Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax import devices
from prosumax.data.cache import cached, code_key, file_key
from prosumax.data.generators.household.load import synthetic_load
from prosumax.data.generators.solar.sky import irradiation
from prosumax.scenario.loading import load_scenario
from prosumax.simulation.build import assemble
from prosumax.simulation.inputs import Profiles, read_profiles
from prosumax.web.model import state

Series = NDArray[np.float64]

QUARTERS = 96
YEAR = 2023
ZONE = "Europe/Brussels"
SEED = 1
MONTHS: Mapping[str, int] = {"winter": 1, "spring": 4, "summer": 7, "autumn": 10}
"""The month whose most usual day stands for a season."""
DAYS = state.options_of(state.Home, "day")
WEATHERS = state.options_of(state.Home, "weather")
MOVED = ("washing machine", "dishwasher")
"""Uses that the visitor gives an hour; left out of what is drawn."""

ROOFS: Mapping[str, tuple[tuple[float, float], ...]] = {
    "south": ((35.0, 180.0),),
    "eastwest": ((35.0, 90.0), (35.0, 270.0)),
    "north": ((35.0, 0.0),),
}
"""Tilt and compass direction of the planes that share the panels."""

_LAST_DAY = 28  # of a month that may be shown: summer time ends on 29 October
_GREY_SHARE = 0.4  # of a month's usual light, on a day that stays overcast
_LIFESTYLE: Mapping[str, tuple[str, str, str]] = {
    "office": ("single", "couple", "family_with_teenagers"),
    "home": ("retired", "family", "family"),
    "remote": ("home_business", "home_business", "home_business"),
    "retired": ("retired", "retired", "retired"),
    "nights": ("night_shifts", "night_shifts", "night_shifts"),
}
"""The simulator's lifestyle of a routine with one person, two, and more."""
_ANNUAL_KWH = (2000.0, 2970.0, 3300.0, 3800.0, 4300.0, 4800.0)
"""What a home of one to six uses in a year: the lifestyles' own up to four people, then 500 more for each."""


class Place(NamedTuple):
    """Where a home stands in the tables."""

    routine: int
    people: int
    season: int
    day: int
    weather: int
    roof: int


class Tables(NamedTuple):
    """What was drawn, by the positions of a `Place`.

    Attributes:
        date: day of the month that stands for a season [season, day].
        load_kwh: [routine, people, season, day, quarter].
        sun_kwh: per kWp [season, day, weather, roof, quarter].
        outdoor_c, gain_kwh: around a heat pump [season, day, weather, quarter].
        water_kwh: heat in the hot water [people, season, day, quarter].
        month_load_kwh: use of the months of a year, washing included [routine, people, month].
        month_sun_kwh: per kWp, in usual weather [roof, month].
        month_heat_kwh: of a heat pump [people, month].
    """

    date: NDArray[np.int64]
    load_kwh: Series
    sun_kwh: Series
    outdoor_c: Series
    gain_kwh: Series
    water_kwh: Series
    month_load_kwh: Series
    month_sun_kwh: Series
    month_heat_kwh: Series


def place(home: state.Home) -> Place:
    """Where a home stands in the tables."""
    return Place(
        state.ROUTINES.index(home.routine),
        home.people - 1,
        state.SEASONS.index(home.season),
        DAYS.index(home.day),
        WEATHERS.index(home.weather),
        list(ROOFS).index(home.roof),
    )


def date(season: str, kind: str) -> str:
    """The date that stands for a season, YYYY-MM-DD."""
    number = int(tables().date[state.SEASONS.index(season), DAYS.index(kind)])
    return f"{YEAR}-{MONTHS[season]:02d}-{number:02d}"


def around(start: str, days: int, weather: str) -> dict[str, Any]:
    """The part of a scenario that no visitor sets: where, when, and which weather."""
    return {
        "name": "home",
        "seed": SEED,
        "period": {
            "start": f"{start}T00:00",
            "steps": QUARTERS * days,
            "step_minutes": 15,
            "time_zone": ZONE,
        },
        "location": {"latitude_deg": 50.85, "longitude_deg": 4.35, "altitude_m": 60},
        "weather": _weather(weather),
        "policy": "self-consumption",
        "market": {"mechanism": "none"},
    }


def panels(peak_kwp: float, roof: str) -> dict[str, Any]:
    """So many kWp on a roof, as a scenario says it."""
    planes = ROOFS[roof]
    roofs = [
        {"peak_kw": peak_kwp / len(planes), "tilt_deg": tilt, "azimuth_deg": azimuth}
        for tilt, azimuth in planes
    ]
    return {"source": "synthetic", "roofs": roofs}


@cache
def tables() -> Tables:
    """Everything random; read from the cache where it is kept."""
    code = code_key(
        "generators/household/load",
        "generators/household/occupancy",
        "generators/household/lifestyles",
        "generators/household/appliances",
        "generators/solar/pv",
        "generators/solar/sky",
        "generators/solar/sun",
        "generators/household/hot_water",
    )
    own = file_key(Path(__file__))
    return Tables(**cached("demo_home", {"code": [code, own], "routines": state.ROUTINES}, _draw))


def _weather(kind: str) -> dict[str, Any]:
    if kind == "clear":
        return {"source": "clear_sky"}
    if kind == "grey":
        return {
            "source": "synthetic",
            "monthly_kwh_m2": [round(_GREY_SHARE * kwh, 1) for kwh in irradiation("normal")],
        }
    return {"source": "synthetic"}


def _draw() -> dict[str, NDArray[Any]]:
    dates = np.array([[_usual_date(month, kind) for kind in DAYS] for month in MONTHS.values()])
    drawn = {name: np.zeros(shape) for name, shape in _shapes().items()}
    for (season, month), (day, _), (weather, sky), (roof, name) in product(
        enumerate(MONTHS.values()), enumerate(DAYS), enumerate(WEATHERS), enumerate(ROOFS)
    ):
        start = f"{YEAR}-{month:02d}-{dates[season, day]:02d}"
        made = _read(start, 1, sky, name, heated=True)
        drawn["sun_kwh"][season, day, weather, roof] = made.solar_kwh[:, 0]
        assert made.devices is not None and made.devices.heat_pump is not None
        drawn["outdoor_c"][season, day, weather] = made.devices.heat_pump.outdoor_c
        drawn["gain_kwh"][season, day, weather] = np.asarray(made.devices.heat_pump.gain_kwh)[:, 0]
        if weather == roof == 0:
            for people in range(1, 7):
                made = _read(start, 1, sky, name, heated=True, people=people)
                assert made.devices is not None and made.devices.heat_pump is not None
                drawn["water_kwh"][people - 1, season, day] = np.asarray(
                    made.devices.heat_pump.water_kwh
                )[:, 0]
    year = pd.date_range(
        f"{YEAR}-01-01", f"{YEAR + 1}-01-01", freq="15min", tz=ZONE, inclusive="left"
    )
    drawn["month_sun_kwh"][:] = [_monthly(_read_year(one).solar_kwh[:, 0], year) for one in ROOFS]
    drawn["month_heat_kwh"][:] = [_monthly(kwh, year) for kwh in _heat_of_a_year()]
    for (routine, name), people in product(enumerate(state.ROUTINES), range(1, 7)):
        lifestyle = _LIFESTYLE[name][min(people, 3) - 1]
        settings = (year.tz_convert("UTC"), lifestyle, _ANNUAL_KWH[people - 1], SEED, ZONE)
        own = synthetic_load(*settings, people=people, without=MOVED)
        drawn["month_load_kwh"][routine, people - 1] = _monthly(own.kwh, year) * (
            _ANNUAL_KWH[people - 1] / own.kwh.sum()
        )
        for (season, month), (day, kind) in product(enumerate(MONTHS.values()), enumerate(DAYS)):
            shown = (year.month == month) & (year.day <= _LAST_DAY) & _is(year, kind)
            days = own.kwh[shown].reshape(-1, QUARTERS)
            drawn["load_kwh"][routine, people - 1, season, day] = _most_usual(days)
    return {**drawn, "date": dates}


def _shapes() -> dict[str, tuple[int, ...]]:
    days = (len(MONTHS), len(DAYS))
    return {
        "load_kwh": (len(state.ROUTINES), 6, *days, QUARTERS),
        "sun_kwh": (*days, len(WEATHERS), len(ROOFS), QUARTERS),
        "outdoor_c": (*days, len(WEATHERS), QUARTERS),
        "gain_kwh": (*days, len(WEATHERS), QUARTERS),
        "water_kwh": (6, *days, QUARTERS),
        "month_load_kwh": (len(state.ROUTINES), 6, 12),
        "month_sun_kwh": (len(ROOFS), 12),
        "month_heat_kwh": (6, 12),
    }


_NO_LOAD = {"source": "values", "values": [0.0]}
_NO_TARIFF = {"energy": 0, "network": 0, "levies": 0, "vat": 0, "feed_in": 0}


def _read(
    start: str, days: int, weather: str, roof: str, heated: bool = False, people: int = 3
) -> Profiles:
    home: dict[str, Any] = {"name": "Home", "load": _NO_LOAD, "solar": panels(1.0, roof)}
    if heated:
        home["heat_pump"] = {"hot_water": {"persons": people}}
    return read_profiles(
        load_scenario({**around(start, days, weather), "tariff": _NO_TARIFF, "homes": [home]})
    )


def _read_year(roof: str) -> Profiles:
    return _read(f"{YEAR}-01-01", 365, "mixed", roof)


def _heat_of_a_year() -> Series:
    """What heat pumps draw in homes of one to six, kWh [people, quarter of the year]: simulated."""
    homes = [
        {"name": str(people), "load": _NO_LOAD, "heat_pump": {"hot_water": {"persons": people}}}
        for people in range(1, 7)
    ]
    heated = load_scenario(
        {**around(f"{YEAR}-01-01", 365, "mixed"), "tariff": _NO_TARIFF, "homes": homes}
    )
    community = assemble(heated, read_profiles(heated))

    def draw(before: devices.HomeState, now: Any) -> tuple[devices.HomeState, Any]:
        after, flows = devices.run_devices(community.homes, before, now, None, community.step_hours)
        assert flows is not None
        assert flows.heat is not None
        return after, flows.heat.heat_electricity_kwh + flows.heat.water_electricity_kwh

    _, kwh = jax.lax.scan(draw, devices.initial_state(community.homes), community.series.devices)
    return np.asarray(kwh, np.float64).T


def _monthly(kwh: Series, year: pd.DatetimeIndex) -> Series:
    return np.bincount(np.asarray(year.month) - 1, kwh, 12).astype(np.float64)


def _usual_date(month: int, kind: str) -> int:
    """The day of the month on which panels make what is most usual, hour by hour."""
    days = pd.date_range(f"{YEAR}-{month:02d}-01", periods=_LAST_DAY)
    made = (
        _read(f"{days[0].date()}", len(days), "mixed", "south")
        .solar_kwh[:, 0]
        .reshape(-1, QUARTERS)
    )
    distance = np.where(_is(days, kind), _unusual(made), np.inf)
    return int(days[int(np.argmin(distance))].day)


def _is(days: pd.DatetimeIndex, kind: str) -> NDArray[np.bool_]:
    return np.asarray((days.dayofweek >= 5) == (kind == "weekend"))


def _most_usual(days: Series) -> Series:
    """The most usual of some days [day, quarter]: a real one, not an average."""
    return np.asarray(days[int(np.argmin(_unusual(days)))])


def _unusual(days: Series) -> Series:
    """How far each day is from the mean of all, hour by hour, kWh."""
    hourly = days.reshape(len(days), 24, 4).sum(axis=2)
    return np.asarray(np.abs(hourly - hourly.mean(axis=0)).sum(axis=1))
