"""Prices by mechanism: how the price between neighbors is spread over the steps with trade."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from prosumax import metrics
from prosumax.numerics import ENERGY_TOLERANCE_KWH
from prosumax.simulation.results.result import Result
from prosumax.tariff.prices import local_grid_fee_series, retail_price_series
from prosumax.viz.chart import Chart, Figure, Table
from prosumax.viz.language import Language
from prosumax.viz.mechanisms.groups import MechanismGroup, listed
from prosumax.viz.mechanisms.savings import mechanism_rows_height
from prosumax.viz.parts import Values, round_axis
from prosumax.viz.primitives import point_rows
from prosumax.viz.theme import MUTED, Option, Theme

_PERCENTILES = (5, 25, 50, 75, 95)
_QUANTILES = [f"p{percent}" for percent in _PERCENTILES]
_LIMITS = ("reservation price of the buyer", "feed-in price")


def data(groups: Sequence[MechanismGroup]) -> pd.DataFrame:
    """Return `mechanism`, `label` and percentiles `p5` to `p95` of the price, limits first.

    The limits are the prices between which both sides gain. The table is empty where no mechanism
    leads to trade.
    """
    rows = []
    silent = []
    names: dict[str, str] = {}
    for group in groups:
        spread = _spread(_prices(group.result))
        if spread is None:
            silent.append(listed([group]))
            continue
        names[group.label] = listed([group])
        rows.append([group.label, group.axis_label, *spread])
    limits = [
        [name, name, *spread]
        for name, prices in zip(_LIMITS, _gain_limits(groups[0].result), strict=True)
        if (spread := _spread(prices)) is not None
    ]
    columns = ["mechanism", "label", *_QUANTILES]
    table = pd.DataFrame([*limits, *rows] if rows else [], columns=columns)
    table.attrs |= {
        "unit": f"{groups[0].currency}/kWh",
        "limits": len(limits),
        "silent": silent,
        "listed": names,
    }
    return table


def _prices(result: Result) -> Values:
    """Return the price of every step with trade."""
    local = result.trajectory.record.local
    traded = local.bought_kwh.sum(1) + local.sold_kwh.sum(1) > ENERGY_TOLERANCE_KWH
    bought, sold, paid, earned = (np.asarray(part[traded], dtype=np.float64) for part in local[:4])
    return np.asarray(metrics.price_series(bought, paid, sold, earned), dtype=np.float64)


def _gain_limits(result: Result) -> tuple[Values, Values]:
    """Return in every step the prices between which both sides gain: the highest, the lowest."""
    prices = result.profiles.prices
    tariff = result.scenario.tariff
    retail = retail_price_series(prices, tariff)
    return (
        np.asarray(retail - local_grid_fee_series(prices, tariff)),
        np.asarray(prices["feed_in"]),
    )


def _spread(prices: Values) -> list[float] | None:
    if len(prices) == 0:
        return None
    spread: list[float] = (np.percentile(prices, _PERCENTILES) + 0.0).tolist()
    return spread


def sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe the lowest and the highest median price, and their mechanisms."""
    unit = table.attrs["unit"]
    names = table.attrs["listed"]
    traded = table.iloc[table.attrs["limits"] :]
    median = traded["p50"].to_numpy()
    low = traded.iloc[int(median.argmin())]
    high = traded.iloc[int(median.argmax())]
    low_price = language.number(low["p50"], 3)
    high_price = language.number(high["p50"], 3)
    text = f"In the middle of all steps a neighbor's kWh costs {low_price} {unit}"
    if low_price == high_price:
        return f"{text} under every mechanism with trade."
    under = f" under {names[low['mechanism']]} and {high_price} under {names[high['mechanism']]}."
    return text + under


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw a box per mechanism, below those of the limits."""
    unit = table.attrs["unit"]
    limits = table.attrs["limits"]
    spreads = table[_QUANTILES].to_numpy().tolist()
    boxes: list[Option] = [
        {
            "value": [round(price, 4) for price in spread],
            "name": f"{name}: {_spread_text(spread, language)} {unit}",
            "itemStyle": {
                "color": "#FFFFFF" if row < limits else "#CFE0EC",
                "borderColor": MUTED if row < limits else theme.meanings["load"].color,
                "borderWidth": 2,
            },
        }
        for row, (name, spread) in enumerate(zip(table["mechanism"], spreads, strict=True))
    ]
    series = [{"type": "boxplot", "name": "price", "boxWidth": [6, 18], "data": boxes}]
    low = min(spread[0] for spread in spreads)
    high = max(spread[-1] for spread in spreads)
    note = "Box: the middle half of the steps with trade; whiskers: 90 of every 100 of them; a mere"
    note += " tick: one price."
    if table.attrs["silent"]:
        note += f" No trade under {language.joined(table.attrs['silent'])}."
    headings = ["median" if q == 50 else f"{q} % are below" for q in _PERCENTILES]
    return Figure(
        id="prices",
        title=f"The price between neighbors ({unit})",
        summary=sentence(table, language),
        option=point_rows(list(table["label"]), series, round_axis(low, high), theme),
        unit=unit,
        height_px=mechanism_rows_height(len(table)),
        table=Table(
            f"Price over the steps with trade, {unit}",
            ["Mechanism", *headings],
            [
                [name, *(language.number(price, 4) for price in spread)]
                for name, spread in zip(table["mechanism"], spreads, strict=True)
            ],
        ),
        note=note,
    )


def _spread_text(spread: Sequence[float], language: Language) -> str:
    low = language.number(spread[0], 3)
    high = language.number(spread[-1], 3)
    if low == high:
        return low
    return f"{low} to {high}, half of the steps below {language.number(spread[2], 3)}"


price_spread = Chart(
    "price_spread",
    "Spread of prices under each mechanism",
    data,
    sentence,
    figure,
    source="comparison",
    section="comparison",
)
"""Spread of the price between neighbors under every mechanism of a comparison."""
