"""Source `synthetic` of a load: generated households, cached on disk between runs."""

from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from pydantic import Field

from prosumax.data import time_steps
from prosumax.data.base import Array, Source, SourceContext
from prosumax.data.cache import index_fingerprint, load_or_compute, source_digest
from prosumax.data.generators.household import appliances, lifestyles, load, occupancy
from prosumax.data.generators.household.appliances import APPLIANCES
from prosumax.data.generators.household.load import HouseholdLoad, synthetic_load
from prosumax.data.readers.ambal import read_ambal_appliances
from prosumax.data.registry import load_sources
from prosumax.errors import InputError

LOAD_MODULES: tuple[ModuleType, ...] = (load, occupancy, lifestyles, appliances, time_steps)
"""Modules whose code determines a synthetic load; part of its cache key."""

LifestyleName = Literal[
    "single",
    "couple",
    "family",
    "family_with_teenagers",
    "students",
    "home_business",
    "retired",
    "night_shifts",
]


@load_sources.register("synthetic", "Generated household load.")
class SyntheticLoad(Source):
    """A generated household load; the model is `prosumax.data.generators.household`."""

    source: Literal["synthetic"]
    lifestyle: LifestyleName
    annual_kwh: Annotated[float, Field(gt=0, le=200_000)] | None = None
    """Energy of a year; without it the generated energy, which differs between homes."""
    occupants: Annotated[int, Field(ge=1, le=8)] | None = None
    """Number of people; defaults to that of the lifestyle."""
    excluded_uses: list[str] = []
    """End uses to leave out, such as `washing machine`, because they are modeled elsewhere."""
    signatures: Path | None = None
    """Folder of AMBAL appliance models (TYPE/device/mode) that replace the built-in cycles."""

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Generate the load, or load it from the cache, and record its end uses."""
        try:
            household = self._household(context)
        except InputError as error:
            raise InputError(f"{context.where}: {error.where}", error.problem, error.fix) from None
        context.record_end_uses(household.end_use_kwh)
        return household.kwh

    def _household(self, context: SourceContext) -> HouseholdLoad:
        models = APPLIANCES
        if self.signatures is not None:
            models = read_ambal_appliances(self.signatures)
        settings = self.model_dump(exclude={"source", "signatures"})
        settings["excluded_uses"] = sorted({*self.excluded_uses, *context.excluded_uses})
        seed = context.seed("load")
        key = {
            "load": {**settings, "phases": {name: model.phases for name, model in models.items()}},
            "code": source_digest(*LOAD_MODULES),
            "seed": seed,
            "zone": context.time_zone,
            "index": index_fingerprint(context.index),
        }

        def compute() -> dict[str, Array | NDArray[np.str_]]:
            generated = synthetic_load(
                context.index, seed=seed, time_zone=context.time_zone, appliances=models, **settings
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
