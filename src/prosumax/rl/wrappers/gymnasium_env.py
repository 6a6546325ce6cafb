"""A community as one Gymnasium agent that sees and does everything, or many such at once."""

from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from prosumax.errors import InputError
from prosumax.rl.env import CommunityEnv
from prosumax.rl.types import EnvParams
from prosumax.rl.wrappers.gymnasium_spaces import joint_action, observation_box
from prosumax.rl.wrappers.host import Host


class JointEnv(gymnasium.Env):
    """One agent for all homes: centralised training and centralised execution.

    The observation is all homes' side by side, float32 [home * feature]. The action is a Box [home * numbers] of
    bids or powers, or MultiDiscrete [home * slot] of levels. The reward is the sum or the mean of the homes'. An
    episode is truncated when its time is up, never terminated. The info has `reward_terms` {name: [home]},
    `limited_kwh` [home], `kpis` {name: number}, and under `levels` an `action_mask` [home, level], or
    [home, slot, level] where there is more than the battery.
    """

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(
        self,
        env: CommunityEnv,
        params: EnvParams | None = None,
        *,
        reward: Literal["sum", "mean"] = "sum",
    ) -> None:
        """See `prosumax.rl.wrappers.to_gymnasium`."""
        _check(reward)
        self._host, self._reward = Host(env, 1, params, masks=env.config.levels is not None), reward
        self.observation_space, self.action_space = (
            observation_box(env, env.num_agents),
            joint_action(env),
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode.

        Arguments:
            seed: of all that is random from here on; without one the last goes on.
            options: not used.
        """
        super().reset(seed=seed)
        obs, mask = self._host.reset(seed)
        return obs.reshape(-1), {} if mask is None else {"action_mask": mask[0]}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Act for all homes.

        Raises:
            InputError: no episode is under way.
        """
        turn = self._host.step(_split(self._host.env, action, 1))
        reward = float(getattr(turn.reward[0], self._reward)())
        info: dict[str, Any] = {
            "reward_terms": {name: value[0] for name, value in turn.info["reward_terms"].items()},
            "limited_kwh": turn.info["limited_kwh"][0],
            "kpis": {name: float(value[0]) for name, value in turn.info["kpis"].items()},
        }
        if turn.mask is not None:
            info["action_mask"] = turn.mask[0]
        return turn.obs.reshape(-1), reward, False, turn.truncated, info


class JointVectorEnv(VectorEnv):
    """Copies of `JointEnv`, stepped as one compiled program.

    Copy i with seed s goes as a `JointEnv` with seed s + i. All are truncated in the same step and begin anew in it
    (`AutoresetMode.SAME_STEP`): `final_obs` and `final_info` keep the end of the old episode. Infos are batched as
    Gymnasium does it, with a mask `_name` beside each.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(
        self,
        env: CommunityEnv,
        copies: int,
        params: EnvParams | None = None,
        *,
        reward: Literal["sum", "mean"] = "sum",
        own_params: bool = False,
    ) -> None:
        """See `prosumax.rl.wrappers.to_gymnasium_vector`."""
        _check(reward)
        masks = env.config.levels is not None
        self._host, self._reward = (
            Host(env, copies, params, own_params=own_params, masks=masks),
            reward,
        )
        self.num_envs = copies
        self.single_observation_space = observation_box(env, env.num_agents)
        self.single_action_space = joint_action(env)
        self.observation_space = batch_space(self.single_observation_space, copies)
        self.action_space = batch_space(self.single_action_space, copies)

    def reset(
        self, *, seed: int | list[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode in all copies.

        Arguments:
            seed: one for all (copy i gets `seed + i`) or one each; without, the last go on.
            options: `reset_mask` is refused unless it names all copies: they keep step.

        Raises:
            InputError: not as many seeds as copies, or a mask of some copies only.
        """
        mask = (options or {}).get("reset_mask")
        if mask is not None and not np.all(mask):
            raise InputError(
                "reset_mask", "names some copies only", "They keep step: reset all, or none."
            )
        return self._began(seed)

    def step(
        self, actions: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Act in all copies [copy, numbers].

        Returns:
            Observations [copy, home * feature], rewards, terminated and truncated [copy], and infos.
        """
        copies = self.num_envs
        turn = self._host.step(_split(self._host.env, actions, copies))
        obs, info = turn.obs.reshape(copies, -1), turn.info
        if turn.mask is not None:
            info = {**info, "action_mask": turn.mask}
        if turn.truncated:
            last = np.empty(copies, object)
            last[:] = list(obs)
            obs, fresh = self._began(None)
            info = _masked({"final_obs": last, "final_info": info}, copies) | fresh
        else:
            info = _masked(info, copies)
        reward = getattr(turn.reward, self._reward)(1).astype(np.float64)
        return obs, reward, np.zeros(copies, bool), np.full(copies, turn.truncated), info

    def _began(self, seed: int | list[int] | None) -> tuple[np.ndarray, dict[str, Any]]:
        obs, mask = self._host.reset(seed)
        return obs.reshape(self.num_envs, -1), {} if mask is None else _masked(
            {"action_mask": mask}, self.num_envs
        )


def _split(env: CommunityEnv, action: Any, copies: int) -> np.ndarray:
    """A joint action as each home's."""
    if env.config.levels is not None:
        slots = len(env.config.slots)
        return np.asarray(action, np.int32).reshape(
            copies, env.num_agents, *([slots] if slots > 1 else [])
        )
    return np.asarray(action, np.float32).reshape(copies, env.num_agents, env.action_size)


def _masked(info: dict[str, Any], copies: int) -> dict[str, Any]:
    """An info with Gymnasium's sign, beside each entry, that every copy has it."""
    out: dict[str, Any] = {}
    for name, value in info.items():
        out[name] = _masked(value, copies) if isinstance(value, dict) else value
        out[f"_{name}"] = np.ones(copies, bool)
    return out


def _check(reward: str) -> None:
    if reward not in ("sum", "mean"):
        raise InputError("reward", f"is {reward!r}", "Allowed: sum, mean.")
