"""Tariffs: charges of the grid, and the bill of every home with all its items.

`bill` runs inside a simulation step; the other modules settle the period afterward.
"""

from prosumax.tariff.bill import (
    Bill,
    TariffRates,
    TariffSeries,
    grid_prices,
    receipts,
    settle_step,
)
from prosumax.tariff.capacity import (
    METERING_INTERVAL_HOURS,
    MeterCalendar,
    capacity_charge,
    meter_calendar,
    monthly_peaks,
)
from prosumax.tariff.net_metering import (
    NetMeteringResult,
    apply_net_metering,
    assign_registers,
)
from prosumax.tariff.prices import (
    local_grid_fee,
    local_grid_fee_series,
    retail_price,
    retail_price_series,
)
from prosumax.tariff.statement import (
    BillStatement,
    StatementLine,
    statement_from_json,
    statement_to_json,
)

__all__ = [
    "METERING_INTERVAL_HOURS",
    "Bill",
    "BillStatement",
    "MeterCalendar",
    "NetMeteringResult",
    "StatementLine",
    "TariffRates",
    "TariffSeries",
    "apply_net_metering",
    "assign_registers",
    "capacity_charge",
    "grid_prices",
    "local_grid_fee",
    "local_grid_fee_series",
    "meter_calendar",
    "monthly_peaks",
    "receipts",
    "retail_price",
    "retail_price_series",
    "settle_step",
    "statement_from_json",
    "statement_to_json",
]
