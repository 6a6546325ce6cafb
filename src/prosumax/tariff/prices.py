"""Prices per kWh that follow from the components of a tariff."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from prosumax.scenario.schema.tariff import TariffConfig

T = TypeVar("T", Array, NDArray[np.float64])


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


def retail_price_series(
    prices: Mapping[str, NDArray[np.float64]], tariff: TariffConfig
) -> Float[NDArray[np.float64], " step"]:
    """Return the retail price in every step of a period.

    Args:
        prices: Price components of the period, as in `Profiles.prices`.
        tariff: Tariff of the scenario.
    """
    return np.asarray(
        retail_price(prices["energy"], prices["network"], prices["levies"], tariff.vat)
    )


def local_grid_fee_series(
    prices: Mapping[str, NDArray[np.float64]], tariff: TariffConfig
) -> Float[NDArray[np.float64], " step"]:
    """Return the local grid fee in every step of a period.

    Args:
        prices: Price components of the period, as in `Profiles.prices`.
        tariff: Tariff of the scenario.
    """
    return np.asarray(
        local_grid_fee(
            prices["network"],
            prices["levies"],
            tariff.local_network_share,
            tariff.local_levies,
            tariff.vat,
        )
    )
