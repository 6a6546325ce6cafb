"""Ways through a network: how far two buses are apart, and what trades put on the lines between them.

A trade between two homes takes the shortest path (the MARLEM paper, section 3.5). `TreePaths` knows a radial network of
any size; `PairPaths` has looked up everything about every two places of one, up to a thousand; `TablePaths` lists the
branches between every two places of a meshed one.
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
from prosumax.grid.power_flow.wires import depth_first, is_radial

_MOST_TABLE_ENTRIES = 20_000_000
_MOST_PAIRED_HOMES = 1000  # 28 MB

Group = tuple[Int[Array, "_"], Int[Array, "_"], Float[Array, "_"]]
"""Pairs of places, and the energy that each pair exchanges."""


class TreePaths(NamedTuple):
    """Shortest paths of a radial network; buses in depth-first order, places are homes, then the source.

    Attributes:
        place: of each home and of the source [home + 1].
        away_km: distance from the source [bus].
        shallowest: by power of two, depth and parent of the shallowest of that many buses from each on [level, bus].
        jump: by power of two, the bus that many branches closer to the source [level, bus].
        hops: branches between each bus and the source [bus].
        branch_of: branch that feeds each bus [bus].
        bus_of: bus that each branch feeds [branch].
        last: one past the last bus behind each bus [bus].
    """

    place: Int[Array, " place"]
    away_km: Float[Array, " bus"]
    shallowest: Int[Array, "level bus"]
    jump: Int[Array, "level bus"]
    hops: Int[Array, " bus"]
    branch_of: Int[Array, " bus"]
    bus_of: Int[Array, " branch"]
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

    def carried(self, *groups: Group) -> Float[Array, " branch"]:
        """Energy on every branch when each pair exchanges some, whatever the direction."""
        return _behind(
            self,
            [
                (self.place[a], self.place[b], self.fork(self.place[a], self.place[b]), kwh)
                for a, b, kwh in groups
            ],
        )

    def worst(
        self, a: Int[Array, " pair"], b: Int[Array, " pair"], value: Float[Array, " branch"]
    ) -> Float[Array, " pair"]:
        """Largest value of the branches between two places; 0 where there are none."""
        a, b = self.place[a], self.place[b]
        fork = self.fork(a, b)
        here = _at_buses(self, value)
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

    def carried(self, *groups: Group) -> Float[Array, " branch"]:
        """Energy on every branch when each pair exchanges some, whatever the direction."""
        total = self.branches
        for a, b, kwh in groups:
            way = self.listed[a, b]
            total = total.at[way].add(jnp.broadcast_to(kwh[:, None], way.shape), mode="drop")
        return total

    def worst(
        self, a: Int[Array, " pair"], b: Int[Array, " pair"], value: Float[Array, " branch"]
    ) -> Float[Array, " pair"]:
        """Largest value of the branches between two places; 0 where there are none."""
        return jnp.concatenate([value, jnp.zeros(1, value.dtype)])[self.listed[a, b]].max(
            -1, initial=0.0
        )


class PairPaths(NamedTuple):
    """Shortest paths of a radial network with every pair of places looked up; meaning otherwise as in `TreePaths`.

    Attributes:
        km: distance of each pair, number `a * places + b` [pair].
        fork: where the two ways to the source meet [pair].
        spans: the four runs of branches, `level * buses + bus`, that together are the way; a run of level l goes up
            2^l branches from its bus, and runs may overlap [pair, run].
        jump: as in `TreePaths`, one level fewer [level, bus].
    """

    place: Int[Array, " place"]
    km: Float[Array, " pair"]
    fork: Int[Array, " pair"]
    spans: Int[Array, "pair run"]
    jump: Int[Array, "level bus"]
    branch_of: Int[Array, " bus"]
    bus_of: Int[Array, " branch"]
    last: Int[Array, " bus"]

    def _pair(self, a: Int[Array, " pair"], b: Int[Array, " pair"]) -> Int[Array, " pair"]:
        return a * self.place.shape[0] + b

    def distance_km(self, a: Int[Array, " pair"], b: Int[Array, " pair"]) -> Float[Array, " pair"]:
        """Length of the way between two places."""
        return self.km[self._pair(a, b)]

    def carried(self, *groups: Group) -> Float[Array, " branch"]:
        """Energy on every branch when each pair exchanges some, whatever the direction."""
        return _behind(
            self,
            [
                (self.place[a], self.place[b], self.fork[self._pair(a, b)], kwh)
                for a, b, kwh in groups
            ],
        )

    def worst(
        self, a: Int[Array, " pair"], b: Int[Array, " pair"], value: Float[Array, " branch"]
    ) -> Float[Array, " pair"]:
        """Largest value (>= 0) of the branches between two places; 0 where there are none."""
        levels = [_at_buses(self, value)]
        for up in self.jump:
            levels.append(jnp.maximum(levels[-1], levels[-1][up]))
        runs, spans = jnp.concatenate(levels), self.spans[self._pair(a, b)]
        return reduce(jnp.maximum, [runs[spans[:, run]] for run in range(spans.shape[1])])


def _at_buses(paths: TreePaths | PairPaths, value: Float[Array, " branch"]) -> Float[Array, " bus"]:
    """The value of the branch that feeds each bus; 0 at the source."""
    return jnp.concatenate([jnp.zeros(1, value.dtype), value[paths.branch_of[1:]]])


def _behind(
    paths: TreePaths | PairPaths, groups: Sequence[tuple[Array, Array, Array, Array]]
) -> Float[Array, " branch"]:
    """Energy on every branch, from buses, fork and energy of pairs."""
    at_bus = jnp.zeros(paths.last.shape, groups[0][-1].dtype)
    for a, b, fork, kwh in groups:
        at_bus = at_bus.at[a].add(kwh).at[b].add(kwh).at[fork].add(-2 * kwh)
    total = jnp.cumsum(at_bus)
    # Sums that cancel leave a trace of rounding; energy on a line is not negative.
    return jnp.maximum(total[paths.last - 1] - total + at_bus, 0.0)[paths.bus_of]


Paths = TreePaths | PairPaths | TablePaths


def paths_of(feeder: Feeder, home_bus: NDArray[np.int64]) -> Paths:
    """Shortest paths by length between homes, and to the source.

    Raises:
        InputError: a meshed network with so many homes that a table would not fit.
    """
    if is_radial(feeder):
        tree = tree_paths(feeder, home_bus)
        return tree if len(home_bus) > _MOST_PAIRED_HOMES else pair_paths(tree)
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
    bus_of = np.empty(buses - 1, np.int64)
    bus_of[branch_of[1:]] = np.arange(1, buses)
    return TreePaths(
        jnp.asarray(rank[np.append(home_bus, feeder.source)], jnp.int32),
        jnp.asarray(away, jnp.float32),
        *(
            jnp.asarray(part, jnp.int32)
            for part in (shallowest, jump, hops, branch_of, bus_of, last)
        ),
    )


def pair_paths(tree: TreePaths) -> PairPaths:
    """The same paths with every pair looked up; memory grows with the square of the places."""
    places = tree.place.shape[0]
    number = jnp.arange(places * places, dtype=jnp.int32)
    a, b = number // places, number % places
    jump, hops, place = (np.asarray(part) for part in (tree.jump, tree.hops, tree.place))
    buses = len(hops)
    fork = np.asarray(tree.fork(tree.place[a], tree.place[b]))
    spans = []
    for bus in (place[np.asarray(a)], place[np.asarray(b)]):
        length = hops[bus] - hops[fork]
        level = np.where(length > 0, np.int64(np.log2(np.maximum(length, 1))), 0)
        second, missing = (
            bus.copy(),
            length - (1 << level),
        )  # the second run begins so that both end at the fork
        for power in range(len(jump)):
            second = np.where(
                (missing > 0) & ((missing >> power) & 1 == 1), jump[power][second], second
            )
        # No branch at all is the run of the source, whose value is zero.
        spans += [np.where(length > 0, level * buses + start, 0) for start in (bus, second)]
    levels = max(int(part.max()) // buses for part in spans)
    return PairPaths(
        tree.place,
        tree.distance_km(a, b),
        jnp.asarray(fork, jnp.int32),
        jnp.asarray(np.stack(spans, axis=1), jnp.int32),
        tree.jump[:levels],
        tree.branch_of,
        tree.bus_of,
        tree.last,
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
    graph = coo_array(
        (length[list(feeding.values())], (pairs[:, 0], pairs[:, 1])), shape=(buses, buses)
    ).tocsr()
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
            f"network {feeder.name}",
            what,
            "Use fewer homes, a radial network, or flow linear without fees.",
        )
    listed = np.full((len(places), len(places), longest), branches)
    for (a, z), way in ways.items():
        listed[a, z, : len(way)] = way
    return TablePaths(
        jnp.asarray(distance[:, places], jnp.float32),
        jnp.asarray(listed, jnp.int32),
        jnp.zeros(branches, jnp.float32),
    )
