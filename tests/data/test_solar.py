"""The synthetic sky and the roof: physics, published bands, and sameness of seeds and slices."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax.data.generators.solar.pv import PVSystem, pv_yield_kwh_per_kwp
from prosumax.data.generators.solar.weather import (
    UCCLE_ALTITUDE_M,
    UCCLE_LATITUDE_DEG,
    UCCLE_LONGITUDE_DEG,
    CloudVariability,
    WeatherSeries,
    brussels_air_temperature_c,
    clear_sky_weather,
    monthly_irradiation_kwh_m2,
    synthetic_weather,
)
from prosumax.data.generators.solar.position import solar_position
from prosumax.data.time_steps import infer_step
from prosumax.errors import InputError

# pvlib's ephemeris moves by 1e-6 degree with the length of its input; near the horizon that is 1e-5 W/m2 of beam.
SLICE_W_M2 = 1e-3
NORMAL = monthly_irradiation_kwh_m2("normal")
SOUTH = PVSystem(35.0, 180.0)
UCCLE = (UCCLE_LATITUDE_DEG, UCCLE_LONGITUDE_DEG, UCCLE_ALTITUDE_M)


def steps(start: str, end: str, freq: str = "15min") -> pd.DatetimeIndex:
    return pd.date_range(start, end, freq=freq, inclusive="left", tz="UTC")


YEAR = steps("2025-01-01", "2026-01-01")


@pytest.fixture(scope="module")
def sky() -> WeatherSeries:
    return synthetic_weather(YEAR, *UCCLE, seed=1)


@pytest.fixture(scope="module")
def south(sky: WeatherSeries) -> np.ndarray:
    return pv_yield_kwh_per_kwp(YEAR, sky, *UCCLE, SOUTH)


def test_every_month_has_the_irradiation_of_the_table(sky: WeatherSeries) -> None:
    ghi_kwh_m2 = pd.Series(sky.ghi / 4000, YEAR).groupby(YEAR.month).sum()
    # The split into quarters is the calibration's own, so only the sum's rounding remains.
    np.testing.assert_allclose(ghi_kwh_m2, NORMAL, rtol=1e-9)


def test_no_month_of_any_seed_misses_the_table() -> None:
    # A month may be drawn nearly all clear or all overcast; the calibration must reach its target all the same.
    december = steps("2025-12-01", "2026-01-01")
    june = steps("2025-06-01", "2025-07-01")
    for seed in range(60):
        assert synthetic_weather(december, *UCCLE, seed).ghi.sum() / 4000 == pytest.approx(
            NORMAL[11], rel=1e-6
        )
        assert synthetic_weather(june, *UCCLE, seed).ghi.sum() / 4000 == pytest.approx(
            NORMAL[5], rel=1e-6
        )


def test_the_sky_is_physical(sky: WeatherSeries) -> None:
    import pvlib

    sun = pvlib.solarposition.get_solarposition(YEAR + pd.Timedelta("7.5min"), *UCCLE)
    night = (
        sun["elevation"].to_numpy() < -1.0
    )  # a degree below: refraction lifts the sun by half a degree
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


def test_weather_comes_in_clear_broken_and_overcast_days(sky: WeatherSeries) -> None:
    june = sky.ghi[YEAR.month == 6].reshape(30, 96).sum(axis=1)
    assert june.max() > 1.25 * june.mean()
    assert june.min() < 0.75 * june.mean()


def test_a_year_of_a_south_roof_in_brussels() -> None:
    # What installers in Belgium count on is 950 kWh/kWp; 930 to 1020 covers the places and the years.
    brussels = (50.85, 4.35, 60.0)
    hours = steps("2025-01-01", "2026-01-01", "60min")
    for seed in range(5):
        kwh = pv_yield_kwh_per_kwp(
            hours, synthetic_weather(hours, *brussels, seed), *brussels, SOUTH
        ).sum()
        assert 930 < kwh < 1020


def test_the_table_of_months_is_what_the_institute_publishes() -> None:
    # KMI/IRM, means over Belgium 1991-2020: 2880 Wh/m2 a day over the year, 5270 in June, 545 in December.
    assert sum(NORMAL) == pytest.approx(2.880 * 365.25, rel=0.01)
    assert NORMAL[5] == pytest.approx(5.270 * 30, rel=0.01)
    assert NORMAL[11] == pytest.approx(0.545 * 31, rel=0.01)
    # Independent of these: what was measured at Uccle in 2004. Single months of single years differ by a sixth.
    measured = np.array(monthly_irradiation_kwh_m2("measured_2004"))
    assert measured.sum() == pytest.approx(1034.3, abs=0.1)
    assert np.abs(measured / NORMAL - 1).max() < 0.22
    with pytest.raises(InputError, match="Did you mean 'normal'"):
        monthly_irradiation_kwh_m2("normale")


@pytest.mark.parametrize(("mounting", "below"), [("rack", 0.03), ("roof", 0.06)])
def test_against_pvwatts(mounting: str, below: float) -> None:
    """Same weather (Denver), same losses as NREL's PVWatts; its output is a sample file of pvlib's own tests.

    We read lower, by 2.6 % (rack) and 5.5 % (roof): 0.6 points are light on the plane, 1.6 the diffuse light that the
    glass holds back, the rest cells that are 1 and 6.6 K hotter, since PVsyst's U of panels on a roof is 20 W/m2K.
    """
    stored = np.load(Path(__file__).parent / "files" / "pvwatts_denver.npz")
    hours = pd.date_range(
        "2023-01-01 07:00", periods=8760, freq="h", tz="UTC"
    )  # its clock is mountain standard time
    place = (39.73, -105.18, 1819.6)
    sun = solar_position(hours[0], hours[-1] + pd.Timedelta("1h"), pd.Timedelta("1h"), *place)
    dni, dhi, air, wind = (
        stored[name].astype(float) for name in ("dni", "dhi", "air_c", "wind_m_s")
    )
    sky = WeatherSeries(dni * np.cos(np.deg2rad(sun.apparent_zenith)).clip(0) + dhi, dni, dhi, air, wind)
    panels = PVSystem(20.0, 180.0, mounting, losses=0.1408, temperature_coefficient_per_k=-0.0047, dc_ac_ratio=1.2)
    ours, theirs = pv_yield_kwh_per_kwp(hours, sky, *place, panels), stored[f"ac_w_{mounting}"] / 4000
    assert np.corrcoef(ours, theirs)[0, 1] > 0.998
    assert ours.sum() == pytest.approx(theirs.sum(), rel=below)


def test_a_clear_sky_is_the_brightest(sky: WeatherSeries) -> None:
    clear = clear_sky_weather(YEAR, *UCCLE)
    assert clear.ghi.sum() > 1.3 * sky.ghi.sum()
    assert (sky.ghi <= 1.10 * clear.ghi + SLICE_W_M2).all()
    ratio = clear.dhi + clear.dni * np.cos(np.deg2rad(_zenith())) - clear.ghi
    np.testing.assert_allclose(
        ratio[clear.ghi > 50], 0.0, atol=5.0
    )  # pvlib closes its clear sky by the apparent sun


def _zenith() -> np.ndarray:
    return solar_position(
        YEAR[0], YEAR[-1] + YEAR.freq, pd.Timedelta("15min"), *UCCLE
    ).apparent_zenith


def test_neighbours_share_the_weather_but_not_every_cloud(sky: WeatherSeries) -> None:
    june = steps("2025-06-01", "2025-07-01")
    common = sky.ghi[YEAR.month == 6]
    for distance_km, least, most in ((0.1, 0.975, 0.995), (3.0, 0.65, 0.85)):
        homes = [
            synthetic_weather(june, *UCCLE, 1, variability=CloudVariability(seed, distance_km)).ghi
            for seed in range(6)
        ]
        changes = np.corrcoef(np.diff(np.array(homes)))
        mean = (changes.sum() - 6) / 30
        # 1 / (1 + 0.1/9) = 0.989 and 1 / (1 + 3/9) = 0.75 for the clear-sky index; light follows it nearly.
        assert least < mean < most
        for ghi in homes:
            assert ghi.sum() == pytest.approx(common.sum(), rel=0.03)
    np.testing.assert_allclose(
        synthetic_weather(june, *UCCLE, 1, variability=CloudVariability(3, 0.0)).ghi, common, atol=SLICE_W_M2
    )


def test_months_of_your_own_place() -> None:
    seville = (37.4, -6.0, 10.0)
    months = [80.0, 100, 150, 180, 215, 230, 240, 210, 165, 120, 85, 70]
    sky = synthetic_weather(YEAR, *seville, seed=2, monthly_kwh_m2=months)
    np.testing.assert_allclose(
        pd.Series(sky.ghi / 4000, YEAR).groupby(YEAR.month).sum(), months, rtol=1e-6
    )
    with pytest.raises(ValueError, match="11 months"):
        synthetic_weather(YEAR, *seville, seed=2, monthly_kwh_m2=months[:11])


def test_how_roofs_compare(sky: WeatherSeries, south: np.ndarray) -> None:
    def roof(tilt_deg: float, azimuth_deg: float) -> float:
        return float(pv_yield_kwh_per_kwp(YEAR, sky, *UCCLE, PVSystem(tilt_deg, azimuth_deg)).sum())

    east, west, flat, wall, north = (
        roof(35, 90),
        roof(35, 270),
        roof(10, 180),
        roof(90, 180),
        roof(35, 0),
    )
    # The prototype's figures: east 775, west 773, 10 degrees 924, wall 679; 4 % for the seed and the rewrite.
    assert [east, west, flat, wall] == pytest.approx([775, 773, 924, 679], rel=0.04)
    assert south.sum() > flat > east > north
    assert roof(0, 90) == pytest.approx(roof(0, 270), rel=1e-9)  # a flat panel looks nowhere


def test_east_peaks_in_the_morning_and_west_in_the_afternoon(sky: WeatherSeries) -> None:
    def mean_solar_hour(azimuth_deg: float) -> float:
        kwh = pv_yield_kwh_per_kwp(YEAR, sky, *UCCLE, PVSystem(35.0, azimuth_deg))
        hour = np.arange(len(YEAR)) % 96 / 4 + 0.125 + UCCLE_LONGITUDE_DEG / 15
        return float((kwh * hour).sum() / kwh.sum())

    assert mean_solar_hour(180.0) == pytest.approx(
        12.0, abs=0.3
    )  # weather is not symmetric about noon
    assert mean_solar_hour(90.0) < 11.5
    assert mean_solar_hour(270.0) > 12.5


def test_ac_power_is_bounded_and_dark_at_night(sky: WeatherSeries, south: np.ndarray) -> None:
    kw_per_kwp = south * 4
    assert not kw_per_kwp[sky.ghi == 0.0].any()
    assert kw_per_kwp.min() >= 0.0
    assert (
        0.7 < kw_per_kwp.max() < 0.85
    )  # 0.77 in the prototype; a bright cloud edge adds up to 10 %


def test_a_time_stamp_has_one_sky_whatever_the_period(sky: WeatherSeries, south: np.ndarray) -> None:
    begin = 17 * 96 + 30  # in mid month and mid day, over two month ends
    part = slice(begin, begin + 50 * 96)
    week = synthetic_weather(YEAR[part], *UCCLE, seed=1)
    for of_week, of_year in zip(week, sky, strict=True):
        np.testing.assert_allclose(of_week, of_year[part], atol=SLICE_W_M2)
    kwh = pv_yield_kwh_per_kwp(YEAR[part], week, *UCCLE, SOUTH)
    np.testing.assert_allclose(kwh, south[part], atol=1e-7)


@settings(max_examples=20, deadline=None)
@given(day=st.integers(0, 364), quarters=st.integers(1, 400), offset=st.integers(0, 95))
def test_any_slice_of_the_year_agrees_with_the_year(
    sky: WeatherSeries, day: int, quarters: int, offset: int
) -> None:
    part = slice(day * 96 + offset, min(day * 96 + offset + quarters, len(YEAR)))
    np.testing.assert_allclose(
        synthetic_weather(YEAR[part], *UCCLE, seed=1).ghi, sky.ghi[part], atol=SLICE_W_M2
    )


def test_seeds_and_years() -> None:
    june = steps("2025-06-01", "2025-06-08")
    again = [synthetic_weather(june, *UCCLE, seed=seed).ghi for seed in (3, 3, 4)]
    np.testing.assert_array_equal(again[0], again[1])
    assert np.abs(again[0] - again[2]).max() > 100.0
    next_june = synthetic_weather(steps("2026-06-01", "2026-06-08"), *UCCLE, seed=3).ghi
    assert np.abs(again[0] - next_june).max() > 100.0


@pytest.mark.parametrize(("freq", "tolerance"), [("60min", 0.01), ("5min", 0.002)])
def test_energy_hardly_depends_on_the_step(
    sky: WeatherSeries, south: np.ndarray, freq: str, tolerance: float
) -> None:
    index = steps("2025-01-01", "2026-01-01", freq)
    other = synthetic_weather(index, *UCCLE, seed=1)
    kwh = pv_yield_kwh_per_kwp(index, other, *UCCLE, SOUTH)
    # An hour sees the sun at one place and the mean light; the cloud edges that the inverter or Erbs bend are averaged.
    assert kwh.sum() == pytest.approx(south.sum(), rel=tolerance)


def test_an_hour_of_sky_is_the_mean_of_its_quarters(sky: WeatherSeries) -> None:
    hourly = synthetic_weather(steps("2025-01-01", "2026-01-01", "60min"), *UCCLE, seed=1)
    np.testing.assert_allclose(hourly.ghi, sky.ghi.reshape(-1, 4).mean(axis=1), atol=SLICE_W_M2)
    np.testing.assert_allclose(hourly.dni, sky.dni.reshape(-1, 4).mean(axis=1), atol=SLICE_W_M2)


def test_leap_years_and_other_places() -> None:
    leap = steps("2024-01-01", "2025-01-01")
    assert len(synthetic_weather(leap, *UCCLE, seed=0).ghi) == 366 * 96
    # Same cloudiness, higher sun: Lyon is brighter than Brussels under the same clouds, Oslo dimmer.
    yearly = {
        name: synthetic_weather(YEAR, latitude, longitude, 100.0, seed=0).ghi.sum() / 4000
        for name, latitude, longitude in (("Oslo", 59.9, 10.7), ("Lyon", 45.8, 4.8))
    }
    assert yearly["Oslo"] < sum(NORMAL) < yearly["Lyon"]
    polar_night = synthetic_weather(steps("2025-12-10", "2025-12-12"), 78.2, 15.6, 10.0, seed=0)
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
        infer_step(index)


def test_a_sky_of_another_length_is_refused(sky: WeatherSeries) -> None:
    with pytest.raises(ValueError, match="35040 steps"):
        pv_yield_kwh_per_kwp(YEAR[:96], sky, *UCCLE, SOUTH)
