"""Sources that draw a new day for every day of the period, as MARLEM does; see `prosumax.data.generators.marlem`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from prosumax.scenario.schema.base import HourOfDay, StrictModel, NonNegative


class HourlyFactor(StrictModel):
    """Hours of the day in which a series is multiplied, local time; `to_hour` is the first hour that is out again."""

    from_hour: HourOfDay
    to_hour: HourOfDay
    factor: NonNegative

    @model_validator(mode="after")
    def _rising(self) -> "HourlyFactor":
        if self.from_hour >= self.to_hour:
            raise ValueError(
                f"from_hour ({self.from_hour}) must be below to_hour; write two entries over midnight"
            )
        return self


class MarlemLoad(StrictModel):
    """A household as MARLEM draws it, hour by hour, from the scenario's seed: each home and each day apart."""

    source: Literal["marlem"]
    capacity_kw: Annotated[float, Field(gt=0)]
    """Generation capacity that sets the size of the demand: it peaks at 0.7 to 1 times as much in an hour."""
    factor: NonNegative = 1.0
    """Multiplies all hours."""
    hourly_factors: list[HourlyFactor] = []
    """Multiplies some hours more."""


class MarlemSolar(StrictModel):
    """A roof as MARLEM draws it (equation 13), hour by hour: each home and each day with clouds of its own."""

    source: Literal["marlem"]
    peak_kw: Annotated[float, Field(gt=0)]
    factor: NonNegative = 1.0
    """Multiplies all hours."""
    hourly_factors: list[HourlyFactor] = []
    """Multiplies some hours more."""


class MarlemPrice(StrictModel):
    """A price of the grid side as MARLEM draws it: steps over the day, other ones every day."""

    source: Literal["marlem"]
    series: Literal["feed_in", "retail"]
    """Which of the two prices of a day; with the same bounds the retail price is above the feed-in price throughout."""
    min_price: NonNegative
    max_price: Annotated[float, Field(gt=0)]
    """Bounds of the market's prices, per kWh."""

    @model_validator(mode="after")
    def _room(self) -> "MarlemPrice":
        if self.min_price >= self.max_price:
            raise ValueError(f"lowest ({self.min_price:g}) must be below highest ({self.max_price:g})")
        return self
