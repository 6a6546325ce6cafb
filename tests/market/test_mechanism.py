"""Properties of every registered mechanism; a new mechanism is tested once it is registered."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax import market
from prosumax.types import GRID_ONLY, NO_PREFERENCE

HOMES = 7
ATOL = 3e-5  # Single precision on sums of some ten kWh and euros.


def distinct_cascades():
    """Return one name per cascade; several mechanisms have the same stages."""
    options = market.MarketOptions.default(HOMES)
    by_structure = {}
    for name in market.mechanisms:
        stages = market.mechanisms.get(name, "").build(options)
        by_structure.setdefault(str(jax.tree.structure(stages)), name)
    return list(by_structure.values())


# Every family of mechanisms in the fast tests, every mechanism in the slow ones.
FAST = {"mid_market_rate", "double_auction", "mcafee", "preferred_partners", "hierarchy"}
NAMES = [
    pytest.param(name, marks=() if name in FAST else pytest.mark.slow)
    for name in distinct_cascades()
]
BIDDING = [param for param in NAMES if market.mechanisms.get(str(param.values[0]), "").uses_bids]
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
    # Every home trades exactly its order, locally or with the grid.
    demand = np.maximum(orders.quantity_kwh, 0)
    supply = np.maximum(-orders.quantity_kwh, 0)
    np.testing.assert_allclose(local.bought_kwh + grid.bought_kwh, demand, atol=ATOL)
    np.testing.assert_allclose(local.sold_kwh + grid.sold_kwh, supply, atol=ATOL)
    np.testing.assert_allclose(local.bought_kwh.sum(), local.sold_kwh.sum(), atol=ATOL)
    kept = local.paid.sum() - local.earned.sum()
    balance = market.mechanisms.get(name, "").budget_balance
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
def test_no_home_pays_above_its_bid_or_sells_below_its_ask(name, books, clearing, seed):
    orders = books.random(seed)
    local, _ = clearing(name, orders, books.prices(HOMES))
    assert (local.paid <= orders.price * local.bought_kwh + ATOL).all()
    assert (local.earned >= orders.price * local.sold_kwh - ATOL).all()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40)
@given(seed=seeds)
def test_individually_rational_mechanisms_leave_no_truthful_home_worse_off(
    name, books, clearing, seed
):
    if not market.mechanisms.get(name, "").individually_rational:
        return
    prices = books.prices(HOMES, 0.35, 0.05, local_grid_fee=0.10)
    orders = market.truthful_orders(
        books.random(seed).quantity_kwh, prices, arrival=books.random(seed).arrival
    )
    local, grid = clearing(name, orders, prices)
    cost = local.paid - local.earned + local.bought_kwh * 0.10 + grid.paid - grid.earned
    _, standalone = clearing("none", orders, prices)
    assert (cost <= standalone.paid - standalone.earned + ATOL).all()


@pytest.mark.parametrize(
    "name",
    [param for param in NAMES if param.values[0] not in ("key_cascade", "luxembourg_priority")],
)
@settings(max_examples=30)
@given(seed=seeds)
def test_order_of_homes_does_not_matter(name, books, clearing, seed):
    """Holds up to the tick to which shares are rounded; the cascade key depends on order."""
    shuffle = np.random.default_rng(seed).permutation(HOMES)
    orders, prices = books.random(seed), books.prices(HOMES)
    if name == "preferred_partners":  # Distance along the street depends on the order of homes.
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
    """Costs are differentiable with respect to net energy, also with homes that have no order."""
    orders, prices = books.random(3), books.prices(HOMES)
    stages = books.stages(name, HOMES)

    def cost(quantity):
        local, grid = market.clear(stages, orders._replace(quantity_kwh=quantity), prices)
        return (local.paid - local.earned + grid.paid - grid.earned).sum()

    assert jnp.isfinite(jax.grad(cost)(orders.quantity_kwh)).all()


@pytest.mark.parametrize("name", NAMES)
def test_orders_for_the_grid_only_are_filled_by_the_grid(name, books):
    partner = [GRID_ONLY, NO_PREFERENCE, NO_PREFERENCE, GRID_ONLY]
    orders = books.orders([1, 1, -1, -1], [0.3, 0.3, 0.05, 0.05], partner=partner)
    local, grid = books.clear(name, orders, books.prices(4))
    assert float(local.bought_kwh[0]) == 0 and float(grid.bought_kwh[0]) == pytest.approx(1)
    assert float(local.sold_kwh[3]) == 0 and float(grid.sold_kwh[3]) == pytest.approx(1)


@pytest.mark.parametrize("name", NAMES)
def test_a_single_home_trades_with_the_grid(name, books):
    """Holds in a batch too, where a book without pairs has arrays of length zero."""
    prices = books.prices(1)
    stages = books.stages(name, 1)

    def clear(net):
        return market.clear(stages, market.truthful_orders(net, prices), prices)

    net = jnp.float32([[2.0], [-3.0]])
    batched = jax.vmap(clear)(net)
    for number, (local, grid) in enumerate(clear(one) for one in net):
        assert not np.asarray(local.bought_kwh + local.sold_kwh).any()
        np.testing.assert_allclose(grid.bought_kwh - grid.sold_kwh, net[number])
        np.testing.assert_allclose(batched.grid.bought_kwh[number], grid.bought_kwh)
