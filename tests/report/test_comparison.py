"""Comparison of mechanisms: losers are named first and equal mechanisms share a row."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import prosumax
from prosumax.market.mechanism import mechanisms
from prosumax.report.comparison import heat_table, overview, verdict
from prosumax.report.page import comparison_figures, write_comparison
from prosumax.report.payments import payments_table
from prosumax.simulation.results.result import Result
from prosumax.viz.catalog import payments
from prosumax.viz.chart import Figure
from prosumax.viz.mechanisms.fairness import spread
from prosumax.viz.mechanisms.groups import MechanismGroup, group_mechanisms, scale_reach
from tests.report.communities import STREET, TARIFF, amount, base_of_figure, home

pytestmark = pytest.mark.slow

MECHANISMS = [
    "none",
    "mid_market_rate",
    "supply_demand_ratio",
    "key_static",
    "key_equal",
    "key_pro_rata",
    "key_cascade",
    "net_metering",
    "bill_sharing",
    "share_equal",
    "share_shapley",
    "italy_virtual",
    "midpoint",
    "pay_as_ask",
    "pay_as_bid_price",
    "mcafee",
    "vcg",
    "brussels_proportional",
    "flanders_relative",
    "france_default",
]


def compare(rules: list[str], homes: list[dict[str, Any]] | None = None) -> dict[str, Result]:
    """Some days of a street."""
    scenario = {
        "name": "little-street",
        "period": {"start": "2023-06-01T00:00", "steps": 96, "step_minutes": 60},
        "policy": "self-consumption",
        "tariff": TARIFF,
        "homes": homes or STREET,
    }
    return prosumax.compare(scenario, rules)


@pytest.fixture(scope="session")
def some_mechanisms() -> dict[str, Result]:
    """A rule of every kind."""
    return compare(MECHANISMS)


@pytest.fixture(scope="session")
def groups(some_mechanisms: dict[str, Result]) -> list[MechanismGroup]:
    """Those with the same outcome together."""
    return group_mechanisms(some_mechanisms)


@pytest.fixture(scope="session")
def charts(groups: list[MechanismGroup]) -> dict[str, Figure]:
    """By name."""
    return {chart.id: chart for chart in comparison_figures(groups)}


def series(chart: Figure) -> list[dict[str, Any]]:
    """Of the option, whether or not it has a variant for phones."""
    found: list[dict[str, Any]] = base_of_figure(chart)["series"]
    return found


def plain(text: str) -> str:
    """With ordinary spaces."""
    return text.replace("\u00a0", " ")


# --- Groups ---


def test_mechanisms_with_the_same_outcome_share_a_row(
    some_mechanisms: dict[str, Result], groups: list[MechanismGroup]
) -> None:
    assert sorted(name for group in groups for name in group.names) == sorted(some_mechanisms)
    (pro_rata,) = [group for group in groups if "key_pro_rata" in group.names]
    assert {
        "mid_market_rate",
        "brussels_proportional",
        "flanders_relative",
        "france_default",
    } <= set(pro_rata.names)
    assert pro_rata.label.startswith("mid_market_rate = key_pro_rata = ")
    assert pro_rata.axis_label.count("\n") == 2 and pro_rata.axis_label.endswith(" more")
    for group in groups:
        for name in group.names:
            bills = [home["bill"] for home in some_mechanisms[name].households]
            assert bills == pytest.approx(
                [home["bill"] for home in group.result.households], abs=0.005
            )


def test_rows_go_from_the_highest_saving_to_the_lowest(groups: list[MechanismGroup]) -> None:
    ranks = [(round(group.total_saving, 2), round(group.lowest_saving, 2)) for group in groups]
    assert ranks == sorted(ranks, reverse=True)


@pytest.mark.parametrize(
    ("reach", "expected"),
    [
        ([5.0], 5),
        ([0.0, 9.0], 9),
        ([900.0, 60, 55, 0], 60),
        ([100.0, 60, 55, 0], 100),
        ([9000.0, 900, 60, 55, 50, 50, 50, 50], 60),
        ([900.0, 60, 0], 900),
        ([0.0, 0, 0, 0], 0),
        ([4.0, 0, 0, 0], 4),
    ],
)
def test_a_scale_leaves_out_only_few_that_are_far_away(reach: list[float], expected: float) -> None:
    assert scale_reach(reach) == expected


@pytest.mark.parametrize("height", [400.0, 40.0])
def test_labels_are_spread_in_order_and_on_the_paper(height: float) -> None:
    wanted = [0.0, 5, 5, 5, 30, 31, 200, 390, 399]
    places = spread([min(place, height) for place in wanted], 17, height)
    gap = min(17, height / 8)
    assert places == sorted(places)
    assert min(np.diff(places)) >= gap - 1e-9
    assert places[0] >= -1e-9 and places[-1] <= height + 1e-9
    assert spread([100.0, 200.0], 17, 400) == [100.0, 200.0]


# --- Tables and sentences ---


def test_the_table_has_the_key_figures(groups: list[MechanismGroup]) -> None:
    table = overview(groups)
    assert sum(span for _, span in table.groups) == len(table.head)
    for row, group in zip(table.rows, groups, strict=True):
        kpis = group.result.kpis
        assert row[0] == group.label
        shown = [amount(text) for text in row[1:4]]
        assert shown == pytest.approx(
            [kpis[name] for name in ("cost", "saving", "lowest_saving")], abs=0.005
        )
        assert row[4].removeprefix("▲ ") == f"{kpis['losing_homes']:.0f} of 4"
        if kpis["gini"] is None:
            assert row[5] == "–"
        else:
            assert amount(row[5]) == pytest.approx(kpis["gini"], abs=0.005)
        balance = kpis["mechanism_revenue"]
        if abs(balance) < 0.005:
            assert row[7] == "–"
        else:
            assert row[7].startswith("keeps" if balance > 0 else "adds")


def test_the_heat_map_has_every_bill(groups: list[MechanismGroup]) -> None:
    for (name, cells), group in zip(heat_table(groups).rows, groups, strict=True):
        assert name == group.label
        assert [amount(cell.text) for cell in cells] == pytest.approx(
            [home["bill"] for home in group.result.households], abs=0.005
        )
        assert all(0 <= cell.shade <= 1 for cell in cells)
        assert sum(cell.loses for cell in cells) == len(group.losers)


def test_losers_are_named_before_anything_else(groups: list[MechanismGroup]) -> None:
    losing = [group for group in groups if group.losers]
    assert losing, "this street is made so that sharing one bill harms the big roof"
    said = plain(verdict(groups))
    count = sum(len(group.names) for group in losing)
    assert said.startswith(
        f"Under {count} of {len(MECHANISMS)} mechanisms a home is worse off than without exchange: "
    )
    assert "bill_sharing (Big roof by " in said
    assert said.index("bill_sharing") < said.index("lowest cost")


def test_money_from_outside_is_named(groups: list[MechanismGroup]) -> None:
    said = verdict(groups)
    assert groups[0].outside_money >= 0.005
    assert f"under {groups[0].names[0]}: " in said
    assert "of it an external subsidy. Without external subsidy it is" in said


def test_a_comparison_without_losers_says_so() -> None:
    said = verdict(group_mechanisms(compare(["none", "mid_market_rate"])))
    assert said.startswith(
        "No home is worse off than without exchange under either mechanism. In these 4 simulated"
        " days"
    )
    assert (
        "lowest cost together under mid_market_rate" in said and "under none (no exchange)." in said
    )


# --- Figures ---


def test_every_home_is_a_point_in_the_row_of_its_mechanism(
    groups: list[MechanismGroup], charts: dict[str, Figure]
) -> None:
    chart = charts["savings"]
    axis = chart.option["baseOption"]["xAxis"]
    dots = [dot["value"] for kind in series(chart)[1:3] for dot in kind["data"]]
    beyond = {point["value"][1] for point in series(chart)[3]["data"]}
    for row, group in enumerate(groups):
        shown = sorted(value for value, at in dots if at == row)
        inside = sorted(
            saving for saving in group.savings if axis["min"] <= round(saving, 2) <= axis["max"]
        )
        assert shown == pytest.approx(inside, abs=0.0051)
        assert (row in beyond) == (len(inside) < len(group.savings))
    worse = [
        dot
        for kind in series(chart)[1:3]
        for dot in kind["data"]
        if dot.get("symbol") == "triangle"
    ]
    assert len(worse) == sum(len(group.losers) for group in groups)


def test_no_mechanism_is_above_the_line_of_equal_savings(
    groups: list[MechanismGroup], charts: dict[str, Figure]
) -> None:
    chart = charts["fairness"]
    points = [point["value"] for kind in series(chart)[:3] for point in kind["data"]]
    assert all(least <= total / 4 + 0.01 for total, least in points)
    far = [
        group for group in groups if f"{group.names[0]} (" in chart.note.split("A home loses")[0]
    ]
    assert len(points) + len(far) == len(groups)
    (losing,) = [kind["data"] for kind in series(chart)[:3] if kind["name"] == "a home loses"]
    assert (
        all(point["value"][1] < 0 for point in losing)
        and "A home loses under bill_sharing (" in chart.note
    )


def test_no_name_in_the_scatter_covers_another(charts: dict[str, Figure]) -> None:
    for variant in charts["fairness"].option["media"]:
        names = variant["option"]["series"][-1]["data"]
        places = [(*point["value"], point["label"]["position"]) for point in names]
        assert len(set(places)) == len(names) > 10


def test_lorenz_curves_run_from_nothing_to_all(
    groups: list[MechanismGroup], charts: dict[str, Figure]
) -> None:
    chart = charts["lorenz"]
    assert [entry for entry, _ in chart.legend][1:-1] == [f"curve-{i}" for i in range(5)]
    for curve in series(chart)[:-1]:
        assert curve["data"][0] == [0, 0] and curve["data"][-1] == [100, 100]
    for choice in chart.choices[1:]:
        points = choice.patch["series"][-1]["data"]
        assert np.diff([y for _, y in points], 2).min() >= -0.05  # convex: sorted by saving
        assert choice.summary.startswith("The half of the homes that saves least gets ")
    assert len(chart.choices) == 1 + sum(group.total_saving >= 0.005 for group in groups)


def test_prices_lie_between_both_limits(charts: dict[str, Figure]) -> None:
    boxes = {box["name"].split(":")[0]: box["value"] for box in series(charts["prices"])[0]["data"]}
    low, high = boxes["feed-in price"][0], boxes["reservation price of the buyer"][-1]
    (mid,) = [box for name, box in boxes.items() if name.startswith("mid_market_rate = ")]
    assert mid[0] == mid[-1] == pytest.approx((low + high) / 2, abs=1e-4)
    for name, box in boxes.items():
        assert box == sorted(box)
        assert name == "bill_sharing" or low - 1e-4 <= box[0] <= box[-1] <= high + 1e-4
    assert "No trade under" in charts["prices"].note


def test_the_network_of_each_mechanism_is_its_payments(
    groups: list[MechanismGroup], charts: dict[str, Figure]
) -> None:
    by_name = {group.label: group for group in groups}
    for choice in charts["payment-network"].choices:
        result = by_name[choice.name].result
        money = sum(link["value"] for link in choice.patch["series"][0]["links"])
        assert money == pytest.approx(np.abs(result.payments).sum(), abs=0.01 * 16)
        assert choice.table is not None and amount(choice.table.foot[-1]) == pytest.approx(
            money, abs=0.1
        )


# --- The payments of one run ---


_BALANCED = {"none", "mid_market_rate", "share_equal"}


@pytest.mark.parametrize(
    ("mechanism", "copies"),
    [
        ("none", 1),
        ("mid_market_rate", 1),
        ("share_equal", 1),
        ("net_metering", 1),
        ("vcg", 1),
        ("mcafee", 4),
    ],
)
def test_payments_add_up_to_bills(mechanism: str, copies: int) -> None:
    homes = [home | {"name": f"{home['name']} {copy}"} for copy in range(copies) for home in STREET]
    (result,) = compare([mechanism], homes).values()
    table = payments_table(result)
    assert sum(span for _, span in table.groups) == len(table.head)
    for row in [*table.rows, table.foot]:
        *parts, bill = (0.0 if text == "–" else amount(text) for text in row[1:])
        assert sum(parts) == pytest.approx(bill, abs=0.01 * len(table.head))
    settled = any(abs(home["bill_items"]["settlement"]) >= 0.005 for home in result.households)
    kept = abs(result.kpis["mechanism_revenue"]) >= 0.005 * len(homes)
    if settled or kept:
        assert "operator of the exchange" in table.head
    assert settled == (mechanism in {"share_equal", "net_metering"}) and kept == (
        mechanism not in _BALANCED
    )


def test_arrows_of_the_network_are_the_payments(some_mechanisms: dict[str, Result]) -> None:
    result = some_mechanisms["midpoint"]
    chart = payments.draw(result)
    assert chart is not None
    (graph,) = series(chart)
    names = {node["id"]: node["name"] for node in graph["data"]}
    assert list(names.values()) == [home["name"] for home in result.households]
    paid = dict.fromkeys(names.values(), 0.0)
    for link in graph["links"]:
        assert link["source"] != link["target"] and link["value"] > 0
        paid[names[link["source"]]] += link["value"]
    expected = {home["name"]: home["bill_items"]["bought_locally"] for home in result.households}
    assert paid == pytest.approx(expected, abs=0.05)
    widths = [link["lineStyle"]["width"] for link in graph["links"]]
    assert widths == sorted(widths) and widths[0] > 0


def test_without_trade_there_is_no_network(some_mechanisms: dict[str, Result]) -> None:
    assert payments.draw(some_mechanisms["none"]) is None


# --- The page, and communities at the edge ---


def written(results: dict[str, Result], folder: Path) -> str:
    """The page, after a look at its drawings."""
    for chart in comparison_figures(group_mechanisms(results)):
        text = json.dumps(
            [chart.option, [choice.patch for choice in chart.choices]], allow_nan=False
        )
        assert "function" not in text and chart.summary.endswith(".")
    write_comparison(results, folder / "comparison.html")
    return (folder / "comparison.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_page_with_every_mechanism(tmp_path: Path) -> None:
    assert "Gini" in written(compare(list(mechanisms)), tmp_path)


def test_a_page_with_many_mechanisms(some_mechanisms: dict[str, Result], tmp_path: Path) -> None:
    page = written(some_mechanisms, tmp_path)
    library = Path(prosumax.__file__).parent / "viz" / "assets" / "echarts-6.1.0.min.js"
    assert len(page.encode()) - library.stat().st_size < 1_000_000
    assert f"prosumax compare scenario.yaml --mechanisms {','.join(some_mechanisms)}" in page
    assert page.count('data-of="payment-network"') == 2 * page.split('id="choose-payment-network"')[
        1
    ].split("</select>")[0].count("<option")


EDGES: dict[str, tuple[list[str], list[dict[str, Any]] | None]] = {
    "two rules": (["none", "mid_market_rate"], None),
    "one rule": (["mid_market_rate"], None),
    "two rules that are the same": (["mid_market_rate", "key_pro_rata"], None),
    "one home": (["none", "mid_market_rate", "net_metering"], [home("Alone", 1, 1)]),
    "no trade at all": (
        ["none", "mid_market_rate", "double_auction"],
        [home("A", 1), home("B", 0.5)],
    ),
    "losers only": (["bill_sharing"], None),
    "no Gini anywhere": (["none", "mcafee"], None),
    "homes that use nothing": (
        ["none", "share_shapley", "bill_sharing"],
        [home("A", 0), home("B", 0)],
    ),
    "thirty homes": (
        ["mid_market_rate", "midpoint", "share_proportional"],
        [home(f"A home with a long name {i}", 1 + i / 9, i % 3) for i in range(30)],
    ),
}


@pytest.mark.filterwarnings(
    "ignore::RuntimeWarning:prosumax.metrics"
)  # CityLearn's ratios of a community without load
@pytest.mark.parametrize("edge", EDGES)
def test_edge_cases_are_drawn_and_described(edge: str, tmp_path: Path) -> None:
    page = written(compare(*EDGES[edge]), tmp_path)
    body = page.split("<main>")[1].split("</main>")[0]
    assert not any(word in body for word in (">nan", " nan", "None,", ">None", " inf "))


def test_many_mechanisms_of_one_outcome_share_a_row(tmp_path: Path) -> None:
    (result,) = compare(["mid_market_rate"]).values()
    results = {f"rule-{i}": result for i in range(25)}
    assert len(group_mechanisms(results)) == 1
    assert " under every mechanism" in verdict(group_mechanisms(results))
    written(results, tmp_path)
    with pytest.raises(ValueError, match="no results"):
        write_comparison({}, tmp_path / "empty.html")
