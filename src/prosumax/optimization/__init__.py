"""Optimal plans with perfect foresight, the controllers built on them, and the optimality gap.

They are the reference for every policy: the optimum of each home alone, and of the community.
"""

from prosumax.devices.battery_program import StorageModel, best_case_storage
from prosumax.optimization.discrete import plan_power_levels
from prosumax.optimization.mahtm_solver import plan_mahtm_solver
from prosumax.optimization.mpc import make_forecaster, plan_receding_horizon
from prosumax.optimization.optima import Optima
from prosumax.optimization.planning import (
    DispatchPlan,
    default_requests,
    ignore_progress,
    plan_community,
    plan_individual,
    set_requests,
    simulate_plan,
)
from prosumax.optimization.problem import (
    Problem,
    build_problem,
    capacity_charges,
    check_plannable,
    community_cost,
    individual_cost,
)
from prosumax.optimization.program import (
    MAX_BINARIES,
    ProgressCallback,
    build_model,
    count_binaries,
    solve,
)

__all__ = [
    "MAX_BINARIES",
    "DispatchPlan",
    "Optima",
    "Problem",
    "ProgressCallback",
    "StorageModel",
    "best_case_storage",
    "build_model",
    "build_problem",
    "capacity_charges",
    "check_plannable",
    "community_cost",
    "count_binaries",
    "default_requests",
    "ignore_progress",
    "individual_cost",
    "make_forecaster",
    "plan_community",
    "plan_individual",
    "plan_mahtm_solver",
    "plan_power_levels",
    "plan_receding_horizon",
    "set_requests",
    "simulate_plan",
    "solve",
]
