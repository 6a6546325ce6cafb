"""Accessibility of the pages."""

import itertools

import pytest

pytestmark = pytest.mark.slow

PAGES = ("/", "/home", "/community")
LANGUAGES = ("en", "fr", "nl")
_PHONE = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


@pytest.fixture(scope="session")
def violations():
    """Function that lists the violations of WCAG 2.1 A and AA that axe finds on a page."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs axe-playwright-python"
    )

    def found(page):
        report = (
            axe.Axe().run(page, options={"runOnly": {"type": "tag", "values": _RULES}}).response
        )
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in report["violations"]
            for node in one["nodes"]
        ]

    return found


def _settled(page):
    page.locator(".x-chart svg").first.wait_for()
    page.wait_for_timeout(300)


def _open_all(page):
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.wait_for_timeout(400)


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_no_violation_on_a_desktop(visit, violations, path):
    page = visit(f"{path}?lang=en")
    _settled(page)
    assert violations(page) == []
    _open_all(page)
    assert violations(page) == []


def test_axe_finds_no_violation_with_notices_and_errors(visit, violations, tmp_path):
    page = visit("/home?lang=en&pv=999")
    _settled(page)
    page.get_by_test_id("own-data-fold").locator("summary").click()
    picture = tmp_path / "meter.csv"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    page.get_by_test_id("upload").set_input_files(picture)
    page.get_by_test_id("upload-error").wait_for(timeout=30_000)
    page.wait_for_timeout(300)
    page_errors = violations(page)
    visit.allow("422")
    assert page_errors == []


@pytest.mark.parametrize("path", PAGES)
def test_every_chart_has_a_table(visit, path):
    page = visit(f"{path}?lang=en")
    _settled(page)
    charts = page.locator(".x-chart").count()
    assert charts >= 2
    assert page.locator(".x-as-table").count() >= charts


@pytest.mark.parametrize("path", PAGES)
def test_nothing_moves_with_reduced_motion(visit, path):
    page = visit(f"{path}?lang=en", reduced_motion="reduce")
    _settled(page)
    assert (
        page.evaluate("document.getAnimations().filter(one => one.playState === 'running').length")
        == 0
    )


@pytest.mark.parametrize("path", PAGES)
def test_focus_is_always_visible(visit, path):
    page = visit(f"{path}?lang=en")
    _settled(page)
    focused = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        outlined, name = page.evaluate(
            """() => {
              const one = document.activeElement, frame = one.closest('label') ?? one;
              const line = (element) => { const s = getComputedStyle(element);
                return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2; };
              return [line(one) || line(frame), one.outerHTML.slice(0, 120)];
            }"""
        )
        focused.add(name)
        assert outlined or name.startswith("<body"), name
    assert len(focused) > 10


def _tab_to(page, test_id):
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("id => !!document.activeElement.closest(`[data-testid=${id}]`)", test_id):
            return
    raise AssertionError(f"{test_id} is not reachable by keyboard")


def test_community_is_run_and_saved_by_keyboard(visit):
    page = visit("/community?lang=en&m=none")
    page.locator(".x-chart svg").first.wait_for(timeout=60_000)
    figures = page.locator(".x-verdict-figure")
    before = figures.all_inner_texts()
    _tab_to(page, "rules")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    _tab_to(page, "run")
    page.keyboard.press("Enter")
    changed = """old => [...document.querySelectorAll('.x-verdict-figure')]
      .some((one, at) => one.innerText !== old[at])"""
    page.wait_for_function(changed, arg=before, timeout=60_000)
    _tab_to(page, "keep")
    page.keyboard.press("Enter")
    page.get_by_test_id("compare").wait_for(timeout=10_000)


def test_skip_link_leads_to_the_content(visit):
    page = visit("/home?lang=en")
    _settled(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.nicegui-content') !== null")


_TOO_WIDE = """() => document.documentElement.scrollWidth <= 390
  ? [] : [...document.querySelectorAll('body *')]
  .filter(one => one.getBoundingClientRect().right > 391)
  .filter(one => !one.closest('.x-table-scroll, .x-sr, .x-skip, svg'))
  .map(one => one.outerHTML.slice(0, 100))"""
_TOO_SMALL = """() => [...document.querySelectorAll('a, button, summary, select, input')]
  .filter(one => one.checkVisibility())
  .map(one => (one.type === 'radio' || one.type === 'checkbox') ? one.closest('label') ?? one : one)
  .filter(one => !one.closest('p') && !one.classList.contains('x-skip'))
  .map(one => [one.getBoundingClientRect(), one.outerHTML.slice(0, 120)])
  .filter(([box]) => box.height > 0 && (box.height < 43.5 || box.width < 43.5))
  .map(([box, html]) => html)"""


@pytest.mark.parametrize(("path", "lang"), list(itertools.product(PAGES, LANGUAGES)))
def test_phone_shows_everything(visit, violations, path, lang):
    """Check width, size of touch targets and axe, with sections closed and open."""
    page = visit(f"{path}?lang={lang}", **_PHONE)
    _settled(page)
    for _ in range(2):
        assert page.evaluate(_TOO_WIDE) == []
        assert page.evaluate(_TOO_SMALL) == []
        assert violations(page) == []
        _open_all(page)


def test_chart_stays_visible_while_a_slider_moves(visit):
    page = visit("/home?lang=en", **_PHONE)
    _settled(page)
    slider = page.get_by_label("Home battery")
    slider.scroll_into_view_if_needed()
    slider.focus()
    page.wait_for_timeout(200)
    chart = page.locator("[data-testid=chart-a] .x-chart").bounding_box()
    control = slider.bounding_box()
    watch = page.locator(".x-watch").bounding_box()
    assert chart["y"] >= 0
    assert chart["y"] + chart["height"] <= 0.5 * 844
    assert control["y"] > watch["y"] + watch["height"] - 1
    assert control["y"] + control["height"] <= 844
    assert watch["height"] <= 0.47 * 844
