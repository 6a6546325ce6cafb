"""Occupancy: the number of active occupants as a first-order Markov chain in steps of ten minutes.

Each occupant is active (at home and awake) or not. The transition probabilities follow from the
occupant's probability of being active at each time of day, which the chain reproduces exactly, and
from a mobility parameter. Part of the random draws is shared within a household, because its
members come and go together. Days run from 4 to 4 o'clock, when nearly all occupants are asleep;
the chain restarts there.

References:
    Richardson, Thomson & Infield, "A high-resolution domestic building occupancy model for energy
    demand simulations", Energy and Buildings 40 (2008) 1560-1566.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from dateutil.easter import easter
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from prosumax.data.generators.household.lifestyles import DayPattern, Occupant

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SLOT_MINUTES = 10
SLOTS = 24 * 60 // SLOT_MINUTES
DAY_START_SLOT = 4 * 60 // SLOT_MINUTES
"""Slot at which the pattern of one day ends and that of the next day begins."""

EDGE_WIDTH_H = 0.35
"""Width of the smooth edges of a time span, h: arrivals and departures scatter around the hour."""

MOBILITY = 0.05
"""Probability per slot that an occupant's state is redrawn; a state lasts one to three hours."""

SHARED_DRAW_PROBABILITY = 0.5
"""Share of the random draws that the members of a household have in common."""

MIN_PRESENCE = 0.004
MAX_PRESENCE = 0.97
"""Bounds of the probability of being active."""


class YearCalendar(NamedTuple):
    """A local calendar year in slots of ten minutes on the local clock.

    `slot_start_minute` has the end of the year as its last element. When daylight saving time
    begins, the slots of the skipped hour have no length; when it ends, the last slot of the
    repeated hour is an hour longer. `is_free_day` and `week` begin with the day before the first
    day.

    Attributes:
        start: First local midnight, UTC.
        minutes: Length of the year, min.
        slot_start_minute: Minute of the year at which each slot starts.
        is_free_day: Whether each day is a weekend or public holiday.
        week: Running number of the week of each day.
        day_of_year: Day of the year, from 0.
    """

    start: pd.Timestamp
    minutes: int
    slot_start_minute: Int[Ints, " slot_bound"]
    is_free_day: Bool[Bools, " day_with_previous"]
    week: Int[Ints, " day_with_previous"]
    day_of_year: Int[Ints, " day"]


def belgian_public_holidays(year: int) -> set[date]:
    """Return the ten legal public holidays of Belgium (law of 4 January 1974).

    Args:
        year: Calendar year.
    """
    sunday = easter(year)
    fixed = ((1, 1), (5, 1), (7, 21), (8, 15), (11, 1), (11, 11), (12, 25))
    days_after_easter = (1, 39, 50)  # Easter Monday, Ascension Day, Whit Monday.
    movable = {sunday + timedelta(days=days) for days in days_after_easter}
    return {date(year, *day) for day in fixed} | movable


@lru_cache(maxsize=8)
def year_calendar(year: int, time_zone: str) -> YearCalendar:
    """Build the calendar of a year.

    Args:
        year: Calendar year.
        time_zone: IANA name of the time zone.
    """
    days = pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq="D", inclusive="left")
    clock = pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq=f"{SLOT_MINUTES}min")
    first_occurrence = np.ones(len(clock), bool)
    local = clock.tz_localize(time_zone, nonexistent="shift_forward", ambiguous=first_occurrence)
    utc = local.tz_convert("UTC")
    elapsed = (utc.as_unit("ns").asi8 - utc[0].value) // 60_000_000_000
    holidays = belgian_public_holidays(year)
    with_previous = pd.date_range(days[0] - pd.Timedelta(days=1), days[-1])
    monday = pd.Timestamp("2001-01-01")
    return YearCalendar(
        start=utc[0],
        minutes=int(elapsed[-1]),
        slot_start_minute=elapsed,
        is_free_day=np.array(
            [day.dayofweek >= 5 or day.date() in holidays for day in with_previous]
        ),
        week=np.asarray((with_previous - monday).days // 7, np.int64),
        day_of_year=np.arange(len(days)),
    )


def presence_profile(spans: DayPattern, shift_h: float = 0.0) -> Float[Array, " slot"]:
    """Sum the weights of smooth-edged time spans per slot of the local day.

    Args:
        spans: Time spans; the part of a span after midnight is added to the morning.
        shift_h: Delay of all spans, h.
    """
    hours = (np.arange(-SLOTS, 2 * SLOTS) + 0.5) * SLOT_MINUTES / 60
    total = np.zeros(len(hours))
    for span in spans:
        rise = 1 / (1 + np.exp(-(hours - span.start - shift_h) / (EDGE_WIDTH_H / 2)))
        fall = 1 / (1 + np.exp(-(hours - span.stop - shift_h) / (EDGE_WIDTH_H / 2)))
        total += span.weight * (rise - fall)
    profile: NDArray[np.float64] = total.reshape(3, SLOTS).sum(axis=0)
    return profile


def active_occupants(
    occupants: Sequence[Occupant],
    year: YearCalendar,
    shift_h: float,
    away: Bool[Bools, " day"],
    rng: np.random.Generator,
) -> Int[Ints, " slot"]:
    """Sample the number of active occupants in each slot of a year.

    Args:
        occupants: Members of the household.
        year: Calendar of the year.
        shift_h: Delay of all hours of the household, h.
        away: Days on which the home is empty.
        rng: Random generator.
    """
    probability = np.stack(
        [_activity_probability(occupant, year, shift_h, rng) for occupant in occupants]
    )  # [occupant, day, slot]
    activation, deactivation = transition_probabilities(probability)
    shape = (SLOTS, *probability.shape[:2])
    own = rng.random(shape, np.float32)
    common = rng.random((SLOTS, 1, shape[2]), np.float32)
    is_shared = rng.random(shape, np.float32) < SHARED_DRAW_PROBABILITY
    draw = np.where(is_shared, common, own)
    active = draw[0] < probability[:, :, 0]
    count = np.empty(shape[::2], np.int64)
    count[0] = active.sum(axis=0)
    for slot in range(1, SLOTS):
        # One draw serves both transitions: a low value activates, a high value deactivates.
        stays = draw[slot] < 1 - deactivation[:, :, slot]
        starts = draw[slot] < activation[:, :, slot]
        active = np.where(active, stays, starts)
        count[slot] = active.sum(axis=0)
    by_slot = count.T.reshape(-1)[SLOTS - DAY_START_SLOT :][: len(away) * SLOTS]
    return np.where(np.repeat(away, SLOTS), 0, by_slot)


def transition_probabilities(
    probability: Float[Array, "*batch slot"],
) -> tuple[Float[Array, "*batch slot"], Float[Array, "*batch slot"]]:
    """Compute the transition probabilities of a chain with a given marginal probability.

    Args:
        probability: Probability of being active in each slot, strictly between 0 and 1.

    Returns:
        The probabilities of becoming active and of becoming inactive since the previous slot; those
        of the first slot are 0.
    """
    previous = probability[..., :-1]
    current = probability[..., 1:]
    is_rising = current >= previous
    falling_deactivation = (previous - current + (1 - previous) * MOBILITY * current) / previous
    deactivation = np.where(is_rising, MOBILITY * (1 - current), falling_deactivation)
    rising_activation = (current - previous * (1 - deactivation)) / (1 - previous)
    activation = np.where(is_rising, rising_activation, MOBILITY * current)
    first_slot = [(0, 0)] * (probability.ndim - 1) + [(1, 0)]
    return (
        np.pad(np.clip(activation, 0, 1), first_slot),
        np.pad(np.clip(deactivation, 0, 1), first_slot),
    )


def vacation_days(year: YearCalendar, rng: np.random.Generator) -> Bool[Bools, " day"]:
    """Sample the days of a year on which a home is empty.

    Most homes are empty for some days in summer, and some for a second time in another season.

    Args:
        year: Calendar of the year.
        rng: Random generator.
    """
    away = np.zeros(len(year.day_of_year), bool)
    in_summer, again = rng.random(2) < (0.65, 0.5)
    first = int(rng.integers(182, 228))
    length = int(rng.integers(6, 16))
    away[first : first + length] = in_summer
    first = int(rng.choice((48, 95, 300, 357))) + int(rng.integers(0, 6))
    length = int(rng.integers(3, 8))
    away[first : first + length] |= bool(again)
    return away


def _activity_probability(
    occupant: Occupant, year: YearCalendar, shift_h: float, rng: np.random.Generator
) -> Float[Array, "day_with_previous slot"]:
    """Return the probability of being active, with days that start at `DAY_START_SLOT`."""
    days = (*occupant.weekdays, occupant.weekend)
    patterns = np.stack([presence_profile(day, shift_h) for day in days])
    patterns = np.clip(np.roll(patterns, -DAY_START_SLOT, axis=1), MIN_PRESENCE, MAX_PRESENCE)
    is_off = year.is_free_day | (rng.random(len(year.is_free_day)) < occupant.days_off_share)
    pattern = np.where(is_off, len(occupant.weekdays), year.week % len(occupant.weekdays))
    return patterns[pattern]
