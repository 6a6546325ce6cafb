"""Home battery: limits, efficiency that may depend on power, standing loss, capacity fade.

The model is CityLearn's `Battery` (Nweye et al. 2024, arXiv:2405.03848), which has the simple battery as a special
case: flat curves, no fade. Power is seen at the home's AC side.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

_EFFICIENCY_PASSES = (
    2  # CityLearn solves "power sets efficiency sets power" by two fixed-point passes.
)


class BatteryParams(NamedTuple):
    """One battery per home; a home without one has capacity and power zero.

    Attributes:
        capacity_kwh: nominal capacity; the state of charge is a fraction of it.
        charge_kw, discharge_kw: AC power limits.
        soc_min, soc_max: limits of the state of charge, fractions.
        initial_soc: state of charge before the first step.
        standing_loss: fraction of the stored energy lost in one step.
        fade: capacity lost per full equivalent of throughput, fraction (CityLearn's `capacity_loss_coefficient`).
        efficiency_power: power as a fraction of the limit, at which the two efficiency curves have their points.
        charge_curve, discharge_curve: one-way efficiency **squared** (for a symmetric battery: the round-trip
            efficiency) at those points, linear in between; CityLearn interpolates the round trip, then takes the root.
        power_soc, power_curve: share of the power limit available at a state of charge, linear between the points.
    """

    capacity_kwh: Float[Array, " home"]
    charge_kw: Float[Array, " home"]
    discharge_kw: Float[Array, " home"]
    soc_min: Float[Array, " home"]
    soc_max: Float[Array, " home"]
    initial_soc: Float[Array, " home"]
    self_discharge_per_step: Float[Array, " home"]
    capacity_loss_coefficient: Float[Array, " home"]
    efficiency_power_points: Float[Array, "home point"]
    charge_efficiency_curve: Float[Array, "home point"]
    discharge_efficiency_curve: Float[Array, "home point"]
    power_soc_points: Float[Array, "home soc_point"]
    power_curve: Float[Array, "home soc_point"]


class BatteryState(NamedTuple):
    """Energy inside, and the capacity that is left after fade; both kWh."""

    stored_kwh: Float[Array, " home"]
    capacity_kwh: Float[Array, " home"]


class BatteryFlow(NamedTuple):
    """What happened in one step, kWh, all >= 0: AC charge and discharge, and all that was lost inside."""

    charge_kwh: Float[Array, " home"]
    discharge_kwh: Float[Array, " home"]
    loss_kwh: Float[Array, " home"]


def initial_state(params: BatteryParams) -> BatteryState:
    """The battery before the first step."""
    return BatteryState(params.initial_soc * params.capacity_kwh, params.capacity_kwh)


def step(
    params: BatteryParams,
    state: BatteryState,
    request_kw: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[BatteryState, BatteryFlow]:
    """Charge (positive) or discharge (negative) as near to the request as the battery can.

    Arguments:
        params: the batteries.
        state: before the step.
        request_kw: mean AC power asked for over the step; any real number, out-of-range is limited.
        step_hours: length of the step.

    Returns:
        The state after the step and the energy that flowed. The state of charge never leaves its limits, except that a
        battery that starts below `soc_min` is not forced to charge.

    Source: CityLearn 3.0.2's battery, equations restated in `docs/battery.md`.
    """
    capacity = params.capacity_kwh
    exists = capacity > 0
    safe_capacity = jnp.where(exists, capacity, 1.0)
    charging = request_kw >= 0

    after_standing = state.stored_kwh * (1.0 - params.self_discharge_per_step)
    # Fade may leave the store over-full by a trace; what no longer fits is a loss like any other.
    ceiling = jnp.minimum(state.capacity_kwh, params.soc_max * capacity)
    start = jnp.minimum(after_standing, ceiling)
    room = ceiling - start
    available = jnp.maximum(start - params.soc_min * capacity, 0.0)

    limit_kw = jnp.where(charging, params.charge_kw, params.discharge_kw)
    soc = state.stored_kwh / safe_capacity
    limit_kwh = limit_kw * _interpolate(soc, params.power_soc_points, params.power_curve) * step_hours
    wanted_kwh = jnp.minimum(jnp.abs(request_kw), limit_kw) * step_hours

    curve = jnp.where(charging[..., None], params.charge_efficiency_curve, params.discharge_efficiency_curve)
    full_kwh = jnp.where(limit_kw > 0, limit_kw * step_hours, 1.0)
    moved = wanted_kwh
    efficiency = jnp.ones_like(moved)
    for _ in range(_EFFICIENCY_PASSES):
        efficiency = jnp.sqrt(_interpolate(moved / full_kwh, params.efficiency_power_points, curve))
        reachable = jnp.where(charging, room / efficiency, available * efficiency)
        moved = jnp.minimum(jnp.minimum(wanted_kwh, limit_kwh), reachable)
    moved = jnp.where(exists, moved, 0.0)

    charge = jnp.where(charging, moved, 0.0)
    discharge = jnp.where(charging, 0.0, moved)
    stored = jnp.where(charging, start + charge * efficiency, start - discharge / efficiency)
    # Rounding must not push the store past a limit that it just reached.
    stored = jnp.clip(stored, jnp.minimum(start, params.soc_min * capacity), ceiling)
    worn = params.capacity_loss_coefficient * capacity * moved / (2.0 * jnp.where(exists, state.capacity_kwh, 1.0))
    loss = state.stored_kwh + charge - discharge - stored
    new_state = BatteryState(stored, jnp.maximum(state.capacity_kwh - worn, 0.0))
    return new_state, BatteryFlow(charge, discharge, jnp.maximum(loss, 0.0))


def energy_limits_kwh(
    params: BatteryParams, state: BatteryState, step_hours: Float[Array, ""]
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """The most that can be charged and discharged in one step, kWh at the AC side (MARLEM equations 11c, 11d).

    Unlike in those equations, power limits and efficiency count.
    """
    most = [
        step(params, state, request, step_hours)[1]
        for request in (params.charge_kw, -params.discharge_kw)
    ]
    return most[0].charge_kwh, most[1].discharge_kwh


def _interpolate(
    x: Float[Array, " home"], points: Float[Array, "home point"], values: Float[Array, "home point"]
) -> Float[Array, " home"]:
    """Piecewise-linear curve per home, held constant outside its points.

    A sum of clipped ramps instead of a search: few points, no gather, and it differentiates.
    """
    share = (x[..., None] - points[..., :-1]) / jnp.diff(points, axis=-1)
    return values[..., 0] + jnp.sum(jnp.diff(values, axis=-1) * jnp.clip(share, 0.0, 1.0), axis=-1)
