"""`prosumax run` and `prosumax compare`: one run, or several mechanisms side by side."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from prosumax.cli.options import (
    RESULTS_FOLDER,
    DataDirOption,
    JsonOption,
    OptimumOption,
    OutOption,
    ScenarioArgument,
    SeedOption,
    SetOption,
    split_names,
)
from prosumax.cli.progress import stage_progress
from prosumax.errors import InputError

_out = Console()


def run_scenario(
    scenario: ScenarioArgument,
    overrides: SetOption = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Policy of homes that have none of their own."),
    ] = None,
    out: OutOption = None,
    seed: SeedOption = None,
    data_dir: DataDirOption = None,
    optimum: OptimumOption = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate one community and write KPIs, bills and a report."""
    from prosumax import report
    from prosumax.cli.printing import print_result
    from prosumax.runner import run
    from prosumax.simulation.results.store import check_folder, result_to_json, save_result

    if out is not None or not as_json:
        check_folder(out or RESULTS_FOLDER / "new")
    changes = list(overrides or ())
    if policy is not None:
        changes.append(f"policy={policy}")
    with stage_progress() as on_progress:
        result = run(
            scenario,
            changes,
            seed=seed,
            data_dir=data_dir,
            optimum=optimum,
            on_progress=on_progress,
        )
        folder = _select_folder(out, result.scenario.name, as_json)
        if folder is not None:
            on_progress("Writing the report", 0.8)
            extras = {"report.html": lambda path: report.write_report(result, path)}
            save_result(result, folder, extras)
    if as_json:
        typer.echo(json.dumps(result_to_json(result)))
        return
    print_result(result)
    if folder is not None:
        _print_report_path(folder)
        _out.print(f"Bills: prosumax bill {folder}", soft_wrap=True, highlight=False)


def compare_mechanisms(
    scenario: ScenarioArgument,
    mechanisms: Annotated[
        str, typer.Option(metavar="A,B,..", help="Mechanisms, or `all`.")
    ] = "all",
    policies: Annotated[
        str | None,
        typer.Option(metavar="A,B,..", help="Policies that are combined with each mechanism."),
    ] = None,
    overrides: SetOption = None,
    out: OutOption = None,
    seed: SeedOption = None,
    data_dir: DataDirOption = None,
    optimum: OptimumOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare mechanisms on the same homes, data and seed."""
    from prosumax import report
    from prosumax.cli.printing import print_comparison
    from prosumax.control.rules import policies as known_policies
    from prosumax.market.mechanism import mechanisms as known_mechanisms
    from prosumax.runner import compare
    from prosumax.simulation.results.store import check_folder, result_to_json, save_comparison

    names = tuple(known_mechanisms) if mechanisms == "all" else split_names(mechanisms)
    if not names:
        raise InputError(
            "--mechanisms", "the list is empty", f"Allowed: {', '.join(known_mechanisms)}."
        )
    for name in names:
        known_mechanisms.check(name, "--mechanisms")
    policy_names = None if policies is None else split_names(policies)
    if policy_names is not None and not policy_names:
        raise InputError(
            "--policies", "the list is empty", f"Allowed: {', '.join(known_policies)}."
        )
    if out is not None or not as_json:
        check_folder(out or RESULTS_FOLDER / "new", "comparison")
    with stage_progress() as on_progress:
        results = compare(
            scenario,
            names,
            overrides or (),
            policies=policy_names,
            seed=seed,
            data_dir=data_dir,
            optimum=optimum,
            on_progress=on_progress,
        )
        name = next(iter(results.values())).scenario.name
        folder = _select_folder(out, f"{name}-compare", as_json)
        if folder is not None:
            on_progress("Writing the report", 0.95)
            extras = {"report.html": lambda path: report.write_comparison(results, path)}
            save_comparison(results, folder, extras)
    if as_json:
        content = {name: result_to_json(result) for name, result in results.items()}
        typer.echo(json.dumps(content))
        return
    print_comparison(results, policies=policy_names is not None)
    if folder is not None:
        _print_report_path(folder)


def _select_folder(out: Path | None, name: str, as_json: bool) -> Path | None:
    """Return the result folder, or None when nothing is written."""
    from prosumax.simulation.results.store import next_free_folder

    if out is None and as_json:
        return None
    return out if out is not None else next_free_folder(name, RESULTS_FOLDER)


def _print_report_path(folder: Path) -> None:
    path = folder.resolve() / "report.html"
    _out.print(f"Report: {path}", soft_wrap=True, highlight=False)
