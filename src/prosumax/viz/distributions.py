"""How prices and volumes between neighbours are spread over the steps with trade: histogram and density."""

from typing import Any

import numpy as np

from prosumax.numerics import ENERGY_TOLERANCE_KWH
from prosumax.report import text
from prosumax.report.metrics import Runs
from prosumax.viz.chart import Chart, Table
from prosumax.viz.series import Values
from prosumax.viz.theme import FAINT, INK, LINES, LOOKS, Option, base, nice_axis, value_axis

_BINS = 25  # odd, so that a single value stands in the middle of a bin
_POINTS = 121
_TOLD = 3  # runs that a sentence can name one by one
_SHARE = "% of the steps with trade"


def price_distribution(runs: Runs, per: str = "kWh") -> Chart:
    """Prices between neighbours, every step with trade counting once.

    Arguments:
        runs: from `traces`: bars and density of a single one; the densities of up to seven.
        per: `kWh`, or `MWh` as in the MARLEM paper.

    Source: MARLEM, section 3.8 and figure 4.
    """
    currency, factor = next(iter(runs.values()))[0].currency, {"kWh": 1.0, "MWh": 1000.0}[per]
    samples = {
        name: np.concatenate([factor * trace.price[np.isfinite(trace.price)] for trace in seeds])
        for name, seeds in runs.items()
    }
    return _distribution(
        runs,
        samples,
        "price-distribution",
        "How prices between neighbours are spread",
        f"{currency}/{per}",
        "Price of a step: weighted by energy, midway where buyers and sellers see two.",
        4 if per == "kWh" else 1,
    )


def volume_distribution(runs: Runs) -> Chart:
    """Energy traded between neighbours per step, of the steps with trade.

    Arguments:
        runs: as in `price_distribution`.

    Source: MARLEM, section 3.8.
    """
    samples = {
        name: np.concatenate([trace.traded[trace.traded > ENERGY_TOLERANCE_KWH] for trace in seeds])
        for name, seeds in runs.items()
    }
    minutes = 60 * next(iter(runs.values()))[0].step_hours
    return _distribution(
        runs,
        samples,
        "volume-distribution",
        "How traded volumes are spread",
        "kWh",
        f"Volume of a step: what neighbours trade with each other in its {text.number(minutes)} minutes.",
        3,
    )


def density(values: Values, at: Values, least: float) -> Values:
    """Gaussian kernel density of a sample.

    Arguments:
        values: the sample, at least one.
        at: where.
        least: lowest bandwidth, so that a sample of one value is still a curve.

    Source: bandwidth of Scott 1992, Multivariate Density Estimation, equation 6.42: 1.06 sd n^(-1/5).
    """
    width = max(
        1.06 * float(values.std(ddof=1)) * len(values) ** -0.2 if len(values) > 1 else 0.0, least
    )
    # A fine histogram stands for the sample: a year of quarters would need 35 000 kernels.
    edges = np.linspace(values.min() - width / 2, values.max() + width / 2, 1001)
    count, _ = np.histogram(values, edges)
    distance = (at[:, None] - (edges[:-1] + edges[1:])[None, :] / 2) / width
    smooth: Values = np.exp(-(distance**2) / 2) @ count / (len(values) * width * np.sqrt(2 * np.pi))
    return smooth


def _distribution(
    runs: Runs, samples: dict[str, Values], id: str, title: str, unit: str, what: str, digits: int
) -> Chart:
    some = {name: values for name, values in samples.items() if len(values)}
    if not some:
        option = base("axis", narrow={})
        option["baseOption"] |= {"xAxis": value_axis(), "yAxis": value_axis(), "series": []}
        return Chart(id, title, "Neighbours do not trade with each other.", option, unit, 120)
    low, high = (float(end([end(values) for values in some.values()])) for end in (min, max))
    pad = max(0.04 * (high - low), 0.02 * abs(high), 1e-6)
    # No volume is negative, and a price seldom is.
    edges = np.linspace(max(low - pad, 0.0) if low >= 0 else low - pad, high + pad, _BINS + 1)
    width = float(edges[1] - edges[0])
    at = np.linspace(edges[0], edges[-1], _POINTS)
    curves = {
        name: 100 * width * density(values, at, width / 2)
        for name, values in some.items()
        if name in list(runs)[: len(LINES)]
    }
    series = [_curve(name, at, curves[name], list(runs).index(name)) for name in curves]
    highest = max(float(curve.max()) for curve in curves.values())
    key = [(f"curve-{list(runs).index(name)}", name) for name in curves]
    if len(runs) == 1:
        (values,) = some.values()
        share = 100 * np.histogram(values, edges)[0] / len(values)
        highest = max(highest, float(share.max()))
        series = [_bars(edges, share), {**series[0], "name": "density"}]
        series[1]["markLine"] = _marks(values)
        series[1]["lineStyle"] = {"color": INK, "width": 2}
        key = [("use", "share of the steps"), ("density", "density (kernel estimate)")]
    option = base("axis", narrow={"xAxis": {"splitNumber": 3}}, wide={"xAxis": {"splitNumber": 6}})
    option["baseOption"] |= {
        "xAxis": value_axis(
            min=float(edges[0]), max=float(edges[-1]), splitNumber=6, splitLine={"show": False}
        )
        | {
            "name": unit,
            "nameLocation": "middle",
            "nameGap": 30,
            "nameTextStyle": {"color": FAINT, "fontSize": 13},
        },
        "yAxis": value_axis(_SHARE, **nice_axis(0, highest)),
        "series": series,
    }
    option["baseOption"]["xAxis"]["axisLabel"] |= {"showMinLabel": False, "showMaxLabel": False}
    option["baseOption"]["yAxis"]["nameTextStyle"] |= {"align": "left"}
    option["baseOption"]["grid"] |= {"bottom": 30}
    return Chart(
        id=id,
        title=f"{title} ({unit})",
        summary=_summary(samples, unit, digits),
        option=option,
        unit="%",
        drawn_as="lines" if len(runs) > 1 else "bars",
        key=key,
        table=_table(runs, samples, unit, digits),
        note=f"{what} Curves: Gaussian kernel density as the share of steps in a bin of"
        f" {text.number(width, digits)} {unit}; a density also shows a little where no value lies."
        + (
            f" Only the first {len(LINES)} are drawn; the table has all."
            if len(runs) > len(LINES)
            else ""
        ),
    )


def _curve(name: str, at: Values, values: Values, position: int) -> Option:
    look = LINES[position]
    return {
        "type": "line",
        "name": name,
        "data": np.column_stack([at, values]).round(5).tolist(),
        "symbol": look.symbol,
        "symbolSize": 7,
        "showSymbol": False,
        "lineStyle": {"color": look.colour, "width": 2.4, "type": look.dash or "solid"},
        "itemStyle": {"color": look.colour},
    }


def _bars(edges: Values, share: Values) -> Option:
    """As an outline with steps, so that bars have the true width on an axis of numbers."""
    corners = np.column_stack(
        [np.repeat(edges, 2), np.concatenate([[0], np.repeat(share, 2), [0]])]
    )
    look = LOOKS["use"]
    return {
        "type": "line",
        "name": "share of the steps",
        "data": corners.round(6).tolist(),
        "symbol": "none",
        "lineStyle": {"color": look.colour, "width": 1},
        "areaStyle": {"color": look.colour, "opacity": 0.3},
        "itemStyle": {"color": look.colour},
        "tooltip": {"show": False},
    }


def _marks(values: Values) -> Option:
    """Mean and median, labels along their lines on the outer sides so that they never cover each other."""
    ends = sorted([(float(values.mean()), "mean"), (float(np.median(values)), "median")])
    sides = ("insideEndTop", "insideEndBottom")
    return {
        "symbol": "none",
        "silent": True,
        "precision": 6,
        "data": [
            {"xAxis": value, "label": {"formatter": name, "position": side}}
            for (value, name), side in zip(ends, sides, strict=True)
        ],
        "label": {"color": INK, "fontSize": 13},
        "lineStyle": {"color": INK, "width": 1.5, "type": [6, 5]},
    }


def _summary(samples: dict[str, Values], unit: str, digits: int) -> str:
    some = {name: values for name, values in samples.items() if len(values)}
    if len(samples) == 1:
        (values,) = some.values()
        said = f"Mean {_number(values.mean(), digits)}, median {_number(np.median(values), digits)} {unit}."
    elif len(samples) <= _TOLD:
        told = [
            f"{name}: mean {_number(values.mean(), digits)}, median {_number(np.median(values), digits)}"
            for name, values in some.items()
        ]
        said = f"{'; '.join(told)} ({unit})."
    else:
        means = {name: float(values.mean()) for name, values in some.items()}
        ends = [
            f"{_number(means[name], digits)} ({name})"
            for name in (min(means, key=means.__getitem__), max(means, key=means.__getitem__))
        ]
        said = f"Means lie between {ends[0]} and {ends[1]} {unit}."
    silent = [name for name, values in samples.items() if not len(values)]
    return said + (f" No trade: {text.joined(silent)}." if silent else "")


def _number(value: Any, digits: int) -> str:
    return text.number(float(value), digits)


def _table(runs: Runs, samples: dict[str, Values], unit: str, digits: int) -> Table:
    head = [
        "Run",
        "steps with trade",
        "of all steps",
        "mean",
        "standard deviation",
        "5 %",
        "median",
        "95 %",
    ]
    rows = []
    for name, values in samples.items():
        steps = sum(len(trace.hour) for trace in runs[name])
        figures = (
            [values.mean(), values.std(), *np.percentile(values, (5, 50, 95))]
            if len(values)
            else [float("nan")] * 5
        )
        shown = [
            text.number(float(figure) if np.isfinite(figure) else None, digits)
            for figure in figures
        ]
        rows.append([name, text.number(len(values)), text.percent(len(values) / steps), *shown])
    return Table(f"Over the steps with trade, {unit}", head, rows)
