"""A user's meter exports become the homes of a scenario; everything doubtful has a line and a cure."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from prosumax.data.readers.meter_file import Reading, Register, read_meter_file
from prosumax.data.readers.meter_series import MeterSeries, clock
from prosumax.data.readers.table_file import first_true
from prosumax.errors import InputError

Directions = dict[str, MeterSeries]
_DAY_S = 86400
_MOST_KWH_YEAR, _LEAST_KWH_YEAR, _MOST_KW = 500_000, 20.0, 1000.0
"""Beyond these the unit is wrong: a school uses some 200 MWh a year, an empty flat some 100 kWh."""
_HIGH_KW = 100.0  # worth a note
_TOLD_GAPS = 4


@dataclass(frozen=True)
class HomeMeter:
    """One home, as its meters tell it; energy in kWh per step, NaN where a meter says nothing.

    Attributes:
        name: of the home.
        registers: what the files call its registers, by direction.
        unit: of the values in the files.
        load_kwh, solar_kwh: what enters the scenario [step]; without a meter for production they are what the home
            takes and sends.
        taken_kwh, sent_kwh: at the meter [step].
        has_production: whether a meter behind the panels was among the registers.
        estimated: values that the file calls estimated.
        gaps: runs of missing steps, each (first step, one past the last).
    """

    name: str
    registers: dict[str, list[str]]
    unit: str
    load_kwh: np.ndarray
    solar_kwh: np.ndarray
    taken_kwh: np.ndarray
    sent_kwh: np.ndarray
    has_production: bool
    estimated: int
    gaps: list[tuple[int, int]]


@dataclass(frozen=True)
class Meters:
    """What a set of exports holds.

    Attributes:
        index: [step] UTC starts.
        step_minutes: length of a step.
        time_zone: of the local clock.
        homes: in the order of the files.
        files: names of the files.
        notes: how they were read, and what is worth knowing.
        gap_error: what is missing, as an error that was not raised; None when all is there.
    """

    index: pd.DatetimeIndex
    step_minutes: int
    time_zone: str | None
    homes: list[HomeMeter]
    files: list[str]
    notes: list[str] = field(default_factory=list)
    gap_error: InputError | None = None

    @property
    def longest_gap_h(self) -> float:
        """Hours."""
        steps = max((stop - first for home in self.homes for first, stop in home.gaps), default=0)
        return steps * self.step_minutes / 60

    @property
    def local(self) -> pd.DatetimeIndex:
        """Starts on the local clock."""
        return self.index.tz_convert(self.time_zone or "UTC")


def read_meters(
    paths: list[Path], how: Reading, first_day: str | None = None, last_day: str | None = None
) -> Meters:
    """Read meter exports: one home per file, or many in one table.

    Arguments:
        paths: CSV, TSV, TXT (also .gz) or Parquet files.
        how: what the files do not say themselves.
        first_day, last_day: part of the period, local days such as 2023-01-01.

    Returns:
        Homes on one clock, over the period that all of them cover.

    Raises:
        InputError: a file cannot be understood, or a value cannot be true; with file, line and cure.
    """
    registers: list[Register] = []
    notes: list[str] = []
    for path in paths:
        found, told = read_meter_file(path, how)
        stem = path.name.split(".")[0][:80]
        registers += [register._replace(home=register.home or stem) for register in found]
        notes += told
    by_home: dict[str, dict[str, list[Register]]] = {}
    for register in registers:
        by_home.setdefault(register.home, {}).setdefault(register.direction, []).append(register)
    series = {
        home: {d: MeterSeries(rs, how) for d, rs in directions.items()}
        for home, directions in by_home.items()
    }
    step_s = _one_step(series)
    begin_s, end_s, more = _common(series, how.time_zone, first_day, last_day)
    notes += more
    steps = (end_s - begin_s) // step_s
    index = pd.to_datetime(begin_s + step_s * np.arange(steps), unit="s", utc=True)
    index = pd.DatetimeIndex(index, freq=f"{step_s // 60}min")
    homes, errors = [], []
    for name, directions in series.items():
        home, told, error = _home(name, directions, begin_s, steps, step_s, how)
        homes.append(home)
        notes += told
        errors += [] if error is None else [error]
    files = [path.name for path in paths]
    meters = Meters(index, step_s // 60, how.time_zone, homes, files, list(dict.fromkeys(notes)))
    return replace(meters, gap_error=_gap_error(errors))


def _one_step(series: dict[str, Directions]) -> int:
    found = {
        s.step_s: (home, s) for home, directions in series.items() for s in directions.values()
    }
    if len(found) > 1:
        (one, (home, _)), (two, (other, at)) = sorted(found.items())[:2]
        table = at.registers[0].table
        what = f"{other!r} has steps of {two // 60} min and {home!r} of {one // 60} min"
        raise InputError(
            f"{table.name} {table.line(0)}", what, "Import homes of one step together."
        )
    return next(iter(found))


def _common(
    series: dict[str, Directions], zone: str | None, first_day: str | None, last_day: str | None
) -> tuple[int, int, list[str]]:
    """Begin and end of the period that all homes cover, within the days asked for."""
    # Panels may be younger than the meter: what they send is zero before, and shortens nothing.
    main = ("offtake", "net")
    every = [
        (home, s)
        for home, directions in series.items()
        for d, s in directions.items()
        if d in main or not any(name in directions for name in main)
    ]
    latest, begins = max(every, key=lambda entry: entry[1].first_s)
    earliest, ends = min(every, key=lambda entry: entry[1].end_s)
    begin_s, end_s = begins.first_s, ends.end_s
    if begin_s >= end_s:
        table = begins.registers[0].table
        what = f"{latest!r} begins {clock(begin_s, zone)}, when {earliest!r} has ended ({clock(end_s, zone)})"
        raise InputError(
            f"{table.name} {table.line(0)}", what, "Import homes with a common period."
        )
    notes = []
    if min(s.first_s for _, s in every) < begin_s or max(s.end_s for _, s in every) > end_s:
        notes.append(
            f"the homes have {clock(begin_s, zone)} to {clock(end_s, zone)} in common; the rest is left out"
        )
    for option, day, after in (("--from", first_day, 0), ("--to", last_day, 1)):
        if day is None:
            continue
        try:
            at = pd.Timestamp(day).tz_localize(zone or "UTC") + pd.DateOffset(days=after)
        except ValueError:
            raise InputError(
                f"{option} {day}", "is not a day", "Write it like 2023-01-31."
            ) from None
        moment = int(at.timestamp())
        if not begin_s <= moment <= end_s:
            what = f"lies outside the data ({clock(begin_s, zone)} to {clock(end_s, zone)})"
            raise InputError(f"{option} {day}", what, "Name a day within.")
        begin_s, end_s = (moment, end_s) if after == 0 else (begin_s, moment)
    if begin_s >= end_s:
        raise InputError(f"--from {first_day}", f"lies after --to {last_day}", "Swap them.")
    return begin_s, end_s, notes


def _home(
    name: str, directions: Directions, begin_s: int, steps: int, step_s: int, how: Reading
) -> tuple[HomeMeter, list[str], InputError | None]:
    outside = {"offtake": np.nan, "net": np.nan}
    cut = {d: s.between(begin_s, steps, outside.get(d, 0.0)) for d, s in directions.items()}
    zeros, notes = np.zeros(steps), _zeros_left_out(name, cut, directions, begin_s)
    if "net" in cut and ("offtake" in cut or "injection" in cut):
        register = directions["net"].registers[0]
        what = (
            f"{name!r} has a net register ({register.said!r}) beside those for taking and sending"
        )
        raise InputError(f"{register.table.name} line 1", what, "Remove one or the other.")
    net = cut.get("net")
    taken = np.maximum(net, 0) if net is not None else cut.get("offtake", zeros)
    sent = np.maximum(-net, 0) if net is not None else cut.get("injection", zeros)
    production = cut.get("production")
    load, solar = taken, sent
    if production is not None and net is None and "injection" not in cut:
        notes.append(
            f"{name}: consumption is taken as all that the home uses, since nothing says what it sends"
        )
        load, solar = taken, production
    elif production is not None:
        load, solar = taken + production - sent, production
        _check_production(name, directions["production"], load, begin_s, step_s, how)
        load = np.where(load < 0, 0.0, load)
    both = float(np.nansum(np.minimum(taken, sent))) if production is None else 0.0
    if both > 0.01:
        notes.append(
            f"{name}: {both:,.1f} kWh taken and sent within the same step cancel in the run"
        )
    for direction, series in directions.items():
        if direction in ("injection", "production") and series.first_s > begin_s:
            notes.append(
                f"{name}: {direction} begins {clock(series.first_s, how.time_zone)}; zero before"
            )
        if direction == "injection" and any(
            (np.nan_to_num(r.value) < 0).any() for r in series.registers
        ):
            notes.append(f"{name}: injection is written with a minus sign")
    missing = np.isnan(load) | np.isnan(solar)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(int), [0]])))
    gaps = [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
    registers = {d: [r.said for r in s.registers] for d, s in directions.items()}
    estimated = sum(r.estimated for s in directions.values() for r in s.registers)
    units = {r.unit for s in directions.values() for r in s.registers}
    has_production = production is not None
    home = HomeMeter(
        name,
        registers,
        ", ".join(sorted(units)),
        load,
        solar,
        taken,
        sent,
        has_production,
        estimated,
        gaps,
    )
    notes += _plausible(home, directions, begin_s, step_s, how)
    if estimated:
        notes.append(f"{name}: {estimated:,} values are estimates of the grid operator")
    return home, notes, _missing(home, directions, begin_s, step_s, how)


def _zeros_left_out(
    name: str, cut: dict[str, np.ndarray], directions: Directions, begin_s: int
) -> list[str]:
    """Some exports write no row for zero; where another register of the home has a value, the meter was read."""
    rows = {d: s.has_row(begin_s, len(cut[d])) for d, s in directions.items()}
    read = np.any([~np.isnan(kwh) & rows[d] for d, kwh in cut.items()], axis=0)
    notes = []
    for direction, kwh in cut.items():
        left_out = np.isnan(kwh) & ~rows[direction] & read
        if left_out.any():
            kwh[left_out] = 0.0
            notes.append(
                f"{name}: {int(left_out.sum()):,} steps without a row for {direction} count as zero"
            )
    return notes


def _check_production(
    name: str, series: MeterSeries, load: np.ndarray, begin_s: int, step_s: int, how: Reading
) -> None:
    if (at := first_true(load < -0.02 * max(np.nanmax(np.abs(load)), 1e-9) - 0.005)) is None:
        return
    row = max(series.row_at(begin_s, at), 0)
    table = series.registers[0].table
    what = (
        f"{name!r} sends {-load[at]:.3g} kWh more than it takes and produces at "
        f"{clock(begin_s + at * step_s, how.time_zone)}"
    )
    cure = "Check the units and clocks of the production column, or remove it."
    raise InputError(f"{table.name} {table.line(row)}", what, cure)


def _plausible(
    home: HomeMeter, directions: Directions, begin_s: int, step_s: int, how: Reading
) -> list[str]:
    """Notes on values that are hardly true; values that cannot be are an error, unless the user gave the unit."""
    notes = []
    years = len(home.load_kwh) * step_s / 3600 / 8760
    for direction, series in directions.items():
        kwh = np.nan_to_num(series.between(begin_s, len(home.load_kwh), 0.0))
        a_year, highest = float(np.abs(kwh).sum()) / years, float(np.abs(kwh).max()) * 3600 / step_s
        table = series.registers[0].table
        place = (
            f"{table.name} {table.line(max(series.row_at(begin_s, int(np.abs(kwh).argmax())), 0))}"
        )
        unit = series.registers[0].unit
        small = 0 < a_year < _LEAST_KWH_YEAR and direction in ("offtake", "net") and highest > 0
        if (a_year > _MOST_KWH_YEAR or highest > _MOST_KW) or small:
            other = (
                "MWh"
                if small
                else {"kWh": "Wh", "kW": "W", "MWh": "kWh", "MW": "kW"}.get(unit, "Wh")
            )
            other = {"kW": "MW", "W": "kW", "Wh": "kWh"}.get(unit, "MWh") if small else other
            what = (
                f"{home.name!r} would {'take' if direction != 'injection' else 'send'} {a_year:,.0f} kWh a year, "
                f"{highest:,.4g} kW at most, if the values are {unit}"
            )
            if how.unit is None:
                cure = f"Add --unit {other} if that is what they are, or --unit {unit} to keep it."
                raise InputError(place, what, cure)
            notes.append(f"{place}: {what}")
        elif highest > _HIGH_KW:
            notes.append(f"{place}: {home.name!r} has {highest:,.0f} kW; is the unit right?")
        elif not kwh.any():
            notes.append(f"{home.name}: {direction} is zero throughout")
    return notes


def _missing(
    home: HomeMeter, directions: Directions, begin_s: int, step_s: int, how: Reading
) -> InputError | None:
    """What is missing, with the lines around it."""
    if not home.gaps:
        return None
    told = [_gap(home, directions, gap, begin_s, step_s, how) for gap in home.gaps[:_TOLD_GAPS]]
    steps = sum(stop - first for first, stop in home.gaps)
    more = "; ..." if len(home.gaps) > _TOLD_GAPS else ""
    count = f"{len(home.gaps)} gap{'s' if len(home.gaps) > 1 else ''}, {steps:,} step{'s' if steps > 1 else ''}"
    series = next(iter(directions.values()))
    longest = max(stop - first for first, stop in home.gaps) * step_s
    cure = "Add --fill interpolate or --fill zero, or complete the file."
    if longest > _DAY_S:
        cure = "A gap is longer than a day: add --fill zero, or leave it out with --from and --to."
    where = (
        f"{series.registers[0].table.name}{_line_before(series, home.gaps[0][0], begin_s, step_s)}"
    )
    return InputError(where, f"{home.name!r} has {count} missing: {'; '.join(told)}{more}", cure)


def _gap(
    home: HomeMeter,
    directions: Directions,
    gap: tuple[int, int],
    begin_s: int,
    step_s: int,
    how: Reading,
) -> str:
    first, stop = gap
    start_s, last_s = begin_s + first * step_s, begin_s + (stop - 1) * step_s
    text = clock(start_s, how.time_zone) + (
        f" .. {clock(last_s, how.time_zone)}" if stop - first > 1 else ""
    )
    for series in directions.values():
        row = series.row_at(begin_s, first)
        if row >= 0 and np.isnan(series.between(begin_s, first + 1, 0.0)[first]):
            return f"{text} (empty, {series.registers[0].table.line(row)})"
    local = pd.Timestamp(start_s, unit="s", tz=how.time_zone or "UTC")
    an_hour_before = (local - pd.Timedelta(hours=1)).tz_localize(None)
    repeated = an_hour_before == local.tz_localize(None)
    return text + (
        " (the hour that the clock repeats in autumn stands there once, not twice)"
        if repeated
        else ""
    )


def _line_before(series: MeterSeries, step: int, begin_s: int, step_s: int) -> str:
    """The line of a gap, or the last one before it."""
    at = (begin_s - series.first_s) // step_s + step
    known = np.flatnonzero(series.row[: at + 1] >= 0)
    return f" {series.registers[0].table.line(int(series.row[known[-1]]))}" if len(known) else ""


def _gap_error(errors: list[InputError]) -> InputError | None:
    if not errors:
        return None
    others = f" ({len(errors) - 1} more homes have gaps.)" if len(errors) > 1 else ""
    return InputError(errors[0].where, errors[0].what, errors[0].cure + others)
