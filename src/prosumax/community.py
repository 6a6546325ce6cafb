"""From a scenario to arrays: `build` reads every file and returns a `Community` that runs without any."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax.tree_util import Partial
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from prosumax import profiles
from prosumax.errors import InputError
from prosumax.household import HomeParams
from prosumax.household.battery import BatteryParams
from prosumax.market import MarketOptions, grid, mechanisms
from prosumax.scenario import (
    Battery,
    CityLearn,
    CityLearnSolar,
    FromGeneration,
    Home,
    MahtmLoad,
    MahtmSolar,
    Period,
    Price,
    Scenario,
    SyntheticLoad,
    SyntheticSolar,
    Table,
    Tariff,
    TimeOfUse,
    Values,
)
from prosumax.tariff import TariffRates, TariffSeries

_HOURS_PER_YEAR = 8760.0
_HOURS_PER_MONTH = 720.0  # thirty days, the month of `self_discharge_per_month`
_CURVE_POINTS, _SOC_POINTS = (
    5,
    3,
)  # of CityLearn's curves; shorter ones are padded, so that most scenarios share a shape


class Series(NamedTuple):
    """What comes from outside, step by step.

    Attributes:
        load_kwh, solar_kwh: per home.
        hour: local hour of the day at the start of the step, 0..23.
        tariff: prices and carbon intensity.
    """

    load_kwh: Float[Array, "*step home"]
    solar_kwh: Float[Array, "*step home"]
    hour: Int[Array, "*step"]
    tariff: TariffSeries


class Community(NamedTuple):
    """All that a run needs, as one pytree of arrays with fixed shapes; everything may be batched with `vmap`.

    Attributes:
        homes: device parameters, one slot per home and device.
        series: time series over the period.
        rates: constants of the tariff.
        step_hours: length of a step.
        stages: the market's cascade; functions are static, their parameters are arrays.
    """

    homes: HomeParams
    series: Series
    rates: TariffRates
    step_hours: Float[Array, ""]
    stages: tuple[Partial, ...]


@dataclass(frozen=True)
class Profiles:
    """The time series of a scenario on the host, double precision.

    Attributes:
        index: step starts, UTC.
        local: the same on the scenario's clock.
        load_kwh, solar_kwh: [step, home].
        prices: the tariff's five series, each [step].
        notes: what a user should know about the data (gaps filled, values spread).
    """

    index: pd.DatetimeIndex
    local: pd.DatetimeIndex
    load_kwh: NDArray[np.float64]
    solar_kwh: NDArray[np.float64]
    prices: dict[str, NDArray[np.float64]]
    notes: list[str] = field(default_factory=list)


def build(scenario: Scenario, data_dir: Path | str | None = None) -> Community:
    """Read the data a scenario names and turn it into arrays.

    Arguments:
        scenario: checked scenario, from `load_scenario`.
        data_dir: folder with data sets, looked at before the cache.

    Raises:
        InputError: a file, a column or a value is not right, or the mechanism does not exist.
    """
    return assemble(scenario, read_profiles(scenario, data_dir))


def read_profiles(scenario: Scenario, data_dir: Path | str | None = None) -> Profiles:
    """The time series of a scenario; arguments and errors as in `build`."""
    reader = _Reader(scenario, Path(data_dir).expanduser() if data_dir is not None else None)
    load = np.stack([reader.load(number, home) for number, home in enumerate(scenario.homes)], axis=1)
    solar = np.stack([reader.solar(number, home) for number, home in enumerate(scenario.homes)], axis=1)
    tariff = scenario.tariff
    prices = {
        "energy": reader.price(tariff.energy, "tariff.energy"),
        "network": reader.price(tariff.network, "tariff.network"),
        "levies": reader.price(tariff.levies, "tariff.levies"),
        "feed_in": reader.price(tariff.feed_in, "tariff.feed_in"),
        "carbon_kg": reader.price(tariff.carbon_kg_per_kwh, "tariff.carbon_kg_per_kwh"),
    }
    idle = [home.name for home in scenario.homes if home.battery and (home.policy or scenario.policy) == "none"]
    if idle:
        reader.notes.append(
            f"batteries of {', '.join(idle)} stay idle under policy none; `prosumax policies` lists others"
        )
    return Profiles(reader.index, reader.local, load, solar, prices, list(dict.fromkeys(reader.notes)))


def assemble(scenario: Scenario, series: Profiles) -> Community:
    """The community of a scenario whose time series have been read."""
    hours = scenario.period.step_hours
    mechanism = mechanisms.get(scenario.market.mechanism, f"{scenario.name}: market.mechanism")
    stages = (*mechanism.build(market_options(scenario)), grid)
    return Community(
        homes=HomeParams(_batteries([home.battery for home in scenario.homes], hours)),
        series=Series(
            load_kwh=jnp.asarray(series.load_kwh, jnp.float32),
            solar_kwh=jnp.asarray(series.solar_kwh, jnp.float32),
            hour=jnp.asarray(series.local.hour, jnp.int32),
            tariff=TariffSeries(**{name: jnp.asarray(price, jnp.float32) for name, price in series.prices.items()}),
        ),
        rates=_rates(scenario.tariff, hours),
        step_hours=jnp.float32(hours),
        stages=tuple(stage if isinstance(stage, Partial) else Partial(stage) for stage in stages),
    )


def market_options(scenario: Scenario) -> MarketOptions:
    """The scenario's market with everything it leaves open filled in."""
    names, market = [home.name for home in scenario.homes], scenario.market
    options = MarketOptions.default(len(names))
    return replace(
        options,
        shares=options.shares if market.shares is None else np.array([market.shares[name] for name in names]),
        rank=options.rank if market.order is None else np.array([market.order.index(name) for name in names]),
        price_rule=market.price_rule,
        price=0.0 if market.price is None else market.price,
        compensation=market.compensation,
        k=market.k,
        spread_share=market.spread_share,
        price_tick=market.price_tick,
        energy_tick_kwh=market.energy_tick_kwh,
        incentive=market.incentive,
    )


def _rates(tariff: Tariff, hours: float) -> TariffRates:
    return TariffRates(
        vat=jnp.float32(tariff.vat),
        local_network=jnp.float32(tariff.local_network),
        local_levies=jnp.float32(tariff.local_levies),
        supplier_fee=jnp.float32(tariff.supplier_fee_per_year * hours / _HOURS_PER_YEAR),
        network_fee=jnp.float32(tariff.network_fee_per_year * hours / _HOURS_PER_YEAR),
    )


def time_index(period: Period) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Step starts in UTC, and on the period's own clock (equal to UTC when it has no zone)."""
    zone = period.time_zone or "UTC"
    try:
        start = pd.Timestamp(period.start).tz_localize(zone, ambiguous=True)
    except Exception as error:  # pandas passes on pytz or zoneinfo errors, depending on what is installed
        raise InputError(
            "period.start", f"{period.start} does not exist in {zone} (clock change)", "Start later."
        ) from error
    index = pd.date_range(start.tz_convert("UTC"), periods=period.steps, freq=f"{period.step_minutes}min")
    return index, index.tz_convert(zone)


class _Reader:
    """Resolves each source of a scenario to an array over its period."""

    def __init__(self, scenario: Scenario, data_dir: Path | None) -> None:
        self.scenario, self.data_dir = scenario, data_dir
        self.index, self.local = time_index(scenario.period)
        self.notes: list[str] = []
        self._sky: profiles.Sky | None = None

    def load(self, number: int, home: Home) -> NDArray[np.float64]:
        where = f"{self.scenario.name}: homes[{number}].load"
        match home.load:
            case SyntheticLoad() as source:
                seed = self._seed(number, "load")
                zone = self.scenario.period.time_zone or "UTC"
                return profiles.synthetic_load_kwh(self.index, source.lifestyle, source.annual_kwh, seed, zone)
            case CityLearn() as source:
                load, notes = profiles.read_load(
                    source.dataset, source.building, source.skip_rows, self.index, where, self.data_dir
                )
                self.notes += notes
                return load
            case MahtmLoad() as source:
                world = self.scenario.mahtm
                return profiles.mahtm_load(
                    np.asarray(self.local.hour),
                    source.profile,
                    source.peak_kw,
                    temperature_c=world.temperature_c,
                    noise=world.noise,
                    business=world.business,
                    seed=self._seed(number, "load"),
                )
            case Table() as source:
                return self._table(source, where)
            case Values() as source:
                return self._values(source, where)

    def solar(self, number: int, home: Home) -> NDArray[np.float64]:
        where = f"{self.scenario.name}: homes[{number}].solar"
        match home.solar:
            case None:
                return np.zeros(len(self.index))
            case SyntheticSolar() as roof:
                return self._roof(roof)
            case CityLearnSolar() as source:
                return profiles.read_solar(
                    source.dataset, source.building, source.peak_kw, source.skip_rows, self.index, where, self.data_dir
                )
            case MahtmSolar() as source:
                noise, seed = self.scenario.mahtm.noise, self._seed(number, "roof")
                return profiles.mahtm_solar(np.asarray(self.local.hour), source.peak_kw, noise=noise, seed=seed)
            case Table() as source:
                return self._table(source, where)
            case Values() as source:
                return self._values(source, where)

    def price(self, price: Price | None, field_name: str) -> NDArray[np.float64]:
        where = f"{self.scenario.name}: {field_name}"
        match price:
            case TimeOfUse() as source:
                return self._time_of_use(source)
            case CityLearn() as source:
                series = "carbon_kg_per_kwh" if "carbon" in field_name else "price"
                return profiles.read_series(source.dataset, series, source.skip_rows, self.index, where, self.data_dir)
            case Table() as source:
                return self._table(source, where, quantity="rate")
            case Values() as source:
                return self._values(source, where, signed=True)
            case FromGeneration() as source:
                return source.share * self._generated[int("carbon" in field_name)]
            case None:
                return np.full(len(self.index), np.nan)
            case number:
                return np.full(len(self.index), float(number))

    def _seed(self, number: int, what: str) -> int:
        """A seed of its own for every home and purpose, stable when homes are added behind it."""
        purpose = {"load": 1, "sky": 2, "roof": 3}[what]
        return int(np.random.SeedSequence((self.scenario.seed, number, purpose)).generate_state(1)[0])

    def _roof(self, roof: SyntheticSolar) -> NDArray[np.float64]:
        place = self.scenario.location
        assert place is not None  # checked by the scenario
        where = (place.latitude_deg, place.longitude_deg, place.altitude_m)
        if self._sky is None:
            self._sky = profiles.synthetic_sky(self.index, *where, seed=self._seed(0, "sky"))
        return roof.peak_kw * profiles.solar_kwh_per_kwp(self.index, self._sky, *where, roof.tilt_deg, roof.azimuth_deg)

    def _table(self, source: Table, where: str, quantity: str = "energy") -> NDArray[np.float64]:
        values, notes = profiles.read_table(
            source.file,
            self.index,
            column=source.column,
            id_column=source.id_column,
            value_column=source.value_column,
            time_column=source.time_column,
            unit=source.unit,
            time_zone=source.time_zone or self.scenario.period.time_zone,
            fill=source.fill,
            quantity=quantity,
            where=where,
        )
        self.notes += notes
        return values

    def _values(self, source: Values, where: str, signed: bool = False) -> NDArray[np.float64]:
        values = np.asarray(source.values, dtype=np.float64)
        steps = len(self.index)
        if len(values) > steps:
            raise InputError(
                f"{where}.values", f"has {len(values)} values for {steps} steps", "Give at most one per step."
            )
        if not signed and (values < 0).any():
            first = int(np.argmax(values < 0))
            raise InputError(f"{where}.values[{first}]", f"is {values[first]:g}", "Energy must not be negative.")
        return np.resize(values, steps)

    @cached_property
    def _generated(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Price and carbon intensity of the scenario's power plants."""
        mix = self.scenario.generation
        assert mix is not None  # checked by the scenario
        where = f"{self.scenario.name}: generation.demand"
        return profiles.generated_prices(**mix.model_dump(), steps=len(self.index), where=where)

    def _time_of_use(self, source: TimeOfUse) -> NDArray[np.float64]:
        prices = np.full(len(self.local), source.default)
        weekend = self.local.dayofweek >= 5
        days: dict[str, Any] = {"all": np.ones(len(self.local), bool), "weekdays": ~weekend, "weekend": weekend}
        for window in source.windows:
            hour = self.local.hour
            if window.from_hour < window.to_hour:
                inside = (hour >= window.from_hour) & (hour < window.to_hour)
            else:  # over midnight
                inside = (hour >= window.from_hour) | (hour < window.to_hour)
            prices[inside & days[window.days]] = window.price
        return prices


def _batteries(batteries: list[Battery | None], hours: float) -> BatteryParams:
    """One slot per home; a home without a battery gets one of size zero."""
    absent = Battery(capacity_kwh=1.0, charge_kw=1.0)
    efficiency_curves = [b.efficiency_curve for b in batteries if b and b.efficiency_curve]
    power_curves = [b.power_curve for b in batteries if b and b.power_curve]
    points = (
        max([_CURVE_POINTS, *(len(curve.at) for curve in efficiency_curves)]),
        max([_SOC_POINTS, *(len(curve.at) for curve in power_curves)]),
    )
    rows = [_battery(battery or absent, battery is not None, hours, *points) for battery in batteries]
    return BatteryParams(**{name: jnp.asarray(np.stack([row[name] for row in rows]), jnp.float32) for name in rows[0]})


def _battery(battery: Battery, exists: bool, hours: float, curve_points: int, soc_points: int) -> dict[str, Any]:
    """Parameters of one battery by name: numbers and short vectors."""
    discharge_kw = battery.charge_kw if battery.discharge_kw is None else battery.discharge_kw
    if battery.efficiency_curve is not None:
        power = _pad(battery.efficiency_curve.at, curve_points, rising=True)
        charge_curve = discharge_curve = _pad(battery.efficiency_curve.value, curve_points)
    else:
        power = np.linspace(0.0, 1.0, curve_points)
        charge_curve = np.full(curve_points, battery.charge_efficiency**2)
        discharge_curve = np.full(curve_points, battery.discharge_efficiency**2)
    if battery.power_curve is not None:
        soc, share = _pad(battery.power_curve.at, soc_points, rising=True), _pad(battery.power_curve.value, soc_points)
    else:
        soc, share = np.linspace(0.0, 1.0, soc_points), np.ones(soc_points)
    initial = battery.soc_min if battery.initial_soc is None else battery.initial_soc
    return {
        "capacity_kwh": battery.capacity_kwh * exists,
        "charge_kw": battery.charge_kw * exists,
        "discharge_kw": discharge_kw * exists,
        "soc_min": battery.soc_min,
        "soc_max": battery.soc_max,
        "initial_soc": initial,
        "standing_loss": 1.0 - (1.0 - battery.self_discharge_per_month) ** (hours / _HOURS_PER_MONTH),
        "fade": battery.fade,
        "efficiency_power": power,
        "charge_curve": charge_curve,
        "discharge_curve": discharge_curve,
        "power_soc": soc,
        "power_curve": share,
    }


def _pad(points: list[float], count: int, rising: bool = False) -> NDArray[np.float64]:
    """Fill a curve up to `count` points behind its last one, where it is constant anyway."""
    extra = max(count - len(points), 0)
    tail = [points[-1] + (step + 1.0 if rising else 0.0) for step in range(extra)]
    return np.asarray([*points, *tail], dtype=np.float64)
