"""Auctions against a reference in plain Python on 2000 random books.

Volumes and fills must be equal, and money within 1e-5 (single precision on sums of some ten euros).
The reference merges sorted lists with two pointers and counts in whole ticks; it shares no code
with the matching core.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax import market

SLOTS, BOOKS = 60, 2000  # Every book has 2 to 60 homes; other slots have no order.
PRICE_TICK, ENERGY_TICK = 1e-4, 1e-3


def random_books():
    rng = np.random.default_rng(20)
    net, price = np.zeros((BOOKS, SLOTS), int), np.zeros((BOOKS, SLOTS), int)
    for book in range(BOOKS):
        homes = rng.integers(2, SLOTS + 1)
        amount = rng.integers(0, 40, homes) * rng.choice([1, 50]) * (rng.random(homes) < 0.85)
        side = rng.choice([-1, 1], homes) if book % 10 else np.full(homes, rng.choice([-1, 1]))
        net[book, :homes] = side * amount
        # Few price levels make ties, many make none.
        price[book, :homes] = rng.integers(500, 3000, rng.choice([2, 5, 60]))[
            rng.integers(0, 2, homes)
        ]
        if book % 3:
            price[book, :homes] = rng.integers(500, 3000, homes)
    return net, price


def pair_up(net, price):
    """Return fills in ticks and pairs; orders at the marginal price share pro rata."""
    homes = range(len(net))
    buyers = sorted((h for h in homes if net[h] > 0), key=lambda h: (-price[h], h))
    sellers = sorted((h for h in homes if net[h] < 0), key=lambda h: (price[h], h))

    def walk(left):
        pairs, b, s = [], 0, 0
        while b < len(buyers) and s < len(sellers) and price[buyers[b]] >= price[sellers[s]]:
            ticks = min(left[buyers[b]], left[sellers[s]])
            if ticks:
                pairs.append((buyers[b], sellers[s], ticks))
            left[buyers[b]] -= ticks
            left[sellers[s]] -= ticks
            b, s = b + (left[buyers[b]] == 0), s + (left[sellers[s]] == 0)
        return pairs

    volume = sum(ticks for *_, ticks in walk([abs(int(n)) for n in net]))
    filled = [0] * len(net)
    for side in (buyers, sellers):
        left = volume
        for level in dict.fromkeys(price[h] for h in side):
            members = sorted(h for h in side if price[h] == level)
            wanted = sum(abs(int(net[h])) for h in members)
            given = min(left, wanted)
            for h in members:
                filled[h] = abs(int(net[h])) * given // wanted
            spare = given - sum(filled[h] for h in members)
            for h in members:
                if spare and abs(int(net[h])) * given % wanted:
                    filled[h] += 1
                    spare -= 1
            left -= given
    return filled, walk(filled.copy())


RULES = {
    "midpoint": lambda b, s, ref: (b + s) / 2,
    "pay_as_ask": lambda b, s, ref: s,
    "pay_as_bid_price": lambda b, s, ref: b,
    "nash_bargaining": lambda b, s, ref: s + 0.5 * (b - s),
    "bid_ask_spread": lambda b, s, ref: s + 0.25 * (b - s),
    "proportional_surplus": lambda b, s, ref: (
        s
        + (b - s)
        * (max(b - ref, 0) / (max(b - ref, 0) + max(ref - s, 0)) if b > ref or s < ref else 0.5)
    ),
}


@pytest.fixture(scope="module")
def reference():
    net, price = random_books()
    return net, price, [pair_up(net[book], price[book]) for book in range(BOOKS)]


def cleared(books, name, net, price):
    stages, prices = books.stages(name, SLOTS), books.prices(SLOTS)
    orders = books.orders(np.zeros(SLOTS), np.zeros(SLOTS))

    def one(quantity, limit):
        return market.clear(
            stages, orders._replace(quantity_kwh=quantity, price=limit), prices
        ).local

    kwh, limits = (
        jnp.asarray(part, jnp.float32) for part in (net * ENERGY_TICK, price * PRICE_TICK)
    )
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(kwh, limits))


@pytest.mark.parametrize("name", RULES)
def test_discriminatory_auctions_equal_the_reference(books, reference, name):
    net, price, expected = reference
    found = cleared(books, name, net, price)
    middle = (0.30 + 0.05) / 2  # of what the grid offers
    for book, (filled, pairs) in enumerate(expected):
        paid, earned = np.zeros((2, SLOTS))
        for buyer, seller, ticks in pairs:
            money = RULES[name](
                price[book, buyer] * PRICE_TICK, price[book, seller] * PRICE_TICK, middle
            )
            paid[buyer] += money * ticks * ENERGY_TICK
            earned[seller] += money * ticks * ENERGY_TICK
        ticks = np.rint((found.bought_kwh + found.sold_kwh)[book] / ENERGY_TICK).astype(int)
        assert ticks.tolist() == filled, book
        np.testing.assert_allclose(found.paid[book], paid, atol=1e-5, err_msg=str(book))
        np.testing.assert_allclose(found.earned[book], earned, atol=1e-5, err_msg=str(book))


def test_uniform_price_auction_equals_the_reference(books, reference):
    net, price, expected = reference
    found = cleared(books, "double_auction", net, price)
    for book, (filled, pairs) in enumerate(expected):
        ticks = np.rint((found.bought_kwh + found.sold_kwh)[book] / ENERGY_TICK).astype(int)
        assert ticks.tolist() == filled, book
        last = (
            (min(price[book, b] for b, *_ in pairs) + max(price[book, s] for _, s, _ in pairs)) / 2
            if pairs
            else 0
        )
        paid = np.where(net[book] > 0, filled, 0) * ENERGY_TICK * last * PRICE_TICK
        np.testing.assert_allclose(found.paid[book], paid, atol=1e-5, err_msg=str(book))
        assert found.paid[book].sum() == pytest.approx(found.earned[book].sum(), abs=1e-4)
