"""All registers of one direction of one home, checked and put on one clock."""

import numpy as np
import pandas as pd

from prosumax.data.readers.meter_file import Reading, Register
from prosumax.data.readers.table_file import first_true
from prosumax.errors import InputError

STEPS_MIN = (1, 5, 15, 30, 60)


class MeterSeries:
    """All registers of one direction of one home, on one clock.

    Attributes:
        registers: of the home and direction, in any number of files.
        step_s: length of a step.
        first_s, end_s: begin and end, seconds since 1970 UTC.
        kwh: sum over the registers [step], NaN where none has a value.
        row: row of each step in the table of its register; -1 where there is none.

    Raises:
        InputError: a time or a value cannot be true; with its line.
    """

    def __init__(self, registers: list[Register], how: Reading) -> None:
        self.registers = registers
        self.step_s = _step(registers)
        for register in registers:
            _check_grid(register, self.step_s, how)
        self.first_s = min(int(r.start_s[0]) for r in registers)
        steps = (max(int(r.start_s[-1]) for r in registers) - self.first_s) // self.step_s + 1
        self.kwh, self.row = np.full(steps, np.nan), np.full(steps, -1)
        seen: dict[str, np.ndarray] = {}
        for register in registers:
            at = (register.start_s - self.first_s) // self.step_s
            _check_files(register, at, seen, steps)
            value = _signed(register, how) * _factor(register.unit, self.step_s)
            known = ~np.isnan(value)
            self.kwh[at[known]] = np.nan_to_num(self.kwh[at[known]]) + value[known]
            self.row[at] = register.row
        self.end_s = self.first_s + steps * self.step_s

    def between(self, begin_s: int, steps: int, outside: float) -> np.ndarray:
        """[steps] kWh from `begin_s` on, `outside` where the registers have not begun or have ended."""
        kwh = np.full(steps, outside)
        offset = (self.first_s - begin_s) // self.step_s
        first, stop = max(offset, 0), min(offset + len(self.kwh), steps)
        kwh[first:stop] = self.kwh[first - offset : stop - offset]
        return kwh

    def has_row(self, begin_s: int, steps: int) -> np.ndarray:
        """[steps] whether some file has a row for the step, be it empty."""
        rows = np.zeros(steps, bool)
        offset = (self.first_s - begin_s) // self.step_s
        first, stop = max(offset, 0), min(offset + len(self.row), steps)
        rows[first:stop] = self.row[first - offset : stop - offset] >= 0
        return rows

    def row_at(self, begin_s: int, step: int) -> int:
        """Row of the table for a step counted from `begin_s`; -1 where there is none."""
        at = step + (begin_s - self.first_s) // self.step_s
        return int(self.row[at]) if 0 <= at < len(self.row) else -1


def _step(registers: list[Register]) -> int:
    """The usual distance between values, in seconds."""
    table = registers[0].table
    starts = np.unique(np.concatenate([register.start_s for register in registers]))
    steps, counts = np.unique(np.diff(starts), return_counts=True)
    step_s = int(steps[counts.argmax()])
    if step_s % 60 or step_s // 60 not in STEPS_MIN:
        said = "a day" if step_s in (82800, 86400, 90000) else f"{step_s / 60:g} min"
        cure = "Export quarter-hours (in Mijn Fluvius: kwartiertotalen), or hours."
        if step_s < 3600:
            cure = f"Add values up to steps of {', '.join(map(str, STEPS_MIN))} minutes."
        what = f"there is one value per {said}, which is no step that can be simulated"
        raise InputError(f"{table.name} {table.line(int(registers[0].row[0]))}", what, cure)
    return step_s


def _check_grid(register: Register, step_s: int, how: Reading) -> None:
    table, start_s = register.table, register.start_s
    astray = start_s % step_s != 0
    if (at := first_true(astray)) is not None:
        before = (start_s[at] - start_s[at - 1]) / 60 if at else 0
        distance = f", {before:g} min after the value before" if at else ""
        what = (
            f"{clock(start_s[at], how.time_zone)} is not on a step of {step_s // 60} min{distance}"
        )
        cure = "Let every time stand on a whole step (00:00, 00:15, ..); one file has one step."
        raise InputError(f"{table.name} {table.line(int(register.row[at]))}", what, cure)
    # A coarser part shows as gap after gap of the same length.
    jump = np.diff(start_s) // step_s
    coarse = (jump[1:] == jump[:-1]) & (jump[1:] > 1)
    runs = (
        np.convolve(coarse, np.ones(8, int), "valid") == 8
        if len(coarse) >= 8
        else np.zeros(1, bool)
    )
    if (at := first_true(runs)) is not None:
        minutes = int(jump[at]) * step_s // 60
        what = f"the step is {minutes} min from {clock(start_s[at], how.time_zone)} on, and {step_s // 60} min elsewhere"
        cure = (
            "Split the file there and import the parts one by one, or export one step throughout."
        )
        raise InputError(f"{table.name} {table.line(int(register.row[at]))}", what, cure)


def _check_files(
    register: Register, at: np.ndarray, seen: dict[str, np.ndarray], steps: int
) -> None:
    """The same time of the same meter in two files would count twice."""
    mine = np.zeros(steps, bool)
    mine[at] = True
    for other, theirs in seen.items():
        if other != register.table.name and (twice := first_true(mine & theirs)) is not None:
            row = int(register.row[np.flatnonzero(at == twice)[0]])
            what = f"{register.home!r} has the same time in {other}"
            cure = "Give each time of a home in one file only."
            raise InputError(f"{register.table.name} {register.table.line(row)}", what, cure)
    seen[register.table.name] = seen.get(register.table.name, np.zeros(steps, bool)) | mine


def _signed(register: Register, how: Reading) -> np.ndarray:
    """Values >= 0, but for net meters; injection that is written with a minus sign is turned round."""
    value, table = register.value, register.table
    if register.direction == "net":
        return value
    if register.direction == "injection" and (np.nan_to_num(value) <= 0).all():
        return -value
    if (at := first_true(value < 0)) is not None:
        what = f"{register.said!r} is negative: {value[at]:g}"
        cure = "Correct the value; if the column is consumption minus injection, add --net."
        if register.direction != "offtake":
            cure = "Correct the value or leave the cell empty."
        raise InputError(f"{table.name} {table.line(int(register.row[at]))}", what, cure)
    return value


def _factor(unit: str, step_s: int) -> float:
    """Energy in kWh per unit over a step."""
    size = {"kWh": 1.0, "Wh": 1e-3, "MWh": 1e3, "kW": 1.0, "W": 1e-3, "MW": 1e3}[unit]
    return size * (1.0 if unit.endswith("h") else step_s / 3600)


def clock(time_s: int, zone: str | None) -> str:
    """Local time of a moment, for messages."""
    return f"{pd.Timestamp(int(time_s), unit='s', tz=zone or 'UTC'):%Y-%m-%d %H:%M}"
