"""AC generation of a PV system.

References:
    Hay & Davies, "Calculations of the solar radiation incident on an inclined surface", 1980.
    Dobos, "PVWatts Version 5 Manual", NREL/TP-6A20-62641 (2014).
    Anderson et al., "pvlib python: 2023 project update", JOSS 8(92), 5994 (2023).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.data.generators.solar.position import solar_position
from prosumax.data.generators.solar.weather import WeatherSeries
from prosumax.data.time_steps import infer_step

Array = NDArray[np.float64]

DIFFUSE_IAM = 0.95
"""Share of diffuse irradiance that the glass transmits, averaged over its angles of incidence."""

HEAT_LOSS_W_M2_K = {"roof": 20.0, "rack": 29.0}
"""Heat loss factor U0 of Faiman's model by mounting (PVsyst): close to a roof, or an open rack."""


class PVSystem(NamedTuple):
    """PV modules on one plane and their inverter.

    Attributes:
        tilt_deg: Tilt from the horizontal, degrees.
        azimuth_deg: Orientation, clockwise from north (90 = east, 180 = south, 270 = west).
        mounting: Key of `HEAT_LOSS_W_M2_K`.
        losses: Soiling, shading, mismatch, wiring and aging, as a share of the DC power. The
            default of PVWatts is 0.14, which includes snow and 3 % shading.
        temperature_coefficient_per_k: Change of DC power per kelvin above 25 C; -0.0035 for current
            crystalline silicon, -0.0047 for the standard module of PVWatts.
        inverter_efficiency: Nominal efficiency of the inverter.
        dc_ac_ratio: Ratio of DC to AC rating.
    """

    tilt_deg: float
    azimuth_deg: float
    mounting: str = "roof"
    losses: float = 0.10
    temperature_coefficient_per_k: float = -0.0035
    inverter_efficiency: float = 0.96
    dc_ac_ratio: float = 1.1


def pv_yield_kwh_per_kwp(
    index: pd.DatetimeIndex,
    weather: WeatherSeries,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
    system: PVSystem,
) -> Float[Array, " step"]:
    """Compute the specific AC yield of a PV system.

    The model chain is: transposition by Hay-Davies with a ground albedo of 0.25, reflection losses
    (physical incidence angle modifier on the beam), cell temperature (PVsyst), DC power (PVWatts)
    and inverter (PVWatts). Horizon shading and snow are not modeled. docs/explanation/profiles.md
    compares the result with NREL's PVWatts. The solar position is cached per period and site.

    Args:
        index: Step starts, UTC; see `time_steps.infer_step`.
        weather: Weather on the same index.
        latitude_deg: Latitude, degrees north.
        longitude_deg: Longitude, degrees east.
        altitude_m: Altitude above sea level, m.
        system: PV system.

    Returns:
        Energy in kWh per kWp and step, never negative.

    Raises:
        ValueError: The index is not supported, or the weather has another length than the index.
    """
    import pvlib

    step = infer_step(index)
    if len(weather.ghi) != len(index):
        raise ValueError(f"The weather has {len(weather.ghi)} steps, the index has {len(index)}.")
    position = solar_position(
        index[0], index[-1] + step, step, latitude_deg, longitude_deg, altitude_m
    )
    # Half of all steps are at night; the computation of the others takes half the time.
    lit = np.flatnonzero(weather.ghi > 0.0)
    ghi, dni, dhi, air_temperature_c, wind_m_s = (values[lit] for values in weather)
    zenith = position.apparent_zenith[lit]
    azimuth = position.azimuth[lit]
    angle_of_incidence = pvlib.irradiance.aoi(system.tilt_deg, system.azimuth_deg, zenith, azimuth)
    day_of_year = index[lit].dayofyear.to_numpy()
    plane = pvlib.irradiance.get_total_irradiance(
        system.tilt_deg,
        system.azimuth_deg,
        zenith,
        azimuth,
        dni,
        ghi,
        dhi,
        dni_extra=np.asarray(pvlib.irradiance.get_extra_radiation(day_of_year)),
        model="haydavies",
    )
    beam = plane["poa_direct"] * pvlib.iam.physical(angle_of_incidence)
    absorbed = beam + plane["poa_diffuse"] * DIFFUSE_IAM
    cell_c = pvlib.temperature.pvsyst_cell(
        plane["poa_global"],
        air_temperature_c,
        wind_m_s,
        u_c=HEAT_LOSS_W_M2_K[system.mounting],
        u_v=0.0,
    )
    gross_dc = pvlib.pvsystem.pvwatts_dc(
        absorbed, cell_c, 1.0, system.temperature_coefficient_per_k
    )
    dc = gross_dc * (1 - system.losses)
    # pvlib's `pdc0` is the DC power at which the inverter reaches its AC rating, not the DC rating
    # of the modules.
    inverter_dc = 1 / system.dc_ac_ratio / system.inverter_efficiency
    ac = pvlib.inverter.pvwatts(dc, inverter_dc, system.inverter_efficiency)
    kwh = np.zeros(len(index))
    kwh[lit] = np.clip(np.nan_to_num(ac), 0.0, None) * (step / pd.Timedelta(hours=1))
    return kwh
