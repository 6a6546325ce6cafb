"""What all charts share: the meaning of colours, axes, and the shape of what is handed out."""

from collections.abc import Mapping
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


class Mark(NamedTuple):
    """What a line or an area stands for.

    Attributes:
        name: in words.
        shape: "line", "dash", "area", "bar", "ring" (hollow dot) or "dot".
        colour: of it.
        decal: of an area or a bar, a key of `DECALS`.
    """

    name: str
    shape: str
    colour: str
    decal: str = "none"


class Chart(NamedTuple):
    """A picture (`option`, for ECharts), one sentence that says the same (**bold** parts), its table and its key."""

    option: Option
    sentence: str
    table: Table
    marks: tuple[Mark, ...] = ()


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


_DIGITS = {"": 2, "1": 1, "kW": 2, "kWh": 1, "%": 0, "€": 2}
_TAGS = {"en": "en-IE", "fr": "fr-BE", "nl": "nl-BE"}


def _formatter(tag: str, unit: str) -> str:
    style = f"maximumFractionDigits: {_DIGITS[unit]}"
    if unit == "€":
        style = f"style: 'currency', currency: 'EUR', minimumFractionDigits: 0, {style}"
    after = f"\u00a0{unit}" if unit not in ("", "1", "€") else ""
    return (
        "(v) => { const x = v && v.value !== undefined ? v.value : v; "
        f"return x == null || x === '-' ? '–' : Number(x).toLocaleString('{tag}', {{{style}}}) + '{after}'; }}"
    )


FORMATTERS: Mapping[tuple[str, str], str] = {
    (lang, unit): _formatter(tag, unit) for lang, tag in _TAGS.items() for unit in _DIGITS
}
"""The only code that an option may hold: numbers as a language (first) writes them, with their unit (second).

Unit "1" is none, with one decimal.
"""


def base(**parts: Any) -> Option:
    """What every option begins with: no motion, our type, tooltips that are never HTML."""
    return {
        "animation": False,
        "textStyle": {"fontFamily": "system-ui, sans-serif", "color": INK, "fontSize": 14},
        "tooltip": {"renderMode": "richText", "confine": True, "trigger": "axis"},
        **parts,
    }


def tooltip(lang: str, unit: str, trigger: str = "axis") -> Option:
    """What is shown under the pointer, every number with its unit: "", "kW", "kWh", "%" or "€"."""
    return {
        "renderMode": "richText",
        "confine": True,
        "trigger": trigger,
        ":valueFormatter": FORMATTERS[lang, unit],
    }


def axis_text(**more: Any) -> Option:
    """Labels of an axis; the line height is explicit because the page's would be taken otherwise."""
    return {"color": INK, "fontSize": 13, "lineHeight": 17, "hideOverlap": True, **more}


def amount_text(lang: str, unit: str = "") -> Option:
    """Labels of an axis of amounts, as the language writes numbers."""
    return axis_text(**{":formatter": FORMATTERS[lang, unit]})


def clock_axis(grid: int = 0, show: bool = True, every_h: int = 3) -> Option:
    """The 96 quarter-hours of a day from left to right, labelled every few hours."""
    return {
        "type": "category",
        "gridIndex": grid,
        "data": [f"{quarter // 4:02d}:{quarter % 4 * 15:02d}" for quarter in range(96)],
        "boundaryGap": False,
        "axisTick": {"show": False},
        "axisLine": {"lineStyle": {"color": QUIET}},
        "axisLabel": axis_text(interval=4 * every_h - 1, show=show, showMaxLabel=False),
    }


def value_axis(name: str, **more: Any) -> Option:
    """An axis of amounts, its name on top; `axisLabel=amount_text(lang, unit)` writes the numbers in a language."""
    return {
        "type": "value",
        "name": name,
        "nameTextStyle": {"color": QUIET, "align": "left", "fontSize": 13},
        "axisLabel": axis_text(),
        "splitLine": {"lineStyle": {"color": RULE}},
        **more,
    }
