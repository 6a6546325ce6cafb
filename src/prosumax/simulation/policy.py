"""Policies of homes: context of a decision, combination of rules and discrete power levels."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from prosumax.devices.home import HomeParams, HomeState, devices_net_kwh, step_devices
from prosumax.types import NO_PREFERENCE, DeviceRequests, Dispatch, Prices


class ControlSchedule(NamedTuple):
    """Requests of a plan made before the simulation, with or without a step axis.

    Attributes:
        battery_kw: Requested power of each battery.
        devices: Requests to the other devices by kind, [*step, home, slot]; NaN, or a missing kind,
            applies the default control.
    """

    battery_kw: Float[Array, "*step home"]
    devices: DeviceRequests | None = None


class ControlContext(NamedTuple):
    """Information available to the rules of all homes in one step.

    Attributes:
        load_kwh: Load in the step, including flexible devices under their default control.
        solar_kwh: PV generation in the step.
        hour: Local hour of the day at the start of the step, 0 to 23.
        step_hours: Length of the step in hours.
        prices: Prices of the grid and posted prices of the step.
        params: Device parameters.
        state: Device state before the step.
        schedule: Requests of a plan for the step; None without a plan.
        device_inputs: Exogenous inputs by kind of device.
        default_devices_kwh: Net energy of the flexible devices under their default control,
            already part of `load_kwh`.
    """

    load_kwh: Float[Array, " home"]
    solar_kwh: Float[Array, " home"]
    hour: Int[Array, ""]
    step_hours: Float[Array, ""]
    prices: Prices
    params: HomeParams
    state: HomeState
    schedule: ControlSchedule | None = None
    device_inputs: dict[str, PyTree] = {}  # noqa: RUF012 (never changed in place)
    default_devices_kwh: Float[Array, " home"] | float = 0.0


ControlRule = Callable[[ControlContext, PRNGKeyArray], Dispatch]
"""Decision of all homes from the context of a step and a PRNG key."""


def truthful_dispatch(
    battery_kw: Float[Array, " home"], requests: DeviceRequests | None = None
) -> Dispatch:
    """Build a dispatch that trades the resulting net load at truthful prices.

    Args:
        battery_kw: Requested battery power; positive charges.
        requests: Requests to the other devices by kind; a missing kind follows its default control.
    """
    shape = battery_kw.shape
    return Dispatch(
        battery_kw=battery_kw,
        price=jnp.full(shape, jnp.nan),
        partner=jnp.full(shape, NO_PREFERENCE, jnp.int32),
        devices=requests,
    )


class RuleBasedPolicy(NamedTuple):
    """Policy of a community that applies one rule to each home.

    Attributes:
        rules: Distinct rules; static.
        masks: Homes that follow each rule.
    """

    rules: tuple[jax.tree_util.Partial, ...]
    masks: Bool[Array, "rule home"]

    def __call__(self, context: ControlContext, key: PRNGKeyArray) -> Dispatch:
        """Decide for all homes.

        Absent batteries get no request, and devices that a rule does not control follow their
        default control.

        Args:
            context: Information available in the step.
            key: PRNG key of the rules.
        """
        _, flows, defaults = step_devices(
            context.params,
            context.state,
            context.device_inputs,
            None,
            context.load_kwh - context.solar_kwh,
            context.step_hours,
        )
        if flows:
            devices_kwh = devices_net_kwh(flows)
            context = context._replace(
                load_kwh=context.load_kwh + devices_kwh, default_devices_kwh=devices_kwh
            )
        action = truthful_dispatch(jnp.zeros_like(context.load_kwh), defaults)
        for rule, mask in zip(self.rules, self.masks, strict=True):
            action = _merge(mask, rule(context, key), action)
        has_battery = context.params.battery.capacity_kwh > 0
        return action._replace(battery_kw=jnp.where(has_battery, action.battery_kw, 0.0))


class DiscretePowerPolicy(NamedTuple):
    """Policy whose battery requests are rounded to the nearest of a set of power levels.

    Attributes:
        policy: Policy to discretize.
        levels: Levels as fractions of the battery capacity per hour, from `make_power_levels`.
    """

    policy: RuleBasedPolicy
    levels: Float[Array, " level"]

    def __call__(self, context: ControlContext, key: PRNGKeyArray) -> Dispatch:
        """Decide for all homes; the lower of two equally near levels is applied.

        Args:
            context: Information available in the step.
            key: PRNG key of the rules.
        """
        capacity = context.params.battery.capacity_kwh
        action = self.policy(context, key)
        requested = action.battery_kw / jnp.where(capacity > 0, capacity, 1.0)
        nearest = jnp.argmin(jnp.abs(requested[:, None] - self.levels), axis=1)
        return action._replace(battery_kw=self.levels[nearest] * capacity)


def _merge(mask: Bool[Array, " home"], new: Dispatch, old: Dispatch) -> Dispatch:
    """Take the new decision of masked homes, except for devices without a request (None, NaN)."""
    battery_kw = jnp.where(mask, new.battery_kw, old.battery_kw)
    price = jnp.where(mask, new.price, old.price)
    partner = jnp.where(mask, new.partner, old.partner)
    defaults = old.devices or {}
    requests = dict(defaults)
    for kind, requested in (new.devices or {}).items():
        if kind in defaults:
            requests[kind] = _select_columns(mask, requested, defaults[kind])
    return Dispatch(battery_kw, price, partner, requests)


def _select_columns(
    mask: Bool[Array, " home"],
    requested: Float[Array, "home slot"],
    default: Float[Array, "home slot"],
) -> Float[Array, "home slot"]:
    """Take the requests of masked homes that are not NaN.

    Column by column, so that XLA sees through the stacking of slots.
    """
    columns = [
        jnp.where(mask & ~jnp.isnan(requested[:, slot]), requested[:, slot], default[:, slot])
        for slot in range(default.shape[1])
    ]
    return jnp.stack(columns, axis=1)
