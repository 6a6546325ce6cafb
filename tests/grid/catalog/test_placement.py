import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax.errors import InputError
from prosumax.grid.catalog.generators import generate_feeder
from prosumax.grid.catalog.loading import load_feeder
from prosumax.grid.catalog.placement import load_buses, place_homes
from prosumax.scenario.schema.network import NetworkConfig

FEEDER = generate_feeder("line", 16, 0.04, seed=1)  # 15 buses with a load


def homes(count: int) -> list[str]:
    return [f"home {number}" for number in range(count)]


def test_few_homes_are_spread_evenly() -> None:
    placed = place_homes(FEEDER, homes(5), "one_per_load", seed=0)
    assert placed.tolist() == [2, 5, 8, 11, 14]
    eight = place_homes(FEEDER, homes(8), "one_per_load", seed=0)
    assert len(set(eight.tolist())) == 8
    assert set(np.diff(eight)) <= {1, 2}
    assert eight[-1] >= 14


def test_more_homes_than_loads_share_buses() -> None:
    assert place_homes(FEEDER, homes(15), "one_per_load", seed=0).tolist() == list(range(1, 16))
    wrapped = place_homes(FEEDER, homes(17), "one_per_load", seed=0)
    assert wrapped.tolist() == [*range(1, 16), 1, 2]


@settings(max_examples=50, deadline=None)
@given(
    count=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
    rule=st.sampled_from(["one_per_load", "random"]),
)
def test_no_bus_twice_before_all_are_taken(count: int, seed: int, rule: str) -> None:
    placed = place_homes(FEEDER, homes(count), rule, seed)
    times = np.bincount(placed, minlength=16)[1:]
    assert times.sum() == count
    assert times.max() - times.min() <= 1


def test_random_placement_follows_the_seed() -> None:
    first, again, other = (
        place_homes(FEEDER, homes(10), "random", seed).tolist() for seed in (1, 1, 2)
    )
    assert first == again != other


def test_placement_by_name() -> None:
    placed = place_homes(FEEDER, ["a", "b"], {"b": "source", "a": "bus 3"}, seed=0)
    assert placed.tolist() == [3, 0]


def test_invalid_placements_raise_an_error() -> None:
    where = "street: network.placement"

    def fails(placement: object, pattern: str) -> None:
        with pytest.raises(InputError, match=pattern) as caught:
            place_homes(FEEDER, ["anna", "bert"], placement, 0, where)  # type: ignore[arg-type]
        assert caught.value.where.startswith(where)

    fails(
        {"anna": "bus 1", "bert": "bus 2", "berta": "bus 3"}, r"no home called 'berta'.*mean 'bert'"
    )
    fails({"anna": "bus 1"}, r"no bus for 'bert'\. Name the bus of every home")
    fails(
        {"anna": "bus 1", "bert": "Bus 12"},
        r"placement\.bert: .*no bus called 'Bus 12'\. Did you mean 'bus 12'",
    )
    fails("randum", r"Did you mean 'random'")


def test_messages_do_not_list_all_buses() -> None:
    big = generate_feeder("line", 5000, 0.04, seed=1)
    with pytest.raises(InputError) as caught:
        place_homes(big, ["a"], {"a": "nowhere"}, 0)
    assert len(str(caught.value)) < 500
    assert "There are 5000" in caught.value.fix


def test_load_buses_of_a_feeder() -> None:
    assert load_buses(load_feeder(NetworkConfig(kind="cigre_lv"), homes=1, seed=0)).shape == (15,)
