"""Network in reports: shown where there is one, drawn as recorded, with its warnings."""

import json
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import prosumax
from prosumax.report.comparison import network_table
from prosumax.report.network import network_section
from prosumax.report.page import run_figures, write_comparison, write_report
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Figure, section_figures
from prosumax.viz.network.distances import distance_bins
from prosumax.viz.network.series import home_distances_km, network_series
from tests.report.communities import STREET, TARIFF, amount, base_of_figure, home

ECHARTS = Path(prosumax.__file__).parent / "viz" / "assets" / "echarts-6.1.0.min.js"
FEES: dict[str, Any] = {"fees": True, "intervention": "penalize"}


def scenario(homes: list[dict[str, Any]] | None = None, **network: Any) -> dict[str, Any]:
    """Two days of a street."""
    return {
        "name": "little-street",
        "period": {"start": "2023-06-01T00:00", "steps": 48, "step_minutes": 60},
        "policy": "self-consumption",
        "market": {"mechanism": "midpoint"},
        "tariff": TARIFF,
        "homes": homes or STREET,
        "network": network,
    }


def simulate(
    homes: list[dict[str, Any]] | None = None, mechanism: str = "midpoint", **network: Any
) -> Result:
    """Run it."""
    return prosumax.run(scenario(homes, **network) | {"market": {"mechanism": mechanism}})


@pytest.fixture(scope="session")
def tree() -> Result:
    """A generated network with everything switched on."""
    return simulate(kind="tree", flow="ac", operator=FEES | {"congestion_threshold": 0.01})


@pytest.fixture(scope="session")
def charts(tree: Result) -> dict[str, Figure]:
    """Its charts by name."""
    return {chart.id: chart for chart in network_figures(tree)}


def network_figures(result: Result) -> list[Figure]:
    """Its figures, in the order of the report."""
    return section_figures(result, ("network",))


def series(chart: Figure) -> dict[str, list[Any]]:
    """Data by name."""
    return {part["name"]: part["data"] for part in base_of_figure(chart)["series"]}


class Page(HTMLParser):
    """Ids, script elements and visible text of a page."""

    def __init__(self, result: Result, folder: Path) -> None:
        super().__init__(convert_charrefs=True)
        write_report(result, folder / "report.html")
        self.source = (folder / "report.html").read_text(encoding="utf-8")
        self.text, self.tags, self.ids = "", list[str](), list[str]()
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element."""
        self.tags.append(tag)
        self.ids += [value for key, value in attrs if key == "id" and value]

    def handle_data(self, text: str) -> None:
        """Note the text outside scripts and styles."""
        self.text += "" if self.tags and self.tags[-1] in {"script", "style"} else text

    @property
    def bytes_of_its_own(self) -> int:
        """Without the library."""
        return len(self.source.encode()) - ECHARTS.stat().st_size


# --- There or not ---


def test_without_a_network_there_is_no_section(tmp_path: Path) -> None:
    result = simulate()
    page = Page(result, tmp_path)
    assert result.kpis["network"] is None
    assert network_section(result) is None and network_figures(result) == []
    assert "title-network" not in page.ids and "The network" not in page.text
    about = [name for name in page.ids if "feeder" in name or "operator" in name]
    assert all(
        "board-operator" in name for name in about
    )  # the dashboard of the grid side: what is bought and sent


def test_with_a_network_every_chart_is_there_once(
    tree: Result, charts: dict[str, Figure], tmp_path: Path
) -> None:
    page = Page(tree, tmp_path)
    assert list(charts) == [
        "feeder",
        "feeder-day",
        "feeder-voltage",
        "feeder-distance",
        "feeder-fees",
    ]
    assert [chart.id for chart in run_figures(tree)][-5:] == list(charts)
    assert len(page.ids) == len(set(page.ids))
    assert {"title-network", "title-operator", *(f"chart-{name}" for name in charts)} <= set(
        page.ids
    )
    for chart in charts.values():
        assert (
            chart.summary.endswith(".") and chart.summary in page.text and chart.table is not None
        )
        json.dumps([chart.option, [choice.patch for choice in chart.choices]], allow_nan=False)
    assert "Tree of 5 buses: 4 lines." in page.text


@pytest.mark.parametrize(
    "name",
    ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "{{ 7*7 }} {b|c}"],
)
def test_names_stay_text(name: str, tmp_path: Path) -> None:
    result = simulate(
        [home(name, 0.4, 2.0), home("'\"&<!--", 1.0)], kind="line", flow="ac", operator=FEES
    )
    page = Page(result, tmp_path)
    assert page.tags.count("script") == 3 and "img" not in page.tags
    labels = [point["name"] for point in series(run_figures(result)[-5])["homes"]]
    assert name in labels and page.text.count(name) > 3


@pytest.mark.slow
def test_a_network_of_three_hundred_buses_is_a_light_page(tmp_path: Path) -> None:
    pytest.importorskip("pandapower")
    result = simulate(kind="kerber_vorstadtnetz_kabel_1", flow="ac", background_load_share=1)
    assert len(result.profiles.feeder.buses) == 294  # type: ignore[union-attr]
    assert Page(result, tmp_path).bytes_of_its_own < 3_000_000


# --- What is drawn is what was recorded ---


def test_the_map_has_every_line_and_bus_in_every_choice(
    tree: Result, charts: dict[str, Figure]
) -> None:
    chart, feeder = charts["feeder"], tree.profiles.feeder
    assert feeder is not None
    parts = base_of_figure(chart)["series"]
    lines = [i for i, part in enumerate(parts) if part["type"] == "lines"]
    source = [part["name"] for part in parts].index("source")
    homes = source + 1
    buses = [*range(len(lines) + 1, source), *range(homes + 1, len(parts))]
    assert len(chart.choices) == 4
    for choice in chart.choices:
        changed = choice.patch["series"]
        assert sum(len(changed[i]["data"]) for i in lines) == len(feeder.branches.name)
        assert sum(len(changed[i]["data"]) for i in buses) == len(feeder.buses)
    for i in (*lines, *buses):
        assert chart.choices[0].patch["series"][i]["data"] == parts[i]["data"]
    assert sorted(point["name"] for point in parts[homes]["data"]) == sorted(
        home["name"] for home in STREET
    )
    for variant in chart.option["media"]:
        assert len(variant["option"]["series"]) == len(parts)


def test_lines_are_in_the_class_of_their_loading() -> None:
    result = simulate(kind="line", flow="path", capacity_kw=4)
    grid: Any = result.trajectory.record.grid
    drawn = series(network_figures(result)[0])
    over = int((grid.loading.max(0) > 1).sum())
    assert len(drawn["over 100 %"]) == over > 0
    assert len(drawn["up to 10 % loaded"]) == int((grid.loading.max(0) <= 0.1).sum())
    assert "loading-5" in dict(network_figures(result)[0].legend)


def test_the_map_names_the_highest_loading_and_the_lowest_voltage(
    tree: Result, charts: dict[str, Figure]
) -> None:
    grid: Any = tree.trajectory.record.grid
    step, branch = np.unravel_index(grid.loading.argmax(), grid.loading.shape)
    local = tree.profiles.local_index[step]
    said = charts["feeder"].summary.replace("\u00a0", " ")
    assert tree.profiles.feeder is not None and tree.profiles.feeder.branches.name[branch] in said
    assert (
        f"{100 * grid.loading.max():.1f} %" in said
        and f"{local.day} June 2023 at {local:%H:%M}" in said
    )
    assert f"{100 * grid.voltage_pu.min():.1f} % of nominal" in said
    table = charts["feeder"].table
    assert table is not None
    assert max(amount(row[2]) for row in table.rows) == pytest.approx(
        100 * grid.loading.max(), abs=0.05
    )


def test_homes_on_one_bus_share_a_label() -> None:
    names = [home["name"] for home in STREET]
    result = simulate(
        kind="line",
        flow="ac",
        num_buses=3,
        placement=dict(zip(names, ["bus 1", *["bus 2"] * 3], strict=True)),
    )
    labels = [point["name"] for point in series(network_figures(result)[0])["homes"]]
    assert labels == ["Big roof", "Small roof, Plain, Other"]


def test_the_day_is_that_of_the_most_loaded_line(tree: Result, charts: dict[str, Figure]) -> None:
    grid: Any = tree.trajectory.record.grid
    fullest = 100 * grid.loading.max(1)
    hour = np.asarray(tree.profiles.local_index.hour)
    drawn = series(charts["feeder-day"])
    assert drawn["most loaded line, mean"] == pytest.approx(
        [fullest[hour == h].mean() for h in range(24)], abs=1e-3
    )
    assert drawn["most loaded line, highest"] == pytest.approx(
        [fullest[hour == h].max() for h in range(24)], abs=1e-3
    )
    assert "markLine" not in base_of_figure(charts["feeder-day"])["series"][0]  # nowhere near 100 %


def test_a_line_at_100_percent_where_it_comes_near() -> None:
    charts = {
        chart.id: chart
        for chart in network_figures(simulate(kind="line", flow="path", capacity_kw=4))
    }
    assert base_of_figure(charts["feeder-day"])["series"][0]["markLine"]["data"][0]["yAxis"] == 100


def test_voltages_are_ordered_and_the_band_is_drawn(
    tree: Result, charts: dict[str, Figure]
) -> None:
    chart, grid = charts["feeder-voltage"], tree.trajectory.record.grid
    drawn = series(chart)
    low, middle, high = (np.array(drawn[name]) for name in ("lowest", "median", "highest"))
    assert (low <= middle).all() and (middle <= high).all()
    assert grid is not None and low.min() == pytest.approx(100 * grid.voltage_pu.min(), abs=1e-3)
    band = chart.choices[0].patch["yAxis"]
    assert band["min"] <= 90 and band["max"] >= 110
    close = chart.choices[1].patch["yAxis"]
    assert band["min"] < close["min"] <= low.min() and high.max() <= close["max"] < band["max"]


def test_flow_path_has_no_voltages(tmp_path: Path) -> None:
    result = simulate(kind="tree", flow="path")
    assert [chart.id for chart in network_figures(result)] == [
        "feeder",
        "feeder-day",
        "feeder-distance",
    ]
    page = Page(result, tmp_path)
    assert "Lowest voltage" not in page.text and "of nominal" not in page.text
    shown = [choice.name for choice in network_figures(result)[0].choices]
    assert len(shown) == 3 and not [name for name in shown if "volt" in name.lower()]


def test_distances_add_up_along_the_line() -> None:
    result = simulate(kind="line", flow="ac")
    wired = network_series(result)
    assert wired is not None
    km = wired.feeder.branches.length_km
    away = home_distances_km(wired)
    assert away[:, -1] == pytest.approx(
        np.cumsum(km)
    )  # homes one after the other, the source first
    assert away[0, 3] == pytest.approx(km[1:4].sum()) and away[2, 2] == 0
    (chart,) = [chart for chart in network_figures(result) if chart.id == "feeder-distance"]
    assert sum(series(chart)["traded"]) == pytest.approx(result.kpis["traded_kwh"], rel=1e-3)


def test_a_pool_has_no_distances(tmp_path: Path) -> None:
    result = simulate(mechanism="mid_market_rate", kind="line", flow="ac")
    assert "feeder-distance" not in {chart.id for chart in network_figures(result)}
    assert "a pool, which has no pairs" in Page(result, tmp_path).text


@pytest.mark.parametrize("longest", [0.0, 0.7, 8, 41, 170, 613, 1999])
def test_bins_are_few_and_round(longest: float) -> None:
    edges = distance_bins(longest)
    assert 2 <= len(edges) <= 9 and edges[0] == 0 and edges[-1] >= longest
    assert np.allclose(np.diff(edges), edges[1])


# --- The operator ---


def test_fees_and_income_add_up(tree: Result, charts: dict[str, Figure], tmp_path: Path) -> None:
    table, section = charts["feeder-fees"].table, network_section(tree)
    assert table is not None and section is not None
    assert sum(amount(row[1]) for row in table.rows) == pytest.approx(
        tree.kpis["network"]["fees"], abs=0.03
    )
    income = section.income
    assert sum(amount(row[1]) for row in income.rows) == pytest.approx(
        amount(income.foot[1]), abs=0.02
    )
    assert amount(income.foot[1]) == pytest.approx(tree.kpis["network_operator_revenue"], abs=0.005)
    text = Page(tree, tmp_path).text.replace("\u00a0", " ")
    assert "Setting: penalize." in text and "over 1 % loading" in text
    assert f"in {tree.kpis['network']['interventions']:.0f} of 48 steps" in text


def test_cut_exports_are_drawn_home_by_home(tmp_path: Path) -> None:
    rules = {"intervention": "curtail", "curtail_by": "price", "congestion_threshold": 0.005}
    result = simulate(kind="line", flow="ac", operator=rules)
    (chart,) = [chart for chart in network_figures(result) if chart.id == "curtailment"]
    assert sum(series(chart)["curtailed"]) == pytest.approx(
        result.kpis["network"]["curtailed_kwh"], abs=0.01
    )
    exported = sum(home["grid_export_kwh"] + home["sold_locally_kwh"] for home in result.households)
    assert sum(series(chart)["exported"]) == pytest.approx(exported, abs=0.01)
    text = Page(result, tmp_path).text.replace("\u00a0", " ")
    assert "Setting: curtail." in text and "over 0.5 %, most expensive offers first" in text


# --- Trouble ---


def test_overloads_are_in_the_answer(tmp_path: Path) -> None:
    result = simulate(kind="line", flow="path", capacity_kw=4)
    answer = Page(result, tmp_path).text.split("Saved by exchange")[0]
    assert f"its rating in {result.kpis['network']['overload_hours']:.0f} hours of 48" in answer


@pytest.mark.filterwarnings("ignore::RuntimeWarning:prosumax")
@pytest.mark.parametrize("load", [4000.0, 100_000.0])
def test_steps_without_a_solution_are_flagged(load: float, tmp_path: Path) -> None:
    result = simulate(
        [home("Factory", load), home("Plain", 1.0)], kind="line", flow="ac", num_buses=12
    )
    failed = int(result.kpis["network"]["not_converged_steps"])
    assert (failed == 48) if load > 50_000 else (0 < failed < 48)
    page = Page(result, tmp_path)
    assert (
        page.text.count("The network cannot carry the load in") == 2
    )  # in the answer and in its section
    assert ("any step" if failed == 48 else f"{failed} of 48 steps") in page.text
    drawn = page.source.split('<script type="application/json" id="drawings">')[1].split(
        "</script>"
    )[0]
    assert "NaN" not in drawn and "Infinity" not in drawn
    assert (chart_ids(result) == []) == (failed == 48)
    assert not {"nan", "inf"} & set(unescape(page.text).replace("\u00a0", " ").split())


def chart_ids(result: Result) -> list[str]:
    """Of the network."""
    return [chart.id for chart in network_figures(result)]


# --- The comparison ---


def test_the_comparison_has_the_network_of_each_mechanism(tmp_path: Path) -> None:
    rules = ["none", "mid_market_rate", "midpoint"]
    given = scenario(kind="line", flow="path", capacity_kw=4, operator=FEES)
    results = prosumax.compare(given, rules)
    table = network_table(results)
    assert table is not None
    names = [name for row in table.rows for name in row[0].split(" = ")]
    assert sorted(names) == sorted(["none (no exchange)", "mid_market_rate", "midpoint"])
    fees = [head.startswith("network fees") for head in table.head].index(True)
    (row,) = [row for row in table.rows if row[0] == "midpoint"]
    assert amount(row[fees]) == pytest.approx(
        results["midpoint"].kpis["network"]["fees"], abs=0.005
    )
    assert "lowest voltage" not in table.head
    write_comparison(results, tmp_path / "comparison.html")
    assert 'id="title-network"' in (tmp_path / "comparison.html").read_text(encoding="utf-8")


def test_the_comparison_says_that_the_network_is_the_same(tmp_path: Path) -> None:
    results = prosumax.compare(scenario(kind="line", flow="ac"), ["none", "midpoint"])
    table = network_table(results)
    assert table is not None and len(table.rows) == 1
    write_comparison(results, tmp_path / "comparison.html")
    assert "The network is the same under every mechanism" in (
        tmp_path / "comparison.html"
    ).read_text(encoding="utf-8")


def test_a_comparison_without_a_network_has_no_such_section(tmp_path: Path) -> None:
    results = prosumax.compare(scenario(), ["none", "midpoint"])
    assert network_table(results) is None
    write_comparison(results, tmp_path / "comparison.html")
    assert "title-network" not in (tmp_path / "comparison.html").read_text(encoding="utf-8")
