"""Schema of tariffs: prices, charges and fees of supplier, network operator and government."""

from typing import Annotated, TypeVar

from pydantic import Discriminator, Field, Tag, model_validator

from prosumax.config import (
    Fraction,
    NonNegative,
    StrictModel,
)
from prosumax.data.base import Source
from prosumax.data.registry import RegisteredSource, price_sources

BILL_ITEM_LABELS = {
    "energy": "Energy",
    "network": "Network",
    "levies": "Levies",
    "vat_exempt_levies": "Levies free of VAT",
    "feed_in": "Sent to the grid",
    "supplier_fee_per_year": "Subscription",
    "network_fee_per_year": "Fixed network fee",
    "levies_per_year": "Fixed levy",
}
"""Label on the bill of a charge or fee that has no named components."""


T = TypeVar("T")


def _fee_tag(raw: object) -> str:
    return "components" if isinstance(raw, dict) else "amount"


def _charge_tag(raw: object) -> str:
    return "components" if isinstance(raw, dict) and "source" not in raw else "price"


Price = Annotated[float | Source, RegisteredSource(price_sources, or_number=True)]
"""A number, or a series with a `source`."""

ChargeComponents = Annotated[dict[str, Price], Field(min_length=1)]
Charge = Annotated[
    Annotated[Price, Tag("price")] | Annotated[ChargeComponents, Tag("components")],
    Discriminator(_charge_tag),
]
"""A price per kWh, or several by their labels on the bill."""

Fee = Annotated[
    Annotated[NonNegative, Tag("amount")]
    | Annotated[dict[str, NonNegative], Field(min_length=1), Tag("components")],
    Discriminator(_fee_tag),
]
"""An amount of money, or several by their labels on the bill."""

Share = Annotated[
    Annotated[Fraction, Tag("amount")]
    | Annotated[dict[str, Fraction], Field(min_length=1), Tag("components")],
    Discriminator(_fee_tag),
]
"""A fraction, or one for each locality."""


class TariffConfig(StrictModel):
    """Prices and charges in `currency` per kWh before VAT.

    A kWh from the supplier costs `(energy + network + levies) * (1 + vat) + vat_exempt_levies`.
    """

    currency: str = "EUR"
    description: str = ""
    """Supplier, network operator and date; printed on the bill."""
    energy: Charge
    """Price of the supplier per kWh."""
    network: Charge = 0.0
    """Network charge per kWh."""
    levies: Charge = 0.0
    """Levies and excise per kWh."""
    vat_exempt_levies: Charge = 0.0
    """Levies per kWh without VAT."""
    feed_in: Price
    """Price paid to the home per exported kWh."""
    vat: Fraction = 0.0
    """Value added tax rate."""
    supplier_fee_per_year: Fee = 0.0
    """Fixed fee per home, before VAT."""
    network_fee_per_year: Fee = 0.0
    """Fixed fee per home, before VAT."""
    levies_per_year: Fee = 0.0
    """Fixed levy per home, before VAT."""
    capacity_charge_per_kw_year: NonNegative = 0.0
    """Charge on the mean of the monthly peaks of quarter-hour import, before VAT."""
    min_billed_peak_kw: NonNegative = 0.0
    """Lower bound of a billed monthly peak (2.5 kW in Flanders)."""
    prosumer_fee_per_kw_year: NonNegative = 0.0
    """Network fee of homes with `net_metering_kw`, before VAT."""
    local_network: Share = 1.0
    """Fraction of the network charge due on local energy; or one for each `locality`."""
    locality: str | None = None
    """Proximity of the members, a name in `local_network` (Brussels: A, B, C, D)."""
    local_levies: Fraction = 1.0
    """Fraction of the levies due on local energy."""
    emission_factor_kg_per_kwh: Price | None = None
    """CO2 emission factor of grid electricity; emissions are unknown without it."""

    @model_validator(mode="after")
    def _check_locality(self) -> "TariffConfig":
        shares = self.local_network
        if isinstance(shares, dict) and self.locality not in shares:
            raise ValueError(
                f"`locality` must be one of {', '.join(shares)}, the names in `local_network`"
            )
        if self.locality is not None and not isinstance(shares, dict):
            raise ValueError(
                "`locality` requires a share for each locality in `local_network`, such as "
                "{A: 0, B: 0.5}"
            )
        return self

    @property
    def local_network_share(self) -> float:
        """Fraction of the network charge due on local energy in the community's locality."""
        shares = self.local_network
        return shares[self.locality or ""] if isinstance(shares, dict) else shares

    @property
    def price_entries(self) -> list[tuple[str, str, Price]]:
        """Field, label on the bill and specification of every price, emission factor excluded."""
        fields = ("energy", "network", "levies", "vat_exempt_levies", "feed_in")
        return [
            (field, label, price)
            for field in fields
            for label, price in charge_components(field, getattr(self, field)).items()
        ]


def charge_components(field: str, charge: T | dict[str, T]) -> dict[str, T]:
    """Return the components of a charge or fee by their labels on the bill.

    Args:
        field: Field of the tariff.
        charge: Value of that field; zero has no components.
    """
    if isinstance(charge, dict):
        return charge
    return {} if charge == 0 else {BILL_ITEM_LABELS[field]: charge}


def total_fee(fee: float | dict[str, float]) -> float:
    """Return the sum of a fee's components."""
    return sum(fee.values()) if isinstance(fee, dict) else fee
