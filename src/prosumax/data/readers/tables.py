"""User tables (CSV, Parquet) as series on the simulated steps.

The reader never guesses: an ambiguous cell, unit or gap is an error that names its line.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from prosumax.data.readers.table_file import (
    TableFile,
    file_version,
    first_true,
    parse_table,
    read_numbers,
    resolve_unit,
    select_series,
)
from prosumax.data.readers.table_times import read_times, to_utc
from prosumax.errors import InputError, did_you_mean

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_DAY_S = 24 * 3600  # The longest gap that is interpolated.
_IMPLAUSIBLE_KW = 200.0


class _Grid(NamedTuple):
    """One series on evenly spaced steps of the table, with a day of margin around the period.

    Attributes:
        start_s: Step starts, s since 1970 UTC.
        value: Values; NaN where the table has none.
        row: Position in the frame; -1 where the table has no row.
        in_table: Whether the step lies between the first and the last time of the table.
        in_period: Whether the step overlaps the simulated period.
        step_s: Step length, s.
    """

    start_s: Int[Ints, " step"]
    value: Float[Array, " step"]
    row: Int[Ints, " step"]
    in_table: Bool[Bools, " step"]
    in_period: Bool[Bools, " step"]
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
) -> tuple[Float[Array, " step"], list[str]]:
    """Read one series of a wide table (one column per home) or a long table (time, id, value).

    Time stamps mark the start of an interval. A finer table is summed (energy) or averaged (rate);
    a coarser one is distributed evenly over the simulated steps.

    Args:
        path: CSV, TSV or TXT file (also .gz; separator and decimal sign are detected), or Parquet.
        index: UTC starts of the simulated steps, evenly spaced; a single one must carry its `freq`.
        column: Column (wide table) or id (long table); optional if the table holds one series.
        id_column: Column with the ids of a long table; detected if None.
        value_column: Column with the values of a long table; detected if None.
        time_column: Column with the times; detected if None. A separate column with the time of day
            is joined to it.
        unit: `kWh`, `Wh`, `kW` or `W`, in any case (a power is the mean over the step of the
            table). If None, it is taken from the column name (`home_1_kwh`, `Load [kW]`) or a unit
            column. Not used for a rate.
        time_zone: IANA name of the time zone of times without offset, daylight saving time
            included; None for UTC.
        fill: `none` (a gap is an error), `interpolate` (linear, up to 24 h; at the edge of the
            table the nearest value repeats) or `zero`.
        quantity: `energy` (never negative) or `rate` (a price, an emission factor).
        where: Scenario field that refers to the table, for messages.

    Returns:
        Energy in kWh per step, or the mean of a rate over each step; and notes on how the table was
        read and which gaps were filled.

    Raises:
        InputError: The file, a column, a cell, the unit or the covered period is invalid.
    """
    try:
        _check_option("fill", fill, ("none", "interpolate", "zero"))
        _check_option("quantity", quantity, ("energy", "rate"))
        version = file_version(Path(path))
        table = parse_table(version)
        times, time_columns, time_notes = read_times(version, time_column)
        rows, name, label = select_series(
            version, column, id_column, value_column, time_columns, times
        )
        value = read_numbers(table, rows, name, signed=quantity == "rate")
        series = to_utc(table, rows, times[rows], value, time_zone)
        zone = time_zone or "UTC"
        grid = _to_grid(table, *series, index, zone)
        unit_name = "rate"
        factor = 1.0
        if quantity == "energy":
            unit_name, factor = resolve_unit(table, rows, name, unit, grid.step_s)
        filled, fill_notes = _fill_gaps(table, label, grid, fill, zone)
        resampled, step_notes = _resample(grid, filled * factor, index, quantity)
        if quantity == "energy":
            step_notes += _plausibility_notes(table, grid, factor)
    except InputError as error:
        raise InputError(f"{where}: {error.where}", error.problem, error.fix) from None
    clock = zone if times.tz is None else "with UTC offsets"
    summary = (
        f"read as {unit_name} per {_minutes(grid.step_s)}, "
        f"times from {' + '.join(time_columns)} ({clock})"
    )
    notes = [summary, *time_notes, *step_notes, *fill_notes]
    return resampled, [f"{table.name} column {label!r}: {note}" for note in notes]


def _check_option(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(name, f"there is no option {value!r}", did_you_mean(value, allowed))


def _to_grid(
    table: TableFile,
    rows: Ints,
    start_s: Ints,
    value: Array,
    index: pd.DatetimeIndex,
    zone: str,
) -> _Grid:
    """Place the values on evenly spaced steps that match the simulation and cover its period."""
    if len(start_s) < 2 or np.isnan(value).all():
        raise InputError(
            table.name, "there are fewer than two values", "Provide one row per time step."
        )
    steps_s, counts = np.unique(np.diff(start_s), return_counts=True)
    step_s = int(steps_s[counts.argmax()])
    begin_s, simulated_s, end_s = _period(index)
    if step_s % simulated_s and simulated_s % step_s:
        raise InputError(
            table.name,
            f"its step is {_minutes(step_s)}, the simulated step {_minutes(simulated_s)}",
            "One of the two steps must be a multiple of the other.",
        )
    anchor_s = begin_s if step_s <= simulated_s else int(start_s[0])
    off_table_step = (start_s - anchor_s) % step_s != 0
    off_simulated_step = (start_s - begin_s) % min(step_s, simulated_s) != 0
    if (at := first_true(off_table_step | off_simulated_step)) is not None:
        raise InputError(
            f"{table.name} {table.row_label(rows[at])}",
            f"{_local(start_s[at], zone)} is not the start of a step of {_minutes(step_s)}",
            "Align all times with whole steps; steps longer than an hour need a clock without "
            "daylight saving time.",
        )
    # A day of margin shows whether a gap that extends beyond the period is too long to fill.
    first_s = anchor_s + (begin_s - _DAY_S - anchor_s) // step_s * step_s
    grid_s = np.arange(first_s, end_s + _DAY_S + step_s, step_s)
    position = (start_s - first_s) // step_s
    inside = (position >= 0) & (position < len(grid_s))
    grid_value = np.full(len(grid_s), np.nan)
    grid_value[position[inside]] = value[inside]
    grid_row = np.full(len(grid_s), -1)
    grid_row[position[inside]] = rows[inside]
    in_table = (grid_s >= start_s[0]) & (grid_s <= start_s[-1])
    in_period = (grid_s + step_s > begin_s) & (grid_s < end_s)
    grid = _Grid(grid_s, grid_value, grid_row, in_table, in_period, step_s)
    if (in_period & ~in_table).any():
        raise InputError(
            table.name,
            f"the table does not cover the period: it has {len(rows)} rows from "
            f"{_local(start_s[0], zone)} to {_local(start_s[-1] + step_s, zone)}, the period needs "
            f"{in_period.sum()} from {_local(begin_s, zone)} to {_local(end_s, zone)} ({zone})"
            f"{_incomplete_days(grid, zone)}",
            "Extend the table or shorten the period; a time marks the START of its interval.",
        )
    return grid


def _incomplete_days(grid: _Grid, zone: str) -> str:
    """List the first local days with some missing values, as the end of a sentence."""
    start = pd.to_datetime(grid.start_s[grid.in_period], unit="s", utc=True)
    day = start.tz_convert(zone).strftime("%Y-%m-%d")
    present = pd.Series(~np.isnan(grid.value[grid.in_period])).groupby(np.asarray(day))
    counts = zip(present.groups, present.sum(), present.size(), strict=True)
    incomplete = [
        f"; {day} has {count} values, expected {expected}"
        for day, count, expected in counts
        if 0 < count < expected
    ]
    return "".join(incomplete[:3])


def _fill_gaps(
    table: TableFile, label: str, grid: _Grid, fill: str, zone: str
) -> tuple[Float[Array, " step"], list[str]]:
    """Return the values with the gaps of the period filled, and a note on the gaps."""
    missing = np.isnan(grid.value) & grid.in_table
    edge = np.diff(missing.astype(int), prepend=0, append=0)
    runs = zip(np.flatnonzero(edge == 1), np.flatnonzero(edge == -1), strict=True)
    gaps = [(int(first), int(stop)) for first, stop in runs if grid.in_period[first:stop].any()]
    if not gaps:
        return grid.value, []
    size = f"{_count(len(gaps), 'gap')}, {_count((missing & grid.in_period).sum(), 'step')}"
    listed = [_gap_text(table, grid, first, stop, zone) for first, stop in gaps[:3]]
    listing = "; ".join(listed + ["..."] * (len(gaps) > 3))
    if fill == "none":
        row = grid.row[gaps[0][0]]
        place = f"{table.name} {table.row_label(row)}" if row >= 0 else table.name
        raise InputError(
            place,
            f"{label!r} has {size} missing: {listing}{_incomplete_days(grid, zone)}",
            "Set `fill: interpolate` or `fill: zero`, complete the file, or shorten the period.",
        )
    if fill == "zero":
        return np.where(missing, 0.0, grid.value), [f"{size} filled by zero: {listing}"]
    for first, stop in gaps:
        if (stop - first) * grid.step_s > _DAY_S:
            gap = _gap_text(table, grid, first, stop, zone)
            raise InputError(
                table.name,
                f"a gap is too long to interpolate (over 24 h): {gap}",
                "Set `fill: zero`, complete the file, or shorten the period.",
            )
    known = ~np.isnan(grid.value)
    filled = np.interp(grid.start_s, grid.start_s[known], grid.value[known])
    return np.where(missing, filled, grid.value), [f"{size} filled by interpolation: {listing}"]


def _gap_text(table: TableFile, grid: _Grid, first: int, stop: int, zone: str) -> str:
    start = pd.Timestamp(grid.start_s[first], unit="s", tz=zone)
    text = _local(grid.start_s[first], zone)
    if stop - first > 1:
        text += f" .. {_local(grid.start_s[stop - 1], zone)}"
    row = grid.row[first]
    if row >= 0:
        return f"{text} (empty cell, {table.row_label(row)})"
    hour_before = (start - pd.Timedelta(hours=1)).tz_localize(None)
    if hour_before == start.tz_localize(None):
        text += " (the hour repeated at the end of daylight saving time occurs once, not twice)"
    return text


def _resample(
    grid: _Grid, value: Float[Array, " step"], index: pd.DatetimeIndex, quantity: str
) -> tuple[Float[Array, " simulated_step"], list[str]]:
    """Sum or distribute an energy, or average or repeat a rate, over the simulated steps."""
    begin_s, simulated_s, _ = _period(index)
    first = (begin_s - int(grid.start_s[0])) // min(grid.step_s, simulated_s)
    if grid.step_s <= simulated_s:
        parts = simulated_s // grid.step_s
        block = value[first : first + parts * len(index)].reshape(len(index), parts)
        notes = [f"{parts} values of {_minutes(grid.step_s)} make one step"] if parts > 1 else []
        return (block.sum(axis=1) if quantity == "energy" else block.mean(axis=1)), notes
    parts = grid.step_s // simulated_s
    repeated = np.repeat(value / parts if quantity == "energy" else value, parts)
    note = f"each value of {_minutes(grid.step_s)} is spread evenly over {parts} steps"
    return repeated[first : first + len(index)], [note]


def _plausibility_notes(table: TableFile, grid: _Grid, kwh_per_unit: float) -> list[str]:
    energy_kwh = np.where(grid.in_period, np.nan_to_num(grid.value), 0) * kwh_per_unit
    power_kw = energy_kwh * 3600 / grid.step_s
    if (at := first_true(power_kw > _IMPLAUSIBLE_KW)) is None:
        return []
    return [
        f"{table.row_label(grid.row[at])} has {power_kw[at]:.0f} kW mean power for one home; "
        "check the unit"
    ]


def _period(index: pd.DatetimeIndex) -> tuple[int, int, int]:
    """Return the start (s since 1970 UTC), the step (s) and the end (s since 1970 UTC)."""
    start_s = index.as_unit("s").asi8
    if len(index) > 1:
        step_s = int(start_s[1] - start_s[0])
    elif index.freq is not None:
        step_s = int((index[0] + index.freq - index[0]).total_seconds())
    else:
        raise InputError(
            "index",
            "the length of a single step is unknown",
            "Give the index a `freq`, or simulate at least two steps.",
        )
    return int(start_s[0]), step_s, int(start_s[-1]) + step_s


def _local(time_s: int, zone: str) -> str:
    return f"{pd.Timestamp(time_s, unit='s', tz=zone):%Y-%m-%d %H:%M}"


def _minutes(step_s: int) -> str:
    return f"{step_s / 60:g} min"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")
