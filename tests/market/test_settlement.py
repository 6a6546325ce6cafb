"""Settlement after the period, by hand; Shapley values against their definition."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax.market.mechanism import Accounts, MarketOptions
from prosumax.market.settlement import redistribution

RETAIL, FEED_IN = 0.30, 0.05


def accounts_of(net, traded=None, local_cost=0.0, step_hours=1.0):
    """A period under a flat tariff in which everything went to the grid, but for a local pool at no price."""
    net = np.atleast_2d(np.asarray(net, float))
    need, surplus = np.maximum(net, 0), np.maximum(-net, 0)
    shared = np.minimum(need.sum(1), surplus.sum(1))[:, None] if traded else 0.0
    bought = need * shared / np.maximum(need.sum(1, keepdims=True), 1e-12)
    sold = surplus * shared / np.maximum(surplus.sum(1, keepdims=True), 1e-12)
    charges, feed_in = (need - bought) * RETAIL, (surplus - sold) * FEED_IN
    steps = len(net)
    return Accounts(
        net_kwh=net,
        charges=charges,
        feed_in=feed_in,
        traded_kwh=bought + sold,
        bill=(charges - feed_in).sum(0),
        bill_alone=(need * RETAIL - surplus * FEED_IN).sum(0),
        retail=np.full(steps, RETAIL),
        worth_buying=np.full(steps, RETAIL),
        feed_in_price=np.full(steps, FEED_IN),
        step_hours=step_hours,
    )


NET = [1.2, 0.6, 0.2, -0.9, -0.3]
OPTIONS = MarketOptions.default(5)


def test_bill_sharing():
    """The worked example: buying at 0.12, selling at 0."""
    accounts = accounts_of(NET, traded=True)
    bills = accounts.bill + redistribution.bill_sharing(accounts, OPTIONS)
    np.testing.assert_allclose(bills, [0.12 * 1.2, 0.12 * 0.6, 0.12 * 0.2, 0, 0], atol=1e-12)


def test_net_metering():
    """Two steps: 2 kWh in, 1 kWh out pay for 1 kWh; a surplus over the period is given away."""
    accounts = accounts_of([[2.0, 1.0], [-1.0, -3.0]])
    bills = accounts.bill + redistribution.net_metering(accounts, MarketOptions.default(2))
    np.testing.assert_allclose(bills, [1.0 * RETAIL, 0.0], atol=1e-12)


def test_shapley_of_the_worked_example():
    expected = [0.075417, 0.029583, 0.010833, 0.137917, 0.046250]
    accounts = accounts_of(NET, traded=True)
    np.testing.assert_allclose(redistribution.shapley_savings(accounts), expected, atol=1e-6)
    saving = (
        accounts.bill_alone - accounts.bill - redistribution.share_by_shapley(accounts, OPTIONS)
    )
    np.testing.assert_allclose(saving, expected, atol=1e-6)


def shapley_by_definition(net):
    """Mean marginal contribution over all orders of joining, spelled out."""
    homes = len(net[0])
    gain = RETAIL - FEED_IN

    def value(members):
        total = 0.0
        for step in net:
            need = sum(max(step[i], 0) for i in members)
            surplus = sum(max(-step[i], 0) for i in members)
            total += gain * min(need, surplus)
        return total

    shares, orders = np.zeros(homes), list(permutations(range(homes)))
    for order in orders:
        for position, home in enumerate(order):
            shares[home] += value(order[: position + 1]) - value(order[:position])
    return shares / len(orders)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31))
def test_exact_shapley_is_its_definition(seed):
    net = np.random.default_rng(seed).normal(0, 1, (3, 5))
    accounts = accounts_of(net, traded=True)
    found = redistribution.shapley_savings(accounts)
    np.testing.assert_allclose(found, shapley_by_definition(net), atol=1e-12)
    # Efficient and superadditive: the whole saving is shared and nobody gets less than nothing.
    assert found.sum() == pytest.approx((accounts.bill_alone - accounts.bill).sum())
    assert (found >= -1e-12).all()


def test_sampled_shapley_is_near_the_exact_one(monkeypatch):
    net = np.random.default_rng(0).normal(0, 1, (50, 9))
    accounts = accounts_of(net, traded=True)
    exact = redistribution.shapley_savings(accounts)
    monkeypatch.setattr(redistribution, "EXACT_SHAPLEY_HOMES", 0)
    sampled = redistribution.shapley_savings(accounts)
    assert sampled.sum() == pytest.approx(exact.sum())
    # 400 orders of marginal contributions that vary by about their own size: 5 % standard error.
    np.testing.assert_allclose(sampled, exact, rtol=0.15)


@pytest.mark.parametrize(
    "rule",
    [redistribution.share_equally, redistribution.share_by_trade, redistribution.share_by_shapley],
)
def test_shared_savings_add_up(rule):
    net = np.random.default_rng(1).normal(0, 1, (20, 5))
    accounts = accounts_of(net, traded=True)
    transfer = rule(accounts, OPTIONS)
    assert transfer.sum() == pytest.approx(0, abs=1e-12)
    saving = accounts.bill_alone - accounts.bill - transfer
    if rule is redistribution.share_equally:
        np.testing.assert_allclose(saving, saving.mean())
    if rule is redistribution.share_by_trade:
        np.testing.assert_allclose(
            saving / accounts.traded_kwh.sum(0), saving.sum() / accounts.traded_kwh.sum()
        )


def test_italian_incentive_counts_whole_hours():
    """Quarter-hours: 1 kWh out in the first, 0.6 kWh in in the last of the same hour: 0.6 kWh are shared."""
    net = np.zeros((8, 2))
    net[0, 0], net[3, 1], net[7, 1] = -1.0, 0.6, 5.0  # the next hour has nothing to share
    accounts = accounts_of(net, step_hours=0.25)
    transfer = redistribution.italian_incentive(accounts, MarketOptions.default(2))
    np.testing.assert_allclose(transfer, [-0.11 * 0.6 / 2] * 2, atol=1e-12)
