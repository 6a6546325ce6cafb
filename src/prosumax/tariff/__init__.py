"""Tariffs: charges of the grid, and the bill of every home with all its items.

Each charge is a class in `components`. `bill` runs inside a simulation step; the other modules
settle the period afterward.
"""

from prosumax.scenario.schema.tariff import Charge, Fee, Price, tariff_components
from prosumax.tariff.bill import (
    Bill,
    Surcharges,
    TariffRates,
    TariffSeries,
    grid_prices,
    receipts,
    settle_step,
    tariff_rates,
    tariff_series,
)
from prosumax.tariff.capacity import (
    METERING_INTERVAL_HOURS,
    MeterCalendar,
    capacity_charge,
    meter_calendar,
    month_membership,
    monthly_peaks,
)
from prosumax.tariff.component import (
    BillingPeriod,
    EnergyCharge,
    MeteredEnergy,
    PlanTerms,
    TariffComponent,
    TariffPrices,
)
from prosumax.tariff.net_metering import (
    NetMeteringResult,
    apply_net_metering,
    assign_registers,
)
from prosumax.tariff.prices import (
    export_price_series,
    local_grid_fee,
    local_grid_fee_series,
    price_series,
    retail_price,
    retail_price_series,
    seller_price_series,
    vat_rate,
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
    "BillingPeriod",
    "Charge",
    "EnergyCharge",
    "Fee",
    "MeterCalendar",
    "MeteredEnergy",
    "NetMeteringResult",
    "PlanTerms",
    "Price",
    "StatementLine",
    "Surcharges",
    "TariffComponent",
    "TariffPrices",
    "TariffRates",
    "TariffSeries",
    "apply_net_metering",
    "assign_registers",
    "capacity_charge",
    "export_price_series",
    "grid_prices",
    "local_grid_fee",
    "local_grid_fee_series",
    "meter_calendar",
    "month_membership",
    "monthly_peaks",
    "price_series",
    "receipts",
    "retail_price",
    "retail_price_series",
    "seller_price_series",
    "settle_step",
    "statement_from_json",
    "statement_to_json",
    "tariff_components",
    "tariff_rates",
    "tariff_series",
    "vat_rate",
]
