"""Context of reward terms and their registry."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Float

from prosumax.registry import Registry
from prosumax.rl.market_indicators import IndicatorWindow, MarketIndicators
from prosumax.rl.types import EnvParams
from prosumax.simulation.dynamics import StepOutcome


class RewardContext(NamedTuple):
    """Results of a step from which reward terms are computed.

    Attributes:
        params: Parameters of the environment.
        outcome: Outcome of the step.
        indicators: Market indicators of the step.
        window: Recent clearing prices and traded volumes, including the step.
        prior_savings: Savings of each home against the grid alone before the step; None without
            posted prices.
    """

    params: EnvParams
    outcome: StepOutcome
    indicators: MarketIndicators
    window: IndicatorWindow
    prior_savings: Float[Array, " home"] | None = None


RewardTerm = Callable[[RewardContext], Float[Array, " home"]]
"""Function that computes a reward for every home."""

PriceRewardTerm = Callable[[RewardContext], Float[Array, " agent"]]
"""Function that computes a reward for every price agent."""

reward_terms: Registry[RewardTerm] = Registry(
    "reward", group="prosumax.algorithms", package="prosumax.rl.rewards"
)
"""Reward terms of homes by name; register a new one with `reward_terms.register`."""

price_reward_terms: Registry[PriceRewardTerm] = Registry(
    "price reward", group="prosumax.algorithms", package="prosumax.rl.rewards"
)
"""Reward terms of price agents by name."""
