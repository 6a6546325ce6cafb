"""Policies that follow a plan computed on the host before the simulation.

A planner returns the requested power of every battery, and of other devices, in every step. The
simulation passes the row of each step to the rule `follow_schedule`, and the device models limit it
like any other request.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import PRNGKeyArray
from numpy.typing import NDArray

from prosumax.control.power_levels import make_power_levels
from prosumax.control.rules import policies
from prosumax.devices.home import BATTERY
from prosumax.errors import InputError
from prosumax.optimization.discrete import plan_power_levels
from prosumax.optimization.mahtm_solver import plan_mahtm_solver
from prosumax.optimization.mpc import make_forecaster, plan_receding_horizon
from prosumax.optimization.optima import Optima
from prosumax.optimization.planning import (
    DispatchPlan,
    default_requests,
    plan_community,
    set_requests,
)
from prosumax.optimization.problem import build_problem
from prosumax.optimization.program import ProgressCallback
from prosumax.registry import Registry
from prosumax.scenario.schema.community import Scenario
from prosumax.scenario.schema.events import DeviceFails
from prosumax.simulation.community import assemble
from prosumax.simulation.inputs import read_profiles
from prosumax.simulation.policy import ControlContext, ControlSchedule, truthful_dispatch
from prosumax.types import Dispatch

_MAHTM_LEVELS = 40
# Offset between the seed of the simulated profiles and the seed of the profiles planned for.
_PLAN_SEED_OFFSET = 1_000_003


class PlanningTask(NamedTuple):
    """Input of a planner.

    Attributes:
        scenario: Scenario with the settings of the controllers.
        optima: Planning problem with its optima, which are solved on demand.
        homes: Indices of the homes that follow the planner.
        on_progress: Callback for progress messages.
    """

    scenario: Scenario
    optima: Optima
    homes: NDArray[np.int64]
    on_progress: ProgressCallback


Planner = Callable[[PlanningTask], NDArray[np.float64] | DispatchPlan]
"""Function that plans the requested battery power [step, home] in kW, or all devices of homes.

Only the columns of the task's homes are used.
"""

planners: Registry[Planner] = Registry(
    "planner", group="prosumax.policies", package="prosumax.control"
)
"""Planners by the name of their policy."""


def follow_schedule(context: ControlContext, key: PRNGKeyArray) -> Dispatch:
    """Apply the requests of the schedule in this step.

    Args:
        context: Information available in the step.
        key: Not used.

    Raises:
        InputError: If there is no schedule, since idle batteries would pass for an optimum.
    """
    if context.schedule is None:
        problem = "requires a plan made before the simulation, but there is none"
        raise InputError("policy", problem, "Use prosumax.run or prosumax.compare.")
    return truthful_dispatch(context.schedule.battery_kw, context.schedule.devices)


def register_planner(name: str, summary: str) -> Callable[[Planner], Planner]:
    """Return a decorator that makes a planner available as a policy.

    Args:
        name: Name of the policy.
        summary: One line for listings.
    """
    policies.register(name, summary)(follow_schedule)
    return planners.register(name, summary)


@register_planner(
    "optimal", "Perfect foresight: cheapest plan of each home alone, without exchange (LP)."
)
def optimal(task: PlanningTask) -> DispatchPlan:
    """Return the individual optimum of each home.

    Args:
        task: Input of the planner.
    """
    return task.optima.individual


@register_planner(
    "community-optimal",
    "Perfect foresight: cheapest joint plan of all homes, surplus shared first.",
)
def community_optimal(task: PlanningTask) -> DispatchPlan:
    """Return the joint optimum of the homes that follow it; other homes get no requests.

    Args:
        task: Input of the planner.
    """
    problem = task.optima.problem
    if np.isin(problem.controllable_homes, task.homes).all():
        return task.optima.community
    plan = plan_community(problem.select_homes(task.homes), task.on_progress)
    power_kw = np.zeros_like(problem.net_kwh)
    power_kw[:, task.homes] = plan.power_kw
    requests = set_requests(default_requests(problem), task.homes, plan.requests)
    return plan._replace(power_kw=power_kw, requests=requests)


@register_planner(
    "mpc",
    "Receding horizon: replans the next hours in every step, each home alone (see `control`).",
)
def mpc(task: PlanningTask) -> NDArray[np.float64]:
    """Plan each home with a receding horizon; all share one separable program.

    Args:
        task: Input of the planner.
    """
    return _plan_receding_horizon(task, joint=False)


@register_planner(
    "community-mpc",
    "Receding horizon: replans the next hours in every step, all homes jointly (see `control`).",
)
def community_mpc(task: PlanningTask) -> NDArray[np.float64]:
    """Plan all homes jointly with a receding horizon.

    Args:
        task: Input of the planner.
    """
    return _plan_receding_horizon(task, joint=True)


@register_planner(
    "optimal-levels", "Perfect foresight: optimum of each home over `control.power_levels` powers."
)
def optimal_levels(task: PlanningTask) -> NDArray[np.float64]:
    """Plan discrete power levels with a dynamic program; 40 levels, as in MAHTM, by default.

    Args:
        task: Input of the planner.
    """
    _check_events(task.scenario, "optimal-levels")
    control = task.scenario.control
    problem = task.optima.problem
    num_levels = control.power_levels or _MAHTM_LEVELS
    levels = make_power_levels(num_levels, control.max_c_rate, control.zero_level)
    power_kw = np.zeros_like(problem.net_kwh)
    own_problem = problem.select_homes(task.homes)
    power_kw[:, task.homes] = plan_power_levels(own_problem, levels, task.on_progress)
    return power_kw


@register_planner(
    "mahtm-paper-solver",
    "Legacy: solver run of the MAHTM paper with its defects, to reproduce its table 2.",
)
def mahtm_paper_solver(task: PlanningTask) -> NDArray[np.float64]:
    """Plan as the published code of MAHTM, for other samples where profiles are random.

    See `plan_mahtm_solver`.

    Args:
        task: Input of the planner.
    """
    _check_events(task.scenario, "mahtm-paper-solver")
    simulated_problem = task.optima.problem
    planned_problem = simulated_problem
    scenario = task.scenario
    if scenario.mahtm.noise or scenario.mahtm.temperature_c is None:
        seed = (scenario.seed + _PLAN_SEED_OFFSET) % 2**31
        planned = scenario.model_copy(update={"seed": seed})
        profiles = read_profiles(planned)
        planned_problem = build_problem(planned, profiles, assemble(planned, profiles))
    return plan_mahtm_solver(planned_problem, simulated_problem)


def make_schedule(
    names: Sequence[str], scenario: Scenario, optima: Optima, on_progress: ProgressCallback
) -> ControlSchedule:
    """Compute the requests [step, home] of all homes with a planning policy.

    Batteries of other homes get requests of zero; devices without a plan follow their default
    control.

    Args:
        names: Name of the policy of each home.
        scenario: Scenario with the settings of the controllers.
        optima: Planning problem with its optima.
        on_progress: Callback for progress messages.
    """
    power_kw = np.zeros_like(optima.problem.net_kwh)
    requests = default_requests(optima.problem)
    for name in dict.fromkeys(names):
        if name not in planners:
            continue
        homes = np.flatnonzero([own == name for own in names])
        planner = planners.get(name, "policy")
        plan = planner(PlanningTask(scenario, optima, homes, on_progress))
        if isinstance(plan, DispatchPlan):
            own = jax.tree.map(lambda leaf, homes=homes: leaf[:, homes], plan.requests)
            requests = set_requests(requests, homes, own)
            plan = plan.power_kw
        power_kw[:, homes] = plan[:, homes]
    # Annotated as the JAX arrays of a simulation, which converts these NumPy arrays.
    return ControlSchedule(power_kw, requests)  # type: ignore[arg-type]


def _plan_receding_horizon(task: PlanningTask, joint: bool) -> NDArray[np.float64]:
    _check_events(task.scenario, "community-mpc" if joint else "mpc")
    control = task.scenario.control
    problem = task.optima.problem.select_homes(task.homes)
    horizon = max(1, round(control.horizon_hours / problem.step_hours))
    forecaster = make_forecaster(
        problem, control.forecast, horizon, control.forecast_error, task.scenario.seed
    )
    power_kw = np.zeros_like(task.optima.problem.net_kwh)
    power_kw[:, task.homes] = plan_receding_horizon(
        problem, forecaster, horizon, joint=joint, on_progress=task.on_progress
    )
    return power_kw


def _check_events(scenario: Scenario, policy: str) -> None:
    """Check that no event concerns the batteries or meters of a planner that knows no events.

    Raises:
        InputError: There is such an event.
    """
    for number, event in enumerate(scenario.events):
        if not (isinstance(event, DeviceFails) and event.device != BATTERY):
            raise InputError(
                f"{scenario.name}: events.{number}",
                f"policy {policy} cannot plan with event {event.event}",
                "Use policy optimal, community-optimal or a rule.",
            )
