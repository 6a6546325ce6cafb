"""Fees of equation 4 by hand and as properties, curtailment, and limits of trades."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax.grid import limits
from prosumax.grid.network import (
    DistributionNetwork,
    NetworkOperator,
    OperatorDecision,
    network_step,
)
from prosumax.grid.operator import (
    FEE_TERMS,
    FeeRates,
    PathProperties,
    imbalance_fee,
    local_trade_fees,
    zone_rate,
)
from prosumax.grid.paths import build_paths
from prosumax.grid.power_flow.models import build_model
from prosumax.grid.power_flow.solver import ac_power_flow, linear_power_flow
from prosumax.types import Fills, Flows, PoolTrades, Trades
from tests.grid.random_networks import random_feeder

PAPER = FeeRates(
    congestion=0.5,
    usage=1.0,
    imbalance=0.15,
    voltage=0.15,
    zone=0.15,
    cross_zone=0.05,
    congestion_threshold=0.8,
    voltage_threshold=0.05,
    thermal_threshold=0.2,
    penalty=1.5,
    surcharge=0.2,
)
PAPER = FeeRates(*(jnp.float32(value) for value in PAPER))


def test_fees_by_hand():
    """Home 1 buys 4 kWh at 0.25 from home 0, home 2 buys 2 kWh at 0.30 from the grid."""
    local = Fills(
        bought_kwh=jnp.float32([0, 4, 0]),
        sold_kwh=jnp.float32([4, 0, 0]),
        paid=jnp.float32([0, 1, 0]),
        earned=jnp.float32([1, 0, 0]),
        trades=Trades(
            *(jnp.array([k]) for k in (1, 0)), *(jnp.float32([x]) for x in (4, 0.25, 0.25))
        ),
    )
    grid = Fills(jnp.float32([0, 0, 2]), jnp.zeros(3), jnp.float32([0, 0, 0.6]), jnp.zeros(3))
    assert local.trades is not None

    def charged(congestion, distance, same_zone, intervenes):
        path = PathProperties(*(jnp.float32([x]) for x in (congestion, distance, 0.03 * distance)))
        zone = zone_rate(PAPER, jnp.array([same_zone]))
        value = jnp.float32([4 * 0.25])
        terms = local_trade_fees(PAPER, value, path, zone, jnp.float32(0.8), jnp.array(intervenes))
        grid_terms = imbalance_fee(
            PAPER, grid.bought_kwh + grid.sold_kwh, grid.paid, jnp.float32(-2)
        )
        local_terms = {name: [float(value[0].round(6))] for name, value in terms._asdict().items()}
        return local_terms | {"imbalance": np.asarray(grid_terms).round(6).tolist()}

    uncongested = charged(0.1, 0.2, True, False)
    assert uncongested["congestion"][0] == 0 and uncongested["thermal"][0] == 0
    # The value of the energy lost on 0.2 km.
    assert uncongested["usage"][0] == pytest.approx(0.03 * 0.2)
    assert uncongested["voltage"][0] == pytest.approx(0.15 * 0.2)  # min(0.15 d, 0.05)
    assert uncongested["zone"][0] == pytest.approx(-0.15)
    # The grid trade has q / |B| = 1 with a balance of -2 kWh, so that it pays 15 % of 0.60.
    assert uncongested["imbalance"] == pytest.approx([0, 0, 0.09])
    assert sorted(uncongested) == sorted(FEE_TERMS)
    congested = charged(0.9, 1.0, False, False)
    assert congested["congestion"][0] == pytest.approx(0.5 * (0.9 - 0.8))
    assert congested["voltage"][0] == pytest.approx(0.05)
    assert congested["thermal"][0] == pytest.approx(0.2)  # (0.9 - 0.2) / 0.8 = 0.875, capped
    assert congested["zone"][0] == pytest.approx(0.05)
    assert charged(0.3, 1.0, False, False)["thermal"][0] == pytest.approx((0.3 - 0.2) / 0.8)
    penalized = charged(0.9, 1.0, False, True)
    assert penalized["congestion"][0] == pytest.approx(1.5 * 0.5 * 0.1 + 0.2)


def random_step(seed, homes=5, slots=4, pools=True):
    """Return consistent random flows, local trades and pool energy, and trades with the grid."""
    rng = np.random.default_rng(seed)
    net = rng.uniform(-3, 3, homes)
    left_buy = np.maximum(net, 0)
    left_sell = np.maximum(-net, 0)
    rows = []
    for _ in range(slots):
        buyer, seller = rng.integers(0, homes, 2)
        kwh = rng.uniform(0, 1) * min(left_buy[buyer], left_sell[seller])
        left_buy[buyer] -= kwh
        left_sell[seller] -= kwh
        price = rng.uniform(-0.02, 0.3)
        rows.append((buyer, seller, kwh, price, price))
    trades = Trades(*(np.array(column) for column in zip(*rows, strict=True)))
    bought, sold, paid, earned = np.zeros((4, homes))
    np.add.at(bought, trades.buyer, trades.kwh)
    np.add.at(sold, trades.seller, trades.kwh)
    np.add.at(paid, trades.buyer, trades.kwh * trades.buyer_price)
    np.add.at(earned, trades.seller, trades.kwh * trades.seller_price)
    pooled = np.zeros((2, homes))
    if pools and left_buy.sum() > 0 and left_sell.sum() > 0:
        volume = 0.5 * min(left_buy.sum(), left_sell.sum())
        for left, amount, money, price in (
            (left_buy, bought, paid, 0.2),
            (left_sell, sold, earned, 0.2),
        ):
            part = volume * left / left.sum()
            amount += part
            money += part * price
            pooled += [part, part * price / 2]
            left -= part
    grid = Fills(
        *(jnp.float32(part) for part in (left_buy, left_sell, 0.35 * left_buy, 0.04 * left_sell))
    )
    local = Fills(*(jnp.float32(part) for part in (bought, sold, paid, earned)))
    trades = Trades(
        *(jnp.asarray(p, jnp.int32 if k < 2 else jnp.float32) for k, p in enumerate(trades))
    )
    zeros = jnp.zeros(homes)
    load = jnp.float32(np.maximum(net, 0) + 0.1)
    solar = jnp.float32(np.maximum(-net, 0) + 0.1)
    parts = (load, solar, np.maximum(net, 0), np.maximum(-net, 0), zeros)
    return (
        Flows(*(jnp.float32(part) for part in parts), devices={}),
        local._replace(trades=trades, pooled=PoolTrades(*jnp.float32(pooled))),
        grid,
    )


def make_network(seed, flow, loops=0, rates=PAPER, homes=5, buses=12, capacity=20.0):
    feeder = random_feeder(buses, seed, loops=loops, shunts=False)
    home_bus = np.random.default_rng(seed).integers(0, buses, homes)
    solver = {"path": None, "ac": ac_power_flow, "linear": linear_power_flow}[flow]
    one = jnp.float32(1)
    places = np.append(home_bus, feeder.source_bus)
    return feeder, DistributionNetwork(
        power_flow=None if solver is None else jax.tree_util.Partial(solver, build_model(feeder)),
        paths=build_paths(feeder, home_bus),
        home_bus=jnp.asarray(home_bus),
        zone=jnp.asarray([feeder.zone[bus] == "left" for bus in places], jnp.int32),
        reactive_ratio=jnp.float32(0.3),
        background_kw=jnp.zeros(buses),
        background_kvar=jnp.zeros(buses),
        capacity_kw=jnp.full(len(feeder.branches.name), capacity),
        loss_per_km=jnp.float32(0.03),
        operator=NetworkOperator(rates, None, jnp.float32(0.8), one, 0 * one, one),
    )


compiled_step = jax.jit(network_step)


@pytest.mark.parametrize(
    ("flow", "loops"), [("path", 0), ("path", 4), ("linear", 0), ("ac", 0), ("ac", 4)]
)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), intervenes=st.booleans())
def test_fees_are_the_operators_revenue_and_energy_balances(flow, loops, seed, intervenes):
    _, network = make_network(seed, flow, loops)
    flows, local, grid = random_step(seed)
    decision = OperatorDecision(jnp.array(intervenes), jnp.float32(0.8), jnp.zeros(5))
    record = compiled_step(network, flows, local, grid, decision, jnp.float32(0.25))
    assert all(np.isfinite(np.asarray(part)).all() for part in record)
    # Single precision on amounts of some euros.
    assert float(record.fees.sum()) == pytest.approx(float(record.fee_terms.sum()), abs=1e-5)
    drawn = float(flows.net_kwh.sum()) + float(record.background_kwh)
    through = float(jnp.abs(flows.net_kwh).sum()) + 1e-3
    assert abs(float(record.source_kwh) - drawn - float(record.loss_kwh)) < 1e-4 * through
    moved = float((local.bought_kwh + local.sold_kwh + grid.bought_kwh + grid.sold_kwh).sum())
    assert 0 <= float(record.loss_kwh) <= moved


def test_losses_do_not_exceed_the_energy_carried():
    """A line of 60 km would lose 180 % by equation 14."""
    feeder, network = make_network(2, "path")
    far = dataclasses.replace(feeder.branches, length_km=np.full(11, 60.0))
    homes = np.asarray(network.home_bus, np.int64)
    network = network._replace(paths=build_paths(dataclasses.replace(feeder, branches=far), homes))
    flows, local, grid = random_step(4, pools=False)
    decision = OperatorDecision(jnp.array(False), jnp.float32(0.8), jnp.zeros(5))
    record = compiled_step(network, flows, local, grid, decision, jnp.float32(1.0))
    moved = float(local.trades.kwh.sum() + (grid.bought_kwh + grid.sold_kwh).sum())
    assert float(record.loss_kwh) <= moved + 1e-5


def test_congestion_of_a_path_by_hand():
    """Flows of two trades over a line source - a - b add up regardless of their direction."""
    feeder = random_feeder(3, 0, shunts=False)
    chain = dataclasses.replace(
        feeder,
        source_bus=0,
        branches=dataclasses.replace(
            feeder.branches,
            from_bus=np.array([0, 1]),
            to_bus=np.array([1, 2]),
            length_km=np.array([0.1, 0.2]),
        ),
    )
    _, network = make_network(0, "path", homes=2, buses=3, rates=None, capacity=8.0)
    network = network._replace(
        paths=build_paths(chain, np.array([1, 2])), home_bus=jnp.array([1, 2])
    )
    trades = Trades(
        jnp.array([1]), jnp.array([0]), jnp.float32([1.0]), jnp.float32([0.2]), jnp.float32([0.2])
    )
    local = Fills(
        jnp.float32([0, 1]),
        jnp.float32([1, 0]),
        jnp.float32([0, 0.2]),
        jnp.float32([0.2, 0]),
        trades,
    )
    grid = Fills(jnp.float32([0, 0.5]), jnp.float32([0.25, 0]), jnp.zeros(2), jnp.zeros(2))
    zeros = jnp.zeros(2)
    net = jnp.float32([-1.25, 1.5])
    flows = Flows(zeros, zeros, jnp.maximum(net, 0), jnp.maximum(-net, 0), zeros, devices={})
    decision = OperatorDecision(jnp.array(False), jnp.float32(0.8), zeros)
    record = compiled_step(network, flows, local, grid, decision, jnp.float32(0.5))
    # Line a-b carries 1 kWh of trade and 0.5 kWh from the grid, source-a 0.5 and 0.25 kWh. Each
    # has 8 kW for half an hour.
    assert record.loading.tolist() == pytest.approx([0.75 / 4, 1.5 / 4])
    assert float(record.loss_kwh) == pytest.approx(0.03 * (0.2 * 1 + 0.3 * 0.5 + 0.1 * 0.25))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), by_value=st.booleans())
def test_scaling_keeps_every_row_within_its_limit(seed, by_value):
    rng = np.random.default_rng(seed)
    use = rng.normal(size=(6, 8)) * (rng.random((6, 8)) < 0.6)
    limit = rng.uniform(0, 2, 6)
    value = jnp.float32(rng.random(8)) if by_value else None
    share = np.asarray(scale(jnp.float32(use), jnp.float32(limit), value))
    assert (share >= 0).all() and (share <= 1).all()
    assert (use @ share <= limit * (1 + 1e-3) + 1e-4).all()
    if (use.sum(1) <= limit).all():
        assert (share == 1).all()


scale = jax.jit(limits.scale_to_limits)


def test_scaling_by_hand():
    """A line of 6 kW and three items of 4 kW: all to one half, or the two most valuable first."""
    use = jnp.float32([[4, 4, 4]])
    limit = jnp.float32([6])
    np.testing.assert_allclose(scale(use, limit, None), [0.5, 0.5, 0.5])
    np.testing.assert_allclose(scale(use, limit, jnp.float32([1, 3, 2])), [0, 1, 0.5])
    # An item in the opposite direction makes room for the others.
    np.testing.assert_allclose(scale(jnp.float32([[4, 4, -2]]), limit, None), [1, 1, 1])


@pytest.mark.parametrize("by", ["pro_rata", "price"])
def test_curtailment_keeps_branches_and_voltages_within_their_limits(by):
    """Checked by the AC solution; the sensitivities neglect losses, hence the margin."""
    feeder = random_feeder(15, 21, shunts=False, tapped=False)
    rated = dataclasses.replace(
        feeder.branches, rating_from_pu=np.full(14, 0.03), rating_to_pu=np.full(14, 0.03)
    )
    feeder = dataclasses.replace(feeder, branches=rated, source_voltage_pu=1.07)
    home_bus = np.random.default_rng(0).integers(0, 15, 8)
    nothing = np.zeros(15)
    bounds = limits.build_limits(feeder, home_bus, np.full(14, 30.0), nothing, nothing)
    export = jnp.float32(np.linspace(5, 40, 8))
    ask = jnp.float32(np.linspace(0.1, 0.2, 8))
    rule = limits.curtail_by_price if by == "price" else limits.curtail_pro_rata
    cut = rule(export, jnp.zeros(8), ask, jnp.float32(1.0), limits=bounds)
    assert float(cut.sum()) > 0 and (np.asarray(cut) <= np.asarray(export) + 1e-5).all()
    p = jnp.zeros(15).at[home_bus].add(-(export - cut))
    before = ac_power_flow(
        build_model(feeder), jnp.zeros(15).at[home_bus].add(-export), jnp.zeros(15)
    )
    after = ac_power_flow(build_model(feeder), p, jnp.zeros(15))
    assert float(before.loading.max()) > 1.2
    assert float(after.loading.max()) < 1.01
    assert float(np.abs(after.voltage_pu).max()) < limits.MAX_VOLTAGE_PU + 0.002
    # The lowest ask is curtailed only where it alone exceeds a limit.
    if by == "price":
        kept = np.asarray(1 - cut / export)
        assert kept[0] >= kept[-1]
