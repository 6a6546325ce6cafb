"""What everything on a page is made of: elements with text and attributes, and lines that change."""

import asyncio
import html
from itertools import count
from typing import Any

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

_numbers = count(1)


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
    return "".join(
        f"<strong>{part}</strong>" if number % 2 else part for number, part in enumerate(parts)
    )


class Sentence(ui.html):
    """A line with **bold** parts; `.show(text)` changes it."""

    def __init__(
        self, text: str = "", tag: str = "p", classes: str = "", test_id: str | None = None
    ) -> None:
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
        self._waiting = asyncio.get_running_loop().call_later(
            0.5, self._say, text.replace("**", "")
        )

    def _say(self, text: str) -> None:
        if not self.is_deleted:
            self.set_text(text)


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


class Verdict:
    """A result in one big figure with a sentence; `.show(figure, sentence)`."""

    def __init__(self, title: str, test_id: str | None = None) -> None:
        with tag("section", "x-verdict", data_testid=test_id) as self.box:
            Text("h3", title, "x-verdict-title")
            self._figure = Text("p", "", "x-verdict-figure")
            self._sentence = Sentence(classes="x-verdict-text")

    def show(self, figure: str, sentence: str) -> None:
        """Replace both."""
        self._figure.set_text(figure)
        self._sentence.show(sentence)
