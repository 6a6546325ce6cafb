"""Communities with cars, heat pumps and appliances: energy, comfort, actions, and nothing new for those without."""

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
from prosumax.simulation.rollout import rollout

HOMES, STEPS = 4, 32
RULES = ["solar-first", "self-consumption", "zero-intelligence", "none"]


def random_homes(seed):
    """Any devices at all; the first home has one of each kind, so that all examples share a program."""
    rng = np.random.default_rng(seed)

    def values(high):
        return {"source": "values", "values": rng.uniform(0, high, STEPS).round(4).tolist()}

    def some(device, chance=0.6):
        return device if rng.random() < chance else None

    def car():
        return {
            "power_kw": float(rng.choice([3.7, 7.4, 11])),
            "capacity_kwh": float(rng.uniform(20, 80)),
            "v2g": bool(rng.random() < 0.5),
            "initial_soc": float(rng.uniform(0.2, 1)),
            "safeguard": bool(rng.random() < 0.7),
            "trips": [{"leave": "07:30", "back": "12:40", "km": float(rng.uniform(5, 200))}],
        }

    def pump():
        return {
            "loss_w_per_k": float(rng.uniform(80, 300)),
            "power_kw": float(rng.uniform(1, 4)),
            "hot_water": some({"litres": float(rng.uniform(100, 300))}, 0.8),
            "safeguard": bool(rng.random() < 0.7),
        }

    def machine():
        kind = str(rng.choice(["dishwasher", "dryer", "washing_machine"]))
        return {"kind": kind, "runs_per_week": 7, "deadline_hours": float(rng.uniform(3, 8))}

    battery = {
        "capacity_kwh": 8,
        "charge_kw": 4,
        "ageing": {"model": str(rng.choice(["xu", "linear"]))},
    }
    homes = [
        {
            "name": f"home {number}",
            "load": values(2),
            "solar": some(values(4)),
            "battery": battery if number == 0 else some(battery),
            "car": car() if number == 0 else some(car()),
            "heat_pump": pump() if number == 0 else some(pump()),
            "appliances": [machine(), machine()]
            if number == 0
            else [machine()] * int(rng.integers(0, 3)),
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


play = jax.jit(rollout)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31 - 1))
def test_energy_in_is_energy_out_at_every_home_and_step(seed):
    scenario = prosumax.load_scenario(random_homes(seed))
    community = prosumax.build(scenario)
    policy = assemble_policy(RULES)
    masks = np.array([[home.policy == rule for home in scenario.homes] for rule in RULES])
    run = play(community, policy._replace(masks=jnp.asarray(masks)), jax.random.key(seed))
    flows = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), run.record.flows)
    car, heat, machines = flows.devices
    atol = 5e-5  # single precision on some 20 kWh per step
    used = (
        heat.heat_electricity_kwh
        + heat.water_electricity_kwh
        + machines.used_kwh.sum(-1)
        + car.charge_kwh
    )
    np.testing.assert_allclose(
        flows.load_kwh, np.asarray(community.series.load_kwh) + used, atol=atol
    )
    energy_in = flows.solar_kwh + flows.discharge_kwh + car.discharge_kwh + flows.import_kwh
    energy_out = flows.load_kwh + flows.charge_kwh + flows.export_kwh + flows.curtailed_kwh
    np.testing.assert_allclose(energy_in, energy_out, atol=atol)
    np.testing.assert_allclose(flows.given_kwh, flows.discharge_kwh + car.discharge_kwh)
    # Everything that came through the meter over the period is used, lost or still inside, losses by their names.
    stored = flows.stored_kwh[-1] - np.asarray(
        community.homes.battery.initial_soc * community.homes.battery.capacity_kwh
    )
    stored += car.stored_kwh[-1] - np.asarray(community.homes.devices.car.initial_kwh)
    taken = (flows.solar_kwh + flows.import_kwh - flows.export_kwh).sum(0)
    gone = np.asarray(community.series.load_kwh, np.float64).sum(0) + (used - car.charge_kwh).sum(0)
    gone += (flows.battery_loss_kwh + car.loss_kwh + car.driven_kwh).sum(0) + stored
    np.testing.assert_allclose(taken, gone, atol=STEPS * atol)
    assert (flows.life_used >= 0).all() and (flows.worn_kwh >= 0).all()
    assert (flows.worn_kwh.sum(0)[np.asarray(community.homes.battery.capacity_kwh) == 0] == 0).all()


def test_a_community_without_devices_has_nothing_of_them():
    community = prosumax.build(prosumax.load_scenario("marlem-battery-small"))
    assert (
        community.homes.devices is None
        and community.homes.ageing is None
        and community.series.devices is None
    )
    env = prosumax.make("marlem-battery-small", {"environment.control": "dispatch"})
    assert env.action_names == ["battery"] and env.sample_action(jax.random.key(0)).shape == (
        env.num_agents,
        1,
    )


STYLES = {"powers": {}, "levels": {"environment.levels": 5}, "bid": {"environment.control": "bid"}}


@pytest.fixture(scope="module")
def envs():
    spec = {
        "environment.observations": "devices",
        "environment.episode_steps": STEPS,
        "environment.starts": "first",
        "environment.rewards": {
            "profit": 1.0,
            "comfort": 1.0,
            "unserved": 1.0,
            "battery_wear": 1.0,
        },
    }
    source = random_homes(1)
    source["homes"][1] |= {"battery": None, "car": None, "heat_pump": None, "appliances": []}
    for home in source["homes"]:
        for device in ("car", "heat_pump"):
            if home[device]:
                home[device] |= {"safeguard": False}
    made = {style: prosumax.make(source, spec | over) for style, over in STYLES.items()}
    return {style: (env, jax.jit(env.step)) for style, env in made.items()}


@pytest.mark.parametrize("style", ["powers", "levels"])
def test_one_masked_slot_per_device(style, envs):
    env, step = envs[style]
    assert env.action_names == ["battery", "car", "heat", "hot_water", "appliance_1", "appliance_2"]
    obs, state = env.reset(jax.random.key(0))
    assert obs.shape == (HOMES, len(env.observation_names))
    mask, action = np.asarray(env.action_mask(state)), env.sample_action(jax.random.key(1))
    assert action.shape == (HOMES, 6)
    if style == "powers":
        assert mask.shape == (HOMES, 6) and mask[0].sum() >= 5 and not mask[1].any()
    else:
        assert mask.shape == (HOMES, 6, 5) and mask[1].sum() == 6 and mask[1, :, 2].all()
    # What a mask forbids is harmless.
    absent = step(jax.random.key(2), state, action)
    other = step(jax.random.key(2), state, action.at[1].set(0))
    np.testing.assert_array_equal(absent.reward, other.reward)


def test_agents_answer_for_comfort_and_departures_where_no_safeguard_does(envs):
    env, step = envs["powers"]
    totals = {}
    for share in (-1.0, 1.0):
        _, state = env.reset(jax.random.key(0))
        totals[share] = np.zeros((4, HOMES))
        for _ in range(STEPS):
            ts = step(jax.random.key(0), state, jnp.full((HOMES, 6), share))
            state, totals[share] = ts.state, totals[share] + np.asarray(ts.info["reward_terms"])
    comfort, unserved = env.reward_names.index("comfort"), env.reward_names.index("unserved")
    assert totals[-1.0][comfort, 0] < -1 and totals[-1.0][unserved, 0] < -1
    assert totals[1.0][unserved, 0] > totals[-1.0][unserved, 0]
    assert totals[1.0][env.reward_names.index("battery_wear"), 0] < 0
    assert (totals[-1.0][[comfort, unserved], 1] == 0).all()


def test_bids_leave_devices_to_their_habits_and_know_their_need(envs):
    env, step = envs["bid"]
    _, state = env.reset(jax.random.key(0))
    none = jnp.zeros((HOMES, 4))
    ts = step(jax.random.key(0), state, none)
    car = ts.info["record"].flows.devices.car
    assert float(car.charge_kwh[0]) > 0  # on arrival, without being asked
    balance = ts.info["record"].flows
    left = balance.load_kwh + balance.charge_kwh + balance.export_kwh
    right = balance.solar_kwh + balance.given_kwh + balance.import_kwh
    np.testing.assert_allclose(left, right, atol=1e-4)


@pytest.mark.parametrize("style", ["powers", "levels"])
def test_faces_take_slots(style, envs):
    pytest.importorskip("gymnasium")
    pytest.importorskip("pettingzoo")
    env, _ = envs[style]
    joint = wrappers.to_gymnasium(env)
    joint.reset(seed=0)
    first = joint.step(joint.action_space.sample())
    assert np.isfinite(first[1])
    face = wrappers.to_pettingzoo(env)
    _, infos = face.reset(seed=0)
    masks = {agent: infos[agent].get("action_mask") for agent in face.agents}
    actions = {agent: face.action_space(agent).sample(masks[agent]) for agent in face.agents}
    assert all(
        face.observation_space(agent).contains(obs) for agent, obs in face.step(actions)[0].items()
    )


def test_new_numbers_reuse_the_program():
    from prosumax.simulation.rollout import _compile

    before = _compile.cache_info().misses
    for seed in (1, 2):
        source = random_homes(seed)
        for home in source["homes"]:
            home["policy"] = "solar-first"
        prosumax.run(source, optimum=False)
    assert _compile.cache_info().misses == before + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"location": None}, "heat pumps need a `location`"),
        ({"homes.0.car.trips": [{"leave": "8:00", "back": "09:00", "km": 3}]}, "time of the day such as 07:45"),
        ({"homes.0.car.trips": [{"leave": "09:00", "back": "08:00", "km": 3}]}, r"back \(08:00\) must be later"),
        (
            {"homes.0.car.trips": [{"leave": f"{h:02}:00", "back": f"{h + 2:02}:00", "km": 3} for h in (8, 9)]},
            "leaves at 09:00, before the one of 08:00 is back",
        ),
        ({"homes.0.heat_pump.lowest_c": 25}, "lowest_c .25. must be below"),
        ({"homes.0.heat_pump.setpoint_c": 15}, "setpoint_c .15. must lie between"),
        ({"homes.0.appliances": [{"kind": "dryer", "hours": 4, "deadline_hours": 3}]}, "takes 4 h and must be done"),
        ({"homes.0.appliances": [{"kind": "oven"}]}, "oven.*is not a choice"),
        ({"homes.0.battery.fade": 0.01}, "both take capacity away"),
    ],
)  # fmt: skip
def test_mistakes_get_a_message(change, message):
    with pytest.raises(InputError, match=message):
        prosumax.load_scenario(random_homes(0), change)


LIVES = ["couple", "family", "family_with_teenagers", "students", "home_business", "retired"]


def test_a_year_of_the_default_homes():
    """Cars 2000 to 3000 kWh, heat pumps 3000 to 5000 kWh a year; everybody drives, stays warm and showers."""
    homes = [
        {
            "name": life,
            "load": {"source": "synthetic", "lifestyle": life},
            "car": {},
            "heat_pump": {},
        }
        for life in LIVES
    ]
    source = random_homes(0) | {
        "homes": homes,
        "period": {"start": "2023-01-01T00:00", "steps": 8760, "step_minutes": 60},
    }
    source["tariff"] = {"energy": 0.3, "feed_in": 0.05}
    result = prosumax.run(source, optimum=False)
    for home in result.households:
        assert 2000 < home["car_charge_kwh"] < 3000, home["name"]
        assert 3000 < home["heat_pump_kwh"] < 5000, home["name"]
        assert home["too_cold_kh"] == 0 and home["car_short_kwh"] < 1
        # Long drives are charged on the road; a shower of the coldest hour may stay lukewarm.
        assert home["car_unserved_kwh"] < 0.05 * home["car_driven_kwh"]
        assert home["unserved_kwh"] - home["car_unserved_kwh"] < 0.01 * home["hot_water_kwh"]
