"""Prices per kWh that follow from the components of a tariff."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from prosumax.scenario.schema.tariff import TariffConfig
from prosumax.tariff.component import ENERGY_BASES, EnergyBasis, TariffPrices, tariff_parts
from prosumax.tariff.components.levies import Levies
from prosumax.tariff.components.network import NetworkCharge
from prosumax.tariff.components.value_added_tax import ValueAddedTax

T = TypeVar("T", Array, NDArray[np.float64])

_STEP_PRICES = ("energy", "network", "levies", "feed_in")
_SURCHARGE = "_surcharge"
"""Ending of the names of price series that components without an item of the step add up to."""


def vat_rate(tariff: TariffConfig) -> float:
    """Return the VAT rate of a tariff.

    Args:
        tariff: Tariff of a scenario.
    """
    return tariff.component(ValueAddedTax).vat


def retail_price(energy: T, network: T, levies: T, vat: T | float) -> T:
    """Return the all-in price of a kWh from the supplier.

    Args:
        energy: Energy component per kWh, without VAT.
        network: Network component per kWh, without VAT.
        levies: Levies per kWh, without VAT.
        vat: VAT rate, as a fraction.
    """
    return (energy + network + levies) * (1 + vat)


def local_grid_fee(
    network: T, levies: T, network_share: T | float, levies_share: T | float, vat: T | float
) -> T:
    """Return the charges that are due on a kWh bought from another home.

    Args:
        network: Network component per kWh, without VAT.
        levies: Levies per kWh, without VAT.
        network_share: Share of the network component that is due on local energy.
        levies_share: Share of the levies that are due on local energy.
        vat: VAT rate, as a fraction.
    """
    return (network_share * network + levies_share * levies) * (1 + vat)


def price_series(
    prices: TariffPrices,
) -> dict[str, Float[NDArray[np.float64], " step"]]:
    """Add the prices of all components up to the price series of a period.

    Args:
        prices: Tariff of the scenario and the series of its prices.

    Returns:
        Series `energy`, `network`, `levies` and `feed_in` before VAT, where levies without VAT
        count as the amount before VAT with the same cost. Where other components have charges per
        kWh, there is a series with their sum, VAT included, for every energy they are due on, such
        as `exported_surcharge`.
    """
    zeros = prices.constant(0.0)
    gross = 1 + vat_rate(prices.tariff)
    totals = dict.fromkeys(_STEP_PRICES, zeros)
    surcharges = dict.fromkeys(ENERGY_BASES, zeros)
    has_surcharge = False
    for part in tariff_parts(prices.tariff):
        if part.step_item in _STEP_PRICES:
            (field,) = part.price_fields
            total = sum(prices.series[field].values(), zeros)
            if part.step_item == "levies" and not part.bears_vat:
                total = total / gross
            totals[part.step_item] = totals[part.step_item] + total
            continue
        for charge in part.energy_charges(prices):
            price = charge.price * (gross if part.bears_vat else 1.0)
            surcharges[charge.basis] = surcharges[charge.basis] + price
            has_surcharge = True
    if has_surcharge:
        totals |= {f"{basis}{_SURCHARGE}": series for basis, series in surcharges.items()}
    return totals


def surcharge_series(
    prices: Mapping[str, Float[NDArray[np.float64], " step"]],
) -> dict[EnergyBasis, Float[NDArray[np.float64], " step"]]:
    """Return the surcharges among the price series of a period, by the energy they are due on.

    Args:
        prices: Price series of the period, as in `Profiles.prices`.

    Returns:
        Prices per kWh, VAT included; empty where no component has a surcharge.
    """
    return {
        basis: prices[f"{basis}{_SURCHARGE}"]
        for basis in ENERGY_BASES
        if f"{basis}{_SURCHARGE}" in prices
    }


def retail_price_series(
    prices: Mapping[str, NDArray[np.float64]], tariff: TariffConfig
) -> Float[NDArray[np.float64], " step"]:
    """Return the retail price in every step of a period.

    Args:
        prices: Price components of the period, as in `Profiles.prices`.
        tariff: Tariff of the scenario.
    """
    price = retail_price(prices["energy"], prices["network"], prices["levies"], vat_rate(tariff))
    surcharges = surcharge_series(prices)
    if surcharges:
        price = price + surcharges["imported"] + surcharges["bought"]
    return np.asarray(price)


def export_price_series(
    prices: Mapping[str, NDArray[np.float64]],
) -> Float[NDArray[np.float64], " step"]:
    """Return the revenue of a kWh sold to the supplier, less the fees on it, in every step.

    Args:
        prices: Price components of the period, as in `Profiles.prices`.
    """
    price = prices["feed_in"]
    surcharges = surcharge_series(prices)
    if surcharges:
        price = price - surcharges["exported"] - surcharges["sold"]
    return np.asarray(price)


def seller_price_series(
    prices: Mapping[str, NDArray[np.float64]],
) -> Float[NDArray[np.float64], " step"]:
    """Return the price at which a home sells to another as well as to the supplier, in every step.

    Fees on exports are due in both cases and do not count.

    Args:
        prices: Price components of the period, as in `Profiles.prices`.
    """
    price = prices["feed_in"]
    surcharges = surcharge_series(prices)
    if surcharges:
        price = price - surcharges["sold"] + surcharges["sold_locally"]
    return np.asarray(price)


def local_grid_fee_series(
    prices: Mapping[str, NDArray[np.float64]], tariff: TariffConfig
) -> Float[NDArray[np.float64], " step"]:
    """Return the charges on a kWh bought from another home in every step of a period.

    Args:
        prices: Price components of the period, as in `Profiles.prices`.
        tariff: Tariff of the scenario.
    """
    fee = local_grid_fee(
        prices["network"],
        prices["levies"],
        tariff.component(NetworkCharge).local_share,
        tariff.component(Levies).local_levies,
        vat_rate(tariff),
    )
    surcharges = surcharge_series(prices)
    if surcharges:
        fee = fee + surcharges["imported"] + surcharges["bought_locally"]
    return np.asarray(fee)
