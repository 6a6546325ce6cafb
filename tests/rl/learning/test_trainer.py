"""Training as a whole: the same seed, mixed populations, privacy, stored runs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.errors import InputError
from prosumax.rl.engine.multi_agent import Part, make_game
from prosumax.rl.engine.trainer import Trainer, constant
from prosumax.rl.training.policies import evaluate, export_policy, load_policy
from prosumax.rl.training.training import resume


@pytest.fixture(scope="module")
def homes():
    """Three homes, ten days of four steps: one with sun and battery, one with a battery, one with neither."""
    days = {"source": "values", "values": [0.5, 1.0, 2.0, 0.2] * 2 + [0.7, 0.8, 1.5, 0.4] * 3}
    battery = {"capacity_kwh": 2.0, "charge_kw": 1.0}
    return {
        "name": "three",
        "period": {"start": "2023-06-01T00:00", "steps": 96, "step_minutes": 60, "time_zone": None},
        "homes": [
            {
                "name": "sunny",
                "load": days,
                "solar": {"source": "values", "values": [0, 3.0, 1.0, 0]},
                "battery": battery,
            },
            {"name": "stored", "load": days, "battery": battery},
            {"name": "plain", "load": days},
        ],
        "tariff": {"energy": {"source": "values", "values": [0.1, 0.1, 0.5, 0.3]}, "feed_in": 0.05},
        "environment": {"rewards": {"cost": 1.0}, "episode_steps": 4, "starts": "any", "levels": 3},
    }


SMALL = {"hidden": [8], "minibatches": 1, "epochs": 1}
RUN = {"settings": SMALL, "iterations": 4, "environments": 4, "seeds": 2, "finite": True}


def begun(env, parts, environments=4, **options):
    game = make_game(env, parts, options.pop("scripts", ()))
    trainer = Trainer(game, environments, env.config.steps)
    schedule = constant([team.hp for team in game.teams])
    return trainer, schedule, trainer.init(jax.random.key(0), schedule, env.params)


@pytest.mark.parametrize("paradigm", ["dtde", "dtde-shared", "ctde", "ctde-shared"])
def test_a_home_acts_on_its_own_observation_only(homes, paradigm):
    env = prosumax.make(homes)
    part = Part("ppo", (0, 1, 2), "ppo", paradigm, SMALL)
    trainer, _, state = begun(env, [part])
    team = trainer.game.teams[0]
    obs = jax.random.normal(jax.random.key(1), (1, 3, len(env.observation_names)))

    def logits(obs):
        """Every home's policy before dice are rolled."""
        act = lambda state, seen: state.actor(seen, jnp.zeros((*seen.shape[:-1], 0)))[0]  # noqa: E731
        return jax.vmap(act)(state.learners[0], team.see(obs)).reshape(3, -1)

    moved = jax.jacobian(logits)(obs)[:, :, 0]  # [home, output, home, feature]
    for home in range(3):
        others = np.delete(np.asarray(moved[home]), home, axis=1)
        assert not others.any()
        assert np.asarray(moved[home])[:, home].any()


def test_a_joint_agent_sees_all(homes):
    env = prosumax.make(homes)
    trainer, _, _ = begun(env, [Part("ppo", (0, 1, 2), "ppo", "ctce", SMALL)])
    assert trainer.game.teams[0].spec.obs == 3 * len(env.observation_names)


def test_rules_and_several_learners_share_one_program(homes):
    population = [
        {"homes": ["sunny"], "policy": "ppo", "goal": "profit", "settings": SMALL},
        {
            "homes": ["stored"],
            "policy": "a2c",
            "goal": {"cost": 1, "wear": 0.1},
            "settings": {"hidden": [8]},
        },
    ]
    content = homes | {"population": population, "policy": "self-consumption"}
    done = prosumax.train(content, iterations=2, environments=4, seeds=2)
    assert done.curves["reward"].shape == (2, 2)
    assert np.isfinite(done.curves["reward"]).all()
    assert set(done.test) >= {"learned", "none", "self-consumption", "zero-intelligence"}
    rewards = [home["rewards"] for home in done.plan.scenario["homes"]]
    assert rewards == [{"profit": 1.0}, {"cost": 1.0, "wear": 0.1}, None]


def test_a_run_is_stored_resumed_evaluated_and_exported(homes, tmp_path):
    whole = prosumax.train(
        homes,
        algorithm="ppo",
        paradigm="dtde-shared",
        out=tmp_path / "whole",
        judged="alone",
        **RUN,
    )
    again = prosumax.train(homes, algorithm="ppo", paradigm="dtde-shared", judged="no", **RUN)
    np.testing.assert_array_equal(whole.curves["reward"], again.curves["reward"])

    def stop(now):
        if now.iteration == 2:
            raise KeyboardInterrupt

    part = prosumax.train(
        homes,
        algorithm="ppo",
        paradigm="dtde-shared",
        out=tmp_path / "part",
        on_progress=stop,
        **RUN,
    )
    assert part.iteration == 2 and part.test == {}
    resumed = resume(tmp_path / "part", judged="alone")
    for name in ("reward", "validation", "entropy"):
        np.testing.assert_array_equal(resumed.curves[name], whole.curves[name])
    jax.tree.map(np.testing.assert_array_equal, resumed.learners, whole.learners)

    other = homes | {
        "name": "two",
        "homes": homes["homes"][:2],
        "market": {"mechanism": "double_auction"},
    }
    found = evaluate(tmp_path / "whole", other)
    assert found.players["learned"]["cost"].shape == (2,)

    export_policy(tmp_path / "whole", "stored", tmp_path / "policy.json", seed=1)
    policy = load_policy(tmp_path / "policy.json")
    assert policy.observation_names[-1] == "soc"
    obs = jnp.linspace(0, 1, len(policy.observation_names))
    action, memory = policy.act(obs, policy.start())
    states = jax.tree.map(lambda leaf: leaf[1, 0], whole.learners[0])
    out, _ = states.actor(obs, jnp.zeros(0))
    assert int(action.choices[0]) == int(jnp.argmax(out))
    assert memory.shape[-1] == 0


def test_seeds_in_one_program_learn_the_same(homes, tmp_path, monkeypatch):
    """As on GPUs; and what was stored there goes on here."""
    apart = prosumax.train(homes, algorithm="ppo", paradigm="dtde-shared", judged="no", **RUN)

    def stop(now):
        if now.iteration == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as there:
        there.setattr(jax, "default_backend", lambda: "gpu")
        prosumax.train(
            homes, algorithm="ppo", paradigm="dtde-shared", out=tmp_path, on_progress=stop, **RUN
        )
    resumed = resume(tmp_path, judged="no")
    for name in (
        "reward",
        "validation",
        "entropy",
    ):  # products of several seeds are rounded in another order
        np.testing.assert_allclose(resumed.curves[name], apart.curves[name], rtol=1e-3, atol=1e-5)


def test_mistakes_are_named(homes, tmp_path):
    with pytest.raises(InputError, match="Did you mean 'ppo'"):
        prosumax.train(homes, algorithm="pppo")
    with pytest.raises(InputError, match="learning_rate"):
        prosumax.train(homes, algorithm="ppo", settings={"learning_rat": 1})
    with pytest.raises(InputError, match="no such home"):
        prosumax.train(homes | {"population": [{"homes": ["x"], "policy": "ppo"}]})
    with pytest.raises(InputError, match="no training run"):
        evaluate(tmp_path)
