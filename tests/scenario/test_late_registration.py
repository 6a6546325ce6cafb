"""Components that are registered after a scenario was loaded are part of the next scenario."""

from typing import Literal

import numpy as np
import pytest

import prosumax
from prosumax.data.base import Source
from prosumax.data.registry import load_sources, price_sources
from prosumax.errors import InputError
from prosumax.scenario.loading import load_scenario

SCENARIO = {
    "name": "one-home",
    "period": {"start": "2023-01-16T00:00", "steps": 4, "step_minutes": 60},
    "homes": [{"name": "home", "load": {"source": "flat", "kwh": 2}}],
    "tariff": {"energy": {"source": "flat", "kwh": 0.5}, "feed_in": 0.05},
}


def test_a_source_that_is_registered_late_is_found():
    load_scenario("street")
    with pytest.raises(InputError, match="flat"):
        load_scenario(SCENARIO)

    class Flat(Source):
        """The same number in every step."""

        source: Literal["flat"]
        kwh: float

        def read(self, context):
            return np.full(context.steps, self.kwh)

    load_sources.register("flat", "Constant.")(Flat)
    price_sources.register("flat", "Constant.")(Flat)
    try:
        result = prosumax.run(SCENARIO)
    finally:
        for registry in (load_sources, price_sources):
            registry._entries.pop("flat")
    assert result.households[0]["bill"] == pytest.approx(4 * 2 * 0.5)
    with pytest.raises(InputError, match="flat"):
        load_scenario(SCENARIO)
