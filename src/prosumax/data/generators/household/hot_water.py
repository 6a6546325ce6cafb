"""Domestic hot water demand: draw-offs of taps and showers, sampled per calendar year."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.data.time_steps import infer_step

Array = NDArray[np.float64]

OCCUPANTS_BY_LIFESTYLE: Mapping[str, float] = {
    "single": 1,
    "night_shifts": 2,
    "couple": 2,
    "family": 4,
    "family_with_teenagers": 4,
    "students": 3,
    "home_business": 2,
    "retired": 2,
}

_OTHER_OCCUPANTS = 3.0

_SHOWER_KWH = 1.4  # 40 liters at 40 C.
_TAP_KWH = 0.12  # 3.5 liters at 40 C.
_SHOWER_SHARE = 0.2  # Share of showers among all draw-offs.
_HOURLY_WEIGHTS = (1, 1, 1, 1, 1, 3, 10, 14, 9, 5, 4, 4, 5, 4, 3, 3, 4, 6, 9, 9, 8, 7, 5, 3)
"""Relative draw-off rate by local hour: a high morning peak and a broad evening peak (EN 16147)."""


def typical_occupants(lifestyle: str | None) -> float:
    """Return the number of people of a household.

    Args:
        lifestyle: Lifestyle of its load; None stands for a family.
    """
    return OCCUPANTS_BY_LIFESTYLE.get(lifestyle or "family", _OTHER_OCCUPANTS)


def hot_water_kwh(
    index: pd.DatetimeIndex, time_zone: str, daily_kwh: float, seed: int
) -> Float[Array, " step"]:
    """Generate the heat of the hot water drawn in every step.

    Args:
        index: Step starts, UTC.
        time_zone: IANA name of the local time zone.
        daily_kwh: Mean heat per day, kWh, which every calendar year matches exactly.
        seed: Seed of the home.

    Returns:
        Heat in kWh per step.
    """
    steps = len(index)
    step = infer_step(index)
    demand = np.zeros(steps)
    mean_kwh = _SHOWER_SHARE * _SHOWER_KWH + (1 - _SHOWER_SHARE) * _TAP_KWH
    probability = np.asarray(_HOURLY_WEIGHTS) / sum(_HOURLY_WEIGHTS)
    for year in _local_years(index, time_zone):
        rng = np.random.default_rng((seed, year))
        midnight = pd.Timestamp(year, 1, 1, tz=time_zone).tz_convert("UTC")
        days = 366 if pd.Timestamp(year, 1, 1).is_leap_year else 365
        count = rng.poisson(daily_kwh / mean_kwh * days)
        is_shower = rng.random(count) < _SHOWER_SHARE
        kwh = np.where(is_shower, _SHOWER_KWH, _TAP_KWH) * rng.gamma(4.0, 0.25, count)
        kwh *= daily_kwh * days / max(kwh.sum(), 1e-9)
        # Daylight saving time shifts the profile by an hour, which is within its uncertainty.
        day = rng.integers(0, days, count)
        hour = day * 24 + rng.choice(24, count, p=probability) + rng.random(count)
        elapsed = midnight + pd.to_timedelta(hour, unit="h") - index[0]
        at = np.floor(np.asarray(elapsed / step)).astype(int)
        inside = (at >= 0) & (at < steps)
        np.add.at(demand, at[inside], kwh[inside])
    return demand


def _local_years(index: pd.DatetimeIndex, time_zone: str) -> Sequence[int]:
    local = index.tz_convert(time_zone)
    return range(int(local[0].year), int(local[-1].year) + 1)
