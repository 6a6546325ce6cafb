"""A community as a PettingZoo `ParallelEnv`: dictionaries by home, NumPy values, compiled inside."""

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from prosumax.errors import InputError
from prosumax.rl.actions import RawBid
from prosumax.rl.env import CommunityEnv
from prosumax.rl.types import EnvParams
from prosumax.rl.wrappers.bounds import agent_names
from prosumax.rl.wrappers.gymnasium_spaces import bid_parts, home_action, observation_box
from prosumax.rl.wrappers.host import Host


class HomesParallelEnv(ParallelEnv):
    """Every home is an agent; all act in each step, and all are truncated together when the episode's time is up.

    Observations are float32 [feature]; actions are float32 [4] for a bid (or a dictionary, with `parts`), [slot] for
    powers, or whole numbers for levels. Infos have the home's `reward_terms` and `limited_kwh`, the market's
    `kpis` (the same for all), and, where there is a choice of discrete parts, an `action_mask` as `Space.sample` of
    Gymnasium takes it.
    """

    metadata: dict[str, Any] = {
        "name": "prosumax_v0",
        "render_modes": [],
        "is_parallelizable": True,
    }
    render_mode = None

    def __init__(
        self, env: CommunityEnv, params: EnvParams | None = None, *, parts: bool = False
    ) -> None:
        """See `prosumax.rl.wrappers.to_pettingzoo`."""
        if parts and env.config.control != "bid":
            raise InputError(
                "parts", f"control is {env.config.control!r}", "Set environment.control to bid."
            )
        self._masked = parts or env.config.levels is not None
        self._host, self._parts = Host(env, 1, params, masks=self._masked), parts
        self.possible_agents = agent_names(env)
        self.agents: list[str] = []
        self.observation_spaces = {agent: observation_box(env) for agent in self.possible_agents}
        self.action_spaces = {
            agent: bid_parts(env) if parts else home_action(env) for agent in self.possible_agents
        }

    def observation_space(self, agent: str) -> spaces.Space:
        """Box [feature]; unbounded where a term has no bounds."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space:
        """See the class."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict, dict]:
        """Begin an episode.

        Arguments:
            seed: of all that is random from here on; without one the last goes on.
            options: not used.

        Returns:
            Observations and infos, by agent.
        """
        obs, mask = self._host.reset(seed)
        self.agents = list(self.possible_agents)
        infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        self._add_masks(infos, mask)
        return dict(zip(self.agents, obs[0], strict=True)), infos

    def step(self, actions: dict[str, Any]) -> tuple[dict, dict, dict, dict, dict]:
        """Let all homes act.

        Returns:
            Observations, rewards, terminated (never), truncated, and infos, by agent.

        Raises:
            InputError: an agent has no action, or no episode is under way.
        """
        agents = self.agents
        if missing := [agent for agent in agents if agent not in actions]:
            raise InputError("actions", f"lack {missing[0]!r}", "All homes act in every step.")
        turn = self._host.step(self._stacked([actions[agent] for agent in agents]))
        kpis = {name: float(value[0]) for name, value in turn.info["kpis"].items()}
        infos: dict[str, dict[str, Any]] = {
            agent: {
                "reward_terms": {
                    name: float(value[0, home]) for name, value in turn.info["reward_terms"].items()
                },
                "limited_kwh": float(turn.info["limited_kwh"][0, home]),
                "kpis": kpis,
            }
            for home, agent in enumerate(agents)
        }
        self._add_masks(infos, turn.mask)
        obs = dict(zip(agents, turn.obs[0], strict=True))
        rewards = dict(zip(agents, map(float, turn.reward[0]), strict=True))
        if turn.truncated:
            self.agents = []
        return (
            obs,
            rewards,
            dict.fromkeys(agents, False),
            dict.fromkeys(agents, turn.truncated),
            infos,
        )

    def render(self) -> None:
        """Nothing: `prosumax.run` writes a report."""

    def _stacked(self, actions: list[Any]) -> Any:
        """Actions of all homes as the core takes them, of one copy."""
        if not self._parts:
            dtype = np.int32 if self._host.env.config.levels is not None else np.float32
            return np.asarray(actions, dtype)[None]
        kinds = {"price": np.float32, "quantity": np.float32, "side": np.int32, "partner": np.int32}
        columns: dict[str, Any] = {
            name: np.asarray([[act[name] for act in actions]], kind) for name, kind in kinds.items()
        }
        return RawBid(**columns)

    def _add_masks(self, infos: dict[str, dict[str, Any]], mask: Any) -> None:
        if not self._masked:
            return
        for home, info in enumerate(infos.values()):
            if self._parts:
                side, partner = (
                    mask.side[0, home].astype(np.int8),
                    mask.partner[0, home].astype(np.int8),
                )
                info["action_mask"] = {
                    "price": None,
                    "quantity": None,
                    "side": side,
                    "partner": partner,
                }
            else:
                own = mask[0, home].astype(np.int8)
                info["action_mask"] = (
                    own if own.ndim == 1 else tuple(own)
                )  # one for each slot of a MultiDiscrete
