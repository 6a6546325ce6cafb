"""A bill as it arrives: lines with a quantity, a price, an amount and VAT, by who receives the money."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

Array = NDArray[np.float64]

RECEIVERS = ("supplier", "network_operator", "government", "mechanism")
"""Who a line is paid to; all VAT goes to the government."""

_MOST_PRICES = (
    6  # of one charge with a line each; a price that changes more often has one line with its mean
)
_DUST = 1e-5  # of a kWh or of a unit of money: what single precision leaves, not worth a line


@dataclass(frozen=True)
class StatementLine:
    """One line of a bill.

    Attributes:
        receiver: one of `RECEIVERS`.
        item: what is charged; lines below zero lower the bill.
        quantity, unit: how much of what ("kWh", "kW", "year"); 0 and "" for a sum of money.
        price: per unit, before VAT; None for a sum of money.
        mean: whether the price changes and this is its mean.
        amount: before VAT.
        vat: on it.
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
    """The bill of one home.

    Attributes:
        home: its name.
        tariff: description of the tariff.
        currency: of the amounts.
        first, last: local days of the period.
        days: of the period.
        vat_rate: on the lines that bear VAT.
        taken_kwh, sent_kwh: at the home's meter.
        cancelled_kwh: purchases from the grid that net metering cancels.
        lines: in the order of `RECEIVERS`.
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
        """Before VAT."""
        return sum(line.amount for line in self.lines)

    @property
    def vat(self) -> float:
        """All VAT."""
        return sum(line.vat for line in self.lines)

    @property
    def total(self) -> float:
        """What the home pays; negative when it is paid."""
        return self.amount + self.vat


def statement_to_json(statement: BillStatement) -> dict[str, Any]:
    """Plain content, with the three totals."""
    totals = {"amount": statement.amount, "vat": statement.vat, "total": statement.total}
    return asdict(statement) | totals


def statement_from_json(content: dict[str, Any]) -> BillStatement:
    """The statement that `statement_to_json` wrote."""
    fields = {
        name: value for name, value in content.items() if name not in ("amount", "vat", "total")
    }
    return BillStatement(**fields | {"lines": [StatementLine(**line) for line in content["lines"]]})


def kwh_lines(
    receiver: str,
    item: str,
    kwh: Float[Array, " step"],
    price: Float[Array, " step"],
    vat: float,
    labels: dict[float, str],
    cancelled: tuple[Float[Array, " register"], Float[Array, " register"]] | None = None,
) -> list[StatementLine]:
    """The lines of one charge per kWh: one for each price if there are few, otherwise one with the mean price.

    Arguments:
        receiver, item: as in `Line`.
        kwh: charged in each step.
        price: before VAT, in each step.
        vat: rate.
        labels: price -> when it holds.
        cancelled: kWh that net metering takes off, and their price, per register.
    """
    values, group = np.unique(price, return_inverse=True)
    off_kwh, off_price = cancelled if cancelled is not None else (np.zeros(0), np.zeros(0))
    if len(values) > _MOST_PRICES:
        return mean_line(receiver, item, kwh, price, vat)
    billed = np.bincount(group, kwh, len(values)) - np.bincount(
        np.searchsorted(values, off_price), off_kwh, len(values)
    )
    several = len(values) > 1
    return [
        line
        for value, quantity in zip(values.tolist(), billed.tolist(), strict=True)
        for name in [f"{item}, {labels.get(value, 'other hours')}" if several else item]
        for line in _line(receiver, name, quantity, quantity * value, vat)
    ]


def mean_line(
    receiver: str, item: str, kwh: Float[Array, " step"], price: Float[Array, " step"], vat: float
) -> list[StatementLine]:
    """The one line of a charge per kWh whose price may change."""
    return _line(
        receiver, item, float(kwh.sum()), float(kwh @ price), vat, mean=bool(np.ptp(price) > 0)
    )


def _line(
    receiver: str, item: str, quantity: float, money: float, vat: float, mean: bool = False
) -> list[StatementLine]:
    if abs(quantity) < _DUST and abs(money) < _DUST:
        return []
    price = money / quantity if quantity else None
    return [StatementLine(receiver, item, quantity, "kWh", price, mean, money, money * vat)]


def fixed_line(
    receiver: str, item: str, quantity: float, unit: str, price: float, vat: float
) -> list[StatementLine]:
    """The line of a fee, if it is anything."""
    money = quantity * price
    return (
        [StatementLine(receiver, item, quantity, unit, price, False, money, money * vat)]
        if abs(money) >= _DUST
        else []
    )


def money_line(receiver: str, item: str, money: float, kwh: float = 0.0) -> list[StatementLine]:
    """The line of a sum free of VAT; with energy behind it, its mean price per kWh."""
    if abs(money) < _DUST and abs(kwh) < _DUST:
        return []
    if abs(kwh) < _DUST:
        return [StatementLine(receiver, item, 0.0, "", None, False, money, 0.0)]
    return [StatementLine(receiver, item, kwh, "kWh", money / kwh, True, money, 0.0)]
