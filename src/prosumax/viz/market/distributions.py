"""Distribution of prices and volumes between neighbors over the steps with trade."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from prosumax.numerics import ENERGY_TOLERANCE_KWH
from prosumax.simulation.results.series import SummarySeries
from prosumax.viz.chart import Chart, Figure, LegendEntry, Table
from prosumax.viz.indicators.indicators import Runs
from prosumax.viz.language import Language
from prosumax.viz.parts import Values, curve_line, frame, round_axis, value_axis
from prosumax.viz.primitives import histogram
from prosumax.viz.theme import INK, Option, Theme

_BINS = 25  # An odd number, so that a single value is in the middle of a bin.
_CURVE_POINTS = 121
_NAMED = 3  # runs that a sentence can name one by one
_FACTORS = {"kWh": 1.0, "MWh": 1000.0}


def price_data(runs: Runs, per: str = "kWh") -> pd.DataFrame:
    """Return `run`, `value` and `steps`: the price of every step with trade.

    Args:
        runs: Summary series by run.
        per: `kWh`, or `MWh` as in the MARLEM paper.
    """
    factor = _FACTORS[per]
    samples = {
        run: np.concatenate([factor * seed.price[np.isfinite(seed.price)] for seed in seeds])
        for run, seeds in runs.items()
    }
    currency = next(iter(runs.values()))[0].currency
    return sample_table(
        samples,
        {run: _steps(seeds) for run, seeds in runs.items()},
        kind="price",
        unit=f"{currency}/{per}",
        digits=4 if per == "kWh" else 1,
    )


def volume_data(runs: Runs) -> pd.DataFrame:
    """Return `run`, `value` and `steps`: the energy traded in every step with trade, kWh."""
    samples = {
        run: np.concatenate([seed.traded[seed.traded > ENERGY_TOLERANCE_KWH] for seed in seeds])
        for run, seeds in runs.items()
    }
    table = sample_table(
        samples,
        {run: _steps(seeds) for run, seeds in runs.items()},
        kind="volume",
        unit="kWh",
        digits=3,
    )
    table.attrs["minutes"] = 60 * next(iter(runs.values()))[0].step_hours
    return table


def _steps(seeds: Sequence[SummarySeries]) -> int:
    return sum(len(seed.hour) for seed in seeds)


def sample_table(
    samples: dict[str, Values], steps: dict[str, int], *, kind: str, unit: str, digits: int
) -> pd.DataFrame:
    """Return a table of samples for the charts of this module.

    Args:
        samples: Values by run, one per step with trade.
        steps: Number of all steps by run.
        kind: `price` or `volume`.
        unit: Unit of the values.
        digits: Decimals in texts and tables.
    """
    parts = [
        pd.DataFrame({"run": run, "value": values, "steps": 1}) for run, values in samples.items()
    ]
    table = pd.concat(parts, ignore_index=True).astype({"value": float, "steps": int})
    table.attrs |= {"kind": kind, "unit": unit, "digits": digits, "total_steps": dict(steps)}
    return table


def binned(table: pd.DataFrame) -> pd.DataFrame:
    """Return a smaller table with equal values, to four decimals, in one row."""
    counts = table.assign(value=table["value"].round(4)).groupby(["run", "value"], sort=False)
    small = counts["steps"].sum().reset_index()
    small.attrs = dict(table.attrs)
    return small


def _samples(table: pd.DataFrame) -> dict[str, Values]:
    """Return the values of every run, also of those without trade."""
    empty = np.empty(0)
    by_run = {
        str(run): np.repeat(rows["value"].to_numpy(), rows["steps"].to_numpy())
        for run, rows in table.groupby("run", sort=False)
    }
    return {run: by_run.get(run, empty) for run in table.attrs["total_steps"]}


def density(values: Values, at: Values, min_bandwidth: float) -> Values:
    """Return the Gaussian kernel density of a sample.

    Args:
        values: Sample of at least one value.
        at: Points at which the density is evaluated.
        min_bandwidth: Lowest bandwidth, so that a sample of one value still gives a curve.

    References:
        Scott 1992, Multivariate Density Estimation, equation 6.42: bandwidth 1.06 sd n^(-1/5).
    """
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    width = max(1.06 * deviation * len(values) ** -0.2, min_bandwidth)
    # A fine histogram represents the sample: a year of quarter-hours would need 35 000 kernels.
    edges = np.linspace(values.min() - width / 2, values.max() + width / 2, 1001)
    count, _ = np.histogram(values, edges)
    distance = (at[:, None] - (edges[:-1] + edges[1:])[None, :] / 2) / width
    kernels = np.exp(-(distance**2) / 2) @ count
    smooth: Values = kernels / (len(values) * width * np.sqrt(2 * np.pi))
    return smooth


def sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe mean and median of each run, or the range of the means of many runs."""
    samples = _samples(table)
    unit = table.attrs["unit"]
    digits = table.attrs["digits"]

    def number(value: float) -> str:
        return language.number(float(value), digits)

    traded = {run: values for run, values in samples.items() if len(values)}
    if not traded:
        return language("distribution.no_trade")
    if len(samples) == 1:
        (values,) = traded.values()
        text = language(
            "distribution.single",
            mean=number(values.mean()),
            median=number(float(np.median(values))),
            unit=unit,
        )
    elif len(samples) <= _NAMED:
        parts = [
            language(
                "distribution.run",
                run=run,
                mean=number(values.mean()),
                median=number(float(np.median(values))),
            )
            for run, values in traded.items()
        ]
        text = f"{'; '.join(parts)} ({unit})."
    else:
        means = {run: float(values.mean()) for run, values in traded.items()}
        low = min(means, key=means.__getitem__)
        high = max(means, key=means.__getitem__)
        text = language(
            "distribution.range",
            low=number(means[low]),
            low_run=low,
            high=number(means[high]),
            high_run=high,
            unit=unit,
        )
    silent = [run for run, values in samples.items() if not len(values)]
    if silent:
        text += " " + language("distribution.silent", runs=language.joined(silent))
    return text


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw histogram and density of one run, or the densities of several."""
    samples = _samples(table)
    kind = table.attrs["kind"]
    unit = table.attrs["unit"]
    name = f"{kind}-distribution"
    title = language(f"distribution.{kind}_title")
    traded = {run: values for run, values in samples.items() if len(values)}
    if not traded:
        empty = frame(theme)
        empty["baseOption"] |= {
            "xAxis": value_axis(theme),
            "yAxis": value_axis(theme),
            "series": [],
        }
        return Figure(
            name,
            f"{title} ({unit})",
            language("distribution.no_trade"),
            empty,
            unit,
            120,
            table=_table(table, samples, language),
        )
    edges = _edges(list(traded.values()))
    width = float(edges[1] - edges[0])
    at = np.linspace(edges[0], edges[-1], _CURVE_POINTS)
    positions = {run: position for position, run in enumerate(samples)}
    drawn = [run for run in traded if positions[run] < len(theme.curves)]
    curves = {run: 100 * width * density(traded[run], at, width / 2) for run in drawn}
    highest = max(float(curve.max()) for curve in curves.values())
    series = [_curve(run, at, curves[run], positions[run], theme) for run in drawn]
    legend = [LegendEntry(f"curve-{positions[run]}", run) for run in drawn]
    shares = None
    single = len(samples) == 1
    if single:
        (values,) = traded.values()
        shares = 100 * np.histogram(values, edges)[0] / len(values)
        highest = max(highest, float(shares.max()))
        series[0] |= {
            "name": language("distribution.density"),
            "markLine": _marks(values, theme, language),
            "lineStyle": {"color": INK, "width": 2},
        }
        legend = [
            LegendEntry("load", language("distribution.share")),
            LegendEntry("density", language("distribution.density")),
        ]
    return Figure(
        id=name,
        title=f"{title} ({unit})",
        summary=sentence(table, language),
        option=histogram(
            edges,
            shares,
            series,
            unit=unit,
            y=value_axis(theme, language("distribution.share_axis"), **round_axis(0, highest)),
            name=language("distribution.share"),
            style=theme.meanings["load"],
            theme=theme,
        ),
        unit="%",
        line_swatches=not single,
        legend=legend,
        table=_table(table, samples, language),
        note=_note(table, width, len(samples), theme, language),
    )


def _edges(samples: Sequence[Values]) -> Values:
    low = min(float(values.min()) for values in samples)
    high = max(float(values.max()) for values in samples)
    pad = max(0.04 * (high - low), 0.02 * abs(high), 1e-6)
    # No volume is negative, and few prices are.
    start = max(low - pad, 0.0) if low >= 0 else low - pad
    return np.linspace(start, high + pad, _BINS + 1)


def _curve(run: str, at: Values, values: Values, position: int, theme: Theme) -> Option:
    style = theme.curves[position]
    data = np.column_stack([at, values]).round(5).tolist()
    line = {"color": style.color, "width": 2.4, "type": style.dash or "solid"}
    return curve_line(style, run, data, showSymbol=False, lineStyle=line)


def _marks(values: Values, theme: Theme, language: Language) -> Option:
    """Return lines at mean and median, labeled on the outer sides so that labels never overlap."""
    mean = (float(values.mean()), language("distribution.mean"))
    median = (float(np.median(values)), language("distribution.median"))
    return {
        "symbol": "none",
        "silent": True,
        "precision": 6,
        "data": [
            {"xAxis": value, "label": {"formatter": name, "position": side}}
            for (value, name), side in zip(
                sorted([mean, median]), ("insideEndTop", "insideEndBottom"), strict=True
            )
        ],
        "label": {"color": INK, "fontSize": theme.font_size},
        "lineStyle": {"color": INK, "width": 1.5, "type": [6, 5]},
    }


def _note(table: pd.DataFrame, width: float, runs: int, theme: Theme, language: Language) -> str:
    attrs = table.attrs
    minutes = language.number(attrs.get("minutes", 0.0))
    parts = [
        language(f"distribution.{attrs['kind']}_note", minutes=minutes),
        language(
            "distribution.curve_note",
            width=language.number(width, attrs["digits"]),
            unit=attrs["unit"],
        ),
    ]
    if runs > len(theme.curves):
        parts.append(language("distribution.first_runs", n=len(theme.curves)))
    return " ".join(parts)


def _table(table: pd.DataFrame, samples: dict[str, Values], language: Language) -> Table:
    digits = table.attrs["digits"]
    rows = []
    for run, values in samples.items():
        share = len(values) / table.attrs["total_steps"][run]
        figures: list[float | None] = [None] * 5
        if len(values):
            quantiles = np.percentile(values, (5, 50, 95)).tolist()
            figures = [float(values.mean()), float(values.std()), *quantiles]
        rows.append(
            [
                run,
                language.number(len(values)),
                language.percent(share),
                *(language.number(value, digits) for value in figures),
            ]
        )
    caption = language("distribution.caption", unit=table.attrs["unit"])
    return Table(caption, language("distribution.head").split("|"), rows)


price_distribution = Chart(
    "price_distribution",
    "Distribution of prices between neighbors",
    price_data,
    sentence,
    figure,
    source="runs",
    draws_empty=True,
)
"""Prices between neighbors, every step with trade counting once (MARLEM, section 3.8, figure 4)."""

volume_distribution = Chart(
    "volume_distribution",
    "Distribution of traded volumes",
    volume_data,
    sentence,
    figure,
    source="runs",
    draws_empty=True,
)
"""Energy traded between neighbors in every step with trade (MARLEM, section 3.8)."""
