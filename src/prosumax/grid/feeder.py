"""A distribution feeder as engineers describe it: buses, branches, ratings; NumPy, double precision, host side."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from prosumax.errors import InputError

BASE_KVA = 1000.0
"""Apparent power of 1 pu, three-phase, in every network."""


@dataclass(frozen=True)
class Branches:
    """Lines and transformers, one entry each [branch]: an ideal transformer on the `from` side, then a pi circuit.

    Attributes:
        name: for reports.
        from_bus, to_bus: positions in `Feeder.buses`.
        is_transformer: others are lines (a regulator is a transformer).
        series_pu: impedance r + jx on `BASE_KVA` and the base voltage of `to_bus`; never zero.
        shunt_from_pu, shunt_to_pu: admittance g + jb at either end of the pi circuit (line charging, iron losses).
        ratio: off-nominal turns ratio at `from_bus`, 1 without tap: v_from = ratio * v_inside.
        rating_from_pu, rating_to_pu: current that counts as 100 % at either end, at the base voltage of that bus;
            infinite where unknown.
        length_km: 0 for a transformer.
    """

    name: tuple[str, ...]
    from_bus: NDArray[np.int64]
    to_bus: NDArray[np.int64]
    is_transformer: NDArray[np.bool_]
    series_pu: NDArray[np.complex128]
    shunt_from_pu: NDArray[np.complex128]
    shunt_to_pu: NDArray[np.complex128]
    ratio: NDArray[np.float64]
    rating_from_pu: NDArray[np.float64]
    rating_to_pu: NDArray[np.float64]
    length_km: NDArray[np.float64]


@dataclass(frozen=True)
class Feeder:
    """A network with one source, as a balanced (positive-sequence) equivalent.

    Attributes:
        name: for reports.
        buses: names, each once.
        base_kv: line-to-line voltage of 1 pu [bus].
        source: position of the bus at which the grid above holds the voltage.
        source_pu: that voltage.
        branches: lines and transformers; every bus is reached from the source.
        shunt_pu: constant admittance at a bus (capacitor banks) [bus].
        load_kw, load_kvar: the feeder's own nominal loads [bus]; homes are placed on buses that have one.
        x, y: position for drawing, any unit [bus].
        zone: name of the part of the network each bus belongs to.
        notes: what a user should know about the data.
    """

    name: str
    buses: tuple[str, ...]
    base_kv: NDArray[np.float64]
    source: int
    source_pu: float
    branches: Branches
    shunt_pu: NDArray[np.complex128]
    load_kw: NDArray[np.float64]
    load_kvar: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    zone: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    def check(self) -> "Feeder":
        """The feeder itself, if power can flow in it.

        Raises:
            InputError: a bus is named twice, a branch is degenerate, or part of the network is cut off.
        """
        branches = self.branches
        twice = [bus for bus, count in Counter(self.buses).items() if count > 1]
        if twice:
            raise InputError(
                f"network {self.name}", f"has two buses called {twice[0]!r}", "Name every bus once."
            )
        for number, name in enumerate(branches.name):
            ends = branches.from_bus[number], branches.to_bus[number]
            place = f"network {self.name}: branch {name}"
            if ends[0] == ends[1]:
                raise InputError(
                    place, f"starts and ends at bus {self.buses[ends[0]]!r}", "Connect two buses."
                )
            impedance = branches.series_pu[number]
            if not np.isfinite(impedance) or abs(impedance) == 0 or impedance.real < 0:
                raise InputError(
                    place,
                    f"has the impedance {impedance:g} pu (length {branches.length_km[number]:g} km)",
                    "Give it a length and a resistance above zero, or merge its two buses.",
                )
            if not (branches.rating_from_pu[number] > 0 and branches.rating_to_pu[number] > 0):
                raise InputError(
                    place, "has a rating that is not above zero", "Give its greatest current in kA."
                )
        seen = reached(len(self.buses), self.source, branches.from_bus, branches.to_bus)
        if not seen.all():
            lost = [self.buses[bus] for bus in np.flatnonzero(~seen)]
            raise InputError(
                f"network {self.name}",
                f"is not connected: {len(lost)} of {len(self.buses)} buses cannot be reached from"
                f" {self.buses[self.source]!r} ({', '.join(lost[:5])}{', ..' if len(lost) > 5 else ''})",
                "Add the missing lines or switches, or leave those buses out.",
            )
        return self


def reached(
    buses: int, source: int, from_bus: NDArray[np.int64], to_bus: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which buses hang together with the source [bus]."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(from_bus)), (from_bus, to_bus)), shape=(buses, buses))
    _, label = connected_components(graph, directed=False)
    return np.asarray(label == label[source])
