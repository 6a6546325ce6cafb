"""Results of a training: the test days beside baseline policies and the optimum."""

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from prosumax.metrics import KPI, catalog
from prosumax.rl.training.comparison import TEST_METRICS
from prosumax.rl.training.training import TrainingResult
from prosumax.viz.chart import Table


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
    deviation_of: Collection[str] = TEST_METRICS,
) -> Table:
    """Return a row for each player with the means over the seeds.

    Args:
        players: Metrics of each player [seed].
        deviation_of: Metrics that get the standard deviation where seeds differ.
    """
    shown = [
        name
        for name in TEST_METRICS
        if any(
            name in metrics and np.isfinite(metrics[name]).all() and np.any(metrics[name])
            for metrics in players.values()
        )
    ]
    rows = [
        [player, *(_cell(metrics.get(name), name, name in deviation_of) for name in shown)]
        for player, metrics in players.items()
    ]
    return Table("Test days", ["Player", *(column_title(name) for name in shown)], rows)


def learning_verdict(training: TrainingResult) -> str:
    """Compare the learned policies with the best baseline and the optimum."""
    if not training.test_metrics:
        planned = training.config.iterations
        return f"Interrupted after {training.iteration:,} of {planned:,} iterations."
    reward = {
        player: float(metrics["reward"].mean())
        for player, metrics in training.test_metrics.items()
        if "reward" in metrics
    }
    learned = reward.pop("learned")
    baseline = max(reward, key=reward.__getitem__)
    comparison = "more" if learned > reward[baseline] else "less"
    sentence = (
        f"Learned homes earn a reward of {learned:.3f} per episode, {comparison} than under the"
        f" best baseline, {baseline}, with {reward[baseline]:.3f}."
    )
    share = gap_closed(training.test_metrics)
    if share is None:
        return sentence
    return (
        f"{sentence} They close {100 * share:.0f} % of the gap from random homes to the optimum of"
        " the community."
    )


def gap_closed(
    players: Mapping[str, Mapping[str, NDArray[np.float64]]], player: str = "learned"
) -> float | None:
    """Return the share of the gap between zero-intelligence and the community's optimum.

    Costs are bills and priced emissions. The share is `None` where either bound is missing.

    Args:
        players: Metrics of each player [seed].
        player: The one whose share is computed.
    """
    if "community-optimal" not in players or "zero-intelligence" not in players:
        return None
    cost = {
        name: float(players[name]["objective"].mean())
        for name in (player, "zero-intelligence", "community-optimal")
    }
    gap = cost["zero-intelligence"] - cost["community-optimal"]
    return (cost["zero-intelligence"] - cost[player]) / gap if gap > 0 else None


def _cell(values: NDArray[np.float64] | None, metric: str, with_deviation: bool) -> str:
    if values is None or not np.isfinite(values).all():
        return "-"
    values = episode_kpi(metric).factor * values
    mean = float(values.mean())
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    digits = 3 if abs(mean) < 10 else 1
    cell = f"{mean:,.{digits}f}"
    if with_deviation and deviation > 1e-6:
        cell += f" ± {deviation:,.{digits}f}"
    return cell
