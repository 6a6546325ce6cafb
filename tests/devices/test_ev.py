"""The car keeps its limits and its owner's word, whatever is asked of it."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prosumax.devices import ev

HOMES, STEPS, HOURS = 5, 48, 0.5


def cars(rng, safeguard=1.0, v2g=None):
    exists = rng.random(HOMES) < 0.85
    capacity = rng.uniform(10, 80, HOMES) * exists
    gives = rng.random(HOMES) < 0.5 if v2g is None else np.full(HOMES, v2g)
    fields = {
        "capacity_kwh": capacity,
        "charge_kw": rng.choice([3.7, 7.4, 11.0], HOMES) * exists,
        "discharge_kw": rng.choice([3.7, 7.4], HOMES) * exists * gives,
        "charge_efficiency": rng.uniform(0.8, 1, HOMES),
        "discharge_efficiency": rng.uniform(0.8, 1, HOMES),
        "departure_kwh": rng.uniform(0, 1, HOMES) * capacity,
        "reserve_kwh": rng.uniform(0, 0.6, HOMES) * capacity,
        "initial_kwh": rng.uniform(0, 1, HOMES) * capacity,
        "safeguard": np.full(HOMES, safeguard),
    }
    return ev.EVParams(**{name: np.asarray(value, np.float32) for name, value in fields.items()})


def stays(rng):
    """Random comings and goings: hours to departure while plugged in, and energy of drives while away."""
    plugged = np.ones((STEPS, HOMES), bool)
    for home in range(HOMES):
        for out in np.sort(rng.integers(0, STEPS, 3)):
            plugged[out : out + rng.integers(1, 8), home] = False
    left = np.zeros((STEPS, HOMES))
    for step in range(STEPS - 1, -1, -1):
        left[step] = np.where(plugged[step], (left[step + 1] if step + 1 < STEPS else 0) + HOURS, 0)
    trip = np.where(plugged, 0, rng.uniform(0, 10, (STEPS, HOMES)))
    return ev.EVSeries(np.asarray(left, np.float32), np.asarray(trip, np.float32))


@jax.jit
def play(params, series, requests):
    def advance(state, row):
        now, request = row
        state, flow = ev.step(params, state, now, request, jnp.float32(HOURS))
        return state, flow

    return jax.lax.scan(advance, ev.initial_state(params), (series, requests))[1]


def played(rng, params):
    series = stays(rng)
    requests = np.asarray(rng.normal(0, 8, (STEPS, HOMES)), np.float32)
    flows = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), play(params, series, requests))
    before = np.vstack([np.asarray(params.initial_kwh)[None], flows.stored_kwh[:-1]])
    return series, requests, flows, before


@given(seed=st.integers(0, 2**31))
def test_limits_and_energy_balance(seed):
    rng = np.random.default_rng(seed)
    params = cars(rng)
    series, requests, flows, before = played(rng, params)
    slack = 1e-4  # single precision on up to 80 kWh
    for flow in flows:
        assert (flow >= 0).all() and np.isfinite(flow).all()
    after = before + flows.charge_kwh - flows.discharge_kwh - flows.loss_kwh - flows.driven_kwh
    np.testing.assert_allclose(flows.stored_kwh, after, atol=slack)
    assert (flows.stored_kwh <= params.capacity_kwh + slack).all()
    away = np.asarray(series.hours_to_departure) == 0
    assert (flows.charge_kwh[away] == 0).all() and (flows.discharge_kwh[away] == 0).all()
    assert (flows.charge_kwh <= params.charge_kw * HOURS + slack).all()
    assert (flows.discharge_kwh <= params.discharge_kw * HOURS + slack).all()
    np.testing.assert_allclose(flows.driven_kwh + flows.unserved_kwh, series.trip_kwh, atol=slack)
    given_back = flows.discharge_kwh > slack
    assert (flows.stored_kwh >= params.reserve_kwh - slack)[given_back].all()
    # What is lost is the two efficiencies and nothing else.
    lost = flows.charge_kwh * (1 - params.charge_efficiency)
    lost += flows.discharge_kwh * (1 / params.discharge_efficiency - 1)
    np.testing.assert_allclose(flows.loss_kwh, lost, atol=slack)


@given(seed=st.integers(0, 2**31))
def test_it_never_leaves_below_its_required_charge_if_that_could_have_been_met(seed):
    rng = np.random.default_rng(seed)
    params = cars(rng)
    series, _, flows, before = played(rng, params)
    left = np.asarray(series.hours_to_departure)
    checked = 0
    for home in np.flatnonzero(np.asarray(params.capacity_kwh) > 0):
        start = None
        for step in range(STEPS):
            if left[step, home] == 0:
                start = None
                continue
            start = before[step, home] if start is None else start
            if left[step, home] > HOURS:
                continue
            # The stay is over: full power from its beginning would have reached so much.
            began = step
            while began > 0 and left[began - 1, home] > 0:
                began -= 1
            hours = (step - began + 1) * HOURS
            reach = start + hours * float(params.charge_kw[home] * params.charge_efficiency[home])
            wanted = float(params.departure_kwh[home])
            best = min(reach, float(params.capacity_kwh[home]), wanted)
            assert flows.stored_kwh[step, home] >= best - 1e-3
            assert (
                abs(flows.departure_shortfall_kwh[step, home] - max(wanted - flows.stored_kwh[step, home], 0))
                < 1e-3
            )
            checked += 1
    assert checked > 0 or not (np.asarray(params.capacity_kwh) > 0).any()


@given(seed=st.integers(0, 2**31))
def test_between_the_limits_it_does_what_it_is_asked(seed):
    rng = np.random.default_rng(seed)
    params = cars(rng, safeguard=0.0)
    series, requests, flows, before = played(rng, params)
    moved = flows.charge_kwh - flows.discharge_kwh
    asked = np.asarray(requests) * HOURS
    assert (moved * asked >= 0).all() and (np.abs(moved) <= np.abs(asked) + 1e-5).all()
    full = (flows.charge_kwh > params.charge_kw * HOURS - 1e-3) | (
        flows.stored_kwh > params.capacity_kwh - 1e-3
    )
    less = (asked > moved + 1e-3) & (np.asarray(series.hours_to_departure) > 0)
    assert full[less].all()


def test_by_hand():
    """40 kWh car at 10 kW with 80 % efficiency, wants 24 kWh in 4 half hours, has 10: charges from the last moment."""
    one = lambda value: jnp.full(1, value, jnp.float32)  # noqa: E731
    params = ev.EVParams(*map(one, (40, 10, 0, 0.8, 1, 20, 0, 10, 1)))
    left = jnp.asarray([[2.0], [1.5], [1.0], [0.5], [0.0]], jnp.float32)
    trip = jnp.asarray([[0.0], [0.0], [0.0], [0.0], [25.0]], jnp.float32)
    flows = play(params, ev.EVSeries(left, trip), jnp.zeros((5, 1)))
    # Each half hour stores at most 4 kWh; 10 are missing, so 2 in the second and 4 in the last two.
    np.testing.assert_allclose(flows.charge_kwh[:, 0], [0, 2.5, 5, 5, 0], atol=1e-5)
    np.testing.assert_allclose(flows.stored_kwh[:, 0], [10, 12, 16, 20, 0], atol=1e-5)
    np.testing.assert_allclose(flows.unserved_kwh[:, 0], [0, 0, 0, 0, 5], atol=1e-5)
    assert float(flows.departure_shortfall_kwh.sum()) < 1e-5
