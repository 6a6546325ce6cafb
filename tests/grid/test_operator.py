"""Fees of equation 4, computed by hand and as a property; what an operator cuts; trades held to the lines."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax.grid import limits
from prosumax.grid.network import Decision, Network, Operator
from prosumax.grid.network import record as network_record
from prosumax.grid.operator import TERMS, FeeRates, Way, imbalance_fee, local_fees, zone_rate
from prosumax.grid.paths import paths_of
from prosumax.grid.power_flow.solver import ac_flow, linear_flow
from prosumax.grid.power_flow.wires import wires_of
from prosumax.types import Fills, Flows, Pooled, Trades
from tests.grid.conftest import random_feeder

PAPER = FeeRates(
    congestion=0.5, usage=1.0, imbalance=0.15, voltage=0.15, zone=0.15, cross_zone=0.05, congestion_threshold=0.8,
    voltage_threshold=0.05, thermal_threshold=0.2, penalty=1.5, surcharge=0.2,
)  # fmt: skip
PAPER = FeeRates(*(jnp.float32(value) for value in PAPER))


def test_fees_by_hand():
    """Home 1 buys 4 kWh at 0.25 from home 0 (value 1), home 2 buys 2 kWh at 0.30 from the grid; balance -2 kWh."""
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

    def charged(congestion, distance, same, acts):
        one = lambda value: jnp.float32([value])  # noqa: E731
        way = Way(one(congestion), one(distance), one(0.03 * distance))
        zone = zone_rate(PAPER, jnp.array([same]))
        terms = local_fees(PAPER, one(4 * 0.25), way, zone, jnp.float32(0.8), jnp.array(acts))
        grid_terms = imbalance_fee(
            PAPER, grid.bought_kwh + grid.sold_kwh, grid.paid, jnp.float32(-2)
        )
        local_terms = {name: [float(value[0].round(6))] for name, value in terms._asdict().items()}
        return local_terms | {"imbalance": np.asarray(grid_terms).round(6).tolist()}

    quiet = charged(0.1, 0.2, True, False)
    assert quiet["congestion"][0] == 0 and quiet["thermal"][0] == 0
    assert quiet["usage"][0] == pytest.approx(
        0.03 * 0.2
    )  # what is lost on 0.2 km, at the price of the trade
    assert quiet["voltage"][0] == pytest.approx(0.15 * 0.2)  # min(0.15 d, 0.05)
    assert quiet["zone"][0] == pytest.approx(-0.15)
    # The grid trade: q / |B| = 1, so 15 % of 0.60; nothing else.
    assert quiet["imbalance"] == pytest.approx([0, 0, 0.09])
    assert sorted(quiet) == sorted(TERMS)
    full = charged(0.9, 1.0, False, False)
    assert full["congestion"][0] == pytest.approx(0.5 * (0.9 - 0.8))
    assert full["voltage"][0] == pytest.approx(0.05)
    assert full["thermal"][0] == pytest.approx(0.2)  # (0.9 - 0.2) / 0.8 = 0.875, capped
    assert full["zone"][0] == pytest.approx(0.05)
    assert charged(0.3, 1.0, False, False)["thermal"][0] == pytest.approx((0.3 - 0.2) / 0.8)
    punished = charged(0.9, 1.0, False, True)
    assert punished["congestion"][0] == pytest.approx(1.5 * 0.5 * 0.1 + 0.2)


def random_step(seed, homes=5, slots=4, pools=True):
    """Homes with meters, trades between them, pool energy, and the rest with the grid; random but consistent."""
    rng = np.random.default_rng(seed)
    net = rng.uniform(-3, 3, homes)
    left_buy, left_sell = np.maximum(net, 0), np.maximum(-net, 0)
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
    load, solar = jnp.float32(np.maximum(net, 0) + 0.1), jnp.float32(np.maximum(-net, 0) + 0.1)
    parts = (
        load,
        solar,
        zeros,
        zeros,
        zeros,
        zeros,
        np.maximum(net, 0),
        np.maximum(-net, 0),
        zeros,
    )
    return (
        Flows(*(jnp.float32(part) for part in parts)),
        local._replace(trades=trades, pooled=Pooled(*jnp.float32(pooled))),
        grid,
    )


def wired(seed, flow, loops=0, rates=PAPER, homes=5, buses=12, capacity=20.0):
    feeder = random_feeder(buses, seed, loops=loops, shunts=False)
    home_bus = np.random.default_rng(seed).integers(0, buses, homes)
    steps = {"path": None, "ac": ac_flow, "linear": linear_flow}[flow]
    one = jnp.float32(1)
    places = np.append(home_bus, feeder.source)
    return feeder, Network(
        flow=None if steps is None else jax.tree_util.Partial(steps, wires_of(feeder)),
        paths=paths_of(feeder, home_bus),
        home_bus=jnp.asarray(home_bus),
        zone=jnp.asarray([feeder.zone[bus] == "left" for bus in places], jnp.int32),
        reactive=jnp.float32(0.3),
        background_kw=jnp.zeros(buses),
        background_kvar=jnp.zeros(buses),
        capacity_kw=jnp.full(len(feeder.branches.name), capacity),
        loss_per_km=jnp.float32(0.03),
        operator=Operator(rates, None, jnp.float32(0.8), one, 0 * one, one),
    )


record = jax.jit(network_record)


@pytest.mark.parametrize(
    ("flow", "loops"), [("path", 0), ("path", 4), ("linear", 0), ("ac", 0), ("ac", 4)]
)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), acts=st.booleans())
def test_fees_paid_are_the_operators_income_and_energy_closes(flow, loops, seed, acts):
    _, wires = wired(seed, flow, loops)
    flows, local, grid = random_step(seed)
    decision = Decision(jnp.array(acts), jnp.float32(0.8), jnp.zeros(5))
    found = record(wires, flows, local, grid, decision, jnp.float32(0.25))
    assert all(np.isfinite(np.asarray(part)).all() for part in found)
    # Single precision on amounts of some euros.
    assert float(found.fees.sum()) == pytest.approx(float(found.fee_terms.sum()), abs=1e-5)
    drawn = float(flows.net_kwh.sum()) + float(found.background_kwh)
    through = float(jnp.abs(flows.net_kwh).sum()) + 1e-3
    assert abs(float(found.source_kwh) - drawn - float(found.loss_kwh)) < 1e-4 * through
    moved = float((local.bought_kwh + local.sold_kwh + grid.bought_kwh + grid.sold_kwh).sum())
    assert 0 <= float(found.loss_kwh) <= moved


def test_no_loss_exceeds_what_is_carried():
    """A line of 60 km would lose 180 % by equation 14."""
    feeder, wires = wired(2, "path")
    far = dataclasses.replace(feeder.branches, length_km=np.full(11, 60.0))
    homes = np.asarray(wires.home_bus, np.int64)
    wires = wires._replace(paths=paths_of(dataclasses.replace(feeder, branches=far), homes))
    flows, local, grid = random_step(4, pools=False)
    decision = Decision(jnp.array(False), jnp.float32(0.8), jnp.zeros(5))
    found = record(wires, flows, local, grid, decision, jnp.float32(1.0))
    moved = float(local.trades.kwh.sum() + (grid.bought_kwh + grid.sold_kwh).sum())
    assert float(found.loss_kwh) <= moved + 1e-5


def test_congestion_of_a_path_by_hand():
    """Two trades over a line source - a - b: flows add up whatever their direction, and start anew every step."""
    feeder = random_feeder(3, 0, shunts=False)
    chain = dataclasses.replace(
        feeder,
        source=0,
        branches=dataclasses.replace(
            feeder.branches,
            from_bus=np.array([0, 1]),
            to_bus=np.array([1, 2]),
            length_km=np.array([0.1, 0.2]),
        ),
    )
    _, wires = wired(0, "path", homes=2, buses=3, rates=None, capacity=8.0)
    wires = wires._replace(paths=paths_of(chain, np.array([1, 2])), home_bus=jnp.array([1, 2]))
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
    flows = Flows(*[zeros] * 6, jnp.maximum(net, 0), jnp.maximum(-net, 0), zeros)
    decision = Decision(jnp.array(False), jnp.float32(0.8), zeros)
    found = record(wires, flows, local, grid, decision, jnp.float32(0.5))
    # Line a-b: 1 kWh of trade and 0.5 from the grid; source-a: 0.5 and 0.25. Half an hour, 8 kW each.
    assert found.loading.tolist() == pytest.approx([0.75 / 4, 1.5 / 4])
    assert float(found.loss_kwh) == pytest.approx(0.03 * (0.2 * 1 + 0.3 * 0.5 + 0.1 * 0.25))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), by_worth=st.booleans())
def test_scaling_back_keeps_every_row_within_its_limit(seed, by_worth):
    rng = np.random.default_rng(seed)
    use = rng.normal(size=(6, 8)) * (rng.random((6, 8)) < 0.6)
    most = rng.uniform(0, 2, 6)
    worth = jnp.float32(rng.random(8)) if by_worth else None
    share = np.asarray(scale(jnp.float32(use), jnp.float32(most), worth))
    assert (share >= 0).all() and (share <= 1).all()
    assert (use @ share <= most * (1 + 1e-3) + 1e-4).all()
    if (use.sum(1) <= most).all():
        assert (share == 1).all()


scale = jax.jit(limits.scale_back)


def test_scaling_back_by_hand():
    """One line of 6 kW and three items of 4 kW: all to a half, or the two best and then none."""
    use, most = jnp.float32([[4, 4, 4]]), jnp.float32([6])
    np.testing.assert_allclose(scale(use, most, None), [0.5, 0.5, 0.5])
    np.testing.assert_allclose(scale(use, most, jnp.float32([1, 3, 2])), [0, 1, 0.5])
    # An item that runs against the others makes room for them.
    np.testing.assert_allclose(scale(jnp.float32([[4, 4, -2]]), most, None), [1, 1, 1])


@pytest.mark.parametrize("by", ["pro_rata", "price"])
def test_cut_exports_leave_lines_and_voltages_within_their_limits(by):
    """Checked by the AC solution; the sensitivities neglect losses, hence the margin."""
    feeder = random_feeder(15, 21, shunts=False, tapped=False)
    rated = dataclasses.replace(
        feeder.branches, rating_from_pu=np.full(14, 0.03), rating_to_pu=np.full(14, 0.03)
    )
    feeder = dataclasses.replace(feeder, branches=rated, source_pu=1.07)
    home_bus = np.random.default_rng(0).integers(0, 15, 8)
    nothing = np.zeros(15)
    bounds = limits.limits_of(feeder, home_bus, np.full(14, 30.0), nothing, nothing)
    export = jnp.float32(np.linspace(5, 40, 8))
    ask = jnp.float32(np.linspace(0.1, 0.2, 8))
    rule = limits.cut_dearest if by == "price" else limits.cut_pro_rata
    cut = rule(export, jnp.zeros(8), ask, jnp.float32(1.0), limits=bounds)
    assert float(cut.sum()) > 0 and (np.asarray(cut) <= np.asarray(export) + 1e-5).all()
    p = jnp.zeros(15).at[home_bus].add(-(export - cut))
    before = ac_flow(wires_of(feeder), jnp.zeros(15).at[home_bus].add(-export), jnp.zeros(15))
    after = ac_flow(wires_of(feeder), p, jnp.zeros(15))
    assert float(before.loading.max()) > 1.2
    assert float(after.loading.max()) < 1.01
    assert float(np.abs(after.voltage).max()) < limits.HIGHEST_PU + 0.002
    if by == "price":  # whoever asks less is cut only where it alone is in the way
        kept = np.asarray(1 - cut / export)
        assert kept[0] >= kept[-1]
