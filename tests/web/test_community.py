"""Numbers of the community page, which equal those of `prosumax run`."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import prosumax
from prosumax.errors import InputError
from prosumax.tariff.components.network import NetworkCharge
from prosumax.web.charts import analytics
from prosumax.web.charts import community as charts
from prosumax.web.jobs.tasks import explore_policies, run_community
from prosumax.web.model.communities import (
    PRESETS,
    build_population,
    category_prices,
    community_scenario,
    from_job_spec,
    needs_training,
    random_homes,
    to_job_spec,
)
from prosumax.web.model.outcome import CommunityOutcome, TrainingSpread, round_to_cents
from prosumax.web.model.state import CommunityPageState, CustomHome
from prosumax.web.model.translations import Translator

LANGUAGES = ("en", "fr", "nl")


def ignore_progress(
    progress: float, stage: str, remaining_s: float | None = None, **details: object
) -> None:
    pass


@pytest.fixture(scope="module")
def outcomes() -> dict[str, CommunityOutcome]:
    """A week of the street under each rule that needs no training."""
    rules = ("none", "equal", "use", "hybrid", "auction")
    return {
        rule: run_community(
            to_job_spec(CommunityPageState(rule=rule, period="week")), ignore_progress
        )
        for rule in rules
    }


def test_shown_bills_equal_those_of_prosumax_compare_to_the_cent(
    outcomes: dict[str, CommunityOutcome],
) -> None:
    names = {"none": "none", "equal": "key_static", "use": "key_pro_rata", "hybrid": "key_hybrid"}
    base = community_scenario(CommunityPageState(rule="use", period="week"))
    for rule, result in prosumax.compare(base, names.values(), optimum=False).items():
        shown = outcomes[next(key for key, name in names.items() if name == rule)]
        # A displayed bill is within one cent of the exact one; their sum is the exact sum, rounded.
        exact = np.array([home["bill"] for home in result.households])
        assert np.abs(np.array(shown.bill_cents) / 100 - exact).max() < 0.01
        assert sum(shown.bill_cents) == round(100 * result.kpis["cost"])
        assert sum(shown.baseline_cents) == round(100 * result.kpis["cost_without_exchange"])
        assert shown.shared_kwh == pytest.approx(result.kpis["traded_kwh"])
        surplus = sum(home["export_kwh"] for home in result.households)
        assert shown.surplus_kwh == pytest.approx(surplus)


def test_cost_figure_is_the_sum_of_the_bill_changes(
    outcomes: dict[str, CommunityOutcome],
) -> None:
    tr = Translator("en")
    for rule, outcome in outcomes.items():
        chart = charts.home_bills(tr, outcome, "week")
        changes = [float(row[3].replace("−", "-").replace("€", "")) for row in chart.table.rows]
        figure = charts.cost_figure(tr, outcome, "week").figure
        assert round(sum(changes), 2) == float(
            figure.replace("−", "-").replace("€", "").replace("+", "")
        )
        if rule == "none":
            assert set(changes) == {0.0}


def test_transfers_add_up_to_the_shared_energy(outcomes: dict[str, CommunityOutcome]) -> None:
    for outcome in outcomes.values():
        transferred_kwh = outcome.days * sum(kw for _, _, _, kw in outcome.transfers_kw)
        # Each transfer is rounded to a tenth of a watt, and transfers below half a watt are left
        # out, in 24 hours and for 8 x 8 pairs.
        assert transferred_kwh == pytest.approx(
            outcome.shared_kwh, abs=outcome.days * 24 * 24 * 0.0005
        )
        assert all(outcome.has_solar[seller] for _, seller, _, _ in outcome.transfers_kw)
        between = np.array(outcome.baseline_import_kw) - outcome.import_kw
        assert between.min() > -1e-3
        assert between.sum() / 4 * outcome.days == pytest.approx(
            outcome.shared_kwh, rel=1e-3, abs=1e-3
        )


def test_auction_price_lies_between_feed_in_and_retail_price(
    outcomes: dict[str, CommunityOutcome],
) -> None:
    prices = [price for price in outcomes["auction"].local_price if price is not None]
    assert prices and all(
        outcomes["auction"].feed_in_price <= price <= outcomes["auction"].retail_price
        for price in prices
    )
    assert {price for price in outcomes["use"].local_price if price is not None} == {0.14}
    retail, charges = category_prices("B")
    assert outcomes["use"].retail_price == pytest.approx(retail) and outcomes[
        "use"
    ].local_grid_fee == pytest.approx(charges)


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=24))
def test_rounded_cents_add_up_and_differ_by_less_than_a_cent(amounts: list[float]) -> None:
    cents = round_to_cents(np.array(amounts))
    assert all(
        abs(cent - 100 * amount) < 1 + 1e-6 for cent, amount in zip(cents, amounts, strict=True)
    )
    assert abs(sum(cents) - 100 * sum(amounts)) <= 0.5 + 1e-6


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_chart_is_available_in_every_language(
    outcomes: dict[str, CommunityOutcome], lang: str
) -> None:
    tr = Translator(lang)
    spread = TrainingSpread(
        (1.0, 2.0), (3.0, 3.0), (0.4, 0.5), (0, 0), 40, (20, 40), ((3.0, 2.0), (2.0, 1.0))
    )
    for outcome in (*outcomes.values(), replace(outcomes["use"], spread=spread)):
        made = [
            charts.home_bills(tr, outcome, "month"),
            charts.community_profile(tr, outcome),
            charts.transfer_matrix(tr, outcome, 12),
            analytics.lorenz_curve(tr, outcome),
            analytics.price_profile(tr, outcome),
            analytics.learning_curve(tr, (20, 40), ((3.0, 2.0), (2.0, 1.0)), 60),
        ]
        for chart in made:
            json.dumps(chart.option)
            assert chart.sentence and chart.table.rows
            assert all(len(row) == len(chart.table.header) for row in chart.table.rows)
        for verdict in (
            charts.cost_figure(tr, outcome, "year"),
            charts.efficiency_figure(tr, outcome),
            charts.fairness_figure(tr, outcome),
        ):
            assert verdict.figure and verdict.sentence and verdict.details
    kept = [analytics.SavedRun(rule, outcome, rule) for rule, outcome in outcomes.items()][:4]
    assert set(analytics.comparison_charts(tr, kept)) == {"cost", "efficiency", "fairness"}
    assert kept[2].name in analytics.comparison_sentence(tr, kept)


def test_job_spec_decodes_to_the_community() -> None:
    homes = (
        CustomHome(1, panels_kwp=3.5, style="q", battery_kwh=4.0),
        CustomHome(2),
        CustomHome(2),
    )
    state = CommunityPageState(
        preset="own", homes=homes, rule="equal", rounds="several", period="day", hour=3.0
    )
    again, file = from_job_spec(json.loads(json.dumps(to_job_spec(state))))
    assert replace(again, hour=3.0) == state and file is None
    # Neither the displayed hour nor a price that the rule does not use changes the result.
    assert to_job_spec(replace(state, hour=5.0)) == to_job_spec(state)
    auction = replace(state, rule="auction")
    assert to_job_spec(replace(auction, price=0.3)) == to_job_spec(auction)


def test_scenario_of_custom_homes() -> None:
    homes = (
        CustomHome(1, 4, "home", 3.5, 4.0, style="habits"),
        CustomHome(2, routine="nights"),
        CustomHome(2, style="ppo"),
    )
    scenario = community_scenario(CommunityPageState(preset="own", homes=homes, category="A"))
    assert [home.name for home in scenario.homes] == ["Bert", "Chloé", "Chloé 2"]
    assert [home.policy for home in scenario.homes] == [
        "citylearn-basic-battery-rbc",
        *["self-consumption"] * 2,
    ]
    assert scenario.homes[0].solar is not None and scenario.homes[0].battery is not None
    assert scenario.tariff.component(NetworkCharge).local_share == 0.0
    # Without a battery there is nothing to learn.
    assert not needs_training(CommunityPageState(preset="own", homes=homes))
    able = CommunityPageState(
        preset="own", homes=(*homes, CustomHome(5, battery_kwh=5, style="ppo", goal="community"))
    )
    assert needs_training(able)
    assert build_population(able) == (
        [{"homes": ["Fatou"], "policy": "ppo"}],
        {"Fatou": {"community_cost": 1.0}},
    )


def test_random_homes_depend_on_the_seed_only() -> None:
    assert random_homes(8, 7) == random_homes(8, 7) != random_homes(8, 8)
    homes = random_homes(24, 3)
    assert len({home.name for home in homes}) == 24 and any(home.panels_kwp for home in homes)


def test_community_without_panels_has_nothing_to_share() -> None:
    homes = (CustomHome(0), CustomHome(1))
    outcome = run_community(
        to_job_spec(CommunityPageState(preset="own", homes=homes, period="day")), ignore_progress
    )
    verdict = charts.efficiency_figure(Translator("en"), outcome)
    assert verdict.figure == "–" and "no home has panels" in verdict.sentence
    with pytest.raises(InputError, match="two homes"):
        community_scenario(CommunityPageState(preset="own", homes=homes[:1]))


def test_home_with_a_schedule_would_gain_by_self_consumption() -> None:
    homes = (replace(PRESETS["street"][2], style="habits"), PRESETS["street"][1])
    spec = to_job_spec(CommunityPageState(preset="own", homes=homes, period="week", rule="none"))
    found = explore_policies(spec, ignore_progress)
    # 100 % is the community's optimum; a schedule may be worse than an idle battery.
    assert found.get("share", 0.0) <= 1.0
    assert (
        found["homes"] == 1 and found["name"] == "Chloé" and found["policy"] == "self-consumption"
    )
    base = community_scenario(*from_job_spec(spec))
    bills = [
        prosumax.run(base, {"homes.0.policy": policy}, optimum=False).households[0]["bill"]
        for policy in ("citylearn-basic-battery-rbc", "self-consumption")
    ]
    assert found["gain"] == pytest.approx(bills[0] - bills[1])
