"""Theme: one color, dash and decal per meaning, shared by reports, the demo and `result.plot`.

Colors never mean good or bad, and no two meanings differ by color alone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Option = dict[str, Any]
"""ECharts option: plain JSON, so that no text of a user is ever evaluated."""

INK = "#1B2730"
MUTED = "#56636D"
RULE = "#DADFE3"
PAPER = "#FFFFFF"
GRID_LINE = "#E8ECEF"
AXIS_LINE = "#9AA5AD"
JOIN = "#7A868E"
"""Color of bars that join two points."""

OVERLAP = "#7F9C92"
"""Color of the load over PV generation, where both are areas."""

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"

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
_HORIZONTAL: Option = {"symbol": "rect", "dashArrayX": [1, 0], "dashArrayY": [1, 5], "rotation": 0}


class MeaningStyle(NamedTuple):
    """Appearance of one meaning.

    Attributes:
        color: Color of the fill or the line.
        outline: Darker color for the edge of a fill and for lines.
        dash: Dash lengths of a line in pixels; empty for a solid line.
        decal: Pattern over a filled bar, `None` for none.
        decal_color: Color of that pattern.
        swatch: Pattern in the legend: `plain`, `diagonal`, `triangles`, `dots` or `lines`.
    """

    color: str
    outline: str
    dash: list[int]
    decal: Option | None
    decal_color: str
    swatch: str


_WHITE_DECAL = "rgba(255,255,255,0.55)"
_BROWN_DECAL = "rgba(120,70,0,0.55)"

MEANINGS: Mapping[str, MeaningStyle] = {
    "load": MeaningStyle("#005B96", "#005B96", [], None, "", "plain"),
    "pv": MeaningStyle("#E69F00", "#B36B00", [7, 4], None, "", "plain"),
    "battery": MeaningStyle("#008F6B", "#008F6B", [2, 3], _DOTS, _WHITE_DECAL, "dots"),
    "local": MeaningStyle("#E69F00", "#B36B00", [9, 3, 2, 3], _HORIZONTAL, _BROWN_DECAL, "lines"),
    "grid_import": MeaningStyle("#5B6770", "#5B6770", [], _DIAGONAL, _WHITE_DECAL, "diagonal"),
    "grid_export": MeaningStyle("#B04A7F", "#B04A7F", [], _TRIANGLES, _WHITE_DECAL, "triangles"),
}
"""Style of load, PV generation, battery, local exchange, grid import and grid export."""


class CurveStyle(NamedTuple):
    """Appearance of one of several curves of the same kind, told apart by dash and symbol."""

    color: str
    dash: list[int]
    symbol: str


CURVES = (
    CurveStyle("#005B96", [], "circle"),
    CurveStyle("#005B96", [8, 4], "rect"),
    CurveStyle("#005B96", [2, 3], "triangle"),
    CurveStyle("#B36B00", [9, 3, 2, 3], "diamond"),
    CurveStyle("#B36B00", [], "emptyCircle"),
    CurveStyle("#762A83", [], "triangle"),
    CurveStyle("#762A83", [6, 3], "diamond"),
)
"""Styles of up to seven curves of the same kind."""

CATEGORIES = ("#005B96", "#B36B00", "#762A83", "#1B7837", "#5B6770", "#B04A7F")
"""Colors of categories without a meaning of their own, such as microgrids."""


class LoadingStyle(NamedTuple):
    """Appearance of a line loaded up to `limit`: darker and wider with load, dashed above 100 %."""

    limit: float
    label: str
    color: str
    width: float
    dash: list[int]


LOADINGS = (
    LoadingStyle(0.1, "up to 10 % loaded", "#A9B8C2", 1.2, []),
    LoadingStyle(0.25, "10 to 25 %", "#8DB9D9", 2.2, []),
    LoadingStyle(0.5, "25 to 50 %", "#3F8CC4", 3.2, []),
    LoadingStyle(0.8, "50 to 80 %", "#005B96", 4.4, []),
    LoadingStyle(1.0, "80 to 100 %", "#B36B00", 5.6, []),
    LoadingStyle(math.inf, "over 100 %", "#1B2730", 7, [9, 4]),
)
NOT_RATED = LoadingStyle(math.inf, "no rating known", "#7A868E", 1.6, [2, 3])
LOADING_STYLES = (*LOADINGS, NOT_RATED)


class VoltageStyle(NamedTuple):
    """Appearance of a bus with a voltage below `limit` (per unit): low points down, high up."""

    limit: float
    label: str
    color: str
    outline: str
    symbol: str
    rotation: int
    extra_size: int


VOLTAGES = (
    VoltageStyle(0.90, "below 90 % of nominal voltage", "#762A83", INK, "triangle", 180, 5),
    VoltageStyle(0.95, "90 to 95 %", "#AF8DC3", "#762A83", "triangle", 180, 3),
    VoltageStyle(0.98, "95 to 98 %", "#E7D4E8", "#762A83", "triangle", 180, 1),
    VoltageStyle(1.02, "98 to 102 %", "#FFFFFF", MUTED, "circle", 0, 0),
    VoltageStyle(1.05, "102 to 105 %", "#D9F0D3", "#1B7837", "triangle", 0, 1),
    VoltageStyle(1.10, "105 to 110 %", "#7FBF7B", "#1B7837", "triangle", 0, 3),
    VoltageStyle(math.inf, "above 110 %", "#1B7837", INK, "triangle", 0, 5),
)


class ActivityStyle(NamedTuple):
    """Appearance of a bus at which up to this share of the busiest bus is traded."""

    limit: float
    color: str
    extra_size: int


ACTIVITIES = (
    ActivityStyle(0.0, "#FFFFFF", 0),
    ActivityStyle(0.2, "#FDE0C5", 2),
    ActivityStyle(0.4, "#F8B58B", 4),
    ActivityStyle(0.6, "#EB7F5B", 6),
    ActivityStyle(0.8, "#C8412F", 8),
    ActivityStyle(1.0, "#7F0F1F", 10),
)
"""From no trade to the busiest bus; lightness falls throughout, so shades differ in gray too."""

_NEAR_RGB = (27, 39, 48)
_FAR_RGB = (196, 204, 210)


def distance_gray(share: float) -> str:
    """Return the gray of a distance, given as a share (0 to 1) of the longest one."""
    mixed = (
        round(near + share * (far - near)) for near, far in zip(_NEAR_RGB, _FAR_RGB, strict=True)
    )
    return "#" + "".join(f"{part:02X}" for part in mixed)


DISTANCE_GRAYS = tuple(distance_gray(share) for share in (0, 0.5, 1))
"""Near, halfway and far, for the legend."""

HEAT = ("#FFF6DE", "#E69F00", "#B36B00")
"""Color scale of heat maps, from low to high."""


@dataclass(frozen=True)
class Theme:
    """Fonts of a drawing, and the palette of all drawings.

    Attributes:
        font_family: CSS font family.
        font_size: Size of labels in pixels.
        phone_font_size: Size of labels on a phone.
        axis_font_size: Size of labels of axes in `prosumax.viz.compact`.
        meanings: Style of each meaning.
        curves: Styles of curves of the same kind.
        number_formats: JavaScript function that formats a number, by unit; for pages that write
            numbers in their own language.
    """

    font_family: str = _FONT
    font_size: int = 13
    phone_font_size: int = 11
    axis_font_size: int = 13
    meanings: Mapping[str, MeaningStyle] = field(default_factory=lambda: MEANINGS)
    curves: tuple[CurveStyle, ...] = CURVES
    number_formats: Mapping[str, str] = field(default_factory=dict)


THEME = Theme()
"""Theme of reports, the demo and `result.plot`."""
