"""Textbook examples, computed by hand from the source of each rule."""

import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.market.auctions.call_auction import (
    bid_ask_spread,
    midpoint_price,
    nash_bargaining,
    pay_as_ask,
    pay_as_bid_price,
    proportional_surplus,
)

NET = [1.2, 0.6, 0.2, -0.9, -0.3]
SHARES = np.array([0.2, 0.3, 0.5, 0.0, 0.0])


@pytest.fixture
def street(books):
    """Demands 1.2, 0.6, 0.2, surpluses 0.9, 0.3; retail 0.30, feed-in 0.05; truthful bids."""
    return books.orders(NET, [0.30, 0.30, 0.30, 0.05, 0.05]), books.prices(5)


def bills(cleared):
    local, grid = cleared
    return np.asarray(local.paid + grid.paid - local.earned - grid.earned)


@pytest.mark.parametrize(
    ("name", "allocated"),
    [
        ("key_static", [0.24, 0.36, 0.20]),
        ("key_static_rounds", [0.40, 0.60, 0.20]),
        ("key_pro_rata", [0.72, 0.36, 0.12]),
        ("key_hybrid", [0.56, 0.44, 0.20]),
        ("key_cascade", [1.20, 0.00, 0.00]),
        ("key_equal", [0.50, 0.50, 0.20]),
    ],
)
def test_allocation_keys(books, street, name, allocated):
    local, _ = books.clear(name, *street, shares=SHARES)
    np.testing.assert_allclose(local.bought_kwh[:3], allocated, atol=1e-6)
    sold = sum(allocated) * np.array([0.9, 0.3]) / 1.2
    np.testing.assert_allclose(local.sold_kwh[3:], sold, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none", [0.36, 0.18, 0.06, -0.045, -0.015]),
        ("mid_market_rate", [0.27, 0.135, 0.045, -0.1575, -0.0525]),
        ("supply_demand_ratio", [0.198, 0.099, 0.033, -0.0675, -0.0225]),
    ],
)
def test_pool_bills(books, street, name, expected):
    np.testing.assert_allclose(bills(books.clear(name, *street)), expected, atol=1e-6)


def test_pools_with_more_supply_than_demand(books):
    """Supply 2, demand 1: the mid-market rate is 0.175; supply-demand pricing gives feed-in."""
    orders, prices = books.orders([1.0, -1.5, -0.5], [0.30, 0.05, 0.05]), books.prices(3)
    np.testing.assert_allclose(
        bills(books.clear("mid_market_rate", orders, prices)),
        [0.175, -0.16875, -0.05625],
        atol=1e-6,
    )
    np.testing.assert_allclose(
        bills(books.clear("supply_demand_ratio", orders, prices)), [0.05, -0.075, -0.025], atol=1e-6
    )
    # Liu 2018: with compensation 0.02 the price is 0.05 + 0.02 / 2 = 0.06; the buyer takes 1 kWh,
    # so that half of the sellers' energy is sold locally.
    compensated = bills(books.clear("supply_demand_ratio", orders, prices, compensation_price=0.02))
    np.testing.assert_allclose(
        compensated, [0.06, -(0.75 * 0.06 + 0.75 * 0.05), -(0.25 * 0.06 + 0.25 * 0.05)], atol=1e-6
    )


def test_supply_demand_price_falls_linearly_where_the_feed_in_price_is_negative(books):
    """Retail 0.30, feed-in -0.10, supply half of the demand: the price is 0.10."""
    orders, prices = books.orders([2.0, -1.0], [0.30, -0.10]), books.prices(2, 0.30, -0.10)
    local, _ = books.clear("supply_demand_ratio", orders, prices)
    np.testing.assert_allclose([local.paid[0], local.earned[1]], [0.1, 0.1], atol=1e-6)


def test_price_rules_of_keys(books, street):
    fixed = bills(books.clear("key_pro_rata", *street, price_rule="fixed", price=0.12))
    np.testing.assert_allclose(
        fixed,
        [
            0.72 * 0.12 + 0.48 * 0.3,
            0.36 * 0.12 + 0.24 * 0.3,
            0.12 * 0.12 + 0.08 * 0.3,
            -0.108,
            -0.036,
        ],
        atol=1e-6,
    )
    half = bills(books.clear("key_pro_rata", *street, price_rule="share_of_retail", price=0.5))
    np.testing.assert_allclose(half[3:], [-0.135, -0.045], atol=1e-6)


BIDS, ASKS = [10, 9, 8, 7, 5, 3], [2, 4, 6, 6.5, 8, 9]


def unit_book(books, bids=BIDS, asks=ASKS):
    orders = books.orders([1.0] * len(bids) + [-1.0] * len(asks), [*bids, *asks])
    return orders, books.prices(len(bids) + len(asks))


def test_uniform_double_auction(books):
    """Four pairs cross, the fourth at 7 and 6.5: price 6.75 for all, surplus 15.5."""
    local, _ = books.clear("double_auction", *unit_book(books))
    np.testing.assert_allclose(local.paid[:6], [6.75] * 4 + [0, 0], atol=1e-6)
    np.testing.assert_allclose(local.earned[6:], [6.75] * 4 + [0, 0], atol=1e-6)
    surplus = np.dot(BIDS, local.bought_kwh[:6]) - np.dot(ASKS, local.sold_kwh[6:])
    assert surplus == pytest.approx(15.5, abs=1e-5)
    high, _ = books.clear("double_auction", *unit_book(books), k=1.0)
    assert float(high.paid[0]) == pytest.approx(7, abs=1e-6)


def test_pairs_at_the_midpoint(books):
    local, _ = books.clear("midpoint", *unit_book(books))
    np.testing.assert_allclose(local.paid[:4], [6.0, 6.5, 7.0, 6.75], atol=1e-6)


def test_mcafee_trade_reduction(books):
    """(5 + 8) / 2 = 6.5 suits the pair 7, 6.5; with a fifth bid of 6.2 it is 7.1 and does not."""
    local, _ = books.clear("mcafee", *unit_book(books))
    np.testing.assert_allclose(local.paid[:6], [6.5] * 4 + [0, 0], atol=1e-6)
    np.testing.assert_allclose(local.earned[6:], [6.5] * 4 + [0, 0], atol=1e-6)
    local, _ = books.clear("mcafee", *unit_book(books, bids=[10, 9, 8, 7, 6.2, 3]))
    np.testing.assert_allclose(local.paid[:6], [7.0] * 3 + [0] * 3, atol=1e-6)
    np.testing.assert_allclose(local.earned[6:], [6.5] * 3 + [0] * 3, atol=1e-6)


def test_vcg_payments_and_deficit(books):
    """Buyers pay 6.5, sellers get 7, and the deficit is 2."""
    local, _ = books.clear("vcg", *unit_book(books))
    np.testing.assert_allclose(local.paid[:6], [6.5] * 4 + [0, 0], atol=1e-6)
    np.testing.assert_allclose(local.earned[6:], [7.0] * 4 + [0, 0], atol=1e-6)
    assert float(local.paid.sum() - local.earned.sum()) == pytest.approx(-2.0, abs=1e-5)


def test_six_pair_prices():
    """The six rules of MARLEM on the pair 0.30 and 0.10 with reference price 0.25."""
    bid, ask, reference = jnp.asarray(0.30), jnp.asarray(0.10), jnp.asarray(0.25)
    assert midpoint_price(bid, ask, reference) == pytest.approx(0.20)
    assert pay_as_ask(bid, ask, reference) == pytest.approx(0.10)
    assert pay_as_bid_price(bid, ask, reference) == pytest.approx(0.30)
    assert nash_bargaining(bid, ask, reference) == pytest.approx(0.20)
    # Buyer's distance 0.05, seller's 0.15: the seller keeps a quarter of the spread.
    assert float(proportional_surplus(bid, ask, reference)) == pytest.approx(0.15)
    assert float(bid_ask_spread(bid, ask, reference, share=jnp.asarray(0.4))) == pytest.approx(0.18)
    # A reference outside the interval of the pair does not move the price out of it.
    assert float(proportional_surplus(bid, ask, jnp.asarray(0.50))) == pytest.approx(0.10)
    assert float(proportional_surplus(bid, ask, jnp.asarray(0.05))) == pytest.approx(0.30)


def test_preferred_partners_go_first(books):
    """Home 0 would match the cheapest seller 2, but trades with its mutual partner 3."""
    orders = books.orders([1.0, 1.0, -1.0, -1.0], [0.30, 0.20, 0.06, 0.10], partner=[3, -1, -1, 0])
    local, _ = books.clear("preferred_partners", orders, books.prices(4))
    np.testing.assert_allclose(local.paid[:2], [0.20, 0.13], atol=1e-6)
    np.testing.assert_allclose(local.earned[2:], [0.13, 0.20], atol=1e-6)
    # Not mutual: the auction decides.
    orders = orders._replace(partner=orders.partner.at[3].set(1))
    local, _ = books.clear("preferred_partners", orders, books.prices(4), distance=np.zeros((4, 4)))
    assert float(local.paid[0]) == pytest.approx(0.18, abs=1e-6)


def test_partner_by_reputation_and_distance(books):
    """Half reputation, half proximity: 0.5 x 0.9 + 0.5 x 0.2 beats 0.5 x 0.2 + 0.5 x 0.8."""
    from prosumax.market.auctions.partners import choose_partner

    orders = books.orders(
        [1.0, -1.0, -1.0, 1.0], [0.3, 0.1, 0.1, 0.3], priority=[0.5, 0.9, 0.2, 0.5]
    )
    distance = jnp.asarray([[0, 0.8, 0.2, 0], [0.8, 0, 0, 0.8], [0.2, 0, 0, 0.3], [0, 0.8, 0.3, 0]])
    assert choose_partner(orders, distance).tolist() == [1, 0, 0, 1]


def test_continuous_auction_trades_at_the_resting_price(books):
    """Arrivals: ask 0.10, bid 0.08 (rests), bid 0.30 (matches the ask), ask 0.07."""
    orders = books.orders(
        [-1.0, 0.5, 2.0, -1.0], [0.10, 0.08, 0.30, 0.07], arrival=[0.1, 0.2, 0.3, 0.4]
    )
    local, grid = books.clear("continuous_double_auction", orders, books.prices(4))
    # The last ask matches the rest of the bid at 0.30 (1 kWh) before the bid at 0.08.
    np.testing.assert_allclose(local.paid, [0, 0, 0.10 + 0.30, 0], atol=1e-6)
    np.testing.assert_allclose(local.earned, [0.10, 0, 0, 0.30], atol=1e-6)
    np.testing.assert_allclose(grid.bought_kwh, [0, 0.5, 0, 0], atol=1e-6)


def test_ticks_go_to_the_grid(books):
    """0.0126 kWh is 12 ticks of 1 Wh; bid 0.20006 becomes 0.2000, ask 0.10004 becomes 0.1001."""
    orders = books.orders([0.0126, -1.0], [0.20006, 0.10004])
    local, grid = books.clear("midpoint", orders, books.prices(2))
    assert float(local.bought_kwh[0]) == pytest.approx(0.012, abs=1e-7)
    assert float(grid.bought_kwh[0]) == pytest.approx(0.0006, abs=1e-7)
    assert float(local.paid[0] / local.bought_kwh[0]) == pytest.approx(0.15005, abs=1e-6)
