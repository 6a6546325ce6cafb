"""Weather files: EPW, PVGIS and TMY3 become the sky of a simulated period.

A file holds hours of one typical year (or of real ones); the period takes from it the hour of the same month, day and
time, by UTC. 29 February takes the 28th's. Steps shorter than an hour follow the clear sky inside each hour, so that
the hour keeps its mean.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.data.generators.solar.sky import Sky, clear_sky
from prosumax.data.generators.solar.sun import QUARTER, step_of, sun_position
from prosumax.errors import InputError

Series = NDArray[np.float64]

HOUR = pd.Timedelta(hours=1)
_YEAR = 2023  # any year without a leap day: the clock of a typical year
_LOW_SUN_W_M2 = 20.0  # below, the ratio to the clear sky means little
_COLUMNS = ("ghi", "dni", "dhi", "temp_air", "wind_speed")
_KINDS = (
    "Give an EPW, a PVGIS file (TMY, or hourly on a horizontal plane; CSV or JSON), or a TMY3 CSV."
)


class WeatherYear(NamedTuple):
    """Hours of a year as a file holds them.

    sky: 8760 hours of a year without leap day, by UTC.
    at_minute: minute of the hour at which irradiance was taken; None for means over the hour.
    latitude_deg, longitude_deg: of the file.
    """

    sky: Sky
    at_minute: float | None
    latitude_deg: float
    longitude_deg: float


class _Parsed(NamedTuple):
    hours: pd.DataFrame  # index: hour starts, UTC; columns as `_COLUMNS`
    at_minute: float | None
    latitude_deg: float
    longitude_deg: float


def read_weather(path: str | Path, year: int | None = None) -> WeatherYear:
    """The weather in a file; kept in memory for the next call.

    Arguments:
        path: EPW, PVGIS TMY or hourly series (CSV, JSON), or TMY3; recognised by content.
        year: taken from a file with several years, if it is there.

    Raises:
        InputError: no such file, not a format that is known, hours missing, or a value that is none.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(str(path), "there is no such weather file", _KINDS)
    return _read(path.resolve(), path.stat().st_mtime_ns, year)


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int, year: int | None) -> WeatherYear:
    with path.open(encoding="utf-8", errors="replace") as file:
        head = [file.readline(2000) for _ in range(12)]
    parse = _parser(path, head)
    try:
        parsed = parse(path)
    except InputError:
        raise
    except (
        Exception
    ) as error:  # pvlib passes on whatever pandas, json or float() make of a damaged file
        raise InputError(str(path), f"cannot be read as weather ({error})", _KINDS) from error
    return WeatherYear(_typical(parsed.hours, path, year), *parsed[1:])


def _parser(path: Path, head: list[str]) -> Callable[[Path], _Parsed]:
    text = "".join(head)
    if head[0].startswith("LOCATION,"):
        return _epw
    if text.lstrip().startswith("{") and '"inputs"' in text:
        return (
            _pvgis_tmy
            if '"months_selected"' in text or "irradiance_time_offset" in text
            else _pvgis_hourly
        )
    if "Latitude (decimal degrees)" in text:
        return _pvgis_tmy if "month,year" in text else _pvgis_hourly
    if "Date (MM/DD/YYYY)" in text:
        return _tmy3
    raise InputError(str(path), "is no weather file that prosumax knows", _KINDS)


def _epw(path: Path) -> _Parsed:
    import pvlib

    hours, meta = pvlib.iotools.read_epw(path, coerce_year=_YEAR)
    with path.open(encoding="utf-8", errors="replace") as file:
        told = re.search(
            r"Irradiance Time Offset \(h\): *(-?[\d.]+)",
            "".join(file.readline(2000) for _ in range(8)),
        )
    if told is None:
        return _Parsed(hours, None, meta["latitude"], meta["longitude"])
    # PVGIS writes the hours of its other formats row by row, by UTC whatever zone the header names, and values of an
    # instant, whose place it counts from the end of the hour.
    by_utc = hours.set_axis(hours.index.tz_localize(None).tz_localize("UTC"))
    return _Parsed(by_utc, 60.0 * (1.0 + float(told[1])), meta["latitude"], meta["longitude"])


def _tmy3(path: Path) -> _Parsed:
    import pvlib

    hours, meta = pvlib.iotools.read_tmy3(path, coerce_year=_YEAR, map_variables=True)
    return _Parsed(
        hours.set_index(hours.index - HOUR), None, meta["latitude"], meta["longitude"]
    )  # stamps end hours


def _pvgis_tmy(path: Path) -> _Parsed:
    import pvlib

    kind = "json" if path.suffix.lower() == ".json" else "csv"
    hours, meta = pvlib.iotools.read_pvgis_tmy(path, pvgis_format=kind)
    place = _place(meta)
    offset = place.get("irradiance_time_offset", place.get("irradiance time offset", 0.0))
    return _Parsed(hours, 60.0 * float(offset), place["latitude"], place["longitude"])


def _place(meta: dict[str, Any]) -> dict[str, Any]:
    """What PVGIS says about the place: one level deeper in JSON than in CSV."""
    inputs: dict[str, Any] = meta["inputs"]
    return {**inputs, **inputs.get("location", {})}


def _pvgis_hourly(path: Path) -> _Parsed:
    import pvlib

    kind = "json" if path.suffix.lower() == ".json" else "csv"
    hours, meta = pvlib.iotools.read_pvgis_hourly(path, pvgis_format=kind)
    if "poa_direct" not in hours:
        raise InputError(
            str(path), "holds no direct and diffuse part", "Ask PVGIS for the radiation components."
        )
    place = _place(meta)
    plane = (
        place.get("mounting_system", {})
        .get("fixed", {})
        .get("slope", {})
        .get("value", place.get("Slope", "0"))
    )
    slope = float(str(plane).split()[0])
    if slope != 0.0:
        raise InputError(
            str(path),
            f"is irradiance on a plane of {slope:g} degrees",
            "Ask PVGIS for the horizontal plane (slope 0).",
        )
    at_minute = float(hours.index[0].minute)
    height = np.sin(np.deg2rad(hours["solar_elevation"].to_numpy(np.float64)))
    direct = hours["poa_direct"].to_numpy(np.float64)
    dhi = (hours["poa_sky_diffuse"] + hours.get("poa_ground_diffuse", 0.0)).to_numpy(np.float64)
    table = pd.DataFrame(
        {
            "ghi": direct + dhi,
            "dni": np.where(height > 0.05, direct / np.maximum(height, 0.05), 0.0),
            "dhi": dhi,
            "temp_air": hours["temp_air"].to_numpy(),
            "wind_speed": hours["wind_speed"].to_numpy(),
        },
        index=hours.index.floor("h"),
    )
    return _Parsed(table, at_minute, place["latitude"], place["longitude"])


def _typical(hours: pd.DataFrame, path: Path, year: int | None) -> Sky:
    """8760 hours by UTC of a year without leap day; nothing missing."""
    stamps = pd.DatetimeIndex(hours.index).tz_convert("UTC")
    table = hours[list(_COLUMNS)].set_axis(stamps)
    years = set(stamps.year)
    if len(table) > 9000 and year in years:
        table = table[stamps.year == year]
    stamps = pd.DatetimeIndex(table.index)
    leap_day = (stamps.month == 2) & (stamps.day == 29)
    table, stamps = table[~leap_day], stamps[~leap_day]
    clock = pd.to_datetime(
        {"year": _YEAR, "month": stamps.month, "day": stamps.day, "hour": stamps.hour}
    )
    table = table.set_axis(pd.DatetimeIndex(clock))
    table = table[~table.index.duplicated()]
    full = table.reindex(pd.date_range(f"{_YEAR}-01-01", periods=8760, freq="h"))
    bad = ~np.isfinite(full.to_numpy(np.float64))
    bad[:, :3] |= (full[["ghi", "dni", "dhi"]] < 0).to_numpy() | (
        full[["ghi", "dni", "dhi"]] > 1500
    ).to_numpy()
    bad[:, 3] |= (full["temp_air"].abs() > 70).to_numpy()
    if bad.any():
        row, column = (int(place) for place in np.argwhere(bad)[0])
        when, value = pd.DatetimeIndex(full.index)[row], full.to_numpy(np.float64)[row, column]
        what = f"{bad.any(axis=1).sum()} hours are missing or impossible, the first {when:%d %B %H:00} UTC"
        raise InputError(
            str(path),
            f"{what} ({_COLUMNS[column]}: {value:g})",
            "Give a file with every hour of a year.",
        )
    return Sky(*(full[name].to_numpy(np.float64) for name in _COLUMNS))


def weather_sky(
    index: pd.DatetimeIndex,
    year: WeatherYear,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
) -> Sky:
    """The sky of a period from a weather file.

    Arguments:
        index: step starts [T], UTC, see `sun.step_of`.
        year: from `read_weather`.
        latitude_deg, longitude_deg, altitude_m: of the roofs, for the sun inside each hour.

    Raises:
        ValueError: see `sun.step_of`.
    """
    step = step_of(index)
    start, end = index[0], index[-1] + step
    fine_step = step if step <= HOUR and start == start.floor("h") else min(step, QUARTER)
    fine = pd.date_range(start, end, freq=fine_step, inclusive="left")
    middles = fine + fine_step / 2
    here = (latitude_deg, longitude_deg, altitude_m)
    clear = clear_sky(fine, *here)
    if year.at_minute is not None:
        sky = _from_samples(fine, middles, clear, year, here)
    elif fine_step == HOUR:
        sky = Sky(*(part[_hour_of_year(fine)] for part in year.sky))
    else:
        sky = _inside_hours(fine, middles, clear, year, here)
    per_step = step // fine_step
    return Sky(*(part.reshape(-1, per_step).mean(axis=1) for part in sky))


def _hour_of_year(times: pd.DatetimeIndex) -> NDArray[np.int64]:
    """Position of the hour in a year without leap day."""
    day = np.where((times.month == 2) & (times.day == 29), 28, times.day)
    first = np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30])
    return np.asarray((first[times.month - 1] + day - 1) * 24 + times.hour, np.int64)


def _inside_hours(
    fine: pd.DatetimeIndex,
    middles: pd.DatetimeIndex,
    clear: Sky,
    year: WeatherYear,
    here: tuple[float, float, float],
) -> Sky:
    """Steps inside hours of which the means are known: light follows the clear sky, air runs from hour to hour."""
    hour = (fine.asi8 - fine[0].floor("h").value) // HOUR.value
    position = _hour_of_year(fine)
    mean = (np.bincount(hour, clear.ghi) / np.bincount(hour))[hour]
    follows = mean > _LOW_SUN_W_M2
    ratio = np.where(follows, clear.ghi / np.where(follows, mean, 1.0), 1.0)
    ghi, dhi = year.sky.ghi[position] * ratio, year.sky.dhi[position] * ratio
    return Sky(ghi, _beam(fine, ghi - dhi, clear, here), dhi, *_air(middles, year, 30.0))


def _from_samples(
    fine: pd.DatetimeIndex,
    middles: pd.DatetimeIndex,
    clear: Sky,
    year: WeatherYear,
    here: tuple[float, float, float],
) -> Sky:
    """Steps from values taken once an hour: the ratio to the clear sky and the diffuse share run in between."""
    assert year.at_minute is not None
    hours = pd.date_range(fine[0].floor("h") - HOUR, fine[-1] + 2 * HOUR, freq="h")
    samples = hours + pd.Timedelta(minutes=round(year.at_minute))
    # An hourly step whose middle is the sample: the clear sky looks at the middle of its steps.
    at_sample = clear_sky(samples - HOUR / 2, *here).ghi
    position = _hour_of_year(hours)
    ghi, dhi = year.sky.ghi[position], year.sky.dhi[position]
    lit = at_sample > _LOW_SUN_W_M2
    if not lit.any():
        zero = np.zeros(len(fine))
        return Sky(zero, zero, zero, *_air(middles, year, year.at_minute))
    index = np.interp(middles.asi8, samples.asi8[lit], np.clip(ghi[lit] / at_sample[lit], 0.0, 1.5))
    share = np.interp(
        middles.asi8, samples.asi8[lit], np.clip(dhi[lit] / np.maximum(ghi[lit], 1e-6), 0.0, 1.0)
    )
    at_step = clear.ghi * index
    return Sky(
        at_step,
        _beam(fine, at_step * (1 - share), clear, here),
        at_step * share,
        *_air(middles, year, year.at_minute),
    )


def _beam(
    fine: pd.DatetimeIndex, horizontal: Series, clear: Sky, here: tuple[float, float, float]
) -> Series:
    """Direct normal irradiance of a direct one on the horizontal, no more than a very clear sky lets through."""
    step = fine[1] - fine[0] if len(fine) > 1 else QUARTER
    zenith = sun_position(fine[0], fine[-1] + step, step, *here).apparent_zenith
    height = np.cos(np.deg2rad(zenith))
    beam = np.where(height > 0.02, horizontal / np.maximum(height, 0.02), 0.0)
    return np.clip(beam, 0.0, np.minimum(1.2 * clear.dni + 50.0, 1100.0))


def _air(middles: pd.DatetimeIndex, year: WeatherYear, at_minute: float) -> tuple[Series, Series]:
    """Temperature and wind, running from hour to hour."""
    hours = pd.date_range(middles[0].floor("h") - HOUR, middles[-1] + 2 * HOUR, freq="h")
    position, at = _hour_of_year(hours), hours.asi8 + int(at_minute * 60_000_000_000)
    temperature, wind = year.sky.air_temperature_c[position], year.sky.wind_m_s[position]
    return np.interp(middles.asi8, at, temperature), np.interp(middles.asi8, at, wind)
