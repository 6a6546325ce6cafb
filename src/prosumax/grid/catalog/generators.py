"""Networks drawn from a seed: line, ring, star, tree and mesh of low-voltage cable.

The lengths follow MARLEM's networks: the mean length times 0.5 + U(0, 1), drawn for each line.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.grid.catalog.cables import LV_KV, NAYY_4X150, lines
from prosumax.grid.catalog.layout import Positions, circle, quarters, tree_layout, tree_of
from prosumax.grid.feeder import Feeder

NOMINAL_KW = 2.0
"""Nominal load of every bus but the source: what a few hundred homes draw at their common peak, each."""

NOMINAL_POWER_FACTOR = 0.95
MOST_MESH_BUSES = 60

_Ends = tuple[NDArray[np.int64], NDArray[np.int64]]
_LENGTHS, _TREE = 1, 2  # what the seed is drawn for, so that one draw does not shift the other


def generate(kind: str, buses: int, section_km: float, seed: int, where: str = "network") -> Feeder:
    """A network of NAYY 4x150 cable at 0.4 kV, its first bus the source, 2 kW at power factor 0.95 on every other.

    Arguments:
        kind: "line", "ring" (the last bus is connected to the source), "star" (every bus on the source), "tree"
            (every bus hangs on a random earlier one) or "mesh" (every pair of buses is connected).
        buses: how many, source included.
        section_km: mean length of a line.
        seed: of the lengths and of the tree.
        where: field that asks, for messages.

    Raises:
        InputError: too few buses, or too many for a mesh.
    """
    least = 3 if kind == "ring" else 2
    if buses < least:
        raise InputError(
            f"{where}.buses", f"is {buses}", f"A {kind} needs at least {least}, source included."
        )
    ends, place = _SHAPES[kind]
    from_bus, to_bus = ends(buses, seed, where)
    length = section_km * (0.5 + np.random.default_rng((seed, _LENGTHS)).random(len(from_bus)))
    names = ("source", *(f"bus {bus}" for bus in range(1, buses)))
    load = np.full(buses, NOMINAL_KW)
    load[0] = 0.0
    x, y = place(buses, from_bus, to_bus)
    return Feeder(
        name=f"{kind} of {buses} buses",
        buses=names,
        base_kv=np.full(buses, LV_KV),
        source=0,
        source_pu=1.0,
        branches=lines(
            [
                f"{names[a]} - {names[b]}"
                for a, b in zip(from_bus.tolist(), to_bus.tolist(), strict=True)
            ],
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
        zone=quarters(buses),
        notes=(
            f"Generated: NAYY 4x150 cable at {LV_KV:g} kV, mean length {1000 * section_km:g} m, seed {seed}.",
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
    return (np.random.default_rng((seed, _TREE)).random(buses - 1) * to_bus).astype(
        np.int64
    ), to_bus


def _mesh(buses: int, seed: int, where: str) -> _Ends:
    if buses > MOST_MESH_BUSES:
        raise InputError(
            f"{where}.buses",
            f"a mesh of {buses} buses would have {buses * (buses - 1) // 2} lines, one between every two buses",
            f"Take at most {MOST_MESH_BUSES} buses, or another kind: ring, tree, line or star.",
        )
    from_bus, to_bus = np.triu_indices(buses, k=1)
    return from_bus.astype(np.int64), to_bus.astype(np.int64)


def _in_a_row(buses: int, from_bus: NDArray[np.int64], to_bus: NDArray[np.int64]) -> Positions:
    return np.arange(buses, dtype=np.float64), np.zeros(buses)


def _in_a_circle(buses: int, from_bus: NDArray[np.int64], to_bus: NDArray[np.int64]) -> Positions:
    return circle(buses)


def _around(buses: int, from_bus: NDArray[np.int64], to_bus: NDArray[np.int64]) -> Positions:
    x, y = circle(buses - 1)
    return np.concatenate([[0.0], x]), np.concatenate([[0.0], y])


def _as_tree(buses: int, from_bus: NDArray[np.int64], to_bus: NDArray[np.int64]) -> Positions:
    return tree_layout(tree_of(buses, 0, from_bus, to_bus))


_Shape = tuple[
    Callable[[int, int, str], _Ends],
    Callable[[int, NDArray[np.int64], NDArray[np.int64]], Positions],
]
_SHAPES: dict[str, _Shape] = {
    "line": (_line, _in_a_row),
    "ring": (_ring, _in_a_circle),
    "star": (_star, _around),
    "tree": (_tree, _as_tree),
    "mesh": (_mesh, _in_a_circle),
}
