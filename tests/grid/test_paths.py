"""Paths against an independent search from bus to bus."""

import heapq

import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.grid.paths import pair_paths, table_paths, tree_paths
from tests.grid.random_networks import random_feeder


def shortest_path(feeder, start, end):
    """Return length and branches of the shortest path (Dijkstra with a heap)."""
    b = feeder.branches
    best, queue = {start: 0.0}, [(0.0, start, [])]
    while queue:
        far, bus, way = heapq.heappop(queue)
        if bus == end:
            return far, way
        for k in range(len(b.name)):
            for here, there in ((b.from_bus[k], b.to_bus[k]), (b.to_bus[k], b.from_bus[k])):
                if here == bus and far + b.length_km[k] < best.get(there, np.inf):
                    best[there] = far + b.length_km[k]
                    heapq.heappush(queue, (best[there], int(there), [*way, k]))
    raise AssertionError("not connected")


def paired(feeder, home_bus):
    return pair_paths(tree_paths(feeder, home_bus))


@pytest.mark.parametrize(
    ("make", "loops", "buses"),
    [
        (tree_paths, 0, 2),
        (tree_paths, 0, 25),
        (paired, 0, 2),
        (paired, 0, 25),
        (table_paths, 0, 25),
        (table_paths, 6, 25),
    ],
)
def test_paths_are_the_shortest(make, loops, buses):
    feeder = random_feeder(buses, 3, loops=loops)
    rng = np.random.default_rng(1)
    home_bus = rng.integers(
        0, buses, 10
    )  # two homes may share a bus, and one may sit at the source
    places = np.append(home_bus, feeder.source_bus)
    paths = make(feeder, home_bus)
    a, b = (jnp.asarray(part.ravel(), jnp.int32) for part in np.meshgrid(range(11), range(11)))
    kwh = jnp.float32(rng.uniform(0, 1, len(a)))
    load = jnp.float32(rng.uniform(0, 1, len(feeder.branches.name)))
    found, worst = paths.distance_km(a, b), paths.max_on_path(a, b, load)
    carried = np.zeros(len(load))
    for number, (start, end) in enumerate(zip(np.asarray(a), np.asarray(b), strict=True)):
        length, way = shortest_path(feeder, int(places[start]), int(places[end]))
        assert float(found[number]) == pytest.approx(length, abs=1e-5)
        assert float(worst[number]) == pytest.approx(
            max((float(load[k]) for k in way), default=0.0)
        )
        carried[way] += float(kwh[number])
    # Sums of a hundred single-precision numbers of size one.
    np.testing.assert_allclose(paths.branch_flow((a, b, kwh)), carried, atol=1e-4)
    twice = paths.branch_flow((a, b, kwh), (b, a, kwh))
    np.testing.assert_allclose(twice, 2 * carried, atol=2e-4)


def test_paths_on_a_line_of_thousands_of_buses():
    """A line has the largest depth of a tree."""
    feeder = random_feeder(3, 0)
    buses = 3000
    b = feeder.branches
    import dataclasses

    count = buses - 1
    chain = dataclasses.replace(
        feeder,
        buses=tuple(map(str, range(buses))),
        source_bus=0,
        branches=dataclasses.replace(
            b,
            name=tuple(map(str, range(count))),
            from_bus=np.arange(count),
            to_bus=np.arange(1, buses),
            length_km=np.full(count, 0.01),
        ),
    )
    a, z = jnp.array([0, 0, 1, 3]), jnp.array([1, 2, 2, 1])
    load = jnp.zeros(count).at[2000].set(2.0).at[3].set(1.0)
    for make in (tree_paths, paired):
        paths = make(chain, np.array([5, 2999, 1500]))
        np.testing.assert_allclose(paths.distance_km(a, z), [29.94, 14.95, 14.99, 29.99], rtol=1e-5)
        np.testing.assert_allclose(paths.max_on_path(a, z, load), [2.0, 0.0, 2.0, 2.0])
