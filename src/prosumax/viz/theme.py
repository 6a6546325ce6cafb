"""How things look: a colour, a dash and a decal per meaning, the same on every chart, and the bare bones of a chart.

Colours never say good or bad, and no two meanings differ by colour alone.
"""

import math
from typing import Any, NamedTuple

Option = dict[str, Any]
"""An ECharts option: plain JSON, so that no text of a user is ever evaluated."""

INK, FAINT, LINE = "#1B2730", "#56636D", "#DADFE3"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
_NARROW_PX = 480

_DIAGONAL: Option = {
    "symbol": "rect",
    "dashArrayX": [1, 0],
    "dashArrayY": [2, 4],
    "rotation": -math.pi / 4,
}
_TRIANGLES: Option = {
    "symbol": "triangle",
    "symbolSize": 0.9,
    "dashArrayX": [[5, 5], [0, 5, 5, 0]],
    "dashArrayY": [5, 2],
}
_DOTS: Option = {
    "symbol": "circle",
    "symbolSize": 0.8,
    "dashArrayX": [[4, 4], [0, 4, 4, 0]],
    "dashArrayY": [4, 1],
}
_RINGS: Option = {"symbol": "rect", "dashArrayX": [1, 0], "dashArrayY": [1, 5], "rotation": 0}


class Look(NamedTuple):
    """How one meaning is drawn.

    Attributes:
        colour: of the fill or the line; `outline` where a fill needs a darker edge.
        dash: of a line, lengths in pixels; empty is solid.
        decal: pattern over a filled bar, None for plain.
        swatch: pattern of the key beside the chart: plain, diagonal, triangles, dots or lines.
    """

    colour: str
    outline: str
    dash: list[int]
    decal: Option | None
    swatch: str


LOOKS = {
    "use": Look("#005B96", "#005B96", [], None, "plain"),
    "sun": Look("#E69F00", "#B36B00", [7, 4], None, "plain"),
    "battery": Look("#008F6B", "#008F6B", [2, 3], _DOTS, "dots"),
    "shared": Look("#E69F00", "#B36B00", [9, 3, 2, 3], _RINGS, "lines"),
    "bought": Look("#5B6770", "#5B6770", [], _DIAGONAL, "diagonal"),
    "sent": Look("#B04A7F", "#B04A7F", [], _TRIANGLES, "triangles"),
}


class Curve(NamedTuple):
    """How one of several curves of the same kind is drawn: told apart by dash and symbol."""

    colour: str
    dash: list[int]
    symbol: str


CURVES = (
    Curve("#005B96", [], "circle"),
    Curve("#005B96", [8, 4], "rect"),
    Curve("#005B96", [2, 3], "triangle"),
    Curve("#B36B00", [9, 3, 2, 3], "diamond"),
    Curve("#B36B00", [], "emptyCircle"),
)
LINES = (*CURVES, Curve("#762A83", [], "triangle"), Curve("#762A83", [6, 3], "diamond"))
"""Where more than five have to be told apart."""


class Load(NamedTuple):
    """How a line that is full up to `limit` is drawn: the fuller, the darker and wider; dashes over 100 %."""

    limit: float
    label: str
    colour: str
    width: float
    dash: list[int]


LOADS = (
    Load(0.1, "up to 10 % full", "#A9B8C2", 1.2, []),
    Load(0.25, "10 to 25 %", "#8DB9D9", 2.2, []),
    Load(0.5, "25 to 50 %", "#3F8CC4", 3.2, []),
    Load(0.8, "50 to 80 %", "#005B96", 4.4, []),
    Load(1.0, "80 to 100 %", "#B36B00", 5.6, []),
    Load(math.inf, "over 100 %", "#1B2730", 7, [9, 4]),
)
NOT_RATED = Load(math.inf, "no rating known", "#7A868E", 1.6, [2, 3])


class Volt(NamedTuple):
    """How a bus with a voltage below `limit` (per unit) is drawn: low points down, high points up."""

    limit: float
    label: str
    colour: str
    outline: str
    symbol: str
    turn: int
    larger: int


VOLTS = (
    Volt(0.90, "below 90 % of nominal voltage", "#762A83", INK, "triangle", 180, 5),
    Volt(0.95, "90 to 95 %", "#AF8DC3", "#762A83", "triangle", 180, 3),
    Volt(0.98, "95 to 98 %", "#E7D4E8", "#762A83", "triangle", 180, 1),
    Volt(1.02, "98 to 102 %", "#FFFFFF", FAINT, "circle", 0, 0),
    Volt(1.05, "102 to 105 %", "#D9F0D3", "#1B7837", "triangle", 0, 1),
    Volt(1.10, "105 to 110 %", "#7FBF7B", "#1B7837", "triangle", 0, 3),
    Volt(math.inf, "above 110 %", "#1B7837", INK, "triangle", 0, 5),
)


def base(tooltip: str, narrow: Option | None = None, wide: Option | None = None) -> Option:
    """The frame of every chart.

    Arguments:
        tooltip: `axis` or `item`, what the pointer asks about.
        narrow: changes for a phone.
        wide: what to go back to when a phone is turned; needed only for what is different in kind.
    """
    frame: Option = {
        "animation": False,
        "textStyle": {"fontFamily": _FONT, "fontSize": 13, "color": INK},
        "grid": {
            "left": 12,
            "right": 20,
            "top": 34,
            "bottom": 8,
            "outerBoundsMode": "same",
            "outerBoundsContain": "axisLabel",
        },
        # Rich text, not HTML: a home may be called anything.
        "tooltip": {
            "trigger": tooltip,
            "renderMode": "richText",
            "confine": True,
            "textStyle": {"fontFamily": _FONT, "fontSize": 13, "color": INK},
        },
    }
    if narrow is None:
        return frame
    media: list[Option] = [{"query": {"maxWidth": _NARROW_PX}, "option": narrow}]
    return {"baseOption": frame, "media": media if wide is None else [*media, {"option": wide}]}


def value_axis(name: str = "", **more: Any) -> Option:
    """An axis of numbers, its unit at the end."""
    return {
        "type": "value",
        "name": name,
        "nameTextStyle": {"color": FAINT, "fontSize": 13},
        "axisLabel": {"color": FAINT, "fontSize": 13, "hideOverlap": True},
        "axisLine": {"show": False},
        "splitLine": {"lineStyle": {"color": "#E8ECEF"}},
        **more,
    }


def category_axis(labels: list[str], ticks: list[int] | None = None, **more: Any) -> Option:
    """An axis of names or moments; `ticks` are the positions that get a label."""
    label: Option = {"color": INK, "fontSize": 13, "margin": 10, "hideOverlap": True}
    tick: Option = {"show": ticks is not None, "lineStyle": {"color": FAINT}}
    if ticks is not None:
        label["customValues"] = tick["customValues"] = ticks
    return {
        "type": "category",
        "data": labels,
        "axisLabel": label,
        "axisTick": tick,
        "axisLine": {"onZero": False, "lineStyle": {"color": "#9AA5AD"}},
        **more,
    }


def home_axis(names: list[str], room_px: int = 130) -> Option:
    """Homes from top to bottom; long names are cut."""
    axis = category_axis(names, inverse=True)
    axis["axisLabel"] |= {
        "width": room_px,
        "overflow": "truncate",
        "interval": 0 if len(names) <= 60 else "auto",
    }
    return axis


def line(meaning: str, name: str, values: list[Any], fill: float = 0.0) -> Option:
    """A line, or an area when `fill` is the opacity of what lies under it."""
    look = LOOKS[meaning]
    series: Option = {
        "type": "line",
        "name": name,
        "data": values,
        "symbol": "circle",
        "showSymbol": len(values) == 1,  # a line of one point would be nothing
        "lineStyle": {
            "color": look.outline,
            "width": 1.2 if fill > 0.3 else 2.4,
            "type": look.dash or "solid",
        },
        "itemStyle": {"color": look.colour, "borderColor": look.outline},
    }
    if fill:
        series["areaStyle"] = {"color": look.colour, "opacity": fill}
        if look.decal is not None:
            series["itemStyle"]["decal"] = {**look.decal, "color": "rgba(255,255,255,0.5)"}
    return series


def bar(meaning: str, name: str, values: list[Any], stack: str) -> Option:
    """One layer of a stack of bars."""
    look = LOOKS[meaning]
    item: Option = {"color": look.colour, "borderColor": look.outline, "borderWidth": 1}
    if look.decal is not None:
        item["decal"] = {
            **look.decal,
            "color": "rgba(255,255,255,0.55)" if meaning != "shared" else "rgba(120,70,0,0.55)",
        }
    return {
        "type": "bar",
        "name": name,
        "data": values,
        "stack": stack,
        "barMaxWidth": 46,
        "itemStyle": item,
    }


def spans(ends: list[Any], width: int = 3) -> Option:
    """Bars that join two points each."""
    return {
        "type": "lines",
        "coordinateSystem": "cartesian2d",
        "data": [{"coords": pair} for pair in ends],
        "silent": True,
        "lineStyle": {"color": "#7A868E", "width": width, "opacity": 1},
    }


def dots(name: str, points: list[Any], size: int, look: Look | None) -> Option:
    """Points of one kind; without a look, hollow ones."""
    filled: Option = (
        {}
        if look is None
        else {"color": look.colour, "borderColor": look.outline, "borderWidth": 1.5}
    )
    if look is not None and look.colour == look.outline:
        filled = {"color": look.colour, "borderColor": "#FFFFFF", "borderWidth": 1}
    hollow: Option = {"color": "#FFFFFF", "borderColor": INK, "borderWidth": 2}
    item = (filled or hollow) | {"opacity": 1}
    return {"type": "scatter", "name": name, "data": points, "symbolSize": size, "itemStyle": item}


def nice_bounds(low: float, high: float) -> tuple[float, float]:
    """Round numbers around a range that includes zero, for charts that share a scale."""
    axis = nice_axis(low, high)
    return axis["min"], axis["max"]


def nice_axis(low: float, high: float) -> dict[str, float]:
    """`min`, `max` and `interval` of an axis: round numbers around a range that includes zero."""
    low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1e-6:
        low, high = 0.0, 1.0
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(
        factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * (1 - 1e-9)
    )
    # A hair of slack: 0.3 is three steps of 0.1 in spite of binary fractions.
    ends = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return {"min": round(ends[0], 9), "max": round(ends[1], 9), "interval": round(step, 9)}
