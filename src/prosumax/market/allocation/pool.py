"""Pools: all surplus goes into one pot, a key says who gets how much of it, a price rule what they pay.

Every price rule names one price per local kWh; what is not covered by the pot goes to the grid stage. So two textbook
formulas per rule (price of buying, price of selling) become one here, and payments equal receipts by construction.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float

from prosumax.market.allocation.keys import (
    cascade_key,
    hybrid,
    pro_rata,
    static_once,
    water_filling,
)
from prosumax.market.mechanism import MarketOptions, Mechanism, Stage, mechanisms, remaining
from prosumax.types import Fills, Orders, Prices

Key = Callable[[Float[Array, " home"], Float[Array, ""]], Float[Array, " home"]]
"""Needs [home] and the energy in the pot -> what each home is allocated, at most its need."""

PriceRule = Callable[[Orders, Prices], Float[Array, " home"]]
"""Orders and grid offers -> what each buyer pays for a local kWh."""


def pool(orders: Orders, prices: Prices, *, key: Key, price: PriceRule) -> tuple[Fills, Orders]:
    """Allocate the pot by a key; every seller supplies in proportion to its surplus and earns the same per kWh.

    Arguments:
        orders, prices: as for every stage; limit prices play no part, members accept the rule.
        key, price: the key and the price rule, parameters bound.
    """
    supply = orders.sell_kwh.sum()
    bought = key(orders.buy_kwh, supply)
    traded = bought.sum()
    sold = orders.sell_kwh * ratio(traded, supply)
    paid = bought * price(orders, prices)
    fills = Fills(bought, sold, paid, sold * ratio(paid.sum(), traded))
    return fills, remaining(orders, fills)


def ratio(part: Float[Array, "*shape"], whole: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Part / whole, zero where there is nothing to share."""
    return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1.0), 0.0)


def mid_market(orders: Orders, prices: Prices) -> Float[Array, " home"]:
    """Half-way between the mean feed-in price and what the kWh is worth to the buyer.

    Source: Long, Wu, Zhang, Thomas, Cheng, Jenkins, "Peer-to-peer energy trading in a community microgrid", IEEE PES
    General Meeting 2017. With supply S > demand D sellers average (D m + (S - D) f) / S, and the other way round.
    """
    return (prices.reservation_price + _mean_feed_in(orders, prices)) / 2


def supply_demand_ratio(
    orders: Orders, prices: Prices, *, compensation: Float[Array, ""]
) -> Float[Array, " home"]:
    """Falls from the retail price to the feed-in price as supply rises from nothing to demand.

    With r = S / D < 1 the selling price is f b / ((b - f) r + f); from r = 1 on it is f. With a compensation c the
    feed-in price f is replaced by f + c up to r = 1, and by f + c / r beyond.

    Source: Liu, Yu, Wang, Li, Ma, Lei, "Energy-sharing model with price-based demand response", IEEE TPWRS 32(5) 2017;
    compensation from Liu et al. 2018.
    """
    demand, supply = orders.buy_kwh.sum(), orders.sell_kwh.sum()
    retail = ratio((orders.buy_kwh * prices.reservation_price).sum(), demand)
    floor = _mean_feed_in(orders, prices)
    surplus_ratio = ratio(supply, demand)
    raised = floor + compensation
    spread = (retail - raised) * surplus_ratio + raised
    scarce = ratio(raised * retail, spread)
    plenty = floor + ratio(compensation, jnp.maximum(surplus_ratio, 1.0))
    return jnp.broadcast_to(jnp.where(surplus_ratio < 1, scarce, plenty), orders.price.shape)


def fixed(orders: Orders, prices: Prices, *, value: Float[Array, ""]) -> Float[Array, " home"]:
    """A price agreed in advance, or posted by an agent that sets `value` before each step."""
    return jnp.broadcast_to(value, orders.price.shape)


def share_of_retail(
    orders: Orders, prices: Prices, *, value: Float[Array, ""]
) -> Float[Array, " home"]:
    """A fraction of what the kWh is worth to the buyer."""
    return value * prices.reservation_price


def _mean_feed_in(orders: Orders, prices: Prices) -> Float[Array, ""]:
    return ratio((orders.sell_kwh * prices.feed_in).sum(), orders.sell_kwh.sum())


def price_rule(options: MarketOptions) -> PriceRule:
    """The price rule a scenario names, with its number bound."""
    rules: dict[str, PriceRule] = {
        "mid_market": Partial(mid_market),
        "supply_demand_ratio": Partial(
            supply_demand_ratio, compensation=jnp.float32(options.compensation)
        ),
        "fixed": Partial(fixed, value=jnp.float32(options.price)),
        "share_of_retail": Partial(share_of_retail, value=jnp.float32(options.price)),
    }
    return rules[options.price_rule]


def key_mechanism(key: Callable[[MarketOptions], Key]) -> Mechanism:
    """A mechanism with this key and the scenario's price rule.

    Individually rational with the price rules between feed-in and retail price; a `fixed` price may lie outside.
    """

    def build(options: MarketOptions) -> tuple[Stage, ...]:
        return (Partial(pool, key=key(options), price=price_rule(options)),)

    return Mechanism(build)


def _shares(options: MarketOptions) -> Float[Array, " home"]:
    return jnp.asarray(options.shares, jnp.float32)


def by_static_shares(options: MarketOptions) -> Key:
    """`static_once` with the scenario's shares."""
    return Partial(static_once, shares=_shares(options))


def by_static_rounds(options: MarketOptions) -> Key:
    """`water_filling` with the scenario's shares: what one round leaves over is shared again until nothing is left."""
    return Partial(water_filling, weights=_shares(options))


def equally(options: MarketOptions) -> Key:
    """`water_filling` with equal weights."""
    return Partial(water_filling, weights=jnp.ones(len(options.shares), jnp.float32))


def by_use(options: MarketOptions) -> Key:
    """`pro_rata`, which needs no options."""
    return Partial(pro_rata)


def static_then_by_use(options: MarketOptions) -> Key:
    """`hybrid` with the scenario's shares."""
    return Partial(hybrid, shares=_shares(options))


def in_order(options: MarketOptions) -> Key:
    """`cascade_key` with the scenario's order of service."""
    return Partial(cascade_key, rank=jnp.asarray(options.rank, jnp.int32))


mechanisms.register(
    "mid_market_rate",
    "Pool: local kWh at the middle of retail and feed-in price, shared in proportion to use.",
)(Mechanism(lambda options: (Partial(pool, key=Partial(pro_rata), price=Partial(mid_market)),)))
mechanisms.register(
    "supply_demand_ratio",
    "Pool: the local price falls as supply catches up with demand (Liu 2017).",
)(
    Mechanism(
        lambda options: (
            Partial(
                pool,
                key=Partial(pro_rata),
                price=Partial(supply_demand_ratio, compensation=jnp.float32(options.compensation)),
            ),
        )
    )
)
for _name, _summary, _key in (
    (
        "key_static",
        "Key: fixed shares, one round; what a home cannot use goes to the grid.",
        by_static_shares,
    ),
    (
        "key_static_rounds",
        "Key: fixed shares, again and again among those in need until all is shared.",
        by_static_rounds,
    ),
    ("key_equal", "Key: the same for everybody, up to the need.", equally),
    ("key_pro_rata", "Key: in proportion to each home's use in the step.", by_use),
    (
        "key_hybrid",
        "Key: fixed shares first, what is left over in proportion to use.",
        static_then_by_use,
    ),
    ("key_cascade", "Key: homes are served one after the other in a fixed order.", in_order),
):
    mechanisms.register(_name, _summary)(key_mechanism(_key))
