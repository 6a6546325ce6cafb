"""The algorithm of a third party is trained, evaluated, stored and exported as those that ship."""

import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.errors import InputError
from prosumax.rl.algorithms import algorithms
from prosumax.rl.training import evaluate, export_policy, load_policy
from tests.rl import probes


@pytest.fixture(autouse=True, scope="module")
def random_search():
    """Import the file of the algorithm, which registers it, and forget it after these tests."""
    from tests.rl import random_search  # noqa: F401

    yield
    del algorithms._entries["random-search"]


def test_a_new_algorithm_learns():
    settings = {"noise_std": 0.5, "num_features": 2}
    _, metrics = probes.train("number", "random-search", "dtde", settings, iterations=60)
    assert (metrics.groups[0]["best_return"][-1] > 0.99) and (np.diff(metrics.reward) != 0).any()


def test_a_new_algorithm_is_trained_evaluated_and_exported(tmp_path):
    assert prosumax.list_algorithms()["random-search"] == "Random search over linear policies."
    result = prosumax.train(
        "mahtm-train",
        algorithm="random-search",
        settings={"num_features": 2},
        anneal={"noise_std": 0.01},
        iterations=3,
        num_envs=2,
        out=tmp_path / "run",
        evaluation="none",
    )
    assert np.isfinite(result.curves["validation"]).all()
    metrics = evaluate(tmp_path / "run").metrics["learned"]
    assert np.isfinite(metrics["reward"]).all()
    home = result.config.scenario["homes"][0]["name"]
    policy = load_policy(export_policy(tmp_path / "run", home, tmp_path / "policy.json"))
    assert policy.config == {"noise_std": pytest.approx(0.1)}
    action, _ = policy.act(jnp.zeros(len(policy.observation_names)), policy.initial_state())
    assert action.continuous.shape[-1] + action.discrete.shape[-1] > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise_st": 1}, "Did you mean 'noise_std'"),
        ({"noise_std": "wide"}, "noise_std must be a valid number, got 'wide'. The default is 0.1"),
        ({"num_features": 0.5}, "num_features must be a valid integer"),
    ],
)
def test_settings_are_checked_against_the_hyperparameters(settings, message):
    with pytest.raises(InputError, match=message):
        prosumax.train("mahtm-train", algorithm="random-search", settings=settings)
