"""Simulation of energy communities and local energy markets on JAX.

Homes with load, PV, batteries and other devices trade electricity through a market, over a
network, under a tariff. A run computes the bill of every home and the KPIs of the community.

    >>> import prosumax
    >>> result = prosumax.run("street")
    >>> result.kpis["cost"], result.households[0]["saving"]

The public names are imported on first use, so that `import prosumax` is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prosumax.batching import vmap
    from prosumax.errors import InputError
    from prosumax.listings import (
        list_algorithms,
        list_devices,
        list_mechanisms,
        list_plugins,
        list_policies,
        list_scenarios,
        list_sources,
        list_tariffs,
    )
    from prosumax.rl.env import CommunityEnv
    from prosumax.rl.factory import make
    from prosumax.rl.training.training import TrainingResult, train
    from prosumax.runner import compare, run
    from prosumax.scenario.loading import load_scenario
    from prosumax.scenario.schema.community import Scenario
    from prosumax.simulation.community import Community, build
    from prosumax.simulation.results.result import Result

    __version__: str

_MODULES = {
    "Community": "simulation.community",
    "CommunityEnv": "rl.env",
    "InputError": "errors",
    "Result": "simulation.results.result",
    "Scenario": "scenario.schema.community",
    "TrainingResult": "rl.training.training",
    "build": "simulation.community",
    "compare": "runner",
    "list_algorithms": "listings",
    "list_devices": "listings",
    "list_mechanisms": "listings",
    "list_plugins": "listings",
    "list_policies": "listings",
    "list_scenarios": "listings",
    "list_sources": "listings",
    "list_tariffs": "listings",
    "load_scenario": "scenario.loading",
    "make": "rl.factory",
    "run": "runner",
    "train": "rl.training.training",
    "vmap": "batching",
}
"""Module of each public name."""

_SUBMODULES = {
    "cli",
    "control",
    "data",
    "devices",
    "errors",
    "grid",
    "market",
    "metrics",
    "optimization",
    "report",
    "rl",
    "scenario",
    "simulation",
    "studies",
    "sweeps",
    "tariff",
    "types",
    "viz",
    "web",
}

__all__ = [
    "Community",
    "CommunityEnv",
    "InputError",
    "Result",
    "Scenario",
    "TrainingResult",
    "build",
    "compare",
    "list_algorithms",
    "list_devices",
    "list_mechanisms",
    "list_plugins",
    "list_policies",
    "list_scenarios",
    "list_sources",
    "list_tariffs",
    "load_scenario",
    "make",
    "run",
    "train",
    "vmap",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        value: object = version(__name__)
    elif name in _MODULES:
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    elif name in _SUBMODULES:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    special = {name for name in globals() if name.startswith("__") and name.endswith("__")}
    return sorted({*special, *__all__, *_SUBMODULES, "__version__"})
