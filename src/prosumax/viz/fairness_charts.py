"""What is best for all together, and for each: a point per rule, and how evenly the savings are shared."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from prosumax import metrics
from prosumax.report import text as words
from prosumax.report.mechanism_groups import Group, listed, most, scale_reach
from prosumax.viz.chart import Chart, Choice, Table
from prosumax.viz.theme import (
    CURVES,
    FAINT,
    INK,
    LOOKS,
    Option,
    base,
    dots,
    nice_axis,
    spans,
    value_axis,
)

_NOTHING = "nothing else"
_POINTS = {
    "after": "a rule",
    "before": "a rule that pays with money from outside",
    "worse": "somebody loses",
}
_HEIGHT_PX = 520


class _Paper(NamedTuple):
    """A drawing's inner size and the size of its letters, pixels; about right is enough."""

    width: float
    height: float
    letter: float
    line: float


_WIDE, _NARROW = _Paper(1040, _HEIGHT_PX - 70, 7.2, 17), _Paper(265, _HEIGHT_PX - 70, 6.2, 14)


def fairness_chart(groups: Sequence[Group]) -> Chart:
    """A point per rule: what all homes save together, and what the home that saves least saves."""
    currency, homes = groups[0].currency, len(groups[0].result.households)
    reach = scale_reach([abs(group.total) for group in groups])
    shown = [group for group in groups if abs(group.total) <= reach]
    across, up = (
        nice_axis(round(min(values), 2), round(max(values), 2))
        for values in ([group.total for group in shown], [group.lowest for group in shown])
    )
    points: dict[str, list[Option]] = {kind: [] for kind in _POINTS}
    for group in shown:
        together, least = words.money(group.total, currency), words.money(group.lowest, currency)
        name = f"{group.brief}: {together} together, lowest saving {least}"
        points[_kind(group)].append({"value": _at(group), "name": name})
    idle: list[Option] = [{} for _ in range(4)]
    small: list[Option] = [*({"symbolSize": 9} for _ in range(3)), {}]
    option = base(
        "item",
        narrow={"series": [*small, *_labels(shown, across, up, _NARROW)]},
        wide={"series": [*idle, *_labels(shown, across, up, _WIDE)]},
    )
    option["baseOption"] |= {
        "xAxis": value_axis(
            f"all homes together, {currency}", **across, nameLocation="middle", nameGap=30
        ),
        "yAxis": value_axis(f"lowest saving, {currency}", **up),
        "series": [
            dots("a rule", points["after"], 12, LOOKS["use"]),
            dots("with money from outside", points["before"], 12, None),
            dots("somebody loses", points["worse"], 14, None)
            | {"symbol": "triangle", "itemStyle": {"color": INK}},
            {
                "type": "line",
                "name": "all homes save the same",
                "data": _even_line(across, up, homes),
                "symbol": "none",
                "silent": True,
                "z": 1,
                "lineStyle": {"color": FAINT, "width": 2, "type": [6, 5]},
            },
            spans([], 1),
            {
                "type": "scatter",
                "name": "names",
                "data": [],
                "silent": True,
                "symbolSize": 1,
                "itemStyle": {"color": "transparent"},
                "label": {"show": True, "color": INK, "formatter": "{b}", "distance": 2},
            },
        ],
    }
    option["baseOption"]["grid"] |= {"right": 24, "left": 16, "bottom": 26}
    option["baseOption"]["yAxis"]["nameTextStyle"] |= {"align": "left"}
    option["baseOption"]["tooltip"]["formatter"] = "{b}"
    far, losing = (
        [group for group in groups if group not in shown],
        [group for group in groups if group.losers],
    )
    note = "No rule can be above the dashed line."
    if far:
        note += " Off the scale: " + "; ".join(map(_place, far)) + "."
    if losing:
        note += " Somebody loses under " + "; ".join(map(_place, losing)) + "."
    return Chart(
        id="fairness",
        title="Is what is best for all together good for everybody?",
        summary=_fairness_sentence(groups),
        option=option,
        unit=currency,
        height_px=_HEIGHT_PX,
        key=[
            *((kind, _POINTS[kind]) for kind, kept in points.items() if kept),
            ("even", "all homes save the same"),
        ],
        note=note,
    )


def lorenz_chart(groups: Sequence[Group]) -> Chart | None:
    """How evenly savings are shared: Lorenz curves of a few rules from most to least even, and of one to choose."""
    curves = []
    for group in groups:
        homes, savings = metrics.lorenz_curve(group.savings)
        if group.total >= words.CENT and len(group.savings) > 1:
            curves.append((group, (100 * np.column_stack([homes, savings])).round(2).tolist()))
    if not curves:
        return None
    by_evenness = sorted(curves, key=lambda curve: -sum(y for _, y in curve[1]))
    picked = np.unique(np.linspace(0, len(by_evenness) - 1, len(CURVES)).round().astype(int))
    shown = [by_evenness[i] for i in picked]
    lowest = min(y for _, curve in curves for _, y in curve)
    equal: Option = {"color": FAINT, "width": 1.5, "type": "solid"}
    series: list[Option] = [
        {
            "type": "line",
            "name": "equal shares",
            "data": [[0, 0], [100, 100]],
            "symbol": "none",
            "lineStyle": equal,
        },
        *(
            {
                "type": "line",
                "name": group.label,
                "data": points,
                "symbol": look.symbol,
                "symbolSize": 8 if len(points) <= 21 else 0,
                "lineStyle": {"color": look.colour, "width": 2, "type": look.dash or "solid"},
                "itemStyle": {"color": look.colour},
            }
            for (group, points), look in zip(shown, CURVES, strict=False)
        ),
        {
            "type": "line",
            "name": "the rule you choose",
            "data": [],
            "symbol": "none",
            "lineStyle": {"color": INK, "width": 5, "opacity": 0.55},
        },
    ]
    option = base("axis") | {
        "xAxis": value_axis(min=0, max=100, interval=25),
        "yAxis": value_axis(
            "share of the savings, %", min=25 * math.floor(lowest / 25), max=100, interval=25
        ),
        "series": series,
    }
    option["tooltip"] |= {"order": "valueDesc"}
    option["yAxis"]["nameTextStyle"] |= {"align": "left"}
    idle: list[Option] = [{} for _ in series[:-1]]
    nothing = [
        Choice(_NOTHING, {"series": [*idle, {"data": []}]}, _half_sentence(shown[0], shown[-1]))
    ]
    return Chart(
        id="lorenz",
        title="How evenly the savings are shared",
        summary=nothing[0].summary,
        option=option,
        unit="%",
        height_px=440,
        drawn_as="lines",
        key=[
            ("equal", "every home saves the same"),
            *((f"curve-{i}", group.brief) for i, (group, _) in enumerate(shown)),
            ("chosen", "the rule you choose"),
        ],
        choices=[
            *nothing,
            *(
                Choice(
                    group.label,
                    {"series": [*idle, {"data": points}]},
                    _half_sentence((group, points)),
                )
                for group, points in curves
            ),
        ],
        choose="Show also",
        table=_lorenz_table(curves),
        note="Across: homes, from the one that saves least to the one that saves most. Up: what they save together, of "
        "every 100 saved. A curve below zero: some homes lose.",
    )


def _half_sentence(*curves: tuple[Group, list[list[float]]]) -> str:
    """What the half of the homes that saves least gets."""
    said = []
    for group, points in curves:
        share = np.interp(50, [x for x, _ in points], [y for _, y in points])
        said.append(f"{words.number(float(share))} of every 100 saved under {listed([group])}")
    if len(curves) > 1 and curves[0][0] is curves[1][0]:
        said = said[:1]
    return f"The half of the homes that saves least gets {words.joined(said)}."


def _lorenz_table(curves: Sequence[tuple[Group, list[list[float]]]]) -> Table:
    marks = (25, 50, 75)
    rows = [
        [
            group.label,
            *(words.number(float(np.interp(mark, *np.transpose(points))), 1) for mark in marks),
        ]
        for group, points in curves
    ]
    head = ["Rule", *(f"the {mark} % that save least" for mark in marks)]
    return Table("What these homes save together, of every 100 saved", head, rows)


def _kind(group: Group) -> str:
    return "worse" if group.losers else "before" if group.outside >= words.CENT else "after"


def _at(group: Group) -> list[float]:
    return [round(group.total, 2) + 0.0, round(group.lowest, 2) + 0.0]


def _labels(
    groups: Sequence[Group], across: dict[str, float], up: dict[str, float], paper: _Paper
) -> list[Option]:
    """Names beside the points, moved up or down until none is on another, each with a line to its point."""
    scale_x = paper.width / (across["max"] - across["min"])
    scale_y = paper.height / (up["max"] - up["min"])
    labels = []
    for group in groups:
        x, y = (_at(group)[0] - across["min"]) * scale_x, (up["max"] - _at(group)[1]) * scale_y
        left = x > paper.width / 2
        letters = int(((x if left else paper.width - x) - 18) / paper.letter)
        text = group.brief if len(group.brief) <= letters else f"{group.brief[: letters - 1]}…"
        start = x - 18 - len(text) * paper.letter if left else x + 18
        labels.append(
            _Label(_at(group), x, y, left, text, (start, start + len(text) * paper.letter))
        )
    names: list[Option] = []
    lines = []
    for column in _columns(labels):
        for label, y in zip(
            column, spread([label.y for label in column], paper.line, paper.height), strict=True
        ):
            x = label.x - 16 if label.left else label.x + 16
            place = [round(across["min"] + x / scale_x, 4), round(up["max"] - y / scale_y, 4)]
            side = "left" if label.left else "right"
            names.append({"value": place, "name": label.text, "label": {"position": side}})
            lines.append({"coords": [label.at, place]})
    return [{"data": lines}, {"data": names, "label": {"fontSize": 13 if paper is _WIDE else 11}}]


class _Label(NamedTuple):
    """A name: of the point at `at`, which is drawn at (x, y); `span` is what it covers from left to right, pixels."""

    at: list[float]
    x: float
    y: float
    left: bool
    text: str
    span: tuple[float, float]


def _columns(labels: list[_Label]) -> list[list[_Label]]:
    """Labels that stand above or below each other, from the top."""
    columns: list[list[_Label]] = []
    end = -math.inf
    for label in sorted(labels, key=lambda label: label.span):
        if label.span[0] > end:
            columns.append([])
        columns[-1].append(label)
        end = max(end, label.span[1])
    return [sorted(column, key=lambda label: label.y) for column in columns]


def spread(wanted: Sequence[float], gap: float, height: float) -> list[float]:
    """Positions nearest to those wanted (least squares) in the same order, `gap` apart and within 0 and the height.

    Without the gaps this is isotonic regression, done by pooling neighbours that are out of order.

    Arguments:
        wanted: ascending.
    """
    count = len(wanted)
    gap = min(gap, height / max(count - 1, 1))
    pools: list[list[float]] = []
    for number, place in enumerate(wanted):
        pools.append([place - number * gap])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    level = np.concatenate([np.full(len(pool), np.mean(pool)) for pool in pools])
    places: list[float] = (
        level.clip(0, height - (count - 1) * gap) + np.arange(count) * gap
    ).tolist()
    return places


def _even_line(across: dict[str, float], up: dict[str, float], homes: int) -> list[list[float]]:
    """Where the lowest saving is the mean one, inside the axes."""
    ends = [min(max(across[end], up["min"] * homes), up["max"] * homes) for end in ("min", "max")]
    return [[x, x / homes] for x in ends]


def _place(group: Group) -> str:
    total, least = (words.money(amount, group.currency) for amount in (group.total, group.lowest))
    return f"{listed([group])} ({total} together, lowest saving {least})"


def _fairness_sentence(groups: Sequence[Group]) -> str:
    inside = [group for group in groups if group.outside < words.CENT]
    total, best = most(inside or groups, lambda group: group.total)
    start = "Without money from outside, most" if 0 < len(inside) < len(groups) else "Most"
    if total < words.CENT:
        return "Under none of these rules do the homes save anything together."
    currency, ranked = best[0].currency, sorted(best, key=lambda group: group.lowest)
    said = f"{start} is saved together under {listed(best)}: {words.money(total, currency)}."
    low, high = (words.money(group.lowest, currency) for group in (ranked[0], ranked[-1]))
    if ranked[-1].lowest - ranked[0].lowest < words.CENT:
        return f"{said} The home that saves least saves {high} of it."
    return (
        f"{said} How much of it the home that saves least gets depends on the rule: from {low} "
        f"({listed(ranked[:1])}) to {high} ({listed(ranked[-1:])})."
    )
