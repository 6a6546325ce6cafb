"""Communities with EVs, heat pumps and appliances: energy, comfort and actions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prosumax
from prosumax.control.rules import assemble_policy
from prosumax.errors import InputError
from prosumax.rl import wrappers
from prosumax.simulation.rollout import rollout_policy

HOMES, STEPS = 4, 32
RULES = ["solar-first", "self-consumption", "zero-intelligence", "none"]


def random_homes(seed):
    """Scenario with random devices; the first home has all kinds, so examples share a program."""
    rng = np.random.default_rng(seed)

    def values(high):
        return {"source": "values", "values": rng.uniform(0, high, STEPS).round(4).tolist()}

    def optional(device, chance=0.6):
        return device if rng.random() < chance else None

    def ev():
        return {
            "power_kw": float(rng.choice([3.7, 7.4, 11])),
            "capacity_kwh": float(rng.uniform(20, 80)),
            "v2g": bool(rng.random() < 0.5),
            "initial_soc": float(rng.uniform(0.2, 1)),
            "safeguard": bool(rng.random() < 0.7),
            "trips": [
                {
                    "departure": "07:30",
                    "arrival": "12:40",
                    "distance_km": float(rng.uniform(5, 200)),
                }
            ],
        }

    def heat_pump():
        return {
            "heat_loss_w_per_k": float(rng.uniform(80, 300)),
            "power_kw": float(rng.uniform(1, 4)),
            "hot_water": optional({"volume_liters": float(rng.uniform(100, 300))}, 0.8),
            "safeguard": bool(rng.random() < 0.7),
        }

    def appliance():
        kind = str(rng.choice(["dishwasher", "dryer", "washing_machine"]))
        return {"kind": kind, "runs_per_week": 7, "deadline_hours": float(rng.uniform(3, 8))}

    battery = {
        "capacity_kwh": 8,
        "charge_kw": 4,
        "aging": {"model": str(rng.choice(["xu", "linear"]))},
    }
    homes = [
        {
            "name": f"home {number}",
            "load": values(2),
            "solar": optional(values(4)),
            "battery": battery if number == 0 else optional(battery),
            "ev": ev() if number == 0 else optional(ev()),
            "heat_pump": heat_pump() if number == 0 else optional(heat_pump()),
            "appliances": [appliance(), appliance()]
            if number == 0
            else [appliance()] * int(rng.integers(0, 3)),
            "policy": RULES[(number + seed) % len(RULES)],
        }
        for number in range(HOMES)
    ]
    return {
        "name": "devices",
        "seed": int(seed % 1000),
        "period": {"start": "2023-02-07T04:00", "steps": STEPS, "step_minutes": 30},
        "location": {"latitude_deg": 50.85, "longitude_deg": 4.35},
        "tariff": {"energy": values(0.3), "feed_in": 0.05, "vat": 0.06},
        "market": {"mechanism": "mid_market_rate"},
        "homes": homes,
    }


simulate = jax.jit(rollout_policy)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31 - 1))
def test_energy_balances_at_every_home_and_step(seed):
    scenario = prosumax.load_scenario(random_homes(seed))
    community = prosumax.build(scenario)
    policy = assemble_policy(RULES)
    masks = np.array([[home.policy == rule for home in scenario.homes] for rule in RULES])
    policy = policy._replace(masks=jnp.asarray(masks))
    trajectory = simulate(community, policy, jax.random.key(seed))
    flows = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), trajectory.record.flows)
    ev = flows.devices["ev"]
    heat_pump = flows.devices["heat_pump"]
    appliances = flows.devices["appliances"]
    atol = 5e-5  # single precision on some 20 kWh per step
    consumption = (
        heat_pump.space_heating_electricity_kwh
        + heat_pump.hot_water_electricity_kwh
        + appliances.run_kwh.sum(-1)
        + ev.charge_kwh
    )
    fixed_load = np.asarray(community.series.load_kwh)
    np.testing.assert_allclose(flows.load_kwh, fixed_load + consumption, atol=atol)
    energy_in = flows.solar_kwh + flows.discharge_kwh + ev.discharge_kwh + flows.import_kwh
    energy_out = flows.load_kwh + flows.charge_kwh + flows.export_kwh + flows.curtailed_kwh
    np.testing.assert_allclose(energy_in, energy_out, atol=atol)
    discharge = flows.discharge_kwh + ev.discharge_kwh
    np.testing.assert_allclose(flows.storage_discharge_kwh, discharge)
    # Over the period, all energy supplied is consumed, lost or stored.
    battery = community.homes.battery
    stored = flows.stored_kwh[-1] - np.asarray(battery.initial_soc * battery.capacity_kwh)
    stored += ev.stored_kwh[-1] - np.asarray(community.homes.devices["ev"].initial_kwh)
    supplied = (flows.solar_kwh + flows.import_kwh - flows.export_kwh).sum(0)
    used = np.asarray(community.series.load_kwh, np.float64).sum(0)
    used += (consumption - ev.charge_kwh).sum(0)
    used += (flows.storage_loss_kwh + ev.loss_kwh + ev.driven_kwh).sum(0) + stored
    np.testing.assert_allclose(supplied, used, atol=STEPS * atol)
    aged = flows.devices["battery"]
    assert (aged.life_used >= 0).all() and (aged.capacity_loss_kwh >= 0).all()
    without_battery = np.asarray(battery.capacity_kwh) == 0
    assert (aged.capacity_loss_kwh.sum(0)[without_battery] == 0).all()


def test_community_without_devices_has_no_device_arrays():
    community = prosumax.build(prosumax.load_scenario("marlem-battery-small"))
    assert list(community.homes.devices) == ["battery"]
    assert community.homes.battery.aging is None
    assert community.series.devices == {}
    env = prosumax.make("marlem-battery-small", {"environment.action_mode": "dispatch"})
    assert env.action_names == ["battery"]
    assert env.action_space.sample(jax.random.key(0)).shape == (env.num_agents, 1)


ACTION_MODES = {
    "powers": {},
    "levels": {"environment.power_levels": 5},
    "bid": {"environment.action_mode": "bid"},
}


@pytest.fixture(scope="module")
def envs():
    """Environment and compiled step of each action mode, with devices without safeguards."""
    fields = {
        "environment.observations": "devices",
        "environment.episode_steps": STEPS,
        "environment.episode_start": "first",
        "environment.rewards": {
            "profit": 1.0,
            "comfort": 1.0,
            "unserved_energy": 1.0,
            "battery_degradation": 1.0,
        },
    }
    scenario = random_homes(1)
    scenario["homes"][1] |= {"battery": None, "ev": None, "heat_pump": None, "appliances": []}
    for home in scenario["homes"]:
        for device in ("ev", "heat_pump"):
            if home[device]:
                home[device] |= {"safeguard": False}
    made = {mode: prosumax.make(scenario, fields | over) for mode, over in ACTION_MODES.items()}
    return {mode: (env, jax.jit(env.step)) for mode, env in made.items()}


@pytest.mark.parametrize("mode", ["powers", "levels"])
def test_action_has_one_masked_slot_per_device(mode, envs):
    env, step = envs[mode]
    assert env.action_names == [
        "battery",
        "ev",
        "space_heating",
        "hot_water",
        "appliance_1",
        "appliance_2",
    ]
    obs, state = env.reset(jax.random.key(0))
    assert obs.shape == (HOMES, len(env.observation_names))
    mask = np.asarray(env.action_mask(state))
    action = env.action_space.sample(jax.random.key(1))
    assert action.shape == (HOMES, 6)
    assert env.action_space.contains(action)
    if mode == "powers":
        assert mask.shape == (HOMES, 6) and mask[0].sum() >= 5 and not mask[1].any()
    else:
        assert mask.shape == (HOMES, 6, 5) and mask[1].sum() == 6 and mask[1, :, 2].all()
    # Masked parts of an action have no effect.
    sampled = step(jax.random.key(2), state, action)
    other = step(jax.random.key(2), state, action.at[1].set(0))
    np.testing.assert_array_equal(sampled.reward, other.reward)


def test_rewards_reflect_comfort_and_departures_without_safeguards(envs):
    env, step = envs["powers"]
    totals = {}
    for share in (-1.0, 1.0):
        _, state = env.reset(jax.random.key(0))
        totals[share] = np.zeros((4, HOMES))
        for _ in range(STEPS):
            timestep = step(jax.random.key(0), state, jnp.full((HOMES, 6), share))
            state = timestep.state
            totals[share] = totals[share] + np.asarray(timestep.info["reward_terms"])
    comfort = env.reward_names.index("comfort")
    unserved = env.reward_names.index("unserved_energy")
    degradation = env.reward_names.index("battery_degradation")
    assert totals[-1.0][comfort, 0] < -1 and totals[-1.0][unserved, 0] < -1
    assert totals[1.0][unserved, 0] > totals[-1.0][unserved, 0]
    assert totals[1.0][degradation, 0] < 0
    assert (totals[-1.0][[comfort, unserved], 1] == 0).all()


def test_devices_follow_their_default_control_under_bids(envs):
    env, step = envs["bid"]
    _, state = env.reset(jax.random.key(0))
    flows = step(jax.random.key(0), state, jnp.zeros((HOMES, 4))).info["record"].flows
    # The EV charges on arrival without a request.
    assert float(flows.devices["ev"].charge_kwh[0]) > 0
    left = flows.load_kwh + flows.charge_kwh + flows.export_kwh
    right = flows.solar_kwh + flows.storage_discharge_kwh + flows.import_kwh
    np.testing.assert_allclose(left, right, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["powers", "levels"])
def test_wrappers_support_device_slots(mode, envs):
    pytest.importorskip("gymnasium")
    pytest.importorskip("pettingzoo")
    env, _ = envs[mode]
    joint = wrappers.to_gymnasium(env)
    joint.reset(seed=0)
    result = joint.step(joint.action_space.sample())
    assert np.isfinite(result[1])
    parallel = wrappers.to_pettingzoo(env)
    _, infos = parallel.reset(seed=0)
    actions = {
        agent: parallel.action_space(agent).sample(infos[agent].get("action_mask"))
        for agent in parallel.agents
    }
    obs = parallel.step(actions)[0]
    assert all(parallel.observation_space(agent).contains(own) for agent, own in obs.items())


def test_new_parameters_reuse_the_compiled_program():
    from prosumax.simulation.rollout import _compile

    before = _compile.cache_info().misses
    for seed in (1, 2):
        scenario = random_homes(seed)
        for home in scenario["homes"]:
            home["policy"] = "solar-first"
        prosumax.run(scenario, optimum=False)
    assert _compile.cache_info().misses == before + 1


def trip(departure, arrival):
    return {"departure": departure, "arrival": arrival, "distance_km": 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"location": None}, "heat_pump need a `location`"),
        ({"homes.0.ev.trips": [trip("8:00", "09:00")]}, "time of the day such as 07:45"),
        (
            {"homes.0.ev.trips": [trip("09:00", "08:00")]},
            r"arrival \(08:00\) must be later than departure \(09:00\)",
        ),
        (
            {"homes.0.ev.trips": [trip("08:00", "10:00"), trip("09:00", "11:00")]},
            "trip of 09:00 departs before the trip of 08:00 arrives",
        ),
        ({"homes.0.heat_pump.min_indoor_c": 25}, "min_indoor_c .25. must be below"),
        ({"homes.0.heat_pump.setpoint_c": 15}, "setpoint_c .15. must lie between"),
        (
            {"homes.0.appliances": [{"kind": "dryer", "duration_hours": 4, "deadline_hours": 3}]},
            "deadline_hours .3. must be at least the duration of a run .4.",
        ),
        ({"homes.0.appliances": [{"kind": "oven"}]}, "oven.*is not a choice"),
        ({"homes.0.battery.capacity_loss_coefficient": 0.01}, "exclude each other"),
    ],
)
def test_invalid_devices_raise_an_input_error(change, message):
    with pytest.raises(InputError, match=message):
        prosumax.load_scenario(random_homes(0), change)


LIFESTYLES = ["couple", "family", "family_with_teenagers", "students", "home_business", "retired"]


def test_default_devices_have_typical_annual_consumption():
    """EVs 2000 to 3000 kWh, heat pumps 3000 to 5000 kWh a year, with nearly all demand served."""
    homes = [
        {
            "name": lifestyle,
            "load": {"source": "synthetic", "lifestyle": lifestyle},
            "ev": {},
            "heat_pump": {},
        }
        for lifestyle in LIFESTYLES
    ]
    scenario = random_homes(0) | {
        "homes": homes,
        "period": {"start": "2023-01-01T00:00", "steps": 8760, "step_minutes": 60},
    }
    scenario["tariff"] = {"energy": 0.3, "feed_in": 0.05}
    result = prosumax.run(scenario, optimum=False)
    for home in result.households:
        assert 2000 < home["ev_charge_kwh"] < 3000, home["name"]
        assert 3000 < home["heat_pump_kwh"] < 5000, home["name"]
        assert home["underheating_kh"] == 0 and home["ev_departure_shortfall_kwh"] < 1
        # Long trips charge on the road; hot water may be lukewarm in the coldest hour.
        assert home["ev_unserved_kwh"] < 0.05 * home["ev_driven_kwh"]
        assert home["unserved_kwh"] - home["ev_unserved_kwh"] < 0.01 * home["hot_water_kwh"]
