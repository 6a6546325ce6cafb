"""`prosumax bill` and `prosumax tariffs`: a home's bill on paper, and the tariffs that ship."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console
from rich.table import Table

from prosumax.cli.printing import print_names
from prosumax.errors import InputError, did_you_mean
from prosumax.scenario.tariff_presets import tariff_presets
from prosumax.simulation.results.store import load_bills
from prosumax.tariff.statement import Line, Statement

_SECTIONS = {
    "supplier": "Supplier",
    "network_operator": "Network operator",
    "government": "Levies",
    "mechanism": "Exchange with neighbours",
}

_SHORT_YEARS = 0.2  # a period that is told in days

_out = Console()


def bill(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A result folder.")],
    home: Annotated[
        str | None,
        typer.Option("--home", metavar="NAME", help="Whose bill; all totals when absent."),
    ] = None,
) -> None:
    """Print a home's bill of a stored run: every line with its kWh, price, amount and VAT."""
    bills = {statement.home: statement for statement in load_bills(run_folder)}
    if home is None and len(bills) > 1:
        _print_totals(list(bills.values()), run_folder)
        return
    chosen = next(iter(bills)) if home is None else home
    if chosen not in bills:
        raise InputError(
            "--home", f"there is no home {chosen!r} in {run_folder}", did_you_mean(chosen, bills)
        )
    print_statement(bills[chosen])


def tariffs(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Print this one, to copy and edit.")
    ] = None,
) -> None:
    """List the tariffs that a scenario can name (`tariff: NAME`), or print one with its sources."""
    known = tariff_presets()
    if name is None:
        described = {
            key: yaml.safe_load(path.read_text("utf-8"))["description"]
            for key, path in known.items()
        }
        print_names("Tariff", described)
        _say(
            "\nUse one: `tariff: NAME` in a scenario, or `prosumax run street --set tariff=NAME`.",
            "dim",
        )
        _say(
            "Make it yours: `prosumax tariffs NAME > my-tariff.yaml`, edit, then `tariff: my-tariff.yaml`.",
            "dim",
        )
        return
    if name not in known:
        raise InputError("NAME", f"there is no tariff {name!r}", did_you_mean(name, known))
    typer.echo(known[name].read_text("utf-8"), nl=False)


def print_statement(statement: Statement) -> None:
    """One bill, as it would arrive."""
    days = [date.fromisoformat(day) for day in (statement.first, statement.last)]
    first, last = (f"{day.day} {day:%B %Y}" for day in days)
    money = statement.currency
    _say(f"\nElectricity bill of {statement.home}", "bold")
    span = first if first == last else f"{first} to {last}"
    length = (
        f"{statement.days:,.4g} days" if statement.days > 1 else f"{24 * statement.days:.3g} hours"
    )
    _say(f"{span} ({length}), amounts in {money}")
    if statement.tariff:
        _say(f"Tariff: {statement.tariff}")
    cancelled = (
        f", of which {statement.cancelled_kwh:,.0f} kWh cancel each other"
        if statement.cancelled_kwh
        else ""
    )
    _say(
        f"Meter: {statement.taken_kwh:,.0f} kWh taken, {statement.sent_kwh:,.0f} kWh sent{cancelled}\n"
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for title in ("Quantity", "Price", "Amount", "VAT", "With VAT"):
        table.add_column(title, justify="right", no_wrap=True)
    for receiver, title in _SECTIONS.items():
        lines = [line for line in statement.lines if line.receiver == receiver]
        if lines:
            table.add_row(title, style="bold")
            for line in lines:
                table.add_row(*_cells(line))
            table.add_row("", "", "", *_sums(lines), style="dim", end_section=True)
    table.add_row("Total", "", "", *_sums(statement.lines), style="bold")
    _out.print(table)
    if any(line.mean for line in statement.lines):
        _say("\n~ mean of a price that changes", "dim")
    base = sum(line.amount for line in statement.lines if line.vat)
    _say(f"\nVAT {100 * statement.vat_rate:g} % on {base:,.2f}: {statement.vat:,.2f}")
    due = "To pay" if statement.total >= 0 else "To receive"
    _say(f"{due}: {abs(statement.total):,.2f} {money}", "bold")


def _cells(line: Line) -> tuple[str, ...]:
    digits = 0 if line.unit == "kWh" and abs(line.quantity) >= 100 else 2
    quantity = f"{line.quantity:,.{digits}f} {line.unit}" if line.unit else ""
    if line.unit == "year" and line.quantity < _SHORT_YEARS:
        quantity = f"{line.quantity * 365:,.3g} days"
    price = (
        ""
        if line.price is None
        else f"{'~' if line.mean else ''}{line.price:,.{4 if line.unit == 'kWh' else 2}f}"
    )
    vat = f"{line.vat:,.2f}" if line.vat else "-"
    return (
        f"  {line.item}",
        quantity,
        price,
        _money(line.amount),
        vat,
        _money(line.amount + line.vat),
    )


def _sums(lines: list[Line]) -> tuple[str, str, str]:
    amount, vat = sum(line.amount for line in lines), sum(line.vat for line in lines)
    return _money(amount), _money(vat), _money(amount + vat)


def _print_totals(bills: list[Statement], run_folder: Path) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Home", no_wrap=True)
    for title in ("Taken, kWh", "Sent, kWh", "Before VAT", "VAT", "To pay"):
        table.add_column(title, justify="right", no_wrap=True)
    for statement in bills:
        table.add_row(
            statement.home.replace("[", r"\["),
            f"{statement.taken_kwh:,.0f}",
            f"{statement.sent_kwh:,.0f}",
            *(_money(part) for part in (statement.amount, statement.vat, statement.total)),
        )
    _out.print(table)
    _say(f'\nOne bill, line by line: prosumax bill {run_folder} --home "{bills[0].home}"', "dim")


def _say(text: str, style: str = "") -> None:
    _out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _money(amount: float) -> str:
    return f"{round(amount, 2) + 0.0:,.2f}"  # adding zero turns -0.00 into 0.00
