"""Rule-based homes: each decides, from what it sees in this step, what its battery does and what it bids."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from prosumax.household import HomeParams, HomeState
from prosumax.registry import Registry
from prosumax.types import ANYONE, GRID, Dispatch, Prices


class View(NamedTuple):
    """What a home's rule may look at: its own meter, its devices and the clock.

    Attributes:
        load_kwh, solar_kwh: in this step.
        hour: local hour at the start of the step, 0..23.
        step_hours: length of the step.
        prices: what the grid side offers in this step.
        params, state: the devices.
        planned_kw: what a plan made before the run asks of each battery in this step; None without one.
    """

    load_kwh: Float[Array, " home"]
    solar_kwh: Float[Array, " home"]
    hour: Int[Array, ""]
    step_hours: Float[Array, ""]
    prices: Prices
    params: HomeParams
    state: HomeState
    planned_kw: Float[Array, " home"] | None = None


Rule = Callable[[View, PRNGKeyArray], Dispatch]
"""What a home sees and a key -> what it does. All homes at once."""

policies: Registry[Rule] = Registry("policy")


def dispatch(battery_kw: Float[Array, " home"]) -> Dispatch:
    """The action of a home that moves its battery and trades what is left over without bargaining."""
    return Dispatch(battery_kw, jnp.full(battery_kw.shape, jnp.nan), jnp.full(battery_kw.shape, ANYONE, jnp.int32))


@policies.register("none", "Leaves the battery alone.")
def do_nothing(view: View, key: PRNGKeyArray) -> Dispatch:
    """Zero power."""
    return dispatch(jnp.zeros_like(view.load_kwh))


@policies.register("self-consumption", "Charges with the home's own solar surplus, discharges to cover its own need.")
def self_consumption(view: View, key: PRNGKeyArray) -> Dispatch:
    """As much power as would bring the home's meter to zero."""
    return dispatch((view.solar_kwh - view.load_kwh) / view.step_hours)


@policies.register("zero-intelligence", "Random battery power and random price between feed-in and retail, each home.")
def zero_intelligence(view: View, key: PRNGKeyArray) -> Dispatch:
    """Uniform between the battery's two limits; a limit price at which the home cannot lose against the grid.

    Source: Gode and Sunder 1993, Journal of Political Economy 101(1): traders with a budget constraint (ZI-C).
    """
    battery, shape = view.params.battery, view.load_kwh.shape
    power_key, price_key = jax.random.split(key)
    power = jax.random.uniform(power_key, shape, minval=-battery.discharge_kw, maxval=battery.charge_kw)
    lowest, highest = view.prices.feed_in, view.prices.worth_buying
    return dispatch(power)._replace(price=lowest + jax.random.uniform(price_key, shape) * (highest - lowest))


@policies.register("marlem-zero-intelligence", "The same with a random partner: another home, the grid, or anyone.")
def marlem_zero_intelligence(view: View, key: PRNGKeyArray) -> Dispatch:
    """MARLEM's baseline: every part of the action is drawn, within what the home can physically do.

    Source: the MARLEM paper, section 4.2. Its released code samples quantity and side apart from what the home has.
    """
    action, homes = zero_intelligence(view, key), view.load_kwh.shape[0]
    drawn = jax.random.randint(jax.random.fold_in(key, 2), (homes,), 0, homes + 1)
    # 0 .. N-1 are homes, itself standing for no preference; N is the grid.
    partner = jnp.where(drawn == jnp.arange(homes), ANYONE, jnp.where(drawn == homes, GRID, drawn))
    return action._replace(partner=partner)


def _hour_map(levels: Sequence[tuple[int, int, float]]) -> Rule:
    """Rule that charges at a fixed fraction of the power limit by hour of the day.

    Arguments:
        levels: (first hour, last hour, fraction) in CityLearn's count, where hour 1 is 00:00-01:00 and 24 the last.
    """
    fractions = [0.0] * 24
    for first, last, fraction in levels:
        fractions[first - 1 : last] = [fraction] * (last - first + 1)

    def rule(view: View, key: PRNGKeyArray) -> Dispatch:
        fraction = jnp.asarray(fractions, view.load_kwh.dtype)[view.hour]
        battery = view.params.battery
        return dispatch(fraction * jnp.where(fraction >= 0, battery.charge_kw, battery.discharge_kw))

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

    def __call__(self, view: View, key: PRNGKeyArray) -> Dispatch:
        """What every home does; absent batteries are asked for nothing."""
        action = dispatch(jnp.zeros_like(view.load_kwh))
        for rule, mask in zip(self.rules, self.masks, strict=True):
            action = Dispatch(*(jnp.where(mask, new, old) for new, old in zip(rule(view, key), action, strict=True)))
        has_battery = view.params.battery.capacity_kwh > 0
        return action._replace(battery_kw=jnp.where(has_battery, action.battery_kw, 0.0))


def assemble_policy(names: Sequence[str], where: str = "policy") -> Policy:
    """One policy for a community from the name of each home's rule.

    Raises:
        InputError: a name is not registered.
    """
    distinct = tuple(dict.fromkeys(names))
    rules = tuple(jax.tree_util.Partial(policies.get(name, where)) for name in distinct)
    return Policy(rules, jnp.asarray([[name == own for own in names] for name in distinct]))
