"""Wrappers of the environment for JaxMARL, PettingZoo, Gymnasium, Stable-Baselines3 and RLlib.

The wrappers do not change the dynamics. A library is imported only when its wrapper is built.

    >>> from prosumax.rl import wrappers
    >>> env = wrappers.to_pettingzoo(prosumax.make("street"))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from prosumax.errors import InputError
from prosumax.rl.env import CommunityEnv
from prosumax.rl.factory import make
from prosumax.rl.types import EnvParams
from prosumax.scenario.schema.community import Scenario

if TYPE_CHECKING:
    from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv

    from prosumax.rl.wrappers.gymnasium_env import JointGymnasiumEnv, JointGymnasiumVectorEnv
    from prosumax.rl.wrappers.jaxmarl_env import JaxMARLEnv
    from prosumax.rl.wrappers.pettingzoo_env import CommunityParallelEnv
    from prosumax.rl.wrappers.sb3_vec_env import CommunityVecEnv

__all__ = [
    "make_rllib_env",
    "to_gymnasium",
    "to_gymnasium_vector",
    "to_jaxmarl",
    "to_pettingzoo",
    "to_sb3",
]


def to_jaxmarl(
    env: CommunityEnv, params: EnvParams | None = None, *, final_obs: bool = False
) -> JaxMARLEnv:
    """Wrap an environment as a JaxMARL `MultiAgentEnv`; see `jaxmarl_env.JaxMARLEnv`.

    Args:
        env: Environment.
        params: Parameters; the environment's own if None.
        final_obs: True to add the last observation of an episode, which JaxMARL drops, to the
            infos.

    Raises:
        InputError: If JaxMARL is not installed, there are price agents, or a home has a reserved
            name.
    """
    module = _wrapper_module("jaxmarl_env", "jaxmarl", "jaxmarl")
    wrapped: JaxMARLEnv = module.JaxMARLEnv(env, params, final_obs=final_obs)
    return wrapped


def to_pettingzoo(
    env: CommunityEnv, params: EnvParams | None = None, *, dict_actions: bool = False
) -> CommunityParallelEnv:
    """Wrap an environment as a PettingZoo `ParallelEnv`; see `pettingzoo_env`.

    Args:
        env: Environment.
        params: Parameters; the environment's own if None.
        dict_actions: True for bids as dictionaries with discrete side and partner.

    Raises:
        InputError: If PettingZoo is not installed, there are price agents, or `dict_actions` is
            requested in another action mode than `bid`.
    """
    module = _wrapper_module("pettingzoo_env", "pettingzoo", "rl")
    wrapped: CommunityParallelEnv = module.CommunityParallelEnv(
        env, params, dict_actions=dict_actions
    )
    return wrapped


def to_gymnasium(
    env: CommunityEnv,
    params: EnvParams | None = None,
    *,
    reward: Literal["sum", "mean"] = "sum",
) -> JointGymnasiumEnv:
    """Wrap an environment as one Gymnasium agent for all homes; see `gymnasium_env`.

    Args:
        env: Environment.
        params: Parameters; the environment's own if None.
        reward: Aggregation of the homes' rewards.

    Raises:
        InputError: If Gymnasium is not installed, there are price agents, or `reward` is unknown.
    """
    module = _wrapper_module("gymnasium_env", "gymnasium", "rl")
    wrapped: JointGymnasiumEnv = module.JointGymnasiumEnv(env, params, reward=reward)
    return wrapped


def to_gymnasium_vector(
    env: CommunityEnv,
    num_envs: int,
    params: EnvParams | None = None,
    *,
    reward: Literal["sum", "mean"] = "sum",
    batched_params: bool = False,
) -> JointGymnasiumVectorEnv:
    """Wrap copies of an environment as a Gymnasium `VectorEnv`; see `gymnasium_env`.

    Args:
        env: Environment.
        num_envs: Number of copies, stepped together.
        params: Parameters; the environment's own if None.
        reward: Aggregation of the homes' rewards.
        batched_params: True if every leaf of `params` has a leading environment axis.

    Raises:
        InputError: If Gymnasium is not installed or an argument is invalid.
    """
    module = _wrapper_module("gymnasium_env", "gymnasium", "rl")
    wrapped: JointGymnasiumVectorEnv = module.JointGymnasiumVectorEnv(
        env, num_envs, params, reward=reward, batched_params=batched_params
    )
    return wrapped


def to_sb3(
    env: CommunityEnv, num_envs: int = 1, params: EnvParams | None = None
) -> CommunityVecEnv:
    """Wrap every home as a row of a Stable-Baselines3 `VecEnv`; see `sb3_vec_env`.

    Args:
        env: Environment.
        num_envs: Number of copies, stepped together.
        params: Parameters; the environment's own if None.

    Raises:
        InputError: If Stable-Baselines3 is not installed or there are price agents.
    """
    module = _wrapper_module("sb3_vec_env", "stable_baselines3", "sb3")
    wrapped: CommunityVecEnv = module.CommunityVecEnv(env, num_envs, params)
    return wrapped


def make_rllib_env(
    scenario: str | Path | Mapping[str, object] | Scenario,
    overrides: Iterable[str] | Mapping[str, object] = (),
    *,
    data_dir: str | Path | None = None,
) -> ParallelPettingZooEnv:
    """Build the RLlib multi-agent environment of a scenario, based on the PettingZoo wrapper.

    It takes a scenario and not an environment, since RLlib builds one in every process:
    `register_env("street", lambda _: make_rllib_env("street"))`.

    Args:
        scenario: Scenario as in `prosumax.make`.
        overrides: Overrides as in `prosumax.make`.
        data_dir: Folder with data sets, searched before the cache.

    Raises:
        InputError: If RLlib or PettingZoo is not installed, or the scenario is invalid.
    """
    try:
        from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
    except ModuleNotFoundError as error:
        raise _missing_library("ray", "rllib") from error
    return ParallelPettingZooEnv(to_pettingzoo(make(scenario, overrides, data_dir=data_dir)))


def _wrapper_module(module: str, library: str, extra: str) -> ModuleType:
    """Import a module of this package and the library that it wraps."""
    try:
        import_module(library)
    except ModuleNotFoundError as error:
        raise _missing_library(library, extra) from error
    return import_module(f"{__name__}.{module}")


def _missing_library(library: str, extra: str) -> InputError:
    fix = f"Run: pip install 'prosumax[{extra}]'"
    return InputError("prosumax.rl.wrappers", f"{library} is not installed", fix)
