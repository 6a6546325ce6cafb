"""Named, pluggable pieces: what a scenario may call by name, with one line on each.

A piece registers itself where it is written, so adding one is adding one file; the scenario checks names here and the
command line lists them from here.
"""

from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

from prosumax.errors import InputError, did_you_mean

T = TypeVar("T")


class Entry(NamedTuple, Generic[T]):
    """A registered piece and the line that describes it."""

    piece: T
    summary: str


class Registry(Generic[T]):
    """Pieces of one kind by name, in order of registration."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry[T]] = {}

    def register(self, name: str, summary: str) -> Callable[[T], T]:
        """Decorator that makes a piece available under `name`.

        Raises:
            ValueError: the name is taken.
        """

        def add(piece: T) -> T:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._entries[name] = Entry(piece, summary)
            return piece

        return add

    def get(self, name: str, where: str) -> T:
        """The piece called `name`; `where` is the field that named it, for the message.

        Raises:
            InputError: there is none; the message has the nearest name.
        """
        self.check(name, where)
        return self._entries[name].piece

    def check(self, name: str, where: str) -> None:
        """Raise `InputError` unless `name` exists."""
        if name not in self._entries:
            raise InputError(
                where, f"there is no {self.kind} {name!r}", did_you_mean(name, self._entries)
            )

    def summaries(self) -> dict[str, str]:
        """Name -> one line."""
        return {name: entry.summary for name, entry in self._entries.items()}

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)
