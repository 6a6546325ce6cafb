"""Values of choices: an action of several choices is worth the sum of what its choices are worth.

With one choice that is any value at all. With several it is the decomposition of Sunehag et al. (2018), which makes the
best of all combinations the best of each; how much one choice is worth can then not depend on another.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from prosumax.rl.components.distributions import Dice


def chosen(
    values: Float[Array, "*batch choice option"], choices: Int[Array, "*batch choice"]
) -> Float[Array, "*batch choice"]:
    """The values, or probabilities, of the options that were chosen."""
    return jnp.take_along_axis(values, choices[..., None], axis=-1)[..., 0]


def greedy(
    values: Float[Array, "*batch choice option"], mask: Bool[Array, "*batch choice option"]
) -> Int[Array, "*batch choice"]:
    """The best options of those that may be used."""
    return jnp.argmax(jnp.where(mask, values, -jnp.inf), axis=-1).astype(jnp.int32)


def epsilon_greedy(
    values: Float[Array, "*batch choice option"],
    mask: Bool[Array, "*batch choice option"],
    epsilon: Float[Array, ""] | float,
    dice: Dice | None,
) -> Int[Array, "*batch choice"]:
    """The best options; with dice each with probability `epsilon` any that may be used instead."""
    best = greedy(values, mask)
    if dice is None:
        return best
    nth = dice.uniform[..., None] * mask.sum(-1, keepdims=True)
    anyone = jnp.argmax(jnp.cumsum(mask, axis=-1) > nth, axis=-1).astype(jnp.int32)
    return jnp.where(dice.other < epsilon, anyone, best)
