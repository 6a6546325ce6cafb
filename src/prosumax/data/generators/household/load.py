"""What a household draws from its sockets, appliance by appliance: switched on by people who are at home and awake.

A home is drawn once (what it owns, how busy it is, how early it rises), then a local calendar year at one minute: who
is at home (`occupancy`), how often each appliance runs (Poisson), when (people at home times the appliance's own hours,
season and daylight), how long and at what power. The method is that of CREST, in events instead of minutes, so a
home-year takes tens of milliseconds. Cars, heat pumps and electric water heating have their own models.

docs/profiles.md says what the numbers are calibrated to, and how the result compares with data it has not seen.

References:
    Richardson, Thomson, Infield & Clifford, "Domestic electricity use: a high-resolution energy demand model",
    Energy and Buildings 42 (2010) 1878-1887: start probability = activity x appliance.
    Richardson et al., "Domestic lighting: a high-resolution energy demand model", Energy and Buildings 41 (2009) 781:
    lamps follow daylight and effective occupancy.
    Cooper, "The absorption of solar radiation in solar stills", Solar Energy 12 (1969): declination of the sun.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.data.generators.household import occupancy
from prosumax.data.generators.household.appliances import (
    BASE_LOADS,
    APPLIANCES,
    COLD_APPLIANCES,
    ApplianceModel,
)
from prosumax.data.generators.household.lifestyles import LIFESTYLES, Lifestyle, Occupant
from prosumax.data.generators.household.occupancy import SLOT_MINUTES, SLOTS, YearCalendar
from prosumax.data.time_steps import infer_step
from prosumax.errors import InputError, did_you_mean

Series = NDArray[np.float64]
Ints = NDArray[np.int64]

END_USES = (*APPLIANCES, *COLD_APPLIANCES, *BASE_LOADS)
"""Everything that a home may use electricity for."""

ACTIVITY_LOG_SD = 0.60  # sd of the logarithm of how busy homes of one kind are: Belgian meters spread by 0.3 to 0.5
BASE_LOAD_LOG_SD = (
    0.60  # sd of the logarithm of what is always on, which is as much a matter of the house
)
BASE_LOAD_OCCUPANT_EXPONENT = 0.4  # more people live in larger homes with more devices
APPLIANCE_LOG_SD = 0.30  # sd of the logarithm of the use of one appliance around how busy the home is
SCHEDULE_SHIFT_SD_H = (
    0.5  # homes of one lifestyle keep different hours; without this a street would cook in step
)
CYCLE_POWER_SD = 0.1  # of a cycle's power (CREST: N(P, P/10))
FREE_DAY_MORNING_DELAY_H = 1.5  # by which the morning's habits come later on a free day
CALIBRATION_RANGE = (
    0.25,
    3.0,
)  # of a home's draw, to meet a given energy; beyond it the profile is scaled instead
EFFECTIVE_OCCUPANCY = np.array(
    [0.0, 1.0, 1.528, 1.694, 1.983, 2.094]
)  # people share lamps and meals (Richardson 2009)
FULL_LIGHTING_BELOW_DEG, MIN_LIGHTING_ABOVE_DEG = (
    2.0,
    14.0,
)  # all lamps are wanted below, few above: rooms are darker than streets
MIN_LIGHTING_SHARE = 0.06  # share of lamps on in full daylight (CREST: 5 %)
DAYLIGHT_LATITUDE_DEG, DAYLIGHT_LONGITUDE_DEG = (
    50.8,
    4.4,
)  # lighting follows the daylight of Brussels


_HEATING = {name for name, load in BASE_LOADS.items() if load.heating_season}


class HouseholdLoad(NamedTuple):
    """A household's electricity.

    kwh: per step [T], > 0.
    uses_kwh: energy over the whole period by use, a name in `USES`; they add up to the sum of `kwh`.
    """

    kwh: Series
    end_use_kwh: dict[str, float]


class _Home(NamedTuple):
    """What stays the same in a home from year to year.

    cycles: expected cycles a year of each appliance it has, `phases` aside from Appliance.
    always_w: power of what is always on (standby of appliances included), by use.
    cold: factor on the power of each fridge and freezer it has.
    """

    people: tuple[Occupant, ...]
    shift_h: float
    cycles: dict[str, float]
    always_w: dict[str, float]
    cold: dict[str, float]


class _Events(NamedTuple):
    """Stretches of constant power of one use: from, to (minutes of the year) and W, each [event]."""

    start: Ints
    stop: Ints
    watts: Series


def synthetic_load(
    index: pd.DatetimeIndex,
    lifestyle: str,
    annual_kwh: float | None,
    seed: int,
    time_zone: str,
    *,
    occupants: int | None = None,
    excluded_uses: Collection[str] = (),
    appliances: Mapping[str, ApplianceModel] = APPLIANCES,
) -> HouseholdLoad:
    """One household's electricity per step, without car, heat pump and electric water heating.

    A home and its whole calendar years (in `time_zone`) are drawn from (seed, year) and then cut, so a time stamp has
    the same load whatever the period around it. With `annual_kwh` how often appliances run and what is always on
    follow from it, what is left over is scaled, and each whole calendar year sums to it, less what is left out.

    Arguments:
        index: step starts [T], UTC, on whole minutes; see `profiles.sun.step_of`.
        lifestyle: a name in `LIFESTYLES`.
        annual_kwh: energy of a calendar year, > 0; None = what comes out, which spreads between homes (coefficient of
            variation 0.3 to 0.5) around the lifestyle's mean.
        seed: >= 0; another seed is another home.
        time_zone: IANA name, as "Europe/Brussels"; habits follow its clock, daylight saving time included.
        people: how many live there, 1 to 8; the lifestyle's number when absent.
        without: uses to leave out, names in `USES`, because they are modelled elsewhere; the others do not change.
        appliances: what stands in the homes, by the names in `APPLIANCES`.

    Raises:
        InputError: there is no such lifestyle or use, or a number is out of range.
        ValueError: see `step_of`; or the index is not on whole minutes.
    """
    if lifestyle not in LIFESTYLES:
        raise InputError(
            "lifestyle", f"there is no lifestyle {lifestyle!r}", did_you_mean(lifestyle, LIFESTYLES)
        )
    if annual_kwh is not None and not 0.0 < annual_kwh < np.inf:
        raise InputError(
            "annual_kwh",
            f"{annual_kwh} is not a positive number",
            "Give the kWh of a year, as 3500.",
        )
    if occupants is not None and not 1 <= occupants <= 8:
        raise InputError(
            "people",
            f"{occupants} is not between 1 and 8",
            "Leave it out for the lifestyle's own number.",
        )
    for use in excluded_uses:
        if use not in END_USES:
            raise InputError("without", f"there is no use {use!r}", did_you_mean(use, END_USES))
    step, minute = infer_step(index), pd.Timedelta(minutes=1)
    if step % minute != pd.Timedelta(0) or index[0] != index[0].floor("min"):
        raise ValueError("The load is made per minute: step starts must fall on whole minutes.")
    kind = LIFESTYLES[lifestyle]
    home = _drawn_home(kind, _members(kind, occupants), annual_kwh, seed, appliances)
    local = index[[0, -1]].tz_convert(time_zone)
    end = index[-1] + step
    watts, uses_kwh = [], dict.fromkeys(END_USES, 0.0)
    for number in range(local[0].year, (local[1] + step - minute).year + 1):
        year = occupancy.year_calendar(number, time_zone)
        events = _year_events(home, appliances, year, np.random.default_rng([seed, number]))
        if annual_kwh is not None:
            total = sum(_energy_kwh(one, 0, year.minutes) for one in events.values())
            events = {
                use: one._replace(watts=one.watts * (annual_kwh / total))
                for use, one in events.items()
            }
        first = max(0, int((index[0] - year.start) // minute))
        stop = min(year.minutes, int((end - year.start) // minute))
        kept = {use: one for use, one in events.items() if use not in excluded_uses}
        watts.append(_power(kept.values(), year.minutes)[first:stop])
        for use, one in kept.items():
            uses_kwh[use] += _energy_kwh(one, first, stop)
    per_step = int(step // minute)
    kwh = np.concatenate(watts).reshape(-1, per_step).sum(axis=1) / 60_000
    return HouseholdLoad(kwh, {use: energy for use, energy in uses_kwh.items() if energy > 0})


def _members(kind: Lifestyle, people: int | None) -> tuple[Occupant, ...]:
    count = len(kind.occupants) if people is None else people
    return (*kind.occupants, *[kind.occupants[-1]] * count)[:count]


def _drawn_home(
    kind: Lifestyle,
    people: tuple[Occupant, ...],
    annual_kwh: float | None,
    seed: int,
    appliances: Mapping[str, ApplianceModel],
) -> _Home:
    rng = np.random.default_rng([seed, 0])
    busy, always = (
        float(np.exp(rng.normal(-0.5 * sd**2, sd))) for sd in (ACTIVITY_LOG_SD, BASE_LOAD_LOG_SD)
    )
    shift_h = kind.schedule_shift_h + rng.normal(0.0, SCHEDULE_SHIFT_SD_H)
    size = (len(people) / 2) ** BASE_LOAD_OCCUPANT_EXPONENT
    cycles, always_w, cold = {}, {}, {}
    for name, one in appliances.items():
        owned, taste = (
            rng.random() < one.ownership,
            np.exp(rng.normal(-0.5 * APPLIANCE_LOG_SD**2, APPLIANCE_LOG_SD)),
        )
        habit = kind.usage_factors.get(name, 1.0)
        if owned and habit:
            cycles[name] = float(
                one.cycles_per_year * habit * taste * (len(people) / 2) ** one.occupant_exponent
            )
            always_w[name] = one.standby_w
    for name, fridge in COLD_APPLIANCES.items():
        if rng.random() < fridge.ownership * kind.usage_factors.get(name, 1.0):
            cold[name] = float(np.exp(rng.normal(-0.5 * APPLIANCE_LOG_SD**2, APPLIANCE_LOG_SD)))
        else:
            rng.normal()
    for name, load in BASE_LOADS.items():
        if rng.random() < load.ownership:
            always_w[name] = load.power_w * always * size
    if annual_kwh is not None:
        # A home known to use much is both busier and fuller than its draw; the fridge cools no more for it.
        used = busy * sum(cycles[name] * appliances[name].cycle_kwh for name in cycles)
        on = 8.76 * sum(
            watts * (0.5 if name in _HEATING else 1.0) for name, watts in always_w.items()
        )
        cooled = 8.76 * sum(factor * _mean_w(name) for name, factor in cold.items())
        more = float(np.clip((annual_kwh - cooled) / (used + on), *CALIBRATION_RANGE))
        busy, always_w = busy * more, {name: watts * more for name, watts in always_w.items()}
    return _Home(
        people, shift_h, {name: busy * count for name, count in cycles.items()}, always_w, cold
    )


def _mean_w(name: str) -> float:
    one = COLD_APPLIANCES[name]
    return one.power_w * one.on_minutes / (one.on_minutes + one.off_minutes)


def _year_events(
    home: _Home, appliances: Mapping[str, ApplianceModel], year: YearCalendar, rng: np.random.Generator
) -> dict[str, _Events]:
    """All that happens in a home in a local calendar year."""
    away = occupancy.vacation_days(year, rng)
    active = occupancy.active_occupants(home.people, year, home.shift_h, away, rng)
    effective = EFFECTIVE_OCCUPANCY[np.minimum(active, len(EFFECTIVE_OCCUPANCY) - 1)]
    left = _left_at(active, year)
    dark = _darkness(year)
    january = np.repeat(np.cos(2 * np.pi * (year.day_of_year - 15) / 365), SLOTS)
    events = {}
    for name, cycles in home.cycles.items():
        kind = appliances[name]
        # One generator per appliance, so that leaving one out or changing it leaves the others as they are.
        (own,) = rng.spawn(1)
        weight = effective * _hours(kind, home.shift_h, year) * (1 + kind.winter_amplitude * january)
        starts, slots = _starts(weight * dark if kind.daylight_dependent else weight, cycles, year, own)
        if not kind.overlapping:  # the machine is still running
            free = np.diff(starts, prepend=-10_000) >= kind.cycle_minutes
            starts, slots = starts[free], slots[free]
        events[name] = _cycle_events(
            starts, left[slots] if kind.attended else None, kind, year.minutes, own
        )
    for name, factor in home.cold.items():
        events[name] = _cold_events(name, factor, year.minutes, rng)
    for name, watts in home.always_w.items():
        always = _always_events(name, watts, year)
        events[name] = _joined(events[name], always) if name in events else always
    return events


def _joined(one: _Events, other: _Events) -> _Events:
    return _Events(
        np.concatenate([one.start, other.start]),
        np.concatenate([one.stop, other.stop]),
        np.concatenate([one.watts, other.watts]),
    )


def _hours(kind: ApplianceModel, shift_h: float, year: YearCalendar) -> Series | float:
    """Weight of each slot of the year from the appliance's own hours."""
    if not kind.usage_hours:
        return 1.0
    free = tuple(
        span._replace(start=span.start + FREE_DAY_MORNING_DELAY_H, stop=span.stop + FREE_DAY_MORNING_DELAY_H)
        if span.stop < 10
        else span
        for span in kind.usage_hours
    )
    by_day = np.stack([occupancy.presence_profile(hours, shift_h) for hours in (kind.usage_hours, free)])
    return by_day[year.is_free_day[1:].astype(int)].reshape(-1)


def _starts(
    weight: Series, cycles: float, year: YearCalendar, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Minute of the year and slot of every start, in order."""
    up_to = np.cumsum(weight)
    if up_to[-1] <= 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    slots = np.searchsorted(
        up_to, np.sort(rng.random(rng.poisson(cycles))) * up_to[-1], side="right"
    )
    starts = year.slot_start_minute[slots] + rng.integers(0, SLOT_MINUTES, len(slots))
    order = np.argsort(starts, kind="stable")
    return starts[order], slots[order]


def _left_at(active: Ints, year: YearCalendar) -> Ints:
    """Minute at which the last person goes out or to bed, seen from each slot."""
    end = np.where(active == 0, year.slot_start_minute[:-1], year.minutes)
    return np.minimum.accumulate(end[::-1])[::-1]


def _cycle_events(
    starts: Ints, left: Ints | None, kind: ApplianceModel, minutes: int, rng: np.random.Generator
) -> _Events:
    """The phases of cycles; they end with the year, and with `left` where somebody must be there."""
    stretch = np.exp(rng.normal(0.0, kind.duration_log_sd, len(starts)))
    power = np.maximum(rng.normal(1.0, CYCLE_POWER_SD, len(starts)), 0.5)
    latest = np.full(len(starts), minutes) if left is None else np.maximum(left, starts + 1)
    begins, ends, watts = [], [], []
    since = np.zeros(len(starts))
    for length, rating in kind.phases:
        until = since + np.maximum(length * stretch, 1.0)
        begins.append(np.minimum(starts + np.rint(since).astype(np.int64), latest))
        ends.append(np.minimum(starts + np.rint(until).astype(np.int64), latest))
        watts.append(rating * power)
        since = until
    return _Events(
        np.concatenate(begins), np.minimum(np.concatenate(ends), minutes), np.concatenate(watts)
    )


def _cold_events(name: str, factor: float, minutes: int, rng: np.random.Generator) -> _Events:
    """A thermostat's on and off: a renewal process, each stretch within 20 %."""
    cold = COLD_APPLIANCES[name]
    count = int(1.3 * minutes / (cold.on_minutes + cold.off_minutes)) + 2
    lengths = rng.uniform(0.8, 1.2, (count, 2)) * (cold.on_minutes, cold.off_minutes)
    edges = (
        np.rint(np.cumsum(lengths) - rng.random() * lengths[0].sum())
        .astype(np.int64)
        .reshape(count, 2)
    )
    stop, next_start = np.clip(edges[1:, 0], 0, minutes), np.clip(edges[:-1, 1], 0, minutes)
    return _Events(next_start, stop, np.full(count - 1, cold.power_w * factor))


def _always_events(name: str, watts: float, year: YearCalendar) -> _Events:
    """What is on day and night, day by day in the share of the season."""
    midnights = year.slot_start_minute[::SLOTS]
    season = np.ones(len(year.day_of_year))
    if name in _HEATING:
        season = np.clip(0.5 + 0.8 * np.cos(2 * np.pi * (year.day_of_year - 20) / 365), 0.0, 1.0)
    return _Events(midnights[:-1], midnights[1:], watts * season)


def _power(events: Collection[_Events], minutes: int) -> Series:
    """W in each minute: the running sum of what is switched on and off."""
    start, stop, watts = (np.concatenate(parts) for parts in zip(*events, strict=True))
    switched = np.bincount(start, watts, minutes + 1) - np.bincount(stop, watts, minutes + 1)
    return np.maximum(np.cumsum(switched[:-1]), 0.0)


def _energy_kwh(events: _Events, first: int, stop: int) -> float:
    """Energy between two minutes of the year."""
    inside = np.minimum(events.stop, stop) - np.maximum(events.start, first)
    return float(np.maximum(inside, 0) @ events.watts) / 60_000


def _darkness(year: YearCalendar) -> Series:
    """Share of the lamps wanted in each slot: by the height of the sun, within 4 degrees (Cooper's declination)."""
    hours = year.start.hour + (year.slot_start_minute[:-1] + 0.5 * SLOT_MINUTES) / 60
    day = (
        year.start.dayofyear + hours / 24
    )  # the first midnight may be on the evening before: only the phase counts
    declination = np.deg2rad(23.45) * np.sin(2 * np.pi * (284 + day) / 365)
    hour_angle = 2 * np.pi * (hours + DAYLIGHT_LONGITUDE_DEG / 15 - 12) / 24
    latitude = np.deg2rad(DAYLIGHT_LATITUDE_DEG)
    sine = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(
        hour_angle
    )
    height = np.rad2deg(np.arcsin(sine))
    return np.clip((MIN_LIGHTING_ABOVE_DEG - height) / (MIN_LIGHTING_ABOVE_DEG - FULL_LIGHTING_BELOW_DEG), MIN_LIGHTING_SHARE, 1.0)
