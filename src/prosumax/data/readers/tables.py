"""User tables (CSV, Parquet) become step series on the simulated clock; a doubtful cell is an error, not a guess."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from prosumax.data.readers.table_file import (
    Table,
    choose,
    file_key,
    first_true,
    parse,
    read_numbers,
    unit_of,
)
from prosumax.data.readers.table_times import in_utc, read_times
from prosumax.errors import InputError, did_you_mean

_DAY_S = 24 * 3600  # the longest gap that is interpolated
_IMPLAUSIBLE_KW = 200.0


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
        index: [steps] UTC starts of the simulated steps, equally spaced; a single one must carry its `freq`.
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
                raise InputError(
                    option, f"{given!r} is not known", did_you_mean(str(given), allowed)
                )
        key = file_key(Path(path))
        table = parse(key)
        stamps, time_names, notes = read_times(key, time_column)
        rows, name, label = choose(key, column, id_column, value_column, time_names, stamps)
        value = read_numbers(table, rows, name, signed=quantity == "rate")
        in_order = in_utc(table, rows, stamps[rows], value, time_zone)
        zone = time_zone or "UTC"
        grid = _on_grid(table, *in_order, index, zone)
        unit_name, factor = (
            ("rate", 1.0) if quantity == "rate" else unit_of(table, rows, name, unit, grid.step_s)
        )
        filled, fill_notes = _fill(table, label, grid, fill, zone)
        series, step_notes = _resample(grid, filled * factor, index, quantity)
        if quantity == "energy":
            step_notes += _plausibility(table, grid, factor)
        clock = zone if stamps.tz is None else "offsets given"
        understood = f"read as {unit_name} per {_minutes(grid.step_s)}, times from {' + '.join(time_names)} ({clock})"
        prefix = f"{table.name} column {label!r}"
        return series, [
            f"{prefix}: {note}" for note in (understood, *notes, *step_notes, *fill_notes)
        ]
    except InputError as error:
        raise InputError(f"{where}: {error.where}", error.what, error.cure) from None


def _on_grid(
    table: Table,
    rows: np.ndarray,
    start_s: np.ndarray,
    value: np.ndarray,
    index: pd.DatetimeIndex,
    zone: str,
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
    astray = ((start_s - anchor_s) % step_s != 0) | (
        (start_s - begin_s) % min(step_s, simulated_s) != 0
    )
    if (at := first_true(astray)) is not None:
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
    day = (
        pd.to_datetime(grid.start_s[grid.in_period], unit="s", utc=True)
        .tz_convert(zone)
        .strftime("%Y-%m-%d")
    )
    found = pd.Series(~np.isnan(grid.value[grid.in_period])).groupby(np.asarray(day))
    counts = zip(found.groups, found.sum(), found.size(), strict=True)
    short = [
        f"; {day} has {has} values, expected {needs}"
        for day, has, needs in counts
        if 0 < has < needs
    ]
    return "".join(short[:3])


def _fill(
    table: Table, label: str, grid: _Grid, fill: str, zone: str
) -> tuple[np.ndarray, list[str]]:
    """[steps of the grid] values with the period's gaps filled, and a note on them."""
    missing = np.isnan(grid.value) & grid.in_table
    edge = np.diff(missing.astype(int), prepend=0, append=0)
    runs = zip(np.flatnonzero(edge == 1), np.flatnonzero(edge == -1), strict=True)
    gaps = [(int(first), int(stop)) for first, stop in runs if grid.in_period[first:stop].any()]
    if not gaps:
        return grid.value, []
    size = f"{_count(len(gaps), 'gap')}, {_count((missing & grid.in_period).sum(), 'step')}"
    told = [_gap(table, grid, first, stop, zone) for first, stop in gaps[:3]] + ["..."] * (
        len(gaps) > 3
    )
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
    return np.where(missing, filled, grid.value), [
        f"{size} filled by interpolation: {'; '.join(told)}"
    ]


def _gap(table: Table, grid: _Grid, first: int, stop: int, zone: str) -> str:
    start, row = pd.Timestamp(grid.start_s[first], unit="s", tz=zone), grid.row[first]
    text = _local(grid.start_s[first], zone) + (
        f" .. {_local(grid.start_s[stop - 1], zone)}" if stop - first > 1 else ""
    )
    if row >= 0:
        return f"{text} (empty cell, {table.line(row)})"
    repeated = (start - pd.Timedelta(hours=1)).tz_localize(None) == start.tz_localize(None)
    return text + (
        " (the hour that the clock repeats in autumn stands there once, not twice)"
        if repeated
        else ""
    )


def _resample(
    grid: _Grid, value: np.ndarray, index: pd.DatetimeIndex, quantity: str
) -> tuple[np.ndarray, list[str]]:
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


def _plausibility(table: Table, grid: _Grid, kwh_per_unit: float) -> list[str]:
    power_kw = (
        np.where(grid.in_period, np.nan_to_num(grid.value), 0) * kwh_per_unit * 3600 / grid.step_s
    )
    if (at := first_true(power_kw > _IMPLAUSIBLE_KW)) is None:
        return []
    return [
        f"{table.line(grid.row[at])} has {power_kw[at]:.0f} kW mean power for one home: is the unit right?"
    ]


def _period(index: pd.DatetimeIndex) -> tuple[int, int, int]:
    """Begin, step and end of the simulated period in seconds (since 1970 UTC)."""
    start_s = index.as_unit("s").asi8
    if len(index) == 1:
        if index.freq is None:
            what, cure = (
                "a single step does not tell its own length",
                "Give it a `freq`, or simulate two steps.",
            )
            raise InputError("index", what, cure)
        step_s = int((index[0] + index.freq - index[0]).total_seconds())
    else:
        step_s = int(start_s[1] - start_s[0])
    return int(start_s[0]), step_s, int(start_s[-1]) + step_s


def _local(time_s: int, zone: str) -> str:
    return f"{pd.Timestamp(time_s, unit='s', tz=zone):%Y-%m-%d %H:%M}"


def _minutes(step_s: int) -> str:
    return f"{step_s / 60:g} min"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")
