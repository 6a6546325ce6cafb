"""Books of orders for the market tests."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax import market
from prosumax.types import ANYONE, Orders, Prices


class Books:
    """Makers of prices and orders, and the clearing of a registered mechanism."""

    @staticmethod
    def prices(homes, retail=0.30, feed_in=0.05, local_charges=0.0):
        return Prices(
            *(jnp.full(homes, price, jnp.float32) for price in (retail, feed_in, local_charges))
        )

    @staticmethod
    def orders(quantity, price, arrival=None, partner=None, priority=None):
        homes = len(quantity)
        return Orders(
            jnp.asarray(quantity, jnp.float32),
            jnp.asarray(price, jnp.float32),
            jnp.full(homes, ANYONE, jnp.int32)
            if partner is None
            else jnp.asarray(partner, jnp.int32),
            jnp.full(homes, 0.5, jnp.float32)
            if priority is None
            else jnp.asarray(priority, jnp.float32),
            jnp.arange(homes, dtype=jnp.float32) / homes
            if arrival is None
            else jnp.asarray(arrival, jnp.float32),
        )

    @staticmethod
    def random(seed, homes=7):
        """Orders of which some stay out, some sides are empty, and prices differ between feed-in and retail."""
        rng = np.random.default_rng(seed)
        net = rng.normal(0, 2, homes) * (rng.random(homes) < 0.8)
        if seed % 5 == 0:
            net = np.abs(net) * rng.choice([-1, 1])
        return Books.orders(
            net, rng.uniform(0.05, 0.30, homes), rng.random(homes), priority=rng.random(homes)
        )

    @staticmethod
    def stages(name, homes, **options):
        from dataclasses import replace

        mechanism = market.mechanisms.get(name, "test")
        return (
            *mechanism.build(replace(market.MarketOptions.default(homes), **options)),
            market.grid,
        )

    @staticmethod
    def clear(name, orders, prices, **options):
        stages = Books.stages(name, orders.price.shape[-1], **options)
        return jax.jit(lambda o, p: market.clear(stages, o, p))(orders, prices)


@pytest.fixture(scope="session")
def books():
    return Books
