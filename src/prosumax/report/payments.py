"""Table of all payments: what every home pays to whom, neighbors included."""

from itertools import groupby

import numpy as np

from prosumax.report import text
from prosumax.report.tables import RECEIVERS, bill_columns
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Table
from prosumax.viz.market.payments import MATRIX_HOMES, amount_cell, payment_matrix
from prosumax.viz.parts import Values

_PARTIES = {name: label for name, label in RECEIVERS.items() if name != "mechanism"}
"""Receivers of money that neighbors do not pay: name in the KPIs -> name on the page."""


def payments_table(result: Result) -> Table:
    """Return what every home pays to whom; rows add up to bills."""
    homes = result.households
    money = payment_matrix(result)
    entries = bill_columns(result)
    items = {
        name: np.array([home["bill_items"].get(name, 0.0) for home in homes]) for name in entries
    }
    columns = _neighbor_columns(result, money)
    for party, label in _PARTIES.items():
        parts = [
            entry.sign * items[name] for name, entry in entries.items() if entry.receiver == party
        ]
        paid = np.sum(parts, axis=0)
        if party != "community" or paid.any():
            columns.append(("to others", label, paid))
    # Payments for local energy that no neighbor receives, or the reverse, are the operator's.
    bought_net = items["bought_locally"] - items["sold_locally"] + items["settlement"]
    operator = bought_net - money.sum(1) + money.sum(0)
    if (abs(operator) >= text.CENT).any():
        columns.append(("to others", "operator of the exchange", operator))
    spans = [(label, len(list(run))) for label, run in groupby(columns, lambda column: column[0])]
    rows = [
        [
            home["name"],
            *(amount_cell(float(column[at])) for _, _, column in columns),
            text.number(home["bill"], 2),
        ]
        for at, home in enumerate(homes)
    ]
    foot = [
        "All",
        *(amount_cell(float(column.sum())) for _, _, column in columns),
        text.number(result.kpis["cost"], 2),
    ]
    return Table(
        f"Who pays whom, {result.scenario.tariff.currency}",
        ["Payer", *(label for _, label, _ in columns), "Bill"],
        rows,
        foot,
        [("", 1), *spans, ("", 1)],
    )


def _neighbor_columns(result: Result, money: Values) -> list[tuple[str, str, Values]]:
    """Return the group, the heading and the amounts of payments to and from neighbors."""
    if not money.any():
        return []
    homes = result.households
    received: Values = -money.sum(0)
    if len(homes) > MATRIX_HOMES:
        paid: Values = money.sum(1)
        return [("to", "neighbors", paid), ("from", "neighbors", received)]
    receivers = np.flatnonzero((money >= text.CENT).any(0)).tolist()
    columns = [("to neighbors", homes[at]["name"], money[:, at]) for at in receivers]
    return [*columns, ("from", "neighbors", received)]
