"""Run a scenario, or the same scenario under several mechanisms."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp

from prosumax.control.planners import make_plan, planners
from prosumax.control.power_levels import power_levels
from prosumax.control.rules import assemble_policy
from prosumax.control.rules import policies as known_policies
from prosumax.market.mechanism import mechanisms as known_mechanisms
from prosumax.optimization.gap import summarize_with_optimality, worth_measuring
from prosumax.optimization.optima import Optima
from prosumax.optimization.problem import check_plannable, pose
from prosumax.rl.training.price_policies import with_trained_prices
from prosumax.scenario.loading import ScenarioLike, check_names, load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.build import Community, assemble
from prosumax.simulation.inputs import Profiles, read_profiles
from prosumax.simulation.policy import Levelled, Policy
from prosumax.simulation.results.result import Result
from prosumax.simulation.rollout import simulate

OnStage = Callable[[str, float], None]
"""Called when a stage of the work begins: what it is, and the share of the whole that is done."""


def _silent(stage: str, done: float) -> None:
    """Progress that nobody watches."""


def run(
    scenario: ScenarioLike,
    overrides: Iterable[str] | Mapping[str, Any] = (),
    *,
    seed: int | None = None,
    data_dir: str | Path | None = None,
    optimum: bool | None = None,
    on_stage: OnStage = _silent,
) -> Result:
    """Simulate a scenario and work out everybody's bill.

    Arguments:
        scenario: preset name, YAML file, CityLearn folder, mapping, or `Scenario`.
        overrides: `"tariff.feed_in=0"` strings, or a mapping from such paths to values.
        seed: replaces the scenario's seed.
        data_dir: folder with data sets, looked at before the cache.
        optimum: whether to measure the run by the optimum (`kpis["share_of_gain"]` and its kin; needs
            `prosumax[optimum]`). When absent it is done where it takes seconds, or where a policy needs it anyway.
        on_stage: called with a line and the share done whenever a new stage of the work begins.

    Returns:
        The result, with `.kpis`, `.households` and `.timeseries`.

    Raises:
        InputError: something in the scenario or its data is not right.
    """
    (result,) = _run_all(
        scenario, overrides, None, None, seed, data_dir, optimum, on_stage
    ).values()
    return result


def compare(
    scenario: ScenarioLike,
    mechanisms: Iterable[str],
    overrides: Iterable[str] | Mapping[str, Any] = (),
    *,
    policies: Iterable[str] | None = None,
    seed: int | None = None,
    data_dir: str | Path | None = None,
    optimum: bool | None = None,
    on_stage: OnStage = _silent,
) -> dict[str, Result]:
    """Run a scenario once per mechanism, on the same data, homes and seed.

    Arguments:
        mechanisms: names, as `prosumax mechanisms` lists them; duplicates count once.
        policies: run each mechanism with each of these policies in every home; the scenario's own when absent.
        scenario, overrides, seed, data_dir, optimum, on_stage: as in `run`.

    Returns:
        Mechanism name -> result, in the order given; with policies the names are `mechanism, policy`.

    Raises:
        InputError: as in `run`, or a mechanism does not exist, before anything is simulated.
    """
    names = list(dict.fromkeys(mechanisms))
    for name in names:
        known_mechanisms.check(name, "mechanisms")
    deciding = None if policies is None else list(dict.fromkeys(policies))
    for name in deciding or ():
        known_policies.check(name, "policies")
    return _run_all(scenario, overrides, names, deciding, seed, data_dir, optimum, on_stage)


def _run_all(
    source: ScenarioLike,
    overrides: Iterable[str] | Mapping[str, Any],
    mechanisms: list[str] | None,
    deciding: list[str] | None,
    seed: int | None,
    data_dir: str | Path | None,
    optimum: bool | None,
    on_stage: OnStage,
) -> dict[str, Result]:
    on_stage("Reading the scenario", 0.0)
    scenario = load_scenario(source, overrides)
    if seed is not None:
        scenario = load_scenario(scenario, {"seed": seed})
    check_names(scenario, known_mechanisms, known_policies)
    on_stage(f"Reading profiles of {len(scenario.homes)} homes", 0.0)
    before = time.perf_counter()
    profiles = read_profiles(scenario, data_dir)
    build_s = time.perf_counter() - before
    chosen = {
        label: variant
        for policy in (deciding or (None,))
        for label, variant in variants(scenario, mechanisms or [scenario.market.mechanism], policy)
    }
    optima = Optima(pose(scenario, profiles, assemble(scenario, profiles)), on_stage)
    communities = {
        label: with_trained_prices(variant, assemble(variant, profiles), data_dir)
        for label, variant in chosen.items()
    }
    measured, planned = optimum, any(_plans(variant) for variant in chosen.values())
    if measured is None:
        measured = worth_measuring(optima.problem) or planned
    if measured or planned:
        check_plannable(optima.problem)
    plans: dict[tuple[str, ...], Any] = {}
    results = {}
    for number, (label, variant) in enumerate(chosen.items()):
        done = number / len(chosen)
        who = tuple(_policies(variant))
        if who not in plans:
            plans[who] = make_plan(who, variant, optima, _part(on_stage, done, 1 / len(chosen)))
        on_stage(
            f"Simulating {variant.period.steps:,} steps of {len(variant.homes)} homes: {label}",
            done,
        )
        results[label] = _run_one(
            variant, profiles, communities[label], plans[who], optima if measured else None, build_s
        )
    return results


def variants(
    scenario: Scenario, mechanisms: list[str], policy: str | None
) -> Iterable[tuple[str, Scenario]]:
    """The scenario under each mechanism, with a label; a policy, where one is given, is every home's."""
    for name in mechanisms:
        variant = scenario.model_copy(
            update={"market": scenario.market.model_copy(update={"mechanism": name})}
        )
        if policy is None:
            yield name, variant
        else:
            homes = [home.model_copy(update={"policy": None}) for home in variant.homes]
            yield f"{name}, {policy}", variant.model_copy(update={"policy": policy, "homes": homes})


def _policies(scenario: Scenario) -> list[str]:
    return [home.policy or scenario.policy for home in scenario.homes]


def _plans(scenario: Scenario) -> bool:
    return any(name in planners for name in _policies(scenario))


def _part(on_stage: OnStage, start: float, share: float) -> OnStage:
    """Progress of a part of the work, as progress of the whole."""
    return lambda stage, done: on_stage(stage, start + share * done)


def _run_one(
    scenario: Scenario,
    profiles: Profiles,
    community: Community,
    plan: Any,
    optima: Optima | None,
    build_s: float,
) -> Result:
    control = scenario.control
    decide = assemble_policy(_policies(scenario))
    policy: Policy | Levelled = decide
    if control.power_levels is not None:
        levels = power_levels(control.power_levels, control.power_reach, control.zero_level)
        policy = Levelled(decide, jnp.asarray(levels, jnp.float32))
    trajectory, compile_s, simulate_s = simulate(
        community, policy, scenario.seed, plan if _plans(scenario) else None
    )
    timing = {
        "build_s": build_s,
        "compile_s": compile_s,
        "simulate_s": simulate_s,
        "steps": scenario.period.steps,
    }
    if optima is not None:
        for name, plan in (("own_optimum", optima.alone), ("community_optimum", optima.together)):
            timing |= {
                f"{name}_s": plan.seconds,
                f"{name}_unknowns": plan.columns,
                f"{name}_conditions": plan.rows,
            }
    return summarize_with_optimality(scenario, profiles, community, trajectory, timing, optima)
