"""Source `generation`: price and emission factor of the grid's generation mix."""

from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Field

from prosumax.config import Fraction, NonNegative, StrictModel
from prosumax.data.base import Array, Source, SourceContext
from prosumax.data.generators.merit_order import merit_order_prices
from prosumax.data.registry import price_sources

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


@price_sources.register("generation", "Price or emission factor of the section `generation`.")
class GenerationSource(Source):
    """A price or emission factor that follows from the scenario's `generation`."""

    required_section = "generation"

    source: Literal["generation"]
    share: float = 1.0
    """Multiplier, such as 0.25 for a feed-in price of a quarter of the price."""

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Return the price or the emission factor of the power plants."""

        def prices() -> tuple[Float[Array, " step"], Float[Array, " step"]]:
            generation = context.section("generation", GenerationConfig)
            where = f"{context.scenario_name}: generation.demand"
            return merit_order_prices(**generation.model_dump(), steps=context.steps, where=where)

        price, emission_factor = context.once("merit_order_prices", prices)
        return self.share * (emission_factor if context.use == "emission_factor" else price)
