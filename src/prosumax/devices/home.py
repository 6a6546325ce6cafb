"""A home behind its meter: load, PV generation and devices on one AC bus.

With events, devices that failed have no power, homes that are absent keep the state of their
devices and have no flows, and a limit of the supply applies at the meter: the devices draw or
supply less, the home battery helps, and what remains is load that is shed or PV generation that is
curtailed.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from prosumax.devices import battery as battery_model
from prosumax.devices.base import AnyDevice, ordered
from prosumax.devices.battery import BatteryParams, BatteryState
from prosumax.types import (
    EVENTS,
    DeviceFlow,
    DeviceRequests,
    EventSeries,
    Flows,
    StorageFlow,
)

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


def available(params: HomeParams, inputs: dict[str, PyTree]) -> HomeParams:
    """Return the parameters of a step, in which devices that failed have no power.

    Args:
        params: Parameters.
        inputs: Exogenous inputs of the step by kind of device, with events if there are any.
    """
    events: EventSeries | None = inputs.get(EVENTS)
    if events is None or not events.availability:
        return params
    working = dict(params.devices)
    for device in ordered(params.devices):
        if device.kind in events.availability:
            share = events.availability[device.kind]
            working[device.kind] = device.scale_power(params.devices[device.kind], share)
    return HomeParams(working)


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
        inputs: Exogenous inputs of the step by kind of device, with events if there are any.
        requests: Requests by kind; the default control applies to kinds without a request.
        net_load_kwh: Load less PV generation, without devices.
        step_hours: Length of the step.

    Returns:
        The state with these devices after the step, their energy flows, and the requests that were
        applied, with those of the default control.
    """
    events: EventSeries | None = inputs.get(EVENTS)
    params = available(params, inputs)
    states = dict(state.devices)
    flows: dict[str, DeviceFlow] = {}
    applied: DeviceRequests = {}
    surplus_kw = -net_load_kwh / step_hours
    for device in params.flexible:
        kind = device.kind
        own = (params.devices[kind], state.devices[kind], inputs.get(kind))
        if requests is not None and kind in requests:
            request = requests[kind]
        else:
            request = device.default_request(*own, surplus_kw, step_hours)
        states[kind], flows[kind] = device.step(*own, request, step_hours)
        applied[kind] = request
        taken_kwh = flows[kind].consumption_kwh - flows[kind].supply_kwh
        surplus_kw = surplus_kw - taken_kwh / step_hours
    if events is not None and events.import_kwh is not None:
        _limit_devices(params, state, inputs, applied, net_load_kwh, step_hours, states, flows)
    if events is not None and events.present is not None:
        for kind, flow in flows.items():
            states[kind], flows[kind] = _freeze(
                events.present, state.devices[kind], states[kind], flow
            )
    return HomeState(states), flows, applied


def _limit_devices(
    params: HomeParams,
    state: HomeState,
    inputs: dict[str, PyTree],
    requests: DeviceRequests,
    net_load_kwh: Float[Array, " home"],
    step_hours: Float[Array, ""],
    states: dict[str, PyTree],
    flows: dict[str, DeviceFlow],
) -> None:
    """Run the devices at less power where the meter would exceed the limits of the supply.

    The device that acts last gives way first. States and flows are replaced in place.
    """
    events: EventSeries = inputs[EVENTS]
    assert events.import_kwh is not None and events.export_kwh is not None
    max_discharge: Float[Array, " home"] | float = 0.0
    if BATTERY in params.devices:
        _, max_discharge = battery_model.energy_limits_kwh(
            params.battery, state.battery, step_hours
        )
    net = net_load_kwh + devices_net_kwh(flows)
    import_excess = jnp.maximum(net - max_discharge - events.import_kwh, 0.0)
    export_excess = jnp.maximum(-net - events.export_kwh, 0.0)
    for device in reversed(params.flexible):
        if not device.power_fields:
            continue
        kind = device.kind
        own = params.devices[kind]
        before = flows[kind]
        less_draw = jnp.minimum(before.consumption_kwh, import_excess)
        less_supply = jnp.minimum(before.supply_kwh, export_excess)
        draw_kw, supply_kw = device.limits_kw(own)
        share = jnp.minimum(
            _share(before.consumption_kwh, less_draw, draw_kw * step_hours),
            _share(before.supply_kwh, less_supply, supply_kw * step_hours),
        )
        states[kind], flows[kind] = device.step(
            device.scale_power(own, share),
            state.devices[kind],
            inputs.get(kind),
            requests[kind],
            step_hours,
        )
        saved = before.consumption_kwh - flows[kind].consumption_kwh
        import_excess = jnp.maximum(import_excess - saved, 0.0)
        withheld = before.supply_kwh - flows[kind].supply_kwh
        export_excess = jnp.maximum(export_excess - withheld, 0.0)


def _share(
    energy: Float[Array, " home"], less: Float[Array, " home"], limit: Float[Array, " home"]
) -> Float[Array, " home"]:
    """Return the share of a limit that reduces the energy where it must be reduced; else 1."""
    reduced = (energy - less) / jnp.where(limit > 0, limit, 1.0)
    return jnp.where((less > 0) & (limit > 0), jnp.clip(reduced, 0.0, 1.0), 1.0)


def _freeze(
    present: Bool[Array, " home"], before: PyTree, after: PyTree, flow: DeviceFlow
) -> tuple[PyTree, DeviceFlow]:
    """Keep the state of absent homes, without flows; levels remain, such as stored energy."""

    def select(new: Array, old: Array | float) -> Array:
        mask = present.reshape(present.shape + (1,) * (new.ndim - present.ndim))
        return jnp.where(mask, new, old)

    values = {}
    for field in dataclasses.fields(flow):
        value = getattr(flow, field.name)
        # A field with the name of a field of the state is a level.
        level = getattr(before, field.name, 0.0)
        values[field.name] = None if value is None else select(value, level)
    return jax.tree.map(select, after, before), type(flow)(**values)


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
    inputs: dict[str, PyTree] | None = None,
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
        inputs: Exogenous inputs of the step by kind of device, with events if there are any.

    Returns:
        The state after the step and the energy flows, which balance in each home.
    """
    events: EventSeries | None = (inputs or {}).get(EVENTS)
    params = available(params, inputs or {})
    if events is not None and events.import_kwh is not None and events.export_kwh is not None:
        others_kwh = load_kwh - solar_kwh + devices_net_kwh(devices or {})
        # The battery must discharge what exceeds the import, and may not add to an export that
        # PV generation alone exceeds.
        battery_kw = jnp.clip(
            battery_kw,
            jnp.minimum(-events.export_kwh - others_kwh, 0.0) / step_hours,
            (events.import_kwh - others_kwh) / step_hours,
        )
    battery_state, battery_flow = battery_model.step(
        params.battery, state.battery, battery_kw, step_hours
    )
    flows: dict[str, DeviceFlow] = {**(devices or {}), BATTERY: battery_flow}
    if events is not None and events.present is not None:
        battery_state, flows[BATTERY] = _freeze(
            events.present, state.battery, battery_state, battery_flow
        )
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
    if events is not None and events.import_kwh is not None and events.export_kwh is not None:
        shed = jnp.maximum(net - events.import_kwh, 0.0)
        curtailed = jnp.maximum(-net - events.export_kwh, 0.0)
        return new_state, Flows(
            load_kwh=consumption - shed,
            solar_kwh=solar_kwh,
            import_kwh=jnp.clip(net, 0.0, events.import_kwh),
            export_kwh=jnp.clip(-net, 0.0, events.export_kwh),
            curtailed_kwh=curtailed,
            devices=flows,
            shed_kwh=shed,
        )
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
    inputs: dict[str, PyTree] | None = None,
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
        inputs: Exogenous inputs of the step by kind of device, with events if there are any.

    Returns:
        Largest sale and largest purchase, kWh, >= 0.

    References:
        Equations 11a and 11b of the MARLEM paper.
    """
    events: EventSeries | None = (inputs or {}).get(EVENTS)
    params = available(params, inputs or {})
    max_charge, max_discharge = battery_model.energy_limits_kwh(
        params.battery, state.battery, step_hours
    )
    if events is not None and events.present is not None:
        max_charge = max_charge * events.present
        max_discharge = max_discharge * events.present
    deficit = load_kwh - solar_kwh
    max_sale = jnp.maximum(-deficit, 0.0) + max_discharge
    max_purchase = jnp.maximum(deficit, 0.0) + max_charge
    if events is not None and events.import_kwh is not None and events.export_kwh is not None:
        max_sale = jnp.minimum(max_sale, events.export_kwh)
        max_purchase = jnp.minimum(max_purchase, events.import_kwh)
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
