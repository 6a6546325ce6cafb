"""The flexible devices of all homes: electric vehicles, heat pumps and appliances.

A kind of device that no home has is None in all structures. This is known at compile time, so that
a community without flexible devices has no computation for them.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from prosumax.devices import appliance as appliance_model
from prosumax.devices import ev as ev_model
from prosumax.devices import heat_pump as heat_pump_model
from prosumax.devices.appliance import ApplianceParams, ApplianceSeries, ApplianceState
from prosumax.devices.ev import EVParams, EVSeries, EVState
from prosumax.devices.heat_pump import HeatPumpParams, HeatPumpSeries, HeatPumpState
from prosumax.numerics import AnyArray
from prosumax.types import DeviceFlows, DeviceRequests


class DeviceParams(NamedTuple):
    """Parameters of the flexible devices; a home without a device has one of zero power."""

    ev: EVParams | None = None
    heat_pump: HeatPumpParams | None = None
    appliances: ApplianceParams | None = None


class DeviceSeries(NamedTuple):
    """Exogenous inputs of the flexible devices."""

    ev: EVSeries | None = None
    heat_pump: HeatPumpSeries | None = None
    appliances: ApplianceSeries | None = None


class DeviceState(NamedTuple):
    """State of the flexible devices."""

    ev: EVState | None = None
    heat_pump: HeatPumpState | None = None
    appliances: ApplianceState | None = None


def initial_state(params: DeviceParams) -> DeviceState:
    """Return the state before the first step."""
    state = DeviceState()
    if params.ev is not None:
        state = state._replace(ev=ev_model.initial_state(params.ev))
    if params.heat_pump is not None:
        state = state._replace(heat_pump=heat_pump_model.initial_state(params.heat_pump))
    if params.appliances is not None:
        state = state._replace(appliances=appliance_model.initial_state(params.appliances))
    return state


def default_requests(
    params: DeviceParams, state: DeviceState, inputs: DeviceSeries, step_hours: Float[Array, ""]
) -> DeviceRequests:
    """Compute the requests of the default control.

    Vehicles charge on arrival, heat pumps hold the setpoint with a full tank, and appliances start
    when they are ready.

    Args:
        params: Parameters.
        state: State before the step.
        inputs: Exogenous inputs of the step.
        step_hours: Length of the step.
    """
    requests = DeviceRequests()
    if params.ev is not None and inputs.ev is not None:
        requests = requests._replace(ev_kw=ev_model.default_request_kw(params.ev, inputs.ev))
    pump = params.heat_pump
    if pump is not None and state.heat_pump is not None and inputs.heat_pump is not None:
        space_heating_kw, hot_water_kw = heat_pump_model.power_for_temperatures_kw(
            pump, state.heat_pump, inputs.heat_pump, pump.setpoint_c, pump.max_tank_c, step_hours
        )
        requests = requests._replace(space_heating_kw=space_heating_kw, hot_water_kw=hot_water_kw)
    if params.appliances is not None:
        start = appliance_model.default_request(params.appliances)
        requests = requests._replace(appliance_start=start)
    return requests


def step(
    params: DeviceParams,
    state: DeviceState,
    inputs: DeviceSeries,
    requests: DeviceRequests,
    step_hours: Float[Array, ""],
) -> tuple[DeviceState, DeviceFlows]:
    """Run all flexible devices for one step.

    Args:
        params: Parameters.
        state: State before the step.
        inputs: Exogenous inputs of the step.
        requests: Requests to each kind of device that exists.
        step_hours: Length of the step.

    Returns:
        The state after the step and the energy flows.
    """
    new_state = DeviceState()
    flows = DeviceFlows()
    if params.ev is not None and state.ev is not None and inputs.ev is not None:
        assert requests.ev_kw is not None
        ev_state, ev_flow = ev_model.step(
            params.ev, state.ev, inputs.ev, requests.ev_kw, step_hours
        )
        new_state = new_state._replace(ev=ev_state)
        flows = flows._replace(ev=ev_flow)
    pump = params.heat_pump
    if pump is not None and state.heat_pump is not None and inputs.heat_pump is not None:
        assert requests.space_heating_kw is not None and requests.hot_water_kw is not None
        pump_state, pump_flow = heat_pump_model.step(
            pump,
            state.heat_pump,
            inputs.heat_pump,
            requests.space_heating_kw,
            requests.hot_water_kw,
            step_hours,
        )
        new_state = new_state._replace(heat_pump=pump_state)
        flows = flows._replace(heat_pump=pump_flow)
    machines = params.appliances
    if machines is not None and state.appliances is not None and inputs.appliances is not None:
        assert requests.appliance_start is not None
        appliance_state, appliance_flow = appliance_model.step(
            machines, state.appliances, inputs.appliances, requests.appliance_start, step_hours
        )
        new_state = new_state._replace(appliances=appliance_state)
        flows = flows._replace(appliances=appliance_flow)
    return new_state, flows


def consumption_kwh(flows: DeviceFlows) -> Float[Array, " home"] | float:
    """Sum the electricity that the devices draw, charging of vehicles included."""
    total: Float[Array, " home"] | float = 0.0
    if flows.ev is not None:
        total = total + flows.ev.charge_kwh
    if flows.heat_pump is not None:
        pump = flows.heat_pump
        total = total + pump.space_heating_electricity_kwh + pump.hot_water_electricity_kwh
    if flows.appliances is not None:
        total = total + flows.appliances.consumption_kwh.sum(-1)
    return total


def net_kwh(flows: DeviceFlows) -> Float[Array, " home"] | float:
    """Compute the consumption of the devices less the discharge of vehicles."""
    return consumption_kwh(flows) - (0.0 if flows.ev is None else flows.ev.discharge_kwh)


def action_mask(params: DeviceParams) -> Bool[Array, "home slot"]:
    """Return the action slots that control an existing device.

    The slots are, as far as any home has the device: vehicle, space heating, hot water, and one
    per appliance.
    """
    columns = []
    if params.ev is not None:
        columns.append((params.ev.charge_kw > 0)[:, None])
    if params.heat_pump is not None:
        exists = params.heat_pump.exists > 0
        has_tank = params.heat_pump.max_tank_c > params.heat_pump.min_tank_c
        columns.append(jnp.stack([exists, exists & has_tank], axis=1))
    if params.appliances is not None:
        columns.append(params.appliances.power_kw > 0)
    return jnp.concatenate(columns, axis=1)


def action_slot_names(evs: bool, heat_pumps: bool, appliances: int) -> list[str]:
    """Return the names of the action slots, in the order of `action_mask`.

    Args:
        evs: Whether any home has a vehicle.
        heat_pumps: Whether any home has a heat pump.
        appliances: Largest number of appliances in a home.
    """
    names = ["ev"] * evs + ["space_heating", "hot_water"] * heat_pumps
    return names + [f"appliance_{number + 1}" for number in range(appliances)]


def power_limits_kw(
    params: DeviceParams,
) -> tuple[Float[AnyArray, " home"] | float, Float[AnyArray, " home"] | float]:
    """Compute the largest total power of each home's devices, drawn and discharged.

    The arrays have axis [home] and are NumPy or JAX arrays like the parameters.
    """
    draw: AnyArray | float = 0.0
    discharge: AnyArray | float = 0.0
    if params.ev is not None:
        draw = draw + params.ev.charge_kw
        discharge = discharge + params.ev.discharge_kw
    if params.heat_pump is not None:
        draw = draw + params.heat_pump.power_kw
    if params.appliances is not None:
        draw = draw + params.appliances.power_kw.sum(-1)
    return draw, discharge


def requests_from_shares(params: DeviceParams, shares: Float[Array, "home slot"]) -> DeviceRequests:
    """Convert shares of each slot's power to requests.

    Args:
        params: Parameters.
        shares: Values from -1 to 1 in the order of `action_mask`; only vehicles discharge at
            negative values.
    """
    requests = DeviceRequests()
    column = 0
    if params.ev is not None:
        share = shares[:, column]
        limit_kw = jnp.where(share >= 0, params.ev.charge_kw, params.ev.discharge_kw)
        requests = requests._replace(ev_kw=share * limit_kw)
        column += 1
    if params.heat_pump is not None:
        requests = requests._replace(
            space_heating_kw=shares[:, column] * params.heat_pump.power_kw,
            hot_water_kw=shares[:, column + 1] * params.heat_pump.power_kw,
        )
        column += 2
    if params.appliances is not None:
        requests = requests._replace(appliance_start=shares[:, column:])
    return requests


def shares_from_requests(
    params: DeviceParams, requests: DeviceRequests
) -> Float[Array, "home slot"]:
    """Convert requests to shares of each slot's power, the inverse of `requests_from_shares`.

    Args:
        params: Parameters.
        requests: Requests to each kind of device that exists.

    Returns:
        Values from -1 to 1 in the order of `action_mask`.
    """
    columns = []
    if params.ev is not None and requests.ev_kw is not None:
        limit_kw = jnp.where(requests.ev_kw >= 0, params.ev.charge_kw, params.ev.discharge_kw)
        columns.append((requests.ev_kw / jnp.where(limit_kw > 0, limit_kw, 1.0))[:, None])
    heating_kw = requests.space_heating_kw
    water_kw = requests.hot_water_kw
    if params.heat_pump is not None and heating_kw is not None and water_kw is not None:
        limit_kw = jnp.where(params.heat_pump.power_kw > 0, params.heat_pump.power_kw, 1.0)
        columns.append(jnp.stack([heating_kw / limit_kw, water_kw / limit_kw], axis=1))
    if params.appliances is not None and requests.appliance_start is not None:
        columns.append(jnp.sign(requests.appliance_start))
    return jnp.clip(jnp.concatenate(columns, axis=1), -1.0, 1.0)
