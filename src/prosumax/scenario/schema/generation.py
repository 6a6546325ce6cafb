"""What a person writes about where the grid's electricity comes from, and about MAHTM's generated homes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from prosumax.scenario.schema.base import Fraction, StrictModel, NonNegative

Technology = Literal[
    "coal", "gas", "biomass", "solar", "geothermal", "hydro", "nuclear", "wind_offshore", "wind"
]


class PlantConfig(StrictModel):
    """All plants of one technology behind the grid."""

    technology: Technology
    capacity: Annotated[float, Field(gt=0)]
    """In the unit of the demand, kW or shares of anything."""
    cost_per_kwh: float
    """What a kWh costs to make; the cheapest run first."""
    emission_factor_kg_per_kwh: NonNegative | None = None
    """The technology's median of IPCC AR5 when absent."""
    availability: Fraction | list[Fraction] = 1.0
    """Share of the capacity that can run: a number, or one per step, repeated (24 numbers are a day of hours)."""


class GenerationConfig(StrictModel):
    """Plants by merit order; `tariff` entries with `source: generation` take price and carbon from here."""

    plants: Annotated[list[PlantConfig], Field(min_length=1)]
    demand: NonNegative | Annotated[list[NonNegative], Field(min_length=1)]
    """What the grid needs: a number, or one per step, repeated."""
    pricing: Literal["marginal", "average", "sum"] = "marginal"
    """Cost of the dearest plant that runs, average cost, or MAHTM's sum over output times cost."""


class GenerationSource(StrictModel):
    """A price or carbon intensity that follows from the scenario's `generation`."""

    source: Literal["generation"]
    share: float = 1.0
    """Of it: 0.25 for a feed-in price of a quarter of the price."""


class MahtmLoad(StrictModel):
    """One of MAHTM's three day shapes; hourly."""

    source: Literal["mahtm"]
    profile: Literal["family", "business", "teenagers"]
    peak_kw: NonNegative = 1.0


class MahtmSolar(StrictModel):
    """MAHTM's roof: a sine of the hour; hourly."""

    source: Literal["mahtm"]
    peak_kw: NonNegative


class MahtmConfig(StrictModel):
    """Switches of everything generated with `source: mahtm`."""

    temperature_c: Annotated[float, Field(ge=-50, le=60)] | None = 30.0
    """Of every hour; null draws each home's hours between 29 and 31 degrees, as the published code always does."""
    noise: bool = False
    """Errors on load (standard deviation 0.01) and sun (0.1)."""
    business_profile: Literal["code", "paper"] = "code"
    """The business day behind the paper's figures, or the one that its words describe."""


class ControlConfig(StrictModel):
    """Settings of policies that plan, and of how finely power can be asked for."""

    horizon_hours: Annotated[float, Field(gt=0, le=24 * 14)] = 24.0
    """How far `mpc` looks ahead."""
    forecast: Literal["perfect", "persistence", "noisy"] = "perfect"
    """What `mpc` believes about load and sun: the truth, the same hour of the day before, or the truth with errors."""
    forecast_error: NonNegative = 0.2
    """Standard deviation of the noisy forecast at the end of the horizon, as a share of the home's mean absolute net
    energy; it grows with the root of the distance."""
    power_levels: Annotated[int, Field(ge=2, le=1001)] | None = None
    """Batteries can only be asked for this many powers, evenly spread; any power when absent. MAHTM has 40."""
    max_c_rate: Annotated[float, Field(gt=0, le=10)] = 0.9
    """Largest level, as a share of the capacity per hour."""
    zero_level: bool = False
    """Add a level of exactly zero, which an even number of levels does not have."""

    @model_validator(mode="after")
    def _zero_of_levels(self) -> "ControlConfig":
        if self.zero_level and self.power_levels is None:
            raise ValueError("zero_level belongs to power_levels")
        return self
