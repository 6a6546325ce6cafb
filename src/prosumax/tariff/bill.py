"""Bills from traded energy, and the receivers of the money."""

from typing import NamedTuple, SupportsFloat

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from prosumax.tariff.prices import local_grid_fee, retail_price
from prosumax.types import Fills, Prices


class TariffSeries(NamedTuple):
    """Prices per kWh before VAT that may change every step; negative prices are allowed.

    The leaves have axis [step] in a community and are scalars inside a step.

    Attributes:
        energy: Price of the supplier.
        network: Network charge.
        levies: Levies.
        feed_in: Price paid for exported energy.
        emission_factor_kg_per_kwh: CO2 emission factor of grid electricity.
    """

    energy: Float[Array, "*step"]
    network: Float[Array, "*step"]
    levies: Float[Array, "*step"]
    feed_in: Float[Array, "*step"]
    emission_factor_kg_per_kwh: Float[Array, "*step"]


class TariffRates(NamedTuple):
    """Constants of a tariff over the period.

    Attributes:
        vat: Value added tax rate on everything bought from the grid; homes charge none.
        local_network_share: Fraction of the network charge due on local energy.
        local_levies_share: Fraction of the levies due on local energy.
        supplier_fee: Fixed fee of the supplier per home and step, before VAT.
        network_fee: Fixed fee of the network operator per home and step, before VAT.
    """

    vat: Float[Array, ""]
    local_network_share: Float[Array, ""]
    local_levies_share: Float[Array, ""]
    supplier_fee: Float[Array, ""]
    network_fee: Float[Array, ""]


class Bill(NamedTuple):
    """Items of each home's bill for one step.

    Attributes:
        energy: Charge of the supplier, before VAT.
        network: Network charge on grid and local energy, before VAT.
        levies: Levies on grid and local energy, before VAT.
        supplier_fee: Fixed fee of the supplier, before VAT.
        network_fee: Fixed fee of the network operator, before VAT.
        vat: Value added tax on the items above.
        bought_locally: Payment for local energy.
        sold_locally: Revenue from local energy; reduces the bill.
        feed_in: Revenue from exported energy; reduces the bill.
        network_fees: Fees of the network operator on single trades, without VAT; negative for a
            bonus.
    """

    energy: Float[Array, " home"]
    network: Float[Array, " home"]
    levies: Float[Array, " home"]
    supplier_fee: Float[Array, " home"]
    network_fee: Float[Array, " home"]
    vat: Float[Array, " home"]
    bought_locally: Float[Array, " home"]
    sold_locally: Float[Array, " home"]
    feed_in: Float[Array, " home"]
    network_fees: Float[Array, " home"]

    @property
    def total(self) -> Float[Array | NDArray[np.float64], "*step home"]:
        """Total of the bill; negative when the home earns money."""
        charges = (
            self.energy
            + self.network
            + self.levies
            + self.supplier_fee
            + self.network_fee
            + self.vat
        )
        payments = charges + self.network_fees + self.bought_locally
        return payments - self.sold_locally - self.feed_in


def grid_prices(series: TariffSeries, rates: TariffRates, num_homes: int) -> Prices:
    """Return the prices that the grid offers each home in one step.

    Args:
        series: Prices of the step, scalar leaves.
        rates: Constants of the tariff.
        num_homes: Number of homes.
    """
    retail = retail_price(series.energy, series.network, series.levies, rates.vat)
    local_fee = local_grid_fee(
        series.network,
        series.levies,
        rates.local_network_share,
        rates.local_levies_share,
        rates.vat,
    )
    shape = (num_homes,)
    return Prices(
        retail=jnp.broadcast_to(retail, shape),
        feed_in=jnp.broadcast_to(series.feed_in, shape),
        local_grid_fee=jnp.broadcast_to(local_fee, shape),
    )


def settle_step(
    series: TariffSeries,
    rates: TariffRates,
    local: Fills,
    grid: Fills,
    network_fees: Float[Array, " home"] | None = None,
) -> Bill:
    """Compute the bill of one step from local and grid trades.

    Args:
        series: Prices of the step, scalar leaves.
        rates: Constants of the tariff.
        local: Trades between homes.
        grid: Trades with the grid.
        network_fees: Fees of the network operator on each home's trades; zero when absent.
    """
    energy = grid.bought_kwh * series.energy
    network = (grid.bought_kwh + rates.local_network_share * local.bought_kwh) * series.network
    levies = (grid.bought_kwh + rates.local_levies_share * local.bought_kwh) * series.levies
    supplier_fee = jnp.broadcast_to(rates.supplier_fee, energy.shape)
    network_fee = jnp.broadcast_to(rates.network_fee, energy.shape)
    return Bill(
        energy=energy,
        network=network,
        levies=levies,
        supplier_fee=supplier_fee,
        network_fee=network_fee,
        vat=rates.vat * (energy + network + levies + supplier_fee + network_fee),
        bought_locally=local.paid,
        sold_locally=local.earned,
        feed_in=grid.earned,
        network_fees=jnp.zeros_like(energy) if network_fees is None else network_fees,
    )


def receipts(bill: Bill) -> dict[str, SupportsFloat]:
    """Sum the receipts of each receiver over homes; they add up to the sum of all bills.

    `mechanism` is the surplus of the market operator, or its deficit if negative; it is zero for a
    budget-balanced mechanism.
    """
    return {
        "supplier": (bill.energy + bill.supplier_fee - bill.feed_in).sum(-1),
        "network_operator": (bill.network + bill.network_fee + bill.network_fees).sum(-1),
        "government": (bill.levies + bill.vat).sum(-1),
        "mechanism": (bill.bought_locally - bill.sold_locally).sum(-1),
    }
