"""Optimality gap of each outcome, as rows and one sentence for the terminal."""

from collections.abc import Mapping

from prosumax.metrics import catalog
from prosumax.report import text
from prosumax.simulation.results.result import Result

_GAIN_KPIS = ("cost", "emissions_kg", "share_of_individual_gain", "share_of_optimal_gain")


def gain_columns() -> list[str]:
    """Return the headings of `gain_rows`, without that of the name."""
    titles = []
    for key in _GAIN_KPIS:
        kpi = catalog.get(key)
        unit = kpi.unit_in()
        titles.append(f"{kpi.heading}, {unit}" if unit else kpi.heading)
    return titles


def gain_rows(results: Mapping[str, Result]) -> list[list[str]]:
    """Return name, cost, emissions and shares of the optimal gain of each outcome.

    Args:
        results: Name -> run, all of the same scenario.
    """
    kpis = [catalog.get(key) for key in _GAIN_KPIS]
    return [
        [name, *(kpi.number(catalog.value(result.kpis, kpi.key)) for kpi in kpis)]
        for name, result in results.items()
    ]


def gain_note(result: Result) -> str:
    """Explain what 0 % and 100 % of the optimal gain are.

    Args:
        result: Any of the compared runs.
    """
    kpis = result.kpis
    currency = result.scenario.tariff.currency
    individual_optimum = kpis.get("individual_optimum")
    community_optimum = kpis.get("community_optimum")
    if individual_optimum is None or community_optimum is None:
        return "Shares of the optimal gain: run again with --optimum."
    baseline = text.money(kpis["baseline_objective"], currency)
    note = (
        f"0 % of the gain: idle batteries and no exchange, {baseline}."
        f" {catalog.get('share_of_individual_gain').heading}, of the same meter readings without"
        " exchange: 100 % is the individual optimum of each home,"
        f" {text.money(individual_optimum, currency)}."
        f" {catalog.get('share_of_optimal_gain').heading}: 100 % is the optimum of the community"
        f" as one, {text.money(community_optimum, currency)}."
    )
    anarchy = catalog.get("price_of_anarchy")
    if kpis.get("price_of_anarchy") is not None:
        note += f" {anarchy.label}: {anarchy.number(kpis['price_of_anarchy'])}."
    return note
