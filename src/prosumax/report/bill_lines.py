"""The bill of every home, line by line, as the tables of a report."""

from prosumax.report import text
from prosumax.report.tables import RECEIVERS
from prosumax.simulation.results.result import Result
from prosumax.tariff.statement import StatementLine, BillStatement
from prosumax.viz.chart import Table


def bill_lines(result: Result) -> list[Table]:
    """One table per home, in the scenario's order; its name is the caption."""
    return [_table(statement) for statement in result.bills]


def _table(statement: BillStatement) -> Table:
    head = [
        "What for",
        "Paid to",
        "Quantity",
        "Price",
        f"Amount, {statement.currency}",
        "VAT",
        "With VAT",
    ]
    rows = [_row(line) for line in statement.lines]
    foot = [
        "Bill",
        "",
        "",
        "",
        *(text.number(sum_, 2) for sum_ in (statement.amount, statement.vat, statement.total)),
    ]
    return Table(statement.home, head, rows, foot)


def _row(line: StatementLine) -> list[str]:
    quantity = (
        f"{text.number(line.quantity, 0 if line.unit == 'kWh' else 2)}\u00a0{line.unit}"
        if line.unit
        else ""
    )
    price = "" if line.price is None else text.number(line.price, 4 if line.unit == "kWh" else 2)
    return [
        line.item,
        RECEIVERS[line.receiver],
        quantity,
        f"\u2248\u00a0{price}" if line.is_mean_price else price,
        text.number(line.amount, 2),
        text.number(line.vat, 2) if line.vat else "–",
        text.number(line.amount + line.vat, 2),
    ]
