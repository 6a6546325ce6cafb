"""Basic page elements: text, attributes, sentences, live regions, progress bars and notices."""

import asyncio
import html
from itertools import count

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

_ANNOUNCE_DELAY_S = 0.5

_numbers = count(1)


class Text(TextElement):
    """HTML element with text, such as `Text("h1", "Title")`; `.set_text` changes the text.

    Args:
        tag: Name of the HTML element.
        text: Content.
        classes: CSS classes.
    """

    def __init__(self, tag: str, text: str = "", classes: str = "") -> None:
        super().__init__(tag=tag, text=text)
        self.classes(classes)


def tag(name: str, /, classes: str = "", **props: object) -> Element:
    """Create an HTML element without text.

    Args:
        name: Name of the HTML element.
        classes: CSS classes.
        **props: Attributes, see `set_attributes`.
    """
    return set_attributes(ui.element(name).classes(classes), **props)


def set_attributes(element: Element, **props: object) -> Element:
    """Set attributes of an element.

    Args:
        element: Element to change.
        **props: Attributes; underscores become hyphens, True sets an attribute without value,
            None and False remove it.

    Returns:
        The element.
    """
    with element.props.suspend_updates():
        for name, value in props.items():
            key = name.rstrip("_").replace("_", "-")
            if value is None or value is False:
                element.props.pop(key, None)
            else:
                element.props[key] = value
    element.update()
    return element


def unique_id(prefix: str) -> str:
    """Return an id that no other element has.

    Args:
        prefix: Beginning of the id.
    """
    return f"x-{prefix}-{next(_numbers)}"


def bold_html(text: str) -> str:
    """Escape a text and convert its `**bold**` parts to HTML.

    Args:
        text: Plain text.
    """
    parts = html.escape(text).split("**")
    return "".join(
        f"<strong>{part}</strong>" if number % 2 else part for number, part in enumerate(parts)
    )


class Sentence(ui.html):
    """Line of text with `**bold**` parts.

    Args:
        text: Content.
        tag: Name of the HTML element.
        classes: CSS classes.
        test_id: Id for tests.
    """

    def __init__(
        self, text: str = "", tag: str = "p", classes: str = "", test_id: str | None = None
    ) -> None:
        super().__init__(bold_html(text), tag=tag)
        self.classes(classes)
        set_attributes(self, data_testid=test_id)

    def show(self, text: str) -> None:
        """Replace the text."""
        self.content = bold_html(text)


class LiveRegion(Text):
    """Line for screen readers, changed only after half a second without newer text.

    Args:
        text: Initial content.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__("p", text, "x-sr")
        set_attributes(self, role="status", aria_live="polite")
        self._timer: asyncio.TimerHandle | None = None

    def show(self, text: str) -> None:
        """Announce a text unless a newer one follows."""
        if self._timer is not None:
            self._timer.cancel()
        plain = text.replace("**", "")
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_ANNOUNCE_DELAY_S, self._announce, plain)

    def _announce(self, text: str) -> None:
        if not self.is_deleted:
            self.set_text(text)


class ProgressBar:
    """Progress bar with a line of text below it.

    Args:
        label: Accessible name.
        test_id: Id for tests.

    Attributes:
        box: Element that contains bar and text.
    """

    def __init__(self, label: str, test_id: str | None = None) -> None:
        with tag("div", "x-progress") as self.box:
            self._bar = tag("progress", max=1, value=0, aria_label=label, data_testid=test_id)
            self._line = set_attributes(Text("p", ""), role="status")

    def show(self, progress: float, text: str) -> None:
        """Show the progress.

        Args:
            progress: Completed share, 0 to 1.
            text: Description of the current stage.
        """
        set_attributes(self._bar, value=round(progress, 4))
        self._line.set_text(text)


class Banner:
    """Notice above the page's content, hidden while it is empty.

    Args:
        test_id: Id for tests.
    """

    def __init__(self, test_id: str = "banner") -> None:
        self._box = set_attributes(Text("p", "", "x-banner"), role="status", data_testid=test_id)
        self._box.set_visibility(False)

    def show(self, text: str) -> None:
        """Show a text; an empty text hides the notice."""
        self._box.set_text(text)
        self._box.set_visibility(bool(text))


class VerdictCard:
    """Result in one large figure with a sentence.

    Args:
        title: Name of the result.
        test_id: Id for tests.

    Attributes:
        box: Element of the card.
    """

    def __init__(self, title: str, test_id: str | None = None) -> None:
        with tag("section", "x-verdict", data_testid=test_id) as self.box:
            Text("h3", title, "x-verdict-title")
            self._figure = Text("p", "", "x-verdict-figure")
            self._sentence = Sentence(classes="x-verdict-text")

    def show(self, figure: str, sentence: str) -> None:
        """Replace figure and sentence."""
        self._figure.set_text(figure)
        self._sentence.show(sentence)
