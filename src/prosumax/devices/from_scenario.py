"""Device parameters and exogenous inputs of a scenario as arrays, computed on the host.

Arrays have one entry per home and kind of device; a kind that no home has is None.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, PyTree
from numpy.typing import ArrayLike, NDArray

from prosumax.data.generators.appliance_runs import sample_appliance_runs
from prosumax.data.generators.household.hot_water import OCCUPANTS_BY_LIFESTYLE, hot_water_kwh
from prosumax.data.generators.household.trips import (
    ev_availability,
    sample_plug_ins,
    sample_trips,
    scheduled_trips,
)
from prosumax.data.generators.solar.weather import WeatherSeries
from prosumax.data.seeds import derive_seed
from prosumax.devices import battery_aging, flexible
from prosumax.devices.appliance import ApplianceParams, ApplianceSeries
from prosumax.devices.battery_aging import BatteryAgingParams
from prosumax.devices.ev import EVParams, EVSeries
from prosumax.devices.flexible import DeviceParams, DeviceSeries
from prosumax.devices.heat_pump import (
    TANK_AMBIENT_C,
    WATER_KWH_PER_LITER_K,
    HeatPumpParams,
    HeatPumpSeries,
)
from prosumax.scenario.schema.community import BatteryConfig, HomeConfig, Scenario
from prosumax.scenario.schema.devices import ApplianceConfig, EVConfig, HeatPumpConfig

Array = NDArray[np.float64]

_HOURS_PER_YEAR = 8760.0
_DEFAULT_OCCUPANTS = 3.0
_DEFAULT_LIFESTYLE = "family"

# Each random series has its own seed, derived from the seed of the scenario, the position of the
# home and one of these constants, so that adding homes or devices leaves other series unchanged.
_EV_STREAM = 1001
_HOT_WATER_STREAM = 1002
_APPLIANCE_STREAM = 1100


def battery_aging_params(scenario: Scenario) -> BatteryAgingParams | None:
    """Return the parameters of battery aging; None where no battery ages."""
    batteries = [home.battery for home in scenario.homes]
    if not any(battery is not None and battery.aging is not None for battery in batteries):
        return None
    return BatteryAgingParams(**_stack_fields([_battery_aging_fields(b) for b in batteries]))


def device_params(scenario: Scenario) -> DeviceParams | None:
    """Return the parameters of the flexible devices; None where no home has any."""
    homes = scenario.homes
    evs = [home.ev for home in homes]
    pumps = [home.heat_pump for home in homes]
    slots = _num_appliance_slots(scenario)
    if not any(evs) and not any(pumps) and not slots:
        return None
    params = DeviceParams()
    if any(evs):
        params = params._replace(ev=EVParams(**_stack_fields([_ev_fields(ev) for ev in evs])))
    if any(pumps):
        fields = _stack_fields([_heat_pump_fields(pump) for pump in pumps])
        params = params._replace(heat_pump=HeatPumpParams(**fields))
    if slots:
        appliances = [home.appliances for home in homes]
        params = params._replace(
            appliances=_appliance_params(appliances, slots, scenario.period.step_hours)
        )
    return params


def action_slot_names(scenario: Scenario) -> list[str]:
    """Return the names of an action's slots for the flexible devices."""
    return flexible.action_slot_names(
        evs=any(home.ev for home in scenario.homes),
        heat_pumps=any(home.heat_pump for home in scenario.homes),
        appliances=_num_appliance_slots(scenario),
    )


def device_series(
    scenario: Scenario,
    index: pd.DatetimeIndex,
    local_index: pd.DatetimeIndex,
    weather: Callable[[], WeatherSeries],
) -> DeviceSeries | None:
    """Compute the exogenous inputs of the flexible devices for all steps.

    Args:
        scenario: Scenario with its homes.
        index: Step starts in UTC.
        local_index: Step starts in local time.
        weather: Function that returns the weather; called only where a home has a heat pump.

    Returns:
        NumPy arrays with axes [step, home, ..]; None where no home has a flexible device.
    """
    homes = scenario.homes
    series = DeviceSeries()
    if any(home.ev for home in homes):
        availability = [
            _ev_availability(scenario, number, index, local_index) for number in range(len(homes))
        ]
        hours_to_departure, trip_kwh = (
            np.stack(columns, axis=1) for columns in zip(*availability, strict=True)
        )
        series = series._replace(ev=EVSeries(_single(hours_to_departure), _single(trip_kwh)))
    if any(home.heat_pump for home in homes):
        sky = weather()
        hours = scenario.period.step_hours
        gains = [_heat_gain_kwh(home.heat_pump, sky, hours) for home in homes]
        water = [_hot_water_kwh(scenario, number, index) for number in range(len(homes))]
        series = series._replace(
            heat_pump=HeatPumpSeries(
                outdoor_c=_single(sky.air_temperature_c),
                heat_gain_kwh=_single(np.stack(gains, axis=1)),
                hot_water_kwh=_single(np.stack(water, axis=1)),
            )
        )
    slots = _num_appliance_slots(scenario)
    if slots:
        ready: PyTree = np.zeros((len(index), len(homes), slots), bool)
        for number, home in enumerate(homes):
            for slot in range(len(home.appliances)):
                ready[:, number, slot] = _appliance_ready(scenario, number, slot, local_index)
        series = series._replace(appliances=ApplianceSeries(ready))
    return None if all(part is None for part in series) else series


def _num_appliance_slots(scenario: Scenario) -> int:
    """Return the largest number of appliances in a home."""
    return max(len(home.appliances) for home in scenario.homes)


def _battery_aging_fields(battery: BatteryConfig | None) -> dict[str, float]:
    if battery is None or battery.aging is None:
        return dict.fromkeys(BatteryAgingParams._fields, 0.0)
    aging = battery.aging
    return {
        "nonlinear": aging.model == "xu",
        "temperature_stress": battery_aging.temperature_stress(aging.cell_temperature_c),
        "loss_per_cycle": battery_aging.END_OF_LIFE_LOSS / aging.cycle_life,
        "loss_per_hour": aging.calendar_loss_per_year / _HOURS_PER_YEAR,
        "replacement_cost": aging.replacement_cost_per_kwh * battery.capacity_kwh,
    }


def _ev_fields(config: EVConfig | None) -> dict[str, float]:
    exists = config is not None
    ev = config or EVConfig()
    initial_soc = ev.departure_soc if ev.initial_soc is None else ev.initial_soc
    return {
        "capacity_kwh": ev.capacity_kwh * exists,
        "charge_kw": ev.power_kw * exists,
        "discharge_kw": ev.power_kw * exists * ev.v2g,
        "charge_efficiency": ev.charge_efficiency,
        "discharge_efficiency": ev.discharge_efficiency,
        "departure_kwh": ev.departure_soc * ev.capacity_kwh * exists,
        "reserve_kwh": ev.v2g_reserve_soc * ev.capacity_kwh * exists,
        "initial_kwh": initial_soc * ev.capacity_kwh * exists,
        "safeguard": ev.safeguard,
    }


def _heat_pump_fields(config: HeatPumpConfig | None) -> dict[str, float]:
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


def _appliance_params(
    homes: list[list[ApplianceConfig]], slots: int, step_hours: float
) -> ApplianceParams:
    shape = (len(homes), slots)
    power_kw = np.zeros(shape)
    run_steps = np.ones(shape, int)
    max_wait_steps = np.zeros(shape, int)
    safeguard = np.ones(shape)
    for number, appliances in enumerate(homes):
        for slot, appliance in enumerate(appliances):
            kwh, _, _ = appliance.run_parameters
            place = (number, slot)
            run_steps[place], max_wait_steps[place] = _run_and_wait_steps(appliance, step_hours)
            power_kw[place] = kwh / (run_steps[place] * step_hours)
            safeguard[place] = appliance.safeguard
    return ApplianceParams(
        power_kw=jnp.asarray(power_kw, jnp.float32),
        run_steps=jnp.asarray(run_steps, jnp.int32),
        max_wait_steps=jnp.asarray(max_wait_steps, jnp.int32),
        safeguard=jnp.asarray(safeguard, jnp.float32),
    )


def _run_and_wait_steps(appliance: ApplianceConfig, step_hours: float) -> tuple[int, int]:
    """Return the duration of a run and its longest wait, in steps."""
    _, duration_hours, _ = appliance.run_parameters
    run_steps = int(np.ceil(duration_hours / step_hours - 1e-9))
    deadline_steps = int(appliance.deadline_hours / step_hours + 1e-9)
    return run_steps, max(deadline_steps - run_steps, 0)


def _ev_availability(
    scenario: Scenario, number: int, index: pd.DatetimeIndex, local_index: pd.DatetimeIndex
) -> tuple[Float[Array, " step"], Float[Array, " step"]]:
    """Return the hours to departure and the driving energy of a home's vehicle."""
    home = scenario.homes[number]
    ev = home.ev
    if ev is None:
        return np.zeros(len(index)), np.zeros(len(index))
    time_zone = scenario.period.time_zone or "UTC"
    seed = _seed(scenario, number, _EV_STREAM)
    if ev.trips is not None:
        dates = pd.date_range(local_index[0].date(), local_index[-1].date(), freq="D")
        schedule = [
            (_hour(trip.departure), _hour(trip.arrival), trip.distance_km, trip.days)
            for trip in ev.trips
        ]
        trips = scheduled_trips(dates, time_zone, schedule, ev.kwh_per_km)
        plugged_in = np.ones(len(trips.kwh), bool)
    else:
        years = range(int(local_index[0].year), int(local_index[-1].year) + 1)
        lifestyle = ev.lifestyle or _lifestyle(home)
        trips = sample_trips(years, time_zone, lifestyle, ev.annual_km, ev.kwh_per_km, seed)
        plugged_in = sample_plug_ins(trips, ev.plug_in_probability, ev.capacity_kwh, seed)
    return ev_availability(index, trips, plugged_in)


def _heat_gain_kwh(
    pump: HeatPumpConfig | None, weather: WeatherSeries, step_hours: float
) -> Float[Array, " step"]:
    """Return the solar and internal heat gains of a building."""
    if pump is None:
        return np.zeros(len(weather.ghi))
    solar_w = pump.window_area_m2 * weather.ghi
    return (solar_w + pump.internal_gains_w) / 1000 * step_hours


def _hot_water_kwh(
    scenario: Scenario, number: int, index: pd.DatetimeIndex
) -> Float[Array, " step"]:
    """Return the heat of a home's hot-water demand."""
    home = scenario.homes[number]
    tank = home.heat_pump.hot_water if home.heat_pump else None
    if tank is None:
        return np.zeros(len(index))
    occupants = tank.occupants
    if occupants is None:
        occupants = OCCUPANTS_BY_LIFESTYLE.get(_lifestyle(home), _DEFAULT_OCCUPANTS)
    time_zone = scenario.period.time_zone or "UTC"
    seed = _seed(scenario, number, _HOT_WATER_STREAM)
    return hot_water_kwh(index, time_zone, occupants * tank.kwh_per_occupant_day, seed)


def _appliance_ready(
    scenario: Scenario, number: int, slot: int, local_index: pd.DatetimeIndex
) -> Bool[NDArray[np.bool_], " step"]:
    """Return the steps in which an appliance becomes ready."""
    appliance = scenario.homes[number].appliances[slot]
    _, _, runs_per_week = appliance.run_parameters
    busy_steps = sum(_run_and_wait_steps(appliance, scenario.period.step_hours))
    seed = _seed(scenario, number, _APPLIANCE_STREAM + slot)
    return sample_appliance_runs(
        local_index, runs_per_week, appliance.from_hour, appliance.to_hour, busy_steps, seed
    )


def _lifestyle(home: HomeConfig) -> str:
    return getattr(home.load, "lifestyle", _DEFAULT_LIFESTYLE)


def _seed(scenario: Scenario, number: int, stream: int) -> int:
    """Return the seed of a random stream of a home."""
    return derive_seed(scenario.seed, number, stream)


def _hour(time_of_day: str) -> float:
    hours, minutes = time_of_day.split(":")
    return int(hours) + int(minutes) / 60


def _single(values: ArrayLike) -> PyTree:
    return np.asarray(values, np.float32)


def _stack_fields(rows: list[dict[str, float]]) -> dict[str, jax.Array]:
    """Return single-precision arrays [home] by field."""
    return {name: jnp.asarray([row[name] for row in rows], jnp.float32) for name in rows[0]}
