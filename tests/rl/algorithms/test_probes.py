"""On-policy algorithms solve probes whose best reward is known, in every paradigm."""

import numpy as np
import pytest

from tests.rl import probes

FAST = {"learning_rate": 1e-2, "hidden_sizes": [16]}
ALGORITHMS = {
    # A narrow continuous policy leaves its clipping range at larger steps: a batch has eight.
    "ppo": FAST | {"learning_rate": 3e-3, "critic_learning_rate": 1e-2, "num_minibatches": 2},
    "a2c": FAST | {"critic_learning_rate": 1e-2},
    "reinforce": FAST,
}


@pytest.mark.parametrize("kind", ["mixed", "number"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_algorithm_reaches_the_best_reward_of_every_home(algorithm, kind):
    _, metrics = probes.train(kind, algorithm, "dtde", ALGORITHMS[algorithm])
    # Actions are sampled, so a small part of the reward is always lost.
    assert (metrics.reward[-10:].mean(0) > 0.93 * probes.best_reward(kind)).all()


def test_recurrent_policy_remembers():
    settings = ALGORITHMS["ppo"] | {"recurrent": True, "hidden_sizes": [8]}
    assert probes.solves("recall", "ppo", "dtde", settings)


@pytest.mark.parametrize("paradigm", ["dtde-shared", "ctde-shared"])
def test_ppo_learns_with_shared_parameters(paradigm):
    assert probes.solves("signal", "ppo", paradigm, ALGORITHMS["ppo"])


def test_only_a_joint_agent_learns_from_the_observation_of_a_neighbor():
    _, separate = probes.train("team", "ppo", "ctde", ALGORITHMS["ppo"])
    _, joint = probes.train("team", "ppo", "ctce", ALGORITHMS["ppo"])
    assert np.mean(joint.reward[-10:]) > 0.93
    # A guess is right in one of nine cases, or in one of three if both homes choose alike.
    assert np.mean(separate.reward[-10:]) < 0.4
