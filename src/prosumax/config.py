"""Base model and number types of everything that a scenario configures."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
PositiveFraction = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
HourOfDay = Annotated[int, Field(ge=0, le=24)]
DayType = Literal["all", "weekdays", "weekend"]


class StrictModel(BaseModel):
    """Frozen pydantic model that rejects unknown fields, NaN and infinity.

    Its schema is built at the first validation, when the sources and devices of plugins are
    registered.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        defer_build=True,
    )
