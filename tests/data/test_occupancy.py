"""The Markov chain of people at home: exact marginals, the calendar, and who is there when."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from prosumax.data.generators.household import occupancy
from prosumax.data.generators.household.lifestyles import (
    LIFESTYLES,
    RETIRED,
    SHIFT_WORKER,
    WORKER,
    Occupant,
)
from prosumax.data.generators.household.occupancy import (
    SLOTS,
    active_occupants,
    year_calendar,
    vacation_days,
    belgian_public_holidays,
    transition_probabilities,
)

BRUSSELS = "Europe/Brussels"
NEVER_AWAY = np.zeros(365, bool)


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(np.float64, st.integers(2, 40), elements=st.floats(0.004, 0.97)))
def test_the_chain_is_active_with_the_given_probability_at_every_slot(chance: np.ndarray) -> None:
    up, down = transition_probabilities(chance)
    assert ((up >= 0) & (up <= 1) & (down >= 0) & (down <= 1)).all()
    now = chance[0]
    for slot in range(1, len(chance)):
        now = now * (1 - down[slot]) + (1 - now) * up[slot]
        assert now == pytest.approx(chance[slot], abs=1e-12)


def test_drawn_people_follow_their_probabilities() -> None:
    year = year_calendar(2025, BRUSSELS)
    same_every_day = Occupant(RETIRED.weekdays, RETIRED.weekdays[0])
    drawn = np.mean(
        [
            active_occupants((same_every_day,) * 2, year, 0.0, NEVER_AWAY, np.random.default_rng(seed))
            for seed in range(8)
        ],
        axis=0,
    )
    day = drawn.reshape(365, SLOTS).mean(axis=0)
    expected = 2 * np.clip(occupancy.presence_profile(RETIRED.weekdays[0]), 0.004, 0.97)
    # 8 x 365 days of two people who come and go together in part: a standard error below 0.015 at p = 0.75.
    assert np.abs(day - expected).max() < 0.06
    assert day.mean() == pytest.approx(expected.mean(), rel=0.02)


def test_states_last_for_hours_not_for_minutes() -> None:
    year = year_calendar(2025, BRUSSELS)
    active = active_occupants((WORKER,), year, 0.0, NEVER_AWAY, np.random.default_rng(1))
    changes_a_day = np.abs(np.diff(active)).sum() / 365
    assert 2 < changes_a_day < 12


def test_shifts_take_turns_by_the_week() -> None:
    year = year_calendar(2025, BRUSSELS)
    by_week = []
    for seed in range(30):
        active = active_occupants((SHIFT_WORKER,), year, 0.0, NEVER_AWAY, np.random.default_rng(seed))
        # From Monday 6 January; workdays from nine to noon.
        weeks = active.reshape(365, SLOTS)[5 : 5 + 51 * 7].reshape(51, 7, SLOTS)
        by_week.append(weeks[:, :5, 9 * 6 : 12 * 6].mean(axis=(1, 2)))
    mornings = np.mean(by_week, axis=0)  # only the late shift is at home at ten
    late = int(np.argmax([mornings[turn::3].mean() for turn in range(3)]))
    assert mornings[late::3].mean() > 0.6
    # On a day off or a holiday, a fifth and a twentieth of the days, the others are there too.
    assert max(mornings[turn::3].mean() for turn in range(3) if turn != late) < 0.3


def test_nobody_is_at_home_on_a_day_away() -> None:
    year = year_calendar(2025, BRUSSELS)
    away = vacation_days(year, np.random.default_rng(6))
    active = active_occupants(LIFESTYLES["family"].occupants, year, 0.0, away, np.random.default_rng(5))
    assert away.any()
    assert not active.reshape(365, SLOTS)[away].any()


def test_belgian_holidays() -> None:
    # 2025: Easter was on 20 April.
    assert {
        date(2025, 4, 21),
        date(2025, 5, 29),
        date(2025, 6, 9),
        date(2025, 7, 21),
    } <= belgian_public_holidays(2025)
    assert len(belgian_public_holidays(2025)) == 10


@pytest.mark.parametrize("year", [2024, 2025])
def test_the_calendar_covers_the_real_year(year: int) -> None:
    found = year_calendar(year, BRUSSELS)
    days = 366 if year == 2024 else 365
    assert found.minutes == days * 1440
    assert len(found.slot_start_minute) == days * SLOTS + 1
    lengths = np.diff(found.slot_start_minute)
    assert lengths.min() == 0  # the hour that spring leaves out
    assert (lengths == 10).sum() == days * SLOTS - 7
    spring = found.slot_start_minute[:-1][lengths == 0][0]
    assert (found.start + pd.Timedelta(minutes=int(spring))).tz_convert(BRUSSELS).month == 3
