"""Routes, head, start-up."""

import copy
import logging
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from nicegui import app, ui
from starlette.requests import Request

from prosumax.web import kit
from prosumax.web.model import home_day, state, street
from prosumax.web.model.translations import Words
from prosumax.web.model.view import View, frame
from prosumax.web.pages import basics, community, home
from prosumax.web.server.services import attach

BUILD: Mapping[str, Callable[[View[Any], kit.Banner], None]] = {
    "basics": basics.build,
    "home": home.build,
    "community": community.build,
}
"""A page's builder gets the view and the notice above the content."""

_QUASAR = {"en": "en-GB", "fr": "fr", "nl": "nl"}
_HEAD = """<link rel="stylesheet" href="/static/demo.css">
<link rel="stylesheet" href="/static/community.css">
<script src="/static/net.js"></script>
<script src="/static/demo.js"></script>"""


def configure() -> None:
    """Register pages, files and what runs at the start; once per process."""
    app.add_static_files("/static", Path(str(resources.files("prosumax.web") / "static")))
    ui.add_head_html(_HEAD, shared=True)
    for page, path in state.PATHS.items():
        ui.page(path)(_page(page))
    attach(app)
    app.on_page_exception(_failed)
    # Quasar's bar for requests has no name for screen readers, and nothing here takes long without saying so itself.
    app.config.quasar_config["loadingBar"]["skipHijack"] = True


def _page(name: str) -> Callable[[Request], None]:
    def show(request: Request) -> None:
        query = dict(request.query_params)
        words = Words(state.language(query, request.headers.get("accept-language", "")))
        now, changed = state.read(state.PAGES[name], query)
        client = ui.context.client
        _speak(client, words, words(f"common.{name}"))
        view = View(name, now, words, client)
        BUILD[name](view, frame(view, changed))

    return show


def _speak(client: Any, words: Words, title: str) -> None:
    """Language and title of this one answer: routes have them for all."""
    client.page = copy.copy(client.page)
    client.page.language = _QUASAR[words.lang]
    client.page.title = f"{title} · {words('common.name')}"


def _failed() -> None:
    """What a visitor sees when a page cannot be built; never a trace."""
    request = ui.context.client.request
    words = Words(
        state.language(dict(request.query_params), request.headers.get("accept-language", ""))
    )
    _speak(ui.context.client, words, words("common.failed"))
    kit.Text("h1", words("common.failed"))
    kit.Text("p", words("common.failed_text"))
    kit.link(words("common.basics"), f"/?lang={words.lang}", "x-button primary")


def is_fault(record: logging.LogRecord) -> bool:
    """Whether a message of the server is about more than a visitor who left before the answer was there.

    The middleware of the web framework ends such a request with this error.
    """
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, RuntimeError) and str(error) == "No response returned.")


def run(host: str, port: int, open_browser: bool) -> None:
    """Serve until interrupted; nobody is let in before all is drawn and compiled."""
    home_day.warm()
    street.warm()
    configure()
    logging.getLogger("uvicorn.error").addFilter(is_fault)
    ui.run(
        host=host,
        port=port,
        show=open_browser,
        reload=False,
        title="prosumax",
        favicon=Path(str(resources.files("prosumax.web") / "static" / "favicon.svg")),
        tailwind=False,
        reconnect_timeout=30.0,
        uvicorn_logging_level="warning",
        show_welcome_message=False,
    )
