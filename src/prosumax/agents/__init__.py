"""Agents that do not learn: baselines that every learner is compared with."""

from prosumax.agents.levels import Levelled, power_levels
from prosumax.agents.planned import Planner, Task, make_plan, planned, planners
from prosumax.agents.rules import Policy, Rule, View, assemble_policy, dispatch, policies

__all__ = [
    "Levelled",
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
