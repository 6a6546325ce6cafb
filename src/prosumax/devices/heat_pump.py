"""Heat pump, the building it heats, and its hot-water tank.

The building is one heat capacity behind one resistance (1R1C), solved exactly over a step; the tank is mixed. Both are
linear in the heat they get, so that the optimum knows them as they are. The heat pump's own thermostat keeps
the comfort band as far as its power reaches, whatever is asked; inside the band agents are free.

Source of the coefficient of performance: a fixed share of Carnot's, as in Staffell et al. 2012, Energy & Environmental
Science 5:9291 (share fitted to catalogues 0.4-0.5); supply temperature by a linear weather curve.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.types import HeatPumpFlow

WATER_KWH_PER_LITRE_K = 4.186 / 3600
TANK_AMBIENT_C = 20.0
"""Where the tank stands."""
COLD_WATER_C = 10.0
_KELVIN = 273.15
_LOWEST_COP, _HIGHEST_COP = 1.5, 6.0
_MILD_C, _DESIGN_C = 20.0, -8.0
"""Outdoor temperatures of the two ends of the weather curve; -8 C is the Belgian design temperature near Brussels."""


class HeatPumpParams(NamedTuple):
    """One heat pump, building and tank per home; a home without one has `exists` and all powers zero.

    Attributes:
        exists: 1 or 0.
        power_kw: electric power limit, for rooms and water together.
        carnot_share: of the ideal coefficient of performance.
        supply_mild_c, supply_design_c: supply temperature of the heating at 20 C and at -8 C outside.
        supply_water_c: supply temperature while it heats the tank.
        heat_loss_kw_per_k: heat that leaves the building per kelvin of difference.
        heat_capacity_kwh_per_k: heat capacity of the building.
        min_indoor_c, max_indoor_c: comfort band of the rooms.
        setpoint_c: what the thermostat holds by habit.
        initial_indoor_c: indoors before the first step.
        tank_heat_capacity_kwh_per_k: heat capacity of the tank.
        tank_heat_loss_kw_per_k: heat that leaves the tank per kelvin of difference to its room.
        min_tank_c, max_tank_c: band of the tank; colder water is not served.
        initial_tank_c: before the first step.
        safeguard: 1 where the thermostat steps in at the ends of the band, 0 where the agent alone answers for comfort.
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
    """What comes from outside.

    Attributes:
        outdoor_c: air temperature, the same for all homes.
        gain_kwh: heat of sun, people and appliances in the building.
        water_kwh: heat in the hot water that is wanted.
    """

    outdoor_c: Float[Array, "*step"]
    heat_gain_kwh: Float[Array, "*step home"]
    hot_water_kwh: Float[Array, "*step home"]


class HeatPumpState(NamedTuple):
    """Temperatures indoors and in the tank, degrees Celsius."""

    indoor_c: Float[Array, " home"]
    tank_c: Float[Array, " home"]


class ThermalResponse(NamedTuple):
    """The building and tank as linear functions of the electricity spent, all [home]: no heat pump, and per kWh.

    Attributes:
        indoor_idle_c, indoor_per_kwh: temperature after the step without heating, and what a kWh of electricity adds.
        tank_idle_c, tank_per_kwh: the same for the tank, all wanted hot water drawn.
        cop, water_cop: coefficient of performance for the rooms and for the tank.
    """

    indoor_idle_c: Float[Array, " home"]
    indoor_per_kwh: Float[Array, " home"]
    tank_idle_c: Float[Array, " home"]
    tank_per_kwh: Float[Array, " home"]
    space_heating_cop: Float[Array, " home"]
    hot_water_cop: Float[Array, " home"]


def initial_state(params: HeatPumpParams) -> HeatPumpState:
    """Before the first step."""
    return HeatPumpState(params.initial_indoor_c, params.initial_tank_c)


def coefficients_of_performance(
    params: HeatPumpParams, outdoor_c: Float[Array, ""]
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """Heat per electricity for the rooms and for the tank: a share of Carnot's, between 1.5 and 6."""
    mild = jnp.clip((outdoor_c - _DESIGN_C) / (_MILD_C - _DESIGN_C), 0.0, 1.0)
    supply = params.supply_design_c + mild * (params.supply_mild_c - params.supply_design_c)

    def of(supply_c: Float[Array, " home"]) -> Float[Array, " home"]:
        lift = jnp.maximum(supply_c - outdoor_c, 1.0)
        return jnp.clip(
            params.carnot_efficiency * (supply_c + _KELVIN) / lift, _LOWEST_COP, _HIGHEST_COP
        )

    return of(supply), of(params.supply_water_c)


def thermal_response(
    params: HeatPumpParams, state: HeatPumpState, inputs: HeatPumpSeries, step_hours: Float[Array, ""]
) -> ThermalResponse:
    """How warm it gets, and by how much a kWh of electricity changes that."""
    cop, water_cop = coefficients_of_performance(params, inputs.outdoor_c)
    kept, per_kwh = building_coefficients(params, step_hours)
    indoor = inputs.outdoor_c + (state.indoor_c - inputs.outdoor_c) * kept + inputs.heat_gain_kwh * per_kwh
    tank = (
        state.tank_c - (_tank_loss(params, state, step_hours) + inputs.hot_water_kwh) / params.tank_heat_capacity_kwh_per_k
    )
    return ThermalResponse(indoor, cop * per_kwh, tank, water_cop / params.tank_heat_capacity_kwh_per_k, cop, water_cop)


def step(
    params: HeatPumpParams,
    state: HeatPumpState,
    inputs: HeatPumpSeries,
    space_heating_kw: Float[Array, " home"],
    hot_water_kw: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[HeatPumpState, HeatPumpFlow]:
    """Heat rooms and water as near to the request as power and comfort allow; water that is too cold goes first.

    Arguments:
        params, state: the heat pumps and buildings.
        now: this step's row.
        heat_kw, water_kw: electric power asked for, any real number; negative asks for none.
        step_hours: length of the step.
    """
    reacts = thermal_response(params, state, inputs, step_hours)
    most = params.power_kw * step_hours

    def needed(
        target_c: Float[Array, " home"], idle: Float[Array, " home"], gain: Float[Array, " home"]
    ) -> Array:
        return jnp.clip((target_c - idle) / gain, 0.0, most)

    rooms, tank = (
        (reacts.indoor_idle_c, reacts.indoor_per_kwh),
        (reacts.tank_idle_c, reacts.tank_per_kwh),
    )
    heat_least = needed(params.min_indoor_c, *rooms) * params.safeguard
    heat_most = jnp.where(params.safeguard > 0, needed(params.max_indoor_c, *rooms), most)
    water_least = needed(params.min_tank_c, *tank) * params.safeguard
    # What heats the rooms at least is theirs, but for the water that is too cold.
    water_most = jnp.minimum(
        needed(params.max_tank_c, *tank), jnp.maximum(most - heat_least, water_least)
    )
    water = jnp.clip(hot_water_kw * step_hours, water_least, water_most)
    heat = jnp.minimum(jnp.clip(space_heating_kw * step_hours, heat_least, heat_most), most - water)
    heat, water = heat * params.exists, water * params.exists

    indoor = reacts.indoor_idle_c + heat * reacts.indoor_per_kwh
    # Blinds and windows: nobody lets sun and stove heat the rooms beyond the band.
    per_kwh = building_coefficients(params, step_hours)[1]
    vented = jnp.clip((indoor - params.max_indoor_c) / per_kwh, 0.0, inputs.heat_gain_kwh)
    indoor = indoor - vented * per_kwh
    full_draw = reacts.tank_idle_c + water * reacts.tank_per_kwh
    # Only water of the lowest temperature or more is drawn; standing loss may carry a tank below it all the same.
    unserved = jnp.clip((params.min_tank_c - full_draw) * params.tank_heat_capacity_kwh_per_k, 0.0, inputs.hot_water_kwh)
    tank_c = full_draw + unserved / params.tank_heat_capacity_kwh_per_k
    heat_kwh, water_heat = reacts.space_heating_cop * heat, reacts.hot_water_cop * water
    gain, warmed = inputs.heat_gain_kwh * params.exists, params.heat_capacity_kwh_per_k * (indoor - state.indoor_c)
    flow = HeatPumpFlow(
        space_heating_electricity_kwh=heat,
        hot_water_electricity_kwh=water,
        ambient_heat_kwh=heat_kwh + water_heat - heat - water,
        space_heat_kwh=heat_kwh,
        tank_heat_kwh=water_heat,
        heat_gain_kwh=gain,
        vented_kwh=vented * params.exists,
        building_loss_kwh=(inputs.heat_gain_kwh - vented + heat_kwh - warmed) * params.exists,
        tank_loss_kwh=_tank_loss(params, state, step_hours) * params.exists,
        hot_water_kwh=(inputs.hot_water_kwh - unserved) * params.exists,
        unserved_kwh=unserved * params.exists,
        underheating_kh=jnp.maximum(params.min_indoor_c - indoor, 0.0) * step_hours * params.exists,
        overheating_kh=jnp.maximum(indoor - params.max_indoor_c, 0.0) * step_hours * params.exists,
        indoor_c=indoor,
        tank_c=tank_c,
    )
    return HeatPumpState(indoor, tank_c), flow


def power_for_temperatures_kw(
    params: HeatPumpParams,
    state: HeatPumpState,
    inputs: HeatPumpSeries,
    indoor_c: Float[Array, " home"],
    tank_c: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """Power for the rooms and for the tank that reaches these temperatures, or comes nearest; kW, >= 0."""
    reacts = thermal_response(params, state, inputs, step_hours)
    heat = (indoor_c - reacts.indoor_idle_c) / reacts.indoor_per_kwh
    water = (tank_c - reacts.tank_idle_c) / reacts.tank_per_kwh
    return jnp.clip(heat / step_hours, 0.0, params.power_kw), jnp.clip(
        water / step_hours, 0.0, params.power_kw
    )


def building_coefficients(
    params: HeatPumpParams, step_hours: Float[Array, ""]
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """Share of the difference to the outside that is left after a step, and kelvins per kWh of heat during it."""
    lost = -jnp.expm1(-params.heat_loss_kw_per_k * step_hours / params.heat_capacity_kwh_per_k)
    return 1.0 - lost, lost / (params.heat_loss_kw_per_k * step_hours)


def _tank_loss(
    params: HeatPumpParams, state: HeatPumpState, step_hours: Float[Array, ""]
) -> Float[Array, " home"]:
    return params.tank_heat_loss_kw_per_k * step_hours * (state.tank_c - TANK_AMBIENT_C)
