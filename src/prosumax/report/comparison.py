"""Comparison of mechanisms for the same homes: a verdict and tables."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prosumax.metrics import catalog
from prosumax.report import text
from prosumax.viz.chart import Table
from prosumax.viz.mechanisms.groups import (
    MechanismGroup,
    Results,
    highest,
    listed,
    scale_reach,
)

_NAMED = 5
"""Number of mechanisms that a sentence names."""

_NAMED_HOMES = 3
"""Number of homes of each mechanism that a sentence names."""


class HeatCell(NamedTuple):
    """Bill of a home in a table of shades.

    Attributes:
        text: The bill.
        shade: Strength of the shade, 0 to 1.
        loses: Whether the home pays more than without exchange.
    """

    text: str
    shade: float
    loses: bool


class HeatTable(NamedTuple):
    """Bills with mechanisms as rows and homes as columns."""

    head: list[str]
    rows: list[tuple[str, list[HeatCell]]]


def verdict(groups: Sequence[MechanismGroup]) -> str:
    """Describe which homes lose, then the cheapest and the most expensive mechanism."""
    return f"{_losers_sentence(groups)} {_costs_sentence(groups)}"


def overview(groups: Sequence[MechanismGroup]) -> Table:
    """Make a table of the main KPIs with one row per outcome.

    Args:
        groups: Mechanisms with the same outcome in one group.
    """
    currency = groups[0].currency
    spans = [
        ("", 1),
        (f"All homes together, {currency}", 2),
        ("Distribution", 3),
        ("Exchange", 2),
        ("", 1),
    ]
    head = [
        "Mechanism",
        catalog.get("cost").label.lower(),
        catalog.get("saving").label.lower(),
        catalog.get("lowest_saving").title(currency).lower(),
        catalog.get("losing_homes").label.lower(),
        catalog.get("gini").label,
        catalog.get("allocative_efficiency").heading.lower(),
        catalog.get("mechanism_revenue").heading.lower() + f", {currency}",
        catalog.get("emissions_kg").title(),
    ]
    gains = ("share_of_individual_gain", "share_of_optimal_gain")
    with_gains = any(group.result.kpis.get("share_of_optimal_gain") is not None for group in groups)
    if with_gains:
        spans.append(("Of the gain of perfect foresight", len(gains)))
        head += [catalog.get(key).heading.lower() for key in gains]
    rows = []
    for group in groups:
        kpis = group.result.kpis
        warning = "▲ " if group.losers else ""
        row = [
            group.label,
            *(_amount(kpis, key) for key in ("cost", "saving", "lowest_saving")),
            f"{warning}{len(group.losers)} of {len(group.result.households)}",
            _amount(kpis, "gini"),
            text.percent(kpis["allocative_efficiency"], 0),
            _operator(group.outside_money),
            text.number(kpis["emissions_kg"]),
        ]
        if with_gains:
            row += [text.percent(catalog.value(kpis, key), 0) for key in gains]
        rows.append(row)
    return Table("Each mechanism", head, rows, groups=spans)


def _amount(kpis: Mapping[str, object], key: str) -> str:
    return text.number(catalog.value(kpis, key), 2)


_NETWORK_COLUMNS = (
    ("loss_kwh", lambda value: text.number(value, 1)),
    ("max_line_loading", text.percent),
    ("max_transformer_loading", text.percent),
    ("overload_hours", lambda value: text.number(value, 2)),
    ("min_voltage_pu", text.percent),
    ("voltage_violation_hours", lambda value: text.number(value, 2)),
    ("fees", lambda value: text.number(value, 2)),
    ("penalized_kwh", lambda value: text.number(value, 1)),
    ("curtailed_kwh", lambda value: text.number(value, 1)),
    ("not_converged_steps", text.number),
)
"""KPIs of the network in the comparison and the format of each."""


def network_table(results: Results) -> Table | None:
    """Make a table of the network under each mechanism; None where there is no network.

    Mechanisms with the same values share a row; a KPI that is zero or undefined under every
    mechanism has no column.

    Args:
        results: Name -> run, all of the same scenario.
    """
    networks = [
        (text.mechanism_label(name), result.kpis["network"]) for name, result in results.items()
    ]
    currency = next(iter(results.values())).scenario.tariff.currency
    cells: dict[str, list[str]] = {}
    for name, format_value in _NETWORK_COLUMNS:
        texts = []
        for _, network in networks:
            if network is None:
                return None
            texts.append(format_value(catalog.value(network, name)))
        kpi = catalog.get(f"network.{name}")
        unit = "" if kpi.unit.startswith("%") else kpi.unit_in(currency)
        warning = "▲ " if name == "not_converged_steps" else ""
        title = f"{warning}{kpi.label.lower()}" + (f", {unit}" if unit else "")
        if not set(texts) <= {"–", "0", "0.0", "0.00"}:
            cells[title] = texts
    names: dict[tuple[str, ...], list[str]] = {}
    for number, (name, _) in enumerate(networks):
        names.setdefault(tuple(texts[number] for texts in cells.values()), []).append(name)
    rows = [[" = ".join(same), *row] for row, same in names.items()]
    return Table("Network under each mechanism", ["Mechanism", *cells], rows)


def heat_table(groups: Sequence[MechanismGroup]) -> HeatTable:
    """Return each home's bill under each mechanism, shaded by what the home saves or loses."""
    strongest = scale_reach([float(abs(group.savings).max()) for group in groups])
    rows = []
    for group in groups:
        cells = []
        for home in group.result.households:
            shade = 0.0
            if strongest >= text.CENT:
                shade = round(min(abs(home["saving"]) / strongest, 1.0), 3)
            bill = text.number(home["bill"], 2)
            cells.append(HeatCell(bill, shade, home["saving"] <= -text.CENT))
        rows.append((group.label, cells))
    return HeatTable(["Mechanism", *(home["name"] for home in groups[0].result.households)], rows)


def _losers_sentence(groups: Sequence[MechanismGroup]) -> str:
    """Describe under which mechanisms homes lose, and which homes."""
    currency = groups[0].currency
    count = sum(len(group.names) for group in groups)
    losing = [group for group in groups if group.losers]
    if not losing:
        under = {1: "this mechanism", 2: "either mechanism"}.get(
            count, f"any of the {count} mechanisms"
        )
        return f"No home is worse off than without exchange under {under}."
    losing.sort(key=lambda group: -len(group.losers))
    named = []
    for group in losing[:_NAMED]:
        homes = [
            f"{home['name']} by {text.money(-home['saving'], currency)}"
            for home in group.losers[:_NAMED_HOMES]
        ]
        more = len(group.losers) - len(homes)
        if more:
            homes.append(text.plural(more, "other home"))
        named.append(f"{listed([group])} ({text.joined(homes)})")
    others = sum(len(group.names) for group in losing[_NAMED:])
    if others:
        named.append(text.plural(others, "other mechanism"))
    losing_count = sum(len(group.names) for group in losing)
    under = f"Under {losing_count} of {text.plural(count, 'mechanism')}"
    return f"{under} a home is worse off than without exchange: {'; '.join(named)}."


def _costs_sentence(groups: Sequence[MechanismGroup]) -> str:
    """Describe under which mechanisms the homes together pay least and most."""
    first = groups[0].result
    currency = first.scenario.tariff.currency
    homes = len(first.households)
    subject = "the one home" if homes == 1 else f"the {homes} homes"
    verb = "has" if homes == 1 else "have"
    together = "" if homes == 1 else " together"
    period = text.simulated_time(first.scenario.period)
    start = f"In {period} {subject} of {first.scenario.name} {verb}"
    cost, cheapest = _cheapest(groups)
    top, dearest = highest(groups, lambda group: group.result.kpis["cost"])
    if top - cost < text.CENT:
        several = sum(len(group.names) for group in groups) > 1
        under = " under every mechanism" if several else ""
        return f"{start} the same cost{under}, {text.money(cost, currency)}{together}."
    best = cheapest[0]
    before = best.result.kpis["cost_without_exchange"]
    change = text.cost_change(best.total_saving, before, cost, currency)
    sentence = f"{start} the lowest cost{together} under {listed(cheapest)}:"
    sentence += f" {text.money(cost, currency)}, {change}"
    if best.outside_money >= text.CENT:
        whole = best.outside_money > best.total_saving - text.CENT
        amount = "all" if whole else text.money(best.outside_money, currency)
        sentence += f", {amount} of it an external subsidy"
        inside = [group for group in groups if group.outside_money < text.CENT]
        if inside:
            cost, cheapest = _cheapest(inside)
            sentence += f". Without external subsidy it is {text.money(cost, currency)}, under"
            sentence += f" {listed(cheapest)}"
    return f"{sentence}. The highest is {text.money(top, currency)}, under {listed(dearest)}."


def _cheapest(groups: Sequence[MechanismGroup]) -> tuple[float, list[MechanismGroup]]:
    less, cheapest = highest(groups, lambda group: -group.result.kpis["cost"])
    return -less, cheapest


def _operator(outside_money: float) -> str:
    if abs(outside_money) < text.CENT:
        return "–"
    verb = "adds" if outside_money > 0 else "keeps"
    return f"{verb} {text.number(abs(outside_money), 2)}"
