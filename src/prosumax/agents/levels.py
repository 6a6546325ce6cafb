"""Batteries that can only be asked for some powers, as in MAHTM's environment with its 40 actions."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from prosumax.agents.rules import Policy, View
from prosumax.types import Dispatch


def power_levels(count: int, reach: float = 0.9, zero: bool = False) -> Float[np.ndarray, " level"]:
    """Evenly spread powers as shares of the capacity per hour, rising.

    Arguments:
        count: how many; an even number leaves zero out.
        reach: the largest; the smallest is minus that.
        zero: add zero where it is missing.

    Source: MAHTM's code, 40 levels between -0.9 and 0.9; with its limits the outermost ones do the same.
    """
    levels = np.linspace(-reach, reach, count)
    return np.unique(np.append(levels, 0.0)) if zero and count % 2 == 0 else levels


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
