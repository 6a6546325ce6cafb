"""What every part of a scenario is made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
PositiveFraction = Annotated[float, Field(gt=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]
HourOfDay = Annotated[int, Field(ge=0, le=24)]


class StrictModel(BaseModel):
    """Checked, frozen, and closed: a field that does not exist is a mistake."""

    # NaN and infinity are never what somebody meant by a capacity or a price.
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
