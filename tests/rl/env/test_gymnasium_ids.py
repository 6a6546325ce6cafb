"""Ids of the preset scenarios in Gymnasium's registry."""

import subprocess
import sys

import pytest

gymnasium = pytest.importorskip("gymnasium")

from prosumax.rl import gym
from prosumax.scenario.loading import scenario_preset_paths

SHORT = {"environment.episode_steps": 6}


def test_every_preset_has_an_id():
    registered = {name for name in gymnasium.registry if name.startswith("prosumax/")}
    assert registered == {gym.env_id(preset) for preset in scenario_preset_paths()}
    assert "prosumax/street-v0" in registered


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_made_environments_pass_the_checker():
    from gymnasium.utils.env_checker import check_env

    env = gymnasium.make("prosumax/street-v0", overrides=SHORT)
    assert env.spec.id == "prosumax/street-v0"
    check_env(env.unwrapped, skip_render_check=True)
    obs, _ = env.reset(seed=1)
    assert env.observation_space.contains(obs)
    truncated = False
    for _ in range(6):
        *_, truncated, _ = env.step(env.action_space.sample())
    assert truncated


def test_copies_are_one_vector_environment():
    envs = gymnasium.make_vec("prosumax/street-v0", num_envs=2, overrides=SHORT)
    obs, _ = envs.reset(seed=1)
    assert obs.shape == envs.observation_space.shape and obs.shape[0] == 2


def test_gymnasium_imports_the_module_named_in_an_id():
    code = (
        "import gymnasium\n"
        "env = gymnasium.make('prosumax.rl.gym:prosumax/street-v0', reward='mean')\n"
        "print(env.spec.id)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=180
    )
    assert done.stdout.strip() == "prosumax/street-v0"
