"""Heat pump: differential equation of the building, energy balance, and comfort band."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from prosumax.devices import heat_pump

HOMES, STEPS = 4, 48


def random_heat_pumps(rng, safeguard=1.0, power=(2.0, 5.0)):
    exists = (rng.random(HOMES) < 0.8).astype(float)
    lowest = rng.uniform(17, 20, HOMES)
    highest = lowest + rng.uniform(0.5, 4, HOMES)
    tank = rng.random(HOMES) < 0.8
    fields = {
        "exists": exists,
        "power_kw": rng.uniform(*power, HOMES) * exists,
        "carnot_efficiency": rng.uniform(0.35, 0.5, HOMES),
        "supply_mild_c": rng.uniform(25, 35, HOMES),
        "supply_design_c": rng.uniform(35, 55, HOMES),
        "supply_water_c": rng.uniform(50, 60, HOMES),
        "heat_loss_kw_per_k": rng.uniform(0.08, 0.3, HOMES),
        "heat_capacity_kwh_per_k": rng.uniform(2, 15, HOMES),
        "min_indoor_c": lowest,
        "max_indoor_c": highest,
        "setpoint_c": (lowest + highest) / 2,
        "initial_indoor_c": rng.uniform(lowest, highest),
        "tank_heat_capacity_kwh_per_k": np.where(tank, rng.uniform(0.1, 0.4, HOMES), 1),
        "tank_heat_loss_kw_per_k": np.where(tank, 0.002, 0),
        "min_tank_c": np.where(tank, 42, 20),
        "max_tank_c": np.where(tank, 56, 20),
        "initial_tank_c": np.where(tank, rng.uniform(42, 56, HOMES), 20),
        "safeguard": np.full(HOMES, safeguard),
    }
    return heat_pump.HeatPumpParams(
        **{name: np.asarray(value, np.float32) for name, value in fields.items()}
    )


def random_inputs(rng, params, hours, coldest=-10.0, warmest=30.0):
    has_tank = np.asarray(params.max_tank_c > params.min_tank_c)
    draws = (
        rng.uniform(0, 2, (STEPS, HOMES)) * (rng.random((STEPS, HOMES)) < 0.2) * has_tank * hours
    )
    series = (
        rng.uniform(coldest, warmest) + rng.normal(0, 3, STEPS),
        rng.uniform(0, 3, (STEPS, HOMES)) * hours,
        draws,
    )
    return heat_pump.HeatPumpSeries(*(np.asarray(part, np.float32) for part in series))


@jax.jit
def simulate(params, series, heating_kw, water_kw, hours):
    def advance(state, row):
        inputs, heating_kw, water_kw = row
        return heat_pump.step(params, state, inputs, heating_kw, water_kw, hours)

    return jax.lax.scan(advance, heat_pump.HeatPump().init(params), (series, heating_kw, water_kw))[
        1
    ]


@dataclass
class SimulatedHeatPumps:
    flows: heat_pump.HeatPumpFlow
    indoor_before: np.ndarray
    tank_before: np.ndarray


def simulate_randomly(rng, params, series, hours):
    requests = np.asarray(rng.normal(0.5, 2, (2, STEPS, HOMES)), np.float32)
    flows = simulate(params, series, *requests, np.float32(hours))
    flows = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), flows)
    indoor = np.vstack([np.asarray(params.initial_indoor_c)[None], flows.indoor_c[:-1]])
    tank = np.vstack([np.asarray(params.initial_tank_c)[None], flows.tank_c[:-1]])
    return SimulatedHeatPumps(flows, indoor, tank)


@given(
    seed=st.integers(0, 2**31),
    hours=st.sampled_from([0.25, 1.0]),
    safeguard=st.sampled_from([0.0, 1.0]),
)
def test_heat_and_electricity_balance(seed, hours, safeguard):
    rng = np.random.default_rng(seed)
    params = random_heat_pumps(rng, safeguard)
    series = random_inputs(rng, params, hours)
    run = simulate_randomly(rng, params, series, hours)
    flows = run.flows
    exists = np.asarray(params.exists) > 0
    slack = 3e-4  # rounding of 15 kWh/K times 20 degrees in single precision, several times
    used = flows.space_heating_electricity_kwh + flows.hot_water_electricity_kwh
    np.testing.assert_allclose(
        used + flows.ambient_heat_kwh, flows.space_heat_kwh + flows.tank_heat_kwh, atol=slack
    )
    assert (used <= params.power_kw * hours + slack).all()
    assert (flows.space_heating_electricity_kwh >= 0).all()
    assert (flows.hot_water_electricity_kwh >= 0).all()
    # The loss follows from the mean of the exponential temperature, which the step does not use.
    x = np.asarray(params.heat_loss_kw_per_k * hours / params.heat_capacity_kwh_per_k, np.float64)
    outdoor = np.asarray(series.outdoor_c, np.float64)[:, None]
    heat = flows.space_heat_kwh + flows.heat_gain_kwh - flows.vented_kwh
    final = outdoor + heat / (np.asarray(params.heat_loss_kw_per_k) * hours)
    mean = final + (run.indoor_before - final) * (1 - np.exp(-x)) / x
    loss = np.asarray(params.heat_loss_kw_per_k) * hours * (mean - outdoor)
    np.testing.assert_allclose(flows.building_loss_kwh[:, exists], loss[:, exists], atol=slack)
    change = np.asarray(params.heat_capacity_kwh_per_k) * (flows.indoor_c - run.indoor_before)
    np.testing.assert_allclose(
        (heat - flows.building_loss_kwh)[:, exists], change[:, exists], atol=slack
    )
    stored = np.asarray(params.tank_heat_capacity_kwh_per_k) * (flows.tank_c - run.tank_before)
    into = flows.tank_heat_kwh - flows.hot_water_kwh - flows.tank_loss_kwh
    np.testing.assert_allclose(into[:, exists], stored[:, exists], atol=slack)
    np.testing.assert_allclose(
        flows.hot_water_kwh + flows.unserved_kwh, series.hot_water_kwh * params.exists, atol=slack
    )
    for name in (
        "space_heating_electricity_kwh",
        "heat_gain_kwh",
        "unserved_kwh",
        "underheating_kh",
        "building_loss_kwh",
    ):
        assert (getattr(flows, name)[:, ~exists] == 0).all()


@given(seed=st.integers(0, 2**31))
def test_comfort_band_is_kept_whatever_is_requested(seed):
    rng = np.random.default_rng(seed)
    # The power exceeds the heat load of the coldest sampled days.
    params = random_heat_pumps(rng, power=(30.0, 40.0))
    series = random_inputs(rng, params, 0.5, coldest=-5, warmest=10)
    flows = simulate_randomly(rng, params, series, 0.5).flows
    exists = np.asarray(params.exists) > 0
    slack = 1e-3
    assert (flows.indoor_c >= params.min_indoor_c - slack)[:, exists].all()
    assert (flows.indoor_c <= params.max_indoor_c + slack)[:, exists].all()
    assert (flows.tank_c >= params.min_tank_c - slack)[:, exists].all()
    assert (flows.tank_c <= params.max_tank_c + slack)[:, exists].all()
    assert flows.unserved_kwh.max() < slack and flows.underheating_kh.max() < slack


@given(seed=st.integers(0, 2**31))
def test_an_undersized_heat_pump_runs_at_full_power_below_the_comfort_band(seed):
    rng = np.random.default_rng(seed)
    params = random_heat_pumps(rng, power=(0.3, 1.0))
    series = random_inputs(rng, params, 0.5, coldest=-10, warmest=0)
    flows = simulate_randomly(rng, params, series, 0.5).flows
    exists = np.asarray(params.exists) > 0
    cold = (flows.underheating_kh > 1e-3) & exists
    used = flows.space_heating_electricity_kwh + flows.hot_water_electricity_kwh
    full = np.broadcast_to(np.asarray(params.power_kw) * 0.5, used.shape)
    np.testing.assert_allclose(used[cold], full[cold], rtol=1e-3)


def test_indoor_temperature_equals_a_general_ode_solver():
    """Four hours in one step, as one afternoon."""
    rng = np.random.default_rng(3)
    params = jax.tree.map(jnp.asarray, random_heat_pumps(rng, safeguard=0.0))
    series = heat_pump.HeatPumpSeries(jnp.float32(4.0), jnp.full(HOMES, 1.2), jnp.zeros(HOMES))
    state = heat_pump.HeatPump().init(params)
    _, flow = heat_pump.step(
        params, state, series, jnp.full(HOMES, 0.4), jnp.zeros(HOMES), jnp.float32(4.0)
    )
    for home in np.flatnonzero(params.exists):
        loss = float(params.heat_loss_kw_per_k[home])
        capacity = float(params.heat_capacity_kwh_per_k[home])
        heat_kwh = flow.space_heat_kwh[home] + flow.heat_gain_kwh[home] - flow.vented_kwh[home]
        heat_kw = float(heat_kwh) / 4

        def slope(_, indoor_c, loss=loss, capacity=capacity, heat_kw=heat_kw):
            return (heat_kw - loss * (indoor_c - 4.0)) / capacity

        initial_c = [float(params.initial_indoor_c[home])]
        end_c = solve_ivp(slope, (0, 4), initial_c, rtol=1e-9, atol=1e-9).y[0, -1]
        # Rounding of 20 degrees in single precision.
        assert float(flow.indoor_c[home]) == pytest.approx(end_c, abs=2e-5)


def test_coefficient_of_performance_by_hand():
    """Carnot's (T_s + 273.15) / (T_s - T_o) times the efficiency, with a linear heating curve."""
    params = jax.tree.map(jnp.asarray, random_heat_pumps(np.random.default_rng(0)))
    params = params._replace(
        carnot_efficiency=jnp.full(HOMES, 0.45),
        supply_mild_c=jnp.full(HOMES, 30.0),
        supply_design_c=jnp.full(HOMES, 50.0),
        supply_water_c=jnp.full(HOMES, 55.0),
    )

    def cop_by_hand(supply, outdoor):
        return min(max(0.45 * (supply + 273.15) / (supply - outdoor), 1.5), 6)

    cases = [(-8, 50, 2.5072), (6, 40, 4.1447), (20, 30, 6.0), (-40, 50, 1.6158)]
    for outdoor, supply, expected in cases:
        heating, water = heat_pump.coefficients_of_performance(params, jnp.float32(outdoor))
        assert cop_by_hand(supply, outdoor) == pytest.approx(expected, abs=1e-4)
        np.testing.assert_allclose(heating, expected, atol=1e-4)
        np.testing.assert_allclose(water, cop_by_hand(55, outdoor), rtol=1e-5)
