"""Building of the schema of scenarios from everything that is registered."""

import threading

from prosumax.config import StrictModel
from prosumax.registry import open_registries
from prosumax.scenario.schema.community import HomeConfig, Scenario
from prosumax.scenario.schema.devices import clear_device_fields
from prosumax.scenario.schema.events import SupplyLimit
from prosumax.scenario.schema.tariff import TariffConfig

SCHEMA_GROUPS = ("prosumax.devices", "prosumax.sources", "prosumax.tariffs")
"""Entry-point groups of plugins that add fields or sources to the schema."""

_OPEN_MODELS: tuple[type[StrictModel], ...] = (
    TariffConfig,
    HomeConfig,
    SupplyLimit,
    Scenario,
)
"""Models with fields of registered types, parts before the whole."""

_LOCK = threading.RLock()  # A plugin may load a scenario while the schema is built.
_built_from: list[tuple[str, str, int]] = []
"""Kind, name and identity of every component in the schema."""


def build_schema() -> None:
    """Build the schema of a scenario if something was registered since it was built.

    A program can thus register a source or a device of its own at any time.
    """
    with _LOCK:
        registered = [
            (registry.kind, name, id(entry.component))
            for registry in open_registries()
            if registry.group in SCHEMA_GROUPS
            for name, entry in registry.entries().items()
        ]
        if registered == _built_from:
            return
        clear_device_fields()
        for model in _OPEN_MODELS:
            if model.__pydantic_complete__:
                model.model_rebuild(force=True)
        Scenario.model_rebuild()
        _built_from[:] = registered
