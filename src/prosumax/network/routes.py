"""Ways through a network: how far two buses are apart, and what trades put on the lines between them.

A trade between two homes takes the shortest path (the MARLEM paper, section 3.5). `TreePaths` knows a radial network of
any size; `TablePaths` lists the branches between every two places, for meshed ones.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.network.feeder import Feeder
from prosumax.network.wires import depth_first, is_radial

_MOST_TABLE_ENTRIES = 20_000_000


class TreePaths(NamedTuple):
    """Shortest paths of a radial network; buses in depth-first order, places are homes, then the source.

    Attributes:
        place: of each home and of the source [home + 1].
        away_km: distance from the source [bus].
        shallowest: by power of two, depth and parent of the shallowest of that many buses from each on [level, bus].
        jump: by power of two, the bus that many branches closer to the source [level, bus].
        hops: branches between each bus and the source [bus].
        branch_of: branch that feeds each bus [bus].
        last: one past the last bus behind each bus [bus].
    """

    place: Int[Array, " place"]
    away_km: Float[Array, " bus"]
    shallowest: Int[Array, "level bus"]
    jump: Int[Array, "level bus"]
    hops: Int[Array, " bus"]
    branch_of: Int[Array, " bus"]
    last: Int[Array, " bus"]

    def fork(self, a: Int[Array, " pair"], b: Int[Array, " pair"]) -> Int[Array, " pair"]:
        """Where the ways of two buses to the source meet: lowest common ancestor (Bender and Farach-Colton 2000)."""
        low, high = jnp.minimum(a, b), jnp.maximum(a, b)
        span = jnp.maximum(high - low, 1)
        level = 31 - jax.lax.clz(span)
        buses = self.hops.shape[0]
        first = self.shallowest[level, jnp.minimum(low + 1, buses - 1)]
        second = self.shallowest[level, high - (1 << level) + 1]
        return jnp.where(a == b, a, jnp.minimum(first, second) % buses)

    def distance_km(self, a: Int[Array, " pair"], b: Int[Array, " pair"]) -> Float[Array, " pair"]:
        """Length of the way between two places."""
        a, b = self.place[a], self.place[b]
        return self.away_km[a] + self.away_km[b] - 2 * self.away_km[self.fork(a, b)]

    def carried(
        self, a: Int[Array, " pair"], b: Int[Array, " pair"], kwh: Float[Array, " pair"]
    ) -> Float[Array, " branch"]:
        """Energy on every branch when each pair exchanges some, whatever the direction."""
        a, b = self.place[a], self.place[b]
        at_bus = jnp.zeros(self.hops.shape, kwh.dtype).at[a].add(kwh).at[b].add(kwh).at[self.fork(a, b)].add(-2 * kwh)
        total = jnp.cumsum(at_bus)
        behind = total[self.last - 1] - total + at_bus
        # Sums that cancel leave a trace of rounding; energy on a line is not negative.
        return jnp.zeros(len(self.hops) - 1, kwh.dtype).at[self.branch_of[1:]].set(jnp.maximum(behind[1:], 0.0))

    def worst(
        self, a: Int[Array, " pair"], b: Int[Array, " pair"], value: Float[Array, " branch"]
    ) -> Float[Array, " pair"]:
        """Largest value of the branches between two places; 0 where there are none."""
        a, b = self.place[a], self.place[b]
        fork = self.fork(a, b)
        here = jnp.concatenate([jnp.zeros(1, value.dtype), value[self.branch_of[1:]]])
        found = jnp.zeros(a.shape, value.dtype)
        from_a, from_b = self.hops[a] - self.hops[fork], self.hops[b] - self.hops[fork]
        for level in range(self.jump.shape[0]):
            for bus, steps in ((a, from_a), (b, from_b)):
                taken = (steps >> level) & 1 == 1
                found = jnp.where(taken, jnp.maximum(found, here[bus]), found)
            a = jnp.where((from_a >> level) & 1 == 1, self.jump[level, a], a)
            b = jnp.where((from_b >> level) & 1 == 1, self.jump[level, b], b)
            here = jnp.maximum(here, here[self.jump[level]])
        return found


class TablePaths(NamedTuple):
    """Shortest paths as a table between places: homes, then the source.

    Attributes:
        length_km: [place, place].
        listed: branches on the way, filled up with the number of branches [place, place, hop].
        branches: as many zeros as there are branches.
    """

    length_km: Float[Array, "place place"]
    listed: Int[Array, "place place hop"]
    branches: Float[Array, " branch"]

    def distance_km(self, a: Int[Array, " pair"], b: Int[Array, " pair"]) -> Float[Array, " pair"]:
        """Length of the way between two places."""
        return self.length_km[a, b]

    def carried(
        self, a: Int[Array, " pair"], b: Int[Array, " pair"], kwh: Float[Array, " pair"]
    ) -> Float[Array, " branch"]:
        """Energy on every branch when each pair exchanges some, whatever the direction."""
        way = self.listed[a, b]
        return self.branches.at[way].add(jnp.broadcast_to(kwh[:, None], way.shape), mode="drop")

    def worst(
        self, a: Int[Array, " pair"], b: Int[Array, " pair"], value: Float[Array, " branch"]
    ) -> Float[Array, " pair"]:
        """Largest value of the branches between two places; 0 where there are none."""
        return jnp.concatenate([value, jnp.zeros(1, value.dtype)])[self.listed[a, b]].max(-1, initial=0.0)


Paths = TreePaths | TablePaths


def paths_of(feeder: Feeder, home_bus: NDArray[np.int64]) -> Paths:
    """Shortest paths by length between homes, and to the source.

    Raises:
        InputError: a meshed network with so many homes that a table would not fit.
    """
    if is_radial(feeder):
        return tree_paths(feeder, home_bus)
    return table_paths(feeder, home_bus)


def tree_paths(feeder: Feeder, home_bus: NDArray[np.int64]) -> TreePaths:
    """Paths of a radial network, in memory that grows with buses times their logarithm."""
    order, parent, branch_of, last = depth_first(feeder)
    buses = len(order)
    rank = np.empty(buses, np.int64)
    rank[order] = np.arange(buses)
    away, hops = np.zeros(buses), np.zeros(buses, np.int64)
    length = feeder.branches.length_km[branch_of] if buses > 1 else np.zeros(1)
    for bus in range(1, buses):
        away[bus], hops[bus] = away[parent[bus]] + length[bus], hops[parent[bus]] + 1
    levels = max(1, math.ceil(math.log2(max(buses, 2))) + 1)
    # The key sorts by depth first and carries the parent: the fork of two buses is the parent of the shallowest bus
    # between them. int32 holds it up to 46 000 buses even when they hang in one line.
    shallowest = np.empty((levels, buses), np.int64)
    shallowest[0] = hops * buses + parent
    jumps = max(1, int(hops.max()).bit_length())
    jump = np.empty((jumps, buses), np.int64)
    jump[0] = parent
    for level in range(1, levels):
        reach = 1 << (level - 1)
        shallowest[level] = shallowest[level - 1]
        shallowest[level, : buses - reach] = np.minimum(
            shallowest[level - 1, : buses - reach], shallowest[level - 1, reach:]
        )
    for level in range(1, jumps):
        jump[level] = jump[level - 1][jump[level - 1]]
    return TreePaths(
        jnp.asarray(rank[np.append(home_bus, feeder.source)], jnp.int32),
        jnp.asarray(away, jnp.float32),
        *(jnp.asarray(part, jnp.int32) for part in (shallowest, jump, hops, branch_of, last)),
    )


class Shortest(NamedTuple):
    """Shortest ways from some buses to all, by length.

    Attributes:
        km: length [start, bus].
        before: last bus before each on the way to it [start, bus].
        feeding: the branch between two neighbouring buses, either way round; of parallel ones the shortest.
    """

    km: NDArray[np.float64]
    before: NDArray[np.int64]
    feeding: dict[tuple[int, int], int]


def shortest(feeder: Feeder, starts: NDArray[np.int64]) -> Shortest:
    """Search from every start (Dijkstra 1959)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    b, buses = feeder.branches, len(feeder.buses)
    # Transformers have no length; a micrometre keeps them from vanishing in the sparse matrix.
    length = np.maximum(b.length_km, 1e-9)
    feeding: dict[tuple[int, int], int] = {}
    for number, ends in enumerate(zip(b.from_bus.tolist(), b.to_bus.tolist(), strict=True)):
        for pair in (ends, ends[::-1]):
            if pair not in feeding or length[number] < length[feeding[pair]]:
                feeding[pair] = number
    pairs = np.array(list(feeding))
    graph = coo_array((length[list(feeding.values())], (pairs[:, 0], pairs[:, 1])), shape=(buses, buses)).tocsr()
    km, before = dijkstra(graph, indices=starts, return_predecessors=True)
    return Shortest(km, before, feeding)


def table_paths(feeder: Feeder, home_bus: NDArray[np.int64]) -> TablePaths:
    """Paths of any network, as a table between places."""
    places, branches = np.append(home_bus, feeder.source), len(feeder.branches.name)
    distance, before, feeding = shortest(feeder, places)
    ways: dict[tuple[int, int], list[int]] = {}
    for a in range(len(places)):
        for z, bus in enumerate(places.tolist()):
            way: list[int] = []
            while bus != places[a]:
                above = int(before[a, bus])
                way.append(feeding[above, bus])
                bus = above
            ways[a, z] = way
    longest = max(1, max(map(len, ways.values())))
    if longest * len(ways) > _MOST_TABLE_ENTRIES:
        what = f"is meshed, and the paths between {len(home_bus):,} homes would fill {longest * len(ways):,} entries"
        raise InputError(
            f"network {feeder.name}", what, "Use fewer homes, a radial network, or flow linear without fees."
        )
    listed = np.full((len(places), len(places), longest), branches)
    for (a, z), way in ways.items():
        listed[a, z, : len(way)] = way
    return TablePaths(
        jnp.asarray(distance[:, places], jnp.float32),
        jnp.asarray(listed, jnp.int32),
        jnp.zeros(branches, jnp.float32),
    )
