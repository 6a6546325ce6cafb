"""COMA solves probes; its baseline, targets and gradient agree with loops and differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.errors import InputError
from prosumax.rl.algorithms.coma import (
    COMA,
    COMAConfig,
    counterfactual_advantage,
    td_lambda_returns,
)
from prosumax.rl.components import distributions
from prosumax.rl.components.spaces import Action, ActionMask, ActionSpace
from prosumax.rl.components.types import AgentSpec
from tests.rl import probes

FAST = {"hidden_sizes": [16], "learning_rate": 1e-2, "critic_learning_rate": 1e-2}
SPACE = ActionSpace(0, 1, 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "paradigm"),
    [
        ("delay", "ctde"),
        ("share", "ctde-shared"),
        pytest.param("share", "ctde", marks=pytest.mark.slow),
        pytest.param("masked", "ctde-shared", marks=pytest.mark.slow),
        pytest.param("number", "ctde", marks=pytest.mark.slow),
    ],
)
def test_coma_reaches_the_best_reward(kind, paradigm):
    settings = FAST | ({"action_bins": 5} if kind == "number" else {})
    assert probes.solves(kind, "coma", paradigm, settings, iterations=200)


def test_baseline_is_the_average_of_the_agents_own_policy():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 2, 3))
    logits = rng.normal(size=(4, 6))
    valid = rng.random((4, 2, 3)) < 0.7
    valid[..., 1] = True
    actions = np.array([[1, 1]] * 4)
    mask = ActionMask(jnp.ones((4, 0), bool), jnp.asarray(valid))
    policy = distributions.action_distribution(jnp.asarray(logits), mask, ActionSpace(0, 2, 3))
    advantage = counterfactual_advantage(jnp.asarray(values), policy, jnp.asarray(actions))
    for row in range(4):
        for part in range(2):
            weight = np.exp(logits[row].reshape(2, 3)[part]) * valid[row, part]
            average = (weight / weight.sum() * values[row, part]).sum()
            expected = values[row, part, 1] - average
            assert advantage[row, part] == pytest.approx(expected, abs=1e-5)


def test_gradient_is_that_of_the_expected_reward():
    """Two agents in a matrix game, every pair of actions weighted by its probability."""
    rng = np.random.default_rng(1)
    rewards = rng.normal(size=(3, 3))
    logits = jnp.asarray(rng.normal(size=(2, 3)), jnp.float32)
    mask = ActionMask(jnp.ones((9, 0), bool), jnp.ones((9, 1, 3), bool))
    first = np.repeat(np.arange(3), 3)
    second = np.tile(np.arange(3), 3)
    values = [jnp.asarray(rewards[:, second].T)[:, None], jnp.asarray(rewards[first])[:, None]]

    def surrogate(logits):
        total = 0.0
        probability = 1.0
        for agent, actions in enumerate((first, second)):
            out = jnp.broadcast_to(logits[agent], (9, 3))
            policy = distributions.action_distribution(out, mask, SPACE)
            advantage = counterfactual_advantage(values[agent], policy, actions[:, None])[:, 0]
            action = Action(jnp.zeros((9, 0)), jnp.asarray(actions)[:, None])
            log_prob = distributions.log_prob(policy, action)
            probability = probability * jnp.exp(jax.lax.stop_gradient(log_prob))
            total = total + log_prob * advantage
        return (probability * total).sum()

    def expected_reward(logits):
        one, other = (np.exp(row) / np.exp(row).sum() for row in logits)
        return one @ rewards @ other

    gradient = jax.grad(surrogate)(logits)
    point = np.asarray(logits, float)
    for index in np.ndindex(2, 3):
        step = np.zeros((2, 3))
        step[index] = 1e-5
        difference = (expected_reward(point + step) - expected_reward(point - step)) / 2e-5
        # Central differences are accurate to 1e-9 here; the rest is single precision.
        assert gradient[index] == pytest.approx(difference, abs=1e-5)


@pytest.mark.parametrize("td_lambda", [0.0, 0.6, 1.0])
def test_targets_are_those_of_the_forward_view(td_lambda):
    """The mean of all n-step returns with weights (1 - l) l^(n - 1) (Sutton and Barto, 12.1)."""
    rng = np.random.default_rng(2)
    steps = 12
    gamma = 0.9
    reward, value, expected_value = rng.normal(size=(3, steps))
    done = np.isin(np.arange(steps), [4, 8])
    terminated = np.arange(steps) == 8

    def n_step_return(start, n):
        total = sum(gamma**k * reward[start + k] for k in range(n))
        end = start + n - 1
        if terminated[end]:
            return total
        is_last = done[end] or end == steps - 1
        return total + gamma**n * (expected_value[end] if is_last else value[end + 1])

    inputs = [
        jnp.asarray(part)[:, None] for part in (reward, value, expected_value, terminated, done)
    ]
    targets = td_lambda_returns(*inputs, gamma, td_lambda)[:, 0]
    for start in range(steps):
        remaining = next(
            n for n in range(1, steps + 1) if start + n == steps or done[start + n - 1]
        )
        weights = [(1 - td_lambda) * td_lambda ** (n - 1) for n in range(1, remaining)]
        weights.append(td_lambda ** (remaining - 1))
        expected = sum(w * n_step_return(start, n) for n, w in enumerate(weights, 1))
        assert targets[start] == pytest.approx(expected, abs=1e-5)


def test_critic_does_not_observe_the_agents_own_action():
    learner = COMA(AgentSpec(1, 2, 2, SPACE, SPACE))
    batch = probes.make_batch(
        jnp.zeros((1, 1, 2, 1)), jnp.zeros((1, 1, 2), int), jnp.zeros((1, 1, 2))
    )

    def others(own_action):
        joint = Action(jnp.zeros((1, 1, 2, 0)), jnp.array([[[[own_action], [2]]]]))
        return learner.other_actions(batch._replace(joint_action=joint))[0, 0]

    np.testing.assert_array_equal(others(0)[0], others(1)[0])
    np.testing.assert_array_equal(others(0)[0], [0, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(others(1)[1], [0, 1, 0, 0, 0, 0])


def test_a_local_critic_is_rejected():
    with pytest.raises(InputError, match="central critic"):
        COMA(AgentSpec(2, 0, 2, SPACE, SPACE))
    assert COMAConfig().td_lambda == 0.8
