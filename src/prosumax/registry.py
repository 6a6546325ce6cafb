"""Registries of named components that scenarios refer to.

A component registers itself in the file that defines it, so adding one adds one file. Scenarios are
validated against these registries and the command line lists their entries.
"""

from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

from prosumax.errors import InputError, did_you_mean

T = TypeVar("T")


class RegistryEntry(NamedTuple, Generic[T]):
    """A registered component with its one-line summary."""

    component: T
    summary: str


class Registry(Generic[T]):
    """Components of one kind by name, in order of registration.

    Args:
        kind: Name of the kind in messages, such as `mechanism`.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, RegistryEntry[T]] = {}

    def register(self, name: str, summary: str) -> Callable[[T], T]:
        """Return a decorator that makes a component available under a name.

        Args:
            name: Unique name of the component.
            summary: One line for listings.

        Raises:
            ValueError: If the name is already registered.
        """

        def add(component: T) -> T:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is already registered.")
            self._entries[name] = RegistryEntry(component, summary)
            return component

        return add

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
        if name not in self._entries:
            problem = f"there is no {self.kind} {name!r}"
            raise InputError(where, problem, did_you_mean(name, self._entries))

    def summaries(self) -> dict[str, str]:
        """Return the one-line summary of every component by name."""
        return {name: entry.summary for name, entry in self._entries.items()}

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)
