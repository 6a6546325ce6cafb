"""What MAHTM's learners see, and the houses that one column of table 2 learns on."""

import jax
import numpy as np
import pytest

import prosumax
from prosumax.rl.observations.mahtm import RELATIVE
from prosumax.scenario.loading import load_scenario
from prosumax.studies.mahtm.table2 import drawn_homes

BATTERY = {"charge_efficiency": 1, "discharge_efficiency": 1, "soc_min": 0.1, "soc_max": 0.9}


def home(name, size):
    return {
        "name": name,
        "load": {"source": "values", "values": [size * (0.2 + 0.01 * hour) for hour in range(24)]},
        "solar": {
            "source": "values",
            "values": [size * 0.5 * (8 <= hour < 16) for hour in range(24)],
        },
        "battery": BATTERY | {"capacity_kwh": size, "charge_kw": 0.8 * size},
    }


def test_a_house_of_twice_the_size_looks_the_same():
    homes = [home("one", 1), home("two", 2)]
    env = prosumax.make("mahtm-train", {"homes": homes, "environment.observations": RELATIVE})
    obs, _ = env.reset(jax.random.key(0))
    np.testing.assert_allclose(obs[0], obs[1], atol=1e-6)
    at = env.observation_names.index("own_surplus")
    np.testing.assert_allclose(obs[:, at], [-0.2, -0.2], rtol=1e-5)  # midnight
    size = env.observation_names.index("load_size")
    np.testing.assert_allclose(obs[:, size], [0.43, 0.43], rtol=1e-5)  # 23 h


def test_a_house_without_a_battery_sees_no_surplus_of_one():
    bare = {name: value for name, value in home("bare", 1).items() if name != "battery"}
    env = prosumax.make(
        "mahtm-train", {"homes": [bare, home("one", 1)], "environment.observations": RELATIVE}
    )
    obs, _ = env.reset(jax.random.key(0))
    for name in ("own_surplus", "solar_size", "load_size"):
        assert obs[0, env.observation_names.index(name)] == 0.0


def sizes_of(home):
    """Load and sun over the battery, and the battery, of a house as a scenario takes it."""
    capacity = home["battery"]["capacity_kwh"]
    return (
        home["load"]["peak_kw"] / capacity,
        home.get("solar", {}).get("peak_kw", 0.0) / capacity,
        capacity,
    )


def test_drawn_houses_are_always_the_same_and_in_no_table():
    homes = drawn_homes(96)
    assert homes == drawn_homes(96)
    assert {home["load"]["profile"] for home in homes} == {"family", "business", "teenagers"}
    sizes = {(home["load"]["profile"], *sizes_of(home)) for home in homes}
    assert len(sizes) == 96
    for preset in ("mahtm-train", "mahtm-eval", "mahtm-test"):
        for one in load_scenario(preset).homes:
            assert (
                one.load.profile,
                *sizes_of(one.model_dump(mode="json", exclude_unset=True)),
            ) not in sizes


def test_drawn_houses_leave_no_gaps():
    load, sun, capacity = np.array([sizes_of(home) for home in drawn_homes(384)[::3]]).T
    for values, low, high in ((load, 0.1, 1.1), (capacity, 0.4, 1.0)):
        assert (
            np.bincount(np.digitize(values, np.linspace(low, high, 9)), minlength=10)[1:9].tolist()
            == [16] * 8
        )
    assert sun.max() > 1.15 and (sun == 0).sum() == pytest.approx(128 / 7, abs=2)


def test_the_houses_of_table_4_may_stand_before_them():
    homes = drawn_homes(3, repeats=2)
    assert len({home["name"] for home in homes}) == 15
    known = [
        sizes_of(home.model_dump(mode="json", exclude_unset=True))
        for home in load_scenario("mahtm-train").homes
    ]
    assert [sizes_of(home) for home in homes[:12]] == 2 * known
