"""What a household draws from its sockets: appliances switched on by people who keep habits.

First version: the sum of a home's appliances, without cars, heat pumps or electric water heating (each has its own
model), holidays or illness. A home is drawn once (what it owns, how early it rises), then a calendar year of appliance
cycles at one-minute resolution: how many start on a day (Poisson), when (the people's presence times the appliance's
own hours), how long, at what power. The method is that of the CREST model, simplified; habits, ownership and cycles
are this project's assumptions, tuned once so that the energy, the peaks and the mean day come near those of a Belgian
home of 3.5 MWh. So these prove nothing about the model, and it has not yet been compared with meters.

References:
    Richardson, Thomson, Infield & Clifford, "Domestic electricity use: a high-resolution energy demand model",
    Energy and Buildings 42 (2010) 1878-1887: cycle lengths and powers, start probability = activity x appliance.
    Richardson et al., "Domestic lighting: a high-resolution energy demand model", Energy and Buildings 41 (2009) 781.
    Cooper, "The absorption of solar radiation in solar stills", Solar Energy 12 (1969): declination of the sun.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.errors import InputError, did_you_mean
from prosumax.profiles.solar import step_of

Series = NDArray[np.float64]

MINUTES_PER_DAY = 1440
WEEKDAY, WEEKEND = 0, 1


class Span(NamedTuple):
    """Part of a local day, hours of the clock (24 may be passed: 25 is 1 am), and how strongly it counts."""

    start: float
    stop: float
    weight: float


@dataclass(frozen=True)
class Appliance:
    """One kind of appliance that people switch on.

    cycles_per_day: starts per day in a home that owns it and has `activity` 1.
    phases: (minutes, W) one after the other; a cycle's length and power vary by `length_spread` and 10 %.
    hours: when it is used if somebody is at home and awake; empty = any time.
    owned_by: share of the homes that own it.
    length_spread: standard deviation of the logarithm of a cycle's length.
    several: a home has more than one, so that cycles may overlap.
    only_in_the_dark: starts by daylight do not happen.
    """

    cycles_per_day: float
    phases: tuple[tuple[float, float], ...]
    hours: tuple[Span, ...] = ()
    owned_by: float = 1.0
    length_spread: float = 0.15
    several: bool = False
    only_in_the_dark: bool = False

    @property
    def cycle_kwh(self) -> float:
        """Energy of a cycle of typical length."""
        return sum(minutes * watts for minutes, watts in self.phases) / 60_000


_BREAKFAST, _LUNCH, _DINNER = Span(6.5, 9.0, 1.0), Span(11.8, 13.3, 0.6), Span(17.0, 20.2, 1.0)
_MEALS = (Span(6.5, 9.0, 0.1), _LUNCH, _DINNER)

APPLIANCES: Mapping[str, Appliance] = {
    "hob": Appliance(1.5, ((5, 1600), (18, 650)), _MEALS),
    "oven": Appliance(0.45, ((10, 2000), (28, 800)), (Span(11.0, 13.0, 0.4), Span(16.3, 19.8, 1.0))),
    "microwave": Appliance(1.3, ((4, 1250),), (*_MEALS, Span(19.8, 22.0, 0.1)), owned_by=0.9),
    "kettle": Appliance(3.0, ((3, 2000),), (_BREAKFAST, Span(9.0, 22.5, 0.45))),
    "coffee machine": Appliance(2.2, ((3, 1200), (12, 60)), (_BREAKFAST, Span(9.0, 17.0, 0.35)), owned_by=0.8),
    "toaster": Appliance(0.5, ((4, 900),), (_BREAKFAST, Span(12.0, 13.0, 0.4)), owned_by=0.8),
    "cooker hood": Appliance(1.2, ((25, 120),), _MEALS, owned_by=0.8),
    "dishwasher": Appliance(
        0.55,
        ((15, 1800), (55, 70), (10, 1800), (30, 30)),
        (Span(12.5, 15.0, 0.3), Span(19.0, 23.5, 1.0)),
        owned_by=0.75,
    ),
    "washing machine": Appliance(0.55, ((15, 1800), (85, 160)), (Span(8.0, 21.5, 1.0),)),
    # The mean of heat-pump dryers (600 W) and vented ones (2500 W).
    "tumble dryer": Appliance(0.35, ((85, 1300),), (Span(9.0, 22.5, 1.0),), owned_by=0.55),
    "vacuum cleaner": Appliance(0.3, ((20, 800),), (Span(9.0, 20.0, 1.0),), length_spread=0.4),
    "iron": Appliance(0.1, ((30, 900),), (Span(9.0, 21.0, 1.0),), length_spread=0.4),
    "hair dryer": Appliance(0.6, ((6, 1500),), (Span(6.3, 8.5, 1.0), Span(19.0, 22.5, 0.3)), owned_by=0.8),
    "television": Appliance(
        2.4, ((90, 110),), (Span(12.0, 18.0, 0.3), Span(18.0, 24.0, 1.0)), length_spread=0.6, several=True
    ),
    "computer": Appliance(1.2, ((110, 110),), (Span(8.0, 25.0, 1.0),), length_spread=0.6, several=True),
    "games console": Appliance(0.4, ((90, 140),), (Span(15.0, 26.0, 1.0),), owned_by=0.5, length_spread=0.6),
    # A lamp is a room: two or three LED bulbs. CREST's bulbs burn for 1 to 259 minutes, hence the wide spread.
    "lamp": Appliance(22.0, ((55, 26),), length_spread=1.0, several=True, only_in_the_dark=True),
}


class Cold(NamedTuple):
    """A fridge or freezer: runs `on` minutes of every `on + off`, day and night. Annual energy in kWh; ownership."""

    watts: float
    on_minutes: float
    off_minutes: float
    owned_by: float


COLD_APPLIANCES: Mapping[str, Cold] = {
    "fridge-freezer": Cold(90.0, 22.0, 44.0, 1.0),
    "second fridge or freezer": Cold(75.0, 14.0, 36.0, 0.5),
}

STANDBY_W = (
    100.0  # router, ventilation, pumps, chargers and everything that waits; an assumption, a quarter of the total
)


@dataclass(frozen=True)
class Lifestyle:
    """Who lives there, when they are at home and awake, and what they do more or less than others.

    summary: one line for a person who chooses.
    annual_kwh: mean of such homes.
    weekday, weekend: when somebody is at home and awake; the weight says how busy the home is.
    later_by_h: hours by which meals and other fixed hours come later.
    habits: factor on the cycles of an appliance; 1 where absent.
    """

    summary: str
    annual_kwh: float
    weekday: tuple[Span, ...]
    weekend: tuple[Span, ...]
    later_by_h: float = 0.0
    habits: Mapping[str, float] = field(default_factory=dict)


LIFESTYLES: Mapping[str, Lifestyle] = {
    "couple": Lifestyle(
        "two people who work away from home",
        2970.0,
        (Span(6.4, 8.2, 0.8), Span(17.6, 23.0, 1.0)),
        (Span(8.5, 23.7, 0.7),),
        later_by_h=0.3,
        habits={"washing machine": 0.8, "tumble dryer": 0.8},
    ),
    "family": Lifestyle(
        "two parents and two young children",
        3530.0,
        (Span(6.2, 8.4, 1.0), Span(12.0, 13.5, 0.1), Span(16.0, 22.7, 1.0)),
        (Span(7.3, 23.0, 0.8),),
        habits={"washing machine": 1.6, "tumble dryer": 1.5, "dishwasher": 1.4, "hob": 1.2, "oven": 1.2},
    ),
    "family_with_teenagers": Lifestyle(
        "two parents and two teenagers who come home at four and go to bed late",
        4090.0,
        (Span(6.3, 8.3, 1.0), Span(15.8, 24.0, 1.0)),
        (Span(8.5, 24.8, 0.8),),
        later_by_h=0.2,
        habits={
            "washing machine": 1.7,
            "tumble dryer": 1.6,
            "dishwasher": 1.5,
            "hob": 1.3,
            "oven": 1.3,
            "computer": 2.5,
            "games console": 3.0,
            "hair dryer": 1.8,
        },
    ),
    "students": Lifestyle(
        "three students in a shared house, at odd hours",
        3220.0,
        (Span(8.0, 10.5, 0.5), Span(10.5, 17.0, 0.2), Span(17.0, 26.0, 1.0)),
        (Span(10.0, 26.5, 0.7),),
        later_by_h=1.0,
        habits={
            "computer": 3.0,
            "games console": 2.0,
            "dishwasher": 0.3,
            "iron": 0.2,
            "tumble dryer": 0.5,
            "oven": 1.3,
        },
    ),
    "home_business": Lifestyle(
        "one works at home all day, one elsewhere",
        3280.0,
        (Span(6.8, 8.5, 0.8), Span(8.5, 17.5, 0.55), Span(17.5, 23.0, 1.0)),
        (Span(8.0, 23.3, 0.75),),
        habits={"computer": 3.5, "coffee machine": 1.8, "kettle": 1.3},
    ),
    "retired": Lifestyle(
        "two people at home most of the day, early to bed",
        2950.0,
        (Span(7.0, 22.3, 0.8),),
        (Span(7.3, 22.3, 0.8),),
        later_by_h=-0.4,
        habits={"television": 1.7, "kettle": 1.3, "computer": 0.7, "games console": 0.0},
    ),
}

HOME_SPREAD = 0.35  # standard deviation of the logarithm of a home's annual kWh around its lifestyle's
RISING_SPREAD_H = 0.5  # homes of one lifestyle keep different hours; without this a street would cook in step
POWER_SPREAD = 0.1  # of a cycle's power (CREST: N(P, P/10))
WINTER_SWING = 0.10  # people do more at home in January than in July, besides lighting it
EDGE_H = 0.35  # people do not come home at the stroke of an hour: spans have edges this soft
ACTIVITY_RANGE = (
    0.3,
    3.0,
)  # beyond it a home is not busier but differently equipped, and its profile is scaled instead
DARK_SHARE = 0.55  # of lamp starts, about, fall in the dark: evenings count more than noon
DARK_BELOW_DEG = 3.0  # lamps go on when the sun is lower than this
DAYLIGHT_LATITUDE_DEG, DAYLIGHT_LONGITUDE_DEG = 50.8, 4.4  # lighting follows the daylight of Brussels


def synthetic_load_kwh(
    index: pd.DatetimeIndex, lifestyle: str, annual_kwh: float | None, seed: int, time_zone: str
) -> Series:
    """One household's electricity per step, without car and heat pump.

    A home and its whole calendar years (in `time_zone`) are drawn from (seed, year) and then cut, so a time stamp has
    the same load whatever the period around it, and each whole calendar year sums to the annual energy. How often
    appliances run follows from the annual energy; what is left over is scaled.

    Arguments:
        index: step starts [T], UTC, on whole minutes; see `profiles.solar.step_of`.
        lifestyle: a name in `LIFESTYLES`.
        annual_kwh: energy of a calendar year, > 0; None = the lifestyle's, times a spread of 0.35 (lognormal, mean 1)
            between homes.
        seed: >= 0; another seed is another home.
        time_zone: IANA name, as "Europe/Brussels"; habits follow its clock, daylight saving time included.

    Returns:
        kWh per step [T], > 0.

    Raises:
        InputError: there is no such lifestyle, or annual_kwh is not positive.
        ValueError: see `step_of`; or the index is not on whole minutes.
    """
    if lifestyle not in LIFESTYLES:
        raise InputError("lifestyle", f"there is no lifestyle {lifestyle!r}", did_you_mean(lifestyle, LIFESTYLES))
    if annual_kwh is not None and not 0.0 < annual_kwh < np.inf:
        raise InputError("annual_kwh", f"{annual_kwh} is not a positive number", "Give the kWh of a year, as 3500.")
    step = step_of(index)
    minute = pd.Timedelta(minutes=1)
    if step % minute != pd.Timedelta(0) or index[0] != index[0].floor("min"):
        raise ValueError("The load is made per minute: step starts must fall on whole minutes.")
    local = index[[0, -1]].tz_convert(time_zone)
    years = range(local[0].year, (local[1] + step - minute).year + 1)
    watts = np.concatenate([_year_watts(LIFESTYLES[lifestyle], annual_kwh, seed, year, time_zone) for year in years])
    first = int((index[0] - _midnights(years[0], time_zone)[0]) // minute)
    per_step = int(step // minute)
    return watts[first : first + len(index) * per_step].reshape(-1, per_step).sum(axis=1) / 60_000


def _midnights(year: int, time_zone: str) -> pd.DatetimeIndex:
    """UTC times of every local midnight of the year, the next year's first one included [D + 1]."""
    days = pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq="D")
    return days.tz_localize(time_zone, nonexistent="shift_forward", ambiguous=np.ones(len(days), bool)).tz_convert(
        "UTC"
    )


def _year_watts(lifestyle: Lifestyle, annual_kwh: float | None, seed: int, year: int, time_zone: str) -> Series:
    """W in every minute of a local calendar year, from its first midnight to the next year's."""
    home = np.random.default_rng([seed, 0])  # what stays the same from year to year
    spread = float(np.exp(home.normal(-0.5 * HOME_SPREAD**2, HOME_SPREAD)))
    shift_h = lifestyle.later_by_h + home.normal(0.0, RISING_SPREAD_H)
    owned = {name: kind for name, kind in APPLIANCES.items() if home.random() < kind.owned_by}
    cold = [kind for kind in COLD_APPLIANCES.values() if home.random() < kind.owned_by]
    target_kwh = annual_kwh if annual_kwh is not None else lifestyle.annual_kwh * spread
    activity = _activity(lifestyle, owned, cold, target_kwh)

    rng = np.random.default_rng([seed, year])
    midnights = _midnights(year, time_zone)
    minutes = int((midnights[-1] - midnights[0]) // pd.Timedelta(minutes=1))
    is_weekend = (midnights[:-1].tz_convert(time_zone).dayofweek >= 5).astype(int)
    season = 1 + WINTER_SWING * np.cos(2 * np.pi * (np.arange(len(is_weekend)) - 15) / 365)  # most in mid January
    # Power switched on (+) and off (-) in each minute; the running sum is the power.
    switched = np.zeros(minutes + 1)
    for name, kind in owned.items():
        chances = _chances(lifestyle, kind, shift_h)
        per_day = kind.cycles_per_day * lifestyle.habits.get(name, 1.0) * activity
        days, clock = _draw_starts(chances, per_day * season, is_weekend, rng)
        starts = np.sort(_elapsed_minutes(days, clock, year, time_zone, midnights[0]))
        if not kind.several:  # the machine is still running: the next load waits for another day
            starts = starts[np.diff(starts, prepend=-MINUTES_PER_DAY) >= sum(minutes for minutes, _ in kind.phases)]
        if kind.only_in_the_dark:
            starts = starts[_sun_elevation_deg(midnights[0], starts) < DARK_BELOW_DEG]
        _switch_cycles(switched, starts, kind, rng)
    for fridge in cold:
        _switch_fridge(switched, fridge, rng)
    watts = np.cumsum(switched[:-1]) + STANDBY_W
    return watts * (target_kwh * 60_000 / watts.sum())


def _activity(lifestyle: Lifestyle, owned: Mapping[str, Appliance], cold: list[Cold], target_kwh: float) -> float:
    """The factor on all cycles with which the home is expected to use `target_kwh` a year."""
    people = 365 * sum(
        kind.cycles_per_day
        * lifestyle.habits.get(name, 1.0)
        * kind.cycle_kwh
        * float(np.exp(0.5 * kind.length_spread**2))
        * (DARK_SHARE if kind.only_in_the_dark else 1.0)
        for name, kind in owned.items()
    )
    always = 8.76 * (STANDBY_W + sum(one.watts * one.on_minutes / (one.on_minutes + one.off_minutes) for one in cold))
    return float(np.clip((target_kwh - always) / people, *ACTIVITY_RANGE))


def _presence(spans: tuple[Span, ...], shift_h: float) -> Series:
    """Sum of soft-edged spans per minute of the local day [1440]; what passes midnight comes back in the morning."""
    hours = np.arange(-MINUTES_PER_DAY, 2 * MINUTES_PER_DAY) / 60
    total = np.zeros(len(hours))
    for span in spans:
        rise = 1 / (1 + np.exp(-(hours - span.start - shift_h) / (EDGE_H / 2)))
        fall = 1 / (1 + np.exp(-(hours - span.stop - shift_h) / (EDGE_H / 2)))
        total += span.weight * (rise - fall)
    return total.reshape(3, MINUTES_PER_DAY).sum(axis=0)


def _chances(lifestyle: Lifestyle, kind: Appliance, shift_h: float) -> Series:
    """Where in the day a cycle starts: weight per minute [weekday or weekend, 1440], summing to 1 on a mean day.

    CREST's rule: being at home and awake times the appliance's own hours. The sums say how much fuller weekends are.
    """
    hours = _presence(kind.hours, shift_h) if kind.hours else 1.0
    awake = np.stack([_presence(spans, shift_h) for spans in (lifestyle.weekday, lifestyle.weekend)])
    weights = (awake + 0.01) * hours  # somebody is up at any hour now and then
    return weights / ((5 * weights[WEEKDAY].sum() + 2 * weights[WEEKEND].sum()) / 7)


def _draw_starts(
    chances: Series, per_day: Series, is_weekend: NDArray[np.int_], rng: np.random.Generator
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Day of the year and minute of the local clock of every start [cycles], given the expected starts per day [D]."""
    counts = rng.poisson(per_day * chances.sum(axis=1)[is_weekend])
    days = np.repeat(np.arange(len(is_weekend)), counts)
    draws = rng.random(len(days))
    clock = np.empty(len(days), dtype=int)
    for kind_of_day in (WEEKDAY, WEEKEND):
        up_to = np.cumsum(chances[kind_of_day])
        here = is_weekend[days] == kind_of_day
        clock[here] = np.searchsorted(up_to, draws[here] * up_to[-1])
    return days, np.minimum(clock, MINUTES_PER_DAY - 1)


def _elapsed_minutes(
    days: NDArray[np.int_], clock: NDArray[np.int_], year: int, time_zone: str, start: pd.Timestamp
) -> NDArray[np.int_]:
    """Minutes since the year's first midnight of a day and a clock time, through the changes of the clock."""
    wall = np.datetime64(f"{year}-01-01", "ns") + (days * MINUTES_PER_DAY + clock).astype("timedelta64[m]")
    real = pd.DatetimeIndex(wall).tz_localize(
        time_zone, nonexistent="shift_forward", ambiguous=np.zeros(len(wall), bool)
    )
    return np.asarray((real.asi8 - start.value) // 60_000_000_000, dtype=int)


def _switch_cycles(switched: Series, starts: NDArray[np.int_], kind: Appliance, rng: np.random.Generator) -> None:
    """Add cycles of one appliance to the switched power; what runs past the end of the year is cut."""
    stretch = np.exp(rng.normal(0.0, kind.length_spread, len(starts)))
    power = np.maximum(rng.normal(1.0, POWER_SPREAD, len(starts)), 0.5)
    last = len(switched) - 1
    since = np.zeros(len(starts))
    for minutes, watts in kind.phases:
        until = since + np.maximum(minutes * stretch, 1.0)
        np.add.at(switched, np.minimum(starts + np.rint(since).astype(int), last), watts * power)
        np.add.at(switched, np.minimum(starts + np.rint(until).astype(int), last), -watts * power)
        since = until


def _switch_fridge(switched: Series, cold: Cold, rng: np.random.Generator) -> None:
    """Add a thermostat's on and off to the switched power: a renewal process, each stretch within 20 %."""
    last = len(switched) - 1
    cycles = int(1.3 * last / (cold.on_minutes + cold.off_minutes)) + 2
    lengths = rng.uniform(0.8, 1.2, (cycles, 2)) * (cold.on_minutes, cold.off_minutes)
    edges = np.rint(np.cumsum(lengths) - rng.random() * lengths[0].sum()).astype(int).reshape(cycles, 2)
    ends, next_starts = edges[:, 0], edges[:, 1]
    np.add.at(switched, np.clip(next_starts[:-1], 0, last), cold.watts)
    np.add.at(switched, np.clip(ends[1:], 0, last), -cold.watts)


def _sun_elevation_deg(start: pd.Timestamp, minutes: NDArray[np.int_]) -> Series:
    """Height of the sun over Brussels some minutes after `start` (UTC), degrees, within 4: Cooper's declination."""
    hours = start.hour + start.minute / 60 + minutes / 60  # `start` may be the evening before: only the phase counts
    day = start.dayofyear + hours / 24
    declination = np.deg2rad(23.45) * np.sin(2 * np.pi * (284 + day) / 365)
    hour_angle = 2 * np.pi * (hours + DAYLIGHT_LONGITUDE_DEG / 15 - 12) / 24
    latitude = np.deg2rad(DAYLIGHT_LATITUDE_DEG)
    sine = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    return np.asarray(np.rad2deg(np.arcsin(sine)), dtype=np.float64)
