"""Every algorithm solves environments whose best reward is known, in every paradigm."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

from prosumax import learning

# Test folders are no packages here.
_spec = importlib.util.spec_from_file_location("probes", Path(__file__).with_name("probes.py"))
probes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(probes)

FAST = {"learning_rate": 1e-2, "hidden": [16]}
ALGORITHMS = {
    # A narrow policy over numbers outruns its clip at larger steps: eight of them are taken per batch.
    "ppo": FAST | {"learning_rate": 3e-3, "critic_learning_rate": 1e-2, "minibatches": 2},
    "a2c": FAST | {"critic_learning_rate": 1e-2},
    "pg": FAST,
}


def trained(env, algorithm, paradigm, settings, iterations=150):
    game = learning.everyone(env, algorithm, paradigm, settings)
    trainer = learning.Trainer(game, environments=64, steps=env.config.steps)
    schedule = learning.constant([team.hp for team in game.teams])
    state = trainer.init(jax.random.key(0), schedule, env.params)
    return jax.jit(trainer.chunk, static_argnums=3)(state, schedule, env.params, iterations)


@pytest.mark.parametrize("kind", ["mixed", "number"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_algorithm_reaches_the_best_reward(algorithm, kind):
    env = probes.probe(kind)
    _, figures = trained(env, algorithm, "dtde", ALGORITHMS[algorithm])
    # Actions are drawn, so a little is always lost.
    assert (figures.reward[-10:].mean(0) > 0.93 * probes.best(kind)).all()


def test_a_recurrent_policy_remembers():
    env = probes.probe("recall")
    _, figures = trained(env, "ppo", "dtde", ALGORITHMS["ppo"] | {"recurrent": True, "hidden": [8]})
    assert np.mean(figures.reward[-10:]) > 0.93 * probes.best("recall")


@pytest.mark.parametrize("paradigm", ["dtde-shared", "ctde-shared"])
def test_ppo_learns_in_every_paradigm(paradigm):
    env = probes.probe("signal")
    _, figures = trained(env, "ppo", paradigm, ALGORITHMS["ppo"])
    assert np.mean(figures.reward[-10:]) > 0.93


def test_only_a_joint_agent_can_know_what_a_neighbour_sees():
    env = probes.probe("team")
    _, alone = trained(env, "ppo", "ctde", ALGORITHMS["ppo"])
    _, joint = trained(env, "ppo", "ctce", ALGORITHMS["ppo"])
    assert np.mean(joint.reward[-10:]) > 0.93
    assert np.mean(alone.reward[-10:]) < 0.4  # a guess is right in one of nine cases, or one of three if all alike
