"""Preferred partners: neighbours who chose each other trade first (MARLEM's first stage)."""

import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float, Int

from prosumax.batching import add_per_home
from prosumax.market.auctions.call_auction import average, pairwise_auction, ticks_of
from prosumax.market.mechanism import MarketOptions, Mechanism, mechanisms, remaining
from prosumax.types import ANYONE, Fills, Orders, Prices, Trades

_REPUTATION_WEIGHT = 0.5  # the paper gives no weights; reputation and nearness count the same


def preferred_partners(
    orders: Orders, prices: Prices, *, distance: Float[Array, "home home"] | None
) -> tuple[Fills, Orders]:
    """Two homes that name each other, one buying and one selling, trade at the average if the bid covers the ask.

    A home that names nobody gets the partner with the best score of reputation and nearness, or with `distance` None
    nobody; one that names the grid operator was taken out by the cascade. What is left goes on to the next stage.

    Source: the MARLEM paper, section 3.3.2, stage 1. Its released code prefers the smallest spread instead, and
    drops what is left of small orders.
    """
    homes = jnp.arange(orders.price.shape[0], dtype=jnp.int32)
    partner = orders.partner
    if distance is not None:
        partner = jnp.where(partner == ANYONE, choose_partner(orders, distance), partner)
    mutual = (partner >= 0) & (partner[jnp.maximum(partner, 0)] == homes) & (partner != homes)
    other = jnp.where(mutual, partner, homes)
    buys, sells = orders.quantity_kwh > 0, orders.quantity_kwh[other] < 0
    is_pair = mutual & buys & sells & (orders.price >= orders.price[other])
    kwh = jnp.where(is_pair, jnp.minimum(orders.buy_kwh, orders.sell_kwh[other]), 0.0)
    price = jnp.where(is_pair, average(orders.price, orders.price[other], orders.price), 0.0)
    sold, earned = (add_per_home(other, amount, len(homes)) for amount in (kwh, kwh * price))
    fills = Fills(kwh, sold, kwh * price, earned, Trades(homes, other, kwh, price, price))
    return fills, remaining(orders, fills)


def choose_partner(orders: Orders, distance: Float[Array, "home home"]) -> Int[Array, " home"]:
    """The home on the other side with the best score: half reputation, half nearness; ANYONE when there is none.

    Source: MARLEM section 3.4.1, "a weighted score of high reputation and short grid distance".
    """
    side = jnp.sign(orders.quantity_kwh)
    opposite = (side[:, None] * side[None, :]) < 0
    score = _REPUTATION_WEIGHT * orders.priority[None, :] + (1 - _REPUTATION_WEIGHT) * (
        1 - distance
    )
    best = jnp.argmax(jnp.where(opposite, score, -jnp.inf), axis=1).astype(jnp.int32)
    return jnp.where(opposite.any(1), best, ANYONE)


def _cascade(
    options: MarketOptions, distance: Float[Array, "home home"] | None
) -> tuple[Partial, ...]:
    auction = Partial(pairwise_auction, ticks=ticks_of(options), pair_price=Partial(average))
    return Partial(preferred_partners, distance=distance), auction


mechanisms.register(
    "preferred_partners",
    "MARLEM's cascade: partners who chose each other, then an auction at midpoint prices.",
)(
    Mechanism(
        lambda options: _cascade(options, jnp.asarray(options.distance, jnp.float32)),
        reads_bids=True,
        reads_distance=True,
    )
)
mechanisms.register(
    "mutual_partners",
    "The same, where a home that names nobody has no partner (for any number of homes).",
)(Mechanism(lambda options: _cascade(options, None), reads_bids=True))
