"""Dynamics of a community in one step: limit, store, order, clear, settle, measure.

State goes in and comes out; the same code serves one community, a batch (`vmap`) and a period
(`scan`).
"""

from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from prosumax import market, tariff
from prosumax.devices import home
from prosumax.grid.network import GridRecord, decide_intervention, network_step
from prosumax.grid.operator import update_stress
from prosumax.simulation.community import Community, ExogenousInputs
from prosumax.types import (
    EVENTS,
    Action,
    Bid,
    EventSeries,
    Fills,
    Flows,
    LevelFlows,
    Orders,
    Prices,
)

T = TypeVar("T")

# Relative to what a home can trade in a step: some units in the last place of single precision.
_ROUNDING = 1e-6


class CommunityState(NamedTuple):
    """State of a community between two steps.

    Attributes:
        homes: State of the devices.
        reputation: Reputation of each home in [0, 1].
        grid_stress: Memory of the network operator for recent congestion.
        pricing: State of the posted-price scheme; None in markets without posted prices.
    """

    homes: home.HomeState
    reputation: Float[Array, " home"]
    grid_stress: Float[Array, ""]
    pricing: market.PricingState | None = None


class StepRecord(NamedTuple):
    """Results of one step.

    Attributes:
        flows: Energy flows of each home.
        local: Local trade of each home.
        bill: Bill of each home.
        reputation: Reputation of each home after the step.
        grid: Results of the distribution network; None on a copper plate.
        levels: Local trade by market level and its prices; None without posted prices.
    """

    flows: Flows
    local: Fills
    bill: tariff.Bill
    reputation: Float[Array, " home"]
    grid: GridRecord | None
    levels: LevelFlows | None = None


class StepOutcome(NamedTuple):
    """Results of one step with the quantities that only an environment uses.

    Attributes:
        record: Results of the step.
        orders: Orders as they entered the market.
        prices: Prices of the grid and posted prices.
        infeasible_kwh: Part of the requested energy that was not feasible, >= 0.
        unmet_kwh: Net load that was neither ordered nor covered by the battery, and was bought
            from the supplier instead.
        tradable_kwh: Maximum sale plus maximum purchase of each home.
        emission_factor_kg_per_kwh: Emissions of a kWh from the grid; 0 when unknown.
    """

    record: StepRecord
    orders: Orders
    prices: Prices
    infeasible_kwh: Float[Array, " home"]
    unmet_kwh: Float[Array, " home"]
    tradable_kwh: Float[Array, " home"]
    emission_factor_kg_per_kwh: Float[Array, ""]


def initial_state(community: Community) -> CommunityState:
    """Return the state of a community before the first step."""
    shape = community.homes.battery.capacity_kwh.shape
    pricing = None
    if community.pricing is not None:
        pricing = market.posted.initial_state(community.pricing)
    return CommunityState(
        homes=home.initial_state(community.homes),
        reputation=jnp.full(shape, market.reputation.INITIAL_REPUTATION, jnp.float32),
        grid_stress=jnp.zeros(shape[:-1]),
        pricing=pricing,
    )


def pricing_context(
    community: Community, state: CommunityState, inputs: ExogenousInputs
) -> market.PricingContext | None:
    """Return the information available to price agents before a step.

    Args:
        community: Community to simulate.
        state: State before the step.
        inputs: Exogenous inputs of the step.

    Returns:
        Context of price rules and price agents; None in markets without posted prices.
    """
    if community.pricing is None or state.pricing is None:
        return None
    return market.posted.build_context(
        community.pricing,
        state.pricing,
        tariff.grid_prices(inputs.tariff, community.rates, inputs.load_kwh.shape[-1]),
        inputs.hour,
        inputs.tariff.emission_factor_kg_per_kwh,
        inputs.load_kwh - inputs.solar_kwh,
    )


def available_prices(
    community: Community, state: CommunityState, inputs: ExogenousInputs
) -> Prices:
    """Return the prices that homes know before they act: the grid's and the posted ones.

    Args:
        community: Community to simulate.
        state: State before the step.
        inputs: Exogenous inputs of the step.
    """
    prices = tariff.grid_prices(inputs.tariff, community.rates, inputs.load_kwh.shape[-1])
    context = pricing_context(community, state, inputs)
    if context is None:
        return prices
    return prices._replace(posted=market.posted.post_prices(context))


def step(
    community: Community,
    state: CommunityState,
    inputs: ExogenousInputs,
    action: Action,
    key: PRNGKeyArray,
    arrival: Float[Array, " home"],
    price_shares: Float[Array, "agent 2"] | None = None,
) -> tuple[CommunityState, StepOutcome]:
    """Simulate one step: devices, market, network and bills.

    All devices but the home batteries act first, under a `Bid` by their default control. With a
    `Dispatch` the batteries act next and the resulting net load is the order (AAMAS 2025, MAHTM,
    CityLearn). With a `Bid` the order comes first, limited to what the home can deliver or take,
    and the battery covers the difference to the net load; net load that was neither ordered nor
    covered is bought from the supplier.

    Args:
        community: Device parameters, tariff constants and market of the community.
        state: State before the step.
        inputs: Exogenous inputs of the step, one row of `community.series`.
        action: Decisions of all homes.
        key: Source of randomness of the network operator's inspections.
        arrival: Arrival time of each order in [0, 1) of the step, for mechanisms with time
            priority.
        price_shares: Decisions of the price agents for the next step (`market.PricingState`);
            None applies the trained price policy, or the price rule without one.

    Returns:
        State after the step, and its outcome.

    References:
        MARLEM, equation 11 (limits of orders).
    """
    hours = community.step_hours
    homes = community.homes
    prices = _fusion_barrier(available_prices(community, state, inputs))
    requests = None if isinstance(action, Bid) else action.devices
    base_kwh = inputs.load_kwh - inputs.solar_kwh
    # The requests are left out, since the barrier would make XLA compute them.
    home_state, device_flows = _fusion_barrier(
        home.step_devices(homes, state.homes, inputs.devices, requests, base_kwh, hours)[:2]
    )
    device_kwh = home.devices_net_kwh(device_flows)
    net_load = inputs.load_kwh + device_kwh - inputs.solar_kwh
    max_sell, max_buy = _fusion_barrier(
        home.tradable_kwh(
            homes,
            home_state,
            inputs.load_kwh + device_kwh,
            inputs.solar_kwh,
            hours,
            inputs.devices,
        )
    )
    if isinstance(action, Bid):
        ordered = jnp.clip(action.quantity_kwh, -max_sell, max_buy)
        infeasible = jnp.abs(action.quantity_kwh - ordered)
        battery_kw = (ordered - net_load) / hours
    else:
        battery_kw = action.battery_kw
    home_state, flows = _fusion_barrier(
        home.step(
            homes,
            home_state,
            inputs.load_kwh,
            inputs.solar_kwh,
            battery_kw,
            hours,
            device_flows,
            inputs.devices,
        )
    )
    if not isinstance(action, Bid):
        ordered = flows.net_kwh
        infeasible = jnp.abs(battery_kw * hours - flows.charge_kwh + flows.discharge_kwh)
    # Rounding residuals of a limit are not orders: they would count in reputation and spread.
    ordered = jnp.where(jnp.abs(ordered) > _ROUNDING * (max_sell + max_buy), ordered, 0.0)
    orders = _fusion_barrier(_orders(ordered, prices, action, state.reputation, arrival))
    network = community.network
    if network is not None:
        decision = decide_intervention(network, flows, orders.price, state.grid_stress, hours, key)
        curtailed = decision.curtailed_kwh
        total = curtailed if flows.shed_kwh is None else flows.curtailed_kwh + curtailed
        flows = flows._replace(export_kwh=flows.export_kwh - curtailed, curtailed_kwh=total)
        remaining = jnp.where(ordered < 0, jnp.minimum(ordered + curtailed, 0.0), ordered)
        orders = orders._replace(quantity_kwh=remaining)
    cleared, stages = market.clear_by_stage(community.stages, orders, prices)
    local = _fusion_barrier(cleared.local)
    # The supplier takes or delivers whatever the meters show beyond local trade.
    residual = orders._replace(quantity_kwh=flows.grid_kwh(local))
    grid_fills = _fusion_barrier(market.grid_stage(residual, prices)[0])
    grid_record = None
    fees = None
    grid_stress = state.grid_stress
    if network is not None:
        grid_record = _fusion_barrier(
            network_step(network, flows, local, grid_fills, decision, hours)
        )
        fees = grid_record.fees
        congested = grid_record.loading.max() > network.operator.threshold
        grid_stress = update_stress(grid_stress, congested)
    bill = tariff.settle_step(
        inputs.tariff, community.rates, local, grid_fills, fees, present_homes(inputs)
    )
    reputation = _fusion_barrier(
        market.reputation.update_reputation(state.reputation, orders, local)
    )
    context = pricing_context(community, state, inputs)
    pricing = None
    levels = None
    if context is not None:
        pricing, levels = _fusion_barrier(
            market.posted.update_state(context, prices, orders, stages, price_shares)
        )
    outcome = StepOutcome(
        record=StepRecord(flows, local, bill, reputation, grid_record, levels),
        orders=orders,
        prices=prices,
        infeasible_kwh=infeasible,
        unmet_kwh=jnp.maximum(flows.net_kwh - jnp.maximum(ordered, 0.0), 0.0),
        tradable_kwh=max_sell + max_buy,
        emission_factor_kg_per_kwh=jnp.nan_to_num(inputs.tariff.emission_factor_kg_per_kwh),
    )
    return CommunityState(home_state, reputation, grid_stress, pricing), outcome


def present_homes(inputs: ExogenousInputs) -> Bool[Array, "*step home"] | None:
    """Return which homes are members; None where every home always is.

    Args:
        inputs: Exogenous inputs of a step or of all steps.
    """
    events: EventSeries | None = inputs.devices.get(EVENTS)
    return None if events is None else events.present


def _fusion_barrier(values: T) -> T:
    """Make XLA compute the results of a phase once (see `prosumax.batching`)."""
    stored: T = jax.lax.optimization_barrier(values)
    return stored


def _orders(
    quantity_kwh: Float[Array, " home"],
    prices: Prices,
    action: Action,
    reputation: Float[Array, " home"],
    arrival: Float[Array, " home"],
) -> Orders:
    """Build orders at the chosen price, or the truthful one where the price is NaN."""
    orders = market.truthful_orders(quantity_kwh, prices, reputation, arrival)
    price = jnp.where(jnp.isnan(action.price), orders.price, action.price)
    return orders._replace(price=price, partner=action.partner)
