"""Names and one-line descriptions of everything that a scenario can refer to by name.

A component of an installed plugin is described with the name and version of its package.
"""

from importlib import import_module
from typing import NamedTuple, TypeVar

import yaml

from prosumax.plugins import (
    PluginFailure,
    PluginPackage,
    plugin_failures,
    record_unknown_groups,
)
from prosumax.registry import Registry, open_registries

T = TypeVar("T")

_REGISTRY_MODULES = (
    "prosumax.market",
    "prosumax.scenario.schema.devices",
    "prosumax.data.registry",
    "prosumax.scenario.schema.tariff",
    "prosumax.control",
    "prosumax.rl.bidding",
    "prosumax.rl.algorithms",
    "prosumax.rl.observations",
    "prosumax.rl.rewards",
    "prosumax.viz.chart",
)
"""Modules that define the registries of plugins."""


class PluginComponent(NamedTuple):
    """Component that an installed plugin provides.

    Attributes:
        group: Entry-point group.
        kind: Kind of component, such as `mechanism`.
        name: Name of the component.
        summary: One line about it.
        package: Package that provides it.
    """

    group: str
    kind: str
    name: str
    summary: str
    package: PluginPackage


class InstalledPlugins(NamedTuple):
    """Components of all installed plugins, and what failed to load.

    Attributes:
        components: Components, by group.
        failures: Entry points and components that could not be loaded.
    """

    components: list[PluginComponent]
    failures: list[PluginFailure]


def list_scenarios() -> dict[str, str]:
    """Return the descriptions of the scenarios that ship with the package, by name."""
    from prosumax.scenario.loading import scenario_preset_paths

    return {
        name: yaml.safe_load(path.read_text(encoding="utf-8"))["description"]
        for name, path in scenario_preset_paths().items()
    }


def list_tariffs() -> dict[str, str]:
    """Return the descriptions of the tariffs that ship with the package, by name."""
    from prosumax.scenario.tariff_presets import tariff_preset_paths

    return {
        name: yaml.safe_load(path.read_text(encoding="utf-8"))["description"]
        for name, path in tariff_preset_paths().items()
    }


def list_mechanisms() -> dict[str, str]:
    """Return the descriptions of the market mechanisms (`market.mechanism`), by name."""
    from prosumax.market import mechanisms

    return _described(mechanisms)


def list_devices() -> dict[str, str]:
    """Return the descriptions of the kinds of devices (fields of a home), by name."""
    from prosumax.scenario.schema.devices import device_kinds

    return _described(device_kinds)


def list_sources() -> dict[str, dict[str, str]]:
    """Return the descriptions of the data sources (`source`), by their kind and name."""
    from prosumax.data.registry import (
        load_sources,
        price_sources,
        solar_sources,
        weather_sources,
    )

    return {
        load_sources.kind: _described(load_sources),
        solar_sources.kind: _described(solar_sources),
        price_sources.kind: _described(price_sources),
        weather_sources.kind: _described(weather_sources),
    }


def list_policies() -> dict[str, str]:
    """Return the descriptions of the policies that control homes (`policy`), by name."""
    from prosumax.control import policies

    return _described(policies)


def list_algorithms() -> dict[str, str]:
    """Return the descriptions of the learning algorithms (`prosumax.train`), by name."""
    from prosumax.rl.algorithms import algorithms

    return _described(algorithms)


def list_plugins() -> InstalledPlugins:
    """Return what installed third-party packages provide, and what failed to load."""
    for module in _REGISTRY_MODULES:
        import_module(module)
    registries = sorted(open_registries(), key=_group_of)
    components = [
        PluginComponent(_group_of(registry), registry.kind, name, entry.summary, entry.origin)
        for registry in registries
        for name, entry in registry.entries().items()
        if entry.origin is not None
    ]
    record_unknown_groups()
    return InstalledPlugins(components, sorted(plugin_failures()))


def _group_of(registry: Registry[T]) -> str:
    return registry.group or ""


def _described(registry: Registry[T]) -> dict[str, str]:
    """Return the summary of each component, with the package of a plugin."""
    summaries = {}
    for name, entry in registry.entries().items():
        package = "" if entry.origin is None else f" [{' '.join(entry.origin)}]"
        summaries[name] = f"{entry.summary}{package}"
    return summaries
