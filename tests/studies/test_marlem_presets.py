"""MARLEM's case studies as environments: they load, play, and close energy and money; and the studies built on them."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest

import prosumax
from prosumax import tariff
from prosumax.errors import InputError
from prosumax.rl.env import CommunityEnv
from prosumax.scenario.loading import load_scenario, presets
from prosumax.simulation.inputs import read_profiles
from prosumax.studies.daily_episodes import days
from prosumax.studies.engine import run_study, studies
from prosumax.studies.tables import grids

NAMES = [name for name in presets() if name.startswith("marlem-")]
SHORT = {"period.steps": 120}
EPISODES = 417  # of 24 steps: 10 000 random steps
BATTERY = {"preset": "marlem-battery-strategic", "bidder": "marlem-zero-intelligence"}


def test_all_case_studies_are_there():
    cases = {"mechanisms", "market-power", "dso", "topology", "cooperation", "scale"}
    deployments = {
        f"battery-{name}"
        for name in ("none", "small", "large", "mixed", "strategic", "degradation")
    }
    assert {f"marlem-{name}" for name in cases | deployments} <= set(NAMES)


@partial(jax.jit, static_argnums=0)
def random_days(config, params, keys):
    """Even random actions, far beyond what homes can do; presets of one shape share the compiled program."""
    env = CommunityEnv(config, params)

    def advance(state, key):
        act_key, step_key = jax.random.split(key)
        done = env.step(step_key, state, env.sample_action(act_key))
        stored = state.community.homes.battery.stored_kwh
        return done.state, (done.obs, done.reward, done.truncated, done.info, stored)

    def episode(key):
        _, state = env.reset(key)
        return jax.lax.scan(advance, state, jax.random.split(jax.random.fold_in(key, 1), 24))[1]

    return jax.vmap(episode)(keys)


# The others differ in numbers only, and each takes twenty seconds to compile.
ALWAYS = ("marlem-cooperation", "marlem-battery-degradation", "marlem-topology")
CASES = [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.slow) for name in NAMES]


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """A preset, and what comes of random actions."""
    env = prosumax.make(request.param, SHORT)
    config = replace(env.config, agents=tuple(str(at) for at in range(env.num_agents)))
    episodes = (
        EPISODES if env.num_agents <= 20 else 4
    )  # ten million bids of a thousand homes would not fit
    played = random_days(config, env.params, jax.random.split(jax.random.key(0), episodes))
    return env, jax.tree.map(np.asarray, played)


def test_a_day_has_24_steps_of_finite_observations(case):
    env, (obs, reward, truncated, _, _) = case
    assert env.config.control == "bid" and env.config.steps == 24
    assert obs.shape == (len(reward), 24, env.num_agents, len(env.observation_names))
    assert np.isfinite(obs).all() and np.isfinite(reward).all()
    assert not truncated[:, :-1].any() and truncated[:, -1].all()


def test_energy_closes_in_every_home(case):
    env, (_, _, _, info, before) = case
    flows, battery = info["record"].flows, env.params.community.homes.battery
    given = flows.solar_kwh + flows.discharge_kwh + flows.import_kwh
    taken = flows.load_kwh + flows.charge_kwh + flows.export_kwh + flows.curtailed_kwh
    assert np.abs(given - taken).max() < 1e-3
    after = before + flows.charge_kwh - flows.discharge_kwh - flows.battery_loss_kwh
    assert np.abs(after - flows.stored_kwh).max() < 1e-3
    capacity = np.asarray(battery.capacity_kwh)
    assert (flows.stored_kwh <= np.asarray(battery.soc_max) * capacity + 1e-3).all()
    assert (flows.stored_kwh >= np.asarray(battery.soc_min) * capacity - 1e-3).all()
    local = info["record"].local
    assert np.abs(local.bought_kwh.sum(-1) - local.sold_kwh.sum(-1)).max() < 1e-2
    # What neighbours do not trade goes through the grid side, at its prices.
    rest = flows.import_kwh - flows.export_kwh - local.bought_kwh + local.sold_kwh
    assert np.abs(rest.sum(-1) + info["kpis"].balance_kwh).max() < 1e-1


def test_money_closes_the_network_operator_included(case):
    _, (_, _, _, info, _) = case
    bill = jax.tree.map(lambda leaf: leaf.astype(np.float64), info["record"].bill)
    receipts = tariff.receipts(bill)
    assert np.allclose(sum(receipts.values()), np.asarray(bill.total).sum(-1), atol=1e-3)
    assert np.allclose(receipts["mechanism"], 0, atol=1e-3)
    grid = info["record"].grid
    assert np.allclose(receipts["network_operator"], grid.fees.sum(-1), atol=1e-3)
    assert np.abs(grid.fees).max() > 0
    assert np.allclose(grid.balance_kwh, info["kpis"].balance_kwh, atol=1e-1)


def test_homes_and_days_have_draws_of_their_own():
    homes = [
        f"homes.{at}.{part}" for at in range(7) for part in ("load.capacity_kw", "solar.peak_kw")
    ]
    scenario = load_scenario("marlem-battery-none", {"period.steps": 48} | dict.fromkeys(homes, 60))
    found = read_profiles(scenario)
    for series in (found.load_kwh, found.solar_kwh[8:17]):
        assert len(np.unique(series[0:9].round(9), axis=1).T) == 7
    assert not np.allclose(found.load_kwh[:24], found.load_kwh[24:])
    assert not np.allclose(found.prices["energy"][:24], found.prices["energy"][24:])
    assert (found.prices["energy"] > found.prices["feed_in"]).all()
    longer = read_profiles(
        load_scenario("marlem-battery-none", {"period.steps": 24 * 200} | dict.fromkeys(homes, 60))
    )
    assert np.array_equal(longer.load_kwh[:48], found.load_kwh)
    fewer = scenario.model_copy(update={"homes": scenario.homes[:3]})
    assert np.array_equal(read_profiles(fewer).load_kwh, found.load_kwh[:, :3])


def test_hours_and_factors_multiply():
    plain, more = (
        load_scenario("marlem-battery-none", {"period.steps": 24} | extra)
        for extra in (
            {},
            {
                "homes.0.load.factor": 1.0,
                "homes.1.load.hours": [{"from_hour": 17, "to_hour": 21, "factor": 1.8}],
                "homes.2.solar.hours": [{"from_hour": 8, "to_hour": 12, "factor": 1.3}],
            },
        )
    )
    a, b = read_profiles(plain), read_profiles(more)
    hour = np.arange(24)
    assert np.allclose(b.load_kwh[:, 0], 2 * a.load_kwh[:, 0])
    assert np.allclose(
        b.load_kwh[:, 1], a.load_kwh[:, 1] * np.where((hour >= 17) & (hour < 21), 1.8, 1)
    )
    assert np.allclose(
        b.solar_kwh[:, 2], a.solar_kwh[:, 2] * np.where((hour >= 8) & (hour < 12), 1.3, 1)
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"period.step_minutes": 15}, "60"),
        ({"tariff.energy.lowest": 0.3}, "below highest"),
        ({"homes.0.load.hours": [{"from_hour": 20, "to_hour": 6, "factor": 2}]}, "midnight"),
        ({"homes.0.load.capacity_kw": 0}, "greater than 0"),
    ],
)
def test_mistakes_are_explained(change, words):
    with pytest.raises(InputError, match=words):
        read_profiles(load_scenario("marlem-battery-none", change))


def test_a_day_is_the_same_day_again_and_shared_between_deployments():
    one, again, none = (
        days(BATTERY, (0, 1)),
        days(BATTERY, (0, 1)),
        days(BATTERY | {"preset": "marlem-battery-none"}, (0, 1)),
    )
    assert np.array_equal(one[1].reward, again[1].reward)
    assert not np.allclose(one[0].retail, one[1].retail)
    assert np.array_equal(one[0].retail, none[0].retail)
    charge = [day.record.flows.stored_kwh[0] for day in one]
    assert not np.allclose(*charge)


def test_a_study_of_bids_fills_its_table(monkeypatch):
    whole = studies.get("marlem-battery", "test")
    short = whole._replace(variants=(whole.variants[0], whole.variants[4]))
    monkeypatch.setattr(studies, "get", lambda name, where: short)
    found, again = (run_study("marlem-battery", 2) for _ in range(2))
    assert np.array_equal(found.values, again.values, equal_nan=True)
    by_name = dict(zip(short.figures, found.values[1], strict=True))
    assert ((by_name["mean_step_price"] > 35) & (by_name["mean_step_price"] < 280)).all()
    assert (by_name["coordination"] <= 100).all() and (by_name["losses"] > 0).all()
    (table,) = grids(found)
    assert table.header == ["no battery", "strategic"] and len(table.rows) == len(short.figures)


@pytest.mark.parametrize(("homes", "mechanism"), [(1, "none"), (9, "mutual_partners")])
def test_a_community_of_any_size_plays_a_day(homes, mechanism):
    settings = {
        "preset": "marlem-scale",
        "bidder": "truthful",
        "homes": homes,
        "market.mechanism": mechanism,
    }
    (day, _) = days(settings, (0, 1))
    assert day.reward.shape == (24, homes)
    assert homes > 1 or day.kpis.liquidity.sum() == 0
