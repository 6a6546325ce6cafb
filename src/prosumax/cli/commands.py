"""The `prosumax` command: its subcommands, and the handling of errors and interrupts.

Modules of this package import the simulator inside the commands, so that `prosumax --help` does not
load JAX.
"""

import sys
from importlib import metadata
from typing import Annotated

import typer

from prosumax.cli import bill, demo, listing, new_scenario, run, study, sweep, train
from prosumax.errors import InputError

_INTERRUPTED_EXIT_CODE = 130

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
data = typer.Typer(help="Public data sets.", no_args_is_help=True)
ledger = typer.Typer(help="Ledger of trades of a stored run.", no_args_is_help=True)


@app.callback(invoke_without_command=True)
def show_version(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Simulate energy communities and local energy markets."""
    if version:
        typer.echo(f"prosumax {metadata.version('prosumax')}")
        raise typer.Exit


app.command("run")(run.run_scenario)
app.command("compare")(run.compare_mechanisms)
app.command("bill")(bill.print_bills)
app.command("new")(new_scenario.new)
app.command("import")(new_scenario.import_meters)
app.command("study")(study.run_named_study)
app.command("sweep")(sweep.run_grid)
app.command("train")(train.train_homes)
app.command("evaluate")(train.evaluate_training)
app.command("export-policy")(train.export_home_policy)
app.command("scenarios")(listing.list_scenarios)
app.command("mechanisms")(listing.list_mechanisms)
app.command("devices")(listing.list_devices)
app.command("sources")(listing.list_sources)
app.command("policies")(listing.list_policies)
app.command("tariffs")(bill.list_tariffs)
app.command("algorithms")(listing.list_algorithms)
app.command("plugins")(listing.list_plugins)
app.command("demo")(demo.start_demo)
app.add_typer(data, name="data")
data.command("fetch")(listing.fetch_data)
app.add_typer(ledger, name="ledger")
ledger.command("verify")(listing.verify_run_ledger)


def main() -> None:
    """Run the command; invalid input is printed as one paragraph and exits with code 2."""
    try:
        app()
    except InputError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except SystemExit as stop:
        # Typer turns Ctrl-C into an exit without a message. Commands that exit with the same code
        # themselves have printed their own.
        cause = stop.__context__ and stop.__context__.__cause__
        if stop.code == _INTERRUPTED_EXIT_CODE and isinstance(cause, KeyboardInterrupt):
            typer.echo("Interrupted. Nothing was written; earlier results are unchanged.", err=True)
        raise
