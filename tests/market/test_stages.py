"""What must hold for every registered mechanism; a new one is tested by being there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax import market

HOMES = 7
ATOL = 3e-5  # single precision on sums of some ten kWh and euros


def distinct_cascades():
    """One name per cascade: regional presets and rules that settle afterwards repeat the stages of others."""
    options = market.MarketOptions.default(HOMES)
    by_structure = {}
    for name in market.mechanisms:
        stages = market.mechanisms.get(name, "").build(options)
        by_structure.setdefault(str(jax.tree.structure(stages)), name)
    return list(by_structure.values())


NAMES = distinct_cascades()
BIDDING = [name for name in NAMES if market.mechanisms.get(name, "").reads_bids]
seeds = st.integers(0, 2**31)


@pytest.fixture(scope="module")
def clearing(books):
    """Jitted clearing by name, compiled once for all examples."""
    compiled = {}

    def clear(name, orders, prices):
        if name not in compiled:
            stages = books.stages(name, HOMES)
            compiled[name] = jax.jit(lambda o, p: market.clear(stages, o, p))
        return jax.tree.map(np.asarray, compiled[name](orders, prices))

    return clear


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60)
@given(seed=seeds)
def test_energy_and_money_balance(name, books, clearing, seed):
    orders = books.random(seed)
    local, grid = clearing(name, orders, books.prices(HOMES))
    for amount in (*local[:4], *grid[:4]):
        assert np.isfinite(amount).all() and (amount >= -ATOL).all()
    # What a home trades is exactly its order: nobody trades more, and the grid takes the rest.
    need, surplus = np.maximum(orders.quantity_kwh, 0), np.maximum(-orders.quantity_kwh, 0)
    np.testing.assert_allclose(local.bought_kwh + grid.bought_kwh, need, atol=ATOL)
    np.testing.assert_allclose(local.sold_kwh + grid.sold_kwh, surplus, atol=ATOL)
    np.testing.assert_allclose(local.bought_kwh.sum(), local.sold_kwh.sum(), atol=ATOL)
    kept = local.paid.sum() - local.earned.sum()
    balance = market.mechanisms.get(name, "").balance
    assert {"balanced": abs(kept) < ATOL, "surplus": kept > -ATOL, "deficit": kept < ATOL}[balance]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40)
@given(seed=seeds)
def test_bilateral_trades_add_up_to_the_homes(name, books, clearing, seed):
    local, _ = clearing(name, books.random(seed), books.prices(HOMES))
    trades = local.trades
    if not len(trades.kwh):
        return
    bought, paid, sold, earned = np.zeros((4, HOMES))
    np.add.at(bought, trades.buyer, trades.kwh)
    np.add.at(paid, trades.buyer, trades.kwh * trades.buyer_price)
    np.add.at(sold, trades.seller, trades.kwh)
    np.add.at(earned, trades.seller, trades.kwh * trades.seller_price)
    for total, added in (
        (local.bought_kwh, bought),
        (local.paid, paid),
        (local.sold_kwh, sold),
        (local.earned, earned),
    ):
        np.testing.assert_allclose(total, added, atol=ATOL)


@pytest.mark.parametrize("name", BIDDING)
@settings(max_examples=60)
@given(seed=seeds)
def test_nobody_pays_above_the_bid_or_sells_below_the_ask(name, books, clearing, seed):
    orders = books.random(seed)
    local, _ = clearing(name, orders, books.prices(HOMES))
    assert (local.paid <= orders.price * local.bought_kwh + ATOL).all()
    assert (local.earned >= orders.price * local.sold_kwh - ATOL).all()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40)
@given(seed=seeds)
def test_truthful_homes_are_not_worse_off_where_that_is_claimed(name, books, clearing, seed):
    if not market.mechanisms.get(name, "").individually_rational:
        return
    prices = books.prices(HOMES, 0.35, 0.05, local_charges=0.10)
    orders = market.truthful_orders(
        books.random(seed).quantity_kwh, prices, arrival=books.random(seed).arrival
    )
    local, grid = clearing(name, orders, prices)
    cost = local.paid - local.earned + local.bought_kwh * 0.10 + grid.paid - grid.earned
    _, alone = clearing("none", orders, prices)
    assert (cost <= alone.paid - alone.earned + ATOL).all()


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name not in ("key_cascade", "luxembourg_priority")]
)
@settings(max_examples=30)
@given(seed=seeds)
def test_order_of_homes_does_not_matter(name, books, clearing, seed):
    """Up to the tick that pro-rata shares are rounded to; the cascade key is about the order of homes."""
    shuffle = np.random.default_rng(seed).permutation(HOMES)
    orders, prices = books.random(seed), books.prices(HOMES)
    if name == "preferred_partners":  # distance along the street is about the order of homes
        return
    plain = clearing(name, orders, prices).local
    shuffled = clearing(name, jax.tree.map(lambda part: part[shuffle], orders), prices).local
    for one, other in zip(plain[:4], shuffled[:4], strict=True):
        np.testing.assert_allclose(one[shuffle], other, atol=ATOL)


@pytest.mark.parametrize("name", NAMES)
def test_batching_does_not_matter(name, books, clearing):
    many = [books.random(seed) for seed in range(16)]
    batch = jax.tree.map(lambda *parts: jnp.stack(parts), *many)
    stages, prices = books.stages(name, HOMES), books.prices(HOMES)
    batched = jax.jit(jax.vmap(lambda orders: market.clear(stages, orders, prices)))(batch)
    for number, orders in enumerate(many):
        single = clearing(name, orders, prices)
        jax.tree.map(
            lambda a, b, n=number: np.testing.assert_allclose(a, b[n], atol=1e-6), single, batched
        )


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite(name, books):
    """Costs can be differentiated by what homes want to trade, also with homes that stay out."""
    orders, prices = books.random(3), books.prices(HOMES)
    stages = books.stages(name, HOMES)

    def cost(quantity):
        local, grid = market.clear(stages, orders._replace(quantity_kwh=quantity), prices)
        return (local.paid - local.earned + grid.paid - grid.earned).sum()

    assert jnp.isfinite(jax.grad(cost)(orders.quantity_kwh)).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_home_that_wants_the_grid_gets_the_grid(name, books):
    from prosumax.types import GRID

    orders = books.orders([1, 1, -1, -1], [0.3, 0.3, 0.05, 0.05], partner=[GRID, -1, -1, GRID])
    local, grid = books.clear(name, orders, books.prices(4))
    assert float(local.bought_kwh[0]) == 0 and float(grid.bought_kwh[0]) == pytest.approx(1)
    assert float(local.sold_kwh[3]) == 0 and float(grid.sold_kwh[3]) == pytest.approx(1)


@pytest.mark.parametrize("name", NAMES)
def test_a_home_by_itself_trades_with_the_grid(name, books):
    """Also in a batch, where a book without pairs has arrays of length zero."""
    prices = books.prices(1)
    stages = books.stages(name, 1)

    def clear(net):
        return market.clear(stages, market.truthful_orders(net, prices), prices)

    net = jnp.float32([[2.0], [-3.0]])
    alone, together = [clear(one) for one in net], jax.vmap(clear)(net)
    for number, (local, grid) in enumerate(alone):
        assert not np.asarray(local.bought_kwh + local.sold_kwh).any()
        np.testing.assert_allclose(grid.bought_kwh - grid.sold_kwh, net[number])
        np.testing.assert_allclose(together.grid.bought_kwh[number], grid.bought_kwh)
