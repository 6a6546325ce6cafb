"""Which bus each home is on."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from prosumax.errors import InputError, did_you_mean
from prosumax.grid.feeder import Feeder

_RULES = ("one_per_load", "random")
_PURPOSE = 3  # keeps the draw apart from those of the network itself


def place_homes(
    feeder: Feeder,
    names: Sequence[str],
    placement: Mapping[str, str] | str,
    seed: int,
    where: str = "network.placement",
) -> NDArray[np.int64]:
    """Bus position of each home [home].

    Arguments:
        feeder: its buses that have a load take the homes; all but the source where none has one.
        names: of the homes.
        placement: bus of each home by name; or "one_per_load": in the order of the buses, spread evenly over them
            when there are fewer homes, several on one bus when there are more; or "random": drawn, no bus twice before
            every bus has been drawn once.
        seed: of the draw.
        where: field that asks, for messages.

    Raises:
        InputError: a home without a bus, or a name that does not exist.
    """
    if isinstance(placement, Mapping):
        return _by_name(feeder, names, placement, where)
    if placement not in _RULES:
        raise InputError(
            where, f"{placement!r} is no way to place homes", did_you_mean(placement, _RULES)
        )
    free = load_buses(feeder)
    homes = np.arange(len(names))
    if placement == "random":
        random = np.random.default_rng((seed, _PURPOSE))
        rounds = [random.permutation(free) for _ in range(-(-len(names) // len(free)))]
        return np.concatenate([*rounds, np.empty(0, np.int64)])[: len(names)]
    if len(names) < len(free):
        # The middle of each home's share of the buses, so that neither the near nor the far end is left out.
        return free[((2 * homes + 1) * len(free)) // (2 * len(names))]
    return free[homes % len(free)]


def load_buses(feeder: Feeder) -> NDArray[np.int64]:
    """Positions of the buses that homes are put on unless told otherwise."""
    loaded = (feeder.load_kw != 0) | (feeder.load_kvar != 0)
    if not loaded.any():
        loaded = np.arange(len(feeder.buses)) != feeder.source
    return np.flatnonzero(loaded)


def _by_name(
    feeder: Feeder, names: Sequence[str], placement: Mapping[str, str], where: str
) -> NDArray[np.int64]:
    for home in placement:
        if home not in names:
            raise InputError(
                f"{where}.{home}", f"there is no home called {home!r}", _listed(home, names)
            )
    missing = [name for name in names if name not in placement]
    if missing:
        raise InputError(
            where,
            f"gives no bus for {', '.join(repr(name) for name in missing[:5])}{', ..' if len(missing) > 5 else ''}",
            "Name the bus of every home, or write one_per_load.",
        )
    position = {bus: number for number, bus in enumerate(feeder.buses)}
    for home in names:
        if placement[home] not in position:
            raise InputError(
                f"{where}.{home}",
                f"network {feeder.name!r} has no bus called {placement[home]!r}",
                _listed(placement[home], feeder.buses),
            )
    return np.array([position[placement[home]] for home in names], np.int64)


def _listed(given: str, allowed: Sequence[str], most: int = 20) -> str:
    """`did_you_mean`, without listing thousands of buses."""
    said = did_you_mean(given, allowed)
    if len(allowed) <= most:
        return said
    return (
        said.partition("Allowed: ")[0]
        + f"There are {len(allowed)}: {', '.join(allowed[:most])}, .."
    )
