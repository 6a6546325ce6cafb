"""The first two pages in a browser."""

import os
import re
import statistics
import time

import pytest

from prosumax.web.model import home_day, state
from prosumax.web.model.translations import Translator, load_texts

pytestmark = pytest.mark.slow

_TRIES = 3


def _slower():
    """Return the factor of time limits against those of a quiet machine."""
    return (2 if os.environ.get("CI") else 1.5) * max(
        1.0, os.getloadavg()[0] / (os.cpu_count() or 1)
    )


def _shown(page, test_id):
    return page.get_by_test_id(test_id).inner_text()


def _plain(text):
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def _numbers(text):
    return re.findall(r"\d+(?:[.,]\d+)?", text)


def _lines(page, test_id="chart-a"):
    """Return the paths of a chart as one string."""
    paths = page.locator(f"[data-testid={test_id}] .x-chart svg path")
    return paths.evaluate_all("found => found.map(path => path.getAttribute('d')).join('|')")


def _drawn(page, test_id="chart-a"):
    page.locator(f"[data-testid={test_id}] .x-chart svg path").nth(5).wait_for(state="attached")


def _open(page, test_id):
    page.get_by_test_id(test_id).locator("summary").first.click()


def test_first_page_shows_results_without_a_click(visit):
    # After its start the server still compiles the programs of page three.
    visit("/community?lang=en").locator(".x-chart svg").first.wait_for(timeout=120_000)
    for tried in range(_TRIES):
        began = time.monotonic()
        page = visit("/?lang=en")
        for chart in ("clock", "where"):
            page.locator(f"[data-testid={chart}] .x-chart svg path").first.wait_for(
                state="attached"
            )
        seconds = time.monotonic() - began
        if seconds < 3 * _slower():
            break
        assert tried < _TRIES - 1, seconds
    assert "At noon your panels produce more" in page.locator("h1").inner_text()
    counts = page.locator(".x-chart svg").evaluate_all(
        "all => all.map(svg => svg.querySelectorAll('path').length)"
    )
    assert sum(count > 20 for count in counts) >= 2
    sentence = page.locator("[data-testid=where] .x-sentence").inner_text()
    assert len(_numbers(sentence)) >= 3


def test_key_press_updates_chart_and_sentence(visit):
    page = visit("/home?lang=en&pv=1")
    _drawn(page)
    page.evaluate(
        """() => {
          window.taken = []; let pressed = 0;
          const slider = document.querySelector('[data-testid=panels]');
          slider.addEventListener('keydown', () => { pressed = performance.now(); }, true);
          const changed = () => {
            if (pressed) { window.taken.push(performance.now() - pressed); pressed = 0; }
          };
          const chart = document.querySelector('[data-testid=chart-a] .x-chart');
          const all = {subtree: true, childList: true, attributes: true};
          new MutationObserver(changed).observe(chart, all);
        }"""
    )
    slider = page.get_by_label("Solar panels")
    slider.focus()
    before = (_lines(page), _shown(page, "sentence"))
    other = "text => document.querySelector('[data-testid=sentence]').innerText !== text"
    for tried in range(_TRIES):
        page.evaluate("window.taken = []")
        for _ in range(20):
            page.keyboard.press("ArrowLeft" if tried % 2 else "ArrowRight")
            page.wait_for_function(other, arg=before[1], timeout=20_000)
            page.wait_for_timeout(80)
            now = (_lines(page), _shown(page, "sentence"))
            assert now[0] != before[0]
            assert now[1] != before[1]
            before = now
        taken = sorted(page.evaluate("window.taken"))
        assert len(taken) == 20
        if statistics.median(taken) < 150 * _slower() and taken[18] < 400 * _slower():
            break
        assert tried < _TRIES - 1, taken
    kwp, panels = ("1", "2") if tried % 2 else ("11", "28")
    assert _plain(slider.get_attribute("aria-valuetext")) == f"{kwp} kWp, about {panels} panels"


def test_held_key_ends_at_the_last_value(visit):
    page = visit("/home?lang=en&pv=0&b=0")
    page.locator("[data-testid=chart-a] .x-chart svg").wait_for()
    page.wait_for_timeout(300)
    page.evaluate(
        """() => {
          window.redraws = 0;
          const chart = document.querySelector('[data-testid=chart-a] .x-chart');
          const all = {subtree: true, childList: true, attributes: true};
          new MutationObserver(() => window.redraws++).observe(chart, all);
        }"""
    )
    slider = page.get_by_label("Home battery")
    page.get_by_label("Solar panels").focus()
    for _ in range(24):
        page.keyboard.down("ArrowRight")
        page.wait_for_timeout(25)
    page.keyboard.up("ArrowRight")
    slider.focus()
    for press in range(36):
        page.keyboard.down("ArrowRight" if press < 30 else "ArrowLeft")
        page.wait_for_timeout(25)
    page.keyboard.up("ArrowLeft")
    page.wait_for_timeout(500 * _slower())
    assert page.evaluate("window.redraws") >= 20
    home = state.HomePageState(panels_kwp=12.0, battery_kwh=12.0)
    assert slider.input_value() == "12"
    day = home_day.simulate_day(home)
    tr = Translator("en")
    assert tr.percent(day.self_sufficiency) in _shown(page, "sentence")
    assert tr.euro(abs(day.bill)) in _shown(page, "sentence")
    page.wait_for_timeout(400)
    assert page.url.endswith("pv=12&b=12")


@pytest.mark.parametrize(
    "query", ["", "pv=0", "pv=6&b=0", "pv=9&b=10&s=summer", "pv=4&b=5&hp=on&s=winter&ev=noon"]
)
def test_table_adds_up(visit, query):
    page = visit(f"/home?lang=en&{query}")
    _open(page, "chart-b")
    table = page.locator("[data-testid=chart-b] table")
    table.wait_for()
    rows = table.locator("tbody tr").evaluate_all(
        "all => all.map(row => [...row.cells].map(cell => cell.textContent))"
    )

    def amount(text):
        return 0.0 if text == "–" else float(text.replace(",", ""))

    for _, whole, *parts in rows:
        # Each of the five numbers is rounded to hundredths.
        assert amount(whole) == pytest.approx(sum(map(amount, parts)), abs=0.021)
    day = home_day.simulate_day(
        state.parse_query(
            state.HomePageState, dict(part.split("=") for part in query.split("&") if part)
        )[0]
    )
    assert amount(rows[0][1]) == pytest.approx(day.load_kwh.sum(), abs=0.006)
    assert amount(rows[1][1]) == pytest.approx(day.solar_kwh.sum(), abs=0.006)


_ENGLISH = (
    "Your home",
    "panels",
    "battery",
    "grid",
    "Season",
    "See as table",
    "bill",
    "People",
    "Start again",
    "from",
)


def test_settings_survive_a_change_of_language(visit):
    page = visit("/home?lang=en&p=4&pv=7&b=5&s=summer&t=daynight")
    labels = {}
    for lang, name in (("fr", "Français"), ("nl", "Nederlands")):
        page.get_by_role("link", name=name).click()
        page.wait_for_url(f"**lang={lang}**")
        _drawn(page)
        tr = Translator(lang)
        assert page.locator("html").get_attribute("lang") == lang
        assert tr("common.home") in page.title()
        for label, value in (("people", "4"), ("panels", "7"), ("battery_field", "5")):
            assert page.get_by_label(tr(f"home.{label}")).input_value() == value
        assert page.locator("[data-testid=season] input:checked").get_attribute("value") == "summer"
        text = page.locator("body").inner_text()
        assert "€" in _shown(page, "sentence")
        assert not re.search(r"€\d", text)
        assert not re.search(r"\b(home|common|basics|upload|community)\.[a-z_]+\b", text)
        for word in _ENGLISH:
            assert not re.search(rf"\b{word}\b", text), (lang, word)
        bars = page.locator("[data-testid=chart-b] .x-chart svg text").all_text_contents()
        labels[lang] = (tr("home.you_use"), " ".join(bars))
    assert labels["fr"][1] != labels["nl"][1]


@pytest.mark.parametrize("lang", ["fr", "nl"])
def test_first_page_has_no_text_of_another_language(visit, lang):
    page = visit(f"/?lang={lang}")
    text = page.locator("body").inner_text()
    english = {
        str(one)
        for key, one in load_texts("en").items()
        if key.startswith("basics.") and len(str(one)) > 12
    }
    assert not [one for one in english if one in text]


def test_shared_link_shows_the_same_view(visit):
    page = visit("/home?lang=en", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_label("Solar panels").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.locator("[data-testid=routine] input[value=retired]").check()
    page.wait_for_timeout(300)
    page.get_by_test_id("share").click()
    page.wait_for_timeout(300)
    link = page.evaluate("navigator.clipboard.readText()")
    other = visit(link.removeprefix(link.split("/home")[0]))
    assert other.get_by_label("Solar panels").input_value() == "5.5"
    assert _shown(other, "sentence") == _shown(page, "sentence")


@pytest.mark.parametrize(
    "path",
    [
        "/home?lang=en&pv=99&b=-3&p=many",
        "/?lang=en&n=1e9&s=monsoon",
        "/community?lang=en&h=!!!&seed=-1&m=anarchy",
        "/home?lang=en&s=<script>alert(1)</script>",
    ],
)
def test_invalid_link_is_corrected_with_a_notice(visit, path):
    page = visit(path)
    assert page.get_by_test_id("banner").is_visible()
    assert "not possible" in _shown(page, "banner")


def test_surprise_and_start_again_set_all_controls(visit):
    page = visit("/home?lang=en&pv=6")
    page.get_by_test_id("surprise").click()
    page.get_by_text("This is a retired couple").wait_for()
    assert page.get_by_label("Solar panels").input_value() == "3"
    page.get_by_test_id("reset").click()
    page.wait_for_function("document.querySelector('[data-testid=panels]').value === '4'")
    assert not page.get_by_test_id("banner").is_visible()


def test_more_charts_and_reading_of_a_time(visit):
    page = visit("/home?lang=en&b=5")
    _open(page, "more-charts")
    for chart in ("chart-c", "chart-d", "chart-e"):
        page.locator(f"[data-testid={chart}] .x-chart svg path").first.wait_for(state="attached")
    assert "less" in page.locator("[data-testid=chart-d] .x-sentence").inner_text()
    _open(page, "read-time")
    at = page.get_by_test_id("time")
    at.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(200)
    assert at.get_attribute("aria-valuetext").startswith("12:15: you use")


def test_bet_is_answered_by_a_simulation(visit):
    page = visit("/?lang=en")
    page.locator("[data-testid=bet] input[value=with]").check()
    page.locator("[data-testid=bills] .x-chart svg").wait_for(timeout=60_000)
    assert "gains about" in page.get_by_test_id("bet-answer").inner_text()


def test_own_meter_data_and_back(visit, tmp_path):
    page = visit("/home?lang=en")
    before = _shown(page, "sentence")
    _open(page, "own-data-fold")
    lines = "".join(
        f"2023-07-19 {n // 4:02d}:{n % 4 * 15:02d};0,{10 + n % 7}\r\n" for n in range(96)
    )
    own = tmp_path / "own.csv"
    own.write_bytes(("\ufefftime;home1\r\n" + lines).encode())
    page.get_by_test_id("upload").set_input_files(own)
    page.get_by_text("Your own data").first.wait_for(timeout=30_000)
    assert _shown(page, "sentence") != before
    assert page.locator("[data-testid=season] input:checked").get_attribute("value") == "summer"
    own.write_text("time;home1\n" + lines.replace("\r", "").replace(" 08:45;0,10", " 08:45;abc"))
    page.get_by_test_id("upload").set_input_files(own)
    kept = _shown(page, "sentence")
    page.get_by_test_id("upload-error").filter(has_text="abc").wait_for(timeout=30_000)
    visit.allow("422")  # the status of a rejected file
    assert _shown(page, "sentence") == kept
    page.get_by_test_id("own-off").click()
    page.get_by_test_id("own-off").wait_for(state="detached")


def test_page_without_scripts_shows_its_sentences(visit):
    page = visit("/home?lang=fr", java_script_enabled=False)
    assert "Votre logement couvre" in page.locator("body").inner_text()
    assert page.locator("svg").count() >= 1
