"""Sweeps: every combination of scenarios, rules, policies, settings and seeds as a trial of its own, kept one by one.

A sweep is a folder with a file for every finished trial. A trial is known by its content, so running a sweep again, or
a larger one in the same folder, only does what is not there yet.
"""

import hashlib
import json
import math
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from prosumax.control.rules import policies as known_policies
from prosumax.errors import InputError, did_you_mean
from prosumax.files import write_text
from prosumax.market.mechanism import mechanisms as known_mechanisms
from prosumax.rl.algorithms.registry import algorithms as known_algorithms
from prosumax.rl.engine.agent_groups import PARADIGMS
from prosumax.rl.training.training import train
from prosumax.runner import OnStage, run, variants
from prosumax.scenario.loading import check_names, load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.results.store import to_json
from prosumax.studies.engine import Variant

_RULES = ("mechanism", "policy", "algorithm", "paradigm")
"""Axes that are names, not settings."""

FORMAT = 1
"""Of the trial files; part of what a trial is known by."""


@dataclass(frozen=True)
class Grid:
    """What is varied; each empty part stays as the scenarios have it.

    Attributes:
        scenarios: presets, YAML files or CityLearn folders.
        mechanisms, policies: names; a policy is every home's.
        vary: path of a field -> values, as text like in `--set`.
        overrides: `a.b=value`, the same for all.
        seeds: of every combination, from 0.
        optimum: as in `prosumax.run`.
        algorithms, paradigms: of learning; with either, trials are training runs (`prosumax.train`).
        iterations, environments: of training, as there.
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
    environments: int = 32

    @property
    def learning(self) -> bool:
        """Whether trials are training runs."""
        return bool(self.algorithms or self.paradigms)


class Trial(NamedTuple):
    """One run of a sweep.

    Attributes:
        cell: position of its combination.
        seed: of the run.
        name: of its file; tells what it is, and by a hash of the content whether it is the same.
        job: all that a worker needs, as JSON.
    """

    cell: int
    seed: int
    name: str
    job: Mapping[str, Any]


class Cell(NamedTuple):
    """One combination.

    Attributes:
        axes: what was chosen, by name of the axis.
        variant: its place in the tables.
    """

    axes: Mapping[str, str]
    variant: Variant


@dataclass(frozen=True)
class Plan:
    """A grid, worked out and checked: nothing of it can fail for a wrong name later.

    Attributes:
        grid: what was asked for.
        cells: combinations, in the order of the tables.
        trials: cell by cell, seed by seed.
    """

    grid: Grid
    cells: tuple[Cell, ...]
    trials: tuple[Trial, ...]

    @cached_property
    def names(self) -> frozenset[str]:
        """Of all trials."""
        return frozenset(trial.name for trial in self.trials)


def plan(grid: Grid) -> Plan:
    """Work out every combination and check it.

    Raises:
        InputError: a scenario, name, path or value is not right, or there is nothing to do.
    """
    if not grid.scenarios:
        raise InputError(
            "sweep", "names no scenario", "Name one or more; `prosumax scenarios` lists them."
        )
    if grid.seeds < 1:
        raise InputError("--seeds", f"is {grid.seeds}", "It must be at least 1.")
    for name in grid.mechanisms:
        known_mechanisms.check(name, "--mechanisms")
    for name in grid.policies:
        known_policies.check(name, "--policies")
    for name in grid.algorithms:
        known_algorithms.check(name, "--algorithms")
    for name in grid.paradigms:
        if name not in PARADIGMS:
            raise InputError(
                "--paradigms", f"there is no paradigm {name!r}", did_you_mean(name, PARADIGMS)
            )
    if grid.learning and grid.policies:
        raise InputError(
            "--policies", "says how homes decide, --algorithms that they learn", "Give one of them."
        )
    if grid.iterations < 1 or grid.environments < 1:
        raise InputError("--iterations, --environments", "must be at least 1", "Raise it.")
    made = [
        (axes, scenario)
        for source in grid.scenarios
        for axes, scenario in _combinations(grid, source)
    ]
    cells = [
        Cell(*pair)
        for pair in zip((axes for axes, _ in made), _variants([a for a, _ in made]), strict=True)
    ]
    titles = list(dict.fromkeys(cell.variant.group for cell in cells))  # each table in one piece
    order = sorted(range(len(cells)), key=lambda at: titles.index(cells[at].variant.group))
    trials = [
        _trial(grid, position, cells[at].axes, made[at][1], seed)
        for position, at in enumerate(order)
        for seed in range(grid.seeds)
    ]
    return Plan(grid, tuple(cells[at] for at in order), tuple(trials))


def _combinations(grid: Grid, source: str) -> Iterator[tuple[dict[str, str], Scenario]]:
    """Every combination of one scenario; the settings change slowest."""
    base = load_scenario(source, grid.overrides)
    paths = list(grid.vary or {})
    for values in product(*(grid.vary[path] for path in paths) if grid.vary else ()):
        chosen = dict(zip(paths, values, strict=True))
        changed = (
            load_scenario(base, [f"{path}={value}" for path, value in chosen.items()])
            if chosen
            else base
        )
        for policy in grid.policies or (None,):
            for name, variant in variants(
                changed, list(grid.mechanisms) or [changed.market.mechanism], policy
            ):
                check_names(variant, known_mechanisms, known_policies)
                axes = {"scenario": source} | chosen | {"mechanism": name.partition(",")[0]}
                if not grid.learning:
                    yield axes | {"policy": policy or "as in the scenario"}, variant
                    continue
                for algorithm, paradigm in product(
                    grid.algorithms or ("ppo",), grid.paradigms or ("dtde",)
                ):
                    yield axes | {"algorithm": algorithm, "paradigm": paradigm}, variant


def _variants(cells: Sequence[Mapping[str, str]]) -> list[Variant]:
    """Where each combination stands: one axis above the columns, all others in the titles of the tables.

    The columns are rules where these differ, else policies, else the first setting, else scenarios.
    """
    axes = list(dict.fromkeys(axis for cell in cells for axis in cell))
    several = [axis for axis in axes if len({cell.get(axis) for cell in cells}) > 1]
    order = [
        *(axis for axis in _RULES if axis in axes),
        *(axis for axis in axes if axis not in _RULES),
    ]
    column = next((axis for axis in order if axis in several and axis != "scenario"), order[0])
    titles = [axis for axis in several if axis not in (column, "scenario")]

    def one(cell: Mapping[str, str]) -> Variant:
        title = ", ".join([Path(cell["scenario"]).stem, *(_label(axis, cell) for axis in titles)])
        return Variant(title, _label(column, cell), cell)

    return [one(cell) for cell in cells]


def _label(axis: str, cell: Mapping[str, str]) -> str:
    return f"{axis.rsplit('.', 1)[-1]} {cell[axis]}" if "." in axis else cell[axis]


def _trial(grid: Grid, at: int, axes: Mapping[str, str], scenario: Scenario, seed: int) -> Trial:
    content = scenario.model_copy(update={"seed": seed}).model_dump(mode="json")
    job: dict[str, Any] = {"scenario": content, "optimum": grid.optimum}
    if grid.learning:
        chosen = {name: axes[name] for name in ("algorithm", "paradigm")}
        job["train"] = chosen | {
            "iterations": grid.iterations,
            "environments": grid.environments,
            "seed": seed,
        }
    known_by = {
        "job": job,
        "files": dict(_files(content)),
        "format": FORMAT,
        "prosumax": metadata.version("prosumax"),
    }
    digest = hashlib.sha256(json.dumps(known_by, sort_keys=True).encode()).hexdigest()[:12]
    # Nothing of the grid is in the name: the same trial has the same one in a larger sweep.
    return Trial(
        at, seed, f"{scenario.name[:60]}-{scenario.market.mechanism}-{seed}-{digest}.json", job
    )


def _files(node: Any) -> Iterator[tuple[str, str]]:
    """Files that a scenario names, each with a hash of what is in it: other data, other trial."""
    if isinstance(node, Mapping):
        file = node.get("file")
        if isinstance(file, str) and Path(file).is_file():
            yield file, hashlib.sha256(Path(file).read_bytes()).hexdigest()
        for value in node.values():
            yield from _files(value)
    elif isinstance(node, list):
        for value in node:
            yield from _files(value)


def do(job: Mapping[str, Any], data_dir: str | None = None) -> dict[str, Any]:
    """Run one trial, wherever this is; what goes wrong is returned, not raised, since not every error can travel.

    Arguments:
        job: of a `Trial`.
        data_dir: folder with data sets, on the machine that does it.

    Returns:
        What `prosumax run` writes to `kpis.json`; of training `kpis` of the test days, and those of rules and optimum
        under `players`; or `error` in one line and its `traceback`.
    """
    try:
        if "train" in job:
            return _trained(job, data_dir)
        return to_json(run(job["scenario"], optimum=job["optimum"], data_dir=data_dir))
    except InputError as error:
        return {"error": str(error), "traceback": ""}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}


def _trained(job: Mapping[str, Any], data_dir: str | None) -> dict[str, Any]:
    done = train(job["scenario"], data_dir=data_dir, **job["train"])
    players = {
        who: {name: float(values[0]) for name, values in shown.items() if math.isfinite(values[0])}
        for who, shown in done.test.items()
    }
    timing = {"train_s": done.seconds, "iterations": done.iteration}
    return {"kpis": players["learned"], "players": players, "timing": timing}


class Outcome(NamedTuple):
    """What became of a trial.

    Attributes:
        trial: which.
        found: from `do`; None when its worker was lost and it has to be done again.
        attempts: how often it was begun.
    """

    trial: Trial
    found: Mapping[str, Any] | None
    attempts: int


Doing = Callable[[Sequence[Trial]], Iterable[Outcome]]
"""Does trials, in any order, and tells of each as it ends."""


class Swept(NamedTuple):
    """How far a sweep is.

    Attributes:
        plan: what was asked for.
        folder: where it is.
        finished: trials that are there now.
        before: of these, how many were there before.
        failed: trial -> why.
        lost: workers that died and cost their trial another attempt.
        interrupted: whether the user stopped it.
    """

    plan: Plan
    folder: Path
    finished: int
    before: int
    failed: Mapping[str, str]
    lost: int
    interrupted: bool


def sweep(
    planned: Plan,
    folder: Path,
    doing: Doing,
    on_stage: OnStage = lambda stage, done: None,
    clock: Callable[[], float] | None = None,
) -> Swept:
    """Do what is not there yet, keeping each trial as it ends.

    Arguments:
        planned: what there is to do.
        folder: of this sweep or of none.
        doing: who does it: `experiments.on_ray`.
        on_stage: called with a line and the share done whenever a trial ends.
        clock: seconds, for the rate that is shown.

    Raises:
        InputError: the folder holds something else.
    """
    now = clock or time.perf_counter
    trials = _open(planned, folder)
    todo = [trial for trial in planned.trials if not (trials / trial.name).is_file()]
    before, total = len(planned.trials) - len(todo), len(planned.trials)
    failed: dict[str, str] = {}
    finished, lost, interrupted, began = before, 0, False, now()
    on_stage(f"{before} of {total} trials are there already" if before else f"{total} trials", 0.0)
    try:
        for outcome in doing(todo) if todo else ():
            if outcome.found is None:
                lost += 1
            elif "error" in outcome.found:
                failed[outcome.trial.name] = str(outcome.found["error"])
                write_text(
                    folder / "failed" / Path(outcome.trial.name).with_suffix(".txt"), _why(outcome)
                )
            else:
                write_text(trials / outcome.trial.name, json.dumps(_record(planned, outcome)))
                (folder / "failed" / Path(outcome.trial.name).with_suffix(".txt")).unlink(
                    missing_ok=True
                )
                finished += 1
            ended = finished - before + len(failed)
            rate = 60 * ended / max(now() - began, 1e-9)
            words = f"{finished} of {total} trials, {rate:.1f} per minute"
            words += f", {len(failed)} failed" if failed else ""
            words += f", {lost} begun again" if lost else ""
            on_stage(words, ended / len(todo))
    except KeyboardInterrupt:
        interrupted = True
    return Swept(planned, folder, finished, before, failed, lost, interrupted)


def records(planned: Plan, folder: Path) -> dict[str, dict[str, Any]]:
    """Every finished trial of a sweep by name.

    Raises:
        InputError: a file was damaged.
    """
    found = {}
    for trial in planned.trials:
        path = folder / "trials" / trial.name
        if path.is_file():
            try:
                found[trial.name] = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise InputError(
                    str(path), "is damaged", "Delete it and run the sweep again."
                ) from error
    return found


def _open(planned: Plan, folder: Path) -> Path:
    """Make the folder of a sweep, or go on with it; returns the one with the trials."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}", "is a file", "Name a folder.")
    mark = folder / "sweep.json"
    if folder.is_dir() and not mark.is_file() and any(folder.iterdir()):
        raise InputError(
            f"--out {folder}",
            "holds something that is no sweep",
            "It was left alone; name a new folder.",
        )
    asked = asdict(planned.grid) | {
        "trials": len(planned.trials),
        "prosumax": metadata.version("prosumax"),
    }
    try:
        (folder / "trials").mkdir(parents=True, exist_ok=True)
        write_text(mark, json.dumps(asked, indent=1))
    except OSError as error:
        what = f"cannot be written ({error.strerror})"
        raise InputError(f"--out {folder}", what, "Name a folder that you may write to.") from error
    return folder / "trials"


def _record(planned: Plan, outcome: Outcome) -> dict[str, Any]:
    axes = planned.cells[outcome.trial.cell].axes
    return {
        "axes": dict(axes),
        "seed": outcome.trial.seed,
        "attempts": outcome.attempts,
        **(outcome.found or {}),
    }


def _why(outcome: Outcome) -> str:
    found = outcome.found or {}
    return f"{found['error']}\n\n{found.get('traceback', '')}".strip() + "\n"
