"""Population-based training: who copies whom, what changes, and that it helps."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax import learning
from prosumax.errors import InputError
from prosumax.learning import pbt, policy_gradient

_spec = importlib.util.spec_from_file_location("probes", Path(__file__).with_name("probes.py"))
probes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(probes)


def population_of(size, **first):
    """Members whose learners are numbers, so that one sees who is whose copy."""
    hp = policy_gradient.Hyper(**first)._asdict()
    hps = (policy_gradient.Hyper(**{name: jnp.full(size, value) for name, value in hp.items()}),)
    weights = {"w": jnp.arange(3.0 * size).reshape(size, 3)}
    state = learning.TrainState(
        (weights,),
        (),
        jax.random.split(jax.random.key(0), size),
        jnp.zeros(size),
    )
    return pbt.Population(state, learning.Schedule(hps, hps, jnp.ones(size)))


evolve = jax.jit(pbt.evolve, static_argnums=3)
EVOLVING = pbt.evolution([policy_gradient.Hyper()])


def test_the_worst_become_changed_copies_of_the_best():
    before = population_of(8)
    worth = jnp.array([3.0, 7.0, 1.0, 5.0, jnp.nan, 4.0, 6.0, 2.0])  # best: 1 and 6; worst: 4 and 2
    after, source = evolve(jax.random.key(1), before, worth, EVOLVING)
    source = np.asarray(source)
    assert set(source[[2, 4]]) <= {1, 6}
    kept = [0, 1, 3, 5, 6, 7]
    assert (source[kept] == kept).all()
    for old, new in zip(jax.tree.leaves(before.state.learners), jax.tree.leaves(after.state.learners), strict=True):
        np.testing.assert_array_equal(new, np.asarray(old)[source])
    for name in ("learning_rate", "critic_learning_rate", "entropy"):
        for end in ("first", "last"):
            old, new = (np.asarray(getattr(getattr(x.schedule, end)[0], name)) for x in (before, after))
            np.testing.assert_array_equal(new[kept], old[kept])
            ratio = new[[2, 4]] / old[source[[2, 4]]]
            assert all(min(abs(r - 0.8), abs(r - 1.25)) < 1e-5 for r in ratio)
    np.testing.assert_array_equal(after.schedule.first[0].discount, before.schedule.first[0].discount)


def test_no_two_members_share_a_key_and_all_keys_are_new():
    before = population_of(8)
    after, _ = evolve(jax.random.key(1), before, jnp.arange(8.0), EVOLVING)
    old, new = (np.asarray(jax.random.key_data(x.state.key)) for x in (before, after))
    assert len(np.unique(np.concatenate([old, new]), axis=0)) == 16


def test_nobody_copies_an_equal():
    _, source = evolve(jax.random.key(1), population_of(8), jnp.zeros(8), EVOLVING)
    np.testing.assert_array_equal(source, np.arange(8))


def test_what_is_near_one_stays_below_it():
    before = population_of(8, discount=0.99)
    evolving = pbt.evolution(before.schedule.first, ["discount"])
    after, source = evolve(jax.random.key(1), before, jnp.arange(8.0), evolving)
    discount = np.asarray(after.schedule.first[0].discount)
    # A horizon of 100 steps becomes one of 80 or 125.
    for at in np.flatnonzero(np.asarray(source) != np.arange(8)):
        assert min(abs(1 / (1 - discount[at]) - horizon) for horizon in (80, 125)) < 0.1
    assert (discount[2:] == np.float32(0.99)).all()


def test_evolution_finds_a_rate_at_which_something_is_learnt():
    # At the rate that is given the weights move by less than 0.005 in 480 steps of Adam, and nothing is learnt.
    given = 1e-5
    env = probes.probe("number")
    settings = {"hidden": [16], "minibatches": 1, "epochs": 8, "learning_rate": given, "critic_learning_rate": 1e-2}
    game = learning.everyone(env, "ppo", "dtde-shared", settings)
    trainer = learning.Trainer(game, environments=64, steps=1)
    schedule = learning.constant([team.hp for team in game.teams])
    evolving = pbt.evolution(schedule.first, ["learning_rate"], spread=1000.0)
    seen = []
    done = pbt.evolve_population(
        trainer, schedule, None, jax.random.key(0), size=8, generations=6, iterations=10, evolving=evolving,
        on_generation=lambda number, generation: seen.append(number),
    )  # fmt: skip
    assert seen == list(range(6))
    rates = done.history[0].hps[0].learning_rate
    assert rates[0] == pytest.approx(given)
    assert len(np.unique(rates)) == 8
    assert (np.abs(np.log(rates / given)) <= np.log(1001)).all()
    missed = [probes.best("number") - generation.fitness for generation in done.history]
    assert np.median(missed[0]) > 0.05  # doing nothing misses 0.125
    assert np.median(missed[-1]) < 0.001
    assert np.median(done.history[-1].hps[0].learning_rate) > 30 * given
    best = pbt.member(done.population, done.best)
    assert int(best.state.iteration) == 6 * 10
    assert missed[-1][done.best] == missed[-1].min()


def test_a_population_needs_two_and_known_names():
    with pytest.raises(InputError, match="at least 2"):
        pbt.begin(None, jax.random.key(0), None, None, 1, EVOLVING)
    with pytest.raises(InputError, match="learning_rate"):
        pbt.evolution([policy_gradient.Hyper()], ["learning_rat"])
