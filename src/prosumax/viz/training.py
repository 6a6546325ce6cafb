"""Learning curves: reward, bills and entropy over the iterations of a training, mean over seeds."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from prosumax.viz.chart import Chart, Figure, Table
from prosumax.viz.language import Language
from prosumax.viz.parts import Values, category_axis, frame, value_axis
from prosumax.viz.theme import Option, Theme

# Learners are loaded only for their own reports.
if TYPE_CHECKING:
    from prosumax.rl.training.training import TrainingResult

_CURVES: Mapping[str, tuple[str, str]] = {
    "reward": (
        "Reward while learning",
        "Reward per home and episode, with the actions that are tried.",
    ),
    "validation": (
        "Reward on validation days",
        "The same with the best actions known, on days not trained on.",
    ),
    "cost": ("Bills on validation days", "Of the whole community per episode."),
    "entropy": (
        "Entropy",
        "Entropy of the policy in nats per decision; near zero it no longer explores.",
    ),
}
_MAX_ROWS = 25


def curves(training: "TrainingResult") -> Sequence[Mapping[str, object]]:
    """Return the options of every curve that is known in full."""
    return [
        {"curve": name}
        for name in _CURVES
        if training.curves[name].size and np.isfinite(training.curves[name]).all()
    ]


def data(training: "TrainingResult", curve: str = "reward") -> pd.DataFrame:
    """Return `iteration`, `mean`, `low` and `high`: mean over seeds and its 95 % interval.

    Args:
        training: Result of a training.
        curve: `reward`, `validation`, `cost` or `entropy`.
    """
    values = training.curves[curve]
    low, mean, high = _interval(values)
    table = pd.DataFrame(
        {
            "iteration": [int(at) for at in training.curves["iteration"]],
            "mean": mean,
            "low": low,
            "high": high,
        }
    )
    table.attrs |= {"curve": curve}
    return table


def _interval(values: Values) -> tuple[Values, Values, Values]:
    """Return the 95 % interval of the mean over seeds (Student's t) around the mean."""
    from scipy import stats

    mean = values.mean(1)
    seeds = values.shape[1]
    if seeds < 2:
        return mean, mean, mean
    half = values.std(1, ddof=1) / np.sqrt(seeds) * stats.t.ppf(0.975, seeds - 1)
    return mean - half, mean, mean + half


def sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe the curve with its first and last value."""
    _, summary = _CURVES[table.attrs["curve"]]
    first = language.number(table["mean"].iloc[0], 3)
    last = language.number(table["mean"].iloc[-1], 3)
    return f"{summary} From {first} to {last}."


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw the mean with the band of its interval."""
    name = table.attrs["curve"]
    title, _ = _CURVES[name]
    picked = np.unique(np.linspace(0, len(table) - 1, _MAX_ROWS).round().astype(int))
    columns = ("mean", "low", "high")
    return Figure(
        id=f"curve-{name}",
        title=title,
        summary=sentence(table, language),
        option=_option(table, theme),
        unit="",
        height_px=300,
        line_swatches=True,
        table=Table(
            f"{title}, mean over seeds and its 95 % interval",
            ["Iteration", "mean", "lower end", "upper end"],
            [
                [
                    language.number(int(table["iteration"].iloc[at])),
                    *(language.number(float(table[column].iloc[at]), 3) for column in columns),
                ]
                for at in picked.tolist()
            ],
        ),
    )


def _numbers(values: "pd.Series[float]") -> list[float]:
    return [round(float(value), 6) for value in values]


def _option(table: pd.DataFrame, theme: Theme) -> Option:
    color = theme.curves[0].color
    low = float(table["low"].min())
    high = float(table["high"].max())
    margin = 0.05 * ((high - low) or 1.0)
    hidden: Option = {
        "type": "line",
        "symbol": "none",
        "lineStyle": {"opacity": 0},
        "stack": "band",
        "stackStrategy": "all",
        "silent": True,
    }
    option = frame(theme, "axis")
    option["baseOption"] |= {
        "xAxis": category_axis(
            theme,
            [str(at) for at in table["iteration"]],
            name="iteration",
            nameLocation="middle",
            nameGap=28,
        ),
        "yAxis": value_axis(
            theme, min=float(f"{low - margin:.4g}"), max=float(f"{high + margin:.4g}")
        ),
        "series": [
            hidden | {"name": "lower end", "data": _numbers(table["low"])},
            hidden
            | {
                "name": "width of the interval",
                "data": _numbers(table["high"] - table["low"]),
                "areaStyle": {"color": color, "opacity": 0.2},
            },
            {
                "type": "line",
                "name": "mean",
                "data": _numbers(table["mean"]),
                "showSymbol": len(table) == 1,
                "lineStyle": {"color": color, "width": 2.4},
                "itemStyle": {"color": color},
            },
        ],
    }
    return option


learning_curve = Chart(
    "learning_curve",
    "Learning curve of a training",
    data,
    sentence,
    figure,
    source="training",
    section="training",
    variants=curves,
)
"""Reward, bills or entropy over the iterations of a training."""
