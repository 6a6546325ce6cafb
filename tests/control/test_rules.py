"""Rules request the power that their description states."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.control.rules import assemble_policy, policies
from prosumax.errors import InputError
from prosumax.simulation.dynamics import initial_state
from prosumax.simulation.policy import ControlContext
from prosumax.types import GRID_ONLY, NO_PREFERENCE, Prices

KEY = jax.random.key(0)
RETAIL, FEED_IN, LOCAL_GRID_FEE = 0.35, 0.05, 0.10


@pytest.fixture
def make_context(tiny):
    """Factory of the context of two homes in a half-hour step; the first home has a battery."""
    overrides = {"homes.0.battery": {"capacity_kwh": 6, "charge_kw": 5}}
    community = prosumax.build(prosumax.load_scenario(tiny, overrides))

    def make(hour=12, step=1):
        return ControlContext(
            load_kwh=community.series.load_kwh[step],
            solar_kwh=community.series.solar_kwh[step],
            hour=jnp.int32(hour),
            step_hours=jnp.float32(0.5),
            prices=Prices(*(jnp.full(2, price) for price in (RETAIL, FEED_IN, LOCAL_GRID_FEE))),
            params=community.homes,
            state=initial_state(community).homes,
        )

    return make


def test_none_and_self_consumption_by_hand(make_context):
    context = make_context()
    np.testing.assert_array_equal(policies.get("none", "")(context, KEY).battery_kw, [0, 0])
    # Home 0 has 3 - 0.5 kWh of surplus in half an hour, 5 kW; home 1 has a load of 2 kWh, 4 kW.
    requests = policies.get("self-consumption", "")(context, KEY).battery_kw
    np.testing.assert_allclose(requests, [5, -4])
    # A home without battery gets no request.
    requests = assemble_policy(["self-consumption"] * 2)(context, KEY).battery_kw
    np.testing.assert_allclose(requests, [5, 0])


# Fraction of nominal power by hour in CityLearn's count (1 is 00:00-01:00), from its controllers.
HOURLY_FRACTIONS = {
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


@pytest.mark.parametrize("name", HOURLY_FRACTIONS)
def test_citylearn_rules_follow_their_hourly_fractions(make_context, name):
    for hour, fraction in HOURLY_FRACTIONS[name].items():
        power = policies.get(name, "")(make_context(hour - 1), KEY).battery_kw
        assert float(power[0]) == pytest.approx(5 * fraction, rel=1e-6)


def test_zero_intelligence_stays_within_the_limits(make_context):
    context = make_context()
    rule = policies.get("zero-intelligence", "")
    actions = jax.vmap(lambda key: rule(context, key))(jax.random.split(KEY, 500))
    power = actions.battery_kw
    assert (jnp.abs(power[:, 0]) <= 5).all() and float(jnp.abs(power[:, 0].mean())) < 0.5
    # Uniform over 10 kW.
    assert float(power[:, 0].std()) == pytest.approx(10 / 12**0.5, rel=0.1)
    assert (power[:, 1] == 0).all()
    # Prices between feed-in and reservation price exclude losses against the grid.
    assert float(actions.price.min()) >= 0.05 and float(actions.price.max()) <= 0.25
    assert float(actions.price.std()) == pytest.approx(0.2 / 12**0.5, rel=0.1)
    assert (actions.partner == NO_PREFERENCE).all()


def test_marlem_zero_intelligence_draws_a_partner_uniformly(make_context):
    context = make_context()
    rule = policies.get("marlem-zero-intelligence", "")
    keys = jax.random.split(KEY, 900)
    partner = np.asarray(jax.vmap(lambda key: rule(context, key).partner)(keys))
    # Each of two homes draws itself (no preference), the other home or the grid.
    for home, other in ((0, 1), (1, 0)):
        values, counts = np.unique(partner[:, home], return_counts=True)
        assert values.tolist() == sorted([GRID_ONLY, NO_PREFERENCE, other])
        assert counts.min() > 230  # of 300 expected; five standard deviations


def test_homes_may_follow_different_rules(make_context):
    action = assemble_policy(["citylearn-basic-rbc", "none"])(make_context(0), KEY)
    np.testing.assert_allclose(action.battery_kw, [5 * 0.091, 0])
    assert np.isnan(action.price).all()
    with pytest.raises(InputError, match="Did you mean 'self-consumption'"):
        assemble_policy(["self-consumtion"])


def test_solar_first_shifts_flexible_devices_to_pv_generation():
    """On a day with PV from 10 to 16 h the EV departs fully charged and self-consumption rises."""
    home = {
        "name": "sunny",
        "load": {"source": "values", "values": [0.3]},
        "solar": {"source": "values", "values": [0] * 10 + [5] * 6 + [0] * 8},
        "ev": {
            "power_kw": 3.7,
            "initial_soc": 0.5,
            "trips": [{"departure": "20:00", "arrival": "21:00", "distance_km": 20}],
        },
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
    scenario = {
        "name": "sunny",
        "period": {"start": "2023-02-01T00:00", "steps": 24, "step_minutes": 60},
        "location": {"latitude_deg": 50.85, "longitude_deg": 4.35},
        "tariff": {"energy": 0.3, "feed_in": 0.05},
        "homes": [home],
    }
    default, solar_first = (
        prosumax.run(scenario, {"policy": policy}, optimum=False)
        for policy in ("self-consumption", "solar-first")
    )
    devices = solar_first.trajectory.record.flows.devices
    ev_charge = devices["ev"].charge_kwh[:, 0]
    dishwasher = devices["appliances"].run_kwh[:, 0, 0]
    indoor_c = devices["heat_pump"].indoor_c[:, 0]
    assert ev_charge[:10].sum() == 0 and ev_charge[10:16].sum() > 10
    assert dishwasher[:10].sum() == 0
    assert dishwasher[10:16].sum() == pytest.approx(1.131, rel=1e-5)
    assert indoor_c[15] > 20.3 > indoor_c[9]
    assert solar_first.kpis["self_consumption"] > default.kpis["self_consumption"] + 0.1
    assert solar_first.kpis["cost"] < default.kpis["cost"]
    assert solar_first.kpis["ev_departure_shortfall_kwh"] == 0
    assert solar_first.kpis["unserved_kwh"] < 0.5
