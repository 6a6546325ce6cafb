"""`prosumax sweep`: every combination as a trial on Ray, kept one by one."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from prosumax.cli.study import print_study
from prosumax.errors import InputError
from prosumax.market.mechanism import mechanisms as known_mechanisms
from prosumax.runner import ProgressCallback
from prosumax.studies.tables import study_to_json
from prosumax.sweeps import (
    SweepGrid,
    SweepResult,
    make_ray_runner,
    plan_sweep,
    run_sweep,
    save_sweep_tables,
)

_out = Console()
_err = Console(stderr=True)

_INTERRUPTED = 130
_SHOWN_FAILURES = 5


def command(progress: Callable[[], AbstractContextManager[ProgressCallback]]) -> Callable[..., None]:
    """The command as a function for typer.

    Arguments:
        progress: opens a progress bar.
    """

    def sweep(
        scenarios: Annotated[
            list[str], typer.Argument(metavar="NAME|PATH..", help="Presets or YAML files.")
        ],
        mechanisms: Annotated[
            str, typer.Option(metavar="A,B,..", help="Mechanisms; `all` for every one.")
        ] = "",
        policies: Annotated[
            str, typer.Option(metavar="A,B,..", help="Policies, each in every home.")
        ] = "",
        vary: Annotated[
            list[str] | None,
            typer.Option(
                "--vary", metavar="a.b=X,Y,..", help="Values of a field; may be repeated."
            ),
        ] = None,
        overrides: Annotated[
            list[str] | None,
            typer.Option(
                "--set", metavar="a.b=VALUE", help="Change one field; may be given again."
            ),
        ] = None,
        algorithms: Annotated[
            str,
            typer.Option(
                metavar="A,B,..", help="Let all homes learn by each of these instead of a policy."
            ),
        ] = "",
        paradigms: Annotated[
            str, typer.Option(metavar="A,B,..", help="Paradigms of learning.")
        ] = "",
        iterations: Annotated[int, typer.Option(help="Of learning, as in `train`.")] = 500,
        num_envs: Annotated[int, typer.Option(help="Of learning, as in `train`.")] = 32,
        seeds: Annotated[
            int, typer.Option("--seeds", metavar="N", help="Seeds 0 to N-1 of every combination.")
        ] = 1,
        out: Annotated[
            Path | None,
            typer.Option(
                "--out", metavar="DIR", help="Folder of the sweep; when absent results/NAME-sweep."
            ),
        ] = None,
        workers: Annotated[
            int | None, typer.Option(metavar="N", help="Trials at once; one for each core.")
        ] = None,
        address: Annotated[
            str | None,
            typer.Option(metavar="HOST:PORT", help="A Ray cluster; this machine when absent."),
        ] = None,
        data_dir: Annotated[
            Path | None, typer.Option("--data-dir", help="Folder with data sets.")
        ] = None,
        optimum: Annotated[
            bool | None,
            typer.Option("--optimum/--no-optimum", help="Measure by the optimum, as in `run`."),
        ] = None,
        as_json: Annotated[
            bool, typer.Option("--json", help="Print the table as one JSON object.")
        ] = False,
    ) -> None:
        """Run every combination of scenarios, rules, policies, settings and seeds, in parallel; run again to go on.

        Each finished trial is a file. Whatever stops the sweep, the same command does the rest, and a larger grid in
        the same folder does what is new.
        """
        grid = SweepGrid(
            scenarios=tuple(scenarios),
            mechanisms=tuple(known_mechanisms) if mechanisms == "all" else _names(mechanisms),
            policies=_names(policies),
            vary=_values(vary or ()),
            overrides=tuple(overrides or ()),
            seeds=seeds,
            optimum=optimum,
            algorithms=_names(algorithms),
            paradigms=_names(paradigms),
            iterations=iterations,
            num_envs=num_envs,
        )
        doing = make_ray_runner(workers=workers, address=address, data_dir=data_dir)
        with progress() as on_stage:
            planned = plan_sweep(grid)
            folder = out or Path("results") / f"{Path(scenarios[0]).stem}-sweep"
            swept = run_sweep(planned, folder, doing, on_stage)
        table = save_sweep_tables(swept)
        if as_json:
            typer.echo(json.dumps(study_to_json(table)))
        elif not swept.interrupted:
            print_study(table)
        _tell(swept)

    return sweep


def _tell(swept: SweepResult) -> None:
    """How it went; a sweep that is not whole ends with an error code."""
    total, new = len(swept.plan.trials), swept.num_finished - swept.num_existing
    kept = f"{swept.num_finished} of {total} trials are in {swept.folder.resolve()}"
    kept += f" ({new} new)" if swept.num_existing else ""
    kept += f"; {swept.num_lost_workers} lost their worker and were begun again" if swept.num_lost_workers else ""
    _err.print(f"{kept}.", soft_wrap=True, highlight=False, markup=False)
    for name, why in list(swept.failed.items())[:_SHOWN_FAILURES]:
        _err.print(
            f"Failed: {name.removesuffix('.json')}: {why}",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )
    if len(swept.failed) > _SHOWN_FAILURES:
        more = len(swept.failed) - _SHOWN_FAILURES
        _err.print(
            f".. and {more} more, all in {swept.folder / 'failed'}", highlight=False, markup=False
        )
    if swept.interrupted:
        _err.print("Interrupted. The same command does the rest.", highlight=False)
        raise typer.Exit(_INTERRUPTED)
    if swept.failed:
        raise typer.Exit(1)


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _values(given: list[str] | tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found = {}
    for text in given:
        path, equals, values = text.partition("=")
        listed = _names(values)
        if not equals or not path.strip() or not listed:
            cure = "Write for example --vary tariff.feed_in=0,0.05."
            raise InputError(f"--vary {text}", "is not of the form a.b=X,Y", cure)
        found[path.strip()] = listed
    return found
