"""Every tariff preset against a bill by hand from price cards with VAT, and tariff files.

One home imports 0.5 kW all year (4380 kWh) and one exports 0.25 kW (2190 kWh), so that annual bills
can be computed by hand. Cards print hundredths of a cent, which is 0.15 EUR on 4380 kWh.
"""

import numpy as np
import pandas as pd
import pytest
import yaml

import prosumax
from prosumax.data.generators.day_ahead import synthetic_day_ahead_eur_per_mwh
from prosumax.errors import InputError
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.tariff_presets import tariff_preset_paths
from prosumax.tariff.components.network import NetworkCharge

TOLERANCE = 0.15
EXCISE, CONTRIBUTION = 0.0503288, 0.0020417
ENERGY, SUBSCRIPTION = 0.1327, 12 * 10.99


def run_year(tariff, mechanism="none", **changes):
    """Simulate the quarter-hours of 2023, which has 260 weekdays, for both homes."""
    homes = [
        {"name": "importer", "load": {"source": "values", "values": [0.125]}},
        {
            "name": "exporter",
            "load": {"source": "values", "values": [0]},
            "solar": {"source": "values", "values": [0.0625]},
        },
    ]
    period = {"start": "2023-01-01T00:00", "steps": 35040, "step_minutes": 15}
    scenario = {
        "name": "paper",
        "period": period,
        "homes": homes,
        "tariff": tariff,
        "market": {"mechanism": mechanism},
    }
    return prosumax.run(scenario, changes, optimum=False)


def bill(result, home=0):
    """Return the total of a statement, after checking it against the home's bill."""
    statement = result.bills[home]
    assert statement.total == pytest.approx(result.households[home]["bill"], abs=2e-3)
    # Without batteries the optimizer's baseline equals the bills without exchange, but for the
    # ceiling on network costs; it is the same with exchange, since shared energy pays them in full.
    ceiling = 1.06 * sum(home["bill_items"]["network_ceiling"] for home in result.households)
    assert result.kpis["baseline_objective"] + ceiling == pytest.approx(
        result.kpis["cost_without_exchange"], abs=2e-2
    )
    return statement.total


def test_flanders_by_hand():
    result = run_year("flanders-2026")
    per_kwh = ENERGY + 0.0117 + 0.0039 + 0.053533 + EXCISE + CONTRIBUTION
    assert bill(result) == pytest.approx(
        4380 * per_kwh + SUBSCRIPTION + 18.92 + 2.5 * 52.3679, abs=TOLERANCE
    )
    # The exporter takes no kWh, so that the maximum tariff cancels the minimum peak.
    assert bill(result, 1) == pytest.approx(SUBSCRIPTION + 18.92 - 2190 * 0.0587, abs=TOLERANCE)
    shared = run_year(
        "flanders-2026", "key_equal", **{"market.price_rule": "fixed", "market.price": 0.0}
    )
    # Shared energy at price 0 saves the supplier's part only; the capacity charge is unchanged.
    saving = 2190 * (ENERGY + 0.0117 + 0.0039)
    assert bill(shared) == pytest.approx(bill(result) - saving, abs=TOLERANCE)


def test_flanders_with_little_use_pays_the_maximum_tariff():
    """0.02 kW all year are 175.2 kWh; the peak alone would cost 130.92, the ceiling is 60.84."""
    loads = {"homes.importer.load.values": [0.005]}
    result = run_year("flanders-2026", **loads)
    other = ENERGY + 0.0117 + 0.0039 + EXCISE + CONTRIBUTION
    assert bill(result) == pytest.approx(
        175.2 * (other + 0.3472738) + SUBSCRIPTION + 18.92, abs=0.03
    )
    (line,) = (line for line in result.bills[0].lines if line.item.startswith("Maximum tariff"))
    assert line.item == "Maximum tariff, 12 months"


def test_brussels_by_hand():
    result = run_year("brussels-2026")
    fixed = SUBSCRIPTION + 14.73 + 50.0744 + 21.37
    per_kwh = ENERGY + 0.0269 + 0.0996 + 0.0227 + EXCISE + CONTRIBUTION
    assert bill(result) == pytest.approx(4380 * per_kwh + fixed, abs=TOLERANCE)
    night_and_day = 0.125 * 4 * (260 * 15 * 0.0996 + (8760 - 260 * 15) * 0.0753)
    other = per_kwh - 0.0996
    assert bill(run_year("brussels-2026-day-night")) == pytest.approx(
        4380 * other + night_and_day + fixed, abs=TOLERANCE
    )


@pytest.mark.parametrize(("locality", "share"), [("A", 0), ("B", 0.5), ("C", 1), ("D", 1)])
def test_brussels_network_share_by_locality(locality, share):
    """2190 kWh of local energy pay all levies, and the network charge by locality."""
    free = {"market.price_rule": "fixed", "market.price": 0.0, "tariff.locality": locality}
    result = run_year("brussels-2026", "key_equal", **free)
    energy, levies = ENERGY + 0.0269, EXCISE + CONTRIBUTION
    network = (2190 + share * 2190) * (0.0996 + 0.0227)
    fixed = SUBSCRIPTION + 14.73 + 50.0744 + 21.37
    assert bill(result) == pytest.approx(
        2190 * energy + network + 4380 * levies + fixed, abs=TOLERANCE
    )
    shared = [line for line in result.bills[0].lines if "Distribution, shared" in line.item]
    assert sum(line.amount for line in shared) == pytest.approx(2190 * share * 0.093962, abs=1e-3)


def test_wallonia_by_hand():
    fixed = SUBSCRIPTION + 14.10
    other = ENERGY + 0.0303 + 0.0274252 + EXCISE + CONTRIBUTION + 0.00075
    assert bill(run_year("wallonia-2026")) == pytest.approx(
        4380 * (other + 0.1198) + fixed, abs=TOLERANCE
    )
    # Nine day and fifteen night hours; days of 23 and 25 hours lose and gain a night hour.
    two = 0.5 * 365 * (9 * 0.1327 + 15 * 0.0739)
    assert bill(run_year("wallonia-2026-day-night")) == pytest.approx(
        4380 * other + two + fixed, abs=TOLERANCE
    )
    three = 0.5 * 365 * (5 * 0.1657 + 7 * 0.1083 + 12 * 0.0509)
    assert bill(run_year("wallonia-2026-impact")) == pytest.approx(
        4380 * other + three + fixed, abs=TOLERANCE
    )


def test_wallonia_net_metering():
    """3504 kWh exported offset all but 876 of 4380 kWh; the 5 kW inverter pays the prosumer fee."""
    homes = [
        {
            "name": "old panels",
            "load": {"source": "values", "values": [0.25, 0]},
            "solar": {"source": "values", "values": [0, 0.2]},
            "net_metering_kw": 5,
        }
    ]
    period = {"start": "2023-01-01T00:00", "steps": 35040, "step_minutes": 15}
    scenario = {"name": "paper", "period": period, "homes": homes, "tariff": "wallonia-2026"}
    result = prosumax.run(scenario)
    per_kwh = ENERGY + 0.0303 + 0.1198 + 0.0274252 + EXCISE + CONTRIBUTION + 0.00075
    assert bill(result) == pytest.approx(
        876 * per_kwh + SUBSCRIPTION + 14.10 + 5 * 85.84, abs=TOLERANCE
    )
    assert result.bills[0].netted_kwh == pytest.approx(3504, abs=0.01)
    assert result.households[0]["bill_items"]["feed_in"] == pytest.approx(0, abs=1e-3)
    assert result.households[0]["saving"] == pytest.approx(0, abs=1e-3)
    assert result.kpis["individual_optimum"] is None
    with pytest.raises(InputError, match="net_metering_kw.*cannot be planned"):
        prosumax.run(scenario, optimum=True)
    with pytest.raises(InputError, match="day_ahead"):
        prosumax.run(scenario, {"tariff": "flanders-2026-dynamic"})


def test_dynamic_prices_are_billed_with_their_mean():
    result = run_year("flanders-2026-dynamic")
    market = synthetic_day_ahead_eur_per_mwh(result.profiles.local_index, _market_seed()) / 1000
    assert (market < 0).any()
    energy = 0.125 * (1.1192 * market + 0.01394).sum()
    (line,) = (line for line in result.bills[0].lines if line.item == "Energy at the market price")
    assert line.is_mean_price and line.amount == pytest.approx(energy, abs=2e-2)
    assert line.price == pytest.approx((1.1192 * market + 0.01394).mean(), abs=1e-5)
    revenue = 0.0625 * (0.94 * market - 0.01133).sum()
    assert result.households[1]["bill_items"]["feed_in"] == pytest.approx(revenue, abs=2e-2)
    assert any("synthetic Belgian prices" in note for note in result.notes)


def _market_seed():
    return int(np.random.SeedSequence((0, 0, 6)).generate_state(1)[0])


def test_synthetic_day_ahead_prices_resemble_2024_and_2025():
    local = pd.date_range("2025-01-01", periods=35040, freq="15min", tz="UTC").tz_convert(
        "Europe/Brussels"
    )
    for seed in range(3):
        hours = synthetic_day_ahead_eur_per_mwh(local, seed)[::4]
        assert 60 < hours.mean() < 80  # Belgium: 70 in 2024
        assert 250 < (hours < 0).sum() < 550  # 405 hours in 2024, 520 in 2025
    repeated = synthetic_day_ahead_eur_per_mwh(local, 1).reshape(-1, 4)
    assert (repeated == repeated[:, :1]).all()


def test_day_ahead_price_is_read_from_a_file(tmp_path):
    stamps = pd.date_range("2023-06-01", periods=4, freq="h")
    rows = "".join(
        f"{stamp:%Y-%m-%d %H:%M},{price}\n"
        for stamp, price in zip(stamps, (100, -50, 0, 20), strict=True)
    )
    (tmp_path / "prices.csv").write_text("time,EUR/MWh\n" + rows)
    tariff = {
        "energy": {"source": "day_ahead", "file": "prices.csv", "factor": 2, "offset": 0.01},
        "feed_in": 0.0,
    }
    homes = [{"name": "a", "load": {"source": "values", "values": [1.0]}}]
    period = {"start": "2023-06-01T00:00", "steps": 4, "step_minutes": 60}
    path = tmp_path / "mine.yaml"
    path.write_text(
        yaml.safe_dump({"name": "x", "period": period, "homes": homes, "tariff": tariff})
    )
    result = prosumax.run(path)
    np.testing.assert_allclose(result.profiles.prices["energy"], [0.21, -0.09, 0.01, 0.05])
    assert result.households[0]["bill"] == pytest.approx(0.18, abs=1e-6)


@pytest.mark.parametrize("name", tariff_preset_paths())
def test_presets_state_year_vat_and_source(name):
    scenario = load_scenario("street", {"tariff": name})
    assert name.split("-")[1] in scenario.tariff.description and scenario.tariff.vat == 0.06
    assert load_scenario(scenario) == scenario
    text = tariff_preset_paths()[name].read_text()
    assert "Bolt" in text  # the source of the figures


def test_tariff_file_and_changed_preset(tmp_path, tiny):
    (tmp_path / "my-tariff.yaml").write_text(
        "energy: {Green: 0.2, Gray: 0.1}\nfeed_in: 0.01\nvat: 0.21\n"
    )
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**tiny, "tariff": "my-tariff.yaml"}))
    scenario = load_scenario(tmp_path / "mine.yaml")
    assert scenario.tariff.energy == {"Green": 0.2, "Gray": 0.1} and scenario.tariff.vat == 0.21
    changed = load_scenario(
        {**tiny, "tariff": {"preset": "brussels-2026", "vat": 0.21, "locality": "A"}},
        ["tariff.vat=0"],
    )
    assert changed.tariff.vat == 0
    assert changed.tariff.component(NetworkCharge).local_share == 0
    assert changed.tariff.network == {"Distribution": 0.093962, "Transmission": 0.021415}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tariff": "brussels-2062"}, ["Did you mean 'brussels-2026'", "prosumax tariffs NAME"]),
        (
            {"tariff": {"preset": "brussels-2026", "locality": "E"}},
            ["`locality` must be one of A, B, C, D"],
        ),
        ({"tariff": {"preset": "flanders-2026", "locality": "A"}}, ["local_network"]),
        ({"tariff.preset": "flanders-2026"}, ["--set tariff=flanders-2026"]),
        ({"tariff.network": {"Distribution": "much"}}, ["tariff.network.Distribution", "'much'"]),
        ({"tariff.network": {}}, ["tariff.network"]),
        ({"tariff.levies_per_year": {"Fund": -1}}, ["tariff.levies_per_year", "-1"]),
        ({"homes.0.net_metering_kw": 0}, ["homes.0.net_metering_kw", "greater than 0"]),
    ],
)
def test_invalid_tariff_names_field_and_fix(tiny, changes, words):
    with pytest.raises(InputError) as caught:
        load_scenario(tiny, changes)
    for word in words:
        assert word in str(caught.value), caught.value
