"""Registries of named components that scenarios refer to.

A component registers itself in the file that defines it, so adding one adds one file. A registry
imports the files of its package, and those of installed plugins, when it is first asked. Scenarios
are validated against these registries and the command line lists their entries.
"""

import importlib
import pkgutil
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from functools import partial
from types import ModuleType
from typing import Generic, NamedTuple, TypeVar, cast

from prosumax.errors import InputError, did_you_mean
from prosumax.plugins import (
    PLUGIN_API_VERSION,
    PluginFailure,
    PluginPackage,
    current_package,
    explain_missing,
    load_entry_points,
    package_of_module,
    plugin_failures,
    record_failure,
    record_registration,
    remember,
)

__all__ = [
    "PLUGIN_API_VERSION",
    "PluginFailure",
    "PluginPackage",
    "Registry",
    "RegistryEntry",
    "open_registries",
    "packages_providing",
]

T = TypeVar("T")

_LOCK = threading.RLock()
"""Lock of all loading, because a module may register into several registries."""


_REGISTRIES: list["Registry[object]"] = []
"""Every registry that plugins may extend."""


class RegistryEntry(NamedTuple, Generic[T]):
    """A registered component with its one-line summary.

    Attributes:
        component: The component.
        summary: One line for listings.
        origin: Installed package that registered it; `None` for prosumax and the user's own code.
    """

    component: T
    summary: str
    origin: PluginPackage | None = None


class Registry(Generic[T]):
    """Components of one kind by name, in order of registration.

    The first lookup, iteration or listing imports all modules of `package`, and then the modules
    that installed packages declare under the entry-point group `group`. Registering does not load
    plugins.

    Args:
        kind: Name of the kind in messages, such as `mechanism`.
        group: Entry-point group of plugins, such as `prosumax.mechanisms`.
        package: Package of prosumax whose modules, also those of its sub-packages, register the
            components that ship.
        base: Class of the components, or base class of components that are classes; `None` accepts
            everything.
    """

    def __init__(
        self,
        kind: str,
        *,
        group: str | None = None,
        package: str | None = None,
        base: type | None = None,
    ) -> None:
        self.kind = kind
        self.group = group
        self._base = base
        self._package = package
        self._entries: dict[str, RegistryEntry[T]] = {}
        self._has_shipped = package is None
        self._has_plugins = group is None
        self._is_loading = False
        if group is not None:
            _REGISTRIES.append(cast(Registry[object], self))

    def register(self, name: str, summary: str) -> Callable[[T], T]:
        """Return a decorator that makes a component available under a name.

        A plugin cannot replace a component: where a name is taken while the plugin is loaded, its
        component is left out and the failure is recorded.

        Args:
            name: Unique name of the component.
            summary: One line for listings.

        Raises:
            ValueError: If the name is already registered, or the component conflicts otherwise.
            TypeError: If the component is of another class than the registry's `base`.
        """
        module = _registering_module()
        ships = _is_ours(module)
        origin = None if ships else current_package() or package_of_module(module)

        def add(component: T) -> T:
            self._check_class(name, component)
            if not ships:
                self._load_shipped()
            problem = self.conflict(name, component)
            if not problem:
                self._entries[name] = RegistryEntry(component, summary, origin)
                if not ships:
                    record_registration(module, partial(self._entries.pop, name))
            elif ships or current_package() is None:
                raise ValueError(f"{problem}.")
            else:
                record_failure(f"The {problem}. A plugin cannot replace it; rename it there.")
            return component

        return add

    def conflict(self, name: str, component: T) -> str:
        """Return why a component cannot be added to the registered ones; empty if it can.

        Args:
            name: Name of the component.
            component: Component to add.
        """
        entry = self._entries.get(name)
        if entry is None:
            return ""
        owner = "" if entry.origin is None else f" by {entry.origin.name}"
        return f"{self.kind} {name!r} is already registered{owner}"

    def _check_class(self, name: str, component: T) -> None:
        """Raise `TypeError` unless a component is of the registry's class."""
        base = self._base
        is_subclass = base and isinstance(component, type) and issubclass(component, base)
        if base is not None and not is_subclass and not isinstance(component, base):
            given = type(component).__name__
            raise TypeError(f"{self.kind} {name!r} must be of class {base.__name__}, got {given}.")

    def get(self, name: str, where: str) -> T:
        """Return the component registered under a name.

        Args:
            name: Name of the component.
            where: Field that refers to the component, for the error message.

        Raises:
            InputError: If the name is not registered; the message suggests the closest name.
        """
        self.check(name, where)
        return self._entries[name].component

    def check(self, name: str, where: str) -> None:
        """Raise `InputError` unless a name is registered.

        Args:
            name: Name of the component.
            where: Field that refers to the component, for the error message.
        """
        if name not in self:
            raise self._unknown(name, where)

    def _unknown(self, name: str, where: str) -> InputError:
        """Return the error for a name that is not registered."""
        problem = f"there is no {self.kind} {name!r}"
        groups = () if self.group is None else (self.group,)
        removed, hint = explain_missing(name, groups, self.kind)
        if removed:
            return InputError(where, f"{problem}; {removed}", hint)
        return InputError(where, problem, f"{did_you_mean(name, self._entries)} {hint}".strip())

    def summaries(self) -> dict[str, str]:
        """Return the one-line summary of every component by name."""
        return {name: entry.summary for name, entry in self.entries().items()}

    def entries(self) -> dict[str, RegistryEntry[T]]:
        """Return every component with its summary and origin, by name."""
        self.load()
        return dict(self._entries)

    def origin(self, name: str) -> PluginPackage | None:
        """Return the installed package that provides a component.

        Args:
            name: Name of a registered component.

        Returns:
            The package; `None` for a component that ships with prosumax or that the user's own code
            registered.
        """
        self.load()
        return self._entries[name].origin

    def failures(self) -> list[PluginFailure]:
        """Return the plugins of this kind that failed to load."""
        self.load()
        return [] if self.group is None else plugin_failures(self.group)

    def load(self) -> None:
        """Import the modules that register components, unless it was done before."""
        if self._has_plugins and self._has_shipped:
            return
        with _LOCK:
            self._load_shipped()
            if self._has_plugins or self._is_loading or self.group is None:
                return
            self._is_loading = True  # A module of a plugin may look up components while it loads.
            try:
                load_entry_points(self.group)
                self._has_plugins = True
                remember(self.kind, self._packages())
            finally:
                self._is_loading = False

    def _load_shipped(self) -> None:
        if self._has_shipped or self._package is None:
            return
        with _LOCK:
            if self._has_shipped or self._is_loading:
                return
            self._is_loading = True  # A module of the package may look up components.
            try:
                _import_all(importlib.import_module(self._package))
                self._has_shipped = True
            finally:
                self._is_loading = False

    def references(self, name: str) -> Collection[str]:
        """Return the names by which a scenario refers to a component.

        Args:
            name: Name of a registered component.
        """
        return (name,)

    def _packages(self) -> dict[str, str]:
        """Return the package of every component of a plugin, by the names in a scenario."""
        return {
            reference: entry.origin.name
            for name, entry in self._entries.items()
            if entry.origin is not None
            for reference in self.references(name)
        }

    def packages_providing(self, names: Collection[str]) -> set[str]:
        """Return the packages of plugins that provide some of the given names.

        Args:
            names: Names that may be names of components.
        """
        self.load()
        return {package for name, package in self._packages().items() if name in names}

    def __contains__(self, name: object) -> bool:
        self.load()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries())


def open_registries() -> list[Registry[object]]:
    """Return the registries that plugins may extend, as far as their modules are imported."""
    return list(_REGISTRIES)


def packages_providing(names: Collection[str]) -> set[str]:
    """Return the installed packages that provide components with some of the given names.

    Only registries whose modules are imported count.

    Args:
        names: Names that may be names of components of any kind.
    """
    return {package for registry in _REGISTRIES for package in registry.packages_providing(names)}


def _registering_module() -> str:
    """Return the name of the module that registers a component.

    This is the nearest caller outside prosumax, since prosumax has functions that register for
    their caller; where a module of prosumax is being imported, it is that module.
    """
    frame = sys._getframe(2)
    module = str(frame.f_globals.get("__name__", ""))
    while _is_ours(module):
        caller = frame.f_back
        if caller is None or caller.f_code.co_filename.startswith("<frozen importlib"):
            break
        frame = caller
        module = str(frame.f_globals.get("__name__", ""))
    return module


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "prosumax"


def _import_all(package: ModuleType) -> None:
    """Import every module of a package, also those of its sub-packages, in alphabetical order."""
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        imported = importlib.import_module(module.name)
        if module.ispkg:
            _import_all(imported)
