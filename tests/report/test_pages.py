"""Report of a run: drawings add up to the KPIs, and no text of a user is executed."""

import json
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import prosumax
from prosumax import tariff
from prosumax.metrics import catalog
from prosumax.report.bill_lines import bill_tables
from prosumax.report.page import run_figures, write_comparison, write_report
from prosumax.report.tables import bill_columns, bill_table, homes_table, receivers_table
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Figure
from tests.report import communities
from tests.report.communities import PV, amount, base_of_figure, home, values

TARIFF = communities.TARIFF | {
    "supplier_fee_per_year": 60,
    "network_fee_per_year": 20,
    "local_network": 0.5,
}


def _first(part: Any, steps: int) -> Any:
    """A profile no longer than the run; anything else as it is."""
    return values(part["values"][:steps]) if isinstance(part, dict) and "values" in part else part


def simulate(homes: list[dict[str, Any]], steps: int = 48, **more: Any) -> Result:
    """Run homes for some hours."""
    steps = more.get("period", {}).get("steps", steps)
    homes = [{key: _first(part, steps) for key, part in home.items()} for home in homes]
    scenario = {
        "name": "little-street",
        "period": {"start": "2023-06-01T00:00", "steps": steps, "step_minutes": 60},
        "policy": "self-consumption",
        "market": {"mechanism": "mid_market_rate"},
        "tariff": TARIFF,
        "homes": homes,
    }
    return prosumax.run(scenario | more)


FOUR = [
    home("Sun", pv=1.0),
    home("Both", 1.5, pv=1.5, battery=6),
    home("Plain", 0.8),
    home("Keeper", battery=3),
]


@pytest.fixture(scope="session")
def year() -> Result:
    """Four homes over a year of hours, with more sun in summer."""
    season = 1 - 0.8 * np.cos(2 * np.pi * np.arange(8760) / 8760)
    pv = values((np.resize(PV, 8760) * season).tolist())
    homes = [home | ({"solar": pv} if "solar" in home else {}) for home in FOUR]
    return simulate(homes, period={"start": "2023-01-01T00:00", "steps": 8760, "step_minutes": 60})


@pytest.fixture(scope="session")
def charts(year: Result) -> dict[str, Figure]:
    """Its charts by name."""
    return {chart.id: chart for chart in run_figures(year)}


def data(chart: Figure) -> dict[str, list[float]]:
    """Series by name, gaps as zero."""
    return {
        series["name"]: [value or 0.0 for value in series["data"]]
        for series in base_of_figure(chart)["series"]
    }


def numbers(node: Any) -> Iterator[float]:
    """Every number in an option."""
    if isinstance(node, dict):
        for value in node.values():
            yield from numbers(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from numbers(value)
    elif isinstance(node, int | float):
        yield float(node)


def written(result: Result, folder: Path) -> str:
    """The report of a result."""
    write_report(result, folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")


class Elements(HTMLParser):
    """Element names, attributes and visible text of a page, as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element."""
        self.elements.append((tag, dict(attrs)))
        self._inside.append(tag)

    def handle_data(self, text: str) -> None:
        """Note the text outside scripts and styles."""
        if not self._inside or self._inside[-1] not in {"script", "style"}:
            self.text += text

    def handle_endtag(self, tag: str) -> None:
        """Leave the element."""
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass


# --- What is drawn adds up ---


def test_sources_add_up_to_the_load(year: Result, charts: dict[str, Figure]) -> None:
    # Series are rounded to a thousandth of a kWh: 12 months or 4 homes of 4 sources stay well
    # below 0.05.
    sources = data(charts["sources"])
    per_home = np.sum(list(sources.values()), axis=0)
    assert per_home == pytest.approx([home["load_kwh"] for home in year.households], abs=0.01)
    months = data(charts["balance"])
    used = sum(sum(months[name]) for name in sources)
    assert used == pytest.approx(year.kpis["load_kwh"], abs=0.05)
    assert sum(months["neighbors"]) == pytest.approx(year.kpis["traded_kwh"], abs=0.05)
    assert -sum(months["given to neighbors"]) == pytest.approx(year.kpis["traded_kwh"], abs=0.05)
    sent = year.kpis["home_export_kwh"] - year.kpis["traded_kwh"]
    assert -sum(months["sent to the grid"]) == pytest.approx(sent, abs=0.05)
    assert len(base_of_figure(charts["balance"])["xAxis"]["data"]) == 12


def test_without_grid_charging_the_grid_covers_what_was_bought(
    year: Result, charts: dict[str, Figure]
) -> None:
    bought = [home["grid_import_kwh"] for home in year.households]
    assert data(charts["sources"])["the grid"] == pytest.approx(bought, abs=0.01)


def test_batteries_charged_from_the_grid_keep_the_sum() -> None:
    result = simulate(FOUR, 200, policy="zero-intelligence")
    sources = data({chart.id: chart for chart in run_figures(result)}["sources"])
    assert min(min(kwh) for kwh in sources.values()) >= 0
    load = [home["load_kwh"] for home in result.households]
    assert np.sum(list(sources.values()), axis=0) == pytest.approx(load, abs=0.01)


def test_power_balances_at_every_point_of_every_choice(charts: dict[str, Figure]) -> None:
    for name in ("day-0", "day-1", "week-sunniest", "week-darkest"):
        chart = charts[name]
        meanings = [meaning for meaning, _ in reversed(chart.legend)]
        assert [choice.name for choice in chart.choices] == [
            "All homes together",
            "Sun",
            "Both",
            "Plain",
            "Keeper",
        ]
        for number, choice in enumerate(chart.choices):
            series = [part["data"] for part in choice.patch["series"]]
            kw = dict(zip(meanings, np.array(series), strict=True))
            shared = (
                kw["local"] if number else 0
            )  # what changes hands cancels out between all homes
            # Six series, each rounded to a watt.
            assert kw["load"] + kw["battery"] == pytest.approx(
                kw["pv"] + kw["grid_import"] + kw["grid_export"] + shared, abs=0.005
            )
            low, high = choice.patch["yAxis"]["min"], choice.patch["yAxis"]["max"]
            assert low <= min(map(min, series)) and max(map(max, series)) <= high
        assert [
            {"data": series["data"]} for series in base_of_figure(chart)["series"]
        ] == chart.choices[0].patch["series"]


def test_seasons_and_weeks_are_those_of_the_calendar(
    year: Result, charts: dict[str, Figure]
) -> None:
    local, load = year.profiles.local_index, year.trajectory.record.flows.load_kwh.sum(1)
    at_18 = load[(local.hour == 18) & np.isin(local.month, [6, 7, 8])].mean()
    assert data(charts["day-0"])["used"][18] == pytest.approx(at_18, abs=1e-3)
    labels = base_of_figure(charts["week-sunniest"])["xAxis"]["data"]
    assert len(labels) == 7 * 24
    assert len(base_of_figure(charts["week-sunniest"])["xAxis"]["axisTick"]["customValues"]) == 7


def test_week_over_a_clock_change_is_cut_at_local_midnights() -> None:
    period = {"start": "2023-03-20T00:00", "steps": 21 * 24, "step_minutes": 60}
    result = simulate(FOUR, period=period)
    for chart in run_figures(result):
        if chart.id.startswith("week"):
            ticks = base_of_figure(chart)["xAxis"]["axisTick"]["customValues"]
            assert len(ticks) == 7 and ticks[0] == 0
            assert not any(":" in base_of_figure(chart)["xAxis"]["data"][tick] for tick in ticks)


def test_duration_curve_runs_from_peak_to_peak(year: Result, charts: dict[str, Figure]) -> None:
    bought, sent = (series["data"] for series in base_of_figure(charts["duration"])["series"])
    assert 200 <= len(bought) <= 400
    assert bought[0][1] == pytest.approx(year.kpis["peak_kw"], abs=1e-3)
    assert sent[-1][1] == pytest.approx(-year.kpis["peak_export_kw"], abs=1e-3)
    together = [a[1] + b[1] for a, b in zip(bought, sent, strict=True)]
    assert together == sorted(together, reverse=True)


def test_bills_in_the_dumbbells_add_up(year: Result, charts: dict[str, Figure]) -> None:
    _, before, after = base_of_figure(charts["bills"])["series"]
    half_cents = 0.005 * len(year.households)
    alone, paid = ([point["value"][0] for point in series["data"]] for series in (before, after))
    assert sum(alone) == pytest.approx(year.kpis["cost_without_exchange"], abs=half_cents)
    assert sum(paid) == pytest.approx(year.kpis["cost"], abs=half_cents)
    assert alone == sorted(alone, reverse=True)


@pytest.mark.parametrize(
    "mechanism", ["mid_market_rate", "share_equal", "net_metering", "vcg", "mcafee"]
)
def test_bill_components_add_up_to_bills_and_receivers(mechanism: str) -> None:
    result = simulate(FOUR, market={"mechanism": mechanism})
    items = {
        *tariff.Bill._fields,
        "capacity_charge",
        "network_ceiling",
        "prosumer_fee",
        "injection_fee",
        "levies_per_year",
        "community_fee",
        "settlement",
    }
    assert set(bill_columns(result)) == items == set(result.households[0]["bill_items"])
    table = bill_table(result)
    cents = 0.005 * len(table.head)  # each figure is rounded to a cent
    for row in [*table.rows, table.foot]:
        *parts, bill = map(amount, row[1:])
        assert sum(parts) == pytest.approx(bill, abs=cents)
    totals, column = dict(zip(table.head, table.foot, strict=False)), 1
    for name, span in table.groups[1:-1]:
        key = {"local exchange": "mechanism"}.get(name, name.replace(" ", "_"))
        received = sum(map(amount, table.foot[column : column + span]))
        assert received == pytest.approx(result.kpis[f"{key}_revenue"], abs=0.02), totals
        column += span
    settled = any(abs(home["bill_items"]["settlement"]) >= 0.005 for home in result.households)
    assert (
        ("settled after the period" in table.head)
        == settled
        == (mechanism in {"share_equal", "net_metering"})
    )
    receivers = receivers_table(result)
    assert sum(amount(row[1]) for row in receivers.rows) == pytest.approx(
        amount(receivers.foot[1]), abs=0.02
    )


def test_bills_line_by_line_add_up(year: Result, tmp_path: Path) -> None:
    tables = bill_tables(year)
    assert [table.caption for table in tables] == [one["name"] for one in year.households]
    for table, household in zip(tables, year.households, strict=True):
        cents = 0.005 * (len(table.rows) + 1)  # each figure is rounded to a cent
        for column in (4, 6):
            total = sum(amount(row[column]) for row in table.rows)
            assert total == pytest.approx(amount(table.foot[column]), abs=cents)
        assert amount(table.foot[6]) == pytest.approx(household["bill"], abs=0.01)
    text = Elements(written(year, tmp_path)).text
    assert "Each bill, line by line" in text and "Subscription" in text


def test_sums_of_the_home_table_are_the_key_figures(year: Result) -> None:
    table = homes_table(year)
    for column, key in ((2, "cost"), (3, "cost_without_exchange"), (4, "saving")):
        assert sum(amount(row[column]) for row in table.rows) == pytest.approx(
            year.kpis[key], abs=0.02
        )
    assert amount(table.foot[6]) == pytest.approx(year.kpis["traded_kwh"], abs=0.5)


# --- The page ---


def test_every_home_and_its_bill_are_on_the_page(year: Result, tmp_path: Path) -> None:
    text = Elements(written(year, tmp_path)).text
    for household in year.households:
        assert household["name"] in text
        assert f"{household['bill']:,.2f}".replace("-", "\u2212") in text
    assert "prosumax run scenario.yaml" in text and "seed 0" in text


def test_the_page_loads_nothing(year: Result, tmp_path: Path) -> None:
    page = Elements(written(year, tmp_path))
    assert not [
        element
        for element in page.elements
        if {"src", "href", "srcset", "action"} & set(element[1])
    ]
    assert not {tag for tag, _ in page.elements} & {
        "link",
        "img",
        "iframe",
        "base",
        "object",
        "embed",
        "form",
    }
    styles = re.findall(r"<style>(.*?)</style>", written(year, tmp_path), re.S)
    assert styles and not any("url(" in style or "@import" in style for style in styles)
    (policy,) = [
        attrs["content"] for tag, attrs in page.elements if tag == "meta" and "http-equiv" in attrs
    ]
    assert policy is not None and policy.startswith("default-src 'none'") and "http" not in policy
    assert ("html", {"lang": "en"}) in page.elements


def test_ids_are_unique_and_labels_point_somewhere(year: Result, tmp_path: Path) -> None:
    elements = Elements(written(year, tmp_path)).elements
    ids = [attrs["id"] for _, attrs in elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    pointed = [
        a[key] for _, a in elements for key in ("for", "aria-labelledby", "data-chart") if key in a
    ]
    assert {f"chart-{p}" if f"chart-{p}" in ids else p for p in pointed} <= set(ids)


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "{{ 7*7 }} {b|c}",
    ],
)
def test_texts_of_users_are_escaped(name: str, tmp_path: Path) -> None:
    result = simulate(
        [home(name, pv=1.0), home("'\"&<!--")],
        description=name,
        tariff=TARIFF | {"currency": name},
    )
    page = Elements(written(result, tmp_path))
    assert [tag for tag, _ in page.elements].count("script") == 3
    assert "img" not in {tag for tag, _ in page.elements}
    assert name in page.text
    assert not [attrs for _, attrs in page.elements if any(key.startswith("on") for key in attrs)]
    write_comparison({name: result, "none": result}, tmp_path / "comparison.html")
    page = Elements((tmp_path / "comparison.html").read_text(encoding="utf-8"))
    assert [tag for tag, _ in page.elements].count("script") == 3


def test_drawings_are_plain_json_with_finite_numbers(
    year: Result, charts: dict[str, Figure], tmp_path: Path
) -> None:
    for chart in charts.values():
        text = json.dumps(chart.option, allow_nan=False)
        assert "function" not in text
        assert np.isfinite(list(numbers(json.loads(text)))).all()
        assert chart.summary.endswith(".") and chart.title
    page = written(year, tmp_path)
    drawings = json.loads(
        page.split('<script type="application/json" id="drawings">')[1].split("</script>")[0]
    )
    ids = [drawing["id"] for drawing in drawings]  # the folded analytics come behind the charts
    assert ids[: len(charts)] == list(charts) and len(set(ids)) == len(ids) > len(charts)
    assert np.isfinite(list(numbers(drawings))).all()
    assert drawings[0]["option"] == json.loads(json.dumps(run_figures(year)[0].option))


def test_a_report_is_light(year: Result, tmp_path: Path) -> None:
    library = Path(prosumax.__file__).parent / "viz" / "assets" / "echarts-6.1.0.min.js"
    assert len(written(year, tmp_path).encode()) - library.stat().st_size < 1_500_000


# --- Communities at the edge ---


def clock(
    start: str, steps: int, minutes: int, zone: str | None = "Europe/Brussels"
) -> dict[str, Any]:
    """A period."""
    return {"period": {"start": start, "steps": steps, "step_minutes": minutes, "time_zone": zone}}


EDGES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "one step": (FOUR, {"steps": 1}),
    "one minute": (FOUR, clock("2023-06-01T12:34", 1, 1)),
    "one day": (FOUR, {"steps": 24}),
    "three days from noon": (FOUR, clock("2023-06-01T12:00", 72, 60)),
    "seven days": (FOUR, {"steps": 168}),
    "a week of minutes": (FOUR, clock("2023-06-01T00:00", 10_080, 1)),
    "one home": ([home("Alone", pv=1.0)], {}),
    "no sun": ([home("A"), home("B", 0.5)], {"steps": 480}),
    "no load": ([{"name": name, "load": values([0.0])} for name in ("Empty", "Void")], {}),
    "no exchange": (FOUR, {"market": {"mechanism": "none"}}),
    "negative bills": (
        [home("Roof", 0.1, 9), home("Farm", 0.1, 20)],
        {"tariff": TARIFF | {"feed_in": 0.3}},
    ),
    "free power": (FOUR, {"tariff": {"energy": 0.0, "feed_in": 0.0}}),
    "negative price": (FOUR, {"tariff": TARIFF | {"energy": -0.4}}),
    "no time zone": (FOUR, clock("2023-01-01T00:00", 99, 30, None)),
    "hundred homes": (
        [home(f"A home with a long name {i}", 1 + i / 50, i % 3) for i in range(100)],
        {"steps": 800},
    ),
}


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore::RuntimeWarning:prosumax.metrics"
)  # CityLearn's ratios of a community without load
@pytest.mark.parametrize("edge", EDGES)
def test_edge_cases_are_drawn_and_described(edge: str, tmp_path: Path) -> None:
    homes, more = EDGES[edge]
    result = simulate(homes, **more)
    page = written(result, tmp_path)
    text = unescape(Elements(page).text)
    assert not re.search(
        r"\bnan\b|\binf\b|\bNone\b|\u22120\.00\b", text.split("See as table")[0].split("Rule:")[0]
    )
    for chart in run_figures(result):
        json.dumps(chart.option, allow_nan=False)
        assert base_of_figure(chart)["series"]
    library = Path(prosumax.__file__).parent / "viz" / "assets" / "echarts-6.1.0.min.js"
    assert len(page) - library.stat().st_size < 2_000_000


def test_every_kpi_of_the_market_and_of_fairness_is_explained(year: Result, tmp_path: Path) -> None:
    text = Elements(written(year, tmp_path)).text
    for key in ("allocative_efficiency", "gini", "jain", "mean_price", "distance_to_shapley"):
        assert catalog.get(key).label in text
    assert f"{100 * year.kpis['allocative_efficiency']:.1f}" in text


def test_long_profiles_do_not_fill_the_page(tmp_path: Path) -> None:
    result = simulate([{"name": "Long", "load": values([0.25] * 8000)}], 8000)
    page = written(result, tmp_path)
    assert "and 7,952 more in scenario.yaml" in unescape(page)
