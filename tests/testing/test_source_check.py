"""`check_source` accepts sources that ship and names what is wrong with broken ones."""

import numpy as np
import pytest

from prosumax.data import Source, load_sources, price_sources
from prosumax.errors import InputError
from prosumax.testing import CheckError, check_source

SHIPPED = [
    ({"source": "synthetic", "lifestyle": "family"}, "load"),
    ({"source": "schedule", "base_kw": 0.1}, "load"),
    ({"source": "synthetic", "peak_kw": 4}, "solar"),
    ({"source": "day_ahead"}, "price"),
    ({"source": "values", "values": [0.1, 0.2]}, "emission_factor"),
    (
        {
            "source": "time_of_use",
            "default": 0.1,
            "windows": [{"price": 0.2, "from_hour": 7, "to_hour": 22}],
        },
        "price",
    ),
]


@pytest.mark.parametrize(("config", "use"), SHIPPED, ids=lambda value: str(value)[:30])
def test_sources_that_ship_pass(config, use):
    assert check_source(config, use) is None


class NegativeLoad(Source):
    """Half of the numbers are negative."""

    def read(self, context):
        return np.resize([0.5, -0.5], context.steps)


class RandomPrice(Source):
    """Draws without the seed of the scenario."""

    def read(self, context):
        return np.random.default_rng().random(context.steps)


class ShortLoad(Source):
    """A step is missing."""

    def read(self, context):
        return np.ones(context.steps - 1)


@pytest.fixture
def registered(monkeypatch):
    """Register the broken sources for one test."""
    for registry, name, source in (
        (load_sources, "negative", NegativeLoad),
        (load_sources, "short", ShortLoad),
        (price_sources, "random", RandomPrice),
    ):
        monkeypatch.setattr(registry, "_entries", registry.entries())
        registry.register(name, "Broken source of the tests.")(source)


@pytest.mark.parametrize(
    ("name", "use", "message"),
    [
        ("negative", "load", "source 'negative' of load: it is -0.5 kWh in step 1"),
        ("random", "price", "source 'random' of price: it is .* and then .* with the same seed"),
    ],
)
def test_a_broken_source_fails_with_what_is_wrong(registered, name, use, message):
    with pytest.raises(CheckError, match=message):
        check_source({"source": name}, use)


def test_a_source_of_another_length_is_an_input_error(registered):
    with pytest.raises(InputError, match=r"homes.0.load: .* shape \(95,\) for 96 steps"):
        check_source({"source": "short"})
