"""Actions of the network operator: fees on trades by reason, and curtailed export by home."""

import numpy as np
import pandas as pd

from prosumax.grid.operator import FEE_TERMS
from prosumax.metrics import catalog
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Figure, LegendEntry, Table
from prosumax.viz.language import Language
from prosumax.viz.parts import json_numbers
from prosumax.viz.primitives import Layer, stacked_rows
from prosumax.viz.text import CENT
from prosumax.viz.theme import Theme

_MIN_CURTAILED_KWH = 0.05
_MAX_ROWS = 40
_TERM_LABELS = {
    "congestion": "congested lines, penalties",
    "usage": "use of lines",
    "imbalance": "imbalance",
    "voltage": "voltage drop",
    "thermal": "heat in lines",
    "zone": "zones",
}


def fees_data(result: Result) -> pd.DataFrame:
    """Return `term` and `amount` of the fees on trades; empty where none are charged."""
    kpis = result.kpis["network"]
    if not result.scenario.network.operator.fees or kpis is None:
        return pd.DataFrame(columns=["term", "amount"])
    table = pd.DataFrame(
        {
            "term": [_TERM_LABELS[term] for term in FEE_TERMS],
            "amount": [catalog.value(kpis, f"fee_{term}") or 0.0 for term in FEE_TERMS],
        }
    )
    table.attrs |= {
        "total": float(kpis["fees"]),
        "currency": result.scenario.tariff.currency,
    }
    return table


def fees_sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe the fees of the homes, the largest of them, and the bonus that is paid back."""
    currency = table.attrs["currency"]
    largest = table.iloc[int(table["amount"].argmax())]
    text = f"Homes pay the network operator {language.money(table.attrs['total'], currency)} in"
    text += " fees on their trades"
    if largest["amount"] > 0:
        text += f", most for {largest['term']} ({language.money(largest['amount'], currency)})"
    text += "."
    bonus = -float(table["amount"].min())
    if bonus >= CENT:
        amount = language.money(bonus, currency)
        text += f" {amount} come back as a bonus for trades inside a zone."
    return text


def fees_figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw a bar per reason."""
    currency = table.attrs["currency"]
    terms = list(table["term"])
    amounts = table["amount"].to_numpy(np.float64)
    layer = Layer(theme.meanings["grid_import"], "fees", json_numbers(amounts, 2))
    return Figure(
        id="feeder-fees",
        title=f"Fees on trades, by reason ({currency})",
        summary=fees_sentence(table, language),
        option=stacked_rows([layer], terms, currency, theme, label_px=140),
        unit=currency,
        height_px=300,
        table=Table(
            f"Fees on trades, {currency}",
            ["Reason", currency],
            [
                [term, language.number(amount, 2)]
                for term, amount in zip(terms, amounts, strict=True)
            ],
            ["All", language.number(table.attrs["total"], 2)],
        ),
        note="The six terms of equation 4 of MARLEM. Imbalance is charged on what is bought from"
        " and sold to the grid, all others on trades between neighbors. Negative: a bonus.",
    )


def curtailment_data(result: Result) -> pd.DataFrame:
    """Return `home`, `exported_kwh` and `curtailed_kwh`, the most curtailed homes first."""
    columns = ["home", "exported_kwh", "curtailed_kwh"]
    grid = result.trajectory.record.grid
    if grid is None:
        return pd.DataFrame(columns=columns)
    curtailed = np.asarray(grid.curtailed_kwh, np.float64).sum(0)
    if curtailed.sum() < _MIN_CURTAILED_KWH:
        return pd.DataFrame(columns=columns)
    homes = result.households
    table = pd.DataFrame(
        {
            "home": [home["name"] for home in homes],
            "exported_kwh": [home["grid_export_kwh"] + home["sold_locally_kwh"] for home in homes],
            "curtailed_kwh": curtailed,
        }
    )
    table.attrs |= {
        "curtailed_kwh": float(curtailed.sum()),
        "exported_kwh": float(table["exported_kwh"].sum()),
    }
    shown = table[(table["curtailed_kwh"] > 0) | (table["exported_kwh"] > 0)]
    ordered = shown.sort_values("curtailed_kwh", ascending=False, kind="stable", ignore_index=True)
    return ordered[:_MAX_ROWS]


def curtailment_sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe how much is curtailed, and at which home most."""
    curtailed = table.attrs["curtailed_kwh"]
    share = 100 * curtailed / (curtailed + table.attrs["exported_kwh"])
    first = table.iloc[0]
    return (
        f"The operator curtails {language.energy(curtailed)}, {language.number(share)} of every 100"
        f" kWh that homes would export; most at {first['home']},"
        f" {language.energy(float(first['curtailed_kwh']))}."
    )


def curtailment_figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw exported and curtailed energy of each home."""
    homes = [str(home) for home in table["home"]]
    exported = table["exported_kwh"].to_numpy(np.float64)
    curtailed = table["curtailed_kwh"].to_numpy(np.float64)
    layers = [
        Layer(theme.meanings["grid_export"], "exported", json_numbers(exported)),
        Layer(theme.meanings["grid_import"], "curtailed", json_numbers(curtailed)),
    ]
    return Figure(
        id="curtailment",
        title="Curtailed export",
        summary=curtailment_sentence(table, language),
        option=stacked_rows(layers, homes, "kWh", theme),
        unit="kWh",
        height_px=64 + 34 * len(homes),
        legend=[
            LegendEntry("grid_export", "exported, to neighbors or the grid"),
            LegendEntry("grid_import", "curtailed"),
        ],
        table=Table(
            "Export of each home, kWh",
            ["Home", "exported", "curtailed"],
            [
                [home, language.number(out, 1), language.number(cut, 1)]
                for home, out, cut in zip(homes, exported, curtailed, strict=True)
            ],
        ),
        note="Only PV can be turned down, not batteries. Curtailed energy is lost.",
    )


operator_fees = Chart(
    "operator_fees",
    "Fees on trades, by reason",
    fees_data,
    fees_sentence,
    fees_figure,
    section="network",
)
"""Fees on trades by term (MARLEM, equation 4)."""

curtailment = Chart(
    "curtailment",
    "Curtailed export, by home",
    curtailment_data,
    curtailment_sentence,
    curtailment_figure,
    section="network",
)
"""Export that the operator curtailed, by home."""
