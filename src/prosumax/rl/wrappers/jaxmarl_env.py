"""A community as a JaxMARL `MultiAgentEnv`: dictionaries by home, all JAX, with JaxMARL's own automatic reset."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxmarl.environments import spaces
from jaxmarl.environments.multi_agent_env import MultiAgentEnv, State

from prosumax.rl.env import CommunityEnv
from prosumax.rl.types import EnvParams, EnvState
from prosumax.rl.wrappers.bounds import action_bounds, agent_names, observation_bounds


@struct.dataclass
class JaxMarlState(State):
    """JaxMARL's `done` and `step`, and the core's state."""

    core: EnvState


class JaxMarlEnv(MultiAgentEnv):
    """Every home is an agent, known by its name.

    Actions are a Box [4] for a bid, a Box [slot] for powers, or (Multi)Discrete for levels. `step` takes the same keys
    to the same trajectory as `prosumax.rl.auto_reset`.

    JaxMARL knows no truncation: `dones` are true when an episode's time is up, although its value goes on. For
    learners that tell the two apart, `infos["truncated"]` [home] does; `final_obs=True` adds `infos["final_obs"]`
    {home: [feature]}, which `step` would lose. All other infos are [home], as JaxMARL's training loops expect:
    `limited_kwh` and `reward_<term>`. Nested or wider infos break their reshaping, hence the option.
    """

    def __init__(
        self, env: CommunityEnv, params: EnvParams | None = None, *, final_obs: bool = False
    ) -> None:
        """See `prosumax.rl.wrappers.to_jaxmarl`."""
        super().__init__(num_agents=env.num_agents)
        self.env, self.params = env, env.params if params is None else params
        self.agents, self._final_obs = agent_names(env), final_obs
        low, high = (jnp.asarray(bound) for bound in observation_bounds(env))
        self.observation_spaces = {agent: spaces.Box(low, high, low.shape) for agent in self.agents}
        self.action_spaces = {agent: self._action() for agent in self.agents}

    @property
    def name(self) -> str:
        """Of the environment."""
        return "prosumax"

    @property
    def agent_classes(self) -> dict[str, list[str]]:
        """One class: all homes see and do the same kind of things."""
        return {"home": list(self.agents)}

    @partial(jax.jit, static_argnums=(0,))
    def reset(self, key: Any) -> tuple[dict[str, Any], JaxMarlState]:
        """Begin an episode; observations {home: [feature]}, and the state."""
        obs, core = self.env.reset(key, self.params)
        return self._by_name(obs), JaxMarlState(done=jnp.bool_(False), step=core.time, core=core)

    def step_env(self, key: Any, state: JaxMarlState, actions: dict[str, Any]) -> tuple[Any, ...]:
        """One step without a reset: observations, state, rewards, dones (with `__all__`), infos."""
        action = jnp.stack([actions[agent] for agent in self.agents])
        ts = self.env.step(key, state.core, action, self.params)
        homes = jnp.ones(self.num_agents, bool)
        infos: dict[str, Any] = {
            "truncated": ts.truncated & homes,
            "limited_kwh": ts.info["limited_kwh"],
        }
        terms = zip(self.env.reward_names, ts.info["reward_terms"], strict=True)
        infos |= {f"reward_{name}": term for name, term in terms}
        if self._final_obs:
            infos["final_obs"] = self._by_name(ts.final_obs)
        dones = dict.fromkeys([*self.agents, "__all__"], ts.truncated)
        after = JaxMarlState(done=ts.truncated, step=ts.state.time, core=ts.state)
        return self._by_name(ts.obs), after, self._by_name(ts.reward), dones, infos

    def get_obs(self, state: JaxMarlState) -> dict[str, Any]:
        """What every home sees before it acts."""
        return self._by_name(self.env.observe(state.core, self.params))

    @partial(jax.jit, static_argnums=(0,))
    def get_avail_actions(self, state: JaxMarlState) -> dict[str, Any]:
        """Of every home: levels that count [(slot,) level], devices there are [slot], or all true for a bid [4].

        Which sides and partners of a bid make sense is in `CommunityEnv.action_mask(state.core)`.
        """
        if self.env.config.control == "bid":
            return {agent: jnp.ones(self.env.action_size, bool) for agent in self.agents}
        return self._by_name(self.env.action_mask(state.core, self.params))

    def _action(self) -> spaces.Space:
        if self.env.config.levels is not None:
            slots, levels = len(self.env.config.slots), self.env.config.levels
            return spaces.Discrete(levels) if slots == 1 else spaces.MultiDiscrete([levels] * slots)
        return spaces.Box(*action_bounds(self.env), (self.env.action_size,))

    def _by_name(self, rows: Any) -> dict[str, Any]:
        """An array with the homes first as a dictionary."""
        return {agent: rows[home] for home, agent in enumerate(self.agents)}
