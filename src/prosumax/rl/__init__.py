"""Reinforcement learning: the multi-agent environment, its wrappers, algorithms and training."""

from prosumax.rl.actions import BUY, SELL, BidMask, JointAction, RawBid
from prosumax.rl.env import CommunityEnv, EnvConfig, auto_reset
from prosumax.rl.factory import env_config, env_params, make
from prosumax.rl.market_indicators import MarketIndicators
from prosumax.rl.observations import ObservationContext, observation_terms
from prosumax.rl.rewards import RewardContext, price_reward_terms, reward_terms
from prosumax.rl.types import EnvParams, EnvState, Scales, TimeStep

__all__ = [
    "BUY",
    "SELL",
    "BidMask",
    "CommunityEnv",
    "EnvConfig",
    "EnvParams",
    "EnvState",
    "JointAction",
    "MarketIndicators",
    "ObservationContext",
    "RawBid",
    "RewardContext",
    "Scales",
    "TimeStep",
    "auto_reset",
    "env_config",
    "env_params",
    "make",
    "observation_terms",
    "price_reward_terms",
    "reward_terms",
]
