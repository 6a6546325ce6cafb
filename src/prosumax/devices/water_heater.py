"""Electric water heater: a heating element in a fully mixed hot-water tank (one node).

The tank loses heat to its room in proportion to the temperature difference, and water is drawn only
above the lowest useful temperature. A safeguard heats a tank that is about to fall below it,
whatever power is requested. Without other control a thermostat keeps the tank hot, all day or in
the hours of a timer, such as those of a night tariff.

References:
    Kepplinger, Huber and Petrasch 2015, Energy and Buildings 100:50, for the one-node tank in
    demand response; Commission Delegated Regulation (EU) 812/2013, annex II, for standing losses.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import NDArray
from pydantic import model_validator

from prosumax.config import HourOfDay, NonNegative, Positive
from prosumax.data.generators.household.hot_water import hot_water_kwh, typical_occupants
from prosumax.devices.base import (
    Device,
    DeviceContext,
    DeviceObservation,
    LinearDevice,
    devices,
    stack_fields,
)
from prosumax.devices.heat_pump import TANK_AMBIENT_C, WATER_KWH_PER_LITER_K
from prosumax.devices.linear_program import LinearProgram
from prosumax.errors import InputError
from prosumax.metrics.catalog import KPI
from prosumax.numerics import AnyArray, safe_divide
from prosumax.scenario.schema.devices import Celsius, DeviceConfig
from prosumax.types import DeviceFlow

# The random hot-water demand of each home has its own seed.
_STREAM = 1003

# Share of the temperature band that `solar-first` keeps as a reserve for showers.
_RESERVE = 0.5


class WaterHeaterConfig(DeviceConfig):
    """An electric water heater; the model is `prosumax.devices.water_heater`."""

    power_kw: Positive = 2.2
    """Power of the heating element."""
    volume_liters: Positive = 200.0
    heat_loss_w_per_k: NonNegative = 1.9
    """Heat loss per kelvin above a room of 20 C; 1.9 W/K is the limit of class C at 200 liters."""
    min_c: Celsius = 42.0
    """Lowest temperature at which water is drawn."""
    max_c: Celsius = 60.0
    """Setpoint of the thermostat."""
    initial_c: Celsius | None = None
    """Defaults to `max_c`."""
    from_hour: HourOfDay = 0
    """Local hour in which a timer switches the heater on, such as 22 for a night tariff."""
    to_hour: HourOfDay = 24
    """Local hour in which the timer switches it off; it may lie on the next day."""
    occupants: NonNegative | None = None
    """Number of people; defaults to that of the lifestyle of the load."""
    kwh_per_occupant_day: NonNegative = 1.6
    """Heat demand; 1.6 kWh heats 45 liters from 10 C to 40 C."""
    safeguard: bool = True
    """Whether the heater keeps `min_c` whatever power is requested."""

    @model_validator(mode="after")
    def _check_band(self) -> "WaterHeaterConfig":
        if self.min_c >= self.max_c:
            raise ValueError(f"min_c ({self.min_c:g}) must be below max_c ({self.max_c:g})")
        if self.from_hour - self.to_hour in (0, 24):
            raise ValueError(
                f"from_hour ({self.from_hour}) and to_hour ({self.to_hour}) are the same hour; "
                "they must differ"
            )
        if self.initial_c is not None and self.initial_c > self.max_c:
            raise ValueError(
                f"initial_c ({self.initial_c:g}) must be at most max_c ({self.max_c:g})"
            )
        return self


class WaterHeaterParams(NamedTuple):
    """Parameters of one water heater per home; homes without one have zero power.

    Attributes:
        exists: 1 where the home has a water heater, otherwise 0.
        power_kw: Power limit of the heating element.
        heat_capacity_kwh_per_k: Heat capacity of the tank.
        heat_loss_kw_per_k: Heat loss of the tank per kelvin.
        min_c: Lowest temperature at which water is drawn.
        max_c: Upper limit of the temperature.
        initial_c: Temperature before the first step.
        safeguard: 1 where the heater keeps `min_c`, 0 where it does not.
    """

    exists: Float[Array, " home"]
    power_kw: Float[Array, " home"]
    heat_capacity_kwh_per_k: Float[Array, " home"]
    heat_loss_kw_per_k: Float[Array, " home"]
    min_c: Float[Array, " home"]
    max_c: Float[Array, " home"]
    initial_c: Float[Array, " home"]
    safeguard: Float[Array, " home"]


class WaterHeaterSeries(NamedTuple):
    """Exogenous inputs of the water heaters.

    Attributes:
        demand_kwh: Heat of the requested hot water.
        is_timer_on: Whether the timer lets the thermostat heat.
    """

    demand_kwh: Float[Array, "*step home"]
    is_timer_on: Bool[Array, "*step home"]


class WaterHeaterState(NamedTuple):
    """State of the water heaters.

    Attributes:
        tank_c: Temperature of the tank.
    """

    tank_c: Float[Array, " home"]


class WaterHeaterFlow(DeviceFlow):
    """Energy of the water heaters in one step, kWh.

    The change of the stored heat is `electricity - hot water - tank loss`. The loss is negative in
    a tank that is colder than its room.

    Attributes:
        electricity_kwh: Electricity of the heating element.
        hot_water_kwh: Heat drawn as hot water.
        tank_loss_kwh: Heat loss of the tank to its room.
        unserved_kwh: Hot-water demand that was not warm enough.
        tank_c: Temperature after the step, degrees Celsius.
    """

    electricity_kwh: Float[Array, " home"]
    hot_water_kwh: Float[Array, " home"]
    tank_loss_kwh: Float[Array, " home"]
    unserved_kwh: Float[Array, " home"]
    tank_c: Float[Array, " home"]

    @property
    def consumption_kwh(self) -> Float[Array, " home"]:
        """Electricity of the heating element."""
        return self.electricity_kwh

    @property
    def released_kwh(self) -> Float[Array, " home"]:
        """Heat lost and drawn as hot water."""
        return self.tank_loss_kwh + self.hot_water_kwh

    @property
    def total_unserved_kwh(self) -> Float[Array, " home"]:
        """Hot-water demand that was not warm enough."""
        return self.unserved_kwh


class WaterHeater(
    Device[
        WaterHeaterConfig,
        WaterHeaterParams,
        WaterHeaterSeries,
        WaterHeaterState,
        WaterHeaterFlow,
    ]
):
    """Electric water heaters with a tank."""

    kind = "water_heater"
    summary = "Electric water heater with a hot-water tank, on all day or by a timer."
    config = WaterHeaterConfig
    order = 40
    surplus_order = 40
    power_fields = ("power_kw",)
    observations: ClassVar[Mapping[str, DeviceObservation]] = {
        "water_heater_temperature": DeviceObservation(
            "Private: temperature of the water heater in its band; 0 at its lower end, 1 at its "
            "upper."
        )
    }
    kpis: ClassVar[Sequence[KPI]] = (
        KPI(
            "water_heater_kwh",
            "Electricity of the water heater",
            "kWh",
            definition="electricity of the heating element",
        ),
        KPI(
            "water_heater_hot_water_kwh",
            "Hot water of the water heater",
            "kWh",
            definition="heat drawn as hot water from the tank",
        ),
        KPI(
            "water_heater_loss_kwh",
            "Heat loss of the water heater",
            "kWh",
            definition="heat lost by the tank to its room",
        ),
    )

    def build_params(
        self,
        configs: Sequence[Sequence[WaterHeaterConfig]],
        names: Sequence[str],
        step_hours: float,
    ) -> WaterHeaterParams:
        """Build the parameters of all homes (see `Device.build_params`)."""
        heaters = [next(iter(own), None) for own in configs]
        for home, heater in enumerate(heaters):
            _check_volume(heater, home, step_hours)
        return WaterHeaterParams(**stack_fields([_param_fields(heater) for heater in heaters]))

    def build_series(
        self, configs: Sequence[Sequence[WaterHeaterConfig]], context: DeviceContext
    ) -> WaterHeaterSeries:
        """Sample the hot-water demand and read the timers (see `Device.build_series`)."""
        heaters = [next(iter(own), None) for own in configs]
        demand = [_demand_kwh(heater, home, context) for home, heater in enumerate(heaters)]
        timers = [_timer(heater, context) for heater in heaters]
        # Annotated as the JAX arrays of a simulation, which converts these NumPy arrays.
        return WaterHeaterSeries(
            demand_kwh=np.stack(demand, axis=1).astype(np.float32),  # type: ignore[arg-type]
            is_timer_on=np.stack(timers, axis=1),  # type: ignore[arg-type]
        )

    def init(self, params: WaterHeaterParams) -> WaterHeaterState:
        """Return the state before the first step."""
        return WaterHeaterState(params.initial_c)

    def step(
        self,
        params: WaterHeaterParams,
        state: WaterHeaterState,
        inputs: WaterHeaterSeries,
        request_kw: Float[Array, "home 1"],
        step_hours: Float[Array, ""],
    ) -> tuple[WaterHeaterState, WaterHeaterFlow]:
        """Heat the tank at the requested power and draw hot water (see `Device.step`)."""
        capacity = params.heat_capacity_kwh_per_k
        loss = _loss_kwh(params, state, step_hours)
        idle_c = state.tank_c - (loss + inputs.demand_kwh) / capacity
        min_kwh = _heat_to_kwh(params, idle_c, params.min_c, step_hours) * params.safeguard
        max_kwh = _heat_to_kwh(params, idle_c, params.max_c, step_hours)
        heat = jnp.clip(request_kw[:, 0] * step_hours, min_kwh, max_kwh)
        full_draw_c = idle_c + heat / capacity
        # Water is drawn only above the lowest temperature; standing losses may cool the tank below.
        unserved = jnp.clip((params.min_c - full_draw_c) * capacity, 0.0, inputs.demand_kwh)
        tank_c = full_draw_c + unserved / capacity
        flow = WaterHeaterFlow(
            electricity_kwh=heat,
            hot_water_kwh=(inputs.demand_kwh - unserved) * params.exists,
            tank_loss_kwh=loss * params.exists,
            unserved_kwh=unserved * params.exists,
            tank_c=tank_c,
        )
        return WaterHeaterState(tank_c), flow

    def default_request(
        self,
        params: WaterHeaterParams,
        state: WaterHeaterState,
        inputs: WaterHeaterSeries,
        surplus_kw: Float[Array, " home"],
        step_hours: Float[Array, ""],
    ) -> Float[Array, "home 1"]:
        """Request full power until the setpoint is reached while the timer is on."""
        return (params.power_kw * inputs.is_timer_on)[:, None]

    def surplus_request(
        self,
        params: WaterHeaterParams,
        state: WaterHeaterState,
        inputs: WaterHeaterSeries,
        surplus_kw: Float[Array, " home"],
        step_hours: Float[Array, ""],
    ) -> tuple[Float[Array, "home 1"], Float[Array, " home"]]:
        """Heat with PV surplus, and from the grid only as far as comfort requires."""
        outflow = _loss_kwh(params, state, step_hours) + inputs.demand_kwh
        idle_c = state.tank_c - outflow / params.heat_capacity_kwh_per_k
        reserve_c = params.min_c + _RESERVE * (params.max_c - params.min_c)
        needed = _heat_to_kwh(params, idle_c, reserve_c, step_hours)
        possible = _heat_to_kwh(params, idle_c, params.max_c, step_hours)
        power_kw = jnp.clip(surplus_kw, needed / step_hours, possible / step_hours)
        return power_kw[:, None], power_kw

    def slot_limits_kw(
        self, params: WaterHeaterParams
    ) -> tuple[Float[AnyArray, "home 1"], Float[AnyArray, "home 1"]]:
        """Return the power limit of the heating element."""
        draw_kw = params.power_kw[..., None]
        return draw_kw, 0.0 * draw_kw

    def observe(
        self, params: WaterHeaterParams, state: WaterHeaterState, inputs: WaterHeaterSeries
    ) -> dict[str, Float[Array, " home"]]:
        """Compute the temperature relative to its band."""
        position = safe_divide(state.tank_c - params.min_c, params.max_c - params.min_c)
        return {"water_heater_temperature": position * params.exists}

    def stored_kwh(
        self, params: WaterHeaterParams, state: WaterHeaterState
    ) -> Float[Array, " home"]:
        """Return the heat in the tank above 0 C."""
        return params.heat_capacity_kwh_per_k * state.tank_c * params.exists

    def compute_kpis(
        self, params: WaterHeaterParams, flow: WaterHeaterFlow
    ) -> dict[str, Float[AnyArray, " home"]]:
        """Sum electricity, hot water and heat loss."""
        return {
            "water_heater_kwh": flow.electricity_kwh.sum(0),
            "water_heater_hot_water_kwh": flow.hot_water_kwh.sum(0),
            "water_heater_loss_kwh": flow.tank_loss_kwh.sum(0),
        }

    def milp(
        self,
        program: LinearProgram,
        params: WaterHeaterParams,
        series: WaterHeaterSeries,
        step_hours: float,
        negative: Bool[NDArray[np.bool_], " step"],
    ) -> LinearDevice:
        """Add temperature and heating of the tanks; the model is linear (see `Device.milp`)."""
        exists = np.broadcast_to(np.asarray(params.exists) > 0, program.shape)
        demand = np.asarray(series.demand_kwh)
        capacity = np.asarray(params.heat_capacity_kwh_per_k)
        decay = np.asarray(params.heat_loss_kw_per_k) * step_hours / capacity
        max_kwh = np.asarray(params.power_kw) * step_hours
        heat = program.variable("water_heater", 0, max_kwh, exists)
        tank = program.variable("water_heater_tank", -np.inf, params.max_c, exists)
        too_cold = program.variable("water_heater_too_cold", 0, np.inf, exists)
        unserved = program.variable("water_heater_unserved", 0, demand, exists & (demand > 0))
        before = program.previous("water_heater_tank")
        change = tank - program.table(1 - decay) * before - program.table(1 / capacity) * heat
        change = change - program.table(1 / capacity) * unserved
        start = program.initial((1 - decay) * np.asarray(params.initial_c))
        balance = decay * TANK_AMBIENT_C - demand / capacity + start
        program.constraint("water_heater_heat", change == program.table(balance), exists)
        comfort = tank + too_cold >= program.table(params.min_c)
        program.constraint("water_heater_comfort", comfort, exists)
        slack = unserved.sum() + too_cold.sum()
        return LinearDevice(net_kwh=heat, slots=(("water_heater", None),), slack=slack)


def _param_fields(config: WaterHeaterConfig | None) -> dict[str, float]:
    exists = config is not None
    heater = config or WaterHeaterConfig()
    return {
        "exists": exists,
        "power_kw": heater.power_kw * exists,
        "heat_capacity_kwh_per_k": heater.volume_liters * WATER_KWH_PER_LITER_K,
        "heat_loss_kw_per_k": heater.heat_loss_w_per_k / 1000,
        "min_c": heater.min_c,
        "max_c": heater.max_c,
        "initial_c": heater.max_c if heater.initial_c is None else heater.initial_c,
        "safeguard": heater.safeguard,
    }


def _check_volume(config: WaterHeaterConfig | None, home: int, step_hours: float) -> None:
    """Check that the standing loss of a step does not cool the tank below its room."""
    if config is None:
        return
    smallest = config.heat_loss_w_per_k / 1000 * step_hours / WATER_KWH_PER_LITER_K
    if config.volume_liters < smallest:
        raise InputError(
            f"homes.{home}.water_heater.volume_liters",
            f"{config.volume_liters:g} liters lose all their heat within a step of "
            f"{step_hours * 60:g} minutes",
            f"Give at least {smallest:.2g} liters, a smaller heat_loss_w_per_k or shorter steps.",
        )


def _demand_kwh(
    config: WaterHeaterConfig | None, home: int, context: DeviceContext
) -> Float[NDArray[np.float64], " step"]:
    """Return the heat of a home's hot-water demand."""
    if config is None:
        return np.zeros(len(context.index))
    occupants = config.occupants
    if occupants is None:
        occupants = typical_occupants(context.lifestyles[home])
    daily_kwh = occupants * config.kwh_per_occupant_day
    return hot_water_kwh(context.index, context.time_zone, daily_kwh, context.seed(home, _STREAM))


def _timer(
    config: WaterHeaterConfig | None, context: DeviceContext
) -> Bool[NDArray[np.bool_], " step"]:
    """Return the steps in which the timer is on."""
    hour = np.asarray(context.local_index.hour)
    if config is None:
        return np.zeros(len(hour), bool)
    if config.from_hour < config.to_hour:
        return (hour >= config.from_hour) & (hour < config.to_hour)
    return (hour >= config.from_hour) | (hour < config.to_hour)


def _loss_kwh(
    params: WaterHeaterParams, state: WaterHeaterState, step_hours: Float[Array, ""]
) -> Float[Array, " home"]:
    """Compute the standing loss of the tank at its temperature before the step."""
    return params.heat_loss_kw_per_k * step_hours * (state.tank_c - TANK_AMBIENT_C)


def _heat_to_kwh(
    params: WaterHeaterParams,
    idle_c: Float[Array, " home"],
    target_c: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> Float[Array, " home"]:
    """Compute the heat that brings the tank closest to a temperature, within the power limit."""
    needed = (target_c - idle_c) * params.heat_capacity_kwh_per_k
    return jnp.clip(needed, 0.0, params.power_kw * step_hours)


devices.register(WaterHeater.kind, WaterHeater.summary)(WaterHeater())
