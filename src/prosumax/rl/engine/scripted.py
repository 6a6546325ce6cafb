"""Scripted policies of agents that do not learn: rules, bidders and price rules."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import PRNGKeyArray, PyTree

from prosumax.control.planning import planners
from prosumax.control.rules import assemble_policy
from prosumax.devices.home import available
from prosumax.errors import InputError
from prosumax.market.pricing.posted import USE_RULE
from prosumax.rl.actions import RawBid, encode_power
from prosumax.rl.bidding import Bidder, bidders
from prosumax.rl.components.spaces import Action
from prosumax.rl.env import CommunityEnv
from prosumax.rl.types import EnvParams, EnvState, TimeStep
from prosumax.simulation.community import inputs_at
from prosumax.simulation.dynamics import available_prices
from prosumax.simulation.policy import ControlContext, RuleBasedPolicy
from prosumax.types import Dispatch

_BIDDER_OF_RULE = {"none": "truthful"}
"""Rules for batteries, and the bidder that takes their place under bids."""


class RulePolicy(NamedTuple):
    """Homes whose devices follow a rule; devices that it does not control keep their default.

    Attributes:
        agent_indices: Indices of the homes.
        policy: Policy of all homes, of which only that of these homes is used.
        power_levels: Number of discrete power levels, to the nearest of which power is rounded;
            None for continuous power.
        max_power_fraction: Power of the outermost level as a fraction of the battery's power.
    """

    agent_indices: tuple[int, ...]
    policy: RuleBasedPolicy
    power_levels: int | None
    max_power_fraction: float = 1.0

    def init(self, params: EnvParams, key: PRNGKeyArray) -> PyTree:
        """Return an empty state, since rules are stateless."""
        return ()

    def act(
        self, params: EnvParams, state: EnvState, policy_state: PyTree, key: PRNGKeyArray
    ) -> tuple[Action, PyTree]:
        """Return the powers that the rule requests as an action."""
        shares = encode_power(self._dispatch(params, state, key), params)
        shares = shares[jnp.array(self.agent_indices)]
        num_agents = len(self.agent_indices)
        if self.power_levels is None:
            return Action(shares, jnp.zeros((num_agents, 0), jnp.int32)), ()
        position = (shares / self.max_power_fraction + 1.0) / 2.0 * (self.power_levels - 1)
        return Action(jnp.zeros((num_agents, 0)), jnp.round(position).astype(jnp.int32)), ()

    def update(
        self,
        params: EnvParams,
        state: EnvState,
        policy_state: PyTree,
        raw_action: PyTree,
        step: TimeStep,
    ) -> PyTree:
        """Return the empty state."""
        return policy_state

    def _dispatch(self, params: EnvParams, state: EnvState, key: PRNGKeyArray) -> Dispatch:
        community = params.community
        inputs = inputs_at(community.series, state.start_step + state.time)
        inputs = inputs._replace(load_kwh=state.load_kwh, solar_kwh=state.solar_kwh)
        context = ControlContext(
            load_kwh=state.load_kwh,
            solar_kwh=state.solar_kwh,
            hour=inputs.hour,
            step_hours=community.step_hours,
            prices=available_prices(community, state.community, inputs),
            params=available(community.homes, inputs.devices),
            state=state.community.homes,
            device_inputs=inputs.devices,
        )
        return self.policy(context, key)


class PriceRulePolicy(NamedTuple):
    """Price agents that leave prices to the scenario's price rule.

    Attributes:
        agent_indices: Indices of the price agents, which follow those of homes.
    """

    agent_indices: tuple[int, ...]

    def init(self, params: EnvParams, key: PRNGKeyArray) -> PyTree:
        """Return an empty state, since the rule's state is in the community."""
        return ()

    def act(
        self, params: EnvParams, state: EnvState, policy_state: PyTree, key: PRNGKeyArray
    ) -> tuple[Action, PyTree]:
        """Return the action that selects the price rule."""
        num_agents = len(self.agent_indices)
        prices = jnp.full((num_agents, 2), 2.0 * USE_RULE - 1.0)
        return Action(prices, jnp.zeros((num_agents, 0), jnp.int32)), ()

    def update(
        self,
        params: EnvParams,
        state: EnvState,
        policy_state: PyTree,
        raw_action: PyTree,
        step: TimeStep,
    ) -> PyTree:
        """Return the empty state."""
        return policy_state


class BidderPolicy(NamedTuple):
    """Homes that bid by a rule.

    Attributes:
        agent_indices: Indices of the homes.
        bidder: Bidder of all homes, of which only the bids of these homes are used.
    """

    agent_indices: tuple[int, ...]
    bidder: Bidder

    def init(self, params: EnvParams, key: PRNGKeyArray) -> PyTree:
        """Return the bidder's initial state."""
        return self.bidder.init(params, key)

    def act(
        self, params: EnvParams, state: EnvState, policy_state: PyTree, key: PRNGKeyArray
    ) -> tuple[Action, RawBid]:
        """Return the rule's bids as an action."""
        bid = self.bidder.act(params, state, policy_state, key)
        continuous = 2.0 * jnp.stack([bid.price, bid.quantity], axis=1) - 1.0
        discrete = jnp.stack([bid.side, bid.partner], axis=1)
        index = jnp.array(self.agent_indices)
        return Action(continuous[index], discrete[index]), bid

    def update(
        self,
        params: EnvParams,
        state: EnvState,
        policy_state: PyTree,
        raw_action: RawBid,
        step: TimeStep,
    ) -> PyTree:
        """Return the bidder's state after a step."""
        return self.bidder.update(params, state, policy_state, raw_action, step)


def make_scripted_policy(
    env: CommunityEnv, agent_indices: tuple[int, ...], policy: str, where: str
) -> RulePolicy | BidderPolicy:
    """Build the scripted policy of some homes, in the environment's action mode.

    Args:
        env: Environment.
        agent_indices: Indices of the homes.
        policy: Registered name of a rule, or under bids of a bidder.
        where: Name of the setting's place, for messages.

    Raises:
        InputError: There is no such rule, or it plans before the run.
    """
    if env.config.action_mode == "bid":
        return BidderPolicy(agent_indices, bidders.get(_BIDDER_OF_RULE.get(policy, policy), where))
    if policy in planners:
        raise InputError(
            where,
            f"{policy!r} plans before the run, and homes beside learners need a rule",
            "Name a rule that `prosumax policies` lists.",
        )
    return RulePolicy(
        agent_indices=agent_indices,
        policy=assemble_policy([policy] * env.num_homes, where),
        power_levels=env.config.power_levels,
        max_power_fraction=env.config.max_power_fraction,
    )
