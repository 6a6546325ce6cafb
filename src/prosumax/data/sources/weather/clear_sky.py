"""Source `clear_sky` of the weather: no clouds."""

from typing import Literal

from prosumax.data.base import SourceContext, WeatherSource
from prosumax.data.generators.solar.weather import WeatherSeries, clear_sky_weather
from prosumax.data.registry import weather_sources


@weather_sources.register("clear_sky", "Sky without clouds.")
class ClearSky(WeatherSource):
    """A sky without clouds."""

    source: Literal["clear_sky"]

    def read(self, context: SourceContext, site_seed: int | None) -> WeatherSeries:
        """Compute the weather, which is the same at every home."""
        return context.once(
            "clear_sky_weather", lambda: clear_sky_weather(context.index, *context.site)
        )
