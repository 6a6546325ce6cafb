"""Tariffs: what the outside world charges and pays, and the bill of every home with each component named."""

from prosumax.tariff.bill import Bill, TariffRates, TariffSeries, offered_prices, receipts, settle
from prosumax.tariff.capacity import capacity_charge, month_hours

__all__ = [
    "Bill",
    "TariffRates",
    "TariffSeries",
    "capacity_charge",
    "month_hours",
    "offered_prices",
    "receipts",
    "settle",
]
