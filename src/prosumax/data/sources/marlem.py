"""Source `marlem`: homes and grid prices of MARLEM, a new day for every day of the period."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import NDArray
from pydantic import model_validator

from prosumax.config import HourOfDay, NonNegative, Positive, StrictModel
from prosumax.data.base import Array, Source, SourceContext
from prosumax.data.generators.marlem import demand_kwh, generation_kwh, grid_prices
from prosumax.data.registry import load_sources, price_sources, solar_sources

Ints = NDArray[np.int64]

_SAMPLED_DAYS = 64  # Days of a home that the generators sample at a time.


class HourlyFactor(StrictModel):
    """A factor on a series in local hours from `from_hour` until just before `to_hour`."""

    from_hour: HourOfDay
    to_hour: HourOfDay
    factor: NonNegative

    @model_validator(mode="after")
    def _check_order(self) -> "HourlyFactor":
        if self.from_hour >= self.to_hour:
            raise ValueError(
                f"from_hour ({self.from_hour}) must be below to_hour ({self.to_hour}); write two "
                "entries for hours that include midnight"
            )
        return self


@load_sources.register("marlem", "Random household load of MARLEM, hourly.")
class MarlemLoad(Source):
    """MARLEM's random household load, hourly, independent for each home and day."""

    step_minutes = 60

    source: Literal["marlem"]
    capacity_kw: Positive
    """Generation capacity that scales the demand; its daily peak is 0.7 to 1 times as much."""
    factor: NonNegative = 1.0
    """Factor on all hours."""
    hourly_factors: list[HourlyFactor] = []
    """Further factors on some hours of the day."""

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Sample the load."""
        capacity = np.ones(_SAMPLED_DAYS)
        factor = np.full(_SAMPLED_DAYS, self.factor)
        return self.capacity_kw * _sampled_days(
            context, self.hourly_factors, lambda seed: demand_kwh(capacity, factor, seed)
        )


@solar_sources.register("marlem", "Random PV generation of MARLEM, hourly.")
class MarlemSolar(Source):
    """MARLEM's random PV generation (equation 13), hourly, independent for each home and day."""

    step_minutes = 60

    source: Literal["marlem"]
    peak_kw: Positive
    factor: NonNegative = 1.0
    """Factor on all hours."""
    hourly_factors: list[HourlyFactor] = []
    """Further factors on some hours of the day."""

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Sample the PV generation."""
        capacity = np.full(_SAMPLED_DAYS, self.factor)
        return self.peak_kw * _sampled_days(
            context, self.hourly_factors, lambda seed: generation_kwh(capacity, seed)
        )


@price_sources.register("marlem", "Random grid price of MARLEM, hourly.")
class MarlemPrice(Source):
    """MARLEM's random grid price, a step function of the hour, independent for each day."""

    step_minutes = 60

    source: Literal["marlem"]
    series: Literal["feed_in", "retail"]
    """Price of the day; with the same bounds the retail price always exceeds the feed-in price."""
    min_price: NonNegative
    """Lower bound of prices in the market, per kWh."""
    max_price: Positive
    """Upper bound of prices in the market, per kWh."""

    @model_validator(mode="after")
    def _check_bounds(self) -> "MarlemPrice":
        if self.min_price >= self.max_price:
            raise ValueError(
                f"min_price ({self.min_price:g}) must be below max_price ({self.max_price:g})"
            )
        return self

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Sample the price."""
        day, hour = _day_and_hour(context.local_index)
        days = [
            grid_prices(self.min_price, self.max_price, context.community_seed("prices", number))
            for number in range(day[-1] + 1)
        ]
        return np.stack([getattr(prices, self.series) for prices in days])[day, hour]


def _sampled_days(
    context: SourceContext,
    hourly_factors: Sequence[HourlyFactor],
    sample: Callable[[int], Float[Array, "hour day"]],
) -> Float[Array, " step"]:
    """Sample a new day of a home for every day of the period.

    Args:
        context: Period and seeds.
        hourly_factors: Factors on the energy in windows of the day.
        sample: Samples `_SAMPLED_DAYS` days from a seed.

    Returns:
        Energy in kWh per step.
    """
    day, hour = _day_and_hour(context.local_index)
    batches = day[-1] // _SAMPLED_DAYS + 1
    # One seed per batch of days, so that the first days do not change with the period's length.
    seeds = np.random.SeedSequence(context.seed("days")).generate_state(batches)
    kwh = np.concatenate([sample(int(seed)) for seed in seeds], axis=1)
    for window in hourly_factors:
        kwh[window.from_hour : window.to_hour] *= window.factor
    return kwh[hour, day]


def _day_and_hour(
    local_index: pd.DatetimeIndex,
) -> tuple[Int[Ints, " step"], Int[Ints, " step"]]:
    """Return the number of the local day, and the hour of the day, of every step."""
    day = pd.factorize(local_index.date)[0]
    return day, local_index.hour.to_numpy(np.int64)
