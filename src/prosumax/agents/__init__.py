"""Agents that do not learn: baselines that every learner is compared with.

`policies` steer batteries and may be named in a scenario; `bidders` send bids to an environment.
"""

from prosumax.agents.bidders import Bidder, Played, bidders, play
from prosumax.agents.rules import Policy, Rule, View, assemble_policy, dispatch, policies

__all__ = [
    "Bidder",
    "Played",
    "Policy",
    "Rule",
    "View",
    "assemble_policy",
    "bidders",
    "dispatch",
    "play",
    "policies",
]
