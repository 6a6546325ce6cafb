"""One meter export: which of its columns and rows are which register of which home."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from prosumax.data.readers.meter_vocabulary import (
    is_end,
    is_id,
    is_left_out,
    is_status,
    meaning,
    plain,
)
from prosumax.data.readers.table_file import (
    Table,
    as_text,
    column_kinds,
    file_key,
    first_true,
    parse,
    read_numbers,
)
from prosumax.data.readers.table_times import in_utc, read_times
from prosumax.errors import InputError

UNITS = ("kWh", "Wh", "MWh", "kW", "W", "MW")
_UNIT_COLUMN = re.compile(r"units?|eenheid|unite|einheit")
_REGISTER_COLUMN = re.compile(
    r"register|richting|sens|direction|richtung|mesure|grootheid|flux|flow"
)
_NUMBERED = re.compile(
    r"(home|house|household|meter|building|ean|woning|huis|compteur|zahler|maison|logement|haus)?"
    r" ?(id|code|nr|no|number)?"
)
_COUNTERS = ("", "index", "nr", "no", "row", "rij", "ligne", "#")
_STATUS = re.compile(r"valid|status|statut|qualit|kwaliteit")
_ESTIMATED = re.compile(r"geschat|estim|geschatz|ersatzwert")
_MOST_REGISTERS = 30  # distinct texts that a column of registers may hold
_FEWEST_READINGS = (
    24  # values that rise without a break before they count as the state of a counter
)


class Reading(NamedTuple):
    """How to read a file where it does not say so itself.

    Attributes:
        unit: of the values; None to read it from names.
        time_zone: of stamps without offset; None for UTC.
        stamps: "start", "end" (of intervals), or "auto".
        net: what would be read as consumption is consumption minus injection.
        readings: values are the states of a counter.
    """

    unit: str | None = None
    time_zone: str | None = "Europe/Brussels"
    stamps: str = "auto"
    net: bool = False
    readings: bool = False


class Register(NamedTuple):
    """One register of one home, as a file has it.

    Attributes:
        home: its name; empty where the file holds one home and does not name it.
        direction: "offtake", "injection", "production" or "net".
        said: what the file calls it.
        unit: of the values, as in `UNITS`.
        table: the file.
        row: position of each value in the table.
        start_s: start of each interval, seconds since 1970 UTC, rising.
        value: in `unit`, NaN where there is none.
        estimated: how many values the file calls estimated.
    """

    home: str
    direction: str
    said: str
    unit: str
    table: Table
    row: np.ndarray
    start_s: np.ndarray
    value: np.ndarray
    estimated: int


class _Part(NamedTuple):
    home: str
    direction: str | None
    total: bool
    said: str
    unit: str | None
    rows: np.ndarray
    column: str


def read_meter_file(path: Path, how: Reading) -> tuple[list[Register], list[str]]:
    """Every register in a file, and notes on how the file was read.

    Raises:
        InputError: the file, a time, a cell, a unit or a register is not understood; with its line.
    """
    key = file_key(path)
    table, kinds = parse(key), column_kinds(key)
    stamps, time_names, notes = read_times(key, None)
    parts, more = _parts(table, kinds, time_names)
    told = [*notes, *more]
    ends = how.stamps == "end" or (how.stamps == "auto" and is_end(time_names[0]))
    if how.stamps == "auto" and not ends and _seems_ended(stamps):
        ends = True
        told.append(
            "times mark the end of their interval: the first is one step after midnight and the last midnight"
        )
    elif ends:
        told.append(f"times mark the end of their interval (column {time_names[0]!r})")
    status = next(
        (name for name in kinds if _STATUS.search(plain(name)) and kinds[name] == "text"), None
    )
    found = []
    for part in parts:
        unit = _unit(table, part, how)
        value = read_numbers(table, part.rows, part.column, signed=True)
        row, start_s, value = in_utc(table, part.rows, stamps[part.rows], value, how.time_zone)
        if len(start_s) < 2 or np.isnan(value).all():
            raise InputError(
                table.name, f"{part.said!r} has fewer than two values", "Give one row per step."
            )
        if ends:
            steps, counts = np.unique(np.diff(start_s), return_counts=True)
            start_s = start_s - int(steps[counts.argmax()])
        value = _differences(table, part.said, row, value, how)
        row, start_s = row[: len(value)], start_s[: len(value)]
        estimated = 0
        if status is not None:
            texts = as_text(table.frame[status].iloc[row]).str.lower()
            estimated = int(texts.str.contains(_ESTIMATED).sum())
        direction = part.direction or "offtake"
        direction = "net" if how.net and direction == "offtake" else direction
        found.append(
            Register(part.home, direction, part.said, unit, table, row, start_s, value, estimated)
        )
    return found, [f"{table.name}: {note}" for note in dict.fromkeys(told)]


def _parts(
    table: Table, kinds: dict[str, str], time_names: tuple[str, ...]
) -> tuple[list[_Part], list[str]]:
    """Cut the table into registers by column, by the text of a register column, and by home."""
    notes: list[str] = []
    frame = table.frame
    others = [
        name for name in kinds if name not in time_names and kinds[name] not in ("time", "clock")
    ]
    unit_column = next((name for name in others if _UNIT_COLUMN.fullmatch(plain(name))), None)
    others = [name for name in others if name != unit_column]
    rows, left = _energy_rows(table, unit_column)
    notes += left
    texts = [name for name in others if kinds[name] == "text"]
    register_column = next((name for name in texts if _holds_registers(frame[name], name)), None)
    ids = _id_columns(table, kinds, [name for name in others if name != register_column], rows)
    values, more = _value_columns(table, kinds, [name for name in others if name not in ids])
    notes += more
    groups = _groups(table, rows, ids[:1], register_column)
    parts = []
    for (home, register), at in groups:
        for column in values:
            said = meaning(column)
            of_register = None if register is None else meaning(register)
            unit = (
                _unit_of_rows(table, unit_column, at)
                or said.unit
                or (of_register.unit if of_register else None)
            )
            direction = (of_register.direction if of_register else None) or said.direction
            total = said.total or bool(of_register and of_register.total)
            label = home or said.label
            if home and len(values) > 1 and said.label and said.direction is None:
                label = f"{home} {said.label}"
            parts.append(_Part(label, direction, total, register or column, unit, at, column))
    kept = [part for part in parts if not (part.total and _has_detail(part, parts))]
    notes += [
        f"{part.said!r} is left out: its parts are there" for part in parts if part not in kept
    ]
    return kept, notes


def _energy_rows(table: Table, unit_column: str | None) -> tuple[np.ndarray, list[str]]:
    """Rows in a unit of active energy; exports of gas and reactive energy stand in other ones."""
    rows = np.arange(len(table.frame))
    if unit_column is None:
        return rows, []
    units = _each(as_text(table.frame[unit_column]), plain).to_numpy()
    known = np.isin(units, [unit.lower() for unit in UNITS])
    # A word that is no unit of anything is a mistake; m3 and kvarh are other things.
    foreign = np.isin(units, ["m3", "kvarh", "kvar", "nm3", "l", ""])
    if (at := first_true(~known & ~foreign)) is not None:
        what = f"the unit {table.frame[unit_column].iloc[at]!r} is not understood"
        raise InputError(
            f"{table.name} {table.line(at)}", what, f"Write one of {', '.join(UNITS)}."
        )
    if not known.any():
        what = f"holds no electrical energy: every row is in {', '.join(sorted(set(units)))}"
        raise InputError(f"{table.name} {table.line(0)}", what, "Export electricity, in kWh.")
    dropped = sorted(set(units[~known]))
    notes = (
        [f"{int((~known).sum()):,} rows in {', '.join(dropped) or 'no unit'} are left out"]
        if dropped
        else []
    )
    return rows[known], notes


def _holds_registers(cells: pd.Series, name: str) -> bool:
    distinct = [text for text in as_text(cells).unique() if text]
    if not distinct or len(distinct) > _MOST_REGISTERS or is_status(name):
        return False
    understood = [meaning(text).direction is not None for text in distinct]
    return all(understood) or (any(understood) and bool(_REGISTER_COLUMN.search(plain(name))))


def _id_columns(
    table: Table, kinds: dict[str, str], names: list[str], rows: np.ndarray
) -> list[str]:
    """Columns that name homes or meters; those that tell several apart come first."""
    found = []
    for name in names:
        if kinds[name] == "number":
            sure = bool(_NUMBERED.fullmatch(plain(name))) and plain(name) not in _COUNTERS
            if (
                not (sure or re.search(r"\bean\b|point|toegangs", plain(name)))
                or meaning(name).unit
            ):
                continue
        elif kinds[name] != "text" or not is_id(name) or is_status(name):
            continue
        found.append((name, as_text(table.frame[name].iloc[rows]).nunique()))
    if not found:  # any text that repeats with the times
        for name in names:
            if (
                kinds[name] == "text"
                and not is_status(name)
                and _UNIT_COLUMN.fullmatch(plain(name)) is None
            ):
                count = as_text(table.frame[name].iloc[rows]).nunique()
                if 1 < count <= len(rows) // 2:
                    found.append((name, count))
    # An EAN is the connection; the meter behind it may be replaced.
    found.sort(key=lambda entry: (entry[1] <= 1, "ean" not in plain(entry[0])))
    return [name for name, _ in found]


def _value_columns(
    table: Table, kinds: dict[str, str], names: Iterable[str]
) -> tuple[list[str], list[str]]:
    numbers = [name for name in names if kinds[name] == "number"]
    numbers = [
        name for name in numbers if plain(name) not in _COUNTERS and not name.startswith("Unnamed:")
    ]
    energy = [
        name
        for name in numbers
        if not is_left_out(name) and meaning(name).unit not in ("kvarh", "kvar", "m3")
    ]
    said = [name for name in energy if meaning(name).unit or meaning(name).direction]
    kept = said if said and len(said) < len(energy) else energy
    if not kept:
        what = f"there is no column with numbers of energy or power; the columns are {', '.join(kinds)}"
        raise InputError(
            table.name,
            what,
            "Name it such as consumption_kwh, `Afname (kWh)`, `Prélèvement (kWh)`.",
        )
    dropped = [name for name in numbers if name not in kept]
    return kept, [f"columns {', '.join(dropped)} are left out"] if dropped else []


def _groups(
    table: Table, rows: np.ndarray, ids: list[str], register_column: str | None
) -> list[tuple[tuple[str, str | None], np.ndarray]]:
    """Rows of every home and register: ((home, register), positions)."""
    home = (
        _each(as_text(table.frame[ids[0]].iloc[rows]), _clean_id)
        if ids
        else pd.Series("", index=range(len(rows)))
    )
    register = as_text(table.frame[register_column].iloc[rows]) if register_column else None
    if register is not None:
        unknown = _each(register, lambda text: meaning(text).direction is None).to_numpy()
        if (at := first_true(unknown)) is not None:
            what = f"the register {register.iloc[at]!r} is not understood"
            cure = "Call it after what it measures (Afname Dag, Injection, Bezug ..), or remove its rows."
            raise InputError(f"{table.name} {table.line(rows[at])}", what, cure)
    keys = pd.DataFrame(
        {"home": np.asarray(home), "register": "" if register is None else np.asarray(register)}
    )
    number = keys.groupby(["home", "register"], sort=False).ngroup().to_numpy()
    first = np.unique(number, return_index=True)[1]
    names = [(str(keys["home"].iloc[at]), str(keys["register"].iloc[at]) or None) for at in first]
    return [(name, rows[number == group]) for group, name in enumerate(names)]


def _each(texts: pd.Series, function: Callable[[str], Any]) -> pd.Series:
    """A function of every text, worked out once for each text that there is."""
    return texts.map({text: function(text) for text in texts.unique()})


def _clean_id(text: str) -> str:
    """Spreadsheets protect long numbers as =\"...\"."""
    return text.strip("=\"' ")[:80]


def _has_detail(part: _Part, parts: list[_Part]) -> bool:
    same = [
        other for other in parts if (other.home, other.direction) == (part.home, part.direction)
    ]
    return any(not other.total for other in same)


def _unit_of_rows(table: Table, unit_column: str | None, rows: np.ndarray) -> str | None:
    if unit_column is None:
        return None
    units = _each(as_text(table.frame[unit_column].iloc[rows]), plain)
    if units.nunique() > 1:
        at = int(np.argmax(units.to_numpy() != units.iloc[0]))
        what = f"the unit changes from {units.iloc[0]} to {units.iloc[at]} within one register"
        raise InputError(
            f"{table.name} {table.line(rows[at])}", what, "Write one register in one unit."
        )
    return str(units.iloc[0])


def _unit(table: Table, part: _Part, how: Reading) -> str:
    given = how.unit or part.unit
    if given is None:
        what = f"the unit of {part.said!r} is unknown"
        raise InputError(
            f"{table.name} {table.line(0)}", what, f"Add --unit with one of {', '.join(UNITS)}."
        )
    known = next((unit for unit in UNITS if unit.lower() == given.lower()), None)
    if known is None:
        raise InputError("--unit", f"{given!r} is not known", f"Give one of {', '.join(UNITS)}.")
    return known


def _differences(
    table: Table, said: str, row: np.ndarray, value: np.ndarray, how: Reading
) -> np.ndarray:
    """Values per step; the state of a counter becomes its differences, if the user says that it is one."""
    change = np.diff(value)
    if not how.readings:
        moving = change[~np.isnan(change)]
        rising = (
            len(moving) >= _FEWEST_READINGS and (moving >= 0).all() and (moving > 0).mean() > 0.5
        )
        if rising:
            what = f"{said!r} only ever rises ({value[0]:g}, {value[1]:g}, ..): states of a counter, not energy per step"
            raise InputError(
                f"{table.name} {table.line(row[0])}",
                what,
                "Add --readings to take the differences.",
            )
        return value
    if (at := first_true(change < 0)) is not None:
        what = f"the counter {said!r} falls from {value[at]:g} to {value[at + 1]:g}"
        raise InputError(
            f"{table.name} {table.line(row[at + 1])}",
            what,
            "Correct the value, or split the file there.",
        )
    return change  # the last state opens no step


def _seems_ended(stamps: pd.DatetimeIndex) -> bool:
    """Whether the first time is one step after midnight, and the last one midnight, as ends of whole days are."""
    if stamps.tz is not None or len(stamps) < 3:
        return False
    distinct = stamps.unique().sort_values()
    steps, counts = np.unique(np.diff(distinct.asi8), return_counts=True)
    step = pd.Timedelta(int(steps[counts.argmax()]), unit="ns")
    first, last = distinct[0] - step, distinct[-1]
    return first == first.normalize() and last == last.normalize() and step < pd.Timedelta(hours=2)
