"""What the grid side charges and pays: prices, charges by the name they have on a bill, and fees."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from prosumax.scenario.schema.base import Fraction, HourOfDay, StrictModel, NonNegative
from prosumax.scenario.schema.generation import GenerationSource
from prosumax.scenario.schema.marlem import MarlemPrice
from prosumax.scenario.schema.sources import CityLearnSource, TableSource, ValuesSource


class PriceWindow(StrictModel):
    """Hours of the day with their own price, local time; `to_hour` is the first hour that is out again."""

    price: float
    from_hour: HourOfDay
    to_hour: HourOfDay
    days: Literal["all", "weekdays", "weekend"] = "all"


class TimeOfUsePrice(StrictModel):
    """A price that depends on the clock; of two windows that overlap the later one counts."""

    source: Literal["time_of_use"]
    default: float
    windows: Annotated[list[PriceWindow], Field(min_length=1)]


class DayAheadPrice(StrictModel):
    """A price that follows the day-ahead market, also below zero: `factor` times the market price, plus `plus`."""

    source: Literal["day_ahead"]
    factor: float = 1.0
    offset: float = 0.0
    """Per kWh; below zero in most contracts for feed-in."""
    file: Path | None = None
    """Table of market prices; typical Belgian days when absent."""
    column: str | None = None
    time_column: str | None = None
    time_zone: str | None = None
    price_per: Literal["MWh", "kWh"] = "MWh"
    """Of the prices in the file."""


def _price_kind(raw: Any) -> str | None:
    if isinstance(raw, dict):
        return raw.get("source")
    return getattr(raw, "source", "number")


def _fee_tag(raw: Any) -> str:
    return "parts" if isinstance(raw, dict) else "amount"


def _charge_tag(raw: Any) -> str:
    return "parts" if isinstance(raw, dict) and "source" not in raw else "price"


Price = Annotated[
    Annotated[float, Tag("number")]
    | Annotated[TimeOfUsePrice, Tag("time_of_use")]
    | Annotated[MarlemPrice, Tag("marlem")]
    | Annotated[TableSource, Tag("table")]
    | Annotated[CityLearnSource, Tag("citylearn")]
    | Annotated[ValuesSource, Tag("values")]
    | Annotated[GenerationSource, Tag("generation")]
    | Annotated[DayAheadPrice, Tag("day_ahead")],
    Discriminator(_price_kind),
]
"""A number, or a table with a `source`: time_of_use, day_ahead, marlem, table, citylearn, values or generation."""

ChargeComponents = Annotated[dict[str, Price], Field(min_length=1)]
Charge = Annotated[
    Annotated[Price, Tag("price")] | Annotated[ChargeComponents, Tag("parts")], Discriminator(_charge_tag)
]
"""A price, or several by the name that each has on the bill."""

Fee = Annotated[
    Annotated[NonNegative, Tag("amount")]
    | Annotated[dict[str, NonNegative], Field(min_length=1), Tag("parts")],
    Discriminator(_fee_tag),
]
"""An amount, or several by the name that each has on the bill."""

Share = Annotated[
    Annotated[Fraction, Tag("amount")]
    | Annotated[dict[str, Fraction], Field(min_length=1), Tag("parts")],
    Discriminator(_fee_tag),
]
"""A share, or one for each locality."""


class TariffConfig(StrictModel):
    """What the grid side charges and pays, in `currency` per kWh before VAT.

    A kWh from the supplier costs (energy + network + levies) * (1 + vat).
    """

    currency: str = "EUR"
    description: str = ""
    """Whose tariff this is, and of when; stands on the bill."""
    energy: Charge
    """The supplier's price per kWh."""
    network: Charge = 0.0
    """Network charge per kWh."""
    levies: Charge = 0.0
    """Levies and excise per kWh."""
    vat_exempt_levies: Charge = 0.0
    """Levies per kWh on which no VAT is due."""
    feed_in: Price
    """Paid to the home per kWh sent to the grid."""
    vat: Fraction = 0.0
    supplier_fee_per_year: Fee = 0.0
    """Fixed fee per home, before VAT."""
    network_fee_per_year: Fee = 0.0
    """Fixed fee per home, before VAT."""
    levies_per_year: Fee = 0.0
    """Fixed levy per home, before VAT."""
    capacity_charge_per_kw_year: NonNegative = 0.0
    """For the mean of the monthly peaks (highest mean import of a quarter-hour), per kW and year, before VAT."""
    min_billed_peak_kw: NonNegative = 0.0
    """A month's peak counts as this at least (2.5 kW in Flanders)."""
    prosumer_fee_per_kw_year: NonNegative = 0.0
    """Network fee of homes with `net_metering_kw`, per kW and year, before VAT."""
    local_network_share: Share = 1.0
    """Share of the network charge due on energy bought from a neighbour; or one for each `locality` there is."""
    locality: str | None = None
    """How near the neighbours are, one of the names in `local_network_share` (Brussels: A, B, C, D)."""
    local_levies_share: Fraction = 1.0
    """Share of the levies due on energy bought from a neighbour."""
    emission_factor_kg_per_kwh: Price | None = None
    """Carbon intensity of grid electricity; emissions are unknown without it."""

    @model_validator(mode="after")
    def _locality_is_known(self) -> "TariffConfig":
        shares = self.local_network_share
        if isinstance(shares, dict) and self.locality not in shares:
            raise ValueError(
                f"`locality` must be one of {', '.join(shares)}, the names in `local_network_share`"
            )
        if self.locality is not None and not isinstance(shares, dict):
            raise ValueError(
                "`locality` needs a share for each locality in `local_network_share`, such as {A: 0, B: 0.5}"
            )
        return self

    @property
    def resolved_local_network_share(self) -> float:
        """Share of the network charge due on energy bought from a neighbour."""
        shares = self.local_network_share
        return shares[self.locality or ""] if isinstance(shares, dict) else shares

    @property
    def price_entries(self) -> list[tuple[str, str, Any]]:
        """Every price: its field, the name it has on a bill, and the price; carbon intensity is none."""
        fields = ("energy", "network", "levies", "vat_exempt_levies", "feed_in")
        return [
            (field, name, price)
            for field in fields
            for name, price in charge_components(field, getattr(self, field)).items()
        ]


def charge_components(field: str, charge: Any) -> dict[str, Any]:
    """A charge or a fee by the name that each of its parts has on the bill; what is nothing has no parts."""
    if isinstance(charge, dict):
        return charge
    return {} if charge == 0 else {BILL_ITEM_LABELS[field]: charge}


def total_fee(fee: float | dict[str, float]) -> float:
    """A fee with all its parts."""
    return sum(fee.values()) if isinstance(fee, dict) else fee


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
"""What a charge or fee without parts is called on the bill."""
