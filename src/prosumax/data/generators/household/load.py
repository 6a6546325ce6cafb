"""Household load, appliance by appliance, from the activity of its occupants.

A home is sampled once (appliances, level of activity, shift of its schedule), then each local
calendar year with a resolution of one minute: occupancy (`occupancy`), the number of cycles of each
appliance (Poisson), their times (active occupants times the appliance's usage hours, season and
daylight), durations and powers. The method is that of CREST, formulated in events instead of
minutes, so a home-year takes tens of milliseconds. EVs, heat pumps and electric water heating are
modeled separately.

docs/explanation/profiles.md documents the calibration, and the validation against data that it did
not use.

References:
    Richardson, Thomson, Infield & Clifford, "Domestic electricity use: a high-resolution energy
        demand model", Energy and Buildings 42 (2010) 1878-1887: start probability as the product
        of activity and appliance.
    Richardson et al., "Domestic lighting: a high-resolution energy demand model", Energy and
        Buildings 41 (2009) 781: dependence of lighting on daylight and effective occupancy.
    Cooper, "The absorption of solar radiation in solar stills", Solar Energy 12 (1969):
        declination.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import NDArray

from prosumax.data.generators.household import occupancy
from prosumax.data.generators.household.appliances import (
    APPLIANCES,
    BASE_LOADS,
    COLD_APPLIANCES,
    ApplianceModel,
)
from prosumax.data.generators.household.lifestyles import LIFESTYLES, Lifestyle, Occupant
from prosumax.data.generators.household.occupancy import SLOT_MINUTES, SLOTS, YearCalendar
from prosumax.data.time_steps import infer_step
from prosumax.errors import InputError, did_you_mean

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

END_USES = (*APPLIANCES, *COLD_APPLIANCES, *BASE_LOADS)
"""All end uses of a household's electricity."""

MAX_OCCUPANTS = 8

ACTIVITY_LOG_SD = 0.60
"""Standard deviation of the logarithm of the activity of homes of one lifestyle.

The annual energies of Belgian meters have coefficients of variation of 0.3 to 0.5.
"""

BASE_LOAD_LOG_SD = 0.60
"""Standard deviation of the logarithm of the base load, which depends on the building as well."""

BASE_LOAD_OCCUPANT_EXPONENT = 0.4
"""Exponent of the number of occupants in the base load: larger households have larger homes."""

APPLIANCE_LOG_SD = 0.30
"""Standard deviation of the logarithm of an appliance's cycles relative to the activity."""

SCHEDULE_SHIFT_SD_H = 0.5
"""Standard deviation of the schedule shift, h; without it the peaks of a street would coincide."""

CYCLE_POWER_SD = 0.1
"""Relative standard deviation of the power of a cycle (CREST: N(P, P/10))."""

FREE_DAY_MORNING_DELAY_H = 1.5
"""Delay of the usage hours in the morning of a free day, h."""

CALIBRATION_RANGE = (0.25, 3.0)
"""Bounds of the factor that adapts a home to a given energy; beyond it the profile is scaled."""

EFFECTIVE_OCCUPANCY = np.array([0.0, 1.0, 1.528, 1.694, 1.983, 2.094])
"""Effective occupancy by active occupants, who share lamps and meals (Richardson 2009)."""

FULL_LIGHTING_BELOW_DEG = 2.0
MIN_LIGHTING_ABOVE_DEG = 14.0
"""Solar elevations between which the lighting demand decreases; rooms are darker than streets."""

MIN_LIGHTING_SHARE = 0.06
"""Share of the lamps in use in full daylight (CREST: 5 %)."""

DAYLIGHT_LATITUDE_DEG = 50.8
DAYLIGHT_LONGITUDE_DEG = 4.4
"""Site of the daylight that determines the lighting demand: Brussels."""

_HEATING_SEASON_LOADS = {name for name, load in BASE_LOADS.items() if load.heating_season}
_NO_PREVIOUS_START = -10_000


class HouseholdLoad(NamedTuple):
    """Electric load of a household.

    Attributes:
        kwh: Load in kWh per step, > 0.
        end_use_kwh: Energy over the whole period by end use, kWh; the sum equals that of `kwh`.
    """

    kwh: Float[Array, " step"]
    end_use_kwh: dict[str, float]


class _HomeParameters(NamedTuple):
    """Properties of a home that are constant over the years.

    Attributes:
        occupants: Members of the household.
        shift_h: Schedule shift, h.
        cycles: Expected cycles per year of each appliance that the home owns.
        base_load_w: Power of the base loads and of the standby of appliances, by end use, W.
        cold_factor: Factor on the power of each cold appliance that the home owns.
    """

    occupants: tuple[Occupant, ...]
    shift_h: float
    cycles: dict[str, float]
    base_load_w: dict[str, float]
    cold_factor: dict[str, float]


class _Events(NamedTuple):
    """Intervals of constant power of one end use.

    Attributes:
        start: First minute of the year.
        stop: Minute of the year after the last one.
        watts: Power, W.
    """

    start: Int[Ints, " event"]
    stop: Int[Ints, " event"]
    watts: Float[Array, " event"]


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
    """Generate the electric load of a household without EV, heat pump and electric water heating.

    A home and its whole calendar years (in `time_zone`) are sampled from (seed, year) and then cut,
    so a time stamp has the same load whatever the period around it. A given `annual_kwh` adapts the
    number of cycles and the base load; the remaining difference is scaled, so each whole calendar
    year sums to it, less the excluded end uses.

    Args:
        index: Step starts, UTC, on whole minutes; see `time_steps.infer_step`.
        lifestyle: Key of `LIFESTYLES`.
        annual_kwh: Energy of a calendar year, kWh, > 0. If None, the energy varies between homes
            (coefficient of variation 0.3 to 0.5) around the mean of the lifestyle.
        seed: Seed of the home, >= 0.
        time_zone: IANA name of the local time zone, such as "Europe/Brussels"; schedules follow its
            clock, daylight saving time included.
        occupants: Number of occupants, 1 to 8; that of the lifestyle if None.
        excluded_uses: End uses to exclude because they are modeled separately; the other ones do
            not change.
        appliances: Appliance models, by the keys of `APPLIANCES`.

    Returns:
        The load and its end uses.

    Raises:
        InputError: The lifestyle or an end use does not exist, or a number is out of range.
        ValueError: The index is not supported, or is not on whole minutes.
    """
    _check_arguments(lifestyle, annual_kwh, occupants, excluded_uses)
    minute = pd.Timedelta(minutes=1)
    step = infer_step(index)
    if step % minute != pd.Timedelta(0) or index[0] != index[0].floor("min"):
        raise ValueError("Step starts must be on whole minutes, the resolution of the load model.")
    kind = LIFESTYLES[lifestyle]
    home = _sample_home(kind, _members(kind, occupants), annual_kwh, seed, appliances)
    local = index[[0, -1]].tz_convert(time_zone)
    end = index[-1] + step
    watts = []
    end_use_kwh = dict.fromkeys(END_USES, 0.0)
    for number in range(local[0].year, (local[1] + step - minute).year + 1):
        year = occupancy.year_calendar(number, time_zone)
        events = _year_events(home, appliances, year, np.random.default_rng([seed, number]))
        if annual_kwh is not None:
            total = sum(_energy_kwh(one, 0, year.minutes) for one in events.values())
            scale = annual_kwh / total
            events = {use: one._replace(watts=one.watts * scale) for use, one in events.items()}
        first = max(0, int((index[0] - year.start) // minute))
        stop = min(year.minutes, int((end - year.start) // minute))
        kept = {use: one for use, one in events.items() if use not in excluded_uses}
        watts.append(_power_w(kept.values(), year.minutes)[first:stop])
        for use, one in kept.items():
            end_use_kwh[use] += _energy_kwh(one, first, stop)
    minutes_per_step = int(step // minute)
    kwh = np.concatenate(watts).reshape(-1, minutes_per_step).sum(axis=1) / 60_000
    return HouseholdLoad(kwh, {use: energy for use, energy in end_use_kwh.items() if energy > 0})


def _check_arguments(
    lifestyle: str,
    annual_kwh: float | None,
    occupants: int | None,
    excluded_uses: Collection[str],
) -> None:
    if lifestyle not in LIFESTYLES:
        problem = f"there is no lifestyle {lifestyle!r}"
        raise InputError("lifestyle", problem, did_you_mean(lifestyle, LIFESTYLES))
    if annual_kwh is not None and not 0.0 < annual_kwh < np.inf:
        problem = f"annual_kwh must be > 0 and finite, got {annual_kwh}"
        raise InputError("annual_kwh", problem, "Set the energy of a year in kWh, such as 3500.")
    if occupants is not None and not 1 <= occupants <= MAX_OCCUPANTS:
        problem = f"occupants must be between 1 and {MAX_OCCUPANTS}, got {occupants}"
        raise InputError("occupants", problem, "Omit it to use the number of the lifestyle.")
    for use in excluded_uses:
        if use not in END_USES:
            problem = f"there is no end use {use!r}"
            raise InputError("excluded_uses", problem, did_you_mean(use, END_USES))


def _members(kind: Lifestyle, occupants: int | None) -> tuple[Occupant, ...]:
    """Return the given number of members; additional ones repeat the last member."""
    count = len(kind.occupants) if occupants is None else occupants
    return (*kind.occupants, *[kind.occupants[-1]] * count)[:count]


def _lognormal(rng: np.random.Generator, log_sd: float) -> float:
    """Sample a lognormal factor with mean 1."""
    return float(np.exp(rng.normal(-0.5 * log_sd**2, log_sd)))


def _sample_home(
    kind: Lifestyle,
    occupants: tuple[Occupant, ...],
    annual_kwh: float | None,
    seed: int,
    appliances: Mapping[str, ApplianceModel],
) -> _HomeParameters:
    rng = np.random.default_rng([seed, 0])
    activity = _lognormal(rng, ACTIVITY_LOG_SD)
    base_load_factor = _lognormal(rng, BASE_LOAD_LOG_SD)
    shift_h = kind.schedule_shift_h + rng.normal(0.0, SCHEDULE_SHIFT_SD_H)
    relative_size = len(occupants) / 2
    size_factor = relative_size**BASE_LOAD_OCCUPANT_EXPONENT
    cycles = {}
    base_load_w = {}
    cold_factor = {}
    for name, model in appliances.items():
        is_owned = rng.random() < model.ownership
        factor = np.exp(rng.normal(-0.5 * APPLIANCE_LOG_SD**2, APPLIANCE_LOG_SD))
        usage = kind.usage_factors.get(name, 1.0)
        if is_owned and usage:
            size = relative_size**model.occupant_exponent
            cycles[name] = float(model.cycles_per_year * usage * factor * size)
            base_load_w[name] = model.standby_w
    for name, cold in COLD_APPLIANCES.items():
        is_owned = rng.random() < cold.ownership * kind.usage_factors.get(name, 1.0)
        factor = _lognormal(rng, APPLIANCE_LOG_SD)
        if is_owned:
            cold_factor[name] = factor
    for name, load in BASE_LOADS.items():
        if rng.random() < load.ownership:
            base_load_w[name] = load.power_w * base_load_factor * size_factor
    if annual_kwh is not None:
        # A home with a given high energy has both a higher activity and a higher base load than
        # sampled; its cold appliances do not change.
        cycle_kwh = activity * sum(cycles[name] * appliances[name].cycle_kwh for name in cycles)
        base_kwh = 8.76 * sum(
            watts * (0.5 if name in _HEATING_SEASON_LOADS else 1.0)
            for name, watts in base_load_w.items()
        )
        cold_kwh = 8.76 * sum(
            factor * COLD_APPLIANCES[name].mean_w for name, factor in cold_factor.items()
        )
        ratio = (annual_kwh - cold_kwh) / (cycle_kwh + base_kwh)
        calibration = float(np.clip(ratio, *CALIBRATION_RANGE))
        activity *= calibration
        base_load_w = {name: watts * calibration for name, watts in base_load_w.items()}
    return _HomeParameters(
        occupants=occupants,
        shift_h=shift_h,
        cycles={name: activity * count for name, count in cycles.items()},
        base_load_w=base_load_w,
        cold_factor=cold_factor,
    )


def _year_events(
    home: _HomeParameters,
    appliances: Mapping[str, ApplianceModel],
    year: YearCalendar,
    rng: np.random.Generator,
) -> dict[str, _Events]:
    """Sample all events of a home in a local calendar year, by end use."""
    away = occupancy.vacation_days(year, rng)
    active = occupancy.active_occupants(home.occupants, year, home.shift_h, away, rng)
    effective = EFFECTIVE_OCCUPANCY[np.minimum(active, len(EFFECTIVE_OCCUPANCY) - 1)]
    active_until = _active_until(active, year)
    lighting = _lighting_demand(year)
    january = np.repeat(np.cos(2 * np.pi * (year.day_of_year - 15) / 365), SLOTS)
    events = {}
    for name, cycles in home.cycles.items():
        model = appliances[name]
        # One generator per appliance: excluding or changing one does not change the others.
        (own_rng,) = rng.spawn(1)
        hours = _usage_weight(model, home.shift_h, year)
        weight = effective * hours * (1 + model.winter_amplitude * january)
        if model.daylight_dependent:
            weight = weight * lighting
        starts, slots = _sample_starts(weight, cycles, year, own_rng)
        if not model.overlapping:  # A start during the previous cycle is dropped.
            distance = np.diff(starts, prepend=_NO_PREVIOUS_START)
            is_free = distance >= model.cycle_minutes
            starts = starts[is_free]
            slots = slots[is_free]
        latest = active_until[slots] if model.attended else None
        events[name] = _cycle_events(starts, latest, model, year.minutes, own_rng)
    for name, factor in home.cold_factor.items():
        events[name] = _thermostat_events(name, factor, year.minutes, rng)
    for name, watts in home.base_load_w.items():
        base = _base_load_events(name, watts, year)
        events[name] = _concatenate(events[name], base) if name in events else base
    return events


def _concatenate(one: _Events, other: _Events) -> _Events:
    return _Events(
        np.concatenate([one.start, other.start]),
        np.concatenate([one.stop, other.stop]),
        np.concatenate([one.watts, other.watts]),
    )


def _usage_weight(
    model: ApplianceModel, shift_h: float, year: YearCalendar
) -> Float[Array, " slot"] | float:
    """Return the relative start rate in each slot of the year from the usage hours."""
    if not model.usage_hours:
        return 1.0
    delayed = []
    for span in model.usage_hours:
        is_morning = span.stop < 10
        delay_h = FREE_DAY_MORNING_DELAY_H if is_morning else 0.0
        delayed.append(span._replace(start=span.start + delay_h, stop=span.stop + delay_h))
    patterns = (model.usage_hours, tuple(delayed))
    by_day_type = np.stack([occupancy.presence_profile(hours, shift_h) for hours in patterns])
    active: NDArray[np.float64] = by_day_type[year.is_free_day[1:].astype(int)].reshape(-1)
    return active


def _sample_starts(
    weight: Float[Array, " slot"], cycles: float, year: YearCalendar, rng: np.random.Generator
) -> tuple[Int[Ints, " cycle"], Int[Ints, " cycle"]]:
    """Sample the minute of the year and the slot of every start, in the order of time."""
    cumulative = np.cumsum(weight)
    if cumulative[-1] <= 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    draws = np.sort(rng.random(rng.poisson(cycles)))
    slots = np.searchsorted(cumulative, draws * cumulative[-1], side="right")
    starts = year.slot_start_minute[slots] + rng.integers(0, SLOT_MINUTES, len(slots))
    order = np.argsort(starts, kind="stable")
    return starts[order], slots[order]


def _active_until(active: Int[Ints, " slot"], year: YearCalendar) -> Int[Ints, " slot"]:
    """Return the minute at which the last occupant becomes inactive after each slot."""
    end = np.where(active == 0, year.slot_start_minute[:-1], year.minutes)
    return np.minimum.accumulate(end[::-1])[::-1]


def _cycle_events(
    starts: Int[Ints, " cycle"],
    active_until: Int[Ints, " cycle"] | None,
    model: ApplianceModel,
    minutes: int,
    rng: np.random.Generator,
) -> _Events:
    """Sample the phases of cycles, cut at the end of the year and of the occupants' activity."""
    duration_factor = np.exp(rng.normal(0.0, model.duration_log_sd, len(starts)))
    power_factor = np.maximum(rng.normal(1.0, CYCLE_POWER_SD, len(starts)), 0.5)
    latest = np.full(len(starts), minutes)
    if active_until is not None:
        latest = np.maximum(active_until, starts + 1)
    phase_starts = []
    phase_stops = []
    watts = []
    begin = np.zeros(len(starts))
    for phase_minutes, rating in model.phases:
        end = begin + np.maximum(phase_minutes * duration_factor, 1.0)
        phase_starts.append(np.minimum(starts + np.rint(begin).astype(np.int64), latest))
        phase_stops.append(np.minimum(starts + np.rint(end).astype(np.int64), latest))
        watts.append(rating * power_factor)
        begin = end
    stops = np.minimum(np.concatenate(phase_stops), minutes)
    return _Events(np.concatenate(phase_starts), stops, np.concatenate(watts))


def _thermostat_events(name: str, factor: float, minutes: int, rng: np.random.Generator) -> _Events:
    """Sample the on states of a cold appliance: a renewal process with durations within 20 %."""
    cold = COLD_APPLIANCES[name]
    count = int(1.3 * minutes / (cold.on_minutes + cold.off_minutes)) + 2
    lengths = rng.uniform(0.8, 1.2, (count, 2)) * (cold.on_minutes, cold.off_minutes)
    switch_times = np.cumsum(lengths) - rng.random() * lengths[0].sum()
    edges = np.rint(switch_times).astype(np.int64).reshape(count, 2)
    start = np.clip(edges[:-1, 1], 0, minutes)
    stop = np.clip(edges[1:, 0], 0, minutes)
    return _Events(start, stop, np.full(count - 1, cold.power_w * factor))


def _base_load_events(name: str, watts: float, year: YearCalendar) -> _Events:
    """Return the base load day by day, with the share of the heating season."""
    midnights = year.slot_start_minute[::SLOTS]
    season = np.ones(len(year.day_of_year))
    if name in _HEATING_SEASON_LOADS:
        phase = 2 * np.pi * (year.day_of_year - 20) / 365
        season = np.clip(0.5 + 0.8 * np.cos(phase), 0.0, 1.0)
    return _Events(midnights[:-1], midnights[1:], watts * season)


def _power_w(events: Collection[_Events], minutes: int) -> Float[Array, " minute"]:
    """Compute the power in each minute as the running sum of the switching events, W."""
    start, stop, watts = (np.concatenate(parts) for parts in zip(*events, strict=True))
    switched_on = np.bincount(start, watts, minutes + 1)
    switched_off = np.bincount(stop, watts, minutes + 1)
    return np.maximum(np.cumsum((switched_on - switched_off)[:-1]), 0.0)


def _energy_kwh(events: _Events, first: int, stop: int) -> float:
    """Compute the energy between two minutes of the year, kWh."""
    overlap = np.minimum(events.stop, stop) - np.maximum(events.start, first)
    return float(np.maximum(overlap, 0) @ events.watts) / 60_000


def _lighting_demand(year: YearCalendar) -> Float[Array, " slot"]:
    """Compute the share of the lamps in demand in each slot from the solar elevation.

    The elevation uses Cooper's declination and is accurate within 4 degrees.
    """
    hours = year.start.hour + (year.slot_start_minute[:-1] + 0.5 * SLOT_MINUTES) / 60
    # The first local midnight may be on 31 December in UTC; only the phase matters here.
    day = year.start.dayofyear + hours / 24
    declination = np.deg2rad(23.45) * np.sin(2 * np.pi * (284 + day) / 365)
    hour_angle = 2 * np.pi * (hours + DAYLIGHT_LONGITUDE_DEG / 15 - 12) / 24
    latitude = np.deg2rad(DAYLIGHT_LATITUDE_DEG)
    sin_elevation = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(
        declination
    ) * np.cos(hour_angle)
    elevation_deg = np.rad2deg(np.arcsin(sin_elevation))
    transition_deg = MIN_LIGHTING_ABOVE_DEG - FULL_LIGHTING_BELOW_DEG
    share: NDArray[np.float64] = (MIN_LIGHTING_ABOVE_DEG - elevation_deg) / transition_deg
    return share.clip(MIN_LIGHTING_SHARE, 1.0)
