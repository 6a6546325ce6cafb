"""What a person writes: a community, its homes, its tariff and its market. Units are in the names or the docstring."""

from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Discriminator, Field, field_validator, model_validator

from prosumax.scenario.schema.base import Fraction, StrictModel, NonNegative, PositiveFraction
from prosumax.scenario.schema.devices import BatteryAgingConfig, ApplianceConfig, EVConfig, HeatPumpConfig
from prosumax.scenario.schema.environment import EnvironmentConfig
from prosumax.scenario.schema.generation import (
    ControlConfig,
    GenerationSource,
    GenerationConfig,
    MahtmLoad,
    MahtmSolar,
    MahtmConfig,
)
from prosumax.scenario.schema.generators import (
    AntgenLoad,
    ScheduleLoad,
    SimBenchLoad,
    SimBenchSolar,
    SyntheticLoad,
    SyntheticSky,
    SyntheticSolar,
    Weather,
)
from prosumax.scenario.schema.marlem import MarlemLoad, MarlemSolar
from prosumax.scenario.schema.network import NetworkConfig
from prosumax.scenario.schema.population import AgentGroupConfig
from prosumax.scenario.schema.sources import CityLearnSource, TableSource, ValuesSource
from prosumax.scenario.schema.tariff import TariffConfig, TimeOfUsePrice


class Period(StrictModel):
    """The steps that are simulated."""

    start: datetime
    """First moment of the first step, local time in `time_zone`, without offset."""
    steps: Annotated[int, Field(ge=1, le=5_270_400)]
    """At most ten years of minutes."""
    step_minutes: Literal[1, 5, 15, 30, 60]
    time_zone: str | None = "Europe/Brussels"
    """IANA name; null for a clock without daylight saving."""

    @field_validator("start")
    @classmethod
    def _naive(cls, start: datetime) -> datetime:
        if start.tzinfo is not None:
            raise ValueError(
                "must be a local time without offset, such as 2023-01-01T00:00; the zone goes in time_zone"
            )
        return start

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
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


class Location(StrictModel):
    """Where the roofs are."""

    latitude_deg: Annotated[float, Field(ge=-90, le=90)]
    longitude_deg: Annotated[float, Field(ge=-180, le=180)]
    altitude_m: Annotated[float, Field(ge=-500, le=9000)] = 0.0


class _Roof(StrictModel):
    peak_kw: Annotated[float, Field(gt=0)]
    """Installed power at standard test conditions, kWp."""


class CityLearnSolar(CityLearnSource, _Roof):
    """The roof of a CityLearn building: its generation per installed kW, times `peak_kw`."""


class PiecewiseLinearCurve(StrictModel):
    """A piecewise-linear curve over a fraction between 0 and 1, constant outside its points."""

    at: Annotated[list[Fraction], Field(min_length=2)]
    """Rising fractions."""
    value: Annotated[list[PositiveFraction], Field(min_length=2)]

    @model_validator(mode="after")
    def _matching(self) -> "PiecewiseLinearCurve":
        if len(self.at) != len(self.value):
            raise ValueError(
                f"`at` has {len(self.at)} points and `value` has {len(self.value)}; they must match"
            )
        if any(b <= a for a, b in zip(self.at, self.at[1:], strict=False)):
            raise ValueError("the fractions in `at` must rise")
        return self


class BatteryConfig(StrictModel):
    """A home battery; physics in `prosumax.devices.battery`."""

    capacity_kwh: Annotated[float, Field(gt=0)]
    charge_kw: Annotated[float, Field(gt=0)]
    discharge_kw: Annotated[float, Field(gt=0)] | None = None
    """Same as `charge_kw` when absent."""
    charge_efficiency: PositiveFraction = 0.9487
    discharge_efficiency: PositiveFraction = 0.9487
    efficiency_curve: PiecewiseLinearCurve | None = None
    """Round-trip efficiency over power as a fraction of its limit; replaces the two constants."""
    power_curve: PiecewiseLinearCurve | None = None
    """Share of the power limit available over the state of charge."""
    soc_min: Fraction = 0.0
    soc_max: PositiveFraction = 1.0
    initial_soc: Fraction | None = None
    """`soc_min` when absent."""
    self_discharge_per_month: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Fraction of the stored energy lost in 30 days."""
    capacity_loss_coefficient: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """CityLearn's capacity loss coefficient: capacity lost per full cycle, fraction."""
    aging: BatteryAgingConfig | None = None
    """Wear by cycles and time, instead of `fade`."""

    @model_validator(mode="after")
    def _window(self) -> "BatteryConfig":
        if self.capacity_loss_coefficient and self.aging is not None:
            raise ValueError("`fade` and `ageing` both take capacity away; give one of them")
        if self.soc_min >= self.soc_max:
            raise ValueError(f"soc_min ({self.soc_min}) must be below soc_max ({self.soc_max})")
        if self.initial_soc is not None and not self.soc_min <= self.initial_soc <= self.soc_max:
            raise ValueError(
                f"initial_soc ({self.initial_soc}) must lie between soc_min and soc_max"
            )
        return self


class HomeConfig(StrictModel):
    """A household behind one meter; what it has is what it can do."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    load: Annotated[
        SyntheticLoad
        | MarlemLoad
        | TableSource
        | CityLearnSource
        | ValuesSource
        | MahtmLoad
        | AntgenLoad
        | SimBenchLoad
        | ScheduleLoad,
        Discriminator("source"),
    ]
    solar: (
        Annotated[
            SyntheticSolar
            | MarlemSolar
            | TableSource
            | CityLearnSolar
            | ValuesSource
            | MahtmSolar
            | SimBenchSolar,
            Discriminator("source"),
        ]
        | None
    ) = None
    battery: BatteryConfig | None = None
    ev: EVConfig | None = None
    heat_pump: HeatPumpConfig | None = None
    appliances: Annotated[list[ApplianceConfig], Field(max_length=8)] = []
    """Those that can wait; their energy comes on top of the load."""
    policy: str | None = None
    """How this home decides; the scenario's policy when absent."""
    net_metering_kw: Annotated[float, Field(gt=0)] | None = None
    """Power of the inverter of a home whose exports still cancel its imports (the old "compensation")."""
    microgrid: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    """Its microgrid, for mechanisms with several; homes that name none are one together."""
    rewards: dict[str, float] | None = None
    """Its own goal: weight of each reward term; those of the environment when absent."""


class MarketConfig(StrictModel):
    """The rule for exchanging electricity inside the community."""

    mechanism: str = "none"
    """`prosumax mechanisms` lists them."""
    shares: dict[str, Fraction] | None = None
    """Fixed shares of the local energy by home, adding up to 1, for keys with shares; equal when absent."""
    cascade_order: list[str] | None = None
    """Homes in the order in which a cascade key serves them; as listed when absent."""
    price_rule: Literal["mid_market", "supply_demand_ratio", "fixed", "share_of_retail"] = (
        "mid_market"
    )
    """What a shared kWh costs under a key."""
    price: float | None = None
    """The price per kWh of rule `fixed`, the fraction of rule `share_of_retail`; the price of `price_fixed`."""
    price_policy: str = "mid-market"
    """How price agents that do not learn announce prices: fixed, mid-market, supply-demand or feedback; or the folder
    of a training run, whose price agents then announce them."""
    feedback_gain: NonNegative = 0.2
    """How far rule feedback moves the price at most, in one step, as a share of the band it lies in."""
    single_price: bool = True
    """Whether sellers earn what buyers pay; otherwise a price agent may keep a difference."""
    individual_rationality: bool = True
    """Whether announced prices leave nobody worse off than the grid alone; otherwise a home may pay up to the retail
    price and the charges on local energy on top."""
    nearest_first: bool = False
    """Whether in pools with announced prices the nearest homes trade first; otherwise all share alike."""
    compensation_price: NonNegative = 0.0
    """Added to the feed-in price by supply-demand pricing (Liu 2018), per kWh."""
    k: Fraction = 0.5
    """Uniform auction price: 0 the last ask, 1 the last bid."""
    spread_share: Fraction = 0.25
    """What the seller keeps of the spread under `bid_ask_spread`."""
    price_tick: Annotated[float, Field(gt=0)] = 1e-4
    """Smallest price step of an auction, per kWh."""
    energy_tick_kwh: Annotated[float, Field(gt=0)] = 1e-3
    """Smallest quantity of an auction."""
    incentive: NonNegative = 0.11
    """Premium per shared kWh under `italy_virtual`."""
    ledger_difficulty: Annotated[int, Field(ge=0, le=5)] = 1
    """Zero hex digits that a block of the trade ledger must begin with."""

    @model_validator(mode="after")
    def _priced(self) -> "MarketConfig":
        if self.price_rule in {"fixed", "share_of_retail"} and self.price is None:
            raise ValueError(f"price_rule {self.price_rule} needs `price`")
        if (self.mechanism == "price_fixed" or self.price_policy == "fixed") and self.price is None:
            raise ValueError("a fixed price needs `price`")
        if self.shares is not None and abs(sum(self.shares.values()) - 1) > 1e-6:
            raise ValueError(
                f"the shares add up to {sum(self.shares.values()):g}; they must add up to 1"
            )
        return self


class ObjectiveConfig(StrictModel):
    """What optimal policies minimise: all bills, and what is said here."""

    carbon_price_per_kg: NonNegative = 0.0
    """Weight of a kg of CO2 against money; nobody is billed for it."""


class Scenario(StrictModel):
    """A community as a person writes it; `prosumax.build` makes it runnable."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Letters, digits, dots, dashes; names the result folder."""
    description: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Of everything that is drawn: synthetic profiles, random policies."""
    period: Period
    location: Location | None = None
    """Needed for synthetic solar."""
    weather: Weather = SyntheticSky()
    """Over synthetic roofs."""
    homes: Annotated[list[HomeConfig], Field(min_length=1)]
    tariff: TariffConfig
    market: MarketConfig = MarketConfig()
    network: NetworkConfig = NetworkConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    generation: GenerationConfig | None = None
    """Where the grid's electricity comes from, for tariff entries with `source: generation`."""
    mahtm: MahtmConfig = MahtmConfig()
    control: ControlConfig = ControlConfig()
    environment: EnvironmentConfig = EnvironmentConfig()
    policy: str = "none"
    """How homes decide; `prosumax policies` lists them."""
    population: list[AgentGroupConfig] = []
    """Who learns when the community is trained; homes that no entry names follow their policy."""

    @field_validator("homes")
    @classmethod
    def _distinct_names(cls, homes: list[HomeConfig]) -> list[HomeConfig]:
        names = [home.name for home in homes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two homes are called {twice[0]!r}; every home needs its own name")
        return homes

    @model_validator(mode="after")
    def _market_names_homes(self) -> "Scenario":
        homes = {home.name for home in self.homes}
        for field, named in (("shares", self.market.shares), ("order", self.market.cascade_order)):
            if named is not None and set(named) != homes:
                odd = sorted(set(named) ^ homes)[0]
                raise ValueError(
                    f"market.{field} must name every home once; {odd!r} is missing or unknown"
                )
            if named is not None and len(named) != len(homes):
                raise ValueError(f"market.{field} names a home twice")
        return self

    @model_validator(mode="after")
    def _population_names_homes(self) -> "Scenario":
        named = [
            name for part in self.population if isinstance(part.homes, list) for name in part.homes
        ]
        unknown = sorted(set(named) - {home.name for home in self.homes})
        if unknown:
            raise ValueError(f"population names {unknown[0]!r}, and there is no such home")
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice or sum(part.homes == "others" for part in self.population) > 1:
            raise ValueError(
                f"population names {twice[0]!r} twice"
                if twice
                else "population says `others` twice"
            )
        return self

    @model_validator(mode="after")
    def _sources_are_there(self) -> "Scenario":
        tariff, homes = self.tariff, self.homes
        prices = [*(price for _, _, price in tariff.price_entries), tariff.emission_factor_kg_per_kwh]
        if self.generation is None and any(isinstance(price, GenerationSource) for price in prices):
            raise ValueError("a tariff entry with source generation needs the section `generation`")
        if self.period.step_minutes != 60 and any(
            isinstance(part, MahtmLoad | MahtmSolar)
            for home in homes
            for part in (home.load, home.solar)
        ):
            raise ValueError("homes with source mahtm are hourly; set period.step_minutes to 60")
        return self

    @model_validator(mode="after")
    def _net_meters_have_registers(self) -> "Scenario":
        metered = [home.name for home in self.homes if home.net_metering_kw is not None]
        if not metered:
            return self
        for field, name, price in self.tariff.price_entries:
            if not isinstance(price, float | TimeOfUsePrice):
                raise ValueError(
                    f"{metered[0]!r} has net_metering_kw, which needs prices per register: numbers or time_of_use, "
                    f"but tariff.{field} ({name}) has source {price.source}"
                )
        if self.market.mechanism == "net_metering":
            raise ValueError(
                "homes with net_metering_kw cannot be combined with mechanism net_metering"
            )
        return self

    @model_validator(mode="after")
    def _carbon_is_known(self) -> "Scenario":
        if self.objective.carbon_price_per_kg and self.tariff.emission_factor_kg_per_kwh is None:
            raise ValueError("objective.carbon_price_per_kg needs tariff.emission_factor_kg_per_kwh")
        return self

    @model_validator(mode="after")
    def _roofs_have_a_place(self) -> "Scenario":
        if self.location is None and any(
            isinstance(home.solar, SyntheticSolar) for home in self.homes
        ):
            raise ValueError(
                "synthetic solar needs a `location` with latitude_deg and longitude_deg"
            )
        if self.location is None and any(home.heat_pump is not None for home in self.homes):
            raise ValueError(
                "heat pumps need a `location` with latitude_deg and longitude_deg, for the weather"
            )
        return self
