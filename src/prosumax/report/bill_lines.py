"""Tables of every home's bill, line by line."""

from prosumax.report import text
from prosumax.report.tables import RECEIVERS
from prosumax.simulation.results.result import Result
from prosumax.tariff.statement import BillStatement, StatementLine
from prosumax.viz.chart import Table


def bill_tables(result: Result) -> list[Table]:
    """Return one table per home in the scenario's order; the home's name is the caption."""
    return [_table(statement) for statement in result.bills]


def _table(statement: BillStatement) -> Table:
    amount = f"Amount, {statement.currency}"
    head = ["Item", "Paid to", "Quantity", "Price", amount, "VAT", "With VAT"]
    rows = [_row(line) for line in statement.lines]
    totals = (statement.amount, statement.vat, statement.total)
    foot = ["Bill", "", "", "", *(text.number(total, 2) for total in totals)]
    return Table(statement.home, head, rows, foot)


def _row(line: StatementLine) -> list[str]:
    is_energy = line.unit == "kWh"
    quantity = ""
    if line.unit:
        quantity = f"{text.number(line.quantity, 0 if is_energy else 2)}\u00a0{line.unit}"
    price = ""
    if line.price is not None:
        price = text.number(line.price, 4 if is_energy else 2)
    return [
        line.item,
        RECEIVERS[line.receiver],
        quantity,
        f"\u2248\u00a0{price}" if line.is_mean_price else price,
        text.number(line.amount, 2),
        text.number(line.vat or None, 2),
        text.number(line.amount + line.vat, 2),
    ]
