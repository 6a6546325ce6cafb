"""Electric car at a home charger: plugged in or away, driven, charged, and with V2G giving back.

The charger's own controller keeps the owner's word: whatever is asked, it charges as soon as waiting longer would make
the required charge at departure impossible, and gives back nothing that could not be charged again in time.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.types import EVFlow


class EVParams(NamedTuple):
    """One car per home; a home without one has capacity and powers zero.

    Attributes:
        capacity_kwh: of the car's battery.
        charge_kw, discharge_kw: AC limits of the charger; discharge is zero without V2G.
        charge_efficiency, discharge_efficiency: one way, AC to battery and back.
        required_kwh: wanted inside at every departure.
        reserve_kwh: V2G leaves at least so much.
        initial_kwh: inside before the first step.
        safeguard: 1 where the charger's controller steps in, 0 where the agent alone answers for departures.
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
    """Where the car is; it comes and goes between steps.

    Attributes:
        hours_left: plugged-in hours from the start of the step to departure; 0 while away.
        trip_kwh: what driving takes from the battery in the step; 0 while plugged in.
    """

    hours_to_departure: Float[Array, "*step home"]
    trip_kwh: Float[Array, "*step home"]


class EVState(NamedTuple):
    """Energy inside, kWh."""

    stored_kwh: Float[Array, " home"]


def initial_state(params: EVParams) -> EVState:
    """The car before the first step."""
    return EVState(params.initial_kwh)


def step(
    params: EVParams,
    state: EVState,
    inputs: EVSeries,
    request_kw: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[EVState, EVFlow]:
    """Drive, or charge and give back as near to the request as charger, battery and departure allow.

    Arguments:
        params, state: the cars.
        now: this step's row.
        request_kw: AC power asked for, positive charges; any real number.
        step_hours: length of the step.
    """
    plugged = inputs.hours_to_departure > 0
    driven = jnp.minimum(inputs.trip_kwh, state.stored_kwh)
    start = state.stored_kwh - driven
    most = _most_kwh(params, start, inputs, step_hours)
    least = params.safeguard * min_charge_kwh(params, EVState(start), inputs, step_hours)
    kept = jnp.maximum(params.reserve_kwh, params.safeguard * _needed_kwh(params, inputs, step_hours))
    spare = jnp.maximum(start - kept, 0.0) * params.discharge_efficiency
    most_back = jnp.minimum(params.discharge_kw * step_hours * plugged, spare)
    moved = jnp.clip(request_kw * step_hours, jnp.where(least > 0, least, -most_back), most)
    charge, discharge = jnp.maximum(moved, 0.0), jnp.maximum(-moved, 0.0)
    stored = start + charge * params.charge_efficiency - discharge / params.discharge_efficiency
    stored = jnp.clip(stored, 0.0, params.capacity_kwh)  # rounding
    leaves = plugged & (inputs.hours_to_departure <= step_hours * 1.001)
    flow = EVFlow(
        charge_kwh=charge,
        discharge_kwh=discharge,
        loss_kwh=jnp.maximum(start + charge - discharge - stored, 0.0),
        driven_kwh=driven,
        unserved_kwh=inputs.trip_kwh - driven,
        departure_shortfall_kwh=jnp.maximum(params.departure_kwh - stored, 0.0) * leaves,
        stored_kwh=stored,
    )
    return EVState(stored), flow


def min_charge_kwh(
    params: EVParams, state: EVState, inputs: EVSeries, step_hours: Float[Array, ""]
) -> Float[Array, " home"]:
    """What must be charged in this step, or the required charge at departure is out of reach; at most what can be."""
    missing = (_needed_kwh(params, inputs, step_hours) - state.stored_kwh) / params.charge_efficiency
    return jnp.clip(missing, 0.0, _most_kwh(params, state.stored_kwh, inputs, step_hours))


def _needed_kwh(
    params: EVParams, now: EVSeries, step_hours: Float[Array, ""]
) -> Float[Array, " home"]:
    """What must be inside after this step so that full power until departure still gets to the required charge."""
    later_kwh = (
        params.charge_efficiency * params.charge_kw * jnp.maximum(now.hours_to_departure - step_hours, 0.0)
    )
    return params.departure_kwh - later_kwh


def _most_kwh(
    params: EVParams,
    stored_kwh: Float[Array, " home"],
    now: EVSeries,
    step_hours: Float[Array, ""],
) -> Float[Array, " home"]:
    limit = params.charge_kw * step_hours * (now.hours_to_departure > 0)
    return jnp.minimum(limit, (params.capacity_kwh - stored_kwh) / params.charge_efficiency)


def default_request_kw(params: EVParams, inputs: EVSeries) -> Float[Array, " home"]:
    """The habit: full power as soon as the car is plugged in, until it is full."""
    return params.charge_kw * (inputs.hours_to_departure > 0)
