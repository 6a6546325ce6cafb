"""Charts of the demo that reports show as well: bills, energy by source, exchange, day and prices.

The drawing is that of `prosumax.viz`; homes get the names of the page and numbers the format of its
language.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy

import pandas as pd

from prosumax.viz.catalog import (
    energy_by_source,
    mean_day,
    price_distribution,
    trade_network,
)
from prosumax.viz.chart import Chart, Figure
from prosumax.viz.language import Language
from prosumax.viz.parts import base_of
from prosumax.viz.theme import Option
from prosumax.web.charts.common import FORMATTERS, RenderedChart, page_chart, page_theme
from prosumax.web.model.outcome import CommunityOutcome
from prosumax.web.model.translations import Translator

CURRENCY = "EUR"

OUTCOME_CHARTS: Mapping[str, Chart] = {
    chart.name: chart for chart in (energy_by_source, mean_day, trade_network, price_distribution)
}
"""Charts whose data an outcome carries, by name."""

_LINE_HEIGHT_PX = 17  # Labels would inherit the line height of the page.
_POWERS = ("bought_before", "bought_after", "sent_before", "sent_after")
_HOME_COLUMNS = ("home", "seller", "buyer")


def page_language(tr: Translator) -> Language:
    """Return the language of charts on a page, with the page's words for the two cases.

    Args:
        tr: Translator of the page's language.
    """
    texts = {
        "bills.before": tr("community.before"),
        "bills.after": tr("community.after"),
        "price_profile.caption": tr("community.price_caption"),
    }
    texts |= {f"exchange_profile.{name}": tr(f"community.{name}") for name in _POWERS}
    return Language(tr.lang, currency_symbols=True, texts=texts)


def outcome_chart(
    tr: Translator, outcome: CommunityOutcome, name: str, names: Sequence[str]
) -> RenderedChart:
    """Draw a chart whose data an outcome carries.

    Args:
        tr: Translator of the page's language.
        outcome: Outcome of the run.
        name: Name of the chart, one of `OUTCOME_CHARTS`.
        names: Displayed names of the homes.
    """
    displayed = dict(zip(outcome.names, names, strict=True))
    table = _rename_homes(outcome.chart_data[name], displayed)
    return figure_chart(tr, OUTCOME_CHARTS[name], table)


def figure_chart(
    tr: Translator, chart: Chart, table: pd.DataFrame, sentence: str = ""
) -> RenderedChart:
    """Draw a chart of `prosumax.viz` from its data.

    Args:
        tr: Translator of the page's language.
        chart: Chart to draw.
        table: Data of the chart.
        sentence: Main message; that of the chart when empty.
    """
    return rendered(tr, chart.from_data(table, language=page_language(tr)), sentence)


def formatted_chart(tr: Translator, chart: Chart, table: pd.DataFrame) -> RenderedChart:
    """Draw a chart whose drawing takes the number formats of the page's theme.

    Args:
        tr: Translator of the page's language.
        chart: Chart to draw.
        table: Data of the chart.
    """
    figure = chart.from_data(table, theme=page_theme(tr.lang), language=page_language(tr))
    return page_chart(figure)


def rendered(tr: Translator, figure: Figure, sentence: str = "") -> RenderedChart:
    """Return a figure of `prosumax.viz` as a chart of a page.

    Args:
        tr: Translator of the page's language.
        figure: Figure to show.
        sentence: Main message; that of the figure when empty.
    """
    chart = page_chart(figure)
    return chart._replace(
        option=_localized(deepcopy(figure.option), tr.lang, figure.unit),
        sentence=sentence or figure.summary,
    )


def _localized(option: Option, lang: str, unit: str) -> Option:
    """Add the number formats of a language to axes and tooltip."""
    base = base_of(option)
    unit = "€" if unit == CURRENCY else unit
    tooltip_format = FORMATTERS.get((lang, unit), FORMATTERS[lang, "4"])
    base["tooltip"][":valueFormatter"] = tooltip_format
    for axis in (base.get("xAxis"), base.get("yAxis")):
        if not isinstance(axis, dict) or "axisLabel" not in axis:
            continue
        axis["axisLabel"]["lineHeight"] = _LINE_HEIGHT_PX
        if axis["type"] == "value":
            axis["axisLabel"][":formatter"] = FORMATTERS[lang, "4"]
    return option


def _rename_homes(table: pd.DataFrame, displayed: Mapping[str, str]) -> pd.DataFrame:
    """Return a copy with the displayed names of the homes."""
    renamed = table.copy()
    for column in _HOME_COLUMNS:
        if column in renamed:
            renamed[column] = renamed[column].map(lambda name: displayed.get(name, name))
    homes: Sequence[str] = table.attrs.get("homes", ())
    if isinstance(homes, list):
        renamed.attrs = {**table.attrs, "homes": [displayed.get(home, home) for home in homes]}
    return renamed
