"""The replay buffer keeps the newest transitions that have weight, as a plain list does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.rl.components.replay_buffer import add_batch, init_buffer, sample_transitions
from prosumax.rl.components.spaces import ActionSpace
from prosumax.rl.components.types import AgentSpec
from tests.rl.probes import make_batch

SPACE = ActionSpace(0, 1, 3)
SPEC = AgentSpec(
    obs_size=1, global_obs_size=0, num_agents=2, action_space=SPACE, env_action_space=SPACE
)


def test_buffer_keeps_the_newest_transitions_with_weight():
    rng = np.random.default_rng(0)
    expected = []
    buffer = init_buffer(SPEC, 16)
    add = jax.jit(add_batch, donate_argnums=0)
    for _ in range(9):
        reward = rng.normal(size=(4, 3, 2)).astype(np.float32)
        weight = rng.integers(0, 2, (4, 3, 2))
        obs = rng.normal(size=(4, 3, 2, 1)).astype(np.float32)
        batch = make_batch(obs, jnp.zeros((4, 3, 2), int), reward, weight=jnp.float32(weight))
        buffer = add(buffer, batch)
        expected += [float(r) for r, w in zip(reward.flat, weight.flat, strict=True) if w]
        stored = np.asarray(buffer.transitions.reward)[: min(len(expected), 16)]
        assert sorted(stored) == sorted(np.float32(expected[-16:]))
        assert int(buffer.num_added) == len(expected)


def test_of_a_batch_larger_than_the_buffer_the_last_transitions_remain():
    reward = jnp.arange(40.0).reshape(20, 1, 2)
    batch = make_batch(jnp.zeros((20, 1, 2, 1)), jnp.zeros((20, 1, 2), int), reward)
    buffer = add_batch(init_buffer(SPEC, 8), batch)
    assert sorted(np.asarray(buffer.transitions.reward)) == list(range(32, 40))


def test_next_obs_at_the_end_of_an_episode_is_its_final_obs():
    obs = jnp.arange(8.0).reshape(4, 1, 2, 1)
    done = jnp.array([False, True, False, True])[:, None]
    last_obs = obs[1::2] + 100.0
    batch = make_batch(obs, jnp.zeros((4, 1, 2), int), obs[..., 0], last_obs=last_obs, done=done)
    batch = batch._replace(terminated=jnp.stack([done, done & False], axis=-1))
    transitions = add_batch(init_buffer(SPEC, 8), batch).transitions
    expected = [2.0, 3.0, 102.0, 103.0, 6.0, 7.0, 106.0, 107.0]
    np.testing.assert_array_equal(transitions.next_obs[:, 0], expected)
    np.testing.assert_array_equal(transitions.obs[transitions.terminated], [[2.0], [6.0]])


@pytest.mark.slow
def test_transitions_sampled_from_an_empty_buffer_have_no_weight():
    batch = make_batch(jnp.ones((2, 1, 2, 1)), jnp.zeros((2, 1, 2), int), jnp.ones((2, 1, 2)))
    empty = init_buffer(SPEC, 8)
    without_weight = batch._replace(weight=jnp.zeros((2, 1, 2)))
    _, weight = sample_transitions(add_batch(empty, without_weight), jax.random.key(0), 5)
    assert not weight.any()
    transitions, weight = sample_transitions(add_batch(empty, batch), jax.random.key(0), 50)
    assert weight.all() and (transitions.reward == 1.0).all()
