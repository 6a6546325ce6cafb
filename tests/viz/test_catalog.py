"""Every chart of the catalog has data, a drawing, a sentence and a table."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from prosumax import Result, viz
from prosumax.errors import InputError
from prosumax.report import write_report
from prosumax.viz.chart import Chart, Figure, Table, charts, register
from prosumax.viz.language import Language
from prosumax.viz.parts import value_axis
from prosumax.viz.primitives import line_chart
from prosumax.viz.theme import Theme

RUN_CHARTS = [chart.name for chart in viz.CHARTS if chart.source in ("result", "runs")]
COMPARISON_CHARTS = [chart.name for chart in viz.CHARTS if chart.source == "comparison"]
WITHOUT_DATA = {"level_flows", "level_prices", "level_emissions", "curtailment"}
"""Charts for which the street has nothing to draw: it has no posted prices and no curtailment."""


def _source(chart: Chart, result: Result, comparison: dict[str, Result]) -> Any:
    match chart.source:
        case "runs":
            return viz.analysis_runs(result)
        case "comparison":
            return viz.group_mechanisms(comparison)
        case _:
            return result


@pytest.mark.parametrize("name", RUN_CHARTS + COMPARISON_CHARTS)
def test_a_chart_has_a_tidy_table_a_sentence_and_numbers(
    name: str, result: Result, comparison: dict[str, Result]
) -> None:
    chart = charts.get(name, "chart")
    source = _source(chart, result, comparison)
    table = chart.data(source)
    assert isinstance(table, pd.DataFrame) and table.columns.is_unique
    figure = chart.draw(source)
    if name in WITHOUT_DATA:
        assert table.empty and figure is None
        return
    assert figure is not None and figure.title
    assert figure.summary == chart.sentence(table, viz.ENGLISH) and figure.summary.endswith(".")
    tables = [figure.table, *(choice.table for choice in figure.choices)]
    filled = [table for table in tables if table is not None]
    assert filled and all(len(row) == len(table.head) for table in filled for row in table.rows)
    assert "function" not in json.dumps(figure.option, allow_nan=False)


def test_data_can_be_stored_and_drawn_later(result: Result) -> None:
    table = viz.mean_day.data(result)
    again = pd.concat([table])
    again.attrs = json.loads(json.dumps(table.attrs))
    drawn = viz.mean_day.from_data(again)
    first = viz.mean_day.draw(result)
    assert first is not None and drawn.option == first.option


def test_bills_are_those_of_the_households(result: Result) -> None:
    table = viz.bills.data(result)
    bills = dict(zip(table["home"], table["bill"], strict=True))
    assert bills == {home["name"]: home["bill"] for home in result.households}
    assert table["bill_without_exchange"].is_monotonic_decreasing


def test_options_of_charts_are_checked(result: Result) -> None:
    with pytest.raises(InputError, match="'spring' is not in the period"):
        viz.mean_day.draw(result, season="spring")
    with pytest.raises(InputError, match="there is no chart 'bils' of a run. Did you mean 'bills'"):
        result.plot("bils")
    with pytest.raises(AttributeError, match="no chart 'bils'"):
        result.plot.bils()
    with pytest.raises(InputError, match=r"plot.level_flows: the run 'little-street' has nothing"):
        result.plot.level_flows()


def test_charts_of_a_run_are_methods_of_its_plots(result: Result) -> None:
    assert set(RUN_CHARTS) <= set(dir(result.plot))
    assert "season" in (result.plot.mean_day.__doc__ or "")
    figure = result.plot.day_curve(indicator="price", language="nl")
    assert figure.id == "day-curve-price" and figure.language.code == "nl"


def _evening_data(result: Result) -> pd.DataFrame:
    load = result.trajectory.record.flows.load_kwh.sum(1)
    return pd.DataFrame({"step": range(len(load)), "kwh": load})


def _evening_sentence(table: pd.DataFrame, language: Language) -> str:
    return f"The homes use {language.energy(float(table['kwh'].sum()))}."


def _evening_figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    points = table[["step", "kwh"]].to_numpy().tolist()
    series = [{"type": "line", "name": "load", "data": points, "lineStyle": {"width": 2}}]
    axis = value_axis(theme)
    return Figure(
        id="evening",
        title="A chart of your own",
        summary=_evening_sentence(table, language),
        option=line_chart(series, x=axis, y=value_axis(theme, "kWh"), theme=theme),
        unit="kWh",
        table=Table("Load", ["Step", "kWh"], [["0", "1"]]),
    )


def test_a_registered_chart_is_in_the_report_and_in_plot(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charts, "_entries", dict(charts._entries))
    evening = Chart(
        "evening",
        "A chart of your own",
        _evening_data,
        _evening_sentence,
        _evening_figure,
        section="energy",
    )
    register(evening)
    write_report(result, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count('id="chart-evening"') == 1 and "A chart of your own" in page
    assert result.plot.evening().id == "evening"
    with pytest.raises(ValueError, match="already registered"):
        register(evening)
