"""Cars and heat pumps in the optimum: solved by hand, against a dense program and brute force, and as played."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog

import prosumax
from prosumax.optimization.flexible import or_idle
from prosumax.optimization.planning import plan_alone, plan_together, replay
from prosumax.optimization.problem import pose
from prosumax.simulation.build import assemble
from prosumax.simulation.inputs import read_profiles
from prosumax.types import Requests

PRICES = [0.30, 0.10, 0.20, 0.40, 0.05, 0.25, 0.15, 0.35]


def values(numbers):
    return {"source": "values", "values": list(numbers)}


def scenario(homes, steps=8, start="2023-01-16T00:00", buy=PRICES, sell=0.04, **more):
    return {
        "name": "flexible",
        "period": {"start": start, "steps": steps, "step_minutes": 60},
        "location": {"latitude_deg": 50.85, "longitude_deg": 4.35},
        "tariff": {
            "energy": values(buy),
            "feed_in": sell if isinstance(sell, float) else values(sell),
        },
        "homes": [
            {"name": f"home {n}", "load": values([0.0]), **home} for n, home in enumerate(homes)
        ],
        **more,
    }


def posed(source):
    checked = prosumax.load_scenario(source)
    profiles = read_profiles(checked)
    return pose(checked, profiles, assemble(checked, profiles))


def test_a_car_charges_in_the_cheapest_hours_before_it_leaves():
    """By hand: 8 kWh more wanted at 5 h, and the drive's 2.2 again at the end, stored at 80 %, 4 kW.

    That is 12.75 kWh AC. Behind the drive an hour costs 0.35, so all is charged before: 4 each in the hours of 0.05,
    0.10 and 0.20, the rest in that of 0.30.
    """
    car = {
        "power_kw": 4.0, "capacity_kwh": 40, "charge_efficiency": 0.8, "initial_soc": 0.3, "departure_soc": 0.5,
        "trips": [{"leave": "05:00", "back": "07:00", "km": 10}],
    }  # fmt: skip
    plan = plan_alone(posed(scenario([{"car": car}])))
    driven = 10 * 0.185 * (1 + 0.19 * np.cos(2 * np.pi * (16 - 21) / 365.25))
    rest = (8 + driven) / 0.8 - 12
    expected = 4 * (0.05 + 0.10 + 0.20) + rest * 0.30
    assert plan.objective == pytest.approx(expected, abs=1e-5)
    assert plan.bound == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(plan.requests.car_kw[:, 0], [rest, 4, 4, 0, 4, 0, 0, 0], atol=1e-5)


def test_a_car_gives_back_where_that_pays_and_not_below_its_reserve():
    """By hand: 20 kWh inside, reserve 10, no departure but the end (wants 14): sells high hours to a need of 3 kW."""
    car = {
        "power_kw": 4.0, "capacity_kwh": 20, "charge_efficiency": 1.0, "discharge_efficiency": 1.0, "v2g": True,
        "initial_soc": 1.0, "departure_soc": 0.7, "v2g_reserve_soc": 0.5,
        "trips": [{"leave": "20:00", "back": "21:00", "km": 1}],
    }  # fmt: skip
    home = {"car": car, "load": values([3.0])}
    plan = plan_alone(posed(scenario([home], steps=4, buy=[0.10, 0.50, 0.30, 0.40])))
    # 6 kWh are free to go; 4 kWh more could be bought at 0.10, but there is no room: full. So 3 in the hour of 0.50,
    # 3 in that of 0.40; going 1 below 14 needs buying back, at no gain before the end.
    assert plan.objective == pytest.approx(3 * 0.10 + 3 * 0.30, abs=1e-5)
    np.testing.assert_allclose(plan.requests.car_kw[:, 0], [0, -3, 0, -3], atol=1e-5)
    without = plan_alone(
        posed(
            scenario([home | {"car": car | {"v2g": False}}], steps=4, buy=[0.10, 0.50, 0.30, 0.40])
        )
    )
    assert without.objective == pytest.approx(3 * 1.3, abs=1e-5)


def dense_heat_pump(problem):
    """The cheapest heating of one home without a tank, with no variable but the powers: temperatures written out."""
    pump, series = problem.devices.params.heat_pump, problem.devices.series.heat_pump
    steps, loss, mass = len(problem.buy), float(pump.loss_kw_k[0]), float(pump.mass_kwh_k[0])
    kept = np.exp(-loss / mass)
    outdoor, gain = series.outdoor_c, series.gain_kwh[:, 0]
    share = np.clip((outdoor + 8) / 28, 0, 1)
    supply = pump.supply_design_c[0] + share * (pump.supply_mild_c[0] - pump.supply_design_c[0])
    cop = np.clip(
        pump.carnot_share[0] * (supply + 273.15) / np.maximum(supply - outdoor, 1), 1.5, 6
    )
    idle, effect = np.empty(steps), np.zeros((steps, steps))
    level = float(pump.initial_c[0])
    for step in range(steps):
        level = outdoor[step] + (level - outdoor[step]) * kept + gain[step] * (1 - kept) / loss
        idle[step] = level
        effect[step, : step + 1] = (
            cop[: step + 1] * (1 - kept) / loss * kept ** np.arange(step, -1, -1)
        )
    found = linprog(
        problem.buy,
        A_ub=np.vstack([effect, -effect]),
        b_ub=np.concatenate([pump.highest_c[0] - idle, idle - pump.lowest_c[0]]),
        bounds=[(0, float(pump.power_kw[0]))] * steps,
    )
    assert found.status == 0
    return found.fun, found.x


@pytest.mark.parametrize("seed", range(2))
def test_a_heat_pump_heats_ahead_of_dear_hours_as_an_independent_program_does(seed):
    rng = np.random.default_rng(seed)
    pump = {
        "hot_water": None,
        "power_kw": 2.5,
        "loss_w_per_k": float(rng.uniform(100, 180)),
        "window_m2": 0,
    }
    prices = rng.uniform(0.05, 0.5, 24).round(3)
    problem = posed(scenario([{"heat_pump": pump}], steps=24, buy=prices))
    cost, _ = dense_heat_pump(problem)
    plan = plan_alone(problem)
    # The plan is played in single precision; the program itself is as exact as the solvers.
    assert plan.bound == pytest.approx(cost, rel=1e-5)
    assert plan.objective == pytest.approx(cost, rel=1e-4)
    usual = float(problem.buy @ problem.net_kwh[:, 0])
    assert plan.objective < 0.97 * usual


def test_no_plan_of_a_grid_beats_it():
    """Brute force: all plans of five powers in five hours for tank and rooms, played by the physics themselves."""
    pump = {"power_kw": 2.0, "window_m2": 0, "hot_water": {"litres": 100, "highest_c": 60}}
    problem = posed(scenario([{"heat_pump": pump}], steps=5, buy=[0.1, 0.3, 0.5, 0.2, 0.4]))
    plan = plan_alone(problem)
    best, powers = np.inf, np.array(list(itertools.product([0.0, 0.5, 1.0, 2.0], repeat=5)))
    water_plans = np.array(list(itertools.product([0.0, 1.0], repeat=5)))
    copies = np.zeros(len(powers), int)
    many = problem.of(copies)
    for water in water_plans:
        asked = Requests(None, powers.T, np.repeat(water[:, None], len(powers), axis=1))
        nothing = np.zeros((5, len(powers)))
        played = replay(or_idle(many.battery), nothing, 1.0, None, many.devices, asked)
        best = min(best, float((problem.buy @ played.devices_kwh).min()))
    assert plan.bound <= best + 1e-6
    assert plan.objective <= best + 1e-4
    # And the grid comes near: what is left is its coarseness.
    assert best < 1.2 * plan.objective


def everything(seed, steps=24):
    rng = np.random.default_rng(seed)
    battery = {"capacity_kwh": 5, "charge_kw": 2, "self_discharge_per_month": 0.05}
    car = {"power_kw": 7.4, "v2g": bool(seed % 2), "initial_soc": 0.5, "v2g_reserve_soc": 0.2}
    car["trips"] = [{"leave": "07:30", "back": "17:15", "km": 60}]
    homes = [
        {
            "battery": battery,
            "car": car,
            "heat_pump": {},
            "appliances": [{"kind": "dishwasher", "runs_per_week": 7}],
        },
        {"heat_pump": {"loss_w_per_k": 120}},
        {"car": car | {"v2g": False}},
        {},
    ]
    for home in homes:
        home["load"] = values(rng.uniform(0, 1.5, steps).round(3))
        home["solar"] = values((rng.uniform(0, 4, steps) * (rng.random(steps) < 0.5)).round(3))
    buy = rng.uniform(0.1, 0.5, steps).round(3)
    sell = (buy * rng.uniform(0, 1, steps)).round(3)
    tariff = {"energy": values(buy), "feed_in": values(sell), "network": 0.05, "local_network": 0.5}
    return scenario(homes, steps=steps, policy="optimal") | {"tariff": tariff}


@pytest.mark.parametrize("seed", [1, pytest.param(0, marks=pytest.mark.slow)])
def test_the_simulation_bills_what_the_program_says(seed):
    result = prosumax.run(everything(seed), {"market.mechanism": "none"}, optimum=True)
    assert result.kpis["cost"] == pytest.approx(result.kpis["own_optimum"], abs=2e-4)
    assert result.kpis["own_optimum"] == pytest.approx(result.kpis["own_optimum_bound"], abs=2e-3)
    assert result.kpis["unserved_kwh"] < 1e-3 and result.kpis["car_short_kwh"] < 1e-3
    assert result.kpis["too_cold_kh"] < 1e-3
    together = prosumax.run(
        everything(seed), {"policy": "community-optimal", "market.mechanism": "mid_market_rate"}
    )
    assert together.kpis["community_optimum"] <= result.kpis["own_optimum"] + 1e-6
    assert together.kpis["community_optimum"] == pytest.approx(
        together.kpis["community_optimum_bound"], abs=2e-3
    )


def test_negative_prices_are_not_burnt_in_a_car():
    """Paid to buy: a car with V2G must not charge and give back at once."""
    source = everything(1, steps=12)
    source["tariff"]["energy"] = values([-0.2] * 6 + [0.3] * 6)
    source["tariff"]["feed_in"] = 0.0
    problem = posed(source)
    plan = plan_alone(problem)
    assert plan.objective == pytest.approx(plan.bound, abs=5e-3)
    assert plan_together(problem).objective <= plan.objective + 1e-3


@pytest.mark.parametrize("policy", ["mpc", "optimal-levels"])
def test_planners_of_batteries_leave_devices_to_their_habits(policy):
    result = prosumax.run(everything(0), {"policy": policy}, optimum=False)
    usual = prosumax.run(everything(0), {"policy": "none"}, optimum=False)
    ours, theirs = (run.trajectory.record.flows.devices.car.charge_kwh for run in (result, usual))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert result.kpis["cost"] <= usual.kpis["cost"] + 0.05


def test_homes_of_different_policies_keep_to_themselves():
    source = everything(0)
    source["homes"][1]["policy"] = "none"
    result = prosumax.run(source, {"market.mechanism": "none"}, optimum=False)
    alone = prosumax.run(everything(0), {"market.mechanism": "none"}, optimum=False)
    usual = prosumax.run(
        everything(0), {"market.mechanism": "none", "policy": "none"}, optimum=False
    )
    for home, like in ((0, alone), (1, usual), (2, alone), (3, alone)):
        assert result.households[home]["bill"] == pytest.approx(
            like.households[home]["bill"], abs=1e-4
        )


def test_a_day_cut_from_a_period_is_a_period_of_that_day():
    car = {
        "power_kw": 7.4,
        "capacity_kwh": 40,
        "initial_soc": 0.5,
        "trips": [{"leave": "07:00", "back": "17:00", "km": 40}],
    }
    machine = {"kind": "dishwasher", "runs_per_week": 7, "deadline_hours": 6}
    home = {
        "car": car,
        "heat_pump": {"hot_water": {}},
        "appliances": [machine],
        "load": values([0.4] * 20 + [1.0] * 4),
    }
    weather = {"weather": {"source": "clear_sky"}}
    whole = posed(scenario([home, {"car": car}], steps=48, buy=PRICES * 3, **weather))
    day, alone = (
        whole.between(24, 48),
        posed(scenario([home], 24, "2023-01-17T00:00", PRICES * 3, **weather)),
    )
    np.testing.assert_allclose(day.net_kwh[:, 0], alone.net_kwh[:, 0], atol=1e-5)
    first = day.of(np.array([0]))
    assert plan_alone(first).objective == pytest.approx(plan_alone(alone).objective, rel=1e-5)
