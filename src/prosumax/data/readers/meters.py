"""Meter exports as the homes of a scenario.

Ambiguous data is an error that names the line and the fix; plausible defaults become notes.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.data.readers.meter_file import MeterReadOptions, Register, read_meter_file
from prosumax.data.readers.meter_series import MeterSeries, format_local_time
from prosumax.data.readers.table_file import first_true
from prosumax.errors import InputError

Array = NDArray[np.float64]
Directions = dict[str, MeterSeries]
"""Series of one home by direction: `offtake`, `injection`, `production` or `net`."""

_DAY_S = 86400
# Beyond these limits the unit is wrong: a school uses some 200 MWh a year, an empty flat 100 kWh.
_MAX_ANNUAL_KWH = 500_000
_MIN_ANNUAL_KWH = 20.0
_MAX_KW = 1000.0
_HIGH_KW = 100.0  # A peak that is reported as a note.
_MAX_LISTED_GAPS = 4
_MAX_HOME_NAME_LENGTH = 80
# Measurement tolerance of the energy balance: 2 % of the largest load, and 5 Wh.
_BALANCE_REL_TOLERANCE = 0.02
_BALANCE_ABS_TOLERANCE_KWH = 0.005


@dataclass(frozen=True)
class HomeMeterData:
    """Meter data of one home, kWh per step; NaN where a register has no value.

    Attributes:
        name: Name of the home.
        registers: Names of its registers in the files, by direction.
        unit: Unit of the values in the files.
        load_kwh: Load that enters the scenario; equals the offtake without a production register.
        solar_kwh: PV generation that enters the scenario; equals the injection without a production
            register.
        offtake_kwh: Energy taken from the grid at the meter.
        injection_kwh: Energy injected into the grid at the meter.
        has_production: Whether a production register was among the registers.
        estimated_count: Number of values that the files mark as estimated.
        gaps: Runs of missing steps: (first step, step after the last one).
    """

    name: str
    registers: dict[str, list[str]]
    unit: str
    load_kwh: Float[Array, " step"]
    solar_kwh: Float[Array, " step"]
    offtake_kwh: Float[Array, " step"]
    injection_kwh: Float[Array, " step"]
    has_production: bool
    estimated_count: int
    gaps: list[tuple[int, int]]


@dataclass(frozen=True)
class MeterData:
    """Content of a set of meter exports.

    Attributes:
        index: Step starts, UTC.
        step_minutes: Step length, min.
        time_zone: IANA name of the local time zone; None for UTC.
        homes: Homes in the order of the files.
        files: Names of the files.
        notes: How the files were read, and remarks on the data.
        gap_error: Missing data as an error that was not raised; None if the data is complete.
    """

    index: pd.DatetimeIndex
    step_minutes: int
    time_zone: str | None
    homes: list[HomeMeterData]
    files: list[str]
    notes: list[str] = field(default_factory=list)
    gap_error: InputError | None = None

    @property
    def longest_gap_h(self) -> float:
        """Length of the longest gap, h."""
        steps = [stop - first for home in self.homes for first, stop in home.gaps]
        return max(steps, default=0) * self.step_minutes / 60

    @property
    def local_index(self) -> pd.DatetimeIndex:
        """Step starts in the local time zone."""
        return self.index.tz_convert(self.time_zone or "UTC")


def read_meters(
    paths: list[Path],
    options: MeterReadOptions,
    first_day: str | None = None,
    last_day: str | None = None,
) -> MeterData:
    """Read meter exports with one home per file or several homes in one table.

    Args:
        paths: CSV, TSV or TXT files (also .gz), or Parquet.
        options: Facts that the files do not state.
        first_day: First local day to keep, such as 2023-01-01; the first common one if None.
        last_day: Last local day to keep; the last common one if None.

    Returns:
        All homes on common steps, over the period that all of them cover.

    Raises:
        InputError: A file cannot be interpreted, or a value is implausible; the message names the
            file, the line and the fix.
    """
    registers: list[Register] = []
    notes: list[str] = []
    for path in paths:
        file_registers, file_notes = read_meter_file(path, options)
        stem = path.name.split(".")[0][:_MAX_HOME_NAME_LENGTH]
        registers += [register._replace(home=register.home or stem) for register in file_registers]
        notes += file_notes
    by_home: dict[str, dict[str, list[Register]]] = {}
    for register in registers:
        by_home.setdefault(register.home, {}).setdefault(register.direction, []).append(register)
    series = {
        home: {
            direction: MeterSeries(of_direction, options)
            for direction, of_direction in directions.items()
        }
        for home, directions in by_home.items()
    }
    step_s = _common_step(series)
    begin_s, end_s, period_notes = _common_period(series, options.time_zone, first_day, last_day)
    notes += period_notes
    steps = (end_s - begin_s) // step_s
    starts = pd.to_datetime(begin_s + step_s * np.arange(steps), unit="s", utc=True)
    homes = []
    errors = []
    for name, directions in series.items():
        home, home_notes, error = _home(name, directions, begin_s, steps, step_s, options)
        homes.append(home)
        notes += home_notes
        if error is not None:
            errors.append(error)
    meters = MeterData(
        index=pd.DatetimeIndex(starts, freq=f"{step_s // 60}min"),
        step_minutes=step_s // 60,
        time_zone=options.time_zone,
        homes=homes,
        files=[path.name for path in paths],
        notes=list(dict.fromkeys(notes)),
    )
    return replace(meters, gap_error=_combined_gap_error(errors))


def _common_step(series: dict[str, Directions]) -> int:
    """Return the step that all homes share, s."""
    by_step = {
        one.step_s: (home, one)
        for home, directions in series.items()
        for one in directions.values()
    }
    if len(by_step) > 1:
        (short_s, (home, _)), (long_s, (other, of_other)) = sorted(by_step.items())[:2]
        table = of_other.registers[0].table
        raise InputError(
            f"{table.name} {table.row_label(0)}",
            f"{other!r} has steps of {long_s // 60} min and {home!r} of {short_s // 60} min",
            "Import homes with the same step together.",
        )
    return next(iter(by_step))


def _common_period(
    series: dict[str, Directions], zone: str | None, first_day: str | None, last_day: str | None
) -> tuple[int, int, list[str]]:
    """Return the start and the end of the period that all homes cover within the requested days."""
    # A PV system may be newer than the meter: injection and production are zero before it, and do
    # not shorten the period.
    main = ("offtake", "net")
    decisive = [
        (home, one)
        for home, directions in series.items()
        for direction, one in directions.items()
        if direction in main or not any(name in directions for name in main)
    ]
    latest, of_latest = max(decisive, key=lambda entry: entry[1].first_s)
    earliest, of_earliest = min(decisive, key=lambda entry: entry[1].end_s)
    begin_s = of_latest.first_s
    end_s = of_earliest.end_s
    if begin_s >= end_s:
        table = of_latest.registers[0].table
        raise InputError(
            f"{table.name} {table.row_label(0)}",
            f"{latest!r} begins at {format_local_time(begin_s, zone)}, after the end of "
            f"{earliest!r} ({format_local_time(end_s, zone)})",
            "Import homes with a common period.",
        )
    notes = []
    if any(one.first_s < begin_s or one.end_s > end_s for _, one in decisive):
        notes.append(
            f"the homes have {format_local_time(begin_s, zone)} to "
            f"{format_local_time(end_s, zone)} in common; the rest is ignored"
        )
    covered = f"{format_local_time(begin_s, zone)} to {format_local_time(end_s, zone)}"
    if first_day is not None:
        begin_s = _midnight(f"--from {first_day}", first_day, 0, zone, begin_s, end_s, covered)
    if last_day is not None:
        covered = f"{format_local_time(begin_s, zone)} to {format_local_time(end_s, zone)}"
        end_s = _midnight(f"--to {last_day}", last_day, 1, zone, begin_s, end_s, covered)
    if begin_s >= end_s:
        raise InputError(
            f"--from {first_day}", f"the day is after --to {last_day}", "Swap the two days."
        )
    return begin_s, end_s, notes


def _midnight(
    where: str, day: str, days_later: int, zone: str | None, begin_s: int, end_s: int, covered: str
) -> int:
    """Return the start of a local day that must be within the data, s since 1970 UTC."""
    try:
        midnight = pd.Timestamp(day).tz_localize(zone or "UTC") + pd.DateOffset(days=days_later)
    except ValueError:
        raise InputError(where, "the value is not a day", "Write it like 2023-01-31.") from None
    midnight_s = int(midnight.timestamp())
    if not begin_s <= midnight_s <= end_s:
        raise InputError(
            where, f"the day is outside the data ({covered})", "Choose a day within the data."
        )
    return midnight_s


def _home(
    name: str,
    directions: Directions,
    begin_s: int,
    steps: int,
    step_s: int,
    options: MeterReadOptions,
) -> tuple[HomeMeterData, list[str], InputError | None]:
    """Combine the registers of a home; return its data, notes and the error of its gaps."""
    # A missing value outside the offtake or net register is a gap, elsewhere it is zero.
    outside = {"offtake": np.nan, "net": np.nan}
    kwh = {
        direction: one.window(begin_s, steps, outside.get(direction, 0.0))
        for direction, one in directions.items()
    }
    zeros = np.zeros(steps)
    notes = _fill_omitted_zeros(name, kwh, directions, begin_s)
    if "net" in kwh and ("offtake" in kwh or "injection" in kwh):
        register = directions["net"].registers[0]
        raise InputError(
            f"{register.table.name} line 1",
            f"{name!r} has a net register ({register.source_label!r}) beside registers of offtake "
            "or injection",
            "Remove one or the other.",
        )
    net = kwh.get("net")
    offtake = kwh.get("offtake", zeros)
    injection = kwh.get("injection", zeros)
    if net is not None:
        offtake = np.maximum(net, 0)
        injection = np.maximum(-net, 0)
    production = kwh.get("production")
    load = offtake
    solar = injection
    if production is not None and net is None and "injection" not in kwh:
        notes.append(
            f"{name}: the offtake is used as the load, since there is no register of injection"
        )
        solar = production
    elif production is not None:
        load = offtake + production - injection
        solar = production
        _check_production(name, directions["production"], load, begin_s, step_s, options)
        load = np.where(load < 0, 0.0, load)
    both = float(np.nansum(np.minimum(offtake, injection))) if production is None else 0.0
    if both > 0.01:
        notes.append(
            f"{name}: {both:,.1f} kWh of offtake and injection within the same step cancel in the "
            "simulation"
        )
    for direction, one in directions.items():
        if direction in ("injection", "production") and one.first_s > begin_s:
            begin = format_local_time(one.first_s, options.time_zone)
            notes.append(f"{name}: {direction} begins {begin}; zero before")
        values = [np.nan_to_num(register.value) for register in one.registers]
        if direction == "injection" and any((value < 0).any() for value in values):
            notes.append(f"{name}: injection is written with a minus sign")
    missing = np.isnan(load) | np.isnan(solar)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(int), [0]])))
    of_home = [register for one in directions.values() for register in one.registers]
    home = HomeMeterData(
        name=name,
        registers={
            direction: [register.source_label for register in one.registers]
            for direction, one in directions.items()
        },
        unit=", ".join(sorted({register.unit for register in of_home})),
        load_kwh=load,
        solar_kwh=solar,
        offtake_kwh=offtake,
        injection_kwh=injection,
        has_production=production is not None,
        estimated_count=sum(register.estimated_count for register in of_home),
        gaps=[(int(first), int(stop)) for first, stop in edges.reshape(-1, 2)],
    )
    notes += _check_plausibility(home, directions, begin_s, step_s, options)
    if home.estimated_count:
        notes.append(f"{name}: {home.estimated_count:,} values are estimates of the grid operator")
    return home, notes, _gap_error(home, directions, begin_s, step_s, options)


def _fill_omitted_zeros(
    name: str, kwh: dict[str, Array], directions: Directions, begin_s: int
) -> list[str]:
    """Set omitted rows to zero in place where another register of the home has a value.

    Some exports write no row for zero; a value of another register proves that the meter was read.
    """
    has_row = {
        direction: one.has_row(begin_s, len(kwh[direction]))
        for direction, one in directions.items()
    }
    was_read = np.any(
        [~np.isnan(values) & has_row[direction] for direction, values in kwh.items()], axis=0
    )
    notes = []
    for direction, values in kwh.items():
        omitted = np.isnan(values) & ~has_row[direction] & was_read
        if omitted.any():
            values[omitted] = 0.0
            notes.append(
                f"{name}: {int(omitted.sum()):,} steps without a row for {direction} count as zero"
            )
    return notes


def _check_production(
    name: str,
    production: MeterSeries,
    load: Array,
    begin_s: int,
    step_s: int,
    options: MeterReadOptions,
) -> None:
    """Raise an error if a home injects more than its offtake and production."""
    scale_kwh = max(np.nanmax(np.abs(load)), 1e-9)
    limit_kwh = -_BALANCE_REL_TOLERANCE * scale_kwh - _BALANCE_ABS_TOLERANCE_KWH
    if (at := first_true(load < limit_kwh)) is None:
        return
    row = max(production.row_at(begin_s, at), 0)
    table = production.registers[0].table
    time = format_local_time(begin_s + at * step_s, options.time_zone)
    raise InputError(
        f"{table.name} {table.row_label(row)}",
        f"{name!r} injects {-load[at]:.3g} kWh more than its offtake and production at {time}",
        "Check the units and times of the production column, or remove it.",
    )


def _check_plausibility(
    home: HomeMeterData,
    directions: Directions,
    begin_s: int,
    step_s: int,
    options: MeterReadOptions,
) -> list[str]:
    """Note unlikely values; raise an error for impossible ones unless the user gave the unit."""
    notes = []
    years = len(home.load_kwh) * step_s / 3600 / 8760
    for direction, series in directions.items():
        kwh = np.nan_to_num(series.window(begin_s, len(home.load_kwh), 0.0))
        annual_kwh = float(np.abs(kwh).sum()) / years
        peak_kw = float(np.abs(kwh).max()) * 3600 / step_s
        table = series.registers[0].table
        row = max(series.row_at(begin_s, int(np.abs(kwh).argmax())), 0)
        place = f"{table.name} {table.row_label(row)}"
        unit = series.registers[0].unit
        is_large = annual_kwh > _MAX_ANNUAL_KWH or peak_kw > _MAX_KW
        is_consumption = direction in ("offtake", "net")
        is_small = 0 < annual_kwh < _MIN_ANNUAL_KWH and is_consumption and peak_kw > 0
        if is_large or is_small:
            verb = "inject" if direction == "injection" else "use"
            problem = (
                f"{home.name!r} would {verb} {annual_kwh:,.0f} kWh a year, {peak_kw:,.4g} kW at "
                f"most, if the values are {unit}"
            )
            if options.unit is None:
                likely = _likely_unit(unit, is_small)
                fix = (
                    f"Add --unit {likely} if the values are {likely}, or --unit {unit} to confirm."
                )
                raise InputError(place, problem, fix)
            notes.append(f"{place}: {problem}")
        elif peak_kw > _HIGH_KW:
            notes.append(f"{place}: {home.name!r} has {peak_kw:,.0f} kW; check the unit")
        elif not kwh.any():
            notes.append(f"{home.name}: {direction} is zero throughout")
    return notes


def _likely_unit(unit: str, is_small: bool) -> str:
    """Return the unit that is meant if values in `unit` are a factor of 1000 off."""
    if is_small:
        return {"kW": "MW", "W": "kW", "Wh": "kWh"}.get(unit, "MWh")
    return {"kWh": "Wh", "kW": "W", "MWh": "kWh", "MW": "kW"}.get(unit, "Wh")


def _gap_error(
    home: HomeMeterData,
    directions: Directions,
    begin_s: int,
    step_s: int,
    options: MeterReadOptions,
) -> InputError | None:
    """Describe the missing steps of a home and their lines."""
    if not home.gaps:
        return None
    listed = [
        _gap_text(directions, gap, begin_s, step_s, options) for gap in home.gaps[:_MAX_LISTED_GAPS]
    ]
    if len(home.gaps) > _MAX_LISTED_GAPS:
        listed.append("...")
    steps = sum(stop - first for first, stop in home.gaps)
    gap_word = "gaps" if len(home.gaps) > 1 else "gap"
    step_word = "steps" if steps > 1 else "step"
    series = next(iter(directions.values()))
    longest_s = max(stop - first for first, stop in home.gaps) * step_s
    fix = "Add --fill interpolate or --fill zero, or complete the file."
    if longest_s > _DAY_S:
        fix = "A gap is longer than a day: add --fill zero, or exclude it with --from and --to."
    line = _last_line_before(series, home.gaps[0][0], begin_s, step_s)
    return InputError(
        f"{series.registers[0].table.name}{line}",
        f"{home.name!r} has {len(home.gaps)} {gap_word}, {steps:,} {step_word} missing: "
        f"{'; '.join(listed)}",
        fix,
    )


def _gap_text(
    directions: Directions,
    gap: tuple[int, int],
    begin_s: int,
    step_s: int,
    options: MeterReadOptions,
) -> str:
    first, stop = gap
    start_s = begin_s + first * step_s
    text = format_local_time(start_s, options.time_zone)
    if stop - first > 1:
        text += f" .. {format_local_time(begin_s + (stop - 1) * step_s, options.time_zone)}"
    for series in directions.values():
        row = series.row_at(begin_s, first)
        if row >= 0 and np.isnan(series.window(begin_s, first + 1, 0.0)[first]):
            return f"{text} (empty, {series.registers[0].table.row_label(row)})"
    local = pd.Timestamp(start_s, unit="s", tz=options.time_zone or "UTC")
    hour_before = (local - pd.Timedelta(hours=1)).tz_localize(None)
    if hour_before == local.tz_localize(None):
        text += " (the hour repeated at the end of daylight saving time occurs once, not twice)"
    return text


def _last_line_before(series: MeterSeries, step: int, begin_s: int, step_s: int) -> str:
    """Return the line of a step, or the last line before it, with a leading blank."""
    at = (begin_s - series.first_s) // step_s + step
    known = np.flatnonzero(series.row[: at + 1] >= 0)
    if not len(known):
        return ""
    return f" {series.registers[0].table.row_label(int(series.row[known[-1]]))}"


def _combined_gap_error(errors: list[InputError]) -> InputError | None:
    """Return the first error, extended by the number of the other ones."""
    if not errors:
        return None
    first = errors[0]
    others = f" ({len(errors) - 1} more homes have gaps.)" if len(errors) > 1 else ""
    return InputError(first.where, first.problem, first.fix + others)
