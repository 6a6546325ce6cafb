"""Faces: one community as an environment of JaxMARL, PettingZoo, Gymnasium, Stable-Baselines3 or RLlib.

Each is thin and adds no behaviour of its own; the libraries are loaded only when a face of theirs is asked for.

    >>> from prosumax.rl import wrappers
    >>> env = wrappers.to_pettingzoo(prosumax.make("street"))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from prosumax.errors import InputError
from prosumax.rl.env import CommunityEnv
from prosumax.rl.make import make
from prosumax.rl.types import EnvParams
from prosumax.scenario.schema.community import Scenario

if TYPE_CHECKING:
    from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv

    from prosumax.rl.wrappers.gymnasium_env import JointEnv, JointVectorEnv
    from prosumax.rl.wrappers.jaxmarl_env import JaxMarlEnv
    from prosumax.rl.wrappers.pettingzoo_env import HomesParallelEnv
    from prosumax.rl.wrappers.sb3_vec_env import HomesVecEnv

__all__ = [
    "rllib_env",
    "to_gymnasium",
    "to_gymnasium_vector",
    "to_jaxmarl",
    "to_pettingzoo",
    "to_sb3",
]


def to_jaxmarl(
    env: CommunityEnv, params: EnvParams | None = None, *, final_obs: bool = False
) -> JaxMarlEnv:
    """The community as a JaxMARL `MultiAgentEnv`; see `jaxmarl_env.JaxMarlEnv`.

    Arguments:
        env: the community.
        params: instead of the environment's own.
        final_obs: put the observation at the end of an episode into the infos, which JaxMARL itself drops.

    Raises:
        InputError: JaxMARL is not installed, or a home has a name that it keeps for itself.
    """
    return _face("jaxmarl_env", "jaxmarl", "jaxmarl").JaxMarlEnv(env, params, final_obs=final_obs)


def to_pettingzoo(
    env: CommunityEnv, params: EnvParams | None = None, *, parts: bool = False
) -> HomesParallelEnv:
    """The community as a PettingZoo `ParallelEnv`; see `pettingzoo_env.HomesParallelEnv`.

    Arguments:
        env: the community.
        params: instead of the environment's own.
        parts: bids as a dictionary with discrete side and partner instead of one Box.

    Raises:
        InputError: PettingZoo is not installed, or `parts` are asked of an environment without bids.
    """
    return _face("pettingzoo_env", "pettingzoo", "rl").HomesParallelEnv(env, params, parts=parts)


def to_gymnasium(
    env: CommunityEnv, params: EnvParams | None = None, *, reward: Literal["sum", "mean"] = "sum"
) -> JointEnv:
    """The community as one Gymnasium agent that acts for all homes; see `gymnasium_env.JointEnv`.

    Arguments:
        env: the community.
        params: instead of the environment's own.
        reward: how the homes' rewards become one.

    Raises:
        InputError: Gymnasium is not installed, or `reward` is neither.
    """
    return _face("gymnasium_env", "gymnasium", "rl").JointEnv(env, params, reward=reward)


def to_gymnasium_vector(
    env: CommunityEnv,
    copies: int,
    params: EnvParams | None = None,
    *,
    reward: Literal["sum", "mean"] = "sum",
    own_params: bool = False,
) -> JointVectorEnv:
    """Copies of the joint agent's community in one Gymnasium `VectorEnv`; see `gymnasium_env.JointVectorEnv`.

    Arguments:
        env: the community.
        copies: number of communities stepped at once.
        params: instead of the environment's own.
        reward: how the homes' rewards become one.
        own_params: every leaf of `params` has a leading axis with one entry per copy.

    Raises:
        InputError: Gymnasium is not installed, or an argument does not fit.
    """
    module = _face("gymnasium_env", "gymnasium", "rl")
    return module.JointVectorEnv(env, copies, params, reward=reward, own_params=own_params)


def to_sb3(env: CommunityEnv, copies: int = 1, params: EnvParams | None = None) -> HomesVecEnv:
    """Every home as one row of a Stable-Baselines3 `VecEnv`, for one policy shared by all; see `sb3_vec_env.HomesVecEnv`.

    Arguments:
        env: the community.
        copies: number of communities stepped at once.
        params: instead of the environment's own.

    Raises:
        InputError: Stable-Baselines3 is not installed.
    """
    return _face("sb3_vec_env", "stable_baselines3", "sb3").HomesVecEnv(env, copies, params)


def rllib_env(
    scenario: str | Path | Mapping[str, Any] | Scenario,
    overrides: Iterable[str] | Mapping[str, Any] = (),
    *,
    data_dir: str | Path | None = None,
) -> ParallelPettingZooEnv:
    """A scenario as an RLlib multi-agent environment: its own wrapper around the PettingZoo face.

    Made from a name and not from an environment because RLlib makes one in every process:
    `register_env("street", lambda _: rllib_env("street"))`.

    Arguments:
        scenario, overrides, data_dir: as in `prosumax.make`.

    Raises:
        InputError: RLlib or PettingZoo is not installed, or something in the scenario is not right.
    """
    try:
        from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
    except ModuleNotFoundError as error:
        raise _missing("ray", "rllib") from error
    return ParallelPettingZooEnv(to_pettingzoo(make(scenario, overrides, data_dir=data_dir)))


def _face(module: str, library: str, extra: str) -> Any:
    """A module of this folder, whose library is loaded with it."""
    try:
        import_module(library)
    except ModuleNotFoundError as error:
        raise _missing(library, extra) from error
    return import_module(f"{__name__}.{module}")


def _missing(library: str, extra: str) -> InputError:
    return InputError(
        "prosumax.rl.wrappers",
        f"{library} is not installed",
        f"Run: pip install 'prosumax[{extra}]'",
    )
