"""Capacity charge: what a home pays for the highest power that it drew in each month."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import NDArray

Array = NDArray[np.float64]

METERING_INTERVAL_HOURS = 0.25
"""Meters record means of a quarter-hour; shorter steps are put together, longer ones understate the peak."""


class MeterCalendar(NamedTuple):
    """The calendar that a meter keeps.

    Attributes:
        month: number of each step's month, from 0.
        interval: number of each step's metered interval, from 0, rising.
    """

    month: Int[NDArray[np.int64], " step"]
    interval: Int[NDArray[np.int64], " step"]


def meter_calendar(clock: pd.DatetimeIndex, step_hours: float) -> tuple[MeterCalendar, Float[Array, " month"]]:
    """Calendar months and metered intervals of a period.

    Arguments:
        clock: local starts of the steps.
        step_hours: length of a step.

    Returns:
        The calendar, and the share of each calendar month that the period covers.
    """
    months, month = np.unique(
        np.asarray(clock.year) * 12 + np.asarray(clock.month) - 1, return_inverse=True
    )
    starts = pd.DatetimeIndex(
        [pd.Timestamp(int(m) // 12, int(m) % 12 + 1, 1, tz=clock.tz) for m in months]
    )
    ends = pd.DatetimeIndex([start + pd.DateOffset(months=1) for start in starts])
    month_hours = np.asarray((ends - starts).total_seconds()) / 3600
    seconds = clock.as_unit("s").asi8
    _, interval = np.unique(
        seconds // max(int(METERING_INTERVAL_HOURS * 3600), round(step_hours * 3600)), return_inverse=True
    )
    if step_hours >= METERING_INTERVAL_HOURS:
        interval = np.arange(len(clock))
    covered = np.bincount(month) * step_hours / month_hours
    return MeterCalendar(month.astype(np.int64), interval.astype(np.int64)), covered


def monthly_peaks(
    import_kwh: Float[Array, "step home"], calendar: MeterCalendar, step_hours: float, min_billed_peak_kw: float
) -> Float[Array, "month home"]:
    """Each month's highest mean import of a metered interval, kW, or `minimum_kw` if that is more.

    Arguments:
        import_kwh: of each home's meter.
        calendar: months and intervals of the steps; an interval counts for the month in which it begins.
        step_hours: length of a step.
        minimum_kw: counted at least (2.5 kW in Flanders).

    Source: the Flemish capacity tariff of 2023 (VREG): quarter-hours, 2.5 kW at least, offtake only, so that energy
    shared with neighbours does not lower it.
    """
    first = np.flatnonzero(np.diff(calendar.interval, prepend=-1))
    power = np.add.reduceat(import_kwh, first, axis=0) / max(step_hours, METERING_INTERVAL_HOURS)
    peaks = np.full((calendar.month.max() + 1, import_kwh.shape[1]), min_billed_peak_kw, dtype=np.float64)
    np.maximum.at(peaks, calendar.month[first], power)
    return peaks


def capacity_charge(
    peaks: Float[Array, "month home"], covered: Float[Array, " month"], per_kw_year: float
) -> Float[Array, " home"]:
    """Money for the monthly peaks: a twelfth of the yearly rate for each month, in part for a month that is cut.

    Arguments:
        peaks: of each month, kW.
        covered: share of each calendar month that counts.
        per_kw_year: rate per kW of the mean of twelve monthly peaks.
    """
    money: Array = per_kw_year / 12 * covered @ peaks
    return money
