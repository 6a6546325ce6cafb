"""MAHTM's equations 1 to 12 by hand on two microgrids, and learned prices end to end."""

import numpy as np
import pytest

import prosumax
from prosumax.errors import InputError
from prosumax.rl.training.training import train

# Net load, kWh: at first A has a surplus and B a deficit; then A has a deficit and B a surplus.
LOAD = {"A1": [0.5, 2.0], "A2": [1.0, 1.0], "B1": [1.5, 1.0], "B2": [2.5, 0.0]}
SOLAR = {"A1": [3.5, 0.0], "B2": [0.0, 3.0]}


def district(**market):
    homes = [
        {
            "name": name,
            "microgrid": name[0],
            "load": {"source": "values", "values": load},
            **({"solar": {"source": "values", "values": SOLAR[name]}} if name in SOLAR else {}),
        }
        for name, load in LOAD.items()
    ]
    return {
        "name": "two-microgrids",
        "period": {"start": "2023-06-01T10:00", "steps": 2, "step_minutes": 60, "time_zone": None},
        "tariff": {
            "currency": "EUR",
            "energy": 0.30,
            "feed_in": 0.05,
            "emission_factor_kg_per_kwh": 0.4,
        },
        "market": {"mechanism": "hierarchy", "price_policy": "fixed", "price": 0.15, **market},
        "homes": homes,
    }


@pytest.fixture(scope="module")
def result():
    return prosumax.run(district(), optimum=False)


def test_equations_1_to_3_of_households(result):
    # 10 h: of A1's surplus of 3, A2 buys 1 (L1), B1 and B2 buy 2 as 1.5 : 2.5 (L2), and 2 from the
    # grid (L3). 11 h: of B2's surplus of 3, B1 buys 1 (L1), A1 and A2 buy 2 as 2 : 1 (L2), and 1
    # from the grid (L3).
    side = result.hierarchy.household
    third = [4 / 3, 2 / 3]
    np.testing.assert_allclose(side.import_1, [[0, 1, 0, 0], [0, 0, 1, 0]], atol=1e-6)
    np.testing.assert_allclose(side.import_2, [[0, 0, 0.75, 1.25], [*third, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(
        side.import_3, [[0, 0, 0.75, 1.25], [2 - third[0], 1 - third[1], 0, 0]], atol=1e-6
    )
    np.testing.assert_allclose(side.export_1, [[1, 0, 0, 0], [0, 0, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(side.export_2, [[2, 0, 0, 0], [0, 0, 0, 2]], atol=1e-6)
    assert side.export_3.max() == 0
    np.testing.assert_allclose(side.shortage(1), [[0, 1, 1.5, 2.5], [2, 1, 1, 0]], atol=1e-6)  # (1)
    np.testing.assert_allclose(side.surplus(1), [[3, 0, 0, 0], [0, 0, 0, 3]], atol=1e-6)  # (2)
    np.testing.assert_allclose(side.net(1), [[-3, 1, 1.5, 2.5], [2, 1, 1, -3]], atol=1e-6)  # (3)
    assert (side.shortage(1) * side.surplus(1) == 0).all()  # never both


def test_equation_4_of_households(result):
    # All local energy costs 0.15. A1 earns 3 x .15; A2 pays .15; B1 pays .75 x .15 + .75 x .30; B2
    # pays 1.25 x .15 + 1.25 x .30.
    np.testing.assert_allclose(
        result.hierarchy.household_cost[0], [-0.45, 0.15, 0.3375, 0.5625], atol=1e-6
    )
    # With carbon on level 3 only: B1 emits .75 x .4 kg.
    np.testing.assert_allclose(
        result.hierarchy.household.import_3[0] * 0.4, [0, 0, 0.3, 0.5], atol=1e-6
    )


def test_equations_5_to_8_of_microgrids(result):
    side = result.hierarchy.microgrid
    np.testing.assert_allclose(
        side.shortage(2), [[0, 4], [3, 0]], atol=1e-6
    )  # (5): imports of levels 2 and 3
    np.testing.assert_allclose(side.surplus(2), [[2, 0], [0, 2]], atol=1e-6)  # (6)
    np.testing.assert_allclose(side.net(2), [[-2, 4], [3, -2]], atol=1e-6)  # (7)
    # (8): A earns 2 x .15 as income; B pays 2 x .15 + 2 x .30. At 11 h A pays 2 x .15 + 1 x .30.
    np.testing.assert_allclose(
        result.hierarchy.microgrid_cost, [[-0.30, 0.90], [0.60, -0.30]], atol=1e-6
    )
    np.testing.assert_allclose(result.hierarchy.emissions_kg, [[0, 0.8], [0.4, 0]], atol=1e-6)


def test_equations_9_to_12_of_the_distributor(result):
    side = result.hierarchy.distributor
    np.testing.assert_allclose(side.shortage(3)[:, 0], [2, 1], atol=1e-6)  # (9)
    np.testing.assert_allclose(side.surplus(3)[:, 0], [0, 0], atol=1e-6)  # (10)
    np.testing.assert_allclose(side.net(3)[:, 0], [2, 1], atol=1e-6)  # (11)
    np.testing.assert_allclose(result.hierarchy.distributor_cost, [0.60, 0.30], atol=1e-6)  # (12)
    np.testing.assert_allclose(
        result.hierarchy.energy_flows_kwh, [[1, 2, 0], [2, 1, 0], [1, 2, 0]], atol=1e-6
    )


def test_time_series_have_every_symbol_of_table_1(result):
    series = result.timeseries
    for layer, first in (("household", 1), ("microgrid", 2), ("distributor", 3)):
        names = [
            "net",
            "shortage",
            "surplus",
            *(f"l{n}_{direction}" for n in range(first, 4) for direction in ("import", "export")),
        ]
        for name in names:
            assert series[f"{layer}_{name}_kwh"].attrs["symbol"].startswith("E^")
    prices = {
        name: series[name].attrs["symbol"] for name in series if "symbol" in series[name].attrs
    }
    assert {"r^sh", "r^bh", "r^sm", "r^bm", "r^sd", "r^bd", "c"} <= set(prices.values())
    assert list(series.microgrid.values) == ["A", "B"]
    assert "household_l2_import_kwh" in result.to_frame()


def test_receipts_with_separate_prices_add_up_to_the_bills():
    """Bills are received by supplier and price agents; the mid-market price leaves no margin."""
    kept = prosumax.run(district(single_price=False), optimum=False).kpis
    assert kept["mechanism_revenue"] == pytest.approx(0, abs=1e-6)
    assert kept["cost"] == pytest.approx(kept["supplier_revenue"], abs=1e-6)


@pytest.mark.slow
def test_trained_price_agent_sets_the_prices_of_a_run(tmp_path):
    """A price agent that is rewarded for its margin learns the ends of the price band."""
    scenario = district() | {"environment": {"episode_steps": 2, "episode_start": "first"}}
    changes = {
        "market.mechanism": "learned_price",
        "market.price_policy": "mid-market",
        "market.single_price": False,
    }
    done = train(
        scenario,
        changes | {"environment.price_rewards": {"margin": 1.0}},
        iterations=60,
        num_envs=8,
        bootstrap_on_truncation=False,
        settings={"learning_rate": 0.02, "hidden_sizes": [16], "ent_coef": 0.0},
        out=tmp_path / "run",
    )
    # Buyers pay the upper end of the band, sellers earn the lower one; mid-market leaves none.
    run = prosumax.run(
        scenario, changes | {"market.price_policy": str(tmp_path / "run")}, optimum=False
    )
    assert (
        done.test_metrics["learned"]["cost"][0]
        > done.test_metrics["mid-market price"]["cost"][0] + 0.1
    )
    traded = run.kpis["traded_kwh"]
    # At least a half of the traded energy and most of half of the price band of 0.25.
    assert run.kpis["mechanism_revenue"] > 0.2 * traded * 0.5
    prices = run.trajectory.record.levels.prices
    assert (prices.buy <= 0.30 + 1e-6).all() and (prices.sell >= 0.05 - 1e-6).all()


def test_invalid_price_policy_is_an_error(tmp_path):
    with pytest.raises(InputError, match="neither a rule nor a folder"):
        prosumax.run(district(price_policy=str(tmp_path / "nowhere")), optimum=False)
    with pytest.raises(InputError, match="no price agent 'x'"):
        train(
            district(),
            {
                "population": [{"price_agents": ["x"], "policy": "ppo"}],
                "environment.episode_steps": 2,
            },
        )
    with pytest.raises(InputError, match="the market mechanism has no price agents"):
        train(
            district(mechanism="none", price_policy="mid-market"),
            {
                "population": [{"price_agents": "all", "policy": "ppo"}],
                "environment.episode_steps": 2,
            },
        )
