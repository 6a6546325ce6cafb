"""Learning algorithms, one per module, and the protocol by which a new one is added.

The registry `algorithms` imports these modules, and those of plugins, when it is first asked.
"""

from prosumax.rl.algorithms.base import Learner, hyperparameters, keep_fields, tunable_names
from prosumax.rl.algorithms.registry import algorithms, configure_algorithm

__all__ = [
    "Learner",
    "algorithms",
    "configure_algorithm",
    "hyperparameters",
    "keep_fields",
    "tunable_names",
]
