"""Pictures of the demo's pages for the README: three pages, three languages, desktop and phone.

    python benchmarks/demo_pictures.py

Starts a demo, waits until every chart is drawn, and writes `docs/img/demo-*.png` with Chromium.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

import timing

PAGES = {"basics": "/", "home": "/home?b=3", "community": "/community"}
LANGUAGES = ("en", "fr", "nl")
SIZES = {"desktop": (1280, 900), "mobile": (390, 844)}
_READY_S = 300
_RESULT_MS = 60_000


@contextmanager
def demo() -> Iterator[str]:
    """Start a demo, and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "prosumax", "demo", "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ})
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + _READY_S
        while True:
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit("the demo did not start") from None
                time.sleep(0.3)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def take(browser: Browser, address: str, page_name: str, lang: str, size: str, path: Path) -> None:
    """Take a picture of the first screen."""
    width, height = SIZES[size]
    phone = size == "mobile"
    context = browser.new_context(
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        has_touch=phone,
        is_mobile=phone,
    )
    page = context.new_page()
    target = PAGES[page_name]
    page.goto(f"{address}{target}{'&' if '?' in target else '?'}lang={lang}")
    page.locator(".x-chart svg").first.wait_for(timeout=_RESULT_MS)
    page.wait_for_timeout(2500)
    page.screenshot(path=path, scale="css")
    context.close()


def main() -> None:
    """Take the pictures."""
    parser = timing.parser(__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/img"))
    parser.add_argument("--only", choices=PAGES, help="one page")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    chromium = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    with demo() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        pages = [chosen.only] if chosen.only else list(PAGES)
        for page_name in pages[:1] if chosen.toy else pages:
            for lang in LANGUAGES[:1] if chosen.toy else LANGUAGES:
                for size in SIZES:
                    path = chosen.out / f"demo-{page_name}-{lang}-{size}.png"
                    take(browser, address, page_name, lang, size, path)
                    print(path)
        browser.close()


if __name__ == "__main__":
    main()
