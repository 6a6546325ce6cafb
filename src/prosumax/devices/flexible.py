"""The flexible devices of all homes together: cars, heat pumps, appliances. A kind that no home has is None everywhere.

None is known when a program is compiled, so that a community without such devices pays nothing for them.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from prosumax.devices import appliance as _appliances
from prosumax.devices import ev as _car
from prosumax.devices import heat_pump as _heat_pump
from prosumax.types import DeviceFlows, Requests


class DeviceParams(NamedTuple):
    """One slot per home and kind; an absent device is a slot of size zero."""

    car: _car.CarParams | None = None
    heat_pump: _heat_pump.HeatPumpParams | None = None
    appliances: _appliances.ApplianceParams | None = None


class DeviceSeries(NamedTuple):
    """What comes from outside, step by step."""

    car: _car.CarSeries | None = None
    heat_pump: _heat_pump.HeatSeries | None = None
    appliances: _appliances.ApplianceSeries | None = None


class DeviceState(NamedTuple):
    """What the devices remember."""

    car: _car.CarState | None = None
    heat_pump: _heat_pump.HeatState | None = None
    appliances: _appliances.ApplianceState | None = None


def initial_state(params: DeviceParams) -> DeviceState:
    """The devices before the first step."""
    return DeviceState(
        None if params.car is None else _car.initial_state(params.car),
        None if params.heat_pump is None else _heat_pump.initial_state(params.heat_pump),
        None if params.appliances is None else _appliances.initial_state(params.appliances),
    )


def habits(
    params: DeviceParams, state: DeviceState, now: DeviceSeries, step_hours: Float[Array, ""]
) -> Requests:
    """What the devices do when nobody steers them: charge on arrival, hold the setpoint, run at once."""
    asked = Requests()
    if params.car is not None and now.car is not None:
        asked = asked._replace(car_kw=_car.on_arrival(params.car, now.car))
    if params.heat_pump is not None and state.heat_pump is not None and now.heat_pump is not None:
        pump = params.heat_pump
        targets = pump.setpoint_c, pump.tank_highest_c
        heat, water = _heat_pump.holding(pump, state.heat_pump, now.heat_pump, *targets, step_hours)
        asked = asked._replace(heat_kw=heat, water_kw=water)
    if params.appliances is not None:
        asked = asked._replace(start=_appliances.at_once(params.appliances))
    return asked


def step(
    params: DeviceParams,
    state: DeviceState,
    now: DeviceSeries,
    asked: Requests,
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
        params.car is not None
        and state.car is not None
        and now.car is not None
        and asked.car_kw is not None
    ):
        car_state, car_flow = _car.step(params.car, state.car, now.car, asked.car_kw, step_hours)
        after, flows = after._replace(car=car_state), flows._replace(car=car_flow)
    if params.heat_pump is not None and state.heat_pump is not None and now.heat_pump is not None:
        assert asked.heat_kw is not None and asked.water_kw is not None
        heat_state, heat_flow = _heat_pump.step(
            params.heat_pump,
            state.heat_pump,
            now.heat_pump,
            asked.heat_kw,
            asked.water_kw,
            step_hours,
        )
        after, flows = after._replace(heat_pump=heat_state), flows._replace(heat=heat_flow)
    if (
        params.appliances is not None
        and state.appliances is not None
        and now.appliances is not None
    ):
        assert asked.start is not None
        runs, used = _appliances.step(
            params.appliances, state.appliances, now.appliances, asked.start, step_hours
        )
        after, flows = after._replace(appliances=runs), flows._replace(appliances=used)
    return after, flows


def used_kwh(flows: DeviceFlows) -> Float[Array, " home"] | float:
    """What the devices draw from the home, charging of the car included."""
    used: Float[Array, " home"] | float = 0.0
    if flows.car is not None:
        used = used + flows.car.charge_kwh
    if flows.heat is not None:
        used = used + flows.heat.heat_electricity_kwh + flows.heat.water_electricity_kwh
    if flows.appliances is not None:
        used = used + flows.appliances.used_kwh.sum(-1)
    return used


def net_kwh(flows: DeviceFlows) -> Float[Array, " home"] | float:
    """What they draw less what cars give back."""
    return used_kwh(flows) - (0.0 if flows.car is None else flows.car.discharge_kwh)


def steered(params: DeviceParams) -> Bool[Array, "home slot"]:
    """Which slots of an action there is anything behind: car, rooms, hot water, appliances, as far as they exist."""
    columns = []
    if params.car is not None:
        columns.append((params.car.charge_kw > 0)[:, None])
    if params.heat_pump is not None:
        there = params.heat_pump.exists > 0
        columns.append(
            jnp.stack(
                [there, there & (params.heat_pump.tank_highest_c > params.heat_pump.tank_lowest_c)],
                axis=1,
            )
        )
    if params.appliances is not None:
        columns.append(params.appliances.power_kw > 0)
    return jnp.concatenate(columns, axis=1)


def slot_names(cars: bool, heat_pumps: bool, appliances: int) -> list[str]:
    """Name of each slot, in the order of `steered`, of a community that has these."""
    names = ["car"] * cars + ["heat", "hot_water"] * heat_pumps
    return names + [f"appliance_{number + 1}" for number in range(appliances)]


def limits_kw(params: DeviceParams) -> tuple[Any, Any]:
    """The most that the devices of a home take together, and give back; [home], NumPy or JAX like the parameters."""
    most: Any = 0.0
    back: Any = 0.0
    if params.car is not None:
        most, back = most + params.car.charge_kw, back + params.car.discharge_kw
    if params.heat_pump is not None:
        most = most + params.heat_pump.power_kw
    return (most if params.appliances is None else most + params.appliances.power_kw.sum(-1)), back


def requests_of(params: DeviceParams, share: Float[Array, "home slot"]) -> Requests:
    """Requests from shares between -1 and 1 of each slot's power, in the order of `steered`; below 0 only cars act."""
    asked, column = Requests(), 0
    if params.car is not None:
        power = jnp.where(share[:, 0] >= 0, params.car.charge_kw, params.car.discharge_kw)
        asked, column = asked._replace(car_kw=share[:, 0] * power), 1
    if params.heat_pump is not None:
        heat, water = (share[:, at] * params.heat_pump.power_kw for at in (column, column + 1))
        asked, column = asked._replace(heat_kw=heat, water_kw=water), column + 2
    return asked if params.appliances is None else asked._replace(start=share[:, column:])


def shares_of(params: DeviceParams, asked: Requests) -> Float[Array, "home slot"]:
    """The shares that `requests_of` makes these requests from, as far as there is a device and power for it."""
    columns = []
    if params.car is not None and asked.car_kw is not None:
        power = jnp.where(asked.car_kw >= 0, params.car.charge_kw, params.car.discharge_kw)
        columns.append((asked.car_kw / jnp.where(power > 0, power, 1.0))[:, None])
    if params.heat_pump is not None and asked.heat_kw is not None and asked.water_kw is not None:
        most = jnp.where(params.heat_pump.power_kw > 0, params.heat_pump.power_kw, 1.0)
        columns.append(jnp.stack([asked.heat_kw / most, asked.water_kw / most], axis=1))
    if params.appliances is not None and asked.start is not None:
        columns.append(jnp.sign(asked.start))
    return jnp.clip(jnp.concatenate(columns, axis=1), -1.0, 1.0)
