"""Reward terms of homes: money, energy, emissions and comfort of one step."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.devices.home import BATTERY
from prosumax.numerics import safe_divide
from prosumax.rl.rewards.context import RewardContext, reward_terms
from prosumax.types import StorageFlow


@reward_terms.register("profit", "Revenue minus payments of all trades of the step, with fees.")
def profit(context: RewardContext) -> Float[Array, " home"]:
    """Compute the profit of the step without fixed fees.

    MARLEM, equation 10, with the charges of the tariff and the network operator.
    """
    bill = context.outcome.record.bill
    rates = context.params.community.rates
    fixed = (rates.supplier_fee + rates.network_fee) * (1.0 + rates.vat)
    return jnp.asarray(fixed - bill.total)


@reward_terms.register("cost", "Negative bill of the home.")
def cost(context: RewardContext) -> Float[Array, " home"]:
    """Compute the negative bill in the currency of the tariff."""
    return jnp.asarray(-context.outcome.record.bill.total)


@reward_terms.register("community_cost", "Negative mean bill of all homes, the same for each.")
def community_cost(context: RewardContext) -> Float[Array, " home"]:
    """Compute the negative mean bill, a common goal of all homes."""
    return jnp.broadcast_to(cost(context).mean(), context.outcome.record.bill.energy.shape)


@reward_terms.register(
    "self_consumption",
    "Share of the home's PV generation used by it or other homes; 0 to 1, 0 without generation.",
)
def self_consumption(context: RewardContext) -> Float[Array, " home"]:
    """Compute the self-consumption KPI of one step."""
    flows = context.outcome.record.flows
    local = context.outcome.record.local
    lost = flows.export_kwh - local.sold_kwh + flows.curtailed_kwh
    solar = flows.solar_kwh
    share = jnp.clip(1.0 - safe_divide(lost, solar), 0.0, 1.0)
    return jnp.where(solar > 0, share, 0.0)


@reward_terms.register("emissions", "Negative emissions of the home's purchases from the grid, kg.")
def emissions(context: RewardContext) -> Float[Array, " home"]:
    """Compute the negative emissions, kg CO2; zero for an unknown emission factor."""
    record = context.outcome.record
    grid_kwh = record.flows.grid_kwh(record.local)
    return -jnp.maximum(grid_kwh, 0.0) * context.outcome.emission_factor_kg_per_kwh


@reward_terms.register("peak", "Negative import of the community in kW per home.")
def peak(context: RewardContext) -> Float[Array, " home"]:
    """Compute the negative import power of all homes, divided by their number."""
    net_kwh = context.outcome.record.flows.net_kwh
    power_kw = jnp.maximum(net_kwh.sum(), 0.0) / context.params.community.step_hours
    return jnp.broadcast_to(-power_kw / net_kwh.shape[0], net_kwh.shape)


@reward_terms.register(
    "unmet_demand", "Negative demand that was neither ordered nor covered by the battery, kWh."
)
def unmet_demand(context: RewardContext) -> Float[Array, " home"]:
    """Compute the negative unmet demand; zero in action mode dispatch, which orders all of it."""
    return -context.outcome.unmet_kwh


@reward_terms.register(
    "infeasible_request", "Negative energy that the home requested beyond its limits, kWh."
)
def infeasible_request(context: RewardContext) -> Float[Array, " home"]:
    """Compute the negative infeasible request, a penalty that teaches agents their limits."""
    return -context.outcome.infeasible_kwh


@reward_terms.register(
    "unserved_energy",
    "Negative energy that devices failed to deliver, kWh: trips, departures, hot water, runs.",
)
def unserved_energy(context: RewardContext) -> Float[Array, " home"]:
    """Compute the negative unserved energy, with missed requirements such as a charge."""
    unserved = jnp.zeros_like(context.outcome.unmet_kwh)
    for flow in context.outcome.record.flows.devices.values():
        unserved = unserved + flow.penalized_kwh
    return -unserved


@reward_terms.register("comfort", "Negative kelvin-hours outside the comfort band of the rooms.")
def comfort(context: RewardContext) -> Float[Array, " home"]:
    """Compute the negative kelvin-hours of under- and overheating; zero without heating."""
    discomfort = jnp.zeros_like(context.outcome.unmet_kwh)
    for flow in context.outcome.record.flows.devices.values():
        discomfort = discomfort + flow.discomfort_kh
    return -discomfort


@reward_terms.register(
    "battery_degradation", "Negative loss of battery value from cycle and calendar aging."
)
def battery_degradation(context: RewardContext) -> Float[Array, " home"]:
    """Compute the negative aging cost in the currency of the tariff; zero without `aging`."""
    flow = context.outcome.record.flows.devices[BATTERY]
    aging = context.params.community.homes.battery.aging
    if not isinstance(flow, StorageFlow) or flow.life_used is None or aging is None:
        return jnp.zeros_like(context.outcome.unmet_kwh)
    return -flow.life_used * aging.replacement_cost


@reward_terms.register("battery_throughput", "Negative energy through the home's battery, kWh.")
def battery_throughput(context: RewardContext) -> Float[Array, " home"]:
    """Compute the negative throughput; its weight is the cost per kWh of throughput."""
    flow = context.outcome.record.flows.devices[BATTERY]
    return -(flow.consumption_kwh + flow.supply_kwh)
