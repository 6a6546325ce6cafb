"""Rolling horizon: exact where it sees everything, worse with worse forecasts, never outside the battery."""

import numpy as np
import pytest

import prosumax
from prosumax.optimization.mpc import forecaster
from prosumax.optimization.problem import pose
from prosumax.simulation.build import assemble
from prosumax.simulation.inputs import read_profiles

pytest.importorskip("linopy")


def test_a_day_ahead_is_all_of_mahtms_day():
    for policy, share in (("mpc", "share_of_own_gain"), ("community-mpc", "share_of_gain")):
        changes = {"policy": policy, "market.mechanism": "mid_market_rate"}
        assert prosumax.run("mahtm-train", changes).kpis[share] == pytest.approx(1, abs=1e-4)


def test_worse_forecasts_are_worth_less():
    days = {"period.steps": 96, "policy": "mpc", "mahtm.noise": True}
    kinds = ("perfect", "noisy", "persistence")
    runs = [prosumax.run("mahtm-train", {**days, "control.forecast": kind}).kpis for kind in kinds]
    shares = [found["share_of_own_gain"] for found in runs]
    assert (
        0.97 < shares[0] <= 1 + 1e-6 and shares[0] > shares[1] > 0.5 and shares[0] > shares[2] > 0.5
    )


def test_capacity_charge_is_seen_coming():
    """One home, one high load in the evening, a charge on the highest import: charging before it pays."""
    source = {
        "name": "peak",
        "period": {"start": "2023-01-01T00:00", "steps": 24, "step_minutes": 60, "time_zone": None},
        "homes": [
            {
                "name": "only",
                "load": {"source": "values", "values": [0.5] * 18 + [4.0] + [0.5] * 5},
                "battery": {"capacity_kwh": 4, "charge_kw": 2},
            }
        ],
        "tariff": {"energy": 0.3, "feed_in": 0.05, "capacity_per_kw_year": 4000},
    }
    peaks = {
        policy: prosumax.run(source, {"policy": policy}).kpis["peak_kw"]
        for policy in ("none", "optimal", "mpc")
    }
    assert peaks["none"] == pytest.approx(4)
    assert (
        peaks["optimal"] == pytest.approx(2, abs=0.01) == peaks["mpc"]
    )  # 2 kW is all the battery can give
    result = prosumax.run(source, {"policy": "none"})
    # 4 kW for one day of January, a twelfth of the yearly rate, and nothing else but 0.30 per kWh.
    assert result.households[0]["bill"] == pytest.approx(0.3 * (23 * 0.5 + 4) + 4 * 4000 / 12 / 31)
    assert result.households[0]["bill_items"]["capacity_charge"] == pytest.approx(
        4 * 4000 / 12 / 31
    )
    assert result.kpis["network_operator_receives"] == pytest.approx(4 * 4000 / 12 / 31)


def test_forecasts():
    scenario = prosumax.load_scenario("mahtm-train", {"period.steps": 72, "mahtm.noise": True})
    profiles = read_profiles(scenario)
    problem = pose(scenario, profiles, assemble(scenario, profiles))
    net = problem.net_kwh
    np.testing.assert_array_equal(forecaster(problem, "perfect", 24)(30), net[30:54])
    yesterday = forecaster(problem, "persistence", 36)(30)
    np.testing.assert_array_equal(yesterday[0], net[30])  # the present is known
    np.testing.assert_array_equal(yesterday[1:24], net[7:30])
    np.testing.assert_array_equal(
        yesterday[25], net[7]
    )  # two days ago stands for the day after tomorrow
    noisy = np.stack([forecaster(problem, "noisy", 24, 0.2, seed)(30) for seed in range(400)])
    np.testing.assert_array_equal(noisy[:, 0], net[30][None].repeat(400, 0))
    np.testing.assert_allclose(
        (noisy[:, -1] - net[53]).std(0), 0.2 * np.abs(net).mean(0), rtol=0.15
    )
    assert not forecaster(problem, "noisy", 24)(60)[12:].any()  # nothing behind the period
