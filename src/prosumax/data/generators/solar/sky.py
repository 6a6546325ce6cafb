"""The sky over a street: clear, or with random clouds that make the months as bright as they are.

Everything runs once on the host, before a simulation, in float64. A series is per time step; its index holds the
*start* of each step in UTC, and the sun is looked at in the *middle* of each (quarter of an) hour. Irradiance is the
mean power over the step.

References:
    Ineichen & Perez, "A new airmass independent formulation for the Linke turbidity coefficient",
        Solar Energy 73 (2002).
    Erbs, Klein & Duffie, "Estimation of the diffuse radiation fraction", Solar Energy 28 (1982).
    Hoff & Perez, "Modeling PV fleet output variability", Solar Energy 86 (2012): correlation of neighbouring roofs.
"""

import csv
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.data.generators.solar.sun import QUARTER, step_of, sun_position
from prosumax.errors import InputError, did_you_mean

Series = NDArray[np.float64]


class Sky(NamedTuple):
    """Weather per step, each a float64 array of shape [T].

    ghi, dni, dhi: global horizontal, direct normal and diffuse horizontal irradiance, W/m2.
    air_temperature_c: dry-bulb air temperature, degrees Celsius.
    wind_m_s: wind speed at 10 m, m/s.
    """

    ghi: Series
    dni: Series
    dhi: Series
    air_temperature_c: Series
    wind_m_s: Series


class Neighbour(NamedTuple):
    """Where a roof stands among the others under one sky.

    seed: of what its clouds have of their own, >= 0.
    distance_km: typical distance to the others.
    """

    seed: int
    distance_km: float


UCCLE_LATITUDE_DEG, UCCLE_LONGITUDE_DEG, UCCLE_ALTITUDE_M = 50.80, 4.36, 100.0

# A cloud state is named by the clear-sky index (GHI / clear-sky GHI) around which it hovers: clear, broken, overcast.
# Chain per hour; within a state the index is an AR(1) process with the given hourly memory and standard deviation.
CLOUD_MEAN = (1.0, 0.65, 0.28)
CLOUD_STD = (0.04, 0.22, 0.12)
CLOUD_MEMORY_PER_HOUR = (0.9, 0.5, 0.8)
CLOUD_CHAIN_PER_HOUR = ((0.86, 0.12, 0.02), (0.10, 0.76, 0.14), (0.02, 0.14, 0.84))
# Heavy overcast still glows; a cloud's edge brightens a quarter of an hour by 10 %.
CLEAR_SKY_INDEX_RANGE = (0.03, 1.10)
CLOUD_SPEED_KM_H = 36.0
WIND_M_S = 3.0


@lru_cache
def irradiation(data_set: str) -> tuple[float, ...]:
    """Global horizontal irradiation at Uccle per month, January to December, kWh/m2.

    Arguments:
        data_set: a row of `data/irradiation.csv`, which says where each comes from.

    Raises:
        InputError: there is no such row.
    """
    text = (resources.files("prosumax.data") / "tables" / "irradiation.csv").read_text(
        encoding="utf-8"
    )
    rows = list(csv.reader(line for line in text.splitlines() if not line.startswith("#")))[1:]
    known = {name: tuple(map(float, months)) for name, *months in rows}
    if data_set not in known:
        raise InputError(
            "weather.data_set", f"there is no {data_set!r}", did_you_mean(data_set, known)
        )
    return known[data_set]


def synthetic_sky(
    index: pd.DatetimeIndex,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
    seed: int,
    *,
    data_set: str = "normal",
    monthly_kwh_m2: Sequence[float] | None = None,
    neighbour: Neighbour | None = None,
) -> Sky:
    """A random but reproducible sky, with the brightness of given months.

    Clear sky (Ineichen) times a clear-sky index: three cloud states in a Markov chain, an AR(1) wobble inside each, all
    drawn every 15 min. Per month the index is bent by a power that makes the month's irradiation what it should be.
    Every year has the same twelve sums, so years differ in their days only. Direct and diffuse follow from Erbs.

    A month is drawn whole from (seed, year, month), so a time stamp has the same sky whatever the period around it.
    Steps longer than 15 min are means of quarters; within a quarter the clear-sky index is held.

    Arguments:
        index: step starts [T], UTC, see `sun.step_of`.
        latitude_deg: latitude, degrees north.
        longitude_deg: longitude, degrees east.
        altitude_m: height above the sea, m.
        seed: >= 0; homes that share a sky share the seed.
        data_set: months at Uccle, see `irradiation`. Elsewhere a month gets Uccle's ratio of real to clear-sky
            irradiation, not its irradiation: right for places as cloudy as Belgium, wrong for Sevilla, and
            meaningless in the southern hemisphere.
        monthly_kwh_m2: irradiation of the twelve months at the place itself, instead.
        neighbour: adds what the clouds over one roof have of their own: broken clouds reach neighbours at different
            times. The changes from quarter to quarter at two roofs correlate by 1 / (1 + distance / (15 min x speed of
            the clouds)), as measured by Hoff & Perez; nothing is added to clear and to overcast skies.

    Returns:
        The sky per step. Air temperature is `brussels_air_temperature_c`; wind is a constant 3 m/s.

    Raises:
        ValueError: see `sun.step_of`; or there are not twelve months.
        InputError: there is no such data set.
    """
    step = step_of(index)
    if monthly_kwh_m2 is not None and len(monthly_kwh_m2) != 12:
        raise ValueError(f"There are {len(monthly_kwh_m2)} months of irradiation; a year has 12.")
    fine_step = min(step, QUARTER)
    start, end = index[0], index[-1] + step
    here = (latitude_deg, longitude_deg, altitude_m)
    months = None if monthly_kwh_m2 is None else tuple(monthly_kwh_m2)
    clear_sky_index = _clear_sky_index(start, end, *here, seed, data_set, months, neighbour)
    fine = pd.date_range(start, end, freq=fine_step, inclusive="left")
    quarter = (fine.asi8 - start.floor(QUARTER).value) // QUARTER.value
    ghi = _clear_sky(start, end, fine_step, *here)[0] * clear_sky_index[quarter]
    dni, dhi = _erbs(ghi, sun_position(start, end, fine_step, *here).zenith, fine)
    per_step = step // fine_step
    return _with_air(
        index, longitude_deg, *(part.reshape(-1, per_step).mean(axis=1) for part in (ghi, dni, dhi))
    )


def clear_sky(
    index: pd.DatetimeIndex, latitude_deg: float, longitude_deg: float, altitude_m: float
) -> Sky:
    """A sky without clouds (Ineichen, pvlib's monthly turbidity); arguments and air as in `synthetic_sky`."""
    step = step_of(index)
    return _with_air(
        index,
        longitude_deg,
        *_clear_sky(index[0], index[-1] + step, step, latitude_deg, longitude_deg, altitude_m),
    )


def _with_air(
    index: pd.DatetimeIndex, longitude_deg: float, ghi: Series, dni: Series, dhi: Series
) -> Sky:
    air = brussels_air_temperature_c(index, longitude_deg)
    return Sky(ghi, dni, dhi, air, np.full(len(index), WIND_M_S))


def brussels_air_temperature_c(index: pd.DatetimeIndex, longitude_deg: float) -> Series:
    """Air temperature of a normal year in Brussels: a yearly and a daily sine, no weather.

    Mean 11.0 C; the mean day runs from 3.5 C on 21 January to 18.5 C on 22 July. Over the day it swings by 2.5 C
    (winter) to 4.5 C (summer) to either side, warmest at 15 h solar time. No cold spells and no heat waves, so peaks
    of heating are understated. Yearly and monthly means follow the KMI normals of
    Uccle 1991-2020 (January 3.7 C); the daily swing is a rounded value from memory.

    Arguments:
        index: step starts [T], UTC, see `sun.step_of`.
        longitude_deg: degrees east; moves the warmest hour.

    Returns:
        Degrees Celsius [T] in the middle of each step.
    """
    middle = index + step_of(index) / 2
    hour = np.asarray(middle.hour + middle.minute / 60, dtype=np.float64)
    day = np.asarray(middle.dayofyear, dtype=np.float64) + hour / 24
    season = np.cos(2 * np.pi * (day - 203) / 365.25)  # 1 on 22 July
    daily = np.cos(2 * np.pi * (hour + longitude_deg / 15 - 15) / 24)  # 1 at 15 h solar time
    return 11.0 + 7.5 * season + (3.5 + 1.0 * season) * daily


@lru_cache(maxsize=16)
def _clear_sky(
    start: pd.Timestamp,
    end: pd.Timestamp,
    step: pd.Timedelta,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
) -> tuple[Series, Series, Series]:
    """Global, direct normal and diffuse irradiance under no cloud (Ineichen, pvlib's turbidity), W/m2, per step."""
    import pvlib

    sun = sun_position(start, end, step, latitude_deg, longitude_deg, altitude_m)
    middles = pd.date_range(start, end, freq=step, inclusive="left") + step / 2
    airmass = pvlib.atmosphere.get_relative_airmass(sun.apparent_zenith)
    with np.errstate(
        divide="ignore"
    ):  # pvlib divides by the cosine of the zenith, 0 at night, and mends it itself
        clear = pvlib.clearsky.ineichen(
            sun.apparent_zenith,
            pvlib.atmosphere.get_absolute_airmass(airmass, pvlib.atmosphere.alt2pres(altitude_m)),
            pvlib.clearsky.lookup_linke_turbidity(middles, latitude_deg, longitude_deg).to_numpy(),
            altitude=altitude_m,
            dni_extra=np.asarray(
                pvlib.irradiance.get_extra_radiation(middles.dayofyear.to_numpy())
            ),
        )
    ghi, dni, dhi = (
        np.nan_to_num(np.asarray(clear[name], np.float64)) for name in ("ghi", "dni", "dhi")
    )
    return ghi, dni, dhi


def _clear_sky_index(
    start: pd.Timestamp,
    end: pd.Timestamp,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
    seed: int,
    data_set: str,
    monthly_kwh_m2: tuple[float, ...] | None,
    neighbour: Neighbour | None,
) -> Series:
    """GHI over clear-sky GHI for every quarter of an hour that touches the period; whole months are made, then cut."""
    first_month = start.normalize().replace(day=1)
    month_starts = pd.date_range(first_month, end, freq="MS", inclusive="left")
    after = month_starts[-1] + pd.DateOffset(months=1)
    common = _common_index(
        first_month, after, latitude_deg, longitude_deg, altitude_m, seed, data_set, monthly_kwh_m2
    )
    months = []
    for month, drawn in zip(month_starts, common, strict=True):
        own = (
            None
            if neighbour is None
            else np.random.default_rng([neighbour.seed, month.year, month.month])
        )
        months.append(
            drawn
            if own is None or neighbour is None
            else _seen_by(drawn, neighbour.distance_km, own)
        )
    cut = slice(int((start - first_month) // QUARTER), -int((first_month - end) // QUARTER))
    return np.concatenate(months)[cut]


@lru_cache(maxsize=4)
def _common_index(
    first_month: pd.Timestamp,
    after: pd.Timestamp,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
    seed: int,
    data_set: str,
    monthly_kwh_m2: tuple[float, ...] | None,
) -> tuple[Series, ...]:
    """Clear-sky index of what homes have in common, per quarter, a series for every month."""
    month_starts = pd.date_range(first_month, after, freq="MS", inclusive="left")
    # One call for all the months, cut below: pvlib costs milliseconds per call whatever the length.
    clear_here = _clear_sky(first_month, after, QUARTER, latitude_deg, longitude_deg, altitude_m)[0]
    uccle = (UCCLE_LATITUDE_DEG, UCCLE_LONGITUDE_DEG, UCCLE_ALTITUDE_M)
    months_kwh_m2 = irradiation(data_set) if monthly_kwh_m2 is None else monthly_kwh_m2
    clear_there = (
        _clear_sky(first_month, after, QUARTER, *uccle)[0] if monthly_kwh_m2 is None else clear_here
    )
    bounds = [int((month - first_month) // QUARTER) for month in [*month_starts, after]]
    quarter_hours = QUARTER / pd.Timedelta(hours=1)
    months = []
    for month, begin, stop in zip(month_starts, bounds[:-1], bounds[1:], strict=True):
        clear_kwh_m2 = clear_there[begin:stop].sum() * quarter_hours / 1000
        target = months_kwh_m2[month.month - 1] / clear_kwh_m2 if clear_kwh_m2 > 0 else 1.0
        drawn = _drawn_clouds(stop - begin, np.random.default_rng([seed, month.year, month.month]))
        months.append(_brightened(drawn, clear_here[begin:stop], target))
    return tuple(months)


def _seen_by(common: Series, distance_km: float, rng: np.random.Generator) -> Series:
    """The clear-sky index of a month over one roof: the common one and what its own clouds add and take.

    The own part is an AR(1) process with the memory of broken clouds, strongest where the index is in between, and
    as large as the correlation of the changes asks for.
    """
    from scipy.signal import lfilter

    hours = QUARTER / pd.Timedelta(hours=1)
    correlation = 1 / (1 + distance_km / (CLOUD_SPEED_KM_H * hours))
    memory = CLOUD_MEMORY_PER_HOUR[1] ** hours
    kick = np.sqrt(np.diff(common).var() * (1 - correlation) / correlation)  # of the own changes
    noise = rng.standard_normal(len(common)) * kick * np.sqrt((1 + memory) / 2)
    own = np.asarray(lfilter([1.0], [1.0, -memory], noise), np.float64)
    low, high = CLEAR_SKY_INDEX_RANGE
    between = np.clip((common - low) * (high - common), 0.0, None)
    return np.clip(
        common + own * between / max(float(np.sqrt((between**2).mean())), 1e-9), low, high
    )


def _drawn_clouds(quarters: int, rng: np.random.Generator) -> Series:
    """An uncalibrated clear-sky index per quarter of an hour.

    A plain loop over Python floats: with a state-dependent memory there is no closed form, and at 3000 quarters a month
    a year takes some 10 ms, less than importing scipy.signal.
    """
    hours = QUARTER / pd.Timedelta(hours=1)
    chain, stationary = _chain_per_step(hours)
    up_to = np.cumsum(chain, axis=1).tolist()
    memory = [phi**hours for phi in CLOUD_MEMORY_PER_HOUR]
    kick = [std * (1 - phi**2) ** 0.5 for std, phi in zip(CLOUD_STD, memory, strict=True)]
    state = int(rng.choice(len(CLOUD_MEAN), p=stationary))
    wobble = 0.0
    index = []
    for draw, noise in zip(
        rng.random(quarters).tolist(), rng.standard_normal(quarters).tolist(), strict=True
    ):
        below_clear, below_broken, _ = up_to[state]
        state = 0 if draw < below_clear else 1 if draw < below_broken else 2
        wobble = memory[state] * wobble + kick[state] * noise
        index.append(CLOUD_MEAN[state] + wobble)
    return np.clip(np.array(index), *CLEAR_SKY_INDEX_RANGE)


def _chain_per_step(hours: float) -> tuple[Series, Series]:
    """The hourly cloud chain raised to the power `hours` [3, 3], and its stationary distribution [3]."""
    values, vectors = np.linalg.eig(np.array(CLOUD_CHAIN_PER_HOUR))
    power: Any = vectors @ np.diag(values.astype(complex) ** hours) @ np.linalg.inv(vectors)
    chain = np.clip(power.real, 0.0, None)
    chain /= chain.sum(axis=1, keepdims=True)
    return chain, np.linalg.matrix_power(chain, 4096)[0]


def _brightened(drawn: Series, clear_ghi: Series, target: float) -> Series:
    """`drawn` bent by a power, so that its mean weighted by the clear sky is `target`.

    The power is taken of `drawn / brightest`: of plain `drawn` no power darkens the values above 1, and a month that is
    nearly always clear would have no solution. Bisection on the logarithm of the power.
    """
    if clear_ghi.sum() <= 0.0:  # polar night: any sky is right
        return drawn
    brightest = CLEAR_SKY_INDEX_RANGE[1]
    log_drawn, weight = np.log(drawn / brightest), clear_ghi / clear_ghi.sum()
    low, high = -3.0, 3.0
    for _ in range(55):  # down to the last bits, so that a period's place in the year does not show
        middle = 0.5 * (low + high)
        too_bright = brightest * float(weight @ np.exp(np.exp(middle) * log_drawn)) > target
        low, high = (middle, high) if too_bright else (low, middle)
    return np.asarray(brightest * np.exp(np.exp(0.5 * (low + high)) * log_drawn), dtype=np.float64)


def _erbs(ghi: Series, zenith: Series, index: pd.DatetimeIndex) -> tuple[Series, Series]:
    """Direct normal and diffuse horizontal irradiance, W/m2, of a global one (Erbs et al. 1982)."""
    import pvlib

    split = pvlib.irradiance.erbs(ghi, zenith, index.dayofyear.to_numpy())
    return np.asarray(split["dni"], dtype=np.float64), np.asarray(split["dhi"], dtype=np.float64)
