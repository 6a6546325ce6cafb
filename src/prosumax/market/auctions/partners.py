"""Preferred partners: homes that chose each other trade first (first stage of MARLEM)."""

import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float, Int

from prosumax.batching import sum_per_home
from prosumax.market.auctions.call_auction import (
    discriminatory_auction,
    midpoint_price,
    tick_size,
)
from prosumax.market.mechanism import MarketOptions, Mechanism, mechanisms, remaining_orders
from prosumax.types import NO_PREFERENCE, Fills, Orders, Prices, Trades

# The paper gives no weights; reputation and proximity count the same.
_REPUTATION_WEIGHT = 0.5


def preferred_partners(
    orders: Orders, prices: Prices, *, distance: Float[Array, "home home"] | None
) -> tuple[Fills, Orders]:
    """Match mutual partners, one buying and one selling, at the midpoint if bid and ask cross.

    A home without a preference gets the partner with the best score of reputation and proximity;
    with `distance` None it gets no partner. Homes that trade with the grid only have been taken
    out by the cascade. Remainders go on to the next stage.

    Args:
        orders: Open orders.
        prices: Prices of the grid side; not used.
        distance: Distance between homes, 0 to 1.

    References:
        MARLEM, section 3.3.2, stage 1. The released code prefers the smallest spread
        instead, and drops the remainder of small orders.
    """
    homes = jnp.arange(orders.price.shape[0], dtype=jnp.int32)
    partner = orders.partner
    if distance is not None:
        partner = jnp.where(partner == NO_PREFERENCE, choose_partner(orders, distance), partner)
    is_chosen = partner[jnp.maximum(partner, 0)] == homes
    mutual = (partner >= 0) & is_chosen & (partner != homes)
    other = jnp.where(mutual, partner, homes)
    crosses = orders.price >= orders.price[other]
    is_pair = mutual & (orders.quantity_kwh > 0) & (orders.quantity_kwh[other] < 0) & crosses
    kwh = jnp.where(is_pair, jnp.minimum(orders.buy_kwh, orders.sell_kwh[other]), 0.0)
    midpoint = midpoint_price(orders.price, orders.price[other], orders.price)
    price = jnp.where(is_pair, midpoint, 0.0)
    sold = sum_per_home(other, kwh, len(homes))
    earned = sum_per_home(other, kwh * price, len(homes))
    trades = Trades(homes, other, kwh, price, price)
    fills = Fills(kwh, sold, kwh * price, earned, trades)
    return fills, remaining_orders(orders, fills)


def choose_partner(orders: Orders, distance: Float[Array, "home home"]) -> Int[Array, " home"]:
    """Choose for each home the best home on the other side of the market.

    Args:
        orders: Open orders; `priority` is the reputation.
        distance: Distance between homes, 0 to 1.

    Returns:
        Index of the partner with the highest score, half reputation and half proximity;
        `NO_PREFERENCE` where the other side is empty.

    References:
        MARLEM, section 3.4.1: "a weighted score of high reputation and short grid distance".
    """
    side = jnp.sign(orders.quantity_kwh)
    is_opposite = (side[:, None] * side[None, :]) < 0
    reputation = _REPUTATION_WEIGHT * orders.priority[None, :]
    score = reputation + (1 - _REPUTATION_WEIGHT) * (1 - distance)
    best = jnp.argmax(jnp.where(is_opposite, score, -jnp.inf), axis=1).astype(jnp.int32)
    return jnp.where(is_opposite.any(1), best, NO_PREFERENCE)


def _build_cascade(
    options: MarketOptions, distance: Float[Array, "home home"] | None
) -> tuple[Partial, ...]:
    auction = Partial(
        discriminatory_auction, ticks=tick_size(options), pair_price=Partial(midpoint_price)
    )
    return Partial(preferred_partners, distance=distance), auction


mechanisms.register(
    "preferred_partners",
    "MARLEM's cascade: mutual partners first, then an auction at midpoint prices.",
)(
    Mechanism(
        lambda options: _build_cascade(options, jnp.asarray(options.distance, jnp.float32)),
        uses_bids=True,
        uses_distance=True,
    )
)
mechanisms.register(
    "mutual_partners",
    "MARLEM's cascade without default partners, for any number of homes.",
)(Mechanism(lambda options: _build_cascade(options, None), uses_bids=True))
