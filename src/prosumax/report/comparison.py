"""The same homes under several mechanisms, in words and tables: who is better off under which rule."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prosumax.metrics import catalog
from prosumax.report import text as words
from prosumax.report.mechanism_groups import Group, Results, listed, most, scale_reach
from prosumax.viz.chart import Table

_NAMED = 5  # rules and
_NAMED_HOMES = 3  # homes of each that a sentence names


class HeatCell(NamedTuple):
    """A bill, how strong its shade is (0 to 1), and whether the home pays more than without exchange."""

    text: str
    shade: float
    loses: bool


class Heat(NamedTuple):
    """Bills with rules as rows and homes as columns."""

    head: list[str]
    rows: list[tuple[str, list[HeatCell]]]


def verdict(groups: Sequence[Group]) -> str:
    """The answer first: who loses under which rule; then the cheapest and the dearest rule, and who pays for it."""
    return f"{_losers(groups)} {_costs(groups)}"


def overview(groups: Sequence[Group]) -> Table:
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
            words.percent(kpis["allocative_efficiency"], 0),
            _operator(group.outside),
            words.number(kpis["emissions_kg"]),
        ]
        if with_gains:
            row += [words.percent(catalog.value(kpis, key), 0) for key in gains]
        rows.append(row)
    return Table("Each mechanism", head, rows, groups=spans)


def _amount(kpis: Mapping[str, object], key: str) -> str:
    return words.number(catalog.value(kpis, key), 2)


_NETWORK_COLUMNS = (
    ("loss_kwh", lambda value: words.number(value, 1)),
    ("max_line_loading", words.percent),
    ("max_transformer_loading", words.percent),
    ("overload_hours", lambda value: words.number(value, 2)),
    ("min_voltage_pu", words.percent),
    ("voltage_violation_hours", lambda value: words.number(value, 2)),
    ("fees", lambda value: words.number(value, 2)),
    ("penalized_kwh", lambda value: words.number(value, 1)),
    ("curtailed_kwh", lambda value: words.number(value, 1)),
    ("not_converged_steps", words.number),
)
"""KPIs of the network in the comparison and the format of each."""


def wires(results: Results) -> Table | None:
    """Make a table of the network under each mechanism; None where there is no network.

    Mechanisms with the same values share a row; a KPI that is zero or undefined under every
    mechanism has no column.

    Args:
        results: Name -> run, all of the same scenario.
    """
    networks = [(words.rule(name), result.kpis["network"]) for name, result in results.items()]
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


def heat(groups: Sequence[Group]) -> Heat:
    """Each home's bill under each rule, shaded by what the home saves or loses."""
    strongest = scale_reach([float(abs(group.savings).max()) for group in groups])
    rows = []
    for group in groups:
        cells = [
            HeatCell(
                words.number(home["bill"], 2),
                round(min(abs(home["saving"]) / strongest, 1.0), 3)
                if strongest >= words.CENT
                else 0.0,
                home["saving"] <= -words.CENT,
            )
            for home in group.result.households
        ]
        rows.append((group.label, cells))
    return Heat(["Rule", *(home["name"] for home in groups[0].result.households)], rows)


def _losers(groups: Sequence[Group]) -> str:
    """Which rules make somebody lose, and whom."""
    currency = groups[0].currency
    rules = sum(len(group.names) for group in groups)
    losing = [group for group in groups if group.losers]
    if not losing:
        under = (
            "this rule"
            if rules == 1
            else "either rule"
            if rules == 2
            else f"any of the {rules} rules"
        )
        return f"No home is worse off than without exchange under {under}."
    losing.sort(key=lambda group: -len(group.losers))
    named = []
    for group in losing[:_NAMED]:
        homes = [
            f"{home['name']} by {words.money(-home['saving'], currency)}"
            for home in group.losers[:_NAMED_HOMES]
        ]
        if more := len(group.losers) - len(homes):
            homes.append(words.plural(more, "other home"))
        named.append(f"{listed([group])} ({words.joined(homes)})")
    count = sum(len(group.names) for group in losing)
    if others := sum(len(group.names) for group in losing[_NAMED:]):
        named.append(words.plural(others, "other rule"))
    under = f"Under {count} of {words.plural(rules, 'rule')}"
    return f"{under} somebody is worse off than without exchange: {'; '.join(named)}."


def _costs(groups: Sequence[Group]) -> str:
    first = groups[0].result
    currency, homes = first.scenario.tariff.currency, len(first.households)
    who = "the one home" if homes == 1 else f"the {homes} homes"
    together = "" if homes == 1 else " together"
    start = f"In {words.simulated_time(first.scenario.period)} {who} of {first.scenario.name}"
    start += " has" if homes == 1 else " have"
    cost, cheapest = _cheapest(groups)
    highest, dearest = most(groups, lambda group: group.result.kpis["cost"])
    if highest - cost < words.CENT:
        under = " under every rule" if sum(len(group.names) for group in groups) > 1 else ""
        return f"{start} the same cost{under}, {words.money(cost, currency)}{together}."
    best = cheapest[0]
    change = words.difference(best.total, best.result.kpis["cost_without_exchange"], cost, currency)
    said = f"{start} the lowest cost{together} under {listed(cheapest)}: {words.money(cost, currency)}, {change}"
    inside = [group for group in groups if group.outside < words.CENT]
    if best.outside >= words.CENT:
        all_of_it = best.outside > best.total - words.CENT
        said += f", {'all' if all_of_it else words.money(best.outside, currency)} of it paid from outside the community"
        if inside:
            cost, cheapest = _cheapest(inside)
            said += f". Without money from outside it is {words.money(cost, currency)}, under {listed(cheapest)}"
    return f"{said}. The highest is {words.money(highest, currency)}, under {listed(dearest)}."


def _cheapest(groups: Sequence[Group]) -> tuple[float, list[Group]]:
    less, cheapest = most(groups, lambda group: -group.result.kpis["cost"])
    return -less, cheapest


def _operator(outside: float) -> str:
    if abs(outside) < words.CENT:
        return "–"
    return f"{'adds' if outside > 0 else 'keeps'} {words.number(abs(outside), 2)}"
