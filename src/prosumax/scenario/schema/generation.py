"""Schema of the grid's generation mix, of MAHTM's generated homes, and of control settings."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from prosumax.scenario.schema.base import Fraction, NonNegative, StrictModel

Technology = Literal[
    "coal",
    "gas",
    "biomass",
    "solar",
    "geothermal",
    "hydro",
    "nuclear",
    "wind_offshore",
    "wind",
]


class PlantConfig(StrictModel):
    """All power plants of one technology."""

    technology: Technology
    capacity: Annotated[float, Field(gt=0)]
    """In the unit of the demand: kW or a fraction."""
    cost_per_kwh: float
    """Marginal cost; plants with the lowest cost are dispatched first."""
    emission_factor_kg_per_kwh: NonNegative | None = None
    """Defaults to the median of the technology in IPCC AR5."""
    availability: Fraction | list[Fraction] = 1.0
    """Available fraction of the capacity: a number, or one value per step, repeated."""


class GenerationConfig(StrictModel):
    """Power plants in merit order, for `tariff` entries with `source: generation`."""

    plants: Annotated[list[PlantConfig], Field(min_length=1)]
    demand: NonNegative | Annotated[list[NonNegative], Field(min_length=1)]
    """Demand of the grid: a number, or one value per step, repeated."""
    pricing: Literal["marginal", "average", "sum"] = "marginal"
    """Cost of the marginal plant, average cost, or MAHTM's sum over output times cost."""


class GenerationSource(StrictModel):
    """A price or emission factor that follows from the scenario's `generation`."""

    source: Literal["generation"]
    share: float = 1.0
    """Multiplier, such as 0.25 for a feed-in price of a quarter of the price."""


class MahtmLoad(StrictModel):
    """One of MAHTM's three daily load profiles, hourly."""

    source: Literal["mahtm"]
    profile: Literal["family", "business", "teenagers"]
    peak_kw: NonNegative = 1.0


class MahtmSolar(StrictModel):
    """MAHTM's PV generation, a sine of the hour, hourly."""

    source: Literal["mahtm"]
    peak_kw: NonNegative


class MahtmConfig(StrictModel):
    """Settings of all profiles with `source: mahtm`."""

    temperature_c: Annotated[float, Field(ge=-50, le=60)] | None = 30.0
    """Temperature of every hour; null samples it between 29 and 31 C, as the published code."""
    noise: bool = False
    """Gaussian noise on load (standard deviation 0.01) and PV generation (0.1)."""
    business_profile: Literal["code", "paper"] = "code"
    """Business profile of the published code, or as described in the paper's text."""


class ControlConfig(StrictModel):
    """Settings of planning policies and of discrete battery powers."""

    horizon_hours: Annotated[float, Field(gt=0, le=24 * 14)] = 24.0
    """Prediction horizon of `mpc`."""
    forecast: Literal["perfect", "persistence", "noisy"] = "perfect"
    """Forecast of load and PV generation of `mpc`: exact, previous day, or exact plus noise."""
    forecast_error: NonNegative = 0.2
    """Standard deviation of the noisy forecast at the end of the horizon.

    In units of the home's mean absolute net energy; it grows with the root of the lead time."""
    power_levels: Annotated[int, Field(ge=2, le=1001)] | None = None
    """Number of evenly spaced battery powers; any power when absent. MAHTM uses 40."""
    max_c_rate: Annotated[float, Field(gt=0, le=10)] = 0.9
    """Largest power level as a fraction of the capacity per hour."""
    zero_level: bool = False
    """Whether to add a level of exactly zero, which an even number of levels lacks."""

    @model_validator(mode="after")
    def _check_zero_level(self) -> "ControlConfig":
        if self.zero_level and self.power_levels is None:
            raise ValueError("zero_level requires power_levels")
        return self
