"""Who pays whom: a circle of homes with an arrow per payment, and the same as a table."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from prosumax.report import text
from prosumax.report.mechanism_groups import Group, listed
from prosumax.report.tables import COMPONENTS
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Choice, Table
from prosumax.viz.theme import INK, LOOKS, Option, base

_MATRIX_HOMES = (
    12  # a table of who pays whom has a column per home up to here, then a row per large payment
)
_ARROWS = 60
_WIDEST_PX = 10
_LARGEST = 25
_OTHERS = {
    "supplier": "supplier",
    "network_operator": "network operator",
    "government": "government",
}


class Payment(NamedTuple):
    """Money from one home to another, positions in the scenario."""

    payer: int
    receiver: int
    money: float


def network_chart(result: Result) -> Chart | None:
    """The payments between the homes of a run; None where nobody pays anybody."""
    payments = _payments(result)
    return _chart(result, payments) if payments else None


def networks_chart(groups: Sequence[Group]) -> Chart | None:
    """The payments under one rule at a time; None where nobody pays anybody under any."""
    found = [(group, _payments(group.result)) for group in groups]
    paying = [(group, payments) for group, payments in found if payments]
    if not paying:
        return None
    choices = [
        Choice(
            group.label,
            {"series": [{"links": _links(payments)}]},
            _summary(group.result, payments),
            pairs_table(group.result),
        )
        for group, payments in paying
    ]
    silent = [listed([group]) for group, payments in found if not payments]
    chart = _chart(paying[0][0].result, paying[0][1])
    note = chart.note + (
        f" During the period homes pay each other nothing under {text.joined(silent)}."
        if silent
        else ""
    )
    return chart._replace(choices=choices, choose="Rule", note=note)


def pairs_table(result: Result) -> Table:
    """Who pays which neighbour: a column per receiving home, or a row per payment in a large community."""
    names, currency = [home["name"] for home in result.households], result.scenario.tariff.currency
    if len(names) > _MATRIX_HOMES:
        payments = _payments(result)
        rows = [
            [names[p.payer], names[p.receiver], text.number(p.money, 2)]
            for p in payments[:_LARGEST]
        ]
        what = (
            f"The {_LARGEST} largest payments between homes"
            if len(payments) > _LARGEST
            else "Payments between homes"
        )
        return Table(f"{what}, {currency}", ["Payer", "receiver", currency], rows)
    money = _paid(result)
    receivers = _receivers(money)
    rows = [
        [name, *map(_cell, money[i, receivers]), _cell(money[i].sum())]
        for i, name in enumerate(names)
    ]
    foot = ["All", *map(_cell, money[:, receivers].sum(0)), _cell(money.sum())]
    head = ["Payer", *(names[j] for j in receivers), "in all"]
    spans = [("", 1), ("to", len(receivers)), ("", 1)]
    return Table(f"Who pays which neighbour for local power, {currency}", head, rows, foot, spans)


def payments_table(result: Result) -> Table:
    """What every home pays to whom, neighbours among the receivers; rows add up to bills."""
    homes, currency = result.households, result.scenario.tariff.currency
    money = _paid(result)
    items = {name: np.array([home["bill_items"][name] for home in homes]) for name in COMPONENTS}
    columns: list[tuple[str, str, np.ndarray]] = []
    if money.any():
        columns = (
            [("to neighbours", homes[j]["name"], money[:, j]) for j in _receivers(money)]
            if len(homes) <= _MATRIX_HOMES
            else [("to", "neighbours", money.sum(1))]
        )
        columns.append(("from", "neighbours", -money.sum(0)))
    for party, label in _OTHERS.items():
        parts = [
            sign * items[name]
            for name, (_, receiver, sign) in COMPONENTS.items()
            if receiver == party
        ]
        columns.append(("to others", label, np.sum(parts, axis=0)))
    # What is paid for local power and no neighbour gets, or the other way round, goes through the operator's till.
    till = (
        items["bought_locally"]
        - items["sold_locally"]
        + items["settlement"]
        - money.sum(1)
        + money.sum(0)
    )
    if (abs(till) >= text.CENT).any():
        columns.append(("to others", "operator of the exchange", till))
    spans = [(label, len(list(run))) for label, run in groupby(columns, lambda column: column[0])]
    rows = [
        [
            home["name"],
            *(_cell(column[i]) for _, _, column in columns),
            text.number(home["bill"], 2),
        ]
        for i, home in enumerate(homes)
    ]
    foot = [
        "All",
        *(_cell(column.sum()) for _, _, column in columns),
        text.number(result.kpis["cost"], 2),
    ]
    head = ["Payer", *(label for _, label, _ in columns), "Bill"]
    return Table(f"Who pays whom, {currency}", head, rows, foot, [("", 1), *spans, ("", 1)])


def _paid(result: Result) -> np.ndarray:
    """Money [payer, receiver] for local power. Where a price is negative the seller is the one who pays."""
    money = result.payments
    return np.maximum(money, 0) + np.maximum(-money, 0).T


def _payments(result: Result) -> list[Payment]:
    """Largest first."""
    money = _paid(result)
    pairs = np.argwhere(money >= text.CENT).tolist()
    return sorted(
        (Payment(i, j, float(money[i, j])) for i, j in pairs), key=lambda payment: -payment.money
    )


def _receivers(money: np.ndarray) -> list[int]:
    received: list[int] = np.flatnonzero((money >= text.CENT).any(0)).tolist()
    return received


def _chart(result: Result, payments: Sequence[Payment]) -> Chart:
    currency = result.scenario.tariff.currency
    option = base(
        "item",
        narrow={
            "grid": {"left": 84, "right": 84},
            "series": [{"label": {"width": 76, "fontSize": 11}}],
        },
    )
    hidden: Option = {"type": "value", "min": -1, "max": 1, "show": False}
    option["baseOption"] |= {"xAxis": hidden, "yAxis": hidden | {"inverse": True}}
    option["baseOption"]["grid"] = {"left": 170, "right": 170, "top": 40, "bottom": 40}
    option["baseOption"]["series"] = [
        {
            "type": "graph",
            "name": "payments",
            "coordinateSystem": "cartesian2d",  # on axes the circle takes what room there is and no symbol is stretched
            "data": _nodes(result),
            "links": _links(payments),
            "edgeSymbol": ["none", "arrow"],
            "label": {
                "show": True,
                "color": INK,
                "fontSize": 13,
                "width": 150,
                "overflow": "truncate",
            },
            "labelLayout": {"hideOverlap": True},
            "lineStyle": {"color": LOOKS["shared"].outline, "opacity": 0.75, "curveness": 0.16},
            "emphasis": {"focus": "adjacency", "lineStyle": {"opacity": 1}},
        }
    ]
    solar = [home.solar is not None for home in result.scenario.homes]
    key = [
        ("home-sun", "a home with panels"),
        ("home-plain", "a home without"),
        ("payment", "money, to the seller"),
    ]
    note = "The wider an arrow, the more money over the whole period."
    if len(payments) > _ARROWS:
        note += f" Only the {_ARROWS} largest payments are drawn."
    local: Any = result.trajectory.record.local
    if not local.trades.kwh.shape[1]:
        note += " Power goes through a pool: what a home pays in a step is split among its sellers by what they earn."
    return Chart(
        id="network",
        title=f"Who pays whom for local power ({currency})",
        summary=_summary(result, payments),
        option=option,
        unit=currency,
        height_px=500,
        wide=True,
        key=[
            entry
            for entry, used in zip(key, (any(solar), not all(solar), True), strict=True)
            if used
        ],
        note=note,
    )


def _nodes(result: Result) -> list[Option]:
    """On a circle, from the top clockwise, names outside of it."""
    count = len(result.households)
    nodes = []
    for i, (home, has) in enumerate(zip(result.households, result.scenario.homes, strict=True)):
        x, y = math.sin(2 * math.pi * i / count), -math.cos(2 * math.pi * i / count)
        side = ("top" if y < 0 else "bottom") if abs(x) < 0.2 else "right" if x > 0 else "left"
        look = LOOKS["use" if has.solar is None else "sun"]
        nodes.append(
            {
                "id": str(i),
                "name": home["name"],
                "value": [round(x, 4), round(y, 4)],
                "tooltip": {"show": False},
                "symbol": "rect" if has.solar is None else "circle",
                "symbolSize": (20 if has.solar is None else 24) if count <= 24 else 11,
                "itemStyle": {"color": look.colour, "borderColor": look.outline, "borderWidth": 2},
                "label": {"position": side},
            }
        )
    return nodes


def _links(payments: Sequence[Payment]) -> list[Option]:
    widest = payments[0].money
    links = []
    for payer, receiver, money in reversed(payments[:_ARROWS]):
        width = round(0.8 + (_WIDEST_PX - 0.8) * money / widest, 1)
        links.append(
            {
                "source": str(payer),
                "target": str(receiver),
                "value": round(money, 2),
                "symbolSize": [0, round(7 + 1.5 * width)],
                "lineStyle": {"width": width},
            }
        )
    return links


def _summary(result: Result, payments: Sequence[Payment]) -> str:
    names, currency = [home["name"] for home in result.households], result.scenario.tariff.currency
    total = sum(payment.money for payment in payments)
    received = [sum(p.money for p in payments if p.receiver == i) for i in range(len(names))]
    most, largest = int(np.argmax(received)), payments[0]
    said = f"Homes pay each other {text.money(total, currency)} for local power."
    if len(payments) > 1:
        share = text.number(100 * received[most] / total)
        said += (
            f" {names[most]} receives most, {share} of every 100 {currency}. The largest payment is"
        )
        said += f" {text.money(largest.money, currency)}, from {names[largest.payer]} to {names[largest.receiver]}."
    else:
        said += f" {names[largest.payer]} pays {names[largest.receiver]}."
    balance = result.kpis["budget_balance"]
    if abs(balance) >= text.CENT:
        more = "more" if balance > 0 else "less"
        said += f" That is {text.money(abs(balance), currency)} {more} than sellers receive: the operator"
        said += " keeps it." if balance > 0 else " adds it."
    settled = sum(abs(home["bill_items"]["settlement"]) for home in result.households)
    if settled >= text.CENT:
        said += " What is settled after the period is not drawn."
    return said


def _cell(amount: float) -> str:
    return text.number(float(amount), 2) if abs(amount) >= text.CENT else "–"
