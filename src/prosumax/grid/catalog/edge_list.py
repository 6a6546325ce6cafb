"""Networks from a table with one row per line."""

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.data.readers.table_file import (
    TableFile,
    cells_as_text,
    file_version,
    parse_table,
)
from prosumax.errors import InputError, did_you_mean
from prosumax.grid.catalog.cables import LV_KV, NAYY_4X150, line_branches
from prosumax.grid.catalog.layout import feeder_zones, spanning_tree, tree_layout
from prosumax.grid.feeder import Branches, Feeder

_NUMBERS = ("length_km", "r_ohm_per_km", "x_ohm_per_km", "r_ohm", "x_ohm", "max_a", "kv")
_COLUMNS = ("from", "to", *_NUMBERS, "name", "zone", "source")
_MAY_BE_ZERO = ("x_ohm_per_km", "x_ohm")
_EMPTY = ("", "nan", "none", "<na>")
_NO_NAME = ("", "nan", "none")
_TRUE = ("1", "true", "yes", "x", "source")
_FALSE = ("0", "false", "no", *_EMPTY)


class _LineParameters(NamedTuple):
    """Totals of every line [line], and a note on assumptions for users."""

    r_ohm: NDArray[np.float64]
    x_ohm: NDArray[np.float64]
    c_nf: float | NDArray[np.float64]
    max_a: float
    length_km: NDArray[np.float64]
    note: str


def read_edge_list(path: Path, where: str = "network") -> Feeder:
    """Read a network from a table with one row per line.

    Required columns are `from` and `to` (bus names) and one of three groups: `length_km` with
    `r_ohm_per_km` and `x_ohm_per_km`; `r_ohm` and `x_ohm` of the whole line; or `length_km` alone,
    which implies NAYY 4x150 cable. Optional columns are `max_a` (A), `name`, `zone` (of the bus
    `to`), `kv` (line to line, 0.4 by default) and `source`, which marks rows whose `from` is the
    source; without a mark it is the `from` of the first row. All voltages must be equal, because a
    table has no transformers. Homes may be placed on any bus but the source, because a table has
    no loads.

    Args:
        path: CSV, TSV or TXT file (.gz too) or Parquet file.
        where: Field of the scenario, for messages.

    Raises:
        InputError: If a column, a row or a cell is invalid.
    """
    try:
        table = parse_table(file_version(path))
        _check_columns(table)
        return _build_feeder(table, path.stem)
    except InputError as error:
        raise InputError(f"{where}.file {error.where}", error.problem, error.fix) from None


def _build_feeder(table: TableFile, name: str) -> Feeder:
    start = _bus_names(table, "from")
    end = _bus_names(table, "to")
    _check_ends(table, start, end)
    buses = list(dict.fromkeys(bus for pair in zip(start, end, strict=True) for bus in pair))
    position = {bus: number for number, bus in enumerate(buses)}
    from_bus = np.array([position[bus] for bus in start], np.int64)
    to_bus = np.array([position[bus] for bus in end], np.int64)
    source = position[_source_name(table, start)]
    kv = _voltage_kv(table)
    branches, notes = _build_branches(table, start, end, from_bus, to_bus, kv)
    tree = spanning_tree(len(buses), source, from_bus, to_bus)
    x, y = tree_layout(tree)
    return Feeder(
        name=name,
        buses=tuple(buses),
        base_kv=np.full(len(buses), kv),
        source_bus=source,
        source_voltage_pu=1.0,
        branches=branches,
        shunt_pu=np.zeros(len(buses), np.complex128),
        load_kw=np.zeros(len(buses)),
        load_kvar=np.zeros(len(buses)),
        x=x,
        y=y,
        zone=_zones(table, buses, end) if "zone" in table.frame else feeder_zones(tree),
        notes=tuple(notes),
    )


def _check_columns(table: TableFile) -> None:
    for column in ("from", "to"):
        if column not in table.frame:
            found = ", ".join(map(str, table.frame.columns))
            raise InputError(
                table.name,
                f"the table has no column {column!r}",
                "Name the buses at the ends of each line in the columns from and to."
                f" Found: {found}.",
            )
    for column in table.frame.columns:
        if column not in _COLUMNS:
            raise InputError(
                f"{table.name} column {column!r}",
                "the column is not known",
                did_you_mean(str(column), _COLUMNS),
            )
    if not any(_has_columns(table, *columns) for columns in _PARAMETER_READERS):
        raise InputError(
            table.name,
            "the table does not specify the impedance of the lines",
            "Give length_km, r_ohm_per_km and x_ohm_per_km; or r_ohm and x_ohm; or length_km alone"
            " for NAYY 4x150.",
        )


def _has_columns(table: TableFile, *columns: str) -> bool:
    return all(column in table.frame for column in columns)


def _bus_names(table: TableFile, column: str) -> list[str]:
    names = cells_as_text(table.frame[column]).tolist()
    for row, name in enumerate(names):
        if name.lower() in _EMPTY:
            raise InputError(
                _cell(table, row, column),
                "the cell is empty",
                "Name the bus at that end of the line.",
            )
    return names


def _check_ends(table: TableFile, start: list[str], end: list[str]) -> None:
    first_row: dict[Hashable, int] = {}
    for row, (a, b) in enumerate(zip(start, end, strict=True)):
        if a == b:
            raise InputError(
                _cell(table, row, "to"),
                f"the line starts and ends at {a!r}",
                "Connect two different buses.",
            )
        earlier = first_row.setdefault(frozenset((a, b)), row)
        if earlier != row:
            raise InputError(
                f"{table.name} {table.row_label(row)}",
                f"the line connects {a!r} and {b!r}, which {table.row_label(earlier)} does already",
                "Remove one; give two lines in parallel as one with half the impedance and twice"
                " the max_a.",
            )


def _source_name(table: TableFile, start: list[str]) -> str:
    if "source" not in table.frame:
        return start[0]
    marked: set[str] = set()
    for row, text in enumerate(cells_as_text(table.frame["source"]).str.lower()):
        if text not in (*_TRUE, *_FALSE):
            raise InputError(
                _cell(table, row, "source"),
                f"the cell must be 1 or 0, got {text!r}",
                "Mark the source with 1, others with 0.",
            )
        if text in _TRUE:
            marked.add(start[row])
    if len(marked) > 1:
        raise InputError(
            f"{table.name} column 'source'",
            f"the column marks {len(marked)} buses ({', '.join(sorted(marked))})",
            "Mark the bus of the upstream grid with 1 and the others with 0.",
        )
    return marked.pop() if marked else start[0]


def _voltage_kv(table: TableFile) -> float:
    if "kv" not in table.frame:
        return LV_KV
    kv = _numbers(table, "kv")
    different = np.flatnonzero(kv != kv[0])
    if len(different):
        raise InputError(
            _cell(table, int(different[0]), "kv"),
            f"the voltage is {kv[different[0]]:g} after {kv[0]:g}",
            "Use one voltage; networks with transformers can be imported from pandapower.",
        )
    return float(kv[0])


def _build_branches(
    table: TableFile,
    start: list[str],
    end: list[str],
    from_bus: NDArray[np.int64],
    to_bus: NDArray[np.int64],
    kv: float,
) -> tuple[Branches, list[str]]:
    columns = next(group for group in _PARAMETER_READERS if _has_columns(table, *group))
    line = _PARAMETER_READERS[columns](table)
    max_a = _numbers(table, "max_a") if "max_a" in table.frame else line.max_a
    names = [f"{a} - {b}" for a, b in zip(start, end, strict=True)]
    if "name" in table.frame:
        given = cells_as_text(table.frame["name"]).tolist()
        names = [
            own if own.lower() not in _NO_NAME else default
            for own, default in zip(given, names, strict=True)
        ]
    branches = line_branches(
        names,
        from_bus,
        to_bus,
        r_ohm=line.r_ohm,
        x_ohm=line.x_ohm,
        c_nf=line.c_nf,
        max_a=max_a,
        kv=kv,
        length_km=line.length_km,
    )
    return branches, [line.note] if line.note else []


def _parameters_per_km(table: TableFile) -> _LineParameters:
    length = _numbers(table, "length_km")
    r = _numbers(table, "r_ohm_per_km") * length
    x = _numbers(table, "x_ohm_per_km") * length
    return _LineParameters(r, x, 0.0, np.inf, length, "")


def _total_parameters(table: TableFile) -> _LineParameters:
    r = _numbers(table, "r_ohm")
    x = _numbers(table, "x_ohm")
    if "length_km" in table.frame:
        return _LineParameters(r, x, 0.0, np.inf, _numbers(table, "length_km"), "")
    length = r / NAYY_4X150.r_ohm_per_km
    note = "Lengths are missing: each is that of NAYY 4x150 of the same r_ohm."
    return _LineParameters(r, x, 0.0, np.inf, length, note)


def _default_cable_parameters(table: TableFile) -> _LineParameters:
    length = _numbers(table, "length_km")
    cable = NAYY_4X150
    note = (
        f"Every line is assumed to be NAYY 4x150: {cable.r_ohm_per_km:g} + "
        f"j{cable.x_ohm_per_km:g} ohm per km."
    )
    r = cable.r_ohm_per_km * length
    x = cable.x_ohm_per_km * length
    return _LineParameters(r, x, cable.c_nf_per_km * length, cable.max_a, length, note)


_PARAMETER_READERS: dict[tuple[str, ...], Callable[[TableFile], _LineParameters]] = {
    ("length_km", "r_ohm_per_km", "x_ohm_per_km"): _parameters_per_km,
    ("r_ohm", "x_ohm"): _total_parameters,
    ("length_km",): _default_cable_parameters,
}
"""Groups of columns that specify the lines, in the order of their precedence."""


def _numbers(table: TableFile, column: str) -> NDArray[np.float64]:
    """Read the cells of a column as numbers above zero (or at least zero for reactances)."""
    cells = table.frame[column]
    if not pd.api.types.is_numeric_dtype(cells):
        text = cells_as_text(cells)
        # A comma can only be a decimal comma where it does not separate the columns.
        decimal = text.str.replace(",", ".") if table.separator != "," else text
        cells = pd.to_numeric(decimal, errors="coerce")
    value = cells.to_numpy(np.float64)
    invalid = np.flatnonzero(~np.isfinite(value))
    if len(invalid):
        row = int(invalid[0])
        given = cells_as_text(table.frame[column]).iloc[row]
        raise InputError(
            _cell(table, row, column),
            f"{given!r} is not a number",
            "Give a number with a decimal point.",
        )
    may_be_zero = column in _MAY_BE_ZERO
    too_low = np.flatnonzero(value < 0 if may_be_zero else value <= 0)
    if len(too_low):
        row = int(too_low[0])
        minimum = "at least zero" if may_be_zero else "above zero"
        hint = " Merge the two buses if there is no line between them."
        raise InputError(
            _cell(table, row, column),
            f"the value must be {minimum}, got {value[row]:g}",
            f"Give a number {minimum}." + (hint if column == "length_km" else ""),
        )
    return value


def _zones(table: TableFile, buses: list[str], end: list[str]) -> tuple[str, ...]:
    zone: dict[str, str] = {}
    names = cells_as_text(table.frame["zone"])
    for row, (bus, name) in enumerate(zip(end, names, strict=True)):
        if zone.setdefault(bus, name) != name:
            raise InputError(
                _cell(table, row, "zone"),
                f"the line puts {bus!r} in {name!r} after {zone[bus]!r}",
                "Give every bus one zone.",
            )
    return tuple(zone.get(bus) or "substation" for bus in buses)


def _cell(table: TableFile, row: int, column: str) -> str:
    return f"{table.name} {table.row_label(row)} column {column!r}"
