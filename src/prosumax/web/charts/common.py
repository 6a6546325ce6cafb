"""Elements shared by all charts: colors, axes, number formats and the types of a chart."""

from collections.abc import Mapping
from typing import NamedTuple

from prosumax.viz.theme import INK as INK
from prosumax.viz.theme import MEANINGS, RULE
from prosumax.viz.theme import MUTED as MUTED
from prosumax.viz.theme import PAPER as PAPER
from prosumax.viz.theme import Option as Option

GRID_LINE = RULE
# Each color has one meaning on every page and in every report.
LOAD_COLOR = MEANINGS["load"].color
SOLAR_COLOR = MEANINGS["pv"].color
STORAGE_COLOR = MEANINGS["battery"].color
IMPORT_COLOR = MEANINGS["grid_import"].color
EXPORT_COLOR = MEANINGS["grid_export"].color
SHARED_EDGE_COLOR = MEANINGS["local"].outline  # of areas filled with the solar color


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


class LegendSwatch(NamedTuple):
    """Entry of the legend of a chart that reports show as well.

    Attributes:
        name: Translated name of the series.
        svg: Elements of its swatch, of 30 by 16 pixels.
    """

    name: str
    svg: str


class RenderedChart(NamedTuple):
    """A chart ready to be shown.

    Attributes:
        option: ECharts option.
        sentence: Main message of the chart, with `**bold**` parts.
        table: Numbers of the chart.
        legend: Entries of the legend.
        title: Title of the chart; empty where the page has it.
        note: Note above the chart; empty where the page has it.
    """

    option: Option
    sentence: str
    table: ChartTable
    legend: tuple[LegendItem | LegendSwatch, ...] = ()
    title: str = ""
    note: str = ""


def _decal(meaning: str) -> Option:
    style = MEANINGS[meaning]
    return {**(style.decal or {}), "color": style.decal_color}


DECALS: dict[str, Option] = {
    "import": _decal("grid_import"),
    "export": _decal("grid_export"),
    "storage": _decal("battery"),
    "none": {"symbol": "none"},
}
"""Patterns of filled areas, which distinguish them without color."""

_DIGITS = {"": 2, "1": 1, "4": 4, "kW": 2, "kWh": 1, "%": 0, "€": 2}
_TAGS = {"en": "en-IE", "fr": "fr-BE", "nl": "nl-BE"}


def _formatter(tag: str, unit: str) -> str:
    style = f"maximumFractionDigits: {_DIGITS[unit]}"
    if unit == "€":
        style = f"style: 'currency', currency: 'EUR', minimumFractionDigits: 0, {style}"
    suffix = f"\u00a0{unit}" if unit not in ("", "1", "4", "€") else ""
    return (
        "(v) => { const x = v && v.value !== undefined ? v.value : v; "
        "return x == null || x === '-' ? '–' : "
        f"Number(x).toLocaleString('{tag}', {{{style}}}) + '{suffix}'; }}"
    )


FORMATTERS: Mapping[tuple[str, str], str] = {
    (lang, unit): _formatter(tag, unit) for lang, tag in _TAGS.items() for unit in _DIGITS
}
"""Number formatters by language and unit; units "1" and "4" have no suffix and as many decimals.

They are the only code that an option may contain.
"""


def base_option(**parts: object) -> Option:
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


def axis_label(**settings: object) -> Option:
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


def value_axis(name: str, **settings: object) -> Option:
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
