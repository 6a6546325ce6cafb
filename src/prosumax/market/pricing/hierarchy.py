"""Pools at posted prices: one community, or microgrids and the district around them.

In MAHTM's hierarchy (section 2 of the paper) energy is settled at the nearest level first. Level 1
is exchange within a microgrid, level 2 is exchange between the microgrids of a district, and level
3 is the grid, which is the last stage of the cascade. An agent posts what homes pay and earn in its
pool and keeps the margin between the two.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import NDArray

from prosumax.batching import sum_per_home
from prosumax.market.allocation.pool import mid_market_rate
from prosumax.market.mechanism import (
    MarketOptions,
    Mechanism,
    Stage,
    mechanisms,
    remaining_orders,
)
from prosumax.numerics import safe_divide
from prosumax.types import Fills, Orders, Prices, Trades

Membership = Float[Array, "pool home"]
"""1 where a home trades in a pool; a home is in one pool at most, and a pool may be empty."""


def sum_by_pool(members: Membership, values: Float[Array, " home"]) -> Float[Array, " pool"]:
    """Sum a value over the homes of each pool.

    Args:
        members: Membership of the homes.
        values: Value of each home.
    """
    return (members * values).sum(-1)


def pool_value_of_homes(
    members: Membership, values: Float[Array, " pool"]
) -> Float[Array, " home"]:
    """Return the value of each home's pool.

    Args:
        members: Membership of the homes.
        values: Value of each pool.
    """
    return (members * values[:, None]).sum(0)


def posted_price_pool(
    orders: Orders,
    prices: Prices,
    *,
    members: Membership,
    level: Int[Array, ""],
    individually_rational: Bool[Array, ""],
) -> tuple[Fills, Orders]:
    """Trade the smaller of demand and supply in each pool at the posted prices.

    The longer side is rationed pro rata.

    Args:
        orders: Open orders.
        prices: Prices of the grid side. Without posted prices the mid-market rate holds for both
            sides.
        members: Membership of the homes in the pools.
        level: Row of `prices.posted`.
        individually_rational: Whether homes abstain where a local kWh saves its buyer less than
            the grid pays for it.
    """
    demand, supply = _tradable_kwh(orders, prices, individually_rational)
    pool_demand = sum_by_pool(members, demand)
    pool_supply = sum_by_pool(members, supply)
    traded = jnp.minimum(pool_demand, pool_supply)
    bought = demand * pool_value_of_homes(members, safe_divide(traded, pool_demand))
    sold = supply * pool_value_of_homes(members, safe_divide(traded, pool_supply))
    buy, sell = _posted_prices(orders, prices, level)
    fills = Fills(bought, sold, bought * buy, sold * sell)
    return fills, remaining_orders(orders, fills)


def nearest_first_pool(
    orders: Orders,
    prices: Prices,
    *,
    pairs: Int[Array, "pair 2"],
    level: Int[Array, ""],
    individually_rational: Bool[Array, ""],
) -> tuple[Fills, Orders]:
    """Trade in pools at the posted prices, the nearest homes first.

    The traded energy is that of `posted_price_pool`; only the matching of homes differs.

    Args:
        orders: Open orders.
        prices: Prices of the grid side, as for `posted_price_pool`.
        pairs: Pairs of homes that may trade, the nearest first.
        level: Row of `prices.posted`.
        individually_rational: As for `posted_price_pool`.

    References:
        MAHTM, section 2.3: "local market based on the physical distance". The paper gives no
        rule; the greedy rule is ours.
    """
    buy, sell = _posted_prices(orders, prices, level)
    demand, supply = _tradable_kwh(orders, prices, individually_rational)

    def trade_pair(
        remaining: tuple[Array, Array], pair: Array
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        demand, supply = remaining
        first = pair[0]
        second = pair[1]
        forward = jnp.minimum(demand[first], supply[second])
        backward = jnp.minimum(demand[second], supply[first])
        demand = demand.at[first].add(-forward).at[second].add(-backward)
        supply = supply.at[second].add(-forward).at[first].add(-backward)
        return (demand, supply), (forward, backward)

    _, (forward, backward) = jax.lax.scan(trade_pair, (demand, supply), pairs)
    homes = orders.price.shape[0]
    kwh = jnp.concatenate([forward, backward])
    buyer = jnp.concatenate([pairs[:, 0], pairs[:, 1]])
    seller = jnp.concatenate([pairs[:, 1], pairs[:, 0]])
    bought = sum_per_home(buyer, kwh, homes)
    sold = sum_per_home(seller, kwh, homes)
    trades = Trades(buyer, seller, kwh, buy[buyer], sell[seller])
    fills = Fills(bought, sold, bought * buy, sold * sell, trades)
    return fills, remaining_orders(orders, fills)


def _tradable_kwh(
    orders: Orders, prices: Prices, individually_rational: Bool[Array, ""]
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """Return demand and supply of each home; zero where no price suits both sides."""
    is_tradable = (prices.reservation_price > prices.feed_in) | ~individually_rational
    demand = jnp.where(is_tradable, orders.buy_kwh, 0.0)
    supply = jnp.where(is_tradable, orders.sell_kwh, 0.0)
    return demand, supply


def _posted_prices(
    orders: Orders, prices: Prices, level: Int[Array, ""]
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    if prices.posted is None:
        midpoint = mid_market_rate(orders, prices)
        return midpoint, midpoint
    return prices.posted.buy[level], prices.posted.sell[level]


def pool_memberships(levels: Sequence[str], options: MarketOptions) -> list[NDArray[np.float64]]:
    """Return the membership of the pools of every level, [pool, home] each.

    Args:
        levels: Each `community` or `district`, which are one pool of all homes, or `microgrid`.
        options: Market settings, which hold each home's microgrid.
    """
    homes = len(options.shares)
    all_homes = np.ones((1, homes))
    microgrids = np.arange(len(options.microgrid_names))[:, None]
    by_microgrid = (microgrids == options.microgrid_index).astype(float)
    return [by_microgrid if level == "microgrid" else all_homes for level in levels]


def price_agent_names(levels: Sequence[str], options: MarketOptions) -> tuple[str, ...]:
    """Return the names of the agents that post prices, in the order of their pools.

    Args:
        levels: Local levels, the nearest first.
        options: Market settings, which hold the names of the microgrids.
    """
    names: list[str] = []
    for level in levels:
        single = {"community": ["community price"], "district": ["distributor"]}
        names += single.get(level, [f"{name} price" for name in options.microgrid_names])
    return tuple(names)


def _build_stages(levels: Sequence[str], options: MarketOptions) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    for number, members in enumerate(pool_memberships(levels, options)):
        shared = {
            "level": jnp.int32(number),
            "individually_rational": jnp.asarray(options.individually_rational),
        }
        if options.nearest_first:
            pairs = _pairs_by_distance(members, options.distance)
            stages.append(Partial(nearest_first_pool, pairs=pairs, **shared))
        else:
            membership = jnp.asarray(members, jnp.float32)
            stages.append(Partial(posted_price_pool, members=membership, **shared))
    return tuple(stages)


def _pairs_by_distance(
    members: NDArray[np.float64], distance: NDArray[np.float64]
) -> Int[Array, "pair 2"]:
    """List the pairs of homes that share a pool, the nearest first."""
    share_pool = np.triu(members.T @ members > 0, 1)
    first, second = np.nonzero(share_pool)
    order = np.argsort(distance[first, second], kind="stable")
    return jnp.asarray(np.stack([first[order], second[order]], axis=1), jnp.int32)


def _hierarchy_mechanism(levels: tuple[str, ...], price_policy: str | None) -> Mechanism:
    return Mechanism(
        lambda options: _build_stages(levels, options),
        budget_balance="surplus",
        uses_distance=True,
        levels=levels,
        price_policy=price_policy,
    )


for _name, _policy, _summary in (
    (
        "price_fixed",
        "fixed",
        "Pool at a posted price: the same in every step (`market.price`).",
    ),
    (
        "price_mid_market",
        "mid-market",
        "Pool at a posted price: the midpoint of the retail and the feed-in price.",
    ),
    (
        "price_supply_demand",
        "supply-demand",
        "Pool at a posted price: by supply and demand in the last step.",
    ),
    (
        "price_feedback",
        "feedback",
        "Pool at a posted price: moved by the balance of the last step.",
    ),
):
    mechanisms.register(_name, _summary)(_hierarchy_mechanism(("community",), _policy))
for _name, _levels, _summary in (
    (
        "learned_price",
        ("community",),
        "Pool at a price that an agent posts before homes act, and may learn to post.",
    ),
    (
        "microgrids",
        ("microgrid",),
        "MAHTM: a pool per microgrid, each with a price agent; microgrids do not trade.",
    ),
    (
        "hierarchy",
        ("microgrid", "district"),
        "MAHTM: pools of microgrids, then of their district, then the grid.",
    ),
):
    mechanisms.register(_name, _summary)(_hierarchy_mechanism(_levels, None))
