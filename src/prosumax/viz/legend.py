"""Legend of a figure: a small SVG swatch per entry, for pages and for files."""

from collections.abc import Callable
from functools import cache

from prosumax.viz.theme import (
    ACTIVITIES,
    CURVES,
    DISTANCE_GRAYS,
    INK,
    LOADING_STYLES,
    MEANINGS,
    MUTED,
    OVERLAP,
    VOLTAGES,
    CurveStyle,
    MeaningStyle,
)

WIDTH = 30
"""Width of a swatch in pixels."""

HEIGHT = 16
"""Height of a swatch in pixels."""

_PV = MEANINGS["pv"]
_LOAD = MEANINGS["load"]


def _line(color: str, width: float, dash: str = "", more: str = "") -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="M0 8 H30" stroke="{color}" stroke-width="{width:g}"{dashes}{more}/>'


_FIXED = {
    "before": f'<circle cx="15" cy="8" r="6" fill="#fff" stroke="{INK}" stroke-width="2"/>',
    "after": f'<circle cx="15" cy="8" r="7" fill="{_LOAD.color}"/>',
    "worse": f'<path d="M15 1 L23 15 L7 15 Z" fill="{INK}"/>',
    "loser": f'<path d="M15 1 L23 15 L7 15 Z" fill="{_LOAD.color}"/>',
    "home-pv": (
        f'<circle cx="15" cy="8" r="6.5" fill="{_PV.color}" stroke="{_PV.outline}"'
        ' stroke-width="1.5"/>'
    ),
    "home-plain": f'<rect x="9" y="2" width="12" height="12" fill="{_LOAD.color}"/>',
    "payment": (
        f'<path d="M0 8 H20" stroke="{_PV.outline}" stroke-width="4"/>'
        f'<path d="M18 2 L29 8 L18 14 Z" fill="{_PV.outline}"/>'
    ),
    "density": _line(INK, 2),
    "role-seller": (
        f'<path d="M15 2 L22 14 L8 14 Z" fill="{_PV.color}" stroke="{_PV.outline}"'
        ' stroke-width="2"/>'
    ),
    "role-buyer": f'<path d="M15 14 L22 2 L8 2 Z" fill="{_LOAD.color}"/>',
    "role-both": f'<circle cx="15" cy="8" r="6" fill="#fff" stroke="{INK}" stroke-width="2"/>',
    "even": _line(MUTED, 2, "6 5"),
    "equal": _line(MUTED, 1.5),
    "chosen": _line(INK, 5, more=' opacity="0.55"'),
    "bus-home": f'<circle cx="15" cy="8" r="6.5" fill="none" stroke="{INK}" stroke-width="2"/>',
    "bus-source": f'<rect x="8" y="1" width="14" height="14" fill="{INK}"/>',
    "transformer": "".join(
        f'<circle cx="{x}" cy="8" r="5.5" fill="none" stroke="{INK}" stroke-width="1.5"/>'
        for x in (11, 19)
    ),
}


def _curve(style: CurveStyle) -> str:
    color = style.color
    symbols = {
        "circle": f'<circle cx="15" cy="8" r="4.5" fill="{color}"/>',
        "emptyCircle": (
            f'<circle cx="15" cy="8" r="4" fill="#fff" stroke="{color}" stroke-width="2"/>'
        ),
        "rect": f'<rect x="11" y="4" width="8" height="8" fill="{color}"/>',
        "triangle": f'<path d="M15 3 L20 12 L10 12 Z" fill="{color}"/>',
        "diamond": f'<path d="M15 3 L20 8 L15 13 L10 8 Z" fill="{color}"/>',
    }
    return _line(color, 2, _dashes(style.dash)) + symbols[style.symbol]


def _loading(position: int) -> str:
    style = LOADING_STYLES[position]
    return _line(style.color, style.width, _dashes(style.dash))


def _voltage(position: int) -> str:
    style = VOLTAGES[position]
    if style.symbol == "circle":
        return f'<circle cx="15" cy="8" r="5" fill="{style.color}" stroke="{style.outline}"/>'
    turn = ' transform="rotate(180 15 8)"' if style.rotation else ""
    return f'<path d="M15 2 L21 14 L9 14 Z" fill="{style.color}" stroke="{style.outline}"{turn}/>'


_NUMBERED: dict[str, Callable[[int], str]] = {
    "curve": lambda at: _curve(CURVES[at]),
    "loading": _loading,
    "voltage": _voltage,
    "gray": lambda at: _line(DISTANCE_GRAYS[at], 5),
    "activity": lambda at: (
        f'<circle cx="15" cy="8" r="6.5" fill="{ACTIVITIES[at].color}" stroke="{INK}"/>'
    ),
}

_PATTERNS = {
    "plain": "",
    "diagonal": (
        '<path d="M2 14 L14 2 M9 14 L21 2 M16 14 L28 2" stroke="#fff" stroke-width="2"'
        ' opacity="0.7"/>'
    ),
    "triangles": (
        '<path d="M4 12 l4 -7 l4 7 z M13 12 l4 -7 l4 7 z M21 12 l3.5 -7 l3.5 7 z" fill="#fff"'
        ' opacity="0.6"/>'
    ),
    "dots": (
        '<path d="M6 8 h0 M12 8 h0 M18 8 h0 M24 8 h0" stroke="#fff" stroke-width="4"'
        ' stroke-linecap="round" opacity="0.6"/>'
    ),
    "lines": (
        '<path d="M2 5 h26 M2 8 h26 M2 11 h26" stroke="#784600" stroke-width="1" opacity="0.6"/>'
    ),
}


_SHAPES = {
    "line": '<path d="M1 7H27" stroke="{color}" stroke-width="3"/>',
    "dash": '<path d="M1 7H27" stroke="{color}" stroke-width="3" stroke-dasharray="7 4"/>',
    "area": (
        '<rect x="1" y="1" width="26" height="12" fill="{color}" fill-opacity=".55"'
        ' stroke="{color}"/>'
    ),
    "bar": '<rect x="1" y="1" width="26" height="12" rx="2" fill="{color}"/>{pattern}',
}
"""Shapes in which a page shows a meaning, 28 by 14 pixels; the name is `SHAPE-MEANING`."""

_SHAPE_PATTERNS = {
    "grid_import": (
        '<path d="M3 13L11 1M10 13L18 1M17 13L25 1" stroke="#fff" stroke-opacity=".6"'
        ' stroke-width="2"/>'
    ),
    "battery": (
        '<path d="M6 7h.1M14 7h.1M22 7h.1" stroke="#fff" stroke-width="4" stroke-linecap="round"/>'
    ),
    "grid_export": '<path d="M7 4l3 6H4zM21 4l3 6h-6z" fill="#fff" fill-opacity=".75"/>',
}
_SHAPE_COLORS = {name: style.color for name, style in MEANINGS.items()} | {
    "overlap": OVERLAP,
    "reference": MUTED,
}


def _shape(name: str, meaning: str) -> str:
    content = _SHAPES[name].format(
        color=_SHAPE_COLORS[meaning], pattern=_SHAPE_PATTERNS.get(meaning, "")
    )
    return f'<g transform="translate(1 1)">{content}</g>'


def _meaning(name: str, style: MeaningStyle, lines: bool) -> str:
    if lines and name not in ("grid_import", "grid_export"):
        area = (
            f'<rect x="0" y="8" width="30" height="8" fill="{style.color}" opacity="0.3"/>'
            if name == "pv"
            else ""
        )
        return area + _line(style.outline, 3, _dashes(style.dash))
    opacity = ' opacity="0.55"' if lines else ""
    box = (
        f'<rect x="1" y="1" width="28" height="14" fill="{style.color}" stroke="{style.outline}"'
        f' stroke-width="2"{opacity}/>'
    )
    return box + _PATTERNS[style.swatch]


def _dashes(dash: list[int]) -> str:
    return " ".join(map(str, dash))


@cache
def swatch(name: str, lines: bool = False) -> str:
    """Return the SVG elements of a swatch, `WIDTH` by `HEIGHT` pixels.

    Args:
        name: A meaning of the theme, a mark such as `before` or `worse`, a class with its
            position, such as `curve-2` or `loading-5`, or a shape with its meaning: `line`, `dash`,
            `area` or `bar`, such as `dash-pv`.
        lines: Whether meanings are drawn as lines instead of bars.

    Raises:
        KeyError: There is no such swatch.
    """
    if name in _FIXED:
        return _FIXED[name]
    if name in MEANINGS:
        return _meaning(name, MEANINGS[name], lines)
    kind, _, position = name.rpartition("-")
    if kind in _SHAPES:
        return _shape(kind, position)
    return _NUMBERED[kind](int(position))
