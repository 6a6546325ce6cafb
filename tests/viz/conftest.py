"""Results of a small street, with everything that charts draw."""

from typing import Any

import pytest

import prosumax
from prosumax import Result

PV = [0.0] * 7 + [0.5, 1.0, 1.5, 2.0, 2.5, 2.5, 2.0, 1.5, 1.0, 0.5] + [0.0] * 7
LOAD = [0.2] * 6 + [0.6, 0.8, 0.4, 0.3, 0.3, 0.5, 0.6, 0.3, 0.3, 0.4, 0.6, 1.0, 1.4]
LOAD += [1.2, 0.9, 0.6, 0.4, 0.3]


def _home(name: str, load: float, pv: float = 0.0) -> dict[str, Any]:
    home: dict[str, Any] = {
        "name": name,
        "load": {"source": "values", "values": [load * value for value in LOAD]},
    }
    if pv:
        home["solar"] = {"source": "values", "values": [pv * value for value in PV]}
    return home


@pytest.fixture(scope="session")
def scenario() -> dict[str, Any]:
    """Two days of four homes with a network and fees."""
    return {
        "name": "little-street",
        "period": {"start": "2023-06-01T00:00", "steps": 48, "step_minutes": 60},
        "policy": "self-consumption",
        "market": {"mechanism": "midpoint"},
        "tariff": {"energy": 0.2, "network": 0.1, "feed_in": 0.04, "vat": 0.06},
        "homes": [
            _home("Large PV", 0.4, 2.0),
            _home("Small PV", 1.0, 0.5),
            _home("Plain", 1.5),
            _home("Other", 0.7),
        ],
        "network": {"kind": "line", "flow": "ac", "operator": {"fees": True}},
    }


@pytest.fixture(scope="session")
def result(scenario: dict[str, Any]) -> Result:
    """A run of the street."""
    return prosumax.run(scenario, optimum=False)


@pytest.fixture(scope="session")
def comparison(scenario: dict[str, Any]) -> dict[str, Result]:
    """The street under two mechanisms."""
    return prosumax.compare(scenario, ["none", "midpoint"], optimum=False)
