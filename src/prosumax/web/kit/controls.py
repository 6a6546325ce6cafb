"""Native HTML controls with labels, usable by keyboard; all texts are translated by the caller."""

from collections.abc import Callable, Mapping

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from prosumax.web.kit.elements import Text, set_attributes, tag, unique_id

_THROTTLE_S = 0.03
_VALUE = "(e) => emit(e.target.value)"
# Values are set as "^value", "^checked" and "^selected": these are initial attributes only, and
# the browser keeps what the visitor sets afterward.


def button(
    text: str, on_click: Callable[[], object] | None = None, classes: str = "", **props: object
) -> Text:
    """Add a push button.

    Args:
        text: Label.
        on_click: Called when the button is pressed.
        classes: CSS classes; `primary` marks the main action of a page.
        **props: Attributes, see `set_attributes`.
    """
    element = Text("button", text, f"x-button {classes}")
    set_attributes(element, type="button", **props)
    if on_click is not None:
        element.on("click", lambda: on_click(), js_handler="() => emit()")
    return element


def link(text: str, href: str, classes: str = "", **props: object) -> Text:
    """Add a link inside the site.

    Args:
        text: Label.
        href: URL.
        classes: CSS classes.
        **props: Attributes, see `set_attributes`.
    """
    element: Text = set_attributes(Text("a", text, classes), href=href, **props)
    return element


def range_field(
    label: str,
    value: float,
    lowest: float,
    highest: float,
    step: float,
    format_value: Callable[[float], str],
    on_change: Callable[[float], object],
    test_id: str | None = None,
    hint: str | None = None,
) -> Element:
    """Add a slider that shows its name and its value as text.

    Args:
        label: Name of the value.
        value: Initial value.
        lowest: Smallest value.
        highest: Largest value.
        step: Increment.
        format_value: Formats the value, which is displayed and read by screen readers.
        on_change: Called with every value while the slider moves.
        test_id: Id for tests.
        hint: Second line under the name.
    """
    control_id = unique_id("range")
    with tag("div", "x-field") as box:
        with tag("div", "x-field-head"):
            set_attributes(Text("label", label), for_=control_id)
            output = set_attributes(Text("output", format_value(value)), for_=control_id)
        if hint is not None:
            Text("p", hint, "x-hint")
        control = tag(
            "input",
            "x-range",
            type="range",
            id=control_id,
            min=lowest,
            max=highest,
            step=step,
            aria_valuetext=format_value(value),
            data_testid=test_id,
        )
        control.props["^value"] = f"{value:g}"

        def handle_input(event: GenericEventArguments) -> None:
            new_value = float(event.args)
            output.set_text(format_value(new_value))
            set_attributes(control, aria_valuetext=format_value(new_value))
            on_change(new_value)

        control.on("input", handle_input, throttle=_THROTTLE_S, js_handler=_VALUE)
    return box


def _radio_group(
    legend: str,
    options: Mapping[str, tuple[str, str]],
    value: str,
    on_change: Callable[[str], object],
    classes: str,
    test_id: str | None,
) -> Element:
    """Add radio buttons; `options` maps keys to title and sentence, which may be empty."""
    group = unique_id("choice")
    with tag("fieldset", classes, data_testid=test_id) as box:
        Text("legend", legend)
        for key, (title, sentence) in options.items():
            with tag("label", "x-option"):
                control = tag("input", type="radio", name=group, value=key)
                control.props["^checked"] = "checked" if key == value else None
                control.on("change", lambda event: on_change(str(event.args)), js_handler=_VALUE)
                with tag("span"):
                    Text("span", title, "x-option-title")
                    if sentence:
                        Text("span", sentence, "x-option-text")
    return box


def segmented_control(
    legend: str,
    options: Mapping[str, str],
    value: str,
    on_change: Callable[[str], object],
    test_id: str | None = None,
) -> Element:
    """Add a choice of few options side by side.

    Args:
        legend: Name of the choice.
        options: Label of each option.
        value: Initial option.
        on_change: Called with the chosen option.
        test_id: Id for tests.
    """
    titles = {key: (title, "") for key, title in options.items()}
    return _radio_group(legend, titles, value, on_change, "x-segments", test_id)


def choice_cards(
    legend: str,
    options: Mapping[str, tuple[str, str]],
    value: str,
    on_change: Callable[[str], object],
    test_id: str | None = None,
) -> Element:
    """Add a choice of several options, each with a sentence.

    Args:
        legend: Name of the choice.
        options: Title and sentence of each option.
        value: Initial option.
        on_change: Called with the chosen option.
        test_id: Id for tests.
    """
    return _radio_group(legend, options, value, on_change, "x-cards", test_id)


def select_field(
    label: str,
    options: Mapping[str, str],
    value: str,
    on_change: Callable[[str], object],
    test_id: str | None = None,
) -> Element:
    """Add a drop-down list.

    Args:
        label: Name of the choice.
        options: Label of each option.
        value: Initial option.
        on_change: Called with the chosen option.
        test_id: Id for tests.
    """
    control_id = unique_id("select")
    with tag("div", "x-field") as box:
        set_attributes(Text("label", label), for_=control_id)
        with tag("select", "x-select", id=control_id, data_testid=test_id) as control:
            for key, title in options.items():
                option = set_attributes(Text("option", title), value=key)
                option.props["^selected"] = "selected" if key == value else None
        control.on("change", lambda event: on_change(str(event.args)), js_handler=_VALUE)
    return box


def number_field(
    label: str,
    value: float,
    lowest: float,
    highest: float,
    step: float,
    on_change: Callable[[float], object],
    test_id: str | None = None,
) -> Element:
    """Add a number input.

    Args:
        label: Name of the number.
        value: Initial value.
        lowest: Smallest value.
        highest: Largest value.
        step: Increment.
        on_change: Called with each valid number, clipped to its range.
        test_id: Id for tests.
    """
    control_id = unique_id("number")
    with tag("div", "x-field") as box:
        set_attributes(Text("label", label), for_=control_id)
        control = tag(
            "input", "x-number", type="number", id=control_id, min=lowest, max=highest, step=step
        )
        set_attributes(control, inputmode="decimal", data_testid=test_id)
        control.props["^value"] = f"{value:g}"

        def handle_change(event: GenericEventArguments) -> None:
            try:
                number = float(event.args)
            except (TypeError, ValueError):
                return
            on_change(min(max(number, lowest), highest))

        control.on("change", handle_change, js_handler=_VALUE)
    return box


def checkbox_field(
    label: str, value: bool, on_change: Callable[[bool], object], test_id: str | None = None
) -> Element:
    """Add a checkbox.

    Args:
        label: Name of the option.
        value: Initial state.
        on_change: Called with the new state.
        test_id: Id for tests.
    """
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


def collapsible(
    summary: str, classes: str = "", is_open: bool = False, test_id: str | None = None
) -> Element:
    """Add a section that opens and closes; its content is added in a `with` block.

    Args:
        summary: Title.
        classes: CSS classes.
        is_open: Whether the section is open at first.
        test_id: Id for tests.
    """
    with tag("details", f"x-fold {classes}", data_testid=test_id) as box:
        if is_open:
            box.props["^open"] = "open"
        Text("summary", summary)
    return box
