"""Base class of tariff components, and the data from which they compute a bill."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from prosumax.data.sources.prices.time_of_use import TimeOfUsePrice
from prosumax.scenario.schema.tariff import (
    Price,
    TariffConfig,
    TariffFields,
    charge_components,
)
from prosumax.tariff.capacity import MeterCalendar
from prosumax.tariff.net_metering import NetMeteringResult
from prosumax.tariff.statement import RECEIVERS, StatementLine, fixed_line, kwh_lines, mean_line

Array = NDArray[np.float64]

Receiver = Literal["supplier", "network_operator", "government", "mechanism", "community"]
"""Receiver of the money of a component."""

StepItem = Literal["energy", "network", "levies", "feed_in", "supplier_fee", "network_fee", "vat"]
"""Item of `prosumax.tariff.Bill`."""

EnergyBasis = Literal["imported", "exported", "bought", "sold", "bought_locally", "sold_locally"]
"""Energy that a charge per kWh is due on.

`imported` and `exported` are readings of the meter, `bought` and `sold` are trades with the
supplier, and `bought_locally` and `sold_locally` are trades between homes.
"""

ENERGY_BASES: tuple[EnergyBasis, ...] = (
    "imported",
    "exported",
    "bought",
    "sold",
    "bought_locally",
    "sold_locally",
)
"""All values of `EnergyBasis`."""


class TariffPrices(NamedTuple):
    """A tariff with the series of its prices.

    Attributes:
        tariff: Tariff of all homes.
        series: Prices per kWh by field of the tariff and by label on the bill.
        num_steps: Number of steps of the period.
    """

    tariff: TariffConfig
    series: Mapping[str, Mapping[str, Float[Array, " step"]]]
    num_steps: int

    def constant(self, price: float) -> Float[Array, " step"]:
        """Return a price that is the same in every step.

        Args:
            price: Price per kWh.
        """
        return np.full(self.num_steps, price)


class PriceEntry(NamedTuple):
    """An entry of a price field.

    Attributes:
        label: Label on the bill.
        price: Price in each step.
        hour_labels: Description of the hours in which a price applies, by price.
    """

    label: str
    price: Float[Array, " step"]
    hour_labels: Mapping[float, str]


class EnergyCharge(NamedTuple):
    """A charge per kWh, which has a line of its own on the bill.

    Attributes:
        label: Label on the bill.
        price: Price before VAT in each step; negative pays the home.
        basis: Energy that the charge is due on.
        hour_labels: Description of the hours in which a price applies, by price.
    """

    label: str
    price: Float[Array, " step"]
    basis: EnergyBasis
    hour_labels: Mapping[float, str] = {}


@dataclass(frozen=True)
class BillingPeriod:
    """Period of a bill, with everything that does not depend on the energy.

    Attributes:
        prices: Tariff of all homes and its prices.
        years: Length of the period in years; `home_years` is the multiple of annual fees.
        step_hours: Length of a step.
        calendar: Month and metering interval of each step.
        month_coverage: Fraction of each calendar month that the period covers.
        vat: VAT rate on components that bear VAT.
        net_metering_kw: Inverter power of homes with net metering, 0 for others.
        has_solar: Homes with a PV system.
        membership: Share of the covered part of each month in which each home is a member; None
            where every home always is.
    """

    prices: TariffPrices
    years: float
    step_hours: float
    calendar: MeterCalendar
    month_coverage: Float[Array, " month"]
    vat: float
    net_metering_kw: Float[Array, " home"]
    has_solar: Bool[NDArray[np.bool_], " home"]
    membership: Float[Array, "month home"] | None = None

    @property
    def num_homes(self) -> int:
        """Number of homes."""
        return len(self.net_metering_kw)

    @property
    def home_months(self) -> Float[Array, "month home"]:
        """Fraction of each calendar month that each home is billed for."""
        months = np.tile(self.month_coverage[:, None], self.num_homes)
        return months if self.membership is None else months * self.membership

    @property
    def home_years(self) -> Float[Array, " home"]:
        """Years that each home is billed for, the multiple of annual fees."""
        if self.membership is None:
            return np.full(self.num_homes, self.years)
        steps = np.bincount(self.calendar.month)
        share: Array = steps @ self.membership / steps.sum()
        return self.years * share

    def mean_of_months(self, values: Float[Array, "month home"]) -> Float[Array, " home"]:
        """Return the mean over the months, weighted by the part that each home is billed for.

        Args:
            values: Values of each month.
        """
        months = self.home_months
        total = months.sum(0)
        mean: Array = (months * values).sum(0) / np.where(total > 0, total, 1.0)
        return mean

    def by_month(self, values: Float[Array, "step home"]) -> Float[Array, "month home"]:
        """Sum a series over each calendar month.

        Args:
            values: Values of each step.
        """
        sums = np.zeros((len(self.month_coverage), values.shape[1]))
        np.add.at(sums, self.calendar.month, values)
        return sums


@dataclass(frozen=True)
class MeteredEnergy:
    """Energy of all homes in each step, kWh, all >= 0.

    Attributes:
        imported: Import at the meters.
        exported: Export at the meters.
        bought: Energy bought from the supplier.
        sold: Energy sold to the supplier.
        bought_locally: Energy bought from other homes.
        sold_locally: Energy sold to other homes.
        is_shared: Whether the homes are members of a community with a market mechanism.
        net_metering: Energy offset by net metering; None where no home has it.
    """

    imported: Float[Array, "step home"]
    exported: Float[Array, "step home"]
    bought: Float[Array, "step home"]
    sold: Float[Array, "step home"]
    bought_locally: Float[Array, "step home"]
    sold_locally: Float[Array, "step home"]
    is_shared: bool
    net_metering: NetMeteringResult | None = None

    def on(self, basis: EnergyBasis) -> Float[Array, "step home"]:
        """Return the energy that a charge is due on.

        Args:
            basis: Energy that the charge is due on.
        """
        energy: Array = getattr(self, basis)
        return energy


class PlanTerms(NamedTuple):
    """Costs of a component that optimal plans consider beside its charges per kWh, before VAT.

    Attributes:
        fixed_fee: Fee of each home over the period.
        member_fee: Fee of each member of a community over the period; homes alone do not pay it.
        peak_price: Price per kW of each month's highest import; None without a charge on peaks.
        min_peak_kw: Lowest peak that is billed; all charges on peaks share the highest one.
    """

    fixed_fee: Float[Array, " home"] | float = 0.0
    member_fee: Float[Array, " home"] | float = 0.0
    peak_price: Float[Array, " month"] | None = None
    min_peak_kw: float = 0.0


class TariffComponent(TariffFields):
    """A charge of a tariff: its fields, its amount, its lines on the bill, and its cost in plans.

    A subclass declares fields of pydantic, which become fields of `tariff` in a scenario, the class
    attributes below, and as many of the methods as it needs:

    - A charge per kWh returns it in `energy_charges`. The rest follows: the price that homes and
      markets see, the amount, the lines on the bill, and the price in optimal plans.
    - Any other charge overrides `amount` and `lines`, and `plan_terms` for optimal plans.

    Register the class with `tariff_components.register(name, summary)`.

    Attributes:
        item: Key of the amount in `bill_items` of a home, which no other component has.
        title: Heading of the amount in tables.
        receiver: Receiver of the money.
        bears_vat: Whether VAT is due on the amount.
        step_item: Item of the bill of a step that contains the charge. Only components that ship
            have one; the charges per kWh of others are added to the prices of a step.
    """

    title: ClassVar[str]
    receiver: ClassVar[Receiver]
    bears_vat: ClassVar[bool] = True
    step_item: ClassVar[StepItem | None] = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        """Check the class attributes.

        Raises:
            TypeError: An attribute is missing or invalid.
        """
        super().__pydantic_init_subclass__(**kwargs)
        missing = [name for name in ("item", "title", "receiver") if not getattr(cls, name, "")]
        if missing:
            raise TypeError(f"{cls.__name__} must define the class attribute `{missing[0]}`.")
        if cls.receiver not in RECEIVERS:
            raise TypeError(
                f"{cls.__name__}.receiver is {cls.receiver!r}; it must be one of "
                f"{', '.join(RECEIVERS)}."
            )

    def energy_charges(self, prices: TariffPrices) -> Iterable[EnergyCharge]:
        """Return the charges per kWh.

        Args:
            prices: Tariff of all homes and its prices, among them those of `price_fields`.
        """
        return ()

    def amount(self, period: BillingPeriod, energy: MeteredEnergy) -> Float[Array, " home"]:
        """Return the charge of each home over the period, before VAT.

        Args:
            period: Period of the bill.
            energy: Energy of all homes.
        """
        total = np.zeros(period.num_homes)
        for charge in self.energy_charges(period.prices):
            total += charge.price @ energy.on(charge.basis)
        return total

    def lines(
        self, period: BillingPeriod, energy: MeteredEnergy, home: int
    ) -> Iterable[StatementLine]:
        """Return the lines on the bill of a home, which add up to its amount.

        Args:
            period: Period of the bill.
            energy: Energy of all homes.
            home: Position of the home.
        """
        vat = self.vat_rate(period)
        for charge in self.energy_charges(period.prices):
            kwh = energy.on(charge.basis)[:, home]
            if charge.basis != "bought":
                yield from mean_line(self.receiver, charge.label, kwh, charge.price, vat)
                continue
            netted = None
            if energy.net_metering is not None and self.step_item is not None:
                _, first = np.unique(energy.net_metering.register, return_index=True)
                netted = (energy.net_metering.netted_kwh[:, home], charge.price[first])
            yield from kwh_lines(
                self.receiver, charge.label, kwh, charge.price, vat, charge.hour_labels, netted
            )

    def plan_terms(self, period: BillingPeriod) -> PlanTerms | None:
        """Return the costs that optimal plans consider beside the charges per kWh.

        None leaves the component out of optimal plans, since a linear program cannot express it;
        the objective of a run is then reported without it.

        Args:
            period: Period of the bill.
        """
        return PlanTerms()

    def notes(self, step_minutes: int) -> Iterable[str]:
        """Return remarks on the bills for the user.

        Args:
            step_minutes: Length of a step.
        """
        return ()

    def vat_rate(self, period: BillingPeriod) -> float:
        """Return the VAT rate on the component.

        Args:
            period: Period of the bill.
        """
        return period.vat if self.bears_vat else 0.0

    def price_entries(self, field: str, prices: TariffPrices) -> list[PriceEntry]:
        """Return the entries of a price field.

        Args:
            field: One of `price_fields`.
            prices: Tariff of all homes and its prices.
        """
        specified = charge_components(getattr(self, field), self.bill_labels[field])
        return [
            PriceEntry(label, price, _hour_labels(specified[label]))
            for label, price in prices.series[field].items()
        ]

    def fee_lines(
        self, field: str, quantity: float, unit: str, period: BillingPeriod
    ) -> Iterable[StatementLine]:
        """Return the lines of a fee, one for each of its entries.

        Args:
            field: Field with the fee per unit.
            quantity: Charged quantity.
            unit: Unit of the quantity.
            period: Period of the bill.
        """
        vat = self.vat_rate(period)
        entries = charge_components(getattr(self, field), self.bill_labels[field])
        for label, fee in entries.items():
            yield from fixed_line(self.receiver, label, quantity, unit, fee, vat)


def tariff_parts(tariff: TariffConfig) -> list[TariffComponent]:
    """Return the components of a tariff in the order of the bill.

    Args:
        tariff: Tariff of a scenario.
    """
    return [part for part in tariff.components if isinstance(part, TariffComponent)]


def charges_with_local_share(entries: list[PriceEntry], local_share: float) -> list[EnergyCharge]:
    """Return charges on energy from the supplier, and their part that is due on local energy.

    Args:
        entries: Prices on energy from the supplier.
        local_share: Fraction of the prices due on energy bought from other homes.
    """
    charges = [EnergyCharge(label, price, "bought", hours) for label, price, hours in entries]
    if local_share:
        suffix = "shared" if local_share == 1 else f"shared at {100 * local_share:g} %"
        charges += [
            EnergyCharge(f"{label}, {suffix}", price * local_share, "bought_locally")
            for label, price, _ in entries
        ]
    return charges


def _hour_labels(price: Price) -> dict[float, str]:
    """Return the hours in which each price of a time-of-use tariff applies, by price."""
    if not isinstance(price, TimeOfUsePrice):
        return {}
    hours: dict[float, list[str]] = {}
    for window in price.windows:
        days = "" if window.days == "all" else f" on {window.days}"
        label = f"{window.from_hour}-{window.to_hour} h{days}"
        hours.setdefault(window.price, []).append(label)
    return {
        value: " and ".join(labels) for value, labels in hours.items() if value != price.default
    }
