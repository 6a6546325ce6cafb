"""Primitives of one fixed layout, for cards of a page that sets the room of each drawing.

In contrast to `primitives`, the option has no variant for narrow screens, and numbers get the
formats of `Theme.number_formats`, so that a page can write them in its language.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from prosumax.viz.parts import Values
from prosumax.viz.theme import INK, MUTED, PAPER, RULE, MeaningStyle, Option, Theme

_LINE_HEIGHT_PX = 17  # Labels would inherit the line height of the page.
_CLOCK_POINTS = 12  # Points of a ring per hour, so that its steps follow the circle.
_QUARTER_HOURS = tuple(f"{step // 4:02d}:{step % 4 * 15:02d}" for step in range(96))


class Margins(NamedTuple):
    """Room around a drawing and its labels, in pixels."""

    left: int
    right: int
    top: int
    bottom: int


class Curve(NamedTuple):
    """Line or area of a chart.

    Attributes:
        name: Its name in the tooltip.
        values: One number per position, or pairs of coordinates.
        color: Color of the line.
        width: Width of the line in pixels.
        dash: `solid`, `dashed` or `dotted`, or dash lengths in pixels.
        fill: Opacity of the area below the line; `None` for no area.
        fill_color: Color of the area; that of the line when empty.
        step: Position of steps, `start`, `middle` or `end`; empty for a polyline.
        symbol_px: Size of the points; 0 for none.
        interactive: Whether the pointer selects the line itself.
    """

    name: str
    values: Sequence[object]
    color: str
    width: float
    dash: str | list[int] = "solid"
    fill: float | None = None
    fill_color: str = ""
    step: str = ""
    symbol_px: int = 0
    interactive: bool = True

    def series(self) -> Option:
        """Return the series of the line."""
        fill_color = self.fill_color or self.color
        series: Option = {
            "type": "line",
            "name": self.name,
            "data": list(self.values),
            "lineStyle": {"color": self.color, "width": self.width, "type": self.dash},
            "itemStyle": {"color": fill_color},
        }
        series |= {"symbolSize": self.symbol_px} if self.symbol_px else {"symbol": "none"}
        if self.fill_color:
            series["itemStyle"] |= {"borderColor": self.color, "borderWidth": 1.5}
        if self.fill is not None:
            series["areaStyle"] = {"color": fill_color, "opacity": self.fill}
        if self.step:
            series["step"] = self.step
        if not self.interactive:
            series["silent"] = True
        return series


class Band(NamedTuple):
    """Area between two curves.

    Attributes:
        name: Its name in the tooltip.
        low: Lower edge, as in `Curve.values`.
        height: Height above the lower edge.
        color: Color of the area.
        opacity: Opacity of the area.
        step: Position of steps, as in `Curve`.
        in_tooltip: Whether the tooltip shows the edges.
    """

    name: str
    low: Sequence[object]
    height: Sequence[object]
    color: str
    opacity: float
    step: str = ""
    in_tooltip: bool = True

    def series(self, stack: str) -> list[Option]:
        """Return the invisible lower edge and the area stacked on it.

        Args:
            stack: Name of the stack, unique in the chart.
        """
        edge: Option = {
            "type": "line",
            "symbol": "none",
            "stack": stack,
            "silent": True,
            "lineStyle": {"opacity": 0},
        }
        if self.step:
            edge["step"] = self.step
        if not self.in_tooltip:
            edge["tooltip"] = {"show": False}
        area: Option = {
            "data": list(self.height),
            "areaStyle": {"color": self.color, "opacity": self.opacity},
            "itemStyle": {"color": self.color},
        }
        if self.name:
            area["name"] = self.name
        return [edge | {"data": list(self.low)}, edge | area]


def number_format(theme: Theme, unit: str | None, key: str = ":formatter") -> Option:
    """Return the number format of a unit as a part of an option; empty if the theme has none.

    Args:
        theme: Number formats.
        unit: Unit, a key of `Theme.number_formats`; `None` for the format of ECharts.
        key: Property that takes the format.
    """
    if unit is None or unit not in theme.number_formats:
        return {}
    return {key: theme.number_formats[unit]}


def axis_unit(theme: Theme, unit: str, name: str = "") -> str:
    """Return the name of an axis of numbers; empty where their format carries the unit.

    Args:
        theme: Number formats.
        unit: Unit of the numbers, as in `number_format`.
        name: Name of the axis otherwise; the unit when empty.
    """
    return "" if unit in theme.number_formats else name or unit


def _frame(theme: Theme, unit: str | None, trigger: str = "axis") -> Option:
    """Return the frame of a chart: fonts and a tooltip in plain text."""
    return {
        "animation": False,
        "textStyle": {"fontFamily": theme.font_family, "color": INK, "fontSize": theme.font_size},
        "tooltip": {
            "renderMode": "richText",
            "confine": True,
            "trigger": trigger,
            **number_format(theme, unit, ":valueFormatter"),
        },
    }


def _grid(margins: Margins) -> Option:
    return {**margins._asdict(), "containLabel": True}


def _label(theme: Theme, **more: object) -> Option:
    """Return the labels of an axis."""
    return {
        "color": INK,
        "fontSize": theme.axis_font_size,
        "lineHeight": _LINE_HEIGHT_PX,
        "hideOverlap": True,
        **more,
    }


def number_axis(
    theme: Theme,
    name: str = "",
    unit: str | None = None,
    *,
    low: float | None = None,
    high: float | None = None,
    **more: object,
) -> Option:
    """Return an axis of numbers with its name on top.

    Args:
        theme: Fonts and number formats.
        name: Name of the axis.
        unit: Unit of the labels, see `number_format`.
        low: Lower end; chosen from the numbers when None.
        high: Upper end; chosen from the numbers when None.
        **more: Other settings of the axis.
    """
    bounds = {"min": low, "max": high}
    return {
        "type": "value",
        "name": name,
        "nameTextStyle": {"color": MUTED, "align": "left", "fontSize": theme.axis_font_size},
        "axisLabel": _label(theme, **number_format(theme, unit)),
        "splitLine": {"lineStyle": {"color": RULE}},
        **{key: bound for key, bound in bounds.items() if bound is not None},
        **more,
    }


def quantity_axis(theme: Theme, name: str, low: float, high: float) -> Option:
    """Return a horizontal axis of numbers with its name below.

    Args:
        theme: Fonts.
        name: Name of the axis.
        low: Lower end.
        high: Upper end.
    """
    return {
        "type": "value",
        "min": low,
        "max": high,
        "name": name,
        "nameLocation": "middle",
        "nameGap": 28,
        "axisLabel": _label(theme),
    }


def day_axis(theme: Theme, *, every_h: int = 3, on_zero: bool = True) -> Option:
    """Return an axis of the 96 quarter-hours of a day.

    Args:
        theme: Fonts.
        every_h: Hours between labels.
        on_zero: Whether the axis crosses the other one at zero.
    """
    line: Option = {"lineStyle": {"color": MUTED}}
    return {
        "type": "category",
        "data": list(_QUARTER_HOURS),
        "boundaryGap": False,
        "axisTick": {"show": False},
        "axisLine": line if on_zero else line | {"onZero": False},
        "axisLabel": _label(theme, interval=4 * every_h - 1, showMaxLabel=False),
    }


def hour_axis(theme: Theme, hours: Sequence[str]) -> Option:
    """Return an axis of the hours of a day, every sixth with a label.

    Args:
        theme: Fonts.
        hours: Names of the hours.
    """
    return {"type": "category", "data": list(hours), "axisLabel": _label(theme, interval=5)}


def _row_axis(theme: Theme, names: Sequence[str], **label: object) -> Option:
    """Return a vertical axis of rows from top to bottom."""
    return {
        "type": "category",
        "inverse": True,
        "data": list(names),
        "axisTick": {"show": False},
        "axisLabel": _label(theme, hideOverlap=False, **label),
    }


def lines(
    curves: Sequence[Curve],
    *,
    x: Option,
    y: Option,
    margins: Margins,
    theme: Theme,
    unit: str | None,
    bands: Sequence[Band] = (),
) -> Option:
    """Return curves over a common axis, on top of bands.

    Args:
        curves: Lines and areas.
        x: Horizontal axis.
        y: Vertical axis.
        margins: Room around the drawing.
        theme: Fonts and number formats.
        unit: Unit of the numbers in the tooltip.
        bands: Areas between two curves.
    """
    series = [part for at, band in enumerate(bands) for part in band.series(f"band-{at}")]
    series += [curve.series() for curve in curves]
    return {
        **_frame(theme, unit),
        "grid": _grid(margins),
        "xAxis": x,
        "yAxis": y,
        "series": series,
    }


def lines_with_strip(
    curves: Sequence[Curve],
    strip: Curve,
    *,
    unit: str,
    highest: float,
    marked: tuple[int, int | None],
    theme: Theme,
) -> Option:
    """Return curves over the quarter-hours of a day, with one more curve in a strip below.

    The number of series does not depend on the data, so that a page can redraw the chart by merging
    options.

    Args:
        curves: Lines and areas of the day.
        strip: Area in the strip, 0 to 100; without values there is no strip.
        unit: Unit of the curves.
        highest: Upper end of the vertical axis.
        marked: Position of the curve that is drawn on top, and its quarter-hour that is marked by a
            vertical line (`None` for no mark).
        theme: Fonts and number formats.
    """
    has_strip = bool(strip.values)
    top, step = marked
    series = [curve.series() for curve in curves]
    series[top] |= {
        "z": 4,
        "markLine": {
            "silent": True,
            "symbol": "none",
            "label": {"show": False},
            "lineStyle": {"color": INK, "width": 1.5, "type": "solid"},
            "data": [] if step is None else [{"xAxis": step}],
        },
    }
    series.append(strip.series() | {"xAxisIndex": 1, "yAxisIndex": 1, "tooltip": {"show": False}})
    upper = day_axis(theme) | {"gridIndex": 0}
    lower = day_axis(theme) | {"gridIndex": 1, "show": has_strip}
    upper["axisLabel"]["show"] = not has_strip
    lower["axisLabel"]["show"] = has_strip
    strip_axis: Option = {
        "type": "value",
        "gridIndex": 1,
        "min": 0,
        "max": 100,
        "name": strip.name if has_strip else "",
        "nameGap": 6,
        "nameTextStyle": {"color": INK, "align": "left", "fontSize": theme.axis_font_size},
        "axisLabel": {"show": False},
        "splitLine": {"show": False},
        "axisTick": {"show": False},
    }
    return {
        **_frame(theme, unit),
        "grid": [
            {"left": 46, "right": 14, "top": 28, "bottom": 92 if has_strip else 30},
            {"left": 46, "right": 14, "height": 26 if has_strip else 0, "bottom": 30},
        ],
        "xAxis": [upper, lower],
        "yAxis": [
            number_axis(theme, unit, "", low=0, high=highest, splitNumber=4, nameGap=10),
            strip_axis,
        ],
        "series": series,
    }


def clock(
    wedges: tuple[str, Values, str], ring: tuple[str, Values, str], *, unit: str, theme: Theme
) -> Option:
    """Return the 24 hours of a day around a circle, with noon at the top.

    Args:
        wedges: Name, hourly values [24] and color of the bars.
        ring: Name, hourly values [24] and color of the stepped line.
        unit: Unit of the values.
        theme: Fonts and number formats.
    """
    bar_name, bar_values, bar_color = wedges
    line_name, line_values, line_color = ring
    highest = max(float(line_values.max()), float(bar_values.max()), 0.5)
    end = float(np.ceil(2 * highest) / 2)
    hours = [f"{hour:02d}" for hour in range(24)]
    positions = []
    for hour in hours:
        minutes = [60 // _CLOCK_POINTS * part for part in range(1, _CLOCK_POINTS)]
        positions += [hour, *(f"{hour}:{minute:02d}" for minute in minutes)]
    steps = np.repeat(line_values, _CLOCK_POINTS).round(3).tolist()
    no_ticks: Option = {"axisTick": {"show": False}}
    radius: Option = {
        "type": "value",
        "min": 0,
        "max": end,
        "axisLine": {"show": False},
        "axisLabel": {"show": False},
        **no_ticks,
    }
    angle: Option = {"type": "category", "startAngle": 270, **no_ticks}
    return {
        **_frame(theme, unit),
        "polar": [{"center": ["50%", "50%"], "radius": ["24%", "82%"]}] * 2,
        "angleAxis": [
            {
                **angle,
                "data": hours,
                "axisLabel": {"show": False},
                "axisLine": {"lineStyle": {"color": MUTED}},
            },
            {
                **angle,
                "data": positions,
                "polarIndex": 1,
                "boundaryGap": False,
                "axisLabel": _label(theme, interval=3 * _CLOCK_POINTS - 1, hideOverlap=False),
                "axisLine": {"show": False},
            },
        ],
        "radiusAxis": [
            {
                **radius,
                "interval": max(end / 2, 0.5),
                "splitLine": {"lineStyle": {"color": RULE}},
            },
            {**radius, "polarIndex": 1, "splitLine": {"show": False}},
        ],
        "series": [
            {
                "type": "bar",
                "name": bar_name,
                "coordinateSystem": "polar",
                "data": bar_values.round(3).tolist(),
                "barCategoryGap": "8%",
                "itemStyle": {"color": bar_color},
            },
            {
                "type": "line",
                "name": line_name,
                "coordinateSystem": "polar",
                "polarIndex": 1,
                "data": [*steps, steps[0]],
                "symbol": "none",
                "lineStyle": {"color": line_color, "width": 3},
                "itemStyle": {"color": line_color},
                "z": 5,
            },
        ],
    }


class Flow(NamedTuple):
    """Flow of a Sankey diagram, with the color of its band."""

    source: str
    target: str
    amount: float
    color: str


def compact_sankey(
    nodes: dict[str, str],
    flows: Sequence[Flow],
    *,
    unit: str,
    theme: Theme,
    wrapped: Sequence[str] = (),
) -> Option:
    """Return flows between nodes from left to right, in the given order.

    Args:
        nodes: Color of each node by name.
        flows: Flows between the nodes.
        unit: Unit of the amounts.
        theme: Fonts and number formats.
        wrapped: Nodes whose label gets its own width.
    """
    room: Option = {"width": 108, "overflow": "break"}
    return {
        **_frame(theme, unit, "item"),
        "series": [
            {
                "type": "sankey",
                "left": 2,
                "right": 118,
                "top": 8,
                "bottom": 8,
                "nodeWidth": 20,
                "nodeGap": 26,
                "draggable": False,
                "layoutIterations": 0,
                "emphasis": {"disabled": True},
                "data": [
                    {
                        "name": name,
                        "itemStyle": {"color": color, "borderWidth": 0},
                        "label": room if name in wrapped else {},
                    }
                    for name, color in nodes.items()
                ],
                "links": [
                    {
                        "source": flow.source,
                        "target": flow.target,
                        "value": round(flow.amount, 2),
                        "lineStyle": {"color": flow.color, "opacity": 0.36},
                    }
                    for flow in flows
                ],
                "label": {"color": INK, "fontSize": theme.font_size, "lineHeight": 18, **room},
            }
        ],
    }


class BarSegment(NamedTuple):
    """Part of stacked bars.

    Attributes:
        name: Its name in the tooltip.
        values: One number per bar.
        style: Its color and decal.
        ink: Color of its numbers; other colors than `theme.INK` get a background.
    """

    name: str
    values: Sequence[float]
    style: MeaningStyle
    ink: str = INK


def _rows(
    theme: Theme, names: Sequence[str], label_px: int, margins: Margins, x: Option, unit: str
) -> Option:
    return {
        **_frame(theme, unit),
        "grid": _grid(margins),
        "xAxis": x,
        "yAxis": _row_axis(theme, names, width=label_px, overflow="break", fontSize=14),
    }


def labeled_stacks(
    parts: Sequence[BarSegment], names: Sequence[str], *, total: float, unit: str, theme: Theme
) -> Option:
    """Return horizontal stacked bars with their numbers inside.

    Args:
        parts: Parts of the bars, from left to right.
        names: Names of the bars from top to bottom.
        total: Length of the longest bar; parts shorter than a tenth of it have no number.
        unit: Unit of the values.
        theme: Fonts and number formats.
    """
    series: list[Option] = []
    for part in parts:
        label: Option = {
            "color": part.ink,
            "fontSize": theme.font_size,
            "fontWeight": 650,
            **number_format(theme, "1"),
        }
        if part.ink != INK:
            label |= {"backgroundColor": part.style.color, "padding": [2, 4], "borderRadius": 4}
        series.append(
            {
                "type": "bar",
                "stack": "all",
                "name": part.name,
                "data": [
                    {"value": round(value, 3), "label": {"show": value > 0.1 * total}}
                    for value in part.values
                ],
                "barWidth": 46,
                "itemStyle": {
                    "color": part.style.color,
                    "decal": _decal(part.style),
                    "borderColor": PAPER,
                    "borderWidth": 1,
                },
                "label": label,
            }
        )
    x = number_axis(theme, "", unit, high=round(total * 1.02, 2), splitNumber=3, nameGap=0)
    x["axisLabel"]["showMaxLabel"] = False
    return {**_rows(theme, names, 92, Margins(8, 20, 4, 8), x, unit), "series": series}


def _decal(style: MeaningStyle) -> Option:
    if style.decal is None:
        return {"symbol": "none"}
    return {**style.decal, "color": style.decal_color}


class Bar(NamedTuple):
    """Single bar: its name, value, fill and outline."""

    name: str
    value: float
    fill: str
    outline: str


def labeled_bars(
    bars: Sequence[Bar], name: str, *, low: float, high: float, unit: str, theme: Theme
) -> Option:
    """Return horizontal bars with their numbers beside them.

    Args:
        bars: Bars from top to bottom.
        name: Name of the quantity in the tooltip.
        low: Lower end of the axis.
        high: Upper end of the axis.
        unit: Unit of the values.
        theme: Fonts and number formats.
    """
    x = number_axis(theme, "", unit, low=low, high=high, splitNumber=3)
    x["axisLabel"] |= {"showMaxLabel": False, "showMinLabel": False}
    return {
        **_rows(theme, [bar.name for bar in bars], 110, Margins(8, 70, 8, 8), x, unit),
        "series": [
            {
                "type": "bar",
                "name": name,
                "barWidth": 30,
                "data": [
                    {
                        "value": round(bar.value, 4),
                        "itemStyle": {
                            "color": bar.fill,
                            "borderColor": bar.outline,
                            "borderWidth": 2,
                        },
                    }
                    for bar in bars
                ],
                "label": {
                    "show": True,
                    "position": "right",
                    "color": INK,
                    "fontSize": 15,
                    "fontWeight": 650,
                    **number_format(theme, unit),
                },
            }
        ],
    }


class BarGroup(NamedTuple):
    """Bars of one kind among several side by side; `dashed` gives them a dashed outline."""

    name: str
    values: Values
    color: str
    dashed: bool = False


def grouped_bars(
    groups: Sequence[BarGroup], categories: Sequence[str], *, unit: str, theme: Theme
) -> Option:
    """Return vertical bars side by side.

    Args:
        groups: Bars of each kind.
        categories: Names from left to right.
        unit: Unit of the values.
        theme: Fonts and number formats.
    """
    outline: Option = {"borderColor": INK, "borderType": "dashed"}
    return {
        **_frame(theme, unit),
        "grid": _grid(Margins(8, 8, 28, 8)),
        "xAxis": {
            "type": "category",
            "data": list(categories),
            "axisTick": {"show": False},
            "axisLabel": _label(theme, interval=0),
        },
        "yAxis": number_axis(theme, unit, "", splitNumber=4, nameGap=10),
        "series": [
            {
                "type": "bar",
                "name": group.name,
                "data": group.values.round(1).tolist(),
                "barGap": "8%",
                "itemStyle": {"color": group.color, **(outline if group.dashed else {})},
            }
            for group in groups
        ],
    }


class Dots(NamedTuple):
    """Dots of one kind, by column and row."""

    name: str
    places: Sequence[Sequence[int]]
    fill: str
    outline: str
    outline_px: float


def dot_counts(
    kinds: Sequence[Dots], labels: Sequence[str], *, columns: int, theme: Theme
) -> Option:
    """Return rows of small dots, one per unit of a quantity.

    Args:
        kinds: Dots of each kind.
        labels: Names of the rows from top to bottom.
        columns: Number of dots for which there is room in a row.
        theme: Fonts.
    """
    y = _row_axis(theme, labels, interval=0)
    y["axisLine"] = {"show": False}
    return {
        **_frame(theme, None),
        "tooltip": {"show": False},
        "grid": _grid(Margins(8, 8, 4, 4)),
        "xAxis": {"type": "value", "min": -1, "max": columns, "show": False},
        "yAxis": y,
        "series": [
            {
                "type": "scatter",
                "name": dots.name,
                "data": [list(place) for place in dots.places],
                "symbol": "circle",
                "symbolSize": 5.5,
                "silent": True,
                "itemStyle": {
                    "color": dots.fill,
                    "borderColor": dots.outline,
                    "borderWidth": dots.outline_px,
                },
            }
            for dots in kinds
        ],
    }


class Dot(NamedTuple):
    """Row of a chart of labeled dots.

    Attributes:
        name: Name of the row.
        value: Position of the dot.
        label: Text above the dot.
        whisker: Both ends of the line through the dot; `None` for no line.
    """

    name: str
    value: float
    label: str
    whisker: tuple[float, float] | None = None


def labeled_dots(
    dots: Sequence[Dot], name: str, *, color: str, theme: Theme, high: float | None = None
) -> Option:
    """Return one labeled dot per row, with a line over its range.

    Args:
        dots: Rows from top to bottom.
        name: Name of the axis.
        color: Color of the dots.
        theme: Fonts and number formats.
        high: Upper end of an axis that starts at 0; chosen from the numbers when None.
    """
    option = _frame(theme, None, "item")
    option["tooltip"]["formatter"] = "{b}"
    x = number_axis(
        theme,
        name,
        "",
        low=None if high is None else 0,
        high=high,
        nameLocation="middle",
        nameGap=30,
        nameTextStyle={"color": MUTED, "fontSize": theme.axis_font_size},
    )
    label: Option = {
        "show": True,
        "position": "top",
        "color": INK,
        "fontSize": theme.axis_font_size,
    }
    return {
        **option,
        "grid": _grid(Margins(8, 30, 8, 48)),
        "xAxis": x,
        "yAxis": _row_axis(
            theme, [dot.name for dot in dots], interval=0, width=110, overflow="break"
        ),
        "series": [
            {
                "type": "lines",
                "coordinateSystem": "cartesian2d",
                "silent": True,
                "data": [
                    {"coords": [[end, row] for end in dot.whisker]}
                    for row, dot in enumerate(dots)
                    if dot.whisker is not None
                ],
                "lineStyle": {"color": INK, "width": 2, "opacity": 1},
            },
            {
                "type": "scatter",
                "symbolSize": 16,
                "itemStyle": {"color": color},
                "data": [
                    {
                        "value": [dot.value, row],
                        "name": f"{dot.name}: {dot.label}",
                        "label": {**label, "formatter": dot.label},
                    }
                    for row, dot in enumerate(dots)
                ],
            },
        ],
    }
