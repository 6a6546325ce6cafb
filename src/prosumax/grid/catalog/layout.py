"""Bus positions for drawing, and zones of a feeder, from its topology."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Positions = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Horizontal and vertical position of each bus."""

Ends = NDArray[np.int64]
"""Bus at one end of each branch."""


class SpanningTree(NamedTuple):
    """Breadth-first spanning tree of a network from its source.

    Of a loop, the branch farthest from the source is left out.

    Attributes:
        order: Buses from the source outwards; unreachable buses are missing.
        parent: Next bus toward the source, -1 at the source and at unreachable buses [bus].
    """

    order: NDArray[np.int64]
    parent: NDArray[np.int64]


def spanning_tree(buses: int, source: int, from_bus: Ends, to_bus: Ends) -> SpanningTree:
    """Build the breadth-first spanning tree of a network.

    Args:
        buses: Number of buses.
        source: Position of the source.
        from_bus: Start of each branch.
        to_bus: End of each branch.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order

    graph = coo_array((np.ones(len(from_bus)), (from_bus, to_bus)), shape=(buses, buses)).tocsr()
    order, parent = breadth_first_order(graph, source, directed=False)
    return SpanningTree(order.astype(np.int64), np.where(parent < 0, -1, parent).astype(np.int64))


def tree_layout(tree: SpanningTree) -> Positions:
    """Draw a feeder as a tree.

    The horizontal position is the number of branches from the source. Leaves lie below each other,
    and forks lie at the mean of their children.

    Args:
        tree: Spanning tree of the feeder.
    """
    buses = len(tree.parent)
    order = tree.order.tolist()
    parent = tree.parent.tolist()
    children: list[list[int]] = [[] for _ in range(buses)]
    for bus in order[1:]:
        children[parent[bus]].append(bus)
    x = [0.0] * buses
    y = [0.0] * buses
    leaves = 0
    for bus in order[1:]:
        x[bus] = x[parent[bus]] + 1.0
    # Depth first, so that the leaves of one subtree are adjacent.
    stack = order[:1]
    while stack:
        bus = stack.pop()
        if children[bus]:
            stack.extend(reversed(children[bus]))
        else:
            y[bus] = -float(leaves)
            leaves += 1
    for bus in reversed(order):
        if children[bus]:
            y[bus] = sum(y[child] for child in children[bus]) / len(children[bus])
    return np.array(x), np.array(y)


def circle_layout(buses: int) -> Positions:
    """Place buses evenly on a circle, clockwise from the top.

    Args:
        buses: Number of buses.
    """
    angle = 2 * np.pi * np.arange(buses) / buses
    return np.sin(angle), np.cos(angle)


def feeder_zones(tree: SpanningTree) -> tuple[str, ...]:
    """Name the zones of a feeder by the branches that leave its first fork.

    Buses up to the first fork are "substation", the others "feeder 1" and so on. A network without
    a fork is one feeder behind its source.

    Args:
        tree: Spanning tree of the feeder.

    Returns:
        Zone of each bus.
    """
    label = np.zeros(len(tree.parent), np.int64)
    children = np.bincount(tree.parent[tree.order[1:]], minlength=len(tree.parent))
    fork = int(tree.order[0])
    while children[fork] == 1:
        fork = int(np.flatnonzero(tree.parent == fork)[0])
    if children[fork] == 0:
        fork = int(tree.order[0])
    zones = 0
    for bus in tree.order[1:].tolist():
        parent = int(tree.parent[bus])
        if parent == fork:
            zones += 1
            label[bus] = zones
        else:
            label[bus] = label[parent]
    return tuple("substation" if zone == 0 else f"feeder {zone}" for zone in label.tolist())


def quarter_zones(buses: int) -> tuple[str, ...]:
    """Divide the buses of a generated network into four zones of equal size, as MARLEM does.

    Args:
        buses: Number of buses.

    Returns:
        Zone of each bus.
    """
    return tuple(f"zone {1 + bus * 4 // buses}" for bus in range(buses))
