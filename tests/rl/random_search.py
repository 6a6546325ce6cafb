"""Random search, an algorithm as a third party would write it: one file that registers itself.

References:
    Mania et al. (2018), Simple random search provides a competitive approach to reinforcement
    learning, for linear policies.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from prosumax.rl.algorithms import Learner, algorithms, hyperparameters, keep_fields
from prosumax.rl.components import ActorOutput, distributions


@hyperparameters
class RandomSearchConfig:
    """Hyperparameters of random search."""

    noise_std: float = 0.1
    num_features: int = 1


class RandomSearchState(NamedTuple):
    """The best linear policy so far, the one that acts, and the best return."""

    best: Array
    candidate: Array
    best_return: Array


@algorithms.register("random-search", "Random search over linear policies.")
@dataclass(frozen=True)
class RandomSearch(Learner):
    """Perturb a linear policy, and keep the perturbation where the return rises."""

    config: RandomSearchConfig = RandomSearchConfig()

    def init(self, key):
        shape = (self.config.num_features, distributions.num_outputs(self.spec.action_space))
        weights = jax.random.normal(key, shape)
        return RandomSearchState(weights, weights + 0.0, jnp.float32(-jnp.inf))

    def act(self, state, obs, mask, hidden_state, noise):
        weights = state.best if noise is None else state.candidate
        out = obs[..., : self.config.num_features] @ weights
        action, _ = distributions.sample(out, mask, self.spec.action_space, None)
        return ActorOutput(action, {}, hidden_state)

    def inference_state(self, state):
        return keep_fields(state, "best")

    def update(self, state, batch, key):
        mean_return = batch.reward.mean()
        is_better = mean_return > state.best_return
        best = jnp.where(is_better, state.candidate, state.best)
        step = self.config.noise_std * jax.random.normal(key, best.shape)
        best_return = jnp.maximum(mean_return, state.best_return)
        return RandomSearchState(best, best + step, best_return), {"best_return": best_return}
