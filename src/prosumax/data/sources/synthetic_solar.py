"""Source `synthetic` of PV generation: PV systems under the weather, cached between runs."""

from importlib.metadata import version
from types import ModuleType
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from pydantic import Field, model_validator

from prosumax.config import Positive, StrictModel
from prosumax.data import time_steps
from prosumax.data.base import Array, Source, SourceContext
from prosumax.data.cache import index_fingerprint, load_or_compute, source_digest
from prosumax.data.generators.solar import position, pv, weather
from prosumax.data.generators.solar.pv import PVSystem, pv_yield_kwh_per_kwp
from prosumax.data.readers import weather_files
from prosumax.data.registry import solar_sources

PV_MODULES: tuple[ModuleType, ...] = (pv, weather, position, weather_files, time_steps)
"""Modules whose code determines synthetic PV generation; part of its cache key."""


class PVArray(StrictModel):
    """PV modules on one plane."""

    peak_kw: Positive
    """Installed power at standard test conditions, kWp."""
    tilt_deg: Annotated[float, Field(ge=0, le=90)] = 35.0
    azimuth_deg: Annotated[float, Field(ge=0, le=360)] = 180.0
    """Compass direction that the modules face; 180 is south."""


@solar_sources.register("synthetic", "PV system computed under the weather.")
class SyntheticSolar(Source):
    """A PV system of one array or several (`arrays`), computed with pvlib under the weather."""

    needs_location = True

    source: Literal["synthetic"]
    peak_kw: Positive | None = None
    """Installed power at standard test conditions, kWp."""
    tilt_deg: Annotated[float, Field(ge=0, le=90)] = 35.0
    azimuth_deg: Annotated[float, Field(ge=0, le=360)] = 180.0
    """Compass direction that the modules face; 180 is south."""
    arrays: list[PVArray] = []
    """Several planes instead of one, each with its own inverter."""
    mounting: Literal["roof", "rack"] = "roof"
    """Close to the roof, or on an open rack, where the modules stay cooler."""
    losses: Annotated[float, Field(ge=0, lt=1)] = 0.10
    """Soiling, shading, mismatch, wiring and aging as a fraction of the DC power."""

    @model_validator(mode="after")
    def _check_arrays(self) -> "SyntheticSolar":
        if (self.peak_kw is None) == (not self.arrays):
            raise ValueError("give either `peak_kw` (one array) or `arrays` (several), not both")
        return self

    @property
    def all_arrays(self) -> list[PVArray]:
        """All arrays of the system."""
        if self.peak_kw is None:
            return self.arrays
        return [PVArray(peak_kw=self.peak_kw, tilt_deg=self.tilt_deg, azimuth_deg=self.azimuth_deg)]

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Compute the PV generation, or load it from the cache."""
        sky = context.sky
        site = context.site
        seeds = [context.community_seed("weather"), context.seed("pv")] if sky.is_random else []
        key = {
            "solar": self.model_dump(mode="json"),
            "code": source_digest(*PV_MODULES),
            "pvlib": version("pvlib"),
            "weather": sky.cache_key(context),
            "site": site,
            "seeds": seeds,
            "index": index_fingerprint(context.index),
        }

        def compute() -> dict[str, Array | NDArray[np.str_]]:
            at_home = context.weather(at_home=True)
            total = np.zeros(context.steps)
            for array in self.all_arrays:
                system = PVSystem(array.tilt_deg, array.azimuth_deg, self.mounting, self.losses)
                total += array.peak_kw * pv_yield_kwh_per_kwp(context.index, at_home, *site, system)
            return {"kwh": total}

        stored = load_or_compute("solar", key, compute)
        context.note(*sky.remarks(context))
        return np.asarray(stored["kwh"], np.float64)
