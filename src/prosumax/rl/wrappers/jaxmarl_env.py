"""Wrapper as a JaxMARL `MultiAgentEnv`: dictionaries by home, all in JAX."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import struct
from jaxmarl.environments import spaces as jaxmarl_spaces
from jaxmarl.environments.multi_agent_env import MultiAgentEnv, State
from jaxtyping import PyTree

from prosumax.rl.env import CommunityEnv
from prosumax.rl.spaces import Discrete, MultiDiscrete
from prosumax.rl.types import EnvParams, EnvState
from prosumax.rl.wrappers.checks import agent_names, check_homes_only


@struct.dataclass
class JaxMARLState(State):
    """State of JaxMARL (`done`, `step`) with the state of the core environment."""

    env_state: EnvState


class JaxMARLEnv(MultiAgentEnv):
    """JaxMARL environment with one agent per home, identified by its name.

    Actions are a Box [4] for bids, a Box [slot] for powers, or (Multi)Discrete power levels. With
    the same keys, `step` follows the trajectory of `prosumax.rl.auto_reset`.

    JaxMARL has no truncation: `dones` are True at the time limit of an episode, although the value
    of the state continues beyond it. `infos["truncated"]` [home] tells the two apart, and
    `final_obs=True` adds `infos["final_obs"]` {home: [feature]}, which `step` would drop. All other
    infos have shape [home], as JaxMARL's training loops expect: `infeasible_kwh` and
    `reward_<term>`. Nested or wider infos break their reshaping, which is why `final_obs` is
    optional.

    Args:
        env: Environment.
        params: Parameters; the environment's own if None.
        final_obs: True to add the last observation of an episode to the infos.

    Raises:
        InputError: If there are price agents or a home has a reserved name.
    """

    def __init__(
        self, env: CommunityEnv, params: EnvParams | None = None, *, final_obs: bool = False
    ) -> None:
        check_homes_only(env)
        super().__init__(num_agents=env.num_agents)
        self.env = env
        self.params = env.params if params is None else params
        self.agents = agent_names(env)
        self._final_obs = final_obs
        observation = env.home_observation_space
        low = jnp.asarray(observation.low)
        high = jnp.asarray(observation.high)
        self.observation_spaces = {
            agent: jaxmarl_spaces.Box(low, high, low.shape) for agent in self.agents
        }
        self.action_spaces = {agent: _action_space(env) for agent in self.agents}

    @property
    def name(self) -> str:
        """Name of the environment."""
        return "prosumax"

    @property
    def agent_classes(self) -> dict[str, list[str]]:
        """Agents by class: all homes share one observation and action space."""
        return {"home": list(self.agents)}

    @partial(jax.jit, static_argnums=(0,))
    def reset(self, key: PyTree) -> tuple[dict[str, PyTree], JaxMARLState]:
        """Start an episode.

        Args:
            key: PRNG key.

        Returns:
            Observations {home: [feature]}, and the state.
        """
        obs, state = self.env.reset(key, self.params)
        done = jnp.bool_(False)
        return self._by_name(obs), JaxMARLState(done=done, step=state.time, env_state=state)

    def step_env(
        self, key: PyTree, state: JaxMARLState, actions: dict[str, PyTree]
    ) -> tuple[PyTree, ...]:
        """Step the environment without a reset.

        Args:
            key: PRNG key.
            state: State from `reset` or the previous step.
            actions: Actions by home.

        Returns:
            Observations, state, rewards, dones (with `__all__`) and infos.
        """
        action = jnp.stack([actions[agent] for agent in self.agents])
        timestep = self.env.step(key, state.env_state, action, self.params)
        infos: dict[str, object] = {
            "truncated": jnp.full(self.num_agents, timestep.truncated),
            "infeasible_kwh": timestep.info["infeasible_kwh"],
        }
        terms = zip(self.env.reward_names, timestep.info["reward_terms"], strict=True)
        infos |= {f"reward_{name}": term for name, term in terms}
        if self._final_obs:
            infos["final_obs"] = self._by_name(timestep.final_obs)
        dones = dict.fromkeys([*self.agents, "__all__"], timestep.truncated)
        new_state = JaxMARLState(
            done=timestep.truncated, step=timestep.state.time, env_state=timestep.state
        )
        obs = self._by_name(timestep.obs)
        return obs, new_state, self._by_name(timestep.reward), dones, infos

    def get_obs(self, state: JaxMARLState) -> dict[str, PyTree]:
        """Return the observation of every home before it acts.

        Args:
            state: State of the episode.
        """
        return self._by_name(self.env.observe(state.env_state, self.params))

    @partial(jax.jit, static_argnums=(0,))
    def get_avail_actions(self, state: JaxMARLState) -> dict[str, PyTree]:
        """Return the available actions of every home.

        Args:
            state: State of the episode.

        Returns:
            Masks of power levels [(slot,) level] or devices [slot]; all True for a bid [4], whose
            masks of sides and partners are in `CommunityEnv.action_mask(state.env_state)`.
        """
        if self.env.config.action_mode == "bid":
            shape = self.env.home_action_space.shape
            return {agent: jnp.ones(shape, bool) for agent in self.agents}
        return self._by_name(self.env.action_mask(state.env_state, self.params))

    def _by_name(self, rows: PyTree) -> dict[str, PyTree]:
        """Convert an array with a leading home axis to a dictionary."""
        return {agent: rows[home] for home, agent in enumerate(self.agents)}


def _action_space(env: CommunityEnv) -> jaxmarl_spaces.Space:
    """Convert the action space of one home to JaxMARL's."""
    space = env.home_action_space
    if isinstance(space, Discrete):
        return jaxmarl_spaces.Discrete(space.n)
    if isinstance(space, MultiDiscrete):
        return jaxmarl_spaces.MultiDiscrete([space.n] * space.shape[0])
    return jaxmarl_spaces.Box(float(space.low.min()), float(space.high.max()), space.shape)
