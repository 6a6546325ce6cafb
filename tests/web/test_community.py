"""The community page's numbers are those of `prosumax run`, whatever way they take to the screen."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import prosumax
from prosumax.errors import InputError
from prosumax.web.charts import analytics
from prosumax.web.charts import community as charts
from prosumax.web.jobs.tasks import explore, simulate
from prosumax.web.model.communities import (
    PRESETS,
    asked,
    category_prices,
    community_of,
    drawn_homes,
    learners_of,
    needs_training,
    scenario_of,
)
from prosumax.web.model.outcome import Outcome, Spread, whole_cents
from prosumax.web.model.state import Community, OwnHome
from prosumax.web.model.translations import Words

LANGUAGES = ("en", "fr", "nl")


def silent(done: float, stage: str, left_s: float | None = None, **more: object) -> None:
    pass


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """A week of the street under each rule that needs no training."""
    rules = ("none", "equal", "use", "hybrid", "auction")
    return {rule: simulate(asked(Community(rule=rule, period="week")), silent) for rule in rules}


def test_what_is_shown_is_what_prosumax_run_and_compare_say_to_the_cent(
    outcomes: dict[str, Outcome],
) -> None:
    names = {"none": "none", "equal": "key_static", "use": "key_pro_rata", "hybrid": "key_hybrid"}
    base = scenario_of(Community(rule="use", period="week"))
    for rule, result in prosumax.compare(base, names.values(), optimum=False).items():
        shown = outcomes[next(key for key, name in names.items() if name == rule)]
        # A shown bill is a whole cent beside the exact one; the sum is the exact sum, rounded.
        exact = np.array([home["bill"] for home in result.households])
        assert np.abs(np.array(shown.bill_cents) / 100 - exact).max() < 0.01
        assert sum(shown.bill_cents) == round(100 * result.kpis["cost"])
        assert sum(shown.alone_cents) == round(100 * result.kpis["cost_without_exchange"])
        assert shown.shared_kwh == pytest.approx(result.kpis["traded_kwh"])
        surplus = sum(home["export_kwh"] for home in result.households)
        assert shown.surplus_kwh == pytest.approx(surplus)


def test_the_verdict_is_the_sum_of_the_bills_differences(outcomes: dict[str, Outcome]) -> None:
    words = Words("en")
    for rule, outcome in outcomes.items():
        chart = charts.bills(words, outcome, "week")
        changes = [float(row[3].replace("−", "-").replace("€", "")) for row in chart.table.rows]
        figure = charts.cost(words, outcome, "week").figure
        assert round(sum(changes), 2) == float(
            figure.replace("−", "-").replace("€", "").replace("+", "")
        )
        if rule == "none":
            assert set(changes) == {0.0}


def test_who_gives_adds_up_to_what_is_shared(outcomes: dict[str, Outcome]) -> None:
    for outcome in outcomes.values():
        given_kwh = outcome.days * sum(kw for _, _, _, kw in outcome.gives_kw)
        # Each flow is rounded to a tenth of a watt, and less than half a watt is left out: 24 hours, 8 x 8 pairs.
        assert given_kwh == pytest.approx(outcome.shared_kwh, abs=outcome.days * 24 * 24 * 0.0005)
        assert all(outcome.has_sun[giver] for _, giver, _, _ in outcome.gives_kw)
        between = np.array(outcome.buys_alone_kw) - outcome.buys_kw
        assert between.min() > -1e-3
        assert between.sum() / 4 * outcome.days == pytest.approx(
            outcome.shared_kwh, rel=1e-3, abs=1e-3
        )


def test_an_auction_names_its_price_between_the_grids(outcomes: dict[str, Outcome]) -> None:
    prices = [price for price in outcomes["auction"].price if price is not None]
    assert prices and all(
        outcomes["auction"].feed_in <= price <= outcomes["auction"].retail for price in prices
    )
    assert {price for price in outcomes["use"].price if price is not None} == {0.14}
    retail, charges = category_prices("B")
    assert outcomes["use"].retail == pytest.approx(retail) and outcomes[
        "use"
    ].local_charges == pytest.approx(charges)


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=24))
def test_whole_cents_add_up_and_stay_beside_the_amounts(amounts: list[float]) -> None:
    cents = whole_cents(np.array(amounts))
    assert all(
        abs(cent - 100 * amount) < 1 + 1e-6 for cent, amount in zip(cents, amounts, strict=True)
    )
    assert abs(sum(cents) - 100 * sum(amounts)) <= 0.5 + 1e-6


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_chart_speaks_every_language(outcomes: dict[str, Outcome], lang: str) -> None:
    words = Words(lang)
    spread = Spread(
        (1.0, 2.0), (3.0, 3.0), (0.4, 0.5), (0, 0), 40, (20, 40), ((3.0, 2.0), (2.0, 1.0))
    )
    for outcome in (*outcomes.values(), replace(outcomes["use"], spread=spread)):
        made = [
            charts.bills(words, outcome, "month"),
            charts.street(words, outcome),
            charts.matrix(words, outcome, 12),
            analytics.lorenz(words, outcome),
            analytics.price(words, outcome),
            analytics.learning(words, (20, 40), ((3.0, 2.0), (2.0, 1.0)), 60),
        ]
        for chart in made:
            json.dumps(chart.option)
            assert chart.sentence and chart.table.rows
            assert all(len(row) == len(chart.table.head) for row in chart.table.rows)
        for verdict in (
            charts.cost(words, outcome, "year"),
            charts.efficiency(words, outcome),
            charts.fairness(words, outcome),
        ):
            assert verdict.figure and verdict.sentence and verdict.details
    kept = [analytics.Kept(rule, outcome, rule) for rule, outcome in outcomes.items()][:4]
    assert set(analytics.comparison(words, kept)) == {"cost", "efficiency", "fairness"}
    assert kept[2].name in analytics.comparison_sentence(words, kept)


def test_the_question_leads_back_to_the_community() -> None:
    homes = (OwnHome(1, panels_kwp=3.5, style="q", battery_kwh=4.0), OwnHome(2), OwnHome(2))
    state = Community(
        preset="own", homes=homes, rule="equal", rounds="several", period="day", hour=3.0
    )
    again, file = community_of(json.loads(json.dumps(asked(state))))
    assert replace(again, hour=3.0) == state and file is None
    # The hour that is looked at changes nothing, nor does a price that no rule reads.
    assert asked(replace(state, hour=5.0)) == asked(state)
    auction = replace(state, rule="auction")
    assert asked(replace(auction, price=0.3)) == asked(auction)


def test_homes_become_households() -> None:
    homes = (
        OwnHome(1, 4, "home", 3.5, 4.0, style="habits"),
        OwnHome(2, routine="nights"),
        OwnHome(2, style="ppo"),
    )
    scenario = scenario_of(Community(preset="own", homes=homes, category="A"))
    assert [home.name for home in scenario.homes] == ["Bert", "Chloé", "Chloé 2"]
    assert [home.policy for home in scenario.homes] == [
        "citylearn-basic-battery-rbc",
        *["self-consumption"] * 2,
    ]
    assert scenario.homes[0].solar is not None and scenario.homes[0].battery is not None
    assert scenario.tariff.local_network_share == 0.0
    # Without a battery there is nothing to learn.
    assert not needs_training(Community(preset="own", homes=homes))
    able = Community(
        preset="own", homes=(*homes, OwnHome(5, battery_kwh=5, style="ppo", goal="street"))
    )
    assert needs_training(able)
    assert learners_of(able) == (
        [{"homes": ["Fatou"], "policy": "ppo"}],
        {"Fatou": {"community_cost": 1.0}},
    )


def test_homes_are_drawn_again_by_their_number() -> None:
    assert drawn_homes(8, 7) == drawn_homes(8, 7) != drawn_homes(8, 8)
    homes = drawn_homes(24, 3)
    assert len({home.name for home in homes}) == 24 and any(home.panels_kwp for home in homes)


def test_a_community_without_panels_has_nothing_to_share() -> None:
    homes = (OwnHome(0), OwnHome(1))
    outcome = simulate(asked(Community(preset="own", homes=homes, period="day")), silent)
    verdict = charts.efficiency(Words("en"), outcome)
    assert verdict.figure == "–" and "no home has panels" in verdict.sentence
    with pytest.raises(InputError, match="two homes"):
        scenario_of(Community(preset="own", homes=homes[:1]))


def test_a_home_by_the_clock_would_gain_by_its_own_sun() -> None:
    homes = (replace(PRESETS["street"][2], style="habits"), PRESETS["street"][1])
    spec = asked(Community(preset="own", homes=homes, period="week", rule="none"))
    found = explore(spec, silent)
    # 100 % is the community's optimum; homes by the clock may do worse than idle ones.
    assert found.get("share", 0.0) <= 1.0
    assert (
        found["homes"] == 1 and found["name"] == "Chloé" and found["policy"] == "self-consumption"
    )
    base = scenario_of(*community_of(spec))
    bills = [
        prosumax.run(base, {"homes.0.policy": policy}, optimum=False).households[0]["bill"]
        for policy in ("citylearn-basic-battery-rbc", "self-consumption")
    ]
    assert found["gain"] == pytest.approx(bills[0] - bills[1])
