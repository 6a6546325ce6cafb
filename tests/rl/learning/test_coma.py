"""COMA: baseline and targets against loops, its gradient against finite differences, probes against their best."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.errors import InputError
from prosumax.rl.algorithms.coma import COMA, Hyper, counterfactual, td_lambda
from prosumax.rl.components import distributions
from prosumax.rl.components.spaces import Action, Mask, Space
from prosumax.rl.components.types import Spec

FAST = {"hidden": [16], "learning_rate": 1e-2, "critic_learning_rate": 1e-2}
SPACE = Space(0, 1, 3)


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
def test_it_reaches_the_best_reward(probes, kind, paradigm):
    settings = FAST | ({"bins": 5} if kind == "number" else {})
    assert probes.reaches_the_best(kind, "coma", paradigm, settings, iterations=200)


def test_the_baseline_is_the_policys_own_average():
    rng = np.random.default_rng(0)
    values, logits = rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 6))
    mask = rng.random((4, 2, 3)) < 0.7
    mask[..., 1] = True
    choices = np.array([[1, 1]] * 4)
    policy = distributions.policy(
        jnp.asarray(logits), Mask(jnp.ones((4, 0), bool), jnp.asarray(mask)), Space(0, 2, 3)
    )
    found = counterfactual(jnp.asarray(values), policy, jnp.asarray(choices))
    for row in range(4):
        for choice in range(2):
            weight = np.exp(logits[row].reshape(2, 3)[choice]) * mask[row, choice]
            average = (weight / weight.sum() * values[row, choice]).sum()
            assert found[row, choice] == pytest.approx(values[row, choice, 1] - average, abs=1e-5)


def test_its_gradient_is_that_of_what_is_paid():
    """Two agents in a matrix game, every pair of options with its probability: the exact gradient of the reward."""
    rng = np.random.default_rng(1)
    paid, logits = rng.normal(size=(3, 3)), jnp.asarray(rng.normal(size=(2, 3)), jnp.float32)
    mask = Mask(jnp.ones((9, 0), bool), jnp.ones((9, 1, 3), bool))
    mine, theirs = np.repeat(np.arange(3), 3), np.tile(np.arange(3), 3)
    values = [jnp.asarray(paid[:, theirs].T)[:, None], jnp.asarray(paid[mine])[:, None]]

    def surrogate(logits):
        total, chance = 0.0, 1.0
        for agent, choice in enumerate((mine, theirs)):
            policy = distributions.policy(jnp.broadcast_to(logits[agent], (9, 3)), mask, SPACE)
            advantage = counterfactual(values[agent], policy, choice[:, None])[:, 0]
            log_prob = distributions.log_prob(
                policy, Action(jnp.zeros((9, 0)), jnp.asarray(choice)[:, None])
            )
            chance = chance * jnp.exp(jax.lax.stop_gradient(log_prob))
            total = total + log_prob * advantage
        return (chance * total).sum()

    def reward(logits):
        one, other = (np.exp(row) / np.exp(row).sum() for row in logits)
        return one @ paid @ other

    found, at = jax.grad(surrogate)(logits), np.asarray(logits, float)
    for index in np.ndindex(2, 3):
        nudge = np.zeros((2, 3))
        nudge[index] = 1e-5
        # Central differences are good to 1e-9 here; the rest is single precision.
        assert found[index] == pytest.approx(
            (reward(at + nudge) - reward(at - nudge)) / 2e-5, abs=1e-5
        )


@pytest.mark.parametrize("lam", [0.0, 0.6, 1.0])
def test_targets_are_those_of_the_forward_view(lam):
    """The mean of all n-step returns with weights (1 - lam) lam^(n - 1), written out (Sutton and Barto, 12.1)."""
    rng, steps, discount = np.random.default_rng(2), 12, 0.9
    reward, taken, expected = rng.normal(size=(3, steps))
    done = np.isin(np.arange(steps), [4, 8])
    gone = np.arange(steps) == 8

    def n_step(start, count):
        total = sum(discount**k * reward[start + k] for k in range(count))
        end = start + count - 1
        if gone[end]:
            return total
        return total + discount**count * (
            expected[end] if done[end] or end == steps - 1 else taken[end + 1]
        )

    args = [jnp.asarray(part)[:, None] for part in (reward, taken, expected, gone, done)]
    found = td_lambda(*args, discount, lam)[:, 0]
    for start in range(steps):
        left = next(n for n in range(1, steps + 1) if start + n == steps or done[start + n - 1])
        weights = [(1 - lam) * lam ** (n - 1) for n in range(1, left)] + [lam ** (left - 1)]
        wanted = sum(w * n_step(start, n) for n, w in enumerate(weights, 1))
        assert found[start] == pytest.approx(wanted, abs=1e-5)


def test_the_critic_does_not_see_the_agents_own_action(probes):
    learner = COMA(Spec(1, 2, 2, SPACE, SPACE))
    blank = probes.batch(jnp.zeros((1, 1, 2, 1)), jnp.zeros((1, 1, 2), int), jnp.zeros((1, 1, 2)))
    seen = [
        learner.others(
            blank._replace(joint=Action(jnp.zeros((1, 1, 2, 0)), jnp.array([[[[mine], [2]]]])))
        )[0, 0]
        for mine in (0, 1)
    ]
    np.testing.assert_array_equal(seen[0][0], seen[1][0])
    np.testing.assert_array_equal(seen[0][0], [0, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(seen[1][1], [0, 1, 0, 0, 0, 0])


def test_a_local_critic_is_refused():
    with pytest.raises(InputError, match="central critic"):
        COMA(Spec(2, 0, 2, SPACE, SPACE))
    assert Hyper().lam == 0.8
