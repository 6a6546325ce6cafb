"""What one kWp of panels on a roof makes of the sky.

References:
    Hay & Davies, "Calculations of the solar radiation incident on an inclined surface", 1980.
    Dobos, "PVWatts Version 5 Manual", NREL/TP-6A20-62641 (2014).
    Anderson et al., "pvlib python: 2023 project update", JOSS 8(92), 5994 (2023).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.data.generators.solar.sky import Sky
from prosumax.data.generators.solar.sun import step_of, sun_position

Series = NDArray[np.float64]

DIFFUSE_IAM = (
    0.95  # share of diffuse light that passes the glass; its angles are spread, so one number does
)
HEAT_LOSS_W_M2_K = {"roof": 20.0, "rack": 29.0}
"""Faiman's U0 of panels close to a roof and on an open rack (PVsyst's defaults)."""


class Panels(NamedTuple):
    """A plane of panels and its inverter.

    tilt_deg: 0 = flat, 90 = a wall.
    azimuth_deg: where the panels look; 90 = east, 180 = south, 270 = west.
    mounting: a name in `HEAT_LOSS_W_M2_K`.
    losses: soiling, shading, mismatch, wiring, ageing, as a share of the DC power; PVWatts' own default is 0.14, for
        American roofs that include snow and 3 % shading.
    power_per_degree: per degree above 25 C; -0.0035 is crystalline silicon of today, -0.0047 PVWatts' standard module.
    inverter_efficiency: nominal.
    dc_to_ac: kWp per kW of inverter.
    """

    tilt_deg: float
    azimuth_deg: float
    mounting: str = "roof"
    losses: float = 0.10
    power_per_degree: float = -0.0035
    inverter_efficiency: float = 0.96
    dc_to_ac: float = 1.1


def solar_kwh_per_kwp(
    index: pd.DatetimeIndex,
    sky: Sky,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
    panels: Panels,
) -> Series:
    """AC energy per kWp of panels on one plane.

    Sky to plane by Hay-Davies with ground albedo 0.25, glass reflection (physical IAM on the beam), cell temperature
    (PVsyst), DC power linear in light and temperature, PVWatts inverter. No far shading, no snow. docs/profiles.md
    compares it with NREL's PVWatts. The sun's position is computed once per (period, place) and shared by all roofs.

    Arguments:
        index: step starts [T], UTC, see `sun.step_of`.
        sky: weather [T] on the same index.
        latitude_deg: latitude, degrees north.
        longitude_deg: longitude, degrees east.
        altitude_m: height above the sea, m.
        panels: how they stand and what they lose.

    Returns:
        kWh per kWp and step [T], never negative.

    Raises:
        ValueError: see `sun.step_of`; or the sky is not as long as the index.
    """
    import pvlib

    step = step_of(index)
    if len(sky.ghi) != len(index):
        raise ValueError(f"The sky has {len(sky.ghi)} steps and the index has {len(index)}.")
    sun = sun_position(index[0], index[-1] + step, step, latitude_deg, longitude_deg, altitude_m)
    lit = np.flatnonzero(
        sky.ghi > 0.0
    )  # half of all steps are night: leaving them out halves the time
    ghi, dni, dhi, air_temperature_c, wind_m_s = (values[lit] for values in sky)
    zenith, azimuth = sun.apparent_zenith[lit], sun.azimuth[lit]
    beam_angle = pvlib.irradiance.aoi(panels.tilt_deg, panels.azimuth_deg, zenith, azimuth)
    plane = pvlib.irradiance.get_total_irradiance(
        panels.tilt_deg,
        panels.azimuth_deg,
        zenith,
        azimuth,
        dni,
        ghi,
        dhi,
        dni_extra=np.asarray(pvlib.irradiance.get_extra_radiation(index[lit].dayofyear.to_numpy())),
        model="haydavies",
    )
    absorbed = (
        plane["poa_direct"] * pvlib.iam.physical(beam_angle) + plane["poa_diffuse"] * DIFFUSE_IAM
    )
    heat_loss = HEAT_LOSS_W_M2_K[panels.mounting]
    cell_c = pvlib.temperature.pvsyst_cell(
        plane["poa_global"], air_temperature_c, wind_m_s, u_c=heat_loss, u_v=0.0
    )
    dc = pvlib.pvsystem.pvwatts_dc(absorbed, cell_c, 1.0, panels.power_per_degree) * (
        1 - panels.losses
    )
    # pvlib's `pdc0` is the DC power at which the inverter reaches its AC rating, not the panels' rating.
    inverter_dc = 1 / panels.dc_to_ac / panels.inverter_efficiency
    ac = pvlib.inverter.pvwatts(dc, inverter_dc, panels.inverter_efficiency)
    kwh = np.zeros(len(index))
    kwh[lit] = np.clip(np.nan_to_num(ac), 0.0, None) * (step / pd.Timedelta(hours=1))
    return kwh
