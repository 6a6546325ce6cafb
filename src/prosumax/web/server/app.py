"""Web application: routes, page heads and server start-up."""

import copy
import logging
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from nicegui import Client, app, ui
from starlette.requests import Request

from prosumax.web import kit
from prosumax.web.model import home_day, state, street
from prosumax.web.model.translations import Translator
from prosumax.web.model.view import PageView, build_frame
from prosumax.web.pages import basics, community, home
from prosumax.web.server.services import attach_services

_QUASAR_LANGUAGES = {"en": "en-GB", "fr": "fr", "nl": "nl"}
_STATIC = Path(str(resources.files("prosumax.web") / "static"))
_HEAD = """<link rel="stylesheet" href="/static/demo.css">
<link rel="stylesheet" href="/static/community.css">
<script src="/static/net.js"></script>
<script src="/static/demo.js"></script>"""


def configure() -> None:
    """Register pages, static files and services; must be called once per process."""
    app.add_static_files("/static", _STATIC)
    ui.add_head_html(_HEAD, shared=True)
    handlers = {
        "basics": _page_handler("basics", state.BasicsPageState, basics.build),
        "home": _page_handler("home", state.HomePageState, home.build),
        "community": _page_handler("community", state.CommunityPageState, community.build),
    }
    for name, handler in handlers.items():
        ui.page(state.PATHS[name])(handler)
    attach_services(app)
    app.on_page_exception(_show_error_page)
    # Quasar's loading bar has no accessible name, and every slow action has its own progress bar.
    app.config.quasar_config["loadingBar"]["skipHijack"] = True


def _page_handler(
    name: str,
    page: type[state.PageState],
    build: Callable[[PageView[state.PageState], kit.Banner], None],
) -> Callable[[Request], None]:
    """Return the handler of a page, whose builder gets the view and the banner above it."""

    def show(request: Request) -> None:
        query = dict(request.query_params)
        tr = _translator(request)
        page_state, replaced = state.parse_query(page, query)
        client = ui.context.client
        _set_language_and_title(client, tr, tr(f"common.{name}"))
        view = PageView(name, page_state, tr, client)
        build(view, build_frame(view, replaced))

    return show


def _translator(request: Request) -> Translator:
    accept = request.headers.get("accept-language", "")
    return Translator(state.select_language(dict(request.query_params), accept))


def _set_language_and_title(client: Client, tr: Translator, title: str) -> None:
    """Set language and title of one response; a page object is shared by all of its responses."""
    client.page = copy.copy(client.page)
    client.page.language = _QUASAR_LANGUAGES[tr.lang]
    client.page.title = f"{title} · {tr('common.name')}"


def _show_error_page() -> None:
    """Show a page without a stack trace when the requested page cannot be built."""
    client = ui.context.client
    tr = _translator(client.request)
    _set_language_and_title(client, tr, tr("common.failed"))
    kit.Text("h1", tr("common.failed"))
    kit.Text("p", tr("common.failed_text"))
    kit.link(tr("common.basics"), f"/?lang={tr.lang}", "x-button primary")


def is_server_error(record: logging.LogRecord) -> bool:
    """Return whether a log record reports more than a visitor who disconnected early.

    The framework's middleware ends such a request with the error that is filtered here.

    Args:
        record: Record of the server's log.
    """
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, RuntimeError) and str(error) == "No response returned.")


def run_server(host: str, port: int, open_browser: bool) -> None:
    """Serve until interrupted; profiles are generated and programs compiled before the start.

    Args:
        host: Address on which the server listens.
        port: Port on which the server listens.
        open_browser: Whether to open the first page in a browser.
    """
    home_day.warm_up()
    street.warm_up()
    configure()
    logging.getLogger("uvicorn.error").addFilter(is_server_error)
    ui.run(
        host=host,
        port=port,
        show=open_browser,
        reload=False,
        title="prosumax",
        favicon=_STATIC / "favicon.svg",
        tailwind=False,
        reconnect_timeout=30.0,
        uvicorn_logging_level="warning",
        show_welcome_message=False,
    )
