"""Adam with gradient clipping, whose learning rate is an argument and not part of its state.

The learning rate is a hyperparameter like any other, which may be traced, annealed or evolved.
Copying the parameters and the optimizer state of one learner to another never copies its rate.
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

_ADAM = optax.scale_by_adam(eps=1e-5)


def init_optimizer(parameters: PyTree) -> optax.OptState:
    """Return the initial optimizer state for a pytree of parameters."""
    return _ADAM.init(parameters)


def apply_gradients(
    parameters: PyTree,
    gradients: PyTree,
    opt_state: optax.OptState,
    learning_rate: Float[Array, ""] | float,
    max_grad_norm: Float[Array, ""] | float = jnp.inf,
) -> tuple[PyTree, optax.OptState]:
    """Take one step of gradient descent.

    Args:
        parameters: Parameters before the step.
        gradients: Gradients, of the same structure.
        opt_state: State from `init_optimizer` or the previous step.
        learning_rate: Learning rate.
        max_grad_norm: Norm over all gradients to which they are scaled down where it is exceeded.

    Returns:
        The parameters and the optimizer state after the step.
    """
    norm = optax.tree.norm(gradients)
    scale = jnp.minimum(1.0, max_grad_norm / jnp.maximum(norm, 1e-12))
    clipped = jax.tree.map(lambda leaf: leaf * scale, gradients)
    updates, opt_state = _ADAM.update(clipped, opt_state)
    parameters = jax.tree.map(lambda leaf, step: leaf - learning_rate * step, parameters, updates)
    return parameters, opt_state
