"""Analytics: drawings agree with independent sums; pages are written, grouped and escaped."""

import json
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import prosumax
from prosumax.errors import InputError
from prosumax.report.page import write_charts, write_comparison, write_report, write_study
from prosumax.simulation.results.result import Result
from prosumax.simulation.results.series import SummarySeries
from prosumax.studies import engine
from prosumax.studies.engine import StudyResult
from prosumax.viz.catalog import (
    activity_map,
    day_curve,
    price_distribution,
    trade_network,
    volume_distribution,
)
from prosumax.viz.chart import Figure
from prosumax.viz.indicators.day_curves import dashboard
from prosumax.viz.indicators.indicators import (
    DASHBOARDS,
    INDICATORS,
    analysis_runs,
    hourly_values,
    overall_value,
    study_runs,
)
from prosumax.viz.market.distributions import density
from prosumax.viz.network.map_data import traded_at_buses
from prosumax.viz.network.series import network_series
from tests.report.communities import amount, home

ENERGY = [0.2] * 12 + [0.3] * 12


def simulate(
    mechanism: str = "midpoint", network: dict[str, Any] | None = None, name: str = "Big roof"
) -> Result:
    """Two days of a street, its price higher in the afternoon."""

    return prosumax.run(
        {
            "name": "little-street",
            "period": {
                "start": "2023-06-01T00:00",
                "steps": 48,
                "step_minutes": 60,
                "time_zone": None,
            },
            "policy": "self-consumption",
            "market": {"mechanism": mechanism},
            "tariff": {
                "energy": {"source": "values", "values": ENERGY},
                "network": 0.1,
                "feed_in": 0.04,
                "vat": 0.06,
            },
            "homes": [
                home(name, 0.4, 2.0),
                home("Small roof", 1.0, 0.5),
                home("Plain", 1.5),
                home("Other", 0.7),
            ],
            "network": network or {},
        }
    )


@pytest.fixture(scope="module")
def wired() -> Result:
    """With a power flow and fees."""
    return simulate(network={"kind": "line", "flow": "ac", "operator": {"fees": True}})


@pytest.fixture(scope="module")
def pooled() -> Result:
    """A pool has no pairs."""
    return simulate("mid_market_rate")


def series(chart: Figure) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = chart.option["baseOption"]["series"]
    return found


@pytest.mark.parametrize("which", ["wired", "pooled"])
def test_summary_series_add_up_to_the_kpis(which: str, request: pytest.FixtureRequest) -> None:
    result = request.getfixturevalue(which)
    trace, kpis = result.summary_series, result.kpis
    # Single precision leaves about 1e-7 relative per step.
    assert trace.gains.sum() == pytest.approx(kpis["welfare"], rel=1e-5)
    assert trace.traded.sum() == pytest.approx(kpis["traded_kwh"], rel=1e-6)
    assert trace.pairs.kwh.sum() == pytest.approx(kpis["traded_kwh"], rel=1e-4)
    assert trace.load.sum() == pytest.approx(kpis["load_kwh"], rel=1e-6)
    bought = sum(home["grid_import_kwh"] for home in result.households)
    assert trace.grid_import.sum() == pytest.approx(bought, rel=1e-5)
    assert np.allclose(trace.balance, trace.grid_export - trace.grid_import, atol=1e-5)
    assert (trace.pairs.buyer != trace.pairs.seller).all()
    bought_by = np.bincount(trace.pairs.buyer, trace.pairs.kwh, len(trace.homes))
    assert bought_by == pytest.approx(
        [home["bought_locally_kwh"] for home in result.households], abs=1e-3
    )


def test_the_network_of_summary_series_is_that_of_the_kpis(wired: Result, pooled: Result) -> None:
    trace, kpis = wired.summary_series, wired.kpis["network"]
    assert trace.loss.sum() / trace.network_input.sum() == pytest.approx(
        kpis["loss_share"], rel=1e-5
    )
    assert trace.fees.sum() == pytest.approx(kpis["fees"], rel=1e-5)
    assert trace.min_voltage_pu.min() == pytest.approx(kpis["min_voltage_pu"], rel=1e-6)
    assert trace.max_loading.max() == pytest.approx(kpis["max_line_loading"], rel=1e-6)
    assert (
        np.isnan(pooled.summary_series.mean_loading).all() and not pooled.summary_series.fees.any()
    )
    # On a line every home is one bus further: distances are those between positions on it.
    feeder = wired.profiles.feeder
    assert feeder is not None
    place = dict(
        zip(
            feeder.branches.to_bus.tolist(),
            np.cumsum(feeder.branches.length_km).tolist(),
            strict=True,
        )
    )
    at = np.array([place[bus] for bus in wired.profiles.home_bus.tolist()])
    assert trace.pairs.distance_km == pytest.approx(
        abs(at[trace.pairs.buyer] - at[trace.pairs.seller]), abs=1e-6
    )


def test_an_indicator_by_hour_is_a_ratio_of_sums(wired: Result) -> None:
    trace = wired.summary_series
    for hour in (3, 12):
        steps = [hour, hour + 24]
        kwh = trace.traded[steps].sum()
        other = trace.grid_import[steps].sum() + trace.grid_export[steps].sum()
        assert hourly_values([trace], INDICATORS["p2p_ratio"])[hour] == pytest.approx(
            100 * kwh / (kwh + other)
        )
    trades = wired.trades
    paid = ((trades.buyer_price + trades.seller_price) / 2 * trades.kwh).sum() / trades.kwh.sum()
    assert overall_value([trace], INDICATORS["price"]) == pytest.approx(paid, rel=1e-4)
    assert np.isnan(
        hourly_values([trace], INDICATORS["price"])[2]
    )  # at night no home has anything to sell
    assert overall_value([trace, trace], INDICATORS["price"]) == overall_value(
        [trace], INDICATORS["price"]
    )


def test_steps_without_a_solution_are_left_out(wired: Result) -> None:
    loading = wired.summary_series.mean_loading.copy()
    loading[:24] = np.nan
    assert overall_value(
        [wired.summary_series._replace(mean_loading=loading)], INDICATORS["loading"]
    ) == pytest.approx(100 * wired.summary_series.mean_loading[24:].mean())


def test_density_agrees_with_scipy() -> None:
    values, at = np.random.default_rng(3).normal(150, 30, 400), np.linspace(20, 280, 50)
    factor = 1.06 * 400**-0.2
    # A thousand bins represent the sample: a value is off by at most a hundredth of the
    # bandwidth, the mean by less.
    assert density(values, at, 0.0) == pytest.approx(
        stats.gaussian_kde(values, factor)(at), abs=2e-5
    )
    fine = np.linspace(0, 2, 2001)
    assert np.trapezoid(density(np.array([1.0]), fine, 0.05), fine) == pytest.approx(1, abs=1e-6)


def test_prices_are_those_of_the_trades(wired: Result) -> None:
    chart = price_distribution.draw(analysis_runs(wired))
    by_step = {
        step: ((rows.buyer_price + rows.seller_price) / 2 * rows.kwh).sum() / rows.kwh.sum()
        for step, rows in wired.trades.groupby("step")
    }
    prices = np.array(list(by_step.values()))
    assert chart.table is not None
    ((_, steps, share, mean, _, _, median, _),) = chart.table.rows
    assert int(steps) == len(prices) and amount(share) == pytest.approx(
        100 * len(prices) / 48, abs=0.05
    )
    assert (amount(mean), amount(median)) == (
        pytest.approx(prices.mean(), abs=1e-4),
        pytest.approx(np.median(prices), abs=1e-4),
    )
    outline = np.array(series(chart)[0]["data"])
    assert outline[1:-1:2, 1].sum() == pytest.approx(100)  # all steps are in some bar
    assert "mean" in chart.summary.lower() and price_distribution.draw(
        analysis_runs(wired), per="MWh"
    ).title.endswith("/MWh)")


def test_volumes_are_not_negative(wired: Result) -> None:
    chart = volume_distribution.draw(
        {"a": [wired.summary_series], "b": [wired.summary_series, wired.summary_series]}
    )
    assert chart.option["baseOption"]["xAxis"]["min"] >= 0 and len(series(chart)) == 2
    assert chart.table is not None and chart.table.rows[0][3:] == chart.table.rows[1][3:]


def test_one_price_alone_is_drawn(pooled: Result) -> None:
    trace = pooled.summary_series
    flat = trace._replace(price=np.where(np.isfinite(trace.price), 0.1, np.nan))
    outline = np.array(series(price_distribution.draw({"flat": [flat]}))[0]["data"])
    assert outline[:, 1].max() == pytest.approx(100)


def test_lines_of_the_trade_network_show_energy_and_distance(wired: Result) -> None:
    chart, pairs = trade_network.draw(analysis_runs(wired)), wired.summary_series.pairs
    together: dict[tuple[int, ...], float] = {}
    km: dict[tuple[int, ...], float] = {}
    for buyer, seller, kwh, away in zip(*(part.tolist() for part in pairs), strict=True):
        ends = tuple(sorted((buyer, seller)))
        together[ends], km[ends] = together.get(ends, 0.0) + kwh, away
    links = {
        tuple(sorted((int(x["source"]), int(x["target"])))): x for x in series(chart)[0]["links"]
    }
    assert links.keys() == together.keys()
    for ends, link in links.items():
        assert link["value"] == pytest.approx(together[ends], abs=1e-3)
    by_energy = sorted(links, key=lambda ends: together[ends])
    widths = [links[ends]["lineStyle"]["width"] for ends in by_energy]
    assert widths == sorted(widths) and widths[0] < widths[-1]
    grays = [
        int(links[ends]["lineStyle"]["color"][1:3], 16)
        for ends in sorted(links, key=lambda ends: km[ends])
    ]
    assert grays == sorted(grays) and grays[0] < grays[-1]
    roles = {
        node["name"]: (node["symbol"], node["symbolRotate"]) for node in series(chart)[0]["data"]
    }
    assert roles["Big roof"] == ("triangle", 0) and roles["Plain"] == ("triangle", 180)


def test_a_thousand_homes_stay_a_light_drawing(pooled: Result) -> None:
    rng, trace = np.random.default_rng(0), pooled.summary_series
    pairs = trace.pairs._replace(
        buyer=rng.integers(0, 500, 5000),
        seller=rng.integers(500, 1000, 5000),
        kwh=rng.random(5000),
        distance_km=np.full(5000, np.nan),
    )
    many = trace._replace(homes=tuple(f"home {i}" for i in range(1000)), pairs=pairs)
    chart = trade_network.draw({"many": [many]})
    drawn = {node["id"] for node in series(chart)[0]["data"]}
    assert len(drawn) <= 60 and {x["source"] for x in series(chart)[0]["links"]} <= drawn
    assert len(json.dumps(chart.option)) < 60_000


def test_the_darkest_bus_is_the_busiest(wired: Result) -> None:
    chart, network = activity_map.draw(wired), network_series(wired)
    assert chart is not None and network is not None
    kwh = traded_at_buses(wired, network)
    assert kwh.sum() == pytest.approx(2 * wired.kpis["traded_kwh"], rel=1e-6)
    shown = {
        part["name"]: part["data"] for part in series(chart) if part["name"].startswith("trade ")
    }
    assert sum(map(len, shown.values())) == len(network.feeder.buses)
    assert len(shown["trade 5"]) >= 1 and network.feeder.buses[int(kwh.argmax())] in chart.summary
    assert activity_map.draw(simulate("none", {"kind": "line", "flow": "ac"})) is None


def test_dashboards_leave_out_undefined_indicators(wired: Result, pooled: Result) -> None:
    with_wires, without = (
        dashboard(analysis_runs(result), "stability") for result in (wired, pooled)
    )
    assert [panel.id for panel in without.panels] == [
        "board-stability-balance",
        "board-stability-imbalance",
    ]
    assert len(with_wires.panels) == 6 == len(with_wires.table.rows)
    assert all(
        measure in INDICATORS for board in DASHBOARDS.values() for measure in board.indicators
    )
    many = day_curve.draw(
        {f"rule {at}": [pooled.summary_series] for at in range(9)}, indicator="p2p_ratio"
    )
    assert len(series(many)) == 7 and "first 7 of 9" in many.note
    for wrong in (
        lambda: dashboard(analysis_runs(wired), "welfare"),
        lambda: day_curve.draw(analysis_runs(wired), indicator="welfare"),
    ):
        with pytest.raises(InputError, match="does not exist"):
            wrong()


def small_study(seeds: list[SummarySeries]) -> StudyResult:
    variants = (
        engine.Variant("one", "x", {}),
        engine.Variant("one", "y", {}),
        engine.Variant("two", "z", {}),
    )
    made = engine.Study(
        variants, lambda settings, seed: None, (engine.StudyMetric("traded_kwh", lambda run: 0.0),)
    )  # type: ignore[arg-type,return-value]
    values = np.random.default_rng(1).normal(10, 1, (3, 1, len(seeds)))
    return StudyResult("made", made, tuple(range(len(seeds))), values, (tuple(seeds),) * 3)


def test_a_study_page_has_its_plots_and_tables(wired: Result, tmp_path: Path) -> None:
    found = small_study([wired.summary_series, wired.summary_series])
    assert {name: list(runs) for name, runs in study_runs(found).items()} == {
        "one": ["x", "y"],
        "two": ["z"],
    }
    write_study(found, tmp_path / "study.html")
    text = (tmp_path / "study.html").read_text()
    for name in (
        "price-distribution",
        "volume-distribution",
        "day-curve-p2p-ratio",
        "day-curve-balance",
    ):
        assert text.count(f'id="chart-{name}"') == 1
    assert (
        text.count('id="chart-trade-network"') == 1
        and "one: y" in text
        and "Traded locally, kWh" in text
    )
    write_study(StudyResult("made", found.study, (0, 1), found.values), tmp_path / "bare.html")


@pytest.mark.parametrize("name", ["</script><b>x</b>", "{b} {c}"])
def test_names_are_escaped_in_analytics(name: str, tmp_path: Path) -> None:
    result = simulate(name=name)
    runs = analysis_runs(result)
    write_charts(
        [trade_network.draw(runs), dashboard(runs, "economy")], tmp_path / "mine.html", name
    )
    text = (tmp_path / "mine.html").read_text()
    assert "<b>x</b>" not in text and name in unescape(text)


def test_reports_collapse_their_analytics(wired: Result, tmp_path: Path) -> None:
    alone = simulate("none")
    write_report(wired, tmp_path / "run.html")
    write_report(alone, tmp_path / "alone.html")
    write_comparison({"none": alone, "midpoint": simulate()}, tmp_path / "compare.html")
    pages = {name: (tmp_path / f"{name}.html").read_text() for name in ("run", "alone", "compare")}
    assert (
        pages["run"].count('<details class="fold')
        == 3
        == pages["compare"].count('<details class="fold')
    )
    assert pages["alone"].count('<details class="fold') == 1  # without trade nothing is said of it
    for text in pages.values():
        drawn = json.loads(text.split('id="drawings">')[1].split("</script>")[0])
        ids = [drawing["id"] for drawing in drawn]
        assert len(set(ids)) == len(ids) and all(
            text.count(f'id="chart-{one}"') == 1 for one in ids
        )
