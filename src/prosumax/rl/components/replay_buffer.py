"""A ring of what happened, for those who learn from old experience: when it is full the oldest goes.

Everything is a pure function of arrays, so that it lives within a compiled program; whoever jits one should donate the
state that holds it (`donate_argnums`), or the ring is copied once per call.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from prosumax.rl.components.critics import critic_input
from prosumax.rl.components.spaces import Action, Mask, squashed
from prosumax.rl.components.types import Batch, Spec


class Transition(NamedTuple):
    """One step of one agent, on a leading axis for rows.

    Attributes:
        obs, next_obs: before and after; after the last step of an episode its final observation, never the next
            episode's first.
        everyone, next_everyone, home: what a central critic sees on top; width 0 for a local one.
        mask, next_mask: what made sense.
        action: squashed.
        reward: of the step.
        terminated: whether a life ended with it.
    """

    obs: Float[Array, "row feature"]
    next_obs: Float[Array, "row feature"]
    everyone: Float[Array, "row wide"]
    next_everyone: Float[Array, "row wide"]
    home: Int[Array, " row"]
    mask: Mask
    next_mask: Mask
    action: Action
    reward: Float[Array, " row"]
    terminated: Bool[Array, " row"]


class Buffer(NamedTuple):
    """The ring.

    Attributes:
        rows: what is kept, on an axis as long as the ring.
        added: how many were ever added.
    """

    rows: Transition
    added: Int[Array, ""]


def begin(spec: Spec, capacity: int) -> Buffer:
    """An empty ring for agents of these sizes."""
    space, rows = spec.space, (capacity,)
    obs, everyone = jnp.zeros((*rows, spec.obs)), jnp.zeros((*rows, spec.everyone))
    choices = jnp.zeros((*rows, space.choices), jnp.int32)
    mask = Mask(
        jnp.ones((*rows, space.numbers), bool),
        jnp.ones((*rows, space.choices, space.options), bool),
    )
    action = Action(jnp.zeros((*rows, space.numbers)), choices)
    number, reward, over = jnp.zeros(rows, jnp.int32), jnp.zeros(rows), jnp.zeros(rows, bool)
    blank = Transition(obs, obs, everyone, everyone, number, mask, mask, action, reward, over)
    # Arrays of their own: none may be donated twice.
    return Buffer(jax.tree.map(jnp.copy, blank), jnp.int32(0))


def add(buffer: Buffer, batch: Batch) -> Buffer:
    """Keep the steps of a batch in which there was something to decide; of more than fit, the last."""
    capacity = buffer.rows.reward.shape[0]
    kept = batch.weight.reshape(-1) > 0
    rank, count = jnp.cumsum(kept) - 1, kept.sum()
    keep = kept & (rank >= count - capacity)
    # Indices past the end are dropped.
    at = jnp.where(keep, (buffer.added + rank) % capacity, capacity)
    rows = jax.tree.map(
        lambda old, new: old.at[at].set(new, mode="drop"), buffer.rows, _rows(batch)
    )
    # Wraps before it overflows, at a multiple of the capacity, and stays full.
    added = buffer.added + count
    return Buffer(
        rows, jnp.where(added > 2**30, added % capacity + capacity, added).astype(jnp.int32)
    )


def sample(
    buffer: Buffer, key: PRNGKeyArray, count: int
) -> tuple[Transition, Float[Array, " row"]]:
    """Draw rows evenly, with replacement; and their weights, 0 while the ring is empty."""
    filled = jnp.minimum(buffer.added, buffer.rows.reward.shape[0])
    at = jax.random.randint(key, (count,), 0, jnp.maximum(filled, 1))
    return jax.tree.map(lambda leaf: leaf[at], buffer.rows), jnp.full(
        count, filled > 0, jnp.float32
    )


def seen(
    spec: Spec, rows: Transition
) -> tuple[Float[Array, "row input"], Float[Array, "row input"]]:
    """What a critic sees before and after each step."""
    member = lambda leaf: leaf[:, None]  # noqa: E731 (the axis of agents, of one each)
    before = critic_input(spec, member(rows.obs), rows.everyone, member(rows.home))
    after = critic_input(spec, member(rows.next_obs), rows.next_everyone, member(rows.home))
    return before[:, 0], after[:, 0]


def _rows(batch: Batch) -> Transition:
    shape = batch.reward.shape
    flat = lambda leaf: leaf.reshape(batch.reward.size, *leaf.shape[3:])  # noqa: E731
    wide = lambda leaf: flat(jnp.broadcast_to(leaf[:, :, None], (*shape, leaf.shape[-1])))  # noqa: E731
    return Transition(
        obs=flat(batch.obs),
        next_obs=flat(batch.next_obs),
        everyone=wide(batch.everyone),
        next_everyone=wide(batch.next_everyone),
        home=flat(jnp.broadcast_to(batch.home, shape)),
        mask=jax.tree.map(flat, batch.mask),
        next_mask=jax.tree.map(flat, batch.next_mask),
        action=jax.tree.map(flat, squashed(batch.action)),
        reward=flat(batch.reward),
        terminated=flat(batch.terminated),
    )
