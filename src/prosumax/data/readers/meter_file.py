"""One meter export: assignment of its columns and rows to the registers of homes."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import NDArray

from prosumax.data.readers.meter_vocabulary import (
    is_id_column,
    is_interval_end,
    is_not_energy,
    is_status_column,
    normalize_name,
    parse_name,
)
from prosumax.data.readers.table_file import (
    TableFile,
    cells_as_text,
    column_kinds,
    file_version,
    first_true,
    parse_table,
    read_numbers,
)
from prosumax.data.readers.table_times import read_times, to_utc
from prosumax.errors import InputError

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

METER_UNITS = ("kWh", "Wh", "MWh", "kW", "W", "MW")
"""Supported units of energy per step and of mean power."""

_UNIT_COLUMN = re.compile(r"units?|eenheid|unite|einheit")
_REGISTER_COLUMN = re.compile(
    r"register|richting|sens|direction|richtung|mesure|grootheid|flux|flow"
)
_NUMBERED_ID = re.compile(
    r"(home|house|household|meter|building|ean|woning|huis|compteur|zahler|maison|logement|haus)?"
    r" ?(id|code|nr|no|number)?"
)
_ROW_NUMBERS = ("", "index", "nr", "no", "row", "rij", "ligne", "#")
_STATUS = re.compile(r"valid|status|statut|qualit|kwaliteit")
_ESTIMATED = re.compile(r"geschat|estim|geschatz|ersatzwert")
_OTHER_UNITS = ("m3", "kvarh", "kvar", "nm3", "l", "")
_MAX_REGISTERS = 30  # Distinct texts that a register column may hold.
# Values that must rise without a break before they are taken for cumulative readings.
_MIN_CUMULATIVE_READINGS = 24
_MAX_LABEL_LENGTH = 80


class MeterReadOptions(NamedTuple):
    """Facts about a meter export that the file does not state itself.

    Attributes:
        unit: Unit of the values; taken from names if None.
        time_zone: IANA name of the time zone of times without offset; None for UTC.
        timestamps: Whether times mark the `start` or the `end` of intervals, or `auto`.
        net: Whether consumption columns hold consumption minus injection.
        cumulative: Whether the values are cumulative meter readings.
    """

    unit: str | None = None
    time_zone: str | None = "Europe/Brussels"
    timestamps: str = "auto"
    net: bool = False
    cumulative: bool = False


class Register(NamedTuple):
    """One register of one home, as a file holds it.

    Attributes:
        home: Name of the home; empty if the file holds one home and does not name it.
        direction: `offtake`, `injection`, `production` or `net`.
        source_label: Name of the column or register in the file.
        unit: Unit of the values, one of `METER_UNITS`.
        table: Parsed file.
        row: Position of each value in the table.
        start_s: Start of each interval, s since 1970 UTC, increasing.
        value: Values in `unit`; NaN where there is none.
        estimated_count: Number of values that the file marks as estimated.
    """

    home: str
    direction: str
    source_label: str
    unit: str
    table: TableFile
    row: Int[Ints, " value"]
    start_s: Int[Ints, " value"]
    value: Float[Array, " value"]
    estimated_count: int


class _RegisterCells(NamedTuple):
    """The cells of one register: some rows of one column."""

    home: str
    direction: str | None
    is_total: bool
    source_label: str
    unit: str | None
    rows: Ints
    column: str


def read_meter_file(path: Path, options: MeterReadOptions) -> tuple[list[Register], list[str]]:
    """Read every register in a meter export.

    Args:
        path: CSV, TSV or TXT file (also .gz), or Parquet.
        options: Facts that the file does not state.

    Returns:
        The registers, and notes on how the file was read.

    Raises:
        InputError: The file, a time, a cell, a unit or a register cannot be interpreted.
    """
    version = file_version(path)
    table = parse_table(version)
    kinds = column_kinds(version)
    times, time_columns, time_notes = read_times(version, None)
    parts, part_notes = _split_registers(table, kinds, time_columns)
    notes = [*time_notes, *part_notes]
    ends = options.timestamps == "end"
    if options.timestamps == "auto":
        ends = is_interval_end(time_columns[0])
    if options.timestamps == "auto" and not ends and _looks_like_interval_ends(times):
        ends = True
        notes.append(
            "times mark the end of their interval: the first is one step after midnight and the "
            "last is midnight"
        )
    elif ends:
        notes.append(f"times mark the end of their interval (column {time_columns[0]!r})")
    status_columns = (
        name for name in kinds if _STATUS.search(normalize_name(name)) and kinds[name] == "text"
    )
    status_column = next(status_columns, None)
    registers = [_read_register(table, part, times, ends, status_column, options) for part in parts]
    return registers, [f"{table.name}: {note}" for note in dict.fromkeys(notes)]


def _read_register(
    table: TableFile,
    part: _RegisterCells,
    times: pd.DatetimeIndex,
    ends: bool,
    status_column: str | None,
    options: MeterReadOptions,
) -> Register:
    unit = _resolve_unit(table, part, options)
    value = read_numbers(table, part.rows, part.column, signed=True)
    row, start_s, value = to_utc(table, part.rows, times[part.rows], value, options.time_zone)
    if len(start_s) < 2 or np.isnan(value).all():
        raise InputError(
            table.name,
            f"{part.source_label!r} has fewer than two values",
            "Provide one row per time step.",
        )
    if ends:
        steps, counts = np.unique(np.diff(start_s), return_counts=True)
        start_s = start_s - int(steps[counts.argmax()])
    value = _energy_per_step(table, part.source_label, row, value, options)
    row = row[: len(value)]
    start_s = start_s[: len(value)]
    estimated_count = 0
    if status_column is not None:
        status = cells_as_text(table.frame[status_column].iloc[row]).str.lower()
        estimated_count = int(status.str.contains(_ESTIMATED).sum())
    direction = part.direction or "offtake"
    if options.net and direction == "offtake":
        direction = "net"
    return Register(
        home=part.home,
        direction=direction,
        source_label=part.source_label,
        unit=unit,
        table=table,
        row=row,
        start_s=start_s,
        value=value,
        estimated_count=estimated_count,
    )


def _split_registers(
    table: TableFile, kinds: dict[str, str], time_columns: tuple[str, ...]
) -> tuple[list[_RegisterCells], list[str]]:
    """Split the table into registers by column, by the text of a register column, and by home."""
    others = [
        name for name in kinds if name not in time_columns and kinds[name] not in ("time", "clock")
    ]
    unit_columns = (name for name in others if _UNIT_COLUMN.fullmatch(normalize_name(name)))
    unit_column = next(unit_columns, None)
    others = [name for name in others if name != unit_column]
    rows, row_notes = _energy_rows(table, unit_column)
    texts = [name for name in others if kinds[name] == "text"]
    register_columns = (name for name in texts if _holds_registers(table.frame[name], name))
    register_column = next(register_columns, None)
    candidates = [name for name in others if name != register_column]
    ids = _id_columns(table, kinds, candidates, rows)
    values, value_notes = _value_columns(table, kinds, [n for n in others if n not in ids])
    parts = []
    for (home, register), group_rows in _group_rows(table, rows, ids[:1], register_column):
        of_register = parse_name(register or "")
        row_unit = _unit_of_rows(table, unit_column, group_rows)
        for column in values:
            of_column = parse_name(column)
            label = home or of_column.label
            if home and len(values) > 1 and of_column.label and of_column.direction is None:
                label = f"{home} {of_column.label}"
            part = _RegisterCells(
                home=label,
                direction=of_register.direction or of_column.direction,
                is_total=of_column.is_total or of_register.is_total,
                source_label=register or column,
                unit=row_unit or of_column.unit or of_register.unit,
                rows=group_rows,
                column=column,
            )
            parts.append(part)
    kept = []
    total_notes = []
    for part in parts:
        if part.is_total and _has_parts(part, parts):
            note = f"the total {part.source_label!r} is ignored because its parts are present"
            total_notes.append(note)
        else:
            kept.append(part)
    return kept, [*row_notes, *value_notes, *total_notes]


def _energy_rows(table: TableFile, unit_column: str | None) -> tuple[Ints, list[str]]:
    """Select the rows of active energy; exports also hold rows of gas and reactive energy."""
    rows = np.arange(len(table.frame))
    if unit_column is None:
        return rows, []
    units = _map_distinct(cells_as_text(table.frame[unit_column]), normalize_name).to_numpy()
    is_energy = np.isin(units, [unit.lower() for unit in METER_UNITS])
    is_other = np.isin(units, _OTHER_UNITS)
    if (at := first_true(~is_energy & ~is_other)) is not None:
        raise InputError(
            f"{table.name} {table.row_label(at)}",
            f"the unit {table.frame[unit_column].iloc[at]!r} is not supported",
            f"Write one of {', '.join(METER_UNITS)}.",
        )
    if not is_energy.any():
        raise InputError(
            f"{table.name} {table.row_label(0)}",
            f"the file has no electrical energy: every row is in {', '.join(sorted(set(units)))}",
            "Export electricity, in kWh.",
        )
    ignored = sorted(set(units[~is_energy]))
    if not ignored:
        return rows, []
    count = int((~is_energy).sum())
    return rows[is_energy], [f"{count:,} rows in {', '.join(ignored) or 'no unit'} are ignored"]


def _holds_registers(cells: "pd.Series[str]", name: str) -> bool:
    distinct = [text for text in cells_as_text(cells).unique() if text]
    if not distinct or len(distinct) > _MAX_REGISTERS or is_status_column(name):
        return False
    known = [parse_name(text).direction is not None for text in distinct]
    return all(known) or (any(known) and bool(_REGISTER_COLUMN.search(normalize_name(name))))


def _id_columns(table: TableFile, kinds: dict[str, str], names: list[str], rows: Ints) -> list[str]:
    """List the columns that identify homes or meters, those with several ids first."""
    columns = [
        (name, cells_as_text(table.frame[name].iloc[rows]).nunique())
        for name in names
        if _is_identifier(name, kinds[name])
    ]
    if not columns:  # Fall back to any text that repeats with the times.
        for name in names:
            is_unit = _UNIT_COLUMN.fullmatch(normalize_name(name)) is not None
            if kinds[name] == "text" and not is_status_column(name) and not is_unit:
                count = cells_as_text(table.frame[name].iloc[rows]).nunique()
                if 1 < count <= len(rows) // 2:
                    columns.append((name, count))
    # An EAN code identifies the connection; the meter behind it may be replaced.
    columns.sort(key=lambda entry: (entry[1] <= 1, "ean" not in normalize_name(entry[0])))
    return [name for name, _ in columns]


def _is_identifier(name: str, kind: str) -> bool:
    normalized = normalize_name(name)
    if kind == "number":
        is_numbered = bool(_NUMBERED_ID.fullmatch(normalized)) and normalized not in _ROW_NUMBERS
        is_connection = bool(re.search(r"\bean\b|point|toegangs", normalized))
        return (is_numbered or is_connection) and not parse_name(name).unit
    return kind == "text" and is_id_column(name) and not is_status_column(name)


def _value_columns(
    table: TableFile, kinds: dict[str, str], names: Iterable[str]
) -> tuple[list[str], list[str]]:
    """Select the columns of energy or power, and note the numeric columns that are ignored."""
    numbers = [
        name
        for name in names
        if kinds[name] == "number"
        and normalize_name(name) not in _ROW_NUMBERS
        and not name.startswith("Unnamed:")
    ]
    energy = [
        name
        for name in numbers
        if not is_not_energy(name) and parse_name(name).unit not in ("kvarh", "kvar", "m3")
    ]
    explicit = [name for name in energy if parse_name(name).unit or parse_name(name).direction]
    kept = explicit or energy
    if not kept:
        raise InputError(
            table.name,
            f"there is no column with numbers of energy or power; the columns are "
            f"{', '.join(kinds)}",
            "Name it such as consumption_kwh, `Afname (kWh)`, `Prélèvement (kWh)`.",
        )
    ignored = [name for name in numbers if name not in kept]
    return kept, [f"columns {', '.join(ignored)} are ignored"] if ignored else []


def _group_rows(
    table: TableFile, rows: Ints, ids: list[str], register_column: str | None
) -> list[tuple[tuple[str, str | None], Ints]]:
    """Group the rows by home and register: ((home, register), positions)."""
    home = pd.Series("", index=range(len(rows)))
    if ids:
        home = _map_distinct(cells_as_text(table.frame[ids[0]].iloc[rows]), _clean_id)
    register = pd.Series("", index=range(len(rows)))
    if register_column:
        register = cells_as_text(table.frame[register_column].iloc[rows])
        unknown = _map_distinct(register, lambda text: parse_name(text).direction is None)
        if (at := first_true(unknown.to_numpy())) is not None:
            raise InputError(
                f"{table.name} {table.row_label(rows[at])}",
                f"the register {register.iloc[at]!r} is not recognized",
                "Name it after the quantity it measures (Afname Dag, Injection, Bezug ..), or "
                "remove its rows.",
            )
    keys = pd.DataFrame({"home": np.asarray(home), "register": np.asarray(register)})
    number = keys.groupby(["home", "register"], sort=False).ngroup().to_numpy()
    first = np.unique(number, return_index=True)[1]
    names = [(str(keys["home"].iloc[at]), str(keys["register"].iloc[at]) or None) for at in first]
    return [(name, rows[number == group]) for group, name in enumerate(names)]


def _map_distinct(
    texts: "pd.Series[str]", function: Callable[[str], str | bool]
) -> "pd.Series[str]":
    """Apply a function to every text, computed once per distinct text."""
    return texts.map({text: function(text) for text in texts.unique()})


def _clean_id(text: str) -> str:
    """Remove the ="..." with which spreadsheets protect long numbers."""
    return text.strip("=\"' ")[:_MAX_LABEL_LENGTH]


def _has_parts(part: _RegisterCells, parts: list[_RegisterCells]) -> bool:
    return any(
        not other.is_total
        for other in parts
        if (other.home, other.direction) == (part.home, part.direction)
    )


def _unit_of_rows(table: TableFile, unit_column: str | None, rows: Ints) -> str | None:
    if unit_column is None:
        return None
    units = _map_distinct(cells_as_text(table.frame[unit_column].iloc[rows]), normalize_name)
    if units.nunique() > 1:
        at = int(np.argmax(units.to_numpy() != units.iloc[0]))
        raise InputError(
            f"{table.name} {table.row_label(rows[at])}",
            f"the unit changes from {units.iloc[0]} to {units.iloc[at]} within one register",
            "Write each register in one unit.",
        )
    return str(units.iloc[0])


def _resolve_unit(table: TableFile, part: _RegisterCells, options: MeterReadOptions) -> str:
    stated = options.unit or part.unit
    if stated is None:
        raise InputError(
            f"{table.name} {table.row_label(0)}",
            f"the unit of {part.source_label!r} is unknown",
            f"Add --unit with one of {', '.join(METER_UNITS)}.",
        )
    unit = next((unit for unit in METER_UNITS if unit.lower() == stated.lower()), None)
    if unit is None:
        raise InputError(
            "--unit",
            f"the unit {stated!r} is not supported",
            f"Use one of {', '.join(METER_UNITS)}.",
        )
    return unit


def _energy_per_step(
    table: TableFile, label: str, row: Ints, value: Array, options: MeterReadOptions
) -> Float[Array, " value"]:
    """Return the values per step; cumulative readings become differences if the options say so."""
    change = np.diff(value)
    if not options.cumulative:
        known = change[~np.isnan(change)]
        enough = len(known) >= _MIN_CUMULATIVE_READINGS
        if enough and (known >= 0).all() and (known > 0).mean() > 0.5:
            raise InputError(
                f"{table.name} {table.row_label(row[0])}",
                f"{label!r} never decreases ({value[0]:g}, {value[1]:g}, ..), as cumulative meter "
                "readings do; energy per step is expected",
                "Add --cumulative to use the differences of the readings.",
            )
        return value
    if (at := first_true(change < 0)) is not None:
        raise InputError(
            f"{table.name} {table.row_label(row[at + 1])}",
            f"the cumulative reading {label!r} decreases from {value[at]:g} to {value[at + 1]:g}",
            "Correct the value, or split the file at this line.",
        )
    return change  # The last reading starts no step.


def _looks_like_interval_ends(times: pd.DatetimeIndex) -> bool:
    """Check if the first time is one step after midnight and the last one is midnight."""
    if times.tz is not None or len(times) < 3:
        return False
    distinct = times.unique().sort_values()
    steps, counts = np.unique(np.diff(distinct.asi8), return_counts=True)
    step = pd.Timedelta(int(steps[counts.argmax()]), unit="ns")
    first = distinct[0] - step
    last = distinct[-1]
    whole_days = first == first.normalize() and last == last.normalize()
    return bool(whole_days and step < pd.Timedelta(hours=2))
