"""Generated homes and roofs of a scenario, kept from one run to the next."""

from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.data.cache import cached, code_key, file_key, index_key
from prosumax.data.generators.household.appliances import APPLIANCES
from prosumax.data.generators.household.load import Load, synthetic_load
from prosumax.data.generators.solar.pv import Panels, solar_kwh_per_kwp
from prosumax.data.generators.solar.sky import Neighbour, Sky, clear_sky, synthetic_sky
from prosumax.data.readers.ambal import read_appliances
from prosumax.data.readers.weather_files import read_weather, weather_sky
from prosumax.errors import InputError
from prosumax.scenario.schema.community import Scenario
from prosumax.scenario.schema.generators import (
    ClearSky,
    SyntheticLoad,
    SyntheticSky,
    SyntheticSolar,
    WeatherFile,
)

_FAR_KM = 100.0  # a weather file from further away is worth a word


class Generated:
    """Makes what `source: synthetic` asks for over a period, or takes it from the cache."""

    def __init__(self, scenario: Scenario, index: pd.DatetimeIndex) -> None:
        self.scenario, self.index = scenario, index
        self.time_zone = scenario.period.time_zone or "UTC"

    def load(self, source: SyntheticLoad, seed: int, where: str) -> Load:
        """A household's load.

        Arguments:
            source: what is asked for.
            seed: of the home.
            where: field that asks, for messages.

        Raises:
            InputError: a use or a folder does not exist.
        """
        try:
            return self._load(source, seed)
        except InputError as error:
            raise InputError(f"{where}: {error.where}", error.what, error.cure) from None

    def _load(self, source: SyntheticLoad, seed: int) -> Load:
        appliances = APPLIANCES if source.signatures is None else read_appliances(source.signatures)
        settings = source.model_dump(exclude={"source", "signatures"})
        key = {
            "load": {**settings, "phases": {name: one.phases for name, one in appliances.items()}},
            "code": code_key(
                "generators/household/load",
                "generators/household/occupancy",
                "generators/household/lifestyles",
                "generators/household/appliances",
                "generators/solar/sun",
            ),
            "seed": seed,
            "zone": self.time_zone,
            "index": index_key(self.index),
        }

        def make() -> dict[str, NDArray[Any]]:
            made = synthetic_load(
                self.index, seed=seed, time_zone=self.time_zone, appliances=appliances, **settings
            )
            return {
                "kwh": made.kwh,
                "uses": np.array(list(made.uses_kwh)),
                "by_use": np.array([*made.uses_kwh.values()]),
            }

        stored = cached("load", key, make)
        names = [str(name) for name in stored["uses"]]
        return Load(stored["kwh"], dict(zip(names, stored["by_use"].tolist(), strict=True)))

    def solar(
        self, source: SyntheticSolar, sky_seed: int, roof_seed: int
    ) -> tuple[NDArray[np.float64], list[str]]:
        """KWh per step of all roofs of a home, and notes for the user.

        Arguments:
            source: its roofs.
            sky_seed: of the clouds that all homes share.
            roof_seed: of what the clouds over this home have of their own.

        Raises:
            InputError: the weather file is not right.
        """
        weather = self.scenario.weather
        told = weather.model_dump(mode="json")
        if isinstance(weather, WeatherFile):
            read_weather(weather.file)  # says what is wrong before anything else
            told = {"source": "file", "content": self._content}
        key = {
            "solar": source.model_dump(mode="json"),
            "code": code_key(
                "generators/solar/pv",
                "generators/solar/sky",
                "generators/solar/sun",
                "readers/weather_files",
            ),
            "pvlib": version("pvlib"),
            "weather": told,
            "place": self._place,
            "seeds": [sky_seed, roof_seed] if isinstance(weather, SyntheticSky) else [],
            "index": index_key(self.index),
        }

        def make() -> dict[str, NDArray[Any]]:
            sky = self._sky(sky_seed, roof_seed)
            total = np.zeros(len(self.index))
            for plane in source.planes:
                panels = Panels(plane.tilt_deg, plane.azimuth_deg, source.mounting, source.losses)
                total += plane.peak_kw * solar_kwh_per_kwp(self.index, sky, *self._place, panels)
            return {"kwh": total}

        return np.asarray(cached("solar", key, make)["kwh"], np.float64), self._notes

    def sky(self, seed: int) -> Sky:
        """The weather that all homes share, without the clouds over a single one.

        Arguments:
            seed: of the clouds.
        """
        match self.scenario.weather:
            case SyntheticSky() as weather:
                return synthetic_sky(
                    self.index,
                    *self._place,
                    seed=seed,
                    data_set=weather.data_set,
                    monthly_kwh_m2=weather.monthly_kwh_m2,
                )
            case ClearSky() | WeatherFile():
                return self._common_sky

    @property
    def _place(self) -> tuple[float, float, float]:
        place = self.scenario.location
        assert place is not None  # checked by the scenario
        return place.latitude_deg, place.longitude_deg, place.altitude_m

    def _sky(self, sky_seed: int, roof_seed: int) -> Sky:
        match self.scenario.weather:
            case SyntheticSky() as weather:
                return synthetic_sky(
                    self.index,
                    *self._place,
                    seed=sky_seed,
                    data_set=weather.data_set,
                    monthly_kwh_m2=weather.monthly_kwh_m2,
                    neighbour=Neighbour(roof_seed, weather.distance_km),
                )
            case ClearSky() | WeatherFile():
                return self._common_sky

    @cached_property
    def _common_sky(self) -> Sky:
        """The sky that is the same for every home."""
        weather = self.scenario.weather
        if isinstance(weather, WeatherFile):
            year = read_weather(weather.file, int(self.index[0].year))
            return weather_sky(self.index, year, *self._place)
        return clear_sky(self.index, *self._place)

    @cached_property
    def _content(self) -> str:
        weather = self.scenario.weather
        assert isinstance(weather, WeatherFile)
        return file_key(weather.file)

    @cached_property
    def _notes(self) -> list[str]:
        weather = self.scenario.weather
        if not isinstance(weather, WeatherFile):
            return []
        year = read_weather(weather.file)
        latitude, longitude, _ = self._place
        north = 111.2 * (year.latitude_deg - latitude)
        east = 111.2 * np.cos(np.deg2rad(latitude)) * (year.longitude_deg - longitude)
        away = float(np.hypot(north, east))
        notes = [
            f"weather from {weather.file.name}: {year.sky.ghi.sum() / 1000:,.0f} kWh/m2 a year on the horizontal"
        ]
        if away > _FAR_KM:
            notes.append(f"the weather file is for a place {away:,.0f} km away from `location`")
        return notes
