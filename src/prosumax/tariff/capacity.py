"""Capacity charge on the highest import power of each month."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

Array = NDArray[np.float64]

METERING_INTERVAL_HOURS = 0.25
"""Interval over which meters record mean power; longer steps understate the peak."""


class MeterCalendar(NamedTuple):
    """Month and metering interval of each step.

    Attributes:
        month: Index of the month, from 0.
        interval: Index of the metering interval, from 0, non-decreasing.
    """

    month: Int[NDArray[np.int64], " step"]
    interval: Int[NDArray[np.int64], " step"]


def meter_calendar(
    local_index: pd.DatetimeIndex, step_hours: float
) -> tuple[MeterCalendar, Float[Array, " month"]]:
    """Compute the calendar months and metering intervals of a period.

    Args:
        local_index: Step starts in local time.
        step_hours: Length of a step.

    Returns:
        The calendar, and the fraction of each calendar month that the period covers.
    """
    month_numbers = np.asarray(local_index.year) * 12 + np.asarray(local_index.month) - 1
    months, month = np.unique(month_numbers, return_inverse=True)
    starts = pd.DatetimeIndex(
        [pd.Timestamp(int(m) // 12, int(m) % 12 + 1, 1, tz=local_index.tz) for m in months]
    )
    ends = pd.DatetimeIndex([start + pd.DateOffset(months=1) for start in starts])
    month_hours = np.asarray((ends - starts).total_seconds()) / 3600
    if step_hours >= METERING_INTERVAL_HOURS:
        interval = np.arange(len(local_index))
    else:
        seconds = local_index.as_unit("s").asi8
        interval_seconds = int(METERING_INTERVAL_HOURS * 3600)
        _, interval = np.unique(seconds // interval_seconds, return_inverse=True)
    coverage = np.bincount(month) * step_hours / month_hours
    return MeterCalendar(month.astype(np.int64), interval.astype(np.int64)), coverage


def month_membership(
    month: Int[NDArray[np.int64], " step"], present: Bool[NDArray[np.bool_], "step home"]
) -> Float[Array, "month home"]:
    """Compute the share of the steps of each month in which each home is a member.

    Args:
        month: Index of the month of each step, from 0.
        present: Whether a home is a member.
    """
    steps = np.bincount(month)
    members = np.zeros((len(steps), present.shape[1]))
    np.add.at(members, month, present)
    return members / steps[:, None]


def monthly_peaks(
    import_kwh: Float[Array, "step home"],
    calendar: MeterCalendar,
    step_hours: float,
    min_billed_peak_kw: float,
) -> Float[Array, "month home"]:
    """Compute the billed peak of each month: the highest mean import of a metering interval.

    Args:
        import_kwh: Import at the meters.
        calendar: Month and metering interval of each step; an interval belongs to the month in
            which it starts.
        step_hours: Length of a step.
        min_billed_peak_kw: Lower bound of a billed peak.

    Returns:
        Billed peaks, kW.

    References:
        The Flemish capacity tariff of 2023 (VREG): quarter-hours, at least 2.5 kW, imports only, so
        that energy sharing does not reduce it.
    """
    first = np.flatnonzero(np.diff(calendar.interval, prepend=-1))
    interval_hours = max(step_hours, METERING_INTERVAL_HOURS)
    power_kw = np.add.reduceat(import_kwh, first, axis=0) / interval_hours
    shape = (calendar.month.max() + 1, import_kwh.shape[1])
    peaks = np.full(shape, min_billed_peak_kw, dtype=np.float64)
    np.maximum.at(peaks, calendar.month[first], power_kw)
    return peaks


def capacity_charge(
    peaks_kw: Float[Array, "month home"], coverage: Float[Array, "month home"], per_kw_year: float
) -> Float[Array, " home"]:
    """Compute the charge on monthly peaks, a twelfth of the annual rate per month.

    Args:
        peaks_kw: Billed peak of each month.
        coverage: Fraction of each calendar month that is billed to each home.
        per_kw_year: Annual rate per kW of the mean of twelve monthly peaks.
    """
    charge: Array = per_kw_year / 12 * (coverage * peaks_kw).sum(0)
    return charge
