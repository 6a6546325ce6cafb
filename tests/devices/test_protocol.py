"""Properties of every registered kind of device: energy, limits, homes without one, batching."""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax.devices import Device, devices
from prosumax.metrics import KPI
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import HomeConfig
from prosumax.scenario.schema.devices import RESERVED_NAMES
from prosumax.simulation.community import assemble
from prosumax.simulation.inputs import read_profiles

STEPS = 96

CONFIGS = {
    "battery": {"capacity_kwh": 8, "charge_kw": 3, "soc_min": 0.1, "self_discharge_per_month": 0.1},
    "ev": {"v2g": True, "plug_in_probability": 1.0},
    "appliances": [{"kind": "washing_machine"}, {"kind": "dryer", "safeguard": False}],
    "community_battery": {"capacity_kwh": 20, "charge_kw": 6, "soc_min": 0.1},
}
"""Configurations that use the features of a kind; kinds that are missing here have defaults."""


@lru_cache
def one_home_of_two_has(kind):
    """Return device, parameters, series and step length of a community with one kind."""
    device = devices.get(kind, "kind")
    config = CONFIGS.get(kind, {})
    load = {"source": "values", "values": [0.3]}
    home = {"name": "with", "load": load} | ({} if device.shared else {kind: config})
    scenario = load_scenario(
        {
            "name": "two-homes",
            "period": {"start": "2023-01-16T00:00", "steps": STEPS, "step_minutes": 15},
            "location": {"latitude_deg": 50.85, "longitude_deg": 4.35},
            "homes": [home, {"name": "without", "load": load}],
            "shared_devices": {kind: config} if device.shared else {},
            "tariff": {"energy": 0.2, "feed_in": 0.05},
        }
    )
    community = assemble(scenario, read_profiles(scenario))
    hours = community.step_hours
    return device, community.homes.devices[kind], community.series.devices.get(kind), hours


@lru_cache
def simulator(kind):
    """Return a compiled function that runs the device with requests [step, home, slot]."""
    device, params, series, hours = one_home_of_two_has(kind)

    def advance(state, step):
        inputs, request = step
        after, flow = device.step(params, state, inputs, request, hours)
        before_kwh = device.stored_kwh(params, state) + jnp.zeros(2)
        after_kwh = device.stored_kwh(params, after) + jnp.zeros(2)
        terms = (flow.consumption_kwh, flow.supply_kwh, flow.released_kwh)
        return after, (before_kwh, after_kwh, terms)

    return jax.jit(
        lambda requests: jax.lax.scan(advance, device.init(params), (series, requests))[1]
    )


@pytest.mark.parametrize("kind", sorted(devices))
@settings(max_examples=25)
@given(seed=st.integers(0, 2**31), scale=st.sampled_from([0.3, 1.0, 50.0]))
def test_energy_closes_and_power_stays_within_limits(kind, seed, scale):
    """Stored energy changes by what was drawn less what was supplied and released."""
    device, params, _, hours = one_home_of_two_has(kind)
    draw_kw, supply_kw = device.slot_limits_kw(params)
    rng = np.random.default_rng(seed)
    shape = (STEPS, *draw_kw.shape)
    requests = jnp.asarray(scale * rng.normal(size=shape) * np.maximum(draw_kw, 1), jnp.float32)
    before, after, (drawn, supplied, released) = jax.tree.map(np.asarray, simulator(kind)(requests))
    balance = before + drawn - supplied - released - after
    # Single precision keeps seven digits of the stored energy, in a balance of a few numbers.
    assert np.abs(balance).max() <= 4e-6 * (1 + np.abs(before).max())
    max_drawn, max_supplied = (np.asarray(part) * hours for part in device.limits_kw(params))
    assert (drawn >= 0).all() and (drawn <= max_drawn * (1 + 1e-6)).all()
    assert (supplied >= 0).all() and (supplied <= max_supplied * (1 + 1e-6)).all()
    if not device.shared:
        assert not drawn[:, 1].any() and not supplied[:, 1].any()


@pytest.mark.parametrize("kind", sorted(devices))
def test_slots_observations_and_default_requests_agree_with_their_declarations(kind):
    device, params, series, hours = one_home_of_two_has(kind)
    draw_kw, supply_kw = device.slot_limits_kw(params)
    count = len(CONFIGS[kind]) if device.max_per_home > 1 else 1
    slots = device.action_slots(count)
    assert draw_kw.shape == supply_kw.shape == (2, len(slots))
    state = device.init(params)
    inputs = jax.tree.map(lambda leaf: leaf[0], series)
    request = device.default_request(params, state, inputs, jnp.zeros(2), hours)
    assert request.shape == draw_kw.shape
    observed = device.observe(params, state, inputs)
    assert set(observed) == set(device.observations)
    for name, value in observed.items():
        declared = device.observations[name]
        assert value.shape == ((2, len(slots)) if declared.per_slot else (2,))
        assert (value >= declared.low).all() and (value <= declared.high).all()


def test_reserved_names_are_the_fields_of_a_home():
    assert set(HomeConfig.model_fields) | {"device", "devices", "events"} == RESERVED_NAMES


def test_a_kind_cannot_take_the_name_of_a_field_a_kpi_or_an_observation():
    ev = devices.get("ev", "kind")
    with pytest.raises(ValueError, match="'load' of a device is a field of a home"):
        devices.register("load", "As load.")(ev)
    with pytest.raises(ValueError, match="'car' has the KPI 'ev_charge_kwh' of device 'ev'"):
        devices.register("car", "As an EV.")(ev)
    with pytest.raises(TypeError, match="has the KPI 'cost'"):
        type("Costly", (Device,), {"kpis": (KPI("cost", "Cost"),)})
