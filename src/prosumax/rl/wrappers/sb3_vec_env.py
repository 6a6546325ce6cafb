"""Wrapper as a Stable-Baselines3 `VecEnv` with one row per home and one shared policy."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Num
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from prosumax.rl.env import CommunityEnv
from prosumax.rl.spaces import Discrete, MultiDiscrete
from prosumax.rl.types import EnvParams
from prosumax.rl.wrappers.batched_env import BatchedEnv
from prosumax.rl.wrappers.checks import check_homes_only
from prosumax.rl.wrappers.gymnasium_spaces import to_gymnasium_space

Rows = int | Iterable[int] | None
"""Selection of rows; None selects all."""

Actions = Num[NDArray[np.float32] | NDArray[np.int32], "..."]
"""Actions of several rows: indices of power levels, or numbers."""


class CommunityVecEnv(VecEnv):
    """Vectorized environment with `num_envs` x homes rows, the homes of a copy adjacent.

    All homes share the parameters of one policy and act on their own observations. The learner
    treats the rows as independent environments, although the reward of a home depends on the
    actions of the others.

    Args:
        env: Environment.
        num_envs: Number of copies.
        params: Parameters; the environment's own if None.

    Raises:
        InputError: If there are price agents or no copies.
    """

    def __init__(
        self, env: CommunityEnv, num_envs: int = 1, params: EnvParams | None = None
    ) -> None:
        check_homes_only(env)
        self._env = BatchedEnv(env, num_envs, params)
        self._actions: Actions | None = None
        self.render_mode = None
        observation = to_gymnasium_space(env.home_observation_space)
        action = to_gymnasium_space(env.home_action_space)
        super().__init__(num_envs * env.num_agents, observation, action)

    def reset(self) -> Float[NDArray[np.float32], "row feature"]:
        """Start an episode in every copy.

        Returns:
            Observations [row, feature]; after `seed(s)`, copy i starts with seed s + i.
        """
        obs, _ = self._env.reset(self._seeds[0])
        self._reset_seeds()
        self._reset_options()
        self.reset_infos: list[dict[str, object]] = [{} for _ in range(self.num_envs)]
        return obs.reshape(self.num_envs, -1)

    def step_async(self, actions: Actions) -> None:
        """Store the actions of all rows for `step_wait`.

        Args:
            actions: Actions [row, ...].
        """
        space = self._env.env.home_action_space
        is_discrete = isinstance(space, Discrete | MultiDiscrete)
        shape = (self._env.num_envs, self._env.env.num_agents, *space.shape)
        if is_discrete:
            self._actions = np.asarray(actions, np.int32).reshape(shape)
        else:
            self._actions = np.asarray(actions, np.float32).reshape(shape)

    def step_wait(
        self,
    ) -> tuple[
        Float[NDArray[np.float32], "row feature"],
        Float[NDArray[np.float32], " row"],
        Bool[NDArray[np.bool_], " row"],
        list[dict[str, object]],
    ]:
        """Step all rows, and start a new episode at the end of the old one.

        Returns:
            Observations [row, feature], rewards and dones [row], and infos.
        """
        result = self._env.step(self._actions)
        obs = result.obs.reshape(self.num_envs, -1)
        infeasible = result.info["infeasible_kwh"].reshape(-1)
        infos: list[dict[str, object]] = [{"infeasible_kwh": float(value)} for value in infeasible]
        if result.truncated:
            for info, final_obs in zip(infos, obs, strict=True):
                info |= {"terminal_observation": final_obs, "TimeLimit.truncated": True}
            obs = self._env.reset()[0].reshape(self.num_envs, -1)
        dones = np.full(self.num_envs, result.truncated)
        return obs, result.reward.reshape(-1), dones, infos

    def close(self) -> None:
        """Close nothing: the environment holds no external resources."""

    def get_attr(self, attr_name: str, indices: Rows = None) -> list[object]:
        """Return an attribute for every row; all rows share one environment.

        Args:
            attr_name: Name of the attribute.
            indices: Rows; all if None.
        """
        return [getattr(self, attr_name)] * len(self._rows(indices))

    def set_attr(self, attr_name: str, value: object, indices: Rows = None) -> None:
        """Set an attribute for all rows.

        Args:
            attr_name: Name of the attribute.
            value: Value of the attribute.
            indices: Not used.
        """
        setattr(self, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *args: object,
        indices: Rows = None,
        **kwargs: object,
    ) -> list[object]:
        """Call a method once and return its result for every row.

        Args:
            method_name: Name of the method.
            *args: Positional arguments of the method.
            indices: Rows; all if None.
            **kwargs: Keyword arguments of the method.
        """
        return [getattr(self, method_name)(*args, **kwargs)] * len(self._rows(indices))

    def env_is_wrapped(self, wrapper_class: type, indices: Rows = None) -> list[bool]:
        """Return False for every row, since rows are never wrapped.

        Args:
            wrapper_class: Not used.
            indices: Rows; all if None.
        """
        return [False] * len(self._rows(indices))

    def _rows(self, indices: Rows) -> Sequence[int]:
        return list(self._get_indices(indices))
