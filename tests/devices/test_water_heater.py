"""Electric water heaters: tank, timer, safeguard, and the optimum of a dual-rate tariff."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import prosumax
from prosumax.devices.water_heater import (
    WaterHeater,
    WaterHeaterParams,
    WaterHeaterSeries,
    WaterHeaterState,
)

HEATER = WaterHeater()
HOURS = 0.25
# 200 liters of water and 4.186 kJ/(kg K), in kWh/K.
CAPACITY = 200 * 4.186 / 3600
LOSS = 0.0019


def heater(safeguard=1.0):
    """Return the parameters of one heater of 2 kW between 42 and 60 C that starts at 55 C."""
    fields = (1.0, 2.0, CAPACITY, LOSS, 42.0, 60.0, 55.0, safeguard)
    return WaterHeaterParams(*(jnp.full(1, field, jnp.float32) for field in fields))


def advance(params, tank_c, request_kw, demand_kwh=0.0):
    """Run one step of a quarter of an hour and return the temperature and the flow."""
    inputs = WaterHeaterSeries(jnp.full(1, demand_kwh), jnp.ones(1, bool))
    state = WaterHeaterState(jnp.full(1, tank_c, jnp.float32))
    state, flow = HEATER.step(
        params, state, inputs, jnp.full((1, 1), request_kw, jnp.float32), jnp.float32(HOURS)
    )
    return float(state.tank_c[0]), flow


@settings(max_examples=30)
@given(
    tank_c=st.floats(30, 60),
    request_kw=st.floats(-3, 5),
    demand_kwh=st.floats(0, 6),
    safeguard=st.sampled_from([0.0, 1.0]),
)
def test_step_equals_a_scalar_tank(tank_c, request_kw, demand_kwh, safeguard):
    loss = LOSS * HOURS * (tank_c - 20)
    idle_c = tank_c - (loss + demand_kwh) / CAPACITY
    to_min = min(max((42 - idle_c) * CAPACITY, 0), 2 * HOURS) * safeguard
    to_max = min(max((60 - idle_c) * CAPACITY, 0), 2 * HOURS)
    heat = min(max(request_kw * HOURS, to_min), to_max)
    after_c = idle_c + heat / CAPACITY
    unserved = min(max((42 - after_c) * CAPACITY, 0), demand_kwh)
    expected_c = after_c + unserved / CAPACITY
    reached_c, flow = advance(heater(safeguard), tank_c, request_kw, demand_kwh)
    # Single precision on temperatures of up to 60 C and energies of up to 14 kWh.
    assert reached_c == pytest.approx(expected_c, abs=3e-5)
    assert float(flow.electricity_kwh[0]) == pytest.approx(heat, abs=1e-5)
    assert float(flow.unserved_kwh[0]) == pytest.approx(unserved, abs=1e-5)


def test_an_idle_tank_cools_exponentially_to_its_room():
    tank_c = 55.0
    for _ in range(96):
        tank_c, flow = advance(heater(), tank_c, 0.0)
        assert float(flow.electricity_kwh[0]) == 0
    # Explicit steps cool more than the exact solution by 96 (LOSS HOURS / CAPACITY)^2 / 2 x 35 K.
    exact_c = 20 + 35 * np.exp(-LOSS * 24 / CAPACITY)
    assert tank_c == pytest.approx(exact_c, abs=0.008)


def scenario(**config):
    """Return one home with a water heater for two days under a dual-rate tariff."""
    night = {
        "source": "time_of_use",
        "default": 0.1,
        "windows": [{"price": 0.3, "from_hour": 7, "to_hour": 22}],
    }
    return {
        "name": "boiler",
        "period": {"start": "2023-01-16T00:00", "steps": 192, "step_minutes": 15},
        "homes": [
            {
                "name": "home",
                "load": {"source": "values", "values": [0.0]},
                "water_heater": {"power_kw": 2, "initial_c": 50, "occupants": 2, **config},
            }
        ],
        "tariff": {"energy": night, "feed_in": 0.0},
    }


def test_the_timer_moves_heating_to_its_hours():
    result = prosumax.run(scenario(from_hour=22, to_hour=7, safeguard=False), optimum=False)
    flow = result.arrays.trajectory.record.flows.devices["water_heater"]
    hour = np.asarray(result.arrays.profiles.local_index.hour)
    is_night = (hour >= 22) | (hour < 7)
    assert flow.electricity_kwh[is_night].sum() > 1
    assert not flow.electricity_kwh[~is_night].any()


def test_optimum_equals_an_independent_linear_program():
    """A program of scipy with temperatures as sums of all earlier heat has the same cost."""
    result = prosumax.run(scenario())
    series = result.arrays.profiles
    demand = np.asarray(series.devices["water_heater"].demand_kwh, float)[:, 0]
    price = np.asarray(series.prices["energy"], float)
    steps = len(price)
    decay = 1 - LOSS * HOURS / CAPACITY
    # Response of the temperature after step s to a kWh in step t.
    power = np.subtract.outer(np.arange(steps), np.arange(steps))
    response = np.where(power >= 0, decay ** np.maximum(power, 0), 0) / CAPACITY
    ambient = LOSS * HOURS * 20
    free_c = decay ** np.arange(1, steps + 1) * 50 + response @ (ambient - demand)
    solution = linprog(
        price,
        A_ub=np.vstack([response, -response]),
        b_ub=np.concatenate([60 - free_c, free_c - 42]),
        bounds=[(0, 2 * HOURS)] * steps,
    )
    assert solution.success
    # Parameters and prices of the run are single precision.
    assert result.kpis["individual_optimum"] == pytest.approx(solution.fun, rel=1e-5)
    assert result.kpis["cost"] > solution.fun
    assert result.households[0]["water_heater_kwh"] == pytest.approx(
        result.households[0]["load_kwh"], rel=1e-6
    )


def test_learners_steer_and_observe_it():
    environment = {"observations": ["hour", "water_heater_temperature"], "episode_steps": 96}
    env = prosumax.make(scenario() | {"environment": environment})
    assert env.action_names == ["battery", "water_heater"]
    assert env.observation_names[-1] == "water_heater_temperature"
    obs, _ = env.reset(jax.random.key(0))
    assert float(obs[0, -1]) == pytest.approx((50 - 42) / (60 - 42))


def test_wrong_fields_are_explained():
    with pytest.raises(prosumax.InputError, match=r"min_c \(70\) must be below max_c \(60\)"):
        prosumax.run(scenario(min_c=70))
    with pytest.raises(prosumax.InputError, match=r"initial_c \(90\) must be at most max_c \(60\)"):
        prosumax.run(scenario(initial_c=90))
    with pytest.raises(prosumax.InputError, match="0.1 liters lose all their heat within a step"):
        prosumax.run(scenario(volume_liters=0.1))
    with pytest.raises(
        prosumax.InputError, match=r"from_hour \(24\) and to_hour \(0\) are the same"
    ):
        prosumax.run(scenario(from_hour=24, to_hour=0))
