"""Mapping of daily profiles of another year to the days of a period."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.data.time_steps import infer_step

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
DaySelector = Callable[[pd.DatetimeIndex], Ints]
"""Function that returns the row of a table of days for each date."""

_DAY_MINUTES = 1440


def map_days_to_period(
    kwh: Float[Array, "day part"], select: DaySelector, index: pd.DatetimeIndex, time_zone: str
) -> Float[Array, " step"]:
    """Map a table of daily profiles to the steps of a period.

    Each step takes the energy of the same local time. When daylight saving time begins, an hour of
    the table is skipped; when it ends, one is repeated. A finer table is summed, a coarser one
    distributed evenly.

    Args:
        kwh: Energy per day and part of the day, kWh; the parts divide a day evenly, in whole
            minutes.
        select: Selects the row of each date.
        index: Step starts, UTC.
        time_zone: IANA name of the local time zone.

    Returns:
        Energy in kWh per step.
    """
    step = infer_step(index)
    part_minutes = _DAY_MINUTES // kwh.shape[1]
    part_length = pd.Timedelta(minutes=part_minutes)
    fine_step = min(step, part_length)
    fine = pd.date_range(index[0], index[-1] + step, freq=fine_step, inclusive="left")
    local = fine.tz_convert(time_zone)
    days = pd.DatetimeIndex(local.tz_localize(None).normalize())
    day_number, dates = pd.factorize(days)
    rows = select(pd.DatetimeIndex(dates))
    part = np.asarray((local.hour * 60 + local.minute) // part_minutes, np.int64)
    values = kwh[rows[day_number], part] * (fine_step / part_length)
    return np.asarray(values.reshape(len(index), -1).sum(axis=1), np.float64)


def nearest_weekday_selector(first: pd.Timestamp, days: int) -> DaySelector:
    """Select the nearest day of the year with the same weekday.

    Args:
        first: Date of row 0.
        days: Number of rows of the table, at least 14.
    """

    def select(dates: pd.DatetimeIndex) -> Ints:
        same_day = np.asarray(dates.dayofyear - first.dayofyear, np.int64)
        shift = (np.asarray(dates.dayofweek) - first.dayofweek - same_day) % 7
        row = same_day + np.where(shift > 3, shift - 7, shift)
        row = np.where(row < 0, row + 7, row)
        weeks_beyond = -(-(row - days + 1) // 7)
        return np.where(row >= days, row - 7 * weeks_beyond, row)

    return select


def cyclic_weekday_selector(first_weekday: int, days: int) -> DaySelector:
    """Select days of the same weekday in turn, and any day where there is none.

    Args:
        first_weekday: Weekday of row 0; Monday is 0.
        days: Number of rows of the table.
    """
    weekdays = (np.arange(days) + first_weekday) % 7

    def select(dates: pd.DatetimeIndex) -> Ints:
        week = np.asarray((dates - pd.Timestamp("2001-01-01")).days // 7, np.int64)
        rows = np.empty(len(dates), np.int64)
        for weekday in range(7):
            of_weekday = np.asarray(dates.dayofweek) == weekday
            matching = np.flatnonzero(weekdays == weekday)
            if len(matching):
                rows[of_weekday] = matching[week[of_weekday] % len(matching)]
            else:
                rows[of_weekday] = (week[of_weekday] * 7 + weekday) % days
        return rows

    return select
