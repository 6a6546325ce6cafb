"""Source `synthetic` of the weather: random clouds."""

from typing import Annotated, Literal

from pydantic import Field

from prosumax.config import NonNegative
from prosumax.data.base import SourceContext, WeatherSource
from prosumax.data.generators.solar.weather import (
    CloudVariability,
    WeatherSeries,
    synthetic_weather,
)
from prosumax.data.registry import weather_sources


@weather_sources.register("synthetic", "Random clouds over a clear sky.")
class SyntheticSky(WeatherSource):
    """Random clouds over a clear sky that reproduce monthly irradiation of a climate."""

    is_random = True

    source: Literal["synthetic"] = "synthetic"
    climate: Literal["normal", "measured_2004"] = "normal"
    """Months of Uccle (Brussels): the normal of 1991-2020, or those measured in 2004."""
    monthly_kwh_m2: Annotated[list[NonNegative], Field(min_length=12, max_length=12)] | None = None
    """Monthly global horizontal irradiation at the location, instead of Uccle's cloudiness."""
    distance_km: NonNegative = 0.1
    """Typical distance between homes; clouds of distant homes are less correlated."""

    def read(self, context: SourceContext, site_seed: int | None) -> WeatherSeries:
        """Generate the weather."""
        variability = None
        if site_seed is not None:
            variability = CloudVariability(site_seed, self.distance_km)
        return synthetic_weather(
            context.index,
            *context.site,
            seed=context.community_seed("weather"),
            climate=self.climate,
            monthly_kwh_m2=self.monthly_kwh_m2,
            variability=variability,
        )
