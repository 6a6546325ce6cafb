"""View of one open page: its state, language and URL, and the frame around its content."""

import asyncio
from collections.abc import Sequence
from typing import Generic

from nicegui import Client, ui

from prosumax.web import kit
from prosumax.web.model import state
from prosumax.web.model.state import PageState
from prosumax.web.model.translations import ENDONYMS, Translator

_URL_DELAY_S = 0.3  # Browsers limit the rate at which a page may change its URL.


class PageView(Generic[PageState]):
    """One page that is open in a browser tab.

    Args:
        page: Name of the page: `basics`, `home` or `community`.
        page_state: Initial settings of the page.
        tr: Translator of the page's language.
        client: Browser tab.

    Attributes:
        page: Name of the page.
        state: Current settings; frozen, replaced by `update`.
        tr: Translator of the page's language.
        client: Browser tab; a background task enters it by `with view.client:`.
        own_data: Whether the page shows a file of the visitor, which links do not include.
    """

    def __init__(self, page: str, page_state: PageState, tr: Translator, client: Client) -> None:
        self.page = page
        self.state: PageState = page_state
        self.tr = tr
        self.client = client
        self.own_data = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def url(self) -> str:
        """Path and query of the current settings."""
        return state.to_url(self.state, self.tr.lang)

    def update(self, **changes: object) -> None:
        """Change settings; the URL follows after a short delay.

        Args:
            **changes: Fields of the state.
        """
        self.state = state.replace(self.state, **changes)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(_URL_DELAY_S, self._write_url)

    def _write_url(self) -> None:
        if not self.client.is_deleted:
            with self.client:
                ui.navigate.history.replace(self.url)


def build_frame(view: PageView[PageState], replaced: list[str]) -> kit.Banner:
    """Build header, footer and banner of a page.

    Args:
        view: View of the page.
        replaced: Fields of the URL whose values were not allowed; the banner reports them.

    Returns:
        The banner above the content, which the page may use for its own notices.
    """
    tr = view.tr
    with view.client.layout:
        header = kit.tag("header", "x-header")
        footer = kit.tag("footer", "x-footer")
    header.move(target_index=0)
    with header, kit.tag("div", "x-bar"):
        kit.link(tr("common.skip"), "#x-content", "x-skip")
        kit.link(tr("common.name"), f"/?lang={tr.lang}", "x-name")
        with kit.tag("nav", "x-nav", aria_label=tr("common.pages")):
            for number, (page, path) in enumerate(state.PATHS.items(), 1):
                link = kit.link(f"{number} {tr(f'common.{page}')}", f"{path}?lang={tr.lang}")
                kit.set_attributes(link, aria_current="page" if page == view.page else None)
        with kit.tag("nav", "x-languages", aria_label=tr("common.language")):
            for lang in state.LANGUAGES:
                _language_link(view, lang)
        with kit.button("", lambda: _share(view), "x-share", data_testid="share"):
            kit.Text("span", tr("common.share"))
    with footer, kit.tag("div", "x-foot"):
        for part in ("assumptions", "sources", "accessibility", "privacy", "license"):
            with kit.collapsible(tr(f"common.{part}")):
                kit.Sentence(tr(f"common.{part}_text"))
    kit.tag("span", id="x-content", tabindex=-1)
    kit.set_attributes(view.client.content, data_page=view.page)
    banner = kit.Banner()
    if replaced:
        banner.show(tr("common.clamped", n=len(replaced)))
    return banner


def add_noscript(tr: Translator, title: str, sentences: Sequence[str], drawing: str = "") -> None:
    """Add the content shown by browsers without scripts: the page's sentences and a still picture.

    Args:
        tr: Translator of the page's language.
        title: Heading.
        sentences: Paragraphs; `**bold**` parts are allowed.
        drawing: SVG of this package; it is not escaped.
    """
    notice = kit.bold_html(tr("common.no_script"))
    paragraphs = "".join(f"<p>{kit.bold_html(sentence)}</p>" for sentence in sentences)
    ui.add_body_html(
        f"<noscript><style>#esm-fallback{{display:none!important}}</style>"
        f'<div class="nicegui-content"><h1>{kit.bold_html(title)}</h1>'
        f'<p class="x-banner">{notice}</p>{paragraphs}{drawing}</div></noscript>'
    )


def _language_link(view: PageView[PageState], lang: str) -> None:
    url = state.to_url(view.state, lang)
    link = kit.link(lang.upper(), url, lang=lang, hreflang=lang, title=ENDONYMS[lang])
    current = "true" if lang == view.tr.lang else None
    kit.set_attributes(link, aria_current=current, aria_label=ENDONYMS[lang])
    # With a connection the link opens the current settings instead of those of its creation.
    link.on(
        "click",
        lambda: ui.navigate.to(state.to_url(view.state, lang)),
        js_handler="(e) => { if (window.did_handshake && !e.ctrlKey && !e.metaKey) "
        "{ e.preventDefault(); emit(); } }",
    )


def _share(view: PageView[PageState]) -> None:
    """Copy the URL; a browser that forbids it still shows the URL in its address bar."""
    ui.navigate.history.replace(view.url)
    ui.run_javascript("navigator.clipboard?.writeText(location.href).catch(() => {})")
    key = "common.shared_own" if view.own_data else "common.shared"
    ui.notify(view.tr(key), color="dark", timeout=4000)
