"""Values of discrete actions: the value of several discrete actions is the sum of their values.

With one discrete action this is no restriction. With several it is a value decomposition, in which
the best combination consists of the best values of each action; the value of one action can then
not depend on another.

References:
    Sunehag et al. (2018), Value-decomposition networks for cooperative multi-agent learning.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from prosumax.rl.components.distributions import ActionNoise
from prosumax.rl.components.networks import MLP
from prosumax.rl.components.spaces import ActionSpace


def q_values(
    network: MLP, inputs: Float[Array, "*batch input"], space: ActionSpace
) -> Float[Array, "*batch discrete action"]:
    """Return a network's values of all values of every discrete action.

    Args:
        network: Network with an output per discrete action and value.
        inputs: Inputs of the network.
        space: Action space.
    """
    out = network.feedforward(inputs)
    return out.reshape(*inputs.shape[:-1], space.discrete, space.num_actions)


def select_values(
    values: Float[Array, "*batch discrete action"], actions: Int[Array, "*batch discrete"]
) -> Float[Array, "*batch discrete"]:
    """Return the values, or probabilities, of the selected actions."""
    return jnp.take_along_axis(values, actions[..., None], axis=-1)[..., 0]


def greedy_actions(
    values: Float[Array, "*batch discrete action"], mask: Bool[Array, "*batch discrete action"]
) -> Int[Array, "*batch discrete"]:
    """Return the valid actions of highest value."""
    return jnp.argmax(jnp.where(mask, values, -jnp.inf), axis=-1).astype(jnp.int32)


def epsilon_greedy(
    values: Float[Array, "*batch discrete action"],
    mask: Bool[Array, "*batch discrete action"],
    epsilon: Float[Array, ""] | float,
    noise: ActionNoise | None,
) -> Int[Array, "*batch discrete"]:
    """Return greedy actions, each replaced by a random valid one with probability `epsilon`.

    Args:
        values: Values of all actions.
        mask: Valid actions.
        epsilon: Probability of a random action.
        noise: Pre-sampled noise; None returns greedy actions.
    """
    greedy = greedy_actions(values, mask)
    if noise is None:
        return greedy
    rank = noise.uniform[..., None] * mask.sum(-1, keepdims=True)
    random = jnp.argmax(jnp.cumsum(mask, axis=-1) > rank, axis=-1).astype(jnp.int32)
    return jnp.where(noise.epsilon < epsilon, random, greedy)
