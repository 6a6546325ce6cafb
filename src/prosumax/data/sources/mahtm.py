"""Source `mahtm`: homes of MAHTM."""

from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from prosumax.config import NonNegative, StrictModel
from prosumax.data.base import Array, Source, SourceContext
from prosumax.data.generators.mahtm import mahtm_load, mahtm_solar
from prosumax.data.registry import load_sources, solar_sources


class MahtmConfig(StrictModel):
    """Settings of all profiles with `source: mahtm`."""

    temperature_c: Annotated[float, Field(ge=-50, le=60)] | None = 30.0
    """Temperature of every hour; null samples it between 29 and 31 C, as the published code."""
    noise: bool = False
    """Gaussian noise on load (standard deviation 0.01) and PV generation (0.1)."""
    business_profile: Literal["code", "paper"] = "code"
    """Business profile of the published code, or as described in the paper's text."""


@load_sources.register("mahtm", "Daily load profile of MAHTM, hourly.")
class MahtmLoad(Source):
    """One of MAHTM's three daily load profiles, hourly."""

    step_minutes = 60

    source: Literal["mahtm"]
    profile: Literal["family", "business", "teenagers"]
    peak_kw: NonNegative = 1.0

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Generate the load."""
        settings = context.section("mahtm", MahtmConfig)
        return mahtm_load(
            np.asarray(context.local_index.hour),
            self.profile,
            self.peak_kw,
            temperature_c=settings.temperature_c,
            noise=settings.noise,
            business_profile=settings.business_profile,
            seed=context.seed("load"),
        )


@solar_sources.register("mahtm", "PV generation of MAHTM, hourly.")
class MahtmSolar(Source):
    """MAHTM's PV generation, a sine of the hour, hourly."""

    step_minutes = 60

    source: Literal["mahtm"]
    peak_kw: NonNegative

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Generate the PV generation."""
        return mahtm_solar(
            np.asarray(context.local_index.hour),
            self.peak_kw,
            noise=context.section("mahtm", MahtmConfig).noise,
            seed=context.seed("pv"),
        )
