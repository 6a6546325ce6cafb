"""Adam with gradient clipping, as all algorithms use it."""

import optax
from jaxtyping import Array, Float


def clipped_adam(
    learning_rate: Float[Array, ""] | float, max_grad_norm: Float[Array, ""] | float
) -> optax.GradientTransformation:
    """Return Adam behind a clip of the gradients' global norm.

    The optimizer's state does not hold the learning rate, which may therefore be annealed or
    evolve, and copying the state of one learner to another does not copy its rate.

    Args:
        learning_rate: Learning rate, which may be traced.
        max_grad_norm: Norm over all gradients to which they are scaled down where it is exceeded.
    """
    return optax.chain(
        optax.clip_by_global_norm(max_grad_norm), optax.adam(learning_rate, eps=1e-5)
    )
