"""Adam without a learning rate in its state: the rate is a hyper-parameter like any other and may change at any time.

So copying one learner's parameters and optimiser to another never copies its rate.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

_adam = optax.scale_by_adam(eps=1e-5)


def begin(parameters: Any) -> optax.OptState:
    """The optimiser's state before the first step."""
    return _adam.init(parameters)


def descend(
    parameters: Any,
    gradient: Any,
    state: optax.OptState,
    rate: Float[Array, ""] | float,
    most: Float[Array, ""] | float = jnp.inf,
) -> tuple[Any, optax.OptState]:
    """One step of Adam down a gradient.

    Arguments:
        parameters, gradient: of the same structure.
        state: from `begin` or the step before.
        rate: of learning.
        most: the gradient is scaled down to this length (the norm over everything) where it is longer.
    """
    length = optax.tree.norm(gradient)
    scale = jnp.minimum(1.0, most / jnp.maximum(length, 1e-12))
    update, state = _adam.update(jax.tree.map(lambda leaf: leaf * scale, gradient), state)
    return jax.tree.map(lambda leaf, step: leaf - rate * step, parameters, update), state
