"""Elements shared by all charts: colors, axes, number formats and the types of a chart."""

from collections.abc import Mapping
from typing import Any, NamedTuple

INK = "#1B2730"
MUTED = "#56636D"
GRID_LINE = "#DADFE3"
PAPER = "#FFFFFF"
# Each color has one meaning on every page.
LOAD_COLOR = "#005B96"
SOLAR_COLOR = "#E69F00"
STORAGE_COLOR = "#008F6B"
IMPORT_COLOR = "#5B6770"
EXPORT_COLOR = "#B04A7F"
SHARED_EDGE_COLOR = "#B36B00"  # edge of areas of shared energy, filled with the solar color

Option = dict[str, Any]


class ChartTable(NamedTuple):
    """Numbers of a chart as text.

    Attributes:
        caption: Caption of the table.
        header: Names of the columns.
        rows: Cells; the first cell of a row is its name.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class LegendItem(NamedTuple):
    """Entry of a chart's legend.

    Attributes:
        name: Translated name of the series.
        shape: `line`, `dash`, `area`, `bar`, `ring` (hollow dot) or `dot`.
        color: Color of the series.
        decal: Pattern of an area or a bar, a key of `DECALS`.
    """

    name: str
    shape: str
    color: str
    decal: str = "none"


class RenderedChart(NamedTuple):
    """A chart ready to be shown.

    Attributes:
        option: ECharts option.
        sentence: Main message of the chart, with `**bold**` parts.
        table: Numbers of the chart.
        legend: Entries of the legend.
    """

    option: Option
    sentence: str
    table: ChartTable
    legend: tuple[LegendItem, ...] = ()


DECALS: dict[str, Option] = {
    "import": {
        "symbol": "rect",
        "color": "rgba(255,255,255,.45)",
        "dashArrayX": [1, 0],
        "dashArrayY": [2, 6],
        "rotation": 0.785,
    },
    "export": {
        "symbol": "triangle",
        "color": "rgba(255,255,255,.5)",
        "symbolSize": 0.7,
        "dashArrayX": [[9, 9], [0, 9, 9, 0]],
        "dashArrayY": [9, 3],
        "rotation": 0,
    },
    "storage": {
        "symbol": "circle",
        "color": "rgba(255,255,255,.55)",
        "symbolSize": 0.6,
        "dashArrayX": [[7, 7], [0, 7, 7, 0]],
        "dashArrayY": [7, 2],
        "rotation": 0,
    },
    "none": {"symbol": "none"},
}
"""Patterns of filled areas, which distinguish them without color."""

_DIGITS = {"": 2, "1": 1, "kW": 2, "kWh": 1, "%": 0, "€": 2}
_TAGS = {"en": "en-IE", "fr": "fr-BE", "nl": "nl-BE"}


def _formatter(tag: str, unit: str) -> str:
    style = f"maximumFractionDigits: {_DIGITS[unit]}"
    if unit == "€":
        style = f"style: 'currency', currency: 'EUR', minimumFractionDigits: 0, {style}"
    suffix = f"\u00a0{unit}" if unit not in ("", "1", "€") else ""
    return (
        "(v) => { const x = v && v.value !== undefined ? v.value : v; "
        "return x == null || x === '-' ? '–' : "
        f"Number(x).toLocaleString('{tag}', {{{style}}}) + '{suffix}'; }}"
    )


FORMATTERS: Mapping[tuple[str, str], str] = {
    (lang, unit): _formatter(tag, unit) for lang, tag in _TAGS.items() for unit in _DIGITS
}
"""Number formatters by language and unit; unit "1" has no suffix and one decimal.

They are the only code that an option may contain.
"""


def base_option(**parts: Any) -> Option:
    """Return the common part of all options: no animation, plain-text tooltips.

    Args:
        **parts: Other components of the option.
    """
    return {
        "animation": False,
        "textStyle": {"fontFamily": "system-ui, sans-serif", "color": INK, "fontSize": 14},
        "tooltip": {"renderMode": "richText", "confine": True, "trigger": "axis"},
        **parts,
    }


def tooltip(lang: str, unit: str, trigger: str = "axis") -> Option:
    """Return a tooltip whose numbers carry their unit.

    Args:
        lang: Language code.
        unit: Unit of `FORMATTERS`.
        trigger: `axis` or `item`.
    """
    return {
        "renderMode": "richText",
        "confine": True,
        "trigger": trigger,
        ":valueFormatter": FORMATTERS[lang, unit],
    }


def axis_label(**settings: Any) -> Option:
    """Return the labels of an axis.

    The line height is set because labels would inherit that of the page.

    Args:
        **settings: Other settings of the labels.
    """
    return {"color": INK, "fontSize": 13, "lineHeight": 17, "hideOverlap": True, **settings}


def value_label(lang: str, unit: str = "") -> Option:
    """Return the labels of a value axis in the number format of a language.

    Args:
        lang: Language code.
        unit: Unit of `FORMATTERS`.
    """
    return axis_label(**{":formatter": FORMATTERS[lang, unit]})


def time_axis(grid: int = 0, show: bool = True, every_h: int = 3) -> Option:
    """Return an axis of the 96 quarter-hours of a day.

    Args:
        grid: Index of the grid.
        show: Whether labels are shown.
        every_h: Hours between labels.
    """
    return {
        "type": "category",
        "gridIndex": grid,
        "data": [f"{quarter // 4:02d}:{quarter % 4 * 15:02d}" for quarter in range(96)],
        "boundaryGap": False,
        "axisTick": {"show": False},
        "axisLine": {"lineStyle": {"color": MUTED}},
        "axisLabel": axis_label(interval=4 * every_h - 1, show=show, showMaxLabel=False),
    }


def value_axis(name: str, **settings: Any) -> Option:
    """Return a value axis with its name on top.

    Args:
        name: Name of the axis.
        **settings: Other settings; `axisLabel=value_label(lang, unit)` formats the numbers.
    """
    return {
        "type": "value",
        "name": name,
        "nameTextStyle": {"color": MUTED, "align": "left", "fontSize": 13},
        "axisLabel": axis_label(),
        "splitLine": {"lineStyle": {"color": GRID_LINE}},
        **settings,
    }
