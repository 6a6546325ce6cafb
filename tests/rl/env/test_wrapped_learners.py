"""Learners of Stable-Baselines3 and RLlib run on their faces.

Outside CI: neither library, nor torch under both, is among the test dependencies; without them all of this is skipped.
"""

import numpy as np
import pytest

import prosumax
from prosumax.rl import wrappers

SPEC = {
    "environment.control": "bid",
    "environment.observations": "marlem",
    "market.mechanism": "mid_market_rate",
}

pytestmark = pytest.mark.slow


@pytest.fixture
def sb3():
    """With one thread for torch: networks this small only lose by more."""
    library = pytest.importorskip("stable_baselines3")
    import torch

    torch.set_num_threads(1)
    return library


def _params(policy):
    return [value.detach().clone() for value in policy.parameters()]


@pytest.mark.parametrize("style", ["bid", "dispatch", "levels"])
def test_sb3_accepts_the_rows_of_homes(style, sb3):
    over = {"bid": {}, "dispatch": {"environment.control": "dispatch"}}
    over["levels"] = over["dispatch"] | {"environment.levels": 5}
    env = prosumax.make("street", SPEC | over[style])
    face = wrappers.to_sb3(env, copies=2)
    rows, steps = 2 * env.num_agents, env.config.steps
    assert face.num_envs == rows
    face.seed(3)
    first = face.reset()
    for step in range(1, steps + 1):
        obs, reward, done, infos = face.step(
            np.stack([face.action_space.sample() for _ in range(rows)])
        )
        assert obs.shape == (rows, len(env.observation_names))
        assert all(face.observation_space.contains(row) for row in obs)
        assert reward.shape == done.shape == (rows,)
        assert done.all() == done.any() == (step == steps)
    assert all(info["TimeLimit.truncated"] for info in infos)
    assert face.observation_space.contains(infos[0]["terminal_observation"])
    face.seed(3)
    np.testing.assert_array_equal(face.reset(), first)


def test_sb3_trains_one_policy_for_all_homes(sb3):
    face = wrappers.to_sb3(prosumax.make("street", SPEC), copies=4)
    model = sb3.PPO("MlpPolicy", face, n_steps=24, batch_size=96, device="cpu", seed=0, verbose=1)
    before = _params(model.policy)
    model.learn(2000)
    assert model.num_timesteps >= 2000
    assert any((a != b).any() for a, b in zip(before, model.policy.parameters(), strict=True))


def test_sb3_trains_the_joint_agent(sb3):
    from stable_baselines3.common.env_checker import check_env

    face = wrappers.to_gymnasium(prosumax.make("street", SPEC))
    check_env(face)
    model = sb3.SAC("MlpPolicy", face, learning_starts=200, device="cpu", seed=0, verbose=1)
    before = _params(model.actor)
    model.learn(2000, log_interval=20)
    assert model.num_timesteps == 2000
    assert any((a != b).any() for a, b in zip(before, model.actor.parameters(), strict=True))


def test_rllib_trains_all_homes():
    ray = pytest.importorskip("ray")
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.tune.registry import register_env

    register_env("street", lambda _: wrappers.rllib_env("street", SPEC))
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
        for iteration in range(1, 4):
            seen = algorithm.train()["env_runners"]
            print(
                iteration,
                seen["num_env_steps_sampled_lifetime"],
                seen["episode_len_mean"],
                seen["episode_return_mean"],
            )
            assert np.isfinite(seen["episode_return_mean"])
            assert seen["episode_len_mean"] == 24
        algorithm.stop()
    finally:
        ray.shutdown()
