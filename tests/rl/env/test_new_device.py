"""A kind of device that is registered anew takes part in actions, observations and rewards."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

import prosumax
from prosumax.config import Positive
from prosumax.devices import Device, DeviceObservation, devices
from prosumax.errors import InputError
from prosumax.rl.engine.scripted import make_scripted_policy
from prosumax.rl.observations import observation_terms
from prosumax.scenario.schema.devices import DeviceConfig
from prosumax.types import DeviceFlow

KEY = jax.random.key(0)
POWER_KW = 2.0


class HeaterConfig(DeviceConfig):
    """A towel heater, which should always run."""

    power_kw: Positive


class HeaterParams(NamedTuple):
    power_kw: Float[Array, " home"]


class HeaterState(NamedTuple):
    warmth: Float[Array, " home"]


class HeaterFlow(DeviceFlow):
    drawn_kwh: Float[Array, " home"]
    missing_kwh: Float[Array, " home"]
    cold_kh: Float[Array, " home"]

    @property
    def consumption_kwh(self):
        return self.drawn_kwh

    @property
    def total_unserved_kwh(self):
        return self.missing_kwh

    @property
    def discomfort_kh(self):
        return self.cold_kh


class Heater(Device):
    """Towel heaters whose warmth is the share of their power in the last step."""

    kind = "towel_heater"
    summary = "Towel heater."
    config = HeaterConfig
    observations = {"towel_warmth": DeviceObservation("Private: warmth; 0 to 1.", 0.0, 1.0)}

    def build_params(self, configs, names, step_hours):
        power = [own[0].power_kw if own else 0.0 for own in configs]
        return HeaterParams(jnp.asarray(power, jnp.float32))

    def init(self, params):
        return HeaterState(jnp.zeros_like(params.power_kw))

    def step(self, params, state, inputs, request_kw, step_hours):
        power = jnp.clip(request_kw[:, 0], 0.0, params.power_kw)
        warmth = power / jnp.maximum(params.power_kw, 1e-6)
        missing = (params.power_kw - power) * step_hours
        return HeaterState(warmth), HeaterFlow(power * step_hours, missing, 10.0 * missing)

    def default_request(self, params, state, inputs, surplus_kw, step_hours):
        return params.power_kw[:, None]

    def slot_limits_kw(self, params):
        return params.power_kw[:, None], 0.0 * params.power_kw[:, None]

    def observe(self, params, state, inputs):
        return {"towel_warmth": state.warmth}


@pytest.fixture(scope="module")
def scenario():
    """Two homes without batteries; only the first has a towel heater."""
    devices.register(Heater.kind, Heater.summary)(Heater())
    yield {
        "name": "towels",
        "period": {"start": "2023-02-07T00:00", "steps": 4, "step_minutes": 30},
        "tariff": {"energy": 0.3, "feed_in": 0.05},
        "homes": [
            {
                "name": "warm",
                "load": {"source": "values", "values": [0.25]},
                "towel_heater": {"power_kw": POWER_KW},
            },
            {"name": "cold", "load": {"source": "values", "values": [0.25]}},
        ],
        "environment": {
            "episode_steps": 4,
            "episode_start": "first",
            "observations": "devices",
            "rewards": {"unserved_energy": 1.0, "comfort": 1.0},
        },
    }
    del devices._entries[Heater.kind]


@pytest.fixture(scope="module")
def env(scenario):
    return prosumax.make(scenario)


def test_action_slot_controls_the_device(env):
    assert env.action_names == ["battery", "towel_heater"]
    _, state = env.reset(KEY)
    assert np.asarray(env.action_mask(state)).tolist() == [[False, True], [False, False]]
    # The largest order is the load and the power of the heater, over half an hour.
    assert float(env.params.scales.max_order_kwh) == pytest.approx(0.25 + POWER_KW / 2)
    flows = env.step(KEY, state, jnp.full((2, 2), 0.5)).info["record"].flows
    np.testing.assert_allclose(flows.import_kwh, [0.25 + 0.5, 0.25])
    # A device without supply ignores requests to discharge.
    flows = env.step(KEY, state, jnp.full((2, 2), -1.0)).info["record"].flows
    np.testing.assert_allclose(flows.import_kwh, [0.25, 0.25])


def test_observation_has_the_column_of_the_device(env):
    column = env.observation_names.index("towel_warmth")
    space = env.home_observation_space
    assert (space.low[column], space.high[column]) == (0, 1)
    obs, state = env.reset(KEY)
    assert obs.shape == (2, len(env.observation_names)) and (obs[:, column] == 0).all()
    obs = env.step(KEY, state, jnp.full((2, 2), 0.25)).obs
    np.testing.assert_allclose(obs[:, column], [0.25, 0])


def test_rewards_count_what_the_device_fails_to_deliver(env):
    _, state = env.reset(KEY)
    terms = env.step(KEY, state, jnp.zeros((2, 2))).info["reward_terms"]
    np.testing.assert_allclose(terms, [[-1, 0], [-10, 0]])
    terms = env.step(KEY, state, jnp.ones((2, 2))).info["reward_terms"]
    np.testing.assert_allclose(terms, 0)


@pytest.mark.parametrize("rule", ["none", "solar-first"])
def test_rules_request_the_default_control_of_the_device(env, rule):
    policy = make_scripted_policy(env, (0, 1), rule, "rule")
    _, state = env.reset(KEY)
    action, _ = policy.act(env.params, state, (), KEY)
    np.testing.assert_allclose(action.continuous, [[0, 1], [0, 0]])


def test_community_without_the_device_has_a_column_of_zeros(scenario):
    env = prosumax.make(
        scenario,
        {
            "homes.0.towel_heater": None,
            "environment.observations": ["load", "towel_warmth"],
        },
    )
    assert env.action_names == ["battery"]
    obs, _ = env.reset(KEY)
    assert (obs[:, 1] == 0).all()
    names = prosumax.make(scenario, {"homes.0.towel_heater": None}).observation_names
    assert "towel_warmth" not in names


def test_a_term_whose_name_is_taken_is_refused(scenario, monkeypatch):
    monkeypatch.setattr(Heater, "observations", {"soc": DeviceObservation("Private: warmth.")})
    with pytest.raises(ValueError, match="'towel_heater' has observation 'soc'"):
        observation_terms.load()


def test_terms_of_a_device_that_is_not_registered_do_not_exist(monkeypatch):
    monkeypatch.setattr(devices, "_entries", dict(devices._entries))
    devices._entries.pop(Heater.kind, None)
    with pytest.raises(InputError, match="towel_warmth"):
        observation_terms.check("towel_warmth", "observations")
