"""Schema of MARLEM's sources, which sample a new day for every day of the period."""

from typing import Literal

from pydantic import model_validator

from prosumax.scenario.schema.base import HourOfDay, NonNegative, Positive, StrictModel


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


class MarlemLoad(StrictModel):
    """MARLEM's random household load, hourly, independent for each home and day."""

    source: Literal["marlem"]
    capacity_kw: Positive
    """Generation capacity that scales the demand; its daily peak is 0.7 to 1 times as much."""
    factor: NonNegative = 1.0
    """Factor on all hours."""
    hourly_factors: list[HourlyFactor] = []
    """Further factors on some hours of the day."""


class MarlemSolar(StrictModel):
    """MARLEM's random PV generation (equation 13), hourly, independent for each home and day."""

    source: Literal["marlem"]
    peak_kw: Positive
    factor: NonNegative = 1.0
    """Factor on all hours."""
    hourly_factors: list[HourlyFactor] = []
    """Further factors on some hours of the day."""


class MarlemPrice(StrictModel):
    """MARLEM's random grid price, a step function of the hour, independent for each day."""

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
