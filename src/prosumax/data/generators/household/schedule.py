"""A building that keeps hours: a school, an office, a shop, the stairs and the lift of a block."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.data.generators.household.occupancy import belgian_public_holidays
from prosumax.data.time_steps import infer_step

Series = NDArray[np.float64]


class OpeningPeriod(NamedTuple):
    """Power while the building is open: kW, from and to hour of the local day, and on which days."""

    kw: float
    from_hour: float
    to_hour: float
    days: str


def schedule_kwh(
    index: pd.DatetimeIndex,
    time_zone: str,
    base_kw: float,
    opening_hours: Sequence[OpeningPeriod],
    closed_days: Sequence[tuple[tuple[int, int], tuple[int, int]]],
    relative_std: float,
    seed: int,
) -> Series:
    """Energy per step of a building that keeps hours [T], kWh.

    Arguments:
        index: step starts, UTC.
        time_zone: IANA name of the local clock.
        base_kw: power at all times.
        hours: power above the base; `weekdays` leaves out public holidays, which count as `weekend`.
        closed: first and last day, (month, day) each, of every year, when only the base runs; over New Year the first
            comes after the last.
        spread: standard deviation of a day's opening power as a share of it; the weather and the week are not the same.
        seed: of that.
    """
    step = infer_step(index)
    local = index.tz_convert(time_zone)
    days, number = np.unique(local.date, return_inverse=True)
    free = np.array([day.weekday() >= 5 or day in belgian_public_holidays(day.year) for day in days])
    shut = np.array([any(_within(day, *span) for span in closed_days) for day in days])
    # One draw per date, so that a day is the same whatever the period around it.
    factor = np.array(
        [
            max(0.0, 1 + relative_std * np.random.default_rng([seed, day.toordinal()]).standard_normal())
            for day in days
        ]
    )
    hour = np.asarray(local.hour + local.minute / 60, np.float64)
    power = np.zeros(len(index))
    for window in opening_hours:
        open_day = {"all": np.ones(len(days), bool), "weekdays": ~free, "weekend": free}[
            window.days
        ]
        inside = (hour >= window.from_hour) & (hour < window.to_hour)
        power += window.kw * inside * (open_day & ~shut)[number]
    return np.asarray(
        (base_kw + power * factor[number]) * (step / pd.Timedelta(hours=1)), np.float64
    )


def _within(day: date, first: tuple[int, int], last: tuple[int, int]) -> bool:
    place = (day.month, day.day)
    return first <= place <= last if first <= last else place >= first or place <= last
