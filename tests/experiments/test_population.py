"""A population trained on a scenario ends as a training run like any other."""

import jax
import numpy as np
import pytest

from prosumax import experiments
from prosumax.errors import InputError


@pytest.mark.slow
def test_the_best_member_is_a_training_run(tiny, tmp_path):
    seen = []
    done = experiments.train_population(
        tiny, ["environment.episode_steps=4"], size=4,
        algorithm="ppo", paradigm="dtde-shared", settings={"hidden": [8], "minibatches": 1},
        iterations=6, generations=3, environments=4, out=tmp_path / "run",
        on_generation=lambda number, generation: seen.append(number),
    )  # fmt: skip
    assert seen == [0, 1, 2]
    assert done.training.iteration == 6
    fitness = done.history[-1].fitness
    assert fitness.shape == (4,) and fitness[done.best] == fitness.max()
    # One day for all purposes: the test days are the validation days.
    assert done.training.test["learned"]["reward"] == pytest.approx(fitness.max(), rel=1e-5)
    again = experiments.evaluate(tmp_path / "run")
    assert again.players["learned"]["cost"] == pytest.approx(done.training.test["learned"]["cost"], rel=1e-5)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(done.training.learners))


def test_a_population_of_one_is_refused(tiny):
    with pytest.raises(InputError, match="at least 2"):
        experiments.train_population(tiny, ["environment.episode_steps=4"], size=1, iterations=1, generations=1)
