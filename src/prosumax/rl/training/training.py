"""Train a community: learners of any kind over several seeds at once, judged on days they never saw, and stored.

A run is a folder. `training.json` says what was asked for, `state.npz` has everything to go on from, `policies.npz`
what was best on validation days, `curves.csv` how it went, `result.json` how the best did on test days.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.files import write_rows, write_text
from prosumax.rl.engine.checkpoints import load_tree, save_tree
from prosumax.rl.engine.parallel_seeds import lanes, rounds
from prosumax.rl.training.comparison import judge_learned, judge_of, judge_others
from prosumax.rl.training.intervals import CURVES, Seed, every, like, prepare
from prosumax.rl.training.setup import Plan, Stage, populated, read_plan, stage_of
from prosumax.scenario.loading import ScenarioLike, load_scenario
from prosumax.simulation.rollout import use_compilation_cache

_STORE_EVERY_S = 30.0


class Now(NamedTuple):
    """How far a training run is.

    Attributes:
        iteration, iterations: done and planned.
        figures: means over seeds, by name.
        by_seed: the same by seed.
        per_second: agent-steps.
        seconds_left: about.
    """

    iteration: int
    iterations: int
    figures: Mapping[str, float]
    by_seed: Mapping[str, NDArray[np.float64]]
    per_second: float
    seconds_left: float


OnProgress = Callable[[Now], None]

MEMBERS = "ray"
"""Folder of a run in which the members of a population meet while it is not finished."""

Judged = Literal["compared", "alone", "no"]


class Training(NamedTuple):
    """A finished or interrupted run.

    Attributes:
        plan: what was asked for.
        folder: where it is stored; None if it is not.
        iteration: how many are done.
        curves: figure -> values [look, seed]; `iteration` is one of them [look].
        test: figure -> values on the test days by player [seed]; `learned` is one of the players. Empty until finished.
        learners: state of every team's best learners [seed, group, ..].
        seconds: spent training, compilation included.
    """

    plan: Plan
    folder: Path | None
    iteration: int
    curves: Mapping[str, NDArray[np.float64]]
    test: Mapping[str, Mapping[str, NDArray[np.float64]]]
    learners: tuple[Any, ...]
    seconds: float


def train(
    scenario: ScenarioLike,
    overrides: Iterable[str] | Mapping[str, Any] = (),
    *,
    algorithm: str | None = None,
    paradigm: str = "dtde",
    settings: Mapping[str, Any] | None = None,
    anneal: Mapping[str, float] | None = None,
    iterations: int = 500,
    seeds: int = 1,
    seed: int = 0,
    environments: int = 32,
    steps: int | None = None,
    finite: bool = False,
    out: Path | str | None = None,
    tensorboard: bool = False,
    judged: Judged = "compared",
    data_dir: str | Path | None = None,
    on_progress: OnProgress = lambda now: None,
) -> Training:
    """Train the homes of a scenario.

    Arguments:
        scenario, overrides, data_dir: as in `prosumax.run`; the scenario's `environment` says what agents do, see and
            are paid, its `population` who learns.
        algorithm, paradigm, settings: of all homes, instead of the scenario's population; PPO, each home alone, where
            neither says anything.
        anneal: hyper-parameters that move in a straight line to these values.
        iterations: rollouts and updates; rounded up so that they fall into even parts.
        seeds, seed: how many are trained at once, and the first.
        environments, steps: copies of the community per seed, and steps of each per iteration (an episode when absent).
        finite: whether nothing counts after an episode; otherwise its end is a time limit.
        out: folder to keep the run in; nothing is written when absent.
        tensorboard: whether to write its logs there too (needs `prosumax[tensorboard]`).
        judged: whether what was learned plays the test days in the end: `compared` with rules and the optimum, `alone`,
            or `no`.
        on_progress: called after every part of the work.

    Raises:
        InputError: something in the scenario, its population or the settings is not right.
    """
    checked = populated(load_scenario(scenario, overrides), algorithm, paradigm, settings or {})
    for name, value, least in (
        ("iterations", iterations, 1),
        ("seeds", seeds, 1),
        ("environments", environments, 1),
    ):
        if value < least:
            raise InputError(name, f"is {value}", f"It must be at least {least}.")
    plan = Plan(
        scenario=checked.model_dump(mode="json"),
        iterations=iterations,
        seeds=seeds,
        first_seed=seed,
        environments=environments,
        steps=steps,
        finite=finite,
        anneal=dict(anneal or {}),
        version=metadata.version("prosumax"),
    )
    plan = replace(plan, iterations=-(-iterations // every(plan)) * every(plan))
    folder = None if out is None else Path(out)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "training.json", json.dumps(asdict(plan), indent=1))
    return _run(stage_of(plan, data_dir), folder, None, tensorboard, judged, on_progress)


def resume(
    folder: Path | str,
    *,
    tensorboard: bool = False,
    judged: Judged = "compared",
    data_dir: str | Path | None = None,
    on_progress: OnProgress = lambda now: None,
) -> Training:
    """Go on with a run that was interrupted, exactly as if it had not been; arguments as in `train`.

    Raises:
        InputError: there is no such run, or it is a population.
    """
    folder = Path(folder)
    if (folder / MEMBERS).is_dir():
        cure = f"Give the same command again, with --out {folder}."
        raise InputError(f"--resume {folder}", "is a population that is not finished", cure)
    stage = stage_of(read_plan(folder), data_dir)
    seeds = (
        load_tree(folder / "state.npz", like(stage)) if (folder / "state.npz").is_file() else None
    )
    return _run(stage, folder, seeds, tensorboard, judged, on_progress)


def _run(
    stage: Stage,
    folder: Path | None,
    seeds: list[Seed] | None,
    tensorboard: bool,
    judged: Judged,
    on_progress: OnProgress,
) -> Training:
    use_compilation_cache()
    plan, each, began = stage.plan, every(stage.plan), time.perf_counter()
    logs = _tensorboard(folder) if tensorboard else None
    judge = judge_of(stage, stage.game)
    seeds, advance = prepare(stage, judge, seeds)
    first = int(seeds[0].train.iteration)
    agents = stage.env.num_agents * plan.seeds * plan.environments * stage.trainer.steps
    looks = rounds(advance, lanes(seeds), (plan.iterations - first) // each)
    pace, done, before = 0.0, first, time.perf_counter()
    stored = before
    try:
        for parts in looks:
            # Nothing is donated: whatever interrupts the next part, this one is there to be stored.
            seeds = [seed for lane in parts for seed in lane]
            took, before = time.perf_counter() - before, time.perf_counter()
            # The first part includes compiling; after it the pace is a moving mean.
            pace = took if done <= first + each else 0.7 * pace + 0.3 * took
            done += each
            by_seed = {
                name: np.array([seed.curves[name][done // each - 1] for seed in seeds])
                for name in CURVES
            }
            figures = {name: float(np.mean(values)) for name, values in by_seed.items()}
            left = pace * (plan.iterations - done) / each
            on_progress(Now(done, plan.iterations, figures, by_seed, agents * each / took, left))
            if logs is not None:
                for name, value in figures.items():
                    logs.add_scalar(name, value, done)
            if folder is not None and time.perf_counter() - stored > _STORE_EVERY_S:
                save_tree(folder / "state.npz", seeds)
                stored = time.perf_counter()
    except KeyboardInterrupt:
        pass  # what is done is stored below, and the caller sees that it is not all
    finally:
        looks.close()
    if folder is not None:
        save_tree(folder / "state.npz", seeds)
    if logs is not None:
        logs.close()
    curves: dict[str, Any] = {
        name: np.stack([seed.curves[name][: done // each] for seed in seeds], axis=1)
        for name in CURVES
    }
    curves["iteration"] = each * (1.0 + np.arange(done // each))
    best: Any = jax.tree.map(lambda *leaves: np.stack(leaves), *(seed.best for seed in seeds))
    whole = done == plan.iterations
    test = {"learned": judge_learned(stage, best, judge)} if whole and judged != "no" else {}
    test |= judge_others(stage) if whole and judged == "compared" else {}
    training = Training(plan, folder, done, curves, test, best, time.perf_counter() - began)
    if folder is not None:
        store_training(training, folder)
    return training


def store_training(training: Training, folder: Path) -> None:
    """Write the best policies, the curves and the figures of the test days."""
    save_tree(folder / "policies.npz", training.learners)
    rows = [
        [int(iteration), training.plan.first_seed + seed]
        + [f"{training.curves[name][look, seed]:.6g}" for name in CURVES]
        for look, iteration in enumerate(training.curves["iteration"])
        for seed in range(training.plan.seeds)
    ]
    write_rows(folder / "curves.csv", ["iteration", "seed", *CURVES], rows)
    test = {
        who: {name: values.tolist() for name, values in figures.items()}
        for who, figures in training.test.items()
    }
    told = {"iteration": training.iteration, "seconds": training.seconds, "test": test}
    write_text(folder / "result.json", json.dumps(told, indent=1))


def _tensorboard(folder: Path | None) -> Any:
    if folder is None:
        raise InputError("--tensorboard", "has no folder to write to", "Give one with --out.")
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise InputError(
            "--tensorboard", "needs tensorboardX", "pip install 'prosumax[tensorboard]'"
        ) from error
    return SummaryWriter(str(folder / "tensorboard"))
