"""Environments so small that the best reward is known: what every algorithm must solve (after A. L. Jones's probes)."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from prosumax.env import TimeStep


@dataclass(frozen=True)
class ProbeConfig:
    control: str = "dispatch"
    levels: int | None = 3
    steps: int = 1


class ProbeState(NamedTuple):
    seen: Array  # what homes see [home, 2]
    time: Array


@dataclass(frozen=True, eq=False)
class Probe:
    """Homes that are paid for their own action; everything that `CommunityEnv` has and learners use.

    kinds: `choose`: one level of three pays 1. `signal`: the level that the observation names pays 1. `delay`: two
    steps; the first step's level pays in the second. `number`: paid 1 less the squared distance to half the
    observation. `team`: all are paid alike, 1 if every home names the level that the next home sees.
    """

    kind: str
    config: ProbeConfig
    homes: int = 2
    observation_names: tuple = ("signal", "memory")
    params: None = None

    @property
    def num_agents(self):
        return self.homes

    def reset(self, key, params=None):
        choices = 3.0 if self.kind != "number" else 2.0
        draw = jnp.floor(jax.random.uniform(key, (self.homes,)) * choices) - 1.0
        seen = jnp.stack([draw, jnp.zeros(self.homes)], axis=1)
        if self.kind in {"choose", "delay"}:
            seen = jnp.zeros_like(seen)
        return seen, ProbeState(seen, jnp.int32(0))

    def action_mask(self, state, params=None):
        if self.config.levels is None:
            return jnp.ones((self.homes, 1), bool)
        return jnp.ones((self.homes, self.config.levels), bool)

    def step(self, key, state, action, params=None):
        signal, time = state.seen[:, 0], state.time + 1
        seen = state.seen
        if self.kind == "choose":
            reward = (action == 2).astype(jnp.float32)
        elif self.kind == "signal":
            reward = (action == signal + 1).astype(jnp.float32)
        elif self.kind == "team":
            right = (action == jnp.roll(signal, -1) + 1).all()
            reward = jnp.broadcast_to(right.astype(jnp.float32), (self.homes,))
        elif self.kind == "delay":
            remembered = jnp.where(state.time == 0, action - 1.0, seen[:, 1])
            seen = jnp.stack([jnp.ones(self.homes), remembered], axis=1)
            reward = jnp.where(state.time == 1, (state.seen[:, 1] == 1.0).astype(jnp.float32), 0.0)
        else:
            reward = 1.0 - (action[:, 0] - signal / 2) ** 2
        after = ProbeState(seen, time)
        over = time >= self.config.steps
        return TimeStep(seen, after, reward, jnp.broadcast_to(over, (self.homes,)), over, seen, {})


def probe(kind: str, homes: int = 2) -> Probe:
    """A probe; the best mean reward of a step is `best(kind)`."""
    steps = 2 if kind == "delay" else 1
    return Probe(kind, ProbeConfig(levels=None if kind == "number" else 3, steps=steps), homes)


def best(kind: str) -> float:
    """Mean reward of a step when every home does the best that can be done."""
    return 0.5 if kind == "delay" else 1.0
