"""The bounds of `spaces` as Gymnasium's own."""

import numpy as np
from gymnasium import spaces

from prosumax.rl.env import CommunityEnv
from prosumax.rl.wrappers.bounds import action_bounds, observation_bounds


def observation_box(env: CommunityEnv, homes: int = 1) -> spaces.Box:
    """Observations of so many homes side by side [homes * feature]."""
    low, high = observation_bounds(env)
    return spaces.Box(np.tile(low, homes), np.tile(high, homes), dtype=np.float32)


def home_action(env: CommunityEnv) -> spaces.Space:
    """What one home does: one of `levels` for each slot, or a Box of powers [slot] or of a bid [4]."""
    if env.config.levels is not None:
        slots = len(env.config.slots)
        return (
            spaces.Discrete(env.config.levels)
            if slots == 1
            else spaces.MultiDiscrete([env.config.levels] * slots)
        )
    low, high = action_bounds(env)
    return spaces.Box(low, high, (env.action_size,), np.float32)


def bid_parts(env: CommunityEnv) -> spaces.Dict:
    """A bid with its discrete parts as such; see `prosumax.rl.RawBid`."""
    share = (0.0, 1.0, (), np.float32)
    return spaces.Dict(
        price=spaces.Box(*share),
        quantity=spaces.Box(*share),
        side=spaces.Discrete(2),
        partner=spaces.Discrete(env.num_agents + 2),
    )


def joint_action(env: CommunityEnv) -> spaces.Space:
    """What all homes do: MultiDiscrete [home * slot] for levels, or one Box [home * numbers]."""
    if env.config.levels is not None:
        return spaces.MultiDiscrete([env.config.levels] * (env.num_agents * len(env.config.slots)))
    low, high = action_bounds(env)
    return spaces.Box(low, high, (env.num_agents * env.action_size,), np.float32)
