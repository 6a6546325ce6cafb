"""Deferrable appliances: one uninterrupted run per start, done by its deadline."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prosumax.devices import appliance

APPLIANCES = appliance.Appliances()
HOMES, SLOTS, STEPS = 3, 2, 60
STEP_HOURS = jnp.float32(0.25)


def random_appliances(rng, safeguard):
    """Sample parameters with unused slots, and steps in which appliances become ready."""
    shape = (HOMES, SLOTS)
    power = rng.uniform(0.2, 2.5, shape) * (rng.random(shape) < 0.8)
    runs = rng.integers(1, 6, shape)
    wait = rng.integers(0, 9, shape)
    params = appliance.ApplianceParams(
        np.asarray(power, np.float32), runs, wait, np.full(shape, safeguard, np.float32)
    )
    ready = np.zeros((STEPS, *shape), bool)
    for place in np.ndindex(shape):
        step = rng.integers(0, 10)
        while step < STEPS:
            ready[step][place] = power[place] > 0
            step += runs[place] + wait[place] + rng.integers(0, 10)
    return params, appliance.ApplianceSeries(ready)


@jax.jit
def simulate(params, series, start_requests):
    def advance(state, inputs):
        series_step, start_request = inputs
        return appliance.step(params, state, series_step, start_request, STEP_HOURS)

    return jax.lax.scan(advance, APPLIANCES.init(params), (series, start_requests))[1]


@pytest.mark.parametrize("safeguard", [1.0, 0.0])
@given(seed=st.integers(0, 2**31))
def test_every_run_ends_by_its_deadline_or_is_dropped(safeguard, seed):
    rng = np.random.default_rng(seed)
    params, series = random_appliances(rng, safeguard)
    start = np.where(rng.random((STEPS, HOMES, SLOTS)) < 0.15, 1.0, -1.0)
    flows = jax.tree.map(np.asarray, simulate(params, series, np.asarray(start, np.float32)))
    ready = np.asarray(series.ready)
    for place in np.ndindex(HOMES, SLOTS):
        run = int(params.run_steps[place])
        wait = int(params.max_wait_steps[place])
        power = float(params.power_kw[place])
        consumption = flows.run_kwh[(slice(None), *place)]
        running = consumption > 0
        dropped = flows.unserved_kwh[(slice(None), *place)]
        expected_running = np.zeros(STEPS, bool)
        expected_dropped = np.zeros(STEPS)
        for step in np.flatnonzero(ready[(slice(None), *place)]):
            requested = np.flatnonzero(start[(slice(step, step + wait + 1), *place)] > 0)
            if len(requested) or safeguard:
                first = step + (requested[0] if len(requested) else wait)
                expected_running[first : first + run] = True
            elif step + wait < STEPS:
                expected_dropped[step + wait] = power * run * 0.25
        np.testing.assert_array_equal(running, expected_running)
        np.testing.assert_allclose(dropped, expected_dropped, rtol=1e-5)
        np.testing.assert_allclose(consumption[running], power * 0.25, rtol=1e-6)


def test_surplus_request_starts_what_the_surplus_covers_and_what_is_due():
    """Two appliances of 1 and 2 kW: 2.5 kW of surplus start the first, 3 kW or deadlines both."""
    two = jnp.asarray([[3, 3]])
    params = appliance.ApplianceParams(jnp.asarray([[1.0, 2.0]]), two, two, jnp.ones((1, 2)))
    all_ready = appliance.ApplianceSeries(jnp.ones((1, 2), bool))
    state = APPLIANCES.init(params)
    for surplus, expected, drawn in [(2.5, [1, 0], 1), (3.0, [1, 1], 3), (0.5, [0, 0], 0)]:
        request_kw, power = APPLIANCES.surplus_request(
            params, state, all_ready, jnp.asarray([surplus]), STEP_HOURS
        )
        assert (request_kw > 0).tolist() == [expected] and power.tolist() == [drawn]
    due = appliance.ApplianceState(jnp.zeros((1, 2), int), jnp.zeros((1, 2), int))
    none_ready = appliance.ApplianceSeries(jnp.zeros((1, 2), bool))
    request_kw, _ = APPLIANCES.surplus_request(
        params, due, none_ready, jnp.asarray([-5.0]), STEP_HOURS
    )
    assert request_kw.tolist() == [[1, 2]]
