"""Helpers for tests of table files: tables as text, time indices and expected errors."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from prosumax.data.readers.tables import read_table
from prosumax.errors import InputError

TableWriter = Callable[..., Path]
BRUSSELS = "Europe/Brussels"
DST_BEGIN = "2023-03-26"
"""Day with 23 hours in Brussels."""
DST_END = "2023-10-29"
"""Day with 25 hours in Brussels."""


def local_steps(day: str, days: int = 1, minutes: int = 60) -> pd.DatetimeIndex:
    """Return the UTC starts of the steps from local midnight on, in Brussels."""
    begin = pd.Timestamp(day, tz=BRUSSELS)
    end = (pd.Timestamp(day) + pd.Timedelta(days=days)).tz_localize(BRUSSELS)
    steps = pd.date_range(begin, end, freq=f"{minutes}min", inclusive="left")
    return steps.tz_convert("UTC")


def hours(start: str, count: int) -> pd.DatetimeIndex:
    """Return the starts of hourly steps in UTC."""
    return pd.date_range(start, periods=count, freq="60min", tz="UTC")


def rows(day: str, values: Sequence[object], separator: str = ",", minutes: int = 60) -> str:
    """Return data rows with naive ISO times from midnight on."""
    times = pd.date_range(day, periods=len(values), freq=f"{minutes}min")
    return "".join(
        f"{time:%Y-%m-%d %H:%M}{separator}{value}\n"
        for time, value in zip(times, values, strict=True)
    )


def read_error(path: Path, index: pd.DatetimeIndex, **options: object) -> InputError:
    """Return the error of reading a table, which names the field and proposes a fix."""
    with pytest.raises(InputError) as caught:
        read_table(path, index, **options)  # type: ignore[arg-type]
    assert caught.value.where.startswith("load: ")
    assert caught.value.fix.strip()
    return caught.value


def dst_begin_times(minutes: int) -> list[pd.Timestamp]:
    """Return the local times of the day with 23 hours, without the hour from 2 to 3."""
    naive = pd.date_range(DST_BEGIN, periods=24 * 60 // minutes, freq=f"{minutes}min")
    return [time for time in naive if time.hour != 2]


def dst_end_times(minutes: int) -> list[pd.Timestamp]:
    """Return the local times of the day with 25 hours, with the hour from 2 to 3 twice."""
    naive = pd.date_range(DST_END, periods=24 * 60 // minutes, freq=f"{minutes}min")
    before = [time for time in naive if time.hour < 2]
    repeated = [time for time in naive if time.hour == 2]
    after = [time for time in naive if time.hour > 2]
    return before + repeated + repeated + after


WIDE = "time,home_1_kwh,home_2_kwh\n2023-01-02 00:00,1,3\n2023-01-02 01:00,2,4\n"
LONG = (
    "time,meter,value,unit\n2023-01-02 00:00,north,1,kWh\n2023-01-02 01:00,north,2,kWh\n"
    "2023-01-02 00:00,007,3,kWh\n2023-01-02 01:00,007,4,kWh\n"
)
TWO_STEPS = local_steps("2023-01-02")[:2]


def to_csv(times: Sequence[pd.Timestamp], values: Sequence[object] | None = None) -> str:
    """Return a table with local times; the values default to the number of the row."""
    cells = range(len(times)) if values is None else values
    lines = [f"{time:%Y-%m-%d %H:%M},{value}" for time, value in zip(times, cells, strict=True)]
    return "time,kwh\n" + "\n".join(lines) + "\n"
