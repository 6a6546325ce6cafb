"""Agents that do not learn: baselines that every learner is compared with.

`policies` steer batteries and may be named in a scenario; planners solve for the optimum first; `bidders` send bids to
an environment.
"""

from prosumax.control.planners import Planner, Task, make_plan, planned, planners
from prosumax.control.power_levels import power_levels
from prosumax.control.rules import assemble_policy, policies
from prosumax.simulation.policy import Levelled, Planned, Policy, Rule, View, dispatch

__all__ = [
    "Levelled",
    "Planned",
    "Planner",
    "Policy",
    "Rule",
    "Task",
    "View",
    "assemble_policy",
    "dispatch",
    "make_plan",
    "planned",
    "planners",
    "policies",
    "power_levels",
]
