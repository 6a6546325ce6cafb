"""A population trained on a scenario ends as a training run like any other."""

import os
import signal

import jax
import numpy as np
import pytest

from prosumax.errors import InputError
from prosumax.rl.training.policies import evaluate
from prosumax.rl.training.population import train_population
from prosumax.rl.training.training import resume


@pytest.mark.slow
def test_the_best_member_is_a_training_run(tiny, tmp_path):
    seen = []
    done = train_population(
        tiny, ["environment.episode_steps=4"], size=4,
        algorithm="ppo", paradigm="dtde-shared", settings={"hidden": [8], "minibatches": 1},
        iterations=6, generations=3, environments=4, out=tmp_path / "run",
        on_generation=lambda number, fitness: seen.append(number),
    )  # fmt: skip
    assert seen == [0, 1, 2]
    assert done.training.iteration == 6
    fitness = done.fitness[-1]
    assert fitness.shape == (4,) and fitness[done.best] == fitness.max()
    # One day for all purposes: the test days are the validation days.
    assert done.training.test["learned"]["reward"] == pytest.approx(fitness.max(), rel=1e-5)
    again = evaluate(tmp_path / "run")
    assert again.players["learned"]["cost"] == pytest.approx(
        done.training.test["learned"]["cost"], rel=1e-5
    )
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(done.training.learners))


def test_a_population_of_one_is_refused(tiny):
    with pytest.raises(InputError, match="at least 2"):
        train_population(tiny, ["environment.episode_steps=4"], size=1, iterations=1, generations=1)


@pytest.mark.slow
def test_a_population_on_ray_goes_on_where_it_was_interrupted(tiny, tmp_path):
    pytest.importorskip("ray")
    asked = {
        "size": 3, "algorithm": "ppo", "paradigm": "dtde-shared", "settings": {"hidden": [8], "minibatches": 1},
        "iterations": 6, "generations": 3, "environments": 4, "out": tmp_path / "run", "address": "local",
    }  # fmt: skip
    seen = []

    def stop(number, fitness):
        seen.append(number)
        if seen == [0]:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_population(tiny, ["environment.episode_steps=4"], **asked, on_generation=stop)
    with pytest.raises(InputError, match="same command"):
        resume(tmp_path / "run")
    done = train_population(tiny, ["environment.episode_steps=4"], **asked, on_generation=stop)
    assert seen[-1] == 2
    assert done.fitness.shape == (3, 3) and np.isfinite(done.fitness).all()
    assert done.fitness[-1, done.best] == done.fitness[-1].max()
    assert done.training.test["learned"]["reward"] == pytest.approx(
        done.fitness[-1].max(), rel=1e-5
    )
    # The first begins with what was given; a member that was replaced has another's numbers, changed a little.
    rates = done.factors["learning_rate"]
    assert rates[0, 0] == 1.0 and (rates > 0).all() and len(np.unique(rates[0])) == 3
    assert not (tmp_path / "run" / "ray").exists() and (tmp_path / "run" / "policies.npz").is_file()


def test_a_population_on_ray_needs_a_folder(tiny):
    with pytest.raises(InputError, match="needs a folder"):
        train_population(tiny, ["environment.episode_steps=4"], iterations=2, address="local")
