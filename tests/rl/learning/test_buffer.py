"""The ring keeps the newest steps that count, as a list written out in the test does."""

import jax
import jax.numpy as jnp
import numpy as np

from prosumax.rl.components import replay_buffer
from prosumax.rl.components.spaces import Space
from prosumax.rl.components.types import Spec

SPEC = Spec(obs=1, everyone=0, homes=2, space=Space(0, 1, 3), home_space=Space(0, 1, 3))


def test_the_ring_has_the_newest_steps_with_weight(probes):
    rng, kept, ring = np.random.default_rng(0), [], replay_buffer.begin(SPEC, 16)
    add = jax.jit(replay_buffer.add, donate_argnums=0)
    for _ in range(9):
        reward, weight = (
            rng.normal(size=(4, 3, 2)).astype(np.float32),
            rng.integers(0, 2, (4, 3, 2)),
        )
        obs = rng.normal(size=(4, 3, 2, 1)).astype(np.float32)
        ring = add(
            ring, probes.batch(obs, jnp.zeros((4, 3, 2), int), reward, weight=jnp.float32(weight))
        )
        kept += [float(r) for r, w in zip(reward.reshape(-1), weight.reshape(-1), strict=True) if w]
        found = np.asarray(ring.rows.reward)[: min(len(kept), 16)]
        assert sorted(found) == sorted(np.float32(kept[-16:]))
        assert int(ring.added) == len(kept)


def test_more_than_fits_leaves_the_last(probes):
    reward = jnp.arange(40.0).reshape(20, 1, 2)
    batch = probes.batch(jnp.zeros((20, 1, 2, 1)), jnp.zeros((20, 1, 2), int), reward)
    ring = replay_buffer.add(replay_buffer.begin(SPEC, 8), batch)
    assert sorted(np.asarray(ring.rows.reward)) == list(range(32, 40))


def test_what_comes_after_an_episode_is_its_own_end(probes):
    obs = jnp.arange(8.0).reshape(4, 1, 2, 1)
    done = jnp.array([False, True, False, True])[:, None]
    last = obs[1::2] + 100.0
    batch = probes.batch(obs, jnp.zeros((4, 1, 2), int), obs[..., 0], last_obs=last, done=done)
    batch = batch._replace(terminated=jnp.stack([done, done & False], axis=-1))
    rows = replay_buffer.add(replay_buffer.begin(SPEC, 8), batch).rows
    np.testing.assert_array_equal(
        rows.next_obs[:, 0], [2.0, 3.0, 102.0, 103.0, 6.0, 7.0, 106.0, 107.0]
    )
    np.testing.assert_array_equal(rows.obs[rows.terminated], [[2.0], [6.0]])


def test_an_empty_ring_teaches_nothing(probes):
    batch = probes.batch(jnp.ones((2, 1, 2, 1)), jnp.zeros((2, 1, 2), int), jnp.ones((2, 1, 2)))
    ring = replay_buffer.begin(SPEC, 8)
    _, weight = replay_buffer.sample(
        replay_buffer.add(ring, batch._replace(weight=jnp.zeros((2, 1, 2)))), jax.random.key(0), 5
    )
    assert not weight.any()
    rows, weight = replay_buffer.sample(replay_buffer.add(ring, batch), jax.random.key(0), 50)
    assert weight.all() and (rows.reward == 1.0).all()
