"""Placement of homes on the buses of a feeder."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from prosumax.errors import InputError, did_you_mean
from prosumax.grid.feeder import Feeder

_RULES = ("one_per_load", "random")
_MAX_LISTED_NAMES = 20

# Random stream of the placement, which keeps it apart from the draws of the network itself.
_PLACEMENT_STREAM = 3


def place_homes(
    feeder: Feeder,
    names: Sequence[str],
    placement: Mapping[str, str] | str,
    seed: int,
    where: str = "network.placement",
) -> NDArray[np.int64]:
    """Return the bus position of each home.

    Args:
        feeder: The feeder; homes are placed on its buses with load, or on all but the source if no
            bus has a load.
        names: Names of the homes.
        placement: Bus of each home by name; or "one_per_load": in the order of the buses, spread
            evenly over them if there are fewer homes, several on one bus if there are more; or
            "random": drawn, with no bus used twice before every bus is used once.
        seed: Seed of a random placement.
        where: Field of the scenario, for messages.

    Returns:
        Bus positions [home].

    Raises:
        InputError: If a home has no bus, or a name does not exist.
    """
    if isinstance(placement, Mapping):
        return _place_by_name(feeder, names, placement, where)
    if placement not in _RULES:
        raise InputError(
            where, f"{placement!r} is not a placement rule", did_you_mean(placement, _RULES)
        )
    buses = load_buses(feeder)
    homes = np.arange(len(names))
    if placement == "random":
        rng = np.random.default_rng((seed, _PLACEMENT_STREAM))
        rounds = [rng.permutation(buses) for _ in range(-(-len(names) // len(buses)))]
        return np.concatenate([*rounds, np.empty(0, np.int64)])[: len(names)]
    if len(names) < len(buses):
        # The middle of each home's share of the buses, so that neither end is left out.
        return buses[((2 * homes + 1) * len(buses)) // (2 * len(names))]
    return buses[homes % len(buses)]


def load_buses(feeder: Feeder) -> NDArray[np.int64]:
    """Return the positions of the buses on which homes are placed by default.

    Args:
        feeder: The feeder.
    """
    has_load = (feeder.load_kw != 0) | (feeder.load_kvar != 0)
    if not has_load.any():
        has_load = np.arange(len(feeder.buses)) != feeder.source_bus
    return np.flatnonzero(has_load)


def _place_by_name(
    feeder: Feeder, names: Sequence[str], placement: Mapping[str, str], where: str
) -> NDArray[np.int64]:
    for home in placement:
        if home not in names:
            raise InputError(
                f"{where}.{home}", f"there is no home called {home!r}", _suggest(home, names)
            )
    missing = [name for name in names if name not in placement]
    if missing:
        listed = ", ".join(repr(name) for name in missing[:5]) + (", .." if missing[5:] else "")
        raise InputError(
            where,
            f"the list has no bus for {listed}",
            "Name the bus of every home, or use one_per_load.",
        )
    position = {bus: number for number, bus in enumerate(feeder.buses)}
    for home in names:
        if placement[home] not in position:
            raise InputError(
                f"{where}.{home}",
                f"network {feeder.name!r} has no bus called {placement[home]!r}",
                _suggest(placement[home], feeder.buses),
            )
    return np.array([position[placement[home]] for home in names], np.int64)


def _suggest(name: str, allowed: Sequence[str]) -> str:
    """Suggest the nearest name as `did_you_mean` does, without listing thousands of buses."""
    suggestion = did_you_mean(name, allowed)
    if len(allowed) <= _MAX_LISTED_NAMES:
        return suggestion
    nearest = suggestion.partition("Allowed: ")[0]
    listed = ", ".join(allowed[:_MAX_LISTED_NAMES])
    return f"{nearest}There are {len(allowed)}: {listed}, .."
