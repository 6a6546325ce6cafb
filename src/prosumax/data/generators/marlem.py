"""Days as MARLEM draws them: generation, demand and the two prices of the grid side, hour by hour.

The paper (section 3.4.4) gives equation 13 and describes the rest in words; the numbers behind the words are those its
authors use. Three things follow the paper rather than its released code: the noise of equation 13 multiplies the sun,
clouds last for hours, and every home has draws of its own. The moving average keeps its height at both ends of the day.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

HOURS = 24

_DAYLIGHT = (6, 18)  # first and last hour with sun; a Gaussian alone would shine at midnight
_SUN_HOURS = (
    6.0  # half-width of the day at which the sun is down to 1/e: sigma is 6 / sqrt(2) hours
)
_SHADE = 0.5  # of the sun under a full cloud
_NOISE = 0.1
_CLOUD_NOISE = 0.2
_CLOUD_HOURS = 3  # how long a cloud lasts; the paper says "larger, more correlated variations"

_DEMAND = (
    (0, 1, 0.4, 0.7),
    (1, 6, 0.2, 0.4),
    (6, 7, 0.4, 0.7),
    (7, 9, 0.7, 1.0),
    (9, 19, 0.4, 0.7),
    (19, 21, 0.7, 1.0),
    (21, 24, 0.4, 0.7),
)
"""From hour, to hour, least and most demand as a share of the home's generation capacity."""

_FEED_IN = ((6, 0.9), (10, 0.7), (16, 0.6), (18, 0.8), (22, 1.0), (24, 0.9))
_RETAIL = ((1, 0.8), (6, 0.6), (9, 1.3), (12, 1.0), (16, 1.1), (18, 1.2), (22, 1.4), (24, 1.0))
"""Up to which hour, factor on the day's base price."""

_WINDOW = 3  # hours of the moving average
_LEAST_MARGIN = 0.05  # of the price range, between feed-in and retail price


class GridPrices(NamedTuple):
    """What the grid side pays and asks per kWh in every hour [hour]; retail is above feed-in throughout."""

    feed_in: NDArray[np.float64]
    retail: NDArray[np.float64]


def generation_kwh(capacity_kw: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Solar energy of every home in each hour of a day, kWh [hour, home].

    G_t = C lambda_t (1 + noise + cloud): lambda a Gaussian around noon, lower the cloudier the home's day is; noise
    drawn for every hour within +-10 %; cloud for every three hours within +-20 % of a home under full cloud.

    Arguments:
        capacity_kw: installed power of each home [home]. The paper calls C "photovoltaic system plus battery", which
            adds kW to kWh; here it is the panels alone.
        seed: of the day; homes draw apart from each other.

    Source: the MARLEM paper, equation 13.
    """
    random, homes = _random(seed, 1), len(capacity_kw)
    hour = np.arange(HOURS)[:, None]
    cloudiness = random.random(homes)
    sun = (1 - _SHADE * cloudiness) * np.exp(-(((hour - 12) / _SUN_HOURS) ** 2))
    sun = np.where((hour >= _DAYLIGHT[0]) & (hour <= _DAYLIGHT[1]), sun, 0.0)
    noise = random.uniform(-_NOISE, _NOISE, (HOURS, homes))
    drift = random.uniform(-_CLOUD_NOISE, _CLOUD_NOISE, (HOURS // _CLOUD_HOURS, homes)) * cloudiness
    factor = np.maximum(1 + noise + np.repeat(drift, _CLOUD_HOURS, axis=0), 0.0)
    return capacity_kw * np.where(sun > 0, _smooth(sun * factor), 0.0)


def demand_kwh(
    capacity_kw: NDArray[np.float64], demand_factor: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """What every home uses in each hour of a day, kWh [hour, home]: low at night, peaks at 7 to 9 and 19 to 21 h.

    Arguments:
        capacity_kw: generation capacity of each home, which also sets the size of its demand [home].
        factor: multiplies a home's demand [home].
        seed: of the day; homes draw apart from each other.

    Source: the MARLEM paper, section 3.4.4, "demand profiles".
    """
    random, homes = _random(seed, 2), len(capacity_kw)
    low, high = np.empty((HOURS, 1)), np.empty((HOURS, 1))
    for first, end, least, most in _DEMAND:
        low[first:end], high[first:end] = least, most
    level = random.uniform(low, high, (HOURS, homes)) + random.uniform(
        -_NOISE, _NOISE, (HOURS, homes)
    )
    return capacity_kw * demand_factor * _smooth(np.maximum(level, 0.0))


def grid_prices(min_price: float, max_price: float, seed: int) -> GridPrices:
    """Feed-in and retail price of a day per kWh: steps over the day, highest in the evening.

    The hours at which a price changes move by up to 1.5 h, the steps by up to 30 % (feed-in) and 25 % (retail), single
    hours by up to 25 % and 20 %.

    Arguments:
        lowest, highest: bounds of the market's prices, per kWh.
        seed: of the day.

    Source: the MARLEM paper, section 3.4.4, last paragraph.
    """
    random, width = _random(seed, 3), max_price - min_price
    base = min_price + width * random.uniform(0.2, 0.4)
    feed_in = base * _steps(_FEED_IN, 0.3, random) * random.uniform(0.75, 1.25, HOURS)
    base = 2 * min_price + (max_price - 2 * min_price) * random.uniform(0.6, 0.8)
    retail = base * _steps(_RETAIL, 0.25, random) * random.uniform(0.8, 1.2, HOURS)
    feed_in = np.clip(_smooth(feed_in), min_price, 0.9 * max_price)
    retail = np.clip(_smooth(retail), 1.1 * min_price, max_price)
    return GridPrices(feed_in, np.maximum(retail, feed_in + _LEAST_MARGIN * width))


def _random(seed: int, purpose: int) -> np.random.Generator:
    """Draws of one kind, which do not shift when another kind draws more."""
    return np.random.default_rng((seed, purpose))


def _steps(
    periods: tuple[tuple[int, float], ...], spread: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Factor of each hour, with the bounds between periods and the heights drawn around their means."""
    ends = np.array([end for end, _ in periods[:-1]]) + random.uniform(-1.5, 1.5, len(periods) - 1)
    heights = np.array([factor for _, factor in periods]) * random.uniform(
        1 - spread, 1 + spread, len(periods)
    )
    return heights[np.searchsorted(np.sort(ends), np.arange(HOURS), side="right")]


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Moving average over the hours around each one; the first and the last hour count twice at the edges."""
    half = _WINDOW // 2
    padded = np.pad(values, [(half, half)] + [(0, 0)] * (values.ndim - 1), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, _WINDOW, axis=0).mean(-1)
