"""Synthetic household loads and PV generation of a scenario, cached on disk between runs."""

from functools import cached_property
from importlib.metadata import version
from types import ModuleType

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.data import time_steps
from prosumax.data.cache import file_digest, index_fingerprint, load_or_compute, source_digest
from prosumax.data.generators.household import appliances, lifestyles, load, occupancy
from prosumax.data.generators.household.appliances import APPLIANCES
from prosumax.data.generators.household.load import HouseholdLoad, synthetic_load
from prosumax.data.generators.solar import position, pv, weather
from prosumax.data.generators.solar.pv import PVSystem, pv_yield_kwh_per_kwp
from prosumax.data.generators.solar.weather import (
    CloudVariability,
    WeatherSeries,
    clear_sky_weather,
    synthetic_weather,
)
from prosumax.data.readers import weather_files
from prosumax.data.readers.ambal import read_ambal_appliances
from prosumax.data.readers.weather_files import read_weather_file, weather_from_year
from prosumax.errors import InputError
from prosumax.scenario.schema.community import Scenario
from prosumax.scenario.schema.generators import (
    ClearSky,
    SyntheticLoad,
    SyntheticSky,
    SyntheticSolar,
    WeatherFile,
)

Array = NDArray[np.float64]

LOAD_MODULES: tuple[ModuleType, ...] = (load, occupancy, lifestyles, appliances, time_steps)
"""Modules whose code determines a synthetic load; part of its cache key."""

PV_MODULES: tuple[ModuleType, ...] = (pv, weather, position, weather_files, time_steps)
"""Modules whose code determines synthetic PV generation; part of its cache key."""

_DISTANT_KM = 100.0  # Distance of a weather file from the site that is reported as a note.
_KM_PER_DEGREE = 111.2


class ProfileGenerator:
    """Generator of the `source: synthetic` profiles of a scenario.

    Attributes:
        scenario: Scenario with the site and the weather.
        index: Step starts, UTC.
        time_zone: IANA name of the local time zone.
    """

    def __init__(self, scenario: Scenario, index: pd.DatetimeIndex) -> None:
        """Create a generator for a period.

        Args:
            scenario: Scenario with the site and the weather.
            index: Step starts, UTC.
        """
        self.scenario = scenario
        self.index = index
        self.time_zone = scenario.period.time_zone or "UTC"

    def load(self, source: SyntheticLoad, seed: int, where: str) -> HouseholdLoad:
        """Generate a household load, or load it from the cache.

        Args:
            source: Parameters of the household.
            seed: Seed of the home.
            where: Scenario field of the load, for messages.

        Raises:
            InputError: An end use or a folder does not exist.
        """
        try:
            return self._load(source, seed)
        except InputError as error:
            raise InputError(f"{where}: {error.where}", error.problem, error.fix) from None

    def _load(self, source: SyntheticLoad, seed: int) -> HouseholdLoad:
        models = APPLIANCES
        if source.signatures is not None:
            models = read_ambal_appliances(source.signatures)
        settings = source.model_dump(exclude={"source", "signatures"})
        key = {
            "load": {**settings, "phases": {name: model.phases for name, model in models.items()}},
            "code": source_digest(*LOAD_MODULES),
            "seed": seed,
            "zone": self.time_zone,
            "index": index_fingerprint(self.index),
        }

        def compute() -> dict[str, Array | NDArray[np.str_]]:
            generated = synthetic_load(
                self.index, seed=seed, time_zone=self.time_zone, appliances=models, **settings
            )
            return {
                "kwh": generated.kwh,
                "end_uses": np.array(list(generated.end_use_kwh)),
                "end_use_kwh": np.array(list(generated.end_use_kwh.values())),
            }

        stored = load_or_compute("load", key, compute)
        end_uses = [str(name) for name in stored["end_uses"]]
        end_use_kwh = dict(zip(end_uses, stored["end_use_kwh"].tolist(), strict=True))
        return HouseholdLoad(np.asarray(stored["kwh"], np.float64), end_use_kwh)

    def solar(
        self, source: SyntheticSolar, weather_seed: int, site_seed: int
    ) -> tuple[Float[Array, " step"], list[str]]:
        """Generate the PV generation of a home, or load it from the cache.

        Args:
            source: PV arrays of the home.
            weather_seed: Seed of the clouds that all homes share.
            site_seed: Seed of the site-specific cloud variability.

        Returns:
            PV generation in kWh per step, and notes for the user.

        Raises:
            InputError: The weather file is invalid.
        """
        config = self.scenario.weather
        weather_key = config.model_dump(mode="json")
        if isinstance(config, WeatherFile):
            read_weather_file(config.file)  # Errors in the file precede any computation.
            weather_key = {"source": "file", "content": self._weather_file_digest}
        seeds = [weather_seed, site_seed] if isinstance(config, SyntheticSky) else []
        key = {
            "solar": source.model_dump(mode="json"),
            "code": source_digest(*PV_MODULES),
            "pvlib": version("pvlib"),
            "weather": weather_key,
            "site": self._site,
            "seeds": seeds,
            "index": index_fingerprint(self.index),
        }

        def compute() -> dict[str, Array | NDArray[np.str_]]:
            at_site = self.weather(weather_seed, site_seed)
            total = np.zeros(len(self.index))
            for array in source.all_arrays:
                system = PVSystem(array.tilt_deg, array.azimuth_deg, source.mounting, source.losses)
                pv_yield = pv_yield_kwh_per_kwp(self.index, at_site, *self._site, system)
                total += array.peak_kw * pv_yield
            return {"kwh": total}

        stored = load_or_compute("solar", key, compute)
        return np.asarray(stored["kwh"], np.float64), self._weather_notes

    def weather(self, weather_seed: int, site_seed: int | None = None) -> WeatherSeries:
        """Return the weather of the scenario.

        Args:
            weather_seed: Seed of the clouds that all homes share.
            site_seed: Seed of the cloud variability of one site; None for the shared weather.
        """
        match self.scenario.weather:
            case SyntheticSky() as config:
                variability = None
                if site_seed is not None:
                    variability = CloudVariability(site_seed, config.distance_km)
                return synthetic_weather(
                    self.index,
                    *self._site,
                    seed=weather_seed,
                    climate=config.climate,
                    monthly_kwh_m2=config.monthly_kwh_m2,
                    variability=variability,
                )
            case ClearSky() | WeatherFile():
                return self._deterministic_weather

    @property
    def _site(self) -> tuple[float, float, float]:
        """Latitude, longitude (degrees) and altitude (m)."""
        location = self.scenario.location
        assert location is not None, "the scenario validates that PV systems have a location"
        return location.latitude_deg, location.longitude_deg, location.altitude_m

    @cached_property
    def _deterministic_weather(self) -> WeatherSeries:
        """Weather of a clear sky or of a file, which is the same for every home."""
        config = self.scenario.weather
        if isinstance(config, WeatherFile):
            year = read_weather_file(config.file, int(self.index[0].year))
            return weather_from_year(self.index, year, *self._site)
        return clear_sky_weather(self.index, *self._site)

    @cached_property
    def _weather_file_digest(self) -> str:
        config = self.scenario.weather
        assert isinstance(config, WeatherFile)
        return file_digest(config.file)

    @cached_property
    def _weather_notes(self) -> list[str]:
        """Notes on the weather file: its irradiation, and a large distance from the site."""
        config = self.scenario.weather
        if not isinstance(config, WeatherFile):
            return []
        year = read_weather_file(config.file)
        latitude_deg, longitude_deg, _ = self._site
        north_km = _KM_PER_DEGREE * (year.latitude_deg - latitude_deg)
        km_per_longitude_degree = _KM_PER_DEGREE * np.cos(np.deg2rad(latitude_deg))
        east_km = km_per_longitude_degree * (year.longitude_deg - longitude_deg)
        distance_km = float(np.hypot(north_km, east_km))
        annual_kwh_m2 = year.weather.ghi.sum() / 1000
        notes = [
            f"weather from {config.file.name}: {annual_kwh_m2:,.0f} kWh/m2 of global horizontal "
            "irradiation a year"
        ]
        if distance_km > _DISTANT_KM:
            notes.append(f"the weather file is for a site {distance_km:,.0f} km from `location`")
        return notes
