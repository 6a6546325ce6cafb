"""Cards that hold charts: drawing, sentence, legend, and the numbers as a table.

Texts with markup are escaped here and sanitized by the browser; options must not contain code other
than the number formatters.
"""

import html
from collections.abc import Sequence
from urllib.parse import quote

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from prosumax.viz.legend import HEIGHT, WIDTH
from prosumax.web.charts.common import (
    FORMATTERS,
    ChartTable,
    LegendSwatch,
    RenderedChart,
)
from prosumax.web.kit.controls import collapsible, link
from prosumax.web.kit.elements import Sentence, Text, set_attributes, tag
from prosumax.web.model.translations import Translator


class ChartCard:
    """Chart with a title, a sentence and a table that opens; `show` draws a new result.

    Args:
        tr: Translator of the page's language.
        title: Title above the chart.
        chart: Chart to draw.
        note: Note above the chart.
        classes: CSS classes of the card.
        height: CSS height of the drawing; set by the style sheet when empty.
        sentence: Whether the chart's sentence is visible; it is the text alternative of the
            drawing in any case.
        level: Level of the heading.
        rest: Element for sentence, controls and table; the card itself when None.
        test_id: Id for tests.

    Attributes:
        box: Element of the card.
        drawing: Chart element.
        below: Empty element under the sentence, for controls of this chart.
    """

    def __init__(
        self,
        tr: Translator,
        title: str,
        chart: RenderedChart,
        *,
        note: str = "",
        classes: str = "",
        height: str = "20rem",
        sentence: bool = True,
        level: int = 2,
        rest: Element | None = None,
        test_id: str | None = None,
    ) -> None:
        self._chart = chart
        with tag("section", f"x-card {classes}", data_testid=test_id) as self.box:
            Text(f"h{level}", title, "x-card-title")
            self._note = Text("p", note, "x-note")
            self._note.set_visibility(bool(note))
            self._legend = ui.html(legend_html(chart.legend), tag="ul").classes("x-marks")
            self._legend.set_visibility(bool(chart.legend))
            self.drawing = ui.echart(_check_option(chart.option), renderer="svg")
            self.drawing.classes("x-chart").style(f"height:{height}" if height else "")
            set_attributes(self.drawing, role="img", aria_label=chart.sentence.replace("**", ""))
        with self.box if rest is None else rest:
            self._sentence = Sentence(chart.sentence, classes="x-sentence")
            self._sentence.set_visibility(sentence)
            self.below = tag("div", "x-below")
            with collapsible(tr("common.as_table"), "x-as-table") as as_table:
                self._table = ui.html(table_html(chart.table)).classes("x-table-scroll")
                set_attributes(
                    self._table, tabindex=0, role="region", aria_label=chart.table.caption
                )
                self._csv = link(tr("common.csv"), _csv_url(chart.table), "x-small-link")
                set_attributes(self._csv, download="prosumax.csv")
            self._open = False
            as_table.on("toggle", self._toggled, js_handler="(e) => emit(e.target.open)")

    def show(self, chart: RenderedChart, note: str | None = None) -> None:
        """Draw a new result.

        Args:
            chart: Chart to draw.
            note: New note above the chart; unchanged when None.
        """
        self._chart = chart
        if note is not None:
            self._note.set_text(note)
            self._note.set_visibility(bool(note))
        with self.drawing.props.suspend_updates():
            self.drawing.props["options"] = _check_option(chart.option)
            self.drawing.props["aria-label"] = chart.sentence.replace("**", "")
        self.drawing.update()
        self._legend.content = legend_html(chart.legend)
        self._legend.set_visibility(bool(chart.legend))
        self._sentence.show(chart.sentence)
        if self._open:
            self._show_table()

    def _toggled(self, event: GenericEventArguments) -> None:
        self._open = bool(event.args)
        if self._open:
            self._show_table()

    def _show_table(self) -> None:
        self._table.content = table_html(self._chart.table)
        set_attributes(self._csv, href=_csv_url(self._chart.table))


def legend_html(legend: Sequence[LegendSwatch]) -> str:
    """Render the legend of a chart as list items.

    Args:
        legend: Entries of the legend.
    """
    return "".join(
        f'<li><svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' aria-hidden="true">{entry.svg}</svg><span>{html.escape(entry.name)}</span></li>'
        for entry in legend
    )


def table_html(table: ChartTable) -> str:
    """Render a table as HTML with all texts escaped.

    Args:
        table: Table of a chart.
    """

    def cells(row: Sequence[str]) -> str:
        first, *rest = (html.escape(cell) for cell in row)
        return f'<th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest)

    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in table.header)
    body = "".join(f"<tr>{cells(row)}</tr>" for row in table.rows)
    return (
        f"<table><caption>{html.escape(table.caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _csv_url(table: ChartTable) -> str:
    """Return a data URL with the table as CSV, which needs no request."""

    def cell(text: str) -> str:
        text = text.replace("\xa0", " ").replace("\u202f", " ")
        if text[:1] in ("=", "@", "+", "\t"):
            text = f"'{text}"  # Otherwise spreadsheets would evaluate the cell as a formula.
        if any(char in text for char in ',;"\n'):
            text = '"' + text.replace('"', '""') + '"'
        return text

    lines = (";".join(map(cell, row)) for row in (table.header, *table.rows))
    return "data:text/csv;charset=utf-8," + quote("\ufeff" + "\r\n".join(lines))


def _check_option(option: dict[str, object]) -> dict[str, object]:
    """Return the option if its only code is that of `FORMATTERS`.

    The framework evaluates values whose keys start with a colon.

    Raises:
        ValueError: The option contains other code.
    """
    stack: list[object] = [option]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            if any(
                str(key).startswith(":") and text not in FORMATTERS.values()
                for key, text in part.items()
            ):
                raise ValueError("the option contains code that is not one of FORMATTERS")
            stack.extend(part.values())
        elif isinstance(part, list | tuple):
            stack.extend(part)
    return option
