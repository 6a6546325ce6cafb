"""Shortest paths through a network: distances, and the load that trades put on branches.

A trade between two homes takes the shortest path (MARLEM, section 3.5). `TreePaths` serves
radial networks of any size, `PairPaths` precomputes all pairs of places of a radial network with
up to a thousand homes, and `TablePaths` lists the branches between all places of a meshed network.
"""

import math
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.grid.feeder import Feeder
from prosumax.grid.power_flow.models import depth_first_order, is_radial

_MAX_TABLE_ENTRIES = 20_000_000
_MAX_PAIRED_HOMES = 1000  # 28 MB

# Transformers have no length; this keeps them from vanishing in a sparse matrix.
_MIN_LENGTH_KM = 1e-9

PairExchange = tuple[Int[Array, "_"], Int[Array, "_"], Float[Array, "_"]]
"""Pairs of places (start, end) and the energy that each pair exchanges."""


class TreePaths(NamedTuple):
    """Shortest paths of a radial network with buses in depth-first order.

    Places are the homes, then the source.

    Attributes:
        place_bus: Bus of each place.
        source_distance_km: Distance from the source [bus].
        lca_table: For each power of two, depth and parent of the shallowest of that many buses
            from each bus on, packed into one integer [level, bus].
        ancestor: For each power of two, the bus that many branches closer to the source
            [level, bus].
        depth: Branches between each bus and the source [bus].
        feeding_branch: Branch that feeds each bus [bus].
        fed_bus: Bus that each branch feeds [branch].
        subtree_end: One past the last bus of the subtree of each bus [bus].
    """

    place_bus: Int[Array, " place"]
    source_distance_km: Float[Array, " bus"]
    lca_table: Int[Array, "level bus"]
    ancestor: Int[Array, "level bus"]
    depth: Int[Array, " bus"]
    feeding_branch: Int[Array, " bus"]
    fed_bus: Int[Array, " branch"]
    subtree_end: Int[Array, " bus"]

    def common_ancestor(
        self, a: Int[Array, " pair"], b: Int[Array, " pair"]
    ) -> Int[Array, " pair"]:
        """Return the lowest common ancestor of two buses.

        Args:
            a: First bus of each pair.
            b: Second bus of each pair.

        References:
            Bender and Farach-Colton 2000, The LCA Problem Revisited.
        """
        low = jnp.minimum(a, b)
        high = jnp.maximum(a, b)
        span = jnp.maximum(high - low, 1)
        level = 31 - jax.lax.clz(span)
        buses = self.depth.shape[0]
        first = self.lca_table[level, jnp.minimum(low + 1, buses - 1)]
        second = self.lca_table[level, high - (1 << level) + 1]
        return jnp.where(a == b, a, jnp.minimum(first, second) % buses)

    def distance_km(self, a: Int[Array, " pair"], b: Int[Array, " pair"]) -> Float[Array, " pair"]:
        """Return the length of the path between two places.

        Args:
            a: First place of each pair.
            b: Second place of each pair.
        """
        a = self.place_bus[a]
        b = self.place_bus[b]
        shared = self.source_distance_km[self.common_ancestor(a, b)]
        return self.source_distance_km[a] + self.source_distance_km[b] - 2 * shared

    def branch_flow(self, *exchanges: PairExchange) -> Float[Array, " branch"]:
        """Return the energy on every branch, regardless of direction.

        Args:
            *exchanges: Pairs of places and their energy.
        """
        groups = []
        for start, end, kwh in exchanges:
            a = self.place_bus[start]
            b = self.place_bus[end]
            groups.append((a, b, self.common_ancestor(a, b), kwh))
        return _branch_flow(self, groups)

    def max_on_path(
        self, a: Int[Array, " pair"], b: Int[Array, " pair"], value: Float[Array, " branch"]
    ) -> Float[Array, " pair"]:
        """Return the largest value of the branches on each path; 0 for an empty path.

        Args:
            a: First place of each pair.
            b: Second place of each pair.
            value: Value of each branch, >= 0.
        """
        a = self.place_bus[a]
        b = self.place_bus[b]
        ancestor = self.common_ancestor(a, b)
        run_max = _at_fed_bus(self, value)
        largest = jnp.zeros(a.shape, value.dtype)
        a_steps = self.depth[a] - self.depth[ancestor]
        b_steps = self.depth[b] - self.depth[ancestor]
        for level in range(self.ancestor.shape[0]):
            for bus, steps in ((a, a_steps), (b, b_steps)):
                is_taken = (steps >> level) & 1 == 1
                largest = jnp.where(is_taken, jnp.maximum(largest, run_max[bus]), largest)
            a = jnp.where((a_steps >> level) & 1 == 1, self.ancestor[level, a], a)
            b = jnp.where((b_steps >> level) & 1 == 1, self.ancestor[level, b], b)
            run_max = jnp.maximum(run_max, run_max[self.ancestor[level]])
        return largest


class TablePaths(NamedTuple):
    """Shortest paths as a table between places: homes, then the source.

    Attributes:
        length_km: Length of each path [place, place].
        path_branches: Branches of each path, padded with the number of branches
            [place, place, hop].
        zero_flow: Zeros, one per branch.
    """

    length_km: Float[Array, "place place"]
    path_branches: Int[Array, "place place hop"]
    zero_flow: Float[Array, " branch"]

    def distance_km(self, a: Int[Array, " pair"], b: Int[Array, " pair"]) -> Float[Array, " pair"]:
        """Return the length of the path between two places.

        Args:
            a: First place of each pair.
            b: Second place of each pair.
        """
        return self.length_km[a, b]

    def branch_flow(self, *exchanges: PairExchange) -> Float[Array, " branch"]:
        """Return the energy on every branch, regardless of direction.

        Args:
            *exchanges: Pairs of places and their energy.
        """
        total = self.zero_flow
        for a, b, kwh in exchanges:
            path = self.path_branches[a, b]
            total = total.at[path].add(jnp.broadcast_to(kwh[:, None], path.shape), mode="drop")
        return total

    def max_on_path(
        self, a: Int[Array, " pair"], b: Int[Array, " pair"], value: Float[Array, " branch"]
    ) -> Float[Array, " pair"]:
        """Return the largest value of the branches on each path; 0 for an empty path.

        Args:
            a: First place of each pair.
            b: Second place of each pair.
            value: Value of each branch, >= 0.
        """
        padded = jnp.concatenate([value, jnp.zeros(1, value.dtype)])
        return padded[self.path_branches[a, b]].max(-1, initial=0.0)


class PairPaths(NamedTuple):
    """Shortest paths of a radial network with all pairs of places precomputed.

    Fields that are not listed are those of `TreePaths`.

    Attributes:
        pair_distance_km: Length of the path of pair number `a * places + b` [pair].
        common_ancestor: Lowest common ancestor of each pair [pair].
        path_runs: Four runs of branches, `level * buses + bus`, that cover the path together; a
            run of level l covers 2^l branches upwards from its bus, and runs may overlap
            [pair, run].
        ancestor: As in `TreePaths`, with one level fewer [level, bus].
    """

    place_bus: Int[Array, " place"]
    pair_distance_km: Float[Array, " pair"]
    common_ancestor: Int[Array, " pair"]
    path_runs: Int[Array, "pair run"]
    ancestor: Int[Array, "level bus"]
    feeding_branch: Int[Array, " bus"]
    fed_bus: Int[Array, " branch"]
    subtree_end: Int[Array, " bus"]

    def _pair(self, a: Int[Array, " pair"], b: Int[Array, " pair"]) -> Int[Array, " pair"]:
        return a * self.place_bus.shape[0] + b

    def distance_km(self, a: Int[Array, " pair"], b: Int[Array, " pair"]) -> Float[Array, " pair"]:
        """Return the length of the path between two places.

        Args:
            a: First place of each pair.
            b: Second place of each pair.
        """
        return self.pair_distance_km[self._pair(a, b)]

    def branch_flow(self, *exchanges: PairExchange) -> Float[Array, " branch"]:
        """Return the energy on every branch, regardless of direction.

        Args:
            *exchanges: Pairs of places and their energy.
        """
        groups = []
        for a, b, kwh in exchanges:
            ancestor = self.common_ancestor[self._pair(a, b)]
            groups.append((self.place_bus[a], self.place_bus[b], ancestor, kwh))
        return _branch_flow(self, groups)

    def max_on_path(
        self, a: Int[Array, " pair"], b: Int[Array, " pair"], value: Float[Array, " branch"]
    ) -> Float[Array, " pair"]:
        """Return the largest value of the branches on each path; 0 for an empty path.

        Args:
            a: First place of each pair.
            b: Second place of each pair.
            value: Value of each branch, >= 0.
        """
        levels = [_at_fed_bus(self, value)]
        for up in self.ancestor:
            levels.append(jnp.maximum(levels[-1], levels[-1][up]))
        run_max = jnp.concatenate(levels)
        runs = self.path_runs[self._pair(a, b)]
        return reduce(jnp.maximum, [run_max[runs[:, run]] for run in range(runs.shape[1])])


def _at_fed_bus(
    paths: TreePaths | PairPaths, value: Float[Array, " branch"]
) -> Float[Array, " bus"]:
    """Return the value of the branch that feeds each bus; 0 at the source."""
    return jnp.concatenate([jnp.zeros(1, value.dtype), value[paths.feeding_branch[1:]]])


def _branch_flow(
    paths: TreePaths | PairPaths, groups: Sequence[tuple[Array, Array, Array, Array]]
) -> Float[Array, " branch"]:
    """Return the energy on every branch from buses, common ancestors and energy of pairs."""
    at_bus = jnp.zeros(paths.subtree_end.shape, groups[0][-1].dtype)
    for a, b, ancestor, kwh in groups:
        at_bus = at_bus.at[a].add(kwh).at[b].add(kwh).at[ancestor].add(-2 * kwh)
    total = jnp.cumsum(at_bus)
    # Sums that cancel leave rounding errors; the energy on a branch is not negative.
    subtree = total[paths.subtree_end - 1] - total + at_bus
    return jnp.maximum(subtree, 0.0)[paths.fed_bus]


Paths = TreePaths | PairPaths | TablePaths


def build_paths(feeder: Feeder, home_bus: NDArray[np.int64]) -> Paths:
    """Build the shortest paths by length between homes, and to the source.

    Args:
        feeder: The network.
        home_bus: Bus of each home.

    Raises:
        InputError: If a meshed network has too many homes for a table.
    """
    if not is_radial(feeder):
        return table_paths(feeder, home_bus)
    paths = tree_paths(feeder, home_bus)
    return paths if len(home_bus) > _MAX_PAIRED_HOMES else pair_paths(paths)


def tree_paths(feeder: Feeder, home_bus: NDArray[np.int64]) -> TreePaths:
    """Build the paths of a radial network, in memory of n log n for n buses.

    Args:
        feeder: The network, radial.
        home_bus: Bus of each home.
    """
    order, parent, feeding_branch, subtree_end = depth_first_order(feeder)
    buses = len(order)
    position = np.empty(buses, np.int64)
    position[order] = np.arange(buses)
    distance = np.zeros(buses)
    depth = np.zeros(buses, np.int64)
    length = feeder.branches.length_km[feeding_branch] if buses > 1 else np.zeros(1)
    for bus in range(1, buses):
        distance[bus] = distance[parent[bus]] + length[bus]
        depth[bus] = depth[parent[bus]] + 1
    levels = max(1, math.ceil(math.log2(max(buses, 2))) + 1)
    # The packed key sorts by depth and carries the parent: the common ancestor of two buses is the
    # parent of the shallowest bus between them. int32 holds it up to 46 000 buses in one line.
    lca_table = np.empty((levels, buses), np.int64)
    lca_table[0] = depth * buses + parent
    for level in range(1, levels):
        reach = 1 << (level - 1)
        previous = lca_table[level - 1]
        lca_table[level] = previous
        lca_table[level, : buses - reach] = np.minimum(previous[: buses - reach], previous[reach:])
    ancestor_levels = max(1, int(depth.max()).bit_length())
    ancestor = np.empty((ancestor_levels, buses), np.int64)
    ancestor[0] = parent
    for level in range(1, ancestor_levels):
        ancestor[level] = ancestor[level - 1][ancestor[level - 1]]
    fed_bus = np.empty(buses - 1, np.int64)
    fed_bus[feeding_branch[1:]] = np.arange(1, buses)
    return TreePaths(
        place_bus=jnp.asarray(position[np.append(home_bus, feeder.source_bus)], jnp.int32),
        source_distance_km=jnp.asarray(distance, jnp.float32),
        lca_table=jnp.asarray(lca_table, jnp.int32),
        ancestor=jnp.asarray(ancestor, jnp.int32),
        depth=jnp.asarray(depth, jnp.int32),
        feeding_branch=jnp.asarray(feeding_branch, jnp.int32),
        fed_bus=jnp.asarray(fed_bus, jnp.int32),
        subtree_end=jnp.asarray(subtree_end, jnp.int32),
    )


def pair_paths(paths: TreePaths) -> PairPaths:
    """Precompute all pairs of places; memory grows with the square of the places.

    Args:
        paths: Paths of a radial network.
    """
    places = paths.place_bus.shape[0]
    number = jnp.arange(places * places, dtype=jnp.int32)
    a = number // places
    b = number % places
    up = np.asarray(paths.ancestor)
    depth = np.asarray(paths.depth)
    place_bus = np.asarray(paths.place_bus)
    buses = len(depth)
    ancestor = np.asarray(paths.common_ancestor(paths.place_bus[a], paths.place_bus[b]))
    runs = []
    for bus in (place_bus[np.asarray(a)], place_bus[np.asarray(b)]):
        length = depth[bus] - depth[ancestor]
        level = np.where(length > 0, np.int64(np.log2(np.maximum(length, 1))), 0)
        # The second run starts so far up that both runs together end at the common ancestor.
        second = bus.copy()
        offset = length - (1 << level)
        for power in range(len(up)):
            is_taken = (offset > 0) & ((offset >> power) & 1 == 1)
            second = np.where(is_taken, up[power][second], second)
        # An empty path is the run of the source, whose value is zero.
        runs += [np.where(length > 0, level * buses + start, 0) for start in (bus, second)]
    levels = max(int(part.max()) // buses for part in runs)
    return PairPaths(
        place_bus=paths.place_bus,
        pair_distance_km=paths.distance_km(a, b),
        common_ancestor=jnp.asarray(ancestor, jnp.int32),
        path_runs=jnp.asarray(np.stack(runs, axis=1), jnp.int32),
        ancestor=paths.ancestor[:levels],
        feeding_branch=paths.feeding_branch,
        fed_bus=paths.fed_bus,
        subtree_end=paths.subtree_end,
    )


class ShortestPaths(NamedTuple):
    """Shortest paths by length from some buses to all buses.

    Attributes:
        km: Length [start, bus].
        predecessor: Last bus before each bus on the path to it [start, bus].
        connecting_branch: Branch between two adjacent buses, in either order; of parallel branches
            the shortest.
    """

    km: NDArray[np.float64]
    predecessor: NDArray[np.int64]
    connecting_branch: dict[tuple[int, int], int]


def shortest_paths(feeder: Feeder, starts: NDArray[np.int64]) -> ShortestPaths:
    """Search the shortest paths from every start bus.

    Args:
        feeder: The network.
        starts: Start buses.

    References:
        Dijkstra 1959, A note on two problems in connexion with graphs.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    b = feeder.branches
    buses = len(feeder.buses)
    length = np.maximum(b.length_km, _MIN_LENGTH_KM)
    connecting: dict[tuple[int, int], int] = {}
    for number, ends in enumerate(zip(b.from_bus.tolist(), b.to_bus.tolist(), strict=True)):
        for pair in (ends, ends[::-1]):
            if pair not in connecting or length[number] < length[connecting[pair]]:
                connecting[pair] = number
    pairs = np.array(list(connecting))
    lengths = length[list(connecting.values())]
    graph = coo_array((lengths, (pairs[:, 0], pairs[:, 1])), shape=(buses, buses)).tocsr()
    km, predecessor = dijkstra(graph, indices=starts, return_predecessors=True)
    return ShortestPaths(km, predecessor, connecting)


def table_paths(feeder: Feeder, home_bus: NDArray[np.int64]) -> TablePaths:
    """Build the paths of any network as a table between places.

    Args:
        feeder: The network.
        home_bus: Bus of each home.

    Raises:
        InputError: If the table would be too large.
    """
    places = np.append(home_bus, feeder.source_bus)
    branches = len(feeder.branches.name)
    distance, predecessor, connecting = shortest_paths(feeder, places)
    paths: dict[tuple[int, int], list[int]] = {}
    for a in range(len(places)):
        for b, bus in enumerate(places.tolist()):
            path: list[int] = []
            while bus != places[a]:
                previous = int(predecessor[a, bus])
                path.append(connecting[previous, bus])
                bus = previous
            paths[a, b] = path
    longest = max(1, max(map(len, paths.values())))
    entries = longest * len(paths)
    if entries > _MAX_TABLE_ENTRIES:
        raise InputError(
            f"network {feeder.name}",
            f"the network is meshed, and the paths between {len(home_bus):,} homes need"
            f" {entries:,} entries",
            "Use fewer homes, a radial network, or flow linear without fees.",
        )
    listed = np.full((len(places), len(places), longest), branches)
    for (a, b), path in paths.items():
        listed[a, b, : len(path)] = path
    return TablePaths(
        length_km=jnp.asarray(distance[:, places], jnp.float32),
        path_branches=jnp.asarray(listed, jnp.int32),
        zero_flow=jnp.zeros(branches, jnp.float32),
    )
