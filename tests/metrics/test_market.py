"""Market KPIs of an auction by hand, and their bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linprog

from prosumax import metrics

# One kWh each; the first four of either side trade.
BIDS = [10, 9, 8, 7, 5, 3]
ASKS = [2, 4, 6, 6.5, 8, 9]
NET = np.array([[1.0] * 6 + [-1.0] * 6])
LIMITS = np.array([[*BIDS, *ASKS]], dtype=float)
BOUGHT = np.array([[1.0] * 4 + [0.0] * 8])
SOLD = np.array([[0.0] * 6 + [1.0] * 4 + [0.0] * 2])


def auction(buyer_price, seller_price):
    """Compute the KPIs of the auction at one price for buyers and one for sellers."""
    return metrics.market_kpis(
        NET, BOUGHT, SOLD, BOUGHT * buyer_price, SOLD * seller_price, LIMITS, LIMITS
    )


def test_double_auction_at_one_price_is_efficient_and_balanced():
    kpis = auction(6.75, 6.75)
    assert kpis["welfare"] == kpis["max_welfare"] == 15.5
    assert (kpis["consumer_surplus"], kpis["producer_surplus"], kpis["budget_balance"]) == (
        34 - 27,
        27 - 18.5,
        0,
    )
    assert kpis["allocative_efficiency"] == 1
    assert (kpis["turnover"], kpis["liquidity_kwh"], kpis["mean_price"]) == (27, 4, 6.75)
    assert kpis["price_volatility"] == 0  # one step
    assert kpis["bid_ask_gap"] == 10 - 2
    assert kpis["p2p_share"] == pytest.approx(4 / 6)
    assert kpis["individual_rationality_violations"] == 0
    assert kpis["seller_hhi"] == kpis["buyer_hhi"] == 0.25


def test_vickrey_clarke_groves_needs_a_subsidy():
    kpis = auction(6.5, 7.0)
    assert (kpis["welfare"], kpis["budget_balance"]) == (15.5, -2)
    assert (kpis["consumer_surplus"], kpis["producer_surplus"]) == (8, 9.5)
    assert kpis["mean_price"] == 6.75  # midway


def test_the_midpoint_of_each_pair_splits_the_welfare_equally():
    middle = np.array([6.0, 6.5, 7.0, 6.75])
    paid, earned = np.zeros((1, 12)), np.zeros((1, 12))
    paid[0, :4] = earned[0, 6:10] = middle
    kpis = metrics.market_kpis(NET, BOUGHT, SOLD, paid, earned, LIMITS, LIMITS)
    assert kpis["consumer_surplus"] == kpis["producer_surplus"] == 15.5 / 2
    assert kpis["mean_price"] == pytest.approx(26.25 / 4)


def test_prices_beyond_the_limits_are_violations_above_the_tolerance():
    """At 7.5 the buyer at 7 pays too much; at 6.2 the seller at 6.5 gets too little."""
    assert auction(7.5, 7.5)["individual_rationality_violations"] == 1
    assert auction(6.2, 6.2)["individual_rationality_violations"] == 1
    assert auction(7 + 1e-6, 7 + 1e-6)["individual_rationality_violations"] == 0
    strict = metrics.market_kpis(
        NET, BOUGHT, SOLD, BOUGHT * 7.1, SOLD * 7.1, LIMITS, LIMITS, tolerance=0.2
    )
    assert strict["individual_rationality_violations"] == 0


def test_trade_of_the_wrong_units_loses_welfare():
    """The buyers at 5 and 3 with the sellers at 8 and 9."""
    bought, sold = np.zeros((1, 12)), np.zeros((1, 12))
    bought[0, 4:6] = sold[0, 10:12] = 1
    kpis = metrics.market_kpis(NET, bought, sold, bought * 7, sold * 7, LIMITS, LIMITS)
    assert kpis["welfare"] == 8 - 17
    assert kpis["allocative_efficiency"] == pytest.approx(-9 / 15.5)
    assert kpis["individual_rationality_violations"] == 4


def test_concentration_of_a_single_seller_is_one():
    """Two steps at 0.10 and 0.20, one without trade; home 2 sells to homes 0 and 1, 3 to 1."""
    net = np.array([[3.0, 1.0, -4.0], [3.0, 1.0, -2.0], [1.0, 1.0, 0.0]])
    bought = np.array([[3.0, 1.0, 0.0], [1.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    sold = np.array([[0.0, 0.0, 4.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    price = np.array([[0.1], [0.2], [0.0]])
    kpis = metrics.market_kpis(
        net, bought, sold, bought * price, sold * price, 0.3 + 0 * net, 0.05 + 0 * net
    )
    assert kpis["welfare"] == kpis["max_welfare"] == pytest.approx(6 * 0.25)
    assert (kpis["seller_hhi"], kpis["buyer_hhi"]) == (1, pytest.approx(0.75**2 + 0.25**2))
    assert kpis["mean_price"] == pytest.approx(0.8 / 6)
    assert kpis["price_volatility"] == pytest.approx(0.05)
    assert kpis["bid_ask_gap"] == pytest.approx(0.25)
    assert kpis["p2p_share"] == pytest.approx(6 / 10)
    series = metrics.price_series(bought, bought * price, sold, sold * price)
    np.testing.assert_allclose(series, [0.1, 0.2, np.nan], rtol=1e-15)


@pytest.mark.parametrize("net", [[[0.0, 0.0]], [[1.0, 2.0]], [[-1.0, -2.0]], [[1.0]]])
def test_kpis_are_zero_or_undefined_without_trade(net):
    net = np.array(net)
    nothing = np.zeros_like(net)
    kpis = metrics.market_kpis(
        net, nothing, nothing, nothing, nothing, nothing + 0.3, nothing + 0.05
    )
    undefined = {
        "allocative_efficiency",
        "mean_price",
        "price_volatility",
        "bid_ask_gap",
        "seller_hhi",
        "buyer_hhi",
    }
    is_nan = {name for name, number in kpis.items() if np.isnan(number)}
    assert is_nan == (undefined if net.max() > 0 else undefined | {"p2p_share"})
    assert all(kpis[name] == 0 for name in kpis if name not in is_nan)


def test_payments_through_a_pool_are_split_by_earnings():
    """Home 0 pays 3 and home 1 pays 1 to homes 2 and 3 in the ratio 1 to 3; then 0 pays 1."""
    paid = np.array([[3.0, 1.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    earned = np.array([[0.0, 0.0, 1.0, 3.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    matrix = metrics.payment_matrix(paid, earned)
    np.testing.assert_array_equal(
        matrix, [[0, 2, 0.75, 2.25], [0, 0, 0.25, 0.75], [0] * 4, [0] * 4]
    )
    np.testing.assert_array_equal(
        metrics.payment_matrix(paid, 0 * earned), np.zeros((4, 4))
    )  # gifts leave no trace


def test_bilateral_trades_are_summed_by_pair():
    buyer, seller = np.array([[0, 0, 2], [0, 1, 1]]), np.array([[1, 1, 0], [2, 2, 0]])
    money = np.array(
        [[1.0, 2.0, 0.0], [4.0, 8.0, 16.0]]
    )  # the third slot of the first step is empty
    expected = [[0, 3, 4], [16, 0, 8], [0, 0, 0]]
    np.testing.assert_array_equal(metrics.trade_matrix(buyer, seller, money, 3), expected)
    jitted = jax.jit(metrics.trade_matrix, static_argnums=3)
    np.testing.assert_array_equal(jitted(*map(jnp.asarray, (buyer, seller, money)), 3), expected)


@st.composite
def markets(draw):
    """Draw steps of homes with any balanced trade within deficits and surpluses, at any price."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(2, 6)))
    # Whole cents and Wh keep the numbers in the range that bills have.
    net = draw(hnp.arrays(int, shape, elements=st.integers(-5000, 5000))) / 1000
    value, cost = (
        draw(hnp.arrays(int, shape, elements=st.integers(-20, 60))) / 100 for _ in range(2)
    )
    part = draw(hnp.arrays(int, shape, elements=st.integers(0, 100))) / 100
    requested, offered = np.maximum(net, 0) * part, np.maximum(-net, 0) * part
    demand, supply = requested.sum(1, keepdims=True), offered.sum(1, keepdims=True)
    traded = np.minimum(demand, supply)
    bought = requested * traded / np.where(demand > 0, demand, 1)
    sold = offered * traded / np.where(supply > 0, supply, 1)
    price = draw(hnp.arrays(int, (shape[0], 1), elements=st.integers(0, 60))) / 100
    return net, bought, sold, bought * price, sold * price, value, cost


@given(markets())
def test_invariants_of_any_market(market):
    """Sums of a few dozen doubles of order one: 1e-12 is a thousand rounding errors."""
    kpis = metrics.market_kpis(*market)
    parts = kpis["consumer_surplus"] + kpis["producer_surplus"] + kpis["budget_balance"]
    assert kpis["welfare"] == pytest.approx(parts, abs=1e-12)
    assert -1e-12 <= kpis["max_welfare"] >= kpis["welfare"] - 1e-12
    homes = market[0].shape[1]
    for name in ("seller_hhi", "buyer_hhi"):
        assert np.isnan(kpis[name]) or 1 / homes - 1e-12 <= kpis[name] <= 1 + 1e-12
    assert np.isnan(kpis["p2p_share"]) or 0 <= kpis["p2p_share"] <= 1
    matrix = metrics.payment_matrix(market[3], market[4])
    np.testing.assert_allclose(matrix.sum(1), market[3].sum(0), atol=1e-12)
    np.testing.assert_allclose(matrix.sum(0), market[4].sum(0), atol=1e-12)


@given(markets())
def test_max_welfare_is_the_optimum_of_a_linear_program(market):
    """One step as a transport problem: trade x[buyer, seller] >= 0 within every deficit."""
    net, value, cost = (array[:1] for array in (market[0], market[5], market[6]))
    nothing = np.zeros_like(net)
    found = metrics.market_kpis(net, nothing, nothing, nothing, nothing, value, cost)["max_welfare"]
    buyers, sellers = np.flatnonzero(net[0] > 0), np.flatnonzero(net[0] < 0)
    if not len(buyers) or not len(sellers):
        assert found == 0
        return
    gain = value[0, buyers][:, None] - cost[0, sellers][None, :]
    rows = np.kron(np.eye(len(buyers)), np.ones(len(sellers)))
    columns = np.kron(np.ones(len(buyers)), np.eye(len(sellers)))
    best = linprog(-gain.ravel(), np.vstack([rows, columns]), np.abs(net[0, [*buyers, *sellers]]))
    # The tolerance is that of the solver.
    assert found == pytest.approx(-best.fun, abs=1e-7)


def test_jax_and_numpy_agree():
    """Single precision: 1e-6 relative to sums of order one."""
    rng = np.random.default_rng(0)
    net = rng.normal(size=(20, 8))
    bought, sold = np.maximum(net, 0) * 0.5, np.maximum(-net, 0) * 0.4
    arguments = (
        net,
        bought,
        sold,
        bought * 0.2,
        sold * 0.2,
        rng.random(net.shape),
        0.3 * rng.random(net.shape),
    )
    single = [jnp.asarray(argument) for argument in arguments]
    jitted = jax.jit(metrics.market_kpis)(*single)
    for name, number in metrics.market_kpis(*arguments).items():
        assert float(jitted[name]) == pytest.approx(float(number), rel=1e-5, abs=1e-6), name
    matrix = metrics.payment_matrix(single[3], single[4])
    np.testing.assert_allclose(
        matrix, metrics.payment_matrix(arguments[3], arguments[4]), rtol=1e-4, atol=1e-6
    )
