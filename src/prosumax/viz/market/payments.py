"""Payments between homes: a circle of homes with an arrow per payment, and the same as a table."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Choice, Figure, LegendEntry, Table
from prosumax.viz.language import ENGLISH, Language
from prosumax.viz.mechanisms.groups import MechanismGroup, listed
from prosumax.viz.parts import Values
from prosumax.viz.primitives import Node, network
from prosumax.viz.text import CENT
from prosumax.viz.theme import Option, Theme

MATRIX_HOMES = 12
"""Homes up to which a table of payments has a column per home."""

_MAX_ARROWS = 60
_MAX_WIDTH_PX = 10
_MAX_ROWS = 25


def data(result: Result) -> pd.DataFrame:
    """Return `payer`, `receiver` and `money` over the period, the largest payment first."""
    money = payment_matrix(result)
    payer, receiver = np.nonzero(money > 0)
    names = np.asarray([home["name"] for home in result.households], object)
    table = pd.DataFrame(
        {"payer": names[payer], "receiver": names[receiver], "money": money[payer, receiver]}
    )
    table = table.sort_values("money", ascending=False, kind="stable", ignore_index=True)
    table = table if (table["money"] >= CENT).any() else table.iloc[:0]
    trades = result.trajectory.record.local.trades
    table.attrs |= {
        "currency": result.scenario.tariff.currency,
        "homes": names.tolist(),
        "has_pv": [home.solar is not None for home in result.scenario.homes],
        "operator_revenue": float(result.kpis["budget_balance"]),
        "settled": float(sum(abs(home["bill_items"]["settlement"]) for home in result.households)),
        "pooled": trades is None or not trades.kwh.shape[1],
    }
    return table


def payment_matrix(result: Result) -> Values:
    """Return money [payer, receiver] for local energy; a negative price makes the seller pay."""
    money = result.payments
    paid: Values = np.maximum(money, 0) + np.maximum(-money, 0).T
    return paid


def _matrix(table: pd.DataFrame) -> Values:
    homes = table.attrs["homes"]
    positions = {name: at for at, name in enumerate(homes)}
    money = np.zeros((len(homes), len(homes)))
    payer = table["payer"].map(positions).to_numpy(np.int64)
    receiver = table["receiver"].map(positions).to_numpy(np.int64)
    np.add.at(money, (payer, receiver), table["money"].to_numpy(np.float64))
    return money


def _drawn(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["money"] >= CENT]


def sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe the payments between the homes, the largest receiver and the largest payment."""
    currency = table.attrs["currency"]
    payments = _drawn(table)
    total = float(payments["money"].sum())
    first = payments.iloc[0]
    text = f"Homes pay each other {language.money(total, currency)} for local energy."
    if len(payments) > 1:
        received = payments.groupby("receiver", sort=False)["money"].sum()
        order = [home for home in table.attrs["homes"] if home in received.index]
        highest = max(order, key=lambda home: float(received[home]))
        share = language.number(100 * float(received[highest]) / total)
        largest = language.money(first["money"], currency)
        text += f" {highest} receives most, {share} of every 100 {currency}. The largest payment"
        text += f" is {largest}, from {first['payer']} to {first['receiver']}."
    else:
        text += f" {first['payer']} pays {first['receiver']}."
    revenue = table.attrs["operator_revenue"]
    if abs(revenue) >= CENT:
        amount = language.money(abs(revenue), currency)
        more = "more" if revenue > 0 else "less"
        does = "keeps" if revenue > 0 else "adds"
        text += f" That is {amount} {more} than sellers receive: the operator {does} it."
    if table.attrs["settled"] >= CENT:
        text += " What is settled after the period is not drawn."
    return text


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw an arrow per payment; the wider, the more money."""
    currency = table.attrs["currency"]
    has_pv = table.attrs["has_pv"]
    entries = (
        (any(has_pv), LegendEntry("home-pv", "a home with panels")),
        (not all(has_pv), LegendEntry("home-plain", "a home without")),
        (True, LegendEntry("payment", "money, to the seller")),
    )
    note = "The wider an arrow, the more money over the whole period."
    if len(_drawn(table)) > _MAX_ARROWS:
        note += f" Only the {_MAX_ARROWS} largest payments are drawn."
    if table.attrs["pooled"]:
        note += " Power goes through a pool: what a home pays in a step is split among its sellers"
        note += " by what they earn."
    style: Option = {
        "edgeSymbol": ["none", "arrow"],
        "lineStyle": {
            "color": theme.meanings["local"].outline,
            "opacity": 0.75,
            "curveness": 0.16,
        },
    }
    return Figure(
        id="payment-network",
        title=f"Who pays whom for local energy ({currency})",
        summary=sentence(table, language),
        option=network(
            _nodes(table, theme), _links(table), theme, name="payments", link_style=style
        ),
        unit=currency,
        height_px=500,
        wide=True,
        legend=[entry for used, entry in entries if used],
        table=partners_table(table, language),
        note=note,
    )


def _nodes(table: pd.DataFrame, theme: Theme) -> list[Node]:
    homes = table.attrs["homes"]
    few = len(homes) <= 24
    nodes = []
    for at, (home, has_pv) in enumerate(zip(homes, table.attrs["has_pv"], strict=True)):
        style = theme.meanings["pv" if has_pv else "load"]
        size = 24 if has_pv else 20
        symbol = "circle" if has_pv else "rect"
        nodes.append(Node(str(at), home, symbol, size if few else 11, style.color, style.outline))
    return nodes


def _links(table: pd.DataFrame) -> list[Option]:
    """Return the links, the largest on top."""
    payments = _drawn(table)[:_MAX_ARROWS][::-1]
    positions = {name: at for at, name in enumerate(table.attrs["homes"])}
    links = []
    for payer, receiver, money in payments.itertuples(index=False):
        width = round(0.8 + (_MAX_WIDTH_PX - 0.8) * money / table["money"].iloc[0], 1)
        links.append(
            {
                "source": str(positions[payer]),
                "target": str(positions[receiver]),
                "value": round(money, 2),
                "symbolSize": [0, round(7 + 1.5 * width)],
                "lineStyle": {"width": width},
            }
        )
    return links


def partners_table(table: pd.DataFrame, language: Language = ENGLISH) -> Table:
    """Return who pays which neighbor.

    Args:
        table: From `data`.
        language: Language of number formats.

    Returns:
        A column per receiving home, or a row per payment in a large community.
    """
    names = table.attrs["homes"]
    currency = table.attrs["currency"]
    if len(names) > MATRIX_HOMES:
        payments = _drawn(table)
        rows = [
            [payer, receiver, language.number(money, 2)]
            for payer, receiver, money in payments[:_MAX_ROWS].itertuples(index=False)
        ]
        caption = "Payments between homes"
        if len(payments) > _MAX_ROWS:
            caption = f"The {_MAX_ROWS} largest payments between homes"
        return Table(f"{caption}, {currency}", ["Payer", "receiver", currency], rows)
    money = _matrix(table)
    receivers = np.flatnonzero((money >= CENT).any(0)).tolist()

    def cells(amounts: Values) -> list[str]:
        return [amount_cell(float(amount), language) for amount in amounts]

    rows = [
        [name, *cells(money[at, receivers]), amount_cell(float(money[at].sum()), language)]
        for at, name in enumerate(names)
    ]
    foot = ["All", *cells(money[:, receivers].sum(0)), amount_cell(float(money.sum()), language)]
    return Table(
        f"Who pays which neighbor for local energy, {currency}",
        ["Payer", *(names[at] for at in receivers), "in all"],
        rows,
        foot,
        [("", 1), ("to", len(receivers)), ("", 1)],
    )


def amount_cell(amount: float, language: Language = ENGLISH) -> str:
    """Return an amount with cents, or a dash for less than half a cent."""
    return language.number(amount if abs(amount) >= CENT else None, 2)


payments = Chart(
    "payments", "Who pays whom for local energy", data, sentence, figure, section="payments"
)
"""Payments between homes for local energy over the period."""


def mechanisms_data(groups: Sequence[MechanismGroup]) -> pd.DataFrame:
    """Return `mechanism`, `payer`, `receiver` and `money` for every group of mechanisms."""
    tables = [data(group.result).assign(mechanism=group.label) for group in groups]
    table = pd.concat(tables, ignore_index=True)
    table.attrs = {
        "tables": {
            group.label: dict(part.attrs) for group, part in zip(groups, tables, strict=True)
        },
        "labels": {group.label: listed([group]) for group in groups},
    }
    return table


def _by_mechanism(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the payments under every mechanism, largest first, also of those without any."""
    tables = {}
    for label, attrs in table.attrs["tables"].items():
        rows = table.loc[table["mechanism"] == label, ["payer", "receiver", "money"]]
        part = rows.reset_index(drop=True)
        part.attrs = dict(attrs)
        tables[label] = part
    return tables


def mechanisms_sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe the payments between homes under the first mechanism with payments."""
    tables = _by_mechanism(table).values()
    return next(sentence(part, language) for part in tables if len(part))


def mechanisms_figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw the payments under one mechanism at a time."""
    tables = _by_mechanism(table)
    paying = {label: part for label, part in tables.items() if len(part)}
    silent = [table.attrs["labels"][label] for label, part in tables.items() if not len(part)]
    base = figure(next(iter(paying.values())), theme, language)
    note = base.note
    if silent:
        note += f" During the period homes pay each other nothing under {language.joined(silent)}."
    choices = [
        Choice(
            label,
            {"series": [{"links": _links(part)}]},
            sentence(part, language),
            partners_table(part, language),
        )
        for label, part in paying.items()
    ]
    return replace(base, choices=choices, choice_label="Mechanism", note=note, table=None)


payments_by_mechanism = Chart(
    "payments_by_mechanism",
    "Who pays whom under each mechanism",
    mechanisms_data,
    mechanisms_sentence,
    mechanisms_figure,
    source="comparison",
    section="comparison",
)
"""Payments between homes under each mechanism of a comparison."""
