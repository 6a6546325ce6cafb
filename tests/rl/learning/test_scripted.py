"""Rules as players of a game: what they pay is what they pay in a run, whatever devices there are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.control.rules import assemble_policy
from prosumax.rl.engine.evaluation import fixed, play
from prosumax.rl.engine.multi_agent import make_game
from prosumax.rl.engine.scripted import script
from prosumax.rl.training.training import train
from prosumax.simulation.rollout import rollout

STEPS = 24


@pytest.fixture(scope="module")
def homes():
    """One home with everything there is, one with a car and sun, one with a heat pump; two days of hours in winter."""
    values = lambda *numbers: {"source": "values", "values": list(numbers)}  # noqa: E731
    car = {"power_kw": 7.4, "capacity_kwh": 40, "v2g": True, "initial_soc": 0.4,
           "trips": [{"leave": "08:00", "back": "16:00", "km": 60}]}  # fmt: skip
    load, sun = (
        values(0.3, 0.9, 0.5, 1.2),
        values(*[0.0] * 8, 2.0, 4.0, 6.0, 5.0, 3.0, 1.0, *[0.0] * 10),
    )
    machine = {"kind": "dishwasher", "runs_per_week": 7, "deadline_hours": 6}
    battery = {"capacity_kwh": 6, "charge_kw": 3}
    pump = {"hot_water": {"litres": 200}}
    return {
        "name": "electric",
        "period": {"start": "2023-02-07T00:00", "steps": 2 * STEPS, "step_minutes": 60},
        "location": {"latitude_deg": 50.85, "longitude_deg": 4.35},
        "tariff": {"energy": values(0.3, 0.2, 0.4), "feed_in": 0.05},
        "market": {"mechanism": "mid_market_rate"},
        "homes": [
            {"name": "all", "load": load, "solar": sun, "battery": battery, "car": car, "heat_pump": pump,
             "appliances": [machine]},
            {"name": "driver", "load": load, "solar": sun, "car": car | {"v2g": False}},
            {"name": "warm", "load": load, "heat_pump": pump},
        ],
        "environment": {"rewards": {"cost": 1.0}, "episode_steps": STEPS, "starts": "first"},
    }  # fmt: skip


@pytest.mark.parametrize("rule", ["none", "self-consumption", "solar-first"])
def test_a_rule_pays_in_a_game_what_it_pays_in_a_run(homes, rule):
    env = prosumax.make(homes)
    game = fixed(make_game(env, (), (script(env, (0, 1, 2), rule, "here"),)), STEPS)
    played = play(game, (), (), env.params, jnp.zeros(1, int), jax.random.key(0))
    run = jax.jit(rollout)(
        prosumax.build(prosumax.load_scenario(homes)),
        assemble_policy([rule] * 3),
        jax.random.key(0),
    )
    paid = run.record.bill.total[:STEPS].sum(0)
    np.testing.assert_allclose(played.bill[0], paid, rtol=1e-4)  # single precision, 24 steps


def test_learners_and_rules_share_a_community_with_cars_and_heat_pumps(homes):
    population = [
        {"homes": ["all"], "policy": "solar-first"},
        {"homes": ["driver", "warm"], "policy": "ppo"},
    ]
    settings = {"hidden": [8], "minibatches": 1, "epochs": 1}
    homes = homes | {"population": [population[0], population[1] | {"settings": settings}]}
    done = train(homes, iterations=2, environments=2, seeds=1, finite=True)
    assert {"learned", "none", "optimal", "community-optimal"} <= set(done.test)
    in_levels = train(
        homes,
        {"environment.levels": 5},
        iterations=2,
        environments=2,
        seeds=1,
        finite=True,
        judged="alone",
    )
    for figures in (*done.test.values(), *in_levels.test.values()):
        assert np.isfinite(figures["objective"]).all()
