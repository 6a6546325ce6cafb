"""Shuffled minibatches of a batch and its advantages."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray, PyTree

from prosumax.rl.components.advantages import AdvantageEstimate
from prosumax.rl.components.types import Batch

Experience = tuple[Batch, AdvantageEstimate]
"""A batch with the advantages and value targets of its steps."""

# Axes in place of the arrays.
_ENV_AXES = Batch(1, None, 1, None, 1, 1, 1, 1, 1, 0, None, 1, 1, 1, None, 1)  # type: ignore[arg-type]
"""Axis of the environments in each field of a batch that has one."""


def independent_rows(batch: Batch, estimate: AdvantageEstimate, recurrent: bool) -> Experience:
    """Return experience whose environments may be shuffled, without values after its steps.

    Steps of a feedforward network are independent of each other. They are moved to the axis of
    environments, behind a time axis of length 1, so that all of them may be shuffled. Those of a
    recurrent network remain sequences.

    Args:
        batch: Experience.
        estimate: Its advantages, which are known, so that no value after a step is needed.
        recurrent: Whether actor or critic is recurrent.
    """
    unused: PyTree = None
    batch = batch._replace(last_obs=unused, last_mask=unused, last_global_obs=unused)
    return (batch, estimate) if recurrent else _flatten_time((batch, estimate))


def num_rows(experience: Experience) -> int:
    """Return the number of independent rows: environments, or steps of environments."""
    return int(experience[0].obs.shape[1])


def shuffle_minibatches(
    key: PRNGKeyArray, experience: Experience, num_minibatches: int
) -> Experience:
    """Return shuffled minibatches of equal size on a leading axis.

    Rows that do not divide evenly are left out, and drawn again in the next epoch.

    Args:
        key: Random key.
        experience: Rows from `independent_rows`.
        num_minibatches: Number of minibatches, at most the number of rows.
    """
    # All minibatches are gathered at once, because within a loop over them XLA would recompute
    # indices wherever a row is used.
    rows = num_rows(experience)
    kept = rows // num_minibatches * num_minibatches
    permutation = jnp.argsort(jax.random.bits(key, (rows,)))[:kept]
    shuffled = _map_env_axis(
        experience, lambda leaf, axis: jnp.take(leaf, permutation, axis=axis, mode="clip")
    )

    def split(leaf: Array, axis: int) -> Array:
        shape = (
            *leaf.shape[:axis],
            num_minibatches,
            kept // num_minibatches,
            *leaf.shape[axis + 1 :],
        )
        return jnp.moveaxis(leaf.reshape(shape), axis, 0)

    batch, estimate = _map_env_axis(shuffled, split)
    agent_id = jnp.broadcast_to(batch.agent_id, (num_minibatches, *batch.agent_id.shape))
    return batch._replace(agent_id=agent_id), estimate


def _map_env_axis(experience: Experience, function: Callable[[Array, int], Array]) -> Experience:
    """Apply a function of an array and its axis of environments to all arrays that have one."""
    batch, estimate = experience
    mapped: dict[str, PyTree] = {
        name: field
        if axis is None
        else jax.tree.map(lambda leaf, axis=axis: function(leaf, axis), field)
        for name, field, axis in zip(Batch._fields, batch, _ENV_AXES, strict=True)
    }
    return Batch(**mapped), jax.tree.map(lambda leaf: function(leaf, 1), estimate)


def _flatten_time(experience: Experience) -> Experience:
    """Merge time and environments into one axis, behind a time axis of length 1."""
    steps = experience[0].obs.shape[0]

    def flatten(leaf: Array, axis: int) -> Array:
        if axis == 0:  # The hidden state, which has no time axis and is of width 0 here.
            return jnp.zeros((steps * leaf.shape[0], *leaf.shape[1:]), leaf.dtype)
        return leaf.reshape(1, leaf.shape[0] * leaf.shape[1], *leaf.shape[2:])

    return _map_env_axis(experience, flatten)
