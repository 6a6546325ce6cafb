"""The home of page two against `prosumax run` of the same scenario, and what must hold whatever is set."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("babel", reason="the demo needs prosumax[web]")

import prosumax  # noqa: E402
from prosumax.web.model import (
    home_day,
    sample_data,
    state,
    street,  # noqa: E402
)
from prosumax.web.model.state import Home  # noqa: E402

_KWH = 1e-5  # single precision over a day of a few tens of kWh

HOMES = [
    Home(),
    Home(panels_kwp=0.0, battery_kwh=0.0),
    Home(season="summer", battery_kwh=5.0, weather="clear", day="weekend", tariff="daynight"),
    Home(
        season="winter",
        heat_pump="on",
        people=5,
        routine="remote",
        panels_kwp=7.5,
        roof="eastwest",
        battery_kwh=8.0,
    ),
    Home(
        season="autumn",
        car="noon",
        roof="north",
        weather="grey",
        tariff="daynight",
        buy=0.41,
        sell=0.11,
    ),
]


@pytest.mark.parametrize("home", HOMES)
def test_bill_is_that_of_prosumax_run(home):
    day = home_day.day(home)
    result = prosumax.run(home_day.scenario(home), optimum=False)
    (one,) = result.households
    # To the cent is what is asked; both run the same steps in single precision and sum in double.
    assert day.bill == pytest.approx(one["bill"], abs=1e-4)
    assert day.use_kwh.sum() == pytest.approx(one["load_kwh"], abs=1e-3)
    assert day.solar_kwh.sum() == pytest.approx(one["solar_kwh"], abs=1e-3)
    assert day.own_share == pytest.approx(one["self_sufficiency"] or 0.0, abs=1e-3)
    bare = home.__class__(**{**vars(home), "panels_kwp": 0.0, "battery_kwh": 0.0})
    assert day.bill_without == pytest.approx(home_day.day(bare).bill, abs=1e-4)


_numbers = {
    name: st.integers(0, round((span.highest - span.lowest) / span.step)).map(
        lambda n, span=span: span.read(str(span.lowest + n * span.step))
    )
    for name in ("people", "panels_kwp", "battery_kwh", "buy", "sell")
    for span in [state.range_of(Home, name)]
}
_words = {
    name: st.sampled_from(state.options_of(Home, name))
    for name in (
        "routine",
        "season",
        "car",
        "heat_pump",
        "wash",
        "day",
        "weather",
        "roof",
        "tariff",
    )
}


@given(st.builds(Home, **_numbers, **_words))
@settings(max_examples=60)
def test_energy_and_money_balance(home):
    day = home_day.day(home)
    flows = (
        day.use_kwh,
        day.solar_kwh,
        day.charge_kwh,
        day.discharge_kwh,
        day.import_kwh,
        day.export_kwh,
    )
    assert all((flow >= 0).all() for flow in flows)
    used = day.direct_kwh + day.discharge_kwh + day.import_kwh
    made = day.direct_kwh + day.charge_kwh + day.export_kwh
    np.testing.assert_allclose(used, day.use_kwh, atol=_KWH)
    np.testing.assert_allclose(made, day.solar_kwh, atol=_KWH)
    assert (day.stored_share >= -1e-6).all()
    assert (day.stored_share <= 1 + 1e-6).all()
    prices = home_day.prices(home)
    owed = float((prices * day.import_kwh).sum() - home.sell * day.export_kwh.sum())
    assert day.bill == pytest.approx(owed, abs=1e-3)
    assert day.bill_without == pytest.approx(float((prices * day.use_kwh).sum()), abs=1e-3)


def test_a_battery_begins_the_day_as_it_ends_it():
    # Four rehearsals of the day; a battery that holds more than a day's surplus is still on its way.
    day = home_day.day(Home(battery_kwh=5.0))
    assert day.begins_at == pytest.approx(float(day.stored_share[-1]), abs=2e-3)


@pytest.mark.parametrize("season", state.SEASONS)
def test_production_is_that_of_the_season(season):
    # Uccle: 2.7 kWh per kWp on a mean day of the year (PVGIS), five times as much in July as in January.
    made = home_day.day(Home(season=season, panels_kwp=1.0)).solar_kwh.sum()
    assert {"winter": 0.3, "spring": 2.2, "summer": 2.8, "autumn": 1.0}[season] < made
    assert made < {"winter": 1.8, "spring": 5.2, "summer": 5.5, "autumn": 3.2}[season]


def test_weather_and_roof_matter_as_they_should():
    def made(**changes):
        return home_day.day(Home(**changes)).solar_kwh.sum()

    assert made(weather="clear") > made(weather="mixed") > made(weather="grey")
    assert (
        made(roof="south", weather="clear")
        > made(roof="eastwest", weather="clear")
        > made(roof="north")
    )


def test_a_year_adds_up():
    use, sun = home_day.months(Home(panels_kwp=1.0))
    assert use.sum() == pytest.approx(3300, abs=1)
    assert 850 < sun.sum() < 1050  # Belgium: 900 to 1000 kWh per kWp
    heated, _ = home_day.months(Home(heat_pump="on"))
    assert 2000 < heated.sum() - use.sum() < 6000


def test_own_data_replaces_the_drawn_use():
    own = tuple(np.linspace(0.0, 0.5, 96).tolist())
    day = home_day.day(Home(), own)
    np.testing.assert_allclose(day.use_kwh, own, atol=1e-6)
    result = prosumax.run(home_day.scenario(Home(), own=own), optimum=False)
    assert day.bill == pytest.approx(result.households[0]["bill"], abs=1e-4)


def test_days_are_real_days_of_the_season():
    for season, kind in [(s, d) for s in state.SEASONS for d in sample_data.DAYS]:
        date = np.datetime64(sample_data.date(season, kind))
        assert date.astype("datetime64[M]").astype(int) % 12 + 1 == sample_data.MONTHS[season]
        weekday = (date.astype("datetime64[D]").astype(int) + 3) % 7
        assert (weekday >= 5) == (kind == "weekend")


@pytest.mark.parametrize("surplus", [0.0, 0.5, 3.0, 5.0, 8.0])
def test_every_rule_hands_out_what_there_is(surplus):
    for rule, got in street.shares(surplus).items():
        assert all(kwh <= wanted + 1e-6 for kwh, wanted in zip(got, street.WANTED_KWH, strict=True))
        expected = 0.0 if rule == "none" else min(surplus, sum(street.WANTED_KWH))
        assert sum(got) == pytest.approx(
            expected, abs=2e-3
        )  # an auction trades in thousandths of a kWh


def test_shares_of_three_kwh_by_hand():
    # 3 kWh; wants 1, 2, 4, 1; the bids 20, 30, 25 and 33 cents.
    got = street.shares(3.0)
    assert got["equal"] == pytest.approx((0.75, 0.75, 0.75, 0.75))
    assert got["use"] == pytest.approx((0.375, 0.75, 1.5, 0.375))
    assert got["auction"] == pytest.approx((0.0, 2.0, 0.0, 1.0))


def test_more_roofs_send_more():
    sent = [float(-street.net_kw("spring", roofs).clip(max=0).sum()) for roofs in range(9)]
    assert sent[0] == 0
    assert sent == sorted(sent)
