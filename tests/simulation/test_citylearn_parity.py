"""Parity with CityLearn 3.0.2 on five real homes, run independently on the same data.

CityLearn computes in double precision and prosumax in single; over 43 800 home-steps that leaves
about 1e-7 relative on a sum, so a tolerance of 1e-5 detects any difference of the models. KPI
ratios were recorded to five decimals, totals and bills to three.
"""

import pytest

import prosumax

FIVE_DECIMALS = 6e-6

# Recorded from CityLearn 3.0.2 on citylearn_challenge_2022_phase_1, 8759 steps, worthless exports.
NO_CONTROL = {
    "home_import_kwh": 29256.262,
    "import_kwh": 27461.384,
    "export_kwh": 11394.469,
    "cost": 8778.571,
    "emissions_kg": 4625.737,
    "peak_kw": 16.718,
}
BASIC_RBC = {
    "home_import_kwh": 35686.524,
    "import_kwh": 34101.387,
    "export_kwh": 16229.050,
    "cost": 9745.739,
    "emissions_kg": 5429.674,
    "peak_kw": 16.955,
}
BASIC_RBC_RATIOS = {
    "cost_total": 1.11585,
    "carbon_emissions_total": 1.18037,
    "ramping_average": 1.15623,
    "daily_peak_average": 1.14174,
    "electricity_consumption_total": 1.22748,
    "daily_one_minus_load_factor_average": 0.98924,
}
# Computed independently from the raw CSV files, with a feed-in price of EUR 0.05 per kWh.
BILLS = {
    "none": [2068.072, 1834.759, 1157.804, 1630.585, 1429.984],
    "mid_market_rate": [1984.113, 1751.832, 1080.540, 1540.661, 1350.863],
}
SHARED_COST = 7708.0097


def run_kpis(data_dir, policy):
    overrides = ["tariff.feed_in=0", "period.steps=8759", f"policy={policy}"]
    return prosumax.run("citylearn-2022", overrides, data_dir=data_dir).kpis


def test_totals_without_control_equal_those_of_citylearn(citylearn_data):
    kpis = run_kpis(citylearn_data, "none")
    for name, expected in NO_CONTROL.items():
        assert kpis[name] == pytest.approx(expected, rel=1e-6, abs=6e-4), name
    ratios = {
        name: value for name, value in kpis["citylearn"].items() if not name.startswith("equity")
    }
    assert ratios == pytest.approx(dict.fromkeys(ratios, 1.0), abs=1e-6)


def test_totals_and_ratios_of_the_basic_rbc_equal_those_of_citylearn(citylearn_data):
    kpis = run_kpis(citylearn_data, "citylearn-basic-rbc")
    for name, expected in BASIC_RBC.items():
        assert kpis[name] == pytest.approx(expected, rel=1e-6, abs=6e-4), name
    for name, expected in BASIC_RBC_RATIOS.items():
        assert kpis["citylearn"][name] == pytest.approx(expected, abs=FIVE_DECIMALS), name


def test_annual_bills_equal_an_independent_computation(citylearn_data):
    results = prosumax.compare("citylearn-2022", BILLS, data_dir=citylearn_data)
    for name, expected in BILLS.items():
        bills = [home["bill"] for home in results[name].households]
        assert bills == pytest.approx(expected, abs=1e-3), name
    without, shared = results["none"].kpis, results["mid_market_rate"].kpis
    assert without["cost"] == pytest.approx(8121.2043, abs=1e-3)
    assert shared["cost"] == pytest.approx(SHARED_COST, abs=1e-3)
    assert shared["traded_kwh"] == pytest.approx(1794.8786, abs=1e-3)
    assert without["self_consumption"] == pytest.approx(0.56942, abs=FIVE_DECIMALS)
    assert shared["self_consumption"] == pytest.approx(0.62802, abs=FIVE_DECIMALS)
    assert without["self_sufficiency"] == pytest.approx(0.37343, abs=FIVE_DECIMALS)
    assert shared["self_sufficiency"] == pytest.approx(0.41186, abs=FIVE_DECIMALS)
    savings = [home["saving"] for home in results["mid_market_rate"].households]
    expected = [before - after for before, after in zip(*BILLS.values(), strict=True)]
    assert savings == pytest.approx(expected, abs=2e-3)


def test_mechanisms_that_share_all_surplus_have_the_same_total_cost(citylearn_data):
    """Costs agree, and bill sharing alone makes one home lose, by 61.55.

    The Gini coefficients and the loss were computed independently from the raw files, to three and
    two digits.
    """
    names = [
        "mid_market_rate",
        "supply_demand_ratio",
        "bill_sharing",
        "key_equal",
        "share_shapley",
        "double_auction",
    ]
    results = prosumax.compare("citylearn-2022", names, data_dir=citylearn_data)
    for name in names[:-1]:
        assert results[name].kpis["cost"] == pytest.approx(SHARED_COST, abs=0.01), name
    # An auction leaves at most one tick of 1 Wh per home and step to the grid, worth at most 0.54
    # per kWh.
    unshared_cost = results["double_auction"].kpis["cost"] - SHARED_COST
    assert 0 <= unshared_cost < 5 * 8760 * 1e-3 * 0.54
    assert results["mid_market_rate"].kpis["gini"] == pytest.approx(0.029, abs=6e-4)
    assert results["supply_demand_ratio"].kpis["gini"] == pytest.approx(0.195, abs=6e-4)
    households = results["bill_sharing"].households
    losses = {home["name"]: home["saving"] for home in households if home["saving"] < 0}
    assert losses == {"Building_4": pytest.approx(-61.55, abs=6e-3)}
    assert results["bill_sharing"].kpis["losing_homes"] == 1
