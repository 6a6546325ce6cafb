"""MARLEM's case studies as environments that close energy and money, and the studies of bidding."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest

import prosumax
from prosumax import tariff
from prosumax.errors import InputError
from prosumax.rl.env import CommunityEnv
from prosumax.scenario.loading import load_scenario, scenario_preset_paths
from prosumax.simulation.inputs import read_profiles
from prosumax.studies.daily_episodes import run_daily_episodes
from prosumax.studies.engine import load_studies, run_study
from prosumax.studies.tables import make_tables

PRESETS = [name for name in scenario_preset_paths() if name.startswith("marlem-")]
SHORT = {"period.steps": 120}
STRATEGIC = {"preset": "marlem-battery-strategic", "bidder": "marlem-zero-intelligence"}

# Of 24 steps each: 10 000 random steps.
NUM_EPISODES = 417

# A thousand homes would make ten million bids, which do not fit into memory.
MAX_HOMES_OF_ALL_EPISODES = 20
NUM_EPISODES_OF_LARGE_PRESETS = 4

# The other presets differ in numbers only, and each takes twenty seconds to compile.
FAST_PRESETS = ("marlem-cooperation", "marlem-battery-degradation", "marlem-topology")
CASES = [
    pytest.param(name, marks=() if name in FAST_PRESETS else pytest.mark.slow) for name in PRESETS
]


def test_all_case_studies_have_presets():
    cases = {"mechanisms", "market-power", "dso", "topology", "cooperation", "scale"}
    deployments = ("none", "small", "large", "mixed", "strategic", "degradation")
    names = cases | {f"battery-{name}" for name in deployments}
    assert {f"marlem-{name}" for name in names} <= set(PRESETS)


@partial(jax.jit, static_argnums=0)
def roll_out_random_days(config, params, keys):
    """Take uniformly random actions; presets of one shape share the compiled program."""
    env = CommunityEnv(config, params)

    def advance(state, key):
        act_key, step_key = jax.random.split(key)
        timestep = env.step(step_key, state, env.action_space.sample(act_key))
        stored = state.community.homes.battery.stored_kwh
        return timestep.state, (
            timestep.obs,
            timestep.reward,
            timestep.truncated,
            timestep.info,
            stored,
        )

    def episode(key):
        _, state = env.reset(key)
        return jax.lax.scan(advance, state, jax.random.split(jax.random.fold_in(key, 1), 24))[1]

    return jax.vmap(episode)(keys)


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """A preset and its random days."""
    env = prosumax.make(request.param, SHORT)
    config = replace(env.config, agents=tuple(str(number) for number in range(env.num_agents)))
    small = env.num_agents <= MAX_HOMES_OF_ALL_EPISODES
    num_episodes = NUM_EPISODES if small else NUM_EPISODES_OF_LARGE_PRESETS
    keys = jax.random.split(jax.random.key(0), num_episodes)
    return env, jax.tree.map(np.asarray, roll_out_random_days(config, env.params, keys))


@pytest.mark.slow
def test_a_day_has_24_steps_of_finite_observations(case):
    env, (obs, reward, truncated, _, _) = case
    assert env.config.action_mode == "bid" and env.config.episode_steps == 24
    assert obs.shape == (len(reward), 24, env.num_agents, len(env.observation_names))
    assert np.isfinite(obs).all() and np.isfinite(reward).all()
    assert not truncated[:, :-1].any() and truncated[:, -1].all()


def test_energy_closes_in_every_home(case):
    env, (_, _, _, info, before) = case
    flows, battery = info["record"].flows, env.params.community.homes.battery
    supplied = flows.solar_kwh + flows.discharge_kwh + flows.import_kwh
    used = flows.load_kwh + flows.charge_kwh + flows.export_kwh + flows.curtailed_kwh
    assert np.abs(supplied - used).max() < 1e-3
    after = before + flows.charge_kwh - flows.discharge_kwh - flows.storage_loss_kwh
    assert np.abs(after - flows.stored_kwh).max() < 1e-3
    capacity = np.asarray(battery.capacity_kwh)
    assert (flows.stored_kwh <= np.asarray(battery.soc_max) * capacity + 1e-3).all()
    assert (flows.stored_kwh >= np.asarray(battery.soc_min) * capacity - 1e-3).all()
    local = info["record"].local
    assert np.abs(local.bought_kwh.sum(-1) - local.sold_kwh.sum(-1)).max() < 1e-2
    # Energy that is not traded locally is bought from or sold to the grid.
    residual = flows.import_kwh - flows.export_kwh - local.bought_kwh + local.sold_kwh
    assert np.abs(residual.sum(-1) + info["indicators"].net_export_kwh).max() < 1e-1


def test_money_closes_with_the_network_operator(case):
    _, (_, _, _, info, _) = case
    bill = jax.tree.map(lambda leaf: leaf.astype(np.float64), info["record"].bill)
    receipts = tariff.receipts(bill)
    assert np.allclose(sum(receipts.values()), np.asarray(bill.total).sum(-1), atol=1e-3)
    assert np.allclose(receipts["mechanism"], 0, atol=1e-3)
    grid = info["record"].grid
    assert np.allclose(receipts["network_operator"], grid.fees.sum(-1), atol=1e-3)
    assert np.abs(grid.fees).max() > 0
    assert np.allclose(grid.balance_kwh, info["indicators"].net_export_kwh, atol=1e-1)


def test_homes_and_days_have_random_numbers_of_their_own():
    equal_homes = {
        f"homes.{number}.{field}": 60
        for number in range(7)
        for field in ("load.capacity_kw", "solar.peak_kw")
    }
    scenario = load_scenario("marlem-battery-none", {"period.steps": 48} | equal_homes)
    profiles = read_profiles(scenario)
    for series in (profiles.load_kwh, profiles.solar_kwh[8:17]):
        assert len(np.unique(series[0:9].round(9), axis=1).T) == 7
    assert not np.allclose(profiles.load_kwh[:24], profiles.load_kwh[24:])
    assert not np.allclose(profiles.prices["energy"][:24], profiles.prices["energy"][24:])
    assert (profiles.prices["energy"] > profiles.prices["feed_in"]).all()
    longer = load_scenario("marlem-battery-none", {"period.steps": 24 * 200} | equal_homes)
    assert np.array_equal(read_profiles(longer).load_kwh[:48], profiles.load_kwh)
    fewer = scenario.model_copy(update={"homes": scenario.homes[:3]})
    assert np.array_equal(read_profiles(fewer).load_kwh, profiles.load_kwh[:, :3])


def test_hourly_factors_multiply_profiles():
    evening = {"from_hour": 17, "to_hour": 21, "factor": 1.8}
    morning = {"from_hour": 8, "to_hour": 12, "factor": 1.3}
    factors = {
        "homes.0.load.factor": 1.0,
        "homes.1.load.hourly_factors": [evening],
        "homes.2.solar.hourly_factors": [morning],
    }
    day = {"period.steps": 24}
    plain = read_profiles(load_scenario("marlem-battery-none", day))
    changed = read_profiles(load_scenario("marlem-battery-none", day | factors))
    hour = np.arange(24)
    load_factor = np.where((hour >= 17) & (hour < 21), 1.8, 1)
    solar_factor = np.where((hour >= 8) & (hour < 12), 1.3, 1)
    assert np.allclose(changed.load_kwh[:, 0], 2 * plain.load_kwh[:, 0])
    assert np.allclose(changed.load_kwh[:, 1], plain.load_kwh[:, 1] * load_factor)
    assert np.allclose(changed.solar_kwh[:, 2], plain.solar_kwh[:, 2] * solar_factor)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"period.step_minutes": 15}, "60"),
        ({"tariff.energy.min_price": 0.3}, "must be below max_price"),
        (
            {"homes.0.load.hourly_factors": [{"from_hour": 20, "to_hour": 6, "factor": 2}]},
            "midnight",
        ),
        ({"homes.0.load.capacity_kw": 0}, "greater than 0|> 0"),
    ],
)
def test_wrong_settings_are_explained(change, message):
    with pytest.raises(InputError, match=message):
        read_profiles(load_scenario("marlem-battery-none", change))


@pytest.mark.slow
def test_a_day_is_reproducible_and_the_same_for_all_deployments():
    one = run_daily_episodes(STRATEGIC, (0, 1))
    again = run_daily_episodes(STRATEGIC, (0, 1))
    no_battery = run_daily_episodes(STRATEGIC | {"preset": "marlem-battery-none"}, (0, 1))
    assert np.array_equal(one[1].reward, again[1].reward)
    assert not np.allclose(one[0].retail, one[1].retail)
    assert np.array_equal(one[0].retail, no_battery[0].retail)
    charge = [day.record.flows.stored_kwh[0] for day in one]
    assert not np.allclose(*charge)


def test_a_study_of_bidding_fills_its_table(monkeypatch):
    studies = load_studies()
    whole = studies.get("marlem-battery", "test")
    short = whole._replace(variants=(whole.variants[0], whole.variants[4]))
    monkeypatch.setattr(studies, "get", lambda name, where: short)
    result, again = (run_study("marlem-battery", 2) for _ in range(2))
    assert np.array_equal(result.values, again.values, equal_nan=True)
    keys = [metric.key for metric in short.metrics]
    values = dict(zip(keys, result.values[1], strict=True))
    price = values["day.mean_step_price"]
    assert ((price > 35) & (price < 280)).all()
    assert (values["day.coordination"] <= 100).all() and (values["day.loss_kwh"] > 0).all()
    (table,) = make_tables(result)
    assert table.header == ["no battery", "strategic"] and len(table.rows) == len(short.metrics)


@pytest.mark.slow
@pytest.mark.parametrize(("homes", "mechanism"), [(1, "none"), (9, "mutual_partners")])
def test_a_day_can_have_any_number_of_homes(homes, mechanism):
    settings = {
        "preset": "marlem-scale",
        "bidder": "truthful",
        "homes": homes,
        "market.mechanism": mechanism,
    }
    (day, _) = run_daily_episodes(settings, (0, 1))
    assert day.reward.shape == (24, homes)
    assert homes > 1 or day.indicators.liquidity.sum() == 0
