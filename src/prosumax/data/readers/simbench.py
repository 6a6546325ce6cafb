"""Profiles of SimBench: households, farms, businesses, heat pumps, cars and roofs of a German year (2016).

The data come with the package `simbench` and stay there: they are under the Open Database License 1.0, and a run that
uses them says so. Each profile is a quarter-hourly share of its rated power; here it is scaled to an annual energy.

The time stamps of the files jump with daylight saving time, but neither sun nor habits follow them: counted row by row
the sun of the roofs stands highest at 11 o'clock all year (so the rows are UTC), while households rise and cook at the
same hour of the rows in summer and winter (so for them the rows are the local clock). Each is read that way.

Source:
    Meinecke et al., "SimBench - A benchmark dataset of electric power systems to compare innovative solutions based on
    power flow analysis", Energies 13 (2020) 3290. https://simbench.de
"""

from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.data.cache import cached
from prosumax.data.generators.day_sequences import lay_days, same_weekday
from prosumax.errors import InputError, did_you_mean

Series = NDArray[np.float64]

ATTRIBUTION = (
    "SimBench data, (c) the SimBench consortium, Open Database License 1.0 (simbench.de):"
    " name the source, and share changed data under the same licence."
)

_FOLDER = "1-complete_data-mixed-all-2-sw"  # the far future has all profiles of the other two, and heat pumps
_QUARTERS = 96
_FIRST_DAY = pd.Timestamp("2016-01-01")


def simbench_load(
    profile: str, annual_kwh: float, index: pd.DatetimeIndex, time_zone: str, where: str = "load"
) -> Series:
    """Energy per step of a load profile [T], kWh.

    Each day of the period takes SimBench's nearest day of the year with the same weekday.

    Arguments:
        profile: name without `_pload`, such as `H0-A`, `G3-A`, `L1-A`, `Air_Parallel_1`, `HLS_A_11.0`.
        annual_kwh: energy of SimBench's whole year.
        index: step starts, UTC.
        time_zone: whose clock habits follow.
        where: field that asks, for messages.

    Raises:
        InputError: the extra is not installed, or there is no such profile.
    """
    days = _profile("LoadProfile.csv", profile, "_pload", where)
    return lay_days(
        days / days.sum() * annual_kwh, same_weekday(_FIRST_DAY, len(days)), index, time_zone
    )


def simbench_solar(
    profile: str, annual_kwh: float, index: pd.DatetimeIndex, where: str = "solar"
) -> Series:
    """Energy per step of a roof [T], kWh: SimBench's day of the same date, by UTC.

    Arguments:
        profile: `PV1` to `PV8`.
        annual_kwh: energy of SimBench's whole year; its own level (620 to 676 kWh/kWp) is that of curtailed roofs.
        index, where: as in `simbench_load`.

    Raises:
        InputError: as in `simbench_load`.
    """
    days = _profile("RESProfile.csv", profile, "", where, starts="PV")

    def same_date(dates: pd.DatetimeIndex) -> NDArray[np.int64]:
        leap = pd.to_datetime({"year": 2016, "month": dates.month, "day": dates.day})
        return np.asarray((pd.DatetimeIndex(leap) - _FIRST_DAY).days, np.int64)

    return lay_days(days / days.sum() * annual_kwh, same_date, index, "UTC")


def _profile(file: str, name: str, ending: str, where: str, starts: str = "") -> Series:
    """Power of a profile, day by day [366, 96], share of its rated one."""
    spec = find_spec("simbench")
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            where,
            "needs SimBench, which is not installed",
            "Run `pip install 'prosumax[simbench]'`.",
        )
    path = Path(spec.submodule_search_locations[0]) / "networks" / _FOLDER / file
    known = [
        column.removesuffix(ending)
        for column in _columns(path)
        if column.endswith(ending) and column != "time" and column.startswith(starts)
    ]
    if name not in known:
        raise InputError(
            f"{where}.profile", f"SimBench has no profile {name!r}", did_you_mean(name, known)
        )

    def read() -> dict[str, NDArray[np.float64]]:
        column = f"{name}{ending}"
        return {"power": pd.read_csv(path, sep=";", usecols=[column])[column].to_numpy(np.float64)}

    key = {"simbench": version("simbench"), "file": file, "profile": name}
    return np.asarray(cached("simbench", key, read)["power"], np.float64).reshape(-1, _QUARTERS)


@lru_cache
def _columns(path: Path) -> tuple[str, ...]:
    with path.open(encoding="utf-8") as file:
        return tuple(file.readline().strip().split(";"))
