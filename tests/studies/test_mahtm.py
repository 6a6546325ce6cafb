"""Observations of MAHTM's learners, and the sampled houses of one column of table 2."""

import jax
import numpy as np
import pytest

import prosumax
from prosumax.scenario.loading import load_scenario
from prosumax.studies.mahtm.settings import RELATIVE_OBSERVATIONS
from prosumax.studies.mahtm.table2 import sample_homes

BATTERY = {"charge_efficiency": 1, "discharge_efficiency": 1, "soc_min": 0.1, "soc_max": 0.9}


def make_home(name, size):
    """Return a house whose load, PV generation and battery grow with its size."""
    load = [size * (0.2 + 0.01 * hour) for hour in range(24)]
    solar = [size * 0.5 * (8 <= hour < 16) for hour in range(24)]
    return {
        "name": name,
        "load": {"source": "values", "values": load},
        "solar": {"source": "values", "values": solar},
        "battery": BATTERY | {"capacity_kwh": size, "charge_kw": 0.8 * size},
    }


def observe(homes):
    """Return the observation names and the first observation of each house."""
    changes = {"homes": homes, "environment.observations": RELATIVE_OBSERVATIONS}
    env = prosumax.make("mahtm-train", changes)
    obs, _ = env.reset(jax.random.key(0))
    return list(env.observation_names), obs


def test_a_house_of_twice_the_size_observes_the_same():
    names, obs = observe([make_home("one", 1), make_home("two", 2)])
    np.testing.assert_allclose(obs[0], obs[1], atol=1e-6)
    # At midnight the load is 0.2 of the capacity; its maximum, at 23 h, is 0.43.
    np.testing.assert_allclose(obs[:, names.index("own_surplus")], [-0.2, -0.2], rtol=1e-5)
    np.testing.assert_allclose(obs[:, names.index("load_size")], [0.43, 0.43], rtol=1e-5)


def test_a_house_without_a_battery_observes_zero_surplus():
    bare = {name: value for name, value in make_home("bare", 1).items() if name != "battery"}
    names, obs = observe([bare, make_home("one", 1)])
    for name in ("own_surplus", "solar_size", "load_size"):
        assert obs[0, names.index(name)] == 0.0


def relative_sizes(home):
    """Return peak load and peak PV over the capacity, and the capacity, of a house."""
    capacity = home["battery"]["capacity_kwh"]
    peak_solar = home.get("solar", {}).get("peak_kw", 0.0)
    return home["load"]["peak_kw"] / capacity, peak_solar / capacity, capacity


def test_sampled_houses_are_reproducible_and_in_no_table():
    homes = sample_homes(96)
    assert homes == sample_homes(96)
    assert {home["load"]["profile"] for home in homes} == {"family", "business", "teenagers"}
    sizes = {(home["load"]["profile"], *relative_sizes(home)) for home in homes}
    assert len(sizes) == 96
    for preset in ("mahtm-train", "mahtm-eval", "mahtm-test"):
        for home in load_scenario(preset).homes:
            content = home.model_dump(mode="json", exclude_unset=True)
            assert (home.load.profile, *relative_sizes(content)) not in sizes


def test_sampled_houses_leave_no_gaps():
    homes = sample_homes(384)[::3]
    load, solar, capacity = np.array([relative_sizes(home) for home in homes]).T
    for values, low, high in ((load, 0.1, 1.1), (capacity, 0.4, 1.0)):
        bins = np.digitize(values, np.linspace(low, high, 9))
        assert np.bincount(bins, minlength=10)[1:9].tolist() == [16] * 8
    assert solar.max() > 1.15
    assert (solar == 0).sum() == pytest.approx(128 / 7, abs=2)


def test_the_houses_of_table_4_may_precede_sampled_houses():
    homes = sample_homes(3, repeats=2)
    assert len({home["name"] for home in homes}) == 15
    table4 = [
        relative_sizes(home.model_dump(mode="json", exclude_unset=True))
        for home in load_scenario("mahtm-train").homes
    ]
    assert [relative_sizes(home) for home in homes[:12]] == 2 * table4
