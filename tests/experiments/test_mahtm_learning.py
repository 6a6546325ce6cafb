"""What MAHTM's learners see, and the houses that one column of table 2 learns on."""

import jax
import numpy as np

import prosumax
from prosumax.experiments.mahtm_learning import RELATIVE
from prosumax.experiments.mahtm_table2 import drawn_homes
from prosumax.scenario import load_scenario

BATTERY = {"charge_efficiency": 1, "discharge_efficiency": 1, "soc_min": 0.1, "soc_max": 0.9}


def home(name, size):
    return {
        "name": name,
        "load": {"source": "values", "values": [size * (0.2 + 0.01 * hour) for hour in range(24)]},
        "solar": {"source": "values", "values": [size * 0.5 * (8 <= hour < 16) for hour in range(24)]},
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
    env = prosumax.make("mahtm-train", {"homes": [bare, home("one", 1)], "environment.observations": RELATIVE})
    obs, _ = env.reset(jax.random.key(0))
    for name in ("own_surplus", "solar_size", "load_size"):
        assert obs[0, env.observation_names.index(name)] == 0.0


def test_drawn_houses_are_always_the_same_and_in_no_table():
    homes = drawn_homes(30)
    assert homes == drawn_homes(30) and homes != drawn_homes(30, seed=1)
    sizes = {(one["load"]["peak_kw"], one.get("solar", {}).get("peak_kw", 0.0)) for one in homes}
    assert len(sizes) == 30 and sum("solar" not in one for one in homes) == 6
    for preset in ("mahtm-train", "mahtm-eval", "mahtm-test"):
        for one in load_scenario(preset).homes:
            peak = one.solar.peak_kw if one.solar is not None else 0.0
            assert (one.load.peak_kw, peak) not in sizes
