"""The command line: output, written files, and messages for invalid input."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

from prosumax.data import datasets

KPIS = (
    "import_kwh export_kwh home_import_kwh home_export_kwh cost emissions_kg self_consumption "
    "self_sufficiency peak_kw"
)


@pytest.fixture
def scenario_file(tiny, tmp_path):
    def write(**changes):
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump({**tiny, **changes}))
        return path

    return write


def test_run_prints_tables_and_writes_a_result(command, scenario_file, tmp_path):
    code, out, _ = command(
        "run",
        scenario_file(),
        "--set",
        "policy=self-consumption",
        "--set",
        "market.mechanism=mid_market_rate",
    )
    assert code == 0
    for word in ("sunny", "shady", "solar, battery", "Self-sufficiency", "report.html"):
        assert word in out
    folder = tmp_path / "results" / "tiny"
    assert {file.name for file in folder.iterdir()} == {
        "scenario.yaml",
        "kpis.json",
        "timeseries.nc",
        "timeseries.parquet",
        "ledger.jsonl",
        "report.html",
        "bills.json",
    }
    kpis = json.loads((folder / "kpis.json").read_text())["kpis"]
    series = xr.open_dataset(folder / "timeseries.nc")
    assert float(series.import_kwh.sum()) == pytest.approx(kpis["home_import_kwh"], rel=1e-6)
    assert str(series.time.values[0]) == "2023-06-01T08:00:00.000000000"  # 10:00 in Brussels
    table = pd.read_parquet(folder / "timeseries.parquet")
    assert table.groupby("home").bill.sum().sum() == pytest.approx(kpis["cost"], rel=1e-6)
    # The stored scenario includes the overrides and can be run again.
    code, out, _ = command("run", folder / "scenario.yaml", "--json")
    assert code == 0 and json.loads(out)["kpis"] == kpis
    # A second run does not overwrite the first.
    command("run", scenario_file())
    assert (tmp_path / "results" / "tiny-2" / "kpis.json").is_file()


def test_json_output_has_the_documented_keys(command, scenario_file, tmp_path):
    code, out, _ = command("run", scenario_file(), "--json", "--seed", 7)
    result = json.loads(out)
    assert code == 0
    assert {*KPIS.split(), "traded_kwh", "citylearn"} <= set(result["kpis"])
    assert [home["name"] for home in result["households"]] == ["sunny", "shady"]
    assert {"name", "bill", "saving", "import_kwh", "export_kwh"} <= set(result["households"][0])
    assert {"build_s", "compile_s", "simulate_s", "steps"} <= set(result["timing"])
    assert not (tmp_path / "results").exists()
    code, out, _ = command(
        "compare", scenario_file(), "--mechanisms", "none,mid_market_rate", "--json"
    )
    assert code == 0 and list(json.loads(out)) == ["none", "mid_market_rate"]


def test_hand_computed_bills(command, scenario_file):
    """Check bills computed by hand.

    Loads 0.5 and 1, 2, 1, 2 kWh; PV generation 2, 3, 1, 0 kWh; retail price 0.30, feed-in price
    0.05, mid-market price 0.175.
    """
    _, out, _ = command(
        "compare", scenario_file(), "--mechanisms", "none,mid_market_rate", "--json"
    )
    none, shared = json.loads(out).values()
    assert [home["bill"] for home in none["households"]] == pytest.approx(
        [0.5 * 0.3 - 4.5 * 0.05, 6 * 0.3]
    )
    # Surplus 1.5, 2.5, 0.5, 0 meets demand 1, 2, 1, 2.5: shared energy 1 + 2 + 0.5.
    assert shared["kpis"]["traded_kwh"] == pytest.approx(3.5)
    sunny = 0.5 * 0.3 - 3.5 * 0.175 - 1.0 * 0.05
    assert [home["bill"] for home in shared["households"]] == pytest.approx(
        [sunny, 3.5 * 0.175 + 2.5 * 0.3]
    )


def test_compare_prints_and_writes(command, scenario_file, tmp_path):
    code, out, _ = command(
        "compare", scenario_file(), "--mechanisms", "none, mid_market_rate", "--out", "here"
    )
    assert code == 0 and "mid_market_rate" in out and "No home loses" in out
    assert (tmp_path / "here" / "report.html").is_file()
    assert set(json.loads((tmp_path / "here" / "kpis.json").read_text())) == {
        "none",
        "mid_market_rate",
    }


@pytest.mark.parametrize(
    ("listing", "names"),
    [
        ("scenarios", ["street", "citylearn-2022"]),
        ("mechanisms", ["none", "mid_market_rate"]),
        ("sources", ["Load source", "antgen", "PV source", "Price source", "time_of_use"]),
        ("devices", ["battery", "heat_pump"]),
        ("plugins", []),
        (
            "policies",
            [
                "none",
                "self-consumption",
                "zero-intelligence",
                "citylearn-basic-rbc",
                "citylearn-optimized-rbc",
            ],
        ),
    ],
)
def test_listings_contain_known_names(command, listing, names):
    code, out, _ = command(listing)
    assert code == 0 and all(name in out for name in names)


def _meter_csv(folder: Path, values, start="2023-06-01T00:00", minutes=15, header="time,load_kwh"):
    stamps = pd.date_range(start, periods=len(values), freq=f"{minutes}min")
    rows = "\n".join(
        f"{stamp:%Y-%m-%d %H:%M},{value}" for stamp, value in zip(stamps, values, strict=True)
    )
    (folder / "meter.csv").write_text(f"{header}\n{rows}\n")


def _with_meter(tiny, steps=96, **load):
    period = {"start": "2023-06-01T00:00", "steps": steps, "step_minutes": 15}
    homes = [{"name": "a", "load": {"source": "table", "file": "meter.csv", **load}}]
    return {**tiny, "period": period, "homes": homes}


def _day(gap=None, change=None):
    values = [f"{value:.2f}" for value in np.linspace(0.1, 0.5, 96)]
    if change:
        values[change[0]] = change[1]
    return values[: 96 - gap] if gap else values


# Mistake -> (function that makes it, parts of the expected message).
INVALID_INPUTS = {
    "wrong type": (lambda f, t: t | {"seed": "lots"}, ["mine.yaml: seed", "'lots'", "integer"]),
    "unknown key": (
        lambda f, t: t | {"polici": "none"},
        ["mine.yaml: polici", "Did you mean 'policy'"],
    ),
    "missing file": (lambda f, t: _with_meter(t), ["homes.0.load", "meter.csv"]),
    "missing column": (
        lambda f, t: _meter_csv(f, _day()) or _with_meter(t, column="lod_kwh"),
        ["homes.0.load", "lod_kwh", "load_kwh"],
    ),
    "NaN": (
        lambda f, t: _meter_csv(f, _day(change=(5, "NaN"))) or _with_meter(t),
        ["line 7", "fill"],
    ),
    "negative load": (
        lambda f, t: _meter_csv(f, _day(change=(9, "-0.4"))) or _with_meter(t),
        ["line 11", "-0.4", "injection"],
    ),
    "misaligned lengths": (
        lambda f, t: _meter_csv(f, _day()) or _with_meter(t, steps=480),
        ["homes.0.load", "2023-06-02"],
    ),
    "90-value day": (
        lambda f, t: _meter_csv(f, _day(gap=6)) or _with_meter(t),
        ["2023-06-01", "90", "96"],
    ),
    "unknown mechanism": (
        lambda f, t: t | {"market": {"mechanism": "mid_market_rat"}},
        ["market.mechanism", "Did you mean 'mid_market_rate'"],
    ),
    "zero homes": (lambda f, t: t | {"homes": []}, ["mine.yaml: homes", "at least one"]),
    "capacity below zero": (
        lambda f, t: (
            t | {"homes": [{**t["homes"][0], "battery": {"capacity_kwh": -1, "charge_kw": 1}}]}
        ),
        ["homes.0.battery.capacity_kwh", "-1", "greater than 0"],
    ),
}


@pytest.mark.parametrize("mistake", INVALID_INPUTS)
def test_invalid_input_is_one_paragraph_and_changes_nothing(
    mistake, command, tiny, scenario_file, tmp_path
):
    assert command("run", scenario_file(), "--out", "kept")[0] == 0
    before = {file: file.read_bytes() for file in sorted((tmp_path / "kept").rglob("*"))}
    make, words = INVALID_INPUTS[mistake]
    code, out, err = command("run", scenario_file(**make(tmp_path, tiny)), "--out", "kept")
    assert (code, out) == (2, "")
    assert err.startswith("Error: ") and err.count("\n") == 1 and "Traceback" not in err
    for word in words:
        assert word in err, err
    assert {file: file.read_bytes() for file in sorted((tmp_path / "kept").rglob("*"))} == before


def test_corrupted_download_is_rejected(command, tmp_path, monkeypatch):
    """A download whose checksum differs is rejected, and the cache is unchanged."""
    monkeypatch.setenv("PROSUMAX_CACHE_DIR", str(tmp_path / "cache"))

    class FakePip:
        """Stand-in for pip that writes a valid archive with the wrong content."""

        returncode = 0

        def __init__(self, arguments, **_):
            folder = Path(arguments[arguments.index("--dest") + 1])
            folder.mkdir(parents=True)
            with zipfile.ZipFile(folder / "CityLearn-2.1.2-py3-none-any.whl", "w") as archive:
                archive.writestr(
                    "citylearn/data/citylearn_challenge_2022_phase_1/schema.json", "{}"
                )

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def poll(self):
            return 0

    monkeypatch.setattr(datasets.subprocess, "Popen", FakePip)
    code, _, err = command("run", "citylearn-2022", "--json")
    assert code == 2 and "corrupted" in err and "sha256" in err and "Traceback" not in err
    assert not list((tmp_path / "cache").iterdir())


def test_damaged_cache_names_the_file_and_the_fix(command, citylearn_data, tmp_path, monkeypatch):
    monkeypatch.setenv("PROSUMAX_CACHE_DIR", str(tmp_path / "cache"))
    copy = tmp_path / "cache" / citylearn_data.name
    copy.mkdir(parents=True)
    for file in citylearn_data.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    with (copy / "Building_3.csv").open("ab") as damaged:
        damaged.write(b"1,2,3\n")
    code, _, err = command("run", "citylearn-2022", "--json")
    assert code == 2 and "Building_3.csv" in err and "data fetch citylearn-2022 --force" in err


def test_failed_download_names_the_fix(command, tmp_path, monkeypatch):
    monkeypatch.setenv("PROSUMAX_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    code, _, err = command("run", "citylearn-2022", "--json")
    assert code == 2 and "--data-dir" in err and "could not be downloaded" in err


def test_citylearn_folder_with_new_column_names(command, citylearn_data, tmp_path):
    """CityLearn renamed its columns after version 2.1.2; results must not change."""
    names = {
        "Month": "month",
        "Hour": "hour",
        "Equipment Electric Power [kWh]": "non_shiftable_load",
    }
    names |= {
        "Solar Generation [W/kW]": "solar_generation",
        "Electricity Pricing [$/kWh]": "electricity_pricing",
    }
    names |= {"kg_CO2/kWh": "carbon_intensity"}
    folder = tmp_path / "renamed"
    folder.mkdir()
    for file in citylearn_data.iterdir():
        if file.suffix == ".csv":
            pd.read_csv(file).rename(columns=names).to_csv(folder / file.name, index=False)
    (folder / "schema.json").write_bytes((citylearn_data / "schema.json").read_bytes())
    code, out, _ = command("run", folder, "--json")
    assert code == 0
    assert json.loads(out)["kpis"]["home_import_kwh"] == pytest.approx(29256.26, rel=1e-3)
    assert (
        command(
            "run", "citylearn-2022", "--data-dir", folder, "--json", "--set", "period.steps=24"
        )[0]
        == 0
    )
    code, _, err = command(
        "run", "citylearn-2022", "--data-dir", folder, "--set", "period.steps=9000"
    )
    assert code == 2 and "8760 rows" in err
    code, _, err = command(
        "run",
        "citylearn-2022",
        "--set",
        "period.start=2016-08-01T05:00",
        "--set",
        "period.steps=24",
    )
    assert code == 2 and "hour 24" in err and "23:00" in err


def test_folder_with_other_files_is_not_overwritten(command, scenario_file, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.txt").write_text("miaow")
    code, _, err = command("run", scenario_file(), "--out", "photos")
    assert code == 2 and "cat.txt" in err
    assert (tmp_path / "photos" / "cat.txt").read_text() == "miaow"


def test_other_files_beside_a_result_prevent_its_replacement(command, scenario_file, tmp_path):
    """A result folder is replaced as a whole, so it must not contain other files."""
    assert command("run", scenario_file(), "--out", "kept")[0] == 0
    (tmp_path / "kept" / "thesis.txt").write_text("years of work")
    code, _, err = command("run", scenario_file(), "--out", "kept")
    assert code == 2 and "thesis.txt" in err
    assert (tmp_path / "kept" / "thesis.txt").read_text() == "years of work"
    (tmp_path / "kept" / "thesis.txt").unlink()
    assert command("run", scenario_file(), "--out", "kept")[0] == 0
    code, _, err = command("compare", scenario_file(), "--mechanisms", "none", "--out", "kept")
    assert code == 2 and (tmp_path / "kept" / "timeseries.nc").is_file()


@pytest.mark.parametrize("out", ["/proc/x", "/dev/null/x", "/dev/null"])
def test_unwritable_folders_are_reported(command, scenario_file, out):
    code, _, err = command("run", scenario_file(), "--out", out)
    assert code == 2 and err.count("\n") == 1 and "--out" in err


def test_invalid_dates_and_too_long_periods_are_reported(command, scenario_file):
    for override in (
        "period.start=2023-02-30",
        "period.start=2023-13-01",
        "period.steps=2000000000",
    ):
        code, _, err = command("run", scenario_file(), "--set", override)
        assert code == 2 and override.split("=")[0] in err and err.count("\n") == 1, err


def test_unknown_emissions_are_not_zero_and_idle_batteries_are_noted(command, tiny, scenario_file):
    tariff = {
        name: value
        for name, value in tiny["tariff"].items()
        if name != "emission_factor_kg_per_kwh"
    }
    code, out, err = command("run", scenario_file(tariff=tariff))
    assert code == 0 and "unknown" in out and "are idle" in err
    code, out, _ = command("run", scenario_file(tariff=tariff), "--json")
    assert json.loads(out)["kpis"]["emissions_kg"] is None
    code, out, _ = command("--version")
    assert code == 0 and out.startswith("prosumax ")


def test_command_line_starts_without_the_simulator():
    heavy = ("jax", "pandas", "pyarrow", "xarray", "scipy")
    code = f"import sys, prosumax.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_installed_command_starts():
    done = subprocess.run(
        [Path(sys.executable).with_name("prosumax"), "run", "stret"], capture_output=True, text=True
    )
    assert (
        done.returncode == 2
        and "Did you mean 'street'" in done.stderr
        and done.stderr.count("\n") == 1
    )


def test_ledger_verification_finds_an_edited_trade(command, scenario_file, tmp_path):
    command("run", scenario_file(market={"mechanism": "double_auction"}), "--out", "kept")
    code, out, _ = command("ledger", "verify", "kept")
    assert code == 0 and "Valid: 3 blocks" in out
    ledger = tmp_path / "kept" / "ledger.jsonl"
    lines = ledger.read_text().splitlines(keepends=True)
    assert '"sunny",2.000000,0.17500000' in lines[2], lines[2]
    lines[2] = lines[2].replace('"sunny",2.000000', '"sunny",2.000001')
    ledger.write_text("".join(lines))
    code, _, err = command("ledger", "verify", "kept")
    assert code == 2 and "block 1" in err and "Traceback" not in err


@pytest.mark.slow
def test_bills_of_all_mechanisms_add_up(command, scenario_file):
    code, out, _ = command("compare", scenario_file(), "--mechanisms", "all", "--json")
    results = json.loads(out)
    assert code == 0 and len(results) >= 20
    for name, result in results.items():
        kpis = result["kpis"]
        bills = sum(home["bill"] for home in result["households"])
        received = sum(
            kpis[f"{party}_revenue"]
            for party in ("supplier", "network_operator", "government", "mechanism")
        )
        assert bills == pytest.approx(received, abs=1e-5), name
        assert kpis["cost"] == pytest.approx(bills), name
        for home in result["households"]:
            items = home["bill_items"]
            credits = items["sold_locally"] + items["feed_in"]
            owed = sum(items.values()) - 2 * credits
            assert home["bill"] == pytest.approx(owed, abs=1e-6), name


def test_market_options_are_checked(command, scenario_file):
    wrong = [
        (
            {"mechanism": "key_static", "shares": {"sunny": 0.5, "shady": 0.6}},
            "add up to 1, not 1.1",
        ),
        ({"mechanism": "key_static", "shares": {"sunny": 0.5, "shdy": 0.5}}, "market.shares"),
        ({"mechanism": "key_cascade", "cascade_order": ["shady", "shady", "sunny"]}, "twice"),
        ({"mechanism": "key_equal", "price_rule": "fixed"}, "requires `price`"),
    ]
    for market, words in wrong:
        code, _, err = command("run", scenario_file(market=market), "--json")
        assert code == 2 and words in err, err
