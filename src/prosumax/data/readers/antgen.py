"""Household traces of ANTgen, mapped from their fictitious dates to the simulated days.

ANTgen writes one file for the whole home (`total.csv`) and one for each person, activity and
appliance type (upper case, `KETTLE.csv`), each without a header and with one line
`YYYY-MM-DD HH:MM:SS;W` per second, and a log `events.csv`. The dates are in January 2001 and only
their weekday is meaningful. A week has 0.4 GB, so files are read in chunks and cached as minutes.

References:
    Reinhardt & Klemenjak, "How does load disaggregation performance depend on data characteristics?
    Insights from a benchmarking study", ACM e-Energy 2020.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.data.cache import load_or_compute
from prosumax.data.generators.day_sequences import cyclic_weekday_selector, map_days_to_period
from prosumax.data.generators.household.load import HouseholdLoad
from prosumax.errors import InputError

Array = NDArray[np.float64]

RESIDUAL_END_USE = "other"
"""End use of the energy in the total that no appliance accounts for: ANTgen's noise."""

_CHUNK_ROWS = 500_000  # Some 30 MB.
_DAY_S = 86_400
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_FIX = (
    "Provide the unchanged output folder of ANTgen, with total.csv and one file per appliance type."
)


class AntgenTrace(NamedTuple):
    """Power of a home and its appliances per minute.

    Attributes:
        first_day: Date of the first day; only its weekday is meaningful.
        total_w: Mean power of the home, W.
        appliances_w: Mean power by appliance type in upper case, W.
    """

    first_day: pd.Timestamp
    total_w: Float[Array, "day minute"]
    appliances_w: dict[str, Float[Array, "day minute"]]


def read_antgen(
    folder: str | Path, index: pd.DatetimeIndex, time_zone: str, where: str = "load"
) -> tuple[HouseholdLoad, list[str]]:
    """Read a household from an output folder of ANTgen.

    Each simulated day takes a day of the trace with the same weekday, in turn if there are several,
    and any day if there is none.

    Args:
        folder: Output folder of ANTgen.
        index: Step starts, UTC.
        time_zone: IANA name of the time zone of the trace.
        where: Scenario field that refers to the folder, for messages.

    Returns:
        The load per step with its end uses, and notes for the user.

    Raises:
        InputError: The folder does not exist, a file differs from ANTgen's format, seconds are
            missing, or the trace is shorter than a day.
    """
    folder = Path(folder)
    trace = read_antgen_trace(folder, where)
    days = len(trace.total_w)
    select = cyclic_weekday_selector(trace.first_day.dayofweek, days)
    kwh = map_days_to_period(trace.total_w / 60_000, select, index, time_zone)
    end_use_kwh = {
        name.lower(): float(map_days_to_period(watts / 60_000, select, index, time_zone).sum())
        for name, watts in trace.appliances_w.items()
    }
    residual_kwh = float(kwh.sum()) - sum(end_use_kwh.values())
    notes = [f"{where}: {days} days by ANTgen, mapped to days of the same weekday"]
    if residual_kwh < -0.01 * kwh.sum() - 1e-6:
        raise InputError(
            f"{where}: {folder}",
            "the appliances use more energy than the total, so files of several runs are mixed",
            _FIX,
        )
    if residual_kwh > 1e-9:
        end_use_kwh[RESIDUAL_END_USE] = residual_kwh
    log = folder / "events.csv"
    if log.is_file():
        events = read_antgen_events(log, where)
        starts = events[events["event"] == "ON"].groupby("source").size()
        listing = ", ".join(f"{str(name).lower()} {count}" for name, count in starts.items())
        notes.append(f"{where}: appliance activations in those days: {listing}")
    return HouseholdLoad(kwh, end_use_kwh), notes


def read_antgen_trace(folder: Path, where: str = "load") -> AntgenTrace:
    """Read the total and the appliances of an output folder of ANTgen.

    Args:
        folder: Output folder of ANTgen.
        where: Scenario field that refers to the folder, for messages.

    Raises:
        InputError: As in `read_antgen`.
    """
    total = folder / "total.csv"
    if not total.is_file():
        raise InputError(where, f"{folder} contains no total.csv", _FIX)
    files = [total, *sorted(path for path in folder.glob("*.csv") if path.stem.isupper())]
    # A digest of the content would take longer than a simulation: a week has 0.4 GB.
    stats = [(path.name, path.stat()) for path in files]
    key = {"files": [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]}

    def read() -> dict[str, Array]:
        first_day, minutes = _read_minutes(total, where)
        ordinal = np.array(first_day.toordinal(), np.float64)
        arrays: dict[str, Array] = {"total": minutes, "first": ordinal}
        for path in files[1:]:
            start, arrays[path.stem] = _read_minutes(path, where)
            if start != first_day or len(arrays[path.stem]) != len(minutes):
                problem = "the file does not cover the same days as total.csv"
                raise InputError(f"{where}: {path}", problem, _FIX)
        return arrays

    arrays = load_or_compute("antgen", key, read)
    first_day = pd.Timestamp.fromordinal(int(arrays["first"]))
    appliances = {path.stem: arrays[path.stem].reshape(-1, 1440) for path in files[1:]}
    return AntgenTrace(first_day, arrays["total"].reshape(-1, 1440), appliances)


def read_antgen_events(path: Path, where: str = "load") -> pd.DataFrame:
    """Read the event log of ANTgen.

    Args:
        path: File `events.csv`.
        where: Scenario field that refers to the folder, for messages.

    Returns:
        Columns `time`, `source` (activity or appliance) and `event` (START, END, ON, OFF).

    Raises:
        InputError: The file is not an event log, or a line is damaged.
    """
    table = pd.read_csv(path, sep=";", dtype=str)
    if list(table.columns) != ["Time", "Source", "Event"]:
        problem = f"the columns must be Time;Source;Event, got {';'.join(table.columns)}"
        raise InputError(f"{where}: {path} line 1", problem, _FIX)
    time = pd.to_datetime(table["Time"], format=_TIME_FORMAT, errors="coerce")
    invalid = time.isna() | ~table["Event"].isin(["START", "END", "ON", "OFF"])
    if invalid.any():
        line = int(np.argmax(invalid)) + 2
        problem = "the line is not `time;source;event` with the event START, END, ON or OFF"
        raise InputError(f"{where}: {path} line {line}", problem, _FIX)
    return pd.DataFrame({"time": time, "source": table["Source"], "event": table["Event"]})


def _read_minutes(path: Path, where: str) -> tuple[pd.Timestamp, Float[Array, " minute"]]:
    """Return the first day, and the mean power per minute of whole days."""
    first: pd.Timestamp | None = None
    rows = 0
    pieces = []
    rest = np.zeros(0)
    columns = ["time", "w"]
    with pd.read_csv(
        path, sep=";", header=None, names=columns, dtype=str, chunksize=_CHUNK_ROWS
    ) as chunks:
        for chunk in chunks:
            stamps = pd.to_datetime(
                chunk["time"].iloc[[0, -1]], format=_TIME_FORMAT, errors="coerce"
            )
            watts = pd.to_numeric(chunk["w"], errors="coerce").to_numpy(np.float64)
            finite = np.isfinite(watts)
            if stamps.isna().any() or not finite.all():
                line = rows + (0 if finite.all() else int(np.argmin(finite))) + 1
                problem = "the line is not `time;watts`"
                raise InputError(f"{where}: {path} line {line}", problem, _FIX)
            first = first if first is not None else stamps.iloc[0]
            expected = first + pd.to_timedelta([rows, rows + len(chunk) - 1], unit="s")
            if list(expected) != list(stamps):
                line = _first_jump(chunk, first, rows)
                problem = "the time is not one second after the previous line"
                raise InputError(f"{where}: {path} line {line}", problem, _FIX)
            rows += len(chunk)
            watts = np.concatenate([rest, watts])
            whole = len(watts) // 60 * 60
            pieces.append(watts[:whole].reshape(-1, 60).mean(axis=1))
            rest = watts[whole:]
    if first is None or rows < _DAY_S:
        raise InputError(f"{where}: {path}", f"the file has {rows} seconds, less than a day", _FIX)
    if first != first.normalize():
        problem = f"the file starts at {first:%H:%M:%S}, not at midnight"
        raise InputError(f"{where}: {path} line 1", problem, _FIX)
    minutes = np.concatenate(pieces)
    return first, minutes[: len(minutes) // 1440 * 1440]


def _first_jump(chunk: pd.DataFrame, first: pd.Timestamp, rows: int) -> int:
    """Return the first line of a chunk that is not one second after the previous one."""
    times = pd.to_datetime(chunk["time"], format=_TIME_FORMAT, errors="coerce").to_numpy()
    seconds = pd.to_timedelta(np.arange(rows, rows + len(chunk)), unit="s")
    expected = (first + seconds).to_numpy()
    return rows + int(np.argmax(times != expected)) + 1
