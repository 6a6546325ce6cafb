"""KPIs of the market, of fairness and of the network, each with its value and an explanation."""

from collections.abc import Iterable
from typing import NamedTuple

from prosumax.metrics import KPI, catalog
from prosumax.report import text
from prosumax.simulation.results.result import Result

_MARKET_KPIS = (
    "welfare",
    "consumer_surplus",
    "producer_surplus",
    "budget_balance",
    "max_welfare",
    "allocative_efficiency",
    "turnover",
    "mean_price",
    "price_volatility",
    "bid_ask_gap",
    "p2p_share",
    "individual_rationality_violations",
    "seller_hhi",
    "buyer_hhi",
)
_FAIRNESS_KPIS = (
    "losing_homes",
    "lowest_saving",
    "gini",
    "relative_saving_gini",
    "jain",
    "min_max_ratio",
    "quality_of_service",
    "quality_of_experience",
    "nash_welfare",
    "distance_to_shapley",
)
_NETWORK_KPIS = (
    "network.mean_congestion",
    "network.mean_imbalance_kwh",
    "network.voltage_band_compliance",
    "network.loss_cost",
    "network.fees",
    "network.interventions",
    "network.penalized_kwh",
    "network.curtailed_kwh",
    "network.not_converged_steps",
)
_ONLY_WHERE_PRESENT = ("distance_to_shapley", "network.voltage_band_compliance")


class KPIEntry(NamedTuple):
    """One KPI on a page.

    Attributes:
        label: Name for readers.
        value: Value with its unit.
        meaning: Explanation in one sentence.
    """

    label: str
    value: str
    meaning: str


def format_kpi(kpi: KPI, value: float | None, currency: str = "") -> str:
    """Format a stored value with the typography of the report; a dash stands for an undefined one.

    Args:
        kpi: Entry of the catalog.
        value: As stored in `kpis.json`.
        currency: Currency of the tariff.
    """
    if value is None:
        return "–"
    number = text.number(kpi.factor * value, kpi.digits)
    unit = "%" if kpi.unit.startswith("%") else kpi.unit_in(currency)
    return f"{number}\u00a0{unit}" if unit else number


def kpi_entry(result: Result, key: str) -> KPIEntry:
    """Return label, value and explanation of a KPI of a run.

    Args:
        result: The run.
        key: Key of the catalog.
    """
    kpi = catalog.get(key)
    value = catalog.value(result.kpis, key)
    formatted = format_kpi(kpi, value, result.scenario.tariff.currency)
    return KPIEntry(kpi.label, formatted, kpi.explanation)


def market_entries(result: Result) -> list[KPIEntry]:
    """Return the KPIs of the local market."""
    return _entries(result, _MARKET_KPIS)


def fairness_entries(result: Result) -> list[KPIEntry]:
    """Return the KPIs of fairness; no index by itself defines what is fair."""
    return _entries(result, _FAIRNESS_KPIS)


def network_entries(result: Result) -> list[KPIEntry]:
    """Return the KPIs of the network, beside those of its tiles."""
    return _entries(result, _NETWORK_KPIS)


def _entries(result: Result, keys: Iterable[str]) -> list[KPIEntry]:
    return [
        kpi_entry(result, key)
        for key in keys
        if key not in _ONLY_WHERE_PRESENT or catalog.value(result.kpis, key) is not None
    ]
