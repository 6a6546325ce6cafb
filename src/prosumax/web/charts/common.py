"""Elements shared by all charts: colors, number formats and the types of a chart."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from prosumax.viz.chart import Figure
from prosumax.viz.legend import swatch
from prosumax.viz.theme import MEANINGS, Option, Theme

# Each color has one meaning on every page and in every report.
LOAD_COLOR = MEANINGS["load"].color
SOLAR_COLOR = MEANINGS["pv"].color
STORAGE_COLOR = MEANINGS["battery"].color
IMPORT_COLOR = MEANINGS["grid_import"].color
EXPORT_COLOR = MEANINGS["grid_export"].color


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


class LegendSwatch(NamedTuple):
    """Entry of the legend of a chart.

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
        title: Title of the chart.
        note: Note above the chart; empty for none.
    """

    option: Option
    sentence: str
    table: ChartTable
    legend: tuple[LegendSwatch, ...] = ()
    title: str = ""
    note: str = ""


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


@cache
def page_theme(lang: str) -> Theme:
    """Return the theme of charts on a page, with the number formats of its language.

    Args:
        lang: Language code.
    """
    formats = {unit: FORMATTERS[lang, unit] for unit in _DIGITS}
    formats["EUR"] = formats["€"]
    return Theme(font_family="system-ui, sans-serif", font_size=14, number_formats=formats)


def page_chart(figure: Figure) -> RenderedChart:
    """Return a figure as a chart of a page.

    Args:
        figure: Figure to show.
    """
    table = ChartTable(figure.title, (figure.title,), ())
    if figure.table is not None:
        table = ChartTable(
            figure.table.caption,
            tuple(figure.table.head),
            tuple(tuple(row) for row in figure.table.rows),
        )
    return RenderedChart(
        figure.option,
        figure.summary,
        table,
        tuple(
            LegendSwatch(entry.label, swatch(entry.swatch, figure.line_swatches))
            for entry in figure.legend
        ),
        figure.title,
        figure.note,
    )
