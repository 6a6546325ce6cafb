"""Capacity charge: what a home pays for the highest power that it drew in each month."""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import NDArray

Array = NDArray[np.float64]


def month_hours(clock: pd.DatetimeIndex, step_hours: float) -> tuple[Array, NDArray[np.int64]]:
    """Calendar months of a period.

    Arguments:
        clock: local starts of the steps.
        step_hours: length of a step.

    Returns:
        How many hours of each month the period covers [month], and the number of the month of each step [step].
    """
    months = np.asarray(clock.year) * 12 + np.asarray(clock.month)
    _, number = np.unique(months, return_inverse=True)
    return np.bincount(number).astype(np.float64) * step_hours, number.astype(np.int64)


def capacity_charge(
    import_kwh: Float[Array, "step home"],
    month: Int[NDArray[np.int64], " step"],
    step_hours: float,
    price: Float[Array, " month"],
    minimum_kw: float,
) -> Float[Array, "month home"]:
    """Money for each month's highest mean import of a step.

    Arguments:
        import_kwh: of each home's meter.
        month: number of each step's month, from 0.
        step_hours: length of a step; Flanders meters quarter-hours.
        price: money per kW of that month. A yearly rate is spread over the hours of the months, so that a period of
            days pays for days.
        minimum_kw: charged at least (2.5 kW in Flanders).

    Source: the Flemish capacity tariff of 2023, which averages the last twelve months' peaks; over a calendar year
    that is the same but for the length of the months.
    """
    peaks = np.full((len(price), import_kwh.shape[1]), minimum_kw, dtype=np.float64)
    np.maximum.at(peaks, month, import_kwh / step_hours)
    return peaks * price[:, None]
