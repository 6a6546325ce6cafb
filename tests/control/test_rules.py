"""Each rule asks for the power that its description promises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.control.rules import assemble_policy, policies
from prosumax.errors import InputError
from prosumax.simulation.policy import View
from prosumax.simulation.step import initial_state
from prosumax.types import ANYONE, GRID, Prices


@pytest.fixture
def view_at(tiny):
    community = prosumax.build(
        prosumax.load_scenario(tiny, {"homes.0.battery": {"capacity_kwh": 6, "charge_kw": 5}})
    )

    def view(hour=12, step=1):
        series = community.series
        homes = initial_state(community).homes
        load, solar, prices = (
            series.load_kwh[step],
            series.solar_kwh[step],
            Prices(*jnp.float32([OFFERS] * 2).T),
        )
        return View(load, solar, jnp.int32(hour), jnp.float32(0.5), prices, community.homes, homes)

    return view


KEY = jax.random.key(0)
OFFERS = (0.35, 0.05, 0.10)  # retail, feed-in, charges on local trade


def test_nothing_and_self_consumption(view_at):
    np.testing.assert_array_equal(policies.get("none", "")(view_at(), KEY).battery_kw, [0, 0])
    # Home 0 has 3 - 0.5 kWh of surplus in half an hour: 5 kW; home 1 needs 2 kWh: 4 kW.
    np.testing.assert_allclose(
        policies.get("self-consumption", "")(view_at(), KEY).battery_kw, [5, -4]
    )
    # A home without battery is never asked.
    np.testing.assert_allclose(
        assemble_policy(["self-consumption"] * 2)(view_at(), KEY).battery_kw, [5, 0]
    )


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
        power = policies.get(name, "")(view_at(hour - 1), KEY).battery_kw
        assert float(power[0]) == pytest.approx(5 * fraction, rel=1e-6)


def test_zero_intelligence_stays_within_the_limits(view_at):
    actions = jax.vmap(lambda key: policies.get("zero-intelligence", "")(view_at(), key))(
        jax.random.split(KEY, 500)
    )
    draws = actions.battery_kw
    assert (jnp.abs(draws[:, 0]) <= 5).all() and float(jnp.abs(draws[:, 0].mean())) < 0.5
    assert float(draws[:, 0].std()) == pytest.approx(10 / 12**0.5, rel=0.1)  # uniform over 10 kW
    assert (draws[:, 1] == 0).all()
    # Between what the grid pays and what a neighbour's kWh saves: nobody can lose against the grid.
    assert float(actions.price.min()) >= 0.05 and float(actions.price.max()) <= 0.25
    assert float(actions.price.std()) == pytest.approx(0.2 / 12**0.5, rel=0.1)
    assert (actions.partner == ANYONE).all()


def test_marlems_zero_intelligence_draws_a_partner(view_at):
    rule = policies.get("marlem-zero-intelligence", "")
    partner = np.asarray(
        jax.vmap(lambda key: rule(view_at(), key).partner)(jax.random.split(KEY, 900))
    )
    # Two homes: each draws one of itself (no preference), the other, and the grid.
    for home, other in ((0, 1), (1, 0)):
        values, counts = np.unique(partner[:, home], return_counts=True)
        assert values.tolist() == sorted([GRID, ANYONE, other])
        assert counts.min() > 230  # of 300 expected; five standard deviations


def test_homes_may_differ(view_at):
    mixed = assemble_policy(["citylearn-basic-rbc", "none"])(view_at(0), KEY)
    np.testing.assert_allclose(mixed.battery_kw, [5 * 0.091, 0])
    assert np.isnan(mixed.price).all()
    with pytest.raises(InputError, match="Did you mean 'self-consumption'"):
        assemble_policy(["self-consumtion"])


def test_solar_first_moves_what_can_wait_into_the_sun():
    """A day of sun from 10 to 16 h: the car is full by departure either way, and more of the sun stays at home."""
    car = {
        "power_kw": 3.7,
        "initial_soc": 0.5,
        "trips": [{"leave": "20:00", "back": "21:00", "km": 20}],
    }
    home = {
        "name": "sunny",
        "load": {"source": "values", "values": [0.3]},
        "solar": {"source": "values", "values": [0] * 10 + [5] * 6 + [0] * 8},
        "car": car,
        "heat_pump": {},
        "appliances": [
            {
                "kind": "dishwasher",
                "runs_per_week": 7,
                "from_hour": 1,
                "to_hour": 2,
                "deadline_hours": 14,
            }
        ],
    }
    source = {
        "name": "sunny",
        "period": {"start": "2023-02-01T00:00", "steps": 24, "step_minutes": 60},
        "location": {"latitude_deg": 50.85, "longitude_deg": 4.35},
        "tariff": {"energy": 0.3, "feed_in": 0.05},
        "homes": [home],
    }
    usual, sunny = (
        prosumax.run(source, {"policy": policy}, optimum=False)
        for policy in ("self-consumption", "solar-first")
    )
    devices = sunny.trajectory.record.flows.devices
    charged, washed = devices.car.charge_kwh[:, 0], devices.appliances.used_kwh[:, 0, 0]
    assert charged[:10].sum() == 0 and charged[10:16].sum() > 10
    assert washed[:10].sum() == 0 and washed[10:16].sum() == pytest.approx(1.131, rel=1e-5)
    assert devices.heat.indoor_c[15, 0] > 20.3 > devices.heat.indoor_c[9, 0]
    assert sunny.kpis["self_consumption"] > usual.kpis["self_consumption"] + 0.1
    assert sunny.kpis["cost"] < usual.kpis["cost"]
    assert sunny.kpis["car_short_kwh"] == 0 and sunny.kpis["unserved_kwh"] < 0.5
