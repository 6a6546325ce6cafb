"""Building blocks of learning algorithms: spaces, distributions, networks, returns and buffers."""

from prosumax.rl.components.spaces import Action, ActionMask, ActionSpace
from prosumax.rl.components.types import ActorOutput, AgentSpec, Batch

__all__ = [
    "Action",
    "ActionMask",
    "ActionSpace",
    "ActorOutput",
    "AgentSpec",
    "Batch",
]
