"""Events: homes that join and leave, devices that fail, and limits of the supply."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import prosumax
from prosumax import optimization, report
from prosumax.control.rules import assemble_policy
from prosumax.devices.base import devices
from prosumax.errors import InputError
from prosumax.optimization.flexible import _SHED_PRICE_FACTOR, slack_price
from prosumax.optimization.problem import build_problem, community_cost, individual_cost
from prosumax.rl.env import CommunityEnv
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.community import assemble
from prosumax.simulation.inputs import read_profiles
from prosumax.simulation.rollout import rollout_policy
from prosumax.testing import check_env
from prosumax.types import EVENTS, EventSeries

HOURS_PER_YEAR = 8760
BATTERY = {"capacity_kwh": 6, "charge_kw": 3, "soc_min": 0.1, "initial_soc": 0.5}


def _scenario(events=(), *, steps=96, minutes=15, market="mid_market_rate", **changes):
    """Three homes with every kind of device, in winter."""
    homes = [
        {
            "name": "Ann",
            "load": {"source": "synthetic", "lifestyle": "family", "annual_kwh": 4000},
            "solar": {"source": "synthetic", "peak_kw": 5},
            "battery": {**BATTERY, "self_discharge_per_month": 0.05},
            "ev": {"power_kw": 7.4, "v2g": True, "initial_soc": 0.4},
        },
        {
            "name": "Bob",
            "load": {"source": "synthetic", "lifestyle": "couple", "annual_kwh": 2500},
            "heat_pump": {"power_kw": 3},
            "appliances": [{"kind": "dishwasher", "runs_per_week": 7, "deadline_hours": 4}],
        },
        {
            "name": "Cem",
            "load": {"source": "synthetic", "lifestyle": "retired", "annual_kwh": 2000},
            "solar": {"source": "synthetic", "peak_kw": 3},
            "water_heater": {"power_kw": 2},
        },
    ]
    shared = {"community_battery": {"capacity_kwh": 9, "charge_kw": 4, "initial_soc": 0.5}}
    tariff = {
        "energy": 0.2,
        "network": 0.1,
        "levies": 0.05,
        "vat": 0.06,
        "feed_in": 0.04,
        "supplier_fee_per_year": 60,
        "network_fee_per_year": 20,
        "levies_per_year": 10,
        "capacity_charge_per_kw_year": 50,
        "min_billed_peak_kw": 2.5,
    }
    return {
        "name": "events",
        "period": {"start": "2023-03-08T00:00", "steps": steps, "step_minutes": minutes},
        "location": {"latitude_deg": 50.8, "longitude_deg": 4.4},
        "homes": homes,
        "shared_devices": shared,
        "tariff": tariff,
        "market": {"mechanism": market},
        "policy": "self-consumption",
        "events": list(events),
        **changes,
    }


def _constant(events, *, load, steps=24, solar=None, battery=None, policy="none", **changes):
    """One home with given hourly load and PV generation at a price of 0.5, 0.1 for export."""
    home = {"name": "Ann", "load": {"source": "values", "values": load}}
    if solar is not None:
        home["solar"] = {"source": "values", "values": solar}
    if battery is not None:
        home["battery"] = battery
    return {
        "name": "constant",
        "period": {"start": "2023-03-08T00:00", "steps": steps, "step_minutes": 60},
        "homes": [home],
        "tariff": {"energy": 0.5, "feed_in": 0.1},
        "policy": policy,
        "events": events,
        **changes,
    }


@functools.lru_cache
def _simulator():
    """Return a compiled simulation of the scenario for any events, and its community."""
    full = [
        {"event": "home_leaves", "home": "Ann", "at": "2023-03-08T12:00"},
        {"event": "supply_limit", "import_kw": 2, "export_kw": 2},
        *(
            {"event": "device_fails", "device": kind, "at": "2023-03-08T12:00"}
            for kind in (
                "battery",
                "ev",
                "heat_pump",
                "appliances",
                "water_heater",
                "community_battery",
            )
        ),
    ]
    scenario = load_scenario(_scenario(full))
    profiles = read_profiles(scenario)
    community = assemble(scenario, profiles)
    undisturbed = assemble(load_scenario(_scenario()), read_profiles(load_scenario(_scenario())))
    policy = assemble_policy(["solar-first"] * 3)
    run = jax.jit(lambda community, key: rollout_policy(community, policy, key))
    return scenario, community, undisturbed, run


def _with_events(community, undisturbed, events, present):
    """Return the community with other events and the load and PV generation of members."""
    series = undisturbed.series
    return community._replace(
        series=series._replace(
            load_kwh=series.load_kwh * present,
            solar_kwh=series.solar_kwh * present,
            devices={**series.devices, EVENTS: events},
        )
    )


def _check_balance(flows, tolerance=2e-5):
    supplied = flows.solar_kwh + flows.storage_discharge_kwh + flows.import_kwh
    used = flows.load_kwh + flows.charge_kwh + flows.export_kwh + flows.curtailed_kwh
    np.testing.assert_allclose(supplied, used, atol=tolerance)
    assert (np.minimum(flows.import_kwh, flows.export_kwh) == 0).all()
    for field in ("load_kwh", "import_kwh", "export_kwh", "curtailed_kwh", "shed_kwh"):
        assert (np.asarray(getattr(flows, field)) >= -tolerance).all(), field


def test_a_scenario_without_events_has_no_trace_of_them():
    """Events cost nothing where there are none."""
    scenario = load_scenario(_scenario())
    profiles = read_profiles(scenario)
    assert EVENTS not in profiles.devices
    assert profiles.present is None
    assert profiles.undisturbed is None
    result = prosumax.run(_scenario(steps=8))
    assert result.events == []
    assert "shed_kwh" not in result.kpis
    assert result.trajectory.record.flows.shed_kwh is None


@settings(max_examples=25)
@given(data=st.data())
def test_energy_balances_and_limits_hold_for_random_events(data):
    """At every home and step: balance, limits, failed and absent devices, and frozen states."""
    scenario, community, undisturbed, run = _simulator()
    steps, homes = undisturbed.series.load_kwh.shape
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31), label="seed"))
    first = rng.integers(0, steps // 2, homes) * rng.integers(0, 2, homes)
    last = np.where(rng.random(homes) < 0.5, rng.integers(steps // 2, steps, homes), steps)
    number = np.arange(steps)[:, None]
    present = (number >= first) & (number < last)
    kinds = community.series.devices[EVENTS].availability
    availability = {
        kind: jnp.asarray(np.repeat(rng.random((8, homes)) < 0.7, steps // 8, 0), jnp.float32)
        for kind in kinds
    }
    limits = [
        np.where(rng.random((steps, homes)) < 0.5, np.inf, rng.uniform(0, 1, (steps, homes)))
        for _ in range(2)
    ]
    events = EventSeries(
        availability, jnp.asarray(present), *(jnp.asarray(part, jnp.float32) for part in limits)
    )
    trajectory = run(
        _with_events(community, undisturbed, events, present), jax.random.key(rng.integers(2**31))
    )
    record = jax.tree.map(np.asarray, trajectory.record)
    flows = record.flows
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(record))
    _check_balance(flows)
    assert (flows.import_kwh <= limits[0].astype(np.float32)).all()
    assert (flows.export_kwh <= limits[1].astype(np.float32)).all()
    assert (flows.curtailed_kwh <= flows.solar_kwh + 1e-5).all()
    works = {"battery": 1.0, **availability}
    for kind, flow in flows.devices.items():
        device = devices.get(kind, "devices")
        failed = np.asarray(works[kind]) == 0
        for amount in (flow.consumption_kwh, flow.supply_kwh):
            assert (amount[failed | ~present] == 0).all(), kind
        assert (flow.total_unserved_kwh[~present] == 0).all()
        stored = getattr(flow, "stored_kwh", None)
        if stored is not None and device.power_fields:
            before = device.stored_kwh(
                community.homes.devices[kind], device.init(community.homes.devices[kind])
            )
            before = np.vstack([np.asarray(before)[None], stored[:-1]])
            change = flow.consumption_kwh - flow.supply_kwh - flow.released_kwh
            np.testing.assert_allclose(stored, before + change, atol=1e-4)
            assert (stored[~present] == before[~present]).all()
    assert (flows.load_kwh[~present] == 0).all()
    assert (flows.import_kwh[~present] == 0).all()
    assert (flows.export_kwh[~present] == 0).all()
    bill = np.asarray(record.bill.total)
    assert (bill[~present] == 0).all()
    assert (trajectory.standalone_bill[~present] == 0).all()
    reputation = np.vstack([np.full((1, homes), record.reputation[0]), record.reputation])
    unchanged = record.reputation[1:] == record.reputation[:-1]
    assert unchanged[~present[1:]].all(), reputation


def test_batching_keeps_results():
    """A batch of communities with different events gives the results of each alone."""
    _, community, undisturbed, run = _simulator()
    base = community.series.devices[EVENTS]
    tight = base._replace(import_kwh=base.import_kwh / 4)
    all_present = jnp.ones_like(base.present)
    pair = [_with_events(community, undisturbed, events, all_present) for events in (base, tight)]
    pair = [
        one._replace(series=one.series._replace(devices={**one.series.devices, EVENTS: events}))
        for one, events in zip(
            pair,
            (base._replace(present=all_present), tight._replace(present=all_present)),
            strict=True,
        )
    ]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *pair)
    batch = jax.vmap(run, in_axes=(0, None))(stacked, jax.random.key(0))
    for number, one in enumerate(pair):
        alone = run(one, jax.random.key(0)).record.flows
        np.testing.assert_allclose(
            batch.record.flows.import_kwh[number], alone.import_kwh, atol=1e-5
        )
        np.testing.assert_allclose(batch.record.flows.shed_kwh[number], alone.shed_kwh, atol=1e-5)


def test_money_of_a_home_that_leaves():
    """All payments have a receiver; a home pays fees and peaks for its membership only."""
    steps = 61 * 24
    leaves = {"event": "home_leaves", "home": "Bob", "at": "2023-03-23T12:00"}
    result = prosumax.run(_scenario([leaves], steps=steps, minutes=60), optimum=False)
    kpis = result.kpis
    received = sum(
        kpis[f"{name}_revenue"]
        for name in ("supplier", "network_operator", "government", "mechanism", "community")
    )
    assert received == pytest.approx(kpis["cost"], abs=1e-3)
    assert sum(bill.total for bill in result.bills) == pytest.approx(kpis["cost"], abs=1e-3)
    for bill, home in zip(result.bills, result.households, strict=True):
        assert bill.total == pytest.approx(home["bill"], abs=1e-3)
    stays, bob = result.bills[0], result.bills[1]
    days = 15.5
    assert bob.days == days
    assert bob.last_day == "2023-03-23"
    fees = {line.item: line for line in bob.lines}
    assert fees["Subscription"].amount == pytest.approx(60 * days / 365)
    assert fees["Fixed levy"].amount == pytest.approx(10 * days / 365)
    # The capacity charge is on the peak of the part of March, and nothing in April.
    flows = result.trajectory.record.flows
    peak_kw = max(2.5, float(flows.import_kwh[: int(days * 24), 1].max()))
    # March has an hour less than 31 days.
    share = 24 * days / (24 * 31 - 1)
    assert _capacity_charge(bob) == pytest.approx(peak_kw * 50 / 12 * share, rel=1e-5)
    left = int(days * 24)
    assert (np.asarray(flows.import_kwh)[left:, 1] == 0).all()
    assert (np.asarray(flows.import_kwh)[:left, 1] > 0).any()
    assert stays.days == 61


def _capacity_charge(bill):
    """Return the amount of the capacity charge."""
    return sum(line.amount for line in bill.lines if line.item.startswith(("Mean of", "Highest")))


def test_a_home_that_joins_starts_with_its_initial_state():
    """Before it joins, the battery keeps its initial state."""
    event = {"event": "home_joins", "home": "Ann", "at": "2023-03-08T06:00"}
    flows = prosumax.run(_scenario([event]), optimum=False).trajectory.record.flows
    stored = flows.devices["battery"].stored_kwh[:, 0]
    np.testing.assert_array_equal(stored[:24], 3.0)
    assert flows.load_kwh[:24, 0].sum() == 0 < flows.load_kwh[24:, 0].min()
    assert stored[24:].min() < 3.0


@pytest.mark.parametrize(
    "event",
    [
        {"event": "home_leaves", "home": "Bob", "at": "2023-03-08T06:00"},
        {"event": "device_fails", "device": "heat_pump", "at": "2023-03-08T06:00"},
        {"event": "supply_limit", "homes": ["Bob"], "import_kw": 0.1},
    ],
)
def test_other_homes_are_unaffected_except_through_the_market(event):
    """Without a market, an event of one home leaves the flows of all others unchanged."""
    before = prosumax.run(_scenario(market="none"), optimum=False)
    after = prosumax.run(_scenario([event], market="none"), optimum=False)
    for field in ("load_kwh", "import_kwh", "export_kwh", "charge_kwh", "discharge_kwh"):
        for home in (0, 2):
            np.testing.assert_allclose(
                getattr(after.trajectory.record.flows, field)[:, home],
                getattr(before.trajectory.record.flows, field)[:, home],
                atol=1e-6,
            )
    for home in (0, 2):
        assert after.households[home]["bill"] == pytest.approx(before.households[home]["bill"])


def test_physics_go_on_while_devices_fail():
    """A building and a tank cool down, a car does not charge, and a battery loses its charge."""
    kinds = ("battery", "ev", "heat_pump", "water_heater", "community_battery")
    events = [{"event": "device_fails", "device": kind, "at": "2023-03-08T00:00"} for kind in kinds]
    result = prosumax.run(_scenario(events), optimum=False)
    flows = result.trajectory.record.flows
    for kind in kinds:
        flow = flows.devices[kind]
        assert (flow.consumption_kwh == 0).all() and (flow.supply_kwh == 0).all(), kind
    assert (np.diff(flows.devices["battery"].stored_kwh[:, 0]) < 0).all()
    np.testing.assert_allclose(flows.devices["community_battery"].stored_kwh, 1.5, atol=1e-6)
    working = prosumax.run(_scenario(), optimum=False).trajectory.record.flows
    for kind, home, field in (
        ("heat_pump", 1, "indoor_c"),
        ("heat_pump", 1, "tank_c"),
        ("water_heater", 2, "tank_c"),
    ):
        cold = getattr(flows.devices[kind], field)[-1, home]
        assert cold < getattr(working.devices[kind], field)[-1, home] - 1, field
    assert result.kpis["underheating_kh"] > 0


def test_a_repaired_device_works_again():
    """A failure ends with the repair."""
    event = {
        "event": "device_fails",
        "device": "heat_pump",
        "at": "2023-03-08T06:00",
        "until": "2023-03-08T12:00",
    }
    flows = prosumax.run(_scenario([event]), optimum=False).trajectory.record.flows
    used = flows.devices["heat_pump"].consumption_kwh[:, 1]
    assert used[:24].sum() > 0
    assert used[24:48].sum() == 0
    assert used[48] > 0


def test_a_failed_appliance_leaves_runs_unserved():
    """Runs that wait, start or run during a failure are dropped, with all their energy."""
    working = prosumax.run(_scenario(), optimum=False).trajectory.record.flows
    run = working.devices["appliances"].run_kwh[:, 1, 0]
    (running,) = np.nonzero(run)
    first = int(running[0])
    minutes = 15 * (first + 1)
    at = f"2023-03-08T{minutes // 60:02d}:{minutes % 60:02d}"
    event = {"event": "device_fails", "device": "appliances", "at": at}
    flow = prosumax.run(_scenario([event]), optimum=False).trajectory.record.flows
    flow = flow.devices["appliances"]
    assert (flow.run_kwh[first + 1 :] == 0).all()
    assert flow.run_kwh.sum() == pytest.approx(run[first])
    assert flow.unserved_kwh.sum() == pytest.approx(run.sum() - run[first], rel=1e-5)


def test_a_failed_pv_system_generates_nothing():
    """Only the steps of the failure are lost, and the event reports how much."""
    event = {
        "event": "device_fails",
        "home": "Ann",
        "device": "solar",
        "at": "2023-03-08T00:00",
        "until": "2023-03-08T12:00",
    }
    before = prosumax.run(_scenario(), optimum=False)
    after = prosumax.run(_scenario([event]), optimum=False)
    solar = after.trajectory.record.flows.solar_kwh
    expected = np.array(before.trajectory.record.flows.solar_kwh)
    lost = expected[:48, 0].sum()
    expected[:48, 0] = 0
    np.testing.assert_array_equal(solar, expected)
    assert after.events[0]["effects"]["absent_solar_kwh"] == pytest.approx(lost, rel=1e-5)


def test_load_above_the_limit_is_shed_and_surplus_curtailed():
    """Arithmetic of a limit without devices."""
    limit = {"event": "supply_limit", "import_kw": 2.0, "export_kw": 1.0, "from_hour": 6}
    scenario = _constant([limit], load=[3.0, 0.5], solar=[0.0, 2.5])
    result = prosumax.run(scenario, optimum=False)
    flows = result.trajectory.record.flows
    limited = np.arange(24) >= 6
    even = np.arange(24) % 2 == 0
    shed = np.where(limited & even, 1.0, 0.0)
    curtailed = np.where(limited & ~even, 1.0, 0.0)
    np.testing.assert_allclose(flows.shed_kwh[:, 0], shed, atol=1e-6)
    np.testing.assert_allclose(flows.curtailed_kwh[:, 0], curtailed, atol=1e-6)
    np.testing.assert_allclose(flows.load_kwh[:, 0], np.where(even, 3.0, 0.5) - shed, atol=1e-6)
    assert result.kpis["shed_kwh"] == pytest.approx(9)
    assert result.households[0]["shed_kwh"] == pytest.approx(9)
    assert result.kpis["cost"] == pytest.approx(0.5 * (36 - 9) - 0.1 * (24 - 9), rel=1e-5)
    assert result.events[0]["effects"] == pytest.approx({"shed_kwh": 9, "curtailed_kwh": 9})


def test_the_lower_of_overlapping_limits_applies():
    """A series per step and a number, each for some of the homes and hours."""
    series = {"source": "values", "values": [3.0, 1.0]}
    events = [
        {"event": "supply_limit", "import_kw": series},
        {"event": "supply_limit", "import_kw": 2.0, "until": "2023-03-08T12:00"},
        {"event": "supply_limit", "import_kw": 0.5, "from_hour": 22, "to_hour": 2},
        {"event": "supply_limit", "import_kw": 0.1, "days": "weekend"},
    ]
    scenario = load_scenario(_constant(events, load=[9.0]))
    limit = read_profiles(scenario).events.import_kwh[:, 0]
    hour = np.arange(24)
    expected = np.where(hour % 2 == 0, 3.0, 1.0)
    expected = np.where(hour < 12, np.minimum(expected, 2.0), expected)
    expected = np.where((hour >= 22) | (hour < 2), np.minimum(expected, 0.5), expected)
    np.testing.assert_allclose(limit, expected)


def test_a_limit_from_a_file(tmp_path):
    """A limit per step comes from a table like any other series."""
    rows = "\n".join(f"2023-03-08T{hour:02d}:00,{hour / 10}" for hour in range(24))
    (tmp_path / "cap.csv").write_text(f"time,cap\n{rows}\n")
    source = {"source": "table", "file": str(tmp_path / "cap.csv"), "column": "cap"}
    scenario = _constant([{"event": "supply_limit", "import_kw": source}], load=[9.0])
    flows = prosumax.run(scenario, optimum=False).trajectory.record.flows
    np.testing.assert_allclose(flows.import_kwh[:, 0], np.arange(24) / 10, atol=1e-6)


def test_a_battery_serves_what_the_limit_does_not_permit():
    """The battery discharges under any policy, and charges at most within the limit."""
    limit = {"event": "supply_limit", "import_kw": 2.0}
    battery = {**BATTERY, "soc_min": 0.0, "initial_soc": 1.0, "discharge_efficiency": 1.0}
    scenario = _constant([limit], load=[3.0], battery=battery)
    flows = prosumax.run(scenario, optimum=False).trajectory.record.flows
    np.testing.assert_allclose(flows.discharge_kwh[:, 0], [1.0] * 6 + [0.0] * 18, atol=1e-5)
    assert flows.shed_kwh.sum() == pytest.approx(18, rel=1e-5)


def test_the_optimum_under_a_limit_is_that_of_an_independent_program():
    """A battery under a cap, in a program written from scratch."""
    load = [0.5, 0.4, 0.3, 0.3, 0.5, 1.0, 2.0, 2.5, 1.5, 1.0, 1.0, 1.2]
    load += [1.5, 1.2, 1.0, 1.5, 2.5, 4.0, 4.5, 4.0, 3.0, 2.0, 1.0, 0.6]
    solar = [0.0] * 8 + [2.0, 4.0, 6.0, 6.0, 5.0, 3.0, 1.0] + [0.0] * 9
    price = np.where(np.arange(24) < 7, 0.2, 0.5)
    cap, export_cap = 2.2, 1.5
    battery = {
        "capacity_kwh": 8,
        "charge_kw": 2,
        "discharge_kw": 3,
        "charge_efficiency": 0.9,
        "discharge_efficiency": 0.95,
        "initial_soc": 0.25,
    }
    tariff = {"energy": {"source": "values", "values": price.tolist()}, "feed_in": 0.05}
    scenario = _constant(
        [{"event": "supply_limit", "import_kw": cap, "export_kw": export_cap}],
        load=load,
        solar=solar,
        battery=battery,
        policy="optimal",
        tariff=tariff,
    )
    result = prosumax.run(scenario, optimum=True)
    # Variables: import, export, charge, discharge, shed, curtailed, each by step.
    penalty = 100.0
    zeros = np.zeros(24)
    cost = np.concatenate([price, zeros - 0.05, zeros, zeros, zeros + penalty, zeros])
    eye = np.eye(24)
    balance = np.hstack([eye, -eye, -eye, eye, eye, -eye])
    stored = np.tril(np.ones((24, 24)))
    level = np.hstack([0 * eye, 0 * eye, 0.9 * stored, -stored / 0.95, 0 * eye, 0 * eye])
    upper = [cap, export_cap, 2.0, 3.0, None, None]
    solution = linprog(
        cost,
        A_ub=np.vstack([level, -level]),
        b_ub=np.concatenate([np.full(24, 6.0), np.full(24, 2.0)]),
        A_eq=balance,
        b_eq=np.asarray(load) - solar,
        bounds=[(0, limit) for limit in upper for _ in range(24)],
    )
    shed = solution.x[96:120].sum()
    expected = solution.fun - penalty * shed
    assert result.kpis["individual_optimum"] == pytest.approx(expected, rel=1e-5)
    assert result.kpis["objective"] == pytest.approx(expected, rel=1e-5)
    assert result.kpis["shed_kwh"] == pytest.approx(shed, abs=1e-4)


def test_a_plan_curtails_no_more_than_the_limit_at_negative_prices():
    """At a negative feed-in price, PV generation below the limit cannot be curtailed."""
    price = [0.3] * 10 + [-0.4] * 5 + [0.3] * 9
    solar = [0.0] * 8 + [3.0, 4.0, 5.0, 6.0, 6.0, 5.0, 4.0, 2.0] + [0.0] * 8
    energy = {"source": "values", "values": price}
    feed_in = {"source": "values", "values": [number - 0.05 for number in price]}
    result = prosumax.run(
        _constant(
            [{"event": "supply_limit", "export_kw": 2}],
            load=[0.5],
            solar=solar,
            battery={**BATTERY, "soc_min": 0.0},
            policy="optimal",
            tariff={"energy": energy, "feed_in": feed_in},
        ),
        optimum=True,
    )
    kpis = result.kpis
    assert kpis["objective"] == pytest.approx(kpis["individual_optimum_bound"], rel=1e-5)
    flows = result.trajectory.record.flows
    assert flows.curtailed_kwh.sum() > 1
    exports = flows.export_kwh[flows.curtailed_kwh > 1e-4]
    np.testing.assert_allclose(exports, 2, rtol=1e-5)


EVENTS_OF_ALL_KINDS = [
    {"event": "home_joins", "home": "Ann", "at": "2023-03-08T05:00"},
    {"event": "home_leaves", "home": "Cem", "at": "2023-03-09T03:00"},
    {
        "event": "device_fails",
        "home": "Ann",
        "device": "battery",
        "at": "2023-03-08T12:00",
        "until": "2023-03-08T18:00",
    },
    {
        "event": "device_fails",
        "device": "heat_pump",
        "at": "2023-03-08T20:00",
        "until": "2023-03-09T02:00",
    },
    {"event": "supply_limit", "import_kw": 3.0, "export_kw": 1.5, "from_hour": 6},
]


@functools.lru_cache
def _problem(market):
    scenario = load_scenario(_scenario(EVENTS_OF_ALL_KINDS, steps=48, minutes=60, market=market))
    profiles = read_profiles(scenario)
    return build_problem(scenario, profiles, assemble(scenario, profiles))


@pytest.mark.parametrize("policy", ["optimal", "community-optimal"])
def test_a_plan_is_what_the_simulation_does(policy):
    """Cost and meters of the plan, and the money of the run."""
    market = "none" if policy == "optimal" else "mid_market_rate"
    scenario = _scenario(EVENTS_OF_ALL_KINDS, steps=48, minutes=60, market=market, policy=policy)
    result = prosumax.run(scenario, optimum=True)
    problem = _problem(market)
    optimum = result.kpis["individual_optimum" if policy == "optimal" else "community_optimum"]
    plan = (
        optimization.plan_individual(problem)
        if policy == "optimal"
        else optimization.plan_community(problem)
    )
    assert plan.objective == pytest.approx(optimum, rel=1e-6)
    assert plan.objective >= plan.bound - 1e-6 * abs(plan.bound)
    flows = result.trajectory.record.flows
    np.testing.assert_allclose(flows.net_kwh, problem.metered(plan.net_kwh), atol=2e-5)
    assert result.kpis["objective"] == pytest.approx(optimum, rel=1e-5)
    cost = individual_cost(problem, np.asarray(flows.net_kwh, np.float64))
    if policy == "optimal":
        bills = [home["bill"] for home in result.households]
        np.testing.assert_allclose(cost, bills, rtol=1e-5)


@pytest.mark.parametrize("policy", ["none", "self-consumption", "solar-first"])
def test_no_rule_outperforms_the_optimum(policy):
    """With the price of violated requirements, no rule costs less than the plan."""
    results = {
        name: prosumax.run(
            _scenario(EVENTS_OF_ALL_KINDS, steps=48, minutes=60, market="none", policy=name),
            optimum=False,
        )
        for name in (policy, "optimal")
    }
    problem = _problem("none")
    price = slack_price(problem.buy_price, problem.sell_price)

    def penalized(result):
        flows = result.trajectory.record.flows
        violated = _SHED_PRICE_FACTOR * flows.shed_kwh.sum()
        for flow in flows.devices.values():
            violated += float(np.asarray(flow.penalized_kwh).sum())
        pump = flows.devices["heat_pump"]
        exists = np.array([False, True, False])
        violated += np.maximum(20.0 - pump.indoor_c[:, exists], 0).sum() * 0
        violated += float(pump.underheating_kh.sum())
        return result.kpis["objective"] + price * violated

    assert penalized(results["optimal"]) <= penalized(results[policy]) * (1 + 1e-5)


@pytest.mark.parametrize("policy", ["mpc", "community-mpc", "optimal-levels"])
def test_planners_without_events_say_so(policy):
    """The error names the event."""
    scenario = _constant(
        [{"event": "supply_limit", "import_kw": 1}], load=[1.0], battery=BATTERY, policy=policy
    )
    with pytest.raises(InputError, match=r"events\.0: policy .* cannot plan.*supply_limit"):
        prosumax.run(scenario)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (
            {"event": "home_leaves", "home": "Bop", "at": "2023-03-08T06:00"},
            r"events\.0\.home.*Did you mean 'Bob'",
        ),
        (
            {"event": "home_leaves", "home": "Bob", "at": "2024-03-08T06:00"},
            r"events\.0\.at.*outside the period",
        ),
        ({"event": "home_leaves", "home": "Bob"}, r"events\.0\.at is required"),
        ({"event": "home_goes", "home": "Bob"}, r"events\.0\.event.*no event 'home_goes'"),
        ({"home": "Bob"}, r"events\.0.*has no `event`"),
        (
            {"event": "home_joins", "home": "Bob", "at": "2023-03-08T06:00+01:00"},
            r"events\.0\.at.*without offset",
        ),
        (
            {"event": "device_fails", "device": "heatpump", "at": "2023-03-08T06:00"},
            r"events\.0\.device.*Did you mean 'heat_pump'",
        ),
        (
            {"event": "device_fails", "device": "ev", "home": "Bob", "at": "2023-03-08T06:00"},
            r"events\.0\.device.*'Bob' has no ev",
        ),
        (
            {
                "event": "device_fails",
                "device": "ev",
                "at": "2023-03-08T06:00",
                "until": "2023-03-08T05:00",
            },
            r"events\.0.*must be after",
        ),
        (
            {"event": "supply_limit", "homes": ["Ann", "Bop"], "import_kw": 1},
            r"events\.0\.homes\.1.*Did you mean 'Bob'",
        ),
        ({"event": "supply_limit"}, r"events\.0.*needs `import_kw` or `export_kw`"),
        ({"event": "supply_limit", "import_kw": -1}, r"events\.0\.import_kw.*at least 0"),
        (
            {"event": "supply_limit", "import_kw": 1, "exprot_kw": 2},
            r"events\.0\.exprot_kw.*Did you mean 'export_kw'",
        ),
    ],
)
def test_invalid_events(event, message):
    """Errors name the field."""
    with pytest.raises(InputError, match=message):
        load_scenario(_scenario([event]))


def test_a_kind_without_power_limits_cannot_fail(monkeypatch):
    """An event without effect is an error."""
    monkeypatch.setattr(type(devices.get("water_heater", "devices")), "power_fields", ())
    event = {"event": "device_fails", "device": "water_heater", "at": "2023-03-08T06:00"}
    with pytest.raises(InputError, match=r"events\.0\.device: water_heater has no power limit"):
        read_profiles(load_scenario(_scenario([event])))


def test_memberships_are_one_interval():
    """A home joins at most once, leaves at most once, and joins first."""
    joins = {"event": "home_joins", "home": "Bob", "at": "2023-03-08T06:00"}
    leaves = {"event": "home_leaves", "home": "Bob", "at": "2023-03-08T03:00"}
    with pytest.raises(InputError, match=r"events\.1\.home.*leaves before it joins"):
        load_scenario(_scenario([joins, leaves]))
    with pytest.raises(InputError, match=r"events\.1\.home.*joins twice"):
        load_scenario(_scenario([joins, joins]))
    negative = {"source": "values", "values": [-1.0]}
    scenario = load_scenario(_scenario([{"event": "supply_limit", "import_kw": negative}]))
    with pytest.raises(InputError, match=r"events\.0\.import_kw.*-1 kW"):
        read_profiles(scenario)
    late = {"event": "home_joins", "home": "Bob", "at": "2023-03-08T23:50"}
    with pytest.raises(InputError, match=r"events\.0.*not a member"):
        read_profiles(load_scenario(_scenario([late])))


def test_results_are_stored_with_their_events(tmp_path):
    """Events, notes and series of a stored run, and its report."""
    result = prosumax.run(_scenario(EVENTS_OF_ALL_KINDS, steps=48, minutes=60), optimum=False)
    assert [event["event"] for event in result.events] == [
        "supply_limit",
        "home_joins",
        "device_fails",
        "device_fails",
        "home_leaves",
    ]
    loaded = prosumax.Result.load(result.save(tmp_path / "run"))
    assert loaded.events == result.events
    assert loaded.kpis["shed_kwh"] == result.kpis["shed_kwh"]
    np.testing.assert_array_equal(loaded.timeseries["shed_kwh"], result.timeseries["shed_kwh"])
    assert isinstance(loaded.scenario, Scenario)
    assert loaded.scenario.events == result.scenario.events
    report.write_report(result, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "What happened when" in page
    assert "Heat pump fails" in page or "heat pump fails" in page


@pytest.mark.parametrize("mode", ["dispatch", "bid"])
def test_environment_with_events(mode):
    """Energy, money and shapes of an environment hold with events."""
    environment = {"action_mode": mode, "episode_steps": 48}
    scenario = _scenario(EVENTS_OF_ALL_KINDS, steps=48, minutes=60, environment=environment)
    env = prosumax.make(scenario)
    assert isinstance(env, CommunityEnv)
    check_env(env)


def test_community_cost_counts_the_metered_energy():
    """Limits apply to the meters of any plan."""
    problem = _problem("none")
    net = problem.net_kwh
    assert community_cost(problem, net) == community_cost(problem, problem.metered(net))


def _one_home(**limit):
    """Return a home with a battery that starts empty and loses energy, under a limit."""
    battery = {"capacity_kwh": 10, "charge_kw": 5, "soc_min": 0.1, "self_discharge_per_month": 0.03}
    load = {"source": "values", "values": [0.4]}
    return {
        "name": "one-home",
        "period": {"start": "2023-06-01T00:00", "steps": 24, "step_minutes": 60},
        "homes": [{"name": "a", "load": load, "battery": battery}],
        "tariff": {"energy": 0.3, "feed_in": 0.05},
        "policy": "optimal",
        "events": [{"event": "supply_limit", **limit}],
    }


@pytest.mark.parametrize("import_kw", [0.0, 0.2, 0.4])
def test_an_optimum_exists_where_a_limit_leaves_no_power_to_hold_a_battery(import_kw):
    kpis = prosumax.run(_one_home(import_kw=import_kw)).kpis
    # What the limit permits is bought at 0.3, and the rest of 0.4 kW is shed, all day.
    assert kpis["individual_optimum"] == pytest.approx(0.3 * 24 * import_kw, abs=1e-6)
    assert kpis["shed_kwh"] == pytest.approx(24 * (0.4 - import_kw), abs=1e-5)


def test_a_limit_that_never_applies_has_no_effect():
    result = prosumax.run(_one_home(import_kw=0.1, days="weekend") | {"policy": "none"})
    assert result.kpis["cost"] == pytest.approx(0.3 * 24 * 0.4, rel=1e-6)
    assert not any(result.events[0]["effects"].values())


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"from_hour": 7, "to_hour": 7}, r"from_hour \(7\) and to_hour \(7\) must differ"),
        ({"from_hour": 24, "to_hour": 0}, "must differ"),
        ({"homes": ["a", "a"]}, "names a home twice"),
    ],
)
def test_limits_without_hours_and_homes_named_twice_are_refused(limit, message):
    with pytest.raises(prosumax.InputError, match=message):
        prosumax.run(_one_home(import_kw=1, **limit))
