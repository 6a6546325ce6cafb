"""Figures as files and in notebooks: whole without a network, with legend and text alternative."""

import builtins
import re
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from prosumax import Result
from prosumax.errors import InputError
from prosumax.viz.legend import swatch
from prosumax.viz.theme import CURVES, LOADING_STYLES, MEANINGS, VOLTAGES


@pytest.fixture
def without_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without the extra `plot`."""
    real = builtins.__import__

    def failing(name: str, *args: Any, **keywords: Any) -> Any:
        if name in ("py_mini_racer", "resvg_py"):
            raise ImportError(name)
        return real(name, *args, **keywords)

    monkeypatch.setattr(builtins, "__import__", failing)


def test_an_svg_has_title_legend_and_description(result: Result, tmp_path: Path) -> None:
    pytest.importorskip("py_mini_racer", reason="needs prosumax[plot]")
    figure = result.plot.bills()
    path = figure.save(tmp_path / "bills.svg")
    root = ElementTree.parse(path).getroot()
    texts = [element.text for element in root.iter() if element.text]
    assert figure.title in texts and figure.summary in texts and "with exchange" in texts
    assert {home["name"] for home in result.households} <= set(texts)
    assert result.plot.bills().to_svg(title=False).count(figure.title) == 1  # only as <title>


def test_a_png_is_written(result: Result, tmp_path: Path) -> None:
    pytest.importorskip("py_mini_racer", reason="needs prosumax[plot]")
    pytest.importorskip("resvg_py", reason="needs prosumax[plot]")
    content = result.plot.energy_by_source().save(tmp_path / "sources.png", width=400, scale=1)
    header = content.read_bytes()[:24]
    assert header.startswith(b"\x89PNG") and int.from_bytes(header[16:20], "big") == 400


def test_a_page_of_a_figure_loads_nothing(result: Result, tmp_path: Path) -> None:
    page = result.plot.mean_day().save(tmp_path / "day.html").read_text(encoding="utf-8")
    frame = unescape(page.split("<script>")[0])
    assert "default-src 'none'" in frame and not re.search(r"\b(src|href)=", frame)
    assert page.count("<option") == 5 and "See as table" in page


def test_a_notebook_gets_an_isolated_frame_and_text(result: Result) -> None:
    figure = result.plot.bills()
    bundle = figure._repr_mimebundle_()
    assert bundle["text/plain"] == f"{figure.title}. {figure.summary}"
    assert bundle["text/html"] == figure._repr_html_()
    assert bundle["text/html"].startswith("<iframe srcdoc=")
    assert 'sandbox="allow-scripts"' in bundle["text/html"]
    assert figure.summary in unescape(unescape(bundle["text/html"]))


@pytest.mark.usefixtures("without_plot")
def test_a_missing_extra_is_named_with_its_command(result: Result, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"mini-racer is not installed. Run `pip install 'prosumax"
    ):
        result.plot.bills().save(tmp_path / "bills.svg")


def test_other_formats_are_refused(result: Result, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.pdf is not a format of figures"):
        result.plot.bills().save(tmp_path / "bills.pdf")


@pytest.mark.parametrize("lines", [True, False])
def test_every_swatch_is_valid_svg(lines: bool) -> None:
    names = [
        *MEANINGS,
        *(f"curve-{at}" for at in range(len(CURVES))),
        *(f"loading-{at}" for at in range(len(LOADING_STYLES))),
        *(f"voltage-{at}" for at in range(len(VOLTAGES))),
        *(f"{shape}-pv" for shape in ("line", "dash", "area", "bar")),
        *("bar-grid_import", "bar-grid_export", "bar-battery", "area-overlap", "dash-reference"),
        *("before", "after", "loser", "worse", "gray-2", "activity-5", "transformer"),
    ]
    drawn = [swatch(name, lines) for name in names]
    for svg in drawn:
        ElementTree.fromstring(f"<svg>{svg}</svg>")
    assert len(set(drawn)) == len(drawn)  # no two entries look the same
