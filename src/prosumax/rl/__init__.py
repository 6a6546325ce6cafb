"""Reinforcement learning: the multi-agent environment, wrappers, algorithms and training."""

from prosumax.rl.actions import BUY, SELL, BidMask, RawBid, WithPrices
from prosumax.rl.env import CommunityEnv, EnvConfig, auto_reset
from prosumax.rl.make import env_config, env_params, make
from prosumax.rl.market_indicators import Kpis
from prosumax.rl.observations.home_terms import Seen, observations
from prosumax.rl.rewards.home_terms import Paid, rewards
from prosumax.rl.rewards.price_terms import price_rewards
from prosumax.rl.types import EnvParams, EnvState, Scales, TimeStep

__all__ = [
    "BUY",
    "SELL",
    "BidMask",
    "CommunityEnv",
    "EnvConfig",
    "EnvParams",
    "EnvState",
    "Kpis",
    "Paid",
    "RawBid",
    "Scales",
    "Seen",
    "TimeStep",
    "WithPrices",
    "auto_reset",
    "env_config",
    "env_params",
    "make",
    "observations",
    "price_rewards",
    "rewards",
]
