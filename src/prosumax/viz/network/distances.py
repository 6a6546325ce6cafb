"""Distances of trades: energy traded between two homes by the length of the path between them."""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax import metrics
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Figure, Table
from prosumax.viz.language import Language
from prosumax.viz.network.series import home_distances_km, network_series
from prosumax.viz.parts import base_of, json_numbers
from prosumax.viz.primitives import Layer, stacked_bars
from prosumax.viz.theme import MUTED, Theme

MAX_BINS = 8
_POOL_SHARE = 0.01
"""Share of the trade that went through a pool from which the note names it."""


def data(result: Result) -> pd.DataFrame:
    """Return `km` and `kwh` of every pair of homes that trades; empty without pairs."""
    network = network_series(result)
    empty = pd.DataFrame(columns=["km", "kwh"])
    if network is None:
        return empty
    trades = result.trajectory.record.local.trades
    if trades is None:
        return empty
    homes = len(result.households)
    buyer = trades.buyer.astype(int)
    kwh = metrics.trade_matrix(buyer, trades.seller.astype(int), trades.kwh, homes)
    if float(kwh.sum()) <= 0:
        return empty
    distances = home_distances_km(network)[:, :homes]
    table = pd.DataFrame({"km": distances[kwh > 0], "kwh": kwh[kwh > 0]})
    table.attrs |= {
        "longest_km": float(distances.max()),
        "pooled_kwh": float(result.kpis["traded_kwh"]) - float(kwh.sum()),
    }
    return table


def distance_bins(longest: float) -> NDArray[np.float64]:
    """Return the edges of about eight bins of a round width, from 0 to at least the longest."""
    longest = max(longest, 1e-3)
    power = 10.0 ** math.floor(math.log10(longest / MAX_BINS))
    enough = longest * (1 - 1e-9)
    width = next(f * power for f in (1, 2, 2.5, 5, 10) if f * power * MAX_BINS >= enough)
    count = max(math.ceil(longest / width - 1e-9), 1)
    return np.round(np.arange(count + 1) * width, 9)


def sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe the median, the mean and the longest distance of the trades."""
    km = table["km"].to_numpy(np.float64)
    kwh = table["kwh"].to_numpy(np.float64)
    traded = float(kwh.sum())
    order = np.argsort(km)
    half = float(km[order][np.searchsorted(np.cumsum(kwh[order]), traded / 2)])
    return (
        f"Half of the {language.energy(traded)} that homes trade with each other goes no further"
        f" than {language.length(half)}; the mean is {language.length(float(km @ kwh) / traded)}"
        f" and the longest path between any two homes"
        f" {language.length(table.attrs['longest_km'])}."
    )


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw a bar per class of distance."""
    longest = table.attrs["longest_km"]
    unit, scale = ("km", 1.0) if longest >= 2 else ("m", 1000.0)
    edges = distance_bins(scale * longest)
    kwh = table["kwh"].to_numpy(np.float64)
    sums = np.histogram(scale * table["km"].to_numpy(np.float64), edges, weights=kwh)[0]
    labels = [f"{low:g}–{high:g}" for low, high in zip(edges[:-1], edges[1:], strict=True)]
    layer = Layer(theme.meanings["local"], "traded", json_numbers(sums))
    option = stacked_bars([layer], labels, "kWh", theme)
    base = base_of(option)
    base["xAxis"] |= {
        "name": unit,
        "nameLocation": "middle",
        "nameGap": 30,
        "nameTextStyle": {"color": MUTED},
    }
    base["grid"] |= {"bottom": 30}
    note = "Along the lines, by the shortest path; homes on one bus are 0 m apart."
    pooled = table.attrs["pooled_kwh"]
    if pooled > _POOL_SHARE * kwh.sum():
        note += f" A further {language.energy(pooled)} went through a pool, which has no pairs."
    return Figure(
        id="feeder-distance",
        title=f"How far trades go ({unit})",
        summary=sentence(table, language),
        option=option,
        unit="kWh",
        table=Table(
            "Energy traded between two homes, by distance",
            [f"Distance, {unit}", "kWh"],
            [[label, language.number(total, 1)] for label, total in zip(labels, sums, strict=True)],
            ["All", language.number(kwh.sum(), 1)],
        ),
        note=note,
    )


trade_distance = Chart(
    "trade_distance", "How far trades go", data, sentence, figure, section="network"
)
"""Energy traded between two homes by distance."""
