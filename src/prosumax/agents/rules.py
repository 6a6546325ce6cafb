"""Rule-based homes: each decides the power of its battery from what it sees in this step."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from prosumax.household import HomeParams, HomeState
from prosumax.registry import Registry


class View(NamedTuple):
    """What a home's rule may look at: its own meter, its devices and the clock.

    Attributes:
        load_kwh, solar_kwh: in this step.
        hour: local hour at the start of the step, 0..23.
        step_hours: length of the step.
        params, state: the devices.
        planned_kw: what a plan made before the run asks of each battery in this step; None without one.
    """

    load_kwh: Float[Array, " home"]
    solar_kwh: Float[Array, " home"]
    hour: Int[Array, ""]
    step_hours: Float[Array, ""]
    params: HomeParams
    state: HomeState
    planned_kw: Float[Array, " home"] | None = None


Rule = Callable[[View, PRNGKeyArray], Float[Array, " home"]]
"""What a home sees and a key -> power asked of its battery, kW, positive charges. All homes at once."""

policies: Registry[Rule] = Registry("policy")


@policies.register("none", "Leaves the battery alone.")
def do_nothing(view: View, key: PRNGKeyArray) -> Float[Array, " home"]:
    """Zero power."""
    return jnp.zeros_like(view.load_kwh)


@policies.register("self-consumption", "Charges with the home's own solar surplus, discharges to cover its own need.")
def self_consumption(view: View, key: PRNGKeyArray) -> Float[Array, " home"]:
    """As much power as would bring the home's meter to zero."""
    return (view.solar_kwh - view.load_kwh) / view.step_hours


@policies.register("zero-intelligence", "Random power between full discharge and full charge, each home its own draw.")
def zero_intelligence(view: View, key: PRNGKeyArray) -> Float[Array, " home"]:
    """Uniform between the battery's two limits.

    Source: Gode and Sunder 1993, "Allocative efficiency of markets with zero-intelligence traders", for the idea.
    """
    battery = view.params.battery
    return jax.random.uniform(key, view.load_kwh.shape, minval=-battery.discharge_kw, maxval=battery.charge_kw)


def _hour_map(levels: Sequence[tuple[int, int, float]]) -> Rule:
    """Rule that charges at a fixed fraction of the power limit by hour of the day.

    Arguments:
        levels: (first hour, last hour, fraction) in CityLearn's count, where hour 1 is 00:00-01:00 and 24 the last.
    """
    fractions = [0.0] * 24
    for first, last, fraction in levels:
        fractions[first - 1 : last] = [fraction] * (last - first + 1)

    def rule(view: View, key: PRNGKeyArray) -> Float[Array, " home"]:
        fraction = jnp.asarray(fractions, view.load_kwh.dtype)[view.hour]
        battery = view.params.battery
        return fraction * jnp.where(fraction >= 0, battery.charge_kw, battery.discharge_kw)

    return rule


# CityLearn 3.0.2's controllers BasicRBC, BasicBatteryRBC and OptimizedRBC, fractions of nominal power by hour.
policies.register("citylearn-basic-rbc", "CityLearn's BasicRBC: charges from 22 to 8 h, discharges from 9 to 21 h.")(
    _hour_map([(1, 8, 0.091), (9, 21, -0.08), (22, 24, 0.091)])
)
policies.register(
    "citylearn-basic-battery-rbc", "CityLearn's BasicBatteryRBC: charges from 6 to 14 h, else discharges."
)(_hour_map([(1, 5, -0.067), (6, 14, 0.11), (15, 24, -0.067)]))
policies.register("citylearn-optimized-rbc", "CityLearn's OptimizedRBC: hourly fractions tuned on its 2022 data.")(
    _hour_map([(1, 6, 0.05532), (7, 15, -0.02), (16, 18, -0.044), (19, 22, -0.024), (23, 24, 0.034)])
)


class Policy(NamedTuple):
    """Which rule decides for which home: one mask per rule, rules static."""

    rules: tuple[jax.tree_util.Partial, ...]
    masks: Bool[Array, "rule home"]

    def __call__(self, view: View, key: PRNGKeyArray) -> Float[Array, " home"]:
        """Power asked of every home's battery, kW; absent batteries are asked for nothing."""
        power = jnp.zeros_like(view.load_kwh)
        for rule, mask in zip(self.rules, self.masks, strict=True):
            power = jnp.where(mask, rule(view, key), power)
        return jnp.where(view.params.battery.capacity_kwh > 0, power, 0.0)


def assemble_policy(names: Sequence[str], where: str = "policy") -> Policy:
    """One policy for a community from the name of each home's rule.

    Raises:
        InputError: a name is not registered.
    """
    distinct = tuple(dict.fromkeys(names))
    rules = tuple(jax.tree_util.Partial(policies.get(name, where)) for name in distinct)
    return Policy(rules, jnp.asarray([[name == own for own in names] for name in distinct]))
