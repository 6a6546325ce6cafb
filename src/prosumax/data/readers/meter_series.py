"""All registers of one direction of one home, validated and aligned to common steps."""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from prosumax.data.readers.meter_file import MeterReadOptions, Register
from prosumax.data.readers.table_file import first_true
from prosumax.errors import InputError

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SUPPORTED_STEP_MINUTES = (1, 5, 15, 30, 60)

_MIN_COARSE_RUN = 8  # Equal gaps in a row that are taken for a change of the step.


class MeterSeries:
    """Energy of all registers of one direction of one home.

    Attributes:
        registers: Registers of the home and direction, from any number of files.
        step_s: Step length, s.
        first_s: Start of the first step, s since 1970 UTC.
        end_s: End of the last step, s since 1970 UTC.
        kwh: Sum over the registers, kWh per step [step]; NaN where none has a value.
        row: Row of each step in the table of its register [step]; -1 where there is none.
    """

    def __init__(self, registers: list[Register], options: MeterReadOptions) -> None:
        """Align registers to common steps.

        Args:
            registers: Registers of one home and direction.
            options: Facts that the files do not state.

        Raises:
            InputError: A time or a value is invalid; the message names its line.
        """
        self.registers = registers
        self.step_s = _usual_step(registers)
        for register in registers:
            _check_alignment(register, self.step_s, options)
        self.first_s = min(int(register.start_s[0]) for register in registers)
        last_s = max(int(register.start_s[-1]) for register in registers)
        steps = (last_s - self.first_s) // self.step_s + 1
        self.kwh: Array = np.full(steps, np.nan)
        self.row: Ints = np.full(steps, -1)
        steps_by_file: dict[str, Bools] = {}
        for register in registers:
            at = (register.start_s - self.first_s) // self.step_s
            _check_files(register, at, steps_by_file, steps)
            value = _checked_sign(register) * _kwh_per_unit(register.unit, self.step_s)
            known = ~np.isnan(value)
            self.kwh[at[known]] = np.nan_to_num(self.kwh[at[known]]) + value[known]
            self.row[at] = register.row
        self.end_s = self.first_s + steps * self.step_s

    def window(self, begin_s: int, steps: int, outside: float) -> Float[Array, " step"]:
        """Return the energy of a period.

        Args:
            begin_s: Start of the period, s since 1970 UTC.
            steps: Number of steps.
            outside: Value where the registers have not begun or have ended.

        Returns:
            Energy in kWh per step; NaN where the registers have no value.
        """
        kwh = np.full(steps, outside)
        offset = (self.first_s - begin_s) // self.step_s
        first = max(offset, 0)
        stop = min(offset + len(self.kwh), steps)
        kwh[first:stop] = self.kwh[first - offset : stop - offset]
        return kwh

    def has_row(self, begin_s: int, steps: int) -> Bool[Bools, " step"]:
        """Check for each step of a period if a file has a row for it, even an empty one.

        Args:
            begin_s: Start of the period, s since 1970 UTC.
            steps: Number of steps.
        """
        rows = np.zeros(steps, bool)
        offset = (self.first_s - begin_s) // self.step_s
        first = max(offset, 0)
        stop = min(offset + len(self.row), steps)
        rows[first:stop] = self.row[first - offset : stop - offset] >= 0
        return rows

    def row_at(self, begin_s: int, step: int) -> int:
        """Return the row of the table that holds a step, or -1.

        Args:
            begin_s: Start of the period, s since 1970 UTC.
            step: Number of the step in the period.
        """
        at = step + (begin_s - self.first_s) // self.step_s
        return int(self.row[at]) if 0 <= at < len(self.row) else -1


def _usual_step(registers: list[Register]) -> int:
    """Return the most common distance between values, s."""
    table = registers[0].table
    starts = np.unique(np.concatenate([register.start_s for register in registers]))
    steps, counts = np.unique(np.diff(starts), return_counts=True)
    step_s = int(steps[counts.argmax()])
    if step_s % 60 == 0 and step_s // 60 in SUPPORTED_STEP_MINUTES:
        return step_s
    is_day = step_s in (82800, 86400, 90000)  # Days with a change of daylight saving time included.
    length = "day" if is_day else f"{step_s / 60:g} min"
    fix = "Export quarter-hours (in Mijn Fluvius: kwartiertotalen), or hours."
    if step_s < 3600:
        minutes = ", ".join(map(str, SUPPORTED_STEP_MINUTES))
        fix = f"Aggregate the values to steps of {minutes} minutes."
    raise InputError(
        f"{table.name} {table.row_label(int(registers[0].row[0]))}",
        f"there is one value per {length}, which is not a supported step",
        fix,
    )


def _check_alignment(register: Register, step_s: int, options: MeterReadOptions) -> None:
    """Raise an error if a time is off the steps, or if the step changes within the register."""
    table = register.table
    start_s = register.start_s
    if (at := first_true(start_s % step_s != 0)) is not None:
        distance = ""
        if at:
            minutes = (start_s[at] - start_s[at - 1]) / 60
            distance = f", {minutes:g} min after the previous value"
        time = format_local_time(start_s[at], options.time_zone)
        raise InputError(
            f"{table.name} {table.row_label(int(register.row[at]))}",
            f"{time} is not on a step of {step_s // 60} min{distance}",
            "Align every time with a whole step (00:00, 00:15, ..); one file has one step.",
        )
    # A coarser part of the file appears as consecutive gaps of the same length.
    jump = np.diff(start_s) // step_s
    is_coarse = (jump[1:] == jump[:-1]) & (jump[1:] > 1)
    if len(is_coarse) < _MIN_COARSE_RUN:
        return
    run_length = np.convolve(is_coarse, np.ones(_MIN_COARSE_RUN, int), "valid")
    if (at := first_true(run_length == _MIN_COARSE_RUN)) is not None:
        minutes = int(jump[at]) * step_s // 60
        time = format_local_time(start_s[at], options.time_zone)
        raise InputError(
            f"{table.name} {table.row_label(int(register.row[at]))}",
            f"the step is {minutes} min from {time} on, and {step_s // 60} min elsewhere",
            "Split the file there and import each part separately, or export one step throughout.",
        )


def _check_files(register: Register, at: Ints, steps_by_file: dict[str, Bools], steps: int) -> None:
    """Raise an error if two files hold the same time of one home, which would count twice."""
    name = register.table.name
    own = np.zeros(steps, bool)
    own[at] = True
    for other, covered in steps_by_file.items():
        if other != name and (duplicate := first_true(own & covered)) is not None:
            row = int(register.row[np.flatnonzero(at == duplicate)[0]])
            raise InputError(
                f"{name} {register.table.row_label(row)}",
                f"{register.home!r} has the same time in {other}",
                "Provide each time of a home in one file only.",
            )
    steps_by_file[name] = steps_by_file.get(name, np.zeros(steps, bool)) | own


def _checked_sign(register: Register) -> Array:
    """Return values that are not negative, except those of net registers.

    Injection that is written with a minus sign throughout changes its sign.
    """
    value = register.value
    if register.direction == "net":
        return value
    if register.direction == "injection" and (np.nan_to_num(value) <= 0).all():
        return -value
    if (at := first_true(value < 0)) is not None:
        fix = "Correct the value or leave the cell empty."
        if register.direction == "offtake":
            fix = "Correct the value; if the column is consumption minus injection, add --net."
        raise InputError(
            f"{register.table.name} {register.table.row_label(int(register.row[at]))}",
            f"{register.source_label!r} is negative: {value[at]:g}",
            fix,
        )
    return value


def _kwh_per_unit(unit: str, step_s: int) -> float:
    """Return the energy in kWh of one unit over a step."""
    size = {"kWh": 1.0, "Wh": 1e-3, "MWh": 1e3, "kW": 1.0, "W": 1e-3, "MW": 1e3}[unit]
    return size * (1.0 if unit.endswith("h") else step_s / 3600)


def format_local_time(time_s: int, zone: str | None) -> str:
    """Format a time on a local clock, for messages.

    Args:
        time_s: Time, s since 1970 UTC.
        zone: IANA name of the time zone; None for UTC.
    """
    return f"{pd.Timestamp(int(time_s), unit='s', tz=zone or 'UTC'):%Y-%m-%d %H:%M}"
