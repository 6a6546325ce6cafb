"""Home battery with limits, power-dependent efficiency, self-discharge and capacity loss.

A simple battery is the special case of constant curves and no capacity loss. Powers are on the AC
side of the home.

References:
    The `Battery` of CityLearn 3.0.2; Nweye et al. 2024, arXiv:2405.03848.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

# CityLearn finds the efficiency at the power reached by two fixed-point iterations.
_EFFICIENCY_ITERATIONS = 2


class BatteryParams(NamedTuple):
    """Parameters of one battery per home; homes without a battery have zero capacity and power.

    Attributes:
        capacity_kwh: Nominal capacity, the basis of the state of charge.
        charge_kw: AC power limit of charging.
        discharge_kw: AC power limit of discharging.
        soc_min: Lower limit of the state of charge.
        soc_max: Upper limit of the state of charge.
        initial_soc: State of charge before the first step.
        self_discharge_per_step: Fraction of the stored energy lost in one step.
        capacity_loss_coefficient: Fraction of the capacity lost per full equivalent cycle, as in
            CityLearn.
        efficiency_power_points: Points of the efficiency curves, as fractions of the power limit.
        charge_efficiency_curve: One-way efficiency squared at these points, linear in between. For
            a symmetric battery this is the round-trip efficiency, which CityLearn interpolates.
        discharge_efficiency_curve: Like `charge_efficiency_curve`, for discharging.
        power_soc_points: Points of `power_curve`, as states of charge.
        power_curve: Available fraction of the power limit at these points, linear in between.
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
    """State of the batteries.

    Attributes:
        stored_kwh: Stored energy.
        capacity_kwh: Remaining capacity.
    """

    stored_kwh: Float[Array, " home"]
    capacity_kwh: Float[Array, " home"]


class BatteryFlow(NamedTuple):
    """Energy flows of the batteries in one step, all >= 0.

    Attributes:
        charge_kwh: Charged energy on the AC side.
        discharge_kwh: Discharged energy on the AC side.
        loss_kwh: Losses.
    """

    charge_kwh: Float[Array, " home"]
    discharge_kwh: Float[Array, " home"]
    loss_kwh: Float[Array, " home"]


def initial_state(params: BatteryParams) -> BatteryState:
    """Return the state before the first step."""
    return BatteryState(params.initial_soc * params.capacity_kwh, params.capacity_kwh)


def step(
    params: BatteryParams,
    state: BatteryState,
    request_kw: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[BatteryState, BatteryFlow]:
    """Charge or discharge at the requested power within the limits of the battery.

    The state of charge stays within its limits; a battery that starts below `soc_min` is not
    forced to charge.

    Args:
        params: Parameters.
        state: State before the step.
        request_kw: Requested mean AC power, positive for charging; limited to the feasible range.
        step_hours: Length of the step.

    Returns:
        The state after the step and the energy flows.
    """
    capacity = params.capacity_kwh
    exists = capacity > 0
    safe_capacity = jnp.where(exists, capacity, 1.0)
    is_charging = request_kw >= 0

    after_self_discharge = state.stored_kwh * (1.0 - params.self_discharge_per_step)
    # Capacity loss may leave slightly more energy than fits; the excess counts as a loss.
    max_stored = jnp.minimum(state.capacity_kwh, params.soc_max * capacity)
    start = jnp.minimum(after_self_discharge, max_stored)
    headroom = max_stored - start
    available = jnp.maximum(start - params.soc_min * capacity, 0.0)

    limit_kw = jnp.where(is_charging, params.charge_kw, params.discharge_kw)
    soc = state.stored_kwh / safe_capacity
    power_fraction = _interpolate(soc, params.power_soc_points, params.power_curve)
    limit_kwh = limit_kw * power_fraction * step_hours
    requested_kwh = jnp.minimum(jnp.abs(request_kw), limit_kw) * step_hours

    curve = jnp.where(
        is_charging[..., None],
        params.charge_efficiency_curve,
        params.discharge_efficiency_curve,
    )
    full_power_kwh = jnp.where(limit_kw > 0, limit_kw * step_hours, 1.0)
    exchanged = requested_kwh
    efficiency = jnp.ones_like(exchanged)
    for _ in range(_EFFICIENCY_ITERATIONS):
        squared = _interpolate(exchanged / full_power_kwh, params.efficiency_power_points, curve)
        efficiency = jnp.sqrt(squared)
        reachable = jnp.where(is_charging, headroom / efficiency, available * efficiency)
        exchanged = jnp.minimum(jnp.minimum(requested_kwh, limit_kwh), reachable)
    exchanged = jnp.where(exists, exchanged, 0.0)

    charge = jnp.where(is_charging, exchanged, 0.0)
    discharge = jnp.where(is_charging, 0.0, exchanged)
    stored = jnp.where(is_charging, start + charge * efficiency, start - discharge / efficiency)
    # Rounding must not move the stored energy past a limit that it just reached.
    stored = jnp.clip(stored, jnp.minimum(start, params.soc_min * capacity), max_stored)
    capacity_loss = (
        params.capacity_loss_coefficient
        * capacity
        * exchanged
        / (2.0 * jnp.where(exists, state.capacity_kwh, 1.0))
    )
    loss = state.stored_kwh + charge - discharge - stored
    new_state = BatteryState(stored, jnp.maximum(state.capacity_kwh - capacity_loss, 0.0))
    return new_state, BatteryFlow(charge, discharge, jnp.maximum(loss, 0.0))


def energy_limits_kwh(
    params: BatteryParams, state: BatteryState, step_hours: Float[Array, ""]
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """Compute the largest charge and discharge in one step on the AC side.

    Unlike the equations of the reference, these limits include power limits and efficiency.

    Args:
        params: Parameters.
        state: State before the step.
        step_hours: Length of the step.

    Returns:
        Largest charge and largest discharge, kWh.

    References:
        Equations 11c and 11d of the MARLEM paper.
    """
    _, charging = step(params, state, params.charge_kw, step_hours)
    _, discharging = step(params, state, -params.discharge_kw, step_hours)
    return charging.charge_kwh, discharging.discharge_kwh


def _interpolate(
    x: Float[Array, " home"], points: Float[Array, "home point"], values: Float[Array, "home point"]
) -> Float[Array, " home"]:
    """Evaluate one piecewise-linear curve per home, constant outside its points.

    A sum of clipped ramps needs no gather, is differentiable, and is fast for few points.
    """
    fraction = (x[..., None] - points[..., :-1]) / jnp.diff(points, axis=-1)
    increments = jnp.diff(values, axis=-1) * jnp.clip(fraction, 0.0, 1.0)
    return values[..., 0] + jnp.sum(increments, axis=-1)
