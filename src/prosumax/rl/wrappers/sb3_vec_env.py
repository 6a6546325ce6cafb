"""Every home as one row of a Stable-Baselines3 `VecEnv`: one policy, shared by all homes and learning from all."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from prosumax.rl.env import CommunityEnv
from prosumax.rl.types import EnvParams
from prosumax.rl.wrappers.gymnasium_spaces import home_action, observation_box
from prosumax.rl.wrappers.host import Host


class HomesVecEnv(VecEnv):
    """Copies x homes rows, the homes of a copy next to each other; each row sees and is paid what its home is.

    Parameters are shared between the homes while each acts on its own observation. To the learner the rows look like
    independent environments, which they are not: what a home is paid depends on what its neighbours do.
    """

    def __init__(self, env: CommunityEnv, copies: int = 1, params: EnvParams | None = None) -> None:
        """See `prosumax.rl.wrappers.to_sb3`."""
        self._host = Host(env, copies, params)
        self._waiting: Any = None
        self.render_mode = None
        super().__init__(copies * env.num_agents, observation_box(env), home_action(env))

    def reset(self) -> np.ndarray:
        """Begin an episode in every copy; `seed(s)` before it seeds copy i with s + i."""
        obs, _ = self._host.reset(self._seeds[0])
        self._reset_seeds()
        self._reset_options()
        self.reset_infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        return obs.reshape(self.num_envs, -1)

    def step_async(self, actions: np.ndarray) -> None:
        """Take the rows' actions [row, ..]; `step_wait` does the step."""
        env = self._host.env
        shape = (self._host.copies, env.num_agents)
        whole, slots = env.config.levels is not None, len(env.config.slots)
        numbers = ([slots] if slots > 1 else []) if whole else [env.action_size]
        self._waiting = np.asarray(actions, np.int32 if whole else np.float32).reshape(
            *shape, *numbers
        )

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Observations [row, feature], rewards and dones [row], and infos; a new episode begins where one is over."""
        turn = self._host.step(self._waiting)
        obs, limited = turn.obs.reshape(self.num_envs, -1), turn.info["limited_kwh"].reshape(-1)
        infos: list[dict[str, Any]] = [{"limited_kwh": float(value)} for value in limited]
        if turn.truncated:
            for info, last in zip(infos, obs, strict=True):
                info |= {"terminal_observation": last, "TimeLimit.truncated": True}
            obs = self._host.reset()[0].reshape(self.num_envs, -1)
        return obs, turn.reward.reshape(-1), np.full(self.num_envs, turn.truncated), infos

    def close(self) -> None:
        """Nothing to close."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The same for every row: they are one environment."""
        return [getattr(self, attr_name)] * len(self._rows(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set it for all rows."""
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any
    ) -> list[Any]:
        """Call it once, and give its result to every row."""
        return [getattr(self, method_name)(*args, **kwargs)] * len(self._rows(indices))

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """It never is."""
        return [False] * len(self._rows(indices))

    def _rows(self, indices: Any) -> Sequence[int]:
        return list(self._get_indices(indices))
