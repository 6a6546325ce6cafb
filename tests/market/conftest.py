"""Order books for the market tests."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax import market
from prosumax.types import NO_PREFERENCE, Orders, Prices


class Books:
    """Factories of prices and orders, and the clearing of a registered mechanism."""

    @staticmethod
    def prices(homes, retail=0.30, feed_in=0.05, local_grid_fee=0.0):
        return Prices(
            *(jnp.full(homes, price, jnp.float32) for price in (retail, feed_in, local_grid_fee))
        )

    @staticmethod
    def orders(quantity, price, arrival=None, partner=None, priority=None):
        homes = len(quantity)
        if arrival is None:
            arrival = jnp.arange(homes, dtype=jnp.float32) / homes
        if partner is None:
            partner = np.full(homes, NO_PREFERENCE)
        if priority is None:
            priority = np.full(homes, 0.5)
        return Orders(
            jnp.asarray(quantity, jnp.float32),
            jnp.asarray(price, jnp.float32),
            jnp.asarray(partner, jnp.int32),
            jnp.asarray(priority, jnp.float32),
            jnp.asarray(arrival, jnp.float32),
        )

    @staticmethod
    def random(seed, homes=7):
        """Return random orders; some homes have none, and in some books one side is empty."""
        rng = np.random.default_rng(seed)
        net = rng.normal(0, 2, homes) * (rng.random(homes) < 0.8)
        if seed % 5 == 0:
            net = np.abs(net) * rng.choice([-1, 1])
        return Books.orders(
            net, rng.uniform(0.05, 0.30, homes), rng.random(homes), priority=rng.random(homes)
        )

    @staticmethod
    def stages(name, homes, **options):
        mechanism = market.mechanisms.get(name, "test")
        settings = replace(market.MarketOptions.default(homes), **options)
        return (*mechanism.build(settings), market.grid_stage)

    @staticmethod
    def clear(name, orders, prices, **options):
        stages = Books.stages(name, orders.price.shape[-1], **options)
        return jax.jit(lambda o, p: market.clear(stages, o, p))(orders, prices)


@pytest.fixture(scope="session")
def books():
    return Books
