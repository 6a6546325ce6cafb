"""The home of page two: equality with `prosumax run`, and balances that hold for any settings."""

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
from prosumax.web.model.state import HomePageState  # noqa: E402

_KWH = 1e-5  # single precision over a day of a few tens of kWh

HOMES = [
    HomePageState(),
    HomePageState(panels_kwp=0.0, battery_kwh=0.0),
    HomePageState(
        season="summer", battery_kwh=5.0, weather="clear", day_type="weekend", tariff="daynight"
    ),
    HomePageState(
        season="winter",
        heat_pump="on",
        people=5,
        routine="remote",
        panels_kwp=7.5,
        orientation="eastwest",
        battery_kwh=8.0,
    ),
    HomePageState(
        season="autumn",
        ev="noon",
        orientation="north",
        weather="gray",
        tariff="daynight",
        retail_price=0.41,
        feed_in_price=0.11,
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("home", HOMES)
def test_bill_equals_that_of_prosumax_run(home):
    day = home_day.simulate_day(home)
    result = prosumax.run(home_day.home_scenario(home), optimum=False)
    (one,) = result.households
    # Both run the same steps in single precision and sum in double precision.
    assert day.bill == pytest.approx(one["bill"], abs=1e-4)
    assert day.load_kwh.sum() == pytest.approx(one["load_kwh"], abs=1e-3)
    assert day.solar_kwh.sum() == pytest.approx(one["solar_kwh"], abs=1e-3)
    assert day.self_sufficiency == pytest.approx(one["self_sufficiency"] or 0.0, abs=1e-3)
    bare = home.__class__(**{**vars(home), "panels_kwp": 0.0, "battery_kwh": 0.0})
    assert day.baseline_bill == pytest.approx(home_day.simulate_day(bare).bill, abs=1e-4)


_numbers = {
    name: st.integers(0, round((span.highest - span.lowest) / span.step)).map(
        lambda n, span=span: span.parse(str(span.lowest + n * span.step))
    )
    for name in ("people", "panels_kwp", "battery_kwh", "retail_price", "feed_in_price")
    for span in [state.number_range(HomePageState, name)]
}
_choices = {
    name: st.sampled_from(state.choice_options(HomePageState, name))
    for name in (
        "routine",
        "season",
        "ev",
        "heat_pump",
        "appliance_time",
        "day_type",
        "weather",
        "orientation",
        "tariff",
    )
}


@given(st.builds(HomePageState, **_numbers, **_choices))
@settings(max_examples=60)
def test_energy_and_money_balance(home):
    day = home_day.simulate_day(home)
    flows = (
        day.load_kwh,
        day.solar_kwh,
        day.charge_kwh,
        day.discharge_kwh,
        day.import_kwh,
        day.export_kwh,
    )
    assert all((flow >= 0).all() for flow in flows)
    used = day.direct_kwh + day.discharge_kwh + day.import_kwh
    made = day.direct_kwh + day.charge_kwh + day.export_kwh
    np.testing.assert_allclose(used, day.load_kwh, atol=_KWH)
    np.testing.assert_allclose(made, day.solar_kwh, atol=_KWH)
    assert (day.soc >= -1e-6).all()
    assert (day.soc <= 1 + 1e-6).all()
    prices = home_day.retail_prices(home)
    owed = float((prices * day.import_kwh).sum() - home.feed_in_price * day.export_kwh.sum())
    assert day.bill == pytest.approx(owed, abs=1e-3)
    assert day.baseline_bill == pytest.approx(float((prices * day.load_kwh).sum()), abs=1e-3)


def test_battery_ends_the_day_at_its_initial_state_of_charge():
    # Four iterations converge unless the battery holds more than the surplus of a day.
    day = home_day.simulate_day(HomePageState(battery_kwh=5.0))
    assert day.initial_soc == pytest.approx(float(day.soc[-1]), abs=2e-3)


@pytest.mark.parametrize("season", state.SEASONS)
def test_pv_generation_fits_the_season(season):
    # Uccle: 2.7 kWh per kWp on a mean day of the year (PVGIS), in July five times that of January.
    generated = home_day.simulate_day(HomePageState(season=season, panels_kwp=1.0)).solar_kwh.sum()
    assert {"winter": 0.3, "spring": 2.2, "summer": 2.8, "autumn": 1.0}[season] < generated
    assert generated < {"winter": 1.8, "spring": 5.2, "summer": 5.5, "autumn": 3.2}[season]


def test_clear_weather_and_southern_orientation_increase_pv_generation():
    def made(**changes):
        return home_day.simulate_day(HomePageState(**changes)).solar_kwh.sum()

    assert made(weather="clear") > made(weather="mixed") > made(weather="gray")
    assert (
        made(orientation="south", weather="clear")
        > made(orientation="eastwest", weather="clear")
        > made(orientation="north")
    )


def test_monthly_energy_adds_up_to_a_plausible_year():
    load, solar = home_day.monthly_energy(HomePageState(panels_kwp=1.0))
    assert load.sum() == pytest.approx(3300, abs=1)
    assert 850 < solar.sum() < 1050  # Belgium: 900 to 1000 kWh per kWp
    heated, _ = home_day.monthly_energy(HomePageState(heat_pump="on"))
    assert 2000 < heated.sum() - load.sum() < 6000


def test_measured_load_replaces_the_generated_load():
    measured = tuple(np.linspace(0.0, 0.5, 96).tolist())
    day = home_day.simulate_day(HomePageState(), measured)
    np.testing.assert_allclose(day.load_kwh, measured, atol=1e-6)
    result = prosumax.run(
        home_day.home_scenario(HomePageState(), measured_kwh=measured), optimum=False
    )
    assert day.bill == pytest.approx(result.households[0]["bill"], abs=1e-4)


def test_representative_dates_lie_in_their_month_and_type_of_day():
    for season, day_type in [(s, d) for s in state.SEASONS for d in sample_data.DAY_TYPES]:
        date = np.datetime64(sample_data.representative_date(season, day_type))
        assert (
            date.astype("datetime64[M]").astype(int) % 12 + 1 == sample_data.SEASON_MONTHS[season]
        )
        weekday = (date.astype("datetime64[D]").astype(int) + 3) % 7
        assert (weekday >= 5) == (day_type == "weekend")


@pytest.mark.parametrize("surplus", [0.0, 0.5, 3.0, 5.0, 8.0])
def test_every_rule_allocates_the_whole_surplus(surplus):
    for rule, allocated in street.allocations(surplus).items():
        assert all(
            kwh <= demand + 1e-6 for kwh, demand in zip(allocated, street.DEMAND_KWH, strict=True)
        )
        expected = 0.0 if rule == "none" else min(surplus, sum(street.DEMAND_KWH))
        # The auction trades multiples of 0.001 kWh.
        assert sum(allocated) == pytest.approx(expected, abs=2e-3)


def test_allocation_of_three_kwh_by_hand():
    # Surplus 3 kWh; demand 1, 2, 4 and 1 kWh; bids 20, 30, 25 and 33 cents.
    allocated = street.allocations(3.0)
    assert allocated["equal"] == pytest.approx((0.75, 0.75, 0.75, 0.75))
    assert allocated["use"] == pytest.approx((0.375, 0.75, 1.5, 0.375))
    assert allocated["auction"] == pytest.approx((0.0, 2.0, 0.0, 1.0))


def test_exports_rise_with_the_number_of_pv_homes():
    exports = [
        float(-street.net_load_kw("spring", pv_homes).clip(max=0).sum()) for pv_homes in range(9)
    ]
    assert exports[0] == 0
    assert exports == sorted(exports)
