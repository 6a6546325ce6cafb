"""Preferred partners: neighbours who chose each other trade first (MARLEM's first stage)."""

import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float, Int

from prosumax.market.auction import average, pairwise_auction, ticks_of
from prosumax.market.cascade import Mechanism, mechanisms, remaining
from prosumax.types import ANYONE, Fills, Orders, Prices, Trades

_REPUTATION_WEIGHT = 0.5  # the paper gives no weights; reputation and nearness count the same


def preferred_partners(orders: Orders, prices: Prices, *, distance: Float[Array, "home home"]) -> tuple[Fills, Orders]:
    """Two homes that name each other, one buying and one selling, trade at the average if the bid covers the ask.

    A home that names nobody gets the partner with the best score of reputation and nearness; one that names the grid
    operator was taken out by the cascade. What is left goes on to the next stage.

    Source: the MARLEM paper, section 3.3.2, stage 1. Its released code prefers the smallest spread instead, and
    drops what is left of small orders.
    """
    homes = jnp.arange(orders.price.shape[0], dtype=jnp.int32)
    partner = jnp.where(orders.partner == ANYONE, choose_partner(orders, distance), orders.partner)
    mutual = (partner >= 0) & (partner[jnp.maximum(partner, 0)] == homes) & (partner != homes)
    other = jnp.where(mutual, partner, homes)
    buys, sells = orders.quantity_kwh > 0, orders.quantity_kwh[other] < 0
    is_pair = mutual & buys & sells & (orders.price >= orders.price[other])
    kwh = jnp.where(is_pair, jnp.minimum(orders.buy_kwh, orders.sell_kwh[other]), 0.0)
    price = jnp.where(is_pair, average(orders.price, orders.price[other], orders.price), 0.0)
    sold = jnp.zeros_like(kwh).at[other].add(kwh)
    earned = jnp.zeros_like(kwh).at[other].add(kwh * price)
    fills = Fills(kwh, sold, kwh * price, earned, Trades(homes, other, kwh, price, price))
    return fills, remaining(orders, fills)


def choose_partner(orders: Orders, distance: Float[Array, "home home"]) -> Int[Array, " home"]:
    """The home on the other side with the best score: half reputation, half nearness; ANYONE when there is none.

    Source: MARLEM section 3.4.1, "a weighted score of high reputation and short grid distance".
    """
    side = jnp.sign(orders.quantity_kwh)
    opposite = (side[:, None] * side[None, :]) < 0
    score = _REPUTATION_WEIGHT * orders.priority[None, :] + (1 - _REPUTATION_WEIGHT) * (1 - distance)
    best = jnp.argmax(jnp.where(opposite, score, -jnp.inf), axis=1).astype(jnp.int32)
    return jnp.where(opposite.any(1), best, ANYONE)


mechanisms.register(
    "preferred_partners", "MARLEM's cascade: partners who chose each other, then an auction at midpoint prices."
)(
    Mechanism(
        lambda options: (
            Partial(preferred_partners, distance=jnp.asarray(options.distance, jnp.float32)),
            Partial(pairwise_auction, ticks=ticks_of(options), pair_price=Partial(average)),
        ),
        reads_bids=True,
    )
)
