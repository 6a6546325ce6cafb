"""Traces that ANTgen made: second by second, in a year that never was, brought onto the simulated days.

ANTgen (Reinhardt & Klemenjak, e-Energy '20) writes one file for the whole home (`total.csv`), one for each person,
activity and appliance type (upper case, `KETTLE.csv`), each without a header, `YYYY-MM-DD HH:MM:SS;W` once a second,
and a log `events.csv`. Its dates lie in January 2001 and only the weekday means anything. A week is 0.4 GB, so files
are read in pieces and kept as minutes.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.data.cache import cached
from prosumax.data.generators.day_sequences import in_turn, lay_days
from prosumax.data.generators.household.load import Load
from prosumax.errors import InputError

Series = NDArray[np.float64]

OTHER = "other"
"""What the total holds beyond the appliances: ANTgen's noise."""

_ROWS = 500_000  # read at a time: some 30 MB
_DAY_S = 86_400
_CURE = "Give the folder that ANTgen wrote, with total.csv and one file per appliance, unchanged."


class Trace(NamedTuple):
    """A home second by second, as minutes.

    first: date of the first day; only its weekday means anything.
    total_w: mean power per minute [day, 1440].
    appliances_w: the same by appliance type, upper case.
    """

    first: pd.Timestamp
    total_w: Series
    appliances_w: dict[str, Series]


def read_antgen(
    folder: str | Path, index: pd.DatetimeIndex, time_zone: str, where: str = "load"
) -> tuple[Load, list[str]]:
    """A household from ANTgen's output folder: energy per step and appliance, and notes for the user.

    Each simulated day takes a day of the trace with the same weekday, several in turn; where the trace has no such
    weekday it takes any.

    Arguments:
        folder: ANTgen's output.
        index: step starts [T], UTC.
        time_zone: IANA name of the clock that the trace's times are read on.
        where: field that asks, for messages.

    Raises:
        InputError: no such folder, a file that is not as ANTgen writes it, seconds missing, or less than a day.
    """
    folder = Path(folder)
    trace = read_trace(folder, where)
    days = len(trace.total_w)
    pick = in_turn(trace.first.dayofweek, days)
    kwh = lay_days(trace.total_w / 60_000, pick, index, time_zone)
    uses = {
        name.lower(): float(lay_days(watts / 60_000, pick, index, time_zone).sum())
        for name, watts in trace.appliances_w.items()
    }
    rest = float(kwh.sum()) - sum(uses.values())
    notes = [f"{where}: {days} days by ANTgen, laid onto days of the same weekday"]
    if rest < -0.01 * kwh.sum() - 1e-6:
        raise InputError(
            f"{where}: {folder}",
            "the appliances use more than the total: files of several runs are mixed",
            _CURE,
        )
    if rest > 1e-9:
        uses[OTHER] = rest
    events = folder / "events.csv"
    if events.is_file():
        switched = read_events(events, where)
        count = switched[switched["event"] == "ON"].groupby("source").size()
        told = ", ".join(f"{str(name).lower()} {number}" for name, number in count.items())
        notes.append(f"{where}: switched on in those days: {told}")
    return Load(kwh, uses), notes


def read_trace(folder: Path, where: str = "load") -> Trace:
    """The total and the appliances of an output folder, per minute; arguments and errors as in `read_antgen`."""
    total = folder / "total.csv"
    if not total.is_file():
        raise InputError(where, f"{folder} holds no total.csv", _CURE)
    files = [total, *sorted(path for path in folder.glob("*.csv") if path.stem.isupper())]
    # The content would take longer to sum up than a run: 0.4 GB a week.
    key = {"files": [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files]}

    def read() -> dict[str, Series]:
        first, minutes = _minutes(total, where)
        arrays: dict[str, Series] = {
            "total": minutes,
            "first": np.array(first.toordinal(), np.float64),
        }
        for path in files[1:]:
            start, arrays[path.stem] = _minutes(path, where)
            if start != first or len(arrays[path.stem]) != len(minutes):
                raise InputError(
                    f"{where}: {path}", "does not cover the same days as total.csv", _CURE
                )
        return arrays

    arrays = cached("antgen", key, read)
    first = pd.Timestamp.fromordinal(int(arrays["first"]))
    appliances = {path.stem: arrays[path.stem].reshape(-1, 1440) for path in files[1:]}
    return Trace(first, arrays["total"].reshape(-1, 1440), appliances)


def read_events(path: Path, where: str = "load") -> pd.DataFrame:
    """ANTgen's log: `time`, `source` (activity or appliance) and `event` (START, END, ON, OFF).

    Raises:
        InputError: it is not such a log, or a line is damaged.
    """
    table = pd.read_csv(path, sep=";", dtype=str)
    if list(table.columns) != ["Time", "Source", "Event"]:
        raise InputError(
            f"{where}: {path} line 1",
            f"has columns {list(table.columns)}",
            "Expected Time;Source;Event.",
        )
    time = pd.to_datetime(table["Time"], format="%Y-%m-%d %H:%M:%S", errors="coerce")
    bad = time.isna() | ~table["Event"].isin(["START", "END", "ON", "OFF"])
    if bad.any():
        line = int(np.argmax(bad)) + 2
        raise InputError(
            f"{where}: {path} line {line}", "is not `time;source;START, END, ON or OFF`", _CURE
        )
    return pd.DataFrame({"time": time, "source": table["Source"], "event": table["Event"]})


def _minutes(path: Path, where: str) -> tuple[pd.Timestamp, Series]:
    """First day and mean power per minute of whole days [day * 1440]."""
    first: pd.Timestamp | None = None
    rows, pieces, left = 0, [], np.zeros(0)
    with pd.read_csv(
        path, sep=";", header=None, names=["time", "w"], dtype=str, chunksize=_ROWS
    ) as chunks:
        for chunk in chunks:
            stamp = pd.to_datetime(
                chunk["time"].iloc[[0, -1]], format="%Y-%m-%d %H:%M:%S", errors="coerce"
            )
            watts = pd.to_numeric(chunk["w"], errors="coerce").to_numpy(np.float64)
            if stamp.isna().any() or not np.isfinite(watts).all():
                odd = int(np.argmin(np.isfinite(watts))) if not np.isfinite(watts).all() else 0
                raise InputError(
                    f"{where}: {path} line {rows + odd + 1}", "is not `time;watts`", _CURE
                )
            first = first if first is not None else stamp.iloc[0]
            ends = first + pd.to_timedelta([rows, rows + len(chunk) - 1], unit="s")
            if list(ends) != list(stamp):
                line = _first_jump(chunk, first, rows)
                raise InputError(
                    f"{where}: {path} line {line}", "is not one second after the line before", _CURE
                )
            rows += len(chunk)
            watts = np.concatenate([left, watts])
            whole = len(watts) // 60 * 60
            pieces.append(watts[:whole].reshape(-1, 60).mean(axis=1))
            left = watts[whole:]
    if first is None or rows < _DAY_S:
        raise InputError(f"{where}: {path}", f"holds {rows} seconds, less than a day", _CURE)
    if first != first.normalize():
        raise InputError(
            f"{where}: {path} line 1", f"starts at {first:%H:%M:%S}, not at midnight", _CURE
        )
    minutes = np.concatenate(pieces)
    return first, minutes[: len(minutes) // 1440 * 1440]


def _first_jump(chunk: pd.DataFrame, first: pd.Timestamp, rows: int) -> int:
    times = pd.to_datetime(chunk["time"], format="%Y-%m-%d %H:%M:%S", errors="coerce").to_numpy()
    expected = (first + pd.to_timedelta(np.arange(rows, rows + len(chunk)), unit="s")).to_numpy()
    return rows + int(np.argmax(times != expected)) + 1
