"""Simulation of a scenario, or of one scenario under several mechanisms and policies."""

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import jax.numpy as jnp

from prosumax.control.planning import make_schedule, planners
from prosumax.control.power_levels import make_power_levels
from prosumax.control.rules import assemble_policy
from prosumax.control.rules import policies as policy_registry
from prosumax.market.mechanism import mechanisms as mechanism_registry
from prosumax.optimization.gap import is_quickly_solvable, summarize_with_optimality
from prosumax.optimization.optima import Optima
from prosumax.optimization.planning import ignore_progress
from prosumax.optimization.problem import build_problem, check_plannable
from prosumax.optimization.program import ProgressCallback
from prosumax.rl.training.price_policies import with_learned_prices
from prosumax.scenario.loading import ScenarioLike, check_names, load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.community import Community, assemble
from prosumax.simulation.inputs import Profiles, read_profiles
from prosumax.simulation.policy import ControlSchedule, DiscretePowerPolicy, RuleBasedPolicy
from prosumax.simulation.results.result import Result
from prosumax.simulation.rollout import simulate


def run(
    scenario: ScenarioLike,
    overrides: Iterable[str] | Mapping[str, object] = (),
    *,
    seed: int | None = None,
    data_dir: str | Path | None = None,
    optimum: bool | None = None,
    on_progress: ProgressCallback = ignore_progress,
) -> Result:
    """Simulate a scenario and compute the bill of every home.

    Args:
        scenario: Preset name, YAML file, CityLearn folder, mapping or `Scenario`.
        overrides: Overrides as `"tariff.feed_in=0"` strings, or a mapping from paths to values.
        seed: Seed that replaces the scenario's.
        data_dir: Folder with data sets, searched before the cache.
        optimum: True to compare the run with its optimum (`kpis["share_of_optimal_gain"]` and
            related KPIs; requires `prosumax[optimum]`). None does so if it takes seconds or a
            policy solves for the optimum anyway.
        on_progress: Callback with a message and the completed share, called for every stage.

    Returns:
        Result with `.kpis`, `.households` and `.timeseries`.

    Raises:
        InputError: If the scenario or its data is invalid.
    """
    results = _run_variants(
        scenario,
        overrides,
        mechanisms=None,
        policies=None,
        seed=seed,
        data_dir=data_dir,
        optimum=optimum,
        on_progress=on_progress,
    )
    (result,) = results.values()
    return result


def compare(
    scenario: ScenarioLike,
    mechanisms: Iterable[str],
    overrides: Iterable[str] | Mapping[str, object] = (),
    *,
    policies: Iterable[str] | None = None,
    seed: int | None = None,
    data_dir: str | Path | None = None,
    optimum: bool | None = None,
    on_progress: ProgressCallback = ignore_progress,
) -> dict[str, Result]:
    """Simulate a scenario once per mechanism, with the same data, homes and seed.

    Args:
        scenario: Scenario as in `run`.
        mechanisms: Names of mechanisms, listed by `prosumax mechanisms`; duplicates count once.
        overrides: Overrides as in `run`.
        policies: Policies to combine with each mechanism, each applied to every home; None keeps
            the scenario's own.
        seed: Seed that replaces the scenario's.
        data_dir: Folder with data sets, searched before the cache.
        optimum: True to compare the runs with their optimum, as in `run`.
        on_progress: Callback with a message and the completed share, called for every stage.

    Returns:
        Results by mechanism, in the given order; with policies, by `mechanism, policy`.

    Raises:
        InputError: If the scenario or its data is invalid, or a mechanism or policy does not exist.
    """
    mechanism_names = list(dict.fromkeys(mechanisms))
    for name in mechanism_names:
        mechanism_registry.check(name, "mechanisms")
    policy_names = None if policies is None else list(dict.fromkeys(policies))
    for name in policy_names or ():
        policy_registry.check(name, "policies")
    return _run_variants(
        scenario,
        overrides,
        mechanisms=mechanism_names,
        policies=policy_names,
        seed=seed,
        data_dir=data_dir,
        optimum=optimum,
        on_progress=on_progress,
    )


def scenario_variants(
    scenario: Scenario, mechanisms: list[str], policy: str | None
) -> Iterator[tuple[str, Scenario]]:
    """Yield a scenario under each mechanism, with a label.

    Args:
        scenario: Validated scenario.
        mechanisms: Names of mechanisms.
        policy: Policy of every home; None keeps the scenario's own.
    """
    for name in mechanisms:
        market = scenario.market.model_copy(update={"mechanism": name})
        variant = scenario.model_copy(update={"market": market})
        if policy is None:
            yield name, variant
        else:
            homes = [home.model_copy(update={"policy": None}) for home in variant.homes]
            updates = {"policy": policy, "homes": homes}
            yield f"{name}, {policy}", variant.model_copy(update=updates)


def _run_variants(
    source: ScenarioLike,
    overrides: Iterable[str] | Mapping[str, object],
    *,
    mechanisms: list[str] | None,
    policies: list[str] | None,
    seed: int | None,
    data_dir: str | Path | None,
    optimum: bool | None,
    on_progress: ProgressCallback,
) -> dict[str, Result]:
    on_progress("Reading the scenario", 0.0)
    scenario = load_scenario(source, overrides)
    if seed is not None:
        scenario = load_scenario(scenario, {"seed": seed})
    check_names(scenario, mechanism_registry, policy_registry)
    on_progress(f"Reading profiles of {len(scenario.homes)} homes", 0.0)
    start = time.perf_counter()
    profiles = read_profiles(scenario, data_dir)
    build_s = time.perf_counter() - start
    variants = {
        label: variant
        for policy in (policies or (None,))
        for label, variant in scenario_variants(
            scenario, mechanisms or [scenario.market.mechanism], policy
        )
    }
    problem = build_problem(scenario, profiles, assemble(scenario, profiles))
    optima = Optima(problem, on_progress)
    communities = {
        label: with_learned_prices(variant, assemble(variant, profiles), data_dir)
        for label, variant in variants.items()
    }
    has_planner = any(_has_planner(variant) for variant in variants.values())
    if optimum is None:
        optimum = is_quickly_solvable(problem) or has_planner
    if optimum or has_planner:
        check_plannable(problem)
    schedules: dict[tuple[str, ...], ControlSchedule] = {}
    results = {}
    for number, (label, variant) in enumerate(variants.items()):
        completed = number / len(variants)
        names = tuple(_policy_names(variant))
        if names not in schedules:
            progress = _scale_progress(on_progress, completed, 1 / len(variants))
            schedules[names] = make_schedule(names, variant, optima, progress)
        size = f"{variant.period.steps:,} steps of {len(variant.homes)} homes"
        on_progress(f"Simulating {size}: {label}", completed)
        results[label] = _run_variant(
            variant,
            profiles,
            communities[label],
            schedules[names] if _has_planner(variant) else None,
            optima if optimum else None,
            build_s,
        )
    return results


def _run_variant(
    scenario: Scenario,
    profiles: Profiles,
    community: Community,
    schedule: ControlSchedule | None,
    optima: Optima | None,
    build_s: float,
) -> Result:
    control = scenario.control
    rules = assemble_policy(_policy_names(scenario))
    policy: RuleBasedPolicy | DiscretePowerPolicy = rules
    if control.power_levels is not None:
        levels = make_power_levels(control.power_levels, control.max_c_rate, control.zero_level)
        policy = DiscretePowerPolicy(rules, jnp.asarray(levels, jnp.float32))
    trajectory, compile_s, simulate_s = simulate(community, policy, scenario.seed, schedule)
    timing = {
        "build_s": build_s,
        "compile_s": compile_s,
        "simulate_s": simulate_s,
        "steps": scenario.period.steps,
    }
    if optima is not None:
        plans = {"individual_optimum": optima.individual, "community_optimum": optima.community}
        for name, plan in plans.items():
            timing |= {
                f"{name}_s": plan.seconds,
                f"{name}_variables": plan.num_variables,
                f"{name}_constraints": plan.num_constraints,
            }
    return summarize_with_optimality(scenario, profiles, community, trajectory, timing, optima)


def _policy_names(scenario: Scenario) -> list[str]:
    return [home.policy or scenario.policy for home in scenario.homes]


def _has_planner(scenario: Scenario) -> bool:
    return any(name in planners for name in _policy_names(scenario))


def _scale_progress(on_progress: ProgressCallback, start: float, share: float) -> ProgressCallback:
    """Convert the progress of one variant to the progress of all of them."""

    def scaled(stage: str, completed: float) -> None:
        on_progress(stage, start + share * completed)

    return scaled
