"""Weather files: formats, weather per step and invalid files."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prosumax.data.generators.solar.weather import clear_sky_weather
from prosumax.data.readers.weather_files import read_weather_file, weather_from_year
from prosumax.errors import InputError

SITE = (50.8, 4.36, 100.0)
HOURS = pd.date_range("2021-01-01", periods=8760, freq="h", tz="UTC")


@lru_cache
def hazy_year() -> pd.DataFrame:
    """Return a synthetic year with 70 % of the clear-sky irradiance, half of it diffuse."""
    clear = clear_sky_weather(HOURS, *SITE)
    ghi = 0.7 * clear.ghi
    air = 10 + 8 * np.sin(2 * np.pi * (np.arange(8760) / 8760 - 0.3))
    return pd.DataFrame(
        {"ghi": ghi, "dhi": 0.5 * ghi, "dni": 0.4 * clear.dni, "air": air, "wind": 4.0}, index=HOURS
    )


def write_epw(path: Path, table: pd.DataFrame, zone: int = 0, drop: int | None = None) -> Path:
    """Write an EPW file in a time zone, optionally without one of its hours."""
    lines = [f"LOCATION,Somewhere,-,BEL,made,0,{SITE[0]},{SITE[1]},{zone},{SITE[2]}"]
    lines += ["DESIGN CONDITIONS,0", "TYPICAL/EXTREME PERIODS,0", "GROUND TEMPERATURES,0"]
    lines += [
        "HOLIDAYS/DAYLIGHT SAVING,No,0,0,0",
        "COMMENTS 1,x",
        "COMMENTS 2,x",
        "DATA PERIODS,1,1,Data,Sunday,1/1,12/31",
    ]
    clock = HOURS if zone == 0 else HOURS.tz_convert(f"Etc/GMT{-zone:+d}")
    order = np.argsort((clock.dayofyear - 1) * 24 + clock.hour, kind="stable")
    values_of_hour = table.iloc[order].round(3).to_numpy().tolist()
    for stamp, (ghi, dhi, dni, air, wind) in zip(clock[order], values_of_hour, strict=True):
        before = f"2021,{stamp.month},{stamp.day},{stamp.hour + 1},0,?,{air},5,80,101325,0,0,300"
        behind = f"0,0,0,0,180,{wind},5,5,20,77777,9,999999999,10,0.1,0,88,0.2,0,0"
        lines.append(f"{before},{ghi},{dni},{dhi},{behind}")
    if drop is not None:
        del lines[8 + drop]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_epw(tmp_path_factory.mktemp("weather") / "year.epw", hazy_year())


def test_hourly_steps_equal_the_hours_of_the_file(year: Path) -> None:
    read = read_weather_file(year)
    assert (read.latitude_deg, read.longitude_deg, read.sample_minute) == (SITE[0], SITE[1], None)
    weather = weather_from_year(HOURS, read, *SITE)
    table = hazy_year()
    for name, values in (
        ("ghi", weather.ghi),
        ("dhi", weather.dhi),
        ("dni", weather.dni),
        ("air", weather.air_temperature_c),
    ):
        np.testing.assert_allclose(values, table[name], atol=0.01)


def test_file_in_local_time_is_converted_to_utc(tmp_path: Path) -> None:
    weather = weather_from_year(
        HOURS, read_weather_file(write_epw(tmp_path / "local.epw", hazy_year(), zone=1)), *SITE
    )
    np.testing.assert_allclose(weather.ghi, hazy_year().ghi, atol=0.01)


def test_quarter_hours_preserve_the_hourly_mean(year: Path) -> None:
    quarters = pd.date_range("2023-06-01", periods=96 * 30, freq="15min", tz="UTC")
    weather = weather_from_year(quarters, read_weather_file(year), *SITE)
    june = hazy_year()[HOURS.month == 6]
    np.testing.assert_allclose(weather.ghi.reshape(-1, 4).mean(axis=1), june.ghi, atol=0.01)
    clear = clear_sky_weather(quarters, *SITE)
    high = clear.ghi > 100
    # The file has 0.7 of the clear-sky irradiance throughout. The tolerance of 3 % covers the hours
    # of dawn, whose irradiation is not centered at the midpoint.
    np.testing.assert_allclose(weather.ghi[high] / clear.ghi[high], 0.7, rtol=0.03)


def test_29_february_takes_28_february(year: Path) -> None:
    leap = pd.date_range("2024-02-28", periods=72, freq="h", tz="UTC")
    ghi = weather_from_year(leap, read_weather_file(year), *SITE).ghi
    np.testing.assert_array_equal(ghi[:24], ghi[24:48])
    assert ghi[48:].sum() > 0


def test_pvgis_samples_are_interpolated(tmp_path: Path) -> None:
    samples = HOURS + pd.Timedelta(minutes=10)
    # The midpoints of these steps are the samples.
    clear = clear_sky_weather(samples - pd.Timedelta(minutes=30), *SITE)
    lines = [f"Latitude (decimal degrees): {SITE[0]}", f"Longitude (decimal degrees): {SITE[1]}"]
    lines += ["Elevation (m): 100.0", "Irradiance Time Offset (h): 0.1667", "month,year"]
    lines += [f"{month},2021" for month in range(1, 13)]
    lines.append("time(UTC),T2m,RH,G(h),Gb(n),Gd(h),IR(h),WS10m,WD10m,SP")
    for stamp, ghi in zip(HOURS, 0.6 * clear.ghi, strict=True):
        lines.append(f"{stamp:%Y%m%d:%H%M},10.0,80,{ghi:.2f},0.0,{0.5 * ghi:.2f},300,3,180,101325")
    path = tmp_path / "tmy.csv"
    path.write_text(
        "\n".join(lines)
        + "\n\nT2m: 2-m air temperature (degree Celsius)\nRH: relative humidity (%)\n"
    )
    read = read_weather_file(path)
    assert read.sample_minute == pytest.approx(10.0, abs=0.01)
    quarters = pd.date_range("2023-05-01", periods=96 * 20, freq="15min", tz="UTC")
    weather = weather_from_year(quarters, read, *SITE)
    clear_quarters = clear_sky_weather(quarters, *SITE)
    high = clear_quarters.ghi > 100
    # The turbidity of the file and of the period differ by up to a month, hence the 3 %.
    np.testing.assert_allclose(weather.ghi[high] / clear_quarters.ghi[high], 0.6, rtol=0.03)
    np.testing.assert_allclose(weather.dhi[high], 0.5 * weather.ghi[high], rtol=0.01)


def test_invalid_weather_files_are_rejected(tmp_path: Path, year: Path) -> None:
    with pytest.raises(InputError, match="no such weather file"):
        read_weather_file(tmp_path / "none.epw")
    other = tmp_path / "other.csv"
    other.write_text("time,load\n2020-01-01,1\n")
    with pytest.raises(InputError, match="the weather file format is unknown"):
        read_weather_file(other)
    short = write_epw(tmp_path / "short.epw", hazy_year(), drop=5000)
    with pytest.raises(InputError, match="1 hours are missing or invalid, the first 28 July"):
        read_weather_file(short)
    invalid = hazy_year().copy()
    invalid.iloc[4000, invalid.columns.get_loc("ghi")] = 9999.0  # EPW's marker of missing values.
    with pytest.raises(
        InputError, match="1 hours are missing or invalid, the first 16 June 16:00 UTC"
    ):
        read_weather_file(write_epw(tmp_path / "invalid.epw", invalid))
    cut = tmp_path / "cut.epw"
    cut.write_text(year.read_text()[:20_000])
    with pytest.raises(InputError, match=r"cut\.epw"):
        read_weather_file(cut)
