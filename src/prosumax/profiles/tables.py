"""User tables (CSV, Parquet) become step series on the simulated clock; a doubtful cell is an error, not a guess."""

import csv
import gzip
import io
import re
import warnings
import zlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from prosumax.errors import InputError, did_you_mean

_DAY_S = 24 * 3600  # also the longest gap that is interpolated
_IMPLAUSIBLE_KW = 200.0
_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".parquet")
_EMPTY = ("", "na", "n/a", "nan", "<na>", "nat", "null", "none", "-", "n/e")
_CLOCK = r"(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2}(?:\.\d+)?))?"
_DATE = r"(?:(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})|(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<c>\d{4}))"
_STAMP = rf"{_DATE}(?:(?:T|\s+){_CLOCK}\s*(?P<zone>[Zz]|[+-]\d{{2}}(?::?\d{{2}})?)?)?"
_NUMBER = r"[-+]?[\d.,]*\d[\d.,]*(?:[eE][-+]?\d+)?"
# Half the cells suffice for a number column: a stray text in it then gets an error with its line number.
_KINDS = {"time": (_STAMP, 0.95), "clock": (_CLOCK, 0.95), "number": (_NUMBER, 0.5)}
_TIME_NAME = re.compile(r"(utc[\W_]?)?(time|timestamp|datetime|date|datum|van|from|start)([\W_]|$)", re.IGNORECASE)
# Numeric columns of a long table that hold ids rather than values: EAN codes, home numbers.
_ID_NAME = re.compile(
    r"(home|house|household|meter|building|ean|woning|huis)?[-_ ]?(id|code|nr|number)?", re.IGNORECASE
)
_UNIT_COLUMN = re.compile(r"units?|eenheid|unité|einheit", re.IGNORECASE)
_UNIT_SUFFIX = re.compile(r"(?:^|[\W_])(kwh|wh|kw|w)\W*$", re.IGNORECASE)

_FileKey = tuple[str, int, int]


class _Table(NamedTuple):
    """A parsed file; `frame`'s index counts the file's rows from 0."""

    name: str
    frame: pd.DataFrame
    separator: str  # empty for Parquet

    def line(self, row: int) -> str:
        """The place of a row, given by its position in `frame`, as the user counts it."""
        number = int(self.frame.index[row])
        return f"line {number + 2}" if self.separator else f"row {number + 1}"


class _Grid(NamedTuple):
    """One series on the table's own equally spaced clock, from a day before the period to a day after it."""

    start_s: np.ndarray  # starts of the table's steps, seconds since 1970 UTC
    value: np.ndarray  # NaN where the table has none
    row: np.ndarray  # position in the frame, -1 where the table has no row
    in_table: np.ndarray  # between the table's first and last stamp
    in_period: np.ndarray  # overlaps the simulated period
    step_s: int


def read_table(
    path: str | Path,
    index: pd.DatetimeIndex,
    *,
    column: str | None = None,
    id_column: str | None = None,
    value_column: str | None = None,
    time_column: str | None = None,
    unit: str | None = None,
    time_zone: str | None = "Europe/Brussels",
    fill: str = "none",
    quantity: str = "energy",
    where: str = "load",
) -> tuple[np.ndarray, list[str]]:
    """One series of a wide table (a column per home) or a long one (time, id, value), on the simulation's steps.

    Stamps mark the start of an interval. A finer table is added up (energy) or averaged (rate); a coarser one is
    spread evenly.

    Arguments:
        path: CSV, TSV or TXT file (also .gz; separator and decimal sign are recognised) or Parquet file.
        index: [steps] UTC starts of the simulated steps, equally spaced, at least two.
        column: the column (wide) or the id (long); may stay out when the table holds one series.
        id_column, value_column: columns of a long table; recognised when left out.
        time_column: the column with the times; recognised when left out. A separate clock column is joined to it.
        unit: "kWh", "Wh", "kW" or "W" in any case (a power is the mean over the table's step); when left out, the
            column name (`home_1_kwh`, `Load [kW]`) or a unit column tells. Unused for a rate.
        time_zone: zone of stamps without offset, summer time included; None when they are UTC.
        fill: "none" (a gap is an error), "interpolate" (linear, up to 24 h; at the table's edge the nearest value
            repeats) or "zero".
        quantity: "energy" (never negative) or "rate" (a price, a carbon intensity).
        where: the scenario field that names this table, for messages.

    Returns:
        [steps] kWh per step, or the step mean of a rate; and notes on how the table was read and what was filled.

    Raises:
        InputError: the file, a column, a cell, the unit or the covered period is not as needed.
    """
    try:
        for option, given, allowed in (
            ("fill", fill, ("none", "interpolate", "zero")),
            ("quantity", quantity, ("energy", "rate")),
        ):
            if given not in allowed:
                raise InputError(option, f"{given!r} is not known", did_you_mean(str(given), allowed))
        key = _file_key(Path(path))
        table = _parse(key)
        stamps, time_names, notes = _times(key, time_column)
        rows, name, label = _choose(key, column, id_column, value_column, time_names, stamps)
        value = _numbers(table, rows, name, signed=quantity == "rate")
        in_order = _in_utc(table, rows, stamps[rows], value, time_zone)
        zone = time_zone or "UTC"
        grid = _on_grid(table, *in_order, index, zone)
        unit_name, factor = ("rate", 1.0) if quantity == "rate" else _unit(table, rows, name, unit, grid.step_s)
        filled, fill_notes = _fill(table, label, grid, fill, zone)
        series, step_notes = _resample(grid, filled * factor, index, quantity)
        if quantity == "energy":
            step_notes += _plausibility(table, grid, factor)
        clock = zone if stamps.tz is None else "offsets given"
        understood = f"read as {unit_name} per {_minutes(grid.step_s)}, times from {' + '.join(time_names)} ({clock})"
        prefix = f"{table.name} column {label!r}"
        return series, [f"{prefix}: {note}" for note in (understood, *notes, *step_notes, *fill_notes)]
    except InputError as error:
        raise InputError(f"{where}: {error.where}", error.what, error.cure) from None


def _file_key(path: Path) -> _FileKey:
    """One version of one file: homes that share it then parse it once."""
    if not path.name.lower().endswith(_ENDINGS):
        raise InputError(path.name, "this kind of file is not understood", f"Save it as {', '.join(_ENDINGS)}.")
    if not path.is_file():
        folder = path.parent.iterdir() if path.parent.is_dir() else ()
        tables = [other.name for other in folder if other.name.lower().endswith(_ENDINGS)]
        cure = did_you_mean(path.name, tables).replace("Allowed:", "Tables in that folder:")
        raise InputError(path.name, f"there is no such file in {path.parent}", cure or "Correct the path.")
    stat = path.stat()
    return str(path.resolve()), stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=4)
def _parse(key: _FileKey) -> _Table:
    path = Path(key[0])
    try:
        raw = path.read_bytes()
        if path.suffix.lower() == ".parquet":
            frame, separator = pd.read_parquet(io.BytesIO(raw)), ""
            frame = (frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()).rename(columns=str)
        else:
            frame, separator = _parse_text(path.name, gzip.decompress(raw) if path.suffix.lower() == ".gz" else raw)
    except InputError:
        raise
    except (OSError, EOFError, ValueError, zlib.error) as error:  # pyarrow's errors are among these
        raise InputError(path.name, f"the file cannot be read ({error})", "Write the file again.") from None
    if frame.empty:
        raise InputError(path.name, "the file holds no rows", "Give a header and one row per step.")
    return _Table(path.name, frame, separator)


def _parse_text(file_name: str, raw: bytes) -> tuple[pd.DataFrame, str]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    if not text.strip():
        raise InputError(file_name, "the file is empty", "Give a header and one row per step.")
    headers = {separator: next(csv.reader([text.split("\n", 1)[0]], delimiter=separator), []) for separator in "\t;,"}
    separator = max(headers, key=lambda candidate: len(headers[candidate]))
    names = [name.strip() for name in headers[separator]]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{file_name} line 1", f"two columns are called {twice!r}", "Give each column its own name.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # Everything stays text: guessed types turn the id "007" into 7 and hide which cell is not a number.
            frame = pd.read_csv(
                io.StringIO(text), sep=separator, dtype=str, na_filter=False, skip_blank_lines=False, index_col=False
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        line = re.search(r"in( line \d+)", str(error))
        cure = "Quote decimal commas in a comma-separated file, or separate the columns with ';'."
        what = f"the cells of a row do not fit the {len(names)} columns of the header"
        raise InputError(file_name + (line[1] if line else ""), what, cure) from None
    frame.columns = frame.columns.str.strip()
    perhaps_blank = frame[frame.iloc[:, 0].str.strip() == ""]
    return frame.drop(index=perhaps_blank.index[(perhaps_blank == "").all(axis=1)]), separator


def _as_text(cells: pd.Series) -> pd.Series:
    return cells.astype(str).str.strip()


def _first(mask: Any) -> int | None:
    """Position of the first true element."""
    return int(np.argmax(mask)) if np.any(mask) else None


@lru_cache(maxsize=4)
def _kinds(key: _FileKey) -> dict[str, str]:
    """Every column's kind: time, clock (a time of day), number or text; judged on some 500 cells spread over it."""
    return {str(name): _kind(cells) for name, cells in _parse(key).frame.items()}


def _kind(cells: pd.Series) -> str:
    if pd.api.types.is_datetime64_any_dtype(cells):
        return "time"
    if pd.api.types.is_numeric_dtype(cells):
        return "number"
    sample = _as_text(cells.iloc[:: max(1, len(cells) // 500)])
    sample = sample[~sample.str.lower().isin(_EMPTY)]
    fits = (kind for kind, (form, share) in _KINDS.items() if sample.str.fullmatch(form).mean() >= share)
    return next(fits, "text")


@lru_cache(maxsize=4)
def _rows_by_id(key: _FileKey, id_column: str) -> dict[str, np.ndarray]:
    ids = _as_text(_parse(key).frame[id_column]).reset_index(drop=True)
    return {str(name): np.asarray(rows) for name, rows in ids.groupby(ids).indices.items()}


def _choose(
    key: _FileKey,
    column: str | None,
    id_column: str | None,
    value_column: str | None,
    time_names: tuple[str, ...],
    stamps: pd.DatetimeIndex,
) -> tuple[np.ndarray, str, str]:
    """Rows and column of the wanted cells, and what the user calls them.

    A table counts as long when an id column is given, when `column` is an id rather than a column, or when its times
    repeat and a column of ids tells the repeats apart.
    """
    table, kinds = _parse(key), _kinds(key)
    for name in (id_column, value_column):
        if name is not None and name not in kinds:
            raise InputError(table.name, f"there is no column {name!r}", did_you_mean(name, kinds))
    others = [name for name in kinds if name not in (*time_names, id_column) and not _UNIT_COLUMN.fullmatch(name)]
    numbers = [name for name in others if kinds[name] == "number" and not name.startswith("Unnamed:")]
    values = [name for name in numbers if not _ID_NAME.fullmatch(name)] or numbers
    labels = [name for name in others if name not in values and kinds[name] in ("text", "number")]
    if id_column is None and column in others:
        return np.arange(len(stamps)), str(column), str(column)
    if id_column is None and column is not None:
        id_column = next((name for name in labels if column in _rows_by_id(key, name)), None)
        if id_column is None:
            known = {*values, *(name for label in labels for name in _rows_by_id(key, label))}
            raise InputError(table.name, f"there is no column or id {column!r}", did_you_mean(column, known))
    elif id_column is None and stamps.duplicated().mean() > 0.05:
        id_column = next((name for name in labels if len(_rows_by_id(key, name)) > 1), None)
    value = value_column or _only(table, "column with numbers", "value_column" if id_column else "column", values)
    if id_column is None:
        return np.arange(len(stamps)), value, value
    by_id = _rows_by_id(key, id_column)
    wanted = column if column is not None else _only(table, f"id in {id_column!r}", "column", by_id)
    if wanted not in by_id:
        raise InputError(table.name, f"there is no {wanted!r} in {id_column!r}", did_you_mean(wanted, by_id))
    return by_id[wanted], value, wanted


def _only(table: _Table, noun: str, option: str, names: Iterable[str]) -> str:
    found = list(names)
    if len(found) != 1:
        listing = ", ".join(found[:12]) + (f" and {len(found) - 12} more" if len(found) > 12 else "")
        what = f"there is more than one {noun}: {listing}" if found else f"there is no {noun}"
        raise InputError(table.name, what, f"Set `{option}` to the one to read.")
    return found[0]


def _numbers(table: _Table, rows: np.ndarray, name: str, *, signed: bool) -> np.ndarray:
    """[rows] numbers, NaN where empty; text, infinite and (unless `signed`) negative cells are errors."""
    cells = table.frame[name].iloc[rows]
    number = pd.to_numeric(cells, errors="coerce")
    if number.isna().any() and not pd.api.types.is_numeric_dtype(cells):
        # Meters write few distinct numbers, so looking at each one once is several times faster.
        codes, distinct = pd.factorize(cells, use_na_sentinel=False)
        text, first_rows = _as_text(pd.Series(distinct)), rows[np.unique(codes, return_index=True)[1]]
        text = text.mask(text.str.lower().isin(_EMPTY), "")
        number = pd.to_numeric(_with_points(table, first_rows, text), errors="coerce")
        if (at := _first(number.isna() & (text != ""))) is not None:
            cure = "Write one number without thousands separators, or leave the cell empty."
            raise InputError(f"{table.name} {table.line(first_rows[at])}", f"{text.iloc[at]!r} is not a number", cure)
        number = number.iloc[codes]
    value = number.to_numpy(dtype=float, na_value=np.nan)
    if (at := _first(np.isinf(value))) is not None:
        what, cure = f"{name!r} is infinite", "Correct the cell or leave it empty."
        raise InputError(f"{table.name} {table.line(rows[at])}", what, cure)
    if not signed and (at := _first(value < 0)) is not None:
        cure = "If this is a net meter, give consumption and injection as separate columns."
        raise InputError(f"{table.name} {table.line(rows[at])}", f"{name!r} is negative: {value[at]:g}", cure)
    return value


def _with_points(table: _Table, rows: np.ndarray, text: pd.Series) -> pd.Series:
    """Decimal commas become points, unless some comma or point could be a thousands separator."""
    comma, point = text.str.contains(",", regex=False), text.str.contains(".", regex=False)
    suspect = comma & point
    if comma.any() and point.any() and not suspect.any():
        suspect = comma if comma.sum() < point.sum() else point
    elif table.separator == "," and text[comma].str.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}").all():
        suspect = comma
    if (at := _first(suspect)) is not None:
        what = f"{text.iloc[at]!r} may hold a thousands separator, or another decimal sign than other cells"
        cure = "Write all numbers like 1234.5 or all like 1234,5."
        raise InputError(f"{table.name} {table.line(rows[at])}", what, cure)
    return text.str.replace(",", ".", regex=False)


def _unit(table: _Table, rows: np.ndarray, name: str, unit: str | None, step_s: int) -> tuple[str, float]:
    """The unit of the values, and kWh per unit over one step of the table."""
    kwh_per_unit = {"kWh": 1.0, "Wh": 1e-3, "kW": step_s / 3600, "W": step_s / 3.6e6}
    suffix = _UNIT_SUFFIX.search(name)
    units = {unit or (suffix[1] if suffix else "")}
    unit_column = next((other for other in table.frame if _UNIT_COLUMN.fullmatch(str(other))), None)
    if units == {""} and unit_column is not None:
        units = set(_as_text(table.frame[unit_column].iloc[rows]))
    found = [known for known in kwh_per_unit if {known.lower()} == {given.strip().lower() for given in units - {""}}]
    if not found:
        named = ", ".join(sorted(units - {""}))
        what = f"the unit of {name!r} is not understood: {named}" if named else f"the unit of {name!r} is unknown"
        raise InputError(table.name, what, f"Set `unit` to one of {', '.join(kwh_per_unit)}.")
    return found[0], kwh_per_unit[found[0]]


@lru_cache(maxsize=4)
def _times(key: _FileKey, time_column: str | None) -> tuple[pd.DatetimeIndex, tuple[str, ...], tuple[str, ...]]:
    """[rows of the file] stamps (naive, or UTC when the file gives offsets), the columns they come from, and notes."""
    table, kinds = _parse(key), _kinds(key)
    if time_column is not None and time_column not in kinds:
        raise InputError(table.name, f"there is no column {time_column!r}", did_you_mean(time_column, kinds))
    dates = sorted((name for name in kinds if kinds[name] == "time"), key=lambda name: not _TIME_NAME.match(name))
    if time_column is None and not dates:
        cure = "Write times as 2023-12-31 23:45 or 31/12/2023 23:45, or set `time_column`."
        raise InputError(table.name, f"no column holds times; the columns are {', '.join(kinds)}", cure)
    names: tuple[str, ...] = (time_column or dates[0],)
    cells = table.frame[names[0]]
    notes: tuple[str, ...] = ()
    if pd.api.types.is_datetime64_any_dtype(cells):
        stamps = pd.DatetimeIndex(cells).as_unit("ns")
    else:
        text, columns = _as_text(cells), list(kinds)
        after_date = columns[columns.index(names[0]) :] + columns
        clock = next((name for name in after_date if kinds[name] == "clock"), None)
        if clock is not None and not text.str.contains(":", regex=False).any():
            names, text = (names[0], clock), text + " " + _as_text(table.frame[clock])
        codes, unique = pd.factorize(text)  # a long table repeats every stamp once per home
        parsed, notes = _parse_stamps(table, pd.Series(unique))
        stamps = parsed[codes]
    if (row := _first(stamps.isna())) is not None:
        given = " ".join(str(table.frame[name].iloc[row]) for name in names)
        what, cure = f"{given!r} cannot be read as a time", "Write it like the other times, or remove the row."
        raise InputError(f"{table.name} {table.line(row)}", what, cure)
    return (stamps.tz_convert("UTC") if stamps.tz is not None else stamps), names, notes


def _parse_stamps(table: _Table, text: pd.Series) -> tuple[pd.DatetimeIndex, tuple[str, ...]]:
    """Stamps of one column, all in one order of day, month and year; NaT where that order does not fit."""
    parts = text.str.extract(rf"^{_STAMP}$")
    number = parts.drop(columns="zone").apply(pd.to_numeric)
    year, month, day = number["y"], number["m"], number["d"]
    notes: tuple[str, ...] = ()
    if year.count() < number["c"].count():
        year, month, day = number["c"], number["b"], number["a"]
        if day.max() <= 12:
            month_first = month.max() > 12
            day, month = (month, day) if month_first else (day, month)
            notes = (f"dates read as {'month/day' if month_first else 'day/month'}/year",)
    # Spreadsheets keep times as fractions of a day, so their exports stray by milliseconds: round to the second.
    minute, second = number["min"].fillna(0), number["s"].fillna(0).round()
    clock_s = number["h"].fillna(0) * 3600 + minute * 60 + second
    valid = (minute < 60) & (second <= 60) & (clock_s <= _DAY_S)
    date = pd.to_datetime(pd.DataFrame({"year": year, "month": month, "day": day}), errors="coerce")
    stamps = pd.DatetimeIndex((date + pd.to_timedelta(clock_s, unit="s")).where(valid)).as_unit("ns")
    zone = parts["zone"].str.upper().str.replace("Z", "+0000").str.replace(":", "")
    if zone.isna().all():
        return stamps, notes
    if (zone.isna() & np.asarray(stamps.notna())).any():
        raise InputError(table.name, "some times carry a UTC offset, others do not", "Write all times in one way.")
    offset_min = pd.to_numeric(zone.str[1:3]) * 60 + pd.to_numeric(zone.str[3:5], errors="coerce").fillna(0)
    offset = pd.to_timedelta(offset_min.where(zone.str[0] == "+", -offset_min), unit="min")
    return (stamps - pd.TimedeltaIndex(offset)).tz_localize("UTC"), notes


def _in_utc(
    table: _Table, rows: np.ndarray, stamps: pd.DatetimeIndex, value: np.ndarray, time_zone: str | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, starts in seconds since 1970 UTC, and values, in the order of time and without repeats."""
    try:
        ZoneInfo(time_zone or "UTC")
    except (KeyError, ValueError, OSError):
        cure = "Use a name such as Europe/Brussels or UTC."
        raise InputError("time_zone", f"{time_zone!r} is not a time zone", cure) from None
    if stamps.tz is None:
        # Only the order tells the two passes of the autumn hour apart; a single pass counts as the first one.
        second_pass = np.asarray(stamps.duplicated(keep="last" if stamps[0] > stamps[-1] else "first"))
        utc = stamps.tz_localize(time_zone or "UTC", ambiguous=~second_pass, nonexistent="NaT")
        skipped = np.asarray(utc.isna())
        if (at := _first(skipped & ~np.isnan(value))) is not None:
            what = f"{stamps[at]:%Y-%m-%d %H:%M} does not exist in {time_zone}: the clock skips this hour in spring"
            cure = "Remove these rows, or set `time_zone` to the file's own clock (Etc/GMT-1 is UTC+1 all year)."
            raise InputError(f"{table.name} {table.line(rows[at])}", what, cure)
        rows, stamps, value = rows[~skipped], utc[~skipped], value[~skipped]
    start_s = stamps.asi8 // 10**9
    order = np.argsort(start_s, kind="stable")
    rows, start_s, value = rows[order], start_s[order], value[order]
    if (at := _first(np.diff(start_s) == 0)) is not None:
        cure = "Remove one of the two rows, or set `id_column` if the table holds several homes."
        what = f"the same time already stands on {table.line(rows[at])}"
        raise InputError(f"{table.name} {table.line(rows[at + 1])}", what, cure)
    return rows, start_s, value


def _on_grid(
    table: _Table, rows: np.ndarray, start_s: np.ndarray, value: np.ndarray, index: pd.DatetimeIndex, zone: str
) -> _Grid:
    """Lay the values on an unbroken clock of the table's own step, which must fit the simulation and cover it."""
    if len(start_s) < 2 or np.isnan(value).all():
        raise InputError(table.name, "there are fewer than two values", "Give one row per step.")
    steps_s, counts = np.unique(np.diff(start_s), return_counts=True)
    step_s, (begin_s, simulated_s, end_s) = int(steps_s[counts.argmax()]), _period(index)
    if step_s % simulated_s and simulated_s % step_s:
        what = f"its step is {_minutes(step_s)}, the simulated step {_minutes(simulated_s)}"
        raise InputError(table.name, what, "One of the two steps must be a multiple of the other.")
    anchor_s = begin_s if step_s <= simulated_s else int(start_s[0])
    astray = ((start_s - anchor_s) % step_s != 0) | ((start_s - begin_s) % min(step_s, simulated_s) != 0)
    if (at := _first(astray)) is not None:
        what = f"{_local(start_s[at], zone)} is not the start of a step of {_minutes(step_s)}"
        cure = "Let all times stand on whole steps; steps over an hour need a clock without summer time."
        raise InputError(f"{table.name} {table.line(rows[at])}", what, cure)
    # The day on both sides is enough to tell whether a gap that leaves the period is too long to fill.
    first_s = anchor_s + (begin_s - _DAY_S - anchor_s) // step_s * step_s
    grid_s = np.arange(first_s, end_s + _DAY_S + step_s, step_s)
    at_grid = (start_s - first_s) // step_s
    near = (at_grid >= 0) & (at_grid < len(grid_s))
    grid_value, grid_row = np.full(len(grid_s), np.nan), np.full(len(grid_s), -1)
    grid_value[at_grid[near]], grid_row[at_grid[near]] = value[near], rows[near]
    in_table = (grid_s >= start_s[0]) & (grid_s <= start_s[-1])
    in_period = (grid_s + step_s > begin_s) & (grid_s < end_s)
    grid = _Grid(grid_s, grid_value, grid_row, in_table, in_period, step_s)
    if (in_period & ~in_table).any():
        what = (
            f"the lengths do not line up: {len(rows)} rows from {_local(start_s[0], zone)} to "
            f"{_local(start_s[-1] + step_s, zone)}, while the period needs {in_period.sum()} from "
            f"{_local(begin_s, zone)} to {_local(end_s, zone)} ({zone}){_short_days(grid, zone)}"
        )
        cure = "Let the table cover the period, or shorten the period; a time marks the START of its interval."
        raise InputError(table.name, what, cure)
    return grid


def _short_days(grid: _Grid, zone: str) -> str:
    """The first local days on which some but not all values are there, as the end of a sentence."""
    day = pd.to_datetime(grid.start_s[grid.in_period], unit="s", utc=True).tz_convert(zone).strftime("%Y-%m-%d")
    found = pd.Series(~np.isnan(grid.value[grid.in_period])).groupby(np.asarray(day))
    counts = zip(found.groups, found.sum(), found.size(), strict=True)
    short = [f"; {day} has {has} values, expected {needs}" for day, has, needs in counts if 0 < has < needs]
    return "".join(short[:3])


def _fill(table: _Table, label: str, grid: _Grid, fill: str, zone: str) -> tuple[np.ndarray, list[str]]:
    """[steps of the grid] values with the period's gaps filled, and a note on them."""
    missing = np.isnan(grid.value) & grid.in_table
    edge = np.diff(missing.astype(int), prepend=0, append=0)
    runs = zip(np.flatnonzero(edge == 1), np.flatnonzero(edge == -1), strict=True)
    gaps = [(int(first), int(stop)) for first, stop in runs if grid.in_period[first:stop].any()]
    if not gaps:
        return grid.value, []
    size = f"{_count(len(gaps), 'gap')}, {_count((missing & grid.in_period).sum(), 'step')}"
    told = [_gap(table, grid, first, stop, zone) for first, stop in gaps[:3]] + ["..."] * (len(gaps) > 3)
    row = grid.row[gaps[0][0]]
    place = f"{table.name} {table.line(row)}" if row >= 0 else table.name
    cure = "Set `fill: zero`, complete the file, or shorten the period."
    if fill == "none":
        what = f"{label!r} has {size} missing: {'; '.join(told)}{_short_days(grid, zone)}"
        raise InputError(place, what, cure.replace("zero`", "interpolate` or `fill: zero`"))
    if fill == "zero":
        return np.where(missing, 0.0, grid.value), [f"{size} filled by zero: {'; '.join(told)}"]
    for first, stop in gaps:
        if (stop - first) * grid.step_s > _DAY_S:
            what = f"too long to interpolate (over 24 h): {_gap(table, grid, first, stop, zone)}"
            raise InputError(table.name, what, cure)
    known = ~np.isnan(grid.value)
    filled = np.interp(grid.start_s, grid.start_s[known], grid.value[known])
    return np.where(missing, filled, grid.value), [f"{size} filled by interpolation: {'; '.join(told)}"]


def _gap(table: _Table, grid: _Grid, first: int, stop: int, zone: str) -> str:
    start, row = pd.Timestamp(grid.start_s[first], unit="s", tz=zone), grid.row[first]
    text = _local(grid.start_s[first], zone) + (
        f" .. {_local(grid.start_s[stop - 1], zone)}" if stop - first > 1 else ""
    )
    if row >= 0:
        return f"{text} (empty cell, {table.line(row)})"
    repeated = (start - pd.Timedelta(hours=1)).tz_localize(None) == start.tz_localize(None)
    return text + (" (the hour that the clock repeats in autumn stands there once, not twice)" if repeated else "")


def _resample(grid: _Grid, value: np.ndarray, index: pd.DatetimeIndex, quantity: str) -> tuple[np.ndarray, list[str]]:
    """[steps] values on the simulated steps (added up or spread for energy, averaged or repeated for a rate)."""
    begin_s, simulated_s, _ = _period(index)
    first = (begin_s - int(grid.start_s[0])) // min(grid.step_s, simulated_s)
    if grid.step_s <= simulated_s:
        parts = simulated_s // grid.step_s
        block = value[first : first + parts * len(index)].reshape(len(index), parts)
        notes = [f"{parts} values of {_minutes(grid.step_s)} make one step"] if parts > 1 else []
        return (block.sum(axis=1) if quantity == "energy" else block.mean(axis=1)), notes
    parts = grid.step_s // simulated_s
    spread = np.repeat(value / parts if quantity == "energy" else value, parts)
    note = f"each value of {_minutes(grid.step_s)} is spread evenly over {parts} steps"
    return spread[first : first + len(index)], [note]


def _plausibility(table: _Table, grid: _Grid, kwh_per_unit: float) -> list[str]:
    power_kw = np.where(grid.in_period, np.nan_to_num(grid.value), 0) * kwh_per_unit * 3600 / grid.step_s
    if (at := _first(power_kw > _IMPLAUSIBLE_KW)) is None:
        return []
    return [f"{table.line(grid.row[at])} has {power_kw[at]:.0f} kW mean power for one home: is the unit right?"]


def _period(index: pd.DatetimeIndex) -> tuple[int, int, int]:
    """Begin, step and end of the simulated period in seconds (since 1970 UTC)."""
    start_s = index.as_unit("s").asi8
    step_s = int(start_s[1] - start_s[0])
    return int(start_s[0]), step_s, int(start_s[-1]) + step_s


def _local(time_s: int, zone: str) -> str:
    return f"{pd.Timestamp(time_s, unit='s', tz=zone):%Y-%m-%d %H:%M}"


def _minutes(step_s: int) -> str:
    return f"{step_s / 60:g} min"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")
