"""One visitor's open page: what it says, in which language, and its URL."""

import asyncio
from collections.abc import Sequence
from typing import Any, Generic

from nicegui import Client, ui

from prosumax.web import kit
from prosumax.web.model import state
from prosumax.web.model.state import State
from prosumax.web.model.translations import ENDONYMS, Words

_QUIET_S = 0.3  # browsers refuse a new URL per slider move


class View(Generic[State]):
    """What a page's builder gets.

    Attributes:
        page: "basics", "home" or "community".
        state: what the visitor has set; frozen, replaced by `change`.
        words: texts and numbers.
        client: the browser tab; `with view.client:` from a background task.
        own_data: whether the page shows the visitor's file, which no link holds.
    """

    def __init__(self, page: str, now: State, words: Words, client: Client) -> None:
        self.page = page
        self.state: State = now
        self.words = words
        self.client = client
        self.own_data = False
        self._waiting: asyncio.TimerHandle | None = None

    @property
    def url(self) -> str:
        """Path and query that show what is set now."""
        return state.write(self.state, self.words.lang)

    def change(self, **changes: Any) -> None:
        """Set fields of the state; the URL follows when it is quiet."""
        self.state = state.replace(self.state, **changes)
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = asyncio.get_running_loop().call_later(_QUIET_S, self._write_url)

    def go(self, now: State) -> None:
        """Open the page anew with another state."""
        self.state = now
        ui.navigate.to(self.url)

    def _write_url(self) -> None:
        if not self.client.is_deleted:
            with self.client:
                ui.navigate.history.replace(self.url)


def frame(view: View[Any], changed: list[str]) -> kit.Banner:
    """Header and footer around a page, its title, and the notice about values that had to be changed.

    Returns:
        The notice above the content, for the page's own use.
    """
    words = view.words
    with view.client.layout:
        header = kit.tag("header", "x-header")
        footer = kit.tag("footer", "x-footer")
    header.move(target_index=0)
    with header, kit.tag("div", "x-bar"):
        kit.link(words("common.skip"), "#x-content", "x-skip")
        kit.link(words("common.name"), f"/?lang={words.lang}", "x-name")
        with kit.tag("nav", "x-nav", aria_label=words("common.pages")):
            for number, (page, path) in enumerate(state.PATHS.items(), 1):
                place = kit.link(f"{number} {words(f'common.{page}')}", f"{path}?lang={words.lang}")
                kit.attributes(place, aria_current="page" if page == view.page else None)
        with kit.tag("nav", "x-languages", aria_label=words("common.language")):
            for lang in state.LANGUAGES:
                _language(view, lang)
        with kit.button("", lambda: _share(view), "x-share", data_testid="share"):
            kit.Text("span", words("common.share"))
    with footer, kit.tag("div", "x-foot"):
        for part in ("assumptions", "sources", "accessibility", "privacy", "licence"):
            with kit.fold(words(f"common.{part}")):
                kit.Sentence(words(f"common.{part}_text"))
    kit.tag("span", id="x-content", tabindex=-1)
    kit.attributes(view.client.content, data_page=view.page)
    banner = kit.Banner()
    if changed:
        banner.show(words("common.clamped", n=len(changed)))
    return banner


def without_scripts(words: Words, title: str, sentences: Sequence[str], drawing: str = "") -> None:
    """What a browser shows that runs no scripts: the page's sentences as they are now, and a still picture.

    Arguments:
        drawing: an SVG of ours.
    """
    need = kit.rich(words("common.no_script"))
    said = "".join(f"<p>{kit.rich(sentence)}</p>" for sentence in sentences)
    ui.add_body_html(
        f"<noscript><style>#esm-fallback{{display:none!important}}</style>"
        f'<div class="nicegui-content"><h1>{kit.rich(title)}</h1><p class="x-banner">{need}</p>'
        f"{said}{drawing}</div></noscript>"
    )


def _language(view: View[Any], lang: str) -> None:
    link = kit.link(
        lang.upper(), state.write(view.state, lang), lang=lang, hreflang=lang, title=ENDONYMS[lang]
    )
    kit.attributes(
        link, aria_current="true" if lang == view.words.lang else None, aria_label=ENDONYMS[lang]
    )
    # What is set now, not what was when the link was made; without a connection the link itself works.
    link.on(
        "click",
        lambda: ui.navigate.to(state.write(view.state, lang)),
        js_handler="(e) => { if (window.did_handshake && !e.ctrlKey && !e.metaKey) { e.preventDefault(); emit(); } }",
    )


def _share(view: View[Any]) -> None:
    """Copy the URL; where the browser forbids that, it stands in the address bar all the same."""
    ui.navigate.history.replace(view.url)
    ui.run_javascript("navigator.clipboard?.writeText(location.href).catch(() => {})")
    ui.notify(
        view.words("common.shared_own" if view.own_data else "common.shared"),
        color="dark",
        timeout=4000,
    )
