"""Advantage estimates equal the sums of their definitions, written here as loops."""

import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.rl.components.advantages import gae, vtrace

STEPS = 7
BATCH = 3
GAMMA = 0.9
GAE_LAMBDA = 0.8


@pytest.fixture(scope="module")
def trajectories():
    """Rewards, values before and after each step, and episodes that are truncated or terminate."""
    rng = np.random.default_rng(0)
    reward, value, next_value = rng.normal(size=(3, STEPS, BATCH))
    done = rng.random((STEPS, BATCH)) < 0.3
    terminated = done & (rng.random((STEPS, BATCH)) < 0.5)
    # Within an episode the value after a step is that before the next one.
    next_value[:-1] = np.where(done[:-1], next_value[:-1], value[1:])
    return reward, value, next_value, terminated, done


def test_gae_is_the_weighted_sum_of_its_definition(trajectories):
    reward, value, next_value, terminated, done = trajectories
    estimate = gae(*map(jnp.asarray, trajectories), GAMMA, GAE_LAMBDA)
    delta = reward + GAMMA * next_value * ~terminated - value
    for env in range(BATCH):
        for start in range(STEPS):
            total = 0.0
            weight = 1.0
            for step in range(start, STEPS):
                total += weight * delta[step, env]
                weight *= GAMMA * GAE_LAMBDA
                if done[step, env]:
                    break
            np.testing.assert_allclose(estimate.advantage[start, env], total, atol=1e-5)


def test_vtrace_on_policy_is_gae_with_lambda_1(trajectories):
    # With ratios of 1 the correction vanishes, and the advantage is that of the corrected next
    # value (Espeholt et al. 2018).
    reward, value, next_value, terminated, done = (jnp.asarray(part) for part in trajectories)
    ratio = jnp.ones((STEPS, BATCH))
    estimate = vtrace(ratio, reward, value, next_value, terminated, done, GAMMA)
    expected = gae(reward, value, next_value, terminated, done, GAMMA, 1.0)
    np.testing.assert_allclose(estimate.target, expected.target, atol=1e-5)
    np.testing.assert_allclose(estimate.advantage, expected.advantage, atol=1e-5)


@pytest.mark.parametrize("lambda_", [0.7, 1.0])
def test_vtrace_targets_are_the_sum_of_equation_1(lambda_):
    """v_s = V(x_s) + sum_t gamma^(t-s) (product of c_i) rho_t delta_t (Espeholt et al. 2018)."""
    rng = np.random.default_rng(0)
    steps = 14
    index = np.arange(steps)
    ratio = np.exp(rng.normal(size=steps))
    reward, value, next_value = rng.normal(size=(3, steps))
    done = np.isin(index, [5, 10])
    terminated = index == 10
    next_value = np.where(done | (index == steps - 1), next_value, np.roll(value, -1))
    rho = np.minimum(ratio, 1.0)
    delta = rho * (reward + GAMMA * np.where(terminated, 0.0, next_value) - value)
    ends = [next(t for t in range(s, steps) if done[t] or t == steps - 1) for s in range(steps)]
    target = [
        value[s]
        + sum(
            GAMMA ** (t - s) * np.prod(lambda_ * rho[s:t]) * delta[t] for t in range(s, ends[s] + 1)
        )
        for s in range(steps)
    ]

    def corrected_next_value(s):
        if terminated[s]:
            return 0.0
        return next_value[s] if s == ends[s] else target[s + 1]

    advantage = [
        rho[s] * (reward[s] + GAMMA * corrected_next_value(s) - value[s]) for s in range(steps)
    ]
    inputs = [
        jnp.asarray(part)[:, None] for part in (ratio, reward, value, next_value, terminated, done)
    ]
    estimate = vtrace(*inputs, GAMMA, lambda_)
    np.testing.assert_allclose(estimate.target[:, 0], target, atol=1e-5)
    np.testing.assert_allclose(estimate.advantage[:, 0], advantage, atol=1e-5)


def test_vtrace_targets_on_policy_are_gae_targets():
    rng = np.random.default_rng(1)
    reward, value, next_value = (jnp.asarray(part) for part in rng.normal(size=(3, 9, 2)))
    done = jnp.asarray(rng.random((9, 2)) < 0.3)
    next_value = jnp.where(done, next_value, jnp.concatenate([value[1:], next_value[-1:]]))
    terminated = done & (jnp.asarray(rng.random((9, 2))) < 0.5)
    ratio = jnp.ones((9, 2))
    estimate = vtrace(ratio, reward, value, next_value, terminated, done, 0.9, 0.8)
    expected = gae(reward, value, next_value, terminated, done, 0.9, 0.8)
    np.testing.assert_allclose(estimate.target, expected.target, atol=1e-5)
