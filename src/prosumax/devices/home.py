"""A home behind its meter: load, PV generation and devices on one AC bus."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.devices import battery as battery_model
from prosumax.devices import battery_aging, flexible
from prosumax.devices.battery import BatteryParams, BatteryState
from prosumax.devices.battery_aging import BatteryAgingParams, BatteryAgingState
from prosumax.devices.flexible import DeviceParams, DeviceSeries, DeviceState
from prosumax.types import DeviceFlows, DeviceRequests, Flows


class HomeParams(NamedTuple):
    """Parameters of the devices of all homes; a home without a device has one of zero size.

    Attributes:
        battery: Parameters of the batteries.
        aging: Parameters of battery aging; None where no battery ages.
        devices: Parameters of the flexible devices; None where no home has any.
    """

    battery: BatteryParams
    aging: BatteryAgingParams | None = None
    devices: DeviceParams | None = None


class HomeState(NamedTuple):
    """State of the devices of all homes.

    Attributes:
        battery: State of the batteries.
        aging: State of battery aging; None where no battery ages.
        devices: State of the flexible devices; None where no home has any.
    """

    battery: BatteryState
    aging: BatteryAgingState | None = None
    devices: DeviceState | None = None


def initial_state(params: HomeParams) -> HomeState:
    """Return the state before the first step."""
    initial_soc = params.battery.initial_soc
    return HomeState(
        battery=battery_model.initial_state(params.battery),
        aging=None if params.aging is None else battery_aging.initial_state(initial_soc),
        devices=None if params.devices is None else flexible.initial_state(params.devices),
    )


def step_devices(
    params: HomeParams,
    state: HomeState,
    inputs: DeviceSeries | None,
    requests: DeviceRequests | None,
    step_hours: Float[Array, ""],
) -> tuple[HomeState, DeviceFlows | None]:
    """Run the flexible devices, which act before the battery.

    Args:
        params: Parameters.
        state: State before the step.
        inputs: Exogenous inputs of the step.
        requests: Requests to the devices; the default control applies where they are None.
        step_hours: Length of the step.

    Returns:
        The state with the devices after the step, and their energy flows; the unchanged state and
        None without flexible devices.
    """
    if params.devices is None or state.devices is None or inputs is None:
        return state, None
    defaults = flexible.default_requests(params.devices, state.devices, inputs, step_hours)
    if requests is not None:
        pairs = zip(requests, defaults, strict=True)
        requests = DeviceRequests(
            *(default if request is None else request for request, default in pairs)
        )
    new_devices, flows = flexible.step(
        params.devices,
        state.devices,
        inputs,
        defaults if requests is None else requests,
        step_hours,
    )
    return state._replace(devices=new_devices), flows


def default_devices_kwh(
    params: HomeParams,
    state: HomeState,
    inputs: DeviceSeries | None,
    step_hours: Float[Array, ""],
) -> Float[Array, " home"] | float:
    """Compute the net consumption of the flexible devices under their default control.

    Args:
        params: Parameters.
        state: State before the step.
        inputs: Exogenous inputs of the step.
        step_hours: Length of the step.
    """
    _, flows = step_devices(params, state, inputs, None, step_hours)
    return 0.0 if flows is None else flexible.net_kwh(flows)


def step(
    params: HomeParams,
    state: HomeState,
    load_kwh: Float[Array, " home"],
    solar_kwh: Float[Array, " home"],
    battery_kw: Float[Array, " home"],
    step_hours: Float[Array, ""],
    devices: DeviceFlows | None = None,
) -> tuple[HomeState, Flows]:
    """Run the batteries for one step and read the meters.

    Args:
        params: Parameters.
        state: State before the step, with flexible devices already advanced.
        load_kwh: Load without flexible devices, >= 0.
        solar_kwh: PV generation, >= 0.
        battery_kw: Requested battery power, positive for charging; limited to the feasible range.
        step_hours: Length of the step.
        devices: Energy flows of the flexible devices from `step_devices`.

    Returns:
        The state after the step and the energy flows, which balance in each home.
    """
    battery_state, battery_flow = battery_model.step(
        params.battery, state.battery, battery_kw, step_hours
    )
    consumption = load_kwh
    supply = solar_kwh
    if devices is not None:
        consumption = load_kwh + flexible.consumption_kwh(devices)
        if devices.ev is not None:
            supply = solar_kwh + devices.ev.discharge_kwh
    net = consumption - supply + battery_flow.charge_kwh - battery_flow.discharge_kwh
    aging_state = state.aging
    capacity_loss = None
    life_used = None
    if params.aging is not None and state.aging is not None:
        capacity = params.battery.capacity_kwh
        exists = capacity > 0
        soc = jnp.where(exists, battery_state.stored_kwh / jnp.where(exists, capacity, 1.0), 0.0)
        aging_state, loss_fraction, life_used = battery_aging.step(
            params.aging, state.aging, soc, step_hours
        )
        capacity_loss = loss_fraction * capacity
        remaining = jnp.maximum(battery_state.capacity_kwh - capacity_loss, 0.0)
        battery_state = battery_state._replace(capacity_kwh=remaining)
    flows = Flows(
        load_kwh=consumption,
        solar_kwh=solar_kwh,
        charge_kwh=battery_flow.charge_kwh,
        discharge_kwh=battery_flow.discharge_kwh,
        battery_loss_kwh=battery_flow.loss_kwh,
        stored_kwh=battery_state.stored_kwh,
        import_kwh=jnp.maximum(net, 0.0),
        export_kwh=jnp.maximum(-net, 0.0),
        curtailed_kwh=jnp.zeros_like(net),
        devices=devices,
        capacity_loss_kwh=capacity_loss,
        battery_life_used=life_used,
    )
    return HomeState(battery_state, aging_state, state.devices), flows


def tradable_kwh(
    params: HomeParams,
    state: HomeState,
    load_kwh: Float[Array, " home"],
    solar_kwh: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """Compute the largest sale and purchase of each home in one step.

    A home can sell its surplus plus the feasible discharge of its battery, and buy its deficit
    plus the feasible charge.

    Args:
        params: Parameters.
        state: State before the step.
        load_kwh: Load including flexible devices.
        solar_kwh: PV generation.
        step_hours: Length of the step.

    Returns:
        Largest sale and largest purchase, kWh, >= 0.

    References:
        Equations 11a and 11b of the MARLEM paper.
    """
    max_charge, max_discharge = battery_model.energy_limits_kwh(
        params.battery, state.battery, step_hours
    )
    deficit = load_kwh - solar_kwh
    max_sale = jnp.maximum(-deficit, 0.0) + max_discharge
    max_purchase = jnp.maximum(deficit, 0.0) + max_charge
    return max_sale, max_purchase


def household_type(has_solar: bool, has_battery: bool) -> str:
    """Return the type of a household in table 1 of the MAHTM paper.

    Args:
        has_solar: Whether the home has PV.
        has_battery: Whether the home has a battery.
    """
    activity = "active" if has_battery else "passive"
    role = "prosumer" if has_solar else "consumer"
    return f"{activity} {role}"
