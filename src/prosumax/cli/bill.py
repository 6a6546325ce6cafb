"""`prosumax bill` and `prosumax tariffs`: bills of a stored run, and the preset tariffs."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prosumax import listings
from prosumax.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from prosumax.tariff.statement import BillStatement, StatementLine

_SECTIONS = {
    "supplier": "Supplier",
    "network_operator": "Network operator",
    "government": "Levies",
    "mechanism": "Exchange with neighbors",
    "community": "Community",
}

_MAX_YEARS_IN_DAYS = 0.2  # Shorter periods are displayed in days.

_out = Console()


def print_bills(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Result folder.")],
    home: Annotated[
        str | None,
        typer.Option("--home", metavar="NAME", help="Home; totals of all homes when absent."),
    ] = None,
) -> None:
    """Print the bill of a home line by line: energy, price, amount and VAT."""
    from prosumax.simulation.results.store import load_bills

    statements = {statement.home: statement for statement in load_bills(run_folder)}
    if home is None and len(statements) > 1:
        _print_totals(list(statements.values()), run_folder)
        return
    name = next(iter(statements)) if home is None else home
    if name not in statements:
        raise InputError(
            "--home", f"there is no home {name!r} in {run_folder}", did_you_mean(name, statements)
        )
    print_statement(statements[name])


def list_tariffs(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Tariff to print as YAML, to copy and edit."),
    ] = None,
) -> None:
    """List the preset tariffs (`tariff: NAME`), or print one with its sources."""
    from prosumax.cli.printing import print_names
    from prosumax.scenario.tariff_presets import tariff_preset_paths

    paths = tariff_preset_paths()
    if name is None:
        print_names("Tariff", listings.list_tariffs())
        _print_line(
            "\nUse one: `tariff: NAME` in a scenario, or `prosumax run street --set tariff=NAME`.",
            "dim",
        )
        _print_line(
            "Adapt one: `prosumax tariffs NAME > my-tariff.yaml`, edit it, then set "
            "`tariff: my-tariff.yaml`.",
            "dim",
        )
        return
    if name not in paths:
        raise InputError("NAME", f"there is no tariff {name!r}", did_you_mean(name, paths))
    typer.echo(paths[name].read_text("utf-8"), nl=False)


def print_statement(statement: "BillStatement") -> None:
    """Print the bill of one home.

    Args:
        statement: Bill of the home.
    """
    currency = statement.currency
    _print_line(f"\nElectricity bill of {statement.home}", "bold")
    _print_line(f"{_format_period(statement)}, amounts in {currency}")
    if statement.tariff:
        _print_line(f"Tariff: {statement.tariff}")
    meter = f"{statement.import_kwh:,.0f} kWh imported, {statement.export_kwh:,.0f} kWh exported"
    if statement.netted_kwh:
        meter += f", of which {statement.netted_kwh:,.0f} kWh are netted"
    _print_line(f"Meter: {meter}\n")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for title in ("Quantity", "Price", "Amount", "VAT", "With VAT"):
        table.add_column(title, justify="right", no_wrap=True)
    for receiver, title in _SECTIONS.items():
        lines = [line for line in statement.lines if line.receiver == receiver]
        if lines:
            table.add_row(title, style="bold")
            for line in lines:
                table.add_row(*_format_line(line))
            table.add_row("", "", "", *_format_sums(lines), style="dim", end_section=True)
    table.add_row("Total", "", "", *_format_sums(statement.lines), style="bold")
    _out.print(table)
    if any(line.is_mean_price for line in statement.lines):
        _print_line("\n~ mean of a variable price", "dim")
    base = sum(line.amount for line in statement.lines if line.vat)
    _print_line(f"\nVAT {100 * statement.vat_rate:g} % on {base:,.2f}: {statement.vat:,.2f}")
    due = "To pay" if statement.total >= 0 else "To receive"
    _print_line(f"{due}: {abs(statement.total):,.2f} {currency}", "bold")


def _format_period(statement: "BillStatement") -> str:
    days = [date.fromisoformat(day) for day in (statement.first_day, statement.last_day)]
    first, last = (f"{day.day} {day:%B %Y}" for day in days)
    length = f"{24 * statement.days:.3g} hours"
    if statement.days > 1:
        length = f"{statement.days:,.4g} days"
    period = first if first == last else f"{first} to {last}"
    return f"{period} ({length})"


def _format_line(line: "StatementLine") -> tuple[str, ...]:
    quantity = ""
    if line.unit:
        digits = 0 if line.unit == "kWh" and abs(line.quantity) >= 100 else 2
        quantity = f"{line.quantity:,.{digits}f} {line.unit}"
    if line.unit == "year" and line.quantity < _MAX_YEARS_IN_DAYS:
        quantity = f"{line.quantity * 365:,.3g} days"
    price = ""
    if line.price is not None:
        digits = 4 if line.unit == "kWh" else 2
        price = f"{'~' if line.is_mean_price else ''}{line.price:,.{digits}f}"
    return (
        f"  {line.item}",
        quantity,
        price,
        _format_money(line.amount),
        f"{line.vat:,.2f}" if line.vat else "-",
        _format_money(line.amount + line.vat),
    )


def _format_sums(lines: "list[StatementLine]") -> tuple[str, str, str]:
    amount = sum(line.amount for line in lines)
    vat = sum(line.vat for line in lines)
    return _format_money(amount), _format_money(vat), _format_money(amount + vat)


def _print_totals(statements: "list[BillStatement]", run_folder: Path) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Home", no_wrap=True)
    for title in ("Import, kWh", "Export, kWh", "Before VAT", "VAT", "To pay"):
        table.add_column(title, justify="right", no_wrap=True)
    for statement in statements:
        amounts = (statement.amount, statement.vat, statement.total)
        table.add_row(
            escape(statement.home),
            f"{statement.import_kwh:,.0f}",
            f"{statement.export_kwh:,.0f}",
            *(_format_money(amount) for amount in amounts),
        )
    _out.print(table)
    command = f'prosumax bill {run_folder} --home "{statements[0].home}"'
    _print_line(f"\nOne bill, line by line: {command}", "dim")


def _print_line(text: str, style: str = "") -> None:
    _out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _format_money(amount: float) -> str:
    return f"{round(amount, 2) + 0.0:,.2f}"  # Adding zero turns -0.0 into 0.0.
