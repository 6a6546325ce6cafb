"""Report and demo draw the same charts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prosumax import Result, viz
from prosumax.report import write_report
from prosumax.viz.chart import Chart, Figure
from prosumax.viz.theme import MEANINGS

pytest.importorskip("babel", reason="the demo needs prosumax[web]")

from prosumax.web.charts import analytics, common, community  # noqa: E402
from prosumax.web.charts.shared import OUTCOME_CHARTS, outcome_chart  # noqa: E402
from prosumax.web.model.outcome import summarize_outcome  # noqa: E402
from prosumax.web.model.translations import Translator  # noqa: E402

SHARED = (
    viz.bills,
    viz.energy_by_source,
    viz.trade_network,
    viz.mean_day,
    viz.price_distribution,
)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], list[Chart]]:
    """Function that lists the charts that a call draws."""
    original = Chart.from_data

    def charts_of(call: Callable[[], Any]) -> list[Chart]:
        found: list[Chart] = []

        def recording(self: Chart, *args: Any, **keywords: Any) -> Figure:
            found.append(self)
            return original(self, *args, **keywords)

        with monkeypatch.context() as patch:
            patch.setattr(Chart, "from_data", recording)
            call()
        return found

    return charts_of


def _draw_demo(result: Result) -> None:
    tr = Translator("fr")
    outcome = summarize_outcome(result)
    community.home_bills(tr, outcome, "day")
    community.transfer_matrix(tr, outcome, 12)
    for name in OUTCOME_CHARTS:
        outcome_chart(tr, outcome, name, outcome.names)


def test_report_and_demo_draw_the_same_chart_objects(
    result: Result, tmp_path: Path, drawn: Callable[[Callable[[], Any]], list[Chart]]
) -> None:
    in_report = drawn(lambda: write_report(result, tmp_path / "report.html"))
    in_demo = drawn(lambda: _draw_demo(result))
    for chart in SHARED:
        assert any(one is chart for one in in_report), chart.name
        assert any(one is chart for one in in_demo), chart.name


def test_the_demo_draws_the_same_numbers(result: Result) -> None:
    tr = Translator("en")
    outcome = summarize_outcome(result)
    report = result.plot.energy_by_source().option["baseOption"]["series"]
    demo = outcome_chart(tr, outcome, "energy_by_source", outcome.names)
    series = demo.option["baseOption"]["series"]
    assert [part["data"] for part in series] == [part["data"] for part in report]
    assert all(
        part.get("itemStyle") == other["itemStyle"]
        for part, other in zip(series, report, strict=True)
    )
    bills = community.home_bills(tr, outcome, "day")
    assert [row[0] for row in bills.table.rows] == list(viz.bills.data(result)["home"])


def test_there_is_one_palette() -> None:
    assert MEANINGS["load"].color == common.LOAD_COLOR
    assert MEANINGS["pv"].color == common.SOLAR_COLOR
    colors = {style.color for style in MEANINGS.values()}
    demo = {common.STORAGE_COLOR, common.IMPORT_COLOR, common.EXPORT_COLOR}
    assert demo <= colors


def test_page_and_plot_draw_the_same_daily_curves(result: Result) -> None:
    tr = Translator("en")
    outcome = summarize_outcome(result)
    pages = {
        "exchange_profile": community.community_profile(tr, outcome),
        "price_profile": analytics.price_profile(tr, outcome),
    }
    for name, page in pages.items():
        series = result.plot(name).option["series"]
        assert [part["data"] for part in page.option["series"]] == [part["data"] for part in series]
