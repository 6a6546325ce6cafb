"""Run a scenario, or the same scenario under several mechanisms."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from prosumax.agents import assemble_policy, policies
from prosumax.community import assemble
from prosumax.experiments.result import Result
from prosumax.experiments.simulate import simulate
from prosumax.experiments.summary import summarise
from prosumax.inputs import Profiles, read_profiles
from prosumax.market import mechanisms as known_mechanisms
from prosumax.scenario import Scenario, check_names, load_scenario

ScenarioLike = str | Path | Mapping[str, Any] | Scenario
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
    on_stage: OnStage = _silent,
) -> Result:
    """Simulate a scenario and work out everybody's bill.

    Arguments:
        scenario: preset name, YAML file, CityLearn folder, mapping, or `Scenario`.
        overrides: `"tariff.feed_in=0"` strings, or a mapping from such paths to values.
        seed: replaces the scenario's seed.
        data_dir: folder with data sets, looked at before the cache.
        on_stage: called with a line and the share done whenever a new stage of the work begins.

    Returns:
        The result, with `.kpis`, `.households` and `.timeseries`.

    Raises:
        InputError: something in the scenario or its data is not right.
    """
    (result,) = _run_all(scenario, overrides, None, seed, data_dir, on_stage).values()
    return result


def compare(
    scenario: ScenarioLike,
    mechanisms: Iterable[str],
    overrides: Iterable[str] | Mapping[str, Any] = (),
    *,
    seed: int | None = None,
    data_dir: str | Path | None = None,
    on_stage: OnStage = _silent,
) -> dict[str, Result]:
    """Run a scenario once per mechanism, on the same data, homes and seed.

    Arguments:
        mechanisms: names, as `prosumax mechanisms` lists them; duplicates count once.
        scenario, overrides, seed, data_dir, on_stage: as in `run`.

    Returns:
        Mechanism name -> result, in the order given.

    Raises:
        InputError: as in `run`, or a mechanism does not exist, before anything is simulated.
    """
    names = list(dict.fromkeys(mechanisms))
    for name in names:
        known_mechanisms.check(name, "mechanisms")
    return _run_all(scenario, overrides, names, seed, data_dir, on_stage)


def _run_all(
    source: ScenarioLike,
    overrides: Iterable[str] | Mapping[str, Any],
    mechanisms: list[str] | None,
    seed: int | None,
    data_dir: str | Path | None,
    on_stage: OnStage,
) -> dict[str, Result]:
    on_stage("Reading the scenario", 0.0)
    scenario = load_scenario(source, overrides)
    if seed is not None:
        scenario = load_scenario(scenario, {"seed": seed})
    check_names(scenario, known_mechanisms, policies)
    on_stage(f"Reading profiles of {len(scenario.homes)} homes", 0.0)
    before = time.perf_counter()
    profiles = read_profiles(scenario, data_dir)
    build_s = time.perf_counter() - before
    names = mechanisms or [scenario.market.mechanism]
    results = {}
    for number, name in enumerate(names):
        variant = scenario.model_copy(update={"market": scenario.market.model_copy(update={"mechanism": name})})
        on_stage(
            f"Simulating {variant.period.steps:,} steps of {len(variant.homes)} homes: {name}", number / len(names)
        )
        results[name] = _run_one(variant, profiles, build_s)
    return results


def _run_one(scenario: Scenario, profiles: Profiles, build_s: float) -> Result:
    community = assemble(scenario, profiles)
    policy = assemble_policy([home.policy or scenario.policy for home in scenario.homes])
    trajectory, compile_s, simulate_s = simulate(community, policy, scenario.seed)
    timing = {"build_s": build_s, "compile_s": compile_s, "simulate_s": simulate_s, "steps": scenario.period.steps}
    return summarise(scenario, profiles, community, trajectory, timing)
