"""Air-source heat pump with the building it heats and its hot-water tank.

The building is one heat capacity behind one thermal resistance (1R1C), solved exactly over a step;
the tank is fully mixed. Both are linear in the heat supplied. A safeguard keeps the comfort band as
far as the power allows, whatever power is requested; within the band requests are followed.

References:
    Staffell, Brett, Brandon and Hawkes 2012, Energy & Environmental Science 5:9291, for the
    coefficient of performance as a constant fraction (0.4-0.5 in catalogs) of the Carnot limit.
    The supply temperature follows a linear heating curve.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.types import HeatPumpFlow

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


def initial_state(params: HeatPumpParams) -> HeatPumpState:
    """Return the state before the first step."""
    return HeatPumpState(params.initial_indoor_c, params.initial_tank_c)


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
