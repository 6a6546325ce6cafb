"""Population-based training: selection, perturbation, and its effect on learning."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.errors import InputError
from prosumax.rl.algorithms.base import tunable_names
from prosumax.rl.algorithms.ppo import PPOConfig
from prosumax.rl.engine import pbt
from prosumax.rl.engine.multi_agent import make_homogeneous_setup
from prosumax.rl.engine.trainer import LinearSchedule, Trainer, TrainState, constant_schedule
from tests.rl import probes

PBT_CONFIG = pbt.make_pbt_config([PPOConfig()])
evolve = jax.jit(pbt.evolve, static_argnums=3)


def make_population(size, **hyperparameters):
    """Return members with recognizable weights in place of learners."""
    config = PPOConfig(**hyperparameters)
    arrays = {name: jnp.full(size, getattr(config, name)) for name in tunable_names(config)}
    configs = (replace(config, **arrays),)
    weights = {"w": jnp.arange(3.0 * size).reshape(size, 3)}
    keys = jax.random.split(jax.random.key(0), size)
    state = TrainState((weights,), (), keys, jnp.zeros(size))
    return pbt.Population(state, LinearSchedule(configs, configs, jnp.ones(size)))


def test_the_worst_members_become_perturbed_copies_of_the_best():
    before = make_population(8)
    # The best are 1 and 6, the worst 4 and 2.
    fitness = jnp.array([3.0, 7.0, 1.0, 5.0, jnp.nan, 4.0, 6.0, 2.0])
    after, parent = evolve(jax.random.key(1), before, fitness, PBT_CONFIG)
    parent = np.asarray(parent)
    assert set(parent[[2, 4]]) <= {1, 6}
    kept = [0, 1, 3, 5, 6, 7]
    assert (parent[kept] == kept).all()
    for old, new in zip(
        jax.tree.leaves(before.state.learner_states),
        jax.tree.leaves(after.state.learner_states),
        strict=True,
    ):
        np.testing.assert_array_equal(new, np.asarray(old)[parent])
    for name in ("learning_rate", "critic_learning_rate", "ent_coef"):
        for end in ("initial", "final"):
            old, new = (
                np.asarray(getattr(getattr(population.schedule, end)[0], name))
                for population in (before, after)
            )
            np.testing.assert_array_equal(new[kept], old[kept])
            ratio = new[[2, 4]] / old[parent[[2, 4]]]
            assert all(min(abs(r - 0.8), abs(r - 1.25)) < 1e-5 for r in ratio)
    np.testing.assert_array_equal(after.schedule.initial[0].gamma, before.schedule.initial[0].gamma)


def test_all_members_get_new_and_distinct_keys():
    before = make_population(8)
    after, _ = evolve(jax.random.key(1), before, jnp.arange(8.0), PBT_CONFIG)
    keys = [np.asarray(jax.random.key_data(each.state.key)) for each in (before, after)]
    assert len(np.unique(np.concatenate(keys), axis=0)) == 16


def test_no_member_copies_an_equal_one():
    _, parent = evolve(jax.random.key(1), make_population(8), jnp.zeros(8), PBT_CONFIG)
    np.testing.assert_array_equal(parent, np.arange(8))


def test_discount_factors_are_perturbed_by_their_horizon():
    before = make_population(8, gamma=0.99)
    config = pbt.make_pbt_config(before.schedule.initial, ["gamma"])
    after, parent = evolve(jax.random.key(1), before, jnp.arange(8.0), config)
    gamma = np.asarray(after.schedule.initial[0].gamma)
    # A horizon of 100 steps becomes one of 80 or 125.
    for member in np.flatnonzero(np.asarray(parent) != np.arange(8)):
        horizon = 1 / (1 - gamma[member])
        assert min(abs(horizon - 80), abs(horizon - 125)) < 0.1
    assert (gamma[2:] == np.float32(0.99)).all()


@pytest.mark.slow
def test_evolution_finds_a_learning_rate_that_learns():
    # At the given rate the weights move by less than 0.005 in 480 steps of Adam.
    given = 1e-5
    env = probes.make_probe("number")
    settings = {
        "hidden_sizes": [16],
        "num_minibatches": 1,
        "update_epochs": 8,
        "learning_rate": given,
        "critic_learning_rate": 1e-2,
    }
    agents = make_homogeneous_setup(env, "ppo", "dtde-shared", settings)
    trainer = Trainer(agents, num_envs=64, num_steps=1)
    schedule = constant_schedule([group.config for group in agents.groups])
    config = pbt.make_pbt_config(schedule.initial, ["learning_rate"], initial_spread=1000.0)
    numbers = []
    result = pbt.run_pbt(
        trainer,
        schedule,
        None,
        jax.random.key(0),
        size=8,
        generations=6,
        iterations=10,
        config=config,
        on_generation=lambda number, generation: numbers.append(number),
    )
    assert numbers == list(range(6))
    rates = result.history[0].configs[0].learning_rate
    assert rates[0] == pytest.approx(given)
    assert len(np.unique(rates)) == 8
    assert (np.abs(np.log(rates / given)) <= np.log(1001)).all()
    regret = [probes.best_reward("number") - generation.fitness for generation in result.history]
    assert np.median(regret[0]) > 0.05  # That of an untrained policy is 0.125.
    assert np.median(regret[-1]) < 0.001
    assert np.median(result.history[-1].configs[0].learning_rate) > 30 * given
    best = pbt.select_member(result.population, result.best_member)
    assert int(best.state.iteration) == 6 * 10
    assert regret[-1][result.best_member] == regret[-1].min()


def test_a_population_of_one_and_unknown_hyperparameters_are_rejected():
    with pytest.raises(InputError, match="at least 2"):
        pbt.init_population(None, jax.random.key(0), None, None, 1, PBT_CONFIG)
    with pytest.raises(InputError, match="learning_rate"):
        pbt.make_pbt_config([PPOConfig()], ["learning_rat"])
