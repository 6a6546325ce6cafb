"""Trade network: who trades how much with whom; wider for more energy, lighter for distance."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.simulation.results.series import SummarySeries
from prosumax.viz.chart import Chart, Figure, LegendEntry, Table
from prosumax.viz.indicators.indicators import Runs
from prosumax.viz.language import Language
from prosumax.viz.parts import Values
from prosumax.viz.primitives import Node, network
from prosumax.viz.theme import INK, Option, Theme, distance_gray

_MAX_LINKS = 60
_MAX_HOMES = 48  # More do not fit around a circle; those that trade most are drawn.
_MAX_WIDTH_PX = 11.0
_MAX_ROWS = 25
_BALANCED = 0.1
"""Difference of purchases and sales, of their sum, up to which a home counts as neither role."""


class _TradeMatrix(NamedTuple):
    """Energy from seller to buyer, kWh [buyer, seller], and distance of partners, km (NaN else)."""

    kwh: Values
    km: Values


def data(runs: Runs, run: str | None = None) -> pd.DataFrame:
    """Return `seller`, `buyer`, `kwh` and `km`: mean over the seeds of a run.

    Args:
        runs: Summary series by run; the seeds of a run have the same homes.
        run: Name of the run; the first by default.
    """
    seeds = runs[run] if run is not None else next(iter(runs.values()))
    matrix = _matrix(seeds)
    buyer, seller = np.nonzero(matrix.kwh > 0)
    names = np.asarray(seeds[0].homes, object)
    return trade_table(
        pd.DataFrame(
            {
                "seller": names[seller],
                "buyer": names[buyer],
                "kwh": matrix.kwh[buyer, seller],
                "km": matrix.km[buyer, seller],
            }
        ),
        homes=list(seeds[0].homes),
        grid_import_kwh=float(np.mean([seed.grid_import.sum() for seed in seeds])),
        grid_export_kwh=float(np.mean([seed.grid_export.sum() for seed in seeds])),
        seeds=len(seeds),
    )


def trade_table(
    table: pd.DataFrame,
    *,
    homes: list[str],
    grid_import_kwh: float,
    grid_export_kwh: float,
    seeds: int = 1,
) -> pd.DataFrame:
    """Add what the chart needs beside the pairs of trading homes.

    Args:
        table: Columns `seller`, `buyer`, `kwh` and `km`.
        homes: Names of all homes, in order around the circle.
        grid_import_kwh: Bought from the grid by all homes.
        grid_export_kwh: Sent to the grid by all homes.
        seeds: Number of seeds of which the energy is the mean.
    """
    table.attrs |= {
        "homes": homes,
        "grid_import_kwh": grid_import_kwh,
        "grid_export_kwh": grid_export_kwh,
        "seeds": seeds,
    }
    return table


def _matrix(seeds: Sequence[SummarySeries]) -> _TradeMatrix:
    homes = len(seeds[0].homes)
    kwh, km, known = (np.zeros((homes, homes)) for _ in range(3))
    for seed in seeds:
        pairs = seed.pairs
        kwh[pairs.buyer, pairs.seller] += pairs.kwh / len(seeds)
        there = np.isfinite(pairs.distance_km)
        # Lengths of a study's lines differ from seed to seed.
        np.add.at(km, (pairs.buyer[there], pairs.seller[there]), pairs.distance_km[there])
        np.add.at(known, (pairs.buyer[there], pairs.seller[there]), 1)
    km = km + km.T
    known = known + known.T
    return _TradeMatrix(kwh, np.where(known > 0, km / np.maximum(known, 1), np.nan))


def _matrix_of(table: pd.DataFrame) -> _TradeMatrix:
    """Return the matrices of a table; distances hold in both directions."""
    homes = table.attrs["homes"]
    positions = {name: at for at, name in enumerate(homes)}
    kwh = np.zeros((len(homes), len(homes)))
    km = np.full_like(kwh, np.nan)
    buyer = table["buyer"].map(positions).to_numpy(np.int64)
    seller = table["seller"].map(positions).to_numpy(np.int64)
    np.add.at(kwh, (buyer, seller), table["kwh"].to_numpy(np.float64))
    distance = table["km"].to_numpy(np.float64)
    km[buyer, seller] = distance
    km[seller, buyer] = np.where(np.isfinite(distance), distance, km[seller, buyer])
    return _TradeMatrix(kwh, km)


def sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe how much is traded, by whom most, how far, and how much goes through the grid."""
    matrix = _matrix_of(table)
    names = table.attrs["homes"]
    seeds = table.attrs["seeds"]
    mean = language("trade.seeds", n=seeds) if seeds > 1 else ""
    grid = language(
        "trade.grid",
        bought=language.energy(table.attrs["grid_import_kwh"]),
        sold=language.energy(table.attrs["grid_export_kwh"]),
        seeds=mean,
    )
    traded = float(matrix.kwh.sum())
    if traded <= 0:
        return f"{language('trade.none')} {grid}"
    both = np.triu(matrix.kwh + matrix.kwh.T, 1)
    i, j = np.unravel_index(int(both.argmax()), both.shape)
    text = language(
        "trade.most",
        energy=language.energy(traded),
        seeds=mean,
        a=names[i],
        b=names[j],
        most=language.energy(float(both[i, j])),
    )
    known = np.isfinite(matrix.km) & (matrix.kwh > 0)
    if known.any():
        distance = float((matrix.kwh[known] * matrix.km[known]).sum() / matrix.kwh[known].sum())
        text += " " + language("trade.distance", length=language.length(distance))
    return f"{text} {grid}"


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw the homes on a circle with a line for each pair that trades."""
    matrix = _matrix_of(table)
    names = table.attrs["homes"]
    both = np.triu(matrix.kwh + matrix.kwh.T, 1)
    volume = matrix.kwh.sum(0) + matrix.kwh.sum(1)
    drawn = np.sort(np.argsort(-volume, kind="stable")[:_MAX_HOMES])
    return Figure(
        id="trade-network",
        title=language("trade.title"),
        summary=sentence(table, language),
        option=network(
            _nodes(matrix, names, drawn, theme, language),
            _links(both, matrix.km, set(drawn.tolist())),
            theme,
            name="trade",
            link_style={"lineStyle": {"opacity": 0.9}},
        ),
        unit="kWh",
        height_px=500,
        wide=True,
        legend=_legend(matrix.km, language),
        table=_pairs_table(matrix, names, language),
        note=_note(matrix, both, language),
    )


def _longest(km: Values) -> float:
    return float(np.nanmax(km)) if np.isfinite(km).any() else 0.0


def _legend(km: Values, language: Language) -> list[LegendEntry]:
    legend = [
        LegendEntry(f"role-{role}", language(f"trade.{role}"))
        for role in ("seller", "buyer", "both")
    ]
    longest = _longest(km)
    if longest > 0:
        for at, share in enumerate((0, 0.5, 1)):
            length = language.length(share * longest)
            legend.append(LegendEntry(f"gray-{at}", language("trade.apart", length=length)))
    return legend


def _note(matrix: _TradeMatrix, both: Values, language: Language) -> str:
    parts = [language("trade.widths")]
    if _longest(matrix.km) > 0:
        parts.append(language("trade.grays"))
    if np.count_nonzero(both) > _MAX_LINKS:
        parts.append(language("trade.largest_lines", n=_MAX_LINKS))
    if len(both) > _MAX_HOMES:
        parts.append(language("trade.largest_homes", n=_MAX_HOMES))
    parts.append(language("trade.pool"))
    return " ".join(parts)


def _links(both: Values, km: Values, drawn: set[int]) -> list[Option]:
    """Return the links, the largest on top, their gray by distance."""
    pairs = [(i, j) for i, j in np.argwhere(both > 0).tolist() if i in drawn and j in drawn]
    pairs = sorted(pairs, key=lambda pair: float(-both[pair]))[:_MAX_LINKS]
    if not pairs:
        return []
    largest = both[pairs[0]]
    longest = _longest(km)
    links = []
    for i, j in reversed(pairs):
        away = float(km[i, j])
        share = away / longest if longest > 0 and math.isfinite(away) else 0.0
        width = 0.8 + (_MAX_WIDTH_PX - 0.8) * float(both[i, j] / largest)
        link: Option = {
            "source": str(i),
            "target": str(j),
            "value": round(float(both[i, j]), 3),
            "lineStyle": {"width": round(width, 1), "color": distance_gray(share)},
        }
        links.append(link)
    return links


def _nodes(
    matrix: _TradeMatrix,
    names: Sequence[str],
    drawn: NDArray[np.int64],
    theme: Theme,
    language: Language,
) -> list[Node]:
    """Return the homes, as large as what they trade; the symbol shows their role."""
    bought = matrix.kwh.sum(1)
    sold = matrix.kwh.sum(0)
    largest = max(float((bought + sold).max()), 1e-9)
    full = 30 if len(drawn) <= 24 else 16
    nodes = []
    for home in drawn.tolist():
        net = float(sold[home] - bought[home])
        volume = float(sold[home] + bought[home])
        balanced = abs(net) <= _BALANCED * volume
        style = theme.meanings["local" if net > 0 else "load"]
        tooltip = language(
            "trade.tooltip",
            home="{b}",  # ECharts fills in the name, so that no text of a user is a template.
            bought=language.energy(float(bought[home])),
            sold=language.energy(float(sold[home])),
        )
        nodes.append(
            Node(
                id=str(home),
                name=names[home],
                symbol="circle" if balanced else "triangle",
                size=round(8 + (full - 8) * math.sqrt(volume / largest)),
                fill="#FFFFFF" if balanced else style.color,
                outline=INK if balanced else style.outline,
                rotation=180 if not balanced and net < 0 else 0,
                tooltip=tooltip,
            )
        )
    return nodes


def _pairs_table(matrix: _TradeMatrix, names: Sequence[str], language: Language) -> Table:
    pairs = np.argwhere(matrix.kwh > 0).tolist()
    pairs = sorted(pairs, key=lambda pair: float(-matrix.kwh[tuple(pair)]))
    rows = [
        [
            names[seller],
            names[buyer],
            language.number(float(matrix.kwh[buyer, seller]), 1),
            language.length(float(matrix.km[buyer, seller]))
            if math.isfinite(matrix.km[buyer, seller])
            else language.number(None),
        ]
        for buyer, seller in pairs[:_MAX_ROWS]
    ]
    caption = language("trade.caption")
    if len(pairs) > _MAX_ROWS:
        count = language.number(len(pairs))
        caption = language("trade.caption_largest", n=_MAX_ROWS, count=count)
    return Table(caption, language("trade.head").split("|"), rows)


trade_network = Chart(
    "trade_network",
    "Who trades with whom",
    data,
    sentence,
    figure,
    source="runs",
    draws_empty=True,
)
"""Energy that homes trade with each other (MARLEM, section 3.8, figure 7)."""
