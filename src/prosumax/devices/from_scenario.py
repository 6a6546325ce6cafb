"""The devices of a scenario as arrays: their parameters, and what they meet step by step; all on the host.

One slot per home and kind of device; a kind that no home has is None.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.data.generators.appliance_runs import sample_appliance_runs
from prosumax.data.generators.household.hot_water import OCCUPANTS_BY_LIFESTYLE, hot_water_kwh
from prosumax.data.generators.household.trips import (
    sample_trips,
    scheduled_trips,
    sample_plug_ins,
    ev_availability,
)
from prosumax.data.generators.solar.weather import WeatherSeries
from prosumax.devices import battery_aging, flexible
from prosumax.devices.appliance import ApplianceParams, ApplianceSeries
from prosumax.devices.battery_aging import BatteryAgingParams
from prosumax.devices.ev import EVParams, EVSeries
from prosumax.devices.flexible import DeviceParams, DeviceSeries
from prosumax.devices.heat_pump import (
    TANK_AMBIENT_C,
    WATER_KWH_PER_LITRE_K,
    HeatPumpParams,
    HeatPumpSeries,
)
from prosumax.scenario.schema.community import HomeConfig, Scenario
from prosumax.scenario.schema.devices import ApplianceConfig, EVConfig, HeatPumpConfig

_HOURS_PER_YEAR = 8760.0


def battery_aging_params(scenario: Scenario) -> BatteryAgingParams | None:
    """How the batteries age; None where none does."""
    specs = [
        (home.battery.aging if home.battery else None, home.battery) for home in scenario.homes
    ]
    if not any(spec for spec, _ in specs):
        return None
    rows = [
        {
            "nonlinear": spec is not None and spec.model == "xu",
            "temperature_stress": 0.0 if spec is None else battery_aging.temperature_stress(spec.cell_temperature_c),
            "loss_per_cycle": 0.0 if spec is None else battery_aging.END_OF_LIFE_LOSS / spec.cycle_life,
            "loss_per_hour": 0.0 if spec is None else spec.calendar_loss_per_year / _HOURS_PER_YEAR,
            "replacement_cost": 0.0
            if spec is None or battery is None
            else spec.replacement_cost_per_kwh * battery.capacity_kwh,
        }
        for spec, battery in specs
    ]
    return BatteryAgingParams(**_columns(rows))


def device_params(scenario: Scenario) -> DeviceParams | None:
    """Parameters of cars, heat pumps and appliances; None where there are none."""
    homes = scenario.homes
    cars, pumps = [home.ev for home in homes], [home.heat_pump for home in homes]
    slots = max(len(home.appliances) for home in homes)
    if not any(cars) and not any(pumps) and not slots:
        return None
    return DeviceParams(
        EVParams(**_columns([_car(car) for car in cars])) if any(cars) else None,
        HeatPumpParams(**_columns([_heat_pump(pump) for pump in pumps])) if any(pumps) else None,
        _appliances([home.appliances for home in homes], slots, scenario.period.step_hours)
        if slots
        else None,
    )


def action_slot_names(scenario: Scenario) -> list[str]:
    """Names of what agents steer beside the battery, in the order of an action's slots."""
    homes = scenario.homes
    slots = max(len(home.appliances) for home in homes)
    return flexible.action_slot_names(
        any(home.ev for home in homes), any(home.heat_pump for home in homes), slots
    )


def device_series(
    scenario: Scenario, index: pd.DatetimeIndex, local: pd.DatetimeIndex, sky: Callable[[], WeatherSeries]
) -> DeviceSeries | None:
    """Drives, weather, hot water and fills of every step, NumPy [step, ..]; None where there are no devices.

    Arguments:
        scenario: with its homes.
        index, local: step starts in UTC and on the scenario's clock.
        sky: makes the weather, if anybody needs it.
    """
    homes, steps = scenario.homes, len(index)
    slots = max(len(home.appliances) for home in homes)
    car = heat = runs = None
    if any(home.ev for home in homes):
        use = [
            _whereabouts(scenario, number, home, index, local) for number, home in enumerate(homes)
        ]
        car = EVSeries(*(_single(np.stack(part, axis=1)) for part in zip(*use, strict=True)))
    if any(home.heat_pump for home in homes):
        weather, hours = sky(), scenario.period.step_hours
        gains = [_gains_kwh(home.heat_pump, weather, hours) for home in homes]
        water = [_hot_water(scenario, number, home, index) for number, home in enumerate(homes)]
        heat = HeatPumpSeries(
            _single(weather.air_temperature_c),
            _single(np.stack(gains, axis=1)),
            _single(np.stack(water, axis=1)),
        )
    if slots:
        filled = np.zeros((steps, len(homes), slots), bool)
        for number, home in enumerate(homes):
            for slot, machine in enumerate(home.appliances):
                filled[:, number, slot] = _fills(scenario, number, slot, machine, local)
        runs = ApplianceSeries(filled)  # type: ignore[arg-type]
    return None if car is None and heat is None and runs is None else DeviceSeries(car, heat, runs)


def _car(car: EVConfig | None) -> dict[str, float]:
    exists, car = car is not None, car or EVConfig()
    initial = car.departure_soc if car.initial_soc is None else car.initial_soc
    return {
        "capacity_kwh": car.capacity_kwh * exists,
        "charge_kw": car.power_kw * exists,
        "discharge_kw": car.power_kw * exists * car.v2g,
        "charge_efficiency": car.charge_efficiency,
        "discharge_efficiency": car.discharge_efficiency,
        "departure_kwh": car.departure_soc * car.capacity_kwh * exists,
        "reserve_kwh": car.v2g_reserve_soc * car.capacity_kwh * exists,
        "initial_kwh": initial * car.capacity_kwh * exists,
        "safeguard": car.safeguard,
    }


def _heat_pump(pump: HeatPumpConfig | None) -> dict[str, float]:
    exists, pump = pump is not None, pump or HeatPumpConfig(hot_water=None)
    tank = pump.hot_water
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
        "initial_indoor_c": pump.setpoint_c if pump.initial_indoor_c is None else pump.initial_indoor_c,
        # Without a tank there is one of a single kelvin-kWh that stays at the temperature of its room.
        "tank_heat_capacity_kwh_per_k": 1.0 if tank is None else tank.volume_liters * WATER_KWH_PER_LITRE_K,
        "tank_heat_loss_kw_per_k": 0.0 if tank is None else tank.heat_loss_w_per_k / 1000,
        "min_tank_c": TANK_AMBIENT_C if tank is None else tank.min_c,
        "max_tank_c": TANK_AMBIENT_C if tank is None else tank.max_c,
        "initial_tank_c": TANK_AMBIENT_C if tank is None else tank.max_c,
        "safeguard": pump.safeguard,
    }


def _appliances(machines: list[list[ApplianceConfig]], slots: int, step_hours: float) -> ApplianceParams:
    shape = (len(machines), slots)
    power, runs, wait, safe = (
        np.zeros(shape),
        np.ones(shape, int),
        np.zeros(shape, int),
        np.ones(shape),
    )
    for home, own in enumerate(machines):
        for slot, machine in enumerate(own):
            kwh = machine.run_parameters[0]
            runs[home, slot], wait[home, slot] = _steps(machine, step_hours)
            power[home, slot] = kwh / (runs[home, slot] * step_hours)
            safe[home, slot] = machine.safeguard
    return ApplianceParams(
        jnp.asarray(power, jnp.float32),
        jnp.asarray(runs, jnp.int32),
        jnp.asarray(wait, jnp.int32),
        jnp.asarray(safe, jnp.float32),
    )


def _steps(machine: ApplianceConfig, step_hours: float) -> tuple[int, int]:
    """Steps of a run, and those it can wait."""
    run = int(np.ceil(machine.run_parameters[1] / step_hours - 1e-9))
    return run, max(int(machine.deadline_hours / step_hours + 1e-9) - run, 0)


def _whereabouts(
    scenario: Scenario, number: int, home: HomeConfig, index: pd.DatetimeIndex, local: pd.DatetimeIndex
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    car, zone = home.ev, scenario.period.time_zone or "UTC"
    if car is None:
        return np.zeros(len(index)), np.zeros(len(index))
    seed = _seed(scenario, number, 1)
    if car.trips is not None:
        dates = pd.date_range(local[0].date(), local[-1].date(), freq="D")
        trips = [(_hour(trip.departure), _hour(trip.arrival), trip.distance_km, trip.days) for trip in car.trips]
        drives = scheduled_trips(dates, zone, trips, car.kwh_per_km)
        plugged = np.ones(len(drives.kwh), bool)
    else:
        years = range(int(local[0].year), int(local[-1].year) + 1)
        who = car.lifestyle or _lifestyle(home)
        drives = sample_trips(years, zone, who, car.annual_km, car.kwh_per_km, seed)
        plugged = sample_plug_ins(drives, car.plug_in_probability, car.capacity_kwh, seed)
    return ev_availability(index, drives, plugged)


def _gains_kwh(pump: HeatPumpConfig | None, weather: WeatherSeries, hours: float) -> NDArray[np.float64]:
    if pump is None:
        return np.zeros(len(weather.ghi))
    return (pump.window_area_m2 * weather.ghi + pump.internal_gains_w) / 1000 * hours


def _hot_water(
    scenario: Scenario, number: int, home: HomeConfig, index: pd.DatetimeIndex
) -> NDArray[np.float64]:
    tank = home.heat_pump.hot_water if home.heat_pump else None
    if tank is None:
        return np.zeros(len(index))
    persons = OCCUPANTS_BY_LIFESTYLE.get(_lifestyle(home), 3.0) if tank.occupants is None else tank.occupants
    zone = scenario.period.time_zone or "UTC"
    return hot_water_kwh(index, zone, persons * tank.kwh_per_occupant_day, _seed(scenario, number, 2))


def _fills(
    scenario: Scenario, number: int, slot: int, machine: ApplianceConfig, local: pd.DatetimeIndex
) -> NDArray[np.bool_]:
    busy = sum(_steps(machine, scenario.period.step_hours))
    seed = _seed(scenario, number, 100 + slot)
    return sample_appliance_runs(local, machine.run_parameters[2], machine.from_hour, machine.to_hour, busy, seed)


def _lifestyle(home: HomeConfig) -> str:
    return getattr(home.load, "lifestyle", "family")


def _seed(scenario: Scenario, number: int, purpose: int) -> int:
    """A seed of its own for every home and device, stable when homes are added behind it."""
    return int(np.random.SeedSequence((scenario.seed, number, 1000 + purpose)).generate_state(1)[0])


def _hour(clock: str) -> float:
    hours, minutes = clock.split(":")
    return int(hours) + int(minutes) / 60


def _single(values: NDArray[np.float64]) -> Any:
    return np.asarray(values, np.float32)


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: jnp.asarray([row[name] for row in rows], jnp.float32) for name in rows[0]}
