"""Random order books with the corner cases of local markets, for checks of mechanisms."""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from prosumax.market.mechanism import MarketOptions, truthful_orders
from prosumax.market.pricing.hierarchy import pool_memberships
from prosumax.types import GRID_ONLY, NO_PREFERENCE, Orders, PostedPrices, Prices

# Retail price, feed-in price and local grid fee per kWh of the kinds of hours, in rotation. The
# grid pays at most what a local kWh saves its buyer in all but the last.
_HOURS = (
    (0.30, 0.05, 0.00),
    (0.35, 0.05, 0.10),
    (0.30, 0.00, 0.05),
    (0.20, -0.06, 0.02),
    (0.00, 0.00, 0.00),
    (-0.02, -0.10, 0.00),
    (0.12, 0.10, 0.06),
)
_CROSSED_HOUR = len(_HOURS) - 1

# Most orders are some kWh; in these proportions they are some Wh or some ten kWh.
_SCALES_KWH = (2.0, 2.0, 2.0, 2.0, 2.0, 0.004, 20.0)


class OrderBooks(NamedTuple):
    """Orders of many independent books; every array has the books on its first axis.

    Attributes:
        orders: Orders [book, home]. Limit prices lie in the band between the grid prices.
        prices: Prices of the grid side [book, home]; `posted` [book, level, home] if asked for.
        is_crossed: Books in which the grid pays more than a local kWh saves its buyer, so that no
            local trade pays off [book].
        has_ties: Books with equal limit prices of several homes [book].
    """

    orders: Orders
    prices: Prices
    is_crossed: NDArray[np.bool_]
    has_ties: NDArray[np.bool_]

    @property
    def truthful_orders(self) -> Orders:
        """The same quantities at truthful limit prices, without preferred partners."""
        orders = self.orders
        truthful = jax.vmap(truthful_orders)(
            orders.quantity_kwh, self.prices, orders.priority, orders.arrival
        )
        # Without the explicit dtype, the weak type of the constants would compile once more.
        is_grid_only = orders.partner == GRID_ONLY
        partner = jnp.where(is_grid_only, GRID_ONLY, NO_PREFERENCE).astype(jnp.int32)
        return truthful._replace(partner=partner)


def random_books(homes: int = 7, num_books: int = 210, seed: int = 0) -> OrderBooks:
    """Draw random order books.

    Some homes have no order, some orders are for the grid only, and some books are empty or have
    one side only. Hours differ in their grid prices, which may be zero or negative.

    Args:
        homes: Number of homes.
        num_books: Number of books.
        seed: Seed of the random numbers.
    """
    rng = np.random.default_rng(seed)
    number = np.arange(num_books)
    shape = (num_books, homes)
    hour = number % len(_HOURS)
    retail, feed_in, fee = np.asarray(_HOURS)[hour].T
    # The rotation of scales is shifted once per round, so that it does not follow the hours.
    scale = np.asarray(_SCALES_KWH)[(number + number // len(_HOURS)) % len(_SCALES_KWH)]
    quantity = rng.normal(0, 1, shape) * scale[:, None] * (rng.random(shape) < 0.8)
    one_sided = number % 11 == 3
    side = rng.choice([-1.0, 1.0], num_books)
    quantity = np.where(one_sided[:, None], np.abs(quantity) * side[:, None], quantity)
    quantity = np.where((number % 23 == 7)[:, None], 0.0, quantity)
    # Stratified draws keep the limit prices of homes apart, except where they are to be equal.
    strata = rng.permuted(np.broadcast_to(np.arange(homes), shape), axis=1)
    position = (strata + 0.1 + 0.8 * rng.random(shape)) / homes
    has_ties = number % 5 == 2
    position = np.where(has_ties[:, None], np.round(position * 3) / 3, position)
    low = np.minimum(feed_in, retail - fee)[:, None]
    high = np.maximum(feed_in, retail - fee)[:, None]
    partner = np.where(rng.random(shape) < 0.1, GRID_ONLY, NO_PREFERENCE)
    partner = np.where(rng.random(shape) < 0.2, rng.integers(0, homes, shape), partner)
    partner = np.where(partner == np.arange(homes), NO_PREFERENCE, partner)
    # Evenly spaced arrivals stay apart in mechanisms that rank by a few bits of them.
    arrival = (rng.permuted(np.broadcast_to(np.arange(homes), shape), axis=1) + 0.5) / homes
    orders = Orders(
        quantity_kwh=jnp.asarray(quantity, jnp.float32),
        price=jnp.asarray(low + position * (high - low), jnp.float32),
        partner=jnp.asarray(partner, jnp.int32),
        priority=jnp.asarray(rng.random(shape), jnp.float32),
        arrival=jnp.asarray(arrival, jnp.float32),
    )
    grid = [
        jnp.broadcast_to(jnp.asarray(price, jnp.float32)[:, None], shape)
        for price in (retail, feed_in, fee)
    ]
    prices = Prices(retail=grid[0], feed_in=grid[1], local_grid_fee=grid[2])
    has_ties = has_ties | (low == high)[:, 0]
    return OrderBooks(orders, prices, hour == _CROSSED_HOUR, has_ties)


def random_options(homes: int, seed: int = 0) -> MarketOptions:
    """Draw market options in which homes differ: shares, order of service, places, microgrids.

    Args:
        homes: Number of homes.
        seed: Seed of the random numbers.
    """
    rng = np.random.default_rng(seed)
    place = rng.random((homes, 2))
    distance = np.hypot(*(place[:, None, :] - place[None, :, :]).transpose(2, 0, 1))
    microgrid = rng.permutation(homes) % min(homes, 2)
    return replace(
        MarketOptions.default(homes),
        shares=rng.dirichlet(np.ones(homes)),
        rank=rng.permutation(homes),
        distance=distance / max(float(distance.max()), 1e-9),
        microgrid_index=microgrid,
        microgrid_names=tuple(f"microgrid {number}" for number in range(min(homes, 2))),
    )


def permute_options(options: MarketOptions, order: NDArray[np.int64]) -> MarketOptions:
    """Return the options of a community whose homes are listed in another order.

    Args:
        options: Market options.
        order: Index of the home at each new position.
    """
    return replace(
        options,
        shares=options.shares[order],
        rank=options.rank[order],
        distance=options.distance[np.ix_(order, order)],
        microgrid_index=options.microgrid_index[order],
    )


def permute_orders(orders: Orders, order: NDArray[np.int64]) -> Orders:
    """Return the orders of a community whose homes are listed in another order.

    Args:
        orders: Orders [book, home].
        order: Index of the home at each new position.
    """
    position = jnp.asarray(np.argsort(order), jnp.int32)
    moved = Orders(*(part[:, order] for part in orders))
    is_home = moved.partner >= 0
    return moved._replace(
        partner=jnp.where(is_home, position[jnp.maximum(moved.partner, 0)], moved.partner)
    )


def post_random_prices(
    prices: Prices, levels: tuple[str, ...], options: MarketOptions, seed: int = 0
) -> Prices:
    """Add posted prices of every pool within the band between the grid prices.

    Args:
        prices: Prices of the grid side [book, home].
        levels: Local market levels, the nearest first.
        options: Market options, which hold the microgrids.
        seed: Seed of the random numbers.
    """
    rng = np.random.default_rng(seed)
    low = np.asarray(prices.feed_in)[:, :1]
    span = np.maximum(np.asarray(prices.reservation_price)[:, :1] - low, 0.0)
    sell = []
    buy = []
    for members in pool_memberships(levels, options):
        pools = len(members)
        buyer = low + span * rng.random((len(low), pools))
        seller = low + (buyer - low) * rng.random((len(low), pools))
        buy.append(buyer @ members)
        sell.append(seller @ members)
    posted = PostedPrices(
        jnp.asarray(np.stack(buy, axis=1), jnp.float32),
        jnp.asarray(np.stack(sell, axis=1), jnp.float32),
    )
    return prices._replace(posted=posted)
