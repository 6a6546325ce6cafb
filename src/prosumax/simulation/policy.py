"""Policies of homes: what a rule observes in a step, what it returns, and how rules combine."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from prosumax.devices import flexible
from prosumax.devices.flexible import DeviceSeries
from prosumax.devices.home import HomeParams, HomeState
from prosumax.devices.home import usual_kwh as home_usual_kwh
from prosumax.types import ANYONE, Dispatch, Prices, Requests


class Planned(NamedTuple):
    """What a plan asks for; in a whole plan with the steps first.

    Attributes:
        battery_kw: of each battery.
        devices: of cars and heat pumps; None leaves them to their habits.
    """

    battery_kw: Float[Array, "*step home"]
    devices: Requests | None = None


class View(NamedTuple):
    """What a home's rule may look at: its own meter, its devices and the clock.

    Attributes:
        load_kwh, solar_kwh: in this step; of the load what flexible devices draw by habit is a part.
        hour: local hour at the start of the step, 0..23.
        step_hours: length of the step.
        prices: what the grid side offers in this step.
        params, state: the devices.
        planned: what a plan made before the run asks for in this step; None without one.
        devices: what flexible devices meet in this step; None without any.
        usual_kwh: what flexible devices draw by habit, in `load_kwh` already; less what they give back.
    """

    load_kwh: Float[Array, " home"]
    solar_kwh: Float[Array, " home"]
    hour: Int[Array, ""]
    step_hours: Float[Array, ""]
    prices: Prices
    params: HomeParams
    state: HomeState
    planned: Planned | None = None
    devices: DeviceSeries | None = None
    usual_kwh: Float[Array, " home"] | float = 0.0


Rule = Callable[[View, PRNGKeyArray], Dispatch]
"""What a home sees and a key -> what it does. All homes at once."""


def dispatch(battery_kw: Float[Array, " home"], devices: Requests | None = None) -> Dispatch:
    """The action of a home that moves its devices and trades what is left over without bargaining.

    Arguments:
        battery_kw: power asked of the battery, positive charges.
        devices: asked of cars, heat pumps and appliances; None, or a kind that is None, follows its habit.
    """
    shape = battery_kw.shape
    return Dispatch(
        battery_kw, jnp.full(shape, jnp.nan), jnp.full(shape, ANYONE, jnp.int32), devices
    )


class Policy(NamedTuple):
    """Which rule decides for which home: one mask per rule, rules static."""

    rules: tuple[jax.tree_util.Partial, ...]
    masks: Bool[Array, "rule home"]

    def __call__(self, view: View, key: PRNGKeyArray) -> Dispatch:
        """What every home does; absent batteries are asked for nothing, devices that no rule steers keep habits."""
        habits = _habits(view)
        if habits is not None:
            usual_kwh = home_usual_kwh(view.params, view.state, view.devices, view.step_hours)
            view = view._replace(load_kwh=view.load_kwh + usual_kwh, usual_kwh=usual_kwh)
        action = dispatch(jnp.zeros_like(view.load_kwh), habits)
        for rule, mask in zip(self.rules, self.masks, strict=True):
            action = _merge(mask, rule(view, key), action)
        has_battery = view.params.battery.capacity_kwh > 0
        return action._replace(battery_kw=jnp.where(has_battery, action.battery_kw, 0.0))


def _habits(view: View) -> Requests | None:
    devices, state = view.params.devices, view.state.devices
    if devices is None or state is None or view.devices is None:
        return None
    return flexible.habits(devices, state, view.devices, view.step_hours)


def _merge(mask: Bool[Array, " home"], new: Dispatch, old: Dispatch) -> Dispatch:
    """The new action where the mask says so; devices that it leaves open (None, NaN) stay as they are."""
    power, price, partner = (jnp.where(mask, a, b) for a, b in zip(new[:3], old[:3], strict=True))
    if new.devices is None or old.devices is None:
        return Dispatch(power, price, partner, old.devices)

    def pick(asked: Array | None, usual: Array | None) -> Array | None:
        if asked is None or usual is None:
            return usual
        return jnp.where(
            (mask if asked.ndim == 1 else mask[:, None]) & ~jnp.isnan(asked), asked, usual
        )

    return Dispatch(power, price, partner, Requests(*map(pick, new.devices, old.devices)))


class Levelled(NamedTuple):
    """A policy whose requests go to the nearest level.

    Attributes:
        policy: what asks.
        levels: shares of the capacity per hour, from `power_levels`.
    """

    policy: Policy
    levels: Float[Array, " level"]

    def __call__(self, view: View, key: PRNGKeyArray) -> Dispatch:
        """What the policy does, its power moved to the nearest level; of two as near, the lower."""
        capacity = view.params.battery.capacity_kwh
        action = self.policy(view, key)
        asked = action.battery_kw / jnp.where(capacity > 0, capacity, 1.0)
        nearest = jnp.argmin(jnp.abs(asked[:, None] - self.levels), axis=1)
        return action._replace(battery_kw=self.levels[nearest] * capacity)
