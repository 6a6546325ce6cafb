"""`prosumax train`, `evaluate` and `export-policy`: homes with learning agents."""

import json
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer
from rich.console import Console
from rich.table import Table

from prosumax.cli.options import (
    RESULTS_FOLDER,
    DataDirOption,
    JsonOption,
    SetOption,
)
from prosumax.cli.progress import training_progress
from prosumax.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from prosumax.rl.training.training import TrainingResult

_out = Console()
_err = Console(stderr=True)

_MAX_GENERATIONS = 20
_MIN_ITERATIONS_PER_GENERATION = 5

RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="Result folder of a training run.")
]


def train_homes(
    scenario: Annotated[
        str | None,
        typer.Argument(metavar="NAME|PATH", help="Preset, YAML file, or CityLearn folder."),
    ] = None,
    overrides: SetOption = None,
    algorithm: Annotated[
        str | None,
        typer.Option(help="Algorithm of all homes; default: the scenario's population, else PPO."),
    ] = None,
    paradigm: Annotated[
        str,
        typer.Option(help="Multi-agent paradigm of --algorithm; see `prosumax algorithms`."),
    ] = "dtde",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--setting",
            metavar="a=VALUE",
            help="Hyperparameter or option of the algorithm; repeatable.",
        ),
    ] = None,
    anneal: Annotated[
        list[str] | None,
        typer.Option(
            "--anneal",
            metavar="a=VALUE",
            help="Final value of a hyperparameter that changes linearly; repeatable.",
        ),
    ] = None,
    iterations: Annotated[int, typer.Option(help="Number of rollouts and updates.")] = 500,
    seeds: Annotated[int, typer.Option(help="Number of seeds that train in parallel.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="First seed.")] = 0,
    num_envs: Annotated[int, typer.Option(help="Parallel environments per seed.")] = 32,
    num_steps: Annotated[
        int | None,
        typer.Option(help="Steps per environment and iteration; default: one episode."),
    ] = None,
    bootstrap_on_truncation: Annotated[
        bool,
        typer.Option(
            "--bootstrap-on-truncation/--no-bootstrap-on-truncation",
            help="Treat the end of an episode as a time limit, not as a terminal state.",
        ),
    ] = True,
    population: Annotated[
        int | None,
        typer.Option(help="Members of a population whose hyperparameters evolve; one seed."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="With --population: Ray cluster, or `local` for one process per core."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Result folder; default: results/NAME-train, or -2, .."
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="DIR", help="Continue an interrupted run."),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard logs into the result folder.")
    ] = False,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train learning agents: all homes with one algorithm, or the scenario's population."""
    from prosumax import report
    from prosumax.rl.algorithms import algorithms
    from prosumax.rl.training.training import resume as resume_training
    from prosumax.rl.training.training import train
    from prosumax.simulation.results.store import check_folder, next_free_folder

    if (scenario is None) == (resume is None):
        raise InputError(
            "prosumax train",
            "exactly one of a scenario and --resume must be given",
            "Name a scenario such as mahtm-train, or the folder of a run.",
        )
    if algorithm is not None:
        algorithms.check(algorithm, "--algorithm")
    if resume is not None:
        with training_progress() as on_progress:
            result = resume_training(
                resume, tensorboard=tensorboard, data_dir=data_dir, on_progress=on_progress
            )
    else:
        assert scenario is not None
        folder = out
        if folder is None and not as_json:
            folder = next_free_folder(f"{Path(scenario).stem}-train", RESULTS_FOLDER)
        if folder is not None:
            check_folder(folder, "training")
        options: _TrainingOptions = {
            "algorithm": algorithm,
            "paradigm": paradigm,
            "settings": _parse_settings(settings, "--setting"),
            "iterations": iterations,
            "seed": seed,
            "num_envs": num_envs,
            "num_steps": num_steps,
            "bootstrap_on_truncation": bootstrap_on_truncation,
            "out": folder,
            "data_dir": data_dir,
        }
        if population is not None:
            if seeds > 1 or anneal or tensorboard:
                raise InputError(
                    "--population",
                    "a population has one seed and evolves its own hyperparameters",
                    "Leave out --seeds, --anneal and --tensorboard.",
                )
            result = _train_population(scenario, overrides or (), population, options, address)
        elif address is not None:
            raise InputError(
                "--address",
                "it applies to a population only",
                "Give --population, or leave it out.",
            )
        else:
            final_values = _parse_settings(anneal, "--anneal")
            with training_progress() as on_progress:
                result = train(
                    scenario,
                    overrides or (),
                    **options,
                    seeds=seeds,
                    anneal=final_values,
                    tensorboard=tensorboard,
                    on_progress=on_progress,
                )
    if result.iteration < result.config.iterations:
        _exit_interrupted(result)
    if result.folder is not None:
        report.write_training(result, result.folder / "report.html")
    if as_json:
        content = {
            "seconds": result.seconds,
            "iteration": result.iteration,
            "test": _to_plain(result.test_metrics),
        }
        typer.echo(json.dumps(content))
        return
    seeds = result.config.seeds
    title = f"{result.config.scenario['name']}: test days"
    if seeds > 1:
        title += f", mean of {seeds} seeds"
    _print_evaluation(result.test_metrics, title)
    duration = f"\n{result.iteration} iterations in {result.seconds:.1f} s."
    _out.print(duration, style="dim", highlight=False)
    if result.folder is not None:
        path = result.folder.resolve() / "report.html"
        _out.print(f"Report: {path}", soft_wrap=True, highlight=False)


def evaluate_training(
    run: RunArgument,
    scenario: Annotated[
        str | None,
        typer.Option(
            "--scenario", metavar="NAME|PATH", help="Scenario; default: that of the training."
        ),
    ] = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Evaluate trained policies without training, against rule-based control and the optimum."""
    from prosumax.rl.training.policies import evaluate

    evaluation = evaluate(run, scenario, overrides or (), data_dir=data_dir)
    if as_json:
        content = {
            "scenario": evaluation.scenario,
            "episodes": evaluation.episodes,
            "test": _to_plain(evaluation.metrics),
        }
        typer.echo(json.dumps(content))
        return
    count = evaluation.episodes
    title = f"{evaluation.scenario}: {count} {'episode' if count == 1 else 'episodes'}"
    _print_evaluation(evaluation.metrics, title)


def export_home_policy(
    run: RunArgument,
    home: Annotated[str, typer.Argument(help="Name of the home.")],
    out: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON file; weights are written beside it.")
    ],
    seed: Annotated[int, typer.Option(min=0, help="Index of the seed within the run.")] = 0,
) -> None:
    """Export the trained policy of one home for `prosumax.rl.training.policies.load_policy`."""
    from prosumax.rl.training.policies import export_policy

    path = export_policy(run, home, out, seed=seed)
    line = f"Written: {path.resolve()} and {path.with_suffix('.npz').name}"
    _out.print(line, soft_wrap=True, highlight=False)


class _TrainingOptions(TypedDict):
    """Options that `train` and `train_population` share."""

    algorithm: str | None
    paradigm: str
    settings: dict[str, float]
    iterations: int
    seed: int
    num_envs: int
    num_steps: int | None
    bootstrap_on_truncation: bool
    out: Path | None
    data_dir: Path | None


def _train_population(
    scenario: str,
    overrides: Iterable[str],
    size: int,
    options: _TrainingOptions,
    address: str | None,
) -> "TrainingResult":
    """Train a population and return its best member; generations are reported on stderr."""
    from prosumax.rl.training.population import train_population

    generations = options["iterations"] // _MIN_ITERATIONS_PER_GENERATION
    generations = max(1, min(_MAX_GENERATIONS, generations))

    def on_generation(number: int, fitness: "NDArray[np.float64]") -> None:
        line = (
            f"generation {number + 1}/{generations}: validation best {fitness.max():.3f} "
            f"(member {int(fitness.argmax()) + 1}), mean {fitness.mean():.3f}"
        )
        _err.print(line, style="dim", highlight=False)

    try:
        trained = train_population(
            scenario,
            overrides,
            size=size,
            generations=generations,
            **options,
            address=address,
            on_generation=on_generation,
        )
    except KeyboardInterrupt:
        if address is None:
            raise
        line = f"Interrupted. The same command with --out {options['out']} continues the training."
        typer.echo(line, err=True)
        sys.exit(1)
    return trained.training


def _exit_interrupted(result: "TrainingResult") -> None:
    """Print how to continue an interrupted training, and exit."""
    if result.folder is None:
        line = f"Interrupted after {result.iteration} iterations; nothing was stored (no --out)."
    else:
        line = (
            f"Interrupted after {result.iteration} of {result.config.iterations} iterations, "
            f"which are stored.\nContinue with: prosumax train --resume {result.folder}"
        )
    typer.echo(line, err=True)
    sys.exit(1)


def _parse_settings(options: list[str] | None, name: str) -> dict[str, float]:
    """Parse options of the form `a=VALUE` as YAML values.

    Args:
        options: Values of the option.
        name: Name of the option.
    """
    import yaml

    settings = {}
    for text in options or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(
                name,
                f"{text!r} is not of the form a=VALUE",
                f"Write for example {name} learning_rate=0.001.",
            )
        settings[key] = yaml.safe_load(value)
        if isinstance(settings[key], str):  # YAML reads 1e-3 as text.
            try:
                settings[key] = float(value)
            except ValueError:
                continue
    return settings


def _to_plain(metrics: "Mapping[str, Mapping[str, NDArray[np.float64]]]") -> dict[str, object]:
    """Convert metrics by policy to JSON values, with None for NaN."""
    return {
        policy: {
            name: [None if math.isnan(value) else float(value) for value in values]
            for name, values in values_by_name.items()
        }
        for policy, values_by_name in metrics.items()
    }


def _print_evaluation(
    metrics: "Mapping[str, Mapping[str, NDArray[np.float64]]]", title: str
) -> None:
    from prosumax import report
    from prosumax.rl.training.comparison import TEST_METRICS

    content = report.players_table(metrics, ("reward",))
    if not content.rows:
        return
    _out.print(title, highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(content.head[0], no_wrap=True)
    for heading in content.head[1:]:
        table.add_column(heading, justify="right")
    for row in content.rows:
        table.add_row(*row)
    _out.print(table)
    kpis = [report.episode_kpi(name) for name in TEST_METRICS]
    shown = [
        kpi
        for name, kpi in zip(TEST_METRICS, kpis, strict=True)
        if report.column_title(name) in content.head
    ]
    definitions = "; ".join(f"{kpi.heading}: {kpi.definition}" for kpi in shown)
    _out.print(definitions, style="dim", highlight=False)
