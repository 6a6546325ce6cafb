"""How much of the possible gain each outcome reaches, as rows and one sentence for the terminal."""

from collections.abc import Mapping

from prosumax.report import text
from prosumax.simulation.results.result import Result

GAIN_COLUMNS = ("All bills", "kg CO2", "Own gain", "Gain")


def gain_rows(results: Mapping[str, Result]) -> list[list[str]]:
    """Name, cost, carbon and shares of the gain of each outcome, in the order of `GAIN_COLUMNS`."""
    rows = []
    for name, result in results.items():
        kpis = result.kpis
        carbon = "-" if kpis["emissions_kg"] is None else f"{kpis['emissions_kg']:,.1f}"
        shares = (_share(kpis[share]) for share in ("share_of_own_gain", "share_of_gain"))
        rows.append([name, f"{kpis['cost'] + 0.0:,.2f}", carbon, *shares])
    return rows


def gain_note(result: Result) -> str:
    """What 0 % and 100 % are."""
    kpis, currency = result.kpis, result.scenario.tariff.currency
    if kpis["community_optimum"] is None:
        return "Shares of the gain: run again with --optimum."
    idle, own, best = (
        text.money(kpis[name], currency)
        for name in ("idle_objective", "own_optimum", "community_optimum")
    )
    anarchy = kpis["price_of_anarchy"]
    return (
        f"0 % of the gain: idle batteries, no exchange, {idle}. Own gain, of the same meters without exchange: 100 % is"
        f" each home's own optimum, {own}. Gain: 100 % is the community as one, {best}."
        + ("" if anarchy is None else f" Price of anarchy: {anarchy:.3f}.")
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
