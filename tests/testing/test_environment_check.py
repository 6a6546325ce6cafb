"""`check_env` accepts the environments of presets and names what is wrong with broken ones."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

import prosumax
from prosumax.rl import CommunityEnv, TimeStep
from prosumax.rl.spaces import Box
from prosumax.testing import CheckError, check_env

STEPS = 5


class WalkState(NamedTuple):
    position: Array
    time: Array


class WalkEnv:
    """Two agents on a line between 0 and 10; an environment without any energy community."""

    agents = ["left", "right"]
    num_agents = 2
    params = {"step": jnp.float32(0.5)}
    observation_space = Box.with_bounds(0.0, 10.0, (2, 1))
    action_space = Box.with_bounds(-1.0, 1.0, (2,))

    def reset(self, key, params=None):
        state = WalkState(jax.random.uniform(key, (2,), maxval=10.0), jnp.int32(0))
        return self.observe(state), state

    def observe(self, state):
        return state.position[:, None]

    def step(self, key, state, action, params=None):
        params = self.params if params is None else params
        noise = 0.1 * jax.random.normal(key, (2,))
        position = jnp.clip(state.position + params["step"] * action + noise, 0.0, 10.0)
        state = WalkState(position, state.time + 1)
        obs = self.observe(state)
        return TimeStep(
            obs, state, -(action**2), jnp.zeros(2, bool), state.time >= STEPS, obs, info={}
        )


class SameNames(WalkEnv):
    agents = ["agent", "agent"]


class WrongShape(WalkEnv):
    def observe(self, state):
        return state.position


class WrongDtype(WalkEnv):
    def observe(self, state):
        return jnp.round(state.position[:, None]).astype(jnp.int32)


class NotANumber(WalkEnv):
    def observe(self, state):
        return jnp.log(state.position - 9.0)[:, None]


class OutOfBounds(WalkEnv):
    observation_space = Box.with_bounds(0.0, 1.0, (2, 1))


class LateTruncation(WalkEnv):
    def step(self, key, state, action, params=None):
        timestep = super().step(key, state, action, params)
        return timestep._replace(truncated=timestep.state.time > STEPS)


class FloatTime(WalkEnv):
    def step(self, key, state, action, params=None):
        timestep = super().step(key, state, action, params)
        state = timestep.state._replace(time=timestep.state.time + 0.0)
        return timestep._replace(state=state)


class HiddenRandomness(WalkEnv):
    def step(self, key, state, action, params=None):
        timestep = super().step(key, state, action, params)
        return timestep._replace(reward=timestep.reward + np.random.default_rng().random())


class HiddenReset(WalkEnv):
    def step(self, key, state, action, params=None):
        timestep = super().step(key, state, action, params)
        return timestep._replace(obs=jnp.where(timestep.truncated, 5.0, timestep.obs))


class BranchesOnValues(WalkEnv):
    def step(self, key, state, action, params=None):
        if state.position[0] > 5:
            action = -action
        return super().step(key, state, action, params)


class OldInterface(WalkEnv):
    def step(self, key, state, action, params=None):
        timestep = super().step(key, state, action, params)
        return timestep.obs, timestep.reward, timestep.truncated, {}


class NoChoice(WalkEnv):
    action_space = Box.with_bounds(-1.0, 1.0, (2,))

    def action_mask(self, state):
        return jnp.ones((2, 1))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (SameNames, r"environment.agents: it has 2 names, 1 of them different"),
        (WrongShape, r"reset, obs: it has shape \(2,\), not \(2, 1\)"),
        (WrongDtype, "reset, obs: it has dtype int32, not float32"),
        (NotANumber, "the observation in column 0 of '(left|right)' is (nan|-inf)"),
        (OutOfBounds, r"is \d\.\d+, above its upper bound 1\. Scale or clip it"),
        (LateTruncation, "it is not truncated after 5 steps of an episode of 5 steps"),
        (FloatTime, r"state\.time changes from .*int32.* to .*float32"),
        (HiddenRandomness, "reward of '.*' is .* in a single step and .* in a batch"),
        (HiddenReset, "final_obs differs from obs. Reset nothing in `step`"),
        (BranchesOnValues, "step: it cannot be traced by jax.jit: TracerBoolConversionError"),
        (OldInterface, "step: it returns tuple. Return a prosumax.rl.TimeStep"),
        (NoChoice, "action_mask: it has dtype float32. Return True where"),
    ],
)
def test_a_broken_environment_fails_with_what_is_wrong(broken, message):
    with pytest.raises(CheckError, match=message):
        check_env(broken(), episode_steps=STEPS)


def test_any_environment_with_the_interface_passes():
    assert check_env(WalkEnv(), episode_steps=STEPS) is None


class LosesEnergy(CommunityEnv):
    """A community whose meters show a tenth less than what flows."""

    def step(self, key, state, action, params=None):
        timestep = super().step(key, state, action, params)
        record = timestep.info["record"]
        flows = record.flows._replace(import_kwh=0.9 * record.flows.import_kwh)
        info = timestep.info | {"record": record._replace(flows=flows)}
        return timestep._replace(info=info)


def short_street(overrides=()):
    steps = {"period.steps": 96, "environment.episode_steps": STEPS}
    return prosumax.make("street", steps | dict(overrides))


def test_a_community_that_loses_energy_fails():
    env = short_street()
    with pytest.raises(CheckError, match=r"home \d has .* kWh from PV, storage and import, but"):
        check_env(LosesEnergy(env.config, env.params))


SHIPPED = {
    "street": ("street", {}),
    "power levels": ("street", {"environment.power_levels": 5}),
    "bids": (
        "street",
        {"environment.action_mode": "bid", "environment.observations": "marlem"},
    ),
    "devices": ("street-electric", {}),
    "network": ("marlem-battery-strategic", {}),
    "price agents": ("mahtm-district", {}),
}
FAST = {"street"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in SHIPPED],
)
def test_environments_of_presets_pass(name):
    assert check_env(prosumax.make(*SHIPPED[name])) is None
