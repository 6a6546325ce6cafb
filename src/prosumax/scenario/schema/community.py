"""Schema of a scenario: a community with its period, homes, market and tariff."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from prosumax.config import (
    Fraction,
    NonNegative,
    Positive,
    StrictModel,
)
from prosumax.data.base import Source, WeatherSource
from prosumax.data.registry import (
    RegisteredSource,
    load_sources,
    solar_sources,
    weather_sources,
)
from prosumax.data.sources.mahtm import MahtmConfig
from prosumax.data.sources.prices.generation import GenerationConfig
from prosumax.data.sources.weather.synthetic_sky import SyntheticSky
from prosumax.scenario.schema.control import ControlConfig
from prosumax.scenario.schema.devices import (
    DeviceConfig,
    DeviceFields,
    HomeDevices,
    SharedDevices,
    device_kinds,
)
from prosumax.scenario.schema.environment import EnvironmentConfig
from prosumax.scenario.schema.events import SOLAR, AnyEvent, SupplyLimit, check_events
from prosumax.scenario.schema.network import NetworkConfig
from prosumax.scenario.schema.population import AgentGroupConfig
from prosumax.scenario.schema.tariff import TariffConfig


class Period(StrictModel):
    """The simulated time steps."""

    start: datetime
    """Start of the first step, local time in `time_zone`, without offset."""
    steps: Annotated[int, Field(ge=1, le=5_270_400)]
    """Number of steps, at most ten years of minutes."""
    step_minutes: Literal[1, 5, 15, 30, 60]
    time_zone: str | None = "Europe/Brussels"
    """IANA name; null for a clock without daylight saving."""

    @field_validator("start")
    @classmethod
    def _check_no_offset(cls, start: datetime) -> datetime:
        if start.tzinfo is not None:
            raise ValueError(
                "must be a local time without offset, such as 2023-01-01T00:00; the zone goes in "
                "time_zone"
            )
        return start

    @field_validator("time_zone")
    @classmethod
    def _check_time_zone(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError("is not an IANA time zone such as Europe/Brussels") from error
        return name

    @property
    def step_hours(self) -> float:
        """Length of a step in hours."""
        return self.step_minutes / 60

    @property
    def end(self) -> datetime:
        """End of the last step, local time without offset."""
        length = timedelta(minutes=self.steps * self.step_minutes)
        if self.time_zone is None:
            return self.start + length
        zone = ZoneInfo(self.time_zone)
        start = self.start.replace(tzinfo=zone).astimezone(UTC)
        return (start + length).astimezone(zone).replace(tzinfo=None)


class Location(StrictModel):
    """Geographic location of the community."""

    latitude_deg: Annotated[float, Field(ge=-90, le=90)]
    longitude_deg: Annotated[float, Field(ge=-180, le=180)]
    altitude_m: Annotated[float, Field(ge=-500, le=9000)] = 0.0


class HomeConfig(HomeDevices):
    """A household behind one meter, with a field for each of its kinds of devices."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    load: Annotated[Source, RegisteredSource(load_sources)]
    solar: Annotated[Source, RegisteredSource(solar_sources)] | None = None
    """PV generation."""
    policy: str | None = None
    """Policy of the home; defaults to that of the scenario."""
    net_metering_kw: Positive | None = None
    """Inverter power of a home with net metering, where exports offset imports."""
    microgrid: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    """Microgrid of the home, for hierarchical mechanisms; homes without one form their own."""
    rewards: dict[str, float] | None = None
    """Weight of each reward term; defaults to those of the environment."""


class MarketConfig(StrictModel):
    """The market mechanism and its options."""

    mechanism: str = "none"
    """A name from `prosumax mechanisms`."""
    shares: dict[str, Fraction] | None = None
    """Shares of local energy by home, adding up to 1, for fixed-share keys; defaults to equal."""
    cascade_order: list[str] | None = None
    """Homes in the order in which a cascade key serves them; defaults to the listed order."""
    price_rule: Literal["mid_market", "supply_demand_ratio", "fixed", "share_of_retail"] = (
        "mid_market"
    )
    """Price of a shared kWh under an allocation key."""
    price: float | None = None
    """Price per kWh of `fixed` and `price_fixed`, or the fraction of `share_of_retail`."""
    price_policy: str = "mid-market"
    """Rule of price agents (fixed, mid-market, supply-demand, feedback), or a training folder."""
    feedback_gain: NonNegative = 0.2
    """Largest price change per step of rule feedback, as a fraction of the price band."""
    single_price: bool = True
    """Whether sellers receive what buyers pay; otherwise a price agent may keep a margin."""
    individual_rationality: bool = True
    """Whether posted prices leave no home worse off than trading with the grid alone.

    Otherwise a home may pay up to the retail price plus the charges on local energy."""
    nearest_first: bool = False
    """Whether the nearest homes trade first in pools with posted prices."""
    compensation_price: NonNegative = 0.0
    """Addition to the feed-in price per kWh in supply-demand pricing (Liu et al. 2018)."""
    k: Fraction = 0.5
    """Parameter of the uniform-price k-double auction: 0 for the last ask, 1 for the last bid."""
    spread_share: Fraction = 0.25
    """Seller's share of the spread in `bid_ask_spread`."""
    price_tick: Positive = 1e-4
    """Price resolution of an auction, per kWh."""
    energy_tick_kwh: Positive = 1e-3
    """Quantity resolution of an auction."""
    incentive: NonNegative = 0.11
    """Premium per shared kWh in `italy_virtual`."""
    ledger_difficulty: Annotated[int, Field(ge=0, le=5)] = 1
    """Leading zero hex digits of the hash of a block in the trade ledger."""

    @model_validator(mode="after")
    def _check_prices(self) -> "MarketConfig":
        if self.price_rule in {"fixed", "share_of_retail"} and self.price is None:
            raise ValueError(f"price_rule {self.price_rule} requires `price`")
        fixed = self.mechanism == "price_fixed" or self.price_policy == "fixed"
        if fixed and self.price is None:
            raise ValueError("a fixed price requires `price`")
        if self.shares is not None and abs(sum(self.shares.values()) - 1) > 1e-6:
            raise ValueError(f"shares must add up to 1, not {sum(self.shares.values()):g}")
        return self


class ObjectiveConfig(StrictModel):
    """The objective of optimal policies, in addition to the sum of all bills."""

    carbon_price_per_kg: NonNegative = 0.0
    """Weight of a kg of CO2 in money; not part of any bill."""


class Scenario(StrictModel):
    """The complete description of a community; `prosumax.build` turns it into arrays."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Letters, digits, dots and dashes; also the name of the result folder."""
    description: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of all random numbers: synthetic profiles, random policies."""
    period: Period
    location: Location | None = None
    """Required for synthetic PV generation and heat pumps."""
    weather: Annotated[WeatherSource, RegisteredSource(weather_sources)] = SyntheticSky()
    """Weather of synthetic PV systems and heat pumps."""
    homes: Annotated[list[Annotated[HomeConfig, DeviceFields()]], Field(min_length=1)]
    shared_devices: Annotated[SharedDevices, DeviceFields(shared=True)] = Field(
        default_factory=dict, validate_default=True
    )
    """Devices that all homes share, by kind."""
    tariff: TariffConfig
    market: MarketConfig = MarketConfig()
    network: NetworkConfig = NetworkConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    generation: GenerationConfig | None = None
    """Generation mix of the grid, for tariff entries with `source: generation`."""
    mahtm: MahtmConfig = MahtmConfig()
    control: ControlConfig = ControlConfig()
    environment: EnvironmentConfig = EnvironmentConfig()
    policy: str = "none"
    """Policy of all homes without one of their own; a name from `prosumax policies`."""
    events: list[AnyEvent] = []
    """Homes that join or leave, devices that fail, and limits of the supply."""
    population: list[AgentGroupConfig] = []
    """Agent groups in training; homes of no group follow their policy."""
    plugins: list[str] = []
    """Packages that must be installed; a stored run lists those whose components it uses."""

    @property
    def sources(self) -> list[tuple[str, Source]]:
        """Path and source of every load, PV generation, price, emission factor and limit."""
        series: list[tuple[str, Source | float | None]] = []
        for number, home in enumerate(self.homes):
            series += [(f"homes.{number}.load", home.load), (f"homes.{number}.solar", home.solar)]
        series += [(f"tariff.{field}", price) for field, _, price in self.tariff.price_entries]
        emission_factor = "emission_factor_kg_per_kwh"
        series.append((f"tariff.{emission_factor}", self.tariff.emission_factor_kg_per_kwh))
        for number, event in enumerate(self.events):
            if isinstance(event, SupplyLimit):
                where = f"events.{number}"
                series += [
                    (f"{where}.import_kw", event.import_kw),
                    (f"{where}.export_kw", event.export_kw),
                ]
        return [(path, source) for path, source in series if isinstance(source, Source)]

    @field_validator("homes")
    @classmethod
    def _check_names_are_unique(cls, homes: list[HomeConfig]) -> list[HomeConfig]:
        duplicates = _duplicates([home.name for home in homes])
        if duplicates:
            raise ValueError(f"two homes are called {duplicates[0]!r}; home names must be unique")
        return homes

    @field_validator("plugins")
    @classmethod
    def _check_package_names(cls, packages: list[str]) -> list[str]:
        for package in packages:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", package):
                raise ValueError(
                    f"{package!r} must be the name of a package without a version, such as "
                    "my-plugin"
                )
        return packages

    @model_validator(mode="after")
    def _check_market_homes(self) -> "Scenario":
        homes = {home.name for home in self.homes}
        fields = {"shares": self.market.shares, "cascade_order": self.market.cascade_order}
        for field, named in fields.items():
            if named is None:
                continue
            if set(named) != homes:
                name = sorted(set(named) ^ homes)[0]
                raise ValueError(
                    f"market.{field} must name every home once; {name!r} is missing or unknown"
                )
            if len(named) != len(homes):
                raise ValueError(f"market.{field} names a home twice")
        return self

    @model_validator(mode="after")
    def _check_population_homes(self) -> "Scenario":
        named = [
            name
            for group in self.population
            if isinstance(group.homes, list)
            for name in group.homes
        ]
        unknown = sorted(set(named) - {home.name for home in self.homes})
        if unknown:
            raise ValueError(f"population names {unknown[0]!r}, and there is no such home")
        duplicates = _duplicates(named)
        if duplicates:
            raise ValueError(f"population names {duplicates[0]!r} twice")
        if sum(group.homes == "others" for group in self.population) > 1:
            raise ValueError("population has `others` twice")
        return self

    @model_validator(mode="after")
    def _check_sources(self) -> "Scenario":
        for path, source in self.sources:
            kind = f"{path} with source {source.source}"
            if source.needs_location and self.location is None:
                raise ValueError(f"{kind} needs a `location` with latitude_deg and longitude_deg")
            if source.required_section and getattr(self, source.required_section, None) is None:
                raise ValueError(f"{kind} requires section `{source.required_section}`")
            if source.step_minutes not in (None, self.period.step_minutes):
                raise ValueError(
                    f"{kind} has steps of {source.step_minutes} minutes; set period.step_minutes "
                    f"to {source.step_minutes}"
                )
        return self

    @model_validator(mode="after")
    def _check_net_metering(self) -> "Scenario":
        metered = [home.name for home in self.homes if home.net_metering_kw is not None]
        if not metered:
            return self
        for field, name, price in self.tariff.price_entries:
            if isinstance(price, Source) and not price.has_registers:
                raise ValueError(
                    f"{metered[0]!r} has net_metering_kw, which needs prices per register: "
                    f"numbers or time_of_use, but tariff.{field} ({name}) has source {price.source}"
                )
        if self.market.mechanism == "net_metering":
            raise ValueError(
                "homes with net_metering_kw cannot be combined with mechanism net_metering"
            )
        return self

    @model_validator(mode="after")
    def _check_emission_factor(self) -> "Scenario":
        weighted = self.objective.carbon_price_per_kg
        if weighted and self.tariff.emission_factor_kg_per_kwh is None:
            raise ValueError(
                "objective.carbon_price_per_kg requires tariff.emission_factor_kg_per_kwh"
            )
        return self

    @model_validator(mode="after")
    def _check_location(self) -> "Scenario":
        if self.location is not None:
            return self
        for kind in self.device_kinds:
            configs = [config for own in self.device_configs(kind) for config in own]
            if any(config.needs_location for config in configs):
                raise ValueError(
                    f"devices of kind {kind} need a `location` with latitude_deg and "
                    "longitude_deg, for the weather"
                )
        return self

    @model_validator(mode="after")
    def _check_events(self) -> "Scenario":
        if self.events:
            shared = self.shared_devices.devices
            devices = {
                home.name: {*home.devices, *shared, *((SOLAR,) if home.solar else ())}
                for home in self.homes
            }
            check_events(self.events, devices, self.period.start, self.period.end)
        return self

    @property
    def device_kinds(self) -> tuple[str, ...]:
        """Kinds of devices that any home has or that homes share, in their order."""
        shared = self.shared_devices.devices
        present = {kind for home in self.homes for kind in home.devices}.union(shared)
        kinds = [device_kinds.get(name, "devices") for name in present]
        return tuple(one.kind for one in sorted(kinds, key=lambda one: (one.order, one.kind)))

    def device_configs(self, kind: str) -> tuple[tuple[DeviceConfig, ...], ...]:
        """Return the configurations of a kind of device by home, empty for homes without it.

        Args:
            kind: Kind of device; all homes have the configuration of a shared one.
        """
        shared = self.shared_devices.devices.get(kind)
        if shared is not None:
            return (shared,) * len(self.homes)
        return tuple(home.devices.get(kind, ()) for home in self.homes)


def _duplicates(names: list[str]) -> list[str]:
    """Return the names that occur more than once, sorted."""
    return sorted({name for name in names if names.count(name) > 1})
