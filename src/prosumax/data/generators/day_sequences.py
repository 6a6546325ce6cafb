"""Days of some other year laid onto the days of a period."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.data.time_steps import infer_step

Series = NDArray[np.float64]
DaySelector = Callable[[pd.DatetimeIndex], NDArray[np.int64]]
"""Row of the table for each date."""


def map_days_to_period(kwh: Series, select: DaySelector, index: pd.DatetimeIndex, time_zone: str) -> Series:
    """Energy per step of a period, from a table of days on a clock.

    Each step takes what the table has at the same time of the local clock; in spring an hour of the table is left out,
    in autumn one comes twice. A finer table is added up, a coarser one spread evenly.

    Arguments:
        kwh: energy per day and part of the day [day, part]; the parts divide a day evenly, in whole minutes.
        pick: which row stands for a date.
        index: step starts [T], UTC.
        time_zone: IANA name of the local clock.
    """
    step = infer_step(index)
    part_minutes = 1440 // kwh.shape[1]
    part = pd.Timedelta(minutes=part_minutes)
    fine_step = min(step, part)
    fine = pd.date_range(index[0], index[-1] + step, freq=fine_step, inclusive="left").tz_convert(
        time_zone
    )
    days = pd.DatetimeIndex(fine.tz_localize(None).normalize())
    number, dates = pd.factorize(days)
    rows = select(pd.DatetimeIndex(dates))
    place = np.asarray((fine.hour * 60 + fine.minute) // part_minutes, np.int64)
    values = kwh[rows[number], place] * (fine_step / part)
    return np.asarray(values.reshape(len(index), -1).sum(axis=1), np.float64)


def nearest_weekday_selector(first: pd.Timestamp, days: int) -> DaySelector:
    """Rows of a year that begins on `first`: same weekday, and the nearest such day of the year.

    Arguments:
        first: date of row 0.
        days: rows of the table, at least 14.
    """

    def pick(dates: pd.DatetimeIndex) -> NDArray[np.int64]:
        near = np.asarray(dates.dayofyear - first.dayofyear, np.int64)
        shift = (np.asarray(dates.dayofweek) - first.dayofweek - near) % 7
        row = near + np.where(shift > 3, shift - 7, shift)
        row = np.where(row < 0, row + 7, row)
        return np.where(row >= days, row - 7 * -(-(row - days + 1) // 7), row)

    return pick


def cyclic_weekday_selector(first_weekday: int, days: int) -> DaySelector:
    """Rows of a few days that repeat: days of the same weekday one after the other, any day where there is none.

    Arguments:
        first_weekday: of row 0, Monday is 0.
        days: rows of the table.
    """
    weekday = (np.arange(days) + first_weekday) % 7

    def pick(dates: pd.DatetimeIndex) -> NDArray[np.int64]:
        week = np.asarray((dates - pd.Timestamp("2001-01-01")).days // 7, np.int64)
        rows = np.empty(len(dates), np.int64)
        for one in range(7):
            here = np.asarray(dates.dayofweek) == one
            fit = np.flatnonzero(weekday == one)
            rows[here] = fit[week[here] % len(fit)] if len(fit) else (week[here] * 7 + one) % days
        return rows

    return pick
