"""Agents that do not learn: baselines that every learner is compared with.

`policies` steer batteries and may be named in a scenario; planners solve for the optimum first; `bidders` send bids to
an environment.
"""

from prosumax.agents.bidders import Bidder, Played, bidders, play
from prosumax.agents.levels import Levelled, power_levels
from prosumax.agents.planned import Planner, Task, make_plan, planned, planners
from prosumax.agents.rules import Planned, Policy, Rule, View, assemble_policy, dispatch, policies

__all__ = [
    "Bidder",
    "Levelled",
    "Planned",
    "Planner",
    "Played",
    "Policy",
    "Rule",
    "Task",
    "View",
    "assemble_policy",
    "bidders",
    "dispatch",
    "make_plan",
    "planned",
    "planners",
    "play",
    "policies",
    "power_levels",
]
