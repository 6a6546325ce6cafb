"""Agents that do not learn: baselines that every learner is compared with."""

from prosumax.agents.rules import Policy, Rule, View, assemble_policy, dispatch, policies

__all__ = ["Policy", "Rule", "View", "assemble_policy", "dispatch", "policies"]
