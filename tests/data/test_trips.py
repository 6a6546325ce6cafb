"""EV trips, hot water and appliance runs: totals, local time and independence of the period."""

import numpy as np
import pandas as pd
import pytest

from prosumax.data.generators.appliance_runs import sample_appliance_runs
from prosumax.data.generators.household.hot_water import hot_water_kwh
from prosumax.data.generators.household.trips import (
    DRIVING_PROFILES,
    ev_availability,
    sample_plug_ins,
    sample_trips,
    scheduled_trips,
)

ZONE = "Europe/Brussels"


def local_steps(start, days, minutes=15):
    """Return the UTC starts of the steps from local midnight on."""
    first = pd.Timestamp(start, tz=ZONE).tz_convert("UTC")
    return pd.date_range(first, periods=days * 24 * 60 // minutes, freq=f"{minutes}min")


def availability(index, lifestyle="family", seed=3, **options):
    """Return the time to departure and the trip energy of an EV in 2023."""
    trips = sample_trips([2023], ZONE, lifestyle, options.get("km"), 0.2, seed)
    return ev_availability(
        index, trips, sample_plug_ins(trips, options.get("probability", 0.6), 50, seed)
    )


@pytest.mark.parametrize("lifestyle", DRIVING_PROFILES)
def test_year_has_the_annual_distance(lifestyle):
    hours_left, trip = availability(local_steps("2023-01-01", 365), lifestyle, km=12_000)
    # The mean seasonal factor over the days with trips differs from 1 by some percent.
    assert trip.sum() == pytest.approx(12_000 * 0.2, rel=0.03)
    assert (trip[hours_left > 0] == 0).all()
    home = 1 - (trip > 0).mean()
    assert 0.5 < home < 0.95


def test_day_does_not_depend_on_the_period():
    long_left, long_trip = availability(local_steps("2023-03-01", 60))
    hours_left, trip = availability(local_steps("2023-03-11", 10))
    np.testing.assert_allclose(trip, long_trip[960:1920])
    # The end of the period counts as a departure.
    np.testing.assert_array_equal(hours_left[:-192] > 0, long_left[960 : 1920 - 192] > 0)


def test_time_to_departure_counts_down():
    hours_left, trip = availability(local_steps("2023-05-01", 14))
    plugged = hours_left > 0
    falls = plugged[:-1] & plugged[1:]
    np.testing.assert_allclose(hours_left[1:][falls], hours_left[:-1][falls] - 0.25)
    departs = plugged[:-1] & ~plugged[1:]
    np.testing.assert_allclose(hours_left[:-1][departs], 0.25)
    assert hours_left[-1] in (0.0, 0.25) and trip.max() > 0


def test_plug_in_is_certain_after_a_third_of_the_capacity():
    trips = sample_trips([2023], ZONE, "family", 14_000, 0.2, 1)
    plugged = sample_plug_ins(trips, 0.3, 50, 1)
    used = 0.0
    for kwh, is_plugged in zip(trips.kwh, plugged, strict=True):
        used += kwh
        assert is_plugged or used <= 50 / 3
        used = 0.0 if is_plugged else used
    assert 0.3 < plugged.mean() < 0.9
    assert sample_plug_ins(trips, 1.0, 50, 1).all()


@pytest.mark.parametrize(
    ("start", "steps"), [("2023-03-25", 2 * 24 - 1), ("2023-10-28", 2 * 24 + 1)]
)
def test_scheduled_trips_follow_local_time_through_daylight_saving_time(start, steps):
    first = pd.Timestamp(start, tz=ZONE).tz_convert("UTC")
    index = pd.date_range(first, periods=steps, freq="60min")
    dates = pd.date_range(start, periods=2, freq="D")
    trips = scheduled_trips(dates, ZONE, [(8.0, 17.5, 30.0, "all")], 0.2)
    hours_left, trip = ev_availability(index, trips, np.ones(2, bool))
    local = index.tz_convert(ZONE)
    np.testing.assert_array_equal(hours_left == 0, (local.hour >= 8) & (local.hour < 18))
    np.testing.assert_array_equal(trip > 0, hours_left == 0)


def test_scheduled_trips_distinguish_weekends():
    dates = pd.date_range("2023-05-05", periods=4, freq="D")  # From a Friday on.
    trips = scheduled_trips(
        dates, ZONE, [(8.0, 9.0, 10.0, "weekdays"), (10.0, 11.0, 20.0, "weekend")], 0.2
    )
    assert list(trips.departure.tz_convert(ZONE).strftime("%a %H")) == [
        "Fri 08",
        "Sat 10",
        "Sun 10",
        "Mon 08",
    ]


def test_hot_water_has_the_daily_mean_and_hourly_profile():
    index = local_steps("2023-01-01", 365)
    demand = hot_water_kwh(index, ZONE, 6.4, 5)
    # Draw-offs at the end of the last day may be outside the period.
    assert demand.sum() / 365 == pytest.approx(6.4, rel=1e-3)
    hour = index.tz_convert(ZONE).hour
    assert demand[hour == 7].sum() > 5 * demand[hour == 3].sum()
    part = hot_water_kwh(local_steps("2023-02-01", 10), ZONE, 6.4, 5)
    np.testing.assert_array_equal(part, demand[31 * 96 : 41 * 96])


def test_appliance_runs_have_the_minimum_gap_and_the_weekly_number():
    local = local_steps("2023-01-01", 365).tz_convert(ZONE)
    requested = sample_appliance_runs(local, 4.0, 8, 21, 50, 2)
    steps = np.flatnonzero(requested)
    assert np.diff(steps).min() >= 50
    assert len(steps) == pytest.approx(4 * 365 / 7, rel=0.15)  # Binomial, 208 of 365.
    assert ((local.hour[requested] >= 8) & (local.hour[requested] <= 21)).mean() > 0.95
    np.testing.assert_array_equal(
        requested[: 31 * 96], sample_appliance_runs(local[: 31 * 96], 4.0, 8, 21, 50, 2)
    )
