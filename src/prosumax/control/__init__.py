"""Control without learning: rules, planners and discrete power levels.

`policies` control the devices of homes and are named in a scenario; `planners` are the policies
that solve an optimization problem first.
"""

from prosumax.control.planning import (
    Planner,
    PlanningTask,
    follow_schedule,
    make_schedule,
    planners,
    register_planner,
)
from prosumax.control.power_levels import make_power_levels
from prosumax.control.rules import assemble_policy, policies
from prosumax.simulation.policy import (
    ControlContext,
    ControlRule,
    ControlSchedule,
    DiscretePowerPolicy,
    RuleBasedPolicy,
    truthful_dispatch,
)

__all__ = [
    "ControlContext",
    "ControlRule",
    "ControlSchedule",
    "DiscretePowerPolicy",
    "Planner",
    "PlanningTask",
    "RuleBasedPolicy",
    "assemble_policy",
    "follow_schedule",
    "make_power_levels",
    "make_schedule",
    "planners",
    "policies",
    "register_planner",
    "truthful_dispatch",
]
