"""Receding horizon: exact with perfect forecasts, and worse with worse forecasts."""

import numpy as np
import pytest

import prosumax
from prosumax.optimization.mpc import make_forecaster
from tests.optimization.problems import make_problem

pytest.importorskip("linopy")


def test_a_horizon_of_a_day_is_optimal_for_one_day():
    for policy, share in (
        ("mpc", "share_of_individual_gain"),
        ("community-mpc", "share_of_optimal_gain"),
    ):
        changes = {"policy": policy, "market.mechanism": "mid_market_rate"}
        assert prosumax.run("mahtm-train", changes).kpis[share] == pytest.approx(1, abs=1e-4)


def test_worse_forecasts_give_a_smaller_gain():
    days = {"period.steps": 96, "policy": "mpc", "mahtm.noise": True}
    kinds = ("perfect", "noisy", "persistence")
    runs = [prosumax.run("mahtm-train", {**days, "control.forecast": kind}).kpis for kind in kinds]
    shares = [found["share_of_individual_gain"] for found in runs]
    assert (
        0.97 < shares[0] <= 1 + 1e-6 and shares[0] > shares[1] > 0.5 and shares[0] > shares[2] > 0.5
    )


def test_capacity_charges_are_anticipated():
    """One home with a high load in the evening and a capacity charge: charging before it pays."""
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
        "tariff": {"energy": 0.3, "feed_in": 0.05, "capacity_charge_per_kw_year": 4000},
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
    assert result.kpis["network_operator_revenue"] == pytest.approx(4 * 4000 / 12 / 31)


def test_forecasts_of_net_energy():
    problem = make_problem("mahtm-train", {"period.steps": 72, "mahtm.noise": True})
    net = problem.net_kwh
    np.testing.assert_array_equal(make_forecaster(problem, "perfect", 24)(30), net[30:54])
    yesterday = make_forecaster(problem, "persistence", 36)(30)
    np.testing.assert_array_equal(yesterday[0], net[30])  # the present is known
    np.testing.assert_array_equal(yesterday[1:24], net[7:30])
    np.testing.assert_array_equal(
        yesterday[25], net[7]
    )  # two days ago stands for the day after tomorrow
    noisy = np.stack([make_forecaster(problem, "noisy", 24, 0.2, seed)(30) for seed in range(400)])
    np.testing.assert_array_equal(noisy[:, 0], net[30][None].repeat(400, 0))
    np.testing.assert_allclose(
        (noisy[:, -1] - net[53]).std(0), 0.2 * np.abs(net).mean(0), rtol=0.15
    )
    assert not make_forecaster(problem, "noisy", 24)(60)[12:].any()  # nothing behind the period
