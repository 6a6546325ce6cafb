"""The vehicle respects its limits and its departure requirement, whatever power is requested."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prosumax.devices import ev

HOMES, STEPS, STEP_HOURS = 5, 48, 0.5


def random_vehicles(rng, safeguard=1.0, v2g=None):
    """Sample parameters of vehicles, some of them absent."""
    exists = rng.random(HOMES) < 0.85
    capacity = rng.uniform(10, 80, HOMES) * exists
    has_v2g = rng.random(HOMES) < 0.5 if v2g is None else np.full(HOMES, v2g)
    fields = {
        "capacity_kwh": capacity,
        "charge_kw": rng.choice([3.7, 7.4, 11.0], HOMES) * exists,
        "discharge_kw": rng.choice([3.7, 7.4], HOMES) * exists * has_v2g,
        "charge_efficiency": rng.uniform(0.8, 1, HOMES),
        "discharge_efficiency": rng.uniform(0.8, 1, HOMES),
        "departure_kwh": rng.uniform(0, 1, HOMES) * capacity,
        "reserve_kwh": rng.uniform(0, 0.6, HOMES) * capacity,
        "initial_kwh": rng.uniform(0, 1, HOMES) * capacity,
        "safeguard": np.full(HOMES, safeguard),
    }
    return ev.EVParams(**{name: np.asarray(value, np.float32) for name, value in fields.items()})


def random_trips(rng):
    """Sample hours to departure while plugged in, and driving energy while away."""
    plugged = np.ones((STEPS, HOMES), bool)
    for home in range(HOMES):
        for out in np.sort(rng.integers(0, STEPS, 3)):
            plugged[out : out + rng.integers(1, 8), home] = False
    left = np.zeros((STEPS, HOMES))
    for step in range(STEPS - 1, -1, -1):
        later = left[step + 1] if step + 1 < STEPS else 0
        left[step] = np.where(plugged[step], later + STEP_HOURS, 0)
    trip = np.where(plugged, 0, rng.uniform(0, 10, (STEPS, HOMES)))
    return ev.EVSeries(np.asarray(left, np.float32), np.asarray(trip, np.float32))


@jax.jit
def simulate(params, series, requests):
    def advance(state, row):
        inputs, request = row
        state, flow = ev.step(params, state, inputs, request, jnp.float32(STEP_HOURS))
        return state, flow

    return jax.lax.scan(advance, ev.EV().init(params), (series, requests))[1]


def simulate_randomly(rng, params):
    series = random_trips(rng)
    requests = np.asarray(rng.normal(0, 8, (STEPS, HOMES)), np.float32)
    flows = simulate(params, series, requests)
    flows = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), flows)
    before = np.vstack([np.asarray(params.initial_kwh)[None], flows.stored_kwh[:-1]])
    return series, requests, flows, before


@given(seed=st.integers(0, 2**31))
def test_limits_and_energy_balance(seed):
    rng = np.random.default_rng(seed)
    params = random_vehicles(rng)
    series, requests, flows, before = simulate_randomly(rng, params)
    # Energy of up to 80 kWh is computed in single precision.
    slack = 1e-4
    for flow in jax.tree.leaves(flows):
        assert (flow >= 0).all() and np.isfinite(flow).all()
    after = before + flows.charge_kwh - flows.discharge_kwh - flows.loss_kwh - flows.driven_kwh
    np.testing.assert_allclose(flows.stored_kwh, after, atol=slack)
    assert (flows.stored_kwh <= params.capacity_kwh + slack).all()
    away = np.asarray(series.hours_to_departure) == 0
    assert (flows.charge_kwh[away] == 0).all() and (flows.discharge_kwh[away] == 0).all()
    assert (flows.charge_kwh <= params.charge_kw * STEP_HOURS + slack).all()
    assert (flows.discharge_kwh <= params.discharge_kw * STEP_HOURS + slack).all()
    np.testing.assert_allclose(flows.driven_kwh + flows.unserved_kwh, series.trip_kwh, atol=slack)
    discharged = flows.discharge_kwh > slack
    assert (flows.stored_kwh >= params.reserve_kwh - slack)[discharged].all()
    # All losses are due to the two efficiencies.
    lost = flows.charge_kwh * (1 - params.charge_efficiency)
    lost += flows.discharge_kwh * (1 / params.discharge_efficiency - 1)
    np.testing.assert_allclose(flows.loss_kwh, lost, atol=slack)


@given(seed=st.integers(0, 2**31))
def test_departure_requirement_is_met_where_it_is_feasible(seed):
    rng = np.random.default_rng(seed)
    params = random_vehicles(rng)
    series, _, flows, before = simulate_randomly(rng, params)
    left = np.asarray(series.hours_to_departure)
    checked = 0
    for home in np.flatnonzero(np.asarray(params.capacity_kwh) > 0):
        start = None
        for step in range(STEPS):
            if left[step, home] == 0:
                start = None
                continue
            start = before[step, home] if start is None else start
            if left[step, home] > STEP_HOURS:
                continue
            # Full power from arrival to departure would have reached this energy.
            arrival = step
            while arrival > 0 and left[arrival - 1, home] > 0:
                arrival -= 1
            hours = (step - arrival + 1) * STEP_HOURS
            reach = start + hours * float(params.charge_kw[home] * params.charge_efficiency[home])
            required = float(params.departure_kwh[home])
            best = min(reach, float(params.capacity_kwh[home]), required)
            assert flows.stored_kwh[step, home] >= best - 1e-3
            shortfall = max(required - flows.stored_kwh[step, home], 0)
            assert abs(flows.departure_shortfall_kwh[step, home] - shortfall) < 1e-3
            checked += 1
    assert checked > 0 or not (np.asarray(params.capacity_kwh) > 0).any()


@given(seed=st.integers(0, 2**31))
def test_requests_are_followed_between_the_limits(seed):
    rng = np.random.default_rng(seed)
    params = random_vehicles(rng, safeguard=0.0)
    series, requests, flows, before = simulate_randomly(rng, params)
    exchanged = flows.charge_kwh - flows.discharge_kwh
    requested = np.asarray(requests) * STEP_HOURS
    assert (exchanged * requested >= 0).all()
    assert (np.abs(exchanged) <= np.abs(requested) + 1e-5).all()
    full = (flows.charge_kwh > params.charge_kw * STEP_HOURS - 1e-3) | (
        flows.stored_kwh > params.capacity_kwh - 1e-3
    )
    less = (requested > exchanged + 1e-3) & (np.asarray(series.hours_to_departure) > 0)
    assert full[less].all()


def test_charging_starts_at_the_last_feasible_step_by_hand():
    """10 of 40 kWh at 10 kW and 80 % efficiency, 20 kWh required after four half hours."""
    fields = (40, 10, 0, 0.8, 1, 20, 0, 10, 1)
    params = ev.EVParams(*(jnp.full(1, field, jnp.float32) for field in fields))
    left = jnp.asarray([[2.0], [1.5], [1.0], [0.5], [0.0]], jnp.float32)
    trip = jnp.asarray([[0.0], [0.0], [0.0], [0.0], [25.0]], jnp.float32)
    flows = simulate(params, ev.EVSeries(left, trip), jnp.zeros((5, 1)))
    # Each half hour stores at most 4 kWh; 10 are missing, so 2 in the second and 4 in the last two.
    np.testing.assert_allclose(flows.charge_kwh[:, 0], [0, 2.5, 5, 5, 0], atol=1e-5)
    np.testing.assert_allclose(flows.stored_kwh[:, 0], [10, 12, 16, 20, 0], atol=1e-5)
    np.testing.assert_allclose(flows.unserved_kwh[:, 0], [0, 0, 0, 0, 5], atol=1e-5)
    assert float(flows.departure_shortfall_kwh.sum()) < 1e-5
