"""Learners of Stable-Baselines3 and RLlib train on their wrappers.

Neither library, nor torch, is a test dependency, so these tests are skipped in CI.
"""

import numpy as np
import pytest

import prosumax
from prosumax.rl import wrappers

SETTINGS = {
    "environment.action_mode": "bid",
    "environment.observations": "marlem",
    "market.mechanism": "mid_market_rate",
}
DISPATCH = {"environment.action_mode": "dispatch"}
ACTION_MODES = {
    "bid": {},
    "dispatch": DISPATCH,
    "levels": DISPATCH | {"environment.power_levels": 5},
}

pytestmark = pytest.mark.slow


@pytest.fixture
def sb3():
    """Stable-Baselines3 with a single torch thread, which is fastest for small networks."""
    library = pytest.importorskip("stable_baselines3")
    import torch

    torch.set_num_threads(1)
    return library


def copy_parameters(policy):
    return [value.detach().clone() for value in policy.parameters()]


@pytest.mark.parametrize("mode", ACTION_MODES)
def test_sb3_steps_one_row_per_home(mode, sb3):
    env = prosumax.make("street", SETTINGS | ACTION_MODES[mode])
    wrapped = wrappers.to_sb3(env, num_envs=2)
    rows = 2 * env.num_agents
    assert wrapped.num_envs == rows
    wrapped.seed(3)
    first_obs = wrapped.reset()
    for number in range(1, env.config.episode_steps + 1):
        actions = np.stack([wrapped.action_space.sample() for _ in range(rows)])
        obs, reward, done, infos = wrapped.step(actions)
        assert obs.shape == (rows, len(env.observation_names))
        assert all(wrapped.observation_space.contains(row) for row in obs)
        assert reward.shape == done.shape == (rows,)
        assert done.all() == done.any() == (number == env.config.episode_steps)
    assert all(info["TimeLimit.truncated"] for info in infos)
    assert wrapped.observation_space.contains(infos[0]["terminal_observation"])
    wrapped.seed(3)
    np.testing.assert_array_equal(wrapped.reset(), first_obs)


def test_sb3_trains_one_policy_for_all_homes(sb3):
    env = wrappers.to_sb3(prosumax.make("street", SETTINGS), num_envs=4)
    model = sb3.PPO("MlpPolicy", env, n_steps=24, batch_size=96, device="cpu", seed=0, verbose=1)
    before = copy_parameters(model.policy)
    model.learn(2000)
    assert model.num_timesteps >= 2000
    after = model.policy.parameters()
    assert any((a != b).any() for a, b in zip(before, after, strict=True))


def test_sb3_trains_the_joint_agent(sb3):
    from stable_baselines3.common.env_checker import check_env

    env = wrappers.to_gymnasium(prosumax.make("street", SETTINGS))
    check_env(env)
    model = sb3.SAC("MlpPolicy", env, learning_starts=200, device="cpu", seed=0, verbose=1)
    before = copy_parameters(model.actor)
    model.learn(2000, log_interval=20)
    assert model.num_timesteps == 2000
    after = model.actor.parameters()
    assert any((a != b).any() for a, b in zip(before, after, strict=True))


def test_rllib_trains_all_homes():
    ray = pytest.importorskip("ray")
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.tune.registry import register_env

    register_env("street", lambda _: wrappers.make_rllib_env("street", SETTINGS))
    config = (
        PPOConfig()
        .environment("street")
        .env_runners(num_env_runners=0)
        .multi_agent(policies={"home"}, policy_mapping_fn=lambda agent, *_, **__: "home")
        .training(train_batch_size_per_learner=240, minibatch_size=120, num_epochs=2)
    )
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, ignore_reinit_error=True)
    try:
        algorithm = config.build_algo()
        for _ in range(3):
            metrics = algorithm.train()["env_runners"]
            assert np.isfinite(metrics["episode_return_mean"])
            assert metrics["episode_len_mean"] == 24
        algorithm.stop()
    finally:
        ray.shutdown()
