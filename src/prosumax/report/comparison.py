"""The same homes under several mechanisms, in words and tables: who is better off under which rule."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

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
    """One row per outcome."""
    currency = groups[0].currency
    spans = [
        ("", 1),
        (f"All homes together, {currency}", 2),
        ("Who gains", 3),
        ("The exchange", 2),
        ("", 1),
    ]
    head = [
        "Rule",
        "cost",
        "saving",
        f"lowest saving, {currency}",
        "homes that lose",
        "Gini of savings",
        "efficiency",
        f"operator, {currency}",
        "Carbon, kg CO\u2082",
    ]
    measured = any(group.result.kpis["share_of_gain"] is not None for group in groups)
    if measured:
        spans, head = (
            [*spans, ("Of the gain of perfect foresight", 2)],
            [*head, "homes alone", "together"],
        )
    rows = []
    for group in groups:
        kpis = group.result.kpis
        rows.append(
            [
                group.label,
                *(words.number(kpis[name], 2) for name in ("cost", "saving", "lowest_saving")),
                f"{'▲ ' if group.losers else ''}{len(group.losers)} of {len(group.result.households)}",
                words.number(kpis["gini"], 2),
                words.percent(kpis["allocative_efficiency"], 0),
                _operator(group.outside),
                words.number(kpis["emissions_kg"]),
                *(
                    words.percent(kpis[name], 0)
                    for name in ("share_of_own_gain", "share_of_gain")
                    if measured
                ),
            ]
        )
    return Table("Each rule", head, rows, groups=spans)


def wires(results: Results) -> Table | None:
    """What each rule does to the network, rules with the same figures in one row; None where there is no network."""
    figures = [(words.rule(name), result.kpis["network"]) for name, result in results.items()]
    if any(kpis is None for _, kpis in figures):
        return None
    currency = next(iter(results.values())).scenario.tariff.currency
    columns: dict[str, Callable[[Any], str]] = {
        "losses, kWh": lambda kpis: words.number(kpis["loss_kwh"], 1),
        "fullest line": lambda kpis: words.percent(kpis["highest_line_loading"]),
        "fullest transformer": lambda kpis: words.percent(kpis["highest_transformer_loading"]),
        "hours over 100 %": lambda kpis: words.number(kpis["overload_hours"], 2),
        "lowest voltage": lambda kpis: words.percent(kpis.get("lowest_voltage")),
        "hours off by over 10 %": lambda kpis: words.number(kpis.get("voltage_violation_hours"), 2),
        f"fees, {currency}": lambda kpis: words.number(kpis["fees"], 2),
        "punished, kWh": lambda kpis: words.number(kpis["penalised_kwh"], 1),
        "export cut, kWh": lambda kpis: words.number(kpis["curtailed_kwh"], 1),
        "▲ steps without solution": lambda kpis: words.number(kpis["not_converged_steps"]),
    }
    cells = {head: [say(kpis) for _, kpis in figures] for head, say in columns.items()}
    # What is nothing under every rule, or not known, takes no room.
    cells = {
        head: texts for head, texts in cells.items() if not set(texts) <= {"–", "0", "0.0", "0.00"}
    }
    names: dict[tuple[str, ...], list[str]] = {}
    for number, (name, _) in enumerate(figures):
        names.setdefault(tuple(texts[number] for texts in cells.values()), []).append(name)
    rows = [[" = ".join(same), *row] for row, same in names.items()]
    return Table("The network under each rule", ["Rule", *cells], rows)


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
