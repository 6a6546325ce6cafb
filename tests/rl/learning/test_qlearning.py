"""Tabular Q-learning: its table against value iteration, probes against their best reward."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.errors import InputError
from prosumax.rl.algorithms.q_learning import Hyper, QLearning
from prosumax.rl.components.spaces import Space
from prosumax.rl.components.types import Spec

SPACE = Space(0, 1, 3)


@pytest.mark.parametrize(
    ("kind", "paradigm"),
    [
        ("delay", "dtde"),
        ("team", "ctce"),
        pytest.param("masked", "dtde-shared", marks=pytest.mark.slow),
        pytest.param("number", "dtde", marks=pytest.mark.slow),
    ],
)
def test_it_reaches_the_best_reward(probes, kind, paradigm):
    # Hopeful first values: only both homes right at once pay, which they would seldom try otherwise.
    settings = {"epsilon": 0.02, "first": 1.0} | ({"bins": 5} if kind == "number" else {})
    assert probes.reaches_the_best(kind, "qlearning", paradigm, settings)


def test_the_table_is_that_of_value_iteration(probes):
    # Five places in a row; options go left, stay, go right; being at the right end pays 1, staying anywhere 0.1.
    # Each step of a batch is any place with any option, so all are seen equally often.
    rng, discount = np.random.default_rng(0), 0.8
    place, option = rng.integers(0, 5, (50, 8, 1)), rng.integers(0, 3, (50, 8, 1))
    later = np.clip(place + option - 1, 0, 4)
    reward = (later == 4) + 0.1 * (option == 1)
    learner = QLearning(Spec(1, 0, 1, SPACE, SPACE), cells=5, lowest=-0.5, highest=4.5)
    batch = probes.batch(place[..., None], option, reward, last_obs=jnp.asarray(later[..., None]))
    hp = Hyper(learning_rate=0.5, discount=discount)
    state, update = learner.init(jax.random.key(0), hp), jax.jit(learner.update)
    for _ in range(20):
        state, figures = update(state, batch, hp, jax.random.key(0))
    value = np.zeros(5)
    for _ in range(300):
        best = np.zeros((5, 3))
        for here, way in np.ndindex(5, 3):
            there = min(max(here + way - 1, 0), 4)
            best[here, way] = (there == 4) + 0.1 * (way == 1) + discount * value[there]
        value = best.max(1)
    np.testing.assert_allclose(state.table[:, 0], best, atol=1e-4)
    assert figures["value_error"] < 1e-4


def test_every_cell_has_its_row():
    learner = QLearning(Spec(3, 0, 1, SPACE, SPACE), features=(0, 2), cells=10)
    assert learner.size == 100
    grid = np.array(
        [[x, 0.3, y] for x, y in itertools.product(np.linspace(-0.95, 0.95, 10), repeat=2)]
    )
    assert len(set(np.asarray(learner.row(jnp.asarray(grid))).tolist())) == 100
    beyond = learner.row(jnp.array([[-9.0, 0.0, 9.0], [-1.0, 7.0, 1.0]]))
    assert beyond[0] == beyond[1] == 90


def test_a_hash_seldom_puts_two_cells_in_one_row():
    learner = QLearning(Spec(7, 0, 1, SPACE, SPACE), cells=10)
    assert learner.size == 2**14
    rng = np.random.default_rng(1)
    cells = np.unique(rng.integers(0, 10, (500, 7)), axis=0)
    rows = np.asarray(learner.row(jnp.asarray(cells / 5.0 - 0.9)))
    assert rows.min() >= 0 and rows.max() < 2**14
    # An even draw of 500 among 16384 has 7.6 pairs on average, and 20 with a probability below 1e-4.
    assert len(cells) - len(set(rows.tolist())) < 20


def test_what_makes_no_sense_is_refused():
    with pytest.raises(InputError, match="table has none"):
        QLearning(Spec(2, 4, 2, SPACE, SPACE))
    with pytest.raises(InputError, match="there is no 2"):
        QLearning(Spec(2, 0, 1, SPACE, SPACE), features=(0, 2))
