"""Homes that follow a plan made before the run, by an optimiser that works on the host.

A planner returns what is asked of every battery (and car, and heat pump) in every step; the simulation shows each
step's row to the rule `follow_plan`, and the physics limit it like any other request.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import PRNGKeyArray
from numpy.typing import NDArray

from prosumax.control.power_levels import power_levels
from prosumax.control.rules import policies
from prosumax.errors import InputError
from prosumax.optimization.discrete import plan_levels
from prosumax.optimization.mahtm_solver import plan_like_the_paper
from prosumax.optimization.mpc import forecaster, plan_rolling
from prosumax.optimization.optima import Optima
from prosumax.optimization.planning import OnStage, Plan, nothing_asked, plan_together, put
from prosumax.optimization.problem import pose
from prosumax.registry import Registry
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.build import assemble
from prosumax.simulation.inputs import read_profiles
from prosumax.simulation.policy import Planned, View, dispatch
from prosumax.types import Dispatch

_OTHER_DRAW = 1_000_003  # distance between the seed of the homes and that of the plan


class Task(NamedTuple):
    """What a planner is given.

    Attributes:
        scenario: with the settings of the controllers.
        optima: the problem, and its optima once somebody asks for them.
        homes: the homes that follow this planner.
        on_stage: progress.
    """

    scenario: Scenario
    optima: Optima
    homes: NDArray[np.int64]
    on_stage: OnStage


Planner = Callable[[Task], NDArray[np.float64] | Plan]
"""A task -> power asked of each battery, kW [step, home], or a plan that knows cars and heat pumps too.

Only the columns of the task's homes are used.
"""

planners: Registry[Planner] = Registry("planner")
"""The planner behind each policy that has one, by the policy's name."""


def follow_plan(view: View, key: PRNGKeyArray) -> Dispatch:
    """This step of the plan.

    Raises:
        InputError: nobody planned; better than batteries that stand still and call it optimal.
    """
    if view.planned is None:
        raise InputError(
            "policy",
            "plans before the run, and no plan was made",
            "Use prosumax.run or prosumax.compare.",
        )
    return dispatch(*view.planned)


def planned(name: str, summary: str) -> Callable[[Planner], Planner]:
    """Decorator that makes a planner available as a policy."""
    policies.register(name, summary)(follow_plan)
    return planners.register(name, summary)


@planned(
    "optimal",
    "Perfect foresight: the cheapest plan of each home for itself, without exchange (linear program).",
)
def optimal(task: Task) -> Plan:
    """Each home's own optimum."""
    return task.optima.alone


@planned(
    "community-optimal",
    "Perfect foresight: the cheapest plan of all homes as one, surplus shared first.",
)
def community_optimal(task: Task) -> Plan:
    """The optimum of the homes that follow it, as one; the others are left as they are."""
    problem = task.optima.problem
    if np.isin(problem.deciding, task.homes).all():
        return task.optima.together
    power, plan = (
        np.zeros_like(problem.net_kwh),
        plan_together(problem.of(task.homes), task.on_stage),
    )
    power[:, task.homes] = plan.power_kw
    return plan._replace(
        power_kw=power, requests=put(nothing_asked(problem), task.homes, plan.requests)
    )


def _rolling(task: Task, together: bool) -> NDArray[np.float64]:
    control, problem = task.scenario.control, task.optima.problem.of(task.homes)
    horizon = max(1, round(control.horizon_hours / problem.step_hours))
    forecast = forecaster(
        problem, control.forecast, horizon, control.forecast_error, task.scenario.seed
    )
    power = np.zeros_like(task.optima.problem.net_kwh)
    power[:, task.homes] = plan_rolling(
        problem, forecast, horizon, together=together, on_stage=task.on_stage
    )
    return power


@planned(
    "mpc",
    "Plans the next hours anew in every step, each home for itself (`control`: horizon, forecast).",
)
def mpc(task: Task) -> NDArray[np.float64]:
    """Rolling horizon for each home; the homes share one program that falls apart into theirs."""
    return _rolling(task, together=False)


@planned(
    "community-mpc",
    "Plans the next hours anew in every step, all homes as one (`control`: horizon, forecast).",
)
def community_mpc(task: Task) -> NDArray[np.float64]:
    """Rolling horizon for the community."""
    return _rolling(task, together=True)


@planned(
    "optimal-levels",
    "The optimum of each home that can only ask for `control.power_levels` powers.",
)
def optimal_levels(task: Task) -> NDArray[np.float64]:
    """Dynamic program over the levels; MAHTM's forty where the scenario names none."""
    control, problem = task.scenario.control, task.optima.problem
    levels = power_levels(control.power_levels or 40, control.power_reach, control.zero_level)
    power = np.zeros_like(problem.net_kwh)
    power[:, task.homes] = plan_levels(problem.of(task.homes), levels, task.on_stage)
    return power


@planned(
    "mahtm-paper-solver",
    "Legacy: the solver run of the MAHTM paper with its defects, to reproduce table 2.",
)
def mahtm_paper_solver(task: Task) -> NDArray[np.float64]:
    """See `plan_like_the_paper`. Where temperatures or noise are drawn, the plan is made on other draws."""
    played, planned_for, world = task.optima.problem, task.optima.problem, task.scenario.mahtm
    if world.noise or world.temperature_c is None:
        other = task.scenario.model_copy(
            update={"seed": (task.scenario.seed + _OTHER_DRAW) % 2**31}
        )
        profiles = read_profiles(other)
        planned_for = pose(other, profiles, assemble(other, profiles))
    return plan_like_the_paper(planned_for, played)


def make_plan(
    names: Sequence[str], scenario: Scenario, optima: Optima, on_stage: OnStage
) -> Planned:
    """What is asked for in the whole period of all homes whose policy plans, [step, home].

    Batteries of other homes are asked for nothing, devices that nobody plans keep their habits.

    Arguments:
        names: each home's policy.
        scenario, optima, on_stage: for the planners.
    """
    power, requests = np.zeros_like(optima.problem.net_kwh), nothing_asked(optima.problem)
    for name in dict.fromkeys(names):
        if name in planners:
            homes = np.flatnonzero([own == name for own in names])
            made = planners.get(name, "policy")(Task(scenario, optima, homes, on_stage))
            if isinstance(made, Plan):
                some = jax.tree.map(lambda leaf, homes=homes: leaf[:, homes], made.requests)
                requests, made = put(requests, homes, some), made.power_kw
            power[:, homes] = made[:, homes]
    return Planned(power, requests)  # type: ignore[arg-type]
