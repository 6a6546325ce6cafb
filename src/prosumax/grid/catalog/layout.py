"""Where buses are drawn, and which part of a feeder they belong to, from the wiring alone."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Positions = tuple[NDArray[np.float64], NDArray[np.float64]]
Ends = NDArray[np.int64]


class Tree(NamedTuple):
    """A network seen from its source; of a loop, the branch farthest from the source is left out.

    Attributes:
        order: buses from the source outwards, only those that are reached.
        parent: next bus towards the source, -1 at the source and where none is reached [bus].
    """

    order: NDArray[np.int64]
    parent: NDArray[np.int64]


def tree_of(buses: int, source: int, from_bus: Ends, to_bus: Ends) -> Tree:
    """Walk the network from its source, breadth first."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order

    graph = coo_array((np.ones(len(from_bus)), (from_bus, to_bus)), shape=(buses, buses)).tocsr()
    order, parent = breadth_first_order(graph, source, directed=False)
    return Tree(order.astype(np.int64), np.where(parent < 0, -1, parent).astype(np.int64))


def tree_layout(tree: Tree) -> Positions:
    """x: branches from the source; y: ends of the feeder one under the other, forks amid what hangs on them."""
    buses = len(tree.parent)
    order, parent = tree.order.tolist(), tree.parent.tolist()
    children: list[list[int]] = [[] for _ in range(buses)]
    for bus in order[1:]:
        children[parent[bus]].append(bus)
    x, y, ends = [0.0] * buses, [0.0] * buses, 0
    for bus in order[1:]:
        x[bus] = x[parent[bus]] + 1.0
    stack = order[:1]
    while stack:  # depth first, so that the ends of one part stay together
        bus = stack.pop()
        if children[bus]:
            stack.extend(reversed(children[bus]))
        else:
            y[bus], ends = -float(ends), ends + 1
    for bus in reversed(order):
        if children[bus]:
            y[bus] = sum(y[child] for child in children[bus]) / len(children[bus])
    return np.array(x), np.array(y)


def circle(buses: int) -> Positions:
    """Buses evenly on a circle, the first on top, clockwise."""
    angle = 2 * np.pi * np.arange(buses) / buses
    return np.sin(angle), np.cos(angle)


def parts(tree: Tree) -> tuple[str, ...]:
    """Parts of a feeder: "substation" up to the first fork, then "feeder 1" and so on, one per branch that leaves it.

    A network without fork is one feeder behind its source.
    """
    label = np.zeros(len(tree.parent), np.int64)
    counts = np.bincount(tree.parent[tree.order[1:]], minlength=len(tree.parent))
    fork = int(tree.order[0])
    while counts[fork] == 1:
        fork = int(np.flatnonzero(tree.parent == fork)[0])
    if counts[fork] == 0:
        fork = int(tree.order[0])
    found = 0
    for bus in tree.order[1:].tolist():
        above = int(tree.parent[bus])
        if above == fork:
            found += 1
            label[bus] = found
        else:
            label[bus] = label[above]
    return tuple("substation" if part == 0 else f"feeder {part}" for part in label.tolist())


def quarters(buses: int) -> tuple[str, ...]:
    """Zones of a generated network: the buses in four runs of equal length, as MARLEM has them."""
    return tuple(f"zone {1 + bus * 4 // buses}" for bus in range(buses))
