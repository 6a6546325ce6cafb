"""Distribution feeders as engineers describe them: buses, branches and ratings.

Feeders live on the host, as NumPy arrays in double precision.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from prosumax.errors import InputError

BASE_KVA = 1000.0
"""Three-phase apparent power of 1 pu in every network."""


@dataclass(frozen=True)
class Branches:
    """Lines and transformers, each an ideal transformer on the `from` side and a pi circuit.

    All arrays have one entry per branch.

    Attributes:
        name: Names for reports.
        from_bus: Positions in `Feeder.buses`.
        to_bus: Positions in `Feeder.buses`.
        is_transformer: Whether the branch is a transformer or regulator; others are lines.
        series_pu: Impedance r + jx on `BASE_KVA` and the base voltage of `to_bus`; never zero.
        shunt_from_pu: Admittance g + jb of the pi circuit at the `from` end (line charging, iron
            losses).
        shunt_to_pu: The same at the `to` end.
        ratio: Off-nominal turns ratio at `from_bus`, 1 without tap: v_from = ratio * v_inside.
        rating_from_pu: Rated current at the `from` end, at the base voltage of that bus; infinite
            where unknown.
        rating_to_pu: The same at the `to` end.
        length_km: Length; 0 for a transformer.
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
        name: Name for reports.
        buses: Bus names, each once.
        base_kv: Line-to-line voltage of 1 pu [bus].
        source_bus: Position of the bus at which the upstream grid holds the voltage.
        source_voltage_pu: That voltage.
        branches: Lines and transformers; every bus is reachable from the source.
        shunt_pu: Constant admittance at a bus, such as capacitor banks [bus].
        load_kw: Nominal active load [bus]; homes are placed on buses that have one.
        load_kvar: Nominal reactive load [bus].
        x: Horizontal position for drawing, in any unit [bus].
        y: Vertical position for drawing [bus].
        zone: Name of the zone of each bus.
        notes: Remarks on the data for users.
    """

    name: str
    buses: tuple[str, ...]
    base_kv: NDArray[np.float64]
    source_bus: int
    source_voltage_pu: float
    branches: Branches
    shunt_pu: NDArray[np.complex128]
    load_kw: NDArray[np.float64]
    load_kvar: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    zone: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    def validate(self) -> "Feeder":
        """Check that power can flow in the feeder.

        Returns:
            The feeder itself.

        Raises:
            InputError: If a bus name occurs twice, a branch is degenerate, or part of the network
                is not connected.
        """
        branches = self.branches
        duplicates = [bus for bus, count in Counter(self.buses).items() if count > 1]
        if duplicates:
            raise InputError(
                f"network {self.name}",
                f"the network has two buses called {duplicates[0]!r}",
                "Give every bus a unique name.",
            )
        for number, name in enumerate(branches.name):
            self._validate_branch(number, f"network {self.name}: branch {name}")
        is_reachable = reachable_buses(
            len(self.buses), self.source_bus, branches.from_bus, branches.to_bus
        )
        if not is_reachable.all():
            isolated = [self.buses[bus] for bus in np.flatnonzero(~is_reachable)]
            listed = ", ".join(isolated[:5]) + (", .." if len(isolated) > 5 else "")
            raise InputError(
                f"network {self.name}",
                f"the network is not connected: {len(isolated)} of {len(self.buses)} buses"
                " cannot be reached"
                f" from {self.buses[self.source_bus]!r} ({listed})",
                "Add the missing lines or switches, or remove those buses.",
            )
        return self

    def _validate_branch(self, number: int, where: str) -> None:
        branches = self.branches
        from_bus = branches.from_bus[number]
        if from_bus == branches.to_bus[number]:
            raise InputError(
                where,
                f"the branch starts and ends at bus {self.buses[from_bus]!r}",
                "Connect two different buses.",
            )
        impedance = branches.series_pu[number]
        if not np.isfinite(impedance) or abs(impedance) == 0 or impedance.real < 0:
            raise InputError(
                where,
                f"the branch has the impedance {impedance:g} pu (length"
                f" {branches.length_km[number]:g} km)",
                "Give it a length and a resistance above zero, or merge its two buses.",
            )
        if not (branches.rating_from_pu[number] > 0 and branches.rating_to_pu[number] > 0):
            raise InputError(
                where,
                "the branch has a rating that is not above zero",
                "Give its maximum current in kA.",
            )


def reachable_buses(
    buses: int, source: int, from_bus: NDArray[np.int64], to_bus: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return whether each bus is connected to the source [bus].

    Args:
        buses: Number of buses.
        source: Position of the source.
        from_bus: Start of each branch.
        to_bus: End of each branch.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(from_bus)), (from_bus, to_bus)), shape=(buses, buses))
    _, label = connected_components(graph, directed=False)
    return np.asarray(label == label[source])
