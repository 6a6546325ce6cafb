"""Native HTML controls, named and usable by keyboard. Every label comes translated from the caller."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui.element import Element

from prosumax.web.kit.elements import Text, attributes, tag, unique

_THROTTLE_S = 0.03
_VALUE = "(e) => emit(e.target.value)"


def button(
    text: str, on_click: Callable[[], Any] | None = None, classes: str = "", **props: Any
) -> Text:
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
            "input",
            "x-range",
            type="range",
            id=number,
            min=lowest,
            max=highest,
            step=step,
            aria_valuetext=text(value),
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
        control = tag(
            "input", "x-number", type="number", id=number, min=lowest, max=highest, step=step
        )
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


def check_field(
    label: str, value: bool, on_change: Callable[[bool], Any], test_id: str | None = None
) -> Element:
    """Something that is on or off."""
    with tag("label", "x-check") as box:
        control = tag("input", type="checkbox", data_testid=test_id)
        control.props["^checked"] = "checked" if value else None
        control.on(
            "change",
            lambda event: on_change(bool(event.args)),
            js_handler="(e) => emit(e.target.checked)",
        )
        Text("span", label)
    return box


def fold(
    summary: str, classes: str = "", open_: bool = False, test_id: str | None = None
) -> Element:
    """A part that opens; what stands in it follows in a `with` block."""
    with tag("details", f"x-fold {classes}", data_testid=test_id) as box:
        if open_:
            box.props["^open"] = "open"
        Text("summary", summary)
    return box
