"""Input data of a simulation: the time series of every home, prices and the network of a scenario.

All data is read on the host in double precision.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import NDArray

from prosumax import grid
from prosumax.data.generators import marlem
from prosumax.data.generators.day_ahead import synthetic_day_ahead_eur_per_mwh
from prosumax.data.generators.household.load import HouseholdLoad
from prosumax.data.generators.household.schedule import OpeningPeriod, schedule_kwh
from prosumax.data.generators.mahtm import mahtm_load, mahtm_solar
from prosumax.data.generators.merit_order import merit_order_prices
from prosumax.data.generators.solar.weather import WeatherSeries
from prosumax.data.readers import simbench
from prosumax.data.readers.antgen import read_antgen
from prosumax.data.readers.citylearn import (
    read_citylearn_load,
    read_citylearn_series,
    read_citylearn_solar,
)
from prosumax.data.readers.tables import read_table
from prosumax.data.seeds import derive_seed
from prosumax.devices import from_scenario
from prosumax.devices.flexible import DeviceSeries
from prosumax.errors import InputError
from prosumax.grid import catalog
from prosumax.scenario.schema.community import CityLearnSolar, HomeConfig, Period, Scenario
from prosumax.scenario.schema.generation import GenerationSource, MahtmLoad, MahtmSolar
from prosumax.scenario.schema.generators import (
    AntgenLoad,
    ScheduleLoad,
    SimBenchLoad,
    SimBenchSolar,
    SyntheticLoad,
    SyntheticSolar,
)
from prosumax.scenario.schema.marlem import HourlyFactor, MarlemLoad, MarlemPrice, MarlemSolar
from prosumax.scenario.schema.sources import CityLearnSource, TableSource, ValuesSource
from prosumax.scenario.schema.tariff import DayAheadPrice, Price, TimeOfUsePrice, charge_components
from prosumax.simulation.generated_profiles import ProfileGenerator

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_EMISSION_FACTOR = "emission_factor_kg_per_kwh"
_CHARGES = ("energy", "network", "levies", "vat_exempt_levies", "feed_in")
_END_USE_BY_APPLIANCE = {
    "washing_machine": "washing machine",
    "dishwasher": "dishwasher",
    "dryer": "tumble dryer",
}
"""End use of the household load that a flexible appliance replaces, by kind of appliance."""

_SEED_PURPOSES = {"load": 1, "weather": 2, "days": 3, "prices": 4, "pv": 5, "market": 6}
_SAMPLED_DAYS = 64  # Days of a home that MARLEM's generators sample at a time.


@dataclass(frozen=True)
class Profiles:
    """Time series and network of a scenario.

    Attributes:
        index: Step starts, UTC.
        local_index: Step starts in the time zone of the scenario.
        load_kwh: Load, kWh per step.
        solar_kwh: PV generation, kWh per step.
        prices: Price series of the tariff by name, and its emission factor. VAT-exempt levies are
            part of the levies, as the amount before VAT with the same cost.
        end_use_kwh: Energy of each home over the period by end use, kWh; empty if the source of its
            load does not state it.
        notes: Remarks on the data for the user, such as filled gaps.
        feeder: Network; None for a copper plate.
        home_bus: Bus of each home in the network.
        devices: Exogenous series of EVs, heat pumps and appliances; None without such devices.
        charges: Charges of the tariff as listed on a bill: series by tariff field and item.
    """

    index: pd.DatetimeIndex
    local_index: pd.DatetimeIndex
    load_kwh: Float[Array, "step home"]
    solar_kwh: Float[Array, "step home"]
    prices: dict[str, Float[Array, " step"]]
    end_use_kwh: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    feeder: grid.Feeder | None = None
    home_bus: Int[Ints, " home"] = field(default_factory=lambda: np.zeros(0, np.int64))
    devices: DeviceSeries | None = None
    charges: dict[str, dict[str, Float[Array, " step"]]] = field(default_factory=dict)


def read_profiles(scenario: Scenario, data_dir: Path | str | None = None) -> Profiles:
    """Read or generate the input data of a scenario.

    Args:
        scenario: Validated scenario.
        data_dir: Folder to search for CityLearn data sets before the cache.

    Raises:
        InputError: A source of the scenario cannot be read or does not match its period.
    """
    reader = _SourceReader(scenario, None if data_dir is None else Path(data_dir).expanduser())
    homes = list(enumerate(scenario.homes))
    load_kwh = np.stack([reader.load(number, home) for number, home in homes], axis=1)
    solar_kwh = np.stack([reader.solar(number, home) for number, home in homes], axis=1)
    charges = reader.charges()
    zeros = np.zeros(len(reader.index))
    prices = {name: sum(items.values(), zeros) for name, items in charges.items()}
    prices["levies"] = prices["levies"] + prices.pop("vat_exempt_levies") / (
        1 + scenario.tariff.vat
    )
    emission_factor = scenario.tariff.emission_factor_kg_per_kwh
    prices[_EMISSION_FACTOR] = reader.price(emission_factor, f"tariff.{_EMISSION_FACTOR}")
    idle = [
        home.name
        for home in scenario.homes
        if home.battery and (home.policy or scenario.policy) == "none"
    ]
    if idle:
        reader.notes.append(
            f"the batteries of {', '.join(idle)} are idle under the policy none; "
            "`prosumax policies` lists other ones"
        )
    feeder, home_bus = _read_network(scenario)
    notes = [*reader.notes, *(() if feeder is None else feeder.notes)]
    return Profiles(
        index=reader.index,
        local_index=reader.local_index,
        load_kwh=load_kwh,
        solar_kwh=solar_kwh,
        prices=prices,
        end_use_kwh=[reader.end_use_kwh.get(number, {}) for number, _ in homes],
        notes=list(dict.fromkeys(notes)),
        feeder=feeder,
        home_bus=home_bus,
        devices=from_scenario.device_series(
            scenario, reader.index, reader.local_index, reader.weather
        ),
        charges=charges,
    )


def _read_network(scenario: Scenario) -> tuple[grid.Feeder | None, Int[Ints, " home"]]:
    """Return the network of a scenario and the bus of each home."""
    config = scenario.network
    if config.kind is None or config.flow == "copper_plate":
        return None, np.zeros(0, np.int64)
    names = [home.name for home in scenario.homes]
    where = f"{scenario.name}: network"
    feeder = catalog.load_feeder(config, len(names), scenario.seed, where)
    home_bus = catalog.place_homes(
        feeder, names, config.placement, scenario.seed, f"{where}.placement"
    )
    return feeder, home_bus


def _month_day(text: str) -> tuple[int, int]:
    month, day = text.split("-")
    return int(month), int(day)


def time_index(period: Period) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Return the step starts of a period in UTC and in its time zone.

    Args:
        period: Period of a scenario; without time zone, both indices are UTC.

    Raises:
        InputError: The start is skipped by daylight saving time.
    """
    zone = period.time_zone or "UTC"
    try:
        start = pd.Timestamp(period.start).tz_localize(zone, ambiguous=True)
    except Exception as error:  # pandas raises errors of pytz or zoneinfo.
        raise InputError(
            "period.start",
            f"{period.start} does not exist in {zone}: daylight saving time skips this hour",
            "Set a later start.",
        ) from error
    index = pd.date_range(
        start.tz_convert("UTC"), periods=period.steps, freq=f"{period.step_minutes}min"
    )
    return index, index.tz_convert(zone)


class _SourceReader:
    """Reader that resolves each source of a scenario to an array over its period.

    Attributes:
        scenario: Validated scenario.
        data_dir: Folder to search for CityLearn data sets before the cache.
        index: Step starts, UTC.
        local_index: Step starts in the time zone of the scenario.
        notes: Remarks on the data for the user.
        end_use_kwh: Energy by end use of each home whose source states it, by its number.
        generator: Generator of synthetic profiles.
    """

    def __init__(self, scenario: Scenario, data_dir: Path | None) -> None:
        self.scenario = scenario
        self.data_dir = data_dir
        self.index, self.local_index = time_index(scenario.period)
        self.notes: list[str] = []
        self.end_use_kwh: dict[int, dict[str, float]] = {}
        self.generator = ProfileGenerator(scenario, self.index)

    def load(self, number: int, home: HomeConfig) -> Float[Array, " step"]:
        """Return the load of a home, kWh per step."""
        where = f"{self.scenario.name}: homes.{number}.load"
        match home.load:
            case SyntheticLoad() as source:
                # A flexible appliance is a device and must not be part of the load as well.
                as_devices = [_END_USE_BY_APPLIANCE[one.kind] for one in home.appliances]
                excluded = sorted({*source.excluded_uses, *as_devices})
                source = source.model_copy(update={"excluded_uses": excluded})
                load = self.generator.load(source, self._seed(number, "load"), where)
                return self._household_load(number, load)
            case AntgenLoad() as source:
                load, notes = read_antgen(source.file, self.index, self.generator.time_zone, where)
                self.notes += notes
                return self._household_load(number, load)
            case ScheduleLoad() as source:
                return schedule_kwh(
                    self.index,
                    self.generator.time_zone,
                    source.base_kw,
                    [
                        OpeningPeriod(hours.power_kw, hours.from_hour, hours.to_hour, hours.days)
                        for hours in source.opening_hours
                    ],
                    [
                        (_month_day(days.first), _month_day(days.last))
                        for days in source.closed_days
                    ],
                    source.relative_std,
                    self._seed(number, "load"),
                )
            case SimBenchLoad() as source:
                self.notes.append(simbench.ATTRIBUTION)
                return simbench.simbench_load(
                    source.profile,
                    source.annual_kwh,
                    self.index,
                    self.generator.time_zone,
                    where,
                )
            case MarlemLoad() as source:
                capacity = np.ones(_SAMPLED_DAYS)
                factor = np.full(_SAMPLED_DAYS, source.factor)
                return source.capacity_kw * self._sampled_days(
                    number,
                    source.hourly_factors,
                    where,
                    lambda seed: marlem.demand_kwh(capacity, factor, seed),
                )
            case CityLearnSource() as source:
                kwh, notes = read_citylearn_load(
                    source.dataset,
                    source.building,
                    source.skip_rows,
                    self.index,
                    where,
                    self.data_dir,
                )
                self.notes += notes
                return kwh
            case MahtmLoad() as source:
                config = self.scenario.mahtm
                return mahtm_load(
                    np.asarray(self.local_index.hour),
                    source.profile,
                    source.peak_kw,
                    temperature_c=config.temperature_c,
                    noise=config.noise,
                    business_profile=config.business_profile,
                    seed=self._seed(number, "load"),
                )
            case TableSource() as source:
                return self._table(source, where)
            case ValuesSource() as source:
                return self._values(source, where)

    def solar(self, number: int, home: HomeConfig) -> Float[Array, " step"]:
        """Return the PV generation of a home, kWh per step."""
        where = f"{self.scenario.name}: homes.{number}.solar"
        match home.solar:
            case None:
                return np.zeros(len(self.index))
            case SyntheticSolar() as source:
                kwh, notes = self.generator.solar(
                    source, self._seed(0, "weather"), self._seed(number, "pv")
                )
                self.notes += notes
                return kwh
            case SimBenchSolar() as source:
                self.notes.append(simbench.ATTRIBUTION)
                annual_kwh = source.kwh_per_kwp * source.peak_kw
                return simbench.simbench_solar(source.profile, annual_kwh, self.index, where)
            case MarlemSolar() as source:
                capacity = np.full(_SAMPLED_DAYS, source.factor)
                return source.peak_kw * self._sampled_days(
                    number,
                    source.hourly_factors,
                    where,
                    lambda seed: marlem.generation_kwh(capacity, seed),
                )
            case CityLearnSolar() as source:
                return read_citylearn_solar(
                    source.dataset,
                    source.building,
                    source.peak_kw,
                    source.skip_rows,
                    self.index,
                    where,
                    self.data_dir,
                )
            case MahtmSolar() as source:
                return mahtm_solar(
                    np.asarray(self.local_index.hour),
                    source.peak_kw,
                    noise=self.scenario.mahtm.noise,
                    seed=self._seed(number, "pv"),
                )
            case TableSource() as source:
                return self._table(source, where)
            case ValuesSource() as source:
                return self._values(source, where)

    def charges(self) -> dict[str, dict[str, Float[Array, " step"]]]:
        """Return every charge of the tariff by field and by its item on the bill."""
        return {
            name: {
                item: self.price(price, f"tariff.{name}")
                for item, price in charge_components(
                    name, getattr(self.scenario.tariff, name)
                ).items()
            }
            for name in _CHARGES
        }

    def price(self, price: Price | None, field_name: str) -> Float[Array, " step"]:
        """Return a price or an emission factor per kWh; NaN if it is None."""
        where = f"{self.scenario.name}: {field_name}"
        is_emission_factor = field_name.endswith(_EMISSION_FACTOR)
        match price:
            case TimeOfUsePrice() as source:
                return self._time_of_use(source)
            case MarlemPrice() as source:
                self._check_hourly(where)
                day, hour = self._day_and_hour
                days = [
                    marlem.grid_prices(
                        source.min_price, source.max_price, self._seed(number, "prices")
                    )
                    for number in range(day[-1] + 1)
                ]
                return np.stack([getattr(prices, source.series) for prices in days])[day, hour]
            case CityLearnSource() as source:
                return read_citylearn_series(
                    source.dataset,
                    "emission_factor" if is_emission_factor else "price",
                    source.skip_rows,
                    self.index,
                    where,
                    self.data_dir,
                )
            case TableSource() as source:
                return self._table(source, where, quantity="rate")
            case ValuesSource() as source:
                return self._values(source, where, signed=True)
            case DayAheadPrice() as source:
                return source.factor * self._day_ahead_price(source, where) + source.offset
            case GenerationSource() as source:
                merit_order_price, emission_factor = self._merit_order
                return source.share * (emission_factor if is_emission_factor else merit_order_price)
            case None:
                return np.full(len(self.index), np.nan)
            case number:
                return np.full(len(self.index), float(number))

    def weather(self) -> WeatherSeries:
        """Return the weather of heated buildings, without the cloud variability of single homes."""
        return self.generator.weather(self._seed(0, "weather"))

    def _seed(self, number: int, purpose: str) -> int:
        """Return the seed of a home (or day) and purpose."""
        return derive_seed(self.scenario.seed, number, _SEED_PURPOSES[purpose])

    @cached_property
    def _day_and_hour(self) -> tuple[Int[Ints, " step"], Int[Ints, " step"]]:
        """Number of the local day, and hour of the day, of every step."""
        day = pd.factorize(self.local_index.date)[0]
        return day, self.local_index.hour.to_numpy(np.int64)

    def _check_hourly(self, where: str) -> None:
        minutes = self.scenario.period.step_minutes
        if minutes != 60:
            raise InputError(
                where,
                f"the source generates hourly values, but a step has {minutes} minutes",
                "Set period.step_minutes to 60.",
            )

    def _sampled_days(
        self,
        number: int,
        hourly_factors: list[HourlyFactor],
        where: str,
        sample: Callable[[int], Float[Array, "hour day"]],
    ) -> Float[Array, " step"]:
        """Sample a new day of a home for every day of the period.

        Args:
            number: Number of the home.
            hourly_factors: Factors on the energy in windows of the day.
            where: Scenario field of the source, for messages.
            sample: Samples `_SAMPLED_DAYS` days from a seed.

        Returns:
            Energy in kWh per step.
        """
        self._check_hourly(where)
        day, hour = self._day_and_hour
        batches = day[-1] // _SAMPLED_DAYS + 1
        # One seed per batch of days, so that the first days do not change with the period's length.
        seeds = np.random.SeedSequence(self._seed(number, "days")).generate_state(batches)
        kwh = np.concatenate([sample(int(seed)) for seed in seeds], axis=1)
        for window in hourly_factors:
            kwh[window.from_hour : window.to_hour] *= window.factor
        return kwh[hour, day]

    def _household_load(self, number: int, load: HouseholdLoad) -> Float[Array, " step"]:
        """Record the end uses of a home and return its load."""
        self.end_use_kwh[number] = load.end_use_kwh
        return load.kwh

    def _table(
        self, source: TableSource, where: str, quantity: str = "energy"
    ) -> Float[Array, " step"]:
        values, notes = read_table(
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

    def _values(
        self, source: ValuesSource, where: str, signed: bool = False
    ) -> Float[Array, " step"]:
        """Repeat the listed values over the period."""
        values = np.asarray(source.values, dtype=np.float64)
        steps = len(self.index)
        if len(values) > steps:
            raise InputError(
                f"{where}.values",
                f"there are {len(values)} values for {steps} steps",
                "Provide at most one value per step.",
            )
        if not signed and (values < 0).any():
            first = int(np.argmax(values < 0))
            raise InputError(
                f"{where}.values[{first}]",
                f"the energy must be >= 0, got {values[first]:g}",
                "Correct the value.",
            )
        return np.resize(values, steps)

    @cached_property
    def _merit_order(self) -> tuple[Float[Array, " step"], Float[Array, " step"]]:
        """Price per kWh, and emission factor, of the scenario's power plants."""
        generation = self.scenario.generation
        assert generation is not None, "the scenario validates that generation prices have plants"
        where = f"{self.scenario.name}: generation.demand"
        return merit_order_prices(**generation.model_dump(), steps=len(self.index), where=where)

    def _day_ahead_price(self, source: DayAheadPrice, where: str) -> Float[Array, " step"]:
        """Return the day-ahead price per kWh."""
        if source.file is None:
            self.notes.append(
                "day-ahead prices are synthetic Belgian prices; set `file` in the tariff to use "
                "actual prices"
            )
            seed = self._seed(0, "market")
            return synthetic_day_ahead_eur_per_mwh(self.local_index, seed) / 1000
        columns = source.model_dump(include={"file", "column", "time_column", "time_zone"})
        table = TableSource(source="table", **columns)
        price = self._table(table, where, quantity="rate")
        return price / (1000 if source.price_per == "MWh" else 1)

    def _time_of_use(self, source: TimeOfUsePrice) -> Float[Array, " step"]:
        """Return the price of each step from the windows of a time-of-use tariff."""
        hour = self.local_index.hour
        weekend = np.asarray(self.local_index.dayofweek >= 5)
        by_day_type: dict[str, NDArray[np.bool_]] = {
            "all": np.ones(len(self.local_index), bool),
            "weekdays": ~weekend,
            "weekend": weekend,
        }
        prices = np.full(len(self.local_index), source.default)
        for window in source.windows:
            after_start = hour >= window.from_hour
            before_end = hour < window.to_hour
            if window.from_hour < window.to_hour:
                is_inside = after_start & before_end
            else:  # The window extends over midnight.
                is_inside = after_start | before_end
            prices[is_inside & by_day_type[window.days]] = window.price
        return prices
