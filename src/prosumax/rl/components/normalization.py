"""Targets of critics with mean 0 and deviation 1, whatever money and energy are counted in.

Mean and deviation move along with what is seen. Networks are not rescaled with them (van Hasselt et al. 2016 do): they
move slowly, and a batch is learned from right after they moved.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

_KEPT = 0.98  # of the past, per batch


class Scale(NamedTuple):
    """Moving sums, and their weight, which corrects for how young they are."""

    total: Float[Array, ""]
    squares: Float[Array, ""]
    weight: Float[Array, ""]


def begin() -> Scale:
    """Nothing seen: mean 0 and deviation 1."""
    return Scale(jnp.float32(0.0), jnp.float32(0.0), jnp.float32(0.0))


def see(scale: Scale, values: Float[Array, "*batch"], weight: Float[Array, "*batch"]) -> Scale:
    """Take a batch of targets into account."""
    count = jnp.maximum(weight.sum(), 1e-8)
    total, squares = (values * weight).sum() / count, (values**2 * weight).sum() / count
    mix = lambda old, new: _KEPT * old + (1 - _KEPT) * new  # noqa: E731
    return Scale(mix(scale.total, total), mix(scale.squares, squares), mix(scale.weight, 1.0))


def moments(scale: Scale) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mean and deviation."""
    known = scale.weight > 0
    weight = jnp.where(known, scale.weight, 1.0)
    mean = scale.total / weight
    spread = jnp.sqrt(jnp.maximum(scale.squares / weight - mean**2, 1e-8))
    return jnp.where(known, mean, 0.0), jnp.where(known, spread, 1.0)


def scaled(scale: Scale, values: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """From rewards' units to the network's."""
    mean, spread = moments(scale)
    return (values - mean) / spread


def unscaled(scale: Scale, values: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """From the network's units to rewards'."""
    mean, spread = moments(scale)
    return mean + spread * values
