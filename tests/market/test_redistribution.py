"""Settlement after the period by hand, and Shapley values against their definition."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax.market.mechanism import MarketOptions, SettlementAccounts
from prosumax.market.settlement import redistribution

RETAIL = 0.30
FEED_IN = 0.05


def make_accounts(net, traded=None, step_hours=1.0):
    """Return the accounts of a period under a flat tariff, with a free local pool if `traded`."""
    net = np.atleast_2d(np.asarray(net, float))
    deficit = np.maximum(net, 0)
    surplus = np.maximum(-net, 0)
    shared = np.minimum(deficit.sum(1), surplus.sum(1))[:, None] if traded else 0.0
    bought = deficit * shared / np.maximum(deficit.sum(1, keepdims=True), 1e-12)
    sold = surplus * shared / np.maximum(surplus.sum(1, keepdims=True), 1e-12)
    charges = (deficit - bought) * RETAIL
    feed_in = (surplus - sold) * FEED_IN
    steps = len(net)
    return SettlementAccounts(
        net_kwh=net,
        grid_charges=charges,
        feed_in_revenue=feed_in,
        traded_kwh=bought + sold,
        bill=(charges - feed_in).sum(0),
        standalone_bill=(deficit * RETAIL - surplus * FEED_IN).sum(0),
        retail_price=np.full(steps, RETAIL),
        reservation_price=np.full(steps, RETAIL),
        feed_in_price=np.full(steps, FEED_IN),
        step_hours=step_hours,
    )


NET = [1.2, 0.6, 0.2, -0.9, -0.3]
OPTIONS = MarketOptions.default(5)


def test_bill_sharing():
    """The worked example: buyers pay 0.12 per kWh, sellers earn nothing."""
    accounts = make_accounts(NET, traded=True)
    bills = accounts.bill + redistribution.bill_sharing(accounts, OPTIONS)
    np.testing.assert_allclose(bills, [0.12 * 1.2, 0.12 * 0.6, 0.12 * 0.2, 0, 0], atol=1e-12)


def test_net_metering():
    """2 kWh imported and 1 kWh exported cost 1 kWh; a surplus over the period is not paid."""
    accounts = make_accounts([[2.0, 1.0], [-1.0, -3.0]])
    bills = accounts.bill + redistribution.net_metering(accounts, MarketOptions.default(2))
    np.testing.assert_allclose(bills, [1.0 * RETAIL, 0.0], atol=1e-12)


def test_shapley_of_the_worked_example():
    expected = [0.075417, 0.029583, 0.010833, 0.137917, 0.046250]
    accounts = make_accounts(NET, traded=True)
    np.testing.assert_allclose(redistribution.shapley_savings(accounts), expected, atol=1e-6)
    saving = (
        accounts.standalone_bill
        - accounts.bill
        - redistribution.share_by_shapley(accounts, OPTIONS)
    )
    np.testing.assert_allclose(saving, expected, atol=1e-6)


def shapley_by_definition(net):
    """Return the mean marginal contribution over all orders of joining, by enumeration."""
    homes = len(net[0])
    gain = RETAIL - FEED_IN

    def value(members):
        total = 0.0
        for step in net:
            deficit = sum(max(step[i], 0) for i in members)
            surplus = sum(max(-step[i], 0) for i in members)
            total += gain * min(deficit, surplus)
        return total

    shares = np.zeros(homes)
    orders = list(permutations(range(homes)))
    for order in orders:
        for position, home in enumerate(order):
            shares[home] += value(order[: position + 1]) - value(order[:position])
    return shares / len(orders)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31))
def test_exact_shapley_values_follow_their_definition(seed):
    net = np.random.default_rng(seed).normal(0, 1, (3, 5))
    accounts = make_accounts(net, traded=True)
    values = redistribution.shapley_savings(accounts)
    np.testing.assert_allclose(values, shapley_by_definition(net), atol=1e-12)
    # Efficient and superadditive: all savings are shared, and no share is negative.
    assert values.sum() == pytest.approx((accounts.standalone_bill - accounts.bill).sum())
    assert (values >= -1e-12).all()


def test_sampled_shapley_values_approximate_the_exact_ones(monkeypatch):
    net = np.random.default_rng(0).normal(0, 1, (50, 9))
    accounts = make_accounts(net, traded=True)
    exact = redistribution.shapley_savings(accounts)
    monkeypatch.setattr(redistribution, "MAX_EXACT_SHAPLEY_HOMES", 0)
    sampled = redistribution.shapley_savings(accounts)
    assert sampled.sum() == pytest.approx(exact.sum())
    # The standard error of 400 marginal contributions is about 5 % of their size.
    np.testing.assert_allclose(sampled, exact, rtol=0.15)


@pytest.mark.parametrize(
    "rule",
    [
        redistribution.share_equally,
        redistribution.share_by_traded_energy,
        redistribution.share_by_shapley,
    ],
)
def test_shares_of_savings_add_up_to_zero_transfers(rule):
    net = np.random.default_rng(1).normal(0, 1, (20, 5))
    accounts = make_accounts(net, traded=True)
    transfer = rule(accounts, OPTIONS)
    assert transfer.sum() == pytest.approx(0, abs=1e-12)
    saving = accounts.standalone_bill - accounts.bill - transfer
    if rule is redistribution.share_equally:
        np.testing.assert_allclose(saving, saving.mean())
    if rule is redistribution.share_by_traded_energy:
        np.testing.assert_allclose(
            saving / accounts.traded_kwh.sum(0), saving.sum() / accounts.traded_kwh.sum()
        )


def test_italian_incentive_counts_whole_hours():
    """1 kWh injected in one quarter-hour, 0.6 kWh withdrawn in another: 0.6 kWh are shared."""
    net = np.zeros((8, 2))
    net[0, 0] = -1.0
    net[3, 1] = 0.6
    net[7, 1] = 5.0  # The next hour has no injection.
    accounts = make_accounts(net, step_hours=0.25)
    transfer = redistribution.italian_shared_energy_incentive(accounts, MarketOptions.default(2))
    np.testing.assert_allclose(transfer, [-0.11 * 0.6 / 2] * 2, atol=1e-12)
