"""A demo server of its own and a browser, once per session; nothing leaves the machine."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from urllib.parse import urlsplit

import pytest

_READY_S = 300
_PATIENCE_MS = 60_000  # of a browser on a machine that has other things to do
_START = "import sys; from prosumax.cli import main; sys.argv[1:] = {}; main()"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Address of a running demo."""
    pytest.importorskip("nicegui", reason="the demo needs prosumax[web]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("demo") / "log.txt"
    command = [sys.executable, "-c", _START.format(["demo", "--port", str(port)])]
    with log.open("w") as out:
        # The server must not take itself for a test.
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env)
    address = f"http://127.0.0.1:{port}"
    end = time.monotonic() + _READY_S
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            break
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                pytest.fail(f"the demo did not start: {log.read_text()[-2000:]}")
            time.sleep(0.3)
    yield address
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="session")
def chromium():
    """A headless browser; Debian's where there is one."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="pip install playwright to test in a browser"
    )
    installed = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    with api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        except api.Error as error:
            pytest.skip(
                f"no Chromium here: apt-get install chromium, or playwright install chromium ({error})"
            )
        yield browser
        browser.close()


@pytest.fixture
def visit(server, chromium):
    """Opens pages of the demo: `visit("/home?lang=fr", width=390)`; each is a visitor of its own.

    Whatever goes wrong in the browser, and any request to another host, fails the test.
    """
    contexts, wrong = [], []

    def watched(page):
        def routed(route):
            if urlsplit(route.request.url).hostname not in ("127.0.0.1", None):
                wrong.append(f"request to {route.request.url}")
                route.abort()
            else:
                route.continue_()

        page.route("**/*", routed)
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        return page

    def open_page(path, width=1280, height=900, **settings):
        context = chromium.new_context(viewport={"width": width, "height": height}, **settings)
        context.set_default_timeout(_PATIENCE_MS)
        contexts.append(context)
        page = watched(context.new_page())
        answer = page.goto(server + path)
        assert answer.status == 200
        page.locator("h1").first.wait_for()
        return page

    open_page.allow = lambda text: wrong.__setitem__(
        slice(None), [one for one in wrong if text not in one]
    )
    yield open_page
    for context in contexts:
        context.close()
    assert not wrong, wrong
