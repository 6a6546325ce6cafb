"""`check_policy` accepts the policies that ship and names what is wrong with broken ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.control import policies, truthful_dispatch
from prosumax.errors import InputError
from prosumax.testing import CheckError, check_policy

FAST = {"self-consumption", "optimal-levels"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in policies],
)
def test_policies_that_ship_pass(name):
    assert check_policy(name) is None


def returns_power_only(context, key):
    return context.params.battery.charge_kw


def decides_for_the_community(context, key):
    return truthful_dispatch(context.load_kwh.sum(keepdims=True))


def divides_by_zero(context, key):
    battery = context.params.battery
    return truthful_dispatch(battery.charge_kw / battery.capacity_kwh)


def requires_an_ev(context, key):
    ev = context.params.devices["ev"]
    return truthful_dispatch(ev.charge_kw)


def requests_an_absent_kind(context, key):
    request = jnp.ones((context.load_kwh.shape[0], 1))
    return truthful_dispatch(jnp.zeros_like(context.load_kwh), {"heat_pump": request})


def prefers_nobody_that_exists(context, key):
    dispatch = truthful_dispatch(jnp.zeros_like(context.load_kwh))
    return dispatch._replace(partner=dispatch.partner + 100)


def branches_on_the_hour(context, key):
    power = context.params.battery.charge_kw
    return truthful_dispatch(power if context.hour < 6 else -power)


def draws_outside_of_jax(context, key):
    def power(like):
        return np.float32(np.random.default_rng().random(like.shape))

    shape = jax.ShapeDtypeStruct(context.load_kwh.shape, jnp.float32)
    drawn = jax.pure_callback(power, shape, context.load_kwh, vmap_method="sequential")
    return truthful_dispatch(drawn)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (returns_power_only, "it returns .*Tracer.* Return prosumax.control.truthful_dispatch"),
        (decides_for_the_community, r"battery_kw has shape \(1,\), not \(3,\)"),
        (divides_by_zero, "battery_kw is nan for home 1. Guard divisions"),
        (requires_an_ev, "it cannot be compiled .* KeyError: 'ev'.* may lack a kind of device"),
        (requests_an_absent_kind, "it requests power of 'heat_pump', which no home has"),
        (prefers_nobody_that_exists, "home 0 prefers partner 99 of 3 homes"),
        (branches_on_the_hour, "it cannot be compiled .* TracerBoolConversionError"),
        (draws_outside_of_jax, "with the same key in step .* Draw random numbers from the key"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_policy_fails_with_what_is_wrong(rule, message):
    with pytest.raises(CheckError, match=message):
        check_policy(rule)


def test_an_unknown_name_is_reported():
    with pytest.raises(InputError, match="there is no policy 'self-consumtion'"):
        check_policy("self-consumtion")
