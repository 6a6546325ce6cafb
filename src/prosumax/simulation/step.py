"""One step of a community: limit, store, order, clear, settle, flow.

State goes in and comes out; the same code serves one community, many (`vmap`), and a period (`scan`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from prosumax import market, tariff
from prosumax.devices import flexible
from prosumax.devices.home import HomeState, feasible, run_devices
from prosumax.devices.home import initial_state as home_initial_state
from prosumax.devices.home import step as home_step
from prosumax.grid.network import GridRecord, decide
from prosumax.grid.network import record as network_record
from prosumax.grid.operator import remembered
from prosumax.market import reputation as market_reputation
from prosumax.market.pricing import posted as pricing_posted
from prosumax.simulation.build import Community, Series
from prosumax.types import Action, Bid, Fills, Flows, LevelFlows, Orders, Prices

_phase = jax.lax.optimization_barrier
"""Results of a phase are computed once, however many later phases use them (see `prosumax.batching`)."""

_ROUNDING = 1e-6  # of what a home can trade in a step; some units in the last place of its terms


class State(NamedTuple):
    """What a community remembers from step to step; `posted` is None where nobody announces prices."""

    homes: HomeState
    reputation: Float[Array, " home"]
    grid_stress: Float[Array, ""]
    posted: market.Posted | None = None


class Record(NamedTuple):
    """What happened in one step.

    Attributes:
        flows: energy of each home.
        local: trades between neighbours.
        bill: of each home.
        reputation: afterwards.
        grid: what happened in the network; None on a copper plate.
        levels: local trade level by level, and its prices; None where nobody announces prices.
    """

    flows: Flows
    local: Fills
    bill: tariff.Bill
    reputation: Float[Array, " home"]
    grid: GridRecord | None
    levels: LevelFlows | None = None


class Outcome(NamedTuple):
    """A record, and what only an environment looks at.

    Attributes:
        record: of the step.
        orders: as they entered the market.
        prices: what the grid side offered.
        limited_kwh: how much of what each home asked for was not possible.
        unmet_kwh: need that a home neither ordered nor covered, and bought from the supplier all the same.
        available_kwh: the most each home could have sold, plus the most it could have bought.
        carbon_kg: of a kWh from the grid; 0 when unknown.
    """

    record: Record
    orders: Orders
    prices: Prices
    limited_kwh: Float[Array, " home"]
    unmet_kwh: Float[Array, " home"]
    available_kwh: Float[Array, " home"]
    carbon_kg: Float[Array, ""]


def initial_state(community: Community) -> State:
    """The community before the first step."""
    homes = community.homes.battery.capacity_kwh.shape
    reputation = jnp.full(homes, market_reputation.INITIAL, jnp.float32)
    posted = None if community.pricing is None else pricing_posted.begin(community.pricing)
    return State(home_initial_state(community.homes), reputation, jnp.zeros(homes[:-1]), posted)


def outlook(community: Community, state: State, now: Series) -> market.Outlook | None:
    """What price agents may look at before a step; None where nobody announces prices."""
    if community.pricing is None or state.posted is None:
        return None
    prices = tariff.offered_prices(now.tariff, community.rates, now.load_kwh.shape[-1])
    net_kwh, carbon_kg = now.load_kwh - now.solar_kwh, now.tariff.carbon_kg
    return pricing_posted.look(
        community.pricing, state.posted, prices, now.hour, carbon_kg, net_kwh
    )


def offers(community: Community, state: State, now: Series) -> Prices:
    """What homes know of prices before they act: those of the grid side, and what was announced for local trade."""
    prices = tariff.offered_prices(now.tariff, community.rates, now.load_kwh.shape[-1])
    seen = outlook(community, state, now)
    return prices if seen is None else prices._replace(announced=pricing_posted.announce(seen))


def step(
    community: Community,
    state: State,
    now: Series,
    action: Action,
    key: PRNGKeyArray,
    arrival: Float[Array, " home"],
    shares: Float[Array, "agent 2"] | None = None,
) -> tuple[State, Outcome]:
    """Let every home do what it decided, as far as it can; trade, bill, and see what the wires make of it.

    Cars, heat pumps and appliances act first, in style bid by habit. With a `Dispatch` the batteries move next and what
    is left over is the order (AAMAS 2025, MAHTM, CityLearn). With a `Bid` the order comes first, limited to what the
    home can deliver or take (MARLEM equation 11), and the battery covers what it leaves open; a need that was
    neither ordered nor covered is bought from the supplier.

    Arguments:
        community: its devices, tariff constants and market.
        state: before the step.
        now: this step's row of `community.series`.
        action: what each home decides.
        key: of the operator's looks.
        arrival: when every home's order comes in, 0 to 1 of the step, for rules in which that matters.
        shares: what price agents announce for the next step (`market.Posted`); trained ones or their rule when absent.
    """
    hours, params = community.step_hours, community.homes
    prices = _phase(offers(community, state, now))
    asked = None if isinstance(action, Bid) else action.devices
    homes, devices = _phase(run_devices(params, state.homes, now.devices, asked, hours))
    drawn = 0.0 if devices is None else flexible.net_kwh(devices)
    need = now.load_kwh + drawn - now.solar_kwh
    most_sold, most_bought = _phase(
        feasible(params, homes, now.load_kwh + drawn, now.solar_kwh, hours)
    )
    if isinstance(action, Bid):
        wish = jnp.clip(action.quantity_kwh, -most_sold, most_bought)
        limited = jnp.abs(action.quantity_kwh - wish)
        battery_kw = (wish - need) / hours
    else:
        battery_kw = action.battery_kw
    homes, flows = _phase(
        home_step(params, homes, now.load_kwh, now.solar_kwh, battery_kw, hours, devices)
    )
    if not isinstance(action, Bid):
        wish = flows.net_kwh
        limited = jnp.abs(battery_kw * hours - flows.charge_kwh + flows.discharge_kwh)
    # What rounding leaves of a limit is no order: it would count in reputations and in the spread.
    wish = jnp.where(jnp.abs(wish) > _ROUNDING * (most_sold + most_bought), wish, 0.0)
    orders = _phase(_orders(wish, prices, action, state.reputation, arrival))
    wires, grid_record, fees, stress = community.network, None, None, state.grid_stress
    if wires is not None:
        decision = decide(wires, flows, orders.price, stress, hours, key)
        cut = decision.curtailed_kwh
        flows = flows._replace(export_kwh=flows.export_kwh - cut, curtailed_kwh=cut)
        orders = orders._replace(
            quantity_kwh=jnp.where(wish < 0, jnp.minimum(wish + cut, 0.0), wish)
        )
    cleared, stages = market.clear_by_stage(community.stages, orders, prices)
    local = _phase(cleared.local)
    # Whatever the meters show beyond local trade is the grid side's.
    rest = orders._replace(quantity_kwh=flows.net_kwh - local.bought_kwh + local.sold_kwh)
    grid = _phase(market.grid(rest, prices)[0])
    if wires is not None:
        grid_record = _phase(network_record(wires, flows, local, grid, decision, hours))
        fees = grid_record.fees
        stress = remembered(stress, grid_record.loading.max() > wires.operator.threshold)
    bill = tariff.settle(now.tariff, community.rates, local, grid, fees)
    reputation = _phase(market_reputation.update(state.reputation, orders, local))
    seen, posted, levels = outlook(community, state, now), None, None
    if seen is not None:
        posted, levels = _phase(pricing_posted.after(seen, prices, orders, stages, shares))
    record = Record(flows, local, bill, reputation, grid_record, levels)
    unmet = jnp.maximum(flows.net_kwh - jnp.maximum(wish, 0.0), 0.0)
    carbon_kg = jnp.nan_to_num(now.tariff.carbon_kg)
    outcome = Outcome(record, orders, prices, limited, unmet, most_sold + most_bought, carbon_kg)
    return State(homes, reputation, stress, posted), outcome


def _orders(
    wish_kwh: Float[Array, " home"],
    prices: Prices,
    action: Action,
    reputation: Float[Array, " home"],
    arrival: Float[Array, " home"],
) -> Orders:
    """What the homes want to trade, at the price and with the partner of their choice."""
    orders = market.truthful_orders(wish_kwh, prices, reputation, arrival)
    price = jnp.where(jnp.isnan(action.price), orders.price, action.price)
    return orders._replace(price=price, partner=action.partner)
