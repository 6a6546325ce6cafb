"""Training runs: reproducibility, mixed populations, privacy, storage and export."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.errors import InputError
from prosumax.rl.engine.multi_agent import GroupSpec, make_setup
from prosumax.rl.engine.trainer import Trainer, constant_schedule
from prosumax.rl.training.policies import evaluate, export_policy, load_policy
from prosumax.rl.training.training import resume

SMALL = {"hidden_sizes": [8], "num_minibatches": 1, "update_epochs": 1}
RUN = {
    "algorithm": "ppo",
    "paradigm": "dtde-shared",
    "settings": SMALL,
    "iterations": 4,
    "num_envs": 4,
    "seeds": 2,
    "bootstrap_on_truncation": False,
}


@pytest.fixture(scope="module")
def homes():
    """Three homes and ten days of four steps: with PV and battery, with a battery, with neither."""
    load = {"source": "values", "values": [0.5, 1.0, 2.0, 0.2] * 2 + [0.7, 0.8, 1.5, 0.4] * 3}
    battery = {"capacity_kwh": 2.0, "charge_kw": 1.0}
    return {
        "name": "three",
        "period": {"start": "2023-06-01T00:00", "steps": 96, "step_minutes": 60, "time_zone": None},
        "homes": [
            {
                "name": "sunny",
                "load": load,
                "solar": {"source": "values", "values": [0, 3.0, 1.0, 0]},
                "battery": battery,
            },
            {"name": "stored", "load": load, "battery": battery},
            {"name": "plain", "load": load},
        ],
        "tariff": {"energy": {"source": "values", "values": [0.1, 0.1, 0.5, 0.3]}, "feed_in": 0.05},
        "environment": {
            "rewards": {"cost": 1.0},
            "episode_steps": 4,
            "episode_start": "random_step",
            "power_levels": 3,
        },
    }


def interrupt(progress):
    """Interrupt a run after its second iteration."""
    if progress.iteration == 2:
        raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("paradigm", ["dtde", "dtde-shared", "ctde", "ctde-shared"])
def test_a_home_acts_on_its_own_observation_only(homes, paradigm):
    env = prosumax.make(homes)
    agents = make_setup(env, [GroupSpec("ppo", (0, 1, 2), "ppo", paradigm, SMALL)])
    group = agents.groups[0]
    trainer = Trainer(agents, 4, env.config.episode_steps)
    schedule = constant_schedule([group.config])
    state = trainer.init(jax.random.key(0), schedule, env.params)
    obs = jax.random.normal(jax.random.key(1), (1, 3, len(env.observation_names)))

    def outputs(obs):
        """Outputs of every home's policy network, before actions are sampled."""

        def apply(state, obs):
            return state.actor(obs, jnp.zeros((*obs.shape[:-1], 0)))[0]

        return jax.vmap(apply)(state.learner_states[0], group.observations(obs)).reshape(3, -1)

    jacobian = np.asarray(jax.jacobian(outputs)(obs)[:, :, 0])  # [home, output, home, feature]
    for home in range(3):
        assert not np.delete(jacobian[home], home, axis=1).any()
        assert jacobian[home][:, home].any()


def test_a_joint_agent_observes_all_homes(homes):
    env = prosumax.make(homes)
    agents = make_setup(env, [GroupSpec("ppo", (0, 1, 2), "ppo", "ctce", SMALL)])
    assert agents.groups[0].spec.obs_size == 3 * len(env.observation_names)


@pytest.mark.slow
def test_rules_and_several_learners_share_one_program(homes):
    population = [
        {"homes": ["sunny"], "policy": "ppo", "rewards": "profit", "settings": SMALL},
        {
            "homes": ["stored"],
            "policy": "a2c",
            "rewards": {"cost": 1, "battery_throughput": 0.1},
            "settings": {"hidden_sizes": [8]},
        },
    ]
    scenario = homes | {"population": population, "policy": "self-consumption"}
    result = prosumax.train(scenario, iterations=2, num_envs=4, seeds=2)
    assert result.curves["reward"].shape == (2, 2)
    assert np.isfinite(result.curves["reward"]).all()
    policies = {"learned", "none", "self-consumption", "zero-intelligence"}
    assert set(result.test_metrics) >= policies
    rewards = [home["rewards"] for home in result.config.scenario["homes"]]
    assert rewards == [{"profit": 1.0}, {"cost": 1.0, "battery_throughput": 0.1}, None]


@pytest.mark.slow
def test_a_run_is_stored_resumed_evaluated_and_exported(homes, tmp_path):
    whole = prosumax.train(homes, out=tmp_path / "whole", evaluation="learned", **RUN)
    repeated = prosumax.train(homes, evaluation="none", **RUN)
    np.testing.assert_array_equal(whole.curves["reward"], repeated.curves["reward"])

    part = prosumax.train(homes, out=tmp_path / "part", on_progress=interrupt, **RUN)
    assert part.iteration == 2 and part.test_metrics == {}
    resumed = resume(tmp_path / "part", evaluation="learned")
    for name in ("reward", "validation", "entropy"):
        np.testing.assert_array_equal(resumed.curves[name], whole.curves[name])
    jax.tree.map(np.testing.assert_array_equal, resumed.learners, whole.learners)

    market = {"mechanism": "double_auction"}
    other = homes | {"name": "two", "homes": homes["homes"][:2], "market": market}
    evaluation = evaluate(tmp_path / "whole", other)
    assert evaluation.metrics["learned"]["cost"].shape == (2,)

    export_policy(tmp_path / "whole", "stored", tmp_path / "policy.json", seed=1)
    policy = load_policy(tmp_path / "policy.json")
    assert policy.observation_names[-1] == "soc"
    obs = jnp.linspace(0, 1, len(policy.observation_names))
    action, hidden_state = policy.act(obs, policy.initial_state())
    learner_state = jax.tree.map(lambda leaf: leaf[1, 0], whole.learners[0])
    out, _ = learner_state.actor(obs, jnp.zeros(0))
    assert int(action.discrete[0]) == int(jnp.argmax(out))
    assert hidden_state.shape[-1] == 0


@pytest.mark.slow
def test_seeds_in_one_program_learn_the_same(homes, tmp_path, monkeypatch):
    """A run that was interrupted on a GPU is resumed here."""
    separate = prosumax.train(homes, evaluation="none", **RUN)
    with monkeypatch.context() as gpu:
        gpu.setattr(jax, "default_backend", lambda: "gpu")
        prosumax.train(homes, out=tmp_path, on_progress=interrupt, **RUN)
    resumed = resume(tmp_path, evaluation="none")
    # Products of several seeds are rounded in another order.
    for name in ("reward", "validation", "entropy"):
        np.testing.assert_allclose(
            resumed.curves[name], separate.curves[name], rtol=1e-3, atol=1e-5
        )


def test_errors_name_the_field_and_the_nearest_value(homes, tmp_path):
    with pytest.raises(InputError, match="Did you mean 'ppo'"):
        prosumax.train(homes, algorithm="pppo")
    with pytest.raises(InputError, match="learning_rate"):
        prosumax.train(homes, algorithm="ppo", settings={"learning_rat": 1})
    with pytest.raises(InputError, match="no such home"):
        prosumax.train(homes | {"population": [{"homes": ["x"], "policy": "ppo"}]})
    with pytest.raises(InputError, match="no training run"):
        evaluate(tmp_path)
