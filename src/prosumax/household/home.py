"""One home behind its meter: load, solar and devices meet at the AC bus."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.household import battery as _battery
from prosumax.types import Flows


class HomeParams(NamedTuple):
    """The devices of every home, one slot per device; an absent device is a slot of size zero."""

    battery: _battery.BatteryParams


class HomeState(NamedTuple):
    """What the devices remember from step to step."""

    battery: _battery.BatteryState


def initial_state(params: HomeParams) -> HomeState:
    """The homes before the first step."""
    return HomeState(_battery.initial_state(params.battery))


def step(
    params: HomeParams,
    state: HomeState,
    load_kwh: Float[Array, " home"],
    solar_kwh: Float[Array, " home"],
    battery_kw: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[HomeState, Flows]:
    """Run the devices and read the meter.

    Arguments:
        params, state: the homes.
        load_kwh, solar_kwh: demand and production in this step, >= 0.
        battery_kw: power asked of the battery, positive charges; limited to what it can do.
        step_hours: length of the step.

    Returns:
        The state after the step and the energy flows, which balance per home.
    """
    battery_state, moved = _battery.step(params.battery, state.battery, battery_kw, step_hours)
    net = load_kwh - solar_kwh + moved.charge_kwh - moved.discharge_kwh
    flows = Flows(
        load_kwh=load_kwh,
        solar_kwh=solar_kwh,
        charge_kwh=moved.charge_kwh,
        discharge_kwh=moved.discharge_kwh,
        battery_loss_kwh=moved.loss_kwh,
        stored_kwh=battery_state.stored_kwh,
        import_kwh=jnp.maximum(net, 0.0),
        export_kwh=jnp.maximum(-net, 0.0),
        curtailed_kwh=jnp.zeros_like(net),
    )
    return HomeState(battery_state), flows


def feasible(
    params: HomeParams,
    state: HomeState,
    load_kwh: Float[Array, " home"],
    solar_kwh: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """The most each home can sell and buy in one step, kWh, >= 0 (MARLEM equations 11a, 11b).

    Its surplus plus what the battery can give; its need plus what the battery can take.
    """
    charge, discharge = _battery.reach(params.battery, state.battery, step_hours)
    need = load_kwh - solar_kwh
    return jnp.maximum(-need, 0.0) + discharge, jnp.maximum(need, 0.0) + charge


def kind(has_solar: bool, has_battery: bool) -> str:
    """MAHTM's name for a home with these devices (Table 1 of the paper)."""
    return f"{'active' if has_battery else 'passive'} {'prosumer' if has_solar else 'consumer'}"
