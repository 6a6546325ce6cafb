"""From traded energy to a bill, and from bills to who receives the money."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from prosumax.types import Fills, Prices


class TariffSeries(NamedTuple):
    """Prices that may change every step, per kWh and before VAT; carbon intensity of the grid in kg CO2 per kWh.

    The leaves have shape [step] in a community and are scalars inside a step. Negative prices are allowed.
    """

    energy: Float[Array, "*step"]
    network: Float[Array, "*step"]
    levies: Float[Array, "*step"]
    feed_in: Float[Array, "*step"]
    emission_factor_kg_per_kwh: Float[Array, "*step"]


class TariffRates(NamedTuple):
    """What stays the same over the period.

    Attributes:
        vat: value added tax on everything bought from the grid side, fraction. Homes add none to what they sell.
        local_network, local_levies: share of network charge and levies still due on a kWh bought from a neighbour.
        supplier_fee, network_fee: fixed fees per home and step, before VAT.
    """

    vat: Float[Array, ""]
    local_network_share: Float[Array, ""]
    local_levies_share: Float[Array, ""]
    supplier_fee: Float[Array, ""]
    network_fee: Float[Array, ""]


class Bill(NamedTuple):
    """One home's bill for one step; every entry is positive when it goes the way its name says.

    Attributes:
        energy, network, levies: charges on kWh, before VAT; network and levies include those on local purchases.
        supplier_fee, network_fee: fixed fees, before VAT.
        vat: on all of the above.
        bought_locally: paid to neighbours.
        sold_locally: earned from neighbours (lowers the bill).
        feed_in: earned from the supplier (lowers the bill).
        network_fees: what the network operator charges for single trades, free of VAT; negative for a bonus.
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
    def total(self) -> Float[Array | np.ndarray, "*step home"]:
        """What the home pays in the end; negative when it earns. Reports sum it in NumPy's double precision."""
        charges = (
            self.energy
            + self.network
            + self.levies
            + self.supplier_fee
            + self.network_fee
            + self.vat
        )
        return charges + self.network_fees + self.bought_locally - self.sold_locally - self.feed_in


def grid_prices(series: TariffSeries, rates: TariffRates, num_homes: int) -> Prices:
    """What the grid side offers each of `homes` homes in one step (`series` has scalar leaves)."""
    gross = 1.0 + rates.vat
    retail = (series.energy + series.network + series.levies) * gross
    local_charges = (
        rates.local_network_share * series.network + rates.local_levies_share * series.levies
    ) * gross
    retail, feed_in, local = (
        jnp.broadcast_to(price, (num_homes,)) for price in (retail, series.feed_in, local_charges)
    )
    return Prices(retail, feed_in, local)


def settle_step(
    series: TariffSeries,
    rates: TariffRates,
    local: Fills,
    grid: Fills,
    network_fees: Float[Array, " home"] | None = None,
) -> Bill:
    """The bill of one step from what was traded with neighbours and with the grid.

    Arguments:
        series: this step's prices, scalar leaves.
        rates: constants of the tariff.
        local, grid: the two results of `market.clear`.
        network_fees: what the network operator charges each home for its trades; nothing when absent.
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


def receipts(bill: Bill) -> dict[str, Any]:
    """Who receives what the homes pay, summed over homes; the four add up to the sum of the bills.

    `mechanism` is what the market's operator keeps (or, if negative, must add): zero for a budget-balanced rule.
    """
    return {
        "supplier": (bill.energy + bill.supplier_fee - bill.feed_in).sum(-1),
        "network_operator": (bill.network + bill.network_fee + bill.network_fees).sum(-1),
        "government": (bill.levies + bill.vat).sum(-1),
        "mechanism": (bill.bought_locally - bill.sold_locally).sum(-1),
    }
