"""How many people are at home and awake: a first-order Markov chain per ten minutes of the local clock.

Each person is active (at home and awake) or not. The transition probabilities follow from the person's own probability
of being active at each time of day, which the chain meets exactly at every step, and from how restless people are. The
members of a household come and go together in part, so the count of active people is that of a household, not of
strangers. Days run from 4 to 4 o'clock, when nearly everybody sleeps; the chain starts anew there.

Reference:
    Richardson, Thomson & Infield, "A high-resolution domestic building occupancy model for energy demand simulations",
    Energy and Buildings 40 (2008) 1560-1566.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from dateutil.easter import easter
from numpy.typing import NDArray

from prosumax.data.generators.household.lifestyles import DayPattern, Occupant

Series = NDArray[np.float64]
Ints = NDArray[np.int64]

SLOT_MINUTES = 10
SLOTS = 24 * 60 // SLOT_MINUTES
DAY_START_SLOT = 4 * 60 // SLOT_MINUTES  # the slot at which one day's habits hand over to the next's
EDGE_WIDTH_H = 0.35  # people do not come home at the stroke of an hour: spans have edges this soft
MOBILITY = (
    0.05  # chance per slot that somebody's state is drawn anew: an hour or three in one state
)
SHARED_DRAW_PROBABILITY = 0.5  # share of the draws that the members of a household have in common
MAX_PRESENCE = 0.97  # nobody is ever certain to be at home


class YearCalendar(NamedTuple):
    """A local calendar year on the clock of habits; `D` days of `SLOTS` slots.

    first: UTC time of its first midnight.
    minutes: elapsed minutes of the year, clock changes included.
    slot_minute: elapsed minute at which each slot of the local clock starts [D * SLOTS], and the end of the last
        one behind it. In spring the slots of the hour that does not exist have no length; in autumn the last slot of
        the hour that comes twice is an hour longer.
    free_day: whether each day and the one before the first is a weekend or holiday [D + 1].
    week: running number of each such day's week [D + 1].
    day_of_year: of each day, from 0 [D].
    """

    start: pd.Timestamp
    minutes: int
    slot_start_minute: Ints
    is_free_day: NDArray[np.bool_]
    week: Ints
    day_of_year: Ints


def belgian_public_holidays(year: int) -> set[date]:
    """The ten legal public holidays of Belgium (law of 4 January 1974)."""
    sunday = easter(year)
    fixed = ((1, 1), (5, 1), (7, 21), (8, 15), (11, 1), (11, 11), (12, 25))
    movable = (1, 39, 50)  # days after Easter: Easter Monday, Ascension, Whit Monday
    return {date(year, *day) for day in fixed} | {sunday + timedelta(days=days) for days in movable}


@lru_cache(maxsize=8)
def year_calendar(year: int, time_zone: str) -> YearCalendar:
    """The calendar of a year in a time zone (IANA name)."""
    days = pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq="D", inclusive="left")
    clock = pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq=f"{SLOT_MINUTES}min")
    real = clock.tz_localize(
        time_zone, nonexistent="shift_forward", ambiguous=np.ones(len(clock), bool)
    )
    real = real.tz_convert("UTC")
    elapsed = (real.as_unit("ns").asi8 - real[0].value) // 60_000_000_000
    holidays = belgian_public_holidays(year)
    with_eve = pd.date_range(days[0] - pd.Timedelta(days=1), days[-1])
    free = np.array([day.dayofweek >= 5 or day.date() in holidays for day in with_eve])
    monday = pd.Timestamp("2001-01-01")
    week = np.asarray((with_eve - monday).days // 7, np.int64)
    return YearCalendar(real[0], int(elapsed[-1]), elapsed, free, week, np.arange(len(days)))


def presence_profile(spans: DayPattern, shift_h: float = 0.0) -> Series:
    """Sum of soft-edged spans per slot of the local day [SLOTS]; what passes midnight comes back in the morning."""
    hours = (np.arange(-SLOTS, 2 * SLOTS) + 0.5) * SLOT_MINUTES / 60
    total = np.zeros(len(hours))
    for span in spans:
        rise = 1 / (1 + np.exp(-(hours - span.start - shift_h) / (EDGE_WIDTH_H / 2)))
        fall = 1 / (1 + np.exp(-(hours - span.stop - shift_h) / (EDGE_WIDTH_H / 2)))
        total += span.weight * (rise - fall)
    return total.reshape(3, SLOTS).sum(axis=0)


def active_occupants(
    occupants: Sequence[Occupant],
    year: YearCalendar,
    shift_h: float,
    away: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Ints:
    """How many are at home and awake in each slot of a year [D * SLOTS].

    Arguments:
        people: the household.
        year: its calendar.
        shift_h: by how much all its hours are later.
        away: days on which nobody is at home [D].
        rng: source of the draws.
    """
    chance = np.stack(
        [_chances(person, year, shift_h, rng) for person in occupants]
    )  # [person, D + 1, SLOTS]
    up, down = transition_probabilities(chance)
    shape = (SLOTS, *chance.shape[:2])
    own, common = rng.random(shape, np.float32), rng.random((SLOTS, 1, shape[2]), np.float32)
    draw = np.where(rng.random(shape, np.float32) < SHARED_DRAW_PROBABILITY, common, own)
    active = draw[0] < chance[:, :, 0]
    count = np.empty(shape[::2], np.int64)
    count[0] = active.sum(axis=0)
    for slot in range(1, SLOTS):
        # One draw serves both ways: low ones bring people home, high ones send them off.
        active = np.where(active, draw[slot] < 1 - down[:, :, slot], draw[slot] < up[:, :, slot])
        count[slot] = active.sum(axis=0)
    flat = count.T.reshape(-1)[SLOTS - DAY_START_SLOT :][: len(away) * SLOTS]
    return np.where(np.repeat(away, SLOTS), 0, flat)


def transition_probabilities(chance: Series) -> tuple[Series, Series]:
    """Probabilities of becoming active and of ceasing to be, whose chain is active with `chance` at every slot.

    Arguments:
        chance: probability of being active, strictly between 0 and 1 [..., slot].

    Returns:
        up, down: probability of the change from the slot before [..., slot]; the first slot's are 0.
    """
    before, now = chance[..., :-1], chance[..., 1:]
    rising = now >= before
    down = np.where(
        rising, MOBILITY * (1 - now), (before - now + (1 - before) * MOBILITY * now) / before
    )
    up = np.where(rising, (now - before * (1 - down)) / (1 - before), MOBILITY * now)
    first = [(0, 0)] * (chance.ndim - 1) + [(1, 0)]
    return np.pad(np.clip(up, 0, 1), first), np.pad(np.clip(down, 0, 1), first)


def vacation_days(year: YearCalendar, rng: np.random.Generator) -> NDArray[np.bool_]:
    """On which days of the year nobody is at home: most homes travel in summer, some again at another time [D]."""
    away = np.zeros(len(year.day_of_year), bool)
    summer, other = rng.random(2) < (0.65, 0.5)
    first, length = int(rng.integers(182, 228)), int(rng.integers(6, 16))
    away[first : first + length] = summer
    first, length = (
        int(rng.choice((48, 95, 300, 357))) + int(rng.integers(0, 6)),
        int(rng.integers(3, 8)),
    )
    away[first : first + length] |= bool(other)
    return away


def _chances(person: Occupant, year: YearCalendar, shift_h: float, rng: np.random.Generator) -> Series:
    """A person's probability of being active [D + 1, SLOTS], days running from `DAY_BEGINS`."""
    patterns = np.stack([presence_profile(day, shift_h) for day in (*person.weekdays, person.weekend)])
    patterns = np.clip(np.roll(patterns, -DAY_START_SLOT, axis=1), 0.004, MAX_PRESENCE)
    off = year.is_free_day | (rng.random(len(year.is_free_day)) < person.days_off_share)
    kind = np.where(off, len(person.weekdays), year.week % len(person.weekdays))
    return patterns[kind]
