"""Training of a scenario's agents over several seeds, with evaluation and storage.

A run is a folder: `training.json` has its configuration, `state.npz` all that is needed to resume
it, `policies.npz` the learners that were best on the validation episodes, `curves.csv` the learning
curves, and `result.json` the metrics of the best learners on the test episodes.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.files import write_csv, write_text
from prosumax.rl.engine.checkpoints import load_tree, save_tree
from prosumax.rl.engine.parallel_seeds import group_seeds, iterate_parallel
from prosumax.rl.training.comparison import (
    SeedMetrics,
    evaluate_baselines,
    evaluate_learned,
    make_evaluator,
)
from prosumax.rl.training.intervals import (
    CURVE_METRICS,
    SeedState,
    eval_interval,
    prepare_seeds,
    seed_templates,
)
from prosumax.rl.training.setup import (
    TrainingConfig,
    TrainingSetup,
    fill_population,
    load_training_config,
    make_training_setup,
)
from prosumax.scenario.loading import ScenarioLike, load_scenario, scenario_content
from prosumax.simulation.rollout import enable_compilation_cache

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

_SAVE_INTERVAL_S = 30.0


class TrainingProgress(NamedTuple):
    """Progress of a training run after an evaluation.

    Attributes:
        iteration: Number of finished iterations.
        iterations: Number of all iterations.
        metrics: Means over seeds of the curves' metrics.
        metrics_by_seed: The same metrics [seed].
        steps_per_second: Agent-steps per second.
        seconds_left: Estimated time to the end.
    """

    iteration: int
    iterations: int
    metrics: Mapping[str, float]
    metrics_by_seed: Mapping[str, NDArray[np.float64]]
    steps_per_second: float
    seconds_left: float


ProgressCallback = Callable[[TrainingProgress], None]

RAY_FOLDER = "ray"
"""Folder of a run in which the members of an unfinished population exchange their learners."""

TestEvaluation = Literal["baselines", "learned", "none"]


class TrainingResult(NamedTuple):
    """Result of a finished or interrupted training run.

    Attributes:
        config: Configuration of the run.
        folder: Folder of the run; None if it is not stored.
        iteration: Number of finished iterations.
        curves: Values of each curve [evaluation, seed], and `iteration` [evaluation].
        test_metrics: Metrics on the test episodes by policy [seed], `learned` among them; empty
            until the run is finished.
        learners: State of every group's best learner [seed, policy, ..].
        seconds: Duration of the training, compilation included.
    """

    config: TrainingConfig
    folder: Path | None
    iteration: int
    curves: Mapping[str, NDArray[np.float64]]
    test_metrics: Mapping[str, Mapping[str, NDArray[np.float64]]]
    learners: tuple[PyTree, ...]
    seconds: float


def train(
    scenario: ScenarioLike,
    overrides: Iterable[str] | Mapping[str, object] = (),
    *,
    algorithm: str | None = None,
    paradigm: str = "dtde",
    settings: Mapping[str, object] | None = None,
    anneal: Mapping[str, float] | None = None,
    iterations: int = 500,
    seeds: int = 1,
    seed: int = 0,
    num_envs: int = 32,
    num_steps: int | None = None,
    bootstrap_on_truncation: bool = True,
    out: Path | str | None = None,
    tensorboard: bool = False,
    evaluation: TestEvaluation = "baselines",
    data_dir: str | Path | None = None,
    on_progress: ProgressCallback = lambda progress: None,
) -> TrainingResult:
    """Train the agents of a scenario.

    Args:
        scenario: Scenario as in `prosumax.run`; its `environment` defines actions, observations
            and rewards, its `population` the learners.
        overrides: Changes to the scenario, as in `prosumax.run`.
        algorithm: Algorithm of all homes in place of the scenario's population; PPO where neither
            is given.
        paradigm: Paradigm of the algorithm.
        settings: Settings of the algorithm.
        anneal: Final values of hyperparameters that are annealed linearly.
        iterations: Number of rollouts and updates, rounded up to equal evaluation intervals.
        seeds: Number of seeds.
        seed: First seed.
        num_envs: Number of parallel environments per seed.
        num_steps: Number of steps of each per iteration; an episode when absent.
        bootstrap_on_truncation: Whether the end of an episode is a time limit, at which learners
            bootstrap from the value of the last state. Otherwise it is a terminal state.
        out: Folder of the run; nothing is written when absent.
        tensorboard: Whether to write TensorBoard logs (needs `prosumax[tensorboard]`).
        evaluation: Evaluation on the test episodes at the end: of the `learned` policies, also of
            `baselines` (rules and the optimum), or `none`.
        data_dir: Folder of data sets.
        on_progress: Function that is called after every evaluation.

    Raises:
        InputError: The scenario, its population or a setting is invalid.
    """
    populated = fill_population(
        load_scenario(scenario, overrides), algorithm, paradigm, settings or {}
    )
    for name, value in (("iterations", iterations), ("seeds", seeds), ("num_envs", num_envs)):
        if value < 1:
            raise InputError(name, f"{name} must be at least 1, got {value}", "Give 1 or more.")
    config = TrainingConfig(
        scenario=scenario_content(populated),
        iterations=iterations,
        seeds=seeds,
        first_seed=seed,
        num_envs=num_envs,
        num_steps=num_steps,
        bootstrap_on_truncation=bootstrap_on_truncation,
        anneal=dict(anneal or {}),
        version=metadata.version("prosumax"),
    )
    interval = eval_interval(config)
    config = replace(config, iterations=-(-iterations // interval) * interval)
    folder = None if out is None else Path(out)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "training.json", json.dumps(asdict(config), indent=1))
    setup = make_training_setup(config, data_dir)
    return _train(setup, folder, None, tensorboard, evaluation, on_progress)


def resume(
    folder: Path | str,
    *,
    tensorboard: bool = False,
    evaluation: TestEvaluation = "baselines",
    data_dir: str | Path | None = None,
    on_progress: ProgressCallback = lambda progress: None,
) -> TrainingResult:
    """Resume an interrupted run, with the same results as without the interruption.

    Args:
        folder: Folder of the run.
        tensorboard: As in `train`.
        evaluation: As in `train`.
        data_dir: As in `train`.
        on_progress: As in `train`.

    Raises:
        InputError: There is no such run, or it is a population.
    """
    folder = Path(folder)
    if (folder / RAY_FOLDER).is_dir():
        raise InputError(
            f"--resume {folder}",
            "the run is an unfinished population",
            f"Give the same command again, with --out {folder}.",
        )
    setup = make_training_setup(load_training_config(folder), data_dir)
    seeds = None
    if (folder / "state.npz").is_file():
        seeds = load_tree(folder / "state.npz", seed_templates(setup))
    return _train(setup, folder, seeds, tensorboard, evaluation, on_progress)


def _train(
    setup: TrainingSetup,
    folder: Path | None,
    seeds: list[SeedState] | None,
    tensorboard: bool,
    evaluation: TestEvaluation,
    on_progress: ProgressCallback,
) -> TrainingResult:
    """Train all seeds to the end or to an interruption, and evaluate and store the result."""
    enable_compilation_cache()
    config = setup.config
    interval = eval_interval(config)
    start_time = time.perf_counter()
    logs = _tensorboard_writer(folder) if tensorboard else None
    evaluator = make_evaluator(setup, setup.agents)
    seeds, advance = prepare_seeds(setup, evaluator, seeds)
    first = int(seeds[0].train_state.iteration)
    iteration = first
    steps_per_iteration = (
        setup.env.num_agents * config.seeds * config.num_envs * setup.trainer.num_steps
    )
    rounds = iterate_parallel(advance, group_seeds(seeds), (config.iterations - first) // interval)
    pace_s = 0.0
    last_time = time.perf_counter()
    saved_time = last_time
    try:
        for groups in rounds:
            # No buffer is donated, so this round can be stored if the next one is interrupted.
            seeds = [seed for group in groups for seed in group]
            round_s = time.perf_counter() - last_time
            last_time = time.perf_counter()
            # The first round includes compilation; the pace is a moving mean of later ones.
            is_early = iteration <= first + interval
            pace_s = round_s if is_early else 0.7 * pace_s + 0.3 * round_s
            iteration += interval
            progress = _progress(
                config,
                seeds,
                iteration,
                steps_per_second=steps_per_iteration * interval / round_s,
                seconds_left=pace_s * (config.iterations - iteration) / interval,
            )
            on_progress(progress)
            if logs is not None:
                for name, value in progress.metrics.items():
                    logs.add_scalar(name, value, iteration)
            if folder is not None and time.perf_counter() - saved_time > _SAVE_INTERVAL_S:
                save_tree(folder / "state.npz", seeds)
                saved_time = time.perf_counter()
    except KeyboardInterrupt:
        pass  # Finished iterations are stored below, and the result shows how many there are.
    finally:
        rounds.close()
    if folder is not None:
        save_tree(folder / "state.npz", seeds)
    if logs is not None:
        logs.close()
    best: PyTree = jax.tree.map(
        lambda *leaves: np.stack(leaves), *(seed.best_learners for seed in seeds)
    )
    test_metrics: dict[str, SeedMetrics] = {}
    if iteration == config.iterations and evaluation != "none":
        test_metrics["learned"] = evaluate_learned(setup, best, evaluator)
        if evaluation == "baselines":
            test_metrics |= evaluate_baselines(setup)
    result = TrainingResult(
        config=config,
        folder=folder,
        iteration=iteration,
        curves=_stack_curves(seeds, iteration, interval),
        test_metrics=test_metrics,
        learners=best,
        seconds=time.perf_counter() - start_time,
    )
    if folder is not None:
        save_training(result, folder)
    return result


def _progress(
    config: TrainingConfig,
    seeds: list[SeedState],
    iteration: int,
    steps_per_second: float,
    seconds_left: float,
) -> TrainingProgress:
    index = iteration // eval_interval(config) - 1
    by_seed = {
        name: np.array([seed.curves[name][index] for seed in seeds]) for name in CURVE_METRICS
    }
    return TrainingProgress(
        iteration=iteration,
        iterations=config.iterations,
        metrics={name: float(np.mean(values)) for name, values in by_seed.items()},
        metrics_by_seed=by_seed,
        steps_per_second=steps_per_second,
        seconds_left=seconds_left,
    )


def _stack_curves(
    seeds: list[SeedState], iteration: int, interval: int
) -> dict[str, NDArray[np.float64]]:
    """Return the curves [evaluation, seed] up to an iteration."""
    count = iteration // interval
    curves: dict[str, NDArray[np.float64]] = {
        name: np.stack([seed.curves[name][:count] for seed in seeds], axis=1)
        for name in CURVE_METRICS
    }
    curves["iteration"] = interval * (1.0 + np.arange(count, dtype=np.float64))
    return curves


def save_training(result: TrainingResult, folder: Path) -> None:
    """Write the best learners, the learning curves and the metrics on the test episodes."""
    save_tree(folder / "policies.npz", result.learners)
    rows = [
        [
            int(iteration),
            result.config.first_seed + seed,
            *(f"{result.curves[name][evaluation, seed]:.6g}" for name in CURVE_METRICS),
        ]
        for evaluation, iteration in enumerate(result.curves["iteration"])
        for seed in range(result.config.seeds)
    ]
    write_csv(folder / "curves.csv", ["iteration", "seed", *CURVE_METRICS], rows)
    test = {
        policy: {name: values.tolist() for name, values in metrics.items()}
        for policy, metrics in result.test_metrics.items()
    }
    content = {"iteration": result.iteration, "seconds": result.seconds, "test": test}
    write_text(folder / "result.json", json.dumps(content, indent=1))


def _tensorboard_writer(folder: Path | None) -> "SummaryWriter":
    if folder is None:
        raise InputError("--tensorboard", "logs need a folder", "Give one with --out.")
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise InputError(
            "--tensorboard",
            "the package tensorboardX is not installed",
            "Run: pip install 'prosumax[tensorboard]'.",
        ) from error
    return SummaryWriter(str(folder / "tensorboard"))
