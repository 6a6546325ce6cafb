"""The building follows its differential equation, heat and electricity balance, and the comfort band is kept."""

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


def pumps(rng, safeguard=1.0, power=(2.0, 5.0)):
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


def weather(rng, params, hours, coldest=-10.0, warmest=30.0):
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
def play(params, series, heat_kw, water_kw, hours):
    def advance(state, row):
        now, heat, water = row
        return heat_pump.step(params, state, now, heat, water, hours)

    return jax.lax.scan(advance, heat_pump.initial_state(params), (series, heat_kw, water_kw))[1]


@dataclass
class Played:
    flows: heat_pump.HeatPumpFlow
    indoor_before: np.ndarray
    tank_before: np.ndarray


def played(rng, params, series, hours):
    asked = np.asarray(rng.normal(0.5, 2, (2, STEPS, HOMES)), np.float32)
    flows = play(params, series, *asked, np.float32(hours))
    flows = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), flows)
    indoor = np.vstack([np.asarray(params.initial_indoor_c)[None], flows.indoor_c[:-1]])
    tank = np.vstack([np.asarray(params.initial_tank_c)[None], flows.tank_c[:-1]])
    return Played(flows, indoor, tank)


@given(
    seed=st.integers(0, 2**31),
    hours=st.sampled_from([0.25, 1.0]),
    safeguard=st.sampled_from([0.0, 1.0]),
)
def test_heat_and_electricity_balance(seed, hours, safeguard):
    rng = np.random.default_rng(seed)
    params = pumps(rng, safeguard)
    series = weather(rng, params, hours)
    run = played(rng, params, series, hours)
    flows, there = run.flows, np.asarray(params.exists) > 0
    slack = 3e-4  # single precision: 15 kWh/K times 2e-6 of 20 degrees, several times
    used = flows.space_heating_electricity_kwh + flows.hot_water_electricity_kwh
    np.testing.assert_allclose(
        used + flows.ambient_heat_kwh, flows.space_heat_kwh + flows.tank_heat_kwh, atol=slack
    )
    assert (used <= params.power_kw * hours + slack).all()
    assert (flows.space_heating_electricity_kwh >= 0).all() and (flows.hot_water_electricity_kwh >= 0).all()
    # The loss, from the mean temperature of an exponential, which the step itself does not use.
    x = np.asarray(params.heat_loss_kw_per_k * hours / params.heat_capacity_kwh_per_k, np.float64)
    outdoor = np.asarray(series.outdoor_c, np.float64)[:, None]
    heat = flows.space_heat_kwh + flows.heat_gain_kwh - flows.vented_kwh
    final = outdoor + heat / (np.asarray(params.heat_loss_kw_per_k) * hours)
    mean = final + (run.indoor_before - final) * (1 - np.exp(-x)) / x
    loss = np.asarray(params.heat_loss_kw_per_k) * hours * (mean - outdoor)
    np.testing.assert_allclose(flows.building_loss_kwh[:, there], loss[:, there], atol=slack)
    change = np.asarray(params.heat_capacity_kwh_per_k) * (flows.indoor_c - run.indoor_before)
    np.testing.assert_allclose(
        (heat - flows.building_loss_kwh)[:, there], change[:, there], atol=slack
    )
    stored = np.asarray(params.tank_heat_capacity_kwh_per_k) * (flows.tank_c - run.tank_before)
    into = flows.tank_heat_kwh - flows.hot_water_kwh - flows.tank_loss_kwh
    np.testing.assert_allclose(into[:, there], stored[:, there], atol=slack)
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
        assert (getattr(flows, name)[:, ~there] == 0).all()


@given(seed=st.integers(0, 2**31))
def test_the_band_is_kept_whatever_is_asked_while_power_lasts(seed):
    rng = np.random.default_rng(seed)
    params = pumps(rng, power=(30.0, 40.0))  # more than the coldest of these days can take
    series = weather(rng, params, 0.5, coldest=-5, warmest=10)
    flows, there = played(rng, params, series, 0.5).flows, np.asarray(params.exists) > 0
    slack = 1e-3
    assert (flows.indoor_c >= params.min_indoor_c - slack)[:, there].all()
    assert (flows.indoor_c <= params.max_indoor_c + slack)[:, there].all()
    assert (flows.tank_c >= params.min_tank_c - slack)[:, there].all()
    assert (flows.tank_c <= params.max_tank_c + slack)[:, there].all()
    assert flows.unserved_kwh.max() < slack and flows.underheating_kh.max() < slack


@given(seed=st.integers(0, 2**31))
def test_a_weak_heat_pump_gives_all_it_has_before_it_lets_rooms_get_cold(seed):
    rng = np.random.default_rng(seed)
    params = pumps(rng, power=(0.3, 1.0))
    series = weather(rng, params, 0.5, coldest=-10, warmest=0)
    flows, there = played(rng, params, series, 0.5).flows, np.asarray(params.exists) > 0
    cold = (flows.underheating_kh > 1e-3) & there
    used = flows.space_heating_electricity_kwh + flows.hot_water_electricity_kwh
    full = np.broadcast_to(np.asarray(params.power_kw) * 0.5, used.shape)
    np.testing.assert_allclose(used[cold], full[cold], rtol=1e-3)


def test_the_building_follows_its_differential_equation():
    """Against a general solver of differential equations, an afternoon of four hours in one step."""
    rng = np.random.default_rng(3)
    params = jax.tree.map(jnp.asarray, pumps(rng, safeguard=0.0))
    series = heat_pump.HeatPumpSeries(jnp.float32(4.0), jnp.full(HOMES, 1.2), jnp.zeros(HOMES))
    state = heat_pump.initial_state(params)
    _, flow = heat_pump.step(
        params, state, series, jnp.full(HOMES, 0.4), jnp.zeros(HOMES), jnp.float32(4.0)
    )
    for home in np.flatnonzero(params.exists):
        loss, mass = float(params.heat_loss_kw_per_k[home]), float(params.heat_capacity_kwh_per_k[home])
        heat_kw = float(flow.space_heat_kwh[home] + flow.heat_gain_kwh[home] - flow.vented_kwh[home]) / 4

        def slope(_, c, loss=loss, mass=mass, heat_kw=heat_kw):
            return (heat_kw - loss * (c - 4.0)) / mass

        end = solve_ivp(slope, (0, 4), [float(params.initial_indoor_c[home])], rtol=1e-9, atol=1e-9).y[
            0, -1
        ]
        assert float(flow.indoor_c[home]) == pytest.approx(
            end, abs=2e-5
        )  # single precision of 20 degrees


def test_performance_by_hand():
    """Carnot's (T_s + 273.15) / (T_s - T_o) times the share; the weather curve is linear from -8 to 20 C."""
    params = jax.tree.map(jnp.asarray, pumps(np.random.default_rng(0)))._replace(
        carnot_efficiency=jnp.full(HOMES, 0.45), supply_mild_c=jnp.full(HOMES, 30.0),
        supply_design_c=jnp.full(HOMES, 50.0), supply_water_c=jnp.full(HOMES, 55.0),
    )  # fmt: skip
    for outdoor, supply, expected in [
        (-8, 50, 2.5072),
        (6, 40, 4.1447),
        (20, 30, 6.0),
        (-40, 50, 1.6158),
    ]:
        cop, water = heat_pump.coefficients_of_performance(params, jnp.float32(outdoor))
        assert min(max(0.45 * (supply + 273.15) / (supply - outdoor), 1.5), 6) == pytest.approx(
            expected, abs=1e-4
        )
        np.testing.assert_allclose(cop, expected, atol=1e-4)
        np.testing.assert_allclose(
            water, min(max(0.45 * 328.15 / (55 - outdoor), 1.5), 6), rtol=1e-5
        )
