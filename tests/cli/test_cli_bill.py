"""Printed bills of a stored run."""

import json
import re

import pytest
import yaml


@pytest.fixture
def stored(command, tiny, tmp_path):
    """Result folder; the tariff has named charges, fees, VAT-free levies and a capacity charge."""
    tariff = {
        "description": "Nowhere, 2023",
        "energy": {"Energy": 0.2, "Certificates": 0.02},
        "network": {
            "source": "time_of_use",
            "default": 0.1,
            "windows": [{"price": 0.3, "from_hour": 12, "to_hour": 14}],
        },
        "levies": {"Excise": 0.05},
        "vat_exempt_levies": {"Connection fee": 0.01},
        "feed_in": 0.05,
        "vat": 0.06,
        "supplier_fee_per_year": {"Subscription": 87.6},
        "capacity_charge_per_kw_year": 74.4 * 12,
        "min_billed_peak_kw": 2.5,
        "local_network": {"near": 0.5},
        "locality": "near",
    }
    homes = [
        home | {"name": name} for home, name in zip(tiny["homes"], ("a [b]", "shady"), strict=True)
    ]
    content = tiny | {"tariff": tariff, "homes": homes, "market": {"mechanism": "mid_market_rate"}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    assert command("run", "mine.yaml", "--out", "kept", "--no-optimum")[0] == 0
    return tmp_path / "kept"


def test_bill_is_printed_line_by_line(command, stored):
    """Check a bill by hand: loads 1, 2, 1, 2 kWh, surplus of the neighbor 1.5, 2.5, 0.5, -0.5."""
    code, out, _ = command("bill", stored, "--home", "shady")
    assert code == 0
    for words in (
        "Electricity bill of shady",
        "1 June 2023 (4 hours)",
        "Tariff: Nowhere, 2023",
        "6 kWh imported",
    ):
        assert words in out, out

    def line(start):
        return re.split(
            r"\s{2,}",
            next(row.strip() for row in out.splitlines() if row.strip().startswith(start)),
        )

    # 1 + 2 + 0.5 kWh are bought from the neighbor, 2.5 kWh from the grid, all after noon.
    assert line("Energy") == ["Energy", "2.50 kWh", "0.2000", "0.50", "0.03", "0.53"]
    assert line("Network, 12-14 h") == [
        "Network, 12-14 h",
        "2.50 kWh",
        "0.3000",
        "0.75",
        "0.04",
        "0.80",
    ]
    # 1 + 2 kWh at half of 0.10, 0.5 kWh at half of 0.30.
    assert line("Network, shared at 50 %")[1:4] == ["3.50 kWh", "~0.0643", "0.23"]
    assert line("Subscription")[1:4] == ["0.167 days", "87.60", "0.04"]
    assert line("Connection fee")[4] == "-"  # free of VAT
    # 2.5 kW at least, for 4 of the 720 hours of June.
    assert line("Highest 60 minutes")[1] == "2.50 kW"
    bills = {bill["home"]: bill for bill in json.loads((stored / "bills.json").read_text())}
    kpis = json.loads((stored / "kpis.json").read_text())
    for home in kpis["households"]:
        assert bills[home["name"]]["total"] == pytest.approx(home["bill"], abs=1e-5)
    assert f"To pay: {bills['shady']['total']:.2f} EUR" in out


def test_totals_of_all_homes_and_messages_for_invalid_input(command, stored, tmp_path):
    code, out, _ = command("bill", stored)
    assert code == 0 and "a [b]" in out and "shady" in out and '--home "a [b]"' in out
    code, _, err = command("bill", stored, "--home", "shaddy")
    assert code == 2 and "Did you mean 'shady'" in err
    code, _, err = command("bill", tmp_path / "nowhere")
    assert code == 2 and "no such folder" in err and "prosumax run" in err
    (stored / "bills.json").write_text("[{}]")
    code, _, err = command("bill", stored)
    assert code == 2 and "damaged" in err and err.count("\n") == 1


def test_tariff_presets_are_listed_and_printed(command, tmp_path):
    code, out, _ = command("tariffs")
    assert code == 0 and "brussels-2026" in out and "flanders-2026-dynamic" in out
    code, out, _ = command("tariffs", "wallonia-2026-impact")
    assert code == 0 and out.startswith("# Wallonia") and yaml.safe_load(out)["vat"] == 0.06
    (tmp_path / "my-tariff.yaml").write_text(out)
    code, out, _ = command(
        "run",
        "street",
        "--set",
        "period.steps=96",
        "--set",
        "tariff=my-tariff.yaml",
        "--json",
        "--no-optimum",
    )
    assert code == 0
    code, _, err = command("tariffs", "walonia-2026")
    assert code == 2 and "Did you mean 'wallonia-2026'" in err
