"""Synthetic Belgian day-ahead prices, for scenarios without a price file."""

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import NDArray

Array = NDArray[np.float64]

# EUR/MWh by local hour. The sunny day is the result of a price model fitted to Belgium 2024-25
# (pricecast 0.1.5) for a sunny day in spring. The overcast day matches the same model's winter
# values at 3, 7 and 18 h (52, 78, 115) and its mean of 74; the hours between are interpolated
# manually.
_SUNNY_DAY = (
    *(80, 75, 69, 68, 70, 78, 81, 72, 53, 32, 13, -1),
    *(-10, -7, 1, 17, 45, 83, 110, 116, 115, 105, 95, 87),
)
_OVERCAST_DAY = (
    *(58, 55, 53, 52, 53, 60, 70, 78, 82, 77, 73, 70),
    *(67, 66, 67, 73, 92, 108, 115, 105, 91, 78, 69, 63),
)
# Standard deviation (EUR/MWh) and degrees of freedom of the residual of the price model.
_RESIDUAL_SD = 27.0
_RESIDUAL_DOF = 4.25
# Autocorrelation from hour to hour: an assumption, such that windy or calm spells last some hours.
_AUTOCORRELATION = 0.9
# Mean share of the sunny day in December and in June: an assumption, such that 300 to 400 hours of
# a year have negative prices.
_SUNNY_SHARE = (0.1, 0.75)


def synthetic_day_ahead_eur_per_mwh(
    local_index: pd.DatetimeIndex, seed: int
) -> Float[Array, " step"]:
    """Generate the prices of a synthetic market: sunny and overcast days by season, with spells.

    The prices are not those of any real day. Some 300 to 400 hours of a year are negative; Belgium
    had 520 in 2025.

    Args:
        local_index: Step starts in the local time zone.
        seed: Seed of the weather and of the spells.

    Returns:
        EUR/MWh, constant within an hour.
    """
    from scipy.signal import lfilter  # Imported here because the import takes up to a second.

    rng = np.random.default_rng(seed)
    in_utc = local_index.tz_convert("UTC") if local_index.tz else local_index
    hours, hour_number = np.unique(in_utc.floor("h"), return_inverse=True)
    days, day_number = np.unique(np.asarray(local_index.date), return_inverse=True)
    day_of_year = pd.DatetimeIndex(days).dayofyear.to_numpy()
    season = (1 - np.cos(2 * np.pi * (day_of_year + 10) / 365.25)) / 2
    winter, summer = _SUNNY_SHARE
    mean = winter + (summer - winter) * season
    sunny = rng.beta(2 * mean, 2 * (1 - mean))[day_number]
    unit_variance = np.sqrt((_RESIDUAL_DOF - 2) / _RESIDUAL_DOF)
    shock = rng.standard_t(_RESIDUAL_DOF, len(hours)) * _RESIDUAL_SD * unit_variance
    spell = lfilter([np.sqrt(1 - _AUTOCORRELATION**2)], [1, -_AUTOCORRELATION], shock)
    hour = local_index.hour.to_numpy()
    daily = sunny * np.asarray(_SUNNY_DAY)[hour] + (1 - sunny) * np.asarray(_OVERCAST_DAY)[hour]
    price: NDArray[np.float64] = daily + spell[hour_number]
    return price
