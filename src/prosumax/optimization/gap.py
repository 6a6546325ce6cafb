"""How good a run is: between doing nothing (0 %) and the optimum (100 %), and MAHTM's scores."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.metrics import CommunityKPIs, price_of_fairness
from prosumax.optimization.optima import Optima
from prosumax.optimization.problem import Problem, individual_cost, community_cost, build_problem
from prosumax.optimization.program import count_binaries
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.community import Community
from prosumax.simulation.inputs import Profiles
from prosumax.simulation.results.result import Result
from prosumax.simulation.results.summary import finite_or_none, summarize
from prosumax.simulation.rollout import Trajectory

Array = NDArray[np.float64]

AUTOMATIC_PROBLEM_SIZE = 20_000
"""Batteries times steps up to which every run is measured unasked: seconds of work, if no binaries are needed."""


def is_quickly_solvable(problem: Problem) -> bool:
    """Whether the optimum is a matter of seconds and the solver is there."""
    from importlib.util import find_spec

    if problem.net_metered.any():
        return False
    small = len(problem.net_kwh) * len(problem.controllable_homes) <= AUTOMATIC_PROBLEM_SIZE and not count_binaries(problem)
    installed = find_spec("linopy") is not None and find_spec("highspy") is not None
    return small and (installed or not len(problem.controllable_homes))


def mahtm_scores(
    problem: Problem,
    carbon_kg: Float[Array, " step"],
    cost: Float[Array, " home"],
    emissions_kg: Float[Array, " home"],
) -> dict[str, float]:
    """MAHTM's three figures for any run: means over homes, against idle batteries and no exchange.

    Arguments:
        problem: of the scenario.
        carbon_kg: intensity of grid electricity.
        cost: each home's bill.
        emissions_kg: of what each home bought from the grid.

    `price_score` and `emission_score` are the changes of bill and emissions (lower is better), `reward` is minus what
    optimal policies minimise, `baseline_reward` the same for idle batteries without exchange. With carbon price `w`,
    price_score + w * emission_score = baseline_reward - reward.

    Source: the MAHTM paper, section 3.2 and table 2; there w is 1.
    """
    weight = problem.carbon_price
    idle = individual_cost(problem, problem.net_kwh).mean()
    idle_emissions = (carbon_kg @ np.maximum(problem.net_kwh, 0)).mean()
    paid = cost.mean() + (weight * emissions_kg.mean() if weight else 0.0)
    return {
        "price_score": cost.mean() - (idle - (weight * idle_emissions if weight else 0.0)),
        "emission_score": emissions_kg.mean() - idle_emissions,
        "reward": -paid,
        "baseline_reward": -idle,
    }


def optimality_kpis(
    optima: Optima | None, problem: Problem, objective: float, objective_alone: float
) -> dict[str, Any]:
    """Key figures of a run against the optimum.

    Arguments:
        optima: None when nobody asked for the optimum; its figures are then null.
        problem: of the scenario.
        objective: bills of all homes and priced carbon of the run.
        objective_alone: the same for the same meters without exchange.

    Returns:
        `objective`; `baseline_objective` (batteries idle, no exchange); `individual_optimum` (each home alone) and
        `community_optimum` (all as one) with the bounds below which no plan can be; `share_of_individual_gain` (of the meters
        without exchange, towards `individual_optimum`) and `share_of_optimal_gain` (of the run, towards `community_optimum`);
        `price_of_anarchy`: cost when each home follows its own optimum and surplus is then shared, as a ratio to the
        community's optimum.
    """
    idle = float(individual_cost(problem, problem.net_kwh).sum())
    figures: dict[str, Any] = {"objective": objective, "baseline_objective": idle}
    names = ("individual_optimum", "individual_optimum_bound", "community_optimum", "community_optimum_bound")
    if optima is None:
        shares = ("share_of_individual_gain", "share_of_optimal_gain", "price_of_anarchy")
        return figures | dict.fromkeys((*names, *shares), float("nan"))
    own, all_as_one = optima.individual, optima.community
    best = all_as_one.objective
    selfish = community_cost(problem, own.net_kwh)
    figures |= dict(zip(names, (own.objective, own.bound, best, all_as_one.bound), strict=True))
    figures["share_of_individual_gain"] = _share(idle - objective_alone, idle - own.objective)
    figures["share_of_optimal_gain"] = _share(idle - objective, idle - best)
    figures["price_of_anarchy"] = selfish / best if best > 0 else float("nan")
    return figures


def _share(gained: float, possible: float) -> float:
    """NaN where there is nothing to gain."""
    return gained / possible if possible > 1e-9 else float("nan")


def summarize_with_optimality(
    scenario: Scenario,
    profiles: Profiles,
    community: Community,
    trajectory: Trajectory,
    timing: Mapping[str, Any],
    optima: Optima | None = None,
) -> Result:
    """Summarize a run and add MAHTM's scores and the optimality gap to its KPIs.

    Args:
        scenario: Scenario that was run.
        profiles: Its input series.
        community: Its arrays.
        trajectory: Raw outcome, NumPy [step, home].
        timing: Seconds by stage, passed on.
        optima: Optimal plans to compare with; without them the KPIs that need them are null.

    Returns:
        The result with all KPIs.
    """
    result = summarize(scenario, profiles, community, trajectory, timing)
    problem = build_problem(scenario, profiles, community) if optima is None else optima.problem
    homes = result.households
    bills = np.asarray([home["bill"] for home in homes])
    alone = np.asarray([home["bill_without_exchange"] for home in homes])
    emissions = np.asarray(
        [np.nan if home["emissions_kg"] is None else home["emissions_kg"] for home in homes]
    )
    carbon = np.asarray(profiles.prices["emission_factor_kg_per_kwh"], np.float64)
    weight = problem.carbon_price
    total_emissions = result.kpis["emissions_kg"]
    carbon_cost = 0.0
    if weight:
        carbon_cost = weight * (np.nan if total_emissions is None else total_emissions)
    imports = np.asarray(trajectory.record.flows.import_kwh, np.float64)
    carbon_cost_alone = weight * (carbon @ imports).sum() if weight else 0.0
    figures = mahtm_scores(problem, carbon, bills, emissions)
    figures |= optimality_kpis(
        optima, problem, float(bills.sum() + carbon_cost), float(alone.sum() + carbon_cost_alone)
    )
    welfare = result.kpis["max_welfare"]
    figures["price_of_fairness"] = price_of_fairness(
        np.nan if welfare is None else welfare, result.kpis["saving"]
    )
    kpis: dict[str, Any] = dict(result.kpis)
    nested = {name: kpis.pop(name) for name in ("citylearn", "network")}
    kpis |= {name: finite_or_none(value) for name, value in figures.items()}
    return replace(result, kpis=cast(CommunityKPIs, kpis | nested))
