"""Training engine: agent groups, rollouts, trainer, evaluation and population-based training.

Any mix of algorithms and rules in one community is one compiled program. `vmap` over
`Trainer.train_iterations` adds seeds, hyperparameters and populations.
"""

from prosumax.rl.engine.agent_groups import PARADIGMS, AgentGroup, Paradigm
from prosumax.rl.engine.multi_agent import GroupSpec, make_homogeneous_setup, make_setup
from prosumax.rl.engine.rollout import (
    MultiAgentSetup,
    RolloutState,
    RolloutSteps,
    ScriptedPolicy,
    collect_rollout,
    init_rollout,
)
from prosumax.rl.engine.trainer import (
    LinearSchedule,
    Trainer,
    TrainMetrics,
    TrainState,
    constant_schedule,
)

__all__ = [
    "PARADIGMS",
    "AgentGroup",
    "GroupSpec",
    "LinearSchedule",
    "MultiAgentSetup",
    "Paradigm",
    "RolloutState",
    "RolloutSteps",
    "ScriptedPolicy",
    "TrainMetrics",
    "TrainState",
    "Trainer",
    "collect_rollout",
    "constant_schedule",
    "init_rollout",
    "make_homogeneous_setup",
    "make_setup",
]
