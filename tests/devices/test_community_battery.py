"""Community battery: accounts of the homes, bills, and the optimum of their shares."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import prosumax
from prosumax.devices.community_battery import CommunityBattery

BATTERY = CommunityBattery()
CONFIG = BATTERY.config(
    capacity_kwh=10, charge_kw=4, discharge_kw=6, soc_min=0.1, initial_soc=0.3, shares={"a": 1}
)
HOURS = 0.5


@settings(max_examples=30)
@given(requests=st.lists(st.floats(-9, 9), min_size=1, max_size=12))
def test_step_equals_a_scalar_battery(requests):
    """Charge at most 4 kW, discharge at most 6 kW, between 1 and 10 kWh, 94.87 % each way."""
    params = BATTERY.build_params([[CONFIG], [CONFIG]], ["a", "b"], HOURS)
    state = BATTERY.init(params)
    stored = 3.0
    for request in requests:
        request_kw = jnp.full((2, 1), request, jnp.float32)
        state, flow = BATTERY.step(params, state, None, request_kw, jnp.float32(HOURS))
        charge = min(max(request, 0) * HOURS, 4 * HOURS, (10 - stored) / 0.9487)
        discharge = min(max(-request, 0) * HOURS, 6 * HOURS, (stored - 1) * 0.9487)
        stored += charge * 0.9487 - discharge / 0.9487
        # Single precision on up to twelve steps with a stored energy of up to 10 kWh.
        assert float(flow.charge_kwh[0]) == pytest.approx(charge, abs=2e-5)
        assert float(flow.discharge_kwh[0]) == pytest.approx(discharge, abs=2e-5)
        assert float(state.stored_kwh[0]) == pytest.approx(stored, abs=2e-5)
        assert not flow.charge_kwh[1] and not flow.discharge_kwh[1]


def scenario(shares=None, **config):
    """Return two homes for a day: one with PV at noon, one with load in the evening."""
    solar = [0.0] * 10 + [3.0] * 4 + [0.0] * 10
    evening = [0.2] * 18 + [1.5] * 4 + [0.2] * 2
    battery = {"capacity_kwh": 8, "charge_kw": 4, "soc_min": 0.1, **config}
    return {
        "name": "shared",
        "period": {"start": "2023-01-16T00:00", "steps": 24, "step_minutes": 60},
        "homes": [
            {
                "name": "sunny",
                "load": {"source": "values", "values": evening},
                "solar": {"source": "values", "values": solar},
            },
            {"name": "shady", "load": {"source": "values", "values": evening}},
        ],
        "shared_devices": {"community_battery": battery | ({"shares": shares} if shares else {})},
        "tariff": {"energy": 0.3, "feed_in": 0.05},
        "policy": "self-consumption",
    }


def test_each_home_uses_its_share_and_pays_its_own_bill():
    result = prosumax.run(scenario({"sunny": 0.75, "shady": 0.25}), optimum=False)
    sunny, shady = result.households
    # The sunny home fills its 6 kWh at 3 kW: (6 - 0.6) / 0.9487 kWh.
    assert sunny["community_battery_charge_kwh"] == pytest.approx(5.4 / 0.9487, rel=1e-5)
    assert sunny["community_battery_discharge_kwh"] == pytest.approx(5.4 * 0.9487, rel=1e-5)
    assert shady["community_battery_charge_kwh"] == 0
    exported = 4 * (3.0 - 0.2) - 5.4 / 0.9487
    imported = sum([0.2] * 10 + [1.5] * 4 + [0.2] * 6) - 5.4 * 0.9487
    expected = 0.3 * imported - 0.05 * exported
    assert sunny["bill"] == pytest.approx(expected, rel=1e-5)
    assert result.kpis["battery_loss_kwh"] == pytest.approx(5.4 / 0.9487 - 5.4 * 0.9487, rel=1e-5)


def test_optimum_equals_an_independent_linear_program():
    """Charge, discharge and purchases of each home in scipy, with time-varying prices."""
    content = scenario({"sunny": 0.75, "shady": 0.25}, initial_soc=0.5)
    prices = [0.1] * 6 + [0.3] * 10 + [0.5] * 6 + [0.2] * 2
    content["tariff"]["energy"] = {"source": "values", "values": prices}
    result = prosumax.run(content)
    evening = np.array([0.2] * 18 + [1.5] * 4 + [0.2] * 2)
    solar = np.array([0.0] * 10 + [3.0] * 4 + [0.0] * 10)
    cost = 0.0
    identity = np.eye(24)
    lower = np.tril(np.ones((24, 24)))
    for net, share in ((evening - solar, 0.75), (evening, 0.25)):
        capacity = 8 * share
        # Columns: charge, discharge, import, export.
        change = np.hstack([0.9487 * lower, -lower / 0.9487, 0 * lower, 0 * lower])
        solution = linprog(
            np.concatenate([np.zeros(48), prices, np.full(24, -0.05)]),
            A_eq=np.hstack([identity, -identity, -identity, identity]),
            b_eq=-net,
            A_ub=np.vstack([change, -change]),
            b_ub=np.concatenate([np.full(24, 0.5 * capacity), np.full(24, 0.4 * capacity)]),
            bounds=[(0, 4 * share)] * 48 + [(0, None)] * 48,
        )
        cost += solution.fun
    # Parameters and prices of the run are single precision.
    assert result.kpis["individual_optimum"] == pytest.approx(cost, rel=1e-5)
    assert result.kpis["community_optimum"] <= result.kpis["individual_optimum"] + 1e-6


def test_learners_steer_and_observe_their_shares():
    environment = {"observations": ["community_battery_soc"], "episode_steps": 24}
    env = prosumax.make(scenario(initial_soc=0.5) | {"environment": environment})
    assert env.action_names == ["battery", "community_battery"]
    obs, state = env.reset(jax.random.key(0))
    assert obs.tolist() == [[0.5], [0.5]]
    timestep = env.step(jax.random.key(1), state, jnp.asarray([[0.0, 1.0], [0.0, -1.0]]))
    assert float(timestep.obs[0, 0]) > 0.5 > float(timestep.obs[1, 0])


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"sunny": 0.5, "dark": 0.5}, "community_battery.shares.dark: there is no such home"),
        ({"sunny": 0.5}, "shares must add up to 1, not 0.5"),
    ],
)
def test_wrong_shares_are_explained(shares, message):
    with pytest.raises(prosumax.InputError, match=message):
        prosumax.run(scenario(shares))
