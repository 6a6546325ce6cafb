"""A population trained on a scenario ends as a training run of its best member."""

import os
import signal

import jax
import numpy as np
import pytest

from prosumax.errors import InputError
from prosumax.rl.training.policies import evaluate
from prosumax.rl.training.population import train_population
from prosumax.rl.training.training import resume

OVERRIDES = ["environment.episode_steps=4"]
SMALL = {
    "algorithm": "ppo",
    "paradigm": "dtde-shared",
    "settings": {"hidden_sizes": [8], "num_minibatches": 1},
    "iterations": 6,
    "generations": 3,
    "num_envs": 4,
}


@pytest.mark.slow
def test_the_best_member_is_a_training_run(tiny, tmp_path):
    generations = []
    result = train_population(
        tiny,
        OVERRIDES,
        size=4,
        out=tmp_path / "run",
        on_generation=lambda number, fitness: generations.append(number),
        **SMALL,
    )
    assert generations == [0, 1, 2]
    assert result.training.iteration == 6
    fitness = result.fitness[-1]
    assert fitness.shape == (4,) and fitness[result.best_member] == fitness.max()
    # The period has one day for all purposes, so the test days are the validation days.
    learned = result.training.test_metrics["learned"]
    assert learned["reward"] == pytest.approx(fitness.max(), rel=1e-5)
    evaluation = evaluate(tmp_path / "run")
    assert evaluation.metrics["learned"]["cost"] == pytest.approx(learned["cost"], rel=1e-5)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(result.training.learners))


def test_a_population_of_one_is_rejected(tiny):
    with pytest.raises(InputError, match="at least 2"):
        train_population(tiny, OVERRIDES, size=1, iterations=1, generations=1)


@pytest.mark.slow
def test_a_population_on_ray_resumes_after_an_interruption(tiny, tmp_path):
    pytest.importorskip("ray")
    options = SMALL | {"size": 3, "out": tmp_path / "run", "address": "local"}
    generations = []

    def interrupt_first(number, fitness):
        generations.append(number)
        if generations == [0]:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_population(tiny, OVERRIDES, **options, on_generation=interrupt_first)
    with pytest.raises(InputError, match="same command"):
        resume(tmp_path / "run")
    result = train_population(tiny, OVERRIDES, **options, on_generation=interrupt_first)
    assert generations[-1] == 2
    assert result.fitness.shape == (3, 3) and np.isfinite(result.fitness).all()
    assert result.fitness[-1, result.best_member] == result.fitness[-1].max()
    learned = result.training.test_metrics["learned"]
    assert learned["reward"] == pytest.approx(result.fitness[-1].max(), rel=1e-5)
    # The first member starts as given; one that was replaced has another's factors, perturbed.
    factors = result.factors["learning_rate"]
    assert factors[0, 0] == 1.0 and (factors > 0).all() and len(np.unique(factors[0])) == 3
    assert not (tmp_path / "run" / "ray").exists()
    assert (tmp_path / "run" / "policies.npz").is_file()


def test_a_population_on_ray_needs_a_folder(tiny):
    with pytest.raises(InputError, match="need a folder"):
        train_population(tiny, OVERRIDES, iterations=2, address="local")
