"""Pools at prices that an agent announced before anybody acted: one community, or microgrids and the district of them.

MAHTM's hierarchy (paper section 2): energy is settled at the nearest level first. Level 1 are the homes of a microgrid
among themselves, level 2 the microgrids of a district, level 3 is the grid, the cascade's last stage. An agent sets
what homes pay and earn in its pool; what lies between the two it keeps.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import NDArray

from prosumax.batching import add_per_home
from prosumax.market.allocation.pool import mid_market, ratio
from prosumax.market.mechanism import MarketOptions, Mechanism, Stage, mechanisms, remaining
from prosumax.types import Fills, Orders, Prices, Trades

Members = Float[Array, "pool home"]
"""1 where a home trades in a pool; every home in one pool at most, and a pool may be empty."""


def of_pools(members: Members, values: Float[Array, " home"]) -> Float[Array, " pool"]:
    """Sum over the homes of each pool."""
    return (members * values).sum(-1)


def to_homes(members: Members, values: Float[Array, " pool"]) -> Float[Array, " home"]:
    """The value of each home's pool."""
    return (members * values[:, None]).sum(0)


def price_pool(
    orders: Orders,
    prices: Prices,
    *,
    members: Members,
    level: Int[Array, ""],
    rational: Bool[Array, ""],
) -> tuple[Fills, Orders]:
    """In each pool the lesser of need and surplus is traded, in proportion to both, at the announced prices.

    Arguments:
        orders, prices: as for every stage. Without announced prices buyers pay the middle of the band, which sellers
            earn.
        members: who trades with whom.
        level: row of `prices.announced`.
        rational: whether nobody trades where a local kWh saves its buyer less than the grid pays for it.
    """
    wanted, offered = _willing(orders, prices, rational)
    traded = jnp.minimum(of_pools(members, wanted), of_pools(members, offered))
    bought = wanted * to_homes(members, ratio(traded, of_pools(members, wanted)))
    sold = offered * to_homes(members, ratio(traded, of_pools(members, offered)))
    buy, sell = _announced(orders, prices, level)
    fills = Fills(bought, sold, bought * buy, sold * sell)
    return fills, remaining(orders, fills)


def nearest_first(
    orders: Orders,
    prices: Prices,
    *,
    pairs: Int[Array, "pair 2"],
    level: Int[Array, ""],
    rational: Bool[Array, ""],
) -> tuple[Fills, Orders]:
    """The same where those who live nearest to each other trade first ("local market based on the physical distance").

    As much is traded as in a pool that shares alike; who trades with whom differs.

    Source: MAHTM, section 2.3, in one sentence and without a rule; this greedy one is ours.

    Arguments:
        orders, prices, level, rational: as for `price_pool`.
        pairs: of homes that may trade, the nearest first.
    """
    buy, sell = _announced(orders, prices, level)
    wanted, offered = _willing(orders, prices, rational)

    def trade(
        left: tuple[Array, Array], pair: Array
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        need, surplus = left
        one, other = pair[0], pair[1]
        there = jnp.minimum(need[one], surplus[other])
        back = jnp.minimum(need[other], surplus[one])
        need = need.at[one].add(-there).at[other].add(-back)
        surplus = surplus.at[other].add(-there).at[one].add(-back)
        return (need, surplus), (there, back)

    _, (there, back) = jax.lax.scan(trade, (wanted, offered), pairs)
    homes, kwh = orders.price.shape[0], jnp.concatenate([there, back])
    buyer = jnp.concatenate([pairs[:, 0], pairs[:, 1]])
    seller = jnp.concatenate([pairs[:, 1], pairs[:, 0]])
    bought, sold = (add_per_home(who, kwh, homes) for who in (buyer, seller))
    trades = Trades(buyer, seller, kwh, buy[buyer], sell[seller])
    fills = Fills(bought, sold, bought * buy, sold * sell, trades)
    return fills, remaining(orders, fills)


def _willing(
    orders: Orders, prices: Prices, rational: Bool[Array, ""]
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """What homes buy and sell here: all they want, but nothing where no price suits both sides."""
    open_for_trade = (prices.reservation_price > prices.feed_in) | ~rational
    return jnp.where(open_for_trade, orders.buy_kwh, 0.0), jnp.where(
        open_for_trade, orders.sell_kwh, 0.0
    )


def _announced(
    orders: Orders, prices: Prices, level: Int[Array, ""]
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    if prices.announced is None:
        middle = mid_market(orders, prices)
        return middle, middle
    return prices.announced.buy[level], prices.announced.sell[level]


def memberships(levels: Sequence[str], options: MarketOptions) -> list[NDArray[np.float64]]:
    """Members of the pools of every level, [pool, home] each.

    Arguments:
        levels: `community` or `district`, one pool of all, or `microgrid`.
        options: with each home's microgrid.
    """
    homes = len(options.shares)
    everybody = np.ones((1, homes))
    own = (np.arange(len(options.microgrids))[:, None] == options.microgrid).astype(float)
    return [own if level == "microgrid" else everybody for level in levels]


def agent_names(levels: Sequence[str], options: MarketOptions) -> tuple[str, ...]:
    """Who announces prices, in the order of the pools: the community, microgrids by their names, the distributor."""
    names: list[str] = []
    for level in levels:
        own = {"community": ["community price"], "district": ["distributor"]}
        names += own.get(level, [f"{name} price" for name in options.microgrids])
    return tuple(names)


def _stages(levels: Sequence[str], options: MarketOptions) -> tuple[Stage, ...]:
    rational = jnp.asarray(options.individually_rational)
    stages: list[Stage] = []
    for number, members in enumerate(memberships(levels, options)):
        level = jnp.int32(number)
        if options.nearest_first:
            pairs = _nearest(members, options.distance)
            stages.append(Partial(nearest_first, pairs=pairs, level=level, rational=rational))
        else:
            own = jnp.asarray(members, jnp.float32)
            stages.append(Partial(price_pool, members=own, level=level, rational=rational))
    return tuple(stages)


def _nearest(members: NDArray[np.float64], distance: NDArray[np.float64]) -> Int[Array, "pair 2"]:
    """Pairs of homes of the same pool, the nearest first."""
    together = np.triu(members.T @ members > 0, 1)
    one, other = np.nonzero(together)
    order = np.argsort(distance[one, other], kind="stable")
    return jnp.asarray(np.stack([one[order], other[order]], axis=1), jnp.int32)


def _mechanism(levels: tuple[str, ...], price_policy: str | None) -> Mechanism:
    return Mechanism(
        lambda options: _stages(levels, options),
        balance="surplus",
        reads_distance=True,
        levels=levels,
        price_policy=price_policy,
    )


for _name, _policy, _summary in (
    (
        "price_fixed",
        "fixed",
        "Pool at an announced price: the same in every step (`market.price`).",
    ),
    (
        "price_mid_market",
        "mid-market",
        "Pool at an announced price: the middle of what the grid takes and pays.",
    ),
    (
        "price_supply_demand",
        "supply-demand",
        "Pool at an announced price: by supply and demand in the last step.",
    ),
    (
        "price_feedback",
        "feedback",
        "Pool at an announced price: moved by the balance of the last step.",
    ),
):
    mechanisms.register(_name, _summary)(_mechanism(("community",), _policy))
for _name, _levels, _summary in (
    (
        "learned_price",
        ("community",),
        "Pool at a price that an agent announces before homes act, and may learn to.",
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
    mechanisms.register(_name, _summary)(_mechanism(_levels, None))
