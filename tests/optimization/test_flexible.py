"""Devices in the optimum: by hand, against a dense program, and in the simulation."""

import itertools

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import linprog

import prosumax
from prosumax.devices.base import devices
from prosumax.devices.battery_program import replace_absent_batteries
from prosumax.devices.linear_program import LinearProgram
from prosumax.optimization.planning import plan_community, plan_individual, simulate_plan
from tests.optimization.problems import make_problem

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


def test_an_ev_charges_in_the_cheapest_hours_before_departure():
    """By hand: 8 kWh are required at 5 h and 2.2 kWh for the trip, at 80 % efficiency and 4 kW.

    That is 12.75 kWh AC. After the trip an hour costs 0.35, so that all is charged before: 4 kWh in
    each of the hours at 0.05, 0.10 and 0.20, the rest at 0.30.
    """
    car = {
        "power_kw": 4.0,
        "capacity_kwh": 40,
        "charge_efficiency": 0.8,
        "initial_soc": 0.3,
        "departure_soc": 0.5,
        "trips": [{"departure": "05:00", "arrival": "07:00", "distance_km": 10}],
    }
    plan = plan_individual(make_problem(scenario([{"ev": car}])))
    driven = 10 * 0.185 * (1 + 0.19 * np.cos(2 * np.pi * (16 - 21) / 365.25))
    rest = (8 + driven) / 0.8 - 12
    expected = 4 * (0.05 + 0.10 + 0.20) + rest * 0.30
    assert plan.objective == pytest.approx(expected, abs=1e-5)
    assert plan.bound == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(plan.requests["ev"][:, 0, 0], [rest, 4, 4, 0, 4, 0, 0, 0], atol=1e-5)


def test_an_ev_discharges_in_expensive_hours_down_to_its_reserve():
    """By hand: 20 kWh stored, 14 kWh required at the end, and a load of 3 kW."""
    car = {
        "power_kw": 4.0,
        "capacity_kwh": 20,
        "charge_efficiency": 1.0,
        "discharge_efficiency": 1.0,
        "v2g": True,
        "initial_soc": 1.0,
        "departure_soc": 0.7,
        "v2g_reserve_soc": 0.5,
        "trips": [{"departure": "20:00", "arrival": "21:00", "distance_km": 1}],
    }
    home = {"ev": car, "load": values([3.0])}
    plan = plan_individual(make_problem(scenario([home], steps=4, buy=[0.10, 0.50, 0.30, 0.40])))
    # 6 kWh may be discharged; the EV is full, so that no more can be charged at 0.10. That gives
    # 3 kWh in the hour at 0.50 and 3 kWh at 0.40.
    assert plan.objective == pytest.approx(3 * 0.10 + 3 * 0.30, abs=1e-5)
    np.testing.assert_allclose(plan.requests["ev"][:, 0, 0], [0, -3, 0, -3], atol=1e-5)
    without = plan_individual(
        make_problem(
            scenario([home | {"ev": car | {"v2g": False}}], steps=4, buy=[0.10, 0.50, 0.30, 0.40])
        )
    )
    assert without.objective == pytest.approx(3 * 1.3, abs=1e-5)


def dense_heat_pump(problem):
    """Compute the cheapest heating of one home without a tank, with powers as only variables."""
    flexible = problem.devices
    pump, series = flexible.params["heat_pump"], flexible.series["heat_pump"]
    steps, loss, mass = (
        len(problem.buy_price),
        float(pump.heat_loss_kw_per_k[0]),
        float(pump.heat_capacity_kwh_per_k[0]),
    )
    kept = np.exp(-loss / mass)
    outdoor, gain = series.outdoor_c, series.heat_gain_kwh[:, 0]
    share = np.clip((outdoor + 8) / 28, 0, 1)
    supply = pump.supply_design_c[0] + share * (pump.supply_mild_c[0] - pump.supply_design_c[0])
    cop = np.clip(
        pump.carnot_efficiency[0] * (supply + 273.15) / np.maximum(supply - outdoor, 1), 1.5, 6
    )
    idle, effect = np.empty(steps), np.zeros((steps, steps))
    level = float(pump.initial_indoor_c[0])
    for step in range(steps):
        level = outdoor[step] + (level - outdoor[step]) * kept + gain[step] * (1 - kept) / loss
        idle[step] = level
        effect[step, : step + 1] = (
            cop[: step + 1] * (1 - kept) / loss * kept ** np.arange(step, -1, -1)
        )
    found = linprog(
        problem.buy_price,
        A_ub=np.vstack([effect, -effect]),
        b_ub=np.concatenate([pump.max_indoor_c[0] - idle, idle - pump.min_indoor_c[0]]),
        bounds=[(0, float(pump.power_kw[0]))] * steps,
    )
    assert found.status == 0
    return found.fun, found.x


@pytest.mark.parametrize("seed", range(2))
def test_a_heat_pump_preheats_as_in_an_independent_program(seed):
    rng = np.random.default_rng(seed)
    pump = {
        "hot_water": None,
        "power_kw": 2.5,
        "heat_loss_w_per_k": float(rng.uniform(100, 180)),
        "window_area_m2": 0,
    }
    prices = rng.uniform(0.05, 0.5, 24).round(3)
    problem = make_problem(scenario([{"heat_pump": pump}], steps=24, buy=prices))
    cost, _ = dense_heat_pump(problem)
    plan = plan_individual(problem)
    # The plan is simulated in single precision; the program is as exact as the solvers.
    assert plan.bound == pytest.approx(cost, rel=1e-5)
    assert plan.objective == pytest.approx(cost, rel=1e-4)
    usual = float(problem.buy_price @ problem.net_kwh[:, 0])
    assert plan.objective < 0.97 * usual


def test_no_plan_on_a_grid_is_cheaper():
    """Brute force: all plans on a grid of powers in five hours, simulated by the device model."""
    pump = {"power_kw": 2.0, "window_area_m2": 0, "hot_water": {"volume_liters": 100, "max_c": 60}}
    problem = make_problem(scenario([{"heat_pump": pump}], steps=5, buy=[0.1, 0.3, 0.5, 0.2, 0.4]))
    plan = plan_individual(problem)
    best, powers = np.inf, np.array(list(itertools.product([0.0, 0.5, 1.0, 2.0], repeat=5)))
    water_plans = np.array(list(itertools.product([0.0, 1.0], repeat=5)))
    copies = np.zeros(len(powers), int)
    many = problem.select_homes(copies)
    for water in water_plans:
        asked = np.stack([powers.T, np.repeat(water[:, None], len(powers), axis=1)], axis=-1)
        nothing = np.zeros((5, len(powers)))
        played = simulate_plan(
            replace_absent_batteries(many.battery),
            nothing,
            1.0,
            many.devices,
            {"heat_pump": asked},
        )
        best = min(best, float((problem.buy_price @ played.devices_kwh).min()))
    assert plan.bound <= best + 1e-6
    assert plan.objective <= best + 1e-4
    # The grid is close to the optimum: the difference is its coarseness.
    assert best < 1.2 * plan.objective


def everything(seed, steps=24):
    rng = np.random.default_rng(seed)
    battery = {"capacity_kwh": 5, "charge_kw": 2, "self_discharge_per_month": 0.05}
    car = {"power_kw": 7.4, "v2g": bool(seed % 2), "initial_soc": 0.5, "v2g_reserve_soc": 0.2}
    car["trips"] = [{"departure": "07:30", "arrival": "17:15", "distance_km": 60}]
    homes = [
        {
            "battery": battery,
            "ev": car,
            "heat_pump": {},
            "appliances": [{"kind": "dishwasher", "runs_per_week": 7}],
        },
        {"heat_pump": {"heat_loss_w_per_k": 120}},
        {"ev": car | {"v2g": False}},
        {},
    ]
    for home in homes:
        home["load"] = values(rng.uniform(0, 1.5, steps).round(3))
        home["solar"] = values((rng.uniform(0, 4, steps) * (rng.random(steps) < 0.5)).round(3))
    buy = rng.uniform(0.1, 0.5, steps).round(3)
    sell = (buy * rng.uniform(0, 1, steps)).round(3)
    tariff = {
        "energy": values(buy),
        "feed_in": values(sell),
        "network": 0.05,
        "local_network": 0.5,
    }
    return scenario(homes, steps=steps, policy="optimal") | {"tariff": tariff}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, pytest.param(0, marks=pytest.mark.slow)])
def test_the_simulated_bill_is_the_objective(seed):
    result = prosumax.run(everything(seed), {"market.mechanism": "none"}, optimum=True)
    assert result.kpis["cost"] == pytest.approx(result.kpis["individual_optimum"], abs=2e-4)
    assert result.kpis["individual_optimum"] == pytest.approx(
        result.kpis["individual_optimum_bound"], abs=2e-3
    )
    assert result.kpis["unserved_kwh"] < 1e-3 and result.kpis["ev_departure_shortfall_kwh"] < 1e-3
    assert result.kpis["underheating_kh"] < 1e-3
    together = prosumax.run(
        everything(seed), {"policy": "community-optimal", "market.mechanism": "mid_market_rate"}
    )
    assert together.kpis["community_optimum"] <= result.kpis["individual_optimum"] + 1e-6
    assert together.kpis["community_optimum"] == pytest.approx(
        together.kpis["community_optimum_bound"], abs=2e-3
    )


def test_an_ev_does_not_dissipate_energy_at_negative_prices():
    """An EV with V2G must not charge and discharge at once."""
    source = everything(1, steps=12)
    source["tariff"]["energy"] = values([-0.2] * 6 + [0.3] * 6)
    source["tariff"]["feed_in"] = 0.0
    problem = make_problem(source)
    plan = plan_individual(problem)
    assert plan.objective == pytest.approx(plan.bound, abs=5e-3)
    assert plan_community(problem).objective <= plan.objective + 1e-3


@pytest.mark.parametrize("policy", ["mpc", "optimal-levels"])
def test_battery_planners_keep_devices_under_default_control(policy):
    result = prosumax.run(everything(0), {"policy": policy}, optimum=False)
    usual = prosumax.run(everything(0), {"policy": "none"}, optimum=False)
    ours, theirs = (run.trajectory.record.flows.devices["ev"].charge_kwh for run in (result, usual))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert result.kpis["cost"] <= usual.kpis["cost"] + 0.05


def test_policies_of_homes_are_independent():
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


def test_a_day_selected_from_a_period_equals_a_period_of_that_day():
    car = {
        "power_kw": 7.4,
        "capacity_kwh": 40,
        "initial_soc": 0.5,
        "trips": [{"departure": "07:00", "arrival": "17:00", "distance_km": 40}],
    }
    machine = {"kind": "dishwasher", "runs_per_week": 7, "deadline_hours": 6}
    home = {
        "ev": car,
        "heat_pump": {"hot_water": {}},
        "appliances": [machine],
        "load": values([0.4] * 20 + [1.0] * 4),
    }
    weather = {"weather": {"source": "clear_sky"}}
    whole = make_problem(scenario([home, {"ev": car}], steps=48, buy=PRICES * 3, **weather))
    day, alone = (
        whole.select_steps(24, 48),
        make_problem(scenario([home], 24, "2023-01-17T00:00", PRICES * 3, **weather)),
    )
    np.testing.assert_allclose(day.net_kwh[:, 0], alone.net_kwh[:, 0], atol=1e-5)
    first = day.select_homes(np.array([0]))
    assert plan_individual(first).objective == pytest.approx(
        plan_individual(alone).objective, rel=1e-5
    )


def test_appliances_are_not_planned_and_keep_their_default_control():
    battery = {"capacity_kwh": 5, "charge_kw": 2}
    machine = {"kind": "dishwasher", "runs_per_week": 7, "deadline_hours": 6}
    homes = [{"battery": battery, "appliances": [machine], "load": values([0.5])}]
    problem = make_problem(scenario(homes, steps=24, buy=PRICES * 3))
    np.testing.assert_array_equal(problem.devices.uncontrolled_net_kwh, problem.net_kwh)
    plan = plan_individual(problem)
    assert plan.objective == pytest.approx(plan.bound, abs=1e-4)
    assert np.isnan(plan.requests["appliances"]).all()
    alone = plan_individual(problem.without_devices)
    assert plan.objective == pytest.approx(alone.objective, abs=1e-5)


def test_requests_are_nan_for_homes_without_the_device():
    problem = make_problem(everything(1, steps=12))
    for plan in (plan_individual(problem), plan_community(problem)):
        has_request = {kind: ~np.isnan(kw).any((0, 2)) for kind, kw in plan.requests.items()}
        np.testing.assert_array_equal(has_request["ev"], [True, False, True, False])
        np.testing.assert_array_equal(has_request["heat_pump"], [True, True, False, False])


@pytest.mark.parametrize("kind", ["battery", "ev", "heat_pump"])
def test_power_limits_may_vary_over_time(kind):
    """A device that fails when it would draw most has no power then, which costs money."""
    linopy = pytest.importorskip("linopy")
    problem = make_problem(everything(1, steps=24))
    steps, homes = problem.net_kwh.shape
    params, series = problem.battery, None
    if kind != "battery":
        params, series = problem.devices.params[kind], problem.devices.series[kind]
    device = devices.get(kind, "devices")

    def solve(own):
        model = linopy.Model()
        grid = LinearProgram(model, (steps, homes))
        part = device.milp(grid, own, series, problem.step_hours, np.zeros(steps, bool))
        cost = (xr.DataArray(problem.buy_price, dims="step") * part.net_kwh).sum()
        model.add_objective(cost if part.slack is None else cost + 100 * part.slack)
        assert model.solve("highs", output_flag=False)[1] == "optimal"
        drawn = model.variables[part.slots[0][0]].solution.transpose("step", "home")
        return model.objective.value, np.nan_to_num(drawn.to_numpy()).sum(1)

    cost, drawn = solve(params)
    works = np.ones((steps, 1))
    works[np.argsort(drawn)[-3:]] = 0.0
    limits = {name: getattr(params, name) * works for name in device.power_fields}
    failing_cost, failing_drawn = solve(params._replace(**limits))
    assert failing_drawn[works[:, 0] == 0].max() <= 1e-9 < drawn[works[:, 0] == 0].min()
    assert failing_cost > cost + 1e-6
