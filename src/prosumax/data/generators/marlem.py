"""Synthetic days of MARLEM: PV generation, demand, feed-in price and retail price, hourly.

The paper (section 3.4.4) states equation 13 and describes the rest in words; the values are those
of its authors. Three details follow the paper instead of its released code: the noise of equation
13 multiplies the PV generation, clouds last for several hours, and each home has its own random
draws. The moving average preserves the level at both ends of the day.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

Array = NDArray[np.float64]

HOURS = 24

_DAYLIGHT = (6, 18)  # First and last hour with PV generation; a Gaussian is positive at midnight.
_GENERATION_WIDTH_H = (
    6.0  # Distance from noon at which the Gaussian is 1/e: sigma is 6 / sqrt(2) h.
)
_OVERCAST_REDUCTION = 0.5  # Reduction of PV generation under full cloud cover.
_NOISE = 0.1
_CLOUD_NOISE = 0.2
_CLOUD_HOURS = 3  # Duration of a cloud; the paper states "larger, more correlated variations".

_DEMAND = (
    (0, 1, 0.4, 0.7),
    (1, 6, 0.2, 0.4),
    (6, 7, 0.4, 0.7),
    (7, 9, 0.7, 1.0),
    (9, 19, 0.4, 0.7),
    (19, 21, 0.7, 1.0),
    (21, 24, 0.4, 0.7),
)
"""First hour, end hour, minimum and maximum demand as a share of the home's generation capacity."""

_FEED_IN = ((6, 0.9), (10, 0.7), (16, 0.6), (18, 0.8), (22, 1.0), (24, 0.9))
_RETAIL = (
    *((1, 0.8), (6, 0.6), (9, 1.3), (12, 1.0)),
    *((16, 1.1), (18, 1.2), (22, 1.4), (24, 1.0)),
)
"""End hour, and factor on the base price of the day."""

_WINDOW_HOURS = 3  # Width of the moving average.
_MIN_SPREAD = 0.05  # Share of the price range between the feed-in and the retail price.

# Streams of random numbers; a change of one leaves the other ones unchanged.
_GENERATION_STREAM = 1
_DEMAND_STREAM = 2
_PRICE_STREAM = 3
_CHARGE_STREAM = 12


class GridPrices(NamedTuple):
    """Prices of the grid per kWh in every hour; the retail price exceeds the feed-in price.

    Attributes:
        feed_in: Price that the grid pays.
        retail: Price that the grid charges.
    """

    feed_in: Float[Array, " hour"]
    retail: Float[Array, " hour"]


def generation_kwh(capacity_kw: Float[Array, " home"], seed: int) -> Float[Array, "hour home"]:
    """Generate the PV generation of every home in each hour of a day.

    G_t = C lambda_t (1 + noise + cloud), where lambda is a Gaussian around noon, reduced by the
    cloudiness of the home's day. The noise is drawn per hour within +-10 %; the cloud term is drawn
    every three hours within +-20 % under full cloud cover.

    Args:
        capacity_kw: PV capacity of each home, kW. The paper defines C as "photovoltaic system plus
            battery", which adds kW to kWh; here it is the PV system alone.
        seed: Seed of the day; the homes have independent draws.

    Returns:
        PV generation in kWh per hour.

    References:
        MARLEM, equation 13.
    """
    rng = _stream(seed, _GENERATION_STREAM)
    homes = len(capacity_kw)
    hour = np.arange(HOURS)[:, None]
    cloudiness = rng.random(homes)
    gaussian = np.exp(-(((hour - 12) / _GENERATION_WIDTH_H) ** 2))
    level = (1 - _OVERCAST_REDUCTION * cloudiness) * gaussian
    level = np.where((hour >= _DAYLIGHT[0]) & (hour <= _DAYLIGHT[1]), level, 0.0)
    noise = rng.uniform(-_NOISE, _NOISE, (HOURS, homes))
    cloud = rng.uniform(-_CLOUD_NOISE, _CLOUD_NOISE, (HOURS // _CLOUD_HOURS, homes)) * cloudiness
    factor = np.maximum(1 + noise + np.repeat(cloud, _CLOUD_HOURS, axis=0), 0.0)
    return capacity_kw * np.where(level > 0, _moving_average(level * factor), 0.0)


def demand_kwh(
    capacity_kw: Float[Array, " home"], demand_factor: Float[Array, " home"], seed: int
) -> Float[Array, "hour home"]:
    """Generate the demand of every home in each hour of a day, with peaks at 7-9 h and 19-21 h.

    Args:
        capacity_kw: PV capacity of each home, kW, which also scales its demand.
        demand_factor: Factor on the demand of each home.
        seed: Seed of the day; the homes have independent draws.

    Returns:
        Demand in kWh per hour.

    References:
        MARLEM, section 3.4.4, "demand profiles".
    """
    rng = _stream(seed, _DEMAND_STREAM)
    homes = len(capacity_kw)
    low = np.empty((HOURS, 1))
    high = np.empty((HOURS, 1))
    for first, end, minimum, maximum in _DEMAND:
        low[first:end] = minimum
        high[first:end] = maximum
    level = rng.uniform(low, high, (HOURS, homes)) + rng.uniform(-_NOISE, _NOISE, (HOURS, homes))
    return capacity_kw * demand_factor * _moving_average(np.maximum(level, 0.0))


def grid_prices(min_price: float, max_price: float, seed: int) -> GridPrices:
    """Generate the feed-in and retail prices of a day: steps over the day, highest in the evening.

    The hours at which a price changes vary by up to 1.5 h, the levels of the steps by up to 30 %
    (feed-in) and 25 % (retail), single hours by up to 25 % and 20 %.

    Args:
        min_price: Lower bound of the prices, per kWh.
        max_price: Upper bound of the prices, per kWh.
        seed: Seed of the day.

    References:
        MARLEM, section 3.4.4, last paragraph.
    """
    rng = _stream(seed, _PRICE_STREAM)
    width = max_price - min_price
    feed_in_base = min_price + width * rng.uniform(0.2, 0.4)
    feed_in = feed_in_base * _step_factors(_FEED_IN, 0.3, rng) * rng.uniform(0.75, 1.25, HOURS)
    retail_base = 2 * min_price + (max_price - 2 * min_price) * rng.uniform(0.6, 0.8)
    retail = retail_base * _step_factors(_RETAIL, 0.25, rng) * rng.uniform(0.8, 1.2, HOURS)
    feed_in = np.clip(_moving_average(feed_in), min_price, 0.9 * max_price)
    retail = np.clip(_moving_average(retail), 1.1 * min_price, max_price)
    return GridPrices(feed_in, np.maximum(retail, feed_in + _MIN_SPREAD * width))


def initial_charge(num_homes: int, seed: int) -> Float[Array, " home"]:
    """Draw the initial charge of batteries, as a fraction between their limits.

    Args:
        num_homes: Number of homes.
        seed: Seed of the day.
    """
    return _stream(seed, _CHARGE_STREAM).random(num_homes)


def _stream(seed: int, number: int) -> np.random.Generator:
    return np.random.default_rng((seed, number))


def _step_factors(
    periods: tuple[tuple[int, float], ...], spread: float, rng: np.random.Generator
) -> Float[Array, " hour"]:
    """Sample the factor of each hour, with random period bounds and levels around their means."""
    bounds = np.array([end for end, _ in periods[:-1]])
    bounds = bounds + rng.uniform(-1.5, 1.5, len(periods) - 1)
    levels = np.array([factor for _, factor in periods])
    levels = levels * rng.uniform(1 - spread, 1 + spread, len(periods))
    return levels[np.searchsorted(np.sort(bounds), np.arange(HOURS), side="right")]


def _moving_average(values: Float[Array, "hour ..."]) -> Float[Array, "hour ..."]:
    """Average each hour with its neighbors; the first and the last hour repeat at the edges."""
    half = _WINDOW_HOURS // 2
    padding = [(half, half)] + [(0, 0)] * (values.ndim - 1)
    padded = np.pad(values, padding, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW_HOURS, axis=0)
    mean: NDArray[np.float64] = windows.mean(-1)
    return mean
