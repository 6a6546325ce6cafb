"""Gymnasium ids of the preset scenarios, such as `prosumax/street-v0`.

Importing this module registers the ids. Gymnasium does it too where the id starts with the module:

    >>> import gymnasium
    >>> env = gymnasium.make("prosumax.rl.gym:prosumax/street-v0")

The number after `v` increases when the observations, actions or rewards of the presets change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from prosumax.errors import InputError
from prosumax.rl.factory import make
from prosumax.rl.wrappers import to_gymnasium, to_gymnasium_vector
from prosumax.scenario.loading import scenario_preset_paths

if TYPE_CHECKING:
    from prosumax.rl.wrappers.gymnasium_env import JointGymnasiumEnv, JointGymnasiumVectorEnv

try:
    import gymnasium
except ModuleNotFoundError as error:
    raise InputError(
        "prosumax.rl.gym", "gymnasium is not installed", "Run: pip install 'prosumax[rl]'"
    ) from error

NAMESPACE = "prosumax"
"""Namespace of all ids."""

VERSION = 0
"""Version of all ids."""


def make_env(
    scenario: str,
    overrides: Iterable[str] | Mapping[str, object] = (),
    *,
    reward: Literal["sum", "mean"] = "sum",
    data_dir: str | Path | None = None,
) -> JointGymnasiumEnv:
    """Build the environment of a preset, with one agent for all homes.

    Args:
        scenario: Name of the preset.
        overrides: Overrides as in `prosumax.make`.
        reward: Aggregation of the homes' rewards.
        data_dir: Folder with data sets, searched before the cache.

    Raises:
        InputError: If the scenario is invalid or has price agents.
    """
    return to_gymnasium(make(scenario, overrides, data_dir=data_dir), reward=reward)


def make_vector_env(
    scenario: str,
    num_envs: int,
    overrides: Iterable[str] | Mapping[str, object] = (),
    *,
    reward: Literal["sum", "mean"] = "sum",
    data_dir: str | Path | None = None,
) -> JointGymnasiumVectorEnv:
    """Build copies of the environment of a preset, stepped as one compiled program.

    Args:
        scenario: Name of the preset.
        num_envs: Number of copies.
        overrides: Overrides as in `prosumax.make`.
        reward: Aggregation of the homes' rewards.
        data_dir: Folder with data sets, searched before the cache.

    Raises:
        InputError: If the scenario is invalid or has price agents.
    """
    env = make(scenario, overrides, data_dir=data_dir)
    return to_gymnasium_vector(env, num_envs, reward=reward)


def env_id(preset: str) -> str:
    """Return the id of a preset.

    Args:
        preset: Name of the preset.
    """
    return f"{NAMESPACE}/{preset}-v{VERSION}"


for _preset in scenario_preset_paths():
    gymnasium.register(
        env_id(_preset),
        entry_point=f"{__name__}:make_env",
        vector_entry_point=f"{__name__}:make_vector_env",
        kwargs={"scenario": _preset},
    )
