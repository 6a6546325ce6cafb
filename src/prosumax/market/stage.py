"""The cascade: stages that trade one after another until the grid takes the rest."""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.registry import Registry
from prosumax.types import Fills, Orders, Prices

Stage = Callable[[Orders, Prices], tuple[Fills, Orders]]
"""A stage takes the open orders and what the grid offers; it returns what it traded and what is still open.

It must be pure (jit, vmap and grad go through it), trade no more than was ordered, and pay out what it takes in.
Bind a stage's parameters with `jax.tree_util.Partial`: their arrays are traced and the function stays static.
"""

mechanisms: Registry[tuple[Stage, ...]] = Registry("mechanism")
"""Mechanism name -> its cascade; the last stage is always the grid."""


def clear(stages: Sequence[Stage], orders: Orders, prices: Prices) -> tuple[Fills, Fills]:
    """Run the cascade.

    Arguments:
        stages: at least one; the last is the grid.
        orders: one per home.
        prices: what the grid offers each home.

    Returns:
        Trades between neighbours (all stages but the last, added up), and trades with the grid.
    """
    fills = []
    for stage in stages:
        filled, orders = stage(orders, prices)
        fills.append(filled)
    nothing = Fills(*(jnp.zeros_like(orders.quantity_kwh) for _ in Fills._fields))
    local = reduce(lambda a, b: jax.tree.map(add, a, b), fills[:-1], nothing)
    return local, fills[-1]


def truthful_orders(net_kwh: Float[Array, " home"], prices: Prices) -> Orders:
    """The order of a home that does not bargain: its net energy, at what the grid would charge or pay it."""
    return Orders(net_kwh, jnp.where(net_kwh > 0, prices.worth_buying, prices.feed_in))
