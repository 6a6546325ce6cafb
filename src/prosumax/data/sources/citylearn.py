"""Source `citylearn`: series of a CityLearn data set."""

from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Field

from prosumax.config import Positive
from prosumax.data.base import Array, Source, SourceContext
from prosumax.data.readers.citylearn import (
    read_citylearn_load,
    read_citylearn_series,
    read_citylearn_solar,
)
from prosumax.data.registry import load_sources, price_sources, solar_sources


@load_sources.register("citylearn", "Load of a building of a CityLearn data set.")
@price_sources.register("citylearn", "Price or emission factor of a CityLearn data set.")
class CityLearnSource(Source):
    """A series of a CityLearn data set."""

    source: Literal["citylearn"]
    dataset: str
    """Name of a data set (fetched on first use) or its folder."""
    building: str | None = None
    skip_rows: Annotated[int, Field(ge=0)] = 0
    """Rows of the data set before the first step of the period."""

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Read the load of the building, or the price or emission factor of the data set."""
        if context.use == "load":
            kwh, notes = read_citylearn_load(
                self.dataset,
                self.building,
                self.skip_rows,
                context.index,
                context.where,
                context.data_dir,
            )
            context.note(*notes)
            return kwh
        return read_citylearn_series(
            self.dataset,
            context.use,
            self.skip_rows,
            context.index,
            context.where,
            context.data_dir,
        )


@solar_sources.register("citylearn", "PV generation of a building of a CityLearn data set.")
class CityLearnSolar(CityLearnSource):
    """The PV system of a CityLearn building: its generation per kWp, times `peak_kw`."""

    peak_kw: Positive
    """Installed power at standard test conditions, kWp."""

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Read the PV generation of the building."""
        return read_citylearn_solar(
            self.dataset,
            self.building,
            self.peak_kw,
            self.skip_rows,
            context.index,
            context.where,
            context.data_dir,
        )
