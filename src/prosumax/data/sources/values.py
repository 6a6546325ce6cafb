"""Source `values`: numbers in the scenario."""

from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from prosumax.data.base import Array, Source, SourceContext
from prosumax.data.registry import limit_sources, load_sources, price_sources, solar_sources
from prosumax.errors import InputError

_SUMMARY = "Numbers in the scenario itself."


@load_sources.register("values", _SUMMARY)
@solar_sources.register("values", _SUMMARY)
@limit_sources.register("values", _SUMMARY)
@price_sources.register("values", _SUMMARY)
class ValuesSource(Source):
    """Numbers in the scenario itself, for small examples and tests."""

    source: Literal["values"]
    values: Annotated[list[float], Field(min_length=1)]
    """One value per step, or fewer that are repeated; kWh per step, or a price."""

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Repeat the listed values over the period."""
        values = np.asarray(self.values, dtype=np.float64)
        if len(values) > context.steps:
            raise InputError(
                f"{context.where}.values",
                f"there are {len(values)} values for {context.steps} steps",
                "Provide at most one value per step.",
            )
        if context.quantity == "energy" and (values < 0).any():
            first = int(np.argmax(values < 0))
            raise InputError(
                f"{context.where}.values[{first}]",
                f"the energy must be >= 0, got {values[first]:g}",
                "Correct the value.",
            )
        return np.resize(values, context.steps)
