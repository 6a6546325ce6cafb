"""Tables as text, as a user's export would hold them, and the steps they are read for."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from prosumax.data.readers.tables import read_table
from prosumax.errors import InputError

Writer = Callable[..., Path]
SPRING, AUTUMN = "2023-03-26", "2023-10-29"  # the days with 23 and 25 hours in Brussels


def local_steps(day: str, days: int = 1, minutes: int = 60) -> pd.DatetimeIndex:
    """UTC starts of the steps from local midnight on, in Brussels."""
    begin = pd.Timestamp(day, tz="Europe/Brussels")
    end = pd.Timestamp(day) + pd.Timedelta(days=days)
    return pd.date_range(
        begin, end.tz_localize("Europe/Brussels"), freq=f"{minutes}min", inclusive="left"
    ).tz_convert("UTC")


def hours(start: str, count: int) -> pd.DatetimeIndex:
    return pd.date_range(start, periods=count, freq="60min", tz="UTC")


def rows(day: str, values: Sequence[object], separator: str = ",", minutes: int = 60) -> str:
    """Data rows with naive ISO stamps from midnight on."""
    stamps = pd.date_range(day, periods=len(values), freq=f"{minutes}min")
    return "".join(
        f"{stamp:%Y-%m-%d %H:%M}{separator}{value}\n"
        for stamp, value in zip(stamps, values, strict=True)
    )


def fails(path: Path, index: pd.DatetimeIndex, **options: object) -> InputError:
    with pytest.raises(InputError) as caught:
        read_table(path, index, **options)  # type: ignore[arg-type]
    assert caught.value.where.startswith("load: ")
    assert caught.value.fix.strip()
    return caught.value


def spring_stamps(minutes: int) -> list[pd.Timestamp]:
    """The 23 hours of the day, made by leaving the hour from 2 to 3 out."""
    naive = pd.date_range(SPRING, periods=24 * 60 // minutes, freq=f"{minutes}min")
    return [stamp for stamp in naive if stamp.hour != 2]


def autumn_stamps(minutes: int) -> list[pd.Timestamp]:
    """The 25 hours of the day, made by writing the hour from 2 to 3 twice."""
    naive = pd.date_range(AUTUMN, periods=24 * 60 // minutes, freq=f"{minutes}min")
    repeated = [stamp for stamp in naive if stamp.hour == 2]
    return [s for s in naive if s.hour < 2] + repeated + repeated + [s for s in naive if s.hour > 2]


WIDE = "time,home_1_kwh,home_2_kwh\n2023-01-02 00:00,1,3\n2023-01-02 01:00,2,4\n"
LONG = (
    "time,meter,value,unit\n2023-01-02 00:00,north,1,kWh\n2023-01-02 01:00,north,2,kWh\n"
    "2023-01-02 00:00,007,3,kWh\n2023-01-02 01:00,007,4,kWh\n"
)
TWO_HOURS = local_steps("2023-01-02")[:2]


def as_csv(stamps: Sequence[pd.Timestamp], values: Sequence[object] | None = None) -> str:
    cells = range(len(stamps)) if values is None else values
    return "time,kwh\n" + "".join(
        f"{s:%Y-%m-%d %H:%M},{v}\n" for s, v in zip(stamps, cells, strict=True)
    )
