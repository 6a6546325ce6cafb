"""The world: one step of a community as a pipeline of pure functions, and the environment agents meet in it.

`step` is the physics and the market of one step; `CommunityEnv` puts actions, observations, rewards and episodes around
it. Observation and reward terms are functions in the registries `observations` and `rewards`.
"""

from prosumax.env.actions import BUY, SELL, BidMask, RawBid, WithPrices
from prosumax.env.core import CommunityEnv, EnvConfig, auto_reset
from prosumax.env.kpis import Kpis
from prosumax.env.make import env_config, env_params, make
from prosumax.env.observe import Seen, observations
from prosumax.env.price_rewards import price_rewards
from prosumax.env.rewards import Paid, rewards
from prosumax.env.step import Outcome, Record, State, initial_state, offers, outlook, step
from prosumax.env.types import EnvParams, EnvState, Scales, TimeStep

__all__ = [
    "BUY",
    "SELL",
    "BidMask",
    "CommunityEnv",
    "EnvConfig",
    "EnvParams",
    "EnvState",
    "Kpis",
    "Outcome",
    "Paid",
    "RawBid",
    "Record",
    "Scales",
    "Seen",
    "State",
    "TimeStep",
    "WithPrices",
    "auto_reset",
    "env_config",
    "env_params",
    "initial_state",
    "make",
    "observations",
    "offers",
    "outlook",
    "price_rewards",
    "rewards",
    "step",
]
