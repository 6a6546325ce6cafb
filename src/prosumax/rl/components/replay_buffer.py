"""Replay buffer as a ring of transitions, in which the newest replace the oldest.

All functions are pure functions of arrays, so the buffer lives within a compiled program. A
function that is compiled on its own should donate the state that holds the buffer
(`donate_argnums`), or the buffer is copied once per call.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from prosumax.rl.components.critics import critic_input
from prosumax.rl.components.spaces import Action, ActionMask, squash
from prosumax.rl.components.types import AgentSpec, Batch


class Transition(NamedTuple):
    """Transitions of single agents on a leading axis of rows.

    Attributes:
        obs: Observation before the step.
        next_obs: Observation after the step; after the last step of an episode its final one,
            never the first of the next episode.
        global_obs: Input of a centralized critic before the step; of width 0 for a local critic.
        next_global_obs: The same after the step.
        agent_id: Index of the agent in the community.
        mask: Valid actions before the step.
        next_mask: Valid actions after the step.
        action: Squashed action.
        reward: Reward of the step.
        terminated: Whether the step ended in a terminal state.
    """

    obs: Float[Array, "row feature"]
    next_obs: Float[Array, "row feature"]
    global_obs: Float[Array, "row global"]
    next_global_obs: Float[Array, "row global"]
    agent_id: Int[Array, " row"]
    mask: ActionMask
    next_mask: ActionMask
    action: Action
    reward: Float[Array, " row"]
    terminated: Bool[Array, " row"]


class ReplayBuffer(NamedTuple):
    """A ring of transitions.

    Attributes:
        transitions: Stored transitions, on an axis as long as the capacity.
        num_added: Number of transitions added so far.
    """

    transitions: Transition
    num_added: Int[Array, ""]


def init_buffer(spec: AgentSpec, buffer_size: int) -> ReplayBuffer:
    """Return an empty buffer for `buffer_size` transitions of agents of these sizes."""
    space = spec.action_space
    rows = (buffer_size,)
    obs = jnp.zeros((*rows, spec.obs_size))
    global_obs = jnp.zeros((*rows, spec.global_obs_size))
    mask = ActionMask(
        jnp.ones((*rows, space.continuous), bool),
        jnp.ones((*rows, space.discrete, space.num_actions), bool),
    )
    empty = Transition(
        obs=obs,
        next_obs=obs,
        global_obs=global_obs,
        next_global_obs=global_obs,
        agent_id=jnp.zeros(rows, jnp.int32),
        mask=mask,
        next_mask=mask,
        action=Action(
            jnp.zeros((*rows, space.continuous)), jnp.zeros((*rows, space.discrete), jnp.int32)
        ),
        reward=jnp.zeros(rows),
        terminated=jnp.zeros(rows, bool),
    )
    # Each field needs an array of its own, since none may be donated twice.
    return ReplayBuffer(jax.tree.map(jnp.copy, empty), jnp.int32(0))


def add_batch(buffer: ReplayBuffer, batch: Batch) -> ReplayBuffer:
    """Add the transitions of a batch that have weight; of more than fit, the last ones."""
    buffer_size = buffer.transitions.reward.shape[0]
    has_weight = batch.weight.reshape(-1) > 0
    rank = jnp.cumsum(has_weight) - 1
    count = has_weight.sum()
    is_kept = has_weight & (rank >= count - buffer_size)
    # Transitions that are not kept get an index past the end, which `mode="drop"` ignores.
    index = jnp.where(is_kept, (buffer.num_added + rank) % buffer_size, buffer_size)
    transitions = jax.tree.map(
        lambda old, new: old.at[index].set(new, mode="drop"),
        buffer.transitions,
        _transitions(batch),
    )
    # The counter wraps before it overflows, to a value that has the same place and is still full.
    num_added = buffer.num_added + count
    wrapped = num_added % buffer_size + buffer_size
    return ReplayBuffer(
        transitions, jnp.where(num_added > 2**30, wrapped, num_added).astype(jnp.int32)
    )


def sample_transitions(
    buffer: ReplayBuffer, key: PRNGKeyArray, batch_size: int
) -> tuple[Transition, Float[Array, " row"]]:
    """Sample transitions uniformly with replacement.

    Args:
        buffer: Buffer.
        key: Random key.
        batch_size: Number of transitions.

    Returns:
        The transitions, and their weights, which are 0 while the buffer is empty.
    """
    size = jnp.minimum(buffer.num_added, buffer.transitions.reward.shape[0])
    index = jax.random.randint(key, (batch_size,), 0, jnp.maximum(size, 1))
    sampled: Transition = jax.tree.map(lambda leaf: leaf[index], buffer.transitions)
    return sampled, jnp.full(batch_size, size > 0, jnp.float32)


def transition_critic_inputs(
    spec: AgentSpec, transitions: Transition
) -> tuple[Float[Array, "row input"], Float[Array, "row input"]]:
    """Return the inputs of a critic before and after each transition."""

    def inputs(obs: Array, global_obs: Array) -> Array:
        # `critic_input` expects an axis of agents, here of one agent per row.
        return critic_input(spec, obs[:, None], global_obs, transitions.agent_id[:, None])[:, 0]

    return (
        inputs(transitions.obs, transitions.global_obs),
        inputs(transitions.next_obs, transitions.next_global_obs),
    )


def _transitions(batch: Batch) -> Transition:
    """Return the steps of a batch [time, env, agent, ..] as rows."""
    shape = batch.reward.shape

    def flatten(leaf: Array) -> Array:
        return leaf.reshape(batch.reward.size, *leaf.shape[3:])

    def repeat_per_agent(leaf: Array) -> Array:
        return flatten(jnp.broadcast_to(leaf[:, :, None], (*shape, leaf.shape[-1])))

    return Transition(
        obs=flatten(batch.obs),
        next_obs=flatten(batch.next_obs),
        global_obs=repeat_per_agent(batch.global_obs),
        next_global_obs=repeat_per_agent(batch.next_global_obs),
        agent_id=flatten(jnp.broadcast_to(batch.agent_id, shape)),
        mask=jax.tree.map(flatten, batch.mask),
        next_mask=jax.tree.map(flatten, batch.next_mask),
        action=jax.tree.map(flatten, squash(batch.action)),
        reward=flatten(batch.reward),
        terminated=flatten(batch.terminated),
    )
