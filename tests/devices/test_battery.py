"""The battery respects its limits and its energy balance, and equals a scalar CityLearn battery."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prosumax.devices import battery

HOMES, STEPS = 6, 40


def random_batteries(rng, homes=HOMES):
    """Sample parameters of batteries that a scenario allows, some of them absent."""
    exists = rng.random(homes) < 0.8
    soc_min = rng.uniform(0, 0.4, homes)
    soc_max = rng.uniform(0.5, 1.0, homes)
    rising = np.sort(rng.uniform(0.05, 0.95, (homes, 3)), axis=1) + np.arange(3) * 1e-3
    curve = rng.uniform(0.6, 1.0, (homes, 5))
    fields = {
        "capacity_kwh": rng.uniform(0.5, 20, homes) * exists,
        "charge_kw": rng.uniform(0.2, 12, homes) * exists,
        "discharge_kw": rng.uniform(0.2, 12, homes) * exists,
        "soc_min": soc_min,
        "soc_max": soc_max,
        "initial_soc": soc_min + rng.random(homes) * (soc_max - soc_min),
        "self_discharge_per_step": rng.uniform(0, 0.01, homes),
        "capacity_loss_coefficient": rng.choice([0.0, 1e-5, 1e-3], homes),
        "efficiency_power_points": np.concatenate(
            [np.zeros((homes, 1)), rising, np.ones((homes, 1))], axis=1
        ),
        "charge_efficiency_curve": curve,
        "discharge_efficiency_curve": curve
        if rng.random() < 0.5
        else rng.uniform(0.6, 1.0, (homes, 5)),
        "power_soc_points": np.tile([0.0, 0.8, 1.0], (homes, 1)),
        "power_curve": rng.uniform(0.2, 1.0, (homes, 3)),
    }
    return battery.BatteryParams(
        **{name: jnp.asarray(value, jnp.float32) for name, value in fields.items()}
    )


@jax.jit
def simulate(params, requests, hours):
    def advance(state, request):
        state, flow = battery.step(params, state, request, hours)
        return state, (state, flow)

    return jax.lax.scan(advance, battery.initial_state(params), requests)[1]


@given(seed=st.integers(0, 2**31), hours=st.sampled_from([0.25, 1.0]))
def test_limits_and_energy_balance(seed, hours):
    rng = np.random.default_rng(seed)
    params = random_batteries(rng)
    requests = jnp.asarray(rng.normal(0, 8, (STEPS, HOMES)), jnp.float32)
    states, flows = simulate(params, requests, jnp.float32(hours))
    capacity = np.asarray(params.capacity_kwh)
    stored = np.concatenate([[params.initial_soc * capacity], states.stored_kwh])
    # Single precision on energies of up to 20 kWh: one part in 1e6 is 2e-5 kWh.
    slack = 1e-5 * (1 + capacity)
    assert (stored <= params.soc_max * capacity + slack).all()
    assert (
        stored[1:]
        >= np.minimum(params.soc_min * capacity, stored[:-1] * (1 - params.self_discharge_per_step))
        - slack
    ).all()
    assert (flows.charge_kwh <= params.charge_kw * hours + slack).all()
    assert (flows.discharge_kwh <= params.discharge_kw * hours + slack).all()
    assert (np.asarray(flows.charge_kwh) * np.asarray(flows.discharge_kwh) == 0).all()
    for flow in jax.tree.leaves(flows):
        assert (flow >= 0).all() and jnp.isfinite(flow).all()
    balance = stored[:-1] + flows.charge_kwh - flows.discharge_kwh - flows.loss_kwh - stored[1:]
    assert np.abs(balance).max() <= slack.max()
    absent = capacity == 0
    assert (stored[:, absent] == 0).all() and (flows.charge_kwh[:, absent] == 0).all()
    assert (np.diff(np.asarray(states.capacity_kwh), axis=0) <= 0).all()
    # The exchanged energy has the sign of the request and does not exceed it.
    exchanged = np.asarray(flows.charge_kwh - flows.discharge_kwh)
    assert (exchanged * requests >= 0).all()
    assert (np.abs(exchanged) <= np.abs(requests) * hours + slack).all()


def citylearn_battery(params, requests, hours):
    """Simulate the battery of one home by CityLearn's published equations, in scalar Python."""
    capacity = params["capacity_kwh"]
    nominal = params["charge_kw"]
    soc = params["initial_soc"]
    degraded = params["capacity_kwh"]
    steps = []
    for request in requests:
        requested = np.clip(request / nominal, -1, 1) * nominal * hours
        start = soc * (1 - params["self_discharge_per_step"]) * capacity
        limit = nominal * np.interp(soc, params["power_soc_points"], params["power_curve"]) * hours
        energy = requested
        for _ in range(2):
            root = (
                np.interp(
                    abs(energy) / hours / nominal,
                    params["efficiency_power_points"],
                    params["charge_efficiency_curve"],
                )
                ** 0.5
            )
            if requested >= 0:
                energy = min(requested, limit, max(degraded - start, 0) / root)
            else:
                energy = -min(
                    -requested, limit, max(start - params["soc_min"] * capacity, 0) * root
                )
        end = start + energy * root if energy >= 0 else start + energy / root
        degraded -= params["capacity_loss_coefficient"] * capacity * abs(energy) / (2 * degraded)
        soc = end / capacity
        steps.append((energy, soc))
    return np.array(steps).T


@pytest.mark.parametrize("seed", range(5))
def test_equals_a_scalar_citylearn_battery(seed):
    rng = np.random.default_rng(seed)
    params = random_batteries(rng, homes=1)
    # CityLearn has one power limit, one efficiency curve, and no limit of the state of charge.
    params = params._replace(
        capacity_kwh=jnp.float32([6.4]),
        charge_kw=jnp.float32([5.0]),
        discharge_kw=jnp.float32([5.0]),
        discharge_efficiency_curve=params.charge_efficiency_curve,
        soc_max=jnp.ones(1),
        capacity_loss_coefficient=jnp.float32([1e-5]),
    )
    requests = rng.normal(0, 4, (200, 1)).astype(np.float32)
    states, flows = simulate(params, jnp.asarray(requests), jnp.float32(1.0))
    scalars = {
        name: np.asarray(value, np.float64)[0]
        for name, value in params._asdict().items()
        if value is not None
    }
    energy, soc = citylearn_battery(scalars, requests[:, 0].astype(np.float64), 1.0)
    # Rounding errors of 200 steps in single precision accumulate in the state.
    np.testing.assert_allclose(
        flows.charge_kwh[:, 0] - flows.discharge_kwh[:, 0], energy, atol=2e-4
    )
    np.testing.assert_allclose(states.stored_kwh[:, 0] / 6.4, soc, atol=5e-5)


def test_full_charge_and_discharge_by_hand():
    """4 kWh, 2 kW, 80 % charge and 50 % discharge efficiency, hourly steps: full, then empty."""
    fields = {
        "capacity_kwh": 4.0,
        "charge_kw": 2.0,
        "discharge_kw": 2.0,
        "soc_min": 0.1,
        "soc_max": 0.9,
        "initial_soc": 0.1,
        "self_discharge_per_step": 0.0,
        "capacity_loss_coefficient": 0.0,
        "efficiency_power_points": [[0, 1]],
        "charge_efficiency_curve": [[0.64, 0.64]],
        "discharge_efficiency_curve": [[0.25, 0.25]],
        "power_soc_points": [[0, 1]],
        "power_curve": [[1, 1]],
    }
    params = battery.BatteryParams(
        **{name: jnp.atleast_1d(jnp.float32(value)) for name, value in fields.items()}
    )
    requests = jnp.asarray([[9.0], [9.0], [9.0], [-9.0], [-9.0]], jnp.float32)
    states, flows = simulate(params, requests, jnp.float32(1.0))
    # 0.4 + 2 x 0.8 = 2.0; + 1.6 = 3.6, the limit of 90 %. Discharging 2 kWh would take 4 kWh from
    # the battery, but 3.2 are available, which give 1.6.
    np.testing.assert_allclose(states.stored_kwh[:, 0], [2.0, 3.6, 3.6, 0.4, 0.4], atol=1e-6)
    np.testing.assert_allclose(flows.charge_kwh[:, 0], [2, 2, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(flows.discharge_kwh[:, 0], [0, 0, 0, 1.6, 0], atol=1e-6)
    np.testing.assert_allclose(flows.loss_kwh[:, 0], [0.4, 0.4, 0, 1.6, 0], atol=1e-6)
