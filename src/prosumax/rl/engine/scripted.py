"""Homes that follow a rule beside homes that learn: the baselines of `agents` as players of a game."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from prosumax.control.planners import planners
from prosumax.control.rules import assemble_policy
from prosumax.devices.flexible import shares_of
from prosumax.errors import InputError
from prosumax.market.pricing.posted import RULE
from prosumax.rl.actions import RawBid
from prosumax.rl.bidders import Bidder, bidders
from prosumax.rl.components.spaces import Action
from prosumax.rl.env import CommunityEnv
from prosumax.rl.observations.home_terms import row
from prosumax.rl.types import EnvParams, EnvState, TimeStep
from prosumax.simulation.policy import Policy, View
from prosumax.simulation.step import offers
from prosumax.types import Dispatch

_UNDER_BIDS = {"none": "truthful"}
"""Rules that steer a battery, and the bidder that does the same."""


class RuleScript(NamedTuple):
    """Homes whose devices follow a rule, in style dispatch; those that it does not steer keep their habits.

    Attributes:
        homes: their numbers.
        policy: all homes at once; the others' part is not used.
        levels: powers to choose from, the nearest is taken; None for any.
        reach: of the outermost level.
    """

    homes: tuple[int, ...]
    policy: Policy
    levels: int | None
    reach: float = 1.0

    def begin(self, params: EnvParams, key: PRNGKeyArray) -> Any:
        """Rules remember nothing."""
        return ()

    def act(
        self, params: EnvParams, state: EnvState, memory: Any, key: PRNGKeyArray
    ) -> tuple[Action, Any]:
        """The rule's powers as the environment's action."""
        community = params.community
        now = row(community.series, state.start + state.time)
        now = now._replace(load_kwh=state.load_kwh, solar_kwh=state.solar_kwh)
        prices = offers(community, state.community, now)
        meter = (state.load_kwh, state.solar_kwh, now.hour, community.step_hours, prices)
        seen = View(*meter, community.homes, state.community.homes, devices=now.devices)
        asked: Dispatch = self.policy(seen, key)
        battery, devices = community.homes.battery, community.homes.devices
        most = jnp.where(asked.battery_kw >= 0, battery.charge_kw, battery.discharge_kw)
        share = jnp.clip(asked.battery_kw / jnp.where(most > 0, most, 1.0), -1.0, 1.0)[:, None]
        if devices is not None and asked.devices is not None:
            share = jnp.concatenate([share, shares_of(devices, asked.devices)], axis=1)
        share = share[jnp.array(self.homes)]
        if self.levels is None:
            return Action(share, jnp.zeros((len(self.homes), 0), jnp.int32)), ()
        level = jnp.round((share / self.reach + 1.0) / 2.0 * (self.levels - 1)).astype(jnp.int32)
        return Action(jnp.zeros((len(self.homes), 0)), level), ()

    def after(
        self, params: EnvParams, state: EnvState, memory: Any, sent: Any, step: TimeStep
    ) -> Any:
        """Nothing to remember."""
        return memory


class PriceScript(NamedTuple):
    """Price agents that do not learn: they leave prices to the rule.

    Attributes:
        homes: their numbers, behind those of homes.
    """

    homes: tuple[int, ...]

    def begin(self, params: EnvParams, key: PRNGKeyArray) -> Any:
        """The rule remembers what it needs in the community's state."""
        return ()

    def act(
        self, params: EnvParams, state: EnvState, memory: Any, key: PRNGKeyArray
    ) -> tuple[Action, Any]:
        """No price."""
        none = jnp.full((len(self.homes), 2), 2.0 * RULE - 1.0)
        return Action(none, jnp.zeros((len(self.homes), 0), jnp.int32)), ()

    def after(
        self, params: EnvParams, state: EnvState, memory: Any, sent: Any, step: TimeStep
    ) -> Any:
        """Nothing to remember."""
        return memory


class BidScript(NamedTuple):
    """Homes whose bids follow a rule.

    Attributes:
        homes: their numbers.
        bidder: all homes at once; the others' part is not used.
    """

    homes: tuple[int, ...]
    bidder: Bidder

    def begin(self, params: EnvParams, key: PRNGKeyArray) -> Any:
        """The bidder's memory."""
        return self.bidder.init(params, key)

    def act(
        self, params: EnvParams, state: EnvState, memory: Any, key: PRNGKeyArray
    ) -> tuple[Action, RawBid]:
        """The rule's bids as the environment's action."""
        sent = self.bidder.act(params, state, memory, key)
        numbers = 2.0 * jnp.stack([sent.price, sent.quantity], axis=1) - 1.0
        choices = jnp.stack([sent.side, sent.partner], axis=1)
        own = jnp.array(self.homes)
        return Action(numbers[own], choices[own]), sent

    def after(
        self, params: EnvParams, state: EnvState, memory: Any, sent: RawBid, step: TimeStep
    ) -> Any:
        """What the bidder learned of the step."""
        return self.bidder.update(params, state, memory, sent, step)


def script(
    env: CommunityEnv, homes: tuple[int, ...], policy: str, where: str
) -> RuleScript | BidScript:
    """The rule of some homes, in the environment's style of control.

    Arguments:
        env: the environment.
        homes: their numbers.
        policy: name of a policy, or under bids of a bidder.
        where: for messages.

    Raises:
        InputError: no such rule, or one that plans before the run.
    """
    if env.config.control == "bid":
        return BidScript(homes, bidders.get(_UNDER_BIDS.get(policy, policy), where))
    if policy in planners:
        raise InputError(
            where,
            f"{policy!r} plans before the run",
            "Name a rule, as `prosumax policies` lists them.",
        )
    steered = assemble_policy([policy] * env.num_homes, where)
    return RuleScript(homes, steered, env.config.levels, env.config.reach)
