"""Parts of an ECharts option: the frame, axes, series and axis bounds that primitives share."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prosumax.viz.theme import (
    AXIS_LINE,
    GRID_LINE,
    INK,
    JOIN,
    MUTED,
    CurveStyle,
    MeaningStyle,
    Option,
    Theme,
)

Values = NDArray[np.float64]

PHONE_PX = 480
"""Widest drawing that gets the layout of a phone."""

_STRONG_FILL = 0.3  # A fill more opaque than this carries the meaning itself: its line is thin.


def frame(
    theme: Theme, tooltip: str = "axis", narrow: Option | None = None, wide: Option | None = None
) -> Option:
    """Return the frame of every chart: type, margins and tooltip.

    Args:
        theme: Fonts.
        tooltip: `axis` or `item`, what the pointer selects.
        narrow: Changes for a phone.
        wide: Changes back when a phone is turned; needed only for what differs in kind.
    """
    text: Option = {"fontFamily": theme.font_family, "fontSize": theme.font_size, "color": INK}
    base: Option = {
        "animation": False,
        "textStyle": text,
        "grid": {
            "left": 12,
            "right": 20,
            "top": 34,
            "bottom": 8,
            "outerBoundsMode": "same",
            "outerBoundsContain": "axisLabel",
        },
        # Rich text, not HTML: a home may have any name.
        "tooltip": {
            "trigger": tooltip,
            "renderMode": "richText",
            "confine": True,
            "textStyle": dict(text),
        },
    }
    media: list[Option] = [{"query": {"maxWidth": PHONE_PX}, "option": narrow or {}}]
    if wide is not None:
        media.append({"option": wide})
    return {"baseOption": base, "media": media}


def base_of(option: Option) -> Option:
    """Return the option itself, without its variants for other widths."""
    base: Option = option.get("baseOption", option)
    return base


def value_axis(theme: Theme, name: str = "", **more: object) -> Option:
    """Return an axis of numbers with its unit at the end."""
    return {
        "type": "value",
        "name": name,
        "nameTextStyle": {"color": MUTED, "fontSize": theme.font_size},
        "axisLabel": {"color": MUTED, "fontSize": theme.font_size, "hideOverlap": True},
        "axisLine": {"show": False},
        "splitLine": {"lineStyle": {"color": GRID_LINE}},
        **more,
    }


def category_axis(
    theme: Theme, labels: Sequence[str], ticks: Sequence[int] | None = None, **more: object
) -> Option:
    """Return an axis of names or moments; `ticks` are the positions with a label."""
    label: Option = {"color": INK, "fontSize": theme.font_size, "margin": 10, "hideOverlap": True}
    tick: Option = {"show": ticks is not None, "lineStyle": {"color": MUTED}}
    if ticks is not None:
        label["customValues"] = list(ticks)
        tick["customValues"] = list(ticks)
    return {
        "type": "category",
        "data": list(labels),
        "axisLabel": label,
        "axisTick": tick,
        "axisLine": {"onZero": False, "lineStyle": {"color": AXIS_LINE}},
        **more,
    }


def home_axis(theme: Theme, names: Sequence[str], width_px: int = 130) -> Option:
    """Return a vertical axis of homes from top to bottom; long names are truncated."""
    axis = category_axis(theme, names, inverse=True)
    axis["axisLabel"] |= {
        "width": width_px,
        "overflow": "truncate",
        "interval": 0 if len(names) <= 60 else "auto",
    }
    return axis


def hour_ticks(hours: Sequence[int], every: int = 3) -> list[int]:
    """Return the positions of every third hour, or the first position if there is none."""
    return [at for at, hour in enumerate(hours) if hour % every == 0] or [0]


def meaning_line(
    style: MeaningStyle, name: str, values: Sequence[object], fill: float = 0.0
) -> Option:
    """Return a line of one meaning, or an area where `fill` is the opacity below it."""
    series: Option = {
        "type": "line",
        "name": name,
        "data": list(values),
        "symbol": "circle",
        "showSymbol": len(values) == 1,  # A line through one point would be invisible.
        "lineStyle": {
            "color": style.outline,
            "width": 1.2 if fill > _STRONG_FILL else 2.4,
            "type": style.dash or "solid",
        },
        "itemStyle": {"color": style.color, "borderColor": style.outline},
    }
    if fill:
        series["areaStyle"] = {"color": style.color, "opacity": fill}
        if style.decal is not None:
            series["itemStyle"]["decal"] = {**style.decal, "color": "rgba(255,255,255,0.5)"}
    return series


def curve_line(style: CurveStyle, name: str, values: Sequence[object], **more: object) -> Option:
    """Return one of several curves of the same kind."""
    return {
        "type": "line",
        "name": name,
        "data": list(values),
        "symbol": style.symbol,
        "symbolSize": 7,
        "lineStyle": {"color": style.color, "width": 2, "type": style.dash or "solid"},
        "itemStyle": {"color": style.color},
        **more,
    }


def meaning_bar(style: MeaningStyle, name: str, values: Sequence[object], stack: str) -> Option:
    """Return one layer of a stack of bars."""
    item: Option = {"color": style.color, "borderColor": style.outline, "borderWidth": 1}
    if style.decal is not None:
        item["decal"] = {**style.decal, "color": style.decal_color}
    return {
        "type": "bar",
        "name": name,
        "data": list(values),
        "stack": stack,
        "barMaxWidth": 46,
        "itemStyle": item,
    }


def joins(ends: Sequence[object], width: int = 3) -> Option:
    """Return bars that join two points each."""
    return {
        "type": "lines",
        "coordinateSystem": "cartesian2d",
        "data": [{"coords": pair} for pair in ends],
        "silent": True,
        "lineStyle": {"color": JOIN, "width": width, "opacity": 1},
    }


def points(name: str, data: Sequence[object], size: int, style: MeaningStyle | None) -> Option:
    """Return points of one kind; hollow ones without a style."""
    if style is None:
        item: Option = {"color": "#FFFFFF", "borderColor": INK, "borderWidth": 2}
    elif style.color == style.outline:
        item = {"color": style.color, "borderColor": "#FFFFFF", "borderWidth": 1}
    else:
        item = {"color": style.color, "borderColor": style.outline, "borderWidth": 1.5}
    return {
        "type": "scatter",
        "name": name,
        "data": list(data),
        "symbolSize": size,
        "itemStyle": item | {"opacity": 1},
    }


def limit_lines(theme: Theme, limits: dict[float, str]) -> Option:
    """Return horizontal dashed lines with labels at values of the vertical axis."""
    return {
        "symbol": "none",
        "silent": True,
        "data": [
            {"yAxis": value, "label": {"formatter": label}} for value, label in limits.items()
        ],
        "label": {"position": "insideEndTop", "color": INK, "fontSize": theme.font_size},
        "lineStyle": {"color": INK, "width": 1.5, "type": [6, 5]},
    }


def event_lines(theme: Theme, events: dict[int, str]) -> Option:
    """Return vertical dashed lines with labels at positions of the horizontal axis."""
    return {
        "symbol": "none",
        "silent": True,
        "data": [{"xAxis": at, "label": {"formatter": label}} for at, label in events.items()],
        "label": {"position": "insideEndTop", "color": INK, "fontSize": theme.axis_font_size},
        "lineStyle": {"color": INK, "width": 1.5, "type": [6, 5]},
    }


def json_numbers(values: Values, digits: int = 3) -> list[float]:
    """Return a list for JSON, rounded and without negative zeros."""
    rounded: list[float] = (np.round(values, digits) + 0.0).tolist()
    return rounded


def optional_numbers(values: Values, digits: int = 3) -> list[float | None]:
    """Return a list for JSON with `None` for NaN."""
    return [None if math.isnan(value) else value for value in json_numbers(values, digits)]


def round_axis(low: float, high: float) -> dict[str, float]:
    """Return `min`, `max` and `interval` of an axis around a range that includes zero."""
    low = min(low, 0.0)
    high = max(high, 0.0)
    if high - low < 1e-6:
        low = 0.0
        high = 1.0
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(
        factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * (1 - 1e-9)
    )
    # Slack for binary fractions: 0.3 is three steps of 0.1.
    bottom = math.floor(low / step + 1e-9) * step
    top = math.ceil(high / step - 1e-9) * step
    return {"min": round(bottom, 9), "max": round(top, 9), "interval": round(step, 9)}


def close_axis(low: float, high: float) -> dict[str, float]:
    """Return `min`, `max` and `interval` of an axis around a range that does not include zero."""
    step = round_axis(0, max(high - low, 0.05))["interval"]
    return {
        "min": round(math.floor(low / step + 1e-9) * step, 6),
        "max": round(math.ceil(high / step - 1e-9) * step, 6),
        "interval": round(step, 6),
    }


def rows_height(rows: int, row_px: int = 34) -> int:
    """Return the height of a drawing with a row per home, in pixels."""
    return 64 + rows * (row_px if rows <= 40 else row_px // 2)
