"""Learning algorithms, one per module; importing this package registers them.

An algorithm is a set of pure functions (`Learner`) for the agents that share one policy.
"""

from prosumax.rl.algorithms import coma, dqn, policy_gradient, q_learning, sac, vtrace
from prosumax.rl.algorithms.registry import Algorithm, algorithms, configure_algorithm

__all__ = [
    "Algorithm",
    "algorithms",
    "coma",
    "configure_algorithm",
    "dqn",
    "policy_gradient",
    "q_learning",
    "sac",
    "vtrace",
]
