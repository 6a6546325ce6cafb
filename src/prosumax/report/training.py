"""What homes learned: curves over the seeds, and the test days beside rules and the optimum."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prosumax.metrics import KPI, catalog
from prosumax.report import text as words
from prosumax.rl.training.comparison import TEST_METRICS
from prosumax.rl.training.training import TrainingResult
from prosumax.viz.chart import Chart, Table
from prosumax.viz.theme import CURVES, Option, base, category_axis, value_axis

_TITLES = {
    "reward": (
        "Reward while learning",
        "Reward per home and episode, with the actions that are tried.",
    ),
    "validation": (
        "Reward on validation days",
        "The same with the best actions known, on days not trained on.",
    ),
    "cost": ("Bills on validation days", "Of the whole community per episode."),
    "entropy": ("Entropy", "How much is still tried, in nats per decision; near zero nothing."),
}


def episode_kpi(metric: str) -> KPI:
    """Return the catalog entry of a test metric."""
    return catalog.get(f"episode.{metric}")


def column_title(metric: str) -> str:
    """Return the heading of the column of a test metric, with its unit."""
    kpi = episode_kpi(metric)
    unit = kpi.unit_in()
    return f"{kpi.heading}, {unit}" if unit else kpi.heading


def players_table(
    players: Mapping[str, Mapping[str, NDArray[np.float64]]],
    spread_of: Collection[str] = TEST_METRICS,
) -> Table:
    """A row for each player: means over the seeds.

    Arguments:
        players: figures of each [seed].
        spread_of: figures that get the deviation where seeds differ.
    """
    shown = [
        name
        for name in TEST_METRICS
        if any(
            name in figures and np.isfinite(figures[name]).all() and np.any(figures[name])
            for figures in players.values()
        )
    ]
    rows = [
        [who, *(_cell(figures.get(name), name, name in spread_of) for name in shown)]
        for who, figures in players.items()
    ]
    return Table("Test days", ["Player", *(column_title(name) for name in shown)], rows)


def training_charts(training: TrainingResult) -> list[Chart]:
    """Learning curves: mean over seeds, and the 95 % interval of the mean (Student's t)."""
    charts = []
    for name, (title, summary) in _TITLES.items():
        values = training.curves[name]
        if values.size == 0 or not np.isfinite(values).all():
            continue
        low, mean, high = _band(values)
        labels = [f"{int(at)}" for at in training.curves["iteration"]]
        option = _option(labels, low, mean, high)
        ends = f"From {words.number(mean[0], 3)} to {words.number(mean[-1], 3)}."
        charts.append(Chart(f"curve-{name}", title, f"{summary} {ends}", option, "", 300, "lines"))
    return charts


def learning_verdict(training: TrainingResult) -> str:
    """The answer first: what was learned, against the best rule and the optimum."""
    if not training.test_metrics:
        return f"Interrupted after {training.iteration:,} of {training.config.iterations:,} iterations."
    reward = {
        who: float(figures["reward"].mean())
        for who, figures in training.test_metrics.items()
        if "reward" in figures
    }
    learned = reward.pop("learned")
    rule = max(reward, key=lambda who: reward[who])
    better = "more" if learned > reward[rule] else "less"
    text = f"Learned homes earn a reward of {learned:.3f} per episode, {better} than under the best rule, {rule}, with "
    text += f"{reward[rule]:.3f}."
    share = gap_closed(training.test_metrics)
    if share is None:
        return text
    return f"{text} They close {100 * share:.0f} % of the way from random homes to the optimum of the community."


def gap_closed(
    players: Mapping[str, Mapping[str, NDArray[np.float64]]], who: str = "learned"
) -> float | None:
    """Share of the way from zero-intelligence to the community's optimum, by bills and priced carbon; None without."""
    if "community-optimal" not in players or "zero-intelligence" not in players:
        return None
    cost = {
        name: float(players[name]["objective"].mean())
        for name in (who, "zero-intelligence", "community-optimal")
    }
    whole = cost["zero-intelligence"] - cost["community-optimal"]
    return (cost["zero-intelligence"] - cost[who]) / whole if whole > 0 else None


def _band(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    from scipy import stats

    mean, seeds = values.mean(1), values.shape[1]
    if seeds < 2:
        return mean, mean, mean
    half = values.std(1, ddof=1) / np.sqrt(seeds) * stats.t.ppf(0.975, seeds - 1)
    return mean - half, mean, mean + half


def _option(labels: list[str], low: Any, mean: Any, high: Any) -> Option:
    numbers = lambda values: [round(float(value), 6) for value in values]  # noqa: E731
    colour = CURVES[0].colour
    hidden: Option = {
        "type": "line",
        "symbol": "none",
        "lineStyle": {"opacity": 0},
        "stack": "band",
        "silent": True,
    }
    reach = float(np.max(high) - np.min(low)) or 1.0
    axis = value_axis(
        min=float(f"{np.min(low) - 0.05 * reach:.4g}"),
        max=float(f"{np.max(high) + 0.05 * reach:.4g}"),
    )
    return base("axis") | {
        "xAxis": category_axis(labels, name="iteration", nameLocation="middle", nameGap=28),
        "yAxis": axis,
        "series": [
            hidden | {"name": "lower end", "data": numbers(low), "stackStrategy": "all"},
            hidden
            | {
                "name": "width of the interval",
                "data": numbers(high - low),
                "stackStrategy": "all",
                "areaStyle": {"color": colour, "opacity": 0.2},
            },
            {
                "type": "line",
                "name": "mean",
                "data": numbers(mean),
                "showSymbol": False,
                "lineStyle": {"color": colour, "width": 2.4},
                "itemStyle": {"color": colour},
            },
        ],
    }


def _cell(values: NDArray[np.float64] | None, metric: str, with_spread: bool) -> str:
    if values is None or not np.isfinite(values).all():
        return "-"
    values = episode_kpi(metric).factor * values
    mean, spread = float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0
    digits = 3 if abs(mean) < 10 else 1
    return f"{mean:,.{digits}f}" + (
        f" ± {spread:,.{digits}f}" if with_spread and spread > 1e-6 else ""
    )
