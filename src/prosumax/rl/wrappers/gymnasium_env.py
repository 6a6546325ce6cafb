"""Gymnasium environments with a single agent that observes and controls all homes."""

from typing import Literal

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jaxtyping import Bool, Float, Num, PyTree
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.rl.env import CommunityEnv
from prosumax.rl.spaces import Discrete, MultiDiscrete
from prosumax.rl.types import EnvParams
from prosumax.rl.wrappers.batched_env import BatchedEnv
from prosumax.rl.wrappers.checks import check_homes_only
from prosumax.rl.wrappers.gymnasium_spaces import joint_action_space, joint_observation_space


class JointGymnasiumEnv(gymnasium.Env):
    """Gymnasium environment of one agent for all homes: centralized training and execution.

    The observation concatenates those of all homes, float32 [home * feature]. The action is a Box
    [home * number] of bids or powers, or MultiDiscrete [home * slot] of power levels. The reward
    is the sum or mean over homes. Episodes are truncated at their time limit and never terminated.
    The info has `reward_terms` {name: [home]}, `infeasible_kwh` [home], `indicators`
    {name: number} and, with power levels, an `action_mask` [home, level], or [home, slot, level]
    with several devices.

    Args:
        env: Environment.
        params: Parameters; the environment's own if None.
        reward: Aggregation of the homes' rewards.

    Raises:
        InputError: If there are price agents or `reward` is unknown.
    """

    metadata: dict[str, object] = {"render_modes": []}

    def __init__(
        self,
        env: CommunityEnv,
        params: EnvParams | None = None,
        *,
        reward: Literal["sum", "mean"] = "sum",
    ) -> None:
        check_homes_only(env)
        _check_reward(reward)
        self._env = BatchedEnv(env, 1, params, with_masks=env.config.power_levels is not None)
        self._reward = reward
        self.observation_space = joint_observation_space(env)
        self.action_space = joint_action_space(env)

    def reset(
        self, *, seed: int | None = None, options: dict[str, object] | None = None
    ) -> tuple[Float[NDArray[np.float32], "..."], dict[str, object]]:
        """Start an episode.

        Args:
            seed: Seed of all randomness from here on; None continues the previous sequence.
            options: Not used.

        Returns:
            Observation and info.
        """
        super().reset(seed=seed)
        obs, mask = self._env.reset(seed)
        return obs.reshape(-1), {} if mask is None else {"action_mask": mask[0]}

    def step(
        self, action: PyTree
    ) -> tuple[Float[NDArray[np.float32], " feature"], float, bool, bool, dict[str, object]]:
        """Step the environment with the actions of all homes.

        Args:
            action: Element of `action_space`.

        Returns:
            Observation, reward, terminated, truncated and info.

        Raises:
            InputError: If there is no episode in progress.
        """
        result = self._env.step(_split_action(self._env.env, action, 1))
        terms = result.info["reward_terms"].items()
        indicators = result.info["indicators"].items()
        info: dict[str, object] = {
            "reward_terms": {name: value[0] for name, value in terms},
            "infeasible_kwh": result.info["infeasible_kwh"][0],
            "indicators": {name: float(value[0]) for name, value in indicators},
        }
        if result.mask is not None:
            info["action_mask"] = result.mask[0]
        reward = float(_aggregate(result.reward, self._reward)[0])
        return result.obs.reshape(-1), reward, False, result.truncated, info


class JointGymnasiumVectorEnv(VectorEnv):
    """Copies of `JointGymnasiumEnv`, stepped as one compiled program.

    Copy i with seed s follows a `JointGymnasiumEnv` with seed s + i. All copies are truncated in
    the same step and start a new episode in it (`AutoresetMode.SAME_STEP`); `final_obs` and
    `final_info` hold the end of the old one. Infos are batched as in Gymnasium, with a mask `_name`
    for each entry.

    Args:
        env: Environment.
        num_envs: Number of copies.
        params: Parameters; the environment's own if None.
        reward: Aggregation of the homes' rewards.
        batched_params: True if every leaf of `params` has a leading environment axis.

    Raises:
        InputError: If there are price agents or an argument is invalid.
    """

    metadata: dict[str, object] = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(
        self,
        env: CommunityEnv,
        num_envs: int,
        params: EnvParams | None = None,
        *,
        reward: Literal["sum", "mean"] = "sum",
        batched_params: bool = False,
    ) -> None:
        check_homes_only(env)
        _check_reward(reward)
        with_masks = env.config.power_levels is not None
        self._env = BatchedEnv(
            env, num_envs, params, batched_params=batched_params, with_masks=with_masks
        )
        self._reward = reward
        self.num_envs = num_envs
        self.single_observation_space = joint_observation_space(env)
        self.single_action_space = joint_action_space(env)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | list[int] | None = None, options: dict[str, object] | None = None
    ) -> tuple[Float[NDArray[np.float32], "..."], dict[str, object]]:
        """Start an episode in all copies.

        Args:
            seed: One seed for all (copy i gets `seed + i`) or one per copy; None continues the
                previous sequences.
            options: A `reset_mask` must select all copies, since they are stepped together.

        Returns:
            Observations [env, home * feature], and infos.

        Raises:
            InputError: If the number of seeds is wrong or the mask selects some copies only.
        """
        mask: PyTree = (options or {}).get("reset_mask")
        if mask is not None and not np.all(mask):
            problem = "selects some environments only, but all are stepped together"
            raise InputError("reset_mask", problem, "Reset all of them, or none.")
        return self._reset_all(seed)

    def step(
        self, actions: PyTree
    ) -> tuple[
        Float[NDArray[np.float32], "env feature"],
        Float[NDArray[np.float64], " env"],
        Bool[NDArray[np.bool_], " env"],
        Bool[NDArray[np.bool_], " env"],
        dict[str, object],
    ]:
        """Step all copies.

        Args:
            actions: Actions [env, number].

        Returns:
            Observations [env, home * feature], rewards, terminated and truncated [env], and infos.
        """
        num_envs = self.num_envs
        result = self._env.step(_split_action(self._env.env, actions, num_envs))
        obs = result.obs.reshape(num_envs, -1)
        info: dict[str, object] = {**result.info}
        if result.mask is not None:
            info = {**info, "action_mask": result.mask}
        if result.truncated:
            final_obs = np.empty(num_envs, object)
            final_obs[:] = list(obs)
            final = _with_masks({"final_obs": final_obs, "final_info": info}, num_envs)
            obs, reset_info = self._reset_all(None)
            info = final | reset_info
        else:
            info = _with_masks(info, num_envs)
        reward = _aggregate(result.reward, self._reward).astype(np.float64)
        terminated = np.zeros(num_envs, bool)
        return obs, reward, terminated, np.full(num_envs, result.truncated), info

    def _reset_all(
        self, seed: int | list[int] | None
    ) -> tuple[Float[NDArray[np.float32], "env feature"], dict[str, object]]:
        obs, mask = self._env.reset(seed)
        info = {} if mask is None else _with_masks({"action_mask": mask}, self.num_envs)
        return obs.reshape(self.num_envs, -1), info


def _split_action(
    env: CommunityEnv, action: PyTree, num_envs: int
) -> Num[NDArray[np.float32] | NDArray[np.int32], "env home ..."]:
    """Split concatenated actions into those of each home."""
    space = env.home_action_space
    is_discrete = isinstance(space, Discrete | MultiDiscrete)
    shape = (num_envs, env.num_homes, *space.shape)
    if is_discrete:
        return np.asarray(action, np.int32).reshape(shape)
    return np.asarray(action, np.float32).reshape(shape)


def _aggregate(
    reward: Float[NDArray[np.float32], "env home"], aggregation: str
) -> Float[NDArray[np.float32], " env"]:
    """Aggregate rewards [env, home] over homes."""
    return np.asarray(reward.sum(1) if aggregation == "sum" else reward.mean(1))


def _with_masks(info: dict[str, object], num_envs: int) -> dict[str, object]:
    """Add Gymnasium's mask to each entry of an info, which all copies have."""
    masked: dict[str, object] = {}
    for name, value in info.items():
        masked[name] = _with_masks(value, num_envs) if isinstance(value, dict) else value
        masked[f"_{name}"] = np.ones(num_envs, bool)
    return masked


def _check_reward(reward: str) -> None:
    if reward not in ("sum", "mean"):
        raise InputError("reward", f"there is no reward {reward!r}", "Allowed: sum, mean.")
