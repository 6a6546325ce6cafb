"""What critics see, and means over what counts: pieces that several algorithms share."""

from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.rl.components.types import Spec

Parameters = TypeVar("Parameters")


def critic_inputs(spec: Spec) -> int:
    """Width of what a critic sees."""
    return spec.obs + (spec.everyone + spec.homes if spec.everyone else 0)


def critic_input(
    spec: Spec,
    obs: Float[Array, "*time env member feature"],
    everyone: Float[Array, "*time env wide"],
    home: Array,
) -> Float[Array, "*time env member input"]:
    """What a critic sees: the agent's own observation, and for a central one all homes' and which of them it is."""
    if not spec.everyone:
        return obs
    shape = (*obs.shape[:-1], spec.everyone)
    who = jnp.broadcast_to(jax.nn.one_hot(home, spec.homes), (*obs.shape[:-1], spec.homes))
    return jnp.concatenate([obs, jnp.broadcast_to(everyone[..., None, :], shape), who], axis=-1)


def mean(values: Float[Array, "*batch"], weight: Float[Array, "*batch"]) -> Float[Array, ""]:
    """Weighted mean; 0 where nothing has weight."""
    return (values * weight).sum() / jnp.maximum(weight.sum(), 1e-8)


def standardised(
    values: Float[Array, "*batch"], weight: Float[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """With weighted mean 0 and deviation 1."""
    centred = values - mean(values, weight)
    return centred / jnp.sqrt(mean(centred**2, weight) + 1e-8)


def copied(parameters: Parameters) -> Parameters:
    """The same in arrays of its own, so that a state with both may be donated."""
    own: Any = jax.tree.map(jnp.copy, parameters)
    return own


def follow(target: Parameters, source: Parameters, share: Float[Array, ""] | float) -> Parameters:
    """A target network that moves a share of the way to the network that it follows."""
    moved: Any = jax.tree.map(lambda a, b: a + share * (b - a), target, source)
    return moved
