"""Registries of data sources, from which the schema of a scenario is built.

A source is one file: a class with its fields and its reader, registered for each use that it has.
"""

from pathlib import Path
from typing import get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from prosumax.config import StrictModel
from prosumax.data.base import Source, WeatherSource
from prosumax.registry import Registry

_GROUP = "prosumax.sources"
_PACKAGE = "prosumax.data.sources"
_NUMBER = "number"

load_sources: Registry[type[Source]] = Registry("load source", group=_GROUP, package=_PACKAGE)
"""Sources of the load of a home, kWh per step."""

solar_sources: Registry[type[Source]] = Registry("PV source", group=_GROUP, package=_PACKAGE)
"""Sources of the PV generation of a home, kWh per step."""

price_sources: Registry[type[Source]] = Registry("price source", group=_GROUP, package=_PACKAGE)
"""Sources of a price per kWh or of an emission factor."""

limit_sources: Registry[type[Source]] = Registry(
    "power limit source", group=_GROUP, package=_PACKAGE
)
"""Sources of a power limit, kW."""

weather_sources: Registry[type[WeatherSource]] = Registry(
    "weather source", group=_GROUP, package=_PACKAGE
)
"""Sources of the weather of PV systems and heat pumps."""


_REGISTRIES = (load_sources, solar_sources, price_sources, limit_sources, weather_sources)


def source_path_fields(name: object) -> set[str]:
    """Return the fields of type `Path` of the sources with a name.

    Args:
        name: Value of `source` in a scenario.
    """
    models: list[type[StrictModel]] = [
        entries[name].component
        for entries in (registry.entries() for registry in _REGISTRIES)
        if isinstance(name, str) and name in entries
    ]
    return {
        field
        for model in models
        for field, info in model.model_fields.items()
        if info.annotation is Path or Path in get_args(info.annotation)
    }


class RegisteredSource:
    """Annotation of a field that holds a registered source, told apart by its field `source`.

    The sources are looked up when pydantic builds the schema, which `StrictModel` defers to the
    first validation: a plugin is part of the schema, and may import anything of prosumax.
    """

    def __init__(
        self,
        registry: Registry[type[Source]] | Registry[type[WeatherSource]],
        *,
        or_number: bool = False,
    ) -> None:
        """Create the annotation of a field.

        Args:
            registry: Registry of the sources.
            or_number: Whether the field may hold a number instead.
        """
        self._registry = registry
        self._or_number = or_number

    def __get_pydantic_core_schema__(
        self, source_type: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return the schema of the union of all sources."""
        choices: dict[str, CoreSchema] = {}
        if self._or_number:
            choices[_NUMBER] = handler.generate_schema(float)
        entries: dict[str, type[StrictModel]] = {
            name: entry.component for name, entry in self._registry.entries().items()
        }
        for name in sorted(entries):
            choices[name] = handler.generate_schema(entries[name])
        return core_schema.tagged_union_schema(
            choices, _number_or_source if self._or_number else "source"
        )


def _number_or_source(value: object) -> str | None:
    """Return the choice for a value of a field that may hold a number."""
    if isinstance(value, dict):
        return value.get("source")
    return getattr(value, "source", _NUMBER)
