"""The matching core against an independent matcher in plain Python."""

from itertools import groupby

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.market.auctions.matching import MAX_TOTAL_TICKS, match, max_price_ticks

SIZES = (9, 60)
BOOKS = 500  # of every size, by both rules: 2000 in all


def random_books(homes, books=BOOKS, seed=0, most=50):
    """Return arrays [book, home] with few prices and many ties.

    The first books are one-sided or empty. Zero quantities leave between 2 and all homes with an
    order, because a program per number of homes would take minutes.
    """
    random = np.random.default_rng(seed)
    shape = (books, homes)
    buys = random.random(shape) < random.choice([0.2, 0.5, 0.8], (books, 1))
    buys[:3], buys[3:6] = True, False
    price = random.integers(0, random.choice([2, 8, 100], (books, 1)), shape)
    orders = random.integers(2, homes + 1, (books, 1))
    quantity = random.integers(0, most, shape) * (
        random.permuted(np.tile(np.arange(homes), (books, 1)), axis=1) < orders
    )
    quantity[6] = 0
    return [
        part if part.dtype == bool else part.astype(np.int32) for part in (buys, price, quantity)
    ] + [random.integers(0, 32, shape).astype(np.int32)]


def walk(bids, asks):
    """Return the pairs of two ladders [(price, home, quantity)], best price first."""
    bids, asks, pairs = [list(order) for order in bids], [list(order) for order in asks], []
    while bids and asks and bids[0][0] >= asks[0][0]:
        ticks = min(bids[0][2], asks[0][2])
        pairs.append((bids[0][1], asks[0][1], ticks))
        for ladder in (bids, asks):
            ladder[0][2] -= ticks
            if ladder[0][2] == 0:
                ladder.pop(0)
    return pairs


def fills_of(pairs, homes):
    filled = [0] * homes
    for buyer, seller, ticks in pairs:
        filled[buyer] += ticks
        filled[seller] += ticks
    return filled


def ladders(buys, price, quantity, priority):
    orders = [(int(price[i]), i, int(quantity[i])) for i in range(len(price)) if quantity[i] > 0]
    bids = sorted(
        (order for order in orders if buys[order[1]]), key=lambda o: (-o[0], -priority[o[1]], o[1])
    )
    asks = sorted(
        (order for order in orders if not buys[order[1]]),
        key=lambda o: (o[0], -priority[o[1]], o[1]),
    )
    return bids, asks


def expected_by_priority(buys, price, quantity, priority):
    pairs = walk(*ladders(buys, price, quantity, priority))
    return fills_of(pairs, len(price)), pairs


def expected_pro_rata(buys, price, quantity):
    """Return fills where each price level shares its volume pro rata."""
    homes = len(price)
    bids, asks = ladders(buys, price, quantity, [0] * homes)
    taken, filled = fills_of(walk(bids, asks), homes), [0] * homes
    for side in (bids, asks):
        for _, level in groupby(side, key=lambda order: order[0]):
            level = sorted(level, key=lambda order: order[1])
            got, total = sum(taken[home] for _, home, _ in level), sum(size for *_, size in level)
            spare = got - sum(size * got // total for *_, size in level)
            for _, home, size in level:
                filled[home] = size * got // total
                if size * got % total and spare > 0:
                    filled[home], spare = filled[home] + 1, spare - 1
            assert spare == 0
    return filled


def single(found, k):
    return jax.tree.map(lambda leaf: np.asarray(leaf[k]), found)


def pairs_of(found):
    return [
        tuple(map(int, pair))
        for pair in zip(found.buyer, found.seller, found.ticks, strict=True)
        if pair[2] > 0
    ]


def check(found, buys, price, quantity, filled, levels):
    """Check properties that hold with either tie-breaking rule."""
    homes = len(price)
    assert found.filled.tolist() == filled
    assert fills_of(pairs_of(found), homes) == filled
    assert (found.ticks >= 0).all()
    for side in (found.buyer, found.seller):
        assert ((side >= 0) & (side < homes)).all()
    assert all(buys[buyer] and not buys[seller] for buyer, seller, _ in pairs_of(found))
    bids_and_asks = [(price[buyer], price[seller]) for buyer, seller, _ in pairs_of(found)]
    assert all(bid >= ask for bid, ask in bids_and_asks)
    if bids_and_asks:
        assert (found.last_bid, found.last_ask) == bids_and_asks[-1]
        assert found.last_bid == min(price[i] for i in range(homes) if buys[i] and filled[i])
        assert found.last_ask == max(price[i] for i in range(homes) if not buys[i] and filled[i])
    is_open = [i for i in range(homes) if quantity[i] > filled[i]]
    assert found.next_bid == max((price[i] for i in is_open if buys[i]), default=0)
    assert found.next_ask == min((price[i] for i in is_open if not buys[i]), default=levels - 1)


@pytest.mark.parametrize("homes", SIZES)
def test_priority_then_index_decides_ties(homes):
    books = random_books(homes)
    found = jax.tree.map(np.asarray, jax.jit(jax.vmap(match))(*books))
    for k in range(BOOKS):
        buys, price, quantity, priority = (part[k] for part in books)
        filled, pairs = expected_by_priority(buys, price, quantity, priority)
        assert pairs_of(single(found, k)) == pairs
        check(
            single(found, k),
            buys,
            price,
            quantity,
            filled,
            max_price_ticks(homes, by_priority=True),
        )


@pytest.mark.parametrize("homes", SIZES)
def test_marginal_price_shares_pro_rata(homes):
    books = random_books(homes, seed=1)[:3]
    found = jax.tree.map(np.asarray, jax.jit(jax.vmap(match))(*books))
    for k in range(BOOKS):
        buys, price, quantity = (part[k] for part in books)
        filled = expected_pro_rata(buys, price, quantity)
        check(
            single(found, k),
            buys,
            price,
            quantity,
            filled,
            max_price_ticks(homes, by_priority=False),
        )


@pytest.mark.parametrize("by_priority", [True, False])
def test_batches_equal_single_books(by_priority):
    """Holds alone, in a batch, in a nested batch, and with arguments that are not batched."""
    books = [
        jnp.asarray(part) for part in random_books(7, books=12, seed=2)[: 4 if by_priority else 3]
    ]
    batch, alone = jax.jit(jax.vmap(match)), jax.jit(match)
    want = batch(*books)
    for k in range(12):
        jax.tree.map(
            np.testing.assert_array_equal, alone(*(part[k] for part in books)), single(want, k)
        )

    nested = jax.vmap(jax.vmap(match), in_axes=1)
    found = jax.jit(nested)(*(part.reshape(3, 4, 7) for part in books))
    found = jax.tree.map(lambda leaf: leaf.swapaxes(0, 1).reshape(12, *leaf.shape[2:]), found)
    jax.tree.map(np.testing.assert_array_equal, found, want)

    shared = jax.vmap(match, in_axes=(None, None, 0, None)[: len(books)])
    found = jax.jit(shared)(*(part if k == 2 else part[0] for k, part in enumerate(books)))
    repeated = [
        part if k == 2 else jnp.broadcast_to(part[0], part.shape) for k, part in enumerate(books)
    ]
    jax.tree.map(np.testing.assert_array_equal, found, batch(*repeated))


def test_matching_in_a_scan():
    """All crossing orders trade in the first step."""
    buys, price, quantity = (jnp.asarray(part[10]) for part in random_books(7, seed=3)[:3])

    def step(still_open, _):
        filled = match(buys, price, still_open).filled
        return still_open - filled, filled

    left, filled = jax.jit(lambda start: jax.lax.scan(step, start, length=3))(quantity)
    assert filled[0].tolist() == expected_pro_rata(buys.tolist(), price.tolist(), quantity.tolist())
    assert filled[0].any() and not filled[1:].any()
    np.testing.assert_array_equal(left, quantity - filled[0])


@pytest.mark.parametrize("in_batch", [True, False])
def test_largest_quantities_are_shared_exactly(in_batch):
    """Integers of this size exceed the precision of a float and products overflow 32 bits."""
    homes, books = 7, 40
    random = np.random.default_rng(4)
    quantity = random.integers(0, MAX_TOTAL_TICKS // 6, (books, homes))
    quantity[0] = [MAX_TOTAL_TICKS - 6, 1, 1, 1, 1, 1, 1]
    quantity[1] = [MAX_TOTAL_TICKS // 2, MAX_TOTAL_TICKS // 2 - 5, 1, 1, 1, 1, 1]
    quantity = np.where(
        quantity.sum(1, keepdims=True) > MAX_TOTAL_TICKS, quantity // 2, quantity
    ).astype(np.int32)
    buys = random.random((books, homes)) < 0.5
    price = random.integers(0, 2, (books, homes)).astype(np.int32)
    run = jax.vmap(match) if in_batch else lambda *book: jax.lax.map(lambda one: match(*one), book)
    found = jax.tree.map(np.asarray, jax.jit(run)(buys, price, quantity))
    for k in range(books):
        levels = max_price_ticks(homes, by_priority=False)
        filled = expected_pro_rata(buys[k], price[k], quantity[k])
        check(single(found, k), buys[k], price[k], quantity[k], filled, levels)


@pytest.mark.parametrize("by_priority", [True, False])
def test_two_thousand_homes_use_all_bits_of_the_key(by_priority):
    """The book has the highest price, priority and index, and the largest total."""
    homes, books = 2000, 2
    levels = max_price_ticks(homes, by_priority)
    random = np.random.default_rng(5)
    buys = random.random((books, homes)) < 0.5
    price = random.choice([0, 1, levels // 2, levels - 2, levels - 1], (books, homes)).astype(
        np.int32
    )
    quantity = random.integers(0, MAX_TOTAL_TICKS // homes, (books, homes)).astype(np.int32)
    priority = random.choice([0, 31], (books, homes)).astype(np.int32)
    arguments = [buys, price, quantity, *([priority] if by_priority else [])]
    found = jax.tree.map(np.asarray, jax.jit(jax.vmap(match))(*arguments))
    alone = jax.jit(match)(*(part[0] for part in arguments))
    jax.tree.map(np.testing.assert_array_equal, alone, single(found, 0))
    expect = (
        (lambda *book: expected_by_priority(*book)[0])
        if by_priority
        else lambda *book: expected_pro_rata(*book[:3])
    )
    for k in range(books):
        filled = expect(buys[k], price[k], quantity[k], priority[k])
        check(single(found, k), buys[k], price[k], quantity[k], filled, levels)


@pytest.mark.parametrize("homes", [1, 2, 7, 1000, 10_000])
def test_key_fits_31_bits(homes):
    plain, ranked = (
        max_price_ticks(homes, by_priority=False),
        max_price_ticks(homes, by_priority=True),
    )
    assert plain == 32 * ranked
    assert plain * homes <= 2**30


def test_one_home_trades_nothing():
    found = jax.jit(match)(jnp.array([True]), jnp.array([3]), jnp.array([5]))
    assert (found.filled[0], found.ticks[0], found.next_bid) == (0, 0, 3)


def test_fills_are_constants_to_the_gradient():
    """A batch may be part of a differentiated function."""
    books = [jnp.asarray(part) for part in random_books(7, books=12, seed=6)[:3]]

    def value(weight, buys, price, quantity):
        return (weight * match(buys, price, quantity).filled).sum()

    gradient = jax.jit(jax.vmap(jax.grad(value)))(jnp.ones((12, 7)), *books)
    np.testing.assert_array_equal(gradient, jax.jit(jax.vmap(match))(*books).filled)
