"""The components of the plugin: the checks of prosumax, and examples by hand."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.testing import check_device, check_env, check_mechanism, check_policy
from prosumax_example.peak_first import reduce_peaks

SCENARIO = Path(__file__).parents[1] / "street-with-pool.yaml"
DAY = {"period.steps": 96}


def test_prosumax_finds_the_components():
    """Entry points make the names available without an import of the package."""
    assert "peak_first" in prosumax.list_mechanisms()
    assert "midday-pool" in prosumax.list_policies()


def test_mechanism_has_the_properties_of_a_market():
    """Energy and money balance, homes do not lose, and the order of homes does not matter."""
    check_mechanism("peak_first")


def test_surplus_lowers_the_highest_demand_first():
    """2.5 kWh cut demands of 4, 3 and 1 kWh to 2.25, 2.25 and 1 kWh."""
    bought = reduce_peaks(jnp.float32([4.0, 3.0, 1.0]), jnp.float32(2.5))
    np.testing.assert_allclose(bought, [1.75, 0.75, 0.0], atol=1e-6)


@pytest.mark.parametrize("config", [{}, {"hours_per_day": 24}, {"power_kw": 1.5, "from_hour": 20}])
def test_device_has_the_properties_of_a_device(config):
    """Energy closes, limits hold, and the device keeps the plan of its linear program."""
    check_device("pool_pump", config)


@pytest.mark.parametrize("scenario", [None, SCENARIO])
def test_policy_decides_for_every_community(scenario):
    """Requests have the right shapes and finite values, with and without pumps."""
    check_policy("midday-pool", scenario)


def test_the_pump_runs_its_hours_on_every_day():
    """Two days of 8 h at 0.75 kW and of 6 h at 1.1 kW, under the timer and under the policy."""
    two_days = {"period.steps": 192}
    for policy in ("none", "midday-pool"):
        policies = {"homes.0.policy": policy, "homes.1.policy": policy}
        result = prosumax.run(SCENARIO, two_days | policies, optimum=False)
        energy = [home["pool_pump_kwh"] for home in result.households[:2]]
        np.testing.assert_allclose(energy, [12.0, 13.2], rtol=1e-5)


def test_the_optimum_moves_the_pump():
    """The optimal plan of each home is cheaper than the timer, and the simulation keeps it."""
    timer = {"homes.0.policy": "none", "homes.1.policy": "none"}
    result = prosumax.run(SCENARIO, DAY | timer, optimum=True)
    alone = sum(home["bill_without_exchange"] for home in result.households)
    assert result.kpis["individual_optimum"] < 0.99 * alone
    bound = result.kpis["individual_optimum_bound"]
    assert result.kpis["individual_optimum"] == pytest.approx(bound, rel=1e-4)


def test_agents_control_the_pump():
    """The pump has an action, an observation and a mask."""
    env = prosumax.make(SCENARIO, DAY | {"environment.episode_steps": 24})
    assert env.action_names == ["battery", "pool_pump"]
    assert "pool_pump_remaining" in env.observation_names
    _, state = env.reset(jax.random.key(0))
    has_pump = env.action_mask(state)[:, 1]
    assert has_pump.tolist() == [True, True, False, False]
    check_env(env)
