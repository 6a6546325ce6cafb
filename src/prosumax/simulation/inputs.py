"""What a scenario names, read: time series of every home, prices, and the network; all on the host."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax import grid
from prosumax.data.generators import marlem
from prosumax.data.generators.day_ahead import typical_day_ahead_eur_per_mwh
from prosumax.data.generators.household.load import Load
from prosumax.data.generators.household.schedule import Hours as OpenHours
from prosumax.data.generators.household.schedule import schedule_kwh
from prosumax.data.generators.mahtm import mahtm_load, mahtm_solar
from prosumax.data.generators.merit_order import generated_prices
from prosumax.data.generators.solar.sky import Sky
from prosumax.data.readers import simbench
from prosumax.data.readers.antgen import read_antgen
from prosumax.data.readers.citylearn import read_load, read_series, read_solar
from prosumax.data.readers.tables import read_table
from prosumax.devices import from_scenario
from prosumax.devices.flexible import DeviceSeries
from prosumax.errors import InputError
from prosumax.grid import catalog
from prosumax.scenario.schema.community import CityLearnSolar, Home, Period, Scenario
from prosumax.scenario.schema.generation import FromGeneration, MahtmLoad, MahtmSolar
from prosumax.scenario.schema.generators import (
    Antgen,
    Schedule,
    SimBench,
    SimBenchSolar,
    SyntheticLoad,
    SyntheticSolar,
)
from prosumax.scenario.schema.marlem import Hours, MarlemLoad, MarlemPrice, MarlemSolar
from prosumax.scenario.schema.sources import CityLearn, Table, Values
from prosumax.scenario.schema.tariff import DayAhead, Price, TimeOfUse, parts
from prosumax.simulation.generated_profiles import Generated

_AS_A_USE = {
    "washing_machine": "washing machine",
    "dishwasher": "dishwasher",
    "dryer": "tumble dryer",
}
_DRAWN_DAYS = 64  # days of a home drawn at a time


@dataclass(frozen=True)
class Profiles:
    """What a scenario's files hold: time series and the network, on the host, double precision.

    Attributes:
        index: step starts, UTC.
        local: the same on the scenario's clock.
        load_kwh, solar_kwh: [step, home].
        prices: the tariff's five series, each [step]; levies free of VAT are in the levies, as the amount before VAT
            that costs as much.
        uses_kwh: of each home over the period, by use (appliance), where the source of its load knows.
        notes: what a user should know about the data (gaps filled, values spread).
        feeder: the network; None for a copper plate.
        home_bus: position in it of each home.
        devices: what cars, heat pumps and appliances meet [step, ..]; None where there are none.
        charges: the tariff's prices as they stand on a bill: field -> name -> [step].
    """

    index: pd.DatetimeIndex
    local: pd.DatetimeIndex
    load_kwh: NDArray[np.float64]
    solar_kwh: NDArray[np.float64]
    prices: dict[str, NDArray[np.float64]]
    uses_kwh: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    feeder: grid.Feeder | None = None
    home_bus: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    devices: DeviceSeries | None = None
    charges: dict[str, dict[str, NDArray[np.float64]]] = field(default_factory=dict)


def read_profiles(scenario: Scenario, data_dir: Path | str | None = None) -> Profiles:
    """The time series of a scenario; arguments and errors as in `build`."""
    reader = _Reader(scenario, Path(data_dir).expanduser() if data_dir is not None else None)
    load = np.stack(
        [reader.load(number, home) for number, home in enumerate(scenario.homes)], axis=1
    )
    solar = np.stack(
        [reader.solar(number, home) for number, home in enumerate(scenario.homes)], axis=1
    )
    charges = reader.charges()
    prices = {name: sum(charges[name].values(), np.zeros(len(reader.index))) for name in charges}
    prices["levies"] += prices.pop("levies_free_of_vat") / (1 + scenario.tariff.vat)
    prices["carbon_kg"] = reader.price(
        scenario.tariff.carbon_kg_per_kwh, "tariff.carbon_kg_per_kwh"
    )
    idle = [
        home.name
        for home in scenario.homes
        if home.battery and (home.policy or scenario.policy) == "none"
    ]
    if idle:
        reader.notes.append(
            f"batteries of {', '.join(idle)} stay idle under policy none; `prosumax policies` lists others"
        )
    feeder, home_bus = _feeder(scenario)
    notes = [*reader.notes, *(() if feeder is None else feeder.notes)]
    devices = from_scenario.device_series(scenario, reader.index, reader.local, reader.sky)
    told = list(dict.fromkeys(notes))
    uses = [reader.uses_kwh.get(number, {}) for number in range(len(scenario.homes))]
    return Profiles(
        reader.index,
        reader.local,
        load,
        solar,
        prices,
        uses,
        told,
        feeder,
        home_bus,
        devices,
        charges,
    )


def _feeder(scenario: Scenario) -> tuple[grid.Feeder | None, NDArray[np.int64]]:
    """The network of a scenario and where its homes are."""
    spec, names = scenario.network, [home.name for home in scenario.homes]
    if spec.kind is None or spec.flow == "copper_plate":
        return None, np.zeros(0, np.int64)
    where = f"{scenario.name}: network"
    feeder = catalog.load_feeder(spec, len(names), scenario.seed, where)
    return feeder, catalog.place_homes(
        feeder, names, spec.placement, scenario.seed, f"{where}.placement"
    )


def _month_day(text: str) -> tuple[int, int]:
    month, day = text.split("-")
    return int(month), int(day)


def time_index(period: Period) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Step starts in UTC, and on the period's own clock (equal to UTC when it has no zone)."""
    zone = period.time_zone or "UTC"
    try:
        start = pd.Timestamp(period.start).tz_localize(zone, ambiguous=True)
    except (
        Exception
    ) as error:  # pandas passes on pytz or zoneinfo errors, depending on what is installed
        raise InputError(
            "period.start",
            f"{period.start} does not exist in {zone} (clock change)",
            "Start later.",
        ) from error
    index = pd.date_range(
        start.tz_convert("UTC"), periods=period.steps, freq=f"{period.step_minutes}min"
    )
    return index, index.tz_convert(zone)


class _Reader:
    """Resolves each source of a scenario to an array over its period."""

    def __init__(self, scenario: Scenario, data_dir: Path | None) -> None:
        self.scenario, self.data_dir = scenario, data_dir
        self.index, self.local = time_index(scenario.period)
        self.notes: list[str] = []
        self.uses_kwh: dict[int, dict[str, float]] = {}
        self.generated = Generated(scenario, self.index)

    def load(self, number: int, home: Home) -> NDArray[np.float64]:
        where = f"{self.scenario.name}: homes[{number}].load"
        match home.load:
            case SyntheticLoad() as source:
                # A machine that is a device of its own is not in the load a second time.
                apart = [_AS_A_USE[one.kind] for one in home.appliances]
                source = source.model_copy(update={"without": sorted({*source.without, *apart})})
                return self._uses(
                    number, self.generated.load(source, self._seed(number, "load"), where), []
                )
            case Antgen() as source:
                return self._uses(
                    number, *read_antgen(source.file, self.index, self.generated.time_zone, where)
                )
            case Schedule() as source:
                return schedule_kwh(
                    self.index,
                    self.generated.time_zone,
                    source.base_kw,
                    [
                        OpenHours(one.kw, one.from_hour, one.to_hour, one.days)
                        for one in source.hours
                    ],
                    [(_month_day(one.first), _month_day(one.last)) for one in source.closed],
                    source.spread,
                    self._seed(number, "load"),
                )
            case SimBench() as source:
                self.notes.append(simbench.ATTRIBUTION)
                zone = self.generated.time_zone
                return simbench.simbench_load(
                    source.profile, source.annual_kwh, self.index, zone, where
                )
            case MarlemLoad() as source:
                share = np.full(_DRAWN_DAYS, source.factor)
                return source.capacity_kw * self._drawn_days(
                    number,
                    source.hours,
                    where,
                    lambda seed: marlem.demand_kwh(np.ones(_DRAWN_DAYS), share, seed),
                )
            case CityLearn() as source:
                load, notes = read_load(
                    source.dataset,
                    source.building,
                    source.skip_rows,
                    self.index,
                    where,
                    self.data_dir,
                )
                self.notes += notes
                return load
            case MahtmLoad() as source:
                world = self.scenario.mahtm
                return mahtm_load(
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
            case SyntheticSolar() as source:
                kwh, notes = self.generated.solar(
                    source, self._seed(0, "sky"), self._seed(number, "roof")
                )
                self.notes += notes
                return kwh
            case SimBenchSolar() as source:
                self.notes.append(simbench.ATTRIBUTION)
                annual_kwh = source.kwh_per_kwp * source.peak_kw
                return simbench.simbench_solar(source.profile, annual_kwh, self.index, where)
            case MarlemSolar() as source:
                share = np.full(_DRAWN_DAYS, source.factor)
                return source.peak_kw * self._drawn_days(
                    number, source.hours, where, lambda seed: marlem.generation_kwh(share, seed)
                )
            case CityLearnSolar() as source:
                return read_solar(
                    source.dataset,
                    source.building,
                    source.peak_kw,
                    source.skip_rows,
                    self.index,
                    where,
                    self.data_dir,
                )
            case MahtmSolar() as source:
                noise, seed = self.scenario.mahtm.noise, self._seed(number, "roof")
                return mahtm_solar(
                    np.asarray(self.local.hour), source.peak_kw, noise=noise, seed=seed
                )
            case Table() as source:
                return self._table(source, where)
            case Values() as source:
                return self._values(source, where)

    def charges(self) -> dict[str, dict[str, NDArray[np.float64]]]:
        """Every price of the tariff by field and by its name on the bill."""
        tariff = self.scenario.tariff
        return {
            field: {
                name: self.price(price, f"tariff.{field}")
                for name, price in parts(field, charge).items()
            }
            for field in ("energy", "network", "levies", "levies_free_of_vat", "feed_in")
            for charge in [getattr(tariff, field)]
        }

    def price(self, price: Price | None, field_name: str) -> NDArray[np.float64]:
        where = f"{self.scenario.name}: {field_name}"
        match price:
            case TimeOfUse() as source:
                return self._time_of_use(source)
            case MarlemPrice() as source:
                self._needs_hours(where)
                day, clock = self._days
                seeds = [self._seed(number, "prices") for number in range(day[-1] + 1)]
                drawn = [marlem.grid_prices(source.lowest, source.highest, seed) for seed in seeds]
                return np.stack([getattr(prices, source.series) for prices in drawn])[day, clock]
            case CityLearn() as source:
                series = "carbon_kg_per_kwh" if "carbon" in field_name else "price"
                return read_series(
                    source.dataset, series, source.skip_rows, self.index, where, self.data_dir
                )
            case Table() as source:
                return self._table(source, where, quantity="rate")
            case Values() as source:
                return self._values(source, where, signed=True)
            case DayAhead() as source:
                return source.factor * self._market_price(source, where) + source.plus
            case FromGeneration() as source:
                return source.share * self._generated[int("carbon" in field_name)]
            case None:
                return np.full(len(self.index), np.nan)
            case number:
                return np.full(len(self.index), float(number))

    def _seed(self, number: int, what: str) -> int:
        """A seed of its own for every home and purpose, stable when homes are added behind it."""
        purpose = {"load": 1, "sky": 2, "days": 3, "prices": 4, "roof": 5, "market": 6}[what]
        return int(
            np.random.SeedSequence((self.scenario.seed, number, purpose)).generate_state(1)[0]
        )

    @cached_property
    def _days(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Number of the day and hour of the day of every step."""
        return pd.factorize(self.local.date)[0], self.local.hour.to_numpy(np.int64)

    def _needs_hours(self, where: str) -> None:
        minutes = self.scenario.period.step_minutes
        if minutes != 60:
            raise InputError(
                where,
                f"draws hours, but a step has {minutes} minutes",
                "Set period.step_minutes to 60.",
            )

    def _drawn_days(
        self,
        number: int,
        hours: list[Hours],
        where: str,
        draw: Callable[[int], NDArray[np.float64]],
    ) -> NDArray[np.float64]:
        """A new day of a home for every day of the period; `draw` gives many at once from a seed [hour, day]."""
        self._needs_hours(where)
        day, clock = self._days
        seed, count = self._seed(number, "days"), day[-1] // _DRAWN_DAYS + 1
        seeds = np.random.SeedSequence(seed).generate_state(
            count
        )  # the first days stay when the period gets longer
        kwh = np.concatenate([draw(int(one)) for one in seeds], axis=1)
        for window in hours:
            kwh[window.from_hour : window.to_hour] *= window.factor
        return kwh[clock, day]

    def sky(self) -> Sky:
        """The weather around heated buildings: that of the roofs, without the clouds over a single home."""
        return self.generated.sky(self._seed(0, "sky"))

    def _uses(self, number: int, load: Load, notes: list[str]) -> NDArray[np.float64]:
        self.uses_kwh[number] = load.uses_kwh
        self.notes += notes
        return load.kwh

    def _table(self, source: Table, where: str, quantity: str = "energy") -> NDArray[np.float64]:
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

    def _values(self, source: Values, where: str, signed: bool = False) -> NDArray[np.float64]:
        values = np.asarray(source.values, dtype=np.float64)
        steps = len(self.index)
        if len(values) > steps:
            raise InputError(
                f"{where}.values",
                f"has {len(values)} values for {steps} steps",
                "Give at most one per step.",
            )
        if not signed and (values < 0).any():
            first = int(np.argmax(values < 0))
            raise InputError(
                f"{where}.values[{first}]", f"is {values[first]:g}", "Energy must not be negative."
            )
        return np.resize(values, steps)

    @cached_property
    def _generated(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Price and carbon intensity of the scenario's power plants."""
        mix = self.scenario.generation
        assert mix is not None  # checked by the scenario
        where = f"{self.scenario.name}: generation.demand"
        return generated_prices(**mix.model_dump(), steps=len(self.index), where=where)

    def _market_price(self, source: DayAhead, where: str) -> NDArray[np.float64]:
        """Day-ahead price per kWh."""
        if source.file is None:
            self.notes.append(
                "day-ahead prices are those of typical Belgian days, not of real ones; name a `file` in the tariff"
            )
            return typical_day_ahead_eur_per_mwh(self.local, self._seed(0, "market")) / 1000
        table = Table(
            source="table",
            **source.model_dump(include={"file", "column", "time_column", "time_zone"}),
        )
        return self._table(table, where, quantity="rate") / (1000 if source.per == "MWh" else 1)

    def _time_of_use(self, source: TimeOfUse) -> NDArray[np.float64]:
        prices = np.full(len(self.local), source.default)
        weekend = self.local.dayofweek >= 5
        days: dict[str, Any] = {
            "all": np.ones(len(self.local), bool),
            "weekdays": ~weekend,
            "weekend": weekend,
        }
        for window in source.windows:
            hour = self.local.hour
            if window.from_hour < window.to_hour:
                inside = (hour >= window.from_hour) & (hour < window.to_hour)
            else:  # over midnight
                inside = (hour >= window.from_hour) | (hour < window.to_hour)
            prices[inside & days[window.days]] = window.price
        return prices
