"""Simulation of communities: construction from a scenario, one step, and rollouts.

`build` reads data and returns a `Community`, `step` advances it by one step, and `simulate` runs a
whole period under a policy. `simulation.results` computes KPIs, bills and files from a trajectory.
"""

from prosumax.simulation.community import Community, ExogenousInputs, assemble, build
from prosumax.simulation.dynamics import (
    CommunityState,
    StepOutcome,
    StepRecord,
    available_prices,
    initial_state,
    step,
)
from prosumax.simulation.policy import (
    ControlContext,
    ControlRule,
    ControlSchedule,
    DiscretePowerPolicy,
    RuleBasedPolicy,
    truthful_dispatch,
)
from prosumax.simulation.rollout import Trajectory, rollout_policy, simulate

__all__ = [
    "Community",
    "CommunityState",
    "ControlContext",
    "ControlRule",
    "ControlSchedule",
    "DiscretePowerPolicy",
    "ExogenousInputs",
    "RuleBasedPolicy",
    "StepOutcome",
    "StepRecord",
    "Trajectory",
    "assemble",
    "available_prices",
    "build",
    "initial_state",
    "rollout_policy",
    "simulate",
    "step",
    "truthful_dispatch",
]
