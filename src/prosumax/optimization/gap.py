"""Optimality gap of a run, from idle batteries (0 %) to the optimum (100 %), and MAHTM scores."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.metrics import CommunityKPIs, price_of_fairness
from prosumax.numerics import SMALL
from prosumax.optimization.optima import Optima
from prosumax.optimization.problem import (
    Problem,
    build_problem,
    community_cost,
    individual_cost,
)
from prosumax.optimization.program import count_binaries
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.community import Community
from prosumax.simulation.inputs import Profiles
from prosumax.simulation.results.annual import billing_period, unplanned_costs
from prosumax.simulation.results.result import Result
from prosumax.simulation.results.summary import finite_or_none, summarize
from prosumax.simulation.rollout import Trajectory
from prosumax.tariff.plan_costs import unplanned_components

Array = NDArray[np.float64]

AUTOMATIC_PROBLEM_SIZE = 20_000
"""Largest number of controllable homes times steps for which the optimum is computed by default.

Without binaries it takes seconds.
"""


def is_quickly_solvable(problem: Problem) -> bool:
    """Return whether the optimum takes seconds and the solver is installed.

    Args:
        problem: The problem.
    """
    from importlib.util import find_spec

    if problem.net_metered.any():
        return False
    homes = len(problem.controllable_homes)
    is_small = len(problem.net_kwh) * homes <= AUTOMATIC_PROBLEM_SIZE
    is_installed = find_spec("linopy") is not None and find_spec("highspy") is not None
    return is_small and not count_binaries(problem) and (is_installed or not homes)


def mahtm_scores(
    problem: Problem,
    emission_factor_kg_per_kwh: Float[Array, " step"],
    cost: Float[Array, " home"],
    emissions_kg: Float[Array, " home"],
) -> dict[str, float]:
    """Compute the scores of MAHTM: means over homes against idle batteries without exchange.

    Args:
        problem: Problem of the scenario.
        emission_factor_kg_per_kwh: Emission factor of grid electricity.
        cost: Bill of each home.
        emissions_kg: Emissions of each home's purchases from the grid.

    Returns:
        `price_score` and `emission_score`, the changes of bill and emissions (lower is better),
        `reward`, the negative of what optimal policies minimize, and `baseline_reward`, the same
        for idle batteries without exchange. With carbon price `w`,
        price_score + w * emission_score = baseline_reward - reward.

    References:
        MAHTM, section 3.2 and table 2, where w is 1.
    """
    weight = problem.carbon_price
    baseline = individual_cost(problem, problem.net_kwh).mean()
    baseline_import = np.maximum(problem.metered(problem.net_kwh), 0)
    baseline_emissions = (emission_factor_kg_per_kwh @ baseline_import).mean()
    carbon_cost = weight * emissions_kg.mean() if weight else 0.0
    baseline_carbon_cost = weight * baseline_emissions if weight else 0.0
    return {
        "price_score": cost.mean() - (baseline - baseline_carbon_cost),
        "emission_score": emissions_kg.mean() - baseline_emissions,
        "reward": -(cost.mean() + carbon_cost),
        "baseline_reward": -baseline,
    }


def optimality_kpis(
    optima: Optima | None, problem: Problem, objective: float, standalone_objective: float
) -> dict[str, float]:
    """Compute the KPIs of a run against the optimum.

    Args:
        optima: Optimal plans; the KPIs that need them are NaN if None.
        problem: Problem of the scenario.
        objective: Bills of all homes and priced emissions of the run.
        standalone_objective: The same for the same meters without exchange.

    Returns:
        `objective`; `baseline_objective` (batteries idle, no exchange); `individual_optimum` (each
        home for itself) and `community_optimum` (all together) with the lower bounds of any plan;
        `share_of_individual_gain` (of the meters without exchange, toward `individual_optimum`)
        and `share_of_optimal_gain` (of the run, toward `community_optimum`); `price_of_anarchy`,
        the cost if each home follows its individual optimum and surplus is then shared, over the
        community optimum.
    """
    baseline = float(individual_cost(problem, problem.net_kwh).sum())
    kpis: dict[str, float] = {"objective": objective, "baseline_objective": baseline}
    if optima is None:
        names = (
            "individual_optimum",
            "individual_optimum_bound",
            "community_optimum",
            "community_optimum_bound",
            "share_of_individual_gain",
            "share_of_optimal_gain",
            "price_of_anarchy",
        )
        return kpis | dict.fromkeys(names, float("nan"))
    individual = optima.individual
    community = optima.community
    selfish = community_cost(problem, individual.net_kwh)
    optimum = community.objective
    kpis["individual_optimum"] = individual.objective
    kpis["individual_optimum_bound"] = individual.bound
    kpis["community_optimum"] = optimum
    kpis["community_optimum_bound"] = community.bound
    kpis["share_of_individual_gain"] = _share_of_gain(
        baseline - standalone_objective, baseline - individual.objective
    )
    kpis["share_of_optimal_gain"] = _share_of_gain(baseline - objective, baseline - optimum)
    kpis["price_of_anarchy"] = selfish / optimum if optimum > 0 else float("nan")
    return kpis


def _share_of_gain(gain: float, possible: float) -> float:
    """Return the achieved share of a gain; NaN if no gain is possible."""
    return gain / possible if possible > SMALL else float("nan")


def summarize_with_optimality(
    scenario: Scenario,
    profiles: Profiles,
    community: Community,
    trajectory: Trajectory,
    timing: Mapping[str, float],
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
    left_out = unplanned_components(scenario.tariff, billing_period(scenario, profiles))
    notes = list(result.notes)
    if left_out:
        # Plans and bills are compared without the components that no plan can consider.
        unplanned, unplanned_alone = unplanned_costs(scenario, profiles, trajectory)
        bills = bills - unplanned
        alone = alone - unplanned_alone
        notes.append(
            f"objective and optimum leave out the {' and the '.join(left_out)}, which no linear "
            f"program can express; the bills include {'it' if len(left_out) == 1 else 'them'}"
        )
    figures = mahtm_scores(problem, carbon, bills, emissions)
    figures |= optimality_kpis(
        optima, problem, float(bills.sum() + carbon_cost), float(alone.sum() + carbon_cost_alone)
    )
    welfare = result.kpis["max_welfare"]
    figures["price_of_fairness"] = float(
        price_of_fairness(np.nan if welfare is None else welfare, result.kpis["saving"])
    )
    kpis: dict[str, object] = dict(result.kpis)
    nested = {name: kpis.pop(name) for name in ("citylearn", "network")}
    kpis |= {name: finite_or_none(value) for name, value in figures.items()}
    return replace(result, kpis=cast(CommunityKPIs, kpis | nested), notes=notes)
