"""The exception for invalid input that a user can correct."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Error in something the user supplied, with its location, the problem and the fix.

    The message reads `<where>: <problem>. <fix>`. The command line prints it as one paragraph and
    exits with code 2.

    Args:
        where: Location in the user's terms: a field (`homes.2.battery.capacity_kwh`), a file and
            line, or a command-line option.
        problem: Statement of the invalid value, without a final period.
        fix: Sentence that says how to correct the input.
    """

    def __init__(self, where: str, problem: str, fix: str) -> None:
        self.where = where
        self.problem = problem
        self.fix = fix
        super().__init__(f"{where}: {problem.rstrip('.')}. {fix}")


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Suggest the closest allowed name and list all allowed names.

    Args:
        name: Name that does not exist.
        allowed: Names that exist.

    Returns:
        Text for the `fix` of an `InputError`; empty when nothing is allowed.
    """
    names = list(allowed)
    lowercase = [candidate.lower() for candidate in names]
    matches = get_close_matches(name.lower(), lowercase, n=1, cutoff=0.6)
    listing = f"Allowed: {', '.join(names)}." if names else ""
    if not matches:
        return listing
    closest = names[lowercase.index(matches[0])]
    return f"Did you mean {closest!r}? {listing}".strip()
