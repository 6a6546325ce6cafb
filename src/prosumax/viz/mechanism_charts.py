"""The charts of a comparison, from groups of rules to ECharts options, sentences and tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from prosumax import metrics
from prosumax.numerics import ENERGY_TOLERANCE_KWH
from prosumax.report import text as words
from prosumax.report.mechanism_groups import Group, listed, most, scale_reach
from prosumax.simulation.results.result import Result
from prosumax.tariff.prices import local_grid_fee_series, retail_price_series
from prosumax.viz.chart import Chart, Table
from prosumax.viz.fairness_charts import fairness_chart, lorenz_chart
from prosumax.viz.network.payments import networks_chart
from prosumax.viz.theme import (
    FAINT,
    INK,
    LOOKS,
    Option,
    base,
    dots,
    home_axis,
    nice_axis,
    spans,
    value_axis,
)

_PERCENTILES = (5, 25, 50, 75, 95)


def comparison_charts(groups: Sequence[Group]) -> list[Chart]:
    """Every chart of a comparison, in the order they are shown."""
    found = [lorenz_chart(groups), prices_chart(groups), networks_chart(groups)]
    return [
        savings_chart(groups),
        fairness_chart(groups),
        *(chart for chart in found if chart is not None),
    ]


def savings_chart(groups: Sequence[Group]) -> Chart:
    """A row per rule with a dot per home: how much each saves."""
    currency = groups[0].currency
    reach = scale_reach([float(abs(group.savings).max()) for group in groups])
    inside = np.concatenate([group.savings[abs(group.savings) <= reach] for group in groups]).round(
        2
    )
    axis = nice_axis(float(inside.min(initial=0)), float(inside.max(initial=0)))
    low, high = axis["min"], axis["max"]
    points: dict[str, list[Option]] = {"sun": [], "use": []}
    rows, beyond = [], []
    for row, group in enumerate(groups):
        savings = group.savings.round(2) + 0.0
        ends = savings.min(), savings.max()
        rows.append([[float(np.clip(end, low, high)), row] for end in ends])
        if ends[1] > high:
            reaches = "up" if ends[0] <= high else words.money(ends[0], currency)
            beyond.append(
                _beyond(high, row, -90, "left", f"{reaches} to {words.money(ends[1], currency)}")
            )
        if ends[0] < low:
            beyond.append(
                _beyond(low, row, 90, "right", f"down to {words.money(ends[0], currency)}")
            )
        homes = zip(
            group.result.households, group.result.scenario.homes, savings.tolist(), strict=True
        )
        for home, has, saving in homes:
            if low <= saving <= high:
                loses = home["saving"] <= -words.CENT
                change = (
                    f"{words.money(abs(saving), currency)} {'worse' if loses else 'better'} off"
                )
                dot: Option = {"value": [saving, row], "name": f"{home['name']}: {change}"}
                dot |= {"symbol": "triangle", "symbolSize": 15} if loses else {}
                points["use" if has.solar is None else "sun"].append(dot)
    option = _rows([group.short for group in groups], axis)
    option["baseOption"]["series"] = [
        spans(rows)
        | {
            "markLine": {
                "data": [{"xAxis": 0}],
                "symbol": "none",
                "silent": True,
                "label": {"show": False},
                "lineStyle": {"color": FAINT, "width": 1, "type": "solid"},
            }
        },
        dots("with panels", points["sun"], 13, LOOKS["sun"]),
        dots("without panels", points["use"], 12, LOOKS["use"]) | {"symbol": "rect"},
        {
            "type": "scatter",
            "name": "off the scale",
            "data": beyond,
            "symbol": "arrow",
            "symbolSize": 13,
            "itemStyle": {"color": INK},
            "label": {"show": True, "color": INK, "fontSize": 13, "formatter": "{b}"},
        },
    ]
    option["media"][0]["option"]["series"] = [{}, {"symbolSize": 10}, {"symbolSize": 9}, {}]
    used = [("home-sun", "a home with panels"), ("home-plain", "a home without")]
    key = [entry for entry, kept in zip(used, points.values(), strict=True) if kept]
    if any(group.losers for group in groups):
        key.append(("worse", "worse off than without exchange"))
    return Chart(
        id="savings",
        title=f"What each home saves under each rule ({currency})",
        summary=_savings_sentence(groups),
        option=option,
        unit=currency,
        height_px=_rows_px(len(groups)),
        key=key,
        note="Saving: the home's bill without exchange less its bill under the rule. The bar joins the home that saves "
        "least to the one that saves most." + (" An arrow: off the scale." if beyond else ""),
    )


def prices_chart(groups: Sequence[Group]) -> Chart | None:
    """A row per rule: how the price between neighbours is spread over the steps with trade."""
    currency, result = groups[0].currency, groups[0].result
    spreads = [(group.short, group.label, _spread(_prices(group.result))) for group in groups]
    traded = [(short, label, spread) for short, label, spread in spreads if spread is not None]
    if not traded:
        return None
    limits = [
        (name, name, spread)
        for name, prices in _limits(result).items()
        if (spread := _spread(prices))
    ]
    rows = [*limits, *traded]
    unit = f"{currency}/kWh"
    low, high = (end(spread[i] for _, _, spread in rows) for end, i in ((min, 0), (max, -1)))
    option = _rows([name for name, _, _ in rows], nice_axis(low, high))
    option["baseOption"]["series"] = [
        {
            "type": "boxplot",
            "name": "price",
            "boxWidth": [6, 18],
            "data": [
                {
                    "value": [round(price, 4) for price in spread],
                    "name": f"{name}: {_spread_words(spread)} {unit}",
                    "itemStyle": {
                        "color": "#FFFFFF" if row < len(limits) else "#CFE0EC",
                        "borderColor": FAINT if row < len(limits) else LOOKS["use"].colour,
                        "borderWidth": 2,
                    },
                }
                for row, (_, name, spread) in enumerate(rows)
            ],
        }
    ]
    middle = [spread[2] for _, _, spread in traded]
    least, most = int(np.argmin(middle)), int(np.argmax(middle))
    low_price, high_price = (words.number(middle[i], 3) for i in (least, most))
    active = [
        group for group, (_, _, spread) in zip(groups, spreads, strict=True) if spread is not None
    ]
    silent = [group for group in groups if group not in active]
    summary = f"In the middle of all steps a neighbour's kWh costs {low_price} {unit}"
    summary += (
        f" under {listed([active[least]])} and {high_price} under {listed([active[most]])}."
        if low_price != high_price
        else " under every rule with trade."
    )
    note = "Box: the middle half of the steps with trade; whiskers: 90 of every 100 of them; a mere tick: one price."
    note += (
        f" No trade under {words.joined([listed([group]) for group in silent])}." if silent else ""
    )
    head = ["Rule", *(f"{'median' if q == 50 else f'{q} % are below'}" for q in _PERCENTILES)]
    return Chart(
        id="prices",
        title=f"The price between neighbours ({unit})",
        summary=summary,
        option=option,
        unit=unit,
        height_px=_rows_px(len(rows)),
        table=Table(
            f"Price over the steps with trade, {unit}",
            head,
            [[name, *(words.number(price, 4) for price in spread)] for _, name, spread in rows],
        ),
        note=note,
    )


def _prices(result: Result) -> np.ndarray:
    """Of every step with trade."""
    local: Any = result.trajectory.record.local
    some = local.bought_kwh.sum(1) + local.sold_kwh.sum(1) > ENERGY_TOLERANCE_KWH
    bought, sold, paid, earned = (np.asarray(part[some], dtype=np.float64) for part in local[:4])
    price: np.ndarray = metrics.price_series(bought, paid, sold, earned)
    return price


def _limits(result: Result) -> dict[str, np.ndarray]:
    """Between which prices both sides gain, in every step."""
    prices = result.profiles.prices
    tariff = result.scenario.tariff
    retail = retail_price_series(prices, tariff)
    return {
        "worth to the buyer": retail - local_grid_fee_series(prices, tariff),
        "paid by the grid": np.asarray(prices["feed_in"]),
    }


def _spread(prices: np.ndarray) -> list[float] | None:
    if len(prices) == 0:
        return None
    spread: list[float] = (np.percentile(prices, _PERCENTILES) + 0.0).tolist()
    return spread


def _spread_words(spread: Sequence[float]) -> str:
    low, *_, high = (words.number(price, 3) for price in spread)
    return (
        low
        if low == high
        else f"{low} to {high}, half of the steps below {words.number(spread[2], 3)}"
    )


def _savings_sentence(groups: Sequence[Group]) -> str:
    best, named = most(groups, lambda group: group.lowest)
    if best < words.CENT:
        return "Under each of these rules there is a home that saves nothing or is worse off."
    currency = groups[0].currency
    said = f"The home that saves least is best off under {listed(named)}: {words.money(best, currency)}."
    inside = [group for group in groups if group.outside < words.CENT]
    if named[0] in inside or not inside:
        return said
    best, named = most(inside, lambda group: group.lowest)
    return (
        f"{said} Without money from outside: under {listed(named)}, {words.money(best, currency)}."
    )


def _beyond(value: float, row: int, turn: int, side: str, text: str) -> Option:
    """An arrow at the edge of the scale."""
    return {
        "value": [value, row],
        "symbolRotate": turn,
        "name": text,
        "label": {"position": side, "offset": [0, -12]},
    }


def _rows(labels: list[str], axis: Option) -> Option:
    """A row per rule."""
    narrow: Option = {
        "yAxis": {
            "axisLabel": {"width": 130, "fontSize": 11, "lineHeight": 13, "overflow": "breakAll"}
        }
    }
    wide: Option = {
        "yAxis": {
            "axisLabel": {"width": 220, "fontSize": 13, "lineHeight": 15, "overflow": "truncate"}
        }
    }
    option = base("item", narrow, wide)
    option["baseOption"] |= {
        "xAxis": value_axis(**axis),
        "yAxis": home_axis(labels, room_px=220),
    }
    option["baseOption"]["yAxis"]["axisLabel"] |= {"interval": 0}
    option["baseOption"]["tooltip"]["formatter"] = "{b}"
    option["baseOption"]["grid"] |= {"right": 30, "top": 10}
    return option


def _rows_px(rows: int) -> int:
    return 64 + 50 * rows
