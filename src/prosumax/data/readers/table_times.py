"""Time columns of table files: time stamps in common notations, converted to UTC."""

import re
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import NDArray

from prosumax.data.readers.table_file import (
    TIMESTAMP_PATTERN,
    FileVersion,
    TableFile,
    cells_as_text,
    column_kinds,
    first_true,
    parse_table,
)
from prosumax.errors import InputError, did_you_mean

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_TIME_NAME = re.compile(
    r"(utc[\W_]?)?(time|timestamp|datetime|date|datum|van|from|start|du|d[eé]but|horodat\w*|von"
    r"|beginn|zeit\w*)([\W_]|$)",
    re.IGNORECASE,
)


@lru_cache(maxsize=4)
def read_times(
    version: FileVersion, time_column: str | None
) -> tuple[pd.DatetimeIndex, tuple[str, ...], tuple[str, ...]]:
    """Parse the time stamps of every row of a file.

    Args:
        version: File, from `file_version`.
        time_column: Column with the times; detected if None. A separate column with the time of day
            is joined to a column of dates.

    Returns:
        The time stamps (naive, or UTC if the file states offsets), the names of their columns, and
        notes on how the dates were read.

    Raises:
        InputError: There is no time column, or a cell cannot be read as a time.
    """
    table = parse_table(version)
    kinds = column_kinds(version)
    if time_column is not None and time_column not in kinds:
        problem = f"there is no column {time_column!r}"
        raise InputError(table.name, problem, did_you_mean(time_column, kinds))
    time_columns = [name for name in kinds if kinds[name] == "time"]
    time_columns.sort(key=lambda name: not _TIME_NAME.match(name))
    if time_column is None and not time_columns:
        raise InputError(
            table.name,
            f"no column holds times; the columns are {', '.join(kinds)}",
            "Write times as 2023-12-31 23:45 or 31/12/2023 23:45, or set `time_column`.",
        )
    names: tuple[str, ...] = (time_column or time_columns[0],)
    cells = table.frame[names[0]]
    notes: tuple[str, ...] = ()
    if pd.api.types.is_datetime64_any_dtype(cells):
        times = pd.DatetimeIndex(cells).as_unit("ns")
    else:
        text = cells_as_text(cells)
        columns = list(kinds)
        candidates = columns[columns.index(names[0]) :] + columns
        clock = next((name for name in candidates if kinds[name] == "clock"), None)
        if clock is not None and not text.str.contains(":", regex=False).any():
            names = (names[0], clock)
            text = text + " " + cells_as_text(table.frame[clock])
        # A long table repeats every time stamp once per home, so each distinct one is parsed once.
        codes, distinct = pd.factorize(text)
        parsed, notes = _parse_timestamps(table, pd.Series(distinct))
        times = parsed[codes]
    if (row := first_true(times.isna())) is not None:
        cell = " ".join(str(table.frame[name].iloc[row]) for name in names)
        raise InputError(
            f"{table.name} {table.row_label(row)}",
            f"{cell!r} cannot be read as a time",
            "Write the time in the format of the other rows, or remove the row.",
        )
    return (times.tz_convert("UTC") if times.tz is not None else times), names, notes


def _parse_timestamps(
    table: TableFile, text: "pd.Series[str]"
) -> tuple[pd.DatetimeIndex, tuple[str, ...]]:
    """Parse the time stamps of one column with one order of day, month and year.

    Returns:
        The time stamps (NaT where that order does not apply), and notes on ambiguous dates.
    """
    parts = text.str.extract(rf"^{TIMESTAMP_PATTERN}$")
    number = parts.drop(columns="zone").apply(pd.to_numeric)
    year = number["y"]
    month = number["m"]
    day = number["d"]
    notes: tuple[str, ...] = ()
    if year.count() < number["c"].count():
        year = number["c"]
        month = number["b"]
        day = number["a"]
        if day.max() <= 12:
            month_first = month.max() > 12
            if month_first:
                day, month = month, day
            order = "month/day" if month_first else "day/month"
            notes = (f"dates read as {order}/year",)
    # Spreadsheets store times as fractions of a day, so their exports deviate by milliseconds.
    minute = number["min"].fillna(0)
    second = number["s"].fillna(0).round()
    seconds_of_day = number["h"].fillna(0) * 3600 + minute * 60 + second
    valid = (minute < 60) & (second <= 60) & (seconds_of_day <= 24 * 3600)
    date_parts = pd.DataFrame({"year": year, "month": month, "day": day})
    date = pd.to_datetime(date_parts, errors="coerce")
    local = (date + pd.to_timedelta(seconds_of_day, unit="s")).where(valid)
    times = pd.DatetimeIndex(local).as_unit("ns")
    zone = parts["zone"].str.upper().str.replace("Z", "+0000").str.replace(":", "")
    if zone.isna().all():
        return times, notes
    if (zone.isna() & np.asarray(times.notna())).any():
        raise InputError(
            table.name,
            "some times carry a UTC offset, others do not",
            "Write all times in one format.",
        )
    minutes = pd.to_numeric(zone.str[3:5], errors="coerce").fillna(0)
    offset_min = pd.to_numeric(zone.str[1:3]) * 60 + minutes
    offset = pd.to_timedelta(offset_min.where(zone.str[0] == "+", -offset_min), unit="min")
    return (times - pd.TimedeltaIndex(offset)).tz_localize("UTC"), notes


def to_utc(
    table: TableFile,
    rows: Int[Ints, " row"],
    times: pd.DatetimeIndex,
    value: Float[Array, " row"],
    time_zone: str | None,
) -> tuple[Int[Ints, " sorted"], Int[Ints, " sorted"], Float[Array, " sorted"]]:
    """Convert time stamps to UTC and sort the series by time.

    Args:
        table: Parsed file.
        rows: Positions of the rows in the table.
        times: Time stamp of each row, naive or UTC.
        value: Value of each row.
        time_zone: IANA name of the time zone of naive time stamps; None for UTC.

    Returns:
        Rows, interval starts (s since 1970 UTC) and values, in the order of time.

    Raises:
        InputError: The time zone is unknown, a time is in the hour that is skipped when daylight
            saving time begins, or a time occurs twice.
    """
    try:
        ZoneInfo(time_zone or "UTC")
    except (KeyError, ValueError, OSError):
        raise InputError(
            "time_zone",
            f"{time_zone!r} is not a time zone",
            "Use an IANA name such as Europe/Brussels or UTC.",
        ) from None
    if times.tz is None:
        # When daylight saving time ends, only the order of the rows distinguishes the two
        # occurrences of the repeated hour; a single occurrence counts as the first one.
        descending = times[0] > times[-1]
        is_second = np.asarray(times.duplicated(keep="last" if descending else "first"))
        utc = times.tz_localize(time_zone or "UTC", ambiguous=~is_second, nonexistent="NaT")
        skipped = np.asarray(utc.isna())
        if (at := first_true(skipped & ~np.isnan(value))) is not None:
            raise InputError(
                f"{table.name} {table.row_label(rows[at])}",
                f"{times[at]:%Y-%m-%d %H:%M} does not exist in {time_zone}: daylight saving time "
                "skips this hour",
                "Remove these rows, or set `time_zone` to the clock of the file (Etc/GMT-1 is "
                "UTC+1 all year).",
            )
        rows = rows[~skipped]
        times = utc[~skipped]
        value = value[~skipped]
    start_s = times.asi8 // 10**9
    order = np.argsort(start_s, kind="stable")
    rows = rows[order]
    start_s = start_s[order]
    value = value[order]
    if (at := first_true(np.diff(start_s) == 0)) is not None:
        raise InputError(
            f"{table.name} {table.row_label(rows[at + 1])}",
            f"the same time is already on {table.row_label(rows[at])}",
            "Remove one of the two rows, or set `id_column` if the table holds several homes.",
        )
    return rows, start_s, value
