"""Reputation of homes: reliability, price fairness and grid contribution (MARLEM, equation 8)."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.types import Fills, Orders

INITIAL_REPUTATION = 0.5

# The paper leaves the weights open.
_RELIABILITY_WEIGHT = 0.4
_FAIRNESS_WEIGHT = 0.3
_GRID_WEIGHT = 0.3

# Share of the old score that is kept per step: the weight of a step falls to a tenth in 22 steps.
_MEMORY = 0.9


def update_reputation(
    reputation: Float[Array, " home"], orders: Orders, local: Fills
) -> Float[Array, " home"]:
    """Update the reputation of each home after a step.

    Reliability is the part of the order that other homes filled. Price fairness is one minus the
    relative distance of the home's mean price from the mean price of all local trades, at least
    zero. Grid contribution is 1 for a home on the short side of the community, 0 on the long side
    and one half in balance. Homes without an order keep their score.

    Args:
        reputation: Scores before the step, between 0 and 1.
        orders: Orders of the step, before clearing.
        local: Trades between homes.

    Returns:
        Scores after the step, between 0 and 1.

    References:
        MARLEM, equation 8, with exponential decay to weight recent steps more heavily. The
        released code measures reliability after the grid has filled every order, so that it is
        always one.
    """
    ordered = jnp.abs(orders.quantity_kwh)
    traded = local.bought_kwh + local.sold_kwh
    money = local.paid + local.earned
    has_order = ordered > 0
    has_trade = traded > 0
    reliability = traded / jnp.where(has_order, ordered, 1.0)
    volume = traded.sum()
    mean_price = money.sum() / jnp.where(volume > 0, volume, 1.0)
    price = money / jnp.where(has_trade, traded, 1.0)
    scale = jnp.where(jnp.abs(mean_price) > 0, jnp.abs(mean_price), 1.0)
    deviation = jnp.abs(price - mean_price) / scale
    fairness = jnp.where(has_trade, jnp.maximum(0.0, 1.0 - deviation), 0.5)
    shortage = jnp.sign(orders.quantity_kwh.sum())
    contribution = (1.0 - shortage * jnp.sign(orders.quantity_kwh)) / 2
    score = (
        _RELIABILITY_WEIGHT * reliability
        + _FAIRNESS_WEIGHT * fairness
        + _GRID_WEIGHT * contribution
    )
    updated = _MEMORY * reputation + (1 - _MEMORY) * jnp.clip(score, 0.0, 1.0)
    return jnp.where(has_order, updated, reputation)
