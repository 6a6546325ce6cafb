"""Weather files (EPW, PVGIS, TMY3) as weather on the simulated steps.

A file holds the hours of one typical or real year. The period takes from it the hour of the same
month, day and time in UTC; 29 February takes 28 February. Within an hour, steps follow the
clear-sky irradiance such that the hourly mean is preserved.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypedDict, cast

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import NDArray

from prosumax.data.generators.solar.position import solar_position
from prosumax.data.generators.solar.weather import WeatherSeries, clear_sky_weather
from prosumax.data.time_steps import QUARTER_HOUR, infer_step
from prosumax.errors import InputError

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

HOUR = pd.Timedelta(hours=1)
_REFERENCE_YEAR = 2023  # Any year without a leap day.
_MIN_CLEAR_SKY_W_M2 = 20.0  # Below, the ratio to the clear-sky irradiance is not meaningful.
_MAX_IRRADIANCE_W_M2 = 1500
_MAX_TEMPERATURE_C = 70
_COLUMNS = ("ghi", "dni", "dhi", "temp_air", "wind_speed")
_FORMATS_FIX = (
    "Provide an EPW file, a PVGIS file (TMY, or hourly on a horizontal plane; CSV or JSON), or a "
    "TMY3 CSV file."
)


class WeatherYear(NamedTuple):
    """Weather of one year, as a file holds it.

    Attributes:
        weather: 8760 hours of a year without leap day, UTC.
        sample_minute: Minute of the hour at which irradiance was sampled; None for hourly means.
        latitude_deg: Latitude of the site, degrees north.
        longitude_deg: Longitude of the site, degrees east.
    """

    weather: WeatherSeries
    sample_minute: float | None
    latitude_deg: float
    longitude_deg: float


class _ParsedFile(NamedTuple):
    """Content of a file.

    Attributes:
        hours: Columns as `_COLUMNS`; the index holds the starts of the hours, UTC.
        sample_minute: As in `WeatherYear`.
        latitude_deg: As in `WeatherYear`.
        longitude_deg: As in `WeatherYear`.
    """

    hours: pd.DataFrame
    sample_minute: float | None
    latitude_deg: float
    longitude_deg: float


def read_weather_file(path: str | Path, year: int | None = None) -> WeatherYear:
    """Read a weather file; the result is cached in memory.

    Args:
        path: EPW, PVGIS TMY or hourly series (CSV, JSON), or TMY3; the format is detected.
        year: Year to select from a file with several years, if it is available.

    Raises:
        InputError: The file does not exist, its format is unknown, or an hour is missing or
            invalid.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(str(path), "there is no such weather file", _FORMATS_FIX)
    return _read(path.resolve(), path.stat().st_mtime_ns, year)


@lru_cache(maxsize=4)
def _read(path: Path, _modified_ns: int, year: int | None) -> WeatherYear:
    with path.open(encoding="utf-8", errors="replace") as file:
        head = [file.readline(2000) for _ in range(12)]
    parse = _select_parser(path, head)
    try:
        parsed = parse(path)
    except InputError:
        raise
    except Exception as error:  # pvlib passes on any error of pandas, json or float().
        problem = f"the file cannot be read as weather ({error})"
        raise InputError(str(path), problem, _FORMATS_FIX) from error
    return WeatherYear(
        weather=_typical_year(parsed.hours, path, year),
        sample_minute=parsed.sample_minute,
        latitude_deg=parsed.latitude_deg,
        longitude_deg=parsed.longitude_deg,
    )


def _select_parser(path: Path, head: list[str]) -> Callable[[Path], _ParsedFile]:
    """Detect the format of a file from its first lines."""
    text = "".join(head)
    if head[0].startswith("LOCATION,"):
        return _parse_epw
    if text.lstrip().startswith("{") and '"inputs"' in text:
        is_tmy = '"months_selected"' in text or "irradiance_time_offset" in text
        return _parse_pvgis_tmy if is_tmy else _parse_pvgis_hourly
    if "Latitude (decimal degrees)" in text:
        return _parse_pvgis_tmy if "month,year" in text else _parse_pvgis_hourly
    if "Date (MM/DD/YYYY)" in text:
        return _parse_tmy3
    raise InputError(str(path), "the weather file format is unknown", _FORMATS_FIX)


def _parse_epw(path: Path) -> _ParsedFile:
    import pvlib

    hours, meta = pvlib.iotools.read_epw(path, coerce_year=_REFERENCE_YEAR)
    with path.open(encoding="utf-8", errors="replace") as file:
        head = "".join(file.readline(2000) for _ in range(8))
    offset_h = re.search(r"Irradiance Time Offset \(h\): *(-?[\d.]+)", head)
    if offset_h is None:
        return _ParsedFile(hours, None, meta["latitude"], meta["longitude"])
    # PVGIS writes EPW rows in UTC whatever time zone the header states, with instantaneous values
    # whose offset counts from the end of the hour.
    in_utc = hours.set_axis(hours.index.tz_localize(None).tz_localize("UTC"))
    sample_minute = 60.0 * (1.0 + float(offset_h[1]))
    return _ParsedFile(in_utc, sample_minute, meta["latitude"], meta["longitude"])


def _parse_tmy3(path: Path) -> _ParsedFile:
    import pvlib

    hours, meta = pvlib.iotools.read_tmy3(path, coerce_year=_REFERENCE_YEAR, map_variables=True)
    starts = hours.set_index(hours.index - HOUR)  # TMY3 stamps mark the ends of the hours.
    return _ParsedFile(starts, None, meta["latitude"], meta["longitude"])


def _parse_pvgis_tmy(path: Path) -> _ParsedFile:
    import pvlib

    hours, meta = pvlib.iotools.read_pvgis_tmy(path, pvgis_format=_pvgis_format(path))
    site = _pvgis_site(meta)
    offset_h = site.get("irradiance_time_offset", site.get("irradiance time offset", 0.0))
    return _ParsedFile(hours, 60.0 * float(offset_h), site["latitude"], site["longitude"])


def _pvgis_format(path: Path) -> str:
    return "json" if path.suffix.lower() == ".json" else "csv"


_PVGISSite = TypedDict(
    "_PVGISSite",
    {
        "latitude": float,
        "longitude": float,
        "irradiance_time_offset": float,
        "irradiance time offset": float,
        "mounting_system": Mapping[str, Mapping[str, Mapping[str, object]]],
        "Slope": str,
    },
    total=False,
)


def _pvgis_site(meta: Mapping[str, Mapping[str, object]]) -> _PVGISSite:
    """Return the site data of PVGIS, which JSON nests one level deeper than CSV."""
    inputs = meta["inputs"]
    location = cast(Mapping[str, object], inputs.get("location", {}))
    return cast(_PVGISSite, {**inputs, **location})


def _parse_pvgis_hourly(path: Path) -> _ParsedFile:
    import pvlib

    hours, meta = pvlib.iotools.read_pvgis_hourly(path, pvgis_format=_pvgis_format(path))
    if "poa_direct" not in hours:
        raise InputError(
            str(path),
            "the file has no direct and diffuse irradiance",
            "Request the radiation components from PVGIS.",
        )
    site = _pvgis_site(meta)
    fixed = site.get("mounting_system", {}).get("fixed", {})
    slope_text = fixed.get("slope", {}).get("value", site.get("Slope", "0"))
    slope_deg = float(str(slope_text).split()[0])
    if slope_deg != 0.0:
        raise InputError(
            str(path),
            f"the irradiance is on a plane of {slope_deg:g} degrees",
            "Request the horizontal plane (slope 0) from PVGIS.",
        )
    sample_minute = float(hours.index[0].minute)
    sin_elevation = np.sin(np.deg2rad(hours["solar_elevation"].to_numpy(np.float64)))
    direct = hours["poa_direct"].to_numpy(np.float64)
    diffuse = hours["poa_sky_diffuse"] + hours.get("poa_ground_diffuse", 0.0)
    dhi = diffuse.to_numpy(np.float64)
    table = pd.DataFrame(
        {
            "ghi": direct + dhi,
            "dni": np.where(sin_elevation > 0.05, direct / np.maximum(sin_elevation, 0.05), 0.0),
            "dhi": dhi,
            "temp_air": hours["temp_air"].to_numpy(),
            "wind_speed": hours["wind_speed"].to_numpy(),
        },
        index=hours.index.floor("h"),
    )
    return _ParsedFile(table, sample_minute, site["latitude"], site["longitude"])


def _typical_year(hours: pd.DataFrame, path: Path, year: int | None) -> WeatherSeries:
    """Return 8760 valid hours in UTC of a year without leap day."""
    stamps = pd.DatetimeIndex(hours.index).tz_convert("UTC")
    table = hours[list(_COLUMNS)].set_axis(stamps)
    if len(table) > 9000 and year in set(stamps.year):
        table = table[stamps.year == year]
    stamps = pd.DatetimeIndex(table.index)
    leap_day = (stamps.month == 2) & (stamps.day == 29)
    table = table[~leap_day]
    stamps = stamps[~leap_day]
    reference = pd.to_datetime(
        {
            "year": _REFERENCE_YEAR,
            "month": stamps.month,
            "day": stamps.day,
            "hour": stamps.hour,
        }
    )
    table = table.set_axis(pd.DatetimeIndex(reference))
    table = table[~table.index.duplicated()]
    full = table.reindex(pd.date_range(f"{_REFERENCE_YEAR}-01-01", periods=8760, freq="h"))
    values = full.to_numpy(np.float64)
    irradiance = values[:, :3]
    invalid = ~np.isfinite(values)
    invalid[:, :3] |= (irradiance < 0) | (irradiance > _MAX_IRRADIANCE_W_M2)
    invalid[:, 3] |= np.abs(values[:, 3]) > _MAX_TEMPERATURE_C
    if invalid.any():
        row, column = (int(position) for position in np.argwhere(invalid)[0])
        time = pd.DatetimeIndex(full.index)[row]
        raise InputError(
            str(path),
            f"{invalid.any(axis=1).sum()} hours are missing or invalid, the first "
            f"{time:%d %B %H:00} UTC ({_COLUMNS[column]}: {values[row, column]:g})",
            "Provide a file with every hour of a year.",
        )
    return WeatherSeries(*(full[name].to_numpy(np.float64) for name in _COLUMNS))


def weather_from_year(
    index: pd.DatetimeIndex,
    year: WeatherYear,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
) -> WeatherSeries:
    """Compute the weather of a period from a weather year.

    Args:
        index: Step starts, UTC; see `time_steps.infer_step`.
        year: Weather year, from `read_weather_file`.
        latitude_deg: Latitude of the simulated site, degrees north.
        longitude_deg: Longitude of the simulated site, degrees east.
        altitude_m: Altitude of the simulated site above sea level, m.

    Returns:
        Weather per step; the position of the sun within each hour is that of the simulated site.

    Raises:
        ValueError: The index is not supported, see `time_steps.infer_step`.
    """
    step = infer_step(index)
    start = index[0]
    end = index[-1] + step
    on_hours = step <= HOUR and start == start.floor("h")
    fine_step = step if on_hours else min(step, QUARTER_HOUR)
    fine = pd.date_range(start, end, freq=fine_step, inclusive="left")
    site = (latitude_deg, longitude_deg, altitude_m)
    clear = clear_sky_weather(fine, *site)
    if year.sample_minute is not None:
        weather = _from_samples(fine, fine_step, clear, year, site, year.sample_minute)
    elif fine_step == HOUR:
        weather = WeatherSeries(*(part[_hour_of_year(fine)] for part in year.weather))
    else:
        weather = _from_hourly_means(fine, fine_step, clear, year, site)
    parts_per_step = step // fine_step
    return WeatherSeries(*(part.reshape(-1, parts_per_step).mean(axis=1) for part in weather))


def _hour_of_year(times: pd.DatetimeIndex) -> Int[Ints, " time"]:
    """Return the position of each hour in a year without leap day."""
    day = np.where((times.month == 2) & (times.day == 29), 28, times.day)
    days_before_month = np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30])
    return np.asarray((days_before_month[times.month - 1] + day - 1) * 24 + times.hour, np.int64)


def _from_hourly_means(
    fine: pd.DatetimeIndex,
    step: pd.Timedelta,
    clear: WeatherSeries,
    year: WeatherYear,
    site: tuple[float, float, float],
) -> WeatherSeries:
    """Distribute hourly means over shorter steps.

    Irradiance follows the clear sky within each hour; temperature and wind are interpolated.
    """
    hour = (fine.asi8 - fine[0].floor("h").value) // HOUR.value
    position = _hour_of_year(fine)
    clear_mean = (np.bincount(hour, clear.ghi) / np.bincount(hour))[hour]
    is_bright = clear_mean > _MIN_CLEAR_SKY_W_M2
    ratio = np.where(is_bright, clear.ghi / np.where(is_bright, clear_mean, 1.0), 1.0)
    ghi = year.weather.ghi[position] * ratio
    dhi = year.weather.dhi[position] * ratio
    dni = _direct_normal(fine, ghi - dhi, clear, site)
    return WeatherSeries(ghi, dni, dhi, *_temperature_and_wind(fine + step / 2, year, 30.0))


def _from_samples(
    fine: pd.DatetimeIndex,
    step: pd.Timedelta,
    clear: WeatherSeries,
    year: WeatherYear,
    site: tuple[float, float, float],
    sample_minute: float,
) -> WeatherSeries:
    """Interpolate values that were sampled once an hour.

    The clear-sky index and the diffuse fraction are interpolated, not the irradiance itself.
    """
    midpoints = fine + step / 2
    hours = pd.date_range(fine[0].floor("h") - HOUR, fine[-1] + 2 * HOUR, freq="h")
    samples = hours + pd.Timedelta(minutes=round(sample_minute))
    # The clear sky is computed at the midpoints of its steps, which are the samples here.
    clear_at_sample = clear_sky_weather(samples - HOUR / 2, *site).ghi
    position = _hour_of_year(hours)
    ghi = year.weather.ghi[position]
    dhi = year.weather.dhi[position]
    air = _temperature_and_wind(midpoints, year, sample_minute)
    lit = clear_at_sample > _MIN_CLEAR_SKY_W_M2
    if not lit.any():
        zero = np.zeros(len(fine))
        return WeatherSeries(zero, zero, zero, *air)
    index_at_sample = np.clip(ghi[lit] / clear_at_sample[lit], 0.0, 1.5)
    fraction_at_sample = np.clip(dhi[lit] / np.maximum(ghi[lit], 1e-6), 0.0, 1.0)
    clear_sky_index = np.interp(midpoints.asi8, samples.asi8[lit], index_at_sample)
    diffuse_fraction = np.interp(midpoints.asi8, samples.asi8[lit], fraction_at_sample)
    ghi_at_step = clear.ghi * clear_sky_index
    dni = _direct_normal(fine, ghi_at_step * (1 - diffuse_fraction), clear, site)
    return WeatherSeries(ghi_at_step, dni, ghi_at_step * diffuse_fraction, *air)


def _direct_normal(
    fine: pd.DatetimeIndex,
    direct_horizontal: Float[Array, " step"],
    clear: WeatherSeries,
    site: tuple[float, float, float],
) -> Float[Array, " step"]:
    """Compute direct normal irradiance, bounded by that of a very clear sky."""
    step = fine[1] - fine[0] if len(fine) > 1 else QUARTER_HOUR
    zenith = solar_position(fine[0], fine[-1] + step, step, *site).apparent_zenith
    cos_zenith = np.cos(np.deg2rad(zenith))
    dni = np.where(cos_zenith > 0.02, direct_horizontal / np.maximum(cos_zenith, 0.02), 0.0)
    return np.clip(dni, 0.0, np.minimum(1.2 * clear.dni + 50.0, 1100.0))


def _temperature_and_wind(
    midpoints: pd.DatetimeIndex, year: WeatherYear, sample_minute: float
) -> tuple[Float[Array, " step"], Float[Array, " step"]]:
    """Interpolate air temperature and wind speed between the hours."""
    hours = pd.date_range(midpoints[0].floor("h") - HOUR, midpoints[-1] + 2 * HOUR, freq="h")
    position = _hour_of_year(hours)
    time = hours.asi8 + int(sample_minute * 60_000_000_000)
    temperature = year.weather.air_temperature_c[position]
    wind = year.weather.wind_m_s[position]
    return (
        np.interp(midpoints.asi8, time, temperature),
        np.interp(midpoints.asi8, time, wind),
    )
