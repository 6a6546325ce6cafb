"""SimBench profiles: households, farms, businesses, heat pumps, EVs and PV of a German year (2016).

The data remain in the package `simbench` under the Open Database License 1.0, and a run that uses
them states the attribution. Each profile is a quarter-hourly fraction of its rated power, which is
scaled here to an annual energy.

The time stamps of the files include daylight saving time, but the values do not follow it. Counted
by row, PV generation peaks at 11 o'clock all year, so the rows of PV profiles are UTC. Load
profiles have the same daily pattern by row in summer and winter, so their rows are local time.

References:
    Meinecke et al., "SimBench - A benchmark dataset of electric power systems to compare innovative
    solutions based on power flow analysis", Energies 13 (2020) 3290. https://simbench.de
"""

from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.data.cache import load_or_compute
from prosumax.data.generators.day_sequences import map_days_to_period, nearest_weekday_selector
from prosumax.errors import InputError, did_you_mean

Array = NDArray[np.float64]

ATTRIBUTION = (
    "SimBench data, (c) the SimBench consortium, Open Database License 1.0 (simbench.de):"
    " name the source, and share changed data under the same license."
)

# The scenario of the far future has all profiles of the other two, and heat pumps.
_FOLDER = "1-complete_data-mixed-all-2-sw"
_QUARTERS_PER_DAY = 96
_FIRST_DAY = pd.Timestamp("2016-01-01")


def simbench_load(
    profile: str, annual_kwh: float, index: pd.DatetimeIndex, time_zone: str, where: str = "load"
) -> Float[Array, " step"]:
    """Compute the load of a SimBench profile.

    Each day of the period takes SimBench's nearest day of the year with the same weekday.

    Args:
        profile: Name without `_pload`, such as `H0-A`, `G3-A`, `L1-A`, `Air_Parallel_1`,
            `HLS_A_11.0`.
        annual_kwh: Energy of SimBench's whole year, kWh.
        index: Step starts, UTC.
        time_zone: IANA name of the local time zone.
        where: Scenario field that refers to the profile, for messages.

    Returns:
        Load in kWh per step.

    Raises:
        InputError: The package `simbench` is not installed, or the profile does not exist.
    """
    days = _profile("LoadProfile.csv", profile, "_pload", where)
    select = nearest_weekday_selector(_FIRST_DAY, len(days))
    return map_days_to_period(days / days.sum() * annual_kwh, select, index, time_zone)


def simbench_solar(
    profile: str, annual_kwh: float, index: pd.DatetimeIndex, where: str = "solar"
) -> Float[Array, " step"]:
    """Compute the PV generation of a SimBench profile.

    Each day of the period takes SimBench's day of the same date, in UTC.

    Args:
        profile: `PV1` to `PV8`.
        annual_kwh: Energy of SimBench's whole year, kWh. The original level of 620 to 676 kWh/kWp
            is that of curtailed PV systems.
        index: Step starts, UTC.
        where: Scenario field that refers to the profile, for messages.

    Returns:
        PV generation in kWh per step.

    Raises:
        InputError: The package `simbench` is not installed, or the profile does not exist.
    """
    days = _profile("RESProfile.csv", profile, "", where, prefix="PV")

    def same_date(dates: pd.DatetimeIndex) -> NDArray[np.int64]:
        in_leap_year = pd.DatetimeIndex(
            pd.to_datetime({"year": 2016, "month": dates.month, "day": dates.day})
        )
        return np.asarray((in_leap_year - _FIRST_DAY).days, np.int64)

    return map_days_to_period(days / days.sum() * annual_kwh, same_date, index, "UTC")


def _profile(
    file: str, name: str, suffix: str, where: str, prefix: str = ""
) -> Float[Array, "day quarter"]:
    """Read a profile day by day, as a fraction of its rated power."""
    spec = find_spec("simbench")
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            where,
            "the package simbench is not installed",
            "Run `pip install 'prosumax[simbench]'`.",
        )
    path = Path(spec.submodule_search_locations[0]) / "networks" / _FOLDER / file
    known = [
        column.removesuffix(suffix)
        for column in _columns(path)
        if column.endswith(suffix) and column != "time" and column.startswith(prefix)
    ]
    if name not in known:
        problem = f"SimBench has no profile {name!r}"
        raise InputError(f"{where}.profile", problem, did_you_mean(name, known))

    def read() -> dict[str, Array]:
        column = f"{name}{suffix}"
        table = pd.read_csv(path, sep=";", usecols=[column])
        return {"power": table[column].to_numpy(np.float64)}

    key = {"simbench": version("simbench"), "file": file, "profile": name}
    power = load_or_compute("simbench", key, read)["power"]
    return np.asarray(power, np.float64).reshape(-1, _QUARTERS_PER_DAY)


@lru_cache
def _columns(path: Path) -> tuple[str, ...]:
    with path.open(encoding="utf-8") as file:
        return tuple(file.readline().strip().split(";"))
