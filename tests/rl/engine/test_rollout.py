"""Rollouts map learners over policies."""

import jax
import jax.numpy as jnp
import numpy as np

from prosumax.rl.components.types import BATCH_AXES, Batch
from prosumax.rl.engine.rollout import vmap_policies


def test_a_single_policy_has_the_result_of_vmap():
    axes = BATCH_AXES._replace(agent_id=None)
    batch = Batch(*jnp.arange(3.0 * len(Batch._fields)).reshape(-1, 1, 3))
    unmapped = [name for name, axis in zip(Batch._fields, axes, strict=True) if axis is None]
    batch = batch._replace(**{name: getattr(batch, name)[0] for name in unmapped})

    def call(state, batch, noise, config):
        total = sum(part.sum() for part in batch) * state["a"] + config
        return {"sum": total, "noise": noise}

    arguments = ({"a": jnp.ones((1, 2))}, batch, None, jnp.float32(3.0))
    in_axes = (0, axes, 0, None)
    expected = jax.vmap(call, in_axes=in_axes)(*arguments)
    found = vmap_policies(call, in_axes, 1)(*arguments)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
