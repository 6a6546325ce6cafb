"""Probe environments whose best reward is known, which every algorithm must solve.

References:
    A. L. Jones (2021), Debugging RL, without the agonizing pain, for the idea of probes.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from prosumax.rl.actions import BidMask
from prosumax.rl.components.spaces import Action, ActionMask
from prosumax.rl.components.types import Batch
from prosumax.rl.engine.multi_agent import make_homogeneous_setup
from prosumax.rl.engine.trainer import Trainer, TrainMetrics, TrainState, constant_schedule
from prosumax.rl.types import TimeStep


@dataclass(frozen=True)
class ProbeConfig:
    """The part of `EnvConfig` that learners read."""

    action_mode: str = "dispatch"
    power_levels: int | None = 3
    episode_steps: int = 1
    action_slots: tuple[str, ...] = ("battery",)
    price_agents: tuple[str, ...] = ()


class ProbeState(NamedTuple):
    """State of a probe.

    Attributes:
        obs: Observations [home, 2].
        time: Steps of the episode so far.
        first_signal: Signal of the first observation [home].
    """

    obs: Array
    time: Array
    first_signal: Array


@dataclass(frozen=True, eq=False)
class Probe:
    """An environment with all attributes of `CommunityEnv` that learners use.

    Kinds:
        `choose`: one level of three pays 1.
        `signal`: the level that the observation names pays 1.
        `delay`: of two steps; the first step's level pays in the second.
        `recall`: of two steps; the second one pays for the level that the first observation named.
        `mixed`: three homes, one each of `choose`, `signal` and `delay`.
        `number`: pays 1 less the squared distance to half the observation.
        `team`: pays all homes 1 if every home names the level that the next home observes.
        `share`: pays all homes the mean of what `signal` pays.
        `masked`: the highest level pays 1 and the middle one 0.5; the highest one is masked and
            costs 100 where the observation is 1.
        `bid`: pays 0.5 for the side that the observation names, and 0.5 less the price's squared
            distance from the best one of that side.
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
        num_signals = 2.0 if self.kind in {"number", "bid"} else 3.0
        signal = jnp.floor(jax.random.uniform(key, (self.homes,)) * num_signals) - 1.0
        obs = jnp.stack([signal, jnp.zeros(self.homes)], axis=1)
        if self.kind in {"choose", "delay"}:
            obs = jnp.zeros_like(obs)
        if self.kind == "mixed":
            obs = obs.at[jnp.array([0, 2])].set(0.0)
        return obs, ProbeState(obs, jnp.int32(0), obs[:, 0])

    def action_mask(self, state, params=None):
        if self.kind == "bid":
            partner = ~jnp.eye(self.homes, self.homes + 2, dtype=bool)
            return BidMask(jnp.ones((self.homes, 2), bool), partner)
        if self.config.power_levels is None:
            return jnp.ones((self.homes, 1), bool)
        mask = jnp.ones((self.homes, self.config.power_levels), bool)
        if self.kind == "masked":
            return mask.at[:, 2].set(state.obs[:, 0] < 1)
        return mask

    def step(self, key, state, action, params=None):
        signal = state.obs[:, 0]
        time = state.time + 1
        is_second = state.time == 1
        obs = state.obs
        if self.kind == "choose":
            reward = (action == 2).astype(jnp.float32)
        elif self.kind == "signal":
            reward = (action == signal + 1).astype(jnp.float32)
        elif self.kind == "share":
            reward = jnp.broadcast_to((action == signal + 1).mean(), (self.homes,))
        elif self.kind == "masked":
            reward = jnp.where((action == 2) & (signal == 1), -100.0, action / 2)
        elif self.kind == "bid":
            best_price = jnp.where(signal == 0, 0.75, 0.25)
            side = 0.5 * (action.side == signal + 1)
            reward = side + 0.5 - 2.0 * (action.price - best_price) ** 2
        elif self.kind == "team":
            all_right = (action == jnp.roll(signal, -1) + 1).all()
            reward = jnp.broadcast_to(all_right.astype(jnp.float32), (self.homes,))
        elif self.kind == "delay":
            memory = jnp.where(state.time == 0, action - 1.0, obs[:, 1])
            reward = jnp.where(is_second, (obs[:, 1] == 1.0).astype(jnp.float32), 0.0)
            obs = jnp.stack([jnp.ones(self.homes), memory], axis=1)
        elif self.kind == "recall":
            is_right = (action == state.first_signal + 1).astype(jnp.float32)
            reward = jnp.where(is_second, is_right, 0.0)
            obs = jnp.zeros_like(obs)
        elif self.kind == "mixed":
            goal = signal.at[0].set(1.0)[:2]
            memory = obs[2, 1]
            delayed = jnp.where(is_second, (memory == 1.0).astype(jnp.float32), 0.0)
            reward = jnp.append((action[:2] == goal + 1).astype(jnp.float32), delayed)
            obs = obs.at[2, 1].set(jnp.where(state.time == 0, action[2] - 1.0, memory))
            obs = obs.at[2, 0].set(1.0)
        else:
            reward = 1.0 - (action[:, 0] - signal / 2) ** 2
        next_state = ProbeState(obs, time, state.first_signal)
        done = time >= self.config.episode_steps
        terminated = jnp.broadcast_to(done, (self.homes,))
        return TimeStep(obs, next_state, reward, terminated, done, obs, {})


def make_probe(kind: str, homes: int = 2) -> Probe:
    """Return a probe, whose best mean reward per step is `best_reward(kind)`."""
    config = ProbeConfig(
        action_mode="bid" if kind == "bid" else "dispatch",
        power_levels=None if kind in {"number", "bid"} else 3,
        episode_steps=2 if kind in {"delay", "mixed", "recall"} else 1,
    )
    return Probe(kind, config, 3 if kind == "mixed" else homes)


def best_reward(kind: str) -> float | np.ndarray:
    """Return the mean reward per step of the best policy; of each home where they differ."""
    if kind == "mixed":
        return np.array([1.0, 1.0, 0.5])
    return {"delay": 0.5, "recall": 0.5, "masked": 2.5 / 3}.get(kind, 1.0)


def train(
    kind: str, algorithm: str, paradigm: str, settings: dict, iterations: int = 150
) -> tuple[TrainState, TrainMetrics]:
    """Train all homes of a probe twice from the same seed, and check that both runs are equal."""
    env = make_probe(kind)
    agents = make_homogeneous_setup(env, algorithm, paradigm, settings)
    trainer = Trainer(agents, num_envs=64, num_steps=env.config.episode_steps)
    schedule = constant_schedule([group.config for group in agents.groups])

    @jax.jit
    def run(key):
        state = trainer.init(key, schedule, env.params)
        return trainer.train_iterations(state, schedule, env.params, iterations)

    state, metrics = run(jax.random.key(0))
    repeated, _ = run(jax.random.key(0))
    jax.tree.map(np.testing.assert_array_equal, state.learner_states, repeated.learner_states)
    return state, metrics


def solves(kind: str, algorithm: str, paradigm: str, settings: dict, iterations: int = 150) -> bool:
    """Return whether homes reach the best reward of a probe, but for a rest of exploration."""
    _, metrics = train(kind, algorithm, paradigm, settings, iterations)
    return bool(np.mean(metrics.reward[-10:]) > 0.93 * best_reward(kind))


def make_batch(obs, actions, reward, **fields) -> Batch:
    """Return a batch of agents with one discrete action, other fields with neutral defaults.

    Args:
        obs: Observations [time, env, agent, feature].
        actions: Discrete actions [time, env, agent].
        reward: Rewards [time, env, agent].
        fields: Other fields of the batch; `num_actions` is the number of values of each action.
    """
    shape = reward.shape
    num_actions = fields.pop("num_actions", 3)
    mask = ActionMask(jnp.ones((*shape, 0), bool), jnp.ones((*shape, 1, num_actions), bool))
    no_global_obs = jnp.zeros((*shape[:2], 0))
    batch = Batch(
        obs=jnp.asarray(obs),
        last_obs=jnp.asarray(obs)[-1:],
        mask=mask,
        last_mask=jax.tree.map(lambda leaf: leaf[-1:], mask),
        action=Action(jnp.zeros((*shape, 0)), jnp.asarray(actions)[..., None]),
        extras={},
        reward=jnp.asarray(reward),
        terminated=jnp.zeros(shape, bool),
        weight=jnp.ones(shape),
        hidden_state=jnp.zeros((*shape[1:], 0)),
        agent_id=jnp.arange(shape[2]),
        is_first=jnp.zeros(shape[:2], bool),
        done=jnp.zeros(shape[:2], bool),
        global_obs=no_global_obs,
        last_global_obs=no_global_obs[-1:],
        joint_action=Action(
            jnp.zeros((*shape[:2], 0, 0)), jnp.zeros((*shape[:2], 0, 1), jnp.int32)
        ),
    )
    return batch._replace(**fields)
