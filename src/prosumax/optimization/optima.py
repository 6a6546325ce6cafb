"""The two optima of a scenario, worked out once and only when asked for."""

from dataclasses import dataclass
from functools import cached_property

from prosumax.optimization.planning import OnStage, Plan, plan_alone, plan_together, silent
from prosumax.optimization.problem import Problem


@dataclass(frozen=True)
class Optima:
    """Both optima of a problem; several runs of the same homes share them.

    Attributes:
        problem: from `pose`.
        on_stage: called with a line and the share of the work that is done.
    """

    problem: Problem
    on_stage: OnStage = silent

    @cached_property
    def alone(self) -> Plan:
        """Each home for itself."""
        return plan_alone(self.problem, self.on_stage)

    @cached_property
    def together(self) -> Plan:
        """The community as one."""
        return plan_together(self.problem, self.on_stage)
