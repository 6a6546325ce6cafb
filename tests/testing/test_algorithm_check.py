"""`check_algorithm` accepts the algorithms that ship and names what is wrong with broken ones."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import pytest

from prosumax.errors import InputError
from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.algorithms.reinforce import REINFORCE
from prosumax.testing import CheckError, check_algorithm

pytestmark = pytest.mark.slow  # Every training compiles for some seconds.


@pytest.mark.parametrize("discrete", [False, True], ids=["continuous", "discrete"])
@pytest.mark.parametrize("name", list(algorithms))
def test_algorithms_that_ship_pass(name, discrete):
    learner = algorithms.get(name, "algorithm")
    paradigm = "ctde" if learner.centralized_critic == "required" else "dtde"
    assert check_algorithm(name, paradigm=paradigm, discrete=discrete) is None


@dataclass(frozen=True)
class Diverging(REINFORCE):
    def update(self, state, batch, key):
        state, metrics = super().update(state, batch, key)
        return state._replace(actor=jax.tree.map(lambda leaf: leaf / 0, state.actor)), metrics


@dataclass(frozen=True)
class Unseeded(REINFORCE):
    def init(self, key):
        return super().init(jax.random.key(0))

    def update(self, state, batch, key):
        return state, {"entropy": jnp.float32(0.0)}


@dataclass(frozen=True)
class Branching(REINFORCE):
    def update(self, state, batch, key):
        if batch.reward.sum() > 0:
            return state, {"entropy": jnp.float32(0.0)}
        return super().update(state, batch, key)


@pytest.mark.parametrize(
    ("learner", "message"),
    [
        (Diverging, "the metric 'reward' is nan at evaluation 1. Clip gradients"),
        (Unseeded, "two seeds give the same state. Draw initial parameters from the key"),
        (Branching, "it cannot be trained: TracerBoolConversionError"),
    ],
)
def test_a_broken_algorithm_fails_with_what_is_wrong(learner, message, monkeypatch):
    monkeypatch.setattr(algorithms, "_entries", algorithms.entries())
    algorithms.register("broken", "Broken algorithm of the tests.")(learner)
    with pytest.raises(CheckError, match=message):
        check_algorithm("broken")


def test_an_unknown_name_is_reported():
    with pytest.raises(InputError, match="there is no algorithm 'pppo'"):
        check_algorithm("pppo")
