"""Commands that list what prosumax offers, fetch data sets and verify ledgers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prosumax import listings
from prosumax.cli.progress import stage_progress
from prosumax.plugins import PluginPackage

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


def list_devices() -> None:
    """List the kinds of devices (fields of a home)."""
    from prosumax.cli.printing import print_names

    print_names("Device", listings.list_devices())


def list_sources() -> None:
    """List the data sources of loads, PV generation, prices and weather (`source`)."""
    from prosumax.cli.printing import print_names

    for kind, described in listings.list_sources().items():
        print_names(f"{kind[0].upper()}{kind[1:]}", described)


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


def list_plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List what installed plugins provide, and what failed to load."""
    plugins = listings.list_plugins()
    if as_json:
        typer.echo(json.dumps(_plugins_to_json(plugins)))
    else:
        _print_plugins(plugins)
    if plugins.failures:
        names = ", ".join(sorted({failure.package.name for failure in plugins.failures}))
        typer.echo(f"Warning: plugins failed to load: {names}.", err=True)


def _print_plugins(plugins: listings.InstalledPlugins) -> None:
    """Print a table of the components of plugins, and one of what failed to load."""
    if not plugins.components and not plugins.failures:
        _out.print("No plugin is installed; docs/how-to/plugins.md shows how to write one.")
    if plugins.components:
        rows = [
            (entry.kind, entry.name, " ".join(entry.package), entry.summary)
            for entry in plugins.components
        ]
        _print_table(("Kind", "Name", "Package", "Description"), rows)
    if plugins.failures:
        reasons = [
            (f"{entry.group}: {entry.entry_point}", " ".join(entry.package), entry.reason)
            for entry in plugins.failures
        ]
        _print_table(("Failed to load", "Package", "Reason"), reasons)


def _print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    _out.print(table)


def _plugins_to_json(plugins: listings.InstalledPlugins) -> dict[str, list[dict[str, str]]]:
    return {
        "components": [_flat(entry._asdict(), entry.package) for entry in plugins.components],
        "failures": [_flat(entry._asdict(), entry.package) for entry in plugins.failures],
    }


def _flat(fields: dict[str, str], package: PluginPackage) -> dict[str, str]:
    """Replace the package among the fields of an entry by its name and version."""
    return {**fields, "package": package.name, "version": package.version}


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
