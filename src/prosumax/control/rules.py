"""Rule-based homes: each decides, from what it sees in this step, what its battery does and what it bids."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from prosumax.devices import appliance, ev, flexible, heat_pump
from prosumax.devices.home import run_devices
from prosumax.registry import Registry
from prosumax.simulation.policy import Policy, Rule, View, dispatch
from prosumax.types import ANYONE, GRID, Dispatch, Requests

policies: Registry[Rule] = Registry("policy")

_HEATING_LIMIT_C = 15.0  # outdoors; from there on houses heat themselves
_WARM_ENOUGH_K = 3.0  # above the coldest water that is served, for a shower within one step


@policies.register("none", "Leaves the battery alone.")
def do_nothing(view: View, key: PRNGKeyArray) -> Dispatch:
    """Zero power."""
    return dispatch(jnp.zeros_like(view.load_kwh))


@policies.register(
    "self-consumption",
    "Charges with the home's own solar surplus, discharges to cover its own need.",
)
def self_consumption(view: View, key: PRNGKeyArray) -> Dispatch:
    """As much power as would bring the home's meter to zero."""
    return dispatch((view.solar_kwh - view.load_kwh) / view.step_hours)


@policies.register(
    "price-aware",
    "As self-consumption, and charges from neighbours when the announced local price is low in its band.",
)
def price_aware(view: View, key: PRNGKeyArray) -> Dispatch:
    """Below the middle of the band between feed-in and retail price it charges more, at its lower end with all power.

    So whoever announces prices says when batteries should take what neighbours have left; if they have nothing, the
    energy comes from the grid. Without announced prices it is self-consumption.
    """
    own, known, prices = (
        (view.solar_kwh - view.load_kwh) / view.step_hours,
        view.prices.announced,
        view.prices,
    )
    if known is None:
        return dispatch(own)
    span = prices.reservation_price - prices.feed_in
    place = (known.buy[0] - prices.feed_in) / jnp.where(span > 0, span, 1.0)
    more = jnp.clip(1.0 - 2.0 * place, 0.0, 1.0) * view.params.battery.charge_kw
    return dispatch(jnp.where(more > 0, jnp.maximum(own, 0.0) + more, own))


@policies.register(
    "solar-first",
    "As self-consumption; cars, heat pumps and appliances too wait for the home's own sun.",
)
def solar_first(view: View, key: PRNGKeyArray) -> Dispatch:
    """Surplus goes to waiting appliances, the car, the hot water, the rooms and then the battery, in this order.

    What cannot wait is done without sun: a car in time for its departure, a machine in time for its deadline, rooms at
    their setpoint, water just warm enough. A car with V2G covers what the home needs, before the battery does.
    """
    devices, state, now, hours = (
        view.params.devices,
        view.state.devices,
        view.devices,
        view.step_hours,
    )
    spare_kw = (view.solar_kwh - view.load_kwh + view.usual_kwh) / hours
    if devices is None or state is None or now is None:
        return dispatch(spare_kw)
    asked = Requests()
    if (
        devices.appliances is not None
        and state.appliances is not None
        and now.appliances is not None
    ):
        start, begins = appliance.with_sun(
            devices.appliances, state.appliances, now.appliances, spare_kw
        )
        asked, spare_kw = asked._replace(start=start), spare_kw - begins
    if devices.car is not None and state.car is not None and now.car is not None:
        must = ev.least_kwh(devices.car, state.car, now.car, hours) / hours
        power = jnp.clip(
            jnp.maximum(spare_kw, must), -devices.car.discharge_kw, devices.car.charge_kw
        )
        power = power * (now.car.hours_left > 0)
        asked, spare_kw = asked._replace(car_kw=power), spare_kw - power
    if devices.heat_pump is not None and state.heat_pump is not None and now.heat_pump is not None:
        pump, most = devices.heat_pump, devices.heat_pump.power_kw
        targets = pump.setpoint_c, pump.tank_lowest_c + _WARM_ENOUGH_K
        heat, water = heat_pump.holding(pump, state.heat_pump, now.heat_pump, *targets, hours)
        # Where it is warm outside, heat in the walls would only have to be let out again.
        warmest = jnp.where(
            now.heat_pump.outdoor_c < _HEATING_LIMIT_C, pump.highest_c, pump.setpoint_c
        )
        full = heat_pump.holding(
            pump, state.heat_pump, now.heat_pump, warmest, pump.tank_highest_c, hours
        )
        water = jnp.maximum(water, jnp.clip(spare_kw - heat, 0.0, full[1]))
        heat = jnp.maximum(
            heat, jnp.clip(spare_kw - water, 0.0, jnp.minimum(full[0], most - water))
        )
        asked = asked._replace(heat_kw=heat, water_kw=water)
    flows = run_devices(view.params, view.state, now, asked, hours)[1]
    drawn = 0.0 if flows is None else flexible.net_kwh(flows)
    return dispatch((view.solar_kwh - view.load_kwh + view.usual_kwh - drawn) / hours, asked)


@policies.register(
    "zero-intelligence",
    "Random battery power and random price between feed-in and retail, each home.",
)
def zero_intelligence(view: View, key: PRNGKeyArray) -> Dispatch:
    """Uniform between the battery's two limits; a limit price at which the home cannot lose against the grid.

    Source: Gode and Sunder 1993, Journal of Political Economy 101(1): traders with a budget constraint (ZI-C).
    """
    battery, shape = view.params.battery, view.load_kwh.shape
    power_key, price_key = jax.random.split(key)
    power = jax.random.uniform(
        power_key, shape, minval=-battery.discharge_kw, maxval=battery.charge_kw
    )
    lowest, highest = view.prices.feed_in, view.prices.reservation_price
    return dispatch(power)._replace(
        price=lowest + jax.random.uniform(price_key, shape) * (highest - lowest)
    )


@policies.register(
    "marlem-zero-intelligence", "The same with a random partner: another home, the grid, or anyone."
)
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
        return dispatch(
            fraction * jnp.where(fraction >= 0, battery.charge_kw, battery.discharge_kw)
        )

    return rule


# CityLearn 3.0.2's controllers BasicRBC, BasicBatteryRBC and OptimizedRBC, fractions of nominal power by hour.
policies.register(
    "citylearn-basic-rbc",
    "CityLearn's BasicRBC: charges from 22 to 8 h, discharges from 9 to 21 h.",
)(_hour_map([(1, 8, 0.091), (9, 21, -0.08), (22, 24, 0.091)]))
policies.register(
    "citylearn-basic-battery-rbc",
    "CityLearn's BasicBatteryRBC: charges from 6 to 14 h, else discharges.",
)(_hour_map([(1, 5, -0.067), (6, 14, 0.11), (15, 24, -0.067)]))
policies.register(
    "citylearn-optimized-rbc", "CityLearn's OptimizedRBC: hourly fractions tuned on its 2022 data."
)(_hour_map([(1, 6, 0.05532), (7, 15, -0.02), (16, 18, -0.044), (19, 22, -0.024), (23, 24, 0.034)]))


def assemble_policy(names: Sequence[str], where: str = "policy") -> Policy:
    """One policy for a community from the name of each home's rule.

    Raises:
        InputError: a name is not registered.
    """
    distinct = tuple(dict.fromkeys(names))
    rules = tuple(jax.tree_util.Partial(policies.get(name, where)) for name in distinct)
    return Policy(rules, jnp.asarray([[name == own for own in names] for name in distinct]))
