"""Cards that hold charts: drawing, sentence, key, and the numbers as a table.

What carries markup is escaped here and cleaned once more by the browser; an option may hold no code but ours.
"""

import html
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from nicegui import ui
from nicegui.element import Element

from prosumax.web.charts.common import FORMATTERS, Chart, Mark, Table
from prosumax.web.kit.controls import fold, link
from prosumax.web.kit.elements import Sentence, Text, attributes, tag
from prosumax.web.model.translations import Words


class ChartCard:
    """A chart with its title, a sentence and a table that opens: `card.show(chart)` draws a new result.

    Arguments:
        words: of the page's language.
        title, note: above the chart.
        classes: of the card, such as `x-sticky`.
        height: of the drawing, CSS; empty where the style sheet says it.
        sentence: whether the chart's sentence is shown; it is the drawing's text for screen readers in any case.

        level: of the heading.
        rest: where sentence, controls and table go, if not under the drawing.

    Attributes:
        box: the whole card.
        drawing: the chart element.
        below: an empty place under the sentence, for controls of this chart.
    """

    def __init__(
        self,
        words: Words,
        title: str,
        chart: Chart,
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
            self._marks = ui.html(marks_html(chart.marks), tag="ul").classes("x-marks")
            self._marks.set_visibility(bool(chart.marks))
            self.drawing = ui.echart(_checked(chart.option), renderer="svg")
            self.drawing.classes("x-chart").style(f"height:{height}" if height else "")
            attributes(self.drawing, role="img", aria_label=chart.sentence.replace("**", ""))
        with self.box if rest is None else rest:
            self._sentence = Sentence(chart.sentence, classes="x-sentence")
            self._sentence.set_visibility(sentence)
            self.below = tag("div", "x-below")
            with fold(words("common.as_table"), "x-as-table") as as_table:
                self._table = ui.html(table_html(chart.table)).classes("x-table-scroll")
                attributes(self._table, tabindex=0, role="region", aria_label=chart.table.caption)
                self._csv = link(words("common.csv"), _csv(chart.table), "x-small-link")
                attributes(self._csv, download="prosumax.csv")
            self._open = False
            as_table.on("toggle", self._toggled, js_handler="(e) => emit(e.target.open)")

    def show(self, chart: Chart, note: str | None = None) -> None:
        """Draw it."""
        self._chart = chart
        if note is not None:
            self._note.set_text(note)
            self._note.set_visibility(bool(note))
        with self.drawing.props.suspend_updates():
            self.drawing.props["options"] = _checked(chart.option)
            self.drawing.props["aria-label"] = chart.sentence.replace("**", "")
        self.drawing.update()
        self._marks.content = marks_html(chart.marks)
        self._marks.set_visibility(bool(chart.marks))
        self._sentence.show(chart.sentence)
        if self._open:
            self._show_table()

    def _toggled(self, event: Any) -> None:
        self._open = bool(event.args)
        if self._open:
            self._show_table()

    def _show_table(self) -> None:
        self._table.content = table_html(self._chart.table)
        attributes(self._csv, href=_csv(self._chart.table))


_SHAPES = {
    "line": '<path d="M1 7H27" stroke="{colour}" stroke-width="3"/>',
    "dash": '<path d="M1 7H27" stroke="{colour}" stroke-width="3" stroke-dasharray="7 4"/>',
    "area": '<rect x="1" y="1" width="26" height="12" fill="{colour}" fill-opacity=".55" stroke="{colour}"/>',
    "bar": '<rect x="1" y="1" width="26" height="12" rx="2" fill="{colour}"/>{decal}',
    "dot": '<circle cx="14" cy="7" r="6" fill="{colour}"/>',
    "ring": '<circle cx="14" cy="7" r="5" fill="#fff" stroke="{colour}" stroke-width="2"/>',
}
_DECALS = {
    "none": "",
    "bought": '<path d="M3 13L11 1M10 13L18 1M17 13L25 1" stroke="#fff" stroke-opacity=".6" stroke-width="2"/>',
    "store": '<path d="M6 7h.1M14 7h.1M22 7h.1" stroke="#fff" stroke-width="4" stroke-linecap="round"/>',
    "sent": '<path d="M7 4l3 6H4zM21 4l3 6h-6z" fill="#fff" fill-opacity=".75"/>',
}


def marks_html(marks: Sequence[Mark]) -> str:
    """The key of a chart as a list."""
    return "".join(
        f'<li><svg width="28" height="14" viewBox="0 0 28 14" aria-hidden="true">'
        f"{_SHAPES[mark.shape].format(colour=html.escape(mark.colour), decal=_DECALS[mark.decal])}</svg>"
        f"<span>{html.escape(mark.name)}</span></li>"
        for mark in marks
    )


def table_html(table: Table) -> str:
    """A table as HTML, everything escaped."""

    def cells(row: Sequence[str]) -> str:
        first, *rest = (html.escape(cell) for cell in row)
        return f'<th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest)

    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in table.head)
    body = "".join(f"<tr>{cells(row)}</tr>" for row in table.rows)
    return (
        f"<table><caption>{html.escape(table.caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _csv(table: Table) -> str:
    """The table as a file that needs no request."""

    def cell(text: str) -> str:
        text = text.replace("\xa0", " ").replace("\u202f", " ")
        # A spreadsheet would take such a cell for a formula.
        text = "'" + text if text[:1] in ("=", "@", "+", "\t") else text
        return (
            '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',;"\n') else text
        )

    lines = (";".join(map(cell, row)) for row in (table.head, *table.rows))
    return "data:text/csv;charset=utf-8," + quote("\ufeff" + "\r\n".join(lines))


def _checked(option: dict[str, Any]) -> dict[str, Any]:
    """The option, if it holds no code but ours (the framework evaluates what stands under keys with a colon)."""
    stack: list[Any] = [option]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            if any(
                str(key).startswith(":") and text not in FORMATTERS.values()
                for key, text in part.items()
            ):
                raise ValueError("a chart's option holds code that is not one of FORMATTERS")
            stack.extend(part.values())
        elif isinstance(part, list | tuple):
            stack.extend(part)
    return option
