"""User tables (CSV, Parquet) become step series on the simulation's clock; a doubtful cell is an error, never a guess."""

import csv
import gzip
import io
import re
import warnings
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from prosumax.errors import InputError, did_you_mean

_KWH_PER_UNIT = {"kwh": 1.0, "wh": 1e-3}
_KW_PER_UNIT = {"kw": 1.0, "w": 1e-3}
_FILLS = ("none", "interpolate", "zero")
_LONGEST_FILL_S = 24 * 3600
_IMPLAUSIBLE_KW = 200.0
_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".parquet")
_EMPTY = ("", "na", "n/a", "nan", "<na>", "nat", "null", "none", "-", "n/e")

_CLOCK = r"(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2}(?:\.\d+)?))?\s*(?P<half>[AaPp][Mm])?"
_DATE = r"(?:(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})|(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<c>\d{4}))"
_STAMP = rf"{_DATE}(?:(?:T|\s+){_CLOCK}\s*(?P<zone>[Zz]|[+-]\d{{2}}(?::?\d{{2}})?)?)?"
# Half the cells suffice for "number": the stray text among them then gets an error with its line number.
_KINDS = {"time": (_STAMP, 0.95), "clock": (_CLOCK, 0.95), "number": (r"[-+]?[\d.,]*\d[\d.,]*(?:[eE][-+]?\d+)?", 0.5)}
_TIME_NAME = re.compile(r"(utc_?)?(time|timestamp|datetime|date|datum|van|from|start)([\W_].*|$)", re.IGNORECASE)
_UNIT_NAME = re.compile(r"units?|eenheid|unité|einheit", re.IGNORECASE)
_UNIT_SUFFIX = re.compile(r"(?:^|[\W_])(kwh|wh|kw|w)\W*$", re.IGNORECASE)
# A numeric column of a long table that holds ids rather than values (EAN codes, home numbers).
_ID_NAME = re.compile(
    r"(home|house|household|meter|customer|user|building|ean|woning|huis)?[-_ ]?(id|code|nr|number)?", re.I
)

_FileKey = tuple[str, int, int]


class _Table(NamedTuple):
    """A parsed file: `frame`'s index counts its rows, and row 0 stands on `first_line` of the file."""

    name: str
    frame: pd.DataFrame
    row_word: str
    first_line: int
    separator: str

    def place(self, row: int) -> str:
        """The row as the user finds it in the file; `row` is a position in `frame`."""
        return f"{self.name} {self.row_word} {int(self.frame.index[row]) + self.first_line}"


class _Choice(NamedTuple):
    """The cells that make up one series."""

    rows: np.ndarray  # positions in the frame
    value_name: str  # the column they stand in
    label: str  # what the user calls the series


class _Grid(NamedTuple):
    """One series on the table's own equally spaced clock, from a day before the period to a day after it."""

    start_s: np.ndarray  # start of each source step, seconds since 1970 UTC
    value: np.ndarray  # NaN where the table has none
    row: np.ndarray  # position in the frame, -1 where the table has no row
    within_table: np.ndarray  # between the table's first and last stamp
    within_period: np.ndarray  # overlaps the simulated period
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
    """One series of a wide table (a column per home) or a long table (time, id, value), on the simulation's steps.

    Stamps mark the start of an interval. A finer table is added up (energy) or averaged (rate), a coarser one spread evenly.

    Arguments:
        path: CSV, TSV or TXT (also .gz; separator and decimal sign are recognised) or Parquet file.
        index: [steps] UTC starts of the simulated steps, equally spaced, at least two.
        column: name of the column (wide) or of the id (long); may stay out when the table holds one series.
        id_column, value_column: columns of a long table; recognised when left out.
        time_column: the column with the times; recognised when left out. A separate clock column is joined to it.
        unit: "kWh", "Wh", "kW" or "W" (case-insensitive; powers are means over the table's step);
            left out, the column name (`home_1_kwh`, `Load [kW]`) or a unit column says it. Unused for a rate.
        time_zone: zone of stamps without offset, daylight saving included; None: they are UTC.
        fill: "none" (a gap is an error), "interpolate" (linear, gaps up to 24 h; at the table's edge the nearest
            value repeats) or "zero".
        quantity: "energy" (not negative) or "rate" (a price, a carbon intensity; its mean over the step).
        where: the scenario field that names this table, for messages.

    Returns:
        [steps] kWh per step, or the step mean of a rate; and notes on how the table was read and what was filled.

    Raises:
        InputError: the file, a column, a cell, the unit or the covered period is not as needed; names file and line.
    """
    try:
        for option, given, allowed in (("fill", fill, _FILLS), ("quantity", quantity, ("energy", "rate"))):
            if given not in allowed:
                raise InputError(option, f"{given!r} is not known", did_you_mean(str(given), allowed))
        key = _file_key(Path(path))
        table = _parse(key)
        stamps, time_names, time_notes = _times(key, time_column)
        choice = _choose(key, column, id_column, value_column, time_names, stamps)
        value = _numbers(table, choice, signed=quantity == "rate")
        rows, start_s, value = _in_utc(table, choice.rows, stamps[choice.rows], value, time_zone)
        grid = _on_grid(table, rows, start_s, value, index)
        zone = time_zone or "UTC"
        _check_coverage(table, grid, index, zone)
        filled, fill_notes = _fill(table, choice.label, grid, fill, zone)
        series = _resample(grid, filled, index, quantity)
        notes = [*time_notes, *_resample_notes(grid, index, quantity), *fill_notes]
        understood = f"{quantity} per {_minutes(grid.step_s)}"
        if quantity == "energy":
            factor_kwh, unit_name, unit_notes = _kwh_factor(table, choice, unit, grid.step_s)
            series = series * factor_kwh
            understood = f"{unit_name} per {_minutes(grid.step_s)}"
            notes += unit_notes + _plausibility_notes(table, grid, factor_kwh)
        understood += f", times from {' + '.join(map(repr, time_names))}"
        understood += f" (UTC offsets given)" if stamps.tz is not None else f" ({zone})"
        prefix = f"{table.name} column {choice.label!r}"
        return series, [f"{prefix}: {note}" for note in (understood, *notes)]
    except InputError as error:
        raise InputError(f"{where}: {error.where}", error.what, error.cure) from None


# --- the file --------------------------------------------------------------------------------------------------------


def _file_key(path: Path) -> _FileKey:
    """What tells one version of a file from another; a hundred homes that share a file then parse it once."""
    if not path.name.lower().endswith(_ENDINGS):
        raise InputError(path.name, "this kind of file is not understood", f"Save it as {', '.join(_ENDINGS)}.")
    if not path.is_file():
        if not path.parent.is_dir():
            raise InputError(path.name, f"the folder {path.parent} does not exist", "Correct the path.")
        names = [other.name for other in path.parent.iterdir() if other.name.lower().endswith(_ENDINGS)]
        cure = did_you_mean(path.name, names).replace("Allowed:", "Tables in that folder:")
        raise InputError(path.name, f"there is no such file in {path.parent}", cure or "Correct the path.")
    stat = path.stat()
    return str(path.resolve()), stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=4)
def _parse(key: _FileKey) -> _Table:
    path = Path(key[0])
    table = _parse_parquet(path) if path.suffix.lower() == ".parquet" else _parse_text(path)
    if table.frame.empty:
        raise InputError(path.name, "the file holds no rows", "Give a header and one row per step.")
    return table


def _parse_parquet(path: Path) -> _Table:
    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # pyarrow has no common base class for what a damaged file can raise
        raise InputError(path.name, f"not a readable Parquet file ({error})", "Write the file again.") from None
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    return _Table(path.name, frame.rename(columns=str), "row", 1, "")


def _parse_text(path: Path) -> _Table:
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise InputError(path.name, f"the file cannot be read ({error})", "Write the file again.") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    first = text.split("\n", 1)[0].strip("\r")
    if not text.strip():
        raise InputError(path.name, "the file is empty", "Give a header and one row per step.")
    header_by_separator = {separator: next(csv.reader([first], delimiter=separator), []) for separator in "\t;,"}
    separator, header = max(header_by_separator.items(), key=lambda item: len(item[1]))
    names = [name.strip() for name in header]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path.name} line 1", f"two columns are called {twice!r}", "Give each column its own name.")
    if any(re.fullmatch(_STAMP, name) for name in names):
        raise InputError(f"{path.name} line 1", "a column name is a date", "Start with a line of names; one row per step.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # Everything stays text: guessed types would turn id "007" into 7 and hide which cell is not a number.
            frame = pd.read_csv(
                io.StringIO(text), sep=separator, dtype=str, na_filter=False, skip_blank_lines=False, index_col=False
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        line = re.search(r"in (line \d+)", str(error))
        place = f"{path.name} {line[1]}" if line else path.name
        cure = "Quote decimal commas in a comma-separated file, or separate the columns with ';'."
        raise InputError(place, f"a row has more cells than the header ({len(names)})", cure) from None
    frame.columns = frame.columns.str.strip()
    maybe_blank = frame.index[frame.iloc[:, 0].str.strip() == ""]
    blank = (frame.loc[maybe_blank] == "").all(axis=1)
    return _Table(path.name, frame.drop(index=maybe_blank[blank]), "line", 2, separator)


def _as_text(cells: pd.Series) -> pd.Series:
    return cells.astype(str).str.strip()


@lru_cache(maxsize=4)
def _kinds(key: _FileKey) -> dict[str, str]:
    """Every column's kind: time, clock (a time of day), number or text; judged on some 500 cells spread over it."""
    return {name: _kind(cells) for name, cells in _parse(key).frame.items()}  # type: ignore[misc]


def _kind(cells: pd.Series) -> str:
    if pd.api.types.is_datetime64_any_dtype(cells):
        return "time"
    if pd.api.types.is_numeric_dtype(cells):
        return "number"
    sample = _as_text(cells.iloc[:: max(1, len(cells) // 500)])
    sample = sample[~sample.str.lower().isin(_EMPTY)]
    if sample.empty:
        return "text"
    matches = (kind for kind, (form, share) in _KINDS.items() if sample.str.fullmatch(form).mean() >= share)
    return next(matches, "text")


@lru_cache(maxsize=4)
def _rows_by_id(key: _FileKey, id_column: str) -> dict[str, np.ndarray]:
    ids = _as_text(_parse(key).frame[id_column]).reset_index(drop=True)
    return {str(name): np.asarray(rows) for name, rows in ids.groupby(ids).indices.items()}


# --- which cells -----------------------------------------------------------------------------------------------------


def _choose(
    key: _FileKey,
    column: str | None,
    id_column: str | None,
    value_column: str | None,
    time_names: tuple[str, ...],
    stamps: pd.DatetimeIndex,
) -> _Choice:
    """Rows and value column of the wanted series.

    A table counts as long when an id column is named, when `column` is an id rather than a column,
    or when its times repeat and a text column tells the repeats apart.
    """
    table, kinds = _parse(key), _kinds(key)
    for name in (id_column, value_column):
        if name is not None and name not in kinds:
            raise InputError(table.name, f"there is no column {name!r}", did_you_mean(name, kinds))
    others = [name for name in kinds if name not in (*time_names, id_column) and not _UNIT_NAME.fullmatch(name)]
    numbers = [name for name in others if kinds[name] == "number" and not name.startswith("Unnamed:")]
    values = [name for name in numbers if not _ID_NAME.fullmatch(name)] or numbers
    labels = [name for name in others if name not in values and kinds[name] in ("text", "number")]
    all_rows = np.arange(len(table.frame))
    if id_column is None and column in others:
        return _Choice(all_rows, str(column), str(column))
    if id_column is None and column is not None:
        id_column = next((name for name in labels if column in _rows_by_id(key, name)), None)
        if id_column is None:
            ids = [name for label in labels for name in _rows_by_id(key, label)]
            known = (*values, *ids) if len(ids) <= 200 else values
            raise InputError(table.name, f"there is no column or id {column!r}", did_you_mean(column, known))
    if id_column is None and stamps.duplicated().mean() > 0.05:
        id_column = next((name for name in labels if len(_rows_by_id(key, name)) > 1), None)
    value_name = value_column or _only(table, "column", "value_column" if id_column else "column", values)
    if id_column is None:
        return _Choice(all_rows, value_name, value_name)
    rows_by_id = _rows_by_id(key, id_column)
    wanted = _only(table, f"id in {id_column!r}", "column", rows_by_id) if column is None else column
    if wanted not in rows_by_id:
        raise InputError(table.name, f"there is no {wanted!r} in {id_column!r}", did_you_mean(wanted, rows_by_id))
    return _Choice(rows_by_id[wanted], value_name, wanted)


def _only(table: _Table, noun: str, option: str, names: Iterable[str]) -> str:
    found = list(names)
    if not found:
        raise InputError(table.name, "there is no column with numbers", f"Set `{option}` to the column to read.")
    if len(found) > 1:
        listing = ", ".join(found[:12]) + (f" and {len(found) - 12} more" if len(found) > 12 else "")
        raise InputError(table.name, f"there is more than one {noun}: {listing}", f"Set `{option}` to one of them.")
    return found[0]


def _numbers(table: _Table, choice: _Choice, *, signed: bool) -> np.ndarray:
    """[rows] the chosen cells, NaN where empty; text, infinite and (unless `signed`) negative cells are errors."""
    cells = table.frame[choice.value_name].iloc[choice.rows]
    value = pd.to_numeric(cells, errors="coerce")
    if value.isna().any() and not pd.api.types.is_numeric_dtype(cells):
        text = _as_text(cells)
        text = text.mask(text.str.lower().isin(_EMPTY), "")
        value = pd.to_numeric(_decimal_points(table, choice, text), errors="coerce")
        for at in np.flatnonzero(value.isna() & (text != ""))[:1]:
            cure = "Write one number without thousands separators, or leave the cell empty."
            raise InputError(table.place(choice.rows[at]), f"{text.iloc[at]!r} is not a number", cure)
    result = value.to_numpy(dtype=float, na_value=np.nan)
    for at in np.flatnonzero(np.isinf(result))[:1]:
        raise InputError(table.place(choice.rows[at]), "the value is infinite", "Correct the cell or leave it empty.")
    for at in np.flatnonzero(result < 0)[: 0 if signed else 1]:
        what = f"the energy in {choice.label!r} is negative ({result[at]:g})"
        cure = "If this is a net meter, give consumption and injection as separate columns."
        raise InputError(table.place(choice.rows[at]), what, cure)
    return result


def _decimal_points(table: _Table, choice: _Choice, text: pd.Series) -> pd.Series:
    """Decimal commas become points, unless some could be thousands separators."""
    comma, point = text.str.contains(",", regex=False), text.str.contains(".", regex=False)
    if not comma.any():
        return text
    suspect = pd.Series(False, index=text.index)
    if point.any():
        suspect = (comma & point) if (comma & point).any() else comma if comma.sum() < point.sum() else point
    elif table.separator == "," and text[comma].str.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}").all():
        suspect = comma
    for at in np.flatnonzero(suspect)[:1]:
        what = f"{text.iloc[at]!r} may hold a thousands separator or another decimal sign than its neighbours"
        raise InputError(table.place(choice.rows[at]), what, "Write all numbers as 1234.5 or all as 1234,5.")
    return text.str.replace(",", ".", regex=False)


def _kwh_factor(table: _Table, choice: _Choice, unit: str | None, step_s: int) -> tuple[float, str, list[str]]:
    """kWh per unit of the table's values, the unit's name, and a note when the column name contradicts `unit`."""
    suffix = _UNIT_SUFFIX.search(choice.value_name)
    from_name = suffix[1].lower() if suffix else None
    column = next((name for name in table.frame if _UNIT_NAME.fullmatch(str(name))), None)
    from_cells = set(_as_text(table.frame[column].iloc[choice.rows]).str.lower()) - {""} if column else set()
    units = {unit.strip().lower()} if unit else {from_name} if from_name else from_cells
    cure = "Set `unit` to kWh, Wh, kW or W."
    if not units:
        raise InputError(table.name, f"the unit of {choice.label!r} is unknown", cure)
    if len(units) > 1 or not units <= _KWH_PER_UNIT.keys() | _KW_PER_UNIT.keys():
        raise InputError(table.name, f"the unit of {choice.label!r} is not understood: {', '.join(sorted(units))}", cure)
    (name,) = units
    notes = [f"read in {name} as asked, though its name says {from_name}"] if from_name not in (None, name) else []
    return _KWH_PER_UNIT.get(name) or _KW_PER_UNIT[name] * step_s / 3600, name, notes


# --- time ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _times(key: _FileKey, time_column: str | None) -> tuple[pd.DatetimeIndex, tuple[str, ...], list[str]]:
    """[rows of the file] stamps (naive, or UTC when the file gives offsets), the columns they come from, and notes."""
    table, kinds = _parse(key), _kinds(key)
    dates = sorted((name for name in kinds if kinds[name] == "time"), key=lambda name: not _TIME_NAME.match(name))
    if time_column is not None and time_column not in kinds:
        raise InputError(table.name, f"there is no column {time_column!r}", did_you_mean(time_column, kinds))
    if time_column is None and not dates:
        cure = "Write times as 2023-12-31 23:45 or 31/12/2023 23:45, or set `time_column`."
        raise InputError(table.name, f"no column holds times; the columns are {', '.join(kinds)}", cure)
    names: tuple[str, ...] = (time_column or dates[0],)
    cells = table.frame[names[0]]
    if pd.api.types.is_datetime64_any_dtype(cells):
        stamps, notes = pd.DatetimeIndex(cells).as_unit("ns"), []
    else:
        text = _as_text(cells)
        columns = list(kinds)
        after_date = columns[columns.index(names[0]) :] + columns
        clock = next((name for name in after_date if kinds[name] == "clock"), None)
        if clock is not None and not text.str.contains(":").any():
            names, text = (names[0], clock), text + " " + _as_text(table.frame[clock])
        codes, unique = pd.factorize(text)  # a long table repeats every stamp once per home
        parsed, notes = _parse_stamps(table, pd.Series(unique))
        stamps = parsed[codes]
    for row in np.flatnonzero(stamps.isna())[:1]:
        given = " ".join(str(table.frame[name].iloc[row]) for name in names)
        cure = "Write it like the other times, or remove the row."
        raise InputError(table.place(int(row)), f"{given!r} cannot be read as a time", cure)
    return (stamps.tz_convert("UTC") if stamps.tz is not None else stamps), names, notes


def _parse_stamps(table: _Table, text: pd.Series) -> tuple[pd.DatetimeIndex, list[str]]:
    """Stamps of one column, all read in one order of day, month and year; NaT where that order does not fit."""
    parts = text.str.extract(rf"^{_STAMP}$")
    number = parts.drop(columns=["half", "zone"]).apply(pd.to_numeric)
    notes = []
    year, month, day = number["y"], number["m"], number["d"]
    if year.notna().sum() < number["c"].notna().sum():
        year, month, day = number["c"], number["b"], number["a"]
        if day.max() <= 12:
            month_first = month.max() > 12
            day, month = (month, day) if month_first else (day, month)
            notes = ["dates read as month/day/year" if month_first else "dates read as day/month/year"]
    half_day = parts["half"].str.lower()
    hour = number["h"].fillna(0).where(half_day.isna(), number["h"] % 12 + 12 * (half_day == "pm"))
    # Spreadsheets store times as fractions of a day, so that their exports stray by milliseconds.
    second = number["s"].fillna(0).round()
    in_day_s = hour * 3600 + number["min"].fillna(0) * 60 + second
    valid = (number["min"].fillna(0) < 60) & (second <= 60) & (in_day_s <= 24 * 3600)
    date = pd.to_datetime(pd.DataFrame({"year": year, "month": month, "day": day}), errors="coerce")
    stamps = pd.DatetimeIndex((date + pd.to_timedelta(in_day_s, unit="s")).where(valid)).as_unit("ns")
    zone = parts["zone"].str.upper().str.replace("Z", "+0000").str.replace(":", "")
    if zone.isna().all():
        return stamps, notes
    if (zone.isna() & stamps.notna()).any():
        raise InputError(table.name, "some times carry a UTC offset, others do not", "Write all times in one way.")
    offset_min = pd.to_numeric(zone.str[1:3]) * 60 + pd.to_numeric(zone.str[3:5]).fillna(0)
    offset = pd.to_timedelta(offset_min.where(zone.str[0] == "+", -offset_min), unit="min")
    return (stamps - pd.TimedeltaIndex(offset)).tz_localize("UTC"), notes


def _in_utc(
    table: _Table, rows: np.ndarray, stamps: pd.DatetimeIndex, value: np.ndarray, time_zone: str | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, starts in seconds since 1970 UTC, and values, in order of time and without repeats."""
    if stamps.tz is None:
        try:
            zone = ZoneInfo(time_zone or "UTC")
        except (KeyError, ValueError, OSError):
            cure = "Use a name such as Europe/Brussels or UTC."
            raise InputError("time_zone", f"{time_zone!r} is not a time zone", cure) from None
        # Only the order tells the two passes of the autumn hour apart; a single pass counts as the first one.
        second_pass = stamps.duplicated(keep="last" if stamps[0] > stamps[-1] else "first")
        utc = stamps.tz_localize(zone, ambiguous=~second_pass, nonexistent="NaT")
        skipped = utc.isna()
        for at in np.flatnonzero(skipped & ~np.isnan(value))[:1]:
            what = f"{stamps[at]:%Y-%m-%d %H:%M} does not exist in {time_zone}: the clock skips this hour in spring"
            cure = "Remove these rows, or set `time_zone` to the clock of the file (Etc/GMT-1: winter time all year)."
            raise InputError(table.place(rows[at]), what, cure)
        rows, stamps, value = rows[~skipped], utc[~skipped], value[~skipped]
    start_s = stamps.asi8 // 10**9
    order = np.argsort(start_s, kind="stable")
    rows, start_s, value = rows[order], start_s[order], value[order]
    for at in np.flatnonzero(np.diff(start_s) == 0)[:1]:
        what = f"the same time stands on {table.place(rows[at])}"
        cure = "Remove one of the two rows, or set `id_column` if the table holds several homes."
        raise InputError(table.place(rows[at + 1]), what, cure)
    return rows, start_s, value


# --- the period ------------------------------------------------------------------------------------------------------


def _on_grid(
    table: _Table, rows: np.ndarray, start_s: np.ndarray, value: np.ndarray, index: pd.DatetimeIndex
) -> _Grid:
    """Lay the values on an unbroken clock of the table's own step, which must fit the simulated step."""
    if len(start_s) < 2 or np.isnan(value).all():
        raise InputError(table.name, "fewer than two values", "Give one row per step.")
    gaps_s, counts = np.unique(np.diff(start_s), return_counts=True)
    step_s = int(gaps_s[counts.argmax()])
    begin_s, simulated_s, end_s = _period(index)
    if step_s % simulated_s and simulated_s % step_s:
        what = f"its step is {_minutes(step_s)}, the simulated step {_minutes(simulated_s)}"
        raise InputError(table.name, what, "Use a table whose step divides the simulated step or is a multiple of it.")
    anchor_s = begin_s if step_s <= simulated_s else int(start_s[0])
    astray = ((start_s - anchor_s) % step_s != 0) | ((start_s - begin_s) % min(step_s, simulated_s) != 0)
    for at in np.flatnonzero(astray)[:1]:
        what = f"{_show(start_s[at], 'UTC')} UTC is no start of a step of {_minutes(step_s)}"
        cure = "Let all times lie on steps counted from midnight; steps over an hour need a clock without summer time."
        raise InputError(table.place(rows[at]), what, cure)
    # A day on both sides: enough to tell whether a gap that leaves the period is too long to fill.
    first_s = anchor_s + (begin_s - _LONGEST_FILL_S - anchor_s) // step_s * step_s
    grid_s = np.arange(first_s, end_s + _LONGEST_FILL_S + step_s, step_s)
    at_grid = (start_s - first_s) // step_s
    near = (at_grid >= 0) & (at_grid < len(grid_s))
    grid_value, grid_row = np.full(len(grid_s), np.nan), np.full(len(grid_s), -1)
    grid_value[at_grid[near]], grid_row[at_grid[near]] = value[near], rows[near]
    within_table = (grid_s >= start_s[0]) & (grid_s <= start_s[-1])
    within_period = (grid_s + step_s > begin_s) & (grid_s < end_s)
    return _Grid(grid_s, grid_value, grid_row, within_table, within_period, step_s)


def _short_days(grid: _Grid, zone: str) -> str:
    """The first local days on which some but not all values are there, as a sentence part."""
    inside = grid.within_period
    day = pd.to_datetime(grid.start_s[inside], unit="s", utc=True).tz_convert(zone).strftime("%Y-%m-%d")
    days = pd.Series(~np.isnan(grid.value[inside])).groupby(day).agg(["sum", "size"])
    short = days[(days["sum"] < days["size"]) & (days["sum"] > 0)].head(3)
    return "".join(f"; {row.Index} has {row.sum} values, expected {row.size}" for row in short.itertuples())


def _fill(table: _Table, label: str, grid: _Grid, fill: str, zone: str) -> tuple[np.ndarray, list[str]]:
    """[grid steps] values with the gaps of the period filled, and a note on them."""
    missing = np.isnan(grid.value) & grid.within_table
    edge = np.diff(missing.astype(int), prepend=0, append=0)
    runs = zip(np.flatnonzero(edge == 1), np.flatnonzero(edge == -1), strict=True)
    gaps = [(int(first), int(stop)) for first, stop in runs if grid.within_period[first:stop].any()]
    if not gaps:
        return grid.value, []
    size = f"{_count(len(gaps), 'gap')}, {_count(sum(stop - first for first, stop in gaps), 'step')}"
    listing = "; ".join(_gap_text(table, grid, first, stop, zone) for first, stop in gaps[:3])
    listing += "; ..." if len(gaps) > 3 else ""
    row = grid.row[gaps[0][0]]
    place = table.place(row) if row >= 0 else table.name
    if fill == "none":
        cure = "Set `fill: interpolate` or `fill: zero`, complete the file, or shorten the period."
        raise InputError(place, f"{label!r} has {size} missing: {listing}{_short_days(grid, zone)}", cure)
    if fill == "zero":
        return np.where(missing, 0.0, grid.value), [f"{size} filled by zero: {listing}"]
    for first, stop in gaps:
        if (stop - first) * grid.step_s > _LONGEST_FILL_S:
            what = f"the gap {_gap_text(table, grid, first, stop, zone)} is longer than 24 h, too long to interpolate"
            raise InputError(place, what, "Set `fill: zero`, complete the file, or shorten the period.")
    known = ~np.isnan(grid.value)
    filled = np.interp(grid.start_s, grid.start_s[known], grid.value[known])
    return np.where(missing, filled, grid.value), [f"{size} filled by interpolation: {listing}"]
