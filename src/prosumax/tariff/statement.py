"""Itemized bill statements: quantity, price, amount and VAT of each line, by receiver."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.numerics import ENERGY_TOLERANCE_KWH, MONEY_TOLERANCE

Array = NDArray[np.float64]

RECEIVERS = ("supplier", "network_operator", "government", "mechanism", "community")
"""Receivers of bill lines; all VAT goes to the government."""

_MAX_PRICE_LINES = 6
"""Charges with more distinct prices have a single line with the mean price."""

_TOTALS = ("amount", "vat", "total")


@dataclass(frozen=True)
class StatementLine:
    """One line of a statement.

    Attributes:
        receiver: One of `RECEIVERS`.
        item: Label of the charge.
        quantity: Charged quantity; 0 for a lump sum.
        unit: Unit of the quantity ("kWh", "kW", "month", "year"); empty for a lump sum.
        price: Price per unit before VAT; None for a lump sum.
        is_mean_price: Whether the price varies and `price` is its mean.
        amount: Amount before VAT; negative amounts reduce the bill.
        vat: VAT on the amount.
    """

    receiver: str
    item: str
    quantity: float
    unit: str
    price: float | None
    is_mean_price: bool
    amount: float
    vat: float


@dataclass(frozen=True)
class BillStatement:
    """The itemized bill of one home.

    Attributes:
        home: Name of the home.
        tariff: Description of the tariff.
        currency: Currency of all amounts.
        first_day: First local day of the period.
        last_day: Last local day of the period.
        days: Length of the period in days.
        vat_rate: VAT rate on lines that bear VAT.
        import_kwh: Import at the home's meter.
        export_kwh: Export at the home's meter.
        netted_kwh: Grid purchases offset by net metering.
        lines: Lines in the order of `RECEIVERS`.
    """

    home: str
    tariff: str
    currency: str
    first_day: str
    last_day: str
    days: float
    vat_rate: float
    import_kwh: float
    export_kwh: float
    netted_kwh: float
    lines: list[StatementLine]

    @property
    def amount(self) -> float:
        """Sum of all amounts before VAT."""
        return sum(line.amount for line in self.lines)

    @property
    def vat(self) -> float:
        """Sum of all VAT."""
        return sum(line.vat for line in self.lines)

    @property
    def total(self) -> float:
        """Amount to pay; negative when the home is paid."""
        return self.amount + self.vat


def statement_to_json(statement: BillStatement) -> dict[str, object]:
    """Convert a statement to JSON content, with its three totals."""
    totals = {name: getattr(statement, name) for name in _TOTALS}
    return asdict(statement) | totals


def statement_from_json(content: dict[str, Any]) -> BillStatement:
    """Restore a statement from the content of `statement_to_json`."""
    fields = {name: value for name, value in content.items() if name not in _TOTALS}
    lines = [StatementLine(**line) for line in content["lines"]]
    return BillStatement(**fields | {"lines": lines})


def kwh_lines(
    receiver: str,
    item: str,
    kwh: Float[Array, " step"],
    price: Float[Array, " step"],
    vat: float,
    labels: Mapping[float, str],
    netted: tuple[Float[Array, " register"], Float[Array, " register"]] | None = None,
) -> list[StatementLine]:
    """Create the lines of a charge per kWh, one per price, or one with the mean of many prices.

    Args:
        receiver: One of `RECEIVERS`.
        item: Label of the charge.
        kwh: Charged energy in each step.
        price: Price before VAT in each step.
        vat: VAT rate.
        labels: Description of the hours in which each price applies.
        netted: Energy offset by net metering and its price, per register.
    """
    prices, group = np.unique(price, return_inverse=True)
    if len(prices) > _MAX_PRICE_LINES:
        return mean_line(receiver, item, kwh, price, vat)
    billed_kwh = np.bincount(group, kwh, len(prices))
    if netted is not None:
        netted_kwh, netted_price = netted
        netted_group = np.searchsorted(prices, netted_price)
        billed_kwh = billed_kwh - np.bincount(netted_group, netted_kwh, len(prices))
    lines = []
    for value, quantity in zip(prices.tolist(), billed_kwh.tolist(), strict=True):
        label = item if len(prices) == 1 else f"{item}, {labels.get(value, 'other hours')}"
        lines += _energy_line(receiver, label, quantity, quantity * value, vat)
    return lines


def mean_line(
    receiver: str, item: str, kwh: Float[Array, " step"], price: Float[Array, " step"], vat: float
) -> list[StatementLine]:
    """Create the line of a charge per kWh with its mean price; none where it is negligible.

    Args:
        receiver: One of `RECEIVERS`.
        item: Label of the charge.
        kwh: Charged energy in each step.
        price: Price before VAT in each step.
        vat: VAT rate.
    """
    varies = bool(np.ptp(price) > 0)
    return _energy_line(receiver, item, float(kwh.sum()), float(kwh @ price), vat, varies)


def fixed_line(
    receiver: str, item: str, quantity: float, unit: str, price: float, vat: float
) -> list[StatementLine]:
    """Create the line of a fee; none where it is negligible.

    Args:
        receiver: One of `RECEIVERS`.
        item: Label of the fee.
        quantity: Charged quantity.
        unit: Unit of the quantity.
        price: Price per unit before VAT.
        vat: VAT rate.
    """
    amount = quantity * price
    if abs(amount) < MONEY_TOLERANCE:
        return []
    return [StatementLine(receiver, item, quantity, unit, price, False, amount, amount * vat)]


def money_line(receiver: str, item: str, amount: float, kwh: float = 0.0) -> list[StatementLine]:
    """Create the line of a sum without VAT; none where it is negligible.

    Args:
        receiver: One of `RECEIVERS`.
        item: Label of the sum.
        amount: Amount of money.
        kwh: Energy that the amount pays for, which gives the line a mean price.
    """
    if abs(kwh) >= ENERGY_TOLERANCE_KWH:
        return [StatementLine(receiver, item, kwh, "kWh", amount / kwh, True, amount, 0.0)]
    if abs(amount) < MONEY_TOLERANCE:
        return []
    return [StatementLine(receiver, item, 0.0, "", None, False, amount, 0.0)]


def lump_sum_line(receiver: str, item: str, amount: float, vat: float) -> list[StatementLine]:
    """Create the line of a sum with VAT; none where it is negligible.

    Args:
        receiver: One of `RECEIVERS`.
        item: Label of the sum.
        amount: Amount of money before VAT.
        vat: VAT rate.
    """
    if abs(amount) < MONEY_TOLERANCE:
        return []
    return [StatementLine(receiver, item, 0.0, "", None, False, amount, amount * vat)]


def _energy_line(
    receiver: str,
    item: str,
    kwh: float,
    amount: float,
    vat: float,
    is_mean_price: bool = False,
) -> list[StatementLine]:
    if abs(kwh) < ENERGY_TOLERANCE_KWH and abs(amount) < MONEY_TOLERANCE:
        return []
    price = amount / kwh if kwh else None
    return [StatementLine(receiver, item, kwh, "kWh", price, is_mean_price, amount, amount * vat)]
