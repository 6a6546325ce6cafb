"""The synthetic sky and the roof: physics, published bands, and sameness of seeds and slices."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax.profiles.solar import (
    UCCLE_ALTITUDE_M,
    UCCLE_GHI_KWH_M2,
    UCCLE_LATITUDE_DEG,
    UCCLE_LONGITUDE_DEG,
    Sky,
    brussels_air_temperature_c,
    solar_kwh_per_kwp,
    step_of,
    synthetic_sky,
)

# pvlib's ephemeris moves by 1e-6 degree with the length of its input; near the horizon that is 1e-5 W/m2 of beam.
SLICE_W_M2 = 1e-3
UCCLE = (UCCLE_LATITUDE_DEG, UCCLE_LONGITUDE_DEG, UCCLE_ALTITUDE_M)


def steps(start: str, end: str, freq: str = "15min") -> pd.DatetimeIndex:
    return pd.date_range(start, end, freq=freq, inclusive="left", tz="UTC")


YEAR = steps("2025-01-01", "2026-01-01")


@pytest.fixture(scope="module")
def sky() -> Sky:
    return synthetic_sky(YEAR, *UCCLE, seed=1)


@pytest.fixture(scope="module")
def south(sky: Sky) -> np.ndarray:
    return solar_kwh_per_kwp(YEAR, sky, *UCCLE, tilt_deg=35.0, azimuth_deg=180.0)


def test_every_month_has_the_irradiation_of_the_table(sky: Sky) -> None:
    ghi_kwh_m2 = pd.Series(sky.ghi / 4000, YEAR).groupby(YEAR.month).sum()
    # The split into quarters is the calibration's own, so only the sum's rounding remains.
    np.testing.assert_allclose(ghi_kwh_m2, UCCLE_GHI_KWH_M2, rtol=1e-9)


def test_no_month_of_any_seed_misses_the_table() -> None:
    # A month may be drawn nearly all clear or all overcast; the calibration must reach its target all the same.
    december = steps("2025-12-01", "2026-01-01")
    june = steps("2025-06-01", "2025-07-01")
    for seed in range(60):
        assert synthetic_sky(december, *UCCLE, seed).ghi.sum() / 4000 == pytest.approx(17.0, rel=1e-6)
        assert synthetic_sky(june, *UCCLE, seed).ghi.sum() / 4000 == pytest.approx(165.0, rel=1e-6)


def test_the_sky_is_physical(sky: Sky) -> None:
    import pvlib

    sun = pvlib.solarposition.get_solarposition(YEAR + pd.Timedelta("7.5min"), *UCCLE)
    night = sun["elevation"].to_numpy() < -1.0  # a degree below: refraction lifts the sun by half a degree
    assert night.mean() == pytest.approx(0.5, abs=0.05)
    assert not sky.ghi[night].any()
    assert not sky.dni[night].any()
    assert all(np.isfinite(values).all() for values in sky)
    assert min(sky.ghi.min(), sky.dni.min(), sky.dhi.min()) >= 0.0
    assert sky.dni.max() < 1100.0  # below the solar constant
    # GHI = DHI + DNI cos(zenith), except near the horizon where Erbs' direct part is cut off.
    high = sun["elevation"].to_numpy() > 10.0
    closure = sky.dhi + sky.dni * np.sin(np.deg2rad(sun["elevation"].to_numpy()))
    # The sun's place is pvlib's SPA here and its faster ephemeris there, 0.015 degree apart.
    np.testing.assert_allclose(closure[high], sky.ghi[high], rtol=3e-3)
    # In Belgium a little more than half of the light is diffuse.
    assert 0.5 < sky.dhi.sum() / sky.ghi.sum() < 0.62


def test_weather_comes_in_clear_broken_and_overcast_days(sky: Sky) -> None:
    june = sky.ghi[YEAR.month == 6].reshape(30, 96).sum(axis=1)
    assert june.max() > 1.25 * june.mean()
    assert june.min() < 0.75 * june.mean()


def test_a_year_of_brussels_south_roof_is_in_the_known_band(south: np.ndarray) -> None:
    # 898 with PVWatts' losses and a GHI of 1042, 983 with these settings; +-3 % for the seed.
    assert 898 * 0.97 < south.sum() < 983 * 1.03


def test_how_roofs_compare(sky: Sky, south: np.ndarray) -> None:
    def roof(tilt_deg: float, azimuth_deg: float) -> float:
        return float(solar_kwh_per_kwp(YEAR, sky, *UCCLE, tilt_deg, azimuth_deg).sum())

    east, west, flat, wall, north = roof(35, 90), roof(35, 270), roof(10, 180), roof(90, 180), roof(35, 0)
    # The prototype's figures: east 775, west 773, 10 degrees 924, wall 679; 4 % for the seed and the rewrite.
    assert [east, west, flat, wall] == pytest.approx([775, 773, 924, 679], rel=0.04)
    assert south.sum() > flat > east > north
    assert roof(0, 90) == pytest.approx(roof(0, 270), rel=1e-9)  # a flat panel looks nowhere


def test_east_peaks_in_the_morning_and_west_in_the_afternoon(sky: Sky) -> None:
    def mean_solar_hour(azimuth_deg: float) -> float:
        kwh = solar_kwh_per_kwp(YEAR, sky, *UCCLE, 35.0, azimuth_deg)
        hour = np.arange(len(YEAR)) % 96 / 4 + 0.125 + UCCLE_LONGITUDE_DEG / 15
        return float((kwh * hour).sum() / kwh.sum())

    assert mean_solar_hour(180.0) == pytest.approx(12.0, abs=0.3)  # weather is not symmetric about noon
    assert mean_solar_hour(90.0) < 11.5
    assert mean_solar_hour(270.0) > 12.5


def test_ac_power_is_bounded_and_dark_at_night(sky: Sky, south: np.ndarray) -> None:
    kw_per_kwp = south * 4
    assert not kw_per_kwp[sky.ghi == 0.0].any()
    assert kw_per_kwp.min() >= 0.0
    assert 0.7 < kw_per_kwp.max() < 0.85  # 0.77 in the prototype; a bright cloud edge adds up to 10 %


def test_a_time_stamp_has_one_sky_whatever_the_period(sky: Sky, south: np.ndarray) -> None:
    begin = 17 * 96 + 30  # in mid month and mid day, over two month ends
    part = slice(begin, begin + 50 * 96)
    week = synthetic_sky(YEAR[part], *UCCLE, seed=1)
    for of_week, of_year in zip(week, sky, strict=True):
        np.testing.assert_allclose(of_week, of_year[part], atol=SLICE_W_M2)
    kwh = solar_kwh_per_kwp(YEAR[part], week, *UCCLE, 35.0, 180.0)
    np.testing.assert_allclose(kwh, south[part], atol=1e-7)


@settings(max_examples=20, deadline=None)
@given(day=st.integers(0, 364), quarters=st.integers(1, 400), offset=st.integers(0, 95))
def test_any_slice_of_the_year_agrees_with_the_year(sky: Sky, day: int, quarters: int, offset: int) -> None:
    part = slice(day * 96 + offset, min(day * 96 + offset + quarters, len(YEAR)))
    np.testing.assert_allclose(synthetic_sky(YEAR[part], *UCCLE, seed=1).ghi, sky.ghi[part], atol=SLICE_W_M2)


def test_seeds_and_years() -> None:
    june = steps("2025-06-01", "2025-06-08")
    again = [synthetic_sky(june, *UCCLE, seed=seed).ghi for seed in (3, 3, 4)]
    np.testing.assert_array_equal(again[0], again[1])
    assert np.abs(again[0] - again[2]).max() > 100.0
    next_june = synthetic_sky(steps("2026-06-01", "2026-06-08"), *UCCLE, seed=3).ghi
    assert np.abs(again[0] - next_june).max() > 100.0


@pytest.mark.parametrize(("freq", "tolerance"), [("60min", 0.01), ("5min", 0.002)])
def test_energy_hardly_depends_on_the_step(sky: Sky, south: np.ndarray, freq: str, tolerance: float) -> None:
    index = steps("2025-01-01", "2026-01-01", freq)
    other = synthetic_sky(index, *UCCLE, seed=1)
    kwh = solar_kwh_per_kwp(index, other, *UCCLE, 35.0, 180.0)
    # An hour sees the sun at one place and the mean light; the cloud edges that the inverter or Erbs bend are averaged.
    assert kwh.sum() == pytest.approx(south.sum(), rel=tolerance)


def test_an_hour_of_sky_is_the_mean_of_its_quarters(sky: Sky) -> None:
    hourly = synthetic_sky(steps("2025-01-01", "2026-01-01", "60min"), *UCCLE, seed=1)
    np.testing.assert_allclose(hourly.ghi, sky.ghi.reshape(-1, 4).mean(axis=1), atol=SLICE_W_M2)
    np.testing.assert_allclose(hourly.dni, sky.dni.reshape(-1, 4).mean(axis=1), atol=SLICE_W_M2)


def test_leap_years_and_other_places() -> None:
    leap = steps("2024-01-01", "2025-01-01")
    assert len(synthetic_sky(leap, *UCCLE, seed=0).ghi) == 366 * 96
    # Same cloudiness, higher sun: Lyon is brighter than Brussels under the same clouds, Oslo dimmer.
    yearly = {
        name: synthetic_sky(YEAR, latitude, longitude, 100.0, seed=0).ghi.sum() / 4000
        for name, latitude, longitude in (("Oslo", 59.9, 10.7), ("Lyon", 45.8, 4.8))
    }
    assert yearly["Oslo"] < sum(UCCLE_GHI_KWH_M2) < yearly["Lyon"]
    polar_night = synthetic_sky(steps("2025-12-10", "2025-12-12"), 78.2, 15.6, 10.0, seed=0)
    assert not polar_night.ghi.any()


def test_air_temperature_follows_the_uccle_normals() -> None:
    celsius = pd.Series(brussels_air_temperature_c(YEAR, 4.36), YEAR)
    # KMI normals for Uccle 1991-2020: year 11.0, January 3.7, July 18.7; two sines fit them within half a degree.
    assert celsius.mean() == pytest.approx(11.0, abs=0.1)
    assert celsius[YEAR.month == 1].mean() == pytest.approx(3.7, abs=0.5)
    assert celsius[YEAR.month == 7].mean() == pytest.approx(18.7, abs=0.5)


@pytest.mark.parametrize(
    "index",
    [
        pd.date_range("2025-01-01", periods=4, freq="15min"),
        pd.date_range("2025-01-01", periods=4, freq="15min", tz="Europe/Brussels"),
        pd.date_range("2025-01-01", periods=4, freq="7min", tz="UTC"),
        pd.date_range("2025-01-01", periods=4, freq="5h", tz="UTC"),
        pd.DatetimeIndex(["2025-01-01 00:00", "2025-01-01 00:15", "2025-01-01 00:45"], tz="UTC"),
        pd.DatetimeIndex(["2025-01-01"], tz="UTC"),
    ],
    ids=["naive", "local", "7 min", "5 h", "uneven", "one"],
)
def test_an_index_that_does_not_fit_is_refused(index: pd.DatetimeIndex) -> None:
    with pytest.raises(ValueError, match=r"index|step"):
        step_of(index)


def test_a_sky_of_another_length_is_refused(sky: Sky) -> None:
    with pytest.raises(ValueError, match="35040 steps"):
        solar_kwh_per_kwp(YEAR[:96], sky, *UCCLE, 35.0, 180.0)
