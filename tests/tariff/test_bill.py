"""Bills of one step by hand, and receipts that add up to the bills."""

import jax.numpy as jnp
import numpy as np
import pytest

from prosumax import tariff
from prosumax.types import Fills


def scalars(**values):
    return {name: jnp.float32(value) for name, value in values.items()}


SERIES = tariff.TariffSeries(
    **scalars(energy=0.20, network=0.10, levies=0.05, feed_in=0.04, emission_factor_kg_per_kwh=0.2)
)
RATES = tariff.TariffRates(
    **scalars(
        vat=0.06,
        local_network_share=0.5,
        local_levies_share=0.0,
        supplier_fee=0.01,
        network_fee=0.02,
    )
)


def test_grid_prices_by_hand():
    prices = tariff.grid_prices(SERIES, RATES, 2)
    np.testing.assert_allclose(prices.retail, 0.35 * 1.06, rtol=1e-6)
    np.testing.assert_allclose(prices.local_grid_fee, 0.05 * 1.06, rtol=1e-6)
    np.testing.assert_allclose(prices.reservation_price, 0.30 * 1.06, rtol=1e-6)
    np.testing.assert_allclose(prices.feed_in, 0.04, rtol=1e-6)


def test_bill_and_receipts_by_hand():
    """A home buys 2 kWh from the grid and 1 kWh for 0.15 from another, which exports 1 kWh."""
    local = Fills(
        *(jnp.asarray(pair, jnp.float32) for pair in ([1, 0], [0, 1], [0.15, 0], [0, 0.15]))
    )
    grid = Fills(
        *(jnp.asarray(pair, jnp.float32) for pair in ([2, 0], [0, 1], [0.742, 0], [0, 0.04]))
    )
    bill = tariff.settle_step(SERIES, RATES, local, grid)
    np.testing.assert_allclose(bill.energy, [0.40, 0], atol=1e-7)
    np.testing.assert_allclose(
        bill.network, [0.25, 0], atol=1e-7
    )  # half of the charge on local energy
    np.testing.assert_allclose(bill.levies, [0.10, 0], atol=1e-7)  # none on local energy
    np.testing.assert_allclose(bill.vat, [0.06 * (0.75 + 0.03), 0.06 * 0.03], atol=1e-7)
    np.testing.assert_allclose(
        bill.total, [0.78 * 1.06 + 0.15, 0.03 * 1.06 - 0.15 - 0.04], atol=1e-6
    )
    parties = {name: float(amount) for name, amount in tariff.receipts(bill).items()}
    assert parties["mechanism"] == pytest.approx(0, abs=1e-7)
    assert parties["supplier"] == pytest.approx(0.40 + 2 * 0.01 - 0.04, abs=1e-6)
    assert parties["network_operator"] == pytest.approx(0.25 + 2 * 0.02, abs=1e-6)
    assert sum(parties.values()) == pytest.approx(float(bill.total.sum()), abs=1e-6)


def test_surcharges_by_hand():
    """The surcharges of the same trades are 0.50 and 0.44, and change the prices of the step."""
    surcharges = tariff.Surcharges(
        **scalars(
            imported=0.10,
            exported=0.20,
            bought=0.05,
            sold=0.01,
            bought_locally=0.10,
            sold_locally=0.03,
        )
    )
    series = SERIES._replace(surcharges=surcharges)
    local = Fills(
        *(jnp.asarray(pair, jnp.float32) for pair in ([1, 0], [0, 1], [0.15, 0], [0, 0.15]))
    )
    grid = Fills(
        *(jnp.asarray(pair, jnp.float32) for pair in ([2, 0], [0, 1], [0.742, 0], [0, 0.06]))
    )
    plain = tariff.settle_step(SERIES, RATES, local, grid._replace(earned=jnp.asarray([0, 0.04])))
    bill = tariff.settle_step(series, RATES, local, grid)
    # The first home imports 3 kWh, the second exports 2 kWh.
    extra = [0.3 + 0.1 + 0.1, 0.4 + 0.01 + 0.03]
    np.testing.assert_allclose(bill.total - plain.total, extra, atol=1e-6)
    np.testing.assert_allclose(bill.feed_in, [0, 0.04], atol=1e-7)  # the price of the tariff
    prices = tariff.grid_prices(series, RATES, 2)
    np.testing.assert_allclose(prices.retail, 0.35 * 1.06 + 0.15, rtol=1e-6)
    np.testing.assert_allclose(prices.local_grid_fee, 0.05 * 1.06 + 0.20, rtol=1e-6)
    # A seller that prefers the supplier saves 0.03 and pays 0.01.
    np.testing.assert_allclose(prices.feed_in, 0.04 + 0.03 - 0.01, rtol=1e-6)
