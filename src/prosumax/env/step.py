"""One step of a community: limit, store, order, clear, settle.

State goes in and comes out; the same code serves one community, many (`vmap`), and a period (`scan`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from prosumax import household, market, tariff
from prosumax.community import Community, Series
from prosumax.types import Fills, Flows


class State(NamedTuple):
    """What a community remembers from step to step."""

    homes: household.HomeState
    reputation: Float[Array, " home"]


class Record(NamedTuple):
    """What happened in one step, per home: energy, trades between neighbours, the bill, and reputation afterwards."""

    flows: Flows
    local: Fills
    bill: tariff.Bill
    reputation: Float[Array, " home"]


def initial_state(community: Community) -> State:
    """The community before the first step."""
    homes = community.homes.battery.capacity_kwh.shape
    return State(household.initial_state(community.homes), jnp.full(homes, market.reputation.INITIAL))


def step(
    community: Community, state: State, now: Series, battery_kw: Float[Array, " home"], key: PRNGKeyArray
) -> tuple[State, Record]:
    """Move the batteries, trade what is left over, and bill it (dispatch style: AAMAS 2025, MAHTM, CityLearn).

    Arguments:
        community: its devices, tariff constants and market.
        state: before the step.
        now: this step's row of `community.series`.
        battery_kw: power each home asks of its battery, positive charges; limited to what it can do.
        key: of the order in which orders arrive, for rules in which that matters.
    """
    homes, flows = household.step(
        community.homes, state.homes, now.load_kwh, now.solar_kwh, battery_kw, community.step_hours
    )
    prices = tariff.offered_prices(now.tariff, community.rates, flows.load_kwh.shape[-1])
    arrival = jax.random.uniform(key, flows.net_kwh.shape)
    orders = market.truthful_orders(flows.net_kwh, prices, state.reputation, arrival)
    local, grid = market.clear(community.stages, orders, prices)
    bill = tariff.settle(now.tariff, community.rates, local, grid)
    reputation = market.reputation.update(state.reputation, orders, local)
    return State(homes, reputation), Record(flows, local, bill, reputation)
