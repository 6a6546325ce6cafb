"""Table files: parsing, column types, selection of one series, and number formats."""

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
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray

from prosumax.errors import InputError, did_you_mean

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_WORKBOOK_SIGNATURES = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_MAX_PREAMBLE_LINES = 30
_EXTENSIONS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".parquet")
_EMPTY = ("", "na", "n/a", "nan", "<na>", "nat", "null", "none", "-", "n/e")
_TIME_OF_DAY = r"(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2}(?:\.\d+)?))?"
_DATE = (
    r"(?:(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"
    r"|(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<c>\d{4}))"
)
_OFFSET = r"(?P<zone>[Zz]|[+-]\d{2}(?::?\d{2})?)"
TIMESTAMP_PATTERN = rf"{_DATE}(?:(?:T|\s+){_TIME_OF_DAY}\s*{_OFFSET}?)?"
_NUMBER = r"[-+]?[\d.,]*\d[\d.,]*(?:[eE][-+]?\d+)?"
# Half of the cells suffice for a number column, so that a stray text in it is reported by line.
_KINDS = {
    "time": (TIMESTAMP_PATTERN, 0.95),
    "clock": (_TIME_OF_DAY, 0.95),
    "number": (_NUMBER, 0.5),
}
# Numeric columns of a long table that hold identifiers instead of values: EAN codes, home numbers.
_ID_NAME = re.compile(
    r"(home|house|household|meter|building|ean|woning|huis)?[-_ ]?(id|code|nr|number)?",
    re.IGNORECASE,
)
_UNIT_COLUMN = re.compile(r"units?|eenheid|unité|einheit", re.IGNORECASE)
_UNIT_SUFFIX = re.compile(r"(?:^|[\W_])(kwh|wh|kw|w)\W*$", re.IGNORECASE)

FileVersion = tuple[str, int, int]
"""Absolute path, modification time (ns) and size (bytes) of a file."""


class TableFile(NamedTuple):
    """A parsed table file.

    Attributes:
        name: File name.
        frame: Cells; the index counts the rows of the file from 0.
        separator: Column separator; empty for Parquet.
        header_line: Line number of the header, counted from 1.
    """

    name: str
    frame: pd.DataFrame
    separator: str
    header_line: int = 1

    def row_label(self, row: int) -> str:
        """Return the line of the file, or the row of a Parquet file, counted from 1.

        Args:
            row: Position in `frame`.
        """
        number = int(self.frame.index[row])
        if self.separator:
            return f"line {number + 1 + self.header_line}"
        return f"row {number + 1}"


def file_version(path: Path) -> FileVersion:
    """Identify the current version of a file, so that series in the same file share one parse.

    Args:
        path: Table file.

    Raises:
        InputError: The file does not exist or its extension is not supported.
    """
    if not path.name.lower().endswith(_EXTENSIONS):
        raise InputError(
            path.name,
            "this kind of file is not supported",
            f"Save the table as {', '.join(_EXTENSIONS)}.",
        )
    if not path.is_file():
        folder = path.parent.absolute()
        files = folder.iterdir() if folder.is_dir() else ()
        # A text file is a likely table only where one was requested.
        is_text = path.suffix.lower() == ".txt"
        likely = [extension for extension in _EXTENSIONS if is_text or extension != ".txt"]
        tables = sorted(file.name for file in files if file.name.lower().endswith(tuple(likely)))
        fix = did_you_mean(path.name, tables).replace("Allowed:", "Tables in that folder:")
        raise InputError(
            path.name, f"there is no such file in {folder}", fix or "Correct the path."
        )
    stat = path.stat()
    return str(path.resolve()), stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=4)
def parse_table(version: FileVersion) -> TableFile:
    """Parse a table file into text cells, or into typed cells for Parquet.

    Args:
        version: File, from `file_version`.

    Raises:
        InputError: The file cannot be read, is empty, or its rows do not match its header.
    """
    path = Path(version[0])
    try:
        raw = path.read_bytes()
        if path.suffix.lower() == ".parquet":
            return _non_empty(TableFile(path.name, _parse_parquet(raw), "", 0))
        if path.suffix.lower() == ".gz":
            raw = gzip.decompress(raw)
        return _non_empty(TableFile(path.name, *_parse_text(path.name, raw)))
    except InputError:
        raise
    except (
        OSError,
        EOFError,
        ValueError,
        zlib.error,
    ) as error:  # pyarrow's errors are among these.
        raise InputError(
            path.name, f"the file cannot be read ({error})", "Export the file again."
        ) from None


def _non_empty(table: TableFile) -> TableFile:
    if table.frame.empty:
        raise InputError(
            table.name, "the file has no rows", "Provide a header and one row per time step."
        )
    return table


def _parse_parquet(raw: bytes) -> pd.DataFrame:
    frame = pd.read_parquet(io.BytesIO(raw))
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    return frame.rename(columns=str)


def _parse_text(file_name: str, raw: bytes) -> tuple[pd.DataFrame, str, int]:
    """Return the cells as text, the separator and the line of the header."""
    if raw[:4] in _WORKBOOK_SIGNATURES:
        problem = "the content is an Excel workbook, whatever the file extension"
        raise InputError(file_name, problem, "Open it and save the sheet as CSV.")
    try:
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise InputError(
            file_name, "the file is empty", "Provide a header and one row per time step."
        )
    separator, header_line = _find_header(text)
    names = [name.strip() for name in _split(text.split("\n")[header_line - 1], separator)]
    where = f"{file_name} line {header_line}"
    duplicate = next((name for name in names if name and names.count(name) > 1), None)
    if duplicate is not None:
        raise InputError(
            where, f"two columns are named {duplicate!r}", "Give each column a unique name."
        )
    if re.fullmatch(TIMESTAMP_PATTERN, names[0]):
        raise InputError(
            where,
            f"there is no header: the line begins with {names[0]!r}",
            "Add a line with the column names above it, such as time;load_kwh.",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # Cells stay text: type inference turns the id "007" into 7 and hides which cell is
            # not a number.
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
        raise InputError(
            file_name + (line[1] if line else ""),
            f"the cells of a row do not fit the {len(names)} columns of the header",
            "Quote decimal commas in a comma-separated file, or separate the columns with ';'.",
        ) from None
    frame.columns = frame.columns.str.strip()
    candidates = frame[frame.iloc[:, 0].str.strip() == ""]
    blank = candidates.index[(candidates == "").all(axis=1)]
    return frame.drop(index=blank), separator, header_line


def _find_header(text: str) -> tuple[str, int]:
    """Return the separator and the line of the header.

    The header is the first line, unless a preamble of notes precedes a wider header.
    """
    lines = list(itertools.islice(text.split("\n"), _MAX_PREAMBLE_LINES))
    widths = {separator: len(_split(lines[0], separator)) for separator in "\t;,"}
    for number, line in enumerate(lines[1:], start=2):
        following = "".join(lines[number : number + 1])
        for candidate in "\t;,":
            names = [cell.strip() for cell in _split(line, candidate)]
            wider = len(names) > max(widths.values())
            matches_next = len(_split(following, candidate)) == len(names)
            if wider and matches_next and not any(_is_data(name) for name in names):
                return candidate, number
    return max(widths, key=lambda candidate: widths[candidate]), 1


def _is_data(cell: str) -> bool:
    return not cell or any(re.fullmatch(pattern, cell) for pattern, _ in _KINDS.values())


def _split(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def cells_as_text(cells: "pd.Series[str]") -> "pd.Series[str]":
    """Convert cells to text without surrounding blanks.

    Args:
        cells: One column, or part of it.
    """
    return cells.astype(str).str.strip()


def first_true(mask: ArrayLike) -> int | None:
    """Return the position of the first true element, or None.

    Args:
        mask: Boolean array or series.
    """
    return int(np.argmax(mask)) if np.any(mask) else None


@lru_cache(maxsize=4)
def column_kinds(version: FileVersion) -> dict[str, str]:
    """Classify every column as `time`, `clock` (a time of day), `number` or `text`.

    The classification samples some 500 cells spread over the column.

    Args:
        version: File, from `file_version`.
    """
    frame = parse_table(version).frame
    return {str(name): _kind(cells) for name, cells in frame.items()}


def _kind(cells: "pd.Series[str]") -> str:
    if pd.api.types.is_datetime64_any_dtype(cells):
        return "time"
    if pd.api.types.is_numeric_dtype(cells):
        return "number"
    sample = cells_as_text(cells.iloc[:: max(1, len(cells) // 500)])
    sample = sample[~sample.str.lower().isin(_EMPTY)]
    for kind, (pattern, min_share) in _KINDS.items():
        if sample.str.fullmatch(pattern).mean() >= min_share:
            return kind
    return "text"


@lru_cache(maxsize=4)
def _rows_by_id(version: FileVersion, id_column: str) -> dict[str, Ints]:
    ids = cells_as_text(parse_table(version).frame[id_column]).reset_index(drop=True)
    return {str(name): np.asarray(rows) for name, rows in ids.groupby(ids).indices.items()}


def select_series(
    version: FileVersion,
    column: str | None,
    id_column: str | None,
    value_column: str | None,
    time_columns: tuple[str, ...],
    times: pd.DatetimeIndex,
) -> tuple[Ints, str, str]:
    """Select the cells of one series of a wide or a long table.

    A table counts as long if an id column is given, if `column` is an id and not a column, or if
    its times repeat and a column of ids distinguishes the repeats.

    Args:
        version: File, from `file_version`.
        column: Column (wide table) or id (long table); None if the table holds one series.
        id_column: Column of the ids; detected if None.
        value_column: Column of the values of a long table; detected if None.
        time_columns: Columns that hold the times.
        times: Time of each row.

    Returns:
        The positions of the rows, the name of the value column, and the label of the series.

    Raises:
        InputError: A column or id does not exist, or the choice is ambiguous.
    """
    table = parse_table(version)
    kinds = column_kinds(version)
    for name in (id_column, value_column):
        if name is not None and name not in kinds:
            raise InputError(table.name, f"there is no column {name!r}", did_you_mean(name, kinds))
    others = [
        name
        for name in kinds
        if name not in (*time_columns, id_column) and not _UNIT_COLUMN.fullmatch(name)
    ]
    numbers = [n for n in others if kinds[n] == "number" and not n.startswith("Unnamed:")]
    values = [name for name in numbers if not _ID_NAME.fullmatch(name)] or numbers
    labels = [n for n in others if n not in values and kinds[n] in ("text", "number")]
    if id_column is None and column in others:
        return np.arange(len(times)), str(column), str(column)
    if id_column is None and column is not None:
        id_column = next((name for name in labels if column in _rows_by_id(version, name)), None)
        if id_column is None:
            ids = [name for label in labels for name in _rows_by_id(version, label)]
            problem = f"there is no column or id {column!r}"
            raise InputError(table.name, problem, did_you_mean(column, {*values, *ids}))
    elif id_column is None and times.duplicated().mean() > 0.05:
        id_column = next((name for name in labels if len(_rows_by_id(version, name)) > 1), None)
    option = "value_column" if id_column else "column"
    value = value_column or _single(table, "column with numbers", option, values)
    if id_column is None:
        return np.arange(len(times)), value, value
    rows_by_id = _rows_by_id(version, id_column)
    selected = column
    if selected is None:
        selected = _single(table, f"id in {id_column!r}", "column", rows_by_id)
    if selected not in rows_by_id:
        problem = f"there is no {selected!r} in {id_column!r}"
        raise InputError(table.name, problem, did_you_mean(selected, rows_by_id))
    return rows_by_id[selected], value, selected


def _single(table: TableFile, noun: str, option: str, names: Iterable[str]) -> str:
    candidates = list(names)
    if len(candidates) == 1:
        return candidates[0]
    problem = f"there is no {noun}"
    if candidates:
        listing = ", ".join(candidates[:12])
        if len(candidates) > 12:
            listing += f" and {len(candidates) - 12} more"
        problem = f"there is more than one {noun}: {listing}"
    raise InputError(table.name, problem, f"Set `{option}` to the one to read.")


def read_numbers(
    table: TableFile, rows: Int[Ints, " row"], name: str, *, signed: bool
) -> Float[Array, " row"]:
    """Convert the cells of one column to numbers.

    Args:
        table: Parsed file.
        rows: Positions of the rows.
        name: Name of the column.
        signed: Whether negative numbers are allowed.

    Returns:
        The numbers; NaN where the cell is empty.

    Raises:
        InputError: A cell is text, infinite, negative (unless `signed`), or may contain a thousands
            separator.
    """
    cells = table.frame[name].iloc[rows]
    number = pd.to_numeric(cells, errors="coerce")
    if number.isna().any() and not pd.api.types.is_numeric_dtype(cells):
        # Meters write few distinct numbers: converting each of them once is several times faster.
        codes, distinct = pd.factorize(cells, use_na_sentinel=False)
        text = cells_as_text(pd.Series(distinct))
        first_rows = rows[np.unique(codes, return_index=True)[1]]
        text = text.mask(text.str.lower().isin(_EMPTY), "")
        number = pd.to_numeric(_decimal_points(table, first_rows, text), errors="coerce")
        if (at := first_true(number.isna() & (text != ""))) is not None:
            raise InputError(
                f"{table.name} {table.row_label(first_rows[at])}",
                f"{text.iloc[at]!r} is not a number",
                "Write one number without thousands separators, or leave the cell empty.",
            )
        number = number.iloc[codes]
    value = number.to_numpy(dtype=float, na_value=np.nan)
    if (at := first_true(np.isinf(value))) is not None:
        raise InputError(
            f"{table.name} {table.row_label(rows[at])}",
            f"{name!r} is infinite",
            "Correct the cell or leave it empty.",
        )
    if not signed and (at := first_true(value < 0)) is not None:
        raise InputError(
            f"{table.name} {table.row_label(rows[at])}",
            f"{name!r} is negative: {value[at]:g}",
            "If the meter is a net meter, provide consumption and injection as separate columns.",
        )
    return value


def _decimal_points(table: TableFile, rows: Ints, text: "pd.Series[str]") -> "pd.Series[str]":
    """Replace decimal commas by points, unless a comma or point may be a thousands separator."""
    comma = text.str.contains(",", regex=False)
    point = text.str.contains(".", regex=False)
    suspect = comma & point
    if comma.any() and point.any() and not suspect.any():
        suspect = comma if comma.sum() < point.sum() else point
    elif table.separator == "," and text[comma].str.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}").all():
        suspect = comma
    if (at := first_true(suspect)) is not None:
        raise InputError(
            f"{table.name} {table.row_label(rows[at])}",
            f"{text.iloc[at]!r} may contain a thousands separator, or a decimal sign that differs "
            "from other cells",
            "Write all numbers like 1234.5 or all like 1234,5.",
        )
    return text.str.replace(",", ".", regex=False)


def resolve_unit(
    table: TableFile, rows: Int[Ints, " row"], name: str, unit: str | None, step_s: int
) -> tuple[str, float]:
    """Determine the unit of a series and its conversion to kWh per step of the table.

    Args:
        table: Parsed file.
        rows: Positions of the rows.
        name: Name of the value column, which may end with the unit.
        unit: Unit given by the user; takes precedence over the table.
        step_s: Step of the table, s.

    Returns:
        The unit, and kWh per unit over one step.

    Raises:
        InputError: The unit is missing, not supported, or changes between rows.
    """
    kwh_per_unit = {"kWh": 1.0, "Wh": 1e-3, "kW": step_s / 3600, "W": step_s / 3.6e6}
    suffix = _UNIT_SUFFIX.search(name)
    units = {unit or (suffix[1] if suffix else "")}
    columns = [str(column) for column in table.frame]
    unit_column = next((column for column in columns if _UNIT_COLUMN.fullmatch(column)), None)
    if units == {""} and unit_column is not None:
        units = set(cells_as_text(table.frame[unit_column].iloc[rows]))
    stated = {text.strip().lower() for text in units - {""}}
    matches = [known for known in kwh_per_unit if {known.lower()} == stated]
    if not matches:
        problem = f"the unit of {name!r} is unknown"
        if units - {""}:
            problem = f"the unit of {name!r} is not supported: {', '.join(sorted(units - {''}))}"
        raise InputError(table.name, problem, f"Set `unit` to one of {', '.join(kwh_per_unit)}.")
    return matches[0], kwh_per_unit[matches[0]]
