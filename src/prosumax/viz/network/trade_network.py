"""Who trades how much with whom: the wider a line, the more energy; the lighter, the further apart."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prosumax.report import text as words
from prosumax.report.metrics import Runs
from prosumax.simulation.results.series import SummarySeries
from prosumax.viz.chart import Chart, Table, chosen
from prosumax.viz.theme import INK, LOOKS, Option, base

_LINES = 60
_MOST_HOMES = 48  # more do not fit around a circle; those that trade most are drawn
_WIDEST_PX = 11.0
_LARGEST = 25
_BALANCED = (
    0.1  # of what a home buys and sells: a smaller difference makes nobody a buyer or a seller
)
_NEAR, _FAR = (27, 39, 48), (196, 204, 210)  # grey of a distance of 0 and of the longest
GREYS = tuple(
    "#" + "".join(f"{round(a + share * (b - a)):02X}" for a, b in zip(_NEAR, _FAR, strict=True))
    for share in (0, 0.5, 1)
)
"""Near, halfway and far, for the key."""


class _Sums(NamedTuple):
    """Mean over the seeds: kWh [buyer, seller], and km [home, home] of those who trade (NaN otherwise)."""

    kwh: NDArray[np.float64]
    km: NDArray[np.float64]


def trade_network(runs: Runs) -> Chart:
    """The energy that homes trade with each other: one network per run to choose from, mean over its seeds.

    Arguments:
        runs: from `traces`; the seeds of a run have the same homes.

    Source: MARLEM, section 3.8 and figure 7.
    """
    return chosen({name: _one(seeds) for name, seeds in runs.items()}, "Run")


def _one(seeds: Sequence[SummarySeries]) -> Chart:
    sums, names = _sums(seeds), seeds[0].homes
    both = np.triu(sums.kwh + sums.kwh.T, 1)
    volume = sums.kwh.sum(0) + sums.kwh.sum(1)
    drawn = np.sort(np.argsort(-volume, kind="stable")[:_MOST_HOMES])
    links = _links(both, sums.km, set(drawn.tolist()))
    option = base(
        "item",
        narrow={
            "grid": {"left": 84, "right": 84},
            "series": [{"label": {"width": 76, "fontSize": 11}}],
        },
        wide={
            "grid": {"left": 170, "right": 170},
            "series": [{"label": {"width": 150, "fontSize": 13}}],
        },
    )
    hidden: Option = {"type": "value", "min": -1, "max": 1, "show": False}
    option["baseOption"] |= {"xAxis": hidden, "yAxis": hidden | {"inverse": True}}
    option["baseOption"]["grid"] = {"left": 170, "right": 170, "top": 40, "bottom": 40}
    option["baseOption"]["series"] = [
        {
            "type": "graph",
            "name": "trade",
            "coordinateSystem": "cartesian2d",  # on axes the circle takes what room there is and no symbol is stretched
            "data": _nodes(sums, names, drawn),
            "links": links,
            "label": {
                "show": True,
                "color": INK,
                "fontSize": 13,
                "width": 150,
                "overflow": "truncate",
            },
            "labelLayout": {"hideOverlap": True},
            "lineStyle": {"opacity": 0.9},
            "emphasis": {"focus": "adjacency", "lineStyle": {"opacity": 1}},
        }
    ]
    longest = float(np.nanmax(sums.km)) if np.isfinite(sums.km).any() else float("nan")
    key = [
        ("role-seller", "sells more than it buys"),
        ("role-buyer", "buys more"),
        ("role-both", "as much of both"),
    ]
    if math.isfinite(longest) and longest > 0:
        far = [words.length(share * longest) for share in (0, 0.5, 1)]
        key += [(f"grey-{at}", f"{text} apart") for at, text in enumerate(far)]
    note = "The wider a line, the more energy two homes trade, both ways together."
    note += (
        " The lighter, the further apart along the lines."
        if len(key) > 3
        else " There is no network: all are near."
    )
    note += f" Only the {_LINES} largest are drawn." if np.count_nonzero(both) > _LINES else ""
    note += (
        f" Only the {_MOST_HOMES} homes that trade most are shown."
        if len(names) > _MOST_HOMES
        else ""
    )
    note += " Trade through a pool is split among its sellers in proportion."
    return Chart(
        id="trade-network",
        title="Who trades with whom (kWh)",
        summary=_summary(seeds, sums, both),
        option=option,
        unit="kWh",
        height_px=500,
        wide=True,
        key=key,
        table=_table(sums, names),
        note=note,
    )


def _sums(seeds: Sequence[SummarySeries]) -> _Sums:
    homes = len(seeds[0].homes)
    kwh, km, known = (np.zeros((homes, homes)) for _ in range(3))
    for trace in seeds:
        pairs = trace.pairs
        kwh[pairs.buyer, pairs.seller] += pairs.kwh / len(seeds)
        there = np.isfinite(pairs.distance_km)
        # Lengths of a study's lines differ from seed to seed.
        np.add.at(km, (pairs.buyer[there], pairs.seller[there]), pairs.distance_km[there])
        np.add.at(known, (pairs.buyer[there], pairs.seller[there]), 1)
    km, known = km + km.T, known + known.T
    return _Sums(kwh, np.where(known > 0, km / np.maximum(known, 1), np.nan))


def _links(both: NDArray[np.float64], km: NDArray[np.float64], drawn: set[int]) -> list[Option]:
    """Largest on top; grey by distance."""
    pairs = [(i, j) for i, j in np.argwhere(both > 0).tolist() if i in drawn and j in drawn]
    pairs = sorted(pairs, key=lambda pair: float(-both[pair]))[:_LINES]
    if not pairs:
        return []
    widest = both[pairs[0]]
    longest = float(np.nanmax(km)) if np.isfinite(km).any() else 0.0
    links = []
    for i, j in reversed(pairs):
        away = float(km[i, j])
        share = away / longest if longest > 0 and math.isfinite(away) else 0.0
        grey = "#" + "".join(
            f"{round(a + share * (b - a)):02X}" for a, b in zip(_NEAR, _FAR, strict=True)
        )
        link: Option = {
            "source": str(i),
            "target": str(j),
            "value": round(float(both[i, j]), 3),
            "lineStyle": {
                "width": round(0.8 + (_WIDEST_PX - 0.8) * float(both[i, j] / widest), 1),
                "color": grey,
            },
        }
        links.append(link)
    return links


def _nodes(sums: _Sums, names: Sequence[str], drawn: NDArray[np.int64]) -> list[Option]:
    """On a circle, from the top clockwise, names outside of it; as large as what they trade."""
    bought, sold = sums.kwh.sum(1), sums.kwh.sum(0)
    largest = max(float((bought + sold).max()), 1e-9)
    full = 30 if len(drawn) <= 24 else 16
    nodes = []
    for place, home in enumerate(drawn.tolist()):
        x, y = (
            math.sin(2 * math.pi * place / len(drawn)),
            -math.cos(2 * math.pi * place / len(drawn)),
        )
        side = ("top" if y < 0 else "bottom") if abs(x) < 0.2 else "right" if x > 0 else "left"
        net, all_kwh = float(sold[home] - bought[home]), float(sold[home] + bought[home])
        balanced = abs(net) <= _BALANCED * all_kwh
        look = LOOKS["shared" if net > 0 else "use"]
        filled = (
            {"color": "#FFFFFF", "borderColor": INK}
            if balanced
            else {"color": look.colour, "borderColor": look.outline}
        )
        nodes.append(
            {
                "id": str(home),
                "name": names[home],
                "value": [round(x, 4), round(y, 4)],
                "tooltip": {
                    "formatter": "{b}"
                    + f"\nbuys {words.energy(float(bought[home]))}, sells {words.energy(float(sold[home]))}"
                },
                "symbol": "circle" if balanced else "triangle",
                "symbolRotate": 180 if not balanced and net < 0 else 0,
                "symbolSize": round(8 + (full - 8) * math.sqrt(all_kwh / largest)),
                "itemStyle": {**filled, "borderWidth": 2},
                "label": {"position": side},
            }
        )
    return nodes


def _summary(seeds: Sequence[SummarySeries], sums: _Sums, both: NDArray[np.float64]) -> str:
    names, traded = seeds[0].homes, float(sums.kwh.sum())
    per_seed = f" (mean of {len(seeds)} seeds)" if len(seeds) > 1 else ""
    from_grid, to_grid = (
        float(np.mean([getattr(t, n).sum() for t in seeds])) for n in ("grid_import", "grid_export")
    )
    grid = f"They buy {words.energy(from_grid)} from the grid and send {words.energy(to_grid)} to it{per_seed}."
    if traded <= 0:
        return f"Nobody trades with a neighbour. {grid}"
    i, j = np.unravel_index(int(both.argmax()), both.shape)
    said = f"Homes trade {words.energy(traded)} with each other{per_seed}, most of it {names[i]} and {names[j]}:"
    said += f" {words.energy(float(both[i, j]))}."
    known = np.isfinite(sums.km) & (sums.kwh > 0)
    if known.any():
        mean = float((sums.kwh[known] * sums.km[known]).sum() / sums.kwh[known].sum())
        said += f" A kWh goes {words.length(mean)} on average."
    return f"{said} {grid}"


def _table(sums: _Sums, names: Sequence[str]) -> Table:
    pairs = sorted(
        np.argwhere(sums.kwh > 0).tolist(), key=lambda pair: float(-sums.kwh[tuple(pair)])
    )
    rows = [
        [
            names[j],
            names[i],
            words.number(float(sums.kwh[i, j]), 1),
            words.length(float(sums.km[i, j])) if math.isfinite(sums.km[i, j]) else "–",
        ]
        for i, j in pairs[:_LARGEST]
    ]
    what = (
        f"The {_LARGEST} largest of {len(pairs):,} trade relations"
        if len(pairs) > _LARGEST
        else "Trade relations"
    )
    return Table(what, ["Seller", "buyer", "kWh", "distance"], rows)
