"""Source `time_of_use`: prices by windows of the day."""

from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from pydantic import Field

from prosumax.config import DayType, HourOfDay, StrictModel
from prosumax.data.base import Array, Source, SourceContext
from prosumax.data.registry import price_sources


class PriceWindow(StrictModel):
    """Local hours with a price of their own, from `from_hour` until just before `to_hour`."""

    price: float
    from_hour: HourOfDay
    to_hour: HourOfDay
    days: DayType = "all"


@price_sources.register("time_of_use", "Price that depends on the time of day.")
class TimeOfUsePrice(Source):
    """A price that depends on the time of day; the last of overlapping windows applies."""

    has_registers = True

    source: Literal["time_of_use"]
    default: float
    """Price outside all windows."""
    windows: Annotated[list[PriceWindow], Field(min_length=1)]

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Return the price of each step."""
        hour = context.local_index.hour
        weekend = np.asarray(context.local_index.dayofweek >= 5)
        by_day_type: dict[str, NDArray[np.bool_]] = {
            "all": np.ones(context.steps, bool),
            "weekdays": ~weekend,
            "weekend": weekend,
        }
        prices = np.full(context.steps, self.default)
        for window in self.windows:
            after_start = hour >= window.from_hour
            before_end = hour < window.to_hour
            if window.from_hour < window.to_hour:
                is_inside = after_start & before_end
            else:  # The window extends over midnight.
                is_inside = after_start | before_end
            prices[is_inside & by_day_type[window.days]] = window.price
        return prices
