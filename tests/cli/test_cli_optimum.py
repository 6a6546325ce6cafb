"""Optimal policies and optimality KPIs on the command line."""

import json
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from prosumax.cli import app

pytest.importorskip("linopy")


@pytest.fixture
def shell(tmp_path, tiny, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    return lambda *words: CliRunner().invoke(app, words)


def test_json_output_of_an_optimal_policy(shell):
    found = shell("run", "mahtm-train", "--policy", "optimal", "--json")
    assert found.exit_code == 0
    kpis = json.loads(found.stdout)["kpis"]
    assert [kpis[name] for name in ("price_score", "emission_score", "reward")] == pytest.approx(
        [-0.1266, -0.2294, -0.8841], abs=2e-4
    )


def test_policies_are_compared_in_one_table(shell):
    policies = "none,self-consumption,mpc,optimal,community-optimal"
    words = ("compare", "tiny.yaml", "--mechanisms", "none,mid_market_rate", "--policies", policies)
    found = shell(*words)
    assert found.exit_code == 0, found.output
    for mechanism in ("none", "mid_market_rate"):
        for policy in policies.split(","):
            assert f"{mechanism}, {policy}" in found.stdout
    (report,) = Path("results").iterdir()
    kpis = {
        name: entry["kpis"]
        for name, entry in json.loads((report / "kpis.json").read_text()).items()
    }
    assert kpis["none, optimal"]["share_of_individual_gain"] == pytest.approx(1, abs=1e-4)
    assert kpis["mid_market_rate, community-optimal"]["share_of_optimal_gain"] == pytest.approx(
        1, abs=1e-4
    )
    html = (report / "report.html").read_text()
    assert "Of the gain of perfect foresight" in html and f"--policies {policies}" in html


def test_kpis_of_the_optimum_are_null_without_it(shell):
    kpis = json.loads(shell("run", "tiny.yaml", "--no-optimum", "--json").stdout)["kpis"]
    assert (
        kpis["individual_optimum"] is None
        and kpis["share_of_optimal_gain"] is None
        and kpis["baseline_objective"] > 0
    )


def test_missing_solver_names_the_extra(shell, monkeypatch):
    monkeypatch.setitem(sys.modules, "linopy", None)
    found = shell("run", "tiny.yaml", "--optimum", "--json")
    assert found.exit_code != 0 and "pip install 'prosumax[optimum]'" in str(found.exception)


def test_unknown_policy_is_reported(shell):
    found = shell("compare", "tiny.yaml", "--mechanisms", "none", "--policies", "optimum")
    assert "Did you mean 'optimal'" in str(found.exception)


def test_override_applies_to_all_homes(shell):
    changes = ("--set", "homes.*.battery.capacity_kwh=2", "--set", "homes.*.battery.charge_kw=0.1")
    found = shell("run", "mahtm-train", "--policy", "optimal", *changes, "--json")
    homes = json.loads(found.stdout)["households"]
    # A day at 0.1 kW moves 2.4 kWh at most: 0.6 full cycles of 2 kWh.
    assert 0 < max(home["battery_cycles"] for home in homes) <= 0.6
