"""Load test of the demo: lost updates, mixed-up visitors, latency and memory.

    python benchmarks/demo_load.py --visitors 20 --minutes 5

Starts a demo and opens one browser tab per visitor, each with settings of its own. Half of them
move a slider of "Your home" and half change the mechanism of "Your community"; after every action
the page must show what the model gives for these settings, which is computed here. At the end a
worker process is killed during a training. Needs `prosumax[web]`, playwright and Chromium.
"""

import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

import timing
from prosumax.web.charts import community as charts
from prosumax.web.jobs.tasks import run_community
from prosumax.web.model import home_day, state
from prosumax.web.model.communities import to_job_spec
from prosumax.web.model.translations import Translator

_RULES = ("none", "equal", "use", "hybrid", "auction")
_SLOWEST_S = 20.0
_TRAINING = "/community?lang=en&c=own&len=day&h=AAMAFAoDAQIBAAAB"


def main() -> None:
    parser = timing.parser(__doc__)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=5)
    given = parser.parse_args()
    visitors, minutes = (2, 0.05) if given.toy else (given.visitors, given.minutes)
    words = Translator("en")
    wanted = {rule: _verdict(words, rule) for rule in _RULES}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "prosumax", "demo", "--port", str(port)])
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address)
        with sync_playwright() as playwright:
            installed = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
            browser = playwright.chromium.launch(executable_path=installed, args=["--no-sandbox"])
            pages = [_open(browser, address, number) for number in range(visitors)]
            _drive(pages, minutes * 60, words, wanted, server.pid)
            _kill(browser, address, server.pid)
            browser.close()
    finally:
        server.terminate()
        server.wait(30)


def _drive(
    pages: list, seconds: float, words: Translator, wanted: dict[str, str], pid: int
) -> None:
    waits: dict[str, list[float]] = {"home": [], "community": []}
    lost_updates = 0
    actions = 0
    memory_mb: list[float] = []
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        actions += 1
        for number, page in enumerate(pages):
            kind = "community" if number % 2 else "home"
            before = time.monotonic()
            if kind == "home":
                kwp = _press(page, "ArrowRight" if (actions // 8 + number) % 2 else "ArrowLeft")
                day = home_day.simulate_day(
                    state.HomePageState(
                        panels_kwp=kwp, people=1 + number % 6, battery_kwh=number / 2
                    )
                )
                shown = _says(page, "[data-testid=sentence]", words.percent(day.self_sufficiency))
            else:
                rule = _RULES[(actions + number) % len(_RULES)]
                page.locator(f"[data-testid=rules] input[value={rule}]").check()
                shown = _says(page, "[data-testid=verdict-cost] .x-verdict-figure", wanted[rule])
            waits[kind].append(time.monotonic() - before)
            lost_updates += not shown
        memory_mb.append(_memory_mb(pid))
        print(
            f"{time.monotonic() - started:4.0f} s, {actions} actions, {lost_updates} wrong,"
            f" server {memory_mb[-1]:.0f} MB",
            flush=True,
        )
    for kind, taken in waits.items():
        ranked = sorted(taken)
        p50, p95 = statistics.median(ranked), ranked[int(0.95 * (len(ranked) - 1))]
        print(f"{kind}: {len(ranked)} updates, p50 {1000 * p50:.0f} ms, p95 {1000 * p95:.0f} ms")
    third = max(1, len(memory_mb) // 3)
    print(f"wrong or lost updates: {lost_updates}")
    print(
        f"memory of the server: {memory_mb[third - 1]:.0f} MB after a third,"
        f" {memory_mb[-1]:.0f} MB at the end"
    )


def _press(page, key: str) -> float:
    slider = page.get_by_test_id("panels")
    slider.focus()
    page.keyboard.press(key)
    return float(slider.input_value())


def _says(page, selector: str, text: str) -> bool:
    """Return whether the page shows the text within the time limit."""
    try:
        page.locator(selector).filter(has_text=re.compile(re.escape(text))).first.wait_for(
            timeout=1000 * _SLOWEST_S
        )
    except Exception:
        print(f"  expected {text!r}, the page says {page.locator(selector).inner_text()!r}")
        return False
    return True


def _verdict(words: Translator, rule: str) -> str:
    outcome = run_community(
        to_job_spec(state.CommunityPageState(rule=rule)), lambda *given, **more: None
    )
    return charts.cost_figure(words, outcome, "month").figure


def _open(browser, address: str, number: int):
    page = browser.new_context(viewport={"width": 1000, "height": 800}).new_page()
    people, battery = 1 + number % 6, number / 2
    page.goto(
        f"{address}/community?lang=en"
        if number % 2
        else f"{address}/home?lang=en&p={people}&b={battery:g}&pv=6"
    )
    page.locator("[data-testid=chart-bills], [data-testid=chart-a]").first.wait_for(timeout=120_000)
    return page


def _kill(browser, address: str, pid: int) -> None:
    """Kill a worker during a training; the page must report it, and the next job must run."""
    page = browser.new_context().new_page()
    page.goto(address + _TRAINING)
    page.get_by_test_id("run").click()
    page.locator(".x-progress p").filter(has_text="agents").wait_for(timeout=120_000)
    for child in _children(pid):
        if os.getpriority(os.PRIO_PROCESS, child) > os.getpriority(
            os.PRIO_PROCESS, pid
        ):  # that of training
            os.kill(child, signal.SIGKILL)
    error = page.get_by_test_id("run-error")
    error.filter(has_text="code").wait_for(timeout=10_000)
    print(f"killed: {error.inner_text()!r}")
    page.get_by_test_id("run").click()
    page.locator(".x-progress p").filter(has_text="agents").wait_for(timeout=120_000)
    print("the next training runs")


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(stat[1]) == pid:
                found.append(int(entry.name))
    return found


def _memory_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024  # type: ignore[index]


def _wait(address: str) -> None:
    end = time.monotonic() + 300
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


if __name__ == "__main__":
    main()
