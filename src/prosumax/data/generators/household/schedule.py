"""Load of buildings with opening hours: schools, offices, shops, common areas of apartments."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.data.generators.household.occupancy import belgian_public_holidays
from prosumax.data.time_steps import infer_step

Array = NDArray[np.float64]
MonthDay = tuple[int, int]


class OpeningPeriod(NamedTuple):
    """Additional power during opening hours.

    Attributes:
        power_kw: Power above the base load, kW.
        from_hour: Opening, h of the local day.
        to_hour: Closing, h of the local day.
        days: `all`, `weekdays` or `weekend`.
    """

    power_kw: float
    from_hour: float
    to_hour: float
    days: str


def schedule_kwh(
    index: pd.DatetimeIndex,
    time_zone: str,
    base_kw: float,
    opening_hours: Sequence[OpeningPeriod],
    closed_days: Sequence[tuple[MonthDay, MonthDay]],
    relative_std: float,
    seed: int,
) -> Float[Array, " step"]:
    """Generate the load of a building with opening hours.

    Args:
        index: Step starts, UTC.
        time_zone: IANA name of the local time zone.
        base_kw: Base load, kW.
        opening_hours: Power above the base load; public holidays count as `weekend`.
        closed_days: First and last day, (month, day), of each yearly closure, when only the base
            load runs; the first day may be later in the year than the last one.
        relative_std: Relative standard deviation of the power above the base load between days.
        seed: Seed of the daily variation.

    Returns:
        Load in kWh per step.
    """
    step = infer_step(index)
    local = index.tz_convert(time_zone)
    days, number = np.unique(local.date, return_inverse=True)
    is_free = np.array(
        [day.weekday() >= 5 or day in belgian_public_holidays(day.year) for day in days]
    )
    is_closed = np.array([any(_is_within(day, *span) for span in closed_days) for day in days])
    # One generator per date, so that a day is the same whatever the period around it.
    normal = np.array(
        [np.random.default_rng([seed, day.toordinal()]).standard_normal() for day in days]
    )
    factor = np.maximum(0.0, 1 + relative_std * normal)
    hour = np.asarray(local.hour + local.minute / 60, np.float64)
    by_day_type = {"all": np.ones(len(days), bool), "weekdays": ~is_free, "weekend": is_free}
    power_kw = np.zeros(len(index))
    for opening in opening_hours:
        is_open_day = by_day_type[opening.days] & ~is_closed
        is_open_hour = (hour >= opening.from_hour) & (hour < opening.to_hour)
        power_kw += opening.power_kw * is_open_hour * is_open_day[number]
    hours = step / pd.Timedelta(hours=1)
    return np.asarray((base_kw + power_kw * factor[number]) * hours, np.float64)


def _is_within(day: date, first: MonthDay, last: MonthDay) -> bool:
    """Check if a date is in a yearly period, which may extend over New Year."""
    month_day = (day.month, day.day)
    if first <= last:
        return first <= month_day <= last
    return month_day >= first or month_day <= last
