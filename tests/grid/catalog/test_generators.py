"""Generated networks, and properties common to all networks."""

import time

import numpy as np
import pytest

from prosumax.errors import InputError
from prosumax.grid.catalog.generators import generate_feeder
from prosumax.grid.catalog.loading import load_feeder
from prosumax.grid.catalog.placement import place_homes
from prosumax.grid.feeder import BASE_KVA, Feeder
from prosumax.scenario.schema.network import GENERATED_NETWORKS, NetworkConfig


def ends(feeder: Feeder) -> set[tuple[int, int]]:
    return set(zip(feeder.branches.from_bus.tolist(), feeder.branches.to_bus.tolist(), strict=True))


@pytest.mark.parametrize("kind", GENERATED_NETWORKS)
def test_number_of_buses_and_lines(kind: str) -> None:
    feeder = load_feeder(NetworkConfig(kind=kind), homes=8, seed=3)
    assert feeder.buses == ("source", *(f"bus {bus}" for bus in range(1, 9)))
    assert feeder.source_bus == 0
    assert feeder.load_kw[0] == 0
    assert (feeder.load_kw[1:] == 2.0).all()
    assert feeder.load_kvar[1] == pytest.approx(2.0 * np.sqrt(1 - 0.95**2) / 0.95)
    lines = {"line": 8, "ring": 9, "star": 8, "tree": 8, "mesh": 36}[kind]
    assert len(feeder.branches.name) == lines == len(ends(feeder))
    assert len(set(zip(feeder.x, feeder.y, strict=True))) == 9


def test_topologies() -> None:
    shapes = {kind: ends(generate_feeder(kind, 5, 0.04, 1)) for kind in ("line", "ring", "star")}
    assert shapes["line"] == {(0, 1), (1, 2), (2, 3), (3, 4)}
    assert shapes["ring"] == shapes["line"] | {(4, 0)}
    assert shapes["star"] == {(0, 1), (0, 2), (0, 3), (0, 4)}
    trees = {frozenset(ends(generate_feeder("tree", 6, 0.04, seed))) for seed in range(8)}
    assert len(trees) > 3


def test_lines_are_of_the_default_cable() -> None:
    feeder = generate_feeder("line", 400, 0.1, seed=7)
    wires = feeder.branches
    assert 0.05 <= wires.length_km.min() < wires.length_km.max() <= 0.15
    assert wires.length_km.mean() == pytest.approx(0.1, rel=0.05)
    base_ohm = 400.0**2 / (1000 * BASE_KVA)
    np.testing.assert_allclose(wires.series_pu * base_ohm, (0.208 + 0.080j) * wires.length_km)
    np.testing.assert_allclose(
        wires.shunt_from_pu, 0.5j * 2 * np.pi * 50 * 261e-9 * wires.length_km * base_ohm
    )
    np.testing.assert_allclose(wires.rating_to_pu * BASE_KVA, np.sqrt(3) * 0.4 * 270)


@pytest.mark.parametrize("kind", GENERATED_NETWORKS)
def test_networks_follow_the_seed(kind: str) -> None:
    first, again, other = (generate_feeder(kind, 20, 0.04, seed) for seed in (5, 5, 6))
    assert ends(first) == ends(again)
    np.testing.assert_array_equal(first.branches.length_km, again.branches.length_km)
    assert (first.branches.length_km != other.branches.length_km).all()


def test_zones_are_quarters() -> None:
    zone = generate_feeder("ring", 10, 0.04, 1).zone
    assert [zone.count(f"zone {number}") for number in range(1, 5)] == [3, 2, 3, 2]
    assert list(zone) == sorted(zone)


def test_default_and_limits_of_the_number_of_buses() -> None:
    assert len(load_feeder(NetworkConfig(kind="ring"), homes=1, seed=0).buses) == 3
    assert len(load_feeder(NetworkConfig(kind="line", num_buses=4), homes=9, seed=0).buses) == 4
    with pytest.raises(
        InputError,
        match=r"network\.num_buses: the number must be at least 3, got 2\. A ring needs at least 3",
    ):
        load_feeder(NetworkConfig(kind="ring", num_buses=2), homes=1, seed=0)
    with pytest.raises(InputError, match=r"1830 lines.*Use at most 60 buses"):
        load_feeder(NetworkConfig(kind="mesh", num_buses=61), homes=1, seed=0)


@pytest.mark.parametrize("kind", ["line", "ring", "star", "tree"])
def test_large_networks_are_generated_quickly(kind: str) -> None:
    begin = time.perf_counter()
    feeder = load_feeder(NetworkConfig(kind=kind, num_buses=20_000), homes=100, seed=1)
    place_homes(feeder, [f"home {number}" for number in range(20_000)], "random", 1)
    assert time.perf_counter() - begin < 2.0  # 0.1 s on an idle core


def test_a_network_needs_a_kind() -> None:
    with pytest.raises(InputError, match=r"network\.kind: the field is missing"):
        load_feeder(NetworkConfig(), homes=1, seed=0)
