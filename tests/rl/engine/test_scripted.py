"""Scripted policies have the same results in a multi-agent setup as in a simulation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.control.rules import assemble_policy
from prosumax.rl.engine.evaluation import evaluate_episodes, with_fixed_start
from prosumax.rl.engine.multi_agent import make_setup
from prosumax.rl.engine.scripted import make_scripted_policy
from prosumax.rl.training.training import train
from prosumax.simulation.rollout import rollout_policy

STEPS = 24


def values(*numbers):
    return {"source": "values", "values": list(numbers)}


@pytest.fixture(scope="module")
def homes():
    """One home with all devices, one with an EV and PV, one with a heat pump; two winter days."""
    ev = {
        "power_kw": 7.4,
        "capacity_kwh": 40,
        "v2g": True,
        "initial_soc": 0.4,
        "trips": [{"departure": "08:00", "arrival": "16:00", "distance_km": 60}],
    }
    load = values(0.3, 0.9, 0.5, 1.2)
    solar = values(*[0.0] * 8, 2.0, 4.0, 6.0, 5.0, 3.0, 1.0, *[0.0] * 10)
    heat_pump = {"hot_water": {"volume_liters": 200}}
    return {
        "name": "electric",
        "period": {"start": "2023-02-07T00:00", "steps": 2 * STEPS, "step_minutes": 60},
        "location": {"latitude_deg": 50.85, "longitude_deg": 4.35},
        "tariff": {"energy": values(0.3, 0.2, 0.4), "feed_in": 0.05},
        "market": {"mechanism": "mid_market_rate"},
        "homes": [
            {
                "name": "all",
                "load": load,
                "solar": solar,
                "battery": {"capacity_kwh": 6, "charge_kw": 3},
                "ev": ev,
                "heat_pump": heat_pump,
                "appliances": [{"kind": "dishwasher", "runs_per_week": 7, "deadline_hours": 6}],
            },
            {"name": "driver", "load": load, "solar": solar, "ev": ev | {"v2g": False}},
            {"name": "warm", "load": load, "heat_pump": heat_pump},
        ],
        "environment": {
            "rewards": {"cost": 1.0},
            "episode_steps": STEPS,
            "episode_start": "first",
        },
    }


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["none", "self-consumption", "solar-first"])
def test_bills_under_a_rule_are_those_of_a_simulation(homes, rule):
    env = prosumax.make(homes)
    agents = make_setup(env, (), (make_scripted_policy(env, (0, 1, 2), rule, "rule"),))
    episodes = evaluate_episodes(
        with_fixed_start(agents, STEPS),
        (),
        (),
        env.params,
        jnp.zeros(1, int),
        jax.random.key(0),
    )
    simulation = jax.jit(rollout_policy)(
        prosumax.build(prosumax.load_scenario(homes)),
        assemble_policy([rule] * 3),
        jax.random.key(0),
    )
    bill = simulation.record.bill.total[:STEPS].sum(0)
    np.testing.assert_allclose(episodes.bill[0], bill, rtol=1e-4)  # 24 steps, single precision.


@pytest.mark.slow
def test_learners_and_rules_share_a_community_with_evs_and_heat_pumps(homes):
    settings = {"hidden_sizes": [8], "num_minibatches": 1, "update_epochs": 1}
    population = [
        {"homes": ["all"], "policy": "solar-first"},
        {"homes": ["driver", "warm"], "policy": "ppo", "settings": settings},
    ]
    scenario = homes | {"population": population}
    options = {
        "iterations": 2,
        "num_envs": 2,
        "seeds": 1,
        "bootstrap_on_truncation": False,
    }
    continuous = train(scenario, **options)
    assert {"learned", "none", "optimal", "community-optimal"} <= set(continuous.test_metrics)
    levels = {"environment.power_levels": 5}
    discrete = train(scenario, levels, **options, evaluation="learned")
    for metrics in (*continuous.test_metrics.values(), *discrete.test_metrics.values()):
        assert np.isfinite(metrics["objective"]).all()
