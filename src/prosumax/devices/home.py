"""One home behind its meter: load, solar and devices meet at the AC bus."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.devices import battery as _battery
from prosumax.devices import battery_aging as _ageing
from prosumax.devices import flexible as _devices
from prosumax.types import DeviceFlows, Flows, DeviceRequests


class HomeParams(NamedTuple):
    """The devices of every home, one slot per device; an absent device is a slot of size zero.

    `ageing` is None where no battery ages, `devices` where no home has a car, a heat pump or an appliance to steer.
    """

    battery: _battery.BatteryParams
    aging: _ageing.BatteryAgingParams | None = None
    devices: _devices.DeviceParams | None = None


class HomeState(NamedTuple):
    """What the devices remember from step to step."""

    battery: _battery.BatteryState
    aging: _ageing.BatteryAgingState | None = None
    devices: _devices.DeviceState | None = None


def initial_state(params: HomeParams) -> HomeState:
    """The homes before the first step."""
    return HomeState(
        _battery.initial_state(params.battery),
        None if params.aging is None else _ageing.initial_state(params.battery.initial_soc),
        None if params.devices is None else _devices.initial_state(params.devices),
    )


def step_devices(
    params: HomeParams,
    state: HomeState,
    inputs: _devices.DeviceSeries | None,
    requests: DeviceRequests | None,
    step_hours: Float[Array, ""],
) -> tuple[HomeState, DeviceFlows | None]:
    """Run cars, heat pumps and appliances, which act before the battery; without any, nothing changes.

    Arguments:
        params, state: the homes.
        now: this step's row of the devices' series.
        asked: of the devices; None, or a kind that is None, follows its habit.
        step_hours: length of the step.

    Returns:
        The state with the devices' part moved on, and their energy.
    """
    if params.devices is None or state.devices is None or inputs is None:
        return state, None
    usual = _devices.default_requests(params.devices, state.devices, inputs, step_hours)
    wanted = (
        usual
        if requests is None
        else DeviceRequests(*(u if a is None else a for a, u in zip(requests, usual, strict=True)))
    )
    after, flows = _devices.step(params.devices, state.devices, inputs, wanted, step_hours)
    return state._replace(devices=after), flows


def default_devices_kwh(
    params: HomeParams,
    state: HomeState,
    inputs: _devices.DeviceSeries | None,
    step_hours: Float[Array, ""],
) -> Float[Array, " home"] | float:
    """What the flexible devices will draw in this step if they follow their habits; 0 without any."""
    flows = step_devices(params, state, inputs, None, step_hours)[1]
    return 0.0 if flows is None else _devices.net_kwh(flows)


def step(
    params: HomeParams,
    state: HomeState,
    load_kwh: Float[Array, " home"],
    solar_kwh: Float[Array, " home"],
    battery_kw: Float[Array, " home"],
    step_hours: Float[Array, ""],
    devices: DeviceFlows | None = None,
) -> tuple[HomeState, Flows]:
    """Run the battery and read the meter.

    Arguments:
        params, state: the homes.
        load_kwh, solar_kwh: demand (without flexible devices) and production in this step, >= 0.
        battery_kw: power asked of the battery, positive charges; limited to what it can do.
        step_hours: length of the step.
        devices: what `run_devices` says that cars, heat pumps and appliances did.

    Returns:
        The state after the step and the energy flows, which balance per home.
    """
    battery_state, moved = _battery.step(params.battery, state.battery, battery_kw, step_hours)
    used_kwh, returned_kwh = load_kwh, solar_kwh
    if devices is not None:
        used_kwh = load_kwh + _devices.consumption_kwh(devices)
        returned_kwh = solar_kwh if devices.ev is None else solar_kwh + devices.ev.discharge_kwh
    net = used_kwh - returned_kwh + moved.charge_kwh - moved.discharge_kwh
    ageing_state, worn, life = state.aging, None, None
    if params.aging is not None and state.aging is not None:
        capacity = params.battery.capacity_kwh
        soc = jnp.where(
            capacity > 0, battery_state.stored_kwh / jnp.where(capacity > 0, capacity, 1.0), 0.0
        )
        ageing_state, lost, life = _ageing.step(params.aging, state.aging, soc, step_hours)
        worn = lost * capacity
        left = jnp.maximum(battery_state.capacity_kwh - worn, 0.0)
        battery_state = battery_state._replace(capacity_kwh=left)
    flows = Flows(
        load_kwh=used_kwh,
        solar_kwh=solar_kwh,
        charge_kwh=moved.charge_kwh,
        discharge_kwh=moved.discharge_kwh,
        battery_loss_kwh=moved.loss_kwh,
        stored_kwh=battery_state.stored_kwh,
        import_kwh=jnp.maximum(net, 0.0),
        export_kwh=jnp.maximum(-net, 0.0),
        curtailed_kwh=jnp.zeros_like(net),
        devices=devices,
        capacity_loss_kwh=worn,
        battery_life_used=life,
    )
    return HomeState(battery_state, ageing_state, state.devices), flows


def tradable_kwh(
    params: HomeParams,
    state: HomeState,
    load_kwh: Float[Array, " home"],
    solar_kwh: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """The most each home can sell and buy in one step, kWh, >= 0 (MARLEM equations 11a, 11b).

    Its surplus plus what the battery can give; its need plus what the battery can take. `load_kwh` includes what
    flexible devices draw.
    """
    charge, discharge = _battery.energy_limits_kwh(params.battery, state.battery, step_hours)
    need = load_kwh - solar_kwh
    return jnp.maximum(-need, 0.0) + discharge, jnp.maximum(need, 0.0) + charge


def household_type(has_solar: bool, has_battery: bool) -> str:
    """MAHTM's name for a home with these devices (Table 1 of the paper)."""
    return f"{'active' if has_battery else 'passive'} {'prosumer' if has_solar else 'consumer'}"
