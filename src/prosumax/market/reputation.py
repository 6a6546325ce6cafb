"""Reputation: who delivers, at fair prices, and helps the grid (MARLEM equation 8)."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.types import Fills, Orders

INITIAL = 0.5
_WEIGHTS = (
    0.4,
    0.3,
    0.3,
)  # reliability, price fairness, grid contribution; the paper leaves them open
_MEMORY = (
    0.9  # share of the old score that stays after a step: what happened 22 steps ago counts a tenth
)


def update(
    reputation: Float[Array, " home"], orders: Orders, local: Fills
) -> Float[Array, " home"]:
    """The score after a step, between 0 and 1; homes without an order keep theirs.

    Reliability is the part of the order that neighbours filled; price fairness is one minus the relative distance of
    the home's mean price from that of all local trades, at least zero; grid contribution is 1 for a home on the side
    that was short in the community, 0 on the side that was long, one half in balance.

    Arguments:
        reputation: before the step.
        orders: of the step, before clearing.
        local: what neighbours traded.

    Source: the MARLEM paper, equation 8, with exponential decay for "recent behaviour more heavily". (Its
    released code measures reliability after the grid has filled every order, so that it is always one.)
    """
    ordered = jnp.abs(orders.quantity_kwh)
    traded, money = local.bought_kwh + local.sold_kwh, local.paid + local.earned
    has_order, has_trade = ordered > 0, traded > 0
    reliability = traded / jnp.where(has_order, ordered, 1.0)
    volume = traded.sum()
    mean_price = money.sum() / jnp.where(volume > 0, volume, 1.0)
    price = money / jnp.where(has_trade, traded, 1.0)
    scale = jnp.where(jnp.abs(mean_price) > 0, jnp.abs(mean_price), 1.0)
    fairness = jnp.where(
        has_trade, jnp.maximum(0.0, 1.0 - jnp.abs(price - mean_price) / scale), 0.5
    )
    shortage = jnp.sign(orders.quantity_kwh.sum())
    helps = (1.0 - shortage * jnp.sign(orders.quantity_kwh)) / 2
    score = _WEIGHTS[0] * reliability + _WEIGHTS[1] * fairness + _WEIGHTS[2] * helps
    return jnp.where(
        has_order, _MEMORY * reputation + (1 - _MEMORY) * jnp.clip(score, 0.0, 1.0), reputation
    )
