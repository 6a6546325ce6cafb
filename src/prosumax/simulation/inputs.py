"""Input data of a simulation: the time series of every home, prices and the network of a scenario.

All data is read on the host in double precision.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, PyTree
from numpy.typing import NDArray

from prosumax import grid
from prosumax.config import StrictModel
from prosumax.data.base import Site, Source, SourceContext, SourceUse
from prosumax.data.seeds import derive_seed
from prosumax.devices.base import DeviceContext, devices
from prosumax.errors import InputError
from prosumax.grid import catalog
from prosumax.scenario.schema.community import HomeConfig, Period, Scenario
from prosumax.scenario.schema.tariff import Price, TariffConfig
from prosumax.simulation.events import build_events
from prosumax.tariff.component import TariffPrices
from prosumax.tariff.prices import price_series
from prosumax.types import EVENTS, EventSeries

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_EMISSION_FACTOR = "emission_factor_kg_per_kwh"


@dataclass(frozen=True)
class Profiles:
    """Time series and network of a scenario.

    Attributes:
        index: Step starts, UTC.
        local_index: Step starts in the time zone of the scenario.
        load_kwh: Load, kWh per step.
        solar_kwh: PV generation, kWh per step.
        prices: Price series of the tariff by name, from `price_series`, and its emission factor.
        end_use_kwh: Energy of each home over the period by end use, kWh; empty if the source of its
            load does not state it.
        notes: Remarks on the data for the user, such as filled gaps.
        feeder: Network; None for a copper plate.
        home_bus: Bus of each home in the network.
        devices: Exogenous series by kind of device, and the events, if there are any.
        charges: Charges of the tariff as listed on a bill: series by tariff field and item.
        undisturbed: Load and PV generation without events; None without events.
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
    devices: dict[str, PyTree] = field(default_factory=dict)
    charges: dict[str, dict[str, Float[Array, " step"]]] = field(default_factory=dict)
    undisturbed: tuple[Float[Array, "step home"], Float[Array, "step home"]] | None = None

    @property
    def events(self) -> EventSeries | None:
        """Events of the scenario as arrays; None without any."""
        events: EventSeries | None = self.devices.get(EVENTS)
        return events

    @property
    def present(self) -> Bool[NDArray[np.bool_], "step home"] | None:
        """Whether each home is a member; None where every home always is."""
        events = self.events
        return None if events is None or events.present is None else np.asarray(events.present)


def read_profiles(scenario: Scenario, data_dir: Path | str | None = None) -> Profiles:
    """Read or generate the input data of a scenario.

    Args:
        scenario: Validated scenario.
        data_dir: Folder to search for CityLearn data sets before the cache.

    Raises:
        InputError: A source of the scenario cannot be read or does not match its period.
    """
    context = _source_context(scenario, data_dir)
    homes = list(enumerate(scenario.homes))
    end_use_kwh: list[dict[str, float]] = [{} for _ in homes]
    load_kwh = [_read_load(context, number, home, end_use_kwh[number]) for number, home in homes]
    solar_kwh = [_read_solar(context, number, home) for number, home in homes]
    charges = _read_charges(scenario.tariff, context)
    prices = price_series(TariffPrices(scenario.tariff, charges, context.steps))
    prices[_EMISSION_FACTOR] = read_price(
        scenario.tariff.emission_factor_kg_per_kwh,
        context,
        f"tariff.{_EMISSION_FACTOR}",
        "emission_factor",
    )
    idle = [
        home.name
        for home in scenario.homes
        if home.device("battery") and (home.policy or scenario.policy) == "none"
    ]
    if idle:
        context.note(
            f"the batteries of {', '.join(idle)} are idle under the policy none; "
            "`prosumax policies` lists other ones"
        )
    undisturbed = (np.stack(load_kwh, axis=1), np.stack(solar_kwh, axis=1))
    load, solar = undisturbed
    device_series = _read_device_series(scenario, context)
    built = build_events(
        scenario,
        context.index,
        lambda source, path: read_price(source, context, path, "power_limit"),
    )
    if built is not None:
        device_series[EVENTS], solar_works = built
        present = np.asarray(True if built[0].present is None else built[0].present)
        load = load * present
        solar = solar * (present & solar_works)
        _scale_end_uses(end_use_kwh, load, undisturbed[0])
    feeder, home_bus = _read_network(scenario)
    notes = [*context.notes, *(() if feeder is None else feeder.notes)]
    return Profiles(
        index=context.index,
        local_index=context.local_index,
        load_kwh=load,
        solar_kwh=solar,
        prices=prices,
        end_use_kwh=end_use_kwh,
        notes=list(dict.fromkeys(notes)),
        feeder=feeder,
        home_bus=home_bus,
        devices=device_series,
        charges=charges,
        undisturbed=None if built is None else undisturbed,
    )


def _scale_end_uses(
    end_use_kwh: list[dict[str, float]],
    load_kwh: Float[Array, "step home"],
    undisturbed_kwh: Float[Array, "step home"],
) -> None:
    """Reduce the energy by end use of homes that are absent in part of the period, in place."""
    before = undisturbed_kwh.sum(0)
    share = load_kwh.sum(0) / np.where(before > 0, before, 1.0)
    for number, uses in enumerate(end_use_kwh):
        if share[number] < 1:
            uses.update({use: kwh * float(share[number]) for use, kwh in uses.items()})


def _read_device_series(scenario: Scenario, sources: SourceContext) -> dict[str, PyTree]:
    """Return the exogenous series of each kind of device that has any."""
    context = DeviceContext(
        index=sources.index,
        local_index=sources.local_index,
        step_hours=sources.step_hours,
        time_zone=sources.time_zone,
        lifestyles=tuple(getattr(home.load, "lifestyle", None) for home in scenario.homes),
        weather=sources.weather,
        seed=partial(derive_seed, scenario.seed),
    )
    series = {}
    for kind in scenario.device_kinds:
        device = devices.get(kind, "devices")
        own = device.build_series(scenario.device_configs(kind), context)
        if own is not None:
            series[kind] = own
    return series


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


def _source_context(scenario: Scenario, data_dir: Path | str | None) -> SourceContext:
    """Return the period, site, seeds and settings that all sources of a scenario share."""
    index, local_index = time_index(scenario.period)
    location = scenario.location
    site = None
    if location is not None:
        site = Site(location.latitude_deg, location.longitude_deg, location.altitude_m)
    sections = {name: getattr(scenario, name) for name in type(scenario).model_fields}
    return SourceContext(
        scenario_name=scenario.name,
        index=index,
        local_index=local_index,
        step_hours=scenario.period.step_hours,
        time_zone=scenario.period.time_zone or "UTC",
        scenario_seed=scenario.seed,
        location=site,
        sky=scenario.weather,
        sections={
            name: section for name, section in sections.items() if isinstance(section, StrictModel)
        },
        data_dir=None if data_dir is None else Path(data_dir).expanduser(),
    )


def _read_load(
    context: SourceContext, number: int, home: HomeConfig, end_use_kwh: dict[str, float]
) -> Float[Array, " step"]:
    """Read the load of a home, kWh per step, and write its energy by end use to `end_use_kwh`."""
    # A flexible appliance is a device and must not be part of the load as well.
    configs = [config for own in home.devices.values() for config in own]
    excluded_uses = tuple(use for config in configs for use in config.replaced_end_uses)
    where = f"{context.scenario_name}: homes.{number}.load"
    return _read_source(
        home.load,
        replace(
            context,
            use="load",
            where=where,
            home=number,
            excluded_uses=excluded_uses,
            end_use_kwh=end_use_kwh,
        ),
    )


def _read_solar(context: SourceContext, number: int, home: HomeConfig) -> Float[Array, " step"]:
    """Read the PV generation of a home, kWh per step."""
    if home.solar is None:
        return np.zeros(context.steps)
    where = f"{context.scenario_name}: homes.{number}.solar"
    return _read_source(home.solar, replace(context, use="solar", where=where, home=number))


def _read_charges(
    tariff: TariffConfig, context: SourceContext
) -> dict[str, dict[str, Float[Array, " step"]]]:
    """Return the prices per kWh of a tariff by field and by label on the bill."""
    charges: dict[str, dict[str, Float[Array, " step"]]] = {
        name: {} for part in tariff.components for name in part.price_fields
    }
    for name, item, price in tariff.price_entries:
        charges[name][item] = read_price(price, context, f"tariff.{name}")
    return charges


def read_price(
    price: Price | None, context: SourceContext, path: str, use: SourceUse = "price"
) -> Float[Array, " step"]:
    """Read a price or an emission factor per kWh.

    Args:
        price: Number or source; None for an unknown one.
        context: Period, site, seeds and settings.
        path: Field of the scenario, for messages.
        use: Quantity that the source is read as.

    Returns:
        Value of each step; NaN if it is unknown.
    """
    if price is None:
        return np.full(context.steps, np.nan)
    if isinstance(price, Source):
        where = f"{context.scenario_name}: {path}"
        return _read_source(price, replace(context, use=use, where=where))
    return np.full(context.steps, float(price))


def _read_source(source: Source, context: SourceContext) -> Float[Array, " step"]:
    """Read a source, and check that it gives a finite number for every step.

    Raises:
        InputError: The data cannot be read, or the source of a plugin returns other values.
    """
    values = np.asarray(source.read(context), np.float64)
    if values.shape != (context.steps,):
        raise InputError(
            context.where,
            f"source {source.source} returned an array of shape {values.shape} for "
            f"{context.steps} steps",
            "Correct the source.",
        )
    if not np.isfinite(values).all():
        step = int(np.argmin(np.isfinite(values)))
        raise InputError(
            context.where,
            f"source {source.source} returned {values[step]} for step {step}",
            "Correct the source or its data.",
        )
    return values
