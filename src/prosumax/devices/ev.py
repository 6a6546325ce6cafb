"""Electric vehicle at a home charger, with optional vehicle-to-grid (V2G).

A safeguard guarantees the required state of charge at departure: whatever power is requested, the
charger charges as soon as further waiting would make the requirement infeasible, and discharges
no energy that could not be recharged in time.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.types import EVFlow

# Departure is at the end of a step, up to rounding of the remaining hours.
_DEPARTURE_TOLERANCE = 1.001


class EVParams(NamedTuple):
    """Parameters of one vehicle per home; homes without one have zero capacity and power.

    Attributes:
        capacity_kwh: Capacity of the vehicle's battery.
        charge_kw: AC power limit of charging.
        discharge_kw: AC power limit of discharging; zero without V2G.
        charge_efficiency: Efficiency from AC to the battery.
        discharge_efficiency: Efficiency from the battery to AC.
        departure_kwh: Stored energy required at every departure.
        reserve_kwh: Stored energy below which V2G does not discharge.
        initial_kwh: Stored energy before the first step.
        safeguard: 1 where the charger guarantees `departure_kwh`, 0 where it does not.
    """

    capacity_kwh: Float[Array, " home"]
    charge_kw: Float[Array, " home"]
    discharge_kw: Float[Array, " home"]
    charge_efficiency: Float[Array, " home"]
    discharge_efficiency: Float[Array, " home"]
    departure_kwh: Float[Array, " home"]
    reserve_kwh: Float[Array, " home"]
    initial_kwh: Float[Array, " home"]
    safeguard: Float[Array, " home"]


class EVSeries(NamedTuple):
    """Exogenous inputs of the vehicles, which arrive and depart between steps.

    Attributes:
        hours_to_departure: Hours from the start of the step to departure; 0 while away.
        trip_kwh: Energy of driving in the step; 0 while plugged in.
    """

    hours_to_departure: Float[Array, "*step home"]
    trip_kwh: Float[Array, "*step home"]


class EVState(NamedTuple):
    """State of the vehicles.

    Attributes:
        stored_kwh: Stored energy.
    """

    stored_kwh: Float[Array, " home"]


def initial_state(params: EVParams) -> EVState:
    """Return the state before the first step."""
    return EVState(params.initial_kwh)


def step(
    params: EVParams,
    state: EVState,
    inputs: EVSeries,
    request_kw: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[EVState, EVFlow]:
    """Drive, or charge or discharge at the requested power within the limits.

    Args:
        params: Parameters.
        state: State before the step.
        inputs: Exogenous inputs of the step.
        request_kw: Requested AC power, positive for charging; limited to the feasible range.
        step_hours: Length of the step.

    Returns:
        The state after the step and the energy flows.
    """
    is_plugged_in = inputs.hours_to_departure > 0
    driven = jnp.minimum(inputs.trip_kwh, state.stored_kwh)
    start = state.stored_kwh - driven
    max_charge = _max_charge_kwh(params, start, inputs, step_hours)
    min_charge = params.safeguard * min_charge_kwh(params, EVState(start), inputs, step_hours)
    required = params.safeguard * _required_kwh(params, inputs, step_hours)
    retained = jnp.maximum(params.reserve_kwh, required)
    available = jnp.maximum(start - retained, 0.0) * params.discharge_efficiency
    max_discharge = jnp.minimum(params.discharge_kw * step_hours * is_plugged_in, available)
    exchanged = jnp.clip(
        request_kw * step_hours,
        jnp.where(min_charge > 0, min_charge, -max_discharge),
        max_charge,
    )
    charge = jnp.maximum(exchanged, 0.0)
    discharge = jnp.maximum(-exchanged, 0.0)
    stored = start + charge * params.charge_efficiency - discharge / params.discharge_efficiency
    # Rounding may exceed the limits slightly.
    stored = jnp.clip(stored, 0.0, params.capacity_kwh)
    departs = is_plugged_in & (inputs.hours_to_departure <= step_hours * _DEPARTURE_TOLERANCE)
    flow = EVFlow(
        charge_kwh=charge,
        discharge_kwh=discharge,
        loss_kwh=jnp.maximum(start + charge - discharge - stored, 0.0),
        driven_kwh=driven,
        unserved_kwh=inputs.trip_kwh - driven,
        departure_shortfall_kwh=jnp.maximum(params.departure_kwh - stored, 0.0) * departs,
        stored_kwh=stored,
    )
    return EVState(stored), flow


def min_charge_kwh(
    params: EVParams, state: EVState, inputs: EVSeries, step_hours: Float[Array, ""]
) -> Float[Array, " home"]:
    """Compute the charge of the step that keeps the departure requirement feasible.

    Args:
        params: Parameters.
        state: State before the step.
        inputs: Exogenous inputs of the step.
        step_hours: Length of the step.

    Returns:
        AC energy, kWh; at most the largest possible charge.
    """
    missing = _required_kwh(params, inputs, step_hours) - state.stored_kwh
    max_charge = _max_charge_kwh(params, state.stored_kwh, inputs, step_hours)
    return jnp.clip(missing / params.charge_efficiency, 0.0, max_charge)


def default_request_kw(params: EVParams, inputs: EVSeries) -> Float[Array, " home"]:
    """Return the request of uncontrolled charging: full power from arrival until full."""
    return params.charge_kw * (inputs.hours_to_departure > 0)


def _required_kwh(
    params: EVParams, inputs: EVSeries, step_hours: Float[Array, ""]
) -> Float[Array, " home"]:
    """Compute the stored energy after this step from which full power meets the requirement."""
    remaining_hours = jnp.maximum(inputs.hours_to_departure - step_hours, 0.0)
    later_kwh = params.charge_efficiency * params.charge_kw * remaining_hours
    return params.departure_kwh - later_kwh


def _max_charge_kwh(
    params: EVParams,
    stored_kwh: Float[Array, " home"],
    inputs: EVSeries,
    step_hours: Float[Array, ""],
) -> Float[Array, " home"]:
    """Compute the largest charge of the step on the AC side."""
    limit = params.charge_kw * step_hours * (inputs.hours_to_departure > 0)
    return jnp.minimum(limit, (params.capacity_kwh - stored_kwh) / params.charge_efficiency)
