"""Sun and roofs: a synthetic sky, and what one kWp of panels on a roof makes of it.

Everything runs once on the host, before a simulation, in float64. A series is per time step; its index holds the
*start* of each step in UTC, and the sun is looked at in the *middle* of each (quarter of an) hour. Irradiance is the
mean power over the step.

pvlib is imported inside the functions, because importing it costs up to a second that `prosumax --help` need not pay.

References:
    Ineichen & Perez, "A new airmass independent formulation for the Linke turbidity coefficient",
        Solar Energy 73 (2002).
    Erbs, Klein & Duffie, "Estimation of the diffuse radiation fraction", Solar Energy 28 (1982).
    Hay & Davies, "Calculations of the solar radiation incident on an inclined surface", 1980.
    Dobos, "PVWatts Version 5 Manual", NREL/TP-6A20-62641 (2014).
    Anderson et al., "pvlib python: 2023 project update", JOSS 8(92), 5994 (2023).
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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


class _Sun(NamedTuple):
    """Where the sun stands per step, degrees [T]: zenith without and with refraction, and azimuth (180 = south)."""

    zenith: Series
    apparent_zenith: Series
    azimuth: Series


UCCLE_LATITUDE_DEG, UCCLE_LONGITUDE_DEG, UCCLE_ALTITUDE_M = 50.80, 4.36, 100.0

UCCLE_GHI_KWH_M2 = (21.0, 37.0, 79.0, 124.0, 157.0, 165.0, 161.0, 140.0, 99.0, 58.0, 27.0, 17.0)
"""Global horizontal irradiation per month, January to December, kWh/m2; 1085 a year.

Typical for Uccle (Brussels) but not an official table: the values are rounded from memory of the climate normals.
The KMI/IRM climate atlas gives 2.88 kWh/m2 a day (1052 a year), 5.27 in June (158) and 0.545 in December (17) as the
mean over Belgium, so this table may be some 3 % bright. https://www.meteo.be, climate atlas, global solar radiation.
"""

# A cloud state is named by the clear-sky index (GHI / clear-sky GHI) around which it hovers: clear, broken, overcast.
# Chain per hour; within a state the index is an AR(1) process with the given hourly memory and standard deviation.
CLOUD_MEAN = (1.0, 0.65, 0.28)
CLOUD_STD = (0.04, 0.22, 0.12)
CLOUD_MEMORY_PER_HOUR = (0.9, 0.5, 0.8)
CLOUD_CHAIN_PER_HOUR = ((0.86, 0.12, 0.02), (0.10, 0.76, 0.14), (0.02, 0.14, 0.84))
CLEAR_SKY_INDEX_RANGE = (
    0.03,
    1.10,
)  # heavy overcast still glows; a cloud's edge brightens a quarter of an hour by 10 %

CLOUD_STEP = pd.Timedelta(minutes=15)

DIFFUSE_IAM = 0.95  # share of diffuse light that passes the glass; its angles are spread, so one number does
ROOF_HEAT_LOSS_W_M2_K = 20.0  # Faiman U0 of panels close to a roof; 29 is for an open rack (pvsyst)
POWER_PER_DEGREE = -0.0035  # crystalline silicon of today, per degree above 25 C
SYSTEM_LOSSES = 0.10  # soiling, shading, mismatch, wiring, ageing; PVWatts' own default is 0.14
INVERTER_EFFICIENCY = 0.96
DC_TO_AC_RATIO = 1.1


def step_of(index: pd.DatetimeIndex) -> pd.Timedelta:
    """The length of the steps whose starts are `index`.

    Arguments:
        index: evenly spaced step starts, time zone UTC, at least one; a single one must carry its `freq`.

    Returns:
        The step, which divides 15 min or is a whole number of quarters of an hour that divides a day.

    Raises:
        ValueError: the index is not in UTC, not even, or its step does not fit.
    """
    if str(index.tz) != "UTC":
        raise ValueError(f"The index must hold UTC step starts; its time zone is {index.tz}.")
    if len(index) >= 2:
        step = index[1] - index[0]
    elif len(index) == 1 and index.freq is not None:
        step = index[0] + index.freq - index[0]
    else:
        raise ValueError("The index needs at least two step starts, or a freq, to know how long a step is.")
    if np.unique(np.diff(index.asi8)).size > 1:
        raise ValueError("The step starts in the index must be evenly spaced.")
    fits = step > pd.Timedelta(0) and (
        CLOUD_STEP % step == pd.Timedelta(0)
        or (step % CLOUD_STEP == pd.Timedelta(0) and pd.Timedelta(days=1) % step == pd.Timedelta(0))
    )
    if not fits:
        raise ValueError(f"A step of {step} neither divides 15 min nor is a number of quarters that divides a day.")
    return step


def synthetic_sky(
    index: pd.DatetimeIndex, latitude_deg: float, longitude_deg: float, altitude_m: float, seed: int
) -> Sky:
    """A random but reproducible sky, with the brightness of a typical Brussels month.

    Clear sky (Ineichen) times a clear-sky index: three cloud states in a Markov chain, an AR(1) wobble inside each, all
    drawn every 15 min. Per month the index is bent by a power that makes the month's irradiation equal
    `UCCLE_GHI_KWH_M2` at Uccle. Elsewhere the month gets Uccle's ratio of real to clear-sky irradiation, not its
    irradiation: right for places as cloudy as Belgium, wrong for Sevilla, and meaningless in the southern hemisphere.
    Every year has the same twelve sums, so years differ in their days only. Direct and diffuse follow from Erbs.

    A month is drawn whole from (seed, year, month), so a time stamp has the same sky whatever the period around it.
    Steps longer than 15 min are means of quarters; within a quarter the clear-sky index is held.

    Arguments:
        index: step starts [T], UTC, see `step_of`.
        latitude_deg: latitude, degrees north.
        longitude_deg: longitude, degrees east.
        altitude_m: height above the sea, m.
        seed: >= 0; homes that share a sky share the seed.

    Returns:
        The sky per step. Air temperature is `brussels_air_temperature_c`; wind is a constant 3 m/s.

    Raises:
        ValueError: see `step_of`.
    """
    step = step_of(index)
    fine_step = min(step, CLOUD_STEP)
    start, end = index[0], index[-1] + step
    clear_sky_index = _clear_sky_index(start, end, latitude_deg, longitude_deg, altitude_m, seed)
    fine = pd.date_range(start, end, freq=fine_step, inclusive="left")
    quarter = (fine.asi8 - start.floor(CLOUD_STEP).value) // CLOUD_STEP.value
    clear_ghi = _clear_sky_ghi(start, end, fine_step, latitude_deg, longitude_deg, altitude_m)
    ghi = clear_ghi * clear_sky_index[quarter]
    dni, dhi = _erbs(ghi, _sun(start, end, fine_step, latitude_deg, longitude_deg, altitude_m).zenith, fine)
    per_step = step // fine_step

    def mean_per_step(values: Series) -> Series:
        return values.reshape(-1, per_step).mean(axis=1)

    return Sky(
        ghi=mean_per_step(ghi),
        dni=mean_per_step(dni),
        dhi=mean_per_step(dhi),
        air_temperature_c=brussels_air_temperature_c(index, longitude_deg),
        wind_m_s=np.full(len(index), 3.0),
    )


def brussels_air_temperature_c(index: pd.DatetimeIndex, longitude_deg: float) -> Series:
    """Air temperature of a normal year in Brussels: a yearly and a daily sine, no weather.

    Mean 11.0 C; the mean day runs from 3.5 C on 21 January to 18.5 C on 22 July. Over the day it swings by 2.5 C
    (winter) to 4.5 C (summer) to either side, warmest at 15 h solar time. No cold spells and no heat waves, so peaks
    of heating are understated. Yearly and monthly means follow the KMI normals of
    Uccle 1991-2020 (January 3.7 C); the daily swing is a rounded value from memory.

    Arguments:
        index: step starts [T], UTC, see `step_of`.
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


def solar_kwh_per_kwp(
    index: pd.DatetimeIndex,
    sky: Sky,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
    tilt_deg: float,
    azimuth_deg: float,
) -> Series:
    """AC energy per kWp of panels on one plane of a roof.

    Sky to plane by Hay-Davies with ground albedo 0.25, glass reflection (physical IAM on the beam), cell temperature
    (pvsyst, panels close to the roof), DC power with -0.35 % per degree, 10 % system losses, PVWatts inverter of 96 %
    with 1.1 kWp per kW. No far shading, no snow. The prototype of this chain read 1 % below NREL's
    PVWatts for Denver. The sun's position is computed once per (period, place) and shared by all roofs.

    Arguments:
        index: step starts [T], UTC, see `step_of`.
        sky: weather [T] on the same index.
        latitude_deg: latitude, degrees north.
        longitude_deg: longitude, degrees east.
        altitude_m: height above the sea, m.
        tilt_deg: 0 = flat, 90 = a wall.
        azimuth_deg: where the panels look; 90 = east, 180 = south, 270 = west.

    Returns:
        kWh per kWp and step [T], never negative.

    Raises:
        ValueError: see `step_of`; or the sky is not as long as the index.
    """
    import pvlib

    step = step_of(index)
    if len(sky.ghi) != len(index):
        raise ValueError(f"The sky has {len(sky.ghi)} steps and the index has {len(index)}.")
    sun = _sun(index[0], index[-1] + step, step, latitude_deg, longitude_deg, altitude_m)
    lit = np.flatnonzero(sky.ghi > 0.0)  # half of all steps are night: leaving them out halves the time
    ghi, dni, dhi, air_temperature_c, wind_m_s = (values[lit] for values in sky)
    zenith, azimuth = sun.apparent_zenith[lit], sun.azimuth[lit]
    beam_angle = pvlib.irradiance.aoi(tilt_deg, azimuth_deg, zenith, azimuth)
    plane = pvlib.irradiance.get_total_irradiance(
        tilt_deg,
        azimuth_deg,
        zenith,
        azimuth,
        dni,
        ghi,
        dhi,
        dni_extra=np.asarray(pvlib.irradiance.get_extra_radiation(index[lit].dayofyear.to_numpy())),
        model="haydavies",
    )
    absorbed = plane["poa_direct"] * pvlib.iam.physical(beam_angle) + plane["poa_diffuse"] * DIFFUSE_IAM
    cell_c = pvlib.temperature.pvsyst_cell(
        plane["poa_global"], air_temperature_c, wind_m_s, u_c=ROOF_HEAT_LOSS_W_M2_K, u_v=0.0
    )
    dc = pvlib.pvsystem.pvwatts_dc(absorbed, cell_c, 1.0, POWER_PER_DEGREE) * (1 - SYSTEM_LOSSES)
    # pvlib's `pdc0` is the DC power at which the inverter reaches its AC rating, not the panels' rating.
    ac = pvlib.inverter.pvwatts(dc, 1 / DC_TO_AC_RATIO / INVERTER_EFFICIENCY, INVERTER_EFFICIENCY)
    kwh = np.zeros(len(index))
    kwh[lit] = np.clip(np.nan_to_num(ac), 0.0, None) * (step / pd.Timedelta(hours=1))
    return kwh


@lru_cache(maxsize=16)
def _sun(
    start: pd.Timestamp,
    end: pd.Timestamp,
    step: pd.Timedelta,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
) -> _Sun:
    """The sun in the middle of every step from `start` up to `end`.

    pvlib's `ephemeris` instead of its default SPA: within 0.015 degree of it over a year in Brussels, at a seventh of
    the time. It stops iterating when the whole array is near enough, so a value moves by 1e-6 degree with the period.
    """
    import pvlib

    middles = pd.date_range(start, end, freq=step, inclusive="left") + step / 2
    pressure = pvlib.atmosphere.alt2pres(altitude_m)
    found = pvlib.solarposition.ephemeris(middles, latitude_deg, longitude_deg, pressure=pressure)
    elevation, apparent, azimuth = (
        found[name].to_numpy(np.float64) for name in ("elevation", "apparent_elevation", "azimuth")
    )
    return _Sun(90.0 - elevation, 90.0 - apparent, azimuth)


@lru_cache(maxsize=16)
def _clear_sky_ghi(
    start: pd.Timestamp,
    end: pd.Timestamp,
    step: pd.Timedelta,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
) -> Series:
    """Global horizontal irradiance of a cloudless sky (Ineichen, pvlib's monthly turbidity), W/m2, per step."""
    import pvlib

    sun = _sun(start, end, step, latitude_deg, longitude_deg, altitude_m)
    middles = pd.date_range(start, end, freq=step, inclusive="left") + step / 2
    airmass = pvlib.atmosphere.get_relative_airmass(sun.apparent_zenith)
    with np.errstate(divide="ignore"):  # pvlib divides by the cosine of the zenith, 0 at night, and mends it itself
        clear = pvlib.clearsky.ineichen(
            sun.apparent_zenith,
            pvlib.atmosphere.get_absolute_airmass(airmass, pvlib.atmosphere.alt2pres(altitude_m)),
            pvlib.clearsky.lookup_linke_turbidity(middles, latitude_deg, longitude_deg).to_numpy(),
            altitude=altitude_m,
            dni_extra=np.asarray(pvlib.irradiance.get_extra_radiation(middles.dayofyear.to_numpy())),
        )
    return np.nan_to_num(np.asarray(clear["ghi"], dtype=np.float64))


def _clear_sky_index(
    start: pd.Timestamp,
    end: pd.Timestamp,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
    seed: int,
) -> Series:
    """GHI over clear-sky GHI for every quarter of an hour that touches the period; whole months are made, then cut."""
    first_month = start.normalize().replace(day=1)
    month_starts = pd.date_range(first_month, end, freq="MS", inclusive="left")
    here = (latitude_deg, longitude_deg, altitude_m)
    uccle = (UCCLE_LATITUDE_DEG, UCCLE_LONGITUDE_DEG, UCCLE_ALTITUDE_M)
    after = month_starts[-1] + pd.DateOffset(months=1)
    # One call for all the months, cut below: pvlib costs milliseconds per call whatever the length.
    clear_here = _clear_sky_ghi(first_month, after, CLOUD_STEP, *here)
    clear_uccle = _clear_sky_ghi(first_month, after, CLOUD_STEP, *uccle)
    bounds = [int((month - first_month) // CLOUD_STEP) for month in [*month_starts, after]]
    quarter_hours = CLOUD_STEP / pd.Timedelta(hours=1)
    months = []
    for month, begin, stop in zip(month_starts, bounds[:-1], bounds[1:], strict=True):
        uccle_kwh_m2 = clear_uccle[begin:stop].sum() * quarter_hours / 1000
        target = UCCLE_GHI_KWH_M2[month.month - 1] / uccle_kwh_m2
        drawn = _drawn_clouds(stop - begin, np.random.default_rng([seed, month.year, month.month]))
        months.append(_brightened(drawn, clear_here[begin:stop], target))
    cut = slice(int((start - first_month) // CLOUD_STEP), -int((first_month - end) // CLOUD_STEP))
    return np.concatenate(months)[cut]


def _drawn_clouds(quarters: int, rng: np.random.Generator) -> Series:
    """An uncalibrated clear-sky index per quarter of an hour.

    A plain loop over Python floats: with a state-dependent memory there is no closed form, and at 3000 quarters a month
    a year takes some 10 ms, less than importing scipy.signal.
    """
    hours = CLOUD_STEP / pd.Timedelta(hours=1)
    chain, stationary = _chain_per_step(hours)
    up_to = np.cumsum(chain, axis=1).tolist()
    memory = [phi**hours for phi in CLOUD_MEMORY_PER_HOUR]
    kick = [std * (1 - phi**2) ** 0.5 for std, phi in zip(CLOUD_STD, memory, strict=True)]
    state = int(rng.choice(len(CLOUD_MEAN), p=stationary))
    wobble = 0.0
    index = []
    for draw, noise in zip(rng.random(quarters).tolist(), rng.standard_normal(quarters).tolist(), strict=True):
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
