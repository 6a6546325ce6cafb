"""The time columns of a table file: any usual way of writing them becomes UTC."""

import re
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from prosumax.data.readers.table_file import (
    STAMP,
    FileKey,
    Table,
    as_text,
    column_kinds,
    first_true,
    parse,
)
from prosumax.errors import InputError, did_you_mean

_TIME_NAME = re.compile(
    r"(utc[\W_]?)?(time|timestamp|datetime|date|datum|van|from|start|du|d[eé]but|horodat\w*|von|beginn|zeit\w*)([\W_]|$)",
    re.IGNORECASE,
)


@lru_cache(maxsize=4)
def read_times(
    key: FileKey, time_column: str | None
) -> tuple[pd.DatetimeIndex, tuple[str, ...], tuple[str, ...]]:
    """[rows of the file] stamps (naive, or UTC when the file gives offsets), the columns they come from, and notes."""
    table, kinds = parse(key), column_kinds(key)
    if time_column is not None and time_column not in kinds:
        raise InputError(
            table.name, f"there is no column {time_column!r}", did_you_mean(time_column, kinds)
        )
    dates = sorted(
        (name for name in kinds if kinds[name] == "time"),
        key=lambda name: not _TIME_NAME.match(name),
    )
    if time_column is None and not dates:
        cure = "Write times as 2023-12-31 23:45 or 31/12/2023 23:45, or set `time_column`."
        raise InputError(
            table.name, f"no column holds times; the columns are {', '.join(kinds)}", cure
        )
    names: tuple[str, ...] = (time_column or dates[0],)
    cells = table.frame[names[0]]
    notes: tuple[str, ...] = ()
    if pd.api.types.is_datetime64_any_dtype(cells):
        stamps = pd.DatetimeIndex(cells).as_unit("ns")
    else:
        text, columns = as_text(cells), list(kinds)
        after_date = columns[columns.index(names[0]) :] + columns
        clock = next((name for name in after_date if kinds[name] == "clock"), None)
        if clock is not None and not text.str.contains(":", regex=False).any():
            names, text = (names[0], clock), text + " " + as_text(table.frame[clock])
        codes, unique = pd.factorize(text)  # a long table repeats every stamp once per home
        parsed, notes = _parse_stamps(table, pd.Series(unique))
        stamps = parsed[codes]
    if (row := first_true(stamps.isna())) is not None:
        given = " ".join(str(table.frame[name].iloc[row]) for name in names)
        what, cure = (
            f"{given!r} cannot be read as a time",
            "Write it like the other times, or remove the row.",
        )
        raise InputError(f"{table.name} {table.line(row)}", what, cure)
    return (stamps.tz_convert("UTC") if stamps.tz is not None else stamps), names, notes


def _parse_stamps(table: Table, text: pd.Series) -> tuple[pd.DatetimeIndex, tuple[str, ...]]:
    """Stamps of one column, all in one order of day, month and year; NaT where that order does not fit."""
    parts = text.str.extract(rf"^{STAMP}$")
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
    valid = (minute < 60) & (second <= 60) & (clock_s <= 24 * 3600)
    date = pd.to_datetime(pd.DataFrame({"year": year, "month": month, "day": day}), errors="coerce")
    stamps = pd.DatetimeIndex((date + pd.to_timedelta(clock_s, unit="s")).where(valid)).as_unit(
        "ns"
    )
    zone = parts["zone"].str.upper().str.replace("Z", "+0000").str.replace(":", "")
    if zone.isna().all():
        return stamps, notes
    if (zone.isna() & np.asarray(stamps.notna())).any():
        raise InputError(
            table.name,
            "some times carry a UTC offset, others do not",
            "Write all times in one way.",
        )
    offset_min = pd.to_numeric(zone.str[1:3]) * 60 + pd.to_numeric(
        zone.str[3:5], errors="coerce"
    ).fillna(0)
    offset = pd.to_timedelta(offset_min.where(zone.str[0] == "+", -offset_min), unit="min")
    return (stamps - pd.TimedeltaIndex(offset)).tz_localize("UTC"), notes


def in_utc(
    table: Table,
    rows: np.ndarray,
    stamps: pd.DatetimeIndex,
    value: np.ndarray,
    time_zone: str | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, starts in seconds since 1970 UTC, and values, in the order of time and without repeats."""
    try:
        ZoneInfo(time_zone or "UTC")
    except (KeyError, ValueError, OSError):
        cure = "Use a name such as Europe/Brussels or UTC."
        raise InputError("time_zone", f"{time_zone!r} is not a time zone", cure) from None
    if stamps.tz is None:
        # Only the order tells the two passes of the autumn hour apart; a single pass counts as the first one.
        second_pass = np.asarray(
            stamps.duplicated(keep="last" if stamps[0] > stamps[-1] else "first")
        )
        utc = stamps.tz_localize(time_zone or "UTC", ambiguous=~second_pass, nonexistent="NaT")
        skipped = np.asarray(utc.isna())
        if (at := first_true(skipped & ~np.isnan(value))) is not None:
            what = f"{stamps[at]:%Y-%m-%d %H:%M} does not exist in {time_zone}: the clock skips this hour in spring"
            cure = "Remove these rows, or set `time_zone` to the file's own clock (Etc/GMT-1 is UTC+1 all year)."
            raise InputError(f"{table.name} {table.line(rows[at])}", what, cure)
        rows, stamps, value = rows[~skipped], utc[~skipped], value[~skipped]
    start_s = stamps.asi8 // 10**9
    order = np.argsort(start_s, kind="stable")
    rows, start_s, value = rows[order], start_s[order], value[order]
    if (at := first_true(np.diff(start_s) == 0)) is not None:
        cure = "Remove one of the two rows, or set `id_column` if the table holds several homes."
        what = f"the same time already stands on {table.line(rows[at])}"
        raise InputError(f"{table.name} {table.line(rows[at + 1])}", what, cure)
    return rows, start_s, value
