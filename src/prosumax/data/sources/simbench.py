"""Source `simbench`: profiles of SimBench."""

from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Field

from prosumax.config import Positive
from prosumax.data.base import Array, Source, SourceContext
from prosumax.data.readers.simbench import ATTRIBUTION, simbench_load, simbench_solar
from prosumax.data.registry import load_sources, solar_sources


@load_sources.register("simbench", "Scaled load profile of SimBench.")
class SimBenchLoad(Source):
    """A scaled SimBench load profile; requires `prosumax[simbench]`."""

    source: Literal["simbench"]
    profile: str
    """Name such as `H0-A`, `G1-A`, `Air_Parallel_1`, `HLS_A_11.0`."""
    annual_kwh: Annotated[float, Field(gt=0, le=10_000_000)]
    """Energy of SimBench's whole year (2016)."""

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Compute the load of the profile."""
        context.note(ATTRIBUTION)
        return simbench_load(
            self.profile, self.annual_kwh, context.index, context.time_zone, context.where
        )


@solar_sources.register("simbench", "Scaled PV profile of SimBench.")
class SimBenchSolar(Source):
    """The profile of a SimBench PV system at a given yield; requires `prosumax[simbench]`."""

    source: Literal["simbench"]
    profile: str
    """`PV1` to `PV8`."""
    peak_kw: Positive
    kwh_per_kwp: Annotated[float, Field(gt=0, le=3000)] = 950.0
    """Yield of SimBench's year; its own (about 650) is low, with curtailment and shading."""

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Compute the PV generation of the profile."""
        context.note(ATTRIBUTION)
        annual_kwh = self.kwh_per_kwp * self.peak_kw
        return simbench_solar(self.profile, annual_kwh, context.index, context.where)
