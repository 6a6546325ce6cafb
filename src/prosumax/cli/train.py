"""`prosumax train`, `evaluate`, `export-policy` and `algorithms`: homes that learn."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import yaml
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from prosumax import report
from prosumax.cli.printing import print_names
from prosumax.errors import InputError
from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.engine.agent_groups import PARADIGMS
from prosumax.rl.training.comparison import TEST_METRICS
from prosumax.rl.training.policies import evaluate as policies_evaluate
from prosumax.rl.training.policies import export_policy as policies_export_policy
from prosumax.rl.training.population import train_population
from prosumax.rl.training.training import TrainingProgress, ProgressCallback, TrainingResult
from prosumax.rl.training.training import resume as training_resume
from prosumax.rl.training.training import train as training_train
from prosumax.simulation.results.store import check_folder, next_free_folder

_out = Console()
_err = Console(stderr=True)

Setting = Annotated[
    list[str] | None,
    typer.Option(
        "--setting",
        metavar="a=VALUE",
        help="Hyper-parameter or option of the algorithm; may be repeated.",
    ),
]


def train(
    scenario: Annotated[
        str | None,
        typer.Argument(metavar="NAME|PATH", help="A preset, a YAML file, or a CityLearn folder."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="a.b=VALUE", help="Change one field; may be given again."),
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(
            help="Of all homes; the scenario's population when absent, and PPO without one."
        ),
    ] = None,
    paradigm: Annotated[
        str, typer.Option(help=f"With --algorithm: {', '.join(PARADIGMS)}.")
    ] = "dtde",
    settings: Setting = None,
    anneal: Annotated[
        list[str] | None,
        typer.Option(
            "--anneal",
            metavar="a=VALUE",
            help="Hyper-parameter that moves to this value; may be repeated.",
        ),
    ] = None,
    iterations: Annotated[int, typer.Option(help="Rollouts and updates.")] = 500,
    seeds: Annotated[int, typer.Option(help="How many are trained at once.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="The first of them.")] = 0,
    num_envs: Annotated[int, typer.Option(help="Parallel environments per seed.")] = 32,
    num_steps: Annotated[
        int | None,
        typer.Option(help="Steps per environment and iteration; an episode when absent."),
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
        typer.Option(
            help="Members that train while their hyper-parameters evolve; the best is kept. One seed."
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="With --population: a Ray cluster, or `local` for a process per core of this machine."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Run folder; when absent results/NAME-train, .."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="DIR", help="Go on with an interrupted run instead."),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write its logs into the run folder.")
    ] = False,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Folder with data sets.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; write files only with --out.")
    ] = False,
) -> None:
    """Let homes learn: all by one algorithm, or as the scenario's population says."""
    if (scenario is None) == (resume is None):
        raise InputError(
            "train", "needs a scenario or --resume, and not both", "Name one, such as mahtm-train."
        )
    if resume is not None:
        with _progress() as on_progress:
            done = training_resume(
                resume, tensorboard=tensorboard, data_dir=data_dir, on_progress=on_progress
            )
    else:
        assert scenario is not None
        folder = out
        if folder is None and not as_json:
            folder = next_free_folder(f"{Path(scenario).stem}-train", Path("results"))
        if folder is not None:
            check_folder(folder, "training")
        asked: dict[str, Any] = {
            "algorithm": algorithm,
            "paradigm": paradigm,
            "settings": _pairs(settings, "--setting"),
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
                cure = "Leave out --seeds, --anneal and --tensorboard."
                raise InputError(
                    "--population", "evolves hyper-parameters of one seed's members", cure
                )
            done = _populate(scenario, overrides or (), population, asked | {"address": address})
        elif address is not None:
            raise InputError(
                "--address", "is for members of a population", "Give --population, or leave it out."
            )
        else:
            asked |= {
                "seeds": seeds,
                "anneal": _pairs(anneal, "--anneal"),
                "tensorboard": tensorboard,
            }
            with _progress() as on_progress:
                done = training_train(scenario, overrides or (), **asked, on_progress=on_progress)
    if done.iteration < done.config.iterations:
        _say_interrupted(done)
    if done.folder is not None:
        report.write_training(done, done.folder / "report.html")
    if as_json:
        typer.echo(
            json.dumps(
                {"seconds": done.seconds, "iteration": done.iteration, "test": _plain(done.test_metrics)}
            )
        )
        return
    _print_players(
        done.test_metrics, f"{done.config.scenario['name']}: test days, mean of {done.config.seeds} seeds"
    )
    _out.print(
        f"\n{done.iteration} iterations in {done.seconds:.1f} s.", style="dim", highlight=False
    )
    if done.folder is not None:
        _out.print(
            f"Report: {done.folder.resolve() / 'report.html'}", soft_wrap=True, highlight=False
        )


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run.")],
    scenario: Annotated[
        str | None,
        typer.Option("--scenario", metavar="NAME|PATH", help="Other homes, days or rules."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="a.b=VALUE", help="Change one field; may be given again."),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Folder with data sets.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Let trained homes play elsewhere, beside rules and the optimum; nothing is learned."""
    found = policies_evaluate(run, scenario, overrides or (), data_dir=data_dir)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "scenario": found.scenario,
                    "episodes": found.episodes,
                    "test": _plain(found.metrics),
                }
            )
        )
        return
    _print_players(found.metrics, f"{found.scenario}: {found.episodes} episodes")


def export_policy(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run.")],
    home: Annotated[str, typer.Argument(help="Whose policy.")],
    out: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON file to write; weights go beside it.")
    ],
    seed: Annotated[int, typer.Option(min=0, help="Which of the run's seeds, from 0.")] = 0,
) -> None:
    """Write one home's trained policy, to be used by itself (`prosumax.rl.training.policies.load_policy`)."""
    written = policies_export_policy(run, home, out, seed=seed)
    _out.print(
        f"Written: {written.resolve()} and {written.with_suffix('.npz').name}",
        soft_wrap=True,
        highlight=False,
    )


def list_algorithms() -> None:
    """List the learning algorithms and the paradigms."""
    print_names("Algorithm", algorithms.summaries())
    print_names("Paradigm", {name: paradigm.summary for name, paradigm in PARADIGMS.items()})


def _populate(
    scenario: str, overrides: list[str] | tuple[()], size: int, asked: dict[str, Any]
) -> TrainingResult:
    """A population's best member, with a line for every generation on stderr."""
    generations = max(1, min(20, asked["iterations"] // 5))

    def on_generation(number: int, fitness: Any) -> None:
        best = int(fitness.argmax())
        line = f"generation {number + 1}/{generations}: validation best {fitness.max():.3f} (member {best + 1}), "
        _err.print(line + f"mean {fitness.mean():.3f}", style="dim", highlight=False)

    try:
        found = train_population(
            scenario,
            overrides,
            size=size,
            generations=generations,
            **asked,
            on_generation=on_generation,
        )
    except KeyboardInterrupt:
        if asked["address"] is None:
            raise
        typer.echo(f"Interrupted; the same command with --out {asked['out']} goes on.", err=True)
        sys.exit(1)
    return found.training


def _say_interrupted(done: TrainingResult) -> None:
    """Where to go on; exits as Ctrl-C does."""
    if done.folder is None:
        typer.echo(
            f"Interrupted after {done.iteration} iterations; nothing was kept (no --out).", err=True
        )
    else:
        text = f"Interrupted after {done.iteration} of {done.config.iterations} iterations; what was done is kept."
        typer.echo(f"{text}\nGo on with: prosumax train --resume {done.folder}", err=True)
    sys.exit(1)


def _pairs(given: list[str] | None, option: str) -> dict[str, Any]:
    pairs = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(
                f"{option} {text}",
                "is not of the form a=VALUE",
                f"Write {option} learning_rate=0.001.",
            )
        pairs[name] = yaml.safe_load(value)
        if isinstance(pairs[name], str):  # YAML takes 1e-3 for text
            try:
                pairs[name] = float(value)
            except ValueError:
                continue
    return pairs


def _plain(players: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        who: {
            name: [None if np.isnan(v) else float(v) for v in values]
            for name, values in figures.items()
        }
        for who, figures in players.items()
    }


def _print_players(players: Mapping[str, Mapping[str, Any]], title: str) -> None:
    content = report.players_table(players, ("reward",))
    if not content.rows:
        return
    _out.print(title, highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(content.head[0], no_wrap=True)
    for head in content.head[1:]:
        table.add_column(head, justify="right")
    for row in content.rows:
        table.add_row(*row)
    _out.print(table)
    kpis = {name: report.episode_kpi(name) for name in TEST_METRICS}
    shown = [name for name in TEST_METRICS if report.column_title(name) in content.head]
    _out.print(
        "; ".join(f"{kpis[name].heading}: {kpis[name].definition}" for name in shown),
        style="dim",
        highlight=False,
    )


@contextmanager
def _progress() -> Iterator[ProgressCallback]:
    """A bar with the figures of the moment, on stderr, gone when the work is done."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as progress:
        task = progress.add_task("Reading, compiling", total=1.0)

        def on_progress(now: TrainingProgress) -> None:
            seen = now.metrics
            parts = [
                f"{now.iteration}/{now.iterations}",
                f"reward {seen['reward']:.3f}",
                f"validation {seen['validation']:.3f}",
                f"cost {seen['cost']:.2f}",
                "" if np.isnan(seen["entropy"]) else f"entropy {seen['entropy']:.2f}",
                f"{now.steps_per_second / 1000:,.0f} k steps/s",
                f"about {now.seconds_left:.0f} s left"
                if now.iteration < now.iterations
                else "test days",
            ]
            line = ", ".join(part for part in parts if part)
            progress.update(task, description=line, completed=now.iteration / now.iterations)

        yield on_progress
