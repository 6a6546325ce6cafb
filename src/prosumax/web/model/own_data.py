"""A visitor's meter file: checked, put on quarter-hours of whole days, and kept as numbers only.

Runs in a worker process. What a file is refused for is a `Refusal` with a key and numbers, which the page says in the
visitor's language; a cell of the file is only ever shown as text.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from prosumax.errors import InputError

MOST_BYTES = 2_000_000
MOST_HOMES = 24
MOST_STEPS = 35_136
_DAY = 96
_MOST_GAP = 96  # quarter-hours that are filled
_SHOWN = 24  # characters of a cell or a name that are told
_MOST_KWH = 250.0  # in a quarter-hour
_PRODUCTION = re.compile(
    r"(?:(?P<home>.+?)[ _.-]+)?(pv|solar|sun|soleil|solaire|zon|panels|panneaux|panelen)", re.I
)
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class OwnData:
    """What was understood of a file.

    Attributes:
        names: of the homes.
        has_sun: whether each sends or makes power.
        first: first day, such as 2023-04-19.
        days: whole days.
        filled: quarter-hours that were missing and got the hour before.
        dropped: quarter-hours before the first and after the last whole day.
    """

    names: tuple[str, ...]
    has_sun: tuple[bool, ...]
    first: str
    days: int
    filled: int
    dropped: int


@dataclass(frozen=True)
class Refusal:
    """Why a file was not taken: `reason` is the key of a text, the rest is for that text."""

    reason: str
    line: int | None = None
    cell: str = ""
    n: int = 0
    said: str = ""


class _Refused(Exception):
    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.reason)


def read_own(path: Path, folder: Path) -> OwnData | Refusal:
    """Check a file and keep its numbers.

    Arguments:
        path: the file as it was sent.
        folder: where `series.npz` and `data.json` are written; nothing is written for a file that is refused.
    """
    try:
        _check_text(path.read_bytes())
        prepared, names = _prepared(path)
        found, load, solar = _read(prepared, names)
    except _Refused as refused:
        return refused.refusal
    except InputError as error:
        return _explained(error)
    np.savez_compressed(folder / "series.npz", load=load, solar=solar)
    (folder / "data.json").write_text(json.dumps(asdict(found)), encoding="utf-8")
    return found


def stored(folder: str | Path) -> tuple[OwnData, NDArray[np.float64], NDArray[np.float64]]:
    """What `read_own` kept: the description, and load and sun, kWh per quarter-hour [step, home].

    Raises:
        InputError: it is not there any more.
    """
    folder = Path(folder)
    try:
        content = json.loads((folder / "data.json").read_text(encoding="utf-8"))
        with np.load(folder / "series.npz", allow_pickle=False) as series:
            load, solar = series["load"], series["solar"]
    except (OSError, ValueError, KeyError):
        raise InputError("file", "is not there any more", "Choose it again.") from None
    content |= {name: tuple(content[name]) for name in ("names", "has_sun")}
    return OwnData(**content), load, solar


def by_day(found: OwnData, kwh: NDArray[np.float64]) -> NDArray[np.float64]:
    """A home's series day by day, each with 24 hours [day, 96].

    The hour that the clock skips in spring is the one before it, the one that comes twice in autumn counts once.

    Arguments:
        found: from `stored`.
        kwh: of one home [step].
    """
    first, days, at = datetime.fromisoformat(found.first), [], 0
    for number in range(found.days):
        length = _length(first + timedelta(days=number), 1)
        day, at = kwh[at : at + length], at + length
        if length < _DAY:
            day = np.concatenate([day[:8], day[4:8], day[8:]])
        elif length > _DAY:
            day = np.concatenate([day[:12], day[16:]])
        days.append(day)
    return np.stack(days)


def stored_scenario(folder: str | Path, steps: int) -> dict[str, Any]:
    """Homes and period of a scenario on own data.

    Arguments:
        folder: as for `stored`.
        steps: the most that are taken, from the first day on.
    """
    found, load, solar = stored(folder)
    steps = min(steps, len(load))
    homes = []
    for number, name in enumerate(found.names):
        home: dict[str, Any] = {
            "name": name,
            "load": {"source": "values", "values": load[:steps, number].tolist()},
        }
        if found.has_sun[number]:
            home["solar"] = {"source": "values", "values": solar[:steps, number].tolist()}
        homes.append(home)
    period = {
        "start": f"{found.first}T00:00",
        "steps": steps,
        "step_minutes": 15,
        "time_zone": "Europe/Brussels",
    }
    return {"period": period, "homes": homes, "seed": 0}


def _refuse(reason: str, **more: Any) -> NoReturn:
    raise _Refused(Refusal(reason, **more))


def _check_text(content: bytes) -> None:
    if not content.strip():
        _refuse("empty")
    if len(content) > MOST_BYTES:
        _refuse("too_big")
    # A table is text: no picture, workbook or archive is, whatever its name.
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return
    odd = sum(byte < 9 or 13 < byte < 32 for byte in content[:4096])
    if odd or content.startswith((b"PK", b"%PDF", b"\x1f\x8b", b"\x89PNG", b"\xff\xd8")):
        _refuse("not_text")


def _prepared(path: Path) -> tuple[Path, dict[str, str]]:
    """A simple table (time, then a column per home) with names that the meter reader knows; others as they are.

    Returns:
        The file to read, and the visitor's names of its homes.
    """
    text = _decoded(path.read_bytes())
    lines = text.splitlines()
    separator = max(";\t,", key=lines[0].count)
    header = [cell.strip().strip('"') for cell in lines[0].split(separator)]
    if len(header) < 2 or not _is_simple(header, lines, separator):
        return path, {}
    named: dict[str, str] = {}
    keys: dict[str, str] = {}
    columns = ["time"]
    for cell in header[1:]:
        production = _PRODUCTION.fullmatch(cell)
        label = (production["home"] or "") if production else cell
        if production and not label and len(keys) == 1:
            label = next(iter(keys))  # the sun of the only home
        if label not in keys:
            keys[label] = f"home{len(keys) + 1}"
            named[keys[label]] = label
        columns.append(f"{keys[label]} {'production' if production else 'consumption'} (kWh)")
    if len(set(columns)) < len(columns):
        _refuse("columns_twice")
    if len(keys) > MOST_HOMES:
        _refuse("too_many_homes", n=len(keys))
    made = path.with_suffix(".plain.csv")
    made.write_text(
        "\n".join([";".join(columns), *_checked_rows(lines, separator, len(header))]),
        encoding="utf-8",
    )
    return made, named


def _decoded(content: bytes) -> str:
    for encoding in (
        "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig",
        "latin-1",
    ):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    _refuse("not_text")


def _is_simple(header: list[str], lines: list[str], separator: str) -> bool:
    """Whether the first column has times and every other one numbers, by names that no meter's export has."""
    from prosumax.data.readers.meter_vocabulary import meaning

    directions = {meaning(cell).direction for cell in header[1:]} - {"production"}
    if directions - {None}:
        return False
    rows = [
        cells
        for line in lines[1:6]
        if (cells := line.split(separator)) and len(cells) == len(header)
    ]
    numbers = [_NUMBER.fullmatch(cell.strip().strip('"')) for cells in rows for cell in cells[1:]]
    first = [cells[0].strip().strip('"') for cells in rows]
    return (
        bool(numbers)
        and sum(number is not None for number in numbers) * 2 > len(numbers)
        and not any(_NUMBER.fullmatch(cell) for cell in first)
    )


def _checked_rows(lines: list[str], separator: str, columns: int) -> Iterator[str]:
    if len(lines) - 1 > MOST_STEPS:
        _refuse("too_long", n=len(lines) - 1)
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        cells = [cell.strip().strip('"') for cell in line.split(separator)]
        if len(cells) != columns:
            _refuse("columns", line=number, n=len(cells))
        for cell in cells[1:]:
            if not cell:
                continue
            if _NUMBER.fullmatch(cell) is None:
                _refuse("number", line=number, cell=cell[:_SHOWN])
            value = float(cell.replace(",", "."))
            if value < 0:
                _refuse("negative", line=number, cell=cell[:_SHOWN])
            if value > _MOST_KWH * 4:
                _refuse("high", line=number, cell=cell[:_SHOWN])
        yield ";".join(
            [cells[0].replace(";", " "), *(cell.replace(",", ".") for cell in cells[1:])]
        )


def _read(
    path: Path, names: dict[str, str]
) -> tuple[OwnData, NDArray[np.float64], NDArray[np.float64]]:
    from prosumax.data.readers.meter_file import Reading
    from prosumax.data.readers.meters import read_meters

    meters = read_meters([path], Reading())
    if len(meters.homes) > MOST_HOMES:
        _refuse("too_many_homes", n=len(meters.homes))
    load, solar = (
        np.stack([getattr(home, field) for home in meters.homes], axis=1)
        for field in ("load_kwh", "solar_kwh")
    )
    local = meters.local.tz_localize(None)
    first, minutes = local[0].to_pydatetime(), meters.step_minutes
    load, solar, lead = (
        _quarters(load, minutes),
        _quarters(solar, minutes),
        (first.hour * 60 + first.minute) // 15,
    )
    filled = int(np.isnan(load).any(1).sum())
    load, solar = _filled(load), _filled(solar)
    begin, days = _whole_days(first, lead, len(load))
    count = _length(first if lead == 0 else first + timedelta(days=1), days)
    if count > MOST_STEPS:
        _refuse("too_long", n=count)
    day = (first if lead == 0 else first + timedelta(days=1)).date()
    load, solar = load[begin : begin + count], solar[begin : begin + count]
    if max(load.max(), solar.max()) > _MOST_KWH:
        _refuse("high", cell=f"{max(load.max(), solar.max()):g}")
    shown = tuple(
        _clean(names.get(_key(home.name), home.name), at) for at, home in enumerate(meters.homes)
    )
    shown = tuple(
        name if shown.count(name) == 1 else f"{name} {at + 1}" for at, name in enumerate(shown)
    )
    has_sun = tuple(bool(column.sum() > 0) for column in solar.T)
    dropped = len(meters.index) * minutes // 15 - count
    return OwnData(shown, has_sun, day.isoformat(), days, filled, dropped), load, solar


def _key(name: str) -> str:
    return re.sub(r"\W", "", name).lower()


def _clean(name: str, number: int) -> str:
    """A name that is text: printable, short."""
    kept = "".join(letter for letter in name if letter.isprintable()).strip()[:40]
    return kept or f"{number + 1}"


def _quarters(kwh: NDArray[np.float64], minutes: int) -> NDArray[np.float64]:
    """Energy on quarter-hours [step, home]; longer steps are spread evenly."""
    if minutes >= 15:
        return np.repeat(kwh, minutes // 15, axis=0) / (minutes // 15)
    each = 15 // minutes
    whole = len(kwh) // each * each
    return np.asarray(kwh[:whole].reshape(-1, each, kwh.shape[1]).sum(1))


def _filled(kwh: NDArray[np.float64]) -> NDArray[np.float64]:
    """Missing quarter-hours get the hour before; at the beginning, the first that is known."""
    kwh = kwh.copy()
    for column in kwh.T:
        missing = np.flatnonzero(np.isnan(column))
        edges = np.flatnonzero(np.diff(missing, prepend=-2) > 1)
        longest = int(np.diff(edges, append=len(missing)).max()) if len(missing) else 0
        if longest > _MOST_GAP or len(missing) == len(column):
            _refuse("gap", n=longest)
        for at in missing:
            known = column[at - 4] if at >= 4 else np.nan
            column[at] = known if not np.isnan(known) else column[~np.isnan(column)][0]
    return kwh


def _whole_days(first: datetime, lead: int, steps: int) -> tuple[int, int]:
    """First quarter-hour of the first whole local day, and how many whole days follow."""
    begin = 0 if lead == 0 else _length(first.replace(hour=0, minute=0), 1) - lead
    start = first if lead == 0 else first + timedelta(days=1)
    days = 0
    while days <= 366 and begin + _length(start, days + 1) <= steps:
        days += 1
    if days == 0:
        _refuse("rows", n=steps)
    return begin, days


def _length(start: datetime, days: int) -> int:
    """Quarter-hours of so many local days: 96 each, 92 or 100 when the clock changes."""
    import pandas as pd

    day = pd.Timestamp(start.date())
    zone = "Europe/Brussels"
    return int(
        ((day + pd.Timedelta(days=days)).tz_localize(zone) - day.tz_localize(zone))
        / pd.Timedelta(minutes=15)
    )


def _explained(error: InputError) -> Refusal:
    """The meter reader's error: those that visitors meet have a text of their own, the rest is passed on."""
    line = re.search(r"line (\d+)", error.where)
    at = int(line[1]) if line else None
    for pattern, reason in (
        (r"no column holds times", "no_time"),
        (r"there is no column with numbers", "no_numbers"),
        (r"unit of .* is unknown", "unit"),
        (r"not energy per step", "counter"),
        (r"negative", "negative"),
        (r"do not fit the .* columns", "columns"),
        (r"step", "step"),
    ):
        if re.search(pattern, error.what):
            return Refusal(reason, line=at)
    return Refusal("other", line=at, said=f"{error.what.rstrip('.')}."[:200])
