"""The `prosumax` command."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from prosumax import report
from prosumax.cli import bill as bill_commands
from prosumax.cli import demo as demo_command
from prosumax.cli import new_scenario
from prosumax.cli import study as study_command
from prosumax.cli import sweep as sweep_command
from prosumax.cli import train as train_command
from prosumax.cli.printing import print_comparison, print_names, print_properties, print_result
from prosumax.control.rules import policies as known_policies
from prosumax.data.datasets import DATASETS
from prosumax.data.datasets import fetch as datasets_fetch
from prosumax.errors import InputError
from prosumax.market.mechanism import mechanisms as known_mechanisms
from prosumax.runner import OnStage
from prosumax.runner import compare as runner_compare
from prosumax.runner import run as runner_run
from prosumax.scenario.loading import presets
from prosumax.simulation.results.ledger import verify_ledger
from prosumax.simulation.results.store import (
    check_folder,
    free_folder,
    save,
    save_comparison,
    to_json,
)
from prosumax.studies.mechanism_properties import measure_mechanisms

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data = typer.Typer(help="Public data sets.", no_args_is_help=True)
app.add_typer(data, name="data")
ledger = typer.Typer(help="The chain of trades that a run leaves behind.", no_args_is_help=True)
app.add_typer(ledger, name="ledger")

_INTERRUPTED = 130

_out = Console()
_err = Console(stderr=True)

Name = Annotated[
    str, typer.Argument(metavar="NAME|PATH", help="A preset, a YAML file, or a CityLearn folder.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="a.b=VALUE", help="Change one field; may be given again."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Result folder; when absent results/NAME, or the next free NAME-2, ..",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Replaces the scenario's seed.")]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder with data sets, looked at before the cache."),
]
Optimum = Annotated[
    bool | None,
    typer.Option(
        "--optimum/--no-optimum", help="Measure by the optimum; when absent if that takes seconds."
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object; write files only with --out.")
]


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Simulate energy communities: who pays what, under which rule for sharing electricity."""
    if version:
        _out.print(f"prosumax {metadata.version('prosumax')}", highlight=False)
        raise typer.Exit


@app.command()
def run(
    scenario: Name,
    overrides: Overrides = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="How homes decide that name no policy of their own."),
    ] = None,
    out: Out = None,
    seed: Seed = None,
    data_dir: DataDir = None,
    optimum: Optimum = None,
    as_json: AsJson = False,
) -> None:
    """Simulate one community: key figures, everybody's bill, and a report."""
    if out is not None or not as_json:
        check_folder(out or Path("results") / "new")
    with _progress() as on_stage:
        changes = [*(overrides or ()), *([] if policy is None else [f"policy={policy}"])]
        result = runner_run(
            scenario, changes, seed=seed, data_dir=data_dir, optimum=optimum, on_stage=on_stage
        )
        folder = _folder(out, result.scenario.name, as_json)
        if folder is not None:
            on_stage("Writing the report", 0.8)
            extras = {"report.html": lambda path: report.write_report(result, path)}
            save(result, folder, extras)
    if as_json:
        _print_json(to_json(result))
        return
    print_result(result)
    if folder is not None:
        _out.print(f"Report: {folder.resolve() / 'report.html'}", soft_wrap=True, highlight=False)
        _out.print(f"Bills: prosumax bill {folder}", soft_wrap=True, highlight=False)


@app.command()
def compare(
    scenario: Name,
    mechanisms: Annotated[
        str, typer.Option(metavar="A,B,..", help="Mechanisms to compare, or `all`.")
    ] = "all",
    policies: Annotated[
        str | None,
        typer.Option(metavar="A,B,..", help="Run each mechanism with each of these policies."),
    ] = None,
    overrides: Overrides = None,
    out: Out = None,
    seed: Seed = None,
    data_dir: DataDir = None,
    optimum: Optimum = None,
    as_json: AsJson = False,
) -> None:
    """Put mechanisms side by side on the same homes, data and seed."""
    names = (
        list(known_mechanisms)
        if mechanisms == "all"
        else [n.strip() for n in mechanisms.split(",") if n.strip()]
    )
    if not names:
        raise InputError(
            "--mechanisms", "is empty", f"Name some of: {', '.join(known_mechanisms)}."
        )
    deciding = (
        None if policies is None else [name.strip() for name in policies.split(",") if name.strip()]
    )
    if deciding is not None and not deciding:
        raise InputError("--policies", "is empty", f"Name some of: {', '.join(known_policies)}.")
    if out is not None or not as_json:
        check_folder(out or Path("results") / "new", "comparison")
    with _progress() as on_stage:
        results = runner_compare(
            scenario,
            names,
            overrides or (),
            policies=deciding,
            seed=seed,
            data_dir=data_dir,
            optimum=optimum,
            on_stage=on_stage,
        )
        folder = _folder(out, f"{next(iter(results.values())).scenario.name}-compare", as_json)
        if folder is not None:
            on_stage("Writing the report", 0.95)
            extras = {"report.html": lambda path: report.write_comparison(results, path)}
            save_comparison(results, folder, extras)
    if as_json:
        _print_json({name: to_json(result) for name, result in results.items()})
        return
    print_comparison(results, policies=deciding is not None)
    if folder is not None:
        _out.print(f"Report: {folder.resolve() / 'report.html'}", soft_wrap=True, highlight=False)


@app.command()
def scenarios() -> None:
    """List the scenarios that ship with prosumax."""
    described = {
        name: yaml.safe_load(path.read_text(encoding="utf-8"))["description"]
        for name, path in presets().items()
    }
    print_names("Scenario", described)


@app.command()
def mechanisms(
    table: Annotated[
        bool, typer.Option("--table", help="Measure the properties of each on random books.")
    ] = False,
) -> None:
    """List the rules for sharing electricity (`market.mechanism`)."""
    if not table:
        print_names("Mechanism", known_mechanisms.summaries())
        return
    with _progress() as on_stage:
        measured = measure_mechanisms(on_stage=on_stage)
    print_properties(measured)


@app.command()
def policies() -> None:
    """List the ways a home can decide (`policy`)."""
    print_names("Policy", known_policies.summaries())


@ledger.command("verify")
def verify(
    run_folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="A result folder, or its ledger.")
    ],
) -> None:
    """Check that no trade of a stored run was edited, removed or reordered."""
    check = verify_ledger(run_folder)
    _out.print(
        f"Sound: {check.blocks:,} blocks, {check.trades:,} trades, {check.kwh:,.1f} kWh.\nLast hash {check.last_hash}",
        highlight=False,
        soft_wrap=True,
    )


@data.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(DATASETS)}.")],
    force: Annotated[
        bool, typer.Option("--force", help="Fetch again although it is there.")
    ] = False,
) -> None:
    """Download a public data set into the user's cache."""
    _out.print(f"{name}: {datasets_fetch(name, force=force)}", soft_wrap=True, highlight=False)


def main() -> None:
    """Entry point: a mistake of the user's is one paragraph and exit code 2, never a traceback."""
    try:
        app()
    except InputError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except SystemExit as stop:
        # typer turns Ctrl-C into an exit without a word; a command that ends with the code itself has said its own.
        cause = stop.__context__ and stop.__context__.__cause__
        if stop.code == _INTERRUPTED and isinstance(cause, KeyboardInterrupt):
            typer.echo(
                "Interrupted. Nothing was written; earlier results are as they were.", err=True
            )
        raise


@contextmanager
def _progress() -> Iterator[OnStage]:
    """A bar with the current stage and the time it takes, on stderr, gone when the work is done."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
    )
    began = time.perf_counter()
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as progress:
        task = progress.add_task("Starting", total=1.0)

        def on_stage(stage: str, done: float) -> None:
            left = (time.perf_counter() - began) * (1 - done) / done if done > 0 else None
            progress.update(
                task,
                description=stage + (f", about {left:.0f} s left" if left else ""),
                completed=done,
            )

        yield on_stage


app.command("study")(study_command.command(_progress))
app.command("bill")(bill_commands.bill)
app.command("tariffs")(bill_commands.tariffs)
app.command("new")(new_scenario.new)
app.command("import")(new_scenario.import_meters)
app.command("sweep")(sweep_command.command(_progress))
app.command("train")(train_command.train)
app.command("evaluate")(train_command.evaluate)
app.command("export-policy")(train_command.export_policy)
app.command("algorithms")(train_command.list_algorithms)
app.command("demo")(demo_command.demo)


def _folder(out: Path | None, name: str, as_json: bool) -> Path | None:
    if out is None and as_json:
        return None
    return out if out is not None else free_folder(name, Path("results"))


def _print_json(content: Mapping[str, object]) -> None:
    typer.echo(json.dumps(content))
