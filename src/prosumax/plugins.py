"""Installed third-party packages that add components through entry points.

A package names its modules under an entry-point group, such as `prosumax.mechanisms`. Importing
such a module registers its components. A module that fails to load is recorded, and the others
load all the same. The packages of components are remembered in the cache folder, so that a message
can name the package of a component after it was removed.
"""

import contextlib
import importlib
import importlib.metadata
import json
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from prosumax.errors import InputError, did_you_mean
from prosumax.files import cache_dir, write_text

PLUGIN_API_VERSION = 1
"""Version of the interface between prosumax and plugins.

A plugin declares the version it was written for as `PROSUMAX_PLUGIN_API`, in its top-level package
or in each of its modules.
"""

ENTRY_POINT_GROUPS = (
    "prosumax.mechanisms",
    "prosumax.devices",
    "prosumax.sources",
    "prosumax.tariffs",
    "prosumax.policies",
    "prosumax.algorithms",
    "prosumax.charts",
)
"""Entry-point groups that prosumax reads."""

_GROUP_PREFIX = "prosumax."
_PACKAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


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
    """Entry point that is being loaded, with what takes back registrations, by their module."""

    group: str
    entry_point: str
    package: PluginPackage
    undo: list[tuple[str, Callable[[], object]]]


_loading: list[_Loading] = []
_failures: list[PluginFailure] = []
_loaded_groups: set[str] = set()


def current_package() -> PluginPackage | None:
    """Return the package whose entry point is being loaded, if any."""
    return _loading[-1].package if _loading else None


def package_of_module(module: str) -> PluginPackage | None:
    """Return the package that declares an entry point in the top-level package of a module.

    Args:
        module: Dotted name of a module.
    """
    return _packages_by_top_level(tuple(sys.path)).get(module.partition(".")[0])


def plugin_failures(*groups: str) -> list[PluginFailure]:
    """Return what could not be loaded so far.

    Args:
        *groups: Entry-point groups; all groups when omitted.
    """
    return [failure for failure in _failures if not groups or failure.group in groups]


def record_failure(reason: str) -> None:
    """Record that a component of the entry point that is being loaded is left out.

    Args:
        reason: Sentence that says why.
    """
    loading = _loading[-1]
    failure = PluginFailure(loading.group, loading.entry_point, loading.package, reason)
    _failures.append(failure)


def record_registration(module: str, undo: Callable[[], object]) -> None:
    """Note how to take back a registration, in case its plugin cannot be loaded.

    Args:
        module: Module that registered the component.
        undo: Function that removes the component; ignored while no entry point is being loaded.
    """
    if _loading:
        _loading[-1].undo.append((module, undo))


def record_left_out(group: str, package: PluginPackage, reason: str) -> None:
    """Record, once, that a part of a plugin's component is left out.

    Args:
        group: Entry-point group of the component.
        package: Package of the component.
        reason: Sentence that says why.
    """
    failure = PluginFailure(group, package.name, package, reason)
    if failure not in _failures:
        _failures.append(failure)


def load_entry_points(group: str) -> None:
    """Import the modules that installed packages name under an entry-point group, once.

    Args:
        group: Entry-point group.
    """
    if group in _loaded_groups:
        return
    _loaded_groups.add(group)
    entry_points = importlib.metadata.entry_points(group=group)
    # Where two packages provide the same name, the first in the alphabet has it on every machine.
    for entry_point in sorted(entry_points, key=lambda one: (_package_of(one).name, one.name)):
        with _entry_point_loading(entry_point):
            _load(_module_of(entry_point))


def record_unknown_groups() -> None:
    """Record a failure for each entry point in a group that prosumax does not read."""
    groups = importlib.metadata.entry_points().groups
    unknown = {group for group in groups if group.startswith(_GROUP_PREFIX)}
    unknown -= set(ENTRY_POINT_GROUPS)
    for group in sorted(unknown - _loaded_groups):
        _loaded_groups.add(group)
        for entry_point in importlib.metadata.entry_points(group=group):
            suggestion = did_you_mean(group, ENTRY_POINT_GROUPS)
            reason = f"There is no entry-point group {group!r}. {suggestion}"
            failure = PluginFailure(group, entry_point.name, _package_of(entry_point), reason)
            _failures.append(failure)


def check_installed(packages: object, where: str) -> None:
    """Check that the packages which a scenario requires are installed.

    Args:
        packages: Names of packages; anything but a list of names is left to the schema.
        where: Field that lists them, for the error message.

    Raises:
        InputError: A package is not installed.
    """
    for number, package in enumerate(packages if isinstance(packages, list) else ()):
        is_name = isinstance(package, str) and _PACKAGE_NAME.fullmatch(package)
        if is_name and not is_installed(str(package)):
            raise InputError(
                f"{where}.{number}",
                f"package {package} is not installed",
                f"Install it with: pip install {package}.",
            )


def is_installed(package: str) -> bool:
    """Return whether a package is installed.

    Args:
        package: Name under which pip installs it.
    """
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def remember(kind: str, packages: Mapping[str, str]) -> None:
    """Store which packages provide components of a kind, to name a package after its removal.

    Args:
        kind: Kind of component, such as `mechanism`.
        packages: Package of each component that is installed now, by the component's name.
    """
    known = _remembered()
    # Components of packages that provide others now were renamed or removed by their authors.
    earlier = {
        name: package
        for name, package in known.get(kind, {}).items()
        if package not in packages.values()
    }
    updated = {**known, kind: {**earlier, **packages}}
    if packages and updated != known:
        with contextlib.suppress(OSError):  # The cache folder may be read-only.
            write_text(_memory_file(), json.dumps(updated, indent=1))


def explain_missing(name: str, groups: Collection[str], kind: str | None = None) -> tuple[str, str]:
    """Explain by plugins why there is no component of a name.

    Args:
        name: Name of the missing component.
        groups: Entry-point groups that could provide it.
        kind: Kind of the component, if it is known.

    Returns:
        A clause that names the package which provided the component before it was removed, and a
        fix. The clause is empty if there is no such package; the fix then says which plugins failed
        to load.
    """
    package = _recall(name, kind)
    if package is not None and not is_installed(package):
        clause = f"it came from package {package!r}, which is not installed"
        return clause, f"Install it with: pip install {package}."
    failures = plugin_failures(*groups) if groups else []
    described = (
        f"The plugin {failure.package.name} failed to load: {failure.reason}"
        for failure in failures
    )
    return "", " ".join(described)


def _recall(name: str, kind: str | None) -> str | None:
    """Return the package that once provided a component."""
    found = [
        packages[name]
        for known_kind, packages in _remembered().items()
        if kind in (None, known_kind) and name in packages
    ]
    return found[0] if found else None


@contextlib.contextmanager
def _entry_point_loading(entry_point: importlib.metadata.EntryPoint) -> Iterator[None]:
    """Attribute what a module registers to its package, and record its failure."""
    package = _package_of(entry_point)
    _loading.append(_Loading(entry_point.group, entry_point.name, package, []))
    try:
        yield
    except (Exception, SystemExit) as error:  # A broken plugin must not break the others.
        for module, undo in _loading[-1].undo:
            if module not in sys.modules:  # Python forgets a module whose import failed.
                undo()
        message = " ".join(str(error).split()).rstrip(".")
        name = type(error).__name__
        record_failure(f"{name}: {message}." if message else f"{name} without a message.")
    finally:
        _loading.pop()


def _load(module_name: str) -> None:
    """Import a module if it was written for this version of the plugin interface."""
    declared = _declared_version(importlib.import_module(module_name.partition(".")[0]))
    if declared is None or declared == PLUGIN_API_VERSION:
        module = importlib.import_module(module_name)
        declared = _declared_version(module) if declared is None else declared
    if declared != PLUGIN_API_VERSION:
        for _, undo in _loading[-1].undo:
            undo()
        record_failure(_version_reason(module_name, declared))


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
        return PluginPackage(_module_of(entry_point).partition(".")[0], "")
    return PluginPackage(str(distribution.name), str(distribution.version))


def _module_of(entry_point: importlib.metadata.EntryPoint) -> str:
    """Return the module of an entry point, whose property `module` fails if the value is wrong."""
    return entry_point.value.partition(":")[0].strip()


@cache
def _packages_by_top_level(path: tuple[str, ...]) -> dict[str, PluginPackage]:
    """Return the packages with entry points by their top-level module, for a search path."""
    groups = importlib.metadata.entry_points().groups
    return {
        _module_of(entry_point).partition(".")[0]: _package_of(entry_point)
        for group in groups
        if group.startswith(_GROUP_PREFIX)
        for entry_point in importlib.metadata.entry_points(group=group)
    }


def _memory_file() -> Path:
    return cache_dir() / "plugins.json"


def _remembered() -> dict[str, dict[str, str]]:
    """Return the package of every component seen so far, by kind and name."""
    try:
        content = json.loads(_memory_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    kinds = content.items() if isinstance(content, dict) else ()
    return {kind: packages for kind, packages in kinds if isinstance(packages, dict)}
