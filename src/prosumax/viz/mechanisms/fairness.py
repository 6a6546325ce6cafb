"""Fairness of mechanisms: a point per mechanism, what all homes save and what the least saves."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from prosumax.viz.chart import Chart, Figure, LegendEntry, Table
from prosumax.viz.language import Language
from prosumax.viz.mechanisms.groups import MechanismGroup, highest, listed, scale_reach
from prosumax.viz.parts import base_of, frame, joins, points, round_axis, value_axis
from prosumax.viz.text import CENT
from prosumax.viz.theme import INK, MUTED, Option, Theme

_KINDS = {
    "after": "a mechanism",
    "before": "a mechanism that pays with an external subsidy",
    "worse": "a home loses",
}
_HEIGHT_PX = 520
_LABEL_GAP_PX = 16


class _Canvas(NamedTuple):
    """Inner size of a drawing and size of its letters in pixels; approximate values suffice."""

    width: float
    height: float
    letter: float
    line: float


_WIDE = _Canvas(1040, _HEIGHT_PX - 70, 7.2, 17)
_NARROW = _Canvas(265, _HEIGHT_PX - 70, 6.2, 14)


def data(groups: Sequence[MechanismGroup]) -> pd.DataFrame:
    """Return a row per group of mechanisms with its savings and its external subsidy."""
    table = pd.DataFrame(
        {
            "mechanism": [group.label for group in groups],
            "label": [group.short_label for group in groups],
            "listed": [listed([group]) for group in groups],
            "total_saving": [group.total_saving for group in groups],
            "lowest_saving": [group.lowest_saving for group in groups],
            "outside_money": [group.outside_money for group in groups],
            "losers": [len(group.losers) for group in groups],
        }
    )
    inside = [group for group in groups if group.outside_money < CENT]
    total, best = highest(inside or groups, lambda group: group.total_saving)
    ranked = sorted(best, key=lambda group: group.lowest_saving)
    table.attrs |= {
        "currency": groups[0].currency,
        "homes": len(groups[0].result.households),
        "some_with_outside_money": 0 < len(inside) < len(groups),
        "best_total": total,
        "best": listed(best),
        "best_lowest": [
            (group.lowest_saving, listed([group])) for group in (ranked[0], ranked[-1])
        ],
    }
    return table


def sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe the mechanism with the highest total saving, and its lowest saving of a home."""
    attrs = table.attrs
    currency = attrs["currency"]
    total = attrs["best_total"]
    if total < CENT:
        return "Under none of these mechanisms do the homes save anything together."
    start = "Without external subsidy, most" if attrs["some_with_outside_money"] else "Most"
    text = f"{start} is saved together under {attrs['best']}: {language.money(total, currency)}."
    (low, low_name), (high, high_name) = attrs["best_lowest"]
    if high - low < CENT:
        return f"{text} The home that saves least saves {language.money(high, currency)} of it."
    return (
        f"{text} How much of it the home that saves least gets depends on the mechanism: from"
        f" {language.money(low, currency)} ({low_name}) to {language.money(high, currency)}"
        f" ({high_name})."
    )


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw a point per mechanism with its name beside it."""
    currency = table.attrs["currency"]
    total = table["total_saving"]
    shown = table[total.abs() <= scale_reach(total.abs().tolist())].reset_index(drop=True)
    x = round_axis(round(shown["total_saving"].min(), 2), round(shown["total_saving"].max(), 2))
    y = round_axis(round(shown["lowest_saving"].min(), 2), round(shown["lowest_saving"].max(), 2))
    dots = _dots(shown, currency, language)
    unchanged: list[Option] = [{} for _ in range(4)]
    small: list[Option] = [*({"symbolSize": 9} for _ in range(3)), {}]
    option = frame(
        theme,
        "item",
        narrow={"series": [*small, *_labels(shown, x, y, _NARROW, theme.phone_font_size)]},
        wide={"series": [*unchanged, *_labels(shown, x, y, _WIDE, theme.font_size)]},
    )
    base = base_of(option)
    title = f"all homes together, {currency}"
    base |= {
        "xAxis": value_axis(theme, title, **x, nameLocation="middle", nameGap=30),
        "yAxis": value_axis(theme, f"lowest saving, {currency}", **y),
        "series": _series(dots, _equal_line(x, y, table.attrs["homes"]), theme),
    }
    base["grid"] |= {"right": 24, "left": 16, "bottom": 26}
    base["yAxis"]["nameTextStyle"] |= {"align": "left"}
    base["tooltip"]["formatter"] = "{b}"
    return Figure(
        id="fairness",
        title="Is what is best for all together good for every home?",
        summary=sentence(table, language),
        option=option,
        unit=currency,
        height_px=_HEIGHT_PX,
        legend=[
            *(LegendEntry(kind, label) for kind, label in _KINDS.items() if dots[kind]),
            LegendEntry("even", "all homes save the same"),
        ],
        table=_table(table, currency, language),
        note=_note(table, shown, language),
    )


def _dots(shown: pd.DataFrame, currency: str, language: Language) -> dict[str, list[Option]]:
    """Return the points of each kind."""
    dots: dict[str, list[Option]] = {kind: [] for kind in _KINDS}
    for row in shown.to_dict("records"):
        together = language.money(row["total_saving"], currency)
        lowest = language.money(row["lowest_saving"], currency)
        name = f"{row['label']}: {together} together, lowest saving {lowest}"
        dots[_kind(row)].append({"value": _position(row), "name": name})
    return dots


def _kind(row: Mapping[Hashable, float]) -> str:
    if row["losers"]:
        return "worse"
    return "before" if row["outside_money"] >= CENT else "after"


def _position(row: Mapping[Hashable, float]) -> list[float]:
    return [round(row["total_saving"], 2) + 0.0, round(row["lowest_saving"], 2) + 0.0]


def _series(
    dots: dict[str, list[Option]], equal_line: list[list[float]], theme: Theme
) -> list[Option]:
    return [
        points("a mechanism", dots["after"], 12, theme.meanings["load"]),
        points("with external subsidy", dots["before"], 12, None),
        points(_KINDS["worse"], dots["worse"], 14, None)
        | {"symbol": "triangle", "itemStyle": {"color": INK}},
        {
            "type": "line",
            "name": "all homes save the same",
            "data": equal_line,
            "symbol": "none",
            "silent": True,
            "z": 1,
            "lineStyle": {"color": MUTED, "width": 2, "type": [6, 5]},
        },
        joins([], 1),
        {
            "type": "scatter",
            "name": "names",
            "data": [],
            "silent": True,
            "symbolSize": 1,
            "itemStyle": {"color": "transparent"},
            "label": {"show": True, "color": INK, "formatter": "{b}", "distance": 2},
        },
    ]


class _Label(NamedTuple):
    """Name beside a point.

    Attributes:
        point: Position of the point on the axes.
        x, y: Position of the point on the canvas, pixels.
        left: Whether the name is to the left of the point.
        text: The name, truncated where it does not fit.
        span: Range that it covers from left to right, pixels.
    """

    point: list[float]
    x: float
    y: float
    left: bool
    text: str
    span: tuple[float, float]


def _labels(
    shown: pd.DataFrame,
    x: dict[str, float],
    y: dict[str, float],
    canvas: _Canvas,
    font_size: int,
) -> list[Option]:
    """Return names and lines to their points, moved up or down until no two names overlap."""
    scale_x = canvas.width / (x["max"] - x["min"])
    scale_y = canvas.height / (y["max"] - y["min"])
    labels = []
    for row in shown.to_dict("records"):
        point = _position(row)
        at_x = (point[0] - x["min"]) * scale_x
        at_y = (y["max"] - point[1]) * scale_y
        labels.append(_label(point, at_x, at_y, row["label"], canvas))
    names: list[Option] = []
    lines = []
    for column in _columns(labels):
        heights = spread([label.y for label in column], canvas.line, canvas.height)
        for label, height in zip(column, heights, strict=True):
            side = "left" if label.left else "right"
            start = label.x - _LABEL_GAP_PX if label.left else label.x + _LABEL_GAP_PX
            place = [round(x["min"] + start / scale_x, 4), round(y["max"] - height / scale_y, 4)]
            names.append({"value": place, "name": label.text, "label": {"position": side}})
            lines.append({"coords": [label.point, place]})
    return [{"data": lines}, {"data": names, "label": {"fontSize": font_size}}]


def _label(point: list[float], x: float, y: float, name: str, canvas: _Canvas) -> _Label:
    left = x > canvas.width / 2
    letters = int(((x if left else canvas.width - x) - 18) / canvas.letter)
    text = name if len(name) <= letters else f"{name[: letters - 1]}…"
    start = x - 18 - len(text) * canvas.letter if left else x + 18
    return _Label(point, x, y, left, text, (start, start + len(text) * canvas.letter))


def _columns(labels: list[_Label]) -> list[list[_Label]]:
    """Group labels that are above or below each other, from the top."""
    columns: list[list[_Label]] = []
    end = -math.inf
    for label in sorted(labels, key=lambda label: label.span):
        if label.span[0] > end:
            columns.append([])
        columns[-1].append(label)
        end = max(end, label.span[1])
    return [sorted(column, key=lambda label: label.y) for column in columns]


def spread(targets: Sequence[float], gap: float, height: float) -> list[float]:
    """Return positions nearest to the targets (least squares) with a minimum distance.

    Without the distances this is isotonic regression, solved by pooling adjacent violators.

    Args:
        targets: Ascending.
        gap: Minimum distance; smaller where the height does not suffice.
        height: Highest position; the lowest is 0.
    """
    count = len(targets)
    gap = min(gap, height / max(count - 1, 1))
    pools: list[list[float]] = []
    for number, place in enumerate(targets):
        pools.append([place - number * gap])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    level = np.concatenate([np.full(len(pool), np.mean(pool)) for pool in pools])
    bounded = level.clip(0, height - (count - 1) * gap)
    places: list[float] = (bounded + np.arange(count) * gap).tolist()
    return places


def _equal_line(x: dict[str, float], y: dict[str, float], homes: int) -> list[list[float]]:
    """Return the line on which the lowest saving is the mean saving, inside the axes."""
    ends = [min(max(x[end], y["min"] * homes), y["max"] * homes) for end in ("min", "max")]
    return [[end, end / homes] for end in ends]


def _note(table: pd.DataFrame, shown: pd.DataFrame, language: Language) -> str:
    currency = table.attrs["currency"]

    def places(rows: pd.DataFrame) -> str:
        return "; ".join(
            f"{row['listed']} ({language.money(row['total_saving'], currency)} together, lowest"
            f" saving {language.money(row['lowest_saving'], currency)})"
            for row in rows.to_dict("records")
        )

    note = "No mechanism can be above the dashed line."
    far = table[~table["mechanism"].isin(shown["mechanism"])]
    if len(far):
        note += f" Off the scale: {places(far)}."
    losing = table[table["losers"] > 0]
    if len(losing):
        note += f" A home loses under {places(losing)}."
    return note


def _table(table: pd.DataFrame, currency: str, language: Language) -> Table:
    return Table(
        f"Savings under each mechanism, {currency}",
        ["Mechanism", "all homes together", "lowest saving", "external subsidy"],
        [
            [
                str(row["mechanism"]),
                *(
                    language.number(row[name], 2)
                    for name in ("total_saving", "lowest_saving", "outside_money")
                ),
            ]
            for row in table.to_dict("records")
        ],
    )


fairness = Chart(
    "fairness",
    "Total and lowest saving under each mechanism",
    data,
    sentence,
    figure,
    source="comparison",
    section="comparison",
)
"""Total saving and lowest saving of a home, by mechanism."""
