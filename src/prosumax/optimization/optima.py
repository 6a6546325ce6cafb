"""Individual and community optimum of a scenario, computed on demand."""

from dataclasses import dataclass
from functools import cached_property

from prosumax.optimization.planning import (
    DispatchPlan,
    ignore_progress,
    plan_community,
    plan_individual,
)
from prosumax.optimization.problem import Problem
from prosumax.optimization.program import ProgressCallback


@dataclass(frozen=True)
class Optima:
    """Both optima of a problem, which several runs of the same homes share.

    Attributes:
        problem: The problem, from `build_problem`.
        on_progress: Called with a message and the completed share of the work.
    """

    problem: Problem
    on_progress: ProgressCallback = ignore_progress

    @cached_property
    def individual(self) -> DispatchPlan:
        """Optimal plan of each home for itself."""
        return plan_individual(self.problem, self.on_progress)

    @cached_property
    def community(self) -> DispatchPlan:
        """Optimal plan of all homes together."""
        return plan_community(self.problem, self.on_progress)
