"""Reward terms by name, for homes and for price agents.

The reward of an agent is the weighted sum of its terms. Add a term with
`reward_terms.register(name, summary)` on a function of `RewardContext`.
"""

# Importing a module registers its terms. This order is the one in which they are listed to users;
# the registry imports further modules by itself.
# isort: off
from prosumax.rl.rewards.context import (
    PriceRewardTerm,
    RewardContext,
    RewardTerm,
    price_reward_terms,
    reward_terms,
)
from prosumax.rl.rewards import home_terms
from prosumax.rl.rewards.marlem_terms import MARLEM_REWARD
from prosumax.rl.rewards import price_terms

# isort: on

__all__ = [
    "MARLEM_REWARD",
    "PriceRewardTerm",
    "RewardContext",
    "RewardTerm",
    "home_terms",
    "price_reward_terms",
    "price_terms",
    "reward_terms",
]
