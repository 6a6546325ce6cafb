"""The optimum against an independent program, another solver, brute force and the simulation."""

import itertools
from dataclasses import replace

import clarabel
import numpy as np
import pytest
import scipy.sparse as sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import prosumax
from prosumax.devices.battery_program import best_case_storage
from prosumax.errors import InputError
from prosumax.optimization import program
from prosumax.optimization.planning import plan_community, plan_individual, simulate_plan
from prosumax.optimization.problem import community_cost, individual_cost
from prosumax.optimization.program import build_model, solve
from tests.optimization.problems import make_problem


def random_scenario(seed, homes=3, steps=12, **tariff):
    """Return homes with random loads, PV and lossy batteries under a tariff of random prices."""
    rng = np.random.default_rng(seed)
    buy = rng.uniform(0.1, 0.5, steps).round(3)
    prices = {
        "energy": {"source": "values", "values": list(buy)},
        "feed_in": {"source": "values", "values": list((buy * rng.uniform(0, 1, steps)).round(3))},
        "network": 0.05,
        "local_network": float(rng.choice([0.0, 0.5, 1.0])),
        "vat": 0.06,
        "emission_factor_kg_per_kwh": {
            "source": "values",
            "values": list(rng.uniform(0, 0.5, steps).round(3)),
        },
    }
    return {
        "name": "random",
        "period": {"start": "2023-01-01T00:00", "steps": steps, "step_minutes": 60},
        "tariff": {**prices, **tariff},
        "objective": {"carbon_price_per_kg": float(rng.choice([0.0, 0.3]))},
        "homes": [
            {
                "name": f"home {number}",
                "load": {"source": "values", "values": list(rng.uniform(0, 2, steps).round(3))},
                "solar": {"source": "values", "values": list(rng.uniform(0, 3, steps).round(3))},
                "battery": {
                    "capacity_kwh": round(rng.uniform(1, 6), 2),
                    "charge_kw": round(rng.uniform(0.5, 3), 2),
                    "discharge_kw": round(rng.uniform(0.5, 3), 2),
                    "charge_efficiency": round(rng.uniform(0.8, 1), 3),
                    "discharge_efficiency": round(rng.uniform(0.8, 1), 3),
                    "soc_min": 0.1,
                    "soc_max": 0.9,
                    "initial_soc": round(rng.uniform(0.1, 0.9), 2),
                    "self_discharge_per_month": float(rng.choice([0.0, 0.5])),
                },
            }
            for number in range(homes)
        ],
    }


def independent_cost(problem, joint):
    """Compute the optimum with a dense program in other variables, without a state of charge.

    The variables of each home and step are energy bought, sold, received from and given to other
    homes, charge and discharge; the stored energy is written as a sum over the past.
    """
    steps, homes = problem.net_kwh.shape
    battery, hours = problem.battery, problem.step_hours
    names = ("bought", "sold", "received", "given", "charge", "discharge")
    at = {
        name: np.arange(steps * homes).reshape(steps, homes) + k * steps * homes
        for k, name in enumerate(names)
    }
    months = len(problem.capacity_price)
    peak = np.arange(months * homes).reshape(months, homes) + len(names) * steps * homes
    width = len(names) * steps * homes + months * homes
    cost = np.zeros(width)
    cost[at["bought"]], cost[at["sold"]] = problem.buy_price[:, None], -problem.sell_price[:, None]
    cost[at["received"]] = problem.local_grid_fee[:, None]
    cost[peak] = problem.capacity_price[:, None]
    low, high = np.zeros(width), np.full(width, np.inf)
    high[at["charge"]], high[at["discharge"]] = (
        battery.charge_kw * hours,
        battery.discharge_kw * hours,
    )
    low[peak] = problem.min_billed_peak_kw
    if not joint:
        high[at["received"]] = high[at["given"]] = 0
    equal, equal_to, less, less_than = [], [], [], []
    for t, i in itertools.product(range(steps), range(homes)):
        row = np.zeros(width)
        row[[at[name][t, i] for name in ("bought", "received", "discharge")]] = 1
        row[[at[name][t, i] for name in ("sold", "given", "charge")]] = -1
        equal.append(row)
        equal_to.append(problem.net_kwh[t, i])
        keep = 1 - battery.self_discharge_per_step[i]
        row = np.zeros(width)
        for past in range(t + 1):
            row[at["charge"][past, i]] = keep ** (t - past) * np.sqrt(
                battery.charge_efficiency_curve[i, 0]
            )
            row[at["discharge"][past, i]] = -(keep ** (t - past)) / np.sqrt(
                battery.discharge_efficiency_curve[i, 0]
            )
        start = keep ** (t + 1) * battery.initial_soc[i] * battery.capacity_kwh[i]
        less += [row, -row]
        less_than.append(battery.soc_max[i] * battery.capacity_kwh[i] - start)
        less_than.append(start - battery.soc_min[i] * battery.capacity_kwh[i])
        row = np.zeros(width)
        # The meter of a home also counts energy from other homes.
        row[[at["bought"][t, i], at["received"][t, i]]] = 1 / hours
        row[peak[problem.month[t], i]] = -1
        less.append(row)
        less_than.append(0.0)
    for t in range(steps):
        row = np.zeros(width)
        row[at["received"][t]], row[at["given"][t]] = 1, -1
        equal.append(row)
        equal_to.append(0.0)
    found = linprog(
        cost,
        less,
        less_than,
        equal,
        equal_to,
        list(zip(low, high, strict=True)),
        method="highs-ipm",
    )
    assert found.status == 0, found.message
    return found.fun + problem.fixed_fees[:homes].sum()


@pytest.mark.slow
@settings(max_examples=12)
@given(st.integers(0, 10_000), st.booleans(), st.sampled_from([0.0, 40.0]))
def test_optimum_agrees_with_an_independent_program(seed, joint, capacity_price):
    source = random_scenario(
        seed, steps=10, supplier_fee_per_year=60, capacity_charge_per_kw_year=capacity_price * 100
    )
    problem = make_problem(source)
    plan = (plan_community if joint else plan_individual)(problem)
    # The plan is simulated in single precision, which a capacity price of 4000 per kW magnifies.
    assert plan.objective == pytest.approx(independent_cost(problem, joint), rel=1e-6, abs=1e-5)


def test_costs_of_the_parts_of_a_period_add_up():
    # Three months and a piece of one, cut where months end: every peak stays in its part.
    clock = {"period.start": "2023-01-20T00:00", "period.steps": 24 * 75}
    problem = make_problem(
        random_scenario(3, steps=24 * 75, capacity_charge_per_kw_year=50, supplier_fee_per_year=60),
        clock,
    )
    edges = [
        0,
        24 * 12,
        24 * 40,
        24 * 71 - 1,
        24 * 75,
    ]  # 31 January, 28 February, 31 March, an hour short in spring
    parts = [problem.select_steps(a, b) for a, b in itertools.pairwise(edges)]
    costs = [individual_cost(part, part.net_kwh) for part in parts]
    np.testing.assert_allclose(sum(costs), individual_cost(problem, problem.net_kwh), rtol=1e-12)
    # A piece of a month pays its share of the month's price for the highest power within it.
    piece = problem.select_steps(24 * 12, 24 * 26)
    assert piece.capacity_price == pytest.approx(problem.capacity_price[1:2] / 2)


@settings(max_examples=6)
@given(st.integers(0, 10_000), st.booleans())
def test_two_solvers_agree(seed, joint):
    problem = make_problem(random_scenario(seed, capacity_charge_per_kw_year=4000))
    storage = best_case_storage(
        problem.battery,
        len(problem.buy_price),
        problem.step_hours,
        np.zeros(len(problem.buy_price), bool),
    )
    model, constant = build_model(problem, storage, joint=joint)
    m = model.matrices
    # Clarabel: min c x, A x + s = b, s in a cone. Equations come first, then inequalities.
    table, wanted = m.A.tocsr(), m.sense
    less = [table[wanted == "<"], -table[wanted == ">"]]
    less_than = [m.b[wanted == "<"], -m.b[wanted == ">"]]
    for sign, bound in ((1, m.ub), (-1, -m.lb)):
        finite = np.isfinite(bound)
        less.append(sign * sparse.eye(len(m.c), format="csr")[finite])
        less_than.append(bound[finite])
    rows = sparse.vstack([table[wanted == "="], *less], format="csc")
    equations = int((wanted == "=").sum())
    cones = [clarabel.ZeroConeT(equations), clarabel.NonnegativeConeT(rows.shape[0] - equations)]
    quiet = clarabel.DefaultSettings()
    quiet.verbose, quiet.tol_gap_rel, quiet.tol_gap_abs = False, 1e-9, 1e-9
    right = np.concatenate([m.b[wanted == "="], *less_than])
    found = clarabel.DefaultSolver(
        sparse.csc_matrix((len(m.c),) * 2), m.c, rows, right, cones, quiet
    ).solve()
    assert solve(problem, storage, joint=joint).objective == pytest.approx(
        found.obj_val + constant, rel=1e-6
    )


def test_brute_force_gives_the_same_optimum_for_one_home():
    """Four steps, eleven powers each, no loss: the best of 14,641 plans lies on that grid."""
    source = {
        "name": "grid",
        "period": {"start": "2023-01-01T00:00", "steps": 4, "step_minutes": 60},
        "homes": [
            {
                "name": "only",
                "load": {"source": "values", "values": [1.0, 2.0, 1.0, 3.0]},
                "solar": {"source": "values", "values": [2.0, 0.0, 3.0, 0.0]},
                "battery": {
                    "capacity_kwh": 2,
                    "charge_kw": 1,
                    "charge_efficiency": 1,
                    "discharge_efficiency": 1,
                },
            }
        ],
        "tariff": {"energy": {"source": "values", "values": [0.3, 0.2, 0.1, 0.5]}, "feed_in": 0.05},
    }
    problem = make_problem(source)
    best = np.inf
    for powers in itertools.product(np.linspace(-1, 1, 11), repeat=4):
        stored = np.cumsum(powers)
        if stored.min() > -1e-9 and stored.max() < 2 + 1e-9:
            best = min(
                best, individual_cost(problem, problem.net_kwh + np.array(powers)[:, None]).sum()
            )
    assert plan_individual(problem).objective == pytest.approx(best, abs=1e-6)
    # By hand: store 1 kWh in step 0, keep it, store 1 kWh more in step 2, use 1 kWh at 0.50.
    assert best == pytest.approx(-0.05 * 0 + 0.20 * 1 + -0.05 * 1 + 0.50 * 2, abs=1e-6)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.booleans())
def test_a_simulated_plan_costs_its_objective_and_no_plan_is_below_the_bound(seed, joint):
    problem = make_problem(random_scenario(seed))
    plan = (plan_community if joint else plan_individual)(problem)
    cost = community_cost if joint else lambda p, net: individual_cost(p, net).sum()
    assert plan.objective == pytest.approx(
        plan.bound, abs=0.02
    )  # apart: the price of holding soc_min
    rng = np.random.default_rng(seed)
    for share in (0.0, 0.3, 1.0):
        power = (1 - share) * plan.power_kw + share * rng.uniform(-3, 3, plan.power_kw.shape)
        played = simulate_plan(problem.battery, power, problem.step_hours)
        net = problem.net_kwh + played.charge_kwh - played.discharge_kwh
        assert cost(problem, net) >= plan.bound - 1e-5
        stored, capacity = played.stored_kwh, problem.battery.capacity_kwh
        assert (stored <= problem.battery.soc_max * capacity + 1e-5).all()


@pytest.mark.parametrize(
    ("policy", "mechanism"), [("optimal", "none"), ("community-optimal", "mid_market_rate")]
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_simulated_bill_is_the_objective(seed, policy, mechanism):
    """Holds to 1e-5 with power limits, losses, self-discharge, capacity and carbon prices."""
    source = random_scenario(seed, steps=48, capacity_charge_per_kw_year=500)
    source |= {"policy": policy, "market": {"mechanism": mechanism}}
    kpis = prosumax.run(source).kpis
    optimum = kpis["individual_optimum" if policy == "optimal" else "community_optimum"]
    assert kpis["objective"] == pytest.approx(optimum, rel=1e-5)
    share = "share_of_individual_gain" if policy == "optimal" else "share_of_optimal_gain"
    assert kpis[share] == pytest.approx(1, abs=1e-4)
    assert kpis["community_optimum"] <= kpis["individual_optimum"] + 1e-6
    assert (kpis["price_of_anarchy"] or 1) > 1 - 1e-6  # None where the community earns


@settings(max_examples=8)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["optimal", "community-optimal", "mpc", "community-mpc"]),
)
def test_planned_homes_conserve_energy_and_money(seed, policy):
    """Energy balances per home and step, and payments equal receipts."""
    source = random_scenario(seed, capacity_charge_per_kw_year=300) | {"policy": policy}
    result = prosumax.run(source | {"market": {"mechanism": "mid_market_rate"}}, optimum=False)
    flows = result.trajectory.record.flows
    energy_in = flows.solar_kwh + flows.discharge_kwh + flows.import_kwh
    np.testing.assert_allclose(
        energy_in,
        flows.load_kwh + flows.charge_kwh + flows.export_kwh + flows.curtailed_kwh,
        atol=1e-5,
    )
    for home, spec in zip(result.households, result.scenario.homes, strict=True):
        number = result.households.index(home)
        stored = flows.stored_kwh[:, number]
        capacity = spec.battery.capacity_kwh
        assert stored.max() <= 0.9 * capacity + 1e-5
        assert (
            stored.min() >= min(0.1, spec.battery.initial_soc) * capacity * 0.98 - 1e-5
        )  # standing loss only
        items = home["bill_items"]
        lowering = items["sold_locally"] + items["feed_in"]
        added = sum(
            value for name, value in items.items() if name not in ("sold_locally", "feed_in")
        )
        assert home["bill"] == pytest.approx(added - lowering, abs=1e-5)
    paid = sum(
        result.kpis[f"{recipient}_revenue"]
        for recipient in ("supplier", "network_operator", "government", "mechanism")
    )
    assert paid == pytest.approx(result.kpis["cost"], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "optimum"),
    [("optimal", "individual_optimum"), ("community-optimal", "community_optimum")],
)
@pytest.mark.parametrize("name", ["street", "citylearn-2022"])
def test_the_simulated_bill_of_a_year_is_the_objective(name, policy, optimum, request):
    changes = {
        "policy": policy,
        "market.mechanism": "mid_market_rate" if policy != "optimal" else "none",
    }
    if name == "citylearn-2022":
        request.getfixturevalue("citylearn_data")
        changes |= {"homes.*.battery.efficiency_curve": None, "homes.*.battery.power_curve": None}
    kpis = prosumax.run(name, changes).kpis
    assert kpis["objective"] == pytest.approx(kpis[optimum], rel=1e-5)
    assert kpis[f"{optimum}_bound"] == pytest.approx(
        kpis[optimum], rel=1e-3
    )  # fade and standing loss


def test_idle_batteries_are_zero_percent_of_the_gain():
    kpis = prosumax.run(random_scenario(4) | {"policy": "none"}).kpis
    assert (
        kpis["share_of_optimal_gain"]
        == pytest.approx(0, abs=1e-5)
        == kpis["share_of_individual_gain"]
    )
    assert kpis["objective"] == pytest.approx(kpis["baseline_objective"], rel=1e-6)


def test_simultaneous_charge_and_discharge_is_excluded_at_negative_prices():
    """Dissipating energy would earn at a negative price, but a battery has one power per step."""
    prices = {"source": "values", "values": [-0.5, -0.5, 0.3, -0.5]}
    source = random_scenario(5, homes=1, steps=4)
    source["tariff"] = {
        "energy": prices,
        "feed_in": {"source": "values", "values": [-0.6, -0.6, 0.1, -0.6]},
    }
    source["objective"] = {"carbon_price_per_kg": 0}
    source["homes"][0]["battery"] |= {"charge_efficiency": 0.8, "discharge_efficiency": 0.8}
    kpis = prosumax.run(source | {"policy": "optimal"}).kpis
    assert kpis["objective"] == pytest.approx(kpis["individual_optimum_bound"], abs=1e-4)


@pytest.mark.parametrize("joint", [False, True])
def test_feed_in_above_retail_is_not_exploited(joint):
    """For a lossless battery and six steps the best of 5^6 plans is on a grid of powers."""
    source = random_scenario(2, homes=1, steps=6)
    source["tariff"] = {"energy": 0.2, "feed_in": {"source": "values", "values": [0.3, 0.1, 0.5]}}
    source["objective"] = {"carbon_price_per_kg": 0}
    source["homes"][0]["load"]["values"] = [1.0, 0.0, 2.0, 1.0, 1.0, 0.0]
    source["homes"][0]["solar"]["values"] = [0.0, 2.0, 1.0, 3.0, 0.0, 0.0]
    source["homes"][0]["battery"] = {
        "capacity_kwh": 4, "charge_kw": 2, "charge_efficiency": 1, "discharge_efficiency": 1
    }  # fmt: skip
    problem = make_problem(source)
    best = np.inf
    for powers in itertools.product(range(-2, 3), repeat=6):
        stored = np.cumsum(powers)
        if stored.min() >= 0 and stored.max() <= 4:
            best = min(
                best,
                individual_cost(problem, problem.net_kwh + np.array(powers, float)[:, None]).sum(),
            )
    plan = (plan_community if joint else plan_individual)(problem)
    assert plan.objective == pytest.approx(best, abs=1e-5) == plan.bound


def test_unsupported_programs_raise_an_error(monkeypatch):
    high_feed_in = {"tariff.feed_in": 0.9}
    with pytest.raises(InputError, match=r"tariff.feed_in.*in step 0, where a kWh.*unbounded"):
        prosumax.run(random_scenario(1), {**high_feed_in, "policy": "mpc"}, optimum=False)
    monkeypatch.setattr(program, "MAX_BINARIES", 35)
    with pytest.raises(
        InputError,
        match="has 36 homes with devices times steps with negative prices or a feed-in price above",
    ):
        plan_individual(make_problem(random_scenario(1), high_feed_in))


def test_an_infeasible_program_raises_an_error():
    problem = make_problem(random_scenario(1))
    over_full = problem.battery._replace(initial_soc=problem.battery.initial_soc * 0 + 5)
    with pytest.raises(
        InputError, match=r"no plan keeps all batteries within their limits.*infeasible"
    ):
        plan_individual(replace(problem, battery=over_full))
