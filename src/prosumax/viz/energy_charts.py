"""The charts of a run: each a pure function from a result to an ECharts option, a sentence and a table."""

import numpy as np

from prosumax.report import text
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Table
from prosumax.viz.hierarchy_charts import level_charts
from prosumax.viz.network.feeder_charts import feeder_charts
from prosumax.viz.network.payments import network_chart
from prosumax.viz.power_charts import day_charts, duration_chart, week_charts
from prosumax.viz.series import Balance, balance, calendar, plain, powers
from prosumax.viz.theme import (
    INK,
    LOOKS,
    Option,
    bar,
    base,
    category_axis,
    dots,
    home_axis,
    spans,
    value_axis,
)

_SOURCES = {
    "sun": "own panels",
    "battery": "own battery",
    "shared": "neighbours",
    "bought": "the grid",
}
_SIDE_BY_SIDE = 16  # homes up to which their sources are about as high as the balance beside them
_SINKS = {"shared_out": "given to neighbours", "sent": "sent to the grid"}


def run_charts(result: Result) -> list[Chart]:
    """Every chart of a run, in the order they are shown."""
    power, flow = powers(result), balance(result)
    network = network_chart(result)
    return [
        *day_charts(result, power),
        *week_charts(result, power),
        bills_chart(result),
        *([network] if network else []),
        *level_charts(result),
        balance_chart(result, flow),
        sources_chart(result, flow),
        duration_chart(result),
        *feeder_charts(result),
    ]


def bills_chart(result: Result) -> Chart:
    """Every home's bill without exchange and with it, dearest first."""
    homes = sorted(result.households, key=lambda home: -home["bill_without_exchange"])
    currency = result.scenario.tariff.currency
    before, after = [], []
    for row, home in enumerate(homes):
        saving, bill, alone = home["saving"], home["bill"], home["bill_without_exchange"]
        loses = saving <= -text.CENT
        change = (
            f"{text.money(abs(saving), currency)} {'more' if loses else 'less'}"
            if abs(saving) >= text.CENT
            else "same"
        )
        name = f"{home['name']}: {text.money(bill, currency)}, without exchange {text.money(alone, currency)} ({change})"
        label = {"show": len(homes) <= 40, "position": "right", "formatter": change, "color": INK}
        hidden = {"show": False}
        before.append(
            {
                "value": [round(alone, 2), row],
                "name": name,
                "label": label if alone >= bill else hidden,
            }
        )
        point: Option = {
            "value": [round(bill, 2), row],
            "name": name,
            "label": label if alone < bill else hidden,
        }
        after.append(point | ({"symbol": "triangle", "symbolSize": 15} if loses else {}))
    key = [("before", "without exchange"), ("after", "with this rule")]
    if any("symbol" in point for point in after):
        key.append(("loser", "with this rule, paying more"))
    size = 14 if len(homes) <= 40 else 9
    joins = [[before[row]["value"], after[row]["value"]] for row in range(len(homes))]
    frame = base(
        "item",
        narrow={
            "yAxis": {"axisLabel": {"width": 84}},
            "series": [{}, {"symbolSize": 11}, {"symbolSize": 8}],
        },
    )
    frame["baseOption"] |= {
        "xAxis": value_axis(scale=True, splitNumber=4, boundaryGap=["4%", "4%"]),
        "yAxis": home_axis([home["name"] for home in homes], room_px=200),
        "series": [
            spans(joins, 4),
            dots("without exchange", before, size, None),
            dots("with this rule", after, size, LOOKS["use"]),
        ],
    }
    frame["baseOption"]["tooltip"]["formatter"] = "{b}"
    frame["baseOption"]["grid"] |= {"right": 96 if len(homes) <= 40 else 20, "top": 10}
    return Chart(
        id="bills",
        wide=True,
        title=f"Each home's bill, before and after ({currency})",
        summary=text.gains(result.households, currency),
        option=frame,
        unit=currency,
        height_px=_rows_px(len(homes)),
        key=key,
        note="The same homes with the same panels and batteries; without exchange each trades with its supplier only.",
    )


def balance_chart(result: Result, flow: Balance) -> Chart:
    """What the homes' use is covered from, by local month; their surplus below zero."""
    group, labels, starts = calendar(result)
    sums = {name: np.add.reduceat(values.sum(1), starts) for name, values in flow._asdict().items()}
    shown = {name: kwh for name, kwh in sums.items() if kwh.sum() > 0 or name == "bought"}
    names = {**_SOURCES, **_SINKS}
    option = base("axis") | {
        "xAxis": category_axis(labels, axisPointer={"type": "shadow"}),
        "yAxis": value_axis("kWh"),
        "series": [
            bar(_meaning(name), names[name], plain(-kwh if name in _SINKS else kwh), "energy")
            for name, kwh in shown.items()
        ],
    }
    option["tooltip"]["axisPointer"] = {"type": "shadow"}
    cover = [sums[name].sum() for name in _SOURCES]
    parts = zip(_SOURCES, text.of_hundred(cover), strict=True)
    said = [f"{count} from {_SOURCES[name]}" for name, count in parts if name in shown]
    summary = (
        f"Of every 100 kWh the homes use, {text.joined(said).replace(' from', ' come from', 1)}."
        if sum(cover) > 0
        else "The homes use nothing."
    )
    if (made := result.kpis["solar_kwh"]) > 0:
        summary += f" Of every 100 kWh their panels make, {text.number(100 * sums['sent'].sum() / made)} go to the grid."
    rows = [
        [label, *(text.number(kwh[i], 1) for kwh in shown.values())]
        for i, label in enumerate(labels)
    ]
    return Chart(
        id="balance",
        wide=len(result.households) > _SIDE_BY_SIDE,
        title=f"Where the power comes from, by {group}",
        summary=summary,
        option=option,
        unit="kWh",
        key=[(_meaning(name), names[name]) for name in shown],
        table=Table(
            f"All homes together, kWh per {group}",
            [group.capitalize(), *(names[name] for name in shown)],
            rows,
            ["All", *(text.number(kwh.sum(), 1) for kwh in shown.values())],
        ),
        note="Above zero: what covers the use. Below zero: surplus that leaves the homes. What goes into a battery is "
        "counted when it comes out again.",
    )


def sources_chart(result: Result, flow: Balance) -> Chart:
    """What each home's use is covered from."""
    homes = result.households
    sums = {name: getattr(flow, name).sum(0) for name in _SOURCES}
    shown = {name: kwh for name, kwh in sums.items() if kwh.sum() > 0 or name == "bought"}
    names = [home["name"] for home in homes]
    option = base("axis", narrow={"yAxis": {"axisLabel": {"width": 84}}})
    option["baseOption"] |= {
        "xAxis": value_axis("kWh", nameLocation="end", splitNumber=4),
        "yAxis": home_axis(names),
        "series": [
            bar(name, _SOURCES[name], [value or None for value in plain(kwh)], "energy")
            for name, kwh in shown.items()
        ],
    }
    option["baseOption"]["tooltip"]["axisPointer"] = {"type": "shadow"}
    option["baseOption"]["grid"] |= {"right": 44, "top": 10}
    use = np.sum(list(sums.values()), axis=0)
    grid = np.divide(100 * sums["bought"], use, out=np.full_like(use, 100.0), where=use > 0)
    least, most = int(grid.argmin()), int(grid.argmax())
    summary = f"{names[least]} buys least of its use from the grid, {text.number(grid[least])} of every 100 kWh"
    summary += f"; {names[most]} most, {text.number(grid[most])}." if len(names) > 1 else "."
    if grid[most] - grid[least] < 0.5:
        summary = f"Of every 100 kWh a home uses, {text.number(grid[most])} come from the grid."
    rows = [
        [name, *(text.number(kwh[i], 1) for kwh in shown.values()), text.number(use[i], 1)]
        for i, name in enumerate(names)
    ]
    return Chart(
        id="sources",
        wide=len(homes) > _SIDE_BY_SIDE,
        title="Where each home's power comes from",
        summary=summary,
        option=option,
        unit="kWh",
        height_px=_rows_px(len(names)),
        key=[(name, _SOURCES[name]) for name in shown],
        table=Table(
            "Sources of each home's use, kWh",
            ["Home", *(_SOURCES[n] for n in shown), "used in all"],
            rows,
        ),
    )


def _meaning(name: str) -> str:
    """Given to and taken from neighbours look the same: one is below zero."""
    return "shared" if name == "shared_out" else name


def _rows_px(rows: int) -> int:
    return 64 + rows * (34 if rows <= 40 else 17)
