"""Fixtures of the demo: a server and a browser per session, which reach no other machine."""

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
_TIMEOUT_MS = 60_000  # of browser actions, long enough for a busy machine
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
        # NiceGUI changes its behavior when it finds variables of pytest.
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
    """A headless Chromium, preferably that of the system."""
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
            pytest.skip(f"Chromium is missing, run: playwright install chromium ({error})")
        yield browser
        browser.close()


@pytest.fixture
def visit(server, chromium):
    """Function that opens a page for a new visitor: `visit("/home?lang=fr", width=390)`.

    Errors in the browser and requests to other hosts fail the test; `visit.allow` permits one.
    """
    contexts = []
    errors = []

    def watch(page):
        def check_host(route):
            if urlsplit(route.request.url).hostname not in ("127.0.0.1", None):
                errors.append(f"request to {route.request.url}")
                route.abort()
            else:
                route.continue_()

        page.route("**/*", check_host)
        page.on(
            "console",
            lambda message: errors.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    def open_page(path, width=1280, height=900, **settings):
        context = chromium.new_context(viewport={"width": width, "height": height}, **settings)
        context.set_default_timeout(_TIMEOUT_MS)
        contexts.append(context)
        page = watch(context.new_page())
        answer = page.goto(server + path)
        assert answer.status == 200
        page.locator("h1").first.wait_for()
        return page

    def allow(text):
        errors[:] = [error for error in errors if text not in error]

    open_page.allow = allow
    yield open_page
    for context in contexts:
        context.close()
    assert not errors, errors
