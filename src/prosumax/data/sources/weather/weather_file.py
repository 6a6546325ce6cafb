"""Source `file` of the weather: a year of a weather file."""

from pathlib import Path
from typing import Literal

import numpy as np

from prosumax.data.base import SourceContext, WeatherSource
from prosumax.data.cache import file_digest
from prosumax.data.generators.solar.weather import WeatherSeries
from prosumax.data.readers.weather_files import read_weather_file, weather_from_year
from prosumax.data.registry import weather_sources

_DISTANT_KM = 100.0  # Distance of a weather file from the site that is reported as a note.
_KM_PER_DEGREE = 111.2


@weather_sources.register("file", "Year of hourly weather in a file.")
class WeatherFile(WeatherSource):
    """A year of hourly weather in EPW, PVGIS (TMY or series; CSV, JSON) or TMY3 format."""

    source: Literal["file"]
    file: Path
    """Relative to the scenario file; the format is recognized by content."""

    def read(self, context: SourceContext, site_seed: int | None) -> WeatherSeries:
        """Compute the weather, which is the same at every home."""

        def compute() -> WeatherSeries:
            year = read_weather_file(self.file, int(context.index[0].year))
            return weather_from_year(context.index, year, *context.site)

        return context.once("weather_of_file", compute)

    def cache_key(self, context: SourceContext) -> dict[str, object]:
        """Return the digest of the file."""
        read_weather_file(self.file)  # Errors in the file precede any computation.
        digest = context.once("weather_file_digest", lambda: file_digest(self.file))
        return {"source": "file", "content": digest}

    def remarks(self, context: SourceContext) -> list[str]:
        """Return the irradiation of the file, and a large distance from the site."""
        year = read_weather_file(self.file)
        site = context.site
        north_km = _KM_PER_DEGREE * (year.latitude_deg - site.latitude_deg)
        km_per_longitude_degree = _KM_PER_DEGREE * np.cos(np.deg2rad(site.latitude_deg))
        east_km = km_per_longitude_degree * (year.longitude_deg - site.longitude_deg)
        distance_km = float(np.hypot(north_km, east_km))
        annual_kwh_m2 = year.weather.ghi.sum() / 1000
        notes = [
            f"weather from {self.file.name}: {annual_kwh_m2:,.0f} kWh/m2 of global horizontal "
            "irradiation a year"
        ]
        if distance_km > _DISTANT_KM:
            notes.append(f"the weather file is for a site {distance_km:,.0f} km from `location`")
        return notes
