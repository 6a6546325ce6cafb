"""Equation 8 of MARLEM by hand."""

import jax.numpy as jnp
import numpy as np

from prosumax.market import reputation
from prosumax.types import Fills


def test_one_step_by_hand(books):
    """Two buyers of 2 kWh and one seller of 2 kWh: the community is short of supply."""
    orders = books.orders([2.0, 2.0, -2.0, 0.0], [0.3, 0.3, 0.1, 0.1])
    parts = ([1.5, 0.5, 0, 0], [0, 0, 2.0, 0], [0.30, 0.08, 0, 0], [0, 0, 0.38, 0])
    local = Fills(*(jnp.asarray(part, jnp.float32) for part in parts))
    found = reputation.update_reputation(jnp.full(4, 0.5), orders, local)
    # Reliability 0.75, 0.25, 1. Prices 0.20, 0.16, 0.19 with mean 0.19. Grid contribution 0 for
    # buyers, 1 for the seller.
    fairness = [1 - 0.01 / 0.19, 1 - 0.03 / 0.19, 1.0]
    scores = [0.4 * 0.75 + 0.3 * fairness[0], 0.4 * 0.25 + 0.3 * fairness[1], 0.4 + 0.3 + 0.3]
    np.testing.assert_allclose(found[:3], [0.9 * 0.5 + 0.1 * score for score in scores], rtol=1e-6)
    assert float(found[3]) == 0.5


def test_recent_steps_weigh_more(books):
    """A good step after a bad one gives a higher reputation than the reverse."""
    orders = books.orders([1.0, -1.0], [0.3, 0.1])
    good = Fills(*(jnp.asarray(part, jnp.float32) for part in ([1, 0], [0, 1], [0.2, 0], [0, 0.2])))
    bad = Fills(*(jnp.zeros(2) for _ in range(4)))
    start = jnp.full(2, 0.5)
    late = reputation.update_reputation(
        reputation.update_reputation(start, orders, bad), orders, good
    )
    early = reputation.update_reputation(
        reputation.update_reputation(start, orders, good), orders, bad
    )
    assert (late > early).all() and (late <= 1).all() and (early >= 0).all()
