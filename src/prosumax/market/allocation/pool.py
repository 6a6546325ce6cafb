"""Pools: an allocation key divides the local surplus, and a price rule sets the local price.

Every price rule gives one price per local kWh, and demand that the pool does not cover goes to the
grid stage. The two textbook formulas of each rule (a buying and a selling price) are thereby one
formula here, and payments equal receipts by construction.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float

from prosumax.market.allocation.keys import (
    hybrid_shares,
    priority_order,
    pro_rata,
    static_shares,
    water_filling,
)
from prosumax.market.mechanism import (
    MarketOptions,
    Mechanism,
    Stage,
    mechanisms,
    remaining_orders,
)
from prosumax.numerics import safe_divide
from prosumax.types import Fills, Orders, Prices

AllocationKey = Callable[[Float[Array, " home"], Float[Array, ""]], Float[Array, " home"]]
"""Function from the demand of each home and the supply of the pool to the allocation [home]."""

PoolPriceRule = Callable[[Orders, Prices], Float[Array, " home"]]
"""Function from orders and grid prices to the price that each buyer pays per local kWh."""


def clear_pool(
    orders: Orders, prices: Prices, *, key: AllocationKey, price: PoolPriceRule
) -> tuple[Fills, Orders]:
    """Allocate the surplus of all homes by a key.

    Every seller supplies in proportion to its surplus and earns the same price per kWh.

    Args:
        orders: Open orders; limit prices are ignored, because members accept the rule.
        prices: Prices of the grid side.
        key: Allocation key with its parameters bound.
        price: Price rule with its parameters bound.
    """
    supply = orders.sell_kwh.sum()
    bought = key(orders.buy_kwh, supply)
    traded = bought.sum()
    sold = orders.sell_kwh * safe_divide(traded, supply)
    paid = bought * price(orders, prices)
    fills = Fills(bought, sold, paid, sold * safe_divide(paid.sum(), traded))
    return fills, remaining_orders(orders, fills)


def mid_market_rate(orders: Orders, prices: Prices) -> Float[Array, " home"]:
    """Return the midpoint of the mean feed-in price and the buyer's reservation price.

    With supply S > demand D and the mid-market rate m, sellers earn (D m + (S - D) f) / S on
    average, and the other way round.

    Args:
        orders: Open orders.
        prices: Prices of the grid side.

    References:
        Long, Wu, Zhang, Thomas, Cheng, Jenkins, "Peer-to-peer energy trading in a community
        microgrid", IEEE PES General Meeting 2017.
    """
    return (prices.reservation_price + _mean_feed_in(orders, prices)) / 2


def supply_demand_ratio(
    orders: Orders, prices: Prices, *, compensation: Float[Array, ""]
) -> Float[Array, " home"]:
    """Return a price that falls from retail to feed-in as supply rises to the demand.

    With r = S / D < 1 the price is f b / ((b - f) r + f); from r = 1 on it is f. With a
    compensation c the feed-in price f is replaced by f + c up to r = 1, and by f + c / r beyond.
    The formula has a pole where f is negative; there the price falls linearly from b to f.

    Args:
        orders: Open orders.
        prices: Prices of the grid side.
        compensation: Compensation c per kWh.

    References:
        Liu, Yu, Wang, Li, Ma, Lei, "Energy-sharing model with price-based demand response", IEEE
        Trans. Power Systems 32(5) 2017. Compensation: Liu et al. 2018.
    """
    demand = orders.buy_kwh.sum()
    supply = orders.sell_kwh.sum()
    retail = safe_divide((orders.buy_kwh * prices.reservation_price).sum(), demand)
    feed_in = _mean_feed_in(orders, prices)
    ratio = safe_divide(supply, demand)
    compensated = feed_in + compensation
    slope = (retail - compensated) * ratio + compensated
    scarce = jnp.where(
        compensated < 0,
        retail + (compensated - retail) * ratio,
        safe_divide(compensated * retail, slope),
    )
    abundant = feed_in + safe_divide(compensation, jnp.maximum(ratio, 1.0))
    return jnp.broadcast_to(jnp.where(ratio < 1, scarce, abundant), orders.price.shape)


def fixed_price(
    orders: Orders, prices: Prices, *, value: Float[Array, ""]
) -> Float[Array, " home"]:
    """Return a price that was agreed in advance.

    Args:
        orders: Open orders.
        prices: Prices of the grid side; not used.
        value: Price per kWh.
    """
    return jnp.broadcast_to(value, orders.price.shape)


def share_of_retail(
    orders: Orders, prices: Prices, *, value: Float[Array, ""]
) -> Float[Array, " home"]:
    """Return a fraction of the buyer's reservation price.

    Args:
        orders: Open orders; not used.
        prices: Prices of the grid side.
        value: The fraction.
    """
    return value * prices.reservation_price


def _mean_feed_in(orders: Orders, prices: Prices) -> Float[Array, ""]:
    return safe_divide((orders.sell_kwh * prices.feed_in).sum(), orders.sell_kwh.sum())


def bind_price_rule(options: MarketOptions) -> PoolPriceRule:
    """Return the price rule that a scenario names, with its parameter bound.

    Args:
        options: Market settings of the scenario.
    """
    compensation = jnp.float32(options.compensation_price)
    rules: dict[str, PoolPriceRule] = {
        "mid_market": Partial(mid_market_rate),
        "supply_demand_ratio": Partial(supply_demand_ratio, compensation=compensation),
        "fixed": Partial(fixed_price, value=jnp.float32(options.price)),
        "share_of_retail": Partial(share_of_retail, value=jnp.float32(options.price)),
    }
    return rules[options.price_rule]


def key_mechanism(key: Callable[[MarketOptions], AllocationKey]) -> Mechanism:
    """Build a mechanism from an allocation key and the price rule of the scenario.

    It is individually rational with price rules between feed-in and retail price; a `fixed` price
    may lie outside.

    Args:
        key: Function from options to the key.
    """

    def build(options: MarketOptions) -> tuple[Stage, ...]:
        return (Partial(clear_pool, key=key(options), price=bind_price_rule(options)),)

    return Mechanism(build)


def _scenario_shares(options: MarketOptions) -> Float[Array, " home"]:
    return jnp.asarray(options.shares, jnp.float32)


def static_key(options: MarketOptions) -> AllocationKey:
    """Bind `static_shares` to the shares of the scenario."""
    return Partial(static_shares, shares=_scenario_shares(options))


def static_rounds_key(options: MarketOptions) -> AllocationKey:
    """Bind `water_filling` to the shares of the scenario."""
    return Partial(water_filling, weights=_scenario_shares(options))


def equal_key(options: MarketOptions) -> AllocationKey:
    """Bind `water_filling` to equal weights."""
    return Partial(water_filling, weights=jnp.ones(len(options.shares), jnp.float32))


def pro_rata_key(options: MarketOptions) -> AllocationKey:
    """Return `pro_rata`, which takes no options."""
    return Partial(pro_rata)


def hybrid_key(options: MarketOptions) -> AllocationKey:
    """Bind `hybrid_shares` to the shares of the scenario."""
    return Partial(hybrid_shares, shares=_scenario_shares(options))


def priority_key(options: MarketOptions) -> AllocationKey:
    """Bind `priority_order` to the order of service of the scenario."""
    return Partial(priority_order, rank=jnp.asarray(options.rank, jnp.int32))


def _build_mid_market(options: MarketOptions) -> tuple[Stage, ...]:
    return (Partial(clear_pool, key=Partial(pro_rata), price=Partial(mid_market_rate)),)


def _build_supply_demand(options: MarketOptions) -> tuple[Stage, ...]:
    price = Partial(supply_demand_ratio, compensation=jnp.float32(options.compensation_price))
    return (Partial(clear_pool, key=Partial(pro_rata), price=price),)


mechanisms.register(
    "mid_market_rate",
    "Pool: local kWh at the midpoint of retail and feed-in price, shared pro rata to demand.",
)(Mechanism(_build_mid_market))
mechanisms.register(
    "supply_demand_ratio",
    "Pool: the local price falls as supply rises to the demand (Liu 2017).",
)(Mechanism(_build_supply_demand))
for _name, _summary, _key in (
    (
        "key_static",
        "Key: fixed shares, one round; what a home cannot use goes to the grid.",
        static_key,
    ),
    (
        "key_static_rounds",
        "Key: fixed shares in repeated rounds among homes with demand until all is shared.",
        static_rounds_key,
    ),
    ("key_equal", "Key: the same for every home, up to its demand.", equal_key),
    ("key_pro_rata", "Key: in proportion to each home's demand in the step.", pro_rata_key),
    ("key_hybrid", "Key: fixed shares first, the rest in proportion to demand.", hybrid_key),
    ("key_cascade", "Key: homes are served one after the other in a fixed order.", priority_key),
):
    mechanisms.register(_name, _summary)(key_mechanism(_key))
