"""Every preset against a bill worked out by hand from price cards with VAT, and tariffs by name, file and change.

The homes are so simple that a year can be multiplied on paper: one draws 0.5 kW all year (4380 kWh), one sends 0.25 kW
(2190 kWh). Cards print hundredths of a cent, so a bill on paper is right to some cents: 0.15 EUR on 4380 kWh.
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

CENTS = 0.15
EXCISE, CONTRIBUTION = 0.0503288, 0.0020417
ENERGY, SUBSCRIPTION = 0.1327, 12 * 10.99


def year(tariff, mechanism="none", **changes):
    """A year of quarter-hours of 2023, which has 260 weekdays, of a home that draws and one that sends."""
    homes = [
        {"name": "draws", "load": {"source": "values", "values": [0.125]}},
        {
            "name": "sends",
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
    statement = result.bills[home]
    assert statement.total == pytest.approx(result.households[home]["bill"], abs=2e-3)
    # There are no batteries: the optimiser's own reckoning of doing nothing is the bills without exchange.
    assert result.kpis["baseline_objective"] == pytest.approx(
        result.kpis["cost_without_exchange"], abs=2e-2
    )
    return statement.total


def test_flanders():
    result = year("flanders-2026")
    per_kwh = ENERGY + 0.0117 + 0.0039 + 0.053533 + EXCISE + CONTRIBUTION
    assert bill(result) == pytest.approx(
        4380 * per_kwh + SUBSCRIPTION + 18.92 + 2.5 * 52.3679, abs=CENTS
    )
    # One that sends pays its fixed fees and the least peak there is.
    assert bill(result, 1) == pytest.approx(
        SUBSCRIPTION + 18.92 + 2.5 * 52.3679 - 2190 * 0.0587, abs=CENTS
    )
    shared = year(
        "flanders-2026", "key_equal", **{"market.price_rule": "fixed", "market.price": 0.0}
    )
    # Shared energy is free, and pays all but the supplier's part; the peak fee stays.
    off = 2190 * (ENERGY + 0.0117 + 0.0039)
    assert bill(shared) == pytest.approx(bill(result) - off, abs=CENTS)


def test_brussels():
    result = year("brussels-2026")
    fixed = SUBSCRIPTION + 14.73 + 50.0744 + 21.37
    per_kwh = ENERGY + 0.0269 + 0.0996 + 0.0227 + EXCISE + CONTRIBUTION
    assert bill(result) == pytest.approx(4380 * per_kwh + fixed, abs=CENTS)
    night_and_day = 0.125 * 4 * (260 * 15 * 0.0996 + (8760 - 260 * 15) * 0.0753)
    other = per_kwh - 0.0996
    assert bill(year("brussels-2026-day-night")) == pytest.approx(
        4380 * other + night_and_day + fixed, abs=CENTS
    )


@pytest.mark.parametrize(("locality", "share"), [("A", 0), ("B", 0.5), ("C", 1), ("D", 1)])
def test_brussels_by_locality(locality, share):
    """2190 kWh given away next door still pay their levies, and the network by how near the neighbours are."""
    free = {"market.price_rule": "fixed", "market.price": 0.0, "tariff.locality": locality}
    result = year("brussels-2026", "key_equal", **free)
    energy, levies = ENERGY + 0.0269, EXCISE + CONTRIBUTION
    network = (2190 + share * 2190) * (0.0996 + 0.0227)
    fixed = SUBSCRIPTION + 14.73 + 50.0744 + 21.37
    assert bill(result) == pytest.approx(2190 * energy + network + 4380 * levies + fixed, abs=CENTS)
    shared = [line for line in result.bills[0].lines if "Distribution, shared" in line.item]
    assert sum(line.amount for line in shared) == pytest.approx(2190 * share * 0.093962, abs=1e-3)


def test_wallonia():
    fixed = SUBSCRIPTION + 14.10
    other = ENERGY + 0.0303 + 0.0274252 + EXCISE + CONTRIBUTION + 0.00075
    assert bill(year("wallonia-2026")) == pytest.approx(4380 * (other + 0.1198) + fixed, abs=CENTS)
    # Nine hours a day by day, fifteen by night; the days of 23 and 25 hours lose and gain one of the night.
    two = 0.5 * 365 * (9 * 0.1327 + 15 * 0.0739)
    assert bill(year("wallonia-2026-day-night")) == pytest.approx(
        4380 * other + two + fixed, abs=CENTS
    )
    three = 0.5 * 365 * (5 * 0.1657 + 7 * 0.1083 + 12 * 0.0509)
    assert bill(year("wallonia-2026-impact")) == pytest.approx(
        4380 * other + three + fixed, abs=CENTS
    )


def test_wallonia_net_metering():
    """4380 kWh drawn and 3504 sent cancel but for 876; the inverter of 5 kW pays the prosumer fee."""
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
        876 * per_kwh + SUBSCRIPTION + 14.10 + 5 * 85.84, abs=CENTS
    )
    assert result.bills[0].netted_kwh == pytest.approx(3504, abs=0.01)
    assert result.households[0]["bill_items"]["feed_in"] == pytest.approx(0, abs=1e-3)
    assert result.households[0]["saving"] == pytest.approx(0, abs=1e-3)
    assert result.kpis["individual_optimum"] is None
    with pytest.raises(InputError, match="net_metering_kw.*cannot be planned"):
        prosumax.run(scenario, optimum=True)
    with pytest.raises(InputError, match="day_ahead"):
        prosumax.run(scenario, {"tariff": "flanders-2026-dynamic"})


def test_dynamic_prices_and_their_mean():
    result = year("flanders-2026-dynamic")
    market = synthetic_day_ahead_eur_per_mwh(result.profiles.local_index, _market_seed()) / 1000
    assert (market < 0).any()
    energy = 0.125 * (1.1192 * market + 0.01394).sum()
    (line,) = (line for line in result.bills[0].lines if line.item == "Energy at the market price")
    assert line.is_mean_price and line.amount == pytest.approx(energy, abs=2e-2)
    assert line.price == pytest.approx((1.1192 * market + 0.01394).mean(), abs=1e-5)
    sent = 0.0625 * (0.94 * market - 0.01133).sum()
    assert result.households[1]["bill_items"]["feed_in"] == pytest.approx(sent, abs=2e-2)
    assert any("synthetic Belgian prices" in note for note in result.notes)


def _market_seed():
    return int(np.random.SeedSequence((0, 0, 6)).generate_state(1)[0])


def test_typical_days_are_like_2024_and_2025():
    local = pd.date_range("2025-01-01", periods=35040, freq="15min", tz="UTC").tz_convert(
        "Europe/Brussels"
    )
    for seed in range(3):
        hours = synthetic_day_ahead_eur_per_mwh(local, seed)[::4]
        assert 60 < hours.mean() < 80  # Belgium: 70 in 2024
        assert 250 < (hours < 0).sum() < 550  # 405 hours in 2024, 520 in 2025
    repeated = synthetic_day_ahead_eur_per_mwh(local, 1).reshape(-1, 4)
    assert (repeated == repeated[:, :1]).all()


def test_a_market_price_from_a_file(tmp_path):
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
def test_presets_are_complete(name):
    scenario = load_scenario("street", {"tariff": name})
    assert name.split("-")[1] in scenario.tariff.description and scenario.tariff.vat == 0.06
    assert load_scenario(scenario) == scenario
    text = tariff_preset_paths()[name].read_text()
    assert "Bolt" in text  # whose figures these are


def test_a_tariff_of_ones_own(tmp_path, tiny):
    (tmp_path / "my-tariff.yaml").write_text(
        "energy: {Green: 0.2, Grey: 0.1}\nfeed_in: 0.01\nvat: 0.21\n"
    )
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**tiny, "tariff": "my-tariff.yaml"}))
    scenario = load_scenario(tmp_path / "mine.yaml")
    assert scenario.tariff.energy == {"Green": 0.2, "Grey": 0.1} and scenario.tariff.vat == 0.21
    changed = load_scenario(
        {**tiny, "tariff": {"preset": "brussels-2026", "vat": 0.21, "locality": "A"}},
        ["tariff.vat=0"],
    )
    assert (changed.tariff.vat, changed.tariff.resolved_local_network_share) == (0, 0)
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
        ({"homes.0.net_metering_kw": 0}, ["homes[0].net_metering_kw", "greater than 0"]),
    ],
)
def test_mistakes(tiny, changes, words):
    with pytest.raises(InputError) as caught:
        load_scenario(tiny, changes)
    for word in words:
        assert word in str(caught.value), caught.value
