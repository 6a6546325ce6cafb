"""The community page in a browser."""

import os
import re
import time
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.slow

SLOWER = 2 if os.environ.get("CI") else 1.5
_LONG = 60_000


def _euro(text):
    return round(float(re.sub(r"[^\d.\-]", "", text.replace("−", "-"))) * 100)


def _ready(page):
    page.locator("[data-testid=verdict-cost] .x-verdict-figure").filter(
        has_text=re.compile("€")
    ).wait_for(timeout=_LONG)
    page.wait_for_function("!document.querySelector('[aria-busy=true]')", timeout=_LONG)


def _figures(page):
    return [
        page.locator(f"[data-testid=verdict-{name}] .x-verdict-figure").inner_text()
        for name in ("cost", "efficiency", "fairness")
    ]


def _changes(page):
    """Return the last column of the table of bills, in cents."""
    table = page.locator("[data-testid=chart-bills] table")
    if not table.is_visible():
        page.locator("[data-testid=chart-bills] summary").click()
    page.wait_for_timeout(400)
    cells = table.locator("tbody tr td:last-child").all_text_contents()
    return [_euro(cell) for cell in cells]


def _choose(page, rule):
    page.locator(f"[data-testid=rules] input[value={rule}]").check()


def _open_step(page, step):
    page.locator(f"[data-testid=step-{step}] > summary").click()


def test_rule_changes_the_figures_and_bills_add_up(visit):
    page = visit("/community?lang=en&m=none")
    _ready(page)
    before = _figures(page)
    assert set(_changes(page)) == {0}
    assert before[0] == "€0.00"
    _choose(page, "use")
    page.get_by_test_id("run").click()
    figure = "document.querySelector('[data-testid=verdict-cost] .x-verdict-figure')"
    page.wait_for_function(f"{figure}.textContent !== {before[0]!r}", timeout=_LONG)
    _ready(page)
    after = _figures(page)
    assert all(a != b for a, b in zip(after, before, strict=True))
    assert sum(_changes(page)) == _euro(after[0])
    # The network has a sentence and its slider moves.
    sentence = page.locator("px-network .x-sentence")
    first = sentence.inner_text()
    page.locator("px-network input[type=range]").focus()
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    assert sentence.inner_text() != first and sentence.inner_text().startswith("21:00")
    page.wait_for_timeout(900)
    assert "at=21" in page.url
    # The link holds the settings: another visitor sees the same results.
    other = visit(page.url.split("/", 3)[3].join(["/", ""]))
    _ready(other)
    assert _figures(other) == after


def test_network_plays_and_pauses(visit):
    page = visit("/community?lang=en")
    _ready(page)
    play = page.locator("px-network button")
    clock = page.locator("px-network output")
    assert play.inner_text() == "Play"
    play.click()
    page.wait_for_function("document.querySelector('px-network output').textContent !== '12:00'")
    assert play.inner_text() == "Pause"
    play.click()
    now = clock.inner_text()
    page.wait_for_timeout(700)
    assert clock.inner_text() == now and play.inner_text() == "Play"
    calm = visit("/community?lang=en", reduced_motion="reduce")
    _ready(calm)
    assert not calm.locator("px-network button").is_visible()


def _lines(count=96, columns=3, wrong=None):
    rows = []
    for at in range(count):
        cells = [f"0,{10 + (at + column) % 9}" for column in range(columns)]
        if at == wrong:
            cells[0] = "abc"
        rows.append(f"2023-07-19 {at // 4:02d}:{at % 4 * 15:02d};{';'.join(cells)}")
    return "\r\n".join(rows) + "\r\n"


def test_own_files_are_accepted_or_rejected_with_a_reason(visit, tmp_path):
    page = visit("/community?lang=en")
    _ready(page)
    _open_step(page, "homes")
    page.locator("[data-testid=presets] input[value=file]").check()
    upload, own = page.get_by_test_id("upload"), tmp_path / "own.csv"

    def send(content, name="own.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        upload.set_input_files(path)

    script = "<img src=x onerror=window.hacked=1>"
    send(f"\ufefftime;{script};home1_pv;Chloé\r\n{_lines()}")
    page.get_by_test_id("own-data").wait_for(timeout=_LONG)
    _ready(page)
    assert page.locator("[data-testid=chart-bills] table").text_content().count(script) == 1
    shown = _figures(page)
    error = page.get_by_test_id("upload-error")
    for content, name, text in (
        (f"time;a;b;c\n{_lines(wrong=35)}", "bad.csv", "Line 37 has no number (“abc”)"),
        (f"time;a;b;c\n{_lines(90)}", "short.csv", "We found 90 values for the day"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "picture.csv", "not a text file"),
        (b"x" * 3_000_000, "large.csv", "larger than 2 MB"),
    ):
        send(content, name)
        error.filter(has_text=text).wait_for(timeout=_LONG)
        assert _figures(page) == shown
    assert page.evaluate("window.hacked") is None
    assert "your own file" in page.get_by_test_id("banner").inner_text()
    # The link does not give the file to another visitor.
    other = visit(page.url.split("/", 3)[3].join(["/", ""]))
    other.wait_for_timeout(1500)
    assert script not in other.content()
    page.get_by_test_id("delete-file").click()
    page.get_by_test_id("own-data").wait_for(state="detached")
    assert own.exists()
    visit.allow("422")


def test_server_enforces_the_upload_limit(server):
    def post(size, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            f"{server}/api/upload", b"1;2\n" * (size // 4), headers, method="POST"
        )
        try:
            return urllib.request.urlopen(request, timeout=30).status
        except urllib.error.HTTPError as error:
            return error.code

    assert post(5_000_000) == 413
    assert post(400, Origin="https://evil.example") == 403
    assert post(400, Sec_Fetch_Site="cross-site") == 403
    assert post(400, Sec_Fetch_Site="same-origin") == 422

    def chunks():
        for _ in range(60):
            yield b"0" * 100_000

    streamed = urllib.request.Request(
        f"{server}/api/upload", chunks(), method="POST"
    )  # without Content-Length
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(streamed, timeout=30)
    assert refused.value.code == 413


def test_every_response_has_the_security_headers(server):
    for path in ("/community", "/static/net.js", "/api/nothing", "/nothing"):
        try:
            headers = urllib.request.urlopen(server + path, timeout=30).headers
        except urllib.error.HTTPError as error:
            headers = error.headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "set-cookie" not in {name.lower() for name in headers}


def test_three_rules_side_by_side_on_a_phone(visit):
    page = visit("/community?lang=en", width=390, height=844, has_touch=True, is_mobile=True)
    _ready(page)
    names = {"none": "No sharing", "equal": "Equal shares", "use": "By use"}
    for rule in names:
        _choose(page, rule)
        page.wait_for_timeout(300)
        _ready(page)
        page.get_by_test_id("keep").click()
        page.wait_for_timeout(300)
    for what in ("cost", "efficiency", "fairness"):
        chart = page.locator(f"[data-testid=compare-{what}] .x-chart")
        chart.scroll_into_view_if_needed()
        texts = " ".join(chart.locator("svg text").all_text_contents())
        assert all(name.split()[0] in texts for name in names.values())
        box = chart.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.get_by_test_id("compare-sentence").inner_text().startswith("By use saves €")
    page.get_by_test_id("keep").click()
    page.get_by_text("This run is kept already.").wait_for()
    # The saved runs survive a change of language.
    page.goto(page.url.replace("lang=en", "lang=nl"))
    chart = page.locator("[data-testid=compare-cost] .x-chart svg")
    chart.get_by_text("Volgens").first.wait_for(timeout=_LONG)
    assert "Niet delen" in chart.text_content()


def test_visitors_do_not_see_each_other(visit):
    one, two = visit("/community?lang=en"), visit("/community?lang=en&c=block")
    _ready(one)
    _ready(two)
    one.get_by_test_id("keep").click()
    one.get_by_test_id("compare").wait_for()
    assert not two.get_by_test_id("compare").is_visible()
    text = two.locator("[data-testid=chart-bills] .x-chart svg").text_content()
    assert "Amina" not in text and "Building" in text
    assert "Amina" in one.locator("[data-testid=chart-bills] .x-chart svg").text_content()


# The smallest training: two homes, one of which learns, for one day.
_LEARNING = "/community?lang=en&c=own&len=day&h=AAMAFAoDAQIBAAAB"


# Training of the price agent in the street, long enough to be observed and stopped.
_LONG_LEARNING = "/community?lang=en&m=learned"


def test_training_shows_progress_and_can_be_stopped(visit):
    page = visit(f"{_LONG_LEARNING}&seed=701")
    run, stop = page.get_by_test_id("run"), page.get_by_test_id("stop")
    assert "about" in run.inner_text()
    run.click()
    progress, stages = [], set()
    slider = visit("/home?lang=en&pv=1")
    slider.locator("[data-testid=chart-a] .x-chart svg path").nth(5).wait_for(state="attached")
    slider.evaluate(
        """() => {
          window.taken = []; let pressed = 0;
          const slider = document.querySelector('[data-testid=panels]');
          slider.addEventListener('keydown', () => { pressed = performance.now(); }, true);
          const redrawn = () => {
            if (pressed) { window.taken.push(performance.now() - pressed); pressed = 0; }
          };
          const chart = document.querySelector('[data-testid=chart-a] .x-chart');
          const all = {subtree: true, childList: true, attributes: true};
          new MutationObserver(redrawn).observe(chart, all);
        }"""
    )
    slider.get_by_label("Solar panels").focus()
    presses, deadline = 0, time.monotonic() + 90
    while (presses < 20 or len(progress) < 5 or not any("agents" in text for text in stages)) and (
        time.monotonic() < deadline
    ):
        slider.keyboard.press("ArrowRight" if presses % 40 < 20 else "ArrowLeft")
        slider.wait_for_timeout(250)
        presses += 1
        share = float(page.get_by_test_id("progress").get_attribute("value") or 0)
        if not progress or share != progress[-1]:
            progress.append(share)
        stages.add(page.locator(".x-progress p").inner_text())
    assert len(progress) >= 5 and progress == sorted(progress)
    assert any("agents" in text for text in stages)
    taken = sorted(slider.evaluate("window.taken"))
    # A redraw after the next key press cannot be attributed.
    assert len(taken) >= 0.9 * presses and taken[int(0.95 * len(taken)) - 1] < 400 * SLOWER
    # A visitor who returns to the address finds the job.
    again = visit(page.url.split("/", 3)[3].join(["/", ""]))
    again.get_by_test_id("progress").wait_for()
    again.wait_for_timeout(500)
    assert float(again.get_by_test_id("progress").get_attribute("value")) > 0
    stop.click()
    page.wait_for_function(
        "!document.querySelector('[data-testid=stop]').checkVisibility()", timeout=1000 * SLOWER
    )
    assert run.is_enabled() and "Stopped" in page.get_by_test_id("run-error").inner_text()


@pytest.mark.slow
def test_finished_training_is_marked_and_cached(visit):
    page = visit(_LEARNING)
    page.get_by_test_id("run").click()
    page.locator("[data-testid=curve] .x-chart svg path").first.wait_for(
        timeout=240_000, state="attached"
    )
    page.get_by_test_id("trained").wait_for(timeout=240_000)
    assert re.search(
        r"trained for \d+ rounds; another try may differ",
        page.get_by_test_id("trained").inner_text(),
    )
    _ready(page)
    figures = _figures(page)
    other = visit(_LEARNING)
    other.get_by_test_id("trained").wait_for(timeout=5000)
    assert _figures(other) == figures


def test_full_queue_rejects_a_training(visit):
    # All pages are open before the first job starts, so that it is not done before the last.
    pages = [visit(f"{_LONG_LEARNING}&seed={900 + number}") for number in range(10)]
    for page in pages:
        page.get_by_test_id("run").click()
        page.locator(".x-progress").or_(page.get_by_test_id("run-error")).locator(
            "visible=true"
        ).first.wait_for()
    *waiting, last = pages
    last.get_by_test_id("run-error").filter(
        has_text="Many people are training agents now"
    ).wait_for()
    assert "before you" in waiting[-1].locator(".x-progress p").inner_text()
    for page in waiting:
        page.get_by_test_id("stop").click()
    for page in waiting:
        page.wait_for_function(
            "!document.querySelector('[data-testid=stop]').checkVisibility()", timeout=10_000
        )
