"""Tariffs: what the outside world charges and pays, and the bill of every home with each component named."""

from prosumax.tariff.bill import Bill, TariffRates, TariffSeries, offered_prices, receipts, settle
from prosumax.tariff.capacity import (
    METERED_HOURS,
    Metering,
    capacity_charge,
    metering,
    monthly_peaks,
)
from prosumax.tariff.net_metering import Compensation, compensate, registers
from prosumax.tariff.statement import Line, Statement, statement_from_json, statement_to_json

__all__ = [
    "METERED_HOURS",
    "Bill",
    "Compensation",
    "Line",
    "Metering",
    "Statement",
    "TariffRates",
    "TariffSeries",
    "capacity_charge",
    "compensate",
    "metering",
    "monthly_peaks",
    "offered_prices",
    "receipts",
    "registers",
    "settle",
    "statement_from_json",
    "statement_to_json",
]
