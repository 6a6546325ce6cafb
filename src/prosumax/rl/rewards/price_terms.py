"""Reward terms of price agents, each summed over the homes of the agent's pool.

Levels follow MAHTM: trade at the pool's level or nearer is local; energy traded with other pools of
the next level, or with the grid, has the price of that level.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.market.pricing.hierarchy import sum_by_pool
from prosumax.market.pricing.posted import PricingScheme
from prosumax.rl.rewards.context import RewardContext, price_reward_terms
from prosumax.types import LevelFlows


@price_reward_terms.register("community_cost", "Negative bills of the pool's homes.")
def community_cost(context: RewardContext) -> Float[Array, " agent"]:
    """Compute the negative bills in the currency of the tariff."""
    scheme, _ = _pricing(context)
    return -sum_by_pool(scheme.all_members, jnp.asarray(context.outcome.record.bill.total))


@price_reward_terms.register(
    "exchange_cost", "Negative cost of the pool's trade beyond itself (MAHTM, equations 8 and 12)."
)
def exchange_cost(context: RewardContext) -> Float[Array, " agent"]:
    """Compute the negative cost of trade with farther levels and the grid.

    The cost is E^imp3 r^sd + E^imp2 r^sm - E^exp3 r^bd - E^exp2 r^bm; emissions are the term of
    that name. The paper's equations minimize the revenue from exports; following its text, the
    revenue is subtracted.

    References:
        MAHTM, equations 8 and 12.
    """
    scheme, levels = _pricing(context)
    prices = context.outcome.prices
    bought, sold = _grid_trade(context)
    net_cost = bought * prices.retail - sold * prices.feed_in
    costs = []
    for level in reversed(range(len(scheme.members))):
        costs.append(sum_by_pool(scheme.members[level], net_cost))
        net_cost = net_cost + levels.paid[level] - levels.earned[level]
    return -jnp.concatenate(costs[::-1])


@price_reward_terms.register(
    "margin", "Margin of the agent: payments of the pool's buyers minus revenue of its sellers."
)
def margin(context: RewardContext) -> Float[Array, " agent"]:
    """Compute the revenue of an operator from the difference of its two prices."""
    scheme, levels = _pricing(context)
    margins = levels.paid - levels.earned
    parts = [sum_by_pool(members, margins[level]) for level, members in enumerate(scheme.members)]
    return jnp.concatenate(parts)


@price_reward_terms.register(
    "emissions", "Negative emissions of the purchases of the pool's homes from the grid, kg CO2."
)
def emissions(context: RewardContext) -> Float[Array, " agent"]:
    """Compute the negative emissions; local energy has none (MAHTM section 2.3)."""
    scheme, _ = _pricing(context)
    bought, _ = _grid_trade(context)
    factor = context.outcome.emission_factor_kg_per_kwh
    return -sum_by_pool(scheme.all_members, bought) * factor


@price_reward_terms.register("peak", "Negative square of the joint import of the pool, kW^2.")
def peak(context: RewardContext) -> Float[Array, " agent"]:
    """Compute the negative squared import power of each pool.

    The square rewards a flat profile, since the sum of imports does not depend on their timing.
    """
    scheme, _ = _pricing(context)
    net_kwh = sum_by_pool(scheme.all_members, context.outcome.record.flows.net_kwh)
    power_kw = net_kwh / context.params.community.step_hours
    return -(jnp.maximum(power_kw, 0.0) ** 2)


@price_reward_terms.register(
    "self_consumption", "Negative sales of the pool's homes to the grid, kWh."
)
def self_consumption(context: RewardContext) -> Float[Array, " agent"]:
    """Compute the negative sales to the grid; zero when all PV generation is used locally."""
    scheme, _ = _pricing(context)
    _, sold = _grid_trade(context)
    return -sum_by_pool(scheme.all_members, sold)


@price_reward_terms.register(
    "fairness", "Decrease of the inequality of the homes' savings in the episode."
)
def fairness(context: RewardContext) -> Float[Array, " agent"]:
    """Compute the change of the mean absolute difference of savings between two homes.

    The sum over an episode is the negative inequality of the total savings, the numerator of the
    Gini index.
    """
    scheme, levels = _pricing(context)
    prices = context.outcome.prices
    savings = (
        prices.reservation_price * levels.import_kwh
        - levels.paid
        + levels.earned
        - prices.feed_in * levels.export_kwh
    )
    before = context.prior_savings
    if before is None:
        before = jnp.zeros_like(savings[0])
    return _inequality(scheme, before) - _inequality(scheme, before + savings.sum(0))


def _pricing(context: RewardContext) -> tuple[PricingScheme, LevelFlows]:
    scheme = context.params.community.pricing
    levels = context.outcome.record.levels
    # Only environments with price agents have these terms.
    assert scheme is not None and levels is not None
    return scheme, levels


def _grid_trade(
    context: RewardContext,
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """Compute purchases from and sales to the grid, level 3 of MAHTM."""
    record = context.outcome.record
    grid_kwh = record.flows.grid_kwh(record.local)
    return jnp.maximum(grid_kwh, 0.0), jnp.maximum(-grid_kwh, 0.0)


def _inequality(scheme: PricingScheme, savings: Float[Array, " home"]) -> Float[Array, " agent"]:
    """Compute the mean absolute difference of savings over all pairs of homes of each pool."""
    members = scheme.all_members
    differences = jnp.abs(savings[:, None] - savings[None, :])
    pairs = (members[:, :, None] * members[:, None, :] * differences).sum((1, 2))
    return pairs / jnp.maximum(members.sum(-1), 1.0) ** 2
