"""Each rule asks for the power that its description promises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.agents import View, assemble_policy, policies
from prosumax.env import initial_state
from prosumax.errors import InputError


@pytest.fixture
def view_at(tiny):
    community = prosumax.build(prosumax.load_scenario(tiny, {"homes.0.battery": {"capacity_kwh": 6, "charge_kw": 5}}))

    def view(hour=12, step=1):
        series = community.series
        homes = initial_state(community).homes
        return View(
            series.load_kwh[step], series.solar_kwh[step], jnp.int32(hour), jnp.float32(0.5), community.homes, homes
        )

    return view


KEY = jax.random.key(0)


def test_nothing_and_self_consumption(view_at):
    np.testing.assert_array_equal(policies.get("none", "")(view_at(), KEY), [0, 0])
    # Home 0 has 3 - 0.5 kWh of surplus in half an hour: 5 kW; home 1 needs 2 kWh: 4 kW.
    np.testing.assert_allclose(policies.get("self-consumption", "")(view_at(), KEY), [5, -4])
    # A home without battery is never asked.
    np.testing.assert_allclose(assemble_policy(["self-consumption"] * 2)(view_at(), KEY), [5, 0])


# Hour in CityLearn's count (1 is 00:00-01:00) -> fraction of nominal power, read off its three controllers.
HOURS = {
    "citylearn-basic-rbc": {1: 0.091, 8: 0.091, 9: -0.08, 21: -0.08, 22: 0.091, 24: 0.091},
    "citylearn-basic-battery-rbc": {5: -0.067, 6: 0.11, 14: 0.11, 15: -0.067, 24: -0.067},
    "citylearn-optimized-rbc": {
        1: 0.05532,
        6: 0.05532,
        7: -0.02,
        15: -0.02,
        16: -0.044,
        18: -0.044,
        19: -0.024,
        23: 0.034,
    },
}


@pytest.mark.parametrize("name", HOURS)
def test_hour_maps(view_at, name):
    for hour, fraction in HOURS[name].items():
        power = policies.get(name, "")(view_at(hour - 1), KEY)
        assert float(power[0]) == pytest.approx(5 * fraction, rel=1e-6)


def test_zero_intelligence_stays_within_the_limits(view_at):
    draws = jax.vmap(lambda key: policies.get("zero-intelligence", "")(view_at(), key))(jax.random.split(KEY, 500))
    assert (jnp.abs(draws[:, 0]) <= 5).all() and float(jnp.abs(draws[:, 0].mean())) < 0.5
    assert float(draws[:, 0].std()) == pytest.approx(10 / 12**0.5, rel=0.1)  # uniform over 10 kW
    assert (draws[:, 1] == 0).all()


def test_homes_may_differ(view_at):
    mixed = assemble_policy(["citylearn-basic-rbc", "none"])(view_at(0), KEY)
    np.testing.assert_allclose(mixed, [5 * 0.091, 0])
    with pytest.raises(InputError, match="Did you mean 'self-consumption'"):
        assemble_policy(["self-consumtion"])
