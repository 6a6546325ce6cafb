"""Bills from traded energy, and the receivers of the money."""

from collections.abc import Mapping
from typing import NamedTuple, SupportsFloat

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import NDArray

from prosumax.scenario.schema.tariff import TariffConfig, total_fee
from prosumax.tariff.components.levies import Levies
from prosumax.tariff.components.network import NetworkCharge
from prosumax.tariff.components.yearly_fees import NetworkFee, SupplierFee
from prosumax.tariff.prices import local_grid_fee, retail_price, surcharge_series, vat_rate
from prosumax.types import Fills, Prices

_HOURS_PER_YEAR = 8760.0
_EMISSION_FACTOR = "emission_factor_kg_per_kwh"
_STEP_SERIES = ("energy", "network", "levies", "feed_in", _EMISSION_FACTOR)


class Surcharges(NamedTuple):
    """Sum of the charges per kWh that have no item of their own in the bill of a step, with VAT.

    Attributes:
        imported: Charge on imports at the meter.
        exported: Charge on exports at the meter.
        bought: Charge on energy from the supplier.
        sold: Charge on energy sold to the supplier.
        bought_locally: Charge on energy from other homes.
        sold_locally: Charge on energy sold to other homes.
    """

    imported: Float[Array, "*step"]
    exported: Float[Array, "*step"]
    bought: Float[Array, "*step"]
    sold: Float[Array, "*step"]
    bought_locally: Float[Array, "*step"]
    sold_locally: Float[Array, "*step"]


class TariffSeries(NamedTuple):
    """Prices per kWh before VAT that may change every step; negative prices are allowed.

    The leaves have axis [step] in a community and are scalars inside a step.

    Attributes:
        energy: Price of the supplier.
        network: Network charge.
        levies: Levies.
        feed_in: Price paid for exported energy.
        emission_factor_kg_per_kwh: CO2 emission factor of grid electricity.
        surcharges: Further charges of the tariff; None without any.
    """

    energy: Float[Array, "*step"]
    network: Float[Array, "*step"]
    levies: Float[Array, "*step"]
    feed_in: Float[Array, "*step"]
    emission_factor_kg_per_kwh: Float[Array, "*step"]
    surcharges: Surcharges | None = None


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
        network: Network charge on grid and local energy, before VAT. In a step it contains the
            surcharges, as the amount before VAT with the same cost.
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


def tariff_series(prices: Mapping[str, Float[NDArray[np.float64], " step"]]) -> TariffSeries:
    """Return the prices of a period for the simulation.

    Args:
        prices: Price series of the period by name, as in `Profiles.prices`.
    """
    surcharges = surcharge_series(prices)
    return TariffSeries(
        **{name: jnp.asarray(prices[name], jnp.float32) for name in _STEP_SERIES},
        surcharges=(
            Surcharges(
                **{name: jnp.asarray(price, jnp.float32) for name, price in surcharges.items()}
            )
            if surcharges
            else None
        ),
    )


def tariff_rates(tariff: TariffConfig, step_hours: float) -> TariffRates:
    """Return the constants of a tariff for the simulation.

    Args:
        tariff: Tariff of the scenario.
        step_hours: Length of a step.
    """
    supplier_fee = total_fee(tariff.component(SupplierFee).supplier_fee_per_year)
    network_fee = total_fee(tariff.component(NetworkFee).network_fee_per_year)
    return TariffRates(
        vat=jnp.float32(vat_rate(tariff)),
        local_network_share=jnp.float32(tariff.component(NetworkCharge).local_share),
        local_levies_share=jnp.float32(tariff.component(Levies).local_levies),
        supplier_fee=jnp.float32(supplier_fee * step_hours / _HOURS_PER_YEAR),
        network_fee=jnp.float32(network_fee * step_hours / _HOURS_PER_YEAR),
    )


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
    feed_in = series.feed_in
    extra = series.surcharges
    if extra is not None:
        retail = retail + extra.imported + extra.bought
        local_fee = local_fee + extra.imported + extra.bought_locally
        # Fees on exports are due on local sales as well and do not change which sale pays more.
        feed_in = feed_in - extra.sold + extra.sold_locally
    shape = (num_homes,)
    return Prices(
        retail=jnp.broadcast_to(retail, shape),
        feed_in=jnp.broadcast_to(feed_in, shape),
        local_grid_fee=jnp.broadcast_to(local_fee, shape),
    )


def settle_step(
    series: TariffSeries,
    rates: TariffRates,
    local: Fills,
    grid: Fills,
    network_fees: Float[Array, " home"] | None = None,
    present: Bool[Array, " home"] | None = None,
) -> Bill:
    """Compute the bill of one step from local and grid trades.

    Args:
        series: Prices of the step, scalar leaves.
        rates: Constants of the tariff.
        local: Trades between homes.
        grid: Trades with the grid.
        network_fees: Fees of the network operator on each home's trades; zero when absent.
        present: Homes that are members, which pay the fixed fees; None for all.
    """
    energy = grid.bought_kwh * series.energy
    network = (grid.bought_kwh + rates.local_network_share * local.bought_kwh) * series.network
    levies = (grid.bought_kwh + rates.local_levies_share * local.bought_kwh) * series.levies
    feed_in = grid.earned
    if series.surcharges is not None:
        network = network + _surcharges(series.surcharges, local, grid) / (1 + rates.vat)
        feed_in = grid.sold_kwh * series.feed_in
    supplier_fee = jnp.broadcast_to(rates.supplier_fee, energy.shape)
    network_fee = jnp.broadcast_to(rates.network_fee, energy.shape)
    if present is not None:
        supplier_fee = supplier_fee * present
        network_fee = network_fee * present
    return Bill(
        energy=energy,
        network=network,
        levies=levies,
        supplier_fee=supplier_fee,
        network_fee=network_fee,
        vat=rates.vat * (energy + network + levies + supplier_fee + network_fee),
        bought_locally=local.paid,
        sold_locally=local.earned,
        feed_in=feed_in,
        network_fees=jnp.zeros_like(energy) if network_fees is None else network_fees,
    )


def _surcharges(rates: Surcharges, local: Fills, grid: Fills) -> Float[Array, " home"]:
    """Return the surcharges of each home, VAT included."""
    net_kwh = grid.bought_kwh + local.bought_kwh - grid.sold_kwh - local.sold_kwh
    return (
        rates.imported * jnp.maximum(net_kwh, 0.0)
        + rates.exported * jnp.maximum(-net_kwh, 0.0)
        + rates.bought * grid.bought_kwh
        + rates.sold * grid.sold_kwh
        + rates.bought_locally * local.bought_kwh
        + rates.sold_locally * local.sold_kwh
    )


def receipts(bill: Bill) -> dict[str, SupportsFloat]:
    """Sum the receipts of each receiver over homes; they add up to the sum of all bills.

    Surcharges in the bill of a step count for the network operator; `settle_period` separates them.
    `mechanism` is the surplus of the market operator, or its deficit if negative; it is zero for a
    budget-balanced mechanism.
    """
    return {
        "supplier": (bill.energy + bill.supplier_fee - bill.feed_in).sum(-1),
        "network_operator": (bill.network + bill.network_fee + bill.network_fees).sum(-1),
        "government": (bill.levies + bill.vat).sum(-1),
        "mechanism": (bill.bought_locally - bill.sold_locally).sum(-1),
    }
