"""Occupancy: marginal probabilities of the Markov chain, shifts, vacations and the calendar."""

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
    belgian_public_holidays,
    transition_probabilities,
    vacation_days,
    year_calendar,
)

BRUSSELS = "Europe/Brussels"
NEVER_AWAY = np.zeros(365, bool)


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(np.float64, st.integers(2, 40), elements=st.floats(0.004, 0.97)))
def test_chain_reproduces_the_marginal_probability(probability: np.ndarray) -> None:
    activation, deactivation = transition_probabilities(probability)
    assert ((activation >= 0) & (activation <= 1) & (deactivation >= 0) & (deactivation <= 1)).all()
    marginal = probability[0]
    for slot in range(1, len(probability)):
        marginal = marginal * (1 - deactivation[slot]) + (1 - marginal) * activation[slot]
        assert marginal == pytest.approx(probability[slot], abs=1e-12)


def test_sampled_occupancy_follows_its_probability() -> None:
    year = year_calendar(2025, BRUSSELS)
    same_every_day = Occupant(RETIRED.weekdays, RETIRED.weekdays[0])
    sampled = np.mean(
        [
            active_occupants(
                (same_every_day,) * 2, year, 0.0, NEVER_AWAY, np.random.default_rng(seed)
            )
            for seed in range(8)
        ],
        axis=0,
    )
    day = sampled.reshape(365, SLOTS).mean(axis=0)
    expected = 2 * np.clip(occupancy.presence_profile(RETIRED.weekdays[0]), 0.004, 0.97)
    # The standard error over 8 x 365 days of two correlated occupants is below 0.015 at p = 0.75.
    assert np.abs(day - expected).max() < 0.06
    assert day.mean() == pytest.approx(expected.mean(), rel=0.02)


def test_states_last_for_hours() -> None:
    year = year_calendar(2025, BRUSSELS)
    active = active_occupants((WORKER,), year, 0.0, NEVER_AWAY, np.random.default_rng(1))
    changes_a_day = np.abs(np.diff(active)).sum() / 365
    assert 2 < changes_a_day < 12


def test_shifts_alternate_by_week() -> None:
    year = year_calendar(2025, BRUSSELS)
    by_week = []
    for seed in range(30):
        active = active_occupants(
            (SHIFT_WORKER,), year, 0.0, NEVER_AWAY, np.random.default_rng(seed)
        )
        # Working days from 9 to 12 h, from Monday, 6 January, on.
        weeks = active.reshape(365, SLOTS)[5 : 5 + 51 * 7].reshape(51, 7, SLOTS)
        by_week.append(weeks[:, :5, 9 * 6 : 12 * 6].mean(axis=(1, 2)))
    mornings = np.mean(by_week, axis=0)  # Only the late shift is at home at 10 h.
    late = int(np.argmax([mornings[turn::3].mean() for turn in range(3)]))
    assert mornings[late::3].mean() > 0.6
    # The other shifts are at home on days off and holidays, a fifth and a twentieth of the days.
    assert max(mornings[turn::3].mean() for turn in range(3) if turn != late) < 0.3


def test_home_is_empty_on_vacation_days() -> None:
    year = year_calendar(2025, BRUSSELS)
    away = vacation_days(year, np.random.default_rng(6))
    active = active_occupants(
        LIFESTYLES["family"].occupants, year, 0.0, away, np.random.default_rng(5)
    )
    assert away.any()
    assert not active.reshape(365, SLOTS)[away].any()


def test_belgian_public_holidays() -> None:
    # Easter was on 20 April in 2025.
    assert {
        date(2025, 4, 21),
        date(2025, 5, 29),
        date(2025, 6, 9),
        date(2025, 7, 21),
    } <= belgian_public_holidays(2025)
    assert len(belgian_public_holidays(2025)) == 10


@pytest.mark.parametrize("year", [2024, 2025])
def test_calendar_covers_the_elapsed_year(year: int) -> None:
    calendar = year_calendar(year, BRUSSELS)
    days = 366 if year == 2024 else 365
    assert calendar.minutes == days * 1440
    assert len(calendar.slot_start_minute) == days * SLOTS + 1
    lengths = np.diff(calendar.slot_start_minute)
    assert lengths.min() == 0  # The hour skipped by daylight saving time.
    assert (lengths == 10).sum() == days * SLOTS - 7
    spring = calendar.slot_start_minute[:-1][lengths == 0][0]
    assert (calendar.start + pd.Timedelta(minutes=int(spring))).tz_convert(BRUSSELS).month == 3
