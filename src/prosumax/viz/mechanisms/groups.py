"""Groups of mechanisms with the same outcome, in an order that a reader can follow."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from prosumax.metrics.records import HouseholdKPIs
from prosumax.simulation.results.result import Result
from prosumax.viz.parts import Values
from prosumax.viz.text import CENT, mechanism_label

Results = Mapping[str, Result]

ORDER = (
    "Mechanisms are listed from the highest saving of all homes together to the lowest; where that"
    " is the same, by the saving of the home that saves least. Mechanisms joined by = give every"
    " home the same trade and the same bill, to the cent."
)
_NAMES_ON_AXIS = 3
_OFF_SCALE = 3
"""Ratio to the next one from which a mechanism would squeeze all others on a common axis."""


class MechanismGroup(NamedTuple):
    """Mechanisms under which every home trades and pays the same.

    Attributes:
        names: Names of the mechanisms.
        result: Result of the first of them.
    """

    names: tuple[str, ...]
    result: Result

    @property
    def label(self) -> str:
        """All names: `a = b = c`."""
        return " = ".join(mechanism_label(name) for name in self.names)

    @property
    def axis_label(self) -> str:
        """Names for an axis, on three lines at most."""
        shown = self.names[:_NAMES_ON_AXIS]
        more = len(self.names) - _NAMES_ON_AXIS
        if more > 0:
            shown = shown[:-1]
            more += 1
        parts = [mechanism_label(name) for name in shown]
        return "\n= ".join([*parts, f"{more} more"] if more > 0 else parts)

    @property
    def short_label(self) -> str:
        """Name for a point or a legend: `a = 3 more`."""
        more = len(self.names) - 1
        return mechanism_label(self.names[0]) + (f" = {more} more" if more else "")

    @property
    def currency(self) -> str:
        """Currency of all amounts."""
        return self.result.scenario.tariff.currency

    @property
    def total_saving(self) -> float:
        """Saving of all homes together."""
        return float(self.result.kpis["saving"])

    @property
    def lowest_saving(self) -> float:
        """Saving of the home that saves least."""
        return float(self.savings.min())

    @property
    def savings(self) -> Values:
        """Saving of every home [home]."""
        return np.array([home["saving"] for home in self.result.households])

    @property
    def losers(self) -> list[HouseholdKPIs]:
        """Homes that are worse off than without exchange, the worst first."""
        losing = [home for home in self.result.households if home["saving"] <= -CENT]
        return sorted(losing, key=lambda home: home["saving"])

    @property
    def outside_money(self) -> float:
        """External subsidy of the community; negative when the operator keeps money."""
        return float(-self.result.kpis["mechanism_revenue"])


def group_mechanisms(results: Results) -> list[MechanismGroup]:
    """Group mechanisms with the same outcome; they are ordered as `ORDER` says."""
    members: list[tuple[Values, list[str]]] = []
    for name, result in results.items():
        outcome = _outcome(result)
        matches = (names for known, names in members if np.abs(known - outcome).max() < CENT)
        same = next(matches, None)
        if same is None:
            members.append((outcome, [name]))
        else:
            same.append(name)
    groups = [MechanismGroup(tuple(names), results[names[0]]) for _, names in members]
    return sorted(
        groups, key=lambda group: (-round(group.total_saving, 2), -round(group.lowest_saving, 2))
    )


def listed(groups: Sequence[MechanismGroup]) -> str:
    """Return `first mechanism`, `first and second`, or `first and 20 other mechanisms`."""
    names = [mechanism_label(name) for group in groups for name in group.names]
    if len(names) <= 2:
        return " and ".join(names)
    return f"{names[0]} and {len(names) - 1} other mechanisms"


def highest(
    groups: Sequence[MechanismGroup], figure: Callable[[MechanismGroup], float]
) -> tuple[float, list[MechanismGroup]]:
    """Return the highest value of an amount of money, and the groups that have it to the cent."""
    value = max(map(figure, groups))
    return value, [group for group in groups if value - figure(group) < CENT]


def scale_reach(reach: Sequence[float]) -> float:
    """Return how far an axis reaches without squeezing most mechanisms for a few distant ones.

    Args:
        reach: Distance from zero of each mechanism, >= 0.

    Returns:
        The largest distance that is within three times the next one; at most a quarter of the
        mechanisms is left beyond.
    """
    ranked = sorted(reach, reverse=True)
    far = [i for i in range(len(ranked) // 4) if ranked[i] > _OFF_SCALE * ranked[i + 1] > 0]
    return ranked[far[-1] + 1 if far else 0]


def _outcome(result: Result) -> Values:
    """Return the amounts that must be equal for two mechanisms to be one group."""
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
