"""Every filled machine runs once, without a break, and is done by its deadline."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prosumax.devices import appliance

HOMES, SLOTS, STEPS = 3, 2, 60
HOURS = jnp.float32(0.25)


def machines(rng, safeguard):
    shape = (HOMES, SLOTS)
    power = rng.uniform(0.2, 2.5, shape) * (rng.random(shape) < 0.8)
    runs, wait = rng.integers(1, 6, shape), rng.integers(0, 9, shape)
    params = appliance.ApplianceParams(
        np.asarray(power, np.float32), runs, wait, np.full(shape, safeguard, np.float32)
    )
    filled = np.zeros((STEPS, *shape), bool)
    for place in np.ndindex(shape):
        at = rng.integers(0, 10)
        while at < STEPS:
            filled[at][place] = power[place] > 0
            at += runs[place] + wait[place] + rng.integers(0, 10)
    return params, appliance.ApplianceSeries(filled)


@jax.jit
def play(params, series, start):
    def advance(state, row):
        now, wanted = row
        return appliance.step(params, state, now, wanted, HOURS)

    return jax.lax.scan(advance, appliance.initial_state(params), (series, start))[1]


@pytest.mark.parametrize("safeguard", [1.0, 0.0])
@given(seed=st.integers(0, 2**31))
def test_every_run_is_done_in_time_or_given_up(safeguard, seed):
    rng = np.random.default_rng(seed)
    params, series = machines(rng, safeguard)
    start = np.where(rng.random((STEPS, HOMES, SLOTS)) < 0.15, 1.0, -1.0)
    flows = jax.tree.map(np.asarray, play(params, series, np.asarray(start, np.float32)))
    filled = np.asarray(series.ready)
    for place in np.ndindex(HOMES, SLOTS):
        run, wait, power = (
            int(params.run_steps[place]),
            int(params.max_wait_steps[place]),
            float(params.power_kw[place]),
        )
        running, given_up = (
            flows.consumption_kwh[(slice(None), *place)] > 0,
            flows.unserved_kwh[(slice(None), *place)],
        )
        expected, lost = np.zeros(STEPS, bool), np.zeros(STEPS)
        for at in np.flatnonzero(filled[(slice(None), *place)]):
            asked = np.flatnonzero(start[(slice(at, at + wait + 1), *place)] > 0)
            if len(asked) or safeguard:
                begins = at + (asked[0] if len(asked) else wait)
                expected[begins : begins + run] = True
            elif at + wait < STEPS:
                lost[at + wait] = power * run * 0.25
        np.testing.assert_array_equal(running, expected)
        np.testing.assert_allclose(given_up, lost, rtol=1e-5)
        np.testing.assert_allclose(
            flows.consumption_kwh[(slice(None), *place)][running], power * 0.25, rtol=1e-6
        )


def test_with_sun_starts_what_the_surplus_covers():
    """Two machines of 1 and 2 kW and 2.5 kW of sun: the first starts; both when due or with 3 kW."""
    two = jnp.asarray([[3, 3]])
    params = appliance.ApplianceParams(jnp.asarray([[1.0, 2.0]]), two, two, jnp.ones((1, 2)))
    now = appliance.ApplianceSeries(jnp.ones((1, 2), bool))
    state = appliance.initial_state(params)
    for spare, expected, drawn in [(2.5, [1, 0], 1), (3.0, [1, 1], 3), (0.5, [0, 0], 0)]:
        start, power = appliance.surplus_request(params, state, now, jnp.asarray([spare]))
        assert start.tolist() == [expected] and power.tolist() == [drawn]
    due = appliance.ApplianceState(jnp.zeros((1, 2), int), jnp.zeros((1, 2), int))
    start, _ = appliance.surplus_request(
        params, due, appliance.ApplianceSeries(jnp.zeros((1, 2), bool)), jnp.asarray([-5.0])
    )
    assert start.tolist() == [[1, 1]]
