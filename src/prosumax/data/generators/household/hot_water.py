"""Hot water that people draw: taps and showers through the day, drawn whole for a calendar year from (seed, year)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.data.time_steps import infer_step

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
"""By lifestyle."""

_SHOWER_KWH, _TAP_KWH, _SHOWERS = (
    1.4,
    0.12,
    0.2,
)  # 40 litres of 40 C; 3.5 litres; share of showers among all draws
_HOURLY = (1, 1, 1, 1, 1, 3, 10, 14, 9, 5, 4, 4, 5, 4, 3, 3, 4, 6, 9, 9, 8, 7, 5, 3)
"""Chance of a draw by local hour: a high morning and a broad evening, as in the tapping cycles of EN 16147."""


def hot_water_kwh(
    index: pd.DatetimeIndex, time_zone: str, daily_kwh: float, seed: int
) -> NDArray[np.float64]:
    """Heat in the hot water drawn in every step, kWh [step].

    Arguments:
        index: step starts, UTC.
        zone: IANA name of the clock.
        daily_kwh: mean of a day; every calendar year has exactly that mean.
        seed: of the home.
    """
    steps = len(index)
    length = infer_step(index)
    drawn = np.zeros(steps)
    mean = _SHOWERS * _SHOWER_KWH + (1 - _SHOWERS) * _TAP_KWH
    chances = np.asarray(_HOURLY) / sum(_HOURLY)
    for year in _years(index, time_zone):
        rng = np.random.default_rng((seed, year))
        midnight = pd.Timestamp(year, 1, 1, tz=time_zone).tz_convert("UTC")
        days = 366 if pd.Timestamp(year, 1, 1).is_leap_year else 365
        count = rng.poisson(daily_kwh / mean * days)
        shower = rng.random(count) < _SHOWERS
        kwh = np.where(shower, _SHOWER_KWH, _TAP_KWH) * rng.gamma(4.0, 0.25, count)
        kwh *= daily_kwh * days / max(kwh.sum(), 1e-9)
        # Summer time shifts the day by an hour, which such habits are not known well enough to notice.
        hour = (
            rng.integers(0, days, count) * 24 + rng.choice(24, count, p=chances) + rng.random(count)
        )
        at = np.floor(
            np.asarray((midnight + pd.to_timedelta(hour, unit="h") - index[0]) / length)
        ).astype(int)
        inside = (at >= 0) & (at < steps)
        np.add.at(drawn, at[inside], kwh[inside])
    return drawn


def _years(index: pd.DatetimeIndex, zone: str) -> Sequence[int]:
    local = index.tz_convert(zone)
    return range(int(local[0].year), int(local[-1].year) + 1)
