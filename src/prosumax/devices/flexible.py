"""The flexible devices of all homes together: cars, heat pumps, appliances. A kind that no home has is None everywhere.

None is known when a program is compiled, so that a community without such devices pays nothing for them.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from prosumax.devices import appliance as _appliances
from prosumax.devices import ev as _car
from prosumax.devices import heat_pump as _heat_pump
from prosumax.types import DeviceFlows, DeviceRequests


class DeviceParams(NamedTuple):
    """One slot per home and kind; an absent device is a slot of size zero."""

    ev: _car.EVParams | None = None
    heat_pump: _heat_pump.HeatPumpParams | None = None
    appliances: _appliances.ApplianceParams | None = None


class DeviceSeries(NamedTuple):
    """What comes from outside, step by step."""

    ev: _car.EVSeries | None = None
    heat_pump: _heat_pump.HeatPumpSeries | None = None
    appliances: _appliances.ApplianceSeries | None = None


class DeviceState(NamedTuple):
    """What the devices remember."""

    ev: _car.EVState | None = None
    heat_pump: _heat_pump.HeatPumpState | None = None
    appliances: _appliances.ApplianceState | None = None


def initial_state(params: DeviceParams) -> DeviceState:
    """The devices before the first step."""
    return DeviceState(
        None if params.ev is None else _car.initial_state(params.ev),
        None if params.heat_pump is None else _heat_pump.initial_state(params.heat_pump),
        None if params.appliances is None else _appliances.initial_state(params.appliances),
    )


def default_requests(
    params: DeviceParams, state: DeviceState, inputs: DeviceSeries, step_hours: Float[Array, ""]
) -> DeviceRequests:
    """What the devices do when nobody steers them: charge on arrival, hold the setpoint, run at once."""
    asked = DeviceRequests()
    if params.ev is not None and inputs.ev is not None:
        asked = asked._replace(ev_kw=_car.default_request_kw(params.ev, inputs.ev))
    if params.heat_pump is not None and state.heat_pump is not None and inputs.heat_pump is not None:
        pump = params.heat_pump
        targets = pump.setpoint_c, pump.max_tank_c
        heat, water = _heat_pump.power_for_temperatures_kw(pump, state.heat_pump, inputs.heat_pump, *targets, step_hours)
        asked = asked._replace(space_heating_kw=heat, hot_water_kw=water)
    if params.appliances is not None:
        asked = asked._replace(appliance_start=_appliances.default_request(params.appliances))
    return asked


def step(
    params: DeviceParams,
    state: DeviceState,
    inputs: DeviceSeries,
    requests: DeviceRequests,
    step_hours: Float[Array, ""],
) -> tuple[DeviceState, DeviceFlows]:
    """Run all devices for one step.

    Arguments:
        params, state: the devices.
        now: this step's row.
        asked: what is wanted of each kind that exists.
        step_hours: length of the step.
    """
    after, flows = DeviceState(), DeviceFlows()
    if (
        params.ev is not None
        and state.ev is not None
        and inputs.ev is not None
        and requests.ev_kw is not None
    ):
        car_state, car_flow = _car.step(params.ev, state.ev, inputs.ev, requests.ev_kw, step_hours)
        after, flows = after._replace(ev=car_state), flows._replace(ev=car_flow)
    if params.heat_pump is not None and state.heat_pump is not None and inputs.heat_pump is not None:
        assert requests.space_heating_kw is not None and requests.hot_water_kw is not None
        heat_state, heat_flow = _heat_pump.step(
            params.heat_pump,
            state.heat_pump,
            inputs.heat_pump,
            requests.space_heating_kw,
            requests.hot_water_kw,
            step_hours,
        )
        after, flows = after._replace(heat_pump=heat_state), flows._replace(heat_pump=heat_flow)
    if (
        params.appliances is not None
        and state.appliances is not None
        and inputs.appliances is not None
    ):
        assert requests.appliance_start is not None
        runs, used = _appliances.step(
            params.appliances, state.appliances, inputs.appliances, requests.appliance_start, step_hours
        )
        after, flows = after._replace(appliances=runs), flows._replace(appliances=used)
    return after, flows


def consumption_kwh(flows: DeviceFlows) -> Float[Array, " home"] | float:
    """What the devices draw from the home, charging of the car included."""
    used: Float[Array, " home"] | float = 0.0
    if flows.ev is not None:
        used = used + flows.ev.charge_kwh
    if flows.heat_pump is not None:
        used = used + flows.heat_pump.space_heating_electricity_kwh + flows.heat_pump.hot_water_electricity_kwh
    if flows.appliances is not None:
        used = used + flows.appliances.consumption_kwh.sum(-1)
    return used


def net_kwh(flows: DeviceFlows) -> Float[Array, " home"] | float:
    """What they draw less what cars give back."""
    return consumption_kwh(flows) - (0.0 if flows.ev is None else flows.ev.discharge_kwh)


def action_mask(params: DeviceParams) -> Bool[Array, "home slot"]:
    """Which slots of an action there is anything behind: car, rooms, hot water, appliances, as far as they exist."""
    columns = []
    if params.ev is not None:
        columns.append((params.ev.charge_kw > 0)[:, None])
    if params.heat_pump is not None:
        there = params.heat_pump.exists > 0
        columns.append(
            jnp.stack(
                [there, there & (params.heat_pump.max_tank_c > params.heat_pump.min_tank_c)],
                axis=1,
            )
        )
    if params.appliances is not None:
        columns.append(params.appliances.power_kw > 0)
    return jnp.concatenate(columns, axis=1)


def action_slot_names(evs: bool, heat_pumps: bool, appliances: int) -> list[str]:
    """Name of each slot, in the order of `steered`, of a community that has these."""
    names = ["ev"] * evs + ["space_heating", "hot_water"] * heat_pumps
    return names + [f"appliance_{number + 1}" for number in range(appliances)]


def power_limits_kw(params: DeviceParams) -> tuple[Any, Any]:
    """The most that the devices of a home take together, and give back; [home], NumPy or JAX like the parameters."""
    most: Any = 0.0
    back: Any = 0.0
    if params.ev is not None:
        most, back = most + params.ev.charge_kw, back + params.ev.discharge_kw
    if params.heat_pump is not None:
        most = most + params.heat_pump.power_kw
    return (most if params.appliances is None else most + params.appliances.power_kw.sum(-1)), back


def requests_from_shares(params: DeviceParams, shares: Float[Array, "home slot"]) -> DeviceRequests:
    """Requests from shares between -1 and 1 of each slot's power, in the order of `steered`; below 0 only cars act."""
    asked, column = DeviceRequests(), 0
    if params.ev is not None:
        power = jnp.where(shares[:, 0] >= 0, params.ev.charge_kw, params.ev.discharge_kw)
        asked, column = asked._replace(ev_kw=shares[:, 0] * power), 1
    if params.heat_pump is not None:
        heat, water = (shares[:, at] * params.heat_pump.power_kw for at in (column, column + 1))
        asked, column = asked._replace(space_heating_kw=heat, hot_water_kw=water), column + 2
    return asked if params.appliances is None else asked._replace(appliance_start=shares[:, column:])


def shares_from_requests(params: DeviceParams, requests: DeviceRequests) -> Float[Array, "home slot"]:
    """The shares that `requests_of` makes these requests from, as far as there is a device and power for it."""
    columns = []
    if params.ev is not None and requests.ev_kw is not None:
        power = jnp.where(requests.ev_kw >= 0, params.ev.charge_kw, params.ev.discharge_kw)
        columns.append((requests.ev_kw / jnp.where(power > 0, power, 1.0))[:, None])
    if params.heat_pump is not None and requests.space_heating_kw is not None and requests.hot_water_kw is not None:
        most = jnp.where(params.heat_pump.power_kw > 0, params.heat_pump.power_kw, 1.0)
        columns.append(jnp.stack([requests.space_heating_kw / most, requests.hot_water_kw / most], axis=1))
    if params.appliances is not None and requests.appliance_start is not None:
        columns.append(jnp.sign(requests.appliance_start))
    return jnp.clip(jnp.concatenate(columns, axis=1), -1.0, 1.0)
