"""Generated low-voltage networks: line, ring, star, tree and mesh.

Lengths follow MARLEM's networks: the mean length times 0.5 + U(0, 1), drawn for each line.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.grid.catalog.cables import LV_KV, NAYY_4X150, line_branches
from prosumax.grid.catalog.layout import (
    Positions,
    circle_layout,
    quarter_zones,
    spanning_tree,
    tree_layout,
)
from prosumax.grid.feeder import Feeder

NOMINAL_LOAD_KW = 2.0
"""Nominal load of every bus but the source: the per-home peak of a few hundred homes."""

NOMINAL_POWER_FACTOR = 0.95
MAX_MESH_BUSES = 60

# Random streams of a seed, so that one draw does not shift the other.
_LENGTH_STREAM = 1
_TREE_STREAM = 2

_Ends = tuple[NDArray[np.int64], NDArray[np.int64]]
_Topology = Callable[[int, int, str], _Ends]
_Layout = Callable[[int, NDArray[np.int64], NDArray[np.int64]], Positions]


def generate_feeder(
    kind: str, buses: int, mean_line_km: float, seed: int, where: str = "network"
) -> Feeder:
    """Generate a network of NAYY 4x150 cable at 0.4 kV.

    The first bus is the source; every other bus has a load of 2 kW at power factor 0.95.

    Args:
        kind: "line", "ring" (the last bus is connected to the source), "star" (every bus is
            connected to the source), "tree" (every bus is connected to a random earlier one) or
            "mesh" (all pairs of buses are connected).
        buses: Number of buses, source included.
        mean_line_km: Mean length of a line.
        seed: Seed of the lengths and of the tree.
        where: Field of the scenario, for messages.

    Raises:
        InputError: If there are too few buses, or too many for a mesh.
    """
    minimum = 3 if kind == "ring" else 2
    if buses < minimum:
        raise InputError(
            f"{where}.num_buses",
            f"the number must be at least {minimum}, got {buses}",
            f"A {kind} needs at least {minimum}, source included.",
        )
    topology, layout = _KINDS[kind]
    from_bus, to_bus = topology(buses, seed, where)
    rng = np.random.default_rng((seed, _LENGTH_STREAM))
    length = mean_line_km * (0.5 + rng.random(len(from_bus)))
    names = ("source", *(f"bus {bus}" for bus in range(1, buses)))
    load = np.full(buses, NOMINAL_LOAD_KW)
    load[0] = 0.0
    x, y = layout(buses, from_bus, to_bus)
    ends = zip(from_bus.tolist(), to_bus.tolist(), strict=True)
    return Feeder(
        name=f"{kind} of {buses} buses",
        buses=names,
        base_kv=np.full(buses, LV_KV),
        source_bus=0,
        source_voltage_pu=1.0,
        branches=line_branches(
            [f"{names[a]} - {names[b]}" for a, b in ends],
            from_bus,
            to_bus,
            r_ohm=NAYY_4X150.r_ohm_per_km * length,
            x_ohm=NAYY_4X150.x_ohm_per_km * length,
            c_nf=NAYY_4X150.c_nf_per_km * length,
            max_a=NAYY_4X150.max_a,
            kv=LV_KV,
            length_km=length,
        ),
        shunt_pu=np.zeros(buses, np.complex128),
        load_kw=load,
        load_kvar=load * np.tan(np.arccos(NOMINAL_POWER_FACTOR)),
        x=x,
        y=y,
        zone=quarter_zones(buses),
        notes=(
            f"Generated: NAYY 4x150 cable at {LV_KV:g} kV, mean length {1000 * mean_line_km:g} m,"
            f" seed {seed}.",
        ),
    )


def _line(buses: int, seed: int, where: str) -> _Ends:
    return np.arange(buses - 1), np.arange(1, buses)


def _ring(buses: int, seed: int, where: str) -> _Ends:
    return np.arange(buses), (np.arange(buses) + 1) % buses


def _star(buses: int, seed: int, where: str) -> _Ends:
    return np.zeros(buses - 1, np.int64), np.arange(1, buses)


def _tree(buses: int, seed: int, where: str) -> _Ends:
    to_bus = np.arange(1, buses)
    rng = np.random.default_rng((seed, _TREE_STREAM))
    return (rng.random(buses - 1) * to_bus).astype(np.int64), to_bus


def _mesh(buses: int, seed: int, where: str) -> _Ends:
    if buses > MAX_MESH_BUSES:
        lines = buses * (buses - 1) // 2
        raise InputError(
            f"{where}.num_buses",
            f"a mesh of {buses} buses would have {lines} lines, one between every two buses",
            f"Use at most {MAX_MESH_BUSES} buses, or another kind: ring, tree, line or star.",
        )
    from_bus, to_bus = np.triu_indices(buses, k=1)
    return from_bus.astype(np.int64), to_bus.astype(np.int64)


def _row_layout(buses: int, from_bus: NDArray[np.int64], to_bus: NDArray[np.int64]) -> Positions:
    return np.arange(buses, dtype=np.float64), np.zeros(buses)


def _ring_layout(buses: int, from_bus: NDArray[np.int64], to_bus: NDArray[np.int64]) -> Positions:
    return circle_layout(buses)


def _star_layout(buses: int, from_bus: NDArray[np.int64], to_bus: NDArray[np.int64]) -> Positions:
    x, y = circle_layout(buses - 1)
    return np.concatenate([[0.0], x]), np.concatenate([[0.0], y])


def _branching_layout(
    buses: int, from_bus: NDArray[np.int64], to_bus: NDArray[np.int64]
) -> Positions:
    return tree_layout(spanning_tree(buses, 0, from_bus, to_bus))


_KINDS: dict[str, tuple[_Topology, _Layout]] = {
    "line": (_line, _row_layout),
    "ring": (_ring, _ring_layout),
    "star": (_star, _star_layout),
    "tree": (_tree, _branching_layout),
    "mesh": (_mesh, _ring_layout),
}
