"""The home of page two: one day of one home, on the simulator itself.

Everything random is drawn and everything compiled by `warm`; after that `day` takes a few milliseconds, whatever is
set: it fills arrays of fixed shapes and calls one compiled function. `scenario` says the same day as a scenario, so
that `prosumax.run(scenario(home))` gives the same bill.
"""

import calendar
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from prosumax.control.rules import assemble_policy
from prosumax.data.generators.household.appliances import APPLIANCES
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.build import Community, assemble
from prosumax.simulation.inputs import read_profiles
from prosumax.simulation.rollout import rollout, use_compilation_cache
from prosumax.web.model import sample_data, state
from prosumax.web.model.sample_data import QUARTERS

Series = NDArray[np.float64]

HOURS = 0.25
CHEAP_SHARE = 0.8
"""Night price over day price of the two-price tariff: 22-7 h and the weekend."""
_WASH_HOUR: Mapping[str, float] = {"morning": 8.0, "noon": 12.0, "evening": 19.0}
_DISHES_LATER_H = 0.5
_CAR_KWH, _CAR_KW = 8.0, 3.7  # 45 km at 0.18 kWh/km, from an ordinary charging point
_CAR_HOUR: Mapping[str, float] = {"night": 1.0, "noon": 11.0}
_CHARGE_SHARE = 0.5  # kW per kWh: a battery fills in two hours


class Day(NamedTuple):
    """One day of one home.

    Attributes:
        use_kwh, solar_kwh: demand (devices included) and production, per quarter-hour [96].
        charge_kwh, discharge_kwh: of the battery, at its AC side.
        import_kwh, export_kwh: at the meter.
        stored_share: of the battery's capacity, after each quarter-hour; 0 without a battery.
        bill, bill_without: EUR, with all this and without panels and battery.
        begins_at: state of charge at midnight, such that the day ends as it began.
    """

    use_kwh: Series
    solar_kwh: Series
    charge_kwh: Series
    discharge_kwh: Series
    import_kwh: Series
    export_kwh: Series
    stored_share: Series
    bill: float
    bill_without: float
    begins_at: float

    @property
    def direct_kwh(self) -> Series:
        """Used at the moment it was made."""
        return np.minimum(self.use_kwh, self.solar_kwh)

    @property
    def own_share(self) -> float:
        """Self-sufficiency: how much of its use the home did not buy."""
        used = float(self.use_kwh.sum())
        return 0.0 if used <= 0 else 1.0 - float(self.import_kwh.sum()) / used


def scenario(
    home: state.Home, begins_at: float | None = None, own: tuple[float, ...] | None = None
) -> Scenario:
    """The day as a scenario that `prosumax run` takes.

    Arguments:
        home: what the visitor set.
        begins_at: state of charge at midnight; what `day` finds when absent.
        own: measured use of the 96 quarter-hours, kWh, instead of a generated home's.
    """
    if begins_at is None:
        begins_at = day(home, own).begins_at
    return load_scenario(_text(home, load(home) if own is None else np.asarray(own), begins_at))


def _text(home: state.Home, load_kwh: Series, begins_at: float) -> dict[str, Any]:
    one: dict[str, Any] = {
        "name": "Home",
        "load": {"source": "values", "values": load_kwh.tolist()},
    }
    if home.panels_kwp > 0:
        one["solar"] = sample_data.panels(home.panels_kwp, home.roof)
    if home.battery_kwh > 0:
        one["battery"] = {
            "capacity_kwh": home.battery_kwh,
            "charge_kw": home.battery_kwh * _CHARGE_SHARE,
            "initial_soc": begins_at,
        }
    if home.heat_pump == "on":
        one["heat_pump"] = {"hot_water": {"persons": home.people}}
    return {
        **sample_data.around(sample_data.date(home.season, home.day), 1, home.weather),
        "tariff": {
            "currency": "EUR",
            "energy": _price(home),
            "network": 0,
            "levies": 0,
            "vat": 0,
            "feed_in": home.sell,
        },
        "homes": [one],
    }


def _price(home: state.Home) -> Any:
    if home.tariff == "single":
        return home.buy
    cheap = round(home.buy * CHEAP_SHARE, 4)
    windows = [
        {"price": cheap, "from_hour": 22, "to_hour": 7},
        {"price": cheap, "from_hour": 0, "to_hour": 24, "days": "weekend"},
    ]
    return {"source": "time_of_use", "default": home.buy, "windows": windows}


def day(home: state.Home, own: tuple[float, ...] | None = None) -> Day:
    """Simulate the day.

    Arguments:
        home: what the visitor set.
        own: measured use of the 96 quarter-hours, kWh, instead of a generated home's.
    """
    return _day(home, own)


@lru_cache(maxsize=512)
def _day(home: state.Home, own: tuple[float, ...] | None) -> Day:
    template, policy = _template()
    now, kept = template.series, template.homes
    tables, at = sample_data.tables(), sample_data.place(home)
    used = load(home) if own is None else np.asarray(own, np.float64)
    pump_on = float(home.heat_pump == "on")
    both = np.ones((1, 2))
    assert now.devices is not None and now.devices.heat_pump is not None
    assert kept.devices is not None and kept.devices.heat_pump is not None
    heat = now.devices.heat_pump._replace(
        outdoor_c=_single(tables.outdoor_c[at.season, at.day, at.weather]),
        gain_kwh=_single(tables.gain_kwh[at.season, at.day, at.weather][:, None] * both),
        water_kwh=_single(pump_on * tables.water_kwh[at.people, at.season, at.day][:, None] * both),
    )
    sun = home.panels_kwp * tables.sun_kwh[at.season, at.day, at.weather, at.roof]
    series = now._replace(
        load_kwh=_single(used[:, None] * both),
        solar_kwh=_single(sun[:, None] * [1.0, 0.0]),
        tariff=now.tariff._replace(
            energy=_single(prices(home)), feed_in=_single(np.full(QUARTERS, home.sell))
        ),
        devices=now.devices._replace(heat_pump=heat),
    )
    battery = kept.battery._replace(
        capacity_kwh=_single([home.battery_kwh, 0.0]),
        charge_kw=_single([home.battery_kwh * _CHARGE_SHARE, 0.0]),
        discharge_kw=_single([home.battery_kwh * _CHARGE_SHARE, 0.0]),
    )
    pump = kept.devices.heat_pump
    pump = pump._replace(exists=pump.exists * pump_on, power_kw=pump.power_kw * pump_on)
    homes = kept._replace(battery=battery, devices=kept.devices._replace(heat_pump=pump))
    flows, bills, begins_at = jax.device_get(
        _compiled()(template._replace(series=series, homes=homes), policy)
    )
    flows = {name: np.asarray(values, np.float64) for name, values in flows.items()}
    stored = flows.pop("stored_kwh")
    share = stored / home.battery_kwh if home.battery_kwh > 0 else np.zeros(QUARTERS)
    bill, bill_without = np.asarray(bills, np.float64).sum(axis=0)
    return Day(
        **flows,
        stored_share=share,
        bill=float(bill),
        bill_without=float(bill_without),
        begins_at=begins_at,
    )


def load(home: state.Home) -> Series:
    """Use of the 96 quarter-hours, kWh, without a heat pump, which is simulated."""
    at = sample_data.place(home)
    kwh = sample_data.tables().load_kwh[at.routine, at.people, at.season, at.day].copy()
    for name, later in zip(sample_data.MOVED, (0.0, _DISHES_LATER_H), strict=True):
        start = _WASH_HOUR[home.wash] + later
        for minutes, watts in APPLIANCES[name].phases:
            _block(kwh, start, minutes / 60, watts / 1000)
            start += minutes / 60
    if home.car != "none":
        _block(kwh, _CAR_HOUR[home.car], _CAR_KWH / _CAR_KW, _CAR_KW)
    return kwh


def months(home: state.Home) -> tuple[Series, Series]:
    """Use and production of the twelve months of a year of usual weather, kWh [12]."""
    tables, at = sample_data.tables(), sample_data.place(home)
    use = tables.month_load_kwh[at.routine, at.people].copy()
    if home.heat_pump == "on":
        use += tables.month_heat_kwh[at.people]
    if home.car != "none":
        use += _CAR_KWH * np.array(
            [calendar.monthrange(sample_data.YEAR, month)[1] for month in range(1, 13)]
        )
    return use, home.panels_kwp * tables.month_sun_kwh[at.roof]


def prices(home: state.Home) -> Series:
    """All-in price of a bought kWh in the 96 quarter-hours."""
    if home.tariff == "single":
        return np.full(QUARTERS, home.buy)
    hour = np.arange(QUARTERS) * HOURS
    cheap = (hour >= 22) | (hour < 7) | (home.day == "weekend")
    return np.where(cheap, round(home.buy * CHEAP_SHARE, 4), home.buy)


def warm() -> None:
    """Draw what is random and compile, so that the first visitor does not wait."""
    use_compilation_cache()
    sample_data.tables()
    day(state.Home())


def _block(kwh: Series, start: float, hours: float, kw: float) -> None:
    """Add a stretch of constant power, hours of the day, to the quarter-hours it touches."""
    edges = np.arange(QUARTERS) * HOURS
    kwh += kw * np.clip(
        np.minimum(edges + HOURS, start + hours) - np.maximum(edges, start), 0.0, None
    )


def _single(values: Any) -> Any:
    return np.asarray(values, np.float32)


@cache
def _template() -> tuple[Community, Any]:
    """A community of the home and of the same without panels and battery, and its policy; every device has a slot."""
    text = _text(state.Home(battery_kwh=5.0, heat_pump="on"), np.full(QUARTERS, 0.1), 0.0)
    bare = {
        key: value for key, value in text["homes"][0].items() if key not in ("solar", "battery")
    }
    pair = load_scenario({**text, "homes": [*text["homes"], {**bare, "name": "Without"}]})
    community = assemble(pair, read_profiles(pair))
    return jax.device_get(community), assemble_policy([pair.policy] * 2)


@cache
def _compiled() -> Any:
    return jax.jit(_simulate)


def _simulate(
    community: Community, policy: Any
) -> tuple[dict[str, Array], Float[Array, "step home"], Array]:
    """The day of the first home, both bills, and the state of charge at midnight that makes the day end as it began."""
    key = jax.random.key(sample_data.SEED)
    capacity = community.homes.battery.capacity_kwh

    def begin(soc: Float[Array, " home"]) -> Community:
        battery = community.homes.battery._replace(initial_soc=soc)
        return community._replace(homes=community.homes._replace(battery=battery))

    def again(soc: Float[Array, " home"], _: None) -> tuple[Float[Array, " home"], None]:
        stored = rollout(begin(soc), policy, key).record.flows.stored_kwh[-1]
        # Thousandths, so that a scenario file can say it.
        return jnp.round(1000 * stored / jnp.where(capacity > 0, capacity, 1.0)) / 1000, None

    soc, _ = jax.lax.scan(again, jnp.zeros_like(capacity), None, length=4)
    record = rollout(begin(soc), policy, key).record
    flows = record.flows
    names = {
        "use_kwh": flows.load_kwh,
        "solar_kwh": flows.solar_kwh,
        "charge_kwh": flows.charge_kwh,
        "discharge_kwh": flows.discharge_kwh,
        "import_kwh": flows.import_kwh,
        "export_kwh": flows.export_kwh,
        "stored_kwh": flows.stored_kwh,
    }
    return (
        {name: values[:, 0] for name, values in names.items()},
        jnp.asarray(record.bill.total),
        soc[0],
    )
