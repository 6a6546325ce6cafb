"""Rule-based policies: decisions of homes from the information of the current step."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from prosumax.devices.home import devices_net_kwh, step_devices
from prosumax.registry import Registry
from prosumax.simulation.policy import (
    ControlContext,
    ControlRule,
    RuleBasedPolicy,
    truthful_dispatch,
)
from prosumax.types import GRID_ONLY, NO_PREFERENCE, DeviceRequests, Dispatch

policies: Registry[ControlRule] = Registry(
    "policy", group="prosumax.policies", package="prosumax.control"
)
"""Policies of homes by name."""


@policies.register("none", "Battery is idle.")
def idle_battery(context: ControlContext, key: PRNGKeyArray) -> Dispatch:
    """Request zero battery power.

    Args:
        context: Information available in the step.
        key: Not used.
    """
    return truthful_dispatch(jnp.zeros_like(context.load_kwh))


@policies.register(
    "self-consumption", "Battery charges from the home's PV surplus and covers its deficit."
)
def self_consumption(context: ControlContext, key: PRNGKeyArray) -> Dispatch:
    """Request the battery power that balances the home's meter.

    Args:
        context: Information available in the step.
        key: Not used.
    """
    return truthful_dispatch(_surplus_kw(context))


@policies.register(
    "price-aware",
    "As self-consumption, and charges from the community at low posted prices.",
)
def price_aware(context: ControlContext, key: PRNGKeyArray) -> Dispatch:
    """Charge more the lower the posted price lies in the band between feed-in and retail.

    Additional charging starts below the middle of the band and reaches full power at its lower
    end. Price agents thus signal when batteries should absorb the surplus of other homes; without
    surplus, the grid supplies the energy. Without posted prices the rule is self-consumption.

    Args:
        context: Information available in the step.
        key: Not used.
    """
    surplus_kw = _surplus_kw(context)
    prices = context.prices
    if prices.posted is None:
        return truthful_dispatch(surplus_kw)
    band = prices.reservation_price - prices.feed_in
    position = (prices.posted.buy[0] - prices.feed_in) / jnp.where(band > 0, band, 1.0)
    share = jnp.clip(1.0 - 2.0 * position, 0.0, 1.0)
    extra_kw = share * context.params.battery.charge_kw
    charge_kw = jnp.maximum(surplus_kw, 0.0) + extra_kw
    return truthful_dispatch(jnp.where(extra_kw > 0, charge_kw, surplus_kw))


@policies.register(
    "solar-first",
    "As self-consumption; all other devices also use the home's PV surplus first.",
)
def solar_first(context: ControlContext, key: PRNGKeyArray) -> Dispatch:
    """Allocate surplus to the devices in the order of `Device.surplus_order`, then to the battery.

    Without surplus, devices operate only as required: in time for a departure or deadline, or just
    warm enough. A device that can supply energy covers the home's deficit before the battery does.

    Args:
        context: Information available in the step.
        key: Not used.
    """
    homes = context.params
    state = context.state
    inputs = context.device_inputs
    hours = context.step_hours
    # Devices are part of the load under their default control, which this rule replaces.
    net_load_kwh = context.load_kwh - context.solar_kwh - context.default_devices_kwh
    surplus_kw = -net_load_kwh / hours
    requests: DeviceRequests = {}
    for device in sorted(homes.flexible, key=lambda device: device.surplus_order):
        kind = device.kind
        requests[kind], taken_kw = device.surplus_request(
            homes.devices[kind], state.devices[kind], inputs.get(kind), surplus_kw, hours
        )
        surplus_kw = surplus_kw - taken_kw
    _, flows, _ = step_devices(homes, state, inputs, requests, net_load_kwh, hours)
    return truthful_dispatch(-(net_load_kwh + devices_net_kwh(flows)) / hours, requests)


@policies.register(
    "zero-intelligence", "Random battery power and random price between feed-in and retail."
)
def zero_intelligence(context: ControlContext, key: PRNGKeyArray) -> Dispatch:
    """Draw the battery power within its limits and a price without loss against the grid.

    Args:
        context: Information available in the step.
        key: PRNG key.

    References:
        Gode, D. K. and Sunder, S. (1993). Allocative efficiency of markets with zero-intelligence
        traders. Journal of Political Economy 101(1), 119-137; traders with a budget constraint
        (ZI-C).
    """
    battery = context.params.battery
    shape = context.load_kwh.shape
    power_key, price_key = jax.random.split(key)
    power = jax.random.uniform(
        power_key, shape, minval=-battery.discharge_kw, maxval=battery.charge_kw
    )
    low = context.prices.feed_in
    high = context.prices.reservation_price
    price = low + jax.random.uniform(price_key, shape) * (high - low)
    return truthful_dispatch(power)._replace(price=price)


@policies.register(
    "marlem-zero-intelligence",
    "As zero-intelligence, with a random partner: another home, the grid, or no preference.",
)
def marlem_zero_intelligence(context: ControlContext, key: PRNGKeyArray) -> Dispatch:
    """Draw every part of the action within the limits of the home.

    Args:
        context: Information available in the step.
        key: PRNG key.

    References:
        MARLEM, section 4.2. Its released code draws quantity and side independently of the limits
        of the home.
    """
    action = zero_intelligence(context, key)
    homes = context.load_kwh.shape[0]
    index = jax.random.randint(jax.random.fold_in(key, 2), (homes,), 0, homes + 1)
    # Indices 0 to N - 1 are homes, the own one means no preference; N is the grid.
    other = jnp.where(index == homes, GRID_ONLY, index)
    partner = jnp.where(index == jnp.arange(homes), NO_PREFERENCE, other)
    return action._replace(partner=partner)


def assemble_policy(names: Sequence[str], where: str = "policy") -> RuleBasedPolicy:
    """Combine the rules of all homes into one policy.

    Args:
        names: Name of the policy of each home.
        where: Field that names the policies, for error messages.

    Raises:
        InputError: If a policy does not exist.
    """
    distinct = tuple(dict.fromkeys(names))
    rules = tuple(jax.tree_util.Partial(policies.get(name, where)) for name in distinct)
    masks = jnp.asarray([[name == own for own in names] for name in distinct])
    return RuleBasedPolicy(rules, masks)


def _surplus_kw(context: ControlContext) -> Float[Array, " home"]:
    """Compute the mean power of the surplus; negative for a deficit."""
    return (context.solar_kwh - context.load_kwh) / context.step_hours


def _hour_rule(periods: Sequence[tuple[int, int, float]]) -> ControlRule:
    """Build a rule that charges at a fixed fraction of the power limit by hour of the day.

    Args:
        periods: First hour, last hour and fraction of each period in CityLearn's count, in which
            hour 1 is 00:00-01:00 and hour 24 the last.
    """
    fractions = [0.0] * 24
    for first, last, fraction in periods:
        fractions[first - 1 : last] = [fraction] * (last - first + 1)

    def rule(context: ControlContext, key: PRNGKeyArray) -> Dispatch:
        fraction = jnp.asarray(fractions, context.load_kwh.dtype)[context.hour]
        battery = context.params.battery
        limit_kw = jnp.where(fraction >= 0, battery.charge_kw, battery.discharge_kw)
        return truthful_dispatch(fraction * limit_kw)

    return rule


# CityLearn 3.0.2's controllers BasicRBC, BasicBatteryRBC and OptimizedRBC: fractions of nominal
# power by hour of the day.
policies.register(
    "citylearn-basic-rbc",
    "CityLearn's BasicRBC: charges from 22 to 8 h, discharges from 9 to 21 h.",
)(_hour_rule([(1, 8, 0.091), (9, 21, -0.08), (22, 24, 0.091)]))
policies.register(
    "citylearn-basic-battery-rbc",
    "CityLearn's BasicBatteryRBC: charges from 6 to 14 h, else discharges.",
)(_hour_rule([(1, 5, -0.067), (6, 14, 0.11), (15, 24, -0.067)]))
policies.register(
    "citylearn-optimized-rbc", "CityLearn's OptimizedRBC: hourly fractions tuned on its 2022 data."
)(
    _hour_rule(
        [(1, 6, 0.05532), (7, 15, -0.02), (16, 18, -0.044), (19, 22, -0.024), (23, 24, 0.034)]
    )
)
