"""The same homes under several mechanisms: who is better off under which rule. Each rule is a row."""

from collections.abc import Mapping
from typing import NamedTuple

from prosumax.experiments import Result
from prosumax.report import words
from prosumax.report.figure import Chart, Table
from prosumax.report.style import INK, LOOKS, Option, base, home_axis, value_axis

Results = Mapping[str, Result]


class HeatCell(NamedTuple):
    """A bill, how strong its shade is (0 to 1), and whether the home pays more than without exchange."""

    text: str
    shade: float
    loses: bool


class Heat(NamedTuple):
    """Bills with rules as rows and homes as columns."""

    head: list[str]
    rows: list[tuple[str, list[HeatCell]]]


def verdict(results: Results) -> str:
    """The answer first: the cheapest and the dearest rule, and who loses."""
    first = next(iter(results.values()))
    currency, homes = first.scenario.tariff.currency, first.households
    ranked = sorted(results.items(), key=lambda item: item[1].kpis["cost"])
    (best, cheapest), (worst, dearest) = ranked[0], ranked[-1]
    who = "the one home" if len(homes) == 1 else f"the {len(homes)} homes"
    has = "has" if len(homes) == 1 else "have"
    start = f"In {words.simulated_time(first.scenario.period)} {who} of {first.scenario.name} {has}"
    cost = cheapest.kpis["cost"]
    if dearest.kpis["cost"] - cost < words.CENT:
        answer = f"{start} the same cost under every rule, {words.money(cost, currency)} together."
    else:
        change = words.difference(cheapest.kpis["saving"], cheapest.kpis["cost_without_exchange"], cost, currency)
        answer = (
            f"{start} the lowest cost together under {words.rule(best)}: {words.money(cost, currency)}, {change}. "
            f"The highest is {words.money(dearest.kpis['cost'], currency)} under {words.rule(worst)}."
        )
    losing = {name: count for name, result in results.items() if (count := _losers(result))}
    if not losing:
        return f"{answer} No home pays more than without exchange under any of them."
    named = [f"{words.rule(name)} ({count})" for name, count in sorted(losing.items(), key=lambda item: -item[1])[:5]]
    others = f" and {words.plural(len(losing) - 5, 'other')}" if len(losing) > 5 else ""
    return f"{answer} Some homes pay more than without exchange under {', '.join(named)}{others}."


def overview(results: Results) -> Table:
    """One row per rule."""
    currency = next(iter(results.values())).scenario.tariff.currency
    head = [
        "Rule",
        f"Cost, {currency}",
        f"Saving, {currency}",
        "Traded, kWh",
        "Self-consumption",
        "Carbon, kg CO\u2082",
        f"Lowest saving, {currency}",
        f"Highest saving, {currency}",
        "Homes that pay more",
    ]
    rows = [
        [
            words.rule(name),
            *(words.number(result.kpis[key], 2) for key in ("cost", "saving")),
            words.number(result.kpis["traded_kwh"]),
            words.percent(result.kpis["self_consumption"]),
            words.number(result.kpis["emissions_kg"]),
            *(words.number(end(home["saving"] for home in result.households), 2) for end in (min, max)),
            f"{_losers(result)} of {len(result.households)}",
        ]
        for name, result in results.items()
    ]
    return Table("Each rule", head, rows)


def charts(results: Results) -> list[Chart]:
    """Every chart of a comparison, in the order they are shown."""
    return [savings_chart(results), costs_chart(results)]


def savings_chart(results: Results) -> Chart:
    """A row per rule with a dot per home: how much each saves."""
    currency = next(iter(results.values())).scenario.tariff.currency
    dots: list[Option] = []
    spans = []
    for row, result in enumerate(results.values()):
        savings = [round(home["saving"], 2) for home in result.households]
        spans.append({"coords": [[min(savings), row], [max(savings), row]]})
        for home, saving in zip(result.households, savings, strict=True):
            loses = saving <= -words.CENT
            change = f"{words.money(abs(saving), currency)} {'more' if loses else 'less'} than without exchange"
            dot = {"value": [saving, row], "name": f"{home['name']}: {words.money(home['bill'], currency)}, {change}"}
            dots.append(dot | ({"symbol": "triangle", "symbolSize": 14} if loses else {}))
    option = _row_option(results, zero=True)
    option["baseOption"]["series"] = [
        {
            "type": "lines",
            "coordinateSystem": "cartesian2d",
            "data": spans,
            "silent": True,
            "lineStyle": {"color": "#7A868E", "width": 3, "opacity": 1},
        },
        {
            "type": "scatter",
            "name": "saving",
            "data": dots,
            "symbolSize": 13,
            "itemStyle": {"color": LOOKS["use"].colour, "borderColor": "#FFFFFF", "borderWidth": 1, "opacity": 1},
        },
    ]
    losers = any("symbol" in dot for dot in dots)
    return Chart(
        id="savings",
        title=f"What each home saves under each rule ({currency})",
        summary=_savings_sentence(results, currency),
        option=option,
        unit=currency,
        height_px=70 + 40 * len(results),
        key=[("after", "a home"), ("loser", "a home that pays more than without exchange")][: 2 if losers else 1],
        note="Against the same home without exchange. The line joins the lowest and the highest saving.",
    )


def costs_chart(results: Results) -> Chart:
    """A row per rule: all bills together, without exchange and with the rule."""
    currency = next(iter(results.values())).scenario.tariff.currency
    pairs = [(result.kpis["cost_without_exchange"], result.kpis["cost"]) for result in results.values()]
    names = [
        f"{words.rule(name)}: {words.money(cost, currency)}, without exchange {words.money(alone, currency)}"
        for name, (alone, cost) in zip(results, pairs, strict=True)
    ]
    values = [([round(alone, 2), row], [round(cost, 2), row]) for row, (alone, cost) in enumerate(pairs)]
    option = _row_option(results, zero=False)
    option["baseOption"]["series"] = [
        {
            "type": "lines",
            "coordinateSystem": "cartesian2d",
            "data": [{"coords": [*pair]} for pair in values],
            "silent": True,
            "lineStyle": {"color": "#7A868E", "width": 4, "opacity": 1},
        },
        {
            "type": "scatter",
            "name": "without exchange",
            "data": [{"value": alone, "name": name} for (alone, _), name in zip(values, names, strict=True)],
            "symbolSize": 14,
            "itemStyle": {"color": "#FFFFFF", "borderColor": INK, "borderWidth": 2, "opacity": 1},
        },
        {
            "type": "scatter",
            "name": "with the rule",
            "data": [{"value": cost, "name": name} for (_, cost), name in zip(values, names, strict=True)],
            "symbolSize": 11,
            "itemStyle": {"color": LOOKS["use"].colour, "borderColor": "#FFFFFF", "borderWidth": 1, "opacity": 1},
        },
    ]
    ranked = sorted(results, key=lambda name: results[name].kpis["cost"])
    order = ", ".join(f"{words.rule(name)} {words.money(results[name].kpis['cost'], currency)}" for name in ranked[:5])
    return Chart(
        id="costs",
        title=f"All bills together under each rule ({currency})",
        summary=f"From the lowest: {order}{' and so on' if len(ranked) > 5 else ''}.",
        option=option,
        unit=currency,
        height_px=70 + 40 * len(results),
        key=[("before", "without exchange"), ("after", "with the rule")],
    )


def heat(results: Results) -> Heat:
    """Each home's bill under each rule, shaded by what the home saves or loses."""
    first = next(iter(results.values()))
    strongest = max(abs(home["saving"]) for result in results.values() for home in result.households)
    rows = []
    for name, result in results.items():
        cells = [
            HeatCell(
                words.number(home["bill"], 2),
                round(abs(home["saving"]) / strongest, 3) if strongest >= words.CENT else 0.0,
                home["saving"] <= -words.CENT,
            )
            for home in result.households
        ]
        rows.append((words.rule(name), cells))
    return Heat(["Rule", *(home["name"] for home in first.households)], rows)


def _row_option(results: Results, zero: bool) -> Option:
    """A row per rule; `zero` keeps zero in sight."""
    option = base("item", narrow={"yAxis": {"axisLabel": {"width": 128, "fontSize": 12}}})
    option["baseOption"] |= {
        "xAxis": value_axis(scale=not zero, splitNumber=4, boundaryGap=["0%", "0%"] if zero else ["4%", "4%"]),
        "yAxis": home_axis([words.rule(name) for name in results], room_px=200),
    }
    option["baseOption"]["tooltip"]["formatter"] = "{b}"
    option["baseOption"]["grid"] |= {"right": 30, "top": 10}
    return option


def _savings_sentence(results: Results, currency: str) -> str:
    lowest = {name: min(home["saving"] for home in result.households) for name, result in results.items()}
    best = max(lowest, key=lambda name: lowest[name])
    if lowest[best] < words.CENT:
        return "Under each of these rules there is a home that saves nothing or pays more."
    return (
        f"The home that saves least is best off under {words.rule(best)}, with {words.money(lowest[best], currency)}."
    )


def _losers(result: Result) -> int:
    return sum(home["saving"] <= -words.CENT for home in result.households)
