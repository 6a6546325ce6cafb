"""Series of a CityLearn data set: homes, prices and carbon intensity from its CSV files, in either header style.

Format: Vázquez-Canteli et al. 2020 (arXiv:2012.10504) and Nweye et al. 2024 (arXiv:2405.03848). Files up to CityLearn
2.1.2 write `Equipment Electric Power [kWh]`, later ones `non_shiftable_load`; both are read.
"""

import json
import re
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.data.datasets import locate_dataset
from prosumax.errors import InputError, did_you_mean

# Our name -> the column's name in the new and in the old header, without unit, in lower case.
_COLUMNS = {
    "hour": ("hour",),
    "load_kwh": ("non_shiftable_load", "equipment_electric_power"),
    "solar_w_per_kw": ("solar_generation",),
    "price": ("electricity_pricing",),
    "carbon_kg_per_kwh": ("carbon_intensity", "kg_co2/kwh"),
}
_THERMAL = (
    "cooling_demand",
    "heating_demand",
    "dhw_demand",
    "cooling_load",
    "heating_load",
    "dhw_heating",
)


def read_load(
    dataset: str,
    building: str | None,
    skip_rows: int,
    index: pd.DatetimeIndex,
    where: str,
    data_dir: Path | None = None,
) -> tuple[NDArray[np.float64], list[str]]:
    """Electric load of a building, kWh per step [step], and notes for the user.

    Arguments:
        dataset: name of a data set, or a folder with one.
        building: as in the data set's `schema.json`.
        skip_rows: rows before the first step.
        index: step starts on the data set's own clock, UTC-labelled.
        where: field that asks, for messages.
        data_dir: folder to look in before the cache.

    Raises:
        InputError: data set, building, column or rows missing; values not finite or negative; clock out of step.
    """
    file = _building_file(dataset, building, where, data_dir)
    load = _column(file, "load_kwh", skip_rows, index, where)
    thermal = [
        name
        for name in _THERMAL
        if name in _table(file) and pd.to_numeric(_table(file)[name]).sum() > 0
    ]
    notes = (
        [f"{where}: thermal demand of {building} ({', '.join(thermal)}) is not part of the load"]
        if thermal
        else []
    )
    return load, notes


def read_solar(
    dataset: str,
    building: str | None,
    peak_kw: float,
    skip_rows: int,
    index: pd.DatetimeIndex,
    where: str,
    data_dir: Path | None = None,
) -> NDArray[np.float64]:
    """Solar production of a building, kWh per step [step]: the data set's W per installed kW times `peak_kw`.

    Arguments and errors as in `read_load`.
    """
    file = _building_file(dataset, building, where, data_dir)
    hours = (index[1] - index[0]).total_seconds() / 3600 if len(index) > 1 else 1.0
    return _column(file, "solar_w_per_kw", skip_rows, index, where) * peak_kw / 1000 * hours


def read_series(
    dataset: str,
    series: str,
    skip_rows: int,
    index: pd.DatetimeIndex,
    where: str,
    data_dir: Path | None = None,
) -> NDArray[np.float64]:
    """The data set's `price` (per kWh) or `carbon_kg_per_kwh`, [step].

    Arguments and errors as in `read_load`.
    """
    folder = locate_dataset(dataset, where, data_dir)
    entry = next(iter(_buildings(folder, where).values()))
    name = entry.get({"price": "pricing", "carbon_kg_per_kwh": "carbon_intensity"}[series])
    if not name:
        raise InputError(
            where,
            f"the data set {dataset} has no {series} series",
            "Give numbers or another source.",
        )
    return _column(folder / name, series, skip_rows, index, where, signed=True)


def _buildings(folder: Path, where: str) -> dict[str, dict[str, str]]:
    file = folder / "schema.json"
    if not file.is_file():
        raise InputError(
            where, f"{folder} holds no schema.json", "Point to a CityLearn data set folder."
        )
    try:
        return dict(json.loads(file.read_text(encoding="utf-8"))["buildings"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(
            f"{where}: {file}", f"is not a CityLearn schema ({error})", "Get the file again."
        ) from error


def _building_file(dataset: str, building: str | None, where: str, data_dir: Path | None) -> Path:
    folder = locate_dataset(dataset, where, data_dir)
    buildings = _buildings(folder, where)
    if building not in buildings:
        cure = did_you_mean(str(building), buildings)
        raise InputError(
            f"{where}.building", f"{building!r} is not in the data set {folder.name}", cure
        )
    return folder / buildings[building]["energy_simulation"]


@lru_cache(maxsize=64)
def _read_csv(file: Path, modified_ns: int) -> pd.DataFrame:
    table = pd.read_csv(file)
    table.columns = [
        re.sub(r"\s*[\[(].*?[\])]", "", name).strip().lower().replace(" ", "_")
        for name in table.columns
    ]
    return table


def _table(file: Path) -> pd.DataFrame:
    return _read_csv(file, file.stat().st_mtime_ns)


def _column(
    file: Path, name: str, skip_rows: int, index: pd.DatetimeIndex, where: str, signed: bool = False
) -> NDArray[np.float64]:
    """One column over the period: present, long enough, on the same clock, finite, not negative."""
    if not file.is_file():
        raise InputError(where, f"the file {file} is missing", "Get the data set again.")
    try:
        table = _table(file)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(
            f"{where}: {file.name}", f"is not a readable CSV ({error})", "Get the file again."
        ) from error
    steps = len(index)
    if len(table) < skip_rows + steps:
        raise InputError(
            f"{where}: {file.name}",
            f"has {len(table)} rows but the period needs rows {skip_rows} to {skip_rows + steps - 1}",
            f"Set period.steps to at most {max(len(table) - skip_rows, 0)}, or use a longer file.",
        )
    _check_clock(table, file, skip_rows, index, where)
    column = next((alias for alias in _COLUMNS[name] if alias in table), None)
    if column is None:
        raise InputError(
            f"{where}: {file.name}",
            f"has no column {_COLUMNS[name][0]!r}",
            f"It has: {', '.join(map(str, table.columns))}.",
        )
    raw = table[column].iloc[skip_rows : skip_rows + steps]
    values = pd.to_numeric(raw, errors="coerce").to_numpy(dtype=np.float64)
    bad = ~np.isfinite(values) if signed else ~np.isfinite(values) | (values < 0)
    if bad.any():
        row = int(np.argmax(bad))
        line = row + skip_rows + 2  # counted from 1, after the header
        raise InputError(
            f"{where}: {file.name} line {line}",
            f"column {column!r} holds {raw.iloc[row]!r}"
            + (f", the first of {bad.sum()}" if bad.sum() > 1 else ""),
            "Every row needs a number" + (" that is not negative." if not signed else "."),
        )
    return values


def _check_clock(
    table: pd.DataFrame, file: Path, skip_rows: int, index: pd.DatetimeIndex, where: str
) -> None:
    """The data set's hour 1..24 names the hour that ends then; its first row must be the period's first hour."""
    if "hour" not in table:
        return
    hour = float(table["hour"].iloc[skip_rows])
    following = float(table["hour"].iloc[skip_rows + 1]) if len(table) > skip_rows + 1 else hour + 1
    step_minutes = round((index[1] - index[0]).total_seconds() / 60) if len(index) > 1 else 60
    if "minutes" not in table and (following == hour) != (step_minutes < 60):
        raise InputError(
            f"{where}: {file.name}",
            f"is not in steps of {step_minutes} minutes",
            "Set period.step_minutes.",
        )
    if int(hour - 1) % 24 != index[0].hour:
        raise InputError(
            f"{where}: {file.name} line {skip_rows + 2}",
            f"is hour {hour:g} (the hour ending then), but the period starts at {index[0]:%H:%M}",
            f"Start the period at {int(hour - 1) % 24:02d}:00, or change skip_rows.",
        )
