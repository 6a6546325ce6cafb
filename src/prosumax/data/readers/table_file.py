"""Table files: parsing them once, telling their columns apart, choosing the cells of one series, reading numbers."""

import csv
import gzip
import io
import itertools
import re
import warnings
import zlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from prosumax.errors import InputError, did_you_mean

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_MOST_NOTES = 30  # lines that may stand above the header
_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".parquet")
_EMPTY = ("", "na", "n/a", "nan", "<na>", "nat", "null", "none", "-", "n/e")
_CLOCK = r"(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2}(?:\.\d+)?))?"
_DATE = r"(?:(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})|(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<c>\d{4}))"
STAMP = rf"{_DATE}(?:(?:T|\s+){_CLOCK}\s*(?P<zone>[Zz]|[+-]\d{{2}}(?::?\d{{2}})?)?)?"
_NUMBER = r"[-+]?[\d.,]*\d[\d.,]*(?:[eE][-+]?\d+)?"
# Half the cells suffice for a number column: a stray text in it then gets an error with its line number.
_KINDS = {"time": (STAMP, 0.95), "clock": (_CLOCK, 0.95), "number": (_NUMBER, 0.5)}
# Numeric columns of a long table that hold ids rather than values: EAN codes, home numbers.
_ID_NAME = re.compile(
    r"(home|house|household|meter|building|ean|woning|huis)?[-_ ]?(id|code|nr|number)?",
    re.IGNORECASE,
)
_UNIT_COLUMN = re.compile(r"units?|eenheid|unité|einheit", re.IGNORECASE)
_UNIT_SUFFIX = re.compile(r"(?:^|[\W_])(kwh|wh|kw|w)\W*$", re.IGNORECASE)

FileKey = tuple[str, int, int]


class Table(NamedTuple):
    """A parsed file; `frame`'s index counts the file's rows from 0."""

    name: str
    frame: pd.DataFrame
    separator: str  # empty for Parquet
    header_line: int = 1

    def line(self, row: int) -> str:
        """The place of a row, given by its position in `frame`, as the user counts it."""
        number = int(self.frame.index[row])
        return f"line {number + 1 + self.header_line}" if self.separator else f"row {number + 1}"


def file_key(path: Path) -> FileKey:
    """One version of one file: homes that share it then parse it once."""
    if not path.name.lower().endswith(_ENDINGS):
        raise InputError(
            path.name, "this kind of file is not understood", f"Save it as {', '.join(_ENDINGS)}."
        )
    if not path.is_file():
        folder = path.parent.iterdir() if path.parent.is_dir() else ()
        tables = [other.name for other in folder if other.name.lower().endswith(_ENDINGS)]
        cure = did_you_mean(path.name, tables).replace("Allowed:", "Tables in that folder:")
        raise InputError(
            path.name, f"there is no such file in {path.parent}", cure or "Correct the path."
        )
    stat = path.stat()
    return str(path.resolve()), stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=4)
def parse(key: FileKey) -> Table:
    """The file's cells: text as written, or Parquet's own types."""
    path = Path(key[0])
    try:
        raw = path.read_bytes()
        if path.suffix.lower() == ".parquet":
            frame, separator, header_line = pd.read_parquet(io.BytesIO(raw)), "", 0
            frame = (
                frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()
            ).rename(columns=str)
        else:
            packed = path.suffix.lower() == ".gz"
            frame, separator, header_line = _parse_text(
                path.name, gzip.decompress(raw) if packed else raw
            )
    except InputError:
        raise
    except (OSError, EOFError, ValueError, zlib.error) as error:  # pyarrow's errors are among these
        raise InputError(
            path.name, f"the file cannot be read ({error})", "Write the file again."
        ) from None
    if frame.empty:
        raise InputError(path.name, "the file holds no rows", "Give a header and one row per step.")
    return Table(path.name, frame, separator, header_line)


def _parse_text(file_name: str, raw: bytes) -> tuple[pd.DataFrame, str, int]:
    if raw[:4] in _WORKBOOKS:
        what = "this is an Excel workbook, whatever its name ends with"
        raise InputError(file_name, what, "Open it and save the sheet as CSV.")
    try:
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise InputError(file_name, "the file is empty", "Give a header and one row per step.")
    separator, header_line = _header(text)
    names = [name.strip() for name in _cells(text.split("\n")[header_line - 1], separator)]
    where = f"{file_name} line {header_line}"
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            where, f"two columns are called {twice!r}", "Give each column its own name."
        )
    if re.fullmatch(STAMP, names[0]):
        what = f"there is no header: the line begins with {names[0]!r}"
        raise InputError(
            where, what, "Put a line with the names of the columns above it, such as time;load_kwh."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # Everything stays text: guessed types turn the id "007" into 7 and hide which cell is not a number.
            frame = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                dtype=str,
                na_filter=False,
                skip_blank_lines=False,
                index_col=False,
                skiprows=header_line - 1,
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        line = re.search(r"in( line \d+)", str(error))
        cure = "Quote decimal commas in a comma-separated file, or separate the columns with ';'."
        what = f"the cells of a row do not fit the {len(names)} columns of the header"
        raise InputError(file_name + (line[1] if line else ""), what, cure) from None
    frame.columns = frame.columns.str.strip()
    perhaps_blank = frame[frame.iloc[:, 0].str.strip() == ""]
    return (
        frame.drop(index=perhaps_blank.index[(perhaps_blank == "").all(axis=1)]),
        separator,
        header_line,
    )


def _header(text: str) -> tuple[str, int]:
    """The separator and the line of the header: the first line, unless notes stand above a wider header."""
    lines = list(itertools.islice(text.split("\n"), _MOST_NOTES))
    first = {separator: len(_cells(lines[0], separator)) for separator in "\t;,"}
    separator = max(first, key=lambda candidate: first[candidate])
    for number, line in enumerate(lines[1:], start=2):
        for candidate in "\t;,":
            cells, after = (
                _cells(line, candidate),
                _cells("".join(lines[number : number + 1]), candidate),
            )
            names = [cell.strip() for cell in cells]
            is_data = [
                not name or any(re.fullmatch(form, name) for form, _ in _KINDS.values())
                for name in names
            ]
            if len(cells) > max(first.values()) and len(after) == len(cells) and not any(is_data):
                return candidate, number
    return separator, 1


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def as_text(cells: pd.Series) -> pd.Series:
    """Every cell as text, without blanks around it."""
    return cells.astype(str).str.strip()


def first_true(mask: Any) -> int | None:
    """Position of the first true element."""
    return int(np.argmax(mask)) if np.any(mask) else None


@lru_cache(maxsize=4)
def column_kinds(key: FileKey) -> dict[str, str]:
    """Every column's kind: time, clock (a time of day), number or text; judged on some 500 cells spread over it."""
    return {str(name): _kind(cells) for name, cells in parse(key).frame.items()}


def _kind(cells: pd.Series) -> str:
    if pd.api.types.is_datetime64_any_dtype(cells):
        return "time"
    if pd.api.types.is_numeric_dtype(cells):
        return "number"
    sample = as_text(cells.iloc[:: max(1, len(cells) // 500)])
    sample = sample[~sample.str.lower().isin(_EMPTY)]
    fits = (
        kind for kind, (form, share) in _KINDS.items() if sample.str.fullmatch(form).mean() >= share
    )
    return next(fits, "text")


@lru_cache(maxsize=4)
def _rows_by_id(key: FileKey, id_column: str) -> dict[str, np.ndarray]:
    ids = as_text(parse(key).frame[id_column]).reset_index(drop=True)
    return {str(name): np.asarray(rows) for name, rows in ids.groupby(ids).indices.items()}


def choose(
    key: FileKey,
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
    table, kinds = parse(key), column_kinds(key)
    for name in (id_column, value_column):
        if name is not None and name not in kinds:
            raise InputError(table.name, f"there is no column {name!r}", did_you_mean(name, kinds))
    others = [
        name
        for name in kinds
        if name not in (*time_names, id_column) and not _UNIT_COLUMN.fullmatch(name)
    ]
    numbers = [
        name for name in others if kinds[name] == "number" and not name.startswith("Unnamed:")
    ]
    values = [name for name in numbers if not _ID_NAME.fullmatch(name)] or numbers
    labels = [name for name in others if name not in values and kinds[name] in ("text", "number")]
    if id_column is None and column in others:
        return np.arange(len(stamps)), str(column), str(column)
    if id_column is None and column is not None:
        id_column = next((name for name in labels if column in _rows_by_id(key, name)), None)
        if id_column is None:
            known = {*values, *(name for label in labels for name in _rows_by_id(key, label))}
            raise InputError(
                table.name, f"there is no column or id {column!r}", did_you_mean(column, known)
            )
    elif id_column is None and stamps.duplicated().mean() > 0.05:
        id_column = next((name for name in labels if len(_rows_by_id(key, name)) > 1), None)
    value = value_column or _only(
        table, "column with numbers", "value_column" if id_column else "column", values
    )
    if id_column is None:
        return np.arange(len(stamps)), value, value
    by_id = _rows_by_id(key, id_column)
    wanted = column if column is not None else _only(table, f"id in {id_column!r}", "column", by_id)
    if wanted not in by_id:
        raise InputError(
            table.name, f"there is no {wanted!r} in {id_column!r}", did_you_mean(wanted, by_id)
        )
    return by_id[wanted], value, wanted


def _only(table: Table, noun: str, option: str, names: Iterable[str]) -> str:
    found = list(names)
    if len(found) != 1:
        listing = ", ".join(found[:12]) + (
            f" and {len(found) - 12} more" if len(found) > 12 else ""
        )
        what = f"there is more than one {noun}: {listing}" if found else f"there is no {noun}"
        raise InputError(table.name, what, f"Set `{option}` to the one to read.")
    return found[0]


def read_numbers(table: Table, rows: np.ndarray, name: str, *, signed: bool) -> np.ndarray:
    """[rows] numbers, NaN where empty; text, infinite and (unless `signed`) negative cells are errors."""
    cells = table.frame[name].iloc[rows]
    number = pd.to_numeric(cells, errors="coerce")
    if number.isna().any() and not pd.api.types.is_numeric_dtype(cells):
        # Meters write few distinct numbers, so looking at each one once is several times faster.
        codes, distinct = pd.factorize(cells, use_na_sentinel=False)
        text, first_rows = (
            as_text(pd.Series(distinct)),
            rows[np.unique(codes, return_index=True)[1]],
        )
        text = text.mask(text.str.lower().isin(_EMPTY), "")
        number = pd.to_numeric(_with_points(table, first_rows, text), errors="coerce")
        if (at := first_true(number.isna() & (text != ""))) is not None:
            cure = "Write one number without thousands separators, or leave the cell empty."
            raise InputError(
                f"{table.name} {table.line(first_rows[at])}",
                f"{text.iloc[at]!r} is not a number",
                cure,
            )
        number = number.iloc[codes]
    value = number.to_numpy(dtype=float, na_value=np.nan)
    if (at := first_true(np.isinf(value))) is not None:
        what, cure = f"{name!r} is infinite", "Correct the cell or leave it empty."
        raise InputError(f"{table.name} {table.line(rows[at])}", what, cure)
    if not signed and (at := first_true(value < 0)) is not None:
        cure = "If this is a net meter, give consumption and injection as separate columns."
        raise InputError(
            f"{table.name} {table.line(rows[at])}", f"{name!r} is negative: {value[at]:g}", cure
        )
    return value


def _with_points(table: Table, rows: np.ndarray, text: pd.Series) -> pd.Series:
    """Decimal commas become points, unless some comma or point could be a thousands separator."""
    comma, point = text.str.contains(",", regex=False), text.str.contains(".", regex=False)
    suspect = comma & point
    if comma.any() and point.any() and not suspect.any():
        suspect = comma if comma.sum() < point.sum() else point
    elif table.separator == "," and text[comma].str.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}").all():
        suspect = comma
    if (at := first_true(suspect)) is not None:
        what = f"{text.iloc[at]!r} may hold a thousands separator, or another decimal sign than other cells"
        cure = "Write all numbers like 1234.5 or all like 1234,5."
        raise InputError(f"{table.name} {table.line(rows[at])}", what, cure)
    return text.str.replace(",", ".", regex=False)


def unit_of(
    table: Table, rows: np.ndarray, name: str, unit: str | None, step_s: int
) -> tuple[str, float]:
    """The unit of the values, and kWh per unit over one step of the table."""
    kwh_per_unit = {"kWh": 1.0, "Wh": 1e-3, "kW": step_s / 3600, "W": step_s / 3.6e6}
    suffix = _UNIT_SUFFIX.search(name)
    units = {unit or (suffix[1] if suffix else "")}
    unit_column = next((other for other in table.frame if _UNIT_COLUMN.fullmatch(str(other))), None)
    if units == {""} and unit_column is not None:
        units = set(as_text(table.frame[unit_column].iloc[rows]))
    found = [
        known
        for known in kwh_per_unit
        if {known.lower()} == {given.strip().lower() for given in units - {""}}
    ]
    if not found:
        named = ", ".join(sorted(units - {""}))
        what = (
            f"the unit of {name!r} is not understood: {named}"
            if named
            else f"the unit of {name!r} is unknown"
        )
        raise InputError(table.name, what, f"Set `unit` to one of {', '.join(kwh_per_unit)}.")
    return found[0], kwh_per_unit[found[0]]
