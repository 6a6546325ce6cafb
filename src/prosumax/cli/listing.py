"""Commands that list what prosumax offers, fetch data sets and verify ledgers."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from prosumax import listings
from prosumax.cli.progress import stage_progress

_out = Console()


def list_scenarios() -> None:
    """List the preset scenarios."""
    from prosumax.cli.printing import print_names

    print_names("Scenario", listings.list_scenarios())


def list_mechanisms(
    table: Annotated[
        bool, typer.Option("--table", help="Measure their properties on random order books.")
    ] = False,
) -> None:
    """List the market mechanisms (`market.mechanism`)."""
    from prosumax.cli.printing import print_names, print_properties

    if not table:
        print_names("Mechanism", listings.list_mechanisms())
        return
    from prosumax.studies.mechanism_properties import measure_mechanisms

    with stage_progress() as on_progress:
        properties = measure_mechanisms(on_progress=on_progress)
    print_properties(properties)


def list_policies() -> None:
    """List the policies of homes (`policy`)."""
    from prosumax.cli.printing import print_names

    print_names("Policy", listings.list_policies())


def list_algorithms() -> None:
    """List the learning algorithms and the multi-agent paradigms."""
    from prosumax.cli.printing import print_names
    from prosumax.rl.engine.agent_groups import PARADIGMS

    print_names("Algorithm", listings.list_algorithms())
    print_names("Paradigm", {name: paradigm.summary for name, paradigm in PARADIGMS.items()})


def fetch_data(
    name: Annotated[str, typer.Argument(help="Name of the data set, such as citylearn-2022.")],
    force: Annotated[
        bool, typer.Option("--force", help="Download again even if the data set exists.")
    ] = False,
) -> None:
    """Download a public data set into the cache."""
    from prosumax.data.datasets import fetch_dataset

    _out.print(f"{name}: {fetch_dataset(name, force=force)}", soft_wrap=True, highlight=False)


def verify_run_ledger(
    run_folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="Result folder, or its ledger file.")
    ],
) -> None:
    """Check that no trade of a stored run was edited, removed or reordered."""
    from prosumax.simulation.results.ledger import verify_ledger

    check = verify_ledger(run_folder)
    _out.print(
        f"Valid: {check.blocks:,} blocks, {check.trades:,} trades, {check.kwh:,.1f} kWh.\n"
        f"Last hash {check.last_hash}",
        highlight=False,
        soft_wrap=True,
    )
