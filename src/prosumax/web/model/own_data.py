"""Meter file of a visitor: checked, resampled to quarter-hours of whole days, stored as numbers.

This code runs in a worker process. A file that cannot be used gives a `Rejection` with a key and
values, which the page translates; cells of the file are only ever shown as text.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from prosumax.errors import InputError

MAX_BYTES = 2_000_000
MAX_HOMES = 24
MAX_STEPS = 35_136
_TIME_ZONE = "Europe/Brussels"
_STEPS_PER_DAY = 96
_MAX_GAP = 96  # longest gap that is filled, quarter-hours
_MAX_SHOWN_CHARS = 24  # of a cell or a name in a message
_MAX_KWH = 250.0  # per quarter-hour
_PRODUCTION_COLUMN = re.compile(
    r"(?:(?P<home>.+?)[ _.-]+)?(pv|solar|sun|soleil|solaire|zon|panels|panneaux|panelen)", re.I
)
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class OwnData:
    """Description of an accepted file.

    Attributes:
        names: Names of the homes.
        has_solar: Whether each home exports or produces electricity.
        first_day: First day, ISO date.
        days: Number of whole days.
        filled: Number of missing quarter-hours that got the values of the hour before.
        dropped: Number of quarter-hours before the first and after the last whole day.
    """

    names: tuple[str, ...]
    has_solar: tuple[bool, ...]
    first_day: str
    days: int
    filled: int
    dropped: int


@dataclass(frozen=True)
class Rejection:
    """Reason why a file was not accepted.

    Attributes:
        reason: Key of a text, `upload.error_REASON`.
        line: Line of the file, from 1; None when the error has no line.
        cell: Content of the wrong cell.
        count: Number for the text.
        message: Message of the meter reader that has no text of its own.
    """

    reason: str
    line: int | None = None
    cell: str = ""
    count: int = 0
    message: str = ""


class _FileRejectedError(Exception):
    def __init__(self, rejection: Rejection) -> None:
        self.rejection = rejection
        super().__init__(rejection.reason)


def read_own_data(path: Path, folder: Path) -> OwnData | Rejection:
    """Check a meter file and store its numbers.

    Args:
        path: The uploaded file.
        folder: Folder for `series.npz` and `data.json`; nothing is written for a rejected file.

    Returns:
        The description of the file, or the reason of its rejection.
    """
    try:
        _check_text(path.read_bytes())
        prepared, names = _prepare(path)
        data, load, solar = _read_meters(prepared, names)
    except _FileRejectedError as rejected:
        return rejected.rejection
    except InputError as error:
        return _to_rejection(error)
    np.savez_compressed(folder / "series.npz", load=load, solar=solar)
    (folder / "data.json").write_text(json.dumps(asdict(data)), encoding="utf-8")
    return data


def load_own_data(
    folder: str | Path,
) -> tuple[OwnData, NDArray[np.float64], NDArray[np.float64]]:
    """Load what `read_own_data` stored.

    Args:
        folder: Folder of the file.

    Returns:
        The description, the load and the PV generation, kWh per quarter-hour [step, home].

    Raises:
        InputError: The file was deleted.
    """
    folder = Path(folder)
    try:
        content = json.loads((folder / "data.json").read_text(encoding="utf-8"))
        with np.load(folder / "series.npz", allow_pickle=False) as series:
            load = series["load"]
            solar = series["solar"]
    except (OSError, ValueError, KeyError):
        raise InputError(
            "file", "the uploaded data was deleted", "Choose the file again."
        ) from None
    content |= {name: tuple(content[name]) for name in ("names", "has_solar")}
    return OwnData(**content), load, solar


def split_by_day(data: OwnData, kwh: NDArray[np.float64]) -> NDArray[np.float64]:
    """Split the series of a home into days of 24 hours.

    When the clock changes, the skipped hour of spring gets the values of the hour before it, and
    the repeated hour of autumn counts once.

    Args:
        data: Description of the file.
        kwh: Series of one home, kWh [step].

    Returns:
        Energy per quarter-hour, kWh [day, 96].
    """
    first = datetime.fromisoformat(data.first_day)
    days = []
    start = 0
    for number in range(data.days):
        length = _count_steps(first + timedelta(days=number), 1)
        day = kwh[start : start + length]
        start += length
        if length < _STEPS_PER_DAY:
            day = np.concatenate([day[:8], day[4:8], day[8:]])
        elif length > _STEPS_PER_DAY:
            day = np.concatenate([day[:12], day[16:]])
        days.append(day)
    return np.stack(days)


def own_data_scenario(folder: str | Path, max_steps: int) -> dict[str, object]:
    """Return homes and period of a scenario on uploaded data.

    Args:
        folder: Folder of the file.
        max_steps: Largest number of quarter-hours, counted from the first day.
    """
    data, load, solar = load_own_data(folder)
    steps = min(max_steps, len(load))
    homes = []
    for number, name in enumerate(data.names):
        load_spec = {"source": "values", "values": load[:steps, number].tolist()}
        home: dict[str, object] = {"name": name, "load": load_spec}
        if data.has_solar[number]:
            home["solar"] = {"source": "values", "values": solar[:steps, number].tolist()}
        homes.append(home)
    period = {
        "start": f"{data.first_day}T00:00",
        "steps": steps,
        "step_minutes": 15,
        "time_zone": _TIME_ZONE,
    }
    return {"period": period, "homes": homes, "seed": 0}


def _reject(reason: str, *, line: int | None = None, cell: str = "", count: int = 0) -> NoReturn:
    raise _FileRejectedError(Rejection(reason, line, cell, count))


def _check_text(content: bytes) -> None:
    if not content.strip():
        _reject("empty")
    if len(content) > MAX_BYTES:
        _reject("too_big")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):  # byte order marks of UTF-16
        return
    # Images, workbooks and archives are recognized by their content, whatever the file is called.
    control_characters = sum(byte < 9 or 13 < byte < 32 for byte in content[:4096])
    signatures = (b"PK", b"%PDF", b"\x1f\x8b", b"\x89PNG", b"\xff\xd8")
    if control_characters or content.startswith(signatures):
        _reject("not_text")


def _prepare(path: Path) -> tuple[Path, dict[str, str]]:
    """Rename the columns of a simple table (time, one column per home) for the meter reader.

    Returns:
        The file to read, which is the original one unless it is a simple table, and the visitor's
        names of the homes.
    """
    lines = _decode(path.read_bytes()).splitlines()
    separator = max(";\t,", key=lines[0].count)
    header = [cell.strip().strip('"') for cell in lines[0].split(separator)]
    if len(header) < 2 or not _is_simple(header, lines, separator):
        return path, {}
    names: dict[str, str] = {}
    keys: dict[str, str] = {}
    columns = ["time"]
    for cell in header[1:]:
        production = _PRODUCTION_COLUMN.fullmatch(cell)
        label = (production["home"] or "") if production else cell
        if production and not label and len(keys) == 1:
            label = next(iter(keys))  # A production column without a name belongs to the only home.
        if label not in keys:
            keys[label] = f"home{len(keys) + 1}"
            names[keys[label]] = label
        columns.append(f"{keys[label]} {'production' if production else 'consumption'} (kWh)")
    if len(set(columns)) < len(columns):
        _reject("columns_twice")
    if len(keys) > MAX_HOMES:
        _reject("too_many_homes", count=len(keys))
    prepared = path.with_suffix(".plain.csv")
    rows = _check_rows(lines, separator, len(header))
    prepared.write_text("\n".join([";".join(columns), *rows]), encoding="utf-8")
    return prepared, names


def _decode(content: bytes) -> str:
    is_utf_16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16" if is_utf_16 else "utf-8-sig", "latin-1"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    _reject("not_text")


def _is_simple(header: list[str], lines: list[str], separator: str) -> bool:
    """Return whether a table is a column of times and numeric columns with free names.

    The names of the columns must not be those of a meter operator's export.
    """
    from prosumax.data.readers.meter_vocabulary import parse_name

    directions = {parse_name(cell).direction for cell in header[1:]} - {"production"}
    if directions - {None}:
        return False
    split = [line.split(separator) for line in lines[1:6]]
    rows = [cells for cells in split if len(cells) == len(header)]
    values = [cell.strip().strip('"') for cells in rows for cell in cells[1:]]
    times = [cells[0].strip().strip('"') for cells in rows]
    numeric = sum(_NUMBER.fullmatch(value) is not None for value in values)
    return (
        bool(values)
        and numeric * 2 > len(values)
        and not any(_NUMBER.fullmatch(time) for time in times)
    )


def _check_rows(lines: list[str], separator: str, columns: int) -> Iterator[str]:
    if len(lines) - 1 > MAX_STEPS:
        _reject("too_long", count=len(lines) - 1)
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        cells = [cell.strip().strip('"') for cell in line.split(separator)]
        if len(cells) != columns:
            _reject("columns", line=number, count=len(cells))
        for cell in cells[1:]:
            if not cell:
                continue
            if _NUMBER.fullmatch(cell) is None:
                _reject("number", line=number, cell=cell[:_MAX_SHOWN_CHARS])
            value = float(cell.replace(",", "."))
            if value < 0:
                _reject("negative", line=number, cell=cell[:_MAX_SHOWN_CHARS])
            if value > _MAX_KWH * 4:
                _reject("high", line=number, cell=cell[:_MAX_SHOWN_CHARS])
        values = (cell.replace(",", ".") for cell in cells[1:])
        yield ";".join([cells[0].replace(";", " "), *values])


def _read_meters(
    path: Path, names: dict[str, str]
) -> tuple[OwnData, NDArray[np.float64], NDArray[np.float64]]:
    from prosumax.data.readers.meter_file import MeterReadOptions
    from prosumax.data.readers.meters import read_meters

    meters = read_meters([path], MeterReadOptions())
    if len(meters.homes) > MAX_HOMES:
        _reject("too_many_homes", count=len(meters.homes))
    minutes = meters.step_minutes
    load = _to_quarter_hours(np.stack([home.load_kwh for home in meters.homes], axis=1), minutes)
    solar = _to_quarter_hours(np.stack([home.solar_kwh for home in meters.homes], axis=1), minutes)
    filled = int(np.isnan(load).any(1).sum())
    load = _fill_gaps(load)
    solar = _fill_gaps(solar)

    first = meters.local_index.tz_localize(None)[0].to_pydatetime()
    offset = (first.hour * 60 + first.minute) // 15
    begin, days = _whole_days(first, offset, len(load))
    first_whole_day = first if offset == 0 else first + timedelta(days=1)
    count = _count_steps(first_whole_day, days)
    if count > MAX_STEPS:
        _reject("too_long", count=count)
    load = load[begin : begin + count]
    solar = solar[begin : begin + count]
    highest = max(load.max(), solar.max())
    if highest > _MAX_KWH:
        _reject("high", cell=f"{highest:g}")

    cleaned = [
        _clean_name(names.get(_name_key(home.name), home.name), number)
        for number, home in enumerate(meters.homes)
    ]
    data = OwnData(
        names=tuple(
            name if cleaned.count(name) == 1 else f"{name} {number + 1}"
            for number, name in enumerate(cleaned)
        ),
        has_solar=tuple(bool(column.sum() > 0) for column in solar.T),
        first_day=first_whole_day.date().isoformat(),
        days=days,
        filled=filled,
        dropped=len(meters.index) * minutes // 15 - count,
    )
    return data, load, solar


def _name_key(name: str) -> str:
    return re.sub(r"\W", "", name).lower()


def _clean_name(name: str, number: int) -> str:
    """Return a short name of printable characters."""
    printable = "".join(letter for letter in name if letter.isprintable()).strip()[:40]
    return printable or f"{number + 1}"


def _to_quarter_hours(kwh: NDArray[np.float64], minutes: int) -> NDArray[np.float64]:
    """Resample energy to quarter-hours [step, home]; longer steps are spread evenly."""
    if minutes >= 15:
        return np.repeat(kwh, minutes // 15, axis=0) / (minutes // 15)
    per_quarter = 15 // minutes
    whole = len(kwh) // per_quarter * per_quarter
    return np.asarray(kwh[:whole].reshape(-1, per_quarter, kwh.shape[1]).sum(1))


def _fill_gaps(kwh: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill missing quarter-hours with the hour before, or with the first known value."""
    kwh = kwh.copy()
    for column in kwh.T:
        missing = np.flatnonzero(np.isnan(column))
        edges = np.flatnonzero(np.diff(missing, prepend=-2) > 1)
        longest = int(np.diff(edges, append=len(missing)).max()) if len(missing) else 0
        if longest > _MAX_GAP or len(missing) == len(column):
            _reject("gap", count=longest)
        for at in missing:
            hour_before = column[at - 4] if at >= 4 else np.nan
            if np.isnan(hour_before):
                hour_before = column[~np.isnan(column)][0]
            column[at] = hour_before
    return kwh


def _whole_days(first: datetime, offset: int, steps: int) -> tuple[int, int]:
    """Find the whole local days of a series.

    Args:
        first: Start of the series.
        offset: Quarter-hours of the first day before the start.
        steps: Length of the series.

    Returns:
        Index of the first quarter-hour of the first whole day, and the number of whole days.
    """
    begin = 0
    start = first
    if offset:
        begin = _count_steps(first.replace(hour=0, minute=0), 1) - offset
        start = first + timedelta(days=1)
    days = 0
    while days <= 366 and begin + _count_steps(start, days + 1) <= steps:
        days += 1
    if days == 0:
        _reject("rows", count=steps)
    return begin, days


def _count_steps(start: datetime, days: int) -> int:
    """Count the quarter-hours of local days: 96 per day, 92 or 100 when the clock changes."""
    import pandas as pd

    first = pd.Timestamp(start.date())
    end = first + pd.Timedelta(days=days)
    duration = end.tz_localize(_TIME_ZONE) - first.tz_localize(_TIME_ZONE)
    return int(duration / pd.Timedelta(minutes=15))


def _to_rejection(error: InputError) -> Rejection:
    """Translate an error of the meter reader; errors without a text keep their message."""
    line = re.search(r"line (\d+)", error.where)
    number = int(line[1]) if line else None
    for pattern, reason in (
        (r"no column holds times", "no_time"),
        (r"there is no column with numbers", "no_numbers"),
        (r"unit of .* is unknown", "unit"),
        (r"not energy per step", "counter"),
        (r"negative", "negative"),
        (r"do not fit the .* columns", "columns"),
        (r"step", "step"),
    ):
        if re.search(pattern, error.problem):
            return Rejection(reason, line=number)
    return Rejection("other", line=number, message=f"{error.problem.rstrip('.')}."[:200])
