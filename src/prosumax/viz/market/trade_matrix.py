"""Trade matrix, the energy from each home to each other home, for many homes."""

import numpy as np
import pandas as pd

from prosumax.viz.chart import Chart, Figure, Table
from prosumax.viz.indicators.indicators import Runs
from prosumax.viz.language import Language
from prosumax.viz.market.trade_network import data as network_data
from prosumax.viz.market.trade_network import sentence
from prosumax.viz.parts import Values
from prosumax.viz.primitives import heat_map
from prosumax.viz.theme import Theme

_MAX_ROWS = 25
_ROW_PX = 28


def data(runs: Runs, run: str | None = None) -> pd.DataFrame:
    """Return `seller`, `buyer` and `kwh`: mean over the seeds of a run.

    Args:
        runs: Summary series by run; the seeds of a run have the same homes.
        run: Name of the run; the first by default.
    """
    table = network_data(runs, run)
    table.attrs |= {"unit": "kWh", "digits": 1}
    return table


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw a cell per pair of homes that trades: rows give, columns take."""
    unit = table.attrs["unit"]
    digits = table.attrs["digits"]
    homes = table.attrs["homes"]
    kwh = table["kwh"].to_numpy(np.float64)
    volume = dict.fromkeys(homes, 0.0)
    for seller, buyer, amount in zip(table["seller"], table["buyer"], kwh, strict=True):
        volume[seller] += float(amount)
        volume[buyer] += float(amount)
    takers = sorted(homes, key=lambda home: -volume[home])
    sellers = set(table.attrs.get("sellers", table["seller"]))
    givers = [home for home in takers if home in sellers]
    cells = [
        [takers.index(buyer), givers.index(seller), round(float(amount), 4)]
        for seller, buyer, amount in zip(table["seller"], table["buyer"], kwh, strict=True)
    ]
    highest = table.attrs.get("highest", float(kwh.max(initial=0.1)))
    return Figure(
        id="trade-matrix",
        title=language("trade.matrix_title", unit=unit),
        summary=table.attrs.get("sentence") or sentence(table, language),
        option=heat_map(
            cells,
            takers,
            givers,
            highest=round(highest, 2),
            ends=(f"{language.number(highest, digits)} {unit}", "0"),
            theme=theme,
        ),
        unit=unit,
        height_px=160 + _ROW_PX * len(givers),
        wide=True,
        table=_table(table, kwh, language),
        note=language("trade.matrix_note"),
    )


def _table(table: pd.DataFrame, kwh: Values, language: Language) -> Table:
    order = np.argsort(-kwh, kind="stable")[:_MAX_ROWS]
    rows = [
        [
            str(table["seller"].iloc[at]),
            str(table["buyer"].iloc[at]),
            language.number(float(kwh[at]), table.attrs["digits"]),
        ]
        for at in order.tolist()
    ]
    head = language("trade.matrix_head", unit=table.attrs["unit"]).split("|")
    return Table(language("trade.caption"), head, rows)


trade_matrix = Chart(
    "trade_matrix",
    "Who gives to whom, as a matrix",
    data,
    sentence,
    figure,
    source="runs",
)
"""Energy from every home to every other, as a matrix of shades."""
