"""The optimum of any scenario: perfect-foresight linear programs, and the controllers built on them.

The yardstick for every policy: what a home could reach alone, and what the community could reach as one.
"""

from prosumax.optimization.discrete import plan_levels
from prosumax.optimization.mahtm_solver import plan_like_the_paper
from prosumax.optimization.mpc import forecaster, plan_rolling
from prosumax.optimization.optima import Optima
from prosumax.optimization.planning import (
    OnStage,
    Plan,
    nothing_asked,
    plan_alone,
    plan_together,
    put,
    replay,
    silent,
)
from prosumax.optimization.problem import (
    Problem,
    capacity_fees,
    check_plannable,
    cost_alone,
    cost_together,
    pose,
)
from prosumax.optimization.program import MOST_BINARIES, binaries, build, solve
from prosumax.optimization.storage import Physics, best_physics

__all__ = [
    "MOST_BINARIES",
    "binaries",
    "OnStage",
    "Optima",
    "Physics",
    "Plan",
    "Problem",
    "best_physics",
    "build",
    "capacity_fees",
    "check_plannable",
    "cost_alone",
    "cost_together",
    "forecaster",
    "nothing_asked",
    "plan_alone",
    "plan_levels",
    "plan_like_the_paper",
    "plan_rolling",
    "plan_together",
    "pose",
    "put",
    "replay",
    "silent",
    "solve",
]
