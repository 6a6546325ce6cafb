"""A home behind its meter: load, PV generation and devices on one AC bus."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from prosumax.devices import battery as battery_model
from prosumax.devices.base import AnyDevice, ordered
from prosumax.devices.battery import BatteryParams, BatteryState
from prosumax.types import DeviceFlow, DeviceRequests, Flows, StorageFlow

BATTERY = battery_model.Battery.kind
"""Kind of the home battery, which acts last and balances the meter under a `Bid`."""


class HomeParams(NamedTuple):
    """Parameters of the devices of all homes.

    Attributes:
        devices: Parameters by kind of device. Every community has the kind `battery`, with
            batteries of size zero where homes have none; other kinds are absent when no home has
            one.
    """

    devices: dict[str, PyTree]

    @property
    def battery(self) -> BatteryParams:
        """Parameters of the home batteries."""
        params: BatteryParams = self.devices[BATTERY]
        return params

    @property
    def flexible(self) -> tuple[AnyDevice, ...]:
        """Devices other than the home battery, in the order in which they act."""
        return tuple(device for device in ordered(self.devices) if device.kind != BATTERY)


class HomeState(NamedTuple):
    """State of the devices of all homes.

    Attributes:
        devices: State by kind of device.
    """

    devices: dict[str, PyTree]

    @property
    def battery(self) -> BatteryState:
        """State of the home batteries."""
        state: BatteryState = self.devices[BATTERY]
        return state


def initial_state(params: HomeParams) -> HomeState:
    """Return the state before the first step."""
    kinds = ordered(params.devices)
    return HomeState({device.kind: device.init(params.devices[device.kind]) for device in kinds})


def step_devices(
    params: HomeParams,
    state: HomeState,
    inputs: dict[str, PyTree],
    requests: DeviceRequests | None,
    net_load_kwh: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[HomeState, dict[str, DeviceFlow], DeviceRequests]:
    """Run all devices but the home battery, which act before it.

    Args:
        params: Parameters.
        state: State before the step.
        inputs: Exogenous inputs of the step by kind of device.
        requests: Requests by kind; the default control applies to kinds without a request and
            to requests that are NaN.
        net_load_kwh: Load less PV generation, without devices.
        step_hours: Length of the step.

    Returns:
        The state with these devices after the step, their energy flows, and the requests that were
        applied, with those of the default control.
    """
    states = dict(state.devices)
    flows: dict[str, DeviceFlow] = {}
    applied: DeviceRequests = {}
    surplus_kw = -net_load_kwh / step_hours
    for device in params.flexible:
        kind = device.kind
        own = (params.devices[kind], state.devices[kind], inputs.get(kind))
        request = device.default_request(*own, surplus_kw, step_hours)
        if requests is not None and kind in requests:
            request = jnp.where(jnp.isnan(requests[kind]), request, requests[kind])
        states[kind], flows[kind] = device.step(*own, request, step_hours)
        applied[kind] = request
        taken_kwh = flows[kind].consumption_kwh - flows[kind].supply_kwh
        surplus_kw = surplus_kw - taken_kwh / step_hours
    return HomeState(states), flows, applied


def devices_net_kwh(flows: dict[str, DeviceFlow]) -> Float[Array, " home"] | float:
    """Sum the energy that devices draw less what they supply.

    Args:
        flows: Flows by kind of device.
    """
    total: Float[Array, " home"] | float = 0.0
    for flow in flows.values():
        total = total + flow.consumption_kwh - flow.supply_kwh
    return total


def default_devices_kwh(
    params: HomeParams,
    state: HomeState,
    inputs: dict[str, PyTree],
    net_load_kwh: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> Float[Array, " home"] | float:
    """Compute the net energy of all devices but the home battery under their default control.

    Args:
        params: Parameters.
        state: State before the step.
        inputs: Exogenous inputs of the step by kind of device.
        net_load_kwh: Load less PV generation, without devices.
        step_hours: Length of the step.
    """
    _, flows, _ = step_devices(params, state, inputs, None, net_load_kwh, step_hours)
    return devices_net_kwh(flows)


def step(
    params: HomeParams,
    state: HomeState,
    load_kwh: Float[Array, " home"],
    solar_kwh: Float[Array, " home"],
    battery_kw: Float[Array, " home"],
    step_hours: Float[Array, ""],
    devices: dict[str, DeviceFlow] | None = None,
) -> tuple[HomeState, Flows]:
    """Run the home batteries for one step and read the meters.

    Args:
        params: Parameters.
        state: State before the step, with the other devices already advanced.
        load_kwh: Load without devices, >= 0.
        solar_kwh: PV generation, >= 0.
        battery_kw: Requested battery power, positive for charging; limited to the feasible range.
        step_hours: Length of the step.
        devices: Energy flows of the other devices from `step_devices`.

    Returns:
        The state after the step and the energy flows, which balance in each home.
    """
    battery_state, battery_flow = battery_model.step(
        params.battery, state.battery, battery_kw, step_hours
    )
    flows: dict[str, DeviceFlow] = {**(devices or {}), BATTERY: battery_flow}
    consumption = load_kwh
    supply = solar_kwh
    stored: Float[Array, " home"] | float = 0.0
    for flow in flows.values():
        if isinstance(flow, StorageFlow):
            stored = stored + flow.charge_kwh - flow.discharge_kwh
        else:
            consumption = consumption + flow.consumption_kwh
            supply = supply + flow.supply_kwh
    net = consumption - supply + stored
    new_state = HomeState({**state.devices, BATTERY: battery_state})
    return new_state, Flows(
        load_kwh=consumption,
        solar_kwh=solar_kwh,
        import_kwh=jnp.maximum(net, 0.0),
        export_kwh=jnp.maximum(-net, 0.0),
        curtailed_kwh=jnp.zeros_like(net),
        devices=flows,
    )


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
        load_kwh: Load including the net energy of all devices but the battery.
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
