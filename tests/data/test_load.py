"""Synthetic household load: annual energy, local time, end uses and published totals."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax.data.generators.household.lifestyles import LIFESTYLE_SHARES, LIFESTYLES
from prosumax.data.generators.household.load import END_USES, synthetic_load
from prosumax.data.sources.synthetic_load import LifestyleName
from prosumax.errors import InputError

BRUSSELS = "Europe/Brussels"


def local_year(year: int, freq: str = "15min") -> pd.DatetimeIndex:
    """Return the UTC step starts of a calendar year in Brussels."""
    start, end = (
        pd.Timestamp(f"{y}-01-01", tz=BRUSSELS).tz_convert("UTC") for y in (year, year + 1)
    )
    return pd.date_range(start, end, freq=freq, inclusive="left")


YEAR = local_year(2025)
CLOCK = YEAR.tz_convert(BRUSSELS)


def mean_day_w(kwh: np.ndarray) -> np.ndarray:
    """Return the mean power per local hour of several homes, W."""
    return pd.Series(kwh.mean(axis=0) * 4000, CLOCK).groupby(CLOCK.hour).mean().to_numpy()


def synthetic_load_kwh(
    index: pd.DatetimeIndex, name: str, annual_kwh: float | None, seed: int, zone: str
) -> np.ndarray:
    return synthetic_load(index, name, annual_kwh, seed, zone).kwh


@pytest.fixture(scope="module")
def homes() -> dict[str, np.ndarray]:
    """Loads of six homes per lifestyle with the mean energy of the lifestyle, [6, step]."""
    return {
        name: np.stack(
            [synthetic_load_kwh(YEAR, name, kind.annual_kwh, seed, BRUSSELS) for seed in range(6)]
        )
        for name, kind in LIFESTYLES.items()
    }


def test_lifestyles_match_the_scenario_schema() -> None:
    assert tuple(LIFESTYLES) == get_args(LifestyleName)
    for kind in LIFESTYLES.values():
        assert set(kind.usage_factors) <= set(END_USES)


@pytest.mark.parametrize("year", [2024, 2025])
@pytest.mark.parametrize("annual_kwh", [600.0, 3500.0, 12000.0])
def test_calendar_year_sums_to_the_annual_energy(year: int, annual_kwh: float) -> None:
    index = local_year(year)
    kwh = synthetic_load_kwh(index, "family", annual_kwh, 5, BRUSSELS)
    assert len(kwh) == (366 if year == 2024 else 365) * 96
    assert kwh.sum() == pytest.approx(annual_kwh, rel=1e-9)
    assert kwh.min() > 0.0


def test_utc_year_differs_by_an_hour_at_most() -> None:
    index = pd.date_range("2025-01-01", "2026-01-01", freq="15min", tz="UTC", inclusive="left")
    assert synthetic_load_kwh(index, "retired", 3000.0, 5, BRUSSELS).sum() == pytest.approx(
        3000.0, abs=3.0
    )


def test_monthly_peaks_match_belgian_meters(homes: dict[str, np.ndarray]) -> None:
    monthly = {}
    for name, kwh in homes.items():
        kw = kwh * 4
        monthly[name] = np.mean([kw[:, CLOCK.month == month].max(axis=1) for month in range(1, 13)])
        assert kw.max() < 9.2  # A single-phase connection of 40 A.
    # The Flemish regulator (newsletter of 16 January 2023) states 4.37 kW as the mean monthly
    # quarter-hour peak of some 470 000 digital meters, small businesses included, and about 4 kW
    # for households; the tolerance is 15 %.
    assert 4 * 0.85 < sum(LIFESTYLE_SHARES[name] * kw for name, kw in monthly.items()) < 4 * 1.15


def test_lifestyle_shares_sum_to_one() -> None:
    assert set(LIFESTYLE_SHARES) == set(LIFESTYLES)
    assert sum(LIFESTYLE_SHARES.values()) == pytest.approx(1.0)


def test_noon_and_midnight_load_follow_occupancy(homes: dict[str, np.ndarray]) -> None:
    noon, midnight = (
        {name: mean_day_w(kwh)[hour] / mean_day_w(kwh).mean() for name, kwh in homes.items()}
        for hour in (11, 0)
    )
    assert min(noon["retired"], noon["home_business"]) > max(noon["couple"], noon["family"])
    assert midnight["students"] > max(midnight["retired"], midnight["family"])


def test_winter_load_exceeds_summer_load(homes: dict[str, np.ndarray]) -> None:
    kwh = homes["couple"]
    january, july = (kwh[:, CLOCK.month == month].sum() for month in (1, 7))
    # The ratio of BDEW's H0 is 1.45; six homes of one lifestyle may deviate by a fifth.
    assert 1.2 < january / july < 1.7


def test_weekend_midday_load_exceeds_workday_midday_load(homes: dict[str, np.ndarray]) -> None:
    kwh = homes["couple"].mean(axis=0)
    midday = (CLOCK.hour >= 10) & (CLOCK.hour < 16)
    weekend = CLOCK.dayofweek >= 5
    assert kwh[midday & weekend].mean() > 1.3 * kwh[midday & ~weekend].mean()


def test_load_follows_local_time_through_daylight_saving_time(homes: dict[str, np.ndarray]) -> None:
    """The morning rise of working days is at the same local time in winter and summer."""
    kwh = homes["family"].mean(axis=0)
    quarter = np.asarray(CLOCK.hour * 4 + CLOCK.minute // 15)
    rise = {}
    for season, months in (("winter", (1, 2, 11, 12)), ("summer", (5, 6, 7, 8))):
        workdays = (CLOCK.dayofweek < 5) & CLOCK.month.isin(months)
        morning = np.array([kwh[workdays & (quarter == q)].mean() for q in range(3 * 4, 10 * 4)])
        rise[season] = int((morning > (morning.min() + morning.max()) / 2).argmax())
    assert abs(rise["winter"] - rise["summer"]) <= 1  # Quarter-hours; 4 if the load followed UTC.


@pytest.mark.parametrize(
    ("day", "hours"), [("2025-03-30", 23), ("2025-10-26", 25), ("2025-06-01", 24)]
)
def test_days_with_daylight_saving_transition_have_the_right_length(day: str, hours: int) -> None:
    start = pd.Timestamp(day, tz=BRUSSELS)
    end = start + pd.DateOffset(days=1)
    index = pd.date_range(
        start.tz_convert("UTC"), end.tz_convert("UTC"), freq="15min", inclusive="left"
    )
    kwh = synthetic_load_kwh(index, "couple", 3000.0, 2, BRUSSELS)
    assert len(kwh) == 4 * hours
    full = synthetic_load_kwh(YEAR, "couple", 3000.0, 2, BRUSSELS)
    np.testing.assert_array_equal(kwh, full[(start <= CLOCK) & (end > CLOCK)])


@settings(max_examples=15, deadline=None)
@given(
    first=st.integers(0, 364 * 96),
    length=st.integers(1, 5000),
    annual_kwh=st.sampled_from([None, 2500.0]),
)
def test_any_slice_of_the_year_agrees_with_the_year(
    first: int, length: int, annual_kwh: float | None
) -> None:
    part = slice(first, first + length)
    whole = synthetic_load_kwh(YEAR, "students", annual_kwh, 7, BRUSSELS)
    np.testing.assert_array_equal(
        synthetic_load_kwh(YEAR[part], "students", annual_kwh, 7, BRUSSELS), whole[part]
    )


def test_period_over_new_year_joins_both_years() -> None:
    kwh = [
        synthetic_load_kwh(local_year(year), "couple", 3000.0, 3, BRUSSELS) for year in (2024, 2025)
    ]
    new_year = YEAR[0]
    index = pd.date_range(
        new_year - pd.Timedelta(days=1),
        new_year + pd.Timedelta(days=1),
        freq="15min",
        inclusive="left",
    )
    joined = synthetic_load_kwh(index, "couple", 3000.0, 3, BRUSSELS)
    np.testing.assert_array_equal(joined, np.concatenate([kwh[0][-96:], kwh[1][:96]]))
    assert not np.array_equal(kwh[0][: 365 * 96], kwh[1])


@pytest.mark.parametrize(("freq", "per_step"), [("60min", 4), ("30min", 2)])
def test_longer_steps_are_sums_of_shorter_ones(freq: str, per_step: int) -> None:
    quarters = synthetic_load_kwh(YEAR, "retired", None, 4, BRUSSELS)
    longer = synthetic_load_kwh(local_year(2025, freq), "retired", None, 4, BRUSSELS)
    np.testing.assert_allclose(longer, quarters.reshape(-1, per_step).sum(axis=1), rtol=1e-12)


def test_seeds_give_different_homes(homes: dict[str, np.ndarray]) -> None:
    family = homes["family"]
    np.testing.assert_array_equal(
        family[3], synthetic_load_kwh(YEAR, "family", LIFESTYLES["family"].annual_kwh, 3, BRUSSELS)
    )
    # A strong correlation between homes would make the peaks of a street coincide.
    assert np.abs(np.corrcoef(family) - np.eye(6)).max() < 0.4
    assert 4 * family.mean(axis=0).max() < 0.6 * 4 * family.max(axis=1).mean()


@pytest.mark.parametrize("annual_kwh", [None, 3100.0])
def test_end_uses_sum_to_the_load(annual_kwh: float | None) -> None:
    week = YEAR[20 * 96 : 27 * 96]
    for index in (YEAR, week):
        load = synthetic_load(index, "family", annual_kwh, 11, BRUSSELS)
        assert set(load.end_use_kwh) <= set(END_USES)
        assert sum(load.end_use_kwh.values()) == pytest.approx(load.kwh.sum(), rel=1e-9)


def test_excluded_use_does_not_change_the_other_uses() -> None:
    full = synthetic_load(YEAR, "couple", 3000.0, 3, BRUSSELS)
    rest = synthetic_load(YEAR, "couple", 3000.0, 3, BRUSSELS, excluded_uses=["washing machine"])
    assert "washing machine" in full.end_use_kwh
    assert rest.end_use_kwh == {
        use: kwh for use, kwh in full.end_use_kwh.items() if use != "washing machine"
    }
    assert (rest.kwh <= full.kwh + 1e-12).all()
    assert full.kwh.sum() - rest.kwh.sum() == pytest.approx(
        full.end_use_kwh["washing machine"], rel=1e-9
    )


def test_load_grows_less_than_proportionally_with_occupants() -> None:
    by_size = [
        np.mean(
            [
                synthetic_load(YEAR, "family", None, seed, BRUSSELS, occupants=size).kwh.sum()
                for seed in range(6)
            ]
        )
        for size in (1, 2, 4, 6)
    ]
    assert by_size == sorted(by_size)
    assert by_size[3] < 6 * by_size[0]


def test_annual_energy_varies_around_the_lifestyle_mean() -> None:
    year = local_year(2025, "60min")
    annual = np.array(
        [synthetic_load(year, "retired", None, seed, BRUSSELS).kwh.sum() for seed in range(40)]
    )
    # The tolerances of 15 % and of a coefficient of variation of 0.3 to 0.5 include two standard
    # errors of 40 homes.
    assert annual.mean() == pytest.approx(
        LIFESTYLES["retired"].annual_kwh, rel=0.15 + 2 * 0.35 / 40**0.5
    )
    assert 0.3 - 0.08 < annual.std() / annual.mean() < 0.5 + 0.08


@pytest.mark.slow
@pytest.mark.parametrize("name", LIFESTYLES)
def test_mean_and_variation_of_two_hundred_homes(name: str) -> None:
    year = local_year(2025, "60min")
    annual = np.array(
        [synthetic_load(year, name, None, seed, BRUSSELS).kwh.sum() for seed in range(200)]
    )
    assert annual.mean() == pytest.approx(LIFESTYLES[name].annual_kwh, rel=0.15)
    assert 0.3 < annual.std() / annual.mean() < 0.5


def test_invalid_arguments_are_rejected() -> None:
    with pytest.raises(InputError, match="Did you mean 'students'"):
        synthetic_load_kwh(YEAR[:96], "student", None, 0, BRUSSELS)
    with pytest.raises(InputError, match="annual_kwh"):
        synthetic_load_kwh(YEAR[:96], "couple", -1.0, 0, BRUSSELS)
    with pytest.raises(InputError, match="Did you mean 'kettle'"):
        synthetic_load(YEAR[:96], "couple", None, 0, BRUSSELS, excluded_uses=["kettles"])
    with pytest.raises(InputError, match="occupants"):
        synthetic_load(YEAR[:96], "couple", None, 0, BRUSSELS, occupants=0)
    with pytest.raises(ValueError, match="whole minutes"):
        synthetic_load_kwh(YEAR[:96] + pd.Timedelta(seconds=20), "couple", 3000.0, 0, BRUSSELS)
