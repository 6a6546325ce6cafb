"""Evenly spaced simulation steps."""

import numpy as np
import pandas as pd

QUARTER_HOUR = pd.Timedelta(minutes=15)


def infer_step(index: pd.DatetimeIndex) -> pd.Timedelta:
    """Infer the step length of an index of step starts.

    Args:
        index: Evenly spaced step starts in UTC, at least one; a single start must carry its `freq`.

    Returns:
        The step length. It divides 15 min, or is a multiple of 15 min that divides a day.

    Raises:
        ValueError: The index is not in UTC or not evenly spaced, or the step length is not
            supported.
    """
    if str(index.tz) != "UTC":
        raise ValueError(f"The index must hold UTC step starts, got the time zone {index.tz}.")
    if len(index) >= 2:
        step = index[1] - index[0]
    elif len(index) == 1 and index.freq is not None:
        step = index[0] + index.freq - index[0]
    else:
        raise ValueError("The index must hold at least two step starts or carry a freq.")
    if np.unique(np.diff(index.asi8)).size > 1:
        raise ValueError("The step starts in the index must be evenly spaced.")
    no_time = pd.Timedelta(0)
    day = pd.Timedelta(days=1)
    divides_quarter = step > no_time and QUARTER_HOUR % step == no_time
    divides_day = step > no_time and step % QUARTER_HOUR == no_time and day % step == no_time
    if not (divides_quarter or divides_day):
        raise ValueError(
            "The step must divide 15 min, or be a multiple of 15 min that divides a day, got "
            f"{step}."
        )
    return step
