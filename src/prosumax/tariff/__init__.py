"""Tariffs: what the outside world charges and pays, and the bill of every home with each component named."""

from prosumax.tariff.bill import Bill, TariffRates, TariffSeries, grid_prices, receipts, settle_step
from prosumax.tariff.capacity import (
    METERING_INTERVAL_HOURS,
    MeterCalendar,
    capacity_charge,
    meter_calendar,
    monthly_peaks,
)
from prosumax.tariff.net_metering import NetMeteringResult, apply_net_metering, assign_registers
from prosumax.tariff.statement import StatementLine, BillStatement, statement_from_json, statement_to_json

__all__ = [
    "METERING_INTERVAL_HOURS",
    "Bill",
    "NetMeteringResult",
    "StatementLine",
    "MeterCalendar",
    "BillStatement",
    "TariffRates",
    "TariffSeries",
    "capacity_charge",
    "apply_net_metering",
    "meter_calendar",
    "monthly_peaks",
    "grid_prices",
    "receipts",
    "assign_registers",
    "settle_step",
    "statement_from_json",
    "statement_to_json",
]
