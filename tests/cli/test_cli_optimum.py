"""The optimum on the command line."""

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


def test_run_with_a_policy_prints_only_json(shell):
    found = shell("run", "mahtm-train", "--policy", "optimal", "--json")
    assert found.exit_code == 0
    kpis = json.loads(found.stdout)["kpis"]
    assert [kpis[name] for name in ("price_score", "emission_score", "reward")] == pytest.approx(
        [-0.1266, -0.2294, -0.8841], abs=2e-4
    )


def test_compare_policies_in_one_table(shell):
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
    assert kpis["none, optimal"]["share_of_own_gain"] == pytest.approx(1, abs=1e-4)
    assert kpis["mid_market_rate, community-optimal"]["share_of_gain"] == pytest.approx(1, abs=1e-4)
    html = (report / "report.html").read_text()
    assert "Of the gain of perfect foresight" in html and f"--policies {policies}" in html


def test_without_the_optimum_its_figures_are_null(shell):
    kpis = json.loads(shell("run", "tiny.yaml", "--no-optimum", "--json").stdout)["kpis"]
    assert (
        kpis["own_optimum"] is None and kpis["share_of_gain"] is None and kpis["idle_objective"] > 0
    )


def test_a_missing_solver_says_how_to_get_it(shell, monkeypatch):
    monkeypatch.setitem(sys.modules, "linopy", None)
    found = shell("run", "tiny.yaml", "--optimum", "--json")
    assert found.exit_code != 0 and "pip install 'prosumax[optimum]'" in str(found.exception)


def test_unknown_policy_of_a_comparison(shell):
    found = shell("compare", "tiny.yaml", "--mechanisms", "none", "--policies", "optimum")
    assert "Did you mean 'optimal'" in str(found.exception)


def test_all_homes_at_once(shell):
    changes = ("--set", "homes.*.battery.capacity_kwh=2", "--set", "homes.*.battery.charge_kw=0.1")
    found = shell("run", "mahtm-train", "--policy", "optimal", *changes, "--json")
    homes = json.loads(found.stdout)["households"]
    # A day at 0.1 kW moves 2.4 kWh at most: 0.6 full cycles of 2 kWh.
    assert 0 < max(home["battery_cycles"] for home in homes) <= 0.6
