"""Actors and critics evaluated on a batch, recurrent or not, as on-policy algorithms use them."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from prosumax.rl.components.critics import critic_input, weighted_mean
from prosumax.rl.components.distributions import log_prob_and_entropy
from prosumax.rl.components.networks import MLP
from prosumax.rl.components.normalization import RunningStatistics, denormalize, normalize
from prosumax.rl.components.spaces import ActionSpace
from prosumax.rl.components.types import AgentSpec, Batch, HiddenState, shift_next


def evaluate_actions(
    actor: MLP, batch: Batch, space: ActionSpace
) -> tuple[Float[Array, "time env agent"], Float[Array, "time env agent"]]:
    """Return the log-probability of a batch's actions under a policy, and the policy's entropy.

    Args:
        actor: Policy network.
        batch: Experience.
        space: Action space of the learner.
    """
    out, _ = actor.unroll(batch.obs, _is_first(batch), batch.hidden_state)
    return log_prob_and_entropy(out, batch.mask, batch.action, space)


def state_values(
    critic: MLP, value_statistics: RunningStatistics, spec: AgentSpec, batch: Batch
) -> tuple[Float[Array, "time env agent"], Float[Array, "time env agent"]]:
    """Return the values before and after every step, in units of the reward.

    Args:
        critic: Value network.
        value_statistics: Statistics by which its values are denormalized.
        spec: Sizes of an agent.
        batch: Experience.
    """
    inputs = critic_input(spec, batch.obs, batch.global_obs, batch.agent_id)
    last_inputs = critic_input(spec, batch.last_obs, batch.last_global_obs, batch.agent_id)
    out, hidden_states = critic.unroll(
        inputs, _is_first(batch), _initial_hidden_state(critic, inputs)
    )
    segment_steps = inputs.shape[0] // last_inputs.shape[0]
    last_out, _ = critic(last_inputs, hidden_states[segment_steps - 1 :: segment_steps])
    value = denormalize(value_statistics, out[..., 0])
    last_value = denormalize(value_statistics, last_out[..., 0])
    return value, shift_next(value, last_value)


def value_loss(
    critic: MLP,
    value_statistics: RunningStatistics,
    spec: AgentSpec,
    batch: Batch,
    target: Float[Array, "time env agent"],
) -> Float[Array, ""]:
    """Compute half the mean squared error of the normalized values.

    Args:
        critic: Value network.
        value_statistics: Statistics by which targets are normalized.
        spec: Sizes of an agent.
        batch: Experience.
        target: Target of the value before each step, in units of the reward.
    """
    inputs = critic_input(spec, batch.obs, batch.global_obs, batch.agent_id)
    out, _ = critic.unroll(inputs, _is_first(batch), _initial_hidden_state(critic, inputs))
    error = out[..., 0] - normalize(value_statistics, target)
    return 0.5 * weighted_mean(error**2, batch.weight)


def _is_first(batch: Batch) -> Bool[Array, "time env agent"]:
    return jnp.broadcast_to(batch.is_first[..., None], batch.reward.shape)


def _initial_hidden_state(critic: MLP, inputs: Float[Array, "time env agent input"]) -> HiddenState:
    """Return the critic's hidden state before a batch, which starts at 0 in every batch."""
    return jnp.zeros((*inputs.shape[1:-1], critic.hidden_state_size))
