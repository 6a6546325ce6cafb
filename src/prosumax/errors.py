"""The one error a user of prosumax meets for a mistake that they can mend."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Something the user gave is wrong; the message says where, what, and what to do.

    Arguments:
        where: the place, as the user knows it: a field (`homes[2].battery.capacity_kwh`), a file and line, an option.
        what: what was found there.
        cure: what to do about it, as one sentence.

    The command line prints the message as one paragraph and exits with code 2.
    """

    def __init__(self, where: str, what: str, cure: str) -> None:
        self.where, self.what, self.cure = where, what, cure
        super().__init__(f"{where}: {what.rstrip('.')}. {cure}")


def did_you_mean(given: str, allowed: Iterable[str]) -> str:
    """One sentence that lists what is allowed, led by the nearest name when one is near.

    Arguments:
        given: the name that was not found.
        allowed: the names that exist.
    """
    names = list(allowed)
    near = get_close_matches(given.lower(), [name.lower() for name in names], n=1, cutoff=0.6)
    listing = f"Allowed: {', '.join(names)}." if names else ""
    if not near:
        return listing
    best = next(name for name in names if name.lower() == near[0])
    return f"Did you mean {best!r}? {listing}".strip()
