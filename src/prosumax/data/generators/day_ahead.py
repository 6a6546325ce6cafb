"""Day-ahead prices of typical Belgian days, for scenarios that bring none of their own."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# EUR/MWh by local hour. The sunny day is that of a price model fitted to Belgium 2024-25 (pricecast 0.1.5, for a sunny
# day in spring); the dark day passes through the same model's winter values at 3, 7 and 18 h (52, 78, 115) and
# its mean of 74, the hours between are drawn by hand.
_SUNNY = (
    80,
    75,
    69,
    68,
    70,
    78,
    81,
    72,
    53,
    32,
    13,
    -1,
    -10,
    -7,
    1,
    17,
    45,
    83,
    110,
    116,
    115,
    105,
    95,
    87,
)
_DARK = (
    58,
    55,
    53,
    52,
    53,
    60,
    70,
    78,
    82,
    77,
    73,
    70,
    67,
    66,
    67,
    73,
    92,
    108,
    115,
    105,
    91,
    78,
    69,
    63,
)
_RESIDUAL_EUR, _FREEDOM = 27.0, 4.25  # spread and tails of what the model leaves open
_MEMORY = 0.9  # from hour to hour; ours, so that a windy or a calm spell lasts some hours
_SHARE_OF_SUNNY = (
    0.1,
    0.75,
)  # mean clearness in December and June; ours, for 300 to 400 hours below zero in a year


def synthetic_day_ahead_eur_per_mwh(local: pd.DatetimeIndex, seed: int) -> NDArray[np.float64]:
    """A year's market as it might be: dark days and sunny ones by season, with spells above and below.

    These are no prices of any real day. Hours below zero come up 300 to 400 times a year (Belgium had 520 in 2025).

    Arguments:
        local: [step] local starts of the steps.
        seed: of the weather and the spells.

    Returns:
        [step] EUR/MWh, the same for all steps of an hour.
    """
    from scipy.signal import lfilter  # a second to import, which most commands can do without

    rng = np.random.default_rng(seed)
    hours, hour_of = np.unique(
        local.tz_convert("UTC").floor("h") if local.tz else local.floor("h"), return_inverse=True
    )
    days, day_of = np.unique(np.asarray(local.date), return_inverse=True)
    season = (
        1 - np.cos(2 * np.pi * (pd.DatetimeIndex(days).dayofyear.to_numpy() + 10) / 365.25)
    ) / 2
    low, high = _SHARE_OF_SUNNY
    mean = low + (high - low) * season
    clear = rng.beta(2 * mean, 2 * (1 - mean))[day_of]
    shock = (
        rng.standard_t(_FREEDOM, len(hours)) * _RESIDUAL_EUR * np.sqrt((_FREEDOM - 2) / _FREEDOM)
    )
    spell = lfilter([np.sqrt(1 - _MEMORY**2)], [1, -_MEMORY], shock)
    at = local.hour.to_numpy()
    return clear * np.asarray(_SUNNY)[at] + (1 - clear) * np.asarray(_DARK)[at] + spell[hour_of]
