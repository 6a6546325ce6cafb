"""Schema of tariffs: prices, charges and fees of supplier, network operator and government."""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Discriminator, Field, Tag, model_validator

from prosumax.scenario.schema.base import (
    DayType,
    Fraction,
    HourOfDay,
    NonNegative,
    StrictModel,
)
from prosumax.scenario.schema.generation import GenerationSource
from prosumax.scenario.schema.marlem import MarlemPrice
from prosumax.scenario.schema.sources import CityLearnSource, TableSource, ValuesSource

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


class PriceWindow(StrictModel):
    """Local hours with a price of their own, from `from_hour` until just before `to_hour`."""

    price: float
    from_hour: HourOfDay
    to_hour: HourOfDay
    days: DayType = "all"


class TimeOfUsePrice(StrictModel):
    """A price that depends on the time of day; the last of overlapping windows applies."""

    source: Literal["time_of_use"]
    default: float
    """Price outside all windows."""
    windows: Annotated[list[PriceWindow], Field(min_length=1)]


class DayAheadPrice(StrictModel):
    """A price linked to the day-ahead market: `factor` times the market price plus `offset`."""

    source: Literal["day_ahead"]
    factor: float = 1.0
    offset: float = 0.0
    """Per kWh; negative in most contracts for feed-in."""
    file: Path | None = None
    """Table of market prices; typical Belgian days when absent."""
    column: str | None = None
    time_column: str | None = None
    time_zone: str | None = None
    price_per: Literal["MWh", "kWh"] = "MWh"
    """Energy unit of the prices in the file."""


T = TypeVar("T")


def _price_tag(raw: object) -> str | None:
    tag: str | None = getattr(raw, "source", "number")
    if isinstance(raw, dict):
        tag = raw.get("source")
    return tag


def _fee_tag(raw: object) -> str:
    return "components" if isinstance(raw, dict) else "amount"


def _charge_tag(raw: object) -> str:
    return "components" if isinstance(raw, dict) and "source" not in raw else "price"


Price = Annotated[
    Annotated[float, Tag("number")]
    | Annotated[TimeOfUsePrice, Tag("time_of_use")]
    | Annotated[MarlemPrice, Tag("marlem")]
    | Annotated[TableSource, Tag("table")]
    | Annotated[CityLearnSource, Tag("citylearn")]
    | Annotated[ValuesSource, Tag("values")]
    | Annotated[GenerationSource, Tag("generation")]
    | Annotated[DayAheadPrice, Tag("day_ahead")],
    Discriminator(_price_tag),
]
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
