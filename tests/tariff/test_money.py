"""Receipts add up to the bills under random tariffs, and net metering equals a plain loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prosumax
from prosumax import errors, tariff
from prosumax.scenario.schema.tariff import tariff_components
from prosumax.tariff.statement import RECEIVERS
from tests.rl.env.test_community_properties import random_scenario


def random_tariff(seed: int, plain: bool) -> dict:
    """Sample every field of a tariff that costs money, negative prices included."""
    rng = np.random.default_rng(seed)

    def price(low, high):
        windows = [
            {
                "price": float(rng.uniform(low, high)),
                "from_hour": 7,
                "to_hour": 22,
                "days": "weekdays",
            }
        ]
        time_of_use = {
            "source": "time_of_use",
            "default": float(rng.uniform(low, high)),
            "windows": windows,
        }
        given = {"source": "values", "values": rng.uniform(low, high, 24).tolist()}
        market = {
            "source": "day_ahead",
            "factor": float(rng.uniform(0, 2)),
            "offset": float(rng.uniform(-0.1, 0.1)),
        }
        return (float(rng.uniform(low, high)), time_of_use, given, market)[
            rng.integers(0, 2 if plain else 4)
        ]

    def amount():
        return float(rng.uniform(0, 200))

    return {
        "energy": {"First": price(-0.1, 0.3), "Second": price(0, 0.1)},
        "network": {"Distribution": price(0, 0.2), "Transmission": price(0, 0.05)},
        "levies": price(0, 0.1),
        "vat_exempt_levies": price(0, 0.05),
        "feed_in": price(-0.05, 0.1),
        "vat": float(rng.choice([0.0, 0.06, 0.21])),
        "supplier_fee_per_year": {"Subscription": amount(), "App": amount()},
        "network_fee_per_year": amount(),
        "levies_per_year": {"Fund": amount()},
        "capacity_charge_per_kw_year": amount(),
        "min_billed_peak_kw": float(rng.uniform(0, 3)),
        "network_ceiling_per_kwh": float(rng.uniform(0.05, 1.0)),
        "prosumer_fee_per_kw_year": amount(),
        "injection_fee_per_kwh": {"First": price(0, 0.05), "Second": price(0, 0.02)},
        "injection_fee_per_year": {"Meter": amount()},
        "community_fee_per_month": {"Membership": amount() / 12},
        "community_fee_per_kwh": price(0, 0.05),
        "local_network": {"A": float(rng.uniform(0, 1)), "B": 1.0},
        "locality": str(rng.choice(["A", "B"])),
        "local_levies": float(rng.uniform(0, 1)),
        "emission_factor_kg_per_kwh": 0.2,
    }


def test_random_tariffs_use_every_component():
    """A new component fails here until the test of receipts knows its fields."""
    sampled = random_tariff(0, plain=False)
    for entry in tariff_components.entries().values():
        assert set(entry.component.model_fields) <= set(sampled), entry.component


@pytest.mark.parametrize(
    ("mechanism", "net_metering"),
    [
        ("none", False),
        ("mid_market_rate", False),
        ("vcg", False),
        ("share_equal", False),
        ("mid_market_rate", True),
    ],
)
@settings(max_examples=12)
@given(seed=st.integers(0, 2**31 - 1))
def test_receipts_and_statements_add_up_to_the_bills(mechanism, net_metering, seed):
    scenario = random_scenario(seed, mechanism) | {"tariff": random_tariff(seed, net_metering)}
    if net_metering:
        for home in scenario["homes"][:2]:
            home["net_metering_kw"] = 3.0
    result = prosumax.run(scenario, optimum=False)
    atol = 2e-4  # rounding of some hundred kWh and euros in single precision
    for home, statement in zip(result.households, result.bills, strict=True):
        assert statement.total == pytest.approx(home["bill"], abs=atol)
        items = dict(home["bill_items"])
        revenue = items.pop("sold_locally") + items.pop("feed_in")
        assert home["bill"] == pytest.approx(sum(items.values()) - revenue, abs=1e-6)
    received = {name: result.kpis[f"{name}_revenue"] for name in RECEIVERS}
    assert sum(received.values()) == pytest.approx(result.kpis["cost"], abs=1e-6)
    lines = [line for statement in result.bills for line in statement.lines]
    vat = sum(line.vat for line in lines)
    for receiver in RECEIVERS:
        of_lines = sum(line.amount for line in lines if line.receiver == receiver)
        expected = of_lines + (vat if receiver == "government" else 0)
        assert received[receiver] == pytest.approx(expected, abs=2 * atol), receiver
    if mechanism == "none" and not net_metering:
        assert result.kpis["saving"] == pytest.approx(0, abs=atol)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**31 - 1))
def test_net_metering_equals_a_plain_loop(seed):
    """Per register: price * max(net import, 0), and the feed-in price for excess exports."""
    rng = np.random.default_rng(seed)
    steps, homes = 40, 3
    bought, sold = rng.uniform(0, 1, (2, steps, homes)).round(3)
    prices = rng.choice([0.1, 0.2, 0.3], steps)
    feed_in = np.where(prices == 0.1, 0.05, rng.choice([0.02, 0.04]))
    metered = rng.integers(0, 2, homes).astype(float)
    register = tariff.assign_registers(prices, feed_in)
    netted = tariff.apply_net_metering(bought, sold, register, feed_in, metered)
    first = np.unique(register, return_index=True)[1]
    for home in range(homes):
        plain = prices @ bought[:, home] - feed_in @ sold[:, home]
        paid = plain - prices[first] @ netted.netted_kwh[:, home] + netted.lost_feed_in[home]
        expected = 0.0
        for price, reward in sorted(set(zip(prices, feed_in, strict=True))):
            among = [t for t in range(steps) if (prices[t], feed_in[t]) == (price, reward)]
            taken, sent = sum(bought[t, home] for t in among), sum(sold[t, home] for t in among)
            if metered[home]:
                expected += price * max(taken - sent, 0) - reward * max(sent - taken, 0)
            else:
                expected += price * taken - reward * sent
        assert paid == pytest.approx(expected, abs=1e-9)


def test_more_prices_than_registers_are_an_error():
    with pytest.raises(errors.InputError, match="13 different prices"):
        tariff.assign_registers(np.arange(13.0))
