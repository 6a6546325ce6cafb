"""Rules side by side: those with the same outcome are one row, in an order that a reader can follow."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from prosumax.metrics import HouseholdKPIs
from prosumax.report import text
from prosumax.simulation.results.result import Result

Results = Mapping[str, Result]

ORDER = (
    "Rules stand from the highest saving of all homes together to the lowest; where that is the same, by the saving of "
    "the home that saves least. Rules joined by = give every home the same trade and the same bill, to the cent."
)
_SHOWN_NAMES = 3
_OFF_SCALE = 3  # times as far as the next: such a rule would squeeze all others together


class Group(NamedTuple):
    """Rules under which every home trades and pays the same; `result` is that of the first."""

    names: tuple[str, ...]
    result: Result

    @property
    def label(self) -> str:
        """All names: `a = b = c`."""
        return " = ".join(text.rule(name) for name in self.names)

    @property
    def short(self) -> str:
        """For an axis, on three lines at most."""
        shown, more = self.names[:_SHOWN_NAMES], len(self.names) - _SHOWN_NAMES
        if more > 0:
            shown, more = shown[:-1], more + 1
        parts = [text.rule(name) for name in shown]
        return "\n= ".join([*parts, f"{more} more"] if more > 0 else parts)

    @property
    def brief(self) -> str:
        """For a point or a key: `a = 3 more`."""
        return text.rule(self.names[0]) + (
            f" = {len(self.names) - 1} more" if len(self.names) > 1 else ""
        )

    @property
    def currency(self) -> str:
        """Of all money."""
        return self.result.scenario.tariff.currency

    @property
    def total(self) -> float:
        """What all homes save together."""
        return float(self.result.kpis["saving"])

    @property
    def lowest(self) -> float:
        """What the home that saves least saves."""
        return float(self.savings.min())

    @property
    def savings(self) -> np.ndarray:
        """Of every home, money."""
        return np.array([home["saving"] for home in self.result.households])

    @property
    def losers(self) -> list[HouseholdKPIs]:
        """Homes that are worse off than without exchange, the worst first."""
        losing = [home for home in self.result.households if home["saving"] <= -text.CENT]
        return sorted(losing, key=lambda home: home["saving"])

    @property
    def outside(self) -> float:
        """Money that comes from outside the community; negative when the operator keeps some."""
        return float(-self.result.kpis["mechanism_revenue"])


def grouped(results: Results) -> list[Group]:
    """Rules with the same outcome together; order as in `ORDER`."""
    members: list[tuple[np.ndarray, list[str]]] = []
    for name, result in results.items():
        outcome = _outcome(result)
        same = next(
            (names for known, names in members if np.abs(known - outcome).max() < text.CENT), None
        )
        if same is None:
            members.append((outcome, [name]))
        else:
            same.append(name)
    groups = [Group(tuple(names), results[names[0]]) for _, names in members]
    return sorted(groups, key=lambda g: (-round(g.total, 2), -round(g.lowest, 2)))


def listed(groups: Sequence[Group]) -> str:
    """`first rule`, `first and second`, or `first and 20 other rules`."""
    names = [text.rule(name) for group in groups for name in group.names]
    if len(names) <= 2:
        return " and ".join(names)
    return f"{names[0]} and {len(names) - 1} other rules"


def most(groups: Sequence[Group], figure: Callable[[Group], float]) -> tuple[float, list[Group]]:
    """The highest value of a figure in money, and the groups that have it, to the cent."""
    highest = max(map(figure, groups))
    return highest, [group for group in groups if highest - figure(group) < text.CENT]


def scale_reach(reach: Sequence[float]) -> float:
    """How far an axis reaches so that a few rules far beyond all others do not squeeze them together.

    Arguments:
        reach: distance from zero of each rule, >= 0.

    Returns:
        The largest distance that is within thrice the next one; at most a quarter of the rules is left beyond.
    """
    ranked = sorted(reach, reverse=True)
    far = [i for i in range(len(ranked) // 4) if ranked[i] > _OFF_SCALE * ranked[i + 1] > 0]
    return ranked[far[-1] + 1 if far else 0]


def _outcome(result: Result) -> np.ndarray:
    """What must be equal for two rules to be one row."""
    return np.array(
        [
            (
                home["bill"],
                home["bought_locally_kwh"],
                home["sold_locally_kwh"],
                home["bill_items"]["bought_locally"],
                home["bill_items"]["sold_locally"],
            )
            for home in result.households
        ]
    )
