"""`prosumax sweep`: every combination of a grid as a trial on Ray."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from prosumax.cli.options import (
    RESULTS_FOLDER,
    DataDirOption,
    OptimumOption,
    SetOption,
    split_names,
)
from prosumax.cli.progress import stage_progress
from prosumax.errors import InputError

if TYPE_CHECKING:
    from prosumax.sweeps import SweepResult

_out = Console()
_err = Console(stderr=True)

_INTERRUPTED_EXIT_CODE = 130
_MAX_SHOWN_FAILURES = 5


def run_grid(
    scenarios: Annotated[
        list[str], typer.Argument(metavar="NAME|PATH..", help="Presets or YAML files.")
    ],
    mechanisms: Annotated[str, typer.Option(metavar="A,B,..", help="Mechanisms, or `all`.")] = "",
    policies: Annotated[
        str, typer.Option(metavar="A,B,..", help="Policies, each applied to all homes.")
    ] = "",
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="a.b=X,Y,..", help="Values of a field; repeatable."),
    ] = None,
    overrides: SetOption = None,
    algorithms: Annotated[
        str,
        typer.Option(
            metavar="A,B,..", help="Learning algorithms, each applied to all homes, for policies."
        ),
    ] = "",
    paradigms: Annotated[
        str, typer.Option(metavar="A,B,..", help="Multi-agent learning paradigms.")
    ] = "",
    iterations: Annotated[int, typer.Option(help="Training iterations, as in `train`.")] = 500,
    num_envs: Annotated[int, typer.Option(help="Parallel environments, as in `train`.")] = 32,
    seeds: Annotated[
        int,
        typer.Option("--seeds", metavar="N", help="Number of seeds of each combination, from 0."),
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder of the sweep; default: results/NAME-sweep."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Parallel trials; default: one per core.")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Ray cluster; default: this machine."),
    ] = None,
    data_dir: DataDirOption = None,
    optimum: OptimumOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the table as one JSON object.")
    ] = False,
) -> None:
    """Run every combination of scenarios, mechanisms, policies, settings and seeds in parallel.

    Each finished trial is a file. After an interruption the same command runs the missing trials,
    and a larger grid in the same folder runs the new ones.
    """
    from prosumax.cli.study import print_study
    from prosumax.market.mechanism import mechanisms as known_mechanisms
    from prosumax.studies import study_to_json
    from prosumax.sweeps import (
        SweepGrid,
        make_ray_runner,
        plan_sweep,
        run_sweep,
        save_sweep_tables,
    )

    grid = SweepGrid(
        scenarios=tuple(scenarios),
        mechanisms=tuple(known_mechanisms) if mechanisms == "all" else split_names(mechanisms),
        policies=split_names(policies),
        vary=_values_by_path(vary or ()),
        overrides=tuple(overrides or ()),
        seeds=seeds,
        optimum=optimum,
        algorithms=split_names(algorithms),
        paradigms=split_names(paradigms),
        iterations=iterations,
        num_envs=num_envs,
    )
    run_trials = make_ray_runner(workers=workers, address=address, data_dir=data_dir)
    with stage_progress() as on_progress:
        plan = plan_sweep(grid)
        folder = out or RESULTS_FOLDER / f"{Path(scenarios[0]).stem}-sweep"
        result = run_sweep(plan, folder, run_trials, on_progress)
    table = save_sweep_tables(result)
    if as_json:
        typer.echo(json.dumps(study_to_json(table)))
    elif not result.interrupted:
        print_study(table)
    _report_outcome(result)


def _report_outcome(result: "SweepResult") -> None:
    """Print the state of a sweep; exit with an error code if trials are missing."""
    total = len(result.plan.trials)
    line = f"{result.num_finished} of {total} trials are in {result.folder.resolve()}"
    if result.num_existing:
        line += f" ({result.num_finished - result.num_existing} new)"
    if result.num_lost_workers:
        line += f"; {result.num_lost_workers} restarted after their worker died"
    _err.print(f"{line}.", soft_wrap=True, highlight=False, markup=False)
    for name, error in list(result.failed.items())[:_MAX_SHOWN_FAILURES]:
        line = f"Failed: {name.removesuffix('.json')}: {error}"
        _err.print(line, soft_wrap=True, highlight=False, markup=False)
    hidden = len(result.failed) - _MAX_SHOWN_FAILURES
    if hidden > 0:
        line = f".. and {hidden} more, all in {result.folder / 'failed'}"
        _err.print(line, highlight=False, markup=False)
    if result.interrupted:
        line = "Interrupted. Run the same command again for the missing trials."
        _err.print(line, highlight=False)
        raise typer.Exit(_INTERRUPTED_EXIT_CODE)
    if result.failed:
        raise typer.Exit(1)


def _values_by_path(options: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Parse options of the form `a.b=X,Y`."""
    values_by_path = {}
    for option in options:
        path, equals, text = option.partition("=")
        values = split_names(text)
        if not equals or not path.strip() or not values:
            raise InputError(
                "--vary",
                f"{option!r} is not of the form a.b=X,Y",
                "Write for example --vary tariff.feed_in=0,0.05.",
            )
        values_by_path[path.strip()] = values
    return values_by_path
