"""Learning algorithms, one per module; importing this package registers them."""

from prosumax.rl.algorithms import coma, dqn, policy_gradient, q_learning, sac, vtrace
from prosumax.rl.algorithms.registry import Algorithm, algorithms, configure_algorithm

__all__ = [
    "Algorithm",
    "algorithms",
    "configure_algorithm",
    "coma",
    "dqn",
    "policy_gradient",
    "q_learning",
    "sac",
    "vtrace",
]
