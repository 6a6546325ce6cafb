"""Primitives: the eight kinds of drawing from which all charts are made.

Each returns a complete ECharts option with its layout for wide and for narrow screens. Charts say
what is drawn; how it is drawn is decided here and in `parts`.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from prosumax.viz.parts import (
    Values,
    base_of,
    category_axis,
    frame,
    home_axis,
    joins,
    meaning_bar,
    points,
    value_axis,
)
from prosumax.viz.theme import HEAT, INK, MUTED, RULE, MeaningStyle, Option, Theme

_PHONE_LABEL_PX = 84
_HOME_LABEL_PX = 200


def _label_width(width: int) -> Option:
    """Return the width of the labels of the vertical axis; longer ones are truncated."""
    return {"yAxis": {"axisLabel": {"width": width}}}


def line_chart(
    series: Sequence[Option],
    *,
    x: Option,
    y: Option,
    theme: Theme,
    ticks: Sequence[int] | None = None,
    narrow_series: Sequence[Option] | None = None,
    grid: Option | None = None,
    reverse_tooltip: bool = False,
) -> Option:
    """Return lines and areas over a common axis.

    Args:
        series: Lines from `parts.meaning_line` or `parts.curve_line`.
        x: Horizontal axis.
        y: Vertical axis.
        theme: Fonts and palette.
        ticks: Labeled positions of the horizontal axis; a phone shows every second one.
        narrow_series: Changes of the series on a phone.
        grid: Changes of the margins.
        reverse_tooltip: Whether the tooltip lists the series from last to first.
    """
    narrow: Option = {}
    wide: Option | None = None
    if ticks is not None:
        narrow["xAxis"] = {"axisLabel": {"customValues": list(ticks[::2])}}
        wide = {"xAxis": {"axisLabel": {"customValues": list(ticks)}}}
    if narrow_series is not None:
        narrow["series"] = list(narrow_series)
        wide = wide or {}
        wide["series"] = [{"lineStyle": {"width": line["lineStyle"]["width"]}} for line in series]
    option = frame(theme, "axis", narrow, wide)
    base = base_of(option)
    base |= {"xAxis": x, "yAxis": y, "series": list(series)}
    if y.get("name"):
        y["nameTextStyle"] |= {"align": "left"}
    base["grid"] |= grid or {}
    if reverse_tooltip:
        base["tooltip"] |= {"order": "seriesDesc"}
    return option


class Layer(NamedTuple):
    """Layer of stacked bars.

    Attributes:
        style: Its appearance.
        name: Its name in the tooltip.
        values: One number per bar; `None` draws nothing.
    """

    style: MeaningStyle
    name: str
    values: Sequence[float | None]


def stacked_bars(
    layers: Sequence[Layer], categories: Sequence[str], unit: str, theme: Theme
) -> Option:
    """Return vertical stacked bars; negative values extend below zero."""
    option = frame(theme, "axis")
    base = base_of(option)
    base |= {
        "xAxis": category_axis(theme, categories, axisPointer={"type": "shadow"}),
        "yAxis": value_axis(theme, unit),
        "series": [meaning_bar(layer.style, layer.name, layer.values, "bars") for layer in layers],
    }
    base["tooltip"]["axisPointer"] = {"type": "shadow"}
    return option


def stacked_rows(
    layers: Sequence[Layer], rows: Sequence[str], unit: str, theme: Theme, *, label_px: int = 130
) -> Option:
    """Return horizontal stacked bars, a row per name from top to bottom."""
    option = frame(theme, "axis", _label_width(_PHONE_LABEL_PX), _label_width(label_px))
    base = base_of(option)
    base |= {
        "xAxis": value_axis(theme, unit, nameLocation="end", splitNumber=4),
        "yAxis": home_axis(theme, rows, label_px),
        "series": [meaning_bar(layer.style, layer.name, layer.values, "bars") for layer in layers],
    }
    base["tooltip"]["axisPointer"] = {"type": "shadow"}
    base["grid"] |= {"right": 44, "top": 10}
    return option


class Pair(NamedTuple):
    """Row of a dumbbell chart.

    Attributes:
        name: Name of the row.
        before, after: Values at the two ends.
        tooltip: Text of the tooltip.
        label: Text beside the larger end; empty for none.
        worse: Whether the end after is marked by a triangle.
    """

    name: str
    before: float
    after: float
    tooltip: str
    label: str
    worse: bool


def dumbbell(
    pairs: Sequence[Pair], names: tuple[str, str], style: MeaningStyle, theme: Theme
) -> Option:
    """Return rows with a hollow point before and a filled point after, joined by a bar.

    Args:
        pairs: Rows from top to bottom.
        names: Names of the points before and after.
        style: Style of the points after.
        theme: Fonts and palette.
    """
    few = len(pairs) <= 40
    size = 14 if few else 9
    before: list[Option] = []
    after: list[Option] = []
    for row, pair in enumerate(pairs):
        label: Option = {"show": few, "position": "right", "formatter": pair.label, "color": INK}
        hidden: Option = {"show": False}
        before_is_larger = pair.before >= pair.after
        before.append(
            {
                "value": [pair.before, row],
                "name": pair.tooltip,
                "label": label if before_is_larger else hidden,
            }
        )
        point: Option = {
            "value": [pair.after, row],
            "name": pair.tooltip,
            "label": hidden if before_is_larger else label,
        }
        after.append(point | ({"symbol": "triangle", "symbolSize": 15} if pair.worse else {}))
    option = frame(
        theme,
        "item",
        narrow={
            **_label_width(_PHONE_LABEL_PX),
            "series": [{}, {"symbolSize": 11}, {"symbolSize": 8}],
        },
        wide={
            **_label_width(_HOME_LABEL_PX),
            "series": [{}, {"symbolSize": size}, {"symbolSize": size}],
        },
    )
    base = base_of(option)
    base |= {
        "xAxis": value_axis(theme, scale=True, splitNumber=4, boundaryGap=["4%", "4%"]),
        "yAxis": home_axis(theme, [pair.name for pair in pairs], _HOME_LABEL_PX),
        "series": [
            joins([[a["value"], b["value"]] for a, b in zip(before, after, strict=True)], 4),
            points(names[0], before, size, None),
            points(names[1], after, size, style),
        ],
    }
    base["tooltip"]["formatter"] = "{b}"
    base["grid"] |= {"right": 96 if few else 20, "top": 10}
    return option


def histogram(
    edges: Values,
    shares: Values | None,
    curves: Sequence[Option],
    *,
    unit: str,
    y: Option,
    name: str,
    style: MeaningStyle,
    theme: Theme,
) -> Option:
    """Return bars of true width on an axis of numbers, with curves over them.

    Args:
        edges: Edges of the bins.
        shares: Height of each bar; `None` draws curves only.
        curves: Lines over the bars.
        unit: Name of the horizontal axis.
        y: Vertical axis.
        name: Name of the bars.
        style: Style of the bars.
        theme: Fonts and palette.
    """
    series = list(curves)
    if shares is not None:
        # An outline with steps, so that bars have their true width on an axis of numbers.
        heights = np.concatenate([[0], np.repeat(shares, 2), [0]])
        corners = np.column_stack([np.repeat(edges, 2), heights])
        bars: Option = {
            "type": "line",
            "name": name,
            "data": corners.round(6).tolist(),
            "symbol": "none",
            "lineStyle": {"color": style.color, "width": 1},
            "areaStyle": {"color": style.color, "opacity": 0.3},
            "itemStyle": {"color": style.color},
            "tooltip": {"show": False},
        }
        series.insert(0, bars)
    option = frame(
        theme, "axis", narrow={"xAxis": {"splitNumber": 3}}, wide={"xAxis": {"splitNumber": 6}}
    )
    base = base_of(option)
    x = value_axis(
        theme,
        unit,
        min=float(edges[0]),
        max=float(edges[-1]),
        splitNumber=6,
        splitLine={"show": False},
        nameLocation="middle",
        nameGap=30,
    )
    x["axisLabel"] |= {"showMinLabel": False, "showMaxLabel": False}
    y["nameTextStyle"] |= {"align": "left"}
    base |= {"xAxis": x, "yAxis": y, "series": series}
    base["grid"] |= {"bottom": 30}
    return option


def heat_map(
    cells: Sequence[Sequence[object]],
    columns: Sequence[str],
    rows: Sequence[str],
    *,
    highest: float,
    ends: tuple[str, str],
    theme: Theme,
) -> Option:
    """Return a matrix of shaded cells.

    Args:
        cells: Column, row and value of each cell that is drawn.
        columns: Names from left to right.
        rows: Names from top to bottom.
        highest: Value with the darkest shade; the lightest is 0.
        ends: Labels of the color scale at its highest and lowest value.
        theme: Fonts and palette.
    """
    label: Option = {
        "color": INK,
        "fontSize": theme.font_size - 1,
        "interval": 0,
        "width": 70,
        "overflow": "truncate",
        "hideOverlap": False,
    }
    option = frame(theme, "item")
    base = base_of(option)
    base["grid"] |= {"left": 8, "right": 8, "top": 8, "bottom": 48}
    base["tooltip"]["formatter"] = "{c}"
    base |= {
        "xAxis": {"type": "category", "data": list(columns), "axisLabel": label | {"rotate": 60}},
        "yAxis": {"type": "category", "data": list(rows), "axisLabel": label, "inverse": True},
        "visualMap": {
            "min": 0,
            "max": highest,
            "orient": "horizontal",
            "left": "center",
            "bottom": 0,
            "itemHeight": 90,
            "text": list(ends),
            "textStyle": {"color": INK},
            "inRange": {"color": list(HEAT)},
        },
        "series": [
            {
                "type": "heatmap",
                "data": [list(cell) for cell in cells],
                "itemStyle": {"borderColor": RULE, "borderWidth": 1},
                "emphasis": {"itemStyle": {"borderColor": MUTED, "borderWidth": 2}},
            }
        ],
    }
    return option


def hidden_axes(low: float, high: float) -> Option:
    """Return two invisible axes, on which drawings take the room there is and are not stretched."""
    axis: Option = {"type": "value", "min": low, "max": high, "show": False}
    return {"xAxis": axis, "yAxis": dict(axis)}


class Node(NamedTuple):
    """Node of a network.

    Attributes:
        id: Identifier, to which links refer.
        name: Label.
        symbol: `circle`, `rect` or `triangle`.
        size: In pixels.
        fill, outline: Colors.
        rotation: Rotation of the symbol, degrees.
        tooltip: Text of the tooltip; empty for none.
    """

    id: str
    name: str
    symbol: str
    size: int
    fill: str
    outline: str
    rotation: int = 0
    tooltip: str = ""


def network(
    nodes: Sequence[Node], links: Sequence[Option], theme: Theme, *, name: str, link_style: Option
) -> Option:
    """Return nodes on a circle, from the top clockwise, with links between them.

    Args:
        nodes: In order around the circle.
        links: ECharts links with `source`, `target`, `value` and `lineStyle`.
        theme: Fonts and palette.
        name: Name of the series.
        link_style: Further properties of the series, for its links.
    """
    narrow: Option = {
        "grid": {"left": 84, "right": 84},
        "series": [{"label": {"width": 76, "fontSize": theme.phone_font_size}}],
    }
    wide: Option = {
        "grid": {"left": 170, "right": 170},
        "series": [{"label": {"width": 150, "fontSize": theme.font_size}}],
    }
    option = frame(theme, "item", narrow, wide)
    base = base_of(option)
    base |= hidden_axes(-1, 1)
    base["yAxis"] |= {"inverse": True}
    base["grid"] = {"left": 170, "right": 170, "top": 40, "bottom": 40}
    base["series"] = [
        {
            "type": "graph",
            "name": name,
            "coordinateSystem": "cartesian2d",
            "data": [_circle_node(node, place, len(nodes)) for place, node in enumerate(nodes)],
            "links": list(links),
            "label": {
                "show": True,
                "color": INK,
                "fontSize": theme.font_size,
                "width": 150,
                "overflow": "truncate",
            },
            "labelLayout": {"hideOverlap": True},
            "emphasis": {"focus": "adjacency", "lineStyle": {"opacity": 1}},
            **link_style,
        }
    ]
    return option


def _circle_node(node: Node, place: int, count: int) -> Option:
    """Return a node at its place on the circle, its label outside."""
    angle = 2 * math.pi * place / count
    x = math.sin(angle)
    y = -math.cos(angle)
    side = "right" if x > 0 else "left"
    if abs(x) < 0.2:
        side = "top" if y < 0 else "bottom"
    return {
        "id": node.id,
        "name": node.name,
        "value": [round(x, 4), round(y, 4)],
        "tooltip": {"formatter": node.tooltip} if node.tooltip else {"show": False},
        "symbol": node.symbol,
        "symbolRotate": node.rotation,
        "symbolSize": node.size,
        "itemStyle": {"color": node.fill, "borderColor": node.outline, "borderWidth": 2},
        "label": {"position": side},
    }


def map_chart(series: Sequence[Option], theme: Theme, *, narrow: Option, wide: Option) -> Option:
    """Return lines and points by their position, from 0 to 100 across and up.

    Args:
        series: Lines and points, in order of drawing.
        theme: Fonts and palette.
        narrow: Layout for a phone: its `grid` and changes of each series.
        wide: Layout for wider screens.
    """
    option = frame(theme, "item", narrow, wide)
    base = base_of(option)
    base |= hidden_axes(0, 100)
    base["series"] = list(series)
    base["grid"] = {**wide["grid"], "top": 34, "bottom": 30}
    base["tooltip"]["formatter"] = "{b}"
    return option


def sankey(nodes: dict[str, str], links: Sequence[tuple[str, str, float]], theme: Theme) -> Option:
    """Return flows between nodes from left to right.

    Args:
        nodes: Color of each node by name.
        links: Source, target and amount of each flow.
        theme: Fonts and palette.
    """
    narrow: Option = {
        "series": [
            {"left": 4, "right": 96, "label": {"width": 92, "fontSize": theme.phone_font_size}}
        ]
    }
    wide: Option = {"series": [{"left": 12, "right": 180, "label": {"width": 170}}]}
    option = frame(theme, "item", narrow, wide)
    base_of(option)["series"] = [
        {
            "type": "sankey",
            "left": 12,
            "right": 180,
            "data": [
                {"name": name, "itemStyle": {"color": color, "borderColor": INK}}
                for name, color in nodes.items()
            ],
            "links": [
                {"source": source, "target": target, "value": round(amount, 3)}
                for source, target, amount in links
            ],
            "lineStyle": {"color": "source", "opacity": 0.35},
            "label": {
                "color": INK,
                "fontSize": theme.font_size,
                "width": 170,
                "overflow": "truncate",
            },
            "emphasis": {"focus": "adjacency"},
        }
    ]
    return option


def point_rows(
    labels: Sequence[str],
    series: Sequence[Option],
    x: Option,
    theme: Theme,
    narrow_series: Sequence[Option] | None = None,
) -> Option:
    """Return rows of points or boxes, a row per label from top to bottom.

    Args:
        labels: Names of the rows; a line break starts a new line.
        series: Points, bars or boxes with their row as the second coordinate.
        x: Bounds of the horizontal axis.
        theme: Fonts and palette.
        narrow_series: Changes of the series on a phone.
    """
    phone: Option = {
        "axisLabel": {
            "width": 130,
            "fontSize": theme.phone_font_size,
            "lineHeight": 13,
            "overflow": "breakAll",
        }
    }
    desk: Option = {
        "axisLabel": {
            "width": 220,
            "fontSize": theme.font_size,
            "lineHeight": 15,
            "overflow": "truncate",
        }
    }
    narrow: Option = {"yAxis": phone}
    if narrow_series is not None:
        narrow["series"] = list(narrow_series)
    option = frame(theme, "item", narrow, {"yAxis": desk})
    base = base_of(option)
    base |= {
        "xAxis": value_axis(theme, **x),
        "yAxis": home_axis(theme, labels, 220),
        "series": list(series),
    }
    base["yAxis"]["axisLabel"] |= {"interval": 0}
    base["tooltip"]["formatter"] = "{b}"
    base["grid"] |= {"right": 30, "top": 10}
    return option
