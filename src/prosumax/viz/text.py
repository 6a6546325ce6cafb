"""English phrases that charts and reports share: counts, dates, lists of names and mechanisms."""

from collections.abc import Sequence

import pandas as pd

CENT = 0.005
"""Amounts of money below half a cent count as zero."""


def plural(count: int, noun: str) -> str:
    """Return `1 home` or `8 homes`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def several(names: Sequence[str], limit: int = 3) -> str:
    """Return `a, b, c and 4 more`."""
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")


def round_percentages(parts: Sequence[float]) -> list[int]:
    """Return shares of the sum as whole numbers that add up to 100 (largest remainders)."""
    whole = sum(parts)
    if whole <= 0:
        return [0] * len(parts)
    exact = [100 * part / whole for part in parts]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(len(parts)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: 100 - sum(counts)]:
        counts[i] += 1
    return counts


def day(moment: pd.Timestamp) -> str:
    """Return a date as in `5 June 2023`."""
    return f"{moment.day} {moment:%B %Y}"


def days(first: pd.Timestamp, last: pd.Timestamp) -> str:
    """Return a range of dates as in `5 to 11 June 2023`, as short as possible."""
    if first.date() == last.date():
        return day(first)
    if first.year != last.year:
        return f"{day(first)} to {day(last)}"
    start = str(first.day) if first.month == last.month else f"{first.day} {first:%B}"
    return f"{start} to {day(last)}"


def moment(when: pd.Timestamp) -> str:
    """Return a time as in `5 June 2023 at 18:15`."""
    return f"{day(when)} at {when:%H:%M}"


def mechanism_label(mechanism: str) -> str:
    """Return the name of a mechanism for readers."""
    return "none (no exchange)" if mechanism == "none" else mechanism
