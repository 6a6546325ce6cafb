"""The Flemish capacity tariff against reference values of real homes and months by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prosumax
from prosumax import tariff


def monthly_charge(import_kwh, start, minutes, rate=12.0, minimum=0.0, zone="Europe/Brussels"):
    clock = pd.date_range(
        pd.Timestamp(start, tz=zone), periods=len(import_kwh), freq=f"{minutes}min"
    )
    calendar, covered = tariff.meter_calendar(clock, minutes / 60)
    peaks = tariff.monthly_peaks(
        np.asarray(import_kwh, float)[:, None], calendar, minutes / 60, minimum
    )
    return float(tariff.capacity_charge(peaks, covered[:, None], rate)[0]), peaks[:, 0], covered


def test_charge_of_real_homes(citylearn_data):
    """Five homes of CityLearn 2022 phase 1, August to July, with idle batteries.

    There are two references for the mean monthly peaks of at least 2.5 kW: the raw files grouped by
    their month column, and recorded values for months with the lengths of July to June.
    """
    changes = {"tariff.capacity_charge_per_kw_year": 40.4, "tariff.min_billed_peak_kw": 2.5}
    result = prosumax.run("citylearn-2022", changes, optimum=False)
    net_kwh = []
    for home, peak_kw in enumerate((4, 4, 4, 5, 4), start=1):
        raw = pd.read_csv(citylearn_data / f"Building_{home}.csv")
        month, load, solar = (
            raw[name]
            for name in ("Month", "Equipment Electric Power [kWh]", "Solar Generation [W/kW]")
        )
        net_kwh.append(
            (load - peak_kw * solar / 1000)
            .clip(lower=0)
            .groupby(month)
            .max()
            .clip(lower=2.5)
            .mean()
        )
    peaks = [home["mean_monthly_peak_kw"] for home in result.households]
    # The run starts with the last hour of another July, which has a weight of 1 in 744.
    np.testing.assert_allclose(peaks, net_kwh, atol=1e-3)
    money = [home["bill_items"]["capacity_charge"] for home in result.households]
    np.testing.assert_allclose(money, 40.4 * np.array(net_kwh), atol=0.04)
    assert any("quarter-hours" in note for note in result.notes)  # its steps are hours
    recorded = [5.6745, 4.4327, 3.5794, 3.7707, 3.4212]
    imported = result.trajectory.record.flows.import_kwh
    for home, expected in enumerate(recorded):
        money, peaks, _ = monthly_charge(imported[:, home], "2016-07-01", 60, 40.4, 2.5, zone=None)
        assert peaks.mean() == pytest.approx(expected, abs=1e-4)
        assert money == pytest.approx(40.4 * expected, abs=0.01)


def test_charge_of_a_year_by_hand():
    """Monthly peaks of 1 to 12 kW, at least 2.5: the mean is (2.5 + 2.5 + 3 + ... + 12) / 12."""
    clock = pd.date_range(
        "2023-01-01", "2024-01-01", freq="15min", tz="Europe/Brussels", inclusive="left"
    )
    kwh = np.where(
        (clock.day == 9) & (clock.hour == 18) & (clock.minute == 30), clock.month / 4, 0.1
    )
    money, peaks, covered = monthly_charge(kwh, "2023-01-01", 15, rate=40.4, minimum=2.5)
    np.testing.assert_allclose(peaks, [2.5, 2.5, *range(3, 13)])
    np.testing.assert_allclose(covered, 1, rtol=1e-12)  # months with clock changes included
    assert money == pytest.approx(40.4 * (5 + 75) / 12, abs=1e-9)


def test_partial_month_is_charged_in_part():
    money, peaks, covered = monthly_charge(
        [1.0] * 24 * 14, "2023-02-15", 60
    )  # half of a February at 1 kW
    assert (peaks, covered, money) == (1.0, pytest.approx(0.5), pytest.approx(0.5))
    money, peaks, _ = monthly_charge([2.0] * 4 + [1.0] * 4, "2023-03-31T23:00", 15)
    np.testing.assert_allclose(peaks, [8, 4])  # 2 kWh in a quarter-hour are 8 kW
    assert money == pytest.approx(
        8 / 744 + 4 / 720, rel=1e-2
    )  # an hour of March, an hour of April (March has 743)


def test_shorter_steps_are_averaged_over_quarter_hours():
    """6 kW for five minutes is 2 kW in a quarter-hour."""
    _, peaks, _ = monthly_charge([0, 0.5, 0, 0.1, 0.1, 0.1], "2023-05-01", 5)
    np.testing.assert_allclose(peaks, [2.0])
    _, peaks, _ = monthly_charge(
        [0.5, 0.5], "2023-05-01T00:10", 5
    )  # in two quarter-hours, so not 4 kW
    np.testing.assert_allclose(peaks, [2.0])
    _, peaks, _ = monthly_charge([3.0, 1.0], "2023-05-01", 60)
    np.testing.assert_allclose(peaks, [3.0])  # the mean of the hour


@settings(max_examples=50)
@given(
    st.lists(st.floats(0, 5), min_size=1, max_size=200),
    st.sampled_from([5, 15, 30, 60]),
    st.sampled_from(
        ["2023-01-31T20:00", "2023-03-25T22:00", "2023-10-28T22:00", "2024-02-28T00:00"]
    ),
)
def test_monthly_peaks_equal_a_plain_loop(kwh, minutes, start):
    """Group by local month and quarter-hour in Python."""
    clock = pd.date_range(
        pd.Timestamp(start, tz="Europe/Brussels"), periods=len(kwh), freq=f"{minutes}min"
    )
    quarters: dict = {}
    for stamp, energy in zip(clock, kwh, strict=True):
        key = stamp.tz_convert("UTC").floor(f"{max(minutes, 15)}min") if minutes < 15 else stamp
        quarters.setdefault(key, []).append((stamp, energy))
    months: dict = {}
    for entries in quarters.values():
        power = sum(energy for _, energy in entries) / max(minutes / 60, 0.25)
        month = (entries[0][0].year, entries[0][0].month)
        months[month] = max(months.get(month, 1.5), power)
    _, peaks, _ = monthly_charge(kwh, start, minutes, minimum=1.5)
    np.testing.assert_allclose(peaks, [months[month] for month in sorted(months)], rtol=1e-12)
