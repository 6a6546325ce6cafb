"""Simulation of page two: one day of one home, on the simulator itself.

`warm_up` generates the sample series and compiles the program. Afterwards `simulate_day` takes a
few milliseconds for any settings: it fills arrays of fixed shapes and calls one compiled function.
`home_scenario` expresses the same day as a scenario, so that `prosumax.run(home_scenario(home))`
gives the same bill.
"""

import calendar
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree
from numpy.typing import ArrayLike, NDArray

from prosumax.control.rules import assemble_policy
from prosumax.data.generators.household.appliances import APPLIANCES
from prosumax.devices.home import BATTERY
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.community import Community, assemble
from prosumax.simulation.inputs import read_profiles
from prosumax.simulation.policy import RuleBasedPolicy
from prosumax.simulation.rollout import enable_compilation_cache, rollout_policy
from prosumax.web.model import sample_data, state
from prosumax.web.model.sample_data import STEPS_PER_DAY

Series = NDArray[np.float64]

STEP_HOURS = 0.25
NIGHT_PRICE_RATIO = 0.8
"""Night price divided by day price of the two-price tariff: 22-7 h and the weekend."""
_APPLIANCE_HOUR: Mapping[str, float] = {"morning": 8.0, "noon": 12.0, "evening": 19.0}
_DISHWASHER_DELAY_H = 0.5
_EV_KWH = 8.0  # 45 km at 0.18 kWh/km
_EV_KW = 3.7  # single-phase charging point of 16 A
_EV_HOUR: Mapping[str, float] = {"night": 1.0, "noon": 11.0}
_C_RATE = 0.5  # kW per kWh; the battery is charged in two hours
_SOC_ITERATIONS = 4


class HomeDay(NamedTuple):
    """Results of one day of one home.

    Attributes:
        load_kwh: Load, flexible devices included [step].
        solar_kwh: PV generation [step].
        charge_kwh: Battery charging at the AC side [step].
        discharge_kwh: Battery discharging at the AC side [step].
        import_kwh: Energy bought from the grid [step].
        export_kwh: Energy sent to the grid [step].
        soc: State of charge after each step, 0 to 1; 0 without a battery [step].
        bill: Bill of the home, EUR.
        baseline_bill: Bill without PV and battery, EUR.
        initial_soc: State of charge at midnight, such that the day ends with the same value.
    """

    load_kwh: Series
    solar_kwh: Series
    charge_kwh: Series
    discharge_kwh: Series
    import_kwh: Series
    export_kwh: Series
    soc: Series
    bill: float
    baseline_bill: float
    initial_soc: float

    @property
    def direct_kwh(self) -> Series:
        """PV generation used in the same step [step]."""
        return np.minimum(self.load_kwh, self.solar_kwh)

    @property
    def self_sufficiency(self) -> float:
        """Share of the load that was not imported, 0 to 1."""
        load = float(self.load_kwh.sum())
        return 0.0 if load <= 0 else 1.0 - float(self.import_kwh.sum()) / load


def home_scenario(
    home: state.HomePageState,
    initial_soc: float | None = None,
    measured_kwh: tuple[float, ...] | None = None,
) -> Scenario:
    """Build the day as a scenario that `prosumax run` takes.

    Args:
        home: Settings of the home page.
        initial_soc: State of charge at midnight; that of `simulate_day` when None.
        measured_kwh: Measured load of the 96 quarter-hours, kWh; a generated load when None.
    """
    if initial_soc is None:
        initial_soc = simulate_day(home, measured_kwh).initial_soc
    load_kwh = load_profile(home) if measured_kwh is None else np.asarray(measured_kwh)
    return load_scenario(_scenario_content(home, load_kwh, initial_soc))


def _scenario_content(
    home: state.HomePageState, load_kwh: Series, initial_soc: float
) -> dict[str, object]:
    spec: dict[str, object] = {
        "name": "Home",
        "load": {"source": "values", "values": load_kwh.tolist()},
    }
    if home.panels_kwp > 0:
        spec["solar"] = sample_data.pv_spec(home.panels_kwp, home.orientation)
    if home.battery_kwh > 0:
        spec["battery"] = {
            "capacity_kwh": home.battery_kwh,
            "charge_kw": home.battery_kwh * _C_RATE,
            "initial_soc": initial_soc,
        }
    if home.heat_pump == "on":
        spec |= sample_data.device_sections(home.people)
    date = sample_data.representative_date(home.season, home.day_type)
    tariff = {
        "currency": "EUR",
        "energy": _energy_price_spec(home),
        "network": 0,
        "levies": 0,
        "vat": 0,
        "feed_in": home.feed_in_price,
    }
    base = sample_data.base_scenario(date, 1, home.weather)
    return {**base, "tariff": tariff, "homes": [spec]}


def _energy_price_spec(home: state.HomePageState) -> object:
    if home.tariff == "single":
        return home.retail_price
    night_price = round(home.retail_price * NIGHT_PRICE_RATIO, 4)
    windows = [
        {"price": night_price, "from_hour": 22, "to_hour": 7},
        {"price": night_price, "from_hour": 0, "to_hour": 24, "days": "weekend"},
    ]
    return {"source": "time_of_use", "default": home.retail_price, "windows": windows}


def simulate_day(
    home: state.HomePageState, measured_kwh: tuple[float, ...] | None = None
) -> HomeDay:
    """Simulate the day of a home.

    Args:
        home: Settings of the home page.
        measured_kwh: Measured load of the 96 quarter-hours, kWh; a generated load when None.
    """
    return _cached_day(home, measured_kwh)


@lru_cache(maxsize=512)
def _cached_day(home: state.HomePageState, measured_kwh: tuple[float, ...] | None) -> HomeDay:
    template, policy = _community_template()
    load_kwh = load_profile(home) if measured_kwh is None else np.asarray(measured_kwh, np.float64)
    community = _fill_template(template, home, load_kwh)
    flows, bills, initial_soc = jax.device_get(_compiled_simulation()(community, policy))
    flows = {name: np.asarray(values, np.float64) for name, values in flows.items()}
    stored_kwh = flows.pop("stored_kwh")
    soc = stored_kwh / home.battery_kwh if home.battery_kwh > 0 else np.zeros(STEPS_PER_DAY)
    bill, baseline_bill = np.asarray(bills, np.float64).sum(axis=0)
    return HomeDay(
        **flows,
        soc=soc,
        bill=float(bill),
        baseline_bill=float(baseline_bill),
        initial_soc=initial_soc,
    )


def _fill_template(template: Community, home: state.HomePageState, load_kwh: Series) -> Community:
    """Set the settings of a home in the community of `_community_template`."""
    tables = sample_data.load_tables()
    index = sample_data.table_index(home)
    day = (index.season, index.day_type)
    both_homes = np.ones((1, 2))
    series = template.series
    homes = template.homes
    leaves, structure = jax.tree.flatten(series.devices)
    inputs = [
        np.broadcast_to(_float32(table[index.people, *day, index.weather]), leaf.shape)
        for table, leaf in zip(tables.device_series, leaves, strict=True)
    ]
    solar_kwh = home.panels_kwp * tables.solar_kwh[*day, index.weather, index.orientation]
    series = series._replace(
        load_kwh=_float32(load_kwh[:, None] * both_homes),
        solar_kwh=_float32(solar_kwh[:, None] * [1.0, 0.0]),
        tariff=series.tariff._replace(
            energy=_float32(retail_prices(home)),
            feed_in=_float32(np.full(STEPS_PER_DAY, home.feed_in_price)),
        ),
        devices=jax.tree.unflatten(structure, inputs),
    )
    power_kw = _float32([home.battery_kwh * _C_RATE, 0.0])
    battery = homes.battery._replace(
        capacity_kwh=_float32([home.battery_kwh, 0.0]), charge_kw=power_kw, discharge_kw=power_kw
    )
    flexible = {device.kind: homes.devices[device.kind] for device in homes.flexible}
    if home.heat_pump == "off":
        flexible = {
            device.kind: _without_power(flexible[device.kind], device.power_fields)
            for device in homes.flexible
        }
    homes = homes._replace(devices={**flexible, BATTERY: battery})
    return template._replace(series=series, homes=homes)


def _without_power(params: PyTree, power_fields: tuple[str, ...]) -> PyTree:
    """Return the parameters of devices that are switched off."""
    return params._replace(**{name: 0.0 * getattr(params, name) for name in power_fields})


def load_profile(home: state.HomePageState) -> Series:
    """Compute the load of a day without the devices that are simulated, kWh [step].

    Args:
        home: Settings of the home page.
    """
    index = sample_data.table_index(home)
    at = (index.routine, index.people, index.season, index.day_type)
    kwh: Series = sample_data.load_tables().load_kwh[at].copy()
    delays = (0.0, _DISHWASHER_DELAY_H)
    for name, delay in zip(sample_data.SHIFTABLE_APPLIANCES, delays, strict=True):
        start = _APPLIANCE_HOUR[home.appliance_time] + delay
        for minutes, watts in APPLIANCES[name].phases:
            _add_block(kwh, start, minutes / 60, watts / 1000)
            start += minutes / 60
    if home.ev != "none":
        _add_block(kwh, _EV_HOUR[home.ev], _EV_KWH / _EV_KW, _EV_KW)
    return kwh


def monthly_energy(home: state.HomePageState) -> tuple[Series, Series]:
    """Compute load and PV generation of the months of a year with usual weather, kWh [12].

    Args:
        home: Settings of the home page.
    """
    tables = sample_data.load_tables()
    index = sample_data.table_index(home)
    load_kwh = tables.month_load_kwh[index.routine, index.people].copy()
    if home.heat_pump == "on":
        load_kwh += tables.month_device_kwh[index.people]
    if home.ev != "none":
        days = [calendar.monthrange(sample_data.YEAR, month)[1] for month in range(1, 13)]
        load_kwh += _EV_KWH * np.array(days)
    return load_kwh, home.panels_kwp * tables.month_solar_kwh[index.orientation]


def retail_prices(home: state.HomePageState) -> Series:
    """Return the price of an imported kWh with all taxes, EUR/kWh [step].

    Args:
        home: Settings of the home page.
    """
    if home.tariff == "single":
        return np.full(STEPS_PER_DAY, home.retail_price)
    hour = np.arange(STEPS_PER_DAY) * STEP_HOURS
    is_night = (hour >= 22) | (hour < 7) | (home.day_type == "weekend")
    return np.where(is_night, round(home.retail_price * NIGHT_PRICE_RATIO, 4), home.retail_price)


def warm_up() -> None:
    """Generate the sample series and compile the program before the first visitor arrives."""
    enable_compilation_cache()
    sample_data.load_tables()
    simulate_day(state.HomePageState())


def _add_block(kwh: Series, start: float, hours: float, kw: float) -> None:
    """Add a block of constant power to the steps it overlaps.

    Args:
        kwh: Series to change, kWh [step].
        start: Hour of the day.
        hours: Duration.
        kw: Power.
    """
    edges = np.arange(STEPS_PER_DAY) * STEP_HOURS
    end = np.minimum(edges + STEP_HOURS, start + hours)
    kwh += kw * np.clip(end - np.maximum(edges, start), 0.0, None)


def _float32(values: ArrayLike) -> PyTree:
    return np.asarray(values, np.float32)


@cache
def _community_template() -> tuple[Community, RuleBasedPolicy]:
    """Build a community of the home with every device and its baseline, and their policy.

    The baseline is the same home without PV and battery.
    """
    home = state.HomePageState(battery_kwh=5.0, heat_pump="on")
    content = _scenario_content(home, np.full(STEPS_PER_DAY, 0.1), 0.0)
    spec = cast(list[dict[str, object]], content["homes"])[0]
    baseline = {key: value for key, value in spec.items() if key not in ("solar", "battery")}
    pair = load_scenario({**content, "homes": [spec, {**baseline, "name": "Without"}]})
    community = assemble(pair, read_profiles(pair))
    return jax.device_get(community), assemble_policy([pair.policy] * 2)


@cache
def _compiled_simulation() -> jax.stages.Wrapped:
    return jax.jit(_simulate)


def _simulate(
    community: Community, policy: RuleBasedPolicy
) -> tuple[dict[str, Array], Float[Array, "step home"], Array]:
    """Simulate the day from a state of charge that the day ends with as well.

    Returns:
        Flows of the first home [step], the bills of both homes, and the state of charge at
        midnight.
    """
    key = jax.random.key(sample_data.SEED)
    capacity_kwh = community.homes.battery.capacity_kwh

    def with_initial_soc(soc: Float[Array, " home"]) -> Community:
        battery = community.homes.battery._replace(initial_soc=soc)
        devices = {**community.homes.devices, BATTERY: battery}
        return community._replace(homes=community.homes._replace(devices=devices))

    def update_soc(soc: Float[Array, " home"], _: None) -> tuple[Float[Array, " home"], None]:
        stored_kwh = rollout_policy(with_initial_soc(soc), policy, key).record.flows.stored_kwh[-1]
        thousandths = 1000 * stored_kwh / jnp.where(capacity_kwh > 0, capacity_kwh, 1.0)
        # Rounded, so that a scenario file can contain the exact value.
        return jnp.round(thousandths) / 1000, None

    soc, _ = jax.lax.scan(update_soc, jnp.zeros_like(capacity_kwh), None, length=_SOC_ITERATIONS)
    record = rollout_policy(with_initial_soc(soc), policy, key).record
    flows = record.flows
    series = {
        "load_kwh": flows.load_kwh,
        "solar_kwh": flows.solar_kwh,
        "charge_kwh": flows.charge_kwh,
        "discharge_kwh": flows.discharge_kwh,
        "import_kwh": flows.import_kwh,
        "export_kwh": flows.export_kwh,
        "stored_kwh": flows.stored_kwh,
    }
    first_home = {name: values[:, 0] for name, values in series.items()}
    return first_home, jnp.asarray(record.bill.total), soc[0]
