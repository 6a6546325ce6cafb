"""What all charts share: the meaning of colours, axes, and the shape of what is handed out."""

from typing import Any, NamedTuple

INK, QUIET, RULE, PAPER = "#1B2730", "#56636D", "#DADFE3", "#FFFFFF"
USE, SUN, STORE, BOUGHT, SENT = "#005B96", "#E69F00", "#008F6B", "#5B6770", "#B04A7F"
SHARED_EDGE = "#B36B00"
"""Colour is meaning on every page: use, production, battery, bought, sent; shared is the sun's with an edge."""

Option = dict[str, Any]


class Table(NamedTuple):
    """A chart's numbers as text: caption, names of the columns, rows whose first cell is a name."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Chart(NamedTuple):
    """A picture (`option`, for ECharts), the one sentence that says the same (**bold** parts), and its table."""

    option: Option
    sentence: str
    table: Table


DECALS: dict[str, Option] = {
    "bought": {
        "symbol": "rect",
        "color": "rgba(255,255,255,.45)",
        "dashArrayX": [1, 0],
        "dashArrayY": [2, 6],
        "rotation": 0.785,
    },
    "sent": {
        "symbol": "triangle",
        "color": "rgba(255,255,255,.5)",
        "symbolSize": 0.7,
        "dashArrayX": [[9, 9], [0, 9, 9, 0]],
        "dashArrayY": [9, 3],
        "rotation": 0,
    },
    "store": {
        "symbol": "circle",
        "color": "rgba(255,255,255,.55)",
        "symbolSize": 0.6,
        "dashArrayX": [[7, 7], [0, 7, 7, 0]],
        "dashArrayY": [7, 2],
        "rotation": 0,
    },
    "none": {"symbol": "none"},
}
"""The second encoding of filled areas, so that no colour has to be told from another."""


def base(**parts: Any) -> Option:
    """What every option begins with: no motion, our type, tooltips that are never HTML."""
    return {
        "animation": False,
        "textStyle": {"fontFamily": "system-ui, sans-serif", "color": INK, "fontSize": 14},
        "tooltip": {"renderMode": "richText", "confine": True, "trigger": "axis"},
        **parts,
    }


def axis_text(**more: Any) -> Option:
    """Labels of an axis; the line height is explicit because the page's would be taken otherwise."""
    return {"color": INK, "fontSize": 13, "lineHeight": 17, "hideOverlap": True, **more}


def value_axis(name: str, **more: Any) -> Option:
    """An axis of amounts, its unit on top."""
    return {
        "type": "value",
        "name": name,
        "nameTextStyle": {"color": QUIET, "align": "left", "fontSize": 13},
        "axisLabel": axis_text(),
        "splitLine": {"lineStyle": {"color": RULE}},
        **more,
    }
