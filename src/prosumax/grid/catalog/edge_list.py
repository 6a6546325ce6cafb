"""A user's own network as a table of lines."""

from collections.abc import Hashable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.data.readers.table_file import Table, as_text, file_key, parse
from prosumax.errors import InputError, did_you_mean
from prosumax.grid.catalog.cables import LV_KV, NAYY_4X150, lines
from prosumax.grid.catalog.layout import parts, tree_layout, tree_of
from prosumax.grid.feeder import Branches, Feeder

_NUMBERS = ("length_km", "r_ohm_per_km", "x_ohm_per_km", "r_ohm", "x_ohm", "max_a", "kv")
_COLUMNS = ("from", "to", *_NUMBERS, "name", "zone", "source")
_MAY_BE_ZERO = ("x_ohm_per_km", "x_ohm")
_EMPTY = ("", "nan", "none", "<na>")
_TRUE, _FALSE = ("1", "true", "yes", "x", "source"), ("0", "false", "no", *_EMPTY)


class _Impedance(NamedTuple):
    r_ohm: NDArray[np.float64]  # of the whole line [line]
    x_ohm: NDArray[np.float64]
    c_nf: float | NDArray[np.float64]
    max_a: float
    length_km: NDArray[np.float64]
    note: str


def edges_feeder(path: Path, where: str = "network") -> Feeder:
    """The network of a table with one row per line.

    Columns: `from` and `to` (names of buses); `length_km` with `r_ohm_per_km` and `x_ohm_per_km`, or `r_ohm` and
    `x_ohm` of the whole line, or `length_km` alone, which stands for NAYY 4x150 cable; where wanted `max_a` (A),
    `name`, `zone` (of the bus `to`), `kv` (line to line, 0.4 when absent) and `source`, with a mark in a row whose
    `from` is the source; without marks the first row's `from` is. Every voltage must be the same: a table has no
    transformers. Homes may be on any bus but the source: the table has no loads.

    Arguments:
        path: CSV, TSV or TXT file (also .gz) or Parquet file.
        where: field that asks, for messages.

    Raises:
        InputError: a column, a row or a cell is not as needed.
    """
    try:
        table = parse(file_key(path))
        _check_columns(table)
        return _feeder(table, path.stem)
    except InputError as error:
        raise InputError(f"{where}.file {error.where}", error.what, error.cure) from None


def _feeder(table: Table, name: str) -> Feeder:
    start, end = _names(table, "from"), _names(table, "to")
    _check_ends(table, start, end)
    buses = list(dict.fromkeys(bus for pair in zip(start, end, strict=True) for bus in pair))
    at = {bus: number for number, bus in enumerate(buses)}
    from_bus, to_bus = (np.array([at[bus] for bus in column], np.int64) for column in (start, end))
    source = at[_source(table, start)]
    kv = _voltage(table)
    wires, notes = _wires(table, start, end, from_bus, to_bus, kv)
    tree = tree_of(len(buses), source, from_bus, to_bus)
    x, y = tree_layout(tree)
    return Feeder(
        name=name,
        buses=tuple(buses),
        base_kv=np.full(len(buses), kv),
        source=source,
        source_pu=1.0,
        branches=wires,
        shunt_pu=np.zeros(len(buses), np.complex128),
        load_kw=np.zeros(len(buses)),
        load_kvar=np.zeros(len(buses)),
        x=x,
        y=y,
        zone=_zones(table, buses, end) if "zone" in table.frame else parts(tree),
        notes=tuple(notes),
    )


def _check_columns(table: Table) -> None:
    for column in ("from", "to"):
        if column not in table.frame:
            raise InputError(
                table.name,
                f"has no column {column!r}",
                f"Name the buses at the ends of each line in the columns from and to. "
                f"Found: {', '.join(map(str, table.frame.columns))}.",
            )
    for column in table.frame.columns:
        if column not in _COLUMNS:
            raise InputError(
                f"{table.name} column {column!r}",
                "is not known",
                did_you_mean(str(column), _COLUMNS),
            )
    if not any(_has(table, *columns) for columns in _WAYS):
        raise InputError(
            table.name,
            "does not say what the lines are like",
            "Give length_km, r_ohm_per_km and x_ohm_per_km; or r_ohm and x_ohm; or length_km alone for NAYY 4x150.",
        )


def _has(table: Table, *columns: str) -> bool:
    return all(column in table.frame for column in columns)


def _names(table: Table, column: str) -> list[str]:
    text = as_text(table.frame[column]).tolist()
    for row, name in enumerate(text):
        if name.lower() in _EMPTY:
            raise InputError(
                _cell(table, row, column), "is empty", "Name the bus at that end of the line."
            )
    return text


def _check_ends(table: Table, start: list[str], end: list[str]) -> None:
    first: dict[Hashable, int] = {}
    for row, (a, b) in enumerate(zip(start, end, strict=True)):
        if a == b:
            raise InputError(
                _cell(table, row, "to"),
                f"the line starts and ends at {a!r}",
                "Connect two different buses.",
            )
        before = first.setdefault(frozenset((a, b)), row)
        if before != row:
            raise InputError(
                f"{table.name} {table.line(row)}",
                f"connects {a!r} and {b!r}, which {table.line(before)} does already",
                "Leave one out; give two lines in parallel as one with half the impedance and twice the max_a.",
            )


def _source(table: Table, start: list[str]) -> str:
    if "source" not in table.frame:
        return start[0]
    marked: set[str] = set()
    for row, text in enumerate(as_text(table.frame["source"]).str.lower()):
        if text not in (*_TRUE, *_FALSE):
            raise InputError(
                _cell(table, row, "source"),
                f"is {text!r}",
                "Mark the source with 1, the rest with 0.",
            )
        if text in _TRUE:
            marked.add(start[row])
    if len(marked) > 1:
        raise InputError(
            f"{table.name} column 'source'",
            f"marks {len(marked)} buses ({', '.join(sorted(marked))})",
            "Mark one.",
        )
    return marked.pop() if marked else start[0]


def _voltage(table: Table) -> float:
    if "kv" not in table.frame:
        return LV_KV
    kv = _numbers(table, "kv")
    other = np.flatnonzero(kv != kv[0])
    if len(other):
        raise InputError(
            _cell(table, int(other[0]), "kv"),
            f"is {kv[other[0]]:g} after {kv[0]:g}",
            "A table of lines has one voltage; networks with transformers can come from pandapower.",
        )
    return float(kv[0])


def _wires(
    table: Table,
    start: list[str],
    end: list[str],
    from_bus: NDArray[np.int64],
    to_bus: NDArray[np.int64],
    kv: float,
) -> tuple[Branches, list[str]]:
    way = next(columns for columns in _WAYS if _has(table, *columns))
    line = _WAYS[way](table)
    max_a = _numbers(table, "max_a") if "max_a" in table.frame else line.max_a
    names = [f"{a} - {b}" for a, b in zip(start, end, strict=True)]
    if "name" in table.frame:
        given = as_text(table.frame["name"]).tolist()
        names = [
            own if own.lower() not in ("", "nan", "none") else name
            for own, name in zip(given, names, strict=True)
        ]
    wires = lines(
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
    return wires, [line.note] if line.note else []


def _per_km(table: Table) -> _Impedance:
    length = _numbers(table, "length_km")
    r, x = (_numbers(table, column) * length for column in ("r_ohm_per_km", "x_ohm_per_km"))
    return _Impedance(r, x, 0.0, np.inf, length, "")


def _whole(table: Table) -> _Impedance:
    r, x = (_numbers(table, column) for column in ("r_ohm", "x_ohm"))
    if "length_km" in table.frame:
        return _Impedance(r, x, 0.0, np.inf, _numbers(table, "length_km"), "")
    length = r / NAYY_4X150.r_ohm_per_km
    return _Impedance(
        r,
        x,
        0.0,
        np.inf,
        length,
        "Lengths are missing: each is that of NAYY 4x150 of the same r_ohm.",
    )


def _usual_cable(table: Table) -> _Impedance:
    length, cable = _numbers(table, "length_km"), NAYY_4X150
    note = f"Every line is taken as NAYY 4x150: {cable.r_ohm_per_km:g} + j{cable.x_ohm_per_km:g} ohm per km."
    r, x = cable.r_ohm_per_km * length, cable.x_ohm_per_km * length
    return _Impedance(r, x, cable.c_nf_per_km * length, cable.max_a, length, note)


_WAYS = {
    ("length_km", "r_ohm_per_km", "x_ohm_per_km"): _per_km,
    ("r_ohm", "x_ohm"): _whole,
    ("length_km",): _usual_cable,
}
"""Columns that say what lines are like, in the order of their precedence."""


def _numbers(table: Table, column: str) -> NDArray[np.float64]:
    """Every cell of a column, above zero."""
    cells = table.frame[column]
    if not pd.api.types.is_numeric_dtype(cells):
        text = as_text(cells)
        # A comma can only be a decimal one where it does not separate the columns.
        cells = pd.to_numeric(
            text.str.replace(",", ".") if table.separator != "," else text, errors="coerce"
        )
    value = cells.to_numpy(np.float64)
    wrong = np.flatnonzero(~np.isfinite(value))
    if len(wrong):
        row = int(wrong[0])
        given = as_text(table.frame[column]).iloc[row]
        raise InputError(
            _cell(table, row, column),
            f"{given!r} is not a number",
            "Write one, with a decimal point.",
        )
    low = np.flatnonzero(value < 0 if column in _MAY_BE_ZERO else value <= 0)
    if len(low):
        row = int(low[0])
        least = "at least zero" if column in _MAY_BE_ZERO else "above zero"
        cure = (
            "Merge the two buses where there is no line between them."
            if column == "length_km"
            else ""
        )
        raise InputError(
            _cell(table, row, column),
            f"is {value[row]:g}",
            f"Give a number {least}. {cure}".rstrip(),
        )
    return value


def _zones(table: Table, buses: list[str], end: list[str]) -> tuple[str, ...]:
    zone: dict[str, str] = {}
    for row, (bus, name) in enumerate(zip(end, as_text(table.frame["zone"]), strict=True)):
        if zone.setdefault(bus, name) != name:
            raise InputError(
                _cell(table, row, "zone"),
                f"puts {bus!r} in {name!r} after {zone[bus]!r}",
                "Give a bus one zone.",
            )
    return tuple(zone.get(bus) or "substation" for bus in buses)


def _cell(table: Table, row: int, column: str) -> str:
    return f"{table.name} {table.line(row)} column {column!r}"
