"""Wrapper as a PettingZoo `ParallelEnv`: dictionaries by home, NumPy values."""

import numpy as np
from gymnasium import spaces as gym_spaces
from jaxtyping import Float, PyTree
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from prosumax.errors import InputError
from prosumax.rl.actions import RawBid, raw_bid_space
from prosumax.rl.env import CommunityEnv
from prosumax.rl.spaces import Discrete, MultiDiscrete
from prosumax.rl.types import EnvParams
from prosumax.rl.wrappers.batched_env import BatchedEnv
from prosumax.rl.wrappers.checks import agent_names, check_homes_only
from prosumax.rl.wrappers.gymnasium_spaces import to_gymnasium_space

Observation = Float[NDArray[np.float32], " feature"]
"""Observation of one home."""


class CommunityParallelEnv(ParallelEnv):
    """PettingZoo environment with one agent per home; all act in every step.

    All agents are truncated together at the time limit of the episode. Observations are float32
    [feature]; actions are float32 [4] for bids (or a dictionary, with `dict_actions`), [slot] for
    powers, or integers for power levels. Infos have the home's `reward_terms` and `infeasible_kwh`,
    the market `indicators` (the same for all) and, for discrete actions, an `action_mask` in the
    form that Gymnasium's `Space.sample` accepts.

    Args:
        env: Environment.
        params: Parameters; the environment's own if None.
        dict_actions: True for bids as dictionaries with discrete side and partner.

    Raises:
        InputError: If there are price agents, a home has a reserved name, or `dict_actions` is
            requested in another action mode than `bid`.
    """

    metadata: dict[str, object] = {
        "name": "prosumax_v0",
        "render_modes": [],
        "is_parallelizable": True,
    }
    render_mode = None

    def __init__(
        self, env: CommunityEnv, params: EnvParams | None = None, *, dict_actions: bool = False
    ) -> None:
        check_homes_only(env)
        if dict_actions and env.config.action_mode != "bid":
            problem = f"requires action mode bid, got {env.config.action_mode!r}"
            raise InputError("dict_actions", problem, "Set environment.action_mode to bid.")
        self._with_masks = dict_actions or env.config.power_levels is not None
        self._env = BatchedEnv(env, 1, params, with_masks=self._with_masks)
        self._dict_actions = dict_actions
        self.possible_agents = agent_names(env)
        self.agents: list[str] = []
        action = raw_bid_space(env.num_homes) if dict_actions else env.home_action_space
        self.observation_spaces = {
            agent: to_gymnasium_space(env.home_observation_space) for agent in self.possible_agents
        }
        self.action_spaces = {agent: to_gymnasium_space(action) for agent in self.possible_agents}

    def observation_space(self, agent: str) -> gym_spaces.Space:
        """Return the observation space of a home, unbounded in terms without bounds.

        Args:
            agent: Name of the home.
        """
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gym_spaces.Space:
        """Return the action space of a home.

        Args:
            agent: Name of the home.
        """
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, object] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, object]]]:
        """Start an episode.

        Args:
            seed: Seed of all randomness from here on; None continues the previous sequence.
            options: Not used.

        Returns:
            Observations and infos by agent.
        """
        obs, mask = self._env.reset(seed)
        self.agents = list(self.possible_agents)
        infos: dict[str, dict[str, object]] = {agent: {} for agent in self.agents}
        self._add_masks(infos, mask)
        return dict(zip(self.agents, obs[0], strict=True)), infos

    def step(
        self, actions: dict[str, PyTree]
    ) -> tuple[
        dict[str, Observation],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, object]],
    ]:
        """Step the environment with the actions of all homes.

        Args:
            actions: Actions by agent.

        Returns:
            Observations, rewards, terminated (always False), truncated and infos by agent.

        Raises:
            InputError: If an agent has no action or there is no episode in progress.
        """
        agents = self.agents
        if missing := [agent for agent in agents if agent not in actions]:
            problem = f"lack {missing[0]!r}"
            raise InputError("actions", problem, "Provide an action for every home.")
        result = self._env.step(self._stack([actions[agent] for agent in agents]))
        indicators = {name: float(value[0]) for name, value in result.info["indicators"].items()}
        terms = result.info["reward_terms"].items()
        infos: dict[str, dict[str, object]] = {
            agent: {
                "reward_terms": {name: float(value[0, home]) for name, value in terms},
                "infeasible_kwh": float(result.info["infeasible_kwh"][0, home]),
                "indicators": indicators,
            }
            for home, agent in enumerate(agents)
        }
        self._add_masks(infos, result.mask)
        obs = dict(zip(agents, result.obs[0], strict=True))
        rewards = dict(zip(agents, map(float, result.reward[0]), strict=True))
        terminated = dict.fromkeys(agents, False)
        truncated = dict.fromkeys(agents, result.truncated)
        if result.truncated:
            self.agents = []
        return obs, rewards, terminated, truncated, infos

    def render(self) -> None:
        """Render nothing; `prosumax.run` writes a report."""

    def _stack(self, actions: list[PyTree]) -> PyTree:
        """Stack the actions of all homes, with a leading environment axis."""
        if not self._dict_actions:
            space = self._env.env.home_action_space
            is_discrete = isinstance(space, Discrete | MultiDiscrete)
            return np.asarray(actions, np.int32 if is_discrete else np.float32)[None]
        dtypes = {
            "price": np.float32,
            "quantity": np.float32,
            "side": np.int32,
            "partner": np.int32,
        }
        parts = {
            name: np.asarray([[action[name] for action in actions]], dtype)
            for name, dtype in dtypes.items()
        }
        # NumPy arrays, which the compiled step converts.
        return RawBid(**parts)  # type: ignore[arg-type]

    def _add_masks(self, infos: dict[str, dict[str, object]], mask: PyTree) -> None:
        if not self._with_masks:
            return
        for home, info in enumerate(infos.values()):
            if self._dict_actions:
                info["action_mask"] = {
                    "price": None,
                    "quantity": None,
                    "side": mask.side[0, home].astype(np.int8),
                    "partner": mask.partner[0, home].astype(np.int8),
                }
            else:
                own = mask[0, home].astype(np.int8)
                # A MultiDiscrete space takes one mask per slot.
                info["action_mask"] = own if own.ndim == 1 else tuple(own)
