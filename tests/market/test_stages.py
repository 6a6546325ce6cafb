"""Every registered mechanism keeps energy and money together; the worked examples come out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prosumax import market
from prosumax.types import Prices

HOMES = 7
ATOL = 2e-5  # single precision on sums of some tens of kWh and euros


def flat_prices(retail, feed_in, homes, local_charges=0.0):
    return Prices(*(jnp.full(homes, price, jnp.float32) for price in (retail, feed_in, local_charges)))


def random_book(seed):
    rng = np.random.default_rng(seed)
    net = rng.normal(0, 2, HOMES) * (rng.random(HOMES) < 0.8)
    if seed % 5 == 0:
        net = np.abs(net) * rng.choice([-1, 1])  # one-sided
    retail = rng.uniform(0.1, 0.5, HOMES)
    prices = Prices(retail, retail * rng.uniform(0, 0.5, HOMES), retail * rng.uniform(0, 0.4, HOMES))
    return jnp.asarray(net, jnp.float32), Prices(*(jnp.asarray(price, jnp.float32) for price in prices))


def clear(name, net, prices):
    return market.clear(market.mechanisms.get(name, "test"), market.truthful_orders(net, prices), prices)


@pytest.mark.parametrize("name", list(market.mechanisms))
@given(seed=st.integers(0, 2**31))
def test_energy_and_money_balance(name, seed):
    net, prices = random_book(seed)
    local, grid = clear(name, net, prices)
    for amount in (*local, *grid):
        assert jnp.isfinite(amount).all() and (amount >= -ATOL).all()
    # What a home trades is exactly what its meter shows: the grid takes the rest.
    np.testing.assert_allclose(local.bought_kwh + grid.bought_kwh, jnp.maximum(net, 0), atol=ATOL)
    np.testing.assert_allclose(local.sold_kwh + grid.sold_kwh, jnp.maximum(-net, 0), atol=ATOL)
    np.testing.assert_allclose(local.bought_kwh.sum(), local.sold_kwh.sum(), atol=ATOL)
    np.testing.assert_allclose(local.paid.sum(), local.earned.sum(), atol=ATOL)


@pytest.mark.parametrize("name", list(market.mechanisms))
@given(seed=st.integers(0, 2**31))
def test_order_of_homes_and_batching_do_not_matter(name, seed):
    net, prices = random_book(seed)
    shuffle = np.random.default_rng(seed).permutation(HOMES)
    plain = clear(name, net, prices)
    shuffled = clear(name, net[shuffle], jax.tree.map(lambda price: price[shuffle], prices))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[shuffle], b, atol=ATOL), plain, shuffled)
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf * 0.5, leaf]), (net, prices))
    batched = jax.vmap(lambda book: clear(name, *book))(batch)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b[2], atol=1e-6), plain, batched)


@given(seed=st.integers(0, 2**31))
def test_nobody_is_worse_off_under_the_mid_market_rate(seed):
    """With the same offers to everybody and a local kWh worth more than feed-in, it is individually rational."""
    net, _ = random_book(seed)
    prices = flat_prices(0.35, 0.05, HOMES, local_charges=0.10)
    local, grid = clear("mid_market_rate", net, prices)
    cost = local.paid - local.earned + local.bought_kwh * prices.local_charges + grid.paid - grid.earned
    _, alone = clear("none", net, prices)
    assert (cost <= alone.paid - alone.earned + ATOL).all()


def test_worked_example_of_the_mid_market_rate():
    """Long et al. 2017's rule on needs 1.2, 0.6, 0.2 and surpluses 0.9, 0.3; retail 0.30, feed-in 0.05."""
    net, prices = jnp.asarray([1.2, 0.6, 0.2, -0.9, -0.3]), flat_prices(0.30, 0.05, 5)
    local, grid = clear("mid_market_rate", net, prices)
    bills = local.paid + grid.paid - local.earned - grid.earned
    np.testing.assert_allclose(bills, [0.27, 0.135, 0.045, -0.1575, -0.0525], atol=1e-6)
    np.testing.assert_allclose(local.bought_kwh, [0.72, 0.36, 0.12, 0, 0], atol=1e-6)
    _, alone = clear("none", net, prices)
    np.testing.assert_allclose(alone.paid - alone.earned, [0.36, 0.18, 0.06, -0.045, -0.015], atol=1e-6)


def test_mid_market_rate_with_a_surplus():
    """Supply 2, demand 1: buyers pay the mid price 0.175, sellers average 0.1125."""
    net, prices = jnp.asarray([1.0, -1.5, -0.5]), flat_prices(0.30, 0.05, 3)
    local, grid = clear("mid_market_rate", net, prices)
    assert float(local.paid[0]) == pytest.approx(0.175, abs=1e-6)
    np.testing.assert_allclose((local.earned + grid.earned)[1:], [1.5 * 0.1125, 0.5 * 0.1125], atol=1e-6)


def test_gradients_pass_through():
    """A stage is differentiable where homes trade, also beside homes that stay out."""
    prices = flat_prices(0.30, 0.05, 3)
    cost = jax.grad(lambda net: clear("mid_market_rate", net, prices)[0].paid.sum())
    assert jnp.isfinite(cost(jnp.asarray([1.0, -0.5, 0.0]))).all()
