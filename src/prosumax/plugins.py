"""Installed third-party packages that add components through entry points.

A package names its modules under an entry-point group, such as `prosumax.mechanisms`. Importing
such a module registers its components. A module that fails to load is recorded, and the others
load all the same.
"""

import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import NamedTuple

PLUGIN_API_VERSION = 1
"""Version of the interface between prosumax and plugins.

A plugin declares the version it was written for as `PROSUMAX_PLUGIN_API`, in its top-level package
or in each of its modules.
"""

GROUP_PREFIX = "prosumax."
"""Beginning of the name of every entry-point group that prosumax reads."""


class PluginPackage(NamedTuple):
    """Installed package that provides components.

    Attributes:
        name: Name under which pip installs the package.
        version: Installed version.
    """

    name: str
    version: str


class PluginFailure(NamedTuple):
    """Entry point, or one component of it, that could not be loaded.

    Attributes:
        group: Entry-point group.
        entry_point: Name of the entry point.
        package: Package that declares the entry point.
        reason: Sentence that says why.
    """

    group: str
    entry_point: str
    package: PluginPackage
    reason: str


class _Loading(NamedTuple):
    """Entry point that is being loaded, with functions that take back what it registered."""

    group: str
    entry_point: str
    package: PluginPackage
    undo: list[Callable[[], object]]


_loading: list[_Loading] = []
_failures: list[PluginFailure] = []


def current_package() -> PluginPackage | None:
    """Return the package whose entry point is being loaded, if any."""
    return _loading[-1].package if _loading else None


def package_of_module(module: str) -> PluginPackage | None:
    """Return the package that declares an entry point in the top-level package of a module.

    Args:
        module: Dotted name of a module.
    """
    return _packages_by_top_level().get(module.partition(".")[0])


def plugin_failures(group: str | None = None) -> list[PluginFailure]:
    """Return what could not be loaded so far.

    Args:
        group: Entry-point group; all groups when omitted.
    """
    return [failure for failure in _failures if group in (None, failure.group)]


def record_failure(reason: str) -> None:
    """Record that a component of the entry point that is being loaded is left out.

    Args:
        reason: Sentence that says why.
    """
    loading = _loading[-1]
    failure = PluginFailure(loading.group, loading.entry_point, loading.package, reason)
    _failures.append(failure)


def record_registration(undo: Callable[[], object]) -> None:
    """Note how to take back a registration, in case its plugin turns out to be incompatible.

    Args:
        undo: Function that removes the component; ignored while no entry point is being loaded.
    """
    if _loading:
        _loading[-1].undo.append(undo)


def load_entry_points(group: str) -> None:
    """Import the modules that installed packages name under an entry-point group.

    Args:
        group: Entry-point group.
    """
    for entry_point in importlib.metadata.entry_points(group=group):
        with _entry_point_loading(entry_point):
            top_level = importlib.import_module(entry_point.module.partition(".")[0])
            declared = _declared_version(top_level)
            if declared is None or declared == PLUGIN_API_VERSION:
                module = importlib.import_module(entry_point.module)
                declared = _declared_version(module) if declared is None else declared
            if declared != PLUGIN_API_VERSION:
                for undo in _loading[-1].undo:
                    undo()
                record_failure(_version_reason(entry_point.module, declared))


@contextmanager
def _entry_point_loading(entry_point: importlib.metadata.EntryPoint) -> Iterator[None]:
    """Attribute what a module registers to its package, and record its failure."""
    package = _package_of(entry_point)
    _loading.append(_Loading(entry_point.group, entry_point.name, package, []))
    try:
        yield
    except (Exception, SystemExit) as error:  # A broken plugin must not break the others.
        message = " ".join(str(error).split()).rstrip(".")
        record_failure(f"{type(error).__name__}: {message}." if message else type(error).__name__)
    finally:
        _loading.pop()


def _declared_version(module: ModuleType) -> object:
    return getattr(module, "PROSUMAX_PLUGIN_API", None)


def _version_reason(module: str, declared: object) -> str:
    if declared is None:
        return (
            f"The module {module} does not declare the version of the plugin interface. Add "
            f"PROSUMAX_PLUGIN_API = {PLUGIN_API_VERSION} to its top-level package."
        )
    return (
        f"It was written for version {declared!r} of the plugin interface, and this prosumax has "
        f"version {PLUGIN_API_VERSION}. Install a release of the plugin for version "
        f"{PLUGIN_API_VERSION}, or another release of prosumax."
    )


def _package_of(entry_point: importlib.metadata.EntryPoint) -> PluginPackage:
    distribution = entry_point.dist
    if distribution is None:
        return PluginPackage(entry_point.module.partition(".")[0], "")
    return PluginPackage(distribution.name, distribution.version)


def _packages_by_top_level() -> dict[str, PluginPackage]:
    return _scan(tuple(sys.path))


@cache
def _scan(path: tuple[str, ...]) -> dict[str, PluginPackage]:
    """Return the packages with entry points by their top-level module, for a search path."""
    groups = importlib.metadata.entry_points().groups
    return {
        entry_point.module.partition(".")[0]: _package_of(entry_point)
        for group in groups
        if group.startswith(GROUP_PREFIX)
        for entry_point in importlib.metadata.entry_points(group=group)
    }
