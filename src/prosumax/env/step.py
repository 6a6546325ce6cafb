"""One step of a community: limit, store, order, clear, settle.

State goes in and comes out; the same code serves one community, many (`vmap`), and a period (`scan`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from prosumax import household, market, network, tariff
from prosumax.community import Community, Series
from prosumax.types import Action, Fills, Flows, Orders, Prices


class State(NamedTuple):
    """What a community remembers from step to step."""

    homes: household.HomeState
    reputation: Float[Array, " home"]
    grid_stress: Float[Array, ""]


class Record(NamedTuple):
    """What happened in one step: each home's energy, trades between neighbours, bill and reputation afterwards.

    `grid` is what happened in the network, None on a copper plate.
    """

    flows: Flows
    local: Fills
    bill: tariff.Bill
    reputation: Float[Array, " home"]
    grid: network.GridRecord | None


def initial_state(community: Community) -> State:
    """The community before the first step."""
    homes = community.homes.battery.capacity_kwh.shape
    reputation = jnp.full(homes, market.reputation.INITIAL)
    return State(household.initial_state(community.homes), reputation, jnp.zeros(homes[:-1]))


def step(community: Community, state: State, now: Series, action: Action, key: PRNGKeyArray) -> tuple[State, Record]:
    """Move the batteries, trade what is left over, and bill it (dispatch style: AAMAS 2025, MAHTM, CityLearn).

    Arguments:
        community: its devices, tariff constants and market.
        state: before the step.
        now: this step's row of `community.series`.
        action: what each home decides.
        key: of the order in which orders arrive, for rules in which that matters.
    """
    homes, flows = household.step(
        community.homes, state.homes, now.load_kwh, now.solar_kwh, action.battery_kw, community.step_hours
    )
    prices = tariff.offered_prices(now.tariff, community.rates, flows.load_kwh.shape[-1])
    wires, grid_record, fees, stress = community.network, None, None, state.grid_stress
    if wires is not None:
        ask = _orders(flows, prices, action, state.reputation, key).price
        decision = network.decide(wires, flows, ask, stress, community.step_hours, jax.random.fold_in(key, 1))
        cut = decision.curtailed_kwh
        flows = flows._replace(export_kwh=flows.export_kwh - cut, curtailed_kwh=cut)
    orders = _orders(flows, prices, action, state.reputation, key)
    local, grid = market.clear(community.stages, orders, prices)
    if wires is not None:
        grid_record = network.record(wires, flows, local, grid, decision, community.step_hours)
        fees = grid_record.fees
        stress = network.remembered(stress, grid_record.loading.max() > wires.operator.threshold)
    bill = tariff.settle(now.tariff, community.rates, local, grid, fees)
    reputation = market.reputation.update(state.reputation, orders, local)
    return State(homes, reputation, stress), Record(flows, local, bill, reputation, grid_record)


def _orders(
    flows: Flows, prices: Prices, action: Action, reputation: Float[Array, " home"], key: PRNGKeyArray
) -> Orders:
    """What is left of a home's energy, at the price and with the partner of its choice."""
    arrival = jax.random.uniform(key, flows.net_kwh.shape)
    orders = market.truthful_orders(flows.net_kwh, prices, reputation, arrival)
    price = jnp.where(jnp.isnan(action.price), orders.price, action.price)
    return orders._replace(price=price, partner=action.partner)
