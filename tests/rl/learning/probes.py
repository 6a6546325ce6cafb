"""Environments so small that the best reward is known: what every algorithm must solve (after A. L. Jones's probes)."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from prosumax.rl.actions import BidMask
from prosumax.rl.components.spaces import Action, Mask
from prosumax.rl.components.types import Batch
from prosumax.rl.engine.multi_agent import everyone
from prosumax.rl.engine.trainer import Trainer, constant
from prosumax.rl.types import TimeStep


@dataclass(frozen=True)
class ProbeConfig:
    control: str = "dispatch"
    levels: int | None = 3
    steps: int = 1
    slots: tuple[str, ...] = ("battery",)
    price_agents: tuple[str, ...] = ()


class ProbeState(NamedTuple):
    seen: Array  # what homes see [home, 2]
    time: Array
    hidden: Array  # what the first step showed [home]


@dataclass(frozen=True, eq=False)
class Probe:
    """Homes that are paid for their own action; everything that `CommunityEnv` has and learners use.

    kinds: `choose`: one level of three pays 1. `signal`: the level that the observation names pays 1. `delay`: two
    steps; the first step's level pays in the second. `recall`: the second step pays what the first one showed.
    `mixed`: three homes, one of each of the first three kinds. `number`: paid 1 less the squared distance to half the
    observation. `team`: all are paid alike, 1 if every home names the level that the next home sees. `share`: all are
    paid the mean of what `signal` pays. `masked`: the highest level pays 1 and the middle one 0.5, and the highest is
    masked and costs 100 where the observation is 1. `bid`: half for the side that the observation names, half less for
    the price's squared distance from what suits that side.
    """

    kind: str
    config: ProbeConfig
    homes: int = 2
    observation_names: tuple = ("signal", "memory")
    params: None = None

    @property
    def num_agents(self):
        return self.homes

    @property
    def num_homes(self):
        return self.homes

    def reset(self, key, params=None):
        choices = 2.0 if self.kind in {"number", "bid"} else 3.0
        draw = jnp.floor(jax.random.uniform(key, (self.homes,)) * choices) - 1.0
        seen = jnp.stack([draw, jnp.zeros(self.homes)], axis=1)
        if self.kind in {"choose", "delay"}:
            seen = jnp.zeros_like(seen)
        if self.kind == "mixed":
            seen = seen.at[jnp.array([0, 2])].set(0.0)
        return seen, ProbeState(seen, jnp.int32(0), seen[:, 0])

    def action_mask(self, state, params=None):
        if self.kind == "bid":
            return BidMask(
                jnp.ones((self.homes, 2), bool), ~jnp.eye(self.homes, self.homes + 2, dtype=bool)
            )
        if self.config.levels is None:
            return jnp.ones((self.homes, 1), bool)
        every = jnp.ones((self.homes, self.config.levels), bool)
        return every.at[:, 2].set(state.seen[:, 0] < 1) if self.kind == "masked" else every

    def step(self, key, state, action, params=None):
        signal, time = state.seen[:, 0], state.time + 1
        seen = state.seen
        if self.kind == "choose":
            reward = (action == 2).astype(jnp.float32)
        elif self.kind == "signal":
            reward = (action == signal + 1).astype(jnp.float32)
        elif self.kind == "share":
            reward = jnp.broadcast_to((action == signal + 1).mean(), (self.homes,))
        elif self.kind == "masked":
            reward = jnp.where((action == 2) & (signal == 1), -100.0, action / 2)
        elif self.kind == "bid":
            right = jnp.where(signal == 0, 0.75, 0.25)
            reward = 0.5 * (action.side == signal + 1) + 0.5 - 2.0 * (action.price - right) ** 2
        elif self.kind == "team":
            right = (action == jnp.roll(signal, -1) + 1).all()
            reward = jnp.broadcast_to(right.astype(jnp.float32), (self.homes,))
        elif self.kind == "delay":
            remembered = jnp.where(state.time == 0, action - 1.0, seen[:, 1])
            seen = jnp.stack([jnp.ones(self.homes), remembered], axis=1)
            reward = jnp.where(state.time == 1, (state.seen[:, 1] == 1.0).astype(jnp.float32), 0.0)
        elif self.kind == "recall":
            reward = jnp.where(
                state.time == 1, (action == state.hidden + 1).astype(jnp.float32), 0.0
            )
            seen = jnp.zeros_like(seen)
        elif self.kind == "mixed":
            choose, delay = signal.at[0].set(1.0)[:2], seen[2, 1]
            remembered = seen.at[2, 1].set(jnp.where(state.time == 0, action[2] - 1.0, delay))
            seen = remembered.at[2, 0].set(1.0)
            late = jnp.where(state.time == 1, (delay == 1.0).astype(jnp.float32), 0.0)
            reward = jnp.append((action[:2] == choose + 1).astype(jnp.float32), late)
        else:
            reward = 1.0 - (action[:, 0] - signal / 2) ** 2
        after = ProbeState(seen, time, state.hidden)
        over = time >= self.config.steps
        return TimeStep(seen, after, reward, jnp.broadcast_to(over, (self.homes,)), over, seen, {})


def probe(kind: str, homes: int = 2) -> Probe:
    """A probe; the best mean reward of a step is `best(kind)`."""
    steps = 2 if kind in {"delay", "mixed", "recall"} else 1
    homes = 3 if kind == "mixed" else homes
    control, levels = (
        "bid" if kind == "bid" else "dispatch",
        None if kind in {"number", "bid"} else 3,
    )
    return Probe(kind, ProbeConfig(control, levels, steps), homes)


def best(kind: str) -> float | np.ndarray:
    """Mean reward of a step, when every home does the best that can be done; of each home where they differ."""
    if kind == "mixed":
        return np.array([1.0, 1.0, 0.5])
    return {"delay": 0.5, "recall": 0.5, "masked": 2.5 / 3}.get(kind, 1.0)


def trained(kind: str, algorithm: str, paradigm: str, settings: dict, iterations: int = 150):
    """Mean reward of every iteration, of homes that learned a probe twice from the same seed; both must be the same."""
    env = probe(kind)
    game = everyone(env, algorithm, paradigm, settings)
    trainer = Trainer(game, environments=64, steps=env.config.steps)
    schedule = constant([team.hp for team in game.teams])

    @jax.jit
    def train(key):
        return trainer.chunk(trainer.init(key, schedule, None), schedule, None, iterations)

    state, figures = train(jax.random.key(0))
    again, _ = train(jax.random.key(0))
    for one, other in zip(
        jax.tree.leaves(state.learners), jax.tree.leaves(again.learners), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    return np.asarray(figures.reward).mean(-1)


def reaches_the_best(
    kind: str, algorithm: str, paradigm: str, settings: dict, iterations: int = 150
) -> bool:
    """Whether homes learn a probe but for a little: they still try things in the end."""
    reward = trained(kind, algorithm, paradigm, settings, iterations)
    return bool(reward[-10:].mean() > 0.93 * best(kind))


def batch(obs, choices, reward, **parts) -> Batch:
    """A batch of steps of agents with one choice, with every part that is not given left plain.

    Arguments:
        obs: [time, env, member, feature].
        choices: [time, env, member].
        reward: the same.
        parts: others; `options` is how many each choice has.
    """
    shape, options = reward.shape, parts.pop("options", 3)
    mask = Mask(jnp.ones((*shape, 0), bool), jnp.ones((*shape, 1, options), bool))
    nothing = jnp.zeros((*shape[:2], 0))
    plain = Batch(
        obs=jnp.asarray(obs),
        last_obs=jnp.asarray(obs)[-1:],
        mask=mask,
        last_mask=jax.tree.map(lambda leaf: leaf[-1:], mask),
        action=Action(jnp.zeros((*shape, 0)), jnp.asarray(choices)[..., None]),
        notes={},
        reward=jnp.asarray(reward),
        terminated=jnp.zeros(shape, bool),
        weight=jnp.ones(shape),
        memory=jnp.zeros((*shape[1:], 0)),
        home=jnp.arange(shape[2]),
        begins=jnp.zeros(shape[:2], bool),
        done=jnp.zeros(shape[:2], bool),
        everyone=nothing,
        last_everyone=nothing[-1:],
        joint=Action(jnp.zeros((*shape[:2], 0, 0)), jnp.zeros((*shape[:2], 0, 1), jnp.int32)),
    )
    return plain._replace(**parts)
