"""Tabular Q-learning solves probes, and its table agrees with value iteration."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.errors import InputError
from prosumax.rl.algorithms.q_learning import QLearning, QLearningConfig
from prosumax.rl.components.spaces import ActionSpace
from prosumax.rl.components.types import AgentSpec
from tests.rl import probes

SPACE = ActionSpace(0, 1, 3)


@pytest.mark.parametrize(
    ("kind", "paradigm"),
    [
        ("delay", "dtde"),
        ("team", "ctce"),
        pytest.param("masked", "dtde-shared", marks=pytest.mark.slow),
        pytest.param("number", "dtde", marks=pytest.mark.slow),
    ],
)
def test_q_learning_reaches_the_best_reward(kind, paradigm):
    # Initial values are optimistic, because only both homes right at once pay in `team`, which
    # exploration would seldom try.
    settings = {"epsilon": 0.02, "initial_value": 1.0}
    if kind == "number":
        settings |= {"action_bins": 5}
    assert probes.solves(kind, "qlearning", paradigm, settings)


def test_table_is_that_of_value_iteration():
    # Five places in a row; actions go left, stay and go right. Being at the right end pays 1,
    # staying anywhere 0.1. Each step of the batch is any place with any action.
    rng = np.random.default_rng(0)
    gamma = 0.8
    place = rng.integers(0, 5, (50, 8, 1))
    action = rng.integers(0, 3, (50, 8, 1))
    next_place = np.clip(place + action - 1, 0, 4)
    reward = (next_place == 4) + 0.1 * (action == 1)
    config = QLearningConfig(learning_rate=0.5, gamma=gamma, obs_bins=5, obs_low=-0.5, obs_high=4.5)
    learner = QLearning(AgentSpec(1, 0, 1, SPACE, SPACE), config)
    batch = probes.make_batch(
        place[..., None], action, reward, last_obs=jnp.asarray(next_place[..., None])
    )
    state = learner.init(jax.random.key(0))
    update = jax.jit(learner.update)
    for _ in range(20):
        state, metrics = update(state, batch, jax.random.key(0))
    value = np.zeros(5)
    for _ in range(300):
        q_values = np.zeros((5, 3))
        for here, move in np.ndindex(5, 3):
            there = min(max(here + move - 1, 0), 4)
            q_values[here, move] = (there == 4) + 0.1 * (move == 1) + gamma * value[there]
        value = q_values.max(1)
    np.testing.assert_allclose(state.q_table[:, 0], q_values, atol=1e-4)
    assert metrics["value_error"] < 1e-4


def test_every_combination_of_bins_has_a_row_of_its_own():
    config = QLearningConfig(features=(0, 2), obs_bins=10)
    learner = QLearning(AgentSpec(3, 0, 1, SPACE, SPACE), config)
    assert learner.num_rows == 100
    points = itertools.product(np.linspace(-0.95, 0.95, 10), repeat=2)
    grid = np.array([[x, 0.3, y] for x, y in points])
    assert len(set(np.asarray(learner.row_index(jnp.asarray(grid))).tolist())) == 100
    outside = learner.row_index(jnp.array([[-9.0, 0.0, 9.0], [-1.0, 7.0, 1.0]]))
    assert outside[0] == outside[1] == 90


def test_hash_seldom_maps_two_combinations_to_one_row():
    learner = QLearning(AgentSpec(7, 0, 1, SPACE, SPACE), QLearningConfig(obs_bins=10))
    assert learner.num_rows == 2**14
    rng = np.random.default_rng(1)
    bins = np.unique(rng.integers(0, 10, (500, 7)), axis=0)
    rows = np.asarray(learner.row_index(jnp.asarray(bins / 5.0 - 0.9)))
    assert rows.min() >= 0 and rows.max() < 2**14
    # A uniform sample of 500 among 16384 has 7.6 pairs on average, and 20 with a probability
    # below 1e-4.
    assert len(bins) - len(set(rows.tolist())) < 20


def test_invalid_options_are_rejected():
    with pytest.raises(InputError, match="no critic"):
        QLearning(AgentSpec(2, 4, 2, SPACE, SPACE))
    with pytest.raises(InputError, match="there is no feature 2"):
        QLearning(AgentSpec(2, 0, 1, SPACE, SPACE), QLearningConfig(features=(0, 2)))
