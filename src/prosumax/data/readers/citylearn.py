"""Series of a CityLearn data set: buildings, prices and emission factors from its CSV files.

Files up to CityLearn 2.1.2 name a column `Equipment Electric Power [kWh]`, later ones
`non_shiftable_load`; both header styles are supported.

References:
    Vázquez-Canteli et al., "CityLearn: Standardizing research in multi-agent reinforcement learning
    for demand response and urban energy management", 2020 (arXiv:2012.10504).
    Nweye et al., "CityLearn v2: Energy-flexible, resilient, occupant-centric, and carbon-aware
    management of grid-interactive communities", 2024 (arXiv:2405.03848).
"""

import json
import re
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.data.datasets import locate_dataset
from prosumax.errors import InputError, did_you_mean

Array = NDArray[np.float64]

# Column names in the new and in the old header, without unit, in lower case.
_COLUMNS = {
    "load_kwh": ("non_shiftable_load", "equipment_electric_power"),
    "solar_w_per_kw": ("solar_generation",),
    "price": ("electricity_pricing",),
    "emission_factor": ("carbon_intensity", "kg_co2/kwh"),
}
_THERMAL = (
    "cooling_demand",
    "heating_demand",
    "dhw_demand",
    "cooling_load",
    "heating_load",
    "dhw_heating",
)
_SCHEMA_KEYS = {"price": "pricing", "emission_factor": "carbon_intensity"}


def read_citylearn_load(
    dataset: str,
    building: str | None,
    skip_rows: int,
    index: pd.DatetimeIndex,
    where: str,
    data_dir: Path | None = None,
) -> tuple[Float[Array, " step"], list[str]]:
    """Read the electric load of a building.

    Args:
        dataset: Name of a data set, or a folder with one.
        building: Name of the building in `schema.json`.
        skip_rows: Number of rows before the first step.
        index: Step starts on the clock of the data set, labeled UTC.
        where: Scenario field that refers to the data set, for messages.
        data_dir: Folder to search before the cache.

    Returns:
        Load in kWh per step, and notes for the user.

    Raises:
        InputError: The data set, building, column or rows are missing, a value is negative or not
            finite, or the clock of the file differs from the period.
    """
    file = _building_file(dataset, building, where, data_dir)
    load = _read_column(file, "load_kwh", skip_rows, index, where)
    table = _table(file)
    thermal = [name for name in _THERMAL if name in table and pd.to_numeric(table[name]).sum() > 0]
    notes = []
    if thermal:
        listing = ", ".join(thermal)
        notes.append(f"{where}: thermal demand of {building} ({listing}) is not part of the load")
    return load, notes


def read_citylearn_solar(
    dataset: str,
    building: str | None,
    peak_kw: float,
    skip_rows: int,
    index: pd.DatetimeIndex,
    where: str,
    data_dir: Path | None = None,
) -> Float[Array, " step"]:
    """Read the PV generation of a building, scaled to a peak power.

    Args:
        dataset: Name of a data set, or a folder with one.
        building: Name of the building in `schema.json`.
        peak_kw: Installed PV power, kWp.
        skip_rows: Number of rows before the first step.
        index: Step starts on the clock of the data set, labeled UTC.
        where: Scenario field that refers to the data set, for messages.
        data_dir: Folder to search before the cache.

    Returns:
        PV generation in kWh per step.

    Raises:
        InputError: As in `read_citylearn_load`.
    """
    file = _building_file(dataset, building, where, data_dir)
    hours = (index[1] - index[0]).total_seconds() / 3600 if len(index) > 1 else 1.0
    return _read_column(file, "solar_w_per_kw", skip_rows, index, where) * peak_kw / 1000 * hours


def read_citylearn_series(
    dataset: str,
    series: str,
    skip_rows: int,
    index: pd.DatetimeIndex,
    where: str,
    data_dir: Path | None = None,
) -> Float[Array, " step"]:
    """Read the price or the emission factor of a data set.

    Args:
        dataset: Name of a data set, or a folder with one.
        series: `price` (per kWh) or `emission_factor` (kg CO2 per kWh).
        skip_rows: Number of rows before the first step.
        index: Step starts on the clock of the data set, labeled UTC.
        where: Scenario field that refers to the data set, for messages.
        data_dir: Folder to search before the cache.

    Raises:
        InputError: The data set does not have the series, or as in `read_citylearn_load`.
    """
    folder = locate_dataset(dataset, where, data_dir)
    building = next(iter(_buildings(folder, where).values()))
    file_name = building.get(_SCHEMA_KEYS[series])
    if not file_name:
        label = series.replace("_", " ")
        problem = f"the data set {dataset} has no {label} series"
        raise InputError(where, problem, "Provide numbers or another source.")
    return _read_column(folder / file_name, series, skip_rows, index, where, signed=True)


def _buildings(folder: Path, where: str) -> dict[str, dict[str, str]]:
    """Read the file names of every building from the schema of a data set."""
    file = folder / "schema.json"
    if not file.is_file():
        problem = f"{folder} contains no schema.json"
        raise InputError(where, problem, "Provide the folder of a CityLearn data set.")
    try:
        return dict(json.loads(file.read_text(encoding="utf-8"))["buildings"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        problem = f"the file is not a CityLearn schema ({error})"
        raise InputError(f"{where}: {file}", problem, "Download the file again.") from error


def _building_file(dataset: str, building: str | None, where: str, data_dir: Path | None) -> Path:
    folder = locate_dataset(dataset, where, data_dir)
    buildings = _buildings(folder, where)
    if building not in buildings:
        problem = f"there is no building {building!r} in the data set {folder.name}"
        raise InputError(f"{where}.building", problem, did_you_mean(str(building), buildings))
    return folder / buildings[building]["energy_simulation"]


@lru_cache(maxsize=64)
def _read_csv(file: Path, modified_ns: int) -> pd.DataFrame:
    """Read a CSV file with normalized column names; the modification time invalidates the cache."""
    table = pd.read_csv(file)
    names = [re.sub(r"\s*[\[(].*?[\])]", "", name) for name in table.columns]
    table.columns = [name.strip().lower().replace(" ", "_") for name in names]
    return table


def _table(file: Path) -> pd.DataFrame:
    return _read_csv(file, file.stat().st_mtime_ns)


def _read_column(
    file: Path,
    name: str,
    skip_rows: int,
    index: pd.DatetimeIndex,
    where: str,
    signed: bool = False,
) -> Float[Array, " step"]:
    """Read and validate one column over the period."""
    if not file.is_file():
        raise InputError(where, f"the file {file} does not exist", "Download the data set again.")
    place = f"{where}: {file.name}"
    try:
        table = _table(file)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        problem = f"the file is not readable CSV ({error})"
        raise InputError(place, problem, "Download the file again.") from error
    steps = len(index)
    if len(table) < skip_rows + steps:
        max_steps = max(len(table) - skip_rows, 0)
        raise InputError(
            place,
            f"the file has {len(table)} rows but the period needs rows {skip_rows} to "
            f"{skip_rows + steps - 1}",
            f"Set period.steps to at most {max_steps}, or use a longer file.",
        )
    _check_clock(table, file, skip_rows, index, where)
    column = next((alias for alias in _COLUMNS[name] if alias in table), None)
    if column is None:
        raise InputError(
            place,
            f"there is no column {_COLUMNS[name][0]!r}",
            f"Add it; the columns are {', '.join(map(str, table.columns))}.",
        )
    raw = table[column].iloc[skip_rows : skip_rows + steps]
    values = pd.to_numeric(raw, errors="coerce").to_numpy(dtype=np.float64)
    invalid = ~np.isfinite(values)
    if not signed:
        invalid |= values < 0
    if invalid.any():
        row = int(np.argmax(invalid))
        line = row + skip_rows + 2  # Counted from 1, after the header.
        count = f", the first of {invalid.sum()} invalid values" if invalid.sum() > 1 else ""
        requirement = "a finite number" if signed else "a finite number >= 0"
        raise InputError(
            f"{place} line {line}",
            f"column {column!r} must be {requirement}, got {raw.iloc[row]!r}{count}",
            "Correct the file or download it again.",
        )
    return values


def _check_clock(
    table: pd.DataFrame, file: Path, skip_rows: int, index: pd.DatetimeIndex, where: str
) -> None:
    """Raise an error unless the first row is the first hour of the period.

    The column `hour` of a data set, 1 to 24, denotes the hour that ends then.
    """
    if "hour" not in table:
        return
    hour = float(table["hour"].iloc[skip_rows])
    following = hour + 1
    if len(table) > skip_rows + 1:
        following = float(table["hour"].iloc[skip_rows + 1])
    step_minutes = 60
    if len(index) > 1:
        step_minutes = round((index[1] - index[0]).total_seconds() / 60)
    if "minutes" not in table and (following == hour) != (step_minutes < 60):
        raise InputError(
            f"{where}: {file.name}",
            f"the file does not have steps of {step_minutes} min",
            "Set period.step_minutes to the step of the file.",
        )
    if int(hour - 1) % 24 != index[0].hour:
        raise InputError(
            f"{where}: {file.name} line {skip_rows + 2}",
            f"the row is hour {hour:g} (ending then), but the period starts at {index[0]:%H:%M}",
            f"Start the period at {int(hour - 1) % 24:02d}:00, or change skip_rows.",
        )
