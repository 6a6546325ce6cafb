"""Native HTML controls, named and keyboard-usable, and the cards that hold charts.

Every label and text comes translated from the caller. Text is only ever set as text; the tables and sentences that
carry markup are escaped here and cleaned once more by the browser.
"""

import asyncio
import html
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any
from urllib.parse import quote

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from prosumax.web.charts import FORMATTERS, Chart, Mark, Table
from prosumax.web.words import Words

_THROTTLE_S = 0.03
_numbers = count(1)
_VALUE = "(e) => emit(e.target.value)"


class Text(TextElement):
    """An element that holds text: `Text("h1", "...")`; `.set_text` changes it."""

    def __init__(self, tag: str, text: str = "", classes: str = "") -> None:
        super().__init__(tag=tag, text=text)
        self.classes(classes)


def tag(kind: str, /, classes: str = "", **props: Any) -> Any:
    """An element without text; underscores in the names of props are hyphens."""
    return attributes(ui.element(kind).classes(classes), **props)


def attributes(element: Element, **props: Any) -> Any:
    """Set attributes; True is a bare one, None and False remove it; underscores are hyphens."""
    with element.props.suspend_updates():
        for name, value in props.items():
            key = name.rstrip("_").replace("_", "-")
            if value is None or value is False:
                element.props.pop(key, None)
            else:
                element.props[key] = value
    element.update()
    return element


def unique(prefix: str) -> str:
    """An id that is nobody else's: the framework numbers its own elements c1, c2."""
    return f"x-{prefix}-{next(_numbers)}"


def rich(text: str) -> str:
    """Escaped, with **bold** parts."""
    parts = html.escape(text).split("**")
    return "".join(f"<strong>{part}</strong>" if number % 2 else part for number, part in enumerate(parts))


class Sentence(ui.html):
    """A line with **bold** parts; `.show(text)` changes it."""

    def __init__(self, text: str = "", tag: str = "p", classes: str = "", test_id: str | None = None) -> None:
        super().__init__(rich(text), tag=tag)
        self.classes(classes)
        attributes(self, data_testid=test_id)

    def show(self, text: str) -> None:
        """Replace the text."""
        self.content = rich(text)


class Spoken(Text):
    """A line for screen readers that is only changed after half a second of quiet."""

    def __init__(self, text: str = "") -> None:
        super().__init__("p", text, "x-sr")
        attributes(self, role="status", aria_live="polite")
        self._waiting: asyncio.TimerHandle | None = None

    def show(self, text: str) -> None:
        """Say it, unless something newer comes."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = asyncio.get_running_loop().call_later(0.5, self._say, text.replace("**", ""))

    def _say(self, text: str) -> None:
        if not self.is_deleted:
            self.set_text(text)


def button(text: str, on_click: Callable[[], Any] | None = None, classes: str = "", **props: Any) -> Text:
    """A push button: `classes="primary"` for the one that matters."""
    element = Text("button", text, f"x-button {classes}")
    attributes(element, type="button", **props)
    if on_click is not None:
        element.on("click", lambda: on_click(), js_handler="() => emit()")
    return element


def link(text: str, href: str, classes: str = "", **props: Any) -> Text:
    """A link inside the site."""
    return attributes(Text("a", text, classes), href=href, **props)


def range_field(
    label: str,
    value: float,
    lowest: float,
    highest: float,
    step: float,
    text: Callable[[float], str],
    on_change: Callable[[float], Any],
    test_id: str | None = None,
    hint: str | None = None,
) -> Element:
    """A slider with its name and its value in words; `on_change` gets every value on the way.

    Arguments:
        text: the value in words: shown beside the name, and read out.
        hint: a second line under the name.
    """
    number = unique("range")
    with tag("div", "x-field") as box:
        with tag("div", "x-field-head"):
            attributes(Text("label", label), for_=number)
            shown = attributes(Text("output", text(value)), for_=number)
        if hint is not None:
            Text("p", hint, "x-hint")
        # "^value" is the attribute, which is only where the slider starts: the browser keeps where it is.
        control = tag(
            "input", "x-range", type="range", id=number, min=lowest, max=highest, step=step, aria_valuetext=text(value)
        )
        attributes(control, data_testid=test_id)
        control.props["^value"] = f"{value:g}"

        def changed(event: Any) -> None:
            now = float(event.args)
            shown.set_text(text(now))
            attributes(control, aria_valuetext=text(now))
            on_change(now)

        control.on("input", changed, throttle=_THROTTLE_S, js_handler=_VALUE)
    return box


def _radios(
    legend: str,
    options: Mapping[str, str | tuple[str, str]],
    value: str,
    on_change: Callable[[str], Any],
    classes: str,
    test_id: str | None,
) -> Element:
    group = unique("choice")
    with tag("fieldset", classes, data_testid=test_id) as box:
        Text("legend", legend)
        for key, words in options.items():
            title, sentence = words if isinstance(words, tuple) else (words, None)
            with tag("label", "x-option"):
                control = tag("input", type="radio", name=group, value=key)
                control.props["^checked"] = "checked" if key == value else None
                control.on("change", lambda event: on_change(str(event.args)), js_handler=_VALUE)
                with tag("span"):
                    Text("span", title, "x-option-title")
                    if sentence:
                        Text("span", sentence, "x-option-text")
    return box


def segments(
    legend: str,
    options: Mapping[str, str],
    value: str,
    on_change: Callable[[str], Any],
    test_id: str | None = None,
) -> Element:
    """One of a few, side by side; `options` maps keys to what is shown."""
    return _radios(legend, options, value, on_change, "x-segments", test_id)


def choice_cards(
    legend: str,
    options: Mapping[str, tuple[str, str]],
    value: str,
    on_change: Callable[[str], Any],
    test_id: str | None = None,
) -> Element:
    """One of several, each with a sentence; `options` maps keys to (title, sentence)."""
    return _radios(legend, options, value, on_change, "x-cards", test_id)


def select_field(
    label: str,
    options: Mapping[str, str],
    value: str,
    on_change: Callable[[str], Any],
    test_id: str | None = None,
) -> Element:
    """One of several in a drop-down; `options` maps keys to what is shown."""
    number = unique("select")
    with tag("div", "x-field") as box:
        attributes(Text("label", label), for_=number)
        with tag("select", "x-select", id=number, data_testid=test_id) as control:
            for key, words in options.items():
                option = attributes(Text("option", words), value=key)
                option.props["^selected"] = "selected" if key == value else None
        control.on("change", lambda event: on_change(str(event.args)), js_handler=_VALUE)
    return box


def number_field(
    label: str,
    value: float,
    lowest: float,
    highest: float,
    step: float,
    on_change: Callable[[float], Any],
    test_id: str | None = None,
) -> Element:
    """A number that is typed; `on_change` gets it once it is one, brought into its range."""
    number = unique("number")
    with tag("div", "x-field") as box:
        attributes(Text("label", label), for_=number)
        control = tag("input", "x-number", type="number", id=number, min=lowest, max=highest, step=step)
        attributes(control, inputmode="decimal", data_testid=test_id)
        control.props["^value"] = f"{value:g}"

        def changed(event: Any) -> None:
            try:
                now = float(event.args)
            except (TypeError, ValueError):
                return
            on_change(min(max(now, lowest), highest))

        control.on("change", changed, js_handler=_VALUE)
    return box


def check_field(label: str, value: bool, on_change: Callable[[bool], Any], test_id: str | None = None) -> Element:
    """Something that is on or off."""
    with tag("label", "x-check") as box:
        control = tag("input", type="checkbox", data_testid=test_id)
        control.props["^checked"] = "checked" if value else None
        control.on("change", lambda event: on_change(bool(event.args)), js_handler="(e) => emit(e.target.checked)")
        Text("span", label)
    return box


def fold(summary: str, classes: str = "", open_: bool = False, test_id: str | None = None) -> Element:
    """A part that opens; what stands in it follows in a `with` block."""
    with tag("details", f"x-fold {classes}", data_testid=test_id) as box:
        if open_:
            box.props["^open"] = "open"
        Text("summary", summary)
    return box


class Progress:
    """A bar with a line under it; `.show(share, text)`."""

    def __init__(self, label: str, test_id: str | None = None) -> None:
        with tag("div", "x-progress") as self.box:
            self._bar = tag("progress", max=1, value=0, aria_label=label, data_testid=test_id)
            self._line = attributes(Text("p", ""), role="status")

    def show(self, share: float, text: str) -> None:
        """How far it is, 0 to 1, and what it is at."""
        attributes(self._bar, value=round(share, 4))
        self._line.set_text(text)


class Banner:
    """A notice above the page's content, hidden while it is empty."""

    def __init__(self, test_id: str = "banner") -> None:
        self._box = attributes(Text("p", "", "x-banner"), role="status", data_testid=test_id)
        self._box.set_visibility(False)

    def show(self, text: str) -> None:
        """Say it; an empty text takes it away."""
        self._box.set_text(text)
        self._box.set_visibility(bool(text))


def verdict(title: str, test_id: str | None = None) -> "Verdict":
    """A result in one big figure with a sentence; `.show(figure, sentence)`."""
    return Verdict(title, test_id)


class Verdict:
    """See `verdict`."""

    def __init__(self, title: str, test_id: str | None = None) -> None:
        with tag("section", "x-verdict", data_testid=test_id) as self.box:
            Text("h3", title, "x-verdict-title")
            self._figure = Text("p", "", "x-verdict-figure")
            self._sentence = Sentence(classes="x-verdict-text")

    def show(self, figure: str, sentence: str) -> None:
        """Replace both."""
        self._figure.set_text(figure)
        self._sentence.show(sentence)


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
        return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',;"\n') else text

    lines = (";".join(map(cell, row)) for row in (table.head, *table.rows))
    return "data:text/csv;charset=utf-8," + quote("\ufeff" + "\r\n".join(lines))


def _checked(option: dict[str, Any]) -> dict[str, Any]:
    """The option, if it holds no code but ours (the framework evaluates what stands under keys with a colon)."""
    stack: list[Any] = [option]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            if any(str(key).startswith(":") and text not in FORMATTERS.values() for key, text in part.items()):
                raise ValueError("a chart's option holds code that is not one of FORMATTERS")
            stack.extend(part.values())
        elif isinstance(part, list | tuple):
            stack.extend(part)
    return option
