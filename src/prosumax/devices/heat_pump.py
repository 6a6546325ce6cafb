"""Air-source heat pump with the building it heats and its hot-water tank.

The building is one heat capacity behind one thermal resistance (1R1C), solved exactly over a step;
the tank is fully mixed. Both are linear in the heat supplied. A safeguard keeps the comfort band as
far as the power allows, whatever power is requested; within the band requests are followed.

References:
    Staffell, Brett, Brandon and Hawkes 2012, Energy & Environmental Science 5:9291, for the
    coefficient of performance as a constant fraction (0.4-0.5 in catalogs) of the Carnot limit.
    The supply temperature follows a linear heating curve.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import NDArray
from pydantic import model_validator

from prosumax.config import NonNegative, Positive, PositiveFraction, StrictModel
from prosumax.data.generators.household.hot_water import hot_water_kwh, typical_occupants
from prosumax.data.generators.solar.weather import WeatherSeries
from prosumax.devices.base import (
    Device,
    DeviceContext,
    DeviceObservation,
    LinearDevice,
    devices,
    stack_fields,
)
from prosumax.devices.linear_program import LinearProgram
from prosumax.metrics.catalog import KPI
from prosumax.numerics import AnyArray, safe_divide
from prosumax.scenario.schema.devices import Celsius, DeviceConfig
from prosumax.types import DeviceFlow

WATER_KWH_PER_LITER_K = 4.186 / 3600
"""Heat capacity of water."""
TANK_AMBIENT_C = 20.0
"""Temperature around the tank."""
COLD_WATER_C = 10.0
"""Temperature of the cold water supply."""

_ZERO_CELSIUS_K = 273.15
_MIN_COP = 1.5
_MAX_COP = 6.0
_MILD_C = 20.0
_DESIGN_C = -8.0
"""Lower outdoor temperature of the heating curve, the design temperature of Brussels."""
_MIN_LIFT_K = 1.0

# The random hot-water demand of each home has its own seed.
_STREAM = 1002

# Outdoor temperature above which buildings need no heating.
_HEATING_LIMIT_C = 15.0
# Margin above the minimum tank temperature, for a shower within one step.
_TANK_MARGIN_K = 3.0


class HotWaterTankConfig(StrictModel):
    """The hot-water tank of a heat pump."""

    volume_liters: Positive = 200.0
    heat_loss_w_per_k: NonNegative = 2.0
    """Heat loss per kelvin above a room of 20 C; 2 W/K is 1.7 kWh a day at 55 C."""
    min_c: Celsius = 42.0
    """Lowest temperature at which water is drawn."""
    max_c: Celsius = 55.0
    occupants: NonNegative | None = None
    """Number of people; defaults to that of the lifestyle."""
    kwh_per_occupant_day: NonNegative = 1.6
    """Heat demand; 1.6 kWh heats 45 liters from 10 C to 40 C."""

    @model_validator(mode="after")
    def _check_band(self) -> "HotWaterTankConfig":
        if self.min_c >= self.max_c:
            raise ValueError(f"min_c ({self.min_c:g}) must be below max_c ({self.max_c:g})")
        return self


class HeatPumpConfig(DeviceConfig):
    """An air-source heat pump and the building it heats.

    The model is `prosumax.devices.heat_pump`.
    """

    needs_location = True

    power_kw: Positive = 3.0
    """Electric power limit for space heating and hot water together."""
    heat_loss_w_per_k: Positive = 200.0
    """Heat loss of the building per kelvin; 100 for a new house, 250 for an old one."""
    heat_capacity_kwh_per_k: Positive = 8.0
    """Heat capacity of the building."""
    min_indoor_c: Celsius = 19.0
    """Lower end of the comfort band."""
    max_indoor_c: Celsius = 22.0
    """Upper end of the comfort band."""
    setpoint_c: Celsius = 20.0
    """Indoor temperature that the thermostat holds without other control."""
    initial_indoor_c: Celsius | None = None
    """Defaults to `setpoint_c`."""
    window_area_m2: NonNegative = 3.0
    """Effective window area for global horizontal irradiation, after shading, frame and glass."""
    internal_gains_w: NonNegative = 350.0
    """Mean heat gains from occupants and appliances."""
    carnot_efficiency: PositiveFraction = 0.45
    """Coefficient of performance as a fraction of the Carnot limit."""
    supply_mild_c: Celsius = 30.0
    """Supply temperature of the heating at 20 C outdoors."""
    supply_design_c: Celsius = 50.0
    """Supply temperature at -8 C outdoors; 35 for underfloor heating, 50 for radiators."""
    supply_water_c: Celsius = 57.0
    """Supply temperature while the tank is heated."""
    hot_water: HotWaterTankConfig | None = HotWaterTankConfig()
    """Null for a heat pump that provides space heating only."""
    safeguard: bool = True
    """Whether the thermostat guarantees the comfort band whatever power is requested."""

    @model_validator(mode="after")
    def _check_band(self) -> "HeatPumpConfig":
        if not self.min_indoor_c < self.max_indoor_c:
            raise ValueError(
                f"min_indoor_c ({self.min_indoor_c:g}) must be below max_indoor_c "
                f"({self.max_indoor_c:g})"
            )
        if not self.min_indoor_c <= self.setpoint_c <= self.max_indoor_c:
            raise ValueError(
                f"setpoint_c ({self.setpoint_c:g}) must lie between min_indoor_c and max_indoor_c"
            )
        return self


class HeatPumpParams(NamedTuple):
    """Parameters of one heat pump, building and tank per home.

    Homes without a heat pump have `exists` and `power_kw` zero.

    Attributes:
        exists: 1 where the home has a heat pump, otherwise 0.
        power_kw: Electric power limit of space heating and hot water together.
        carnot_efficiency: Coefficient of performance as a fraction of the Carnot limit.
        supply_mild_c: Supply temperature of space heating at 20 C outdoors.
        supply_design_c: Supply temperature of space heating at -8 C outdoors.
        supply_water_c: Supply temperature of hot water.
        heat_loss_kw_per_k: Heat loss of the building per kelvin.
        heat_capacity_kwh_per_k: Heat capacity of the building.
        min_indoor_c: Lower end of the comfort band.
        max_indoor_c: Upper end of the comfort band.
        setpoint_c: Indoor temperature of the default control.
        initial_indoor_c: Indoor temperature before the first step.
        tank_heat_capacity_kwh_per_k: Heat capacity of the tank.
        tank_heat_loss_kw_per_k: Heat loss of the tank per kelvin.
        min_tank_c: Lowest temperature at which water is drawn.
        max_tank_c: Upper limit of the tank temperature.
        initial_tank_c: Tank temperature before the first step.
        safeguard: 1 where the thermostat keeps the comfort band, 0 where it does not.
    """

    exists: Float[Array, " home"]
    power_kw: Float[Array, " home"]
    carnot_efficiency: Float[Array, " home"]
    supply_mild_c: Float[Array, " home"]
    supply_design_c: Float[Array, " home"]
    supply_water_c: Float[Array, " home"]
    heat_loss_kw_per_k: Float[Array, " home"]
    heat_capacity_kwh_per_k: Float[Array, " home"]
    min_indoor_c: Float[Array, " home"]
    max_indoor_c: Float[Array, " home"]
    setpoint_c: Float[Array, " home"]
    initial_indoor_c: Float[Array, " home"]
    tank_heat_capacity_kwh_per_k: Float[Array, " home"]
    tank_heat_loss_kw_per_k: Float[Array, " home"]
    min_tank_c: Float[Array, " home"]
    max_tank_c: Float[Array, " home"]
    initial_tank_c: Float[Array, " home"]
    safeguard: Float[Array, " home"]


class HeatPumpSeries(NamedTuple):
    """Exogenous inputs of the heat pumps.

    Attributes:
        outdoor_c: Outdoor temperature, the same for all homes.
        heat_gain_kwh: Heat gains of the building from solar radiation, occupants and appliances.
        hot_water_kwh: Heat of the requested hot water.
    """

    outdoor_c: Float[Array, "*step"]
    heat_gain_kwh: Float[Array, "*step home"]
    hot_water_kwh: Float[Array, "*step home"]


class HeatPumpState(NamedTuple):
    """State of building and tank.

    Attributes:
        indoor_c: Indoor temperature.
        tank_c: Tank temperature.
    """

    indoor_c: Float[Array, " home"]
    tank_c: Float[Array, " home"]


class ThermalResponse(NamedTuple):
    """Temperatures after the step as linear functions of the electricity used.

    Attributes:
        indoor_idle_c: Indoor temperature without heating.
        indoor_per_kwh: Increase of the indoor temperature per kWh of electricity.
        tank_idle_c: Tank temperature without heating, after all requested water is drawn.
        tank_per_kwh: Increase of the tank temperature per kWh of electricity.
        space_heating_cop: Coefficient of performance of space heating.
        hot_water_cop: Coefficient of performance of hot water.
    """

    indoor_idle_c: Float[Array, " home"]
    indoor_per_kwh: Float[Array, " home"]
    tank_idle_c: Float[Array, " home"]
    tank_per_kwh: Float[Array, " home"]
    space_heating_cop: Float[Array, " home"]
    hot_water_cop: Float[Array, " home"]


class HeatPumpFlow(DeviceFlow):
    """Energy of a heat pump, the building and the hot-water tank in one step, kWh.

    The balances are `electricity + ambient heat = space heat + tank heat`; for the building, the
    change of stored heat is `space heat + heat gain - vented - building loss`; for the tank it is
    `tank heat - hot water - tank loss`. Losses are negative where the surroundings are warmer.

    Attributes:
        space_heating_electricity_kwh: Electricity of the heat pump for space heating.
        hot_water_electricity_kwh: Electricity of the heat pump for hot water.
        ambient_heat_kwh: Heat extracted from the outdoor air.
        space_heat_kwh: Heat delivered to the rooms.
        tank_heat_kwh: Heat delivered to the tank.
        heat_gain_kwh: Solar and internal heat gains.
        vented_kwh: Part of the gains that is shaded or vented to prevent overheating.
        building_loss_kwh: Heat loss of the building to the outside.
        tank_loss_kwh: Heat loss of the tank to its room.
        hot_water_kwh: Heat drawn as hot water.
        unserved_kwh: Hot-water demand that was not warm enough.
        underheating_kh: Kelvin-hours below the comfort band at the end of the step.
        overheating_kh: Kelvin-hours above the comfort band at the end of the step.
        indoor_c: Indoor temperature after the step, degrees Celsius.
        tank_c: Tank temperature after the step, degrees Celsius.
    """

    space_heating_electricity_kwh: Float[Array, " home"]
    hot_water_electricity_kwh: Float[Array, " home"]
    ambient_heat_kwh: Float[Array, " home"]
    space_heat_kwh: Float[Array, " home"]
    tank_heat_kwh: Float[Array, " home"]
    heat_gain_kwh: Float[Array, " home"]
    vented_kwh: Float[Array, " home"]
    building_loss_kwh: Float[Array, " home"]
    tank_loss_kwh: Float[Array, " home"]
    hot_water_kwh: Float[Array, " home"]
    unserved_kwh: Float[Array, " home"]
    underheating_kh: Float[Array, " home"]
    overheating_kh: Float[Array, " home"]
    indoor_c: Float[Array, " home"]
    tank_c: Float[Array, " home"]

    @property
    def consumption_kwh(self) -> Float[Array, " home"]:
        """Electricity for space heating and hot water."""
        return self.space_heating_electricity_kwh + self.hot_water_electricity_kwh

    @property
    def released_kwh(self) -> Float[Array, " home"]:
        """Heat lost, vented and drawn as hot water, less ambient heat and gains."""
        lost = self.building_loss_kwh + self.vented_kwh + self.tank_loss_kwh + self.hot_water_kwh
        return lost - self.ambient_heat_kwh - self.heat_gain_kwh

    @property
    def total_unserved_kwh(self) -> Float[Array, " home"]:
        """Hot-water demand that was not warm enough."""
        return self.unserved_kwh

    @property
    def discomfort_kh(self) -> Float[Array, " home"]:
        """Kelvin-hours below and above the comfort band."""
        return self.underheating_kh + self.overheating_kh


def coefficients_of_performance(
    params: HeatPumpParams, outdoor_c: Float[Array, ""]
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """Compute the coefficients of performance of space heating and hot water.

    Args:
        params: Parameters.
        outdoor_c: Outdoor temperature.

    Returns:
        Both coefficients, a fraction of the Carnot limit between 1.5 and 6.
    """
    mildness = jnp.clip((outdoor_c - _DESIGN_C) / (_MILD_C - _DESIGN_C), 0.0, 1.0)
    supply_c = params.supply_design_c + mildness * (params.supply_mild_c - params.supply_design_c)

    def cop(sink_c: Float[Array, " home"]) -> Float[Array, " home"]:
        lift_k = jnp.maximum(sink_c - outdoor_c, _MIN_LIFT_K)
        uncapped = params.carnot_efficiency * (sink_c + _ZERO_CELSIUS_K) / lift_k
        return jnp.clip(uncapped, _MIN_COP, _MAX_COP)

    return cop(supply_c), cop(params.supply_water_c)


def thermal_response(
    params: HeatPumpParams,
    state: HeatPumpState,
    inputs: HeatPumpSeries,
    step_hours: Float[Array, ""],
) -> ThermalResponse:
    """Compute the temperatures after the step as functions of the electricity used.

    Args:
        params: Parameters.
        state: State before the step.
        inputs: Exogenous inputs of the step.
        step_hours: Length of the step.
    """
    space_heating_cop, hot_water_cop = coefficients_of_performance(params, inputs.outdoor_c)
    decay, kelvin_per_kwh = building_coefficients(params, step_hours)
    indoor_idle_c = (
        inputs.outdoor_c
        + (state.indoor_c - inputs.outdoor_c) * decay
        + inputs.heat_gain_kwh * kelvin_per_kwh
    )
    tank_outflow_kwh = _tank_loss_kwh(params, state, step_hours) + inputs.hot_water_kwh
    return ThermalResponse(
        indoor_idle_c=indoor_idle_c,
        indoor_per_kwh=space_heating_cop * kelvin_per_kwh,
        tank_idle_c=state.tank_c - tank_outflow_kwh / params.tank_heat_capacity_kwh_per_k,
        tank_per_kwh=hot_water_cop / params.tank_heat_capacity_kwh_per_k,
        space_heating_cop=space_heating_cop,
        hot_water_cop=hot_water_cop,
    )


def step(
    params: HeatPumpParams,
    state: HeatPumpState,
    inputs: HeatPumpSeries,
    space_heating_kw: Float[Array, " home"],
    hot_water_kw: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[HeatPumpState, HeatPumpFlow]:
    """Heat building and tank at the requested powers within the limits.

    A tank below its lowest temperature takes precedence over space heating.

    Args:
        params: Parameters.
        state: State before the step.
        inputs: Exogenous inputs of the step.
        space_heating_kw: Requested electric power of space heating; limited to the feasible range.
        hot_water_kw: Requested electric power of hot water; limited to the feasible range.
        step_hours: Length of the step.

    Returns:
        The state after the step and the energy flows.
    """
    response = thermal_response(params, state, inputs, step_hours)
    max_kwh = params.power_kw * step_hours

    def indoor_target_kwh(target_c: Float[Array, " home"]) -> Float[Array, " home"]:
        needed = (target_c - response.indoor_idle_c) / response.indoor_per_kwh
        return jnp.clip(needed, 0.0, max_kwh)

    def tank_target_kwh(target_c: Float[Array, " home"]) -> Float[Array, " home"]:
        return jnp.clip((target_c - response.tank_idle_c) / response.tank_per_kwh, 0.0, max_kwh)

    min_heating = indoor_target_kwh(params.min_indoor_c) * params.safeguard
    max_heating = jnp.where(params.safeguard > 0, indoor_target_kwh(params.max_indoor_c), max_kwh)
    min_water = tank_target_kwh(params.min_tank_c) * params.safeguard
    # Space heating keeps its minimum unless the tank is below its lowest temperature.
    max_water = jnp.minimum(
        tank_target_kwh(params.max_tank_c), jnp.maximum(max_kwh - min_heating, min_water)
    )
    water = jnp.clip(hot_water_kw * step_hours, min_water, max_water)
    heating = jnp.minimum(
        jnp.clip(space_heating_kw * step_hours, min_heating, max_heating), max_kwh - water
    )
    heating = heating * params.exists
    water = water * params.exists

    indoor_c = response.indoor_idle_c + heating * response.indoor_per_kwh
    # Shading and ventilation remove heat gains above the comfort band.
    _, kelvin_per_kwh = building_coefficients(params, step_hours)
    vented = jnp.clip((indoor_c - params.max_indoor_c) / kelvin_per_kwh, 0.0, inputs.heat_gain_kwh)
    indoor_c = indoor_c - vented * kelvin_per_kwh
    tank_full_draw_c = response.tank_idle_c + water * response.tank_per_kwh
    # Water is drawn only above the lowest temperature; standing losses may cool the tank below it.
    unserved = jnp.clip(
        (params.min_tank_c - tank_full_draw_c) * params.tank_heat_capacity_kwh_per_k,
        0.0,
        inputs.hot_water_kwh,
    )
    tank_c = tank_full_draw_c + unserved / params.tank_heat_capacity_kwh_per_k
    space_heat = response.space_heating_cop * heating
    tank_heat = response.hot_water_cop * water
    stored_heat = params.heat_capacity_kwh_per_k * (indoor_c - state.indoor_c)
    building_loss = inputs.heat_gain_kwh - vented + space_heat - stored_heat
    too_cold_k = jnp.maximum(params.min_indoor_c - indoor_c, 0.0)
    too_warm_k = jnp.maximum(indoor_c - params.max_indoor_c, 0.0)
    flow = HeatPumpFlow(
        space_heating_electricity_kwh=heating,
        hot_water_electricity_kwh=water,
        ambient_heat_kwh=space_heat + tank_heat - heating - water,
        space_heat_kwh=space_heat,
        tank_heat_kwh=tank_heat,
        heat_gain_kwh=inputs.heat_gain_kwh * params.exists,
        vented_kwh=vented * params.exists,
        building_loss_kwh=building_loss * params.exists,
        tank_loss_kwh=_tank_loss_kwh(params, state, step_hours) * params.exists,
        hot_water_kwh=(inputs.hot_water_kwh - unserved) * params.exists,
        unserved_kwh=unserved * params.exists,
        underheating_kh=too_cold_k * step_hours * params.exists,
        overheating_kh=too_warm_k * step_hours * params.exists,
        indoor_c=indoor_c,
        tank_c=tank_c,
    )
    return HeatPumpState(indoor_c, tank_c), flow


def power_for_temperatures_kw(
    params: HeatPumpParams,
    state: HeatPumpState,
    inputs: HeatPumpSeries,
    indoor_c: Float[Array, " home"],
    tank_c: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """Compute the electric powers that reach target temperatures as closely as possible.

    Args:
        params: Parameters.
        state: State before the step.
        inputs: Exogenous inputs of the step.
        indoor_c: Target of the indoor temperature after the step.
        tank_c: Target of the tank temperature after the step.
        step_hours: Length of the step.

    Returns:
        Power of space heating and of hot water, kW, each between 0 and the limit.
    """
    response = thermal_response(params, state, inputs, step_hours)
    heating_kwh = (indoor_c - response.indoor_idle_c) / response.indoor_per_kwh
    water_kwh = (tank_c - response.tank_idle_c) / response.tank_per_kwh
    return (
        jnp.clip(heating_kwh / step_hours, 0.0, params.power_kw),
        jnp.clip(water_kwh / step_hours, 0.0, params.power_kw),
    )


def building_coefficients(
    params: HeatPumpParams, step_hours: Float[Array, ""]
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """Compute the coefficients of the building's exact solution over a step.

    Args:
        params: Parameters.
        step_hours: Length of the step.

    Returns:
        The fraction of the indoor-outdoor temperature difference that remains after the step, and
        the temperature increase in K per kWh of heat supplied during the step.
    """
    decayed = -jnp.expm1(-params.heat_loss_kw_per_k * step_hours / params.heat_capacity_kwh_per_k)
    return 1.0 - decayed, decayed / (params.heat_loss_kw_per_k * step_hours)


def _tank_loss_kwh(
    params: HeatPumpParams, state: HeatPumpState, step_hours: Float[Array, ""]
) -> Float[Array, " home"]:
    """Compute the standing loss of the tank at its temperature before the step."""
    return params.tank_heat_loss_kw_per_k * step_hours * (state.tank_c - TANK_AMBIENT_C)


def _param_fields(config: HeatPumpConfig | None) -> dict[str, float]:
    exists = config is not None
    pump = config or HeatPumpConfig(hot_water=None)
    initial_c = pump.setpoint_c if pump.initial_indoor_c is None else pump.initial_indoor_c
    return {
        "exists": exists,
        "power_kw": pump.power_kw * exists,
        "carnot_efficiency": pump.carnot_efficiency,
        "supply_mild_c": pump.supply_mild_c,
        "supply_design_c": pump.supply_design_c,
        "supply_water_c": pump.supply_water_c,
        "heat_loss_kw_per_k": pump.heat_loss_w_per_k / 1000,
        "heat_capacity_kwh_per_k": pump.heat_capacity_kwh_per_k,
        "min_indoor_c": pump.min_indoor_c,
        "max_indoor_c": pump.max_indoor_c,
        "setpoint_c": pump.setpoint_c,
        "initial_indoor_c": initial_c,
        **_tank_fields(pump),
        "safeguard": pump.safeguard,
    }


def _tank_fields(pump: HeatPumpConfig) -> dict[str, float]:
    tank = pump.hot_water
    if tank is None:
        # A lossless tank of 1 kWh/K at ambient temperature needs no heat and avoids divisions by 0.
        return {
            "tank_heat_capacity_kwh_per_k": 1.0,
            "tank_heat_loss_kw_per_k": 0.0,
            "min_tank_c": TANK_AMBIENT_C,
            "max_tank_c": TANK_AMBIENT_C,
            "initial_tank_c": TANK_AMBIENT_C,
        }
    return {
        "tank_heat_capacity_kwh_per_k": tank.volume_liters * WATER_KWH_PER_LITER_K,
        "tank_heat_loss_kw_per_k": tank.heat_loss_w_per_k / 1000,
        "min_tank_c": tank.min_c,
        "max_tank_c": tank.max_c,
        "initial_tank_c": tank.max_c,
    }


def _heat_gain_kwh(
    config: HeatPumpConfig | None, weather: WeatherSeries, step_hours: float
) -> Float[NDArray[np.float64], " step"]:
    """Return the solar and internal heat gains of a building."""
    if config is None:
        return np.zeros(len(weather.ghi))
    solar_w = config.window_area_m2 * weather.ghi
    return (solar_w + config.internal_gains_w) / 1000 * step_hours


def _hot_water_kwh(
    config: HeatPumpConfig | None, home: int, context: DeviceContext
) -> Float[NDArray[np.float64], " step"]:
    """Return the heat of a home's hot-water demand."""
    tank = config.hot_water if config else None
    if tank is None:
        return np.zeros(len(context.index))
    occupants = tank.occupants
    if occupants is None:
        occupants = typical_occupants(context.lifestyles[home])
    daily_kwh = occupants * tank.kwh_per_occupant_day
    return hot_water_kwh(context.index, context.time_zone, daily_kwh, context.seed(home, _STREAM))


def _max_indoor_temperature(
    params: HeatPumpParams,
    outdoor: Float[NDArray[np.float64], " step"],
    gain: Float[NDArray[np.float64], "step home"],
    retention: Float[NDArray[np.float64], " home"],
    kelvin_per_kwh: Float[NDArray[np.float64], " home"],
) -> tuple[Float[NDArray[np.float64], "step home"], Float[NDArray[np.float64], "step home"]]:
    """Return the highest indoor temperature after any heating, and the heat then vented, kWh."""
    maximum = np.empty_like(gain)
    vented = np.empty_like(gain)
    level = np.maximum(np.asarray(params.initial_indoor_c), np.asarray(params.max_indoor_c))
    for step, outdoor_c in enumerate(outdoor):
        unvented = outdoor_c + (level - outdoor_c) * retention
        level = np.maximum(unvented, params.max_indoor_c)
        excess = unvented + gain[step] * kelvin_per_kwh - params.max_indoor_c
        vented[step] = np.clip(excess / kelvin_per_kwh, 0, gain[step])
        maximum[step] = level
    return maximum, vented


class HeatPump(Device[HeatPumpConfig, HeatPumpParams, HeatPumpSeries, HeatPumpState, HeatPumpFlow]):
    """Heat pumps with building and hot-water tank."""

    kind = "heat_pump"
    summary = "Air-source heat pump with the building that it heats and a hot-water tank."
    config = HeatPumpConfig
    order = 20
    surplus_order = 30
    power_fields = ("power_kw",)
    kpis = (
        KPI(
            "heat_pump_kwh",
            "Heat pump electricity",
            "kWh",
            definition="space heating and hot water",
            short="electricity",
            beside="underheating_kh",
        ),
        KPI(
            "space_heat_kwh",
            "Space heat",
            "kWh",
            definition="thermal energy delivered to rooms",
            short="space heat",
        ),
        KPI(
            "hot_water_kwh",
            "Hot water heat",
            "kWh",
            definition="thermal energy drawn as hot water",
            short="hot water",
        ),
        KPI(
            "underheating_kh",
            "Underheating",
            "K h",
            definition="kelvin-hours below the comfort band",
            better="lower",
            short="too cold",
        ),
        KPI(
            "overheating_kh",
            "Overheating",
            "K h",
            definition="kelvin-hours above the comfort band",
            better="lower",
            short="too warm",
        ),
    )
    observations: ClassVar[Mapping[str, DeviceObservation]] = {
        "indoor_temperature": DeviceObservation(
            "Private: indoor temperature in the comfort band; 0 at its lower end, 1 at its upper."
        ),
        "hot_water_temperature": DeviceObservation(
            "Private: temperature of the hot-water tank in its band; 0 at its lower end, 1 at its "
            "upper."
        ),
    }

    def build_params(
        self, configs: Sequence[Sequence[HeatPumpConfig]], names: Sequence[str], step_hours: float
    ) -> HeatPumpParams:
        """Build the parameters of all homes (see `Device.build_params`)."""
        rows = [_param_fields(next(iter(own), None)) for own in configs]
        return HeatPumpParams(**stack_fields(rows))

    def build_series(
        self, configs: Sequence[Sequence[HeatPumpConfig]], context: DeviceContext
    ) -> HeatPumpSeries:
        """Compute weather, heat gains and hot-water demand (see `Device.build_series`)."""
        weather = context.weather()
        pumps = [next(iter(own), None) for own in configs]
        gains = [_heat_gain_kwh(pump, weather, context.step_hours) for pump in pumps]
        water = [_hot_water_kwh(pump, home, context) for home, pump in enumerate(pumps)]
        # Annotated as the JAX arrays of a simulation, which converts these NumPy arrays.
        return HeatPumpSeries(
            outdoor_c=np.asarray(weather.air_temperature_c, np.float32),  # type: ignore[arg-type]
            heat_gain_kwh=np.stack(gains, axis=1).astype(np.float32),  # type: ignore[arg-type]
            hot_water_kwh=np.stack(water, axis=1).astype(np.float32),  # type: ignore[arg-type]
        )

    def init(self, params: HeatPumpParams) -> HeatPumpState:
        """Return the state before the first step."""
        return HeatPumpState(params.initial_indoor_c, params.initial_tank_c)

    def step(
        self,
        params: HeatPumpParams,
        state: HeatPumpState,
        inputs: HeatPumpSeries,
        request_kw: Float[Array, "home 2"],
        step_hours: Float[Array, ""],
    ) -> tuple[HeatPumpState, HeatPumpFlow]:
        """Heat building and tank at the requested powers (see `Device.step`)."""
        return step(params, state, inputs, request_kw[:, 0], request_kw[:, 1], step_hours)

    def default_request(
        self,
        params: HeatPumpParams,
        state: HeatPumpState,
        inputs: HeatPumpSeries,
        surplus_kw: Float[Array, " home"],
        step_hours: Float[Array, ""],
    ) -> Float[Array, "home 2"]:
        """Request the power that holds the setpoint and a full tank."""
        powers = power_for_temperatures_kw(
            params, state, inputs, params.setpoint_c, params.max_tank_c, step_hours
        )
        return jnp.stack(powers, axis=1)

    def surplus_request(
        self,
        params: HeatPumpParams,
        state: HeatPumpState,
        inputs: HeatPumpSeries,
        surplus_kw: Float[Array, " home"],
        step_hours: Float[Array, ""],
    ) -> tuple[Float[Array, "home 2"], Float[Array, " home"]]:
        """Request the power that comfort requires or surplus covers, hot water first."""
        heating_kw, water_kw = power_for_temperatures_kw(
            params, state, inputs, params.setpoint_c, params.min_tank_c + _TANK_MARGIN_K, step_hours
        )
        # Heat stored in the building on warm days would have to be vented again.
        is_heating_day = inputs.outdoor_c < _HEATING_LIMIT_C
        max_indoor_c = jnp.where(is_heating_day, params.max_indoor_c, params.setpoint_c)
        max_heating_kw, max_water_kw = power_for_temperatures_kw(
            params, state, inputs, max_indoor_c, params.max_tank_c, step_hours
        )
        surplus_water_kw = jnp.clip(surplus_kw - heating_kw, 0.0, max_water_kw)
        water_kw = jnp.maximum(water_kw, surplus_water_kw)
        max_heating_kw = jnp.minimum(max_heating_kw, params.power_kw - water_kw)
        surplus_heating_kw = jnp.clip(surplus_kw - water_kw, 0.0, max_heating_kw)
        heating_kw = jnp.maximum(heating_kw, surplus_heating_kw)
        return jnp.stack([heating_kw, water_kw], axis=1), heating_kw + water_kw

    def action_slots(self, count: int) -> list[str]:
        """Return the slots of space heating and hot water."""
        return ["space_heating", "hot_water"]

    def slot_limits_kw(
        self, params: HeatPumpParams
    ) -> tuple[Float[AnyArray, "home 2"], Float[AnyArray, "home 2"]]:
        """Return the power limit of the heat pump for both slots; zero for water without a tank."""
        xp = params.power_kw.__array_namespace__()
        has_tank = params.max_tank_c > params.min_tank_c
        draw_kw = xp.stack([params.power_kw, params.power_kw * has_tank], axis=-1)
        return draw_kw, 0.0 * draw_kw

    def limits_kw(
        self, params: HeatPumpParams
    ) -> tuple[Float[AnyArray, " home"], Float[AnyArray, " home"]]:
        """Return the power limit of space heating and hot water together."""
        return params.power_kw, 0.0 * params.power_kw

    def observe(
        self, params: HeatPumpParams, state: HeatPumpState, inputs: HeatPumpSeries
    ) -> dict[str, Float[Array, " home"]]:
        """Compute indoor and tank temperature relative to their bands."""
        indoor_band = params.max_indoor_c - params.min_indoor_c
        above_k = state.tank_c - params.min_tank_c
        return {
            "indoor_temperature": (
                params.exists * (state.indoor_c - params.min_indoor_c) / indoor_band
            ),
            "hot_water_temperature": safe_divide(above_k, params.max_tank_c - params.min_tank_c),
        }

    def stored_kwh(self, params: HeatPumpParams, state: HeatPumpState) -> Float[Array, " home"]:
        """Return the heat in building and tank above 0 C."""
        building_kwh = params.heat_capacity_kwh_per_k * state.indoor_c
        tank_kwh = params.tank_heat_capacity_kwh_per_k * state.tank_c
        return (building_kwh + tank_kwh) * params.exists

    def compute_kpis(
        self, params: HeatPumpParams, flow: HeatPumpFlow
    ) -> dict[str, Float[AnyArray, " home"]]:
        """Sum electricity, heat and kelvin-hours (see `Device.compute_kpis`)."""
        return {
            "heat_pump_kwh": flow.consumption_kwh.sum(0),
            "space_heat_kwh": flow.space_heat_kwh.sum(0),
            "hot_water_kwh": flow.hot_water_kwh.sum(0),
            "underheating_kh": flow.underheating_kh.sum(0),
            "overheating_kh": flow.overheating_kh.sum(0),
        }

    def milp(
        self,
        program: LinearProgram,
        params: HeatPumpParams,
        series: HeatPumpSeries,
        step_hours: float,
        negative: Bool[NDArray[np.bool_], " step"],
    ) -> LinearDevice:
        """Add the heat pumps to a linear program (see `Device.milp`).

        The program is exact. Kelvins below the comfort band and unserved hot water are slack.
        """
        exists = np.broadcast_to(np.asarray(params.exists) > 0, program.shape)
        has_tank = exists & (np.asarray(params.max_tank_c) > np.asarray(params.min_tank_c))
        outdoor = np.asarray(series.outdoor_c)[:, None]
        single: HeatPumpParams = jax.tree.map(jnp.asarray, params)
        coefficients = jax.vmap(lambda outdoor_c: coefficients_of_performance(single, outdoor_c))(
            jnp.asarray(outdoor[:, 0])
        )
        cop, water_cop = (np.asarray(part, np.float64) for part in coefficients)
        building = building_coefficients(single, jnp.float32(step_hours))
        retention, kelvin_per_kwh = (np.asarray(part, np.float64) for part in building)
        gain = np.asarray(series.heat_gain_kwh)
        max_indoor, max_vented = _max_indoor_temperature(
            params, outdoor[:, 0], gain, retention, kelvin_per_kwh
        )
        max_kwh = program.table(np.asarray(params.power_kw) * step_hours)
        heating = program.variable("heat_pump_space_heating", 0, max_kwh, exists)
        indoor = program.variable("heat_pump_indoor", -np.inf, max_indoor, exists)
        underheating = program.variable("heat_pump_underheating", 0, np.inf, exists)
        vented = program.variable("heat_pump_vented", 0, max_vented, exists & (max_vented > 0))
        initial = program.initial(retention * np.asarray(params.initial_indoor_c))
        unheated = (1 - retention) * outdoor + gain * kelvin_per_kwh + initial
        retained = program.table(retention) * program.previous("heat_pump_indoor")
        heated = (
            program.table(cop * kelvin_per_kwh) * heating - program.table(kelvin_per_kwh) * vented
        )
        program.constraint(
            "heat_pump_building", indoor - retained - heated == program.table(unheated), exists
        )
        comfort = program.table(params.min_indoor_c)
        program.constraint("heat_pump_comfort", indoor + underheating >= comfort, exists)
        net = heating
        slack = underheating.sum()
        if has_tank.any():
            demand = np.asarray(series.hot_water_kwh)
            heat_capacity = np.asarray(params.tank_heat_capacity_kwh_per_k)
            loss = np.asarray(params.tank_heat_loss_kw_per_k) * step_hours / heat_capacity
            water = program.variable("heat_pump_hot_water", 0, max_kwh, has_tank)
            # With less power than all the time, standing losses may cool the tank below its limit.
            is_limited = np.ndim(params.power_kw) > 1
            lowest_c = -np.inf if is_limited else params.min_tank_c
            tank = program.variable("heat_pump_tank", lowest_c, params.max_tank_c, has_tank)
            if is_limited:
                too_cold = program.variable("heat_pump_tank_too_cold", 0, np.inf, has_tank)
                warm = tank + too_cold >= program.table(params.min_tank_c)
                program.constraint("heat_pump_tank_comfort", warm, has_tank)
                slack = slack + too_cold.sum()
            unserved = program.variable(
                "heat_pump_hot_water_unserved", 0, demand, has_tank & (demand > 0)
            )
            initial = program.initial((1 - loss) * np.asarray(params.initial_tank_c))
            change = (
                tank
                - program.table(1 - loss) * program.previous("heat_pump_tank")
                - program.table(water_cop / heat_capacity) * water
                - program.table(1 / heat_capacity) * unserved
            )
            balance = loss * TANK_AMBIENT_C - demand / heat_capacity + initial
            program.constraint("heat_pump_tank_heat", change == program.table(balance), has_tank)
            program.constraint("heat_pump_compressor", heating + water <= max_kwh, has_tank)
            net = net + water
            slack = slack + unserved.sum()
        heated_water = "heat_pump_hot_water" if has_tank.any() else None
        slots = (("heat_pump_space_heating", None), (heated_water, None))
        return LinearDevice(net, slots, slack)


devices.register(HeatPump.kind, HeatPump.summary)(HeatPump())
