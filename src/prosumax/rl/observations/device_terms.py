"""Private observation terms of flexible devices; all are 0 in a home without the device."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.numerics import safe_divide
from prosumax.rl.observations.context import ObservationContext, observation_terms


@observation_terms.register("ev_soc", "Private: state of charge of the own EV; 0 to 1.")
def ev_soc(context: ObservationContext) -> Float[Array, " home"]:
    """Divide the energy stored in the EV by its capacity."""
    devices = context.params.community.homes.devices
    state = context.state.community.homes.devices
    if devices is None or devices.ev is None or state is None or state.ev is None:
        return _zeros(context)
    return safe_divide(state.ev.stored_kwh, devices.ev.capacity_kwh)


@observation_terms.register(
    "ev_plugged_in",
    "Private: 1 when the own EV is plugged in during the coming step, else 0; 0 to 1.",
)
def ev_plugged_in(context: ObservationContext) -> Float[Array, " home"]:
    """Return 1 for a plugged-in EV."""
    inputs = context.inputs.devices
    if inputs is None or inputs.ev is None:
        return _zeros(context)
    return (inputs.ev.hours_to_departure > 0).astype(jnp.float32)


@observation_terms.register(
    "ev_hours_to_departure",
    "Private: time to the departure of the own EV in days, at most one; 0 while away; 0 to 1.",
)
def ev_hours_to_departure(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the time to departure from the start of the coming step."""
    inputs = context.inputs.devices
    if inputs is None or inputs.ev is None:
        return _zeros(context)
    return jnp.minimum(inputs.ev.hours_to_departure / 24.0, 1.0)


@observation_terms.register(
    "ev_missing_charge",
    "Private: energy missing to the required charge of the own EV over its capacity; 0 to 1.",
)
def ev_missing_charge(context: ObservationContext) -> Float[Array, " home"]:
    """Divide the energy missing to the charge required at departure by the EV's capacity."""
    devices = context.params.community.homes.devices
    state = context.state.community.homes.devices
    if devices is None or devices.ev is None or state is None or state.ev is None:
        return _zeros(context)
    missing = jnp.maximum(devices.ev.departure_kwh - state.ev.stored_kwh, 0.0)
    return safe_divide(missing, devices.ev.capacity_kwh)


@observation_terms.register(
    "indoor_temperature",
    "Private: indoor temperature in the comfort band; 0 at its lower end, 1 at its upper.",
)
def indoor_temperature(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the indoor temperature to the comfort band; it may lie outside of [0, 1]."""
    devices = context.params.community.homes.devices
    state = context.state.community.homes.devices
    if devices is None or devices.heat_pump is None or state is None or state.heat_pump is None:
        return _zeros(context)
    pump = devices.heat_pump
    band = pump.max_indoor_c - pump.min_indoor_c
    return pump.exists * (state.heat_pump.indoor_c - pump.min_indoor_c) / band


@observation_terms.register(
    "hot_water_temperature",
    "Private: temperature of the hot-water tank in its band; 0 at its lower end, 1 at its upper.",
)
def hot_water_temperature(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the tank temperature to its band; 0 without a tank."""
    devices = context.params.community.homes.devices
    state = context.state.community.homes.devices
    if devices is None or devices.heat_pump is None or state is None or state.heat_pump is None:
        return _zeros(context)
    pump = devices.heat_pump
    above = state.heat_pump.tank_c - pump.min_tank_c
    return safe_divide(above, pump.max_tank_c - pump.min_tank_c)


@observation_terms.register(
    "appliance_urgency",
    "Private: for each appliance slot 1 when its run is due, less with time left, "
    "0 when none waits; 0 to 1.",
)
def appliance_urgency(context: ObservationContext) -> Float[Array, "home slot"]:
    """Compute 1 minus the remaining over the maximum waiting time plus one step, per slot."""
    devices = context.params.community.homes.devices
    state = context.state.community.homes.devices
    inputs = context.inputs.devices
    if devices is None or devices.appliances is None or state is None or state.appliances is None:
        return jnp.zeros((context.num_homes, 0))
    max_wait = devices.appliances.max_wait_steps
    wait_left = state.appliances.wait_steps_left
    if inputs is not None and inputs.appliances is not None:
        wait_left = jnp.where(inputs.appliances.ready, max_wait, wait_left)
    return jnp.where(wait_left >= 0, 1.0 - wait_left / (max_wait + 1.0), 0.0)


def _zeros(context: ObservationContext) -> Float[Array, " home"]:
    return jnp.zeros_like(context.state.load_kwh)
