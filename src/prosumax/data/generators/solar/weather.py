"""Synthetic weather: a clear sky with random clouds, calibrated to monthly irradiation.

The weather is computed once on the host in float64, before a simulation. An index holds the start
of each step in UTC; irradiance is the mean power over the step, computed with the solar position at
the midpoint of the step or of its quarter-hours.

References:
    Ineichen & Perez, "A new airmass independent formulation for the Linke turbidity coefficient",
        Solar Energy 73 (2002).
    Erbs, Klein & Duffie, "Estimation of the diffuse radiation fraction", Solar Energy 28 (1982).
    Hoff & Perez, "Modeling PV fleet output variability", Solar Energy 86 (2012): correlation of
        neighboring PV systems.
"""

import csv
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.data.generators.solar.position import solar_position
from prosumax.data.time_steps import QUARTER_HOUR, infer_step
from prosumax.errors import InputError, did_you_mean

Array = NDArray[np.float64]


class WeatherSeries(NamedTuple):
    """Weather per step.

    Attributes:
        ghi: Global horizontal irradiance, W/m2.
        dni: Direct normal irradiance, W/m2.
        dhi: Diffuse horizontal irradiance, W/m2.
        air_temperature_c: Dry-bulb air temperature, degrees Celsius.
        wind_m_s: Wind speed at 10 m, m/s.
    """

    ghi: Float[Array, " step"]
    dni: Float[Array, " step"]
    dhi: Float[Array, " step"]
    air_temperature_c: Float[Array, " step"]
    wind_m_s: Float[Array, " step"]


class CloudVariability(NamedTuple):
    """Site-specific cloud variability of one of several neighboring PV systems.

    Attributes:
        seed: Seed of the site-specific component, >= 0.
        distance_km: Typical distance to the other sites, km.
    """

    seed: int
    distance_km: float


UCCLE_LATITUDE_DEG = 50.80
UCCLE_LONGITUDE_DEG = 4.36
UCCLE_ALTITUDE_M = 100.0

# The cloud states are clear, broken and overcast. Within a state, the clear-sky index (GHI divided
# by clear-sky GHI) is an AR(1) process around a mean, with an hourly autocorrelation and a standard
# deviation; the state is a Markov chain with hourly transition probabilities.
CLOUD_MEAN = (1.0, 0.65, 0.28)
CLOUD_SD = (0.04, 0.22, 0.12)
CLOUD_AUTOCORRELATION_PER_HOUR = (0.9, 0.5, 0.8)
CLOUD_TRANSITIONS_PER_HOUR = ((0.86, 0.12, 0.02), (0.10, 0.76, 0.14), (0.02, 0.14, 0.84))
# Heavy overcast still transmits diffuse light; the edge of a cloud enhances a quarter-hour by 10 %.
CLEAR_SKY_INDEX_RANGE = (0.03, 1.10)
CLOUD_SPEED_KM_H = 36.0
WIND_M_S = 3.0


@lru_cache
def monthly_irradiation_kwh_m2(climate: str) -> tuple[float, ...]:
    """Return the global horizontal irradiation at Uccle per month, January to December, kWh/m2.

    Args:
        climate: Row of `tables/irradiation.csv`, which states the sources.

    Raises:
        InputError: The climate does not exist.
    """
    table = resources.files("prosumax.data") / "tables" / "irradiation.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    rows = list(csv.reader(line for line in lines if not line.startswith("#")))[1:]
    known = {name: tuple(map(float, months)) for name, *months in rows}
    if climate not in known:
        problem = f"there is no climate {climate!r}"
        raise InputError("weather.climate", problem, did_you_mean(climate, known))
    return known[climate]


def synthetic_weather(
    index: pd.DatetimeIndex,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
    seed: int,
    *,
    climate: str = "normal",
    monthly_kwh_m2: Sequence[float] | None = None,
    variability: CloudVariability | None = None,
) -> WeatherSeries:
    """Generate random but reproducible weather with a given monthly irradiation.

    GHI is the clear-sky irradiance (Ineichen) times a clear-sky index: a Markov chain of three
    cloud states with an AR(1) process in each, sampled every 15 min. Per month, a power transform
    of the index calibrates the irradiation, so years differ in their days but not in their monthly
    sums. The Erbs model splits GHI into direct and diffuse irradiance.

    A month is sampled whole from (seed, year, month), so a time stamp has the same weather whatever
    the period around it. Steps longer than 15 min are means of quarter-hours; within a quarter-hour
    the clear-sky index is constant.

    Args:
        index: Step starts, UTC; see `time_steps.infer_step`.
        latitude_deg: Latitude, degrees north.
        longitude_deg: Longitude, degrees east.
        altitude_m: Altitude above sea level, m.
        seed: Seed, >= 0; sites under the same clouds share it.
        climate: Months at Uccle, see `monthly_irradiation_kwh_m2`. At another site a month gets
            Uccle's ratio of actual to clear-sky irradiation, which is valid for sites as cloudy as
            Belgium only, and not in the southern hemisphere.
        monthly_kwh_m2: Irradiation of the twelve months at the site, in place of `climate`.
        variability: Site-specific component: broken clouds reach neighboring sites at different
            times. Changes between quarter-hours at two sites correlate by 1 / (1 + distance / (15
            min x cloud speed)), after Hoff & Perez; clear and overcast skies have no such
            component.

    Returns:
        The weather per step. The air temperature is `brussels_air_temperature_c`, the wind speed
        constant.

    Raises:
        ValueError: The index is not supported, or there are not twelve months.
        InputError: The climate does not exist.
    """
    step = infer_step(index)
    if monthly_kwh_m2 is not None and len(monthly_kwh_m2) != 12:
        raise ValueError(f"monthly_kwh_m2 must have 12 values, got {len(monthly_kwh_m2)} months.")
    fine_step = min(step, QUARTER_HOUR)
    start = index[0]
    end = index[-1] + step
    site = (latitude_deg, longitude_deg, altitude_m)
    months = None if monthly_kwh_m2 is None else tuple(monthly_kwh_m2)
    clear_sky_index = _clear_sky_index(start, end, *site, seed, climate, months, variability)
    fine = pd.date_range(start, end, freq=fine_step, inclusive="left")
    quarter = (fine.asi8 - start.floor(QUARTER_HOUR).value) // QUARTER_HOUR.value
    ghi = _clear_sky_irradiance(start, end, fine_step, *site)[0] * clear_sky_index[quarter]
    dni, dhi = _erbs(ghi, solar_position(start, end, fine_step, *site).zenith, fine)
    parts_per_step = step // fine_step
    means = (part.reshape(-1, parts_per_step).mean(axis=1) for part in (ghi, dni, dhi))
    return _with_air(index, longitude_deg, *means)


def clear_sky_weather(
    index: pd.DatetimeIndex, latitude_deg: float, longitude_deg: float, altitude_m: float
) -> WeatherSeries:
    """Compute the weather under a clear sky (Ineichen, monthly Linke turbidity of pvlib).

    Args:
        index: Step starts, UTC; see `time_steps.infer_step`.
        latitude_deg: Latitude, degrees north.
        longitude_deg: Longitude, degrees east.
        altitude_m: Altitude above sea level, m.

    Returns:
        The weather per step; air temperature and wind as in `synthetic_weather`.
    """
    step = infer_step(index)
    irradiance = _clear_sky_irradiance(
        index[0], index[-1] + step, step, latitude_deg, longitude_deg, altitude_m
    )
    return _with_air(index, longitude_deg, *irradiance)


def _with_air(
    index: pd.DatetimeIndex, longitude_deg: float, ghi: Array, dni: Array, dhi: Array
) -> WeatherSeries:
    temperature_c = brussels_air_temperature_c(index, longitude_deg)
    return WeatherSeries(ghi, dni, dhi, temperature_c, np.full(len(index), WIND_M_S))


def brussels_air_temperature_c(
    index: pd.DatetimeIndex, longitude_deg: float
) -> Float[Array, " step"]:
    """Compute the air temperature of a normal year in Brussels as a yearly and a daily sine.

    The mean is 11.0 C; daily means range from 3.5 C on 21 January to 18.5 C on 22 July. The daily
    amplitude is 2.5 C (winter) to 4.5 C (summer), with the maximum at 15 h solar time. Cold spells
    and heat waves are not modeled, so peaks of heating demand are underestimated. Yearly and
    monthly means follow the KMI/IRM normals of Uccle 1991-2020 (January 3.7 C); the daily amplitude
    is an assumption.

    Args:
        index: Step starts, UTC; see `time_steps.infer_step`.
        longitude_deg: Longitude, degrees east, which shifts the warmest hour.

    Returns:
        Degrees Celsius at the midpoint of each step.
    """
    midpoint = index + infer_step(index) / 2
    hour = np.asarray(midpoint.hour + midpoint.minute / 60, dtype=np.float64)
    day = np.asarray(midpoint.dayofyear, dtype=np.float64) + hour / 24
    season = np.cos(2 * np.pi * (day - 203) / 365.25)  # 1 on 22 July.
    daily = np.cos(2 * np.pi * (hour + longitude_deg / 15 - 15) / 24)  # 1 at 15 h solar time.
    return 11.0 + 7.5 * season + (3.5 + 1.0 * season) * daily


@lru_cache(maxsize=16)
def _clear_sky_irradiance(
    start: pd.Timestamp,
    end: pd.Timestamp,
    step: pd.Timedelta,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
) -> tuple[Float[Array, " step"], Float[Array, " step"], Float[Array, " step"]]:
    """Compute clear-sky GHI, DNI and DHI (Ineichen, pvlib's turbidity), W/m2."""
    import pvlib

    position = solar_position(start, end, step, latitude_deg, longitude_deg, altitude_m)
    midpoints = pd.date_range(start, end, freq=step, inclusive="left") + step / 2
    day_of_year = midpoints.dayofyear.to_numpy()
    airmass = pvlib.atmosphere.get_relative_airmass(position.apparent_zenith)
    pressure = pvlib.atmosphere.alt2pres(altitude_m)
    turbidity = pvlib.clearsky.lookup_linke_turbidity(midpoints, latitude_deg, longitude_deg)
    # pvlib divides by the cosine of the zenith, which is 0 at night, and handles the result itself.
    with np.errstate(divide="ignore"):
        clear = pvlib.clearsky.ineichen(
            position.apparent_zenith,
            pvlib.atmosphere.get_absolute_airmass(airmass, pressure),
            turbidity.to_numpy(),
            altitude=altitude_m,
            dni_extra=np.asarray(pvlib.irradiance.get_extra_radiation(day_of_year)),
        )
    ghi = np.nan_to_num(np.asarray(clear["ghi"], np.float64))
    dni = np.nan_to_num(np.asarray(clear["dni"], np.float64))
    dhi = np.nan_to_num(np.asarray(clear["dhi"], np.float64))
    return ghi, dni, dhi


def _clear_sky_index(
    start: pd.Timestamp,
    end: pd.Timestamp,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
    seed: int,
    climate: str,
    monthly_kwh_m2: tuple[float, ...] | None,
    variability: CloudVariability | None,
) -> Float[Array, " quarter"]:
    """Compute the clear-sky index of every quarter-hour that overlaps the period.

    Whole months are sampled and then cut to the period.
    """
    first_month = start.normalize().replace(day=1)
    month_starts = pd.date_range(first_month, end, freq="MS", inclusive="left")
    after = month_starts[-1] + pd.DateOffset(months=1)
    months = list(
        _common_clear_sky_index(
            first_month,
            after,
            latitude_deg,
            longitude_deg,
            altitude_m,
            seed,
            climate,
            monthly_kwh_m2,
        )
    )
    if variability is not None:
        for number, month in enumerate(month_starts):
            rng = np.random.default_rng([variability.seed, month.year, month.month])
            months[number] = _add_site_variability(months[number], variability.distance_km, rng)
    first = int((start - first_month) // QUARTER_HOUR)
    stop = -int((first_month - end) // QUARTER_HOUR)
    return np.concatenate(months)[first:stop]


@lru_cache(maxsize=4)
def _common_clear_sky_index(
    first_month: pd.Timestamp,
    after: pd.Timestamp,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
    seed: int,
    climate: str,
    monthly_kwh_m2: tuple[float, ...] | None,
) -> tuple[Float[Array, " quarter"], ...]:
    """Compute the clear-sky index that all sites share, one array of quarter-hours per month."""
    month_starts = pd.date_range(first_month, after, freq="MS", inclusive="left")
    # One call for all months: a pvlib call takes milliseconds whatever the length.
    clear_at_site = _clear_sky_irradiance(
        first_month, after, QUARTER_HOUR, latitude_deg, longitude_deg, altitude_m
    )[0]
    target_kwh_m2 = monthly_kwh_m2
    clear_at_target = clear_at_site
    if target_kwh_m2 is None:
        target_kwh_m2 = monthly_irradiation_kwh_m2(climate)
        uccle = (UCCLE_LATITUDE_DEG, UCCLE_LONGITUDE_DEG, UCCLE_ALTITUDE_M)
        clear_at_target = _clear_sky_irradiance(first_month, after, QUARTER_HOUR, *uccle)[0]
    bounds = [int((month - first_month) // QUARTER_HOUR) for month in [*month_starts, after]]
    quarter_hours = QUARTER_HOUR / pd.Timedelta(hours=1)
    months = []
    for month, begin, stop in zip(month_starts, bounds[:-1], bounds[1:], strict=True):
        clear_kwh_m2 = clear_at_target[begin:stop].sum() * quarter_hours / 1000
        target = target_kwh_m2[month.month - 1] / clear_kwh_m2 if clear_kwh_m2 > 0 else 1.0
        rng = np.random.default_rng([seed, month.year, month.month])
        uncalibrated = _sample_clear_sky_index(stop - begin, rng)
        months.append(_calibrate_mean(uncalibrated, clear_at_site[begin:stop], target))
    return tuple(months)


def _add_site_variability(
    common: Float[Array, " quarter"], distance_km: float, rng: np.random.Generator
) -> Float[Array, " quarter"]:
    """Add a site-specific component to the common clear-sky index of a month.

    The component is an AR(1) process with the autocorrelation of broken clouds. It is largest where
    the index is between clear and overcast, and is scaled such that the changes of the index at two
    sites have the correlation of Hoff & Perez.
    """
    from scipy.signal import lfilter

    hours = QUARTER_HOUR / pd.Timedelta(hours=1)
    correlation = 1 / (1 + distance_km / (CLOUD_SPEED_KM_H * hours))
    autocorrelation = CLOUD_AUTOCORRELATION_PER_HOUR[1] ** hours
    # Standard deviation of the changes of the site-specific component.
    change_sd = np.sqrt(np.diff(common).var() * (1 - correlation) / correlation)
    noise = rng.standard_normal(len(common)) * change_sd * np.sqrt((1 + autocorrelation) / 2)
    component = np.asarray(lfilter([1.0], [1.0, -autocorrelation], noise), np.float64)
    low, high = CLEAR_SKY_INDEX_RANGE
    weight = np.clip((common - low) * (high - common), 0.0, None)
    weight_rms = max(float(np.sqrt((weight**2).mean())), 1e-9)
    return np.clip(common + component * weight / weight_rms, low, high)


def _sample_clear_sky_index(quarters: int, rng: np.random.Generator) -> Float[Array, " quarter"]:
    """Sample an uncalibrated clear-sky index per quarter-hour.

    The autocorrelation depends on the state, so there is no closed form. A loop over Python floats
    takes some 10 ms a year, less than the import of scipy.signal.
    """
    hours = QUARTER_HOUR / pd.Timedelta(hours=1)
    transitions, stationary = _transitions_per_step(hours)
    cumulative = np.cumsum(transitions, axis=1).tolist()
    memory = [phi**hours for phi in CLOUD_AUTOCORRELATION_PER_HOUR]
    innovation_sd = [sd * (1 - phi**2) ** 0.5 for sd, phi in zip(CLOUD_SD, memory, strict=True)]
    state = int(rng.choice(len(CLOUD_MEAN), p=stationary))
    draws = rng.random(quarters).tolist()
    noise = rng.standard_normal(quarters).tolist()
    deviation = 0.0
    index = []
    for draw, innovation in zip(draws, noise, strict=True):
        clear, clear_or_broken, _ = cumulative[state]
        if draw < clear:
            state = 0
        elif draw < clear_or_broken:
            state = 1
        else:
            state = 2
        deviation = memory[state] * deviation + innovation_sd[state] * innovation
        index.append(CLOUD_MEAN[state] + deviation)
    return np.array(index, np.float64).clip(*CLEAR_SKY_INDEX_RANGE)


def _transitions_per_step(
    hours: float,
) -> tuple[Float[Array, "state state"], Float[Array, " state"]]:
    """Return the cloud transition matrix of a step, and its stationary distribution.

    Args:
        hours: Length of the step, h; the exponent of the hourly transition matrix.
    """
    values, vectors = np.linalg.eig(np.array(CLOUD_TRANSITIONS_PER_HOUR))
    power: NDArray[np.complex128] = (
        vectors @ np.diag(values.astype(complex) ** hours) @ np.linalg.inv(vectors)
    )
    transitions = np.clip(power.real, 0.0, None)
    transitions /= transitions.sum(axis=1, keepdims=True)
    return transitions, np.linalg.matrix_power(transitions, 4096)[0]


def _calibrate_mean(
    index: Float[Array, " quarter"], clear_ghi: Float[Array, " quarter"], target: float
) -> Float[Array, " quarter"]:
    """Apply a power transform such that the mean weighted by clear-sky GHI equals a target.

    The transform acts on the index divided by its upper bound: no power of the index itself reduces
    values above 1, so a month that is nearly always clear would have no solution. The logarithm of
    the power is found by bisection.
    """
    if clear_ghi.sum() <= 0.0:  # Polar night: the irradiation is zero under any sky.
        return index
    upper = CLEAR_SKY_INDEX_RANGE[1]
    log_index = np.log(index / upper)
    weight = clear_ghi / clear_ghi.sum()
    low = -3.0
    high = 3.0
    # Bisection to machine precision makes the result independent of the period around the month.
    for _ in range(55):
        middle = 0.5 * (low + high)
        mean = upper * float(weight @ np.exp(np.exp(middle) * log_index))
        if mean > target:
            low = middle
        else:
            high = middle
    return np.asarray(upper * np.exp(np.exp(0.5 * (low + high)) * log_index), dtype=np.float64)


def _erbs(
    ghi: Float[Array, " step"], zenith: Float[Array, " step"], index: pd.DatetimeIndex
) -> tuple[Float[Array, " step"], Float[Array, " step"]]:
    """Split GHI into direct normal and diffuse horizontal irradiance (Erbs et al. 1982), W/m2."""
    import pvlib

    split = pvlib.irradiance.erbs(ghi, zenith, index.dayofyear.to_numpy())
    dni = np.asarray(split["dni"], dtype=np.float64)
    dhi = np.asarray(split["dhi"], dtype=np.float64)
    return dni, dhi
