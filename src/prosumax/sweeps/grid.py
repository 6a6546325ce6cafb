"""Grids of a sweep: every combination of scenarios, mechanisms, policies, settings and seeds."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import NamedTuple, NotRequired, TypedDict

from prosumax.control.rules import policies as known_policies
from prosumax.errors import InputError, did_you_mean
from prosumax.market.mechanism import mechanisms as known_mechanisms
from prosumax.rl.algorithms.registry import algorithms as known_algorithms
from prosumax.rl.engine.agent_groups import PARADIGMS
from prosumax.runner import scenario_variants
from prosumax.scenario.loading import check_names, load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.studies.engine import Variant

_NAMED_AXES = ("mechanism", "policy", "algorithm", "paradigm")
"""Axes that are names, not settings."""

TRIAL_FORMAT = 2
"""Format of the trial files; part of the identity of a trial."""


@dataclass(frozen=True)
class SweepGrid:
    """Values to vary; each empty part stays as the scenarios have it.

    Attributes:
        scenarios: Presets, YAML files or CityLearn folders.
        mechanisms: Names of mechanisms.
        policies: Names of policies; each is the policy of every home.
        vary: Path of a field -> values, as text like in `--set`.
        overrides: `a.b=value`, the same for all.
        seeds: Number of seeds of every combination, from 0.
        optimum: As in `prosumax.run`.
        algorithms: Names of learning algorithms; with these or `paradigms`, trials are training
            runs (`prosumax.train`).
        paradigms: Names of learning paradigms.
        iterations: Iterations of training.
        num_envs: Parallel environments of training.
    """

    scenarios: tuple[str, ...]
    mechanisms: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    vary: Mapping[str, tuple[str, ...]] | None = None
    overrides: tuple[str, ...] = ()
    seeds: int = 1
    optimum: bool | None = None
    algorithms: tuple[str, ...] = ()
    paradigms: tuple[str, ...] = ()
    iterations: int = 500
    num_envs: int = 32

    @property
    def is_training(self) -> bool:
        """True where trials are training runs."""
        return bool(self.algorithms or self.paradigms)


class TrainingJob(TypedDict):
    """Arguments of `train` for a trial."""

    algorithm: str
    paradigm: str
    iterations: int
    num_envs: int
    seed: int


class TrialJob(TypedDict):
    """Input of a worker for a trial, as JSON.

    Attributes:
        scenario: Content of the scenario.
        optimum: As in `run`.
        train: Arguments of `train`, for trials that train.
    """

    scenario: dict[str, object]
    optimum: bool | None
    train: NotRequired[TrainingJob]


class Trial(NamedTuple):
    """One run of a sweep.

    Attributes:
        cell: Position of its combination.
        seed: Seed of the run.
        name: Name of its file, with a hash of the content, so that equal trials have equal names.
        job: Input of the worker.
    """

    cell: int
    seed: int
    name: str
    job: TrialJob


class SweepCell(NamedTuple):
    """One combination of a grid.

    Attributes:
        axes: Chosen value by name of the axis.
        variant: Place in the tables.
    """

    axes: Mapping[str, str]
    variant: Variant


@dataclass(frozen=True)
class SweepPlan:
    """All trials of a grid, checked: no name, path or value in it is wrong.

    Attributes:
        grid: Grid that was planned.
        cells: Combinations in the order of the tables.
        trials: Trials, cell by cell and seed by seed.
    """

    grid: SweepGrid
    cells: tuple[SweepCell, ...]
    trials: tuple[Trial, ...]

    @cached_property
    def trial_names(self) -> frozenset[str]:
        """Names of all trials."""
        return frozenset(trial.name for trial in self.trials)


def plan_sweep(grid: SweepGrid) -> SweepPlan:
    """Expand a grid into trials and check every combination.

    Args:
        grid: Values to vary.

    Raises:
        InputError: A scenario, name, path or value is wrong, or the grid is empty.
    """
    _check_grid(grid)
    combinations = [pair for source in grid.scenarios for pair in _combinations(grid, source)]
    variants = _table_places([axes for axes, _ in combinations])
    groups = list(dict.fromkeys(variant.group for variant in variants))
    # Combinations of one table are neighbors.
    order = sorted(range(len(variants)), key=lambda number: groups.index(variants[number].group))
    cells = []
    trials = []
    for position, number in enumerate(order):
        axes, scenario = combinations[number]
        cells.append(SweepCell(axes, variants[number]))
        trials += [_make_trial(grid, position, axes, scenario, seed) for seed in range(grid.seeds)]
    return SweepPlan(grid, tuple(cells), tuple(trials))


def _check_grid(grid: SweepGrid) -> None:
    """Raise `InputError` where a part of the grid is wrong by itself."""
    if not grid.scenarios:
        cure = "Name one or more; `prosumax scenarios` lists them."
        raise InputError("sweep", "the list of scenarios is empty", cure)
    if grid.seeds < 1:
        raise InputError("--seeds", f"must be at least 1, got {grid.seeds}", "Use 1 or more.")
    for name in grid.mechanisms:
        known_mechanisms.check(name, "--mechanisms")
    for name in grid.policies:
        known_policies.check(name, "--policies")
    for name in grid.algorithms:
        known_algorithms.check(name, "--algorithms")
    for name in grid.paradigms:
        if name not in PARADIGMS:
            cure = did_you_mean(name, PARADIGMS)
            raise InputError("--paradigms", f"there is no paradigm {name!r}", cure)
    if grid.is_training and grid.policies:
        what = "the option fixes the policy of homes, --algorithms and --paradigms let them learn"
        raise InputError("--policies", what, "Give one of them.")
    for option, number in (("--iterations", grid.iterations), ("--num-envs", grid.num_envs)):
        if number < 1:
            raise InputError(option, f"must be at least 1, got {number}", "Use 1 or more.")


def _combinations(grid: SweepGrid, source: str) -> Iterator[tuple[dict[str, str], Scenario]]:
    """Iterate over every combination of one scenario; the settings change slowest."""
    base = load_scenario(source, grid.overrides)
    vary = grid.vary or {}
    for values in product(*vary.values()):
        settings = dict(zip(vary, values, strict=True))
        changed = base
        if settings:
            changed = load_scenario(base, [f"{path}={value}" for path, value in settings.items()])
        mechanisms = list(grid.mechanisms) or [changed.market.mechanism]
        for policy in grid.policies or (None,):
            for label, scenario in scenario_variants(changed, mechanisms, policy):
                check_names(scenario, known_mechanisms, known_policies)
                mechanism = label.partition(",")[0]
                axes = {"scenario": source} | settings | {"mechanism": mechanism}
                if not grid.is_training:
                    yield axes | {"policy": policy or "as in the scenario"}, scenario
                    continue
                learners = product(grid.algorithms or ("ppo",), grid.paradigms or ("dtde",))
                for algorithm, paradigm in learners:
                    yield axes | {"algorithm": algorithm, "paradigm": paradigm}, scenario


def _table_places(combinations: Sequence[Mapping[str, str]]) -> list[Variant]:
    """Assign each combination to a table and a column.

    One axis makes the columns: the first that varies of the named axes, the settings and the
    scenarios. All other axes that vary are in the titles of the tables.
    """
    axes = list(dict.fromkeys(axis for chosen in combinations for axis in chosen))
    varied = [axis for axis in axes if len({chosen.get(axis) for chosen in combinations}) > 1]
    named = [axis for axis in _NAMED_AXES if axis in axes]
    order = [*named, *(axis for axis in axes if axis not in _NAMED_AXES)]
    candidates = (axis for axis in order if axis in varied and axis != "scenario")
    column = next(candidates, order[0])
    titles = [axis for axis in varied if axis not in (column, "scenario")]

    def place(chosen: Mapping[str, str]) -> Variant:
        parts = [Path(chosen["scenario"]).stem, *(_label(axis, chosen) for axis in titles)]
        return Variant(", ".join(parts), _label(column, chosen), chosen)

    return [place(chosen) for chosen in combinations]


def _label(axis: str, chosen: Mapping[str, str]) -> str:
    if "." not in axis:
        return chosen[axis]
    return f"{axis.rsplit('.', 1)[-1]} {chosen[axis]}"


def _make_trial(
    grid: SweepGrid, cell: int, axes: Mapping[str, str], scenario: Scenario, seed: int
) -> Trial:
    content = scenario.model_copy(update={"seed": seed}).model_dump(mode="json")
    job: TrialJob = {"scenario": content, "optimum": grid.optimum}
    if grid.is_training:
        job["train"] = {
            "algorithm": axes["algorithm"],
            "paradigm": axes["paradigm"],
            "iterations": grid.iterations,
            "num_envs": grid.num_envs,
            "seed": seed,
        }
    identity = {
        "job": job,
        "files": dict(_file_hashes(content)),
        "format": TRIAL_FORMAT,
        "prosumax": metadata.version("prosumax"),
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
    # The name has nothing of the grid, so that the same trial of a larger sweep has the same name.
    name = f"{scenario.name[:60]}-{scenario.market.mechanism}-{seed}-{digest}.json"
    return Trial(cell, seed, name, job)


def _file_hashes(node: object) -> Iterator[tuple[str, str]]:
    """Iterate over the files that a scenario names, each with a hash of its content."""
    if isinstance(node, Mapping):
        file = node.get("file")
        if isinstance(file, str) and Path(file).is_file():
            yield file, hashlib.sha256(Path(file).read_bytes()).hexdigest()
        for value in node.values():
            yield from _file_hashes(value)
    elif isinstance(node, list):
        for value in node:
            yield from _file_hashes(value)
