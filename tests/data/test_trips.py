"""Drives, hot water and fills: the totals they promise, clocks, and days that do not depend on the period."""

import numpy as np
import pandas as pd
import pytest

from prosumax.data.generators.appliance_runs import sample_appliance_runs
from prosumax.data.generators.household.hot_water import hot_water_kwh
from prosumax.data.generators.household.trips import (
    DRIVING_PROFILES,
    sample_trips,
    scheduled_trips,
    sample_plug_ins,
    ev_availability,
)

ZONE = "Europe/Brussels"


def clock(start, days, minutes=15):
    first = pd.Timestamp(start, tz=ZONE).tz_convert("UTC")
    return pd.date_range(first, periods=days * 24 * 60 // minutes, freq=f"{minutes}min")


def car_in(index, lifestyle="family", seed=3, **more):
    drives = sample_trips([2023], ZONE, lifestyle, more.get("km"), 0.2, seed)
    return ev_availability(index, drives, sample_plug_ins(drives, more.get("chance", 0.6), 50, seed))


@pytest.mark.parametrize("lifestyle", DRIVING_PROFILES)
def test_a_year_has_its_distance(lifestyle):
    left, trip = car_in(clock("2023-01-01", 365), lifestyle, km=12_000)
    # The season's mean over the days driven is near 1, not exactly: some per cent.
    assert trip.sum() == pytest.approx(12_000 * 0.2, rel=0.03)
    assert (trip[left > 0] == 0).all()
    home = 1 - (trip > 0).mean()
    assert 0.5 < home < 0.95


def test_a_day_is_the_same_whatever_the_period_around_it():
    long_left, long_trip = car_in(clock("2023-03-01", 60))
    left, trip = car_in(clock("2023-03-11", 10))
    np.testing.assert_allclose(trip, long_trip[960:1920])
    # The end of the period counts as a departure.
    np.testing.assert_array_equal(left[:-192] > 0, long_left[960 : 1920 - 192] > 0)


def test_hours_left_count_down_to_the_departure():
    left, trip = car_in(clock("2023-05-01", 14))
    plugged = left > 0
    falls = plugged[:-1] & plugged[1:]
    np.testing.assert_allclose(left[1:][falls], left[:-1][falls] - 0.25)
    departs = plugged[:-1] & ~plugged[1:]
    np.testing.assert_allclose(left[:-1][departs], 0.25)
    assert left[-1] in (0.0, 0.25) and trip.max() > 0


def test_it_is_plugged_in_for_sure_when_a_third_is_used():
    drives = sample_trips([2023], ZONE, "family", 14_000, 0.2, 1)
    plugged = sample_plug_ins(drives, 0.3, 50, 1)
    used = 0.0
    for kwh, is_plugged in zip(drives.kwh, plugged, strict=True):
        used += kwh
        assert is_plugged or used <= 50 / 3
        used = 0.0 if is_plugged else used
    assert 0.3 < plugged.mean() < 0.9
    assert sample_plug_ins(drives, 1.0, 50, 1).all()


@pytest.mark.parametrize(
    ("start", "steps"), [("2023-03-25", 2 * 24 - 1), ("2023-10-28", 2 * 24 + 1)]
)
def test_fixed_drives_follow_the_clock_over_its_changes(start, steps):
    first = pd.Timestamp(start, tz=ZONE).tz_convert("UTC")
    index = pd.date_range(first, periods=steps, freq="60min")
    dates = pd.date_range(start, periods=2, freq="D")
    drives = scheduled_trips(dates, ZONE, [(8.0, 17.5, 30.0, "all")], 0.2)
    left, trip = ev_availability(index, drives, np.ones(2, bool))
    local = index.tz_convert(ZONE)
    np.testing.assert_array_equal(left == 0, (local.hour >= 8) & (local.hour < 18))
    np.testing.assert_array_equal(trip > 0, left == 0)


def test_fixed_drives_know_weekends():
    dates = pd.date_range("2023-05-05", periods=4, freq="D")  # from a Friday on
    drives = scheduled_trips(
        dates, ZONE, [(8.0, 9.0, 10.0, "weekdays"), (10.0, 11.0, 20.0, "weekend")], 0.2
    )
    assert list(drives.departure.tz_convert(ZONE).strftime("%a %H")) == [
        "Fri 08",
        "Sat 10",
        "Sun 10",
        "Mon 08",
    ]


def test_hot_water_has_its_mean_and_its_hours():
    index = clock("2023-01-01", 365)
    drawn = hot_water_kwh(index, ZONE, 6.4, 5)
    assert drawn.sum() / 365 == pytest.approx(
        6.4, rel=1e-3
    )  # a draw on New Year's Eve may fall out
    hour = index.tz_convert(ZONE).hour
    assert drawn[hour == 7].sum() > 5 * drawn[hour == 3].sum()
    part = hot_water_kwh(clock("2023-02-01", 10), ZONE, 6.4, 5)
    np.testing.assert_array_equal(part, drawn[31 * 96 : 41 * 96])


def test_fills_keep_their_distance_and_number():
    local = clock("2023-01-01", 365).tz_convert(ZONE)
    filled = sample_appliance_runs(local, 4.0, 8, 21, 50, 2)
    at = np.flatnonzero(filled)
    assert np.diff(at).min() >= 50
    assert len(at) == pytest.approx(4 * 365 / 7, rel=0.15)  # binomial, 208 of 365
    assert ((local.hour[filled] >= 8) & (local.hour[filled] <= 21)).mean() > 0.95
    np.testing.assert_array_equal(filled[: 31 * 96], sample_appliance_runs(local[: 31 * 96], 4.0, 8, 21, 50, 2))
