"""Conversion of the environment's spaces to those of Gymnasium."""

import numpy as np
from gymnasium import spaces as gym_spaces

from prosumax.rl.env import CommunityEnv
from prosumax.rl.spaces import Box, Discrete, MultiDiscrete, Product, Space


def to_gymnasium_space(space: Space) -> gym_spaces.Space:
    """Convert a space to the Gymnasium space with the same elements.

    Args:
        space: Space of the environment; a `Product` becomes a `Dict`.

    Raises:
        TypeError: If the space has no counterpart.
    """
    if isinstance(space, Discrete):
        return gym_spaces.Discrete(space.n)
    if isinstance(space, MultiDiscrete):
        return gym_spaces.MultiDiscrete(np.full(space.shape, space.n))
    if isinstance(space, Box):
        return gym_spaces.Box(space.low, space.high, dtype=np.float32)
    if isinstance(space, Product):
        parts = space.spaces._asdict().items()
        return gym_spaces.Dict({name: to_gymnasium_space(part) for name, part in parts})
    raise TypeError(f"to_gymnasium_space: {type(space).__name__} has no counterpart in Gymnasium.")


def joint_observation_space(env: CommunityEnv) -> gym_spaces.Box:
    """Build the space of the concatenated observations of all homes, [home * feature].

    Args:
        env: Environment to wrap.
    """
    space = env.observation_space
    return gym_spaces.Box(space.low.reshape(-1), space.high.reshape(-1), dtype=np.float32)


def joint_action_space(env: CommunityEnv) -> gym_spaces.Space:
    """Build the space of the concatenated actions of all homes.

    Args:
        env: Environment to wrap.

    Returns:
        `MultiDiscrete` [home * slot] for power levels, else `Box` [home * number].
    """
    space = env.home_action_space.batch(env.num_homes)
    if isinstance(space, MultiDiscrete):
        return gym_spaces.MultiDiscrete(np.full(np.prod(space.shape), space.n))
    return gym_spaces.Box(space.low.reshape(-1), space.high.reshape(-1), dtype=np.float32)
