"""Detailed charts of page three: savings, prices, training, and the comparison of saved runs."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from prosumax.viz.catalog import lorenz
from prosumax.viz.catalog import price_profile as day_prices
from prosumax.viz.chart import Figure, LegendEntry, Table
from prosumax.viz.compact import (
    Band,
    Curve,
    Dot,
    Margins,
    labeled_dots,
    lines,
    number_axis,
    quantity_axis,
)
from prosumax.viz.theme import Theme
from prosumax.web.charts.common import ChartTable, RenderedChart, page_chart, page_theme
from prosumax.web.charts.shared import CURRENCY, figure_chart, formatted_chart
from prosumax.web.model.outcome import CommunityOutcome
from prosumax.web.model.translations import Translator

_MIN_DIFFERENCE = 0.005  # half a cent


def lorenz_curve(tr: Translator, outcome: CommunityOutcome) -> RenderedChart:
    """Draw the Lorenz curve of the savings.

    Args:
        tr: Translator of the page's language.
        outcome: Outcome of the run.
    """
    homes = len(outcome.names)
    points = outcome.lorenz or tuple(count / homes for count in range(homes + 1))
    if outcome.lorenz is None:
        sentence = tr("community.lorenz_none")
    else:
        half = homes // 2
        share = tr.number(100 * points[half])
        sentence = tr("community.lorenz_sentence", n=half, m=homes, share=share)
    table = pd.DataFrame(
        {
            "mechanism": tr("community.savings"),
            "homes_percent": [round(100 * count / homes, 1) for count in range(homes + 1)],
            "savings_percent": [round(100 * share, 1) for share in points],
        }
    )
    table.attrs["labels"] = {tr("community.savings"): (tr("community.savings"), "")}
    return figure_chart(tr, lorenz, table, sentence)._replace(table=_lorenz_table(tr, points))


def _lorenz_table(tr: Translator, points: Sequence[float]) -> ChartTable:
    homes = len(points) - 1
    header = (tr("community.homes"), tr("community.share_homes"), tr("community.share_savings"))
    rows = tuple(
        (
            tr.number(count),
            f"{tr.number(100 * count / homes)} %",
            f"{tr.number(100 * share)} %",
        )
        for count, share in enumerate(points)
    )
    return ChartTable(tr("community.lorenz_caption"), header, rows)


def price_profile(tr: Translator, outcome: CommunityOutcome) -> RenderedChart:
    """Draw the local price by hour of the day between the feed-in and the retail price.

    Args:
        tr: Translator of the page's language.
        outcome: Outcome of the run.
    """
    prices = pd.Series(outcome.local_price, dtype=float)
    table = pd.DataFrame({"hour": range(len(prices)), "price": prices})
    table.attrs |= {
        "currency": CURRENCY,
        "retail_price": outcome.retail_price,
        "reservation_price": outcome.retail_price - outcome.local_grid_fee,
        "feed_in_price": outcome.feed_in_price,
    }
    return formatted_chart(tr, day_prices, table)


def learning_curve(
    tr: Translator,
    rounds: Sequence[int],
    curve: Sequence[Sequence[float]],
    planned_rounds: int,
    metric: str = "cost",
) -> RenderedChart:
    """Draw the learning curve: the mean over seeds and the range between them.

    Args:
        tr: Translator of the page's language.
        rounds: Iterations of the evaluations.
        curve: Evaluated quantity by evaluation and seed.
        planned_rounds: Iterations of the whole training.
        metric: Evaluated quantity, see `TrainingSpread.curve_metric`.
    """
    table = learning_data(rounds, curve, planned_rounds, metric)
    return page_chart(learning_figure(table, page_theme(tr.lang), tr))


def learning_data(
    rounds: Sequence[int], curve: Sequence[Sequence[float]], planned_rounds: int, metric: str
) -> pd.DataFrame:
    """Return `iteration`, `lowest`, `mean` and `highest` over the seeds.

    Args:
        rounds: Iterations of the evaluations.
        curve: Evaluated quantity by evaluation and seed.
        planned_rounds: Iterations of the whole training.
        metric: Evaluated quantity, see `TrainingSpread.curve_metric`.
    """
    table = pd.DataFrame(
        {
            "iteration": list(rounds),
            "lowest": [round(min(row), 4) for row in curve],
            "mean": [round(sum(row) / len(row), 4) for row in curve],
            "highest": [round(max(row), 4) for row in curve],
        }
    )
    table.attrs |= {"planned_iterations": planned_rounds, "metric": metric}
    return table


def _learning_sentence(table: pd.DataFrame, tr: Translator) -> str:
    if table.empty:
        return tr("community.curve_waiting")
    is_cost = table.attrs["metric"] == "cost"
    return tr(
        "community.curve_sentence" if is_cost else "community.uneven_sentence",
        first=tr.euro(float(table["mean"].iloc[0])),
        last=tr.euro(float(table["mean"].iloc[-1])),
    )


def learning_figure(table: pd.DataFrame, theme: Theme, tr: Translator) -> Figure:
    """Draw the mean over the seeds on the band of their range.

    Args:
        table: Table of `learning_data`.
        theme: Fonts and number formats.
        tr: Translator of the page's language.
    """
    iterations = table["iteration"].tolist()

    def points(values: "pd.Series[float]") -> list[list[float]]:
        return [list(point) for point in zip(iterations, values.round(4).tolist(), strict=True)]

    load = theme.meanings["load"].color
    mean_name = tr("community.mean_tries")
    range_name = tr("community.tries")
    name = "daily_bill" if table.attrs["metric"] == "cost" else "daily_uneven"
    y = number_axis(
        theme,
        tr(f"community.{name}"),
        "€",
        scale=True,
        minInterval=0.01,  # Labels show cents; a finer interval would repeat labels.
    )
    columns = ("lowest", "mean", "highest")
    return Figure(
        id="learning-curve",
        title=tr("community.curve_caption"),
        summary=_learning_sentence(table, tr),
        option=lines(
            [Curve(mean_name, points(table["mean"]), load, 3, symbol_px=6)],
            x=quantity_axis(theme, tr("community.rounds"), 0, table.attrs["planned_iterations"]),
            y=y,
            margins=Margins(8, 16, 34, 44),
            theme=theme,
            unit=None,
            bands=[
                Band(
                    range_name,
                    points(table["lowest"]),
                    points(table["highest"] - table["lowest"]),
                    theme.meanings["pv"].color,
                    0.35,
                )
            ],
        ),
        unit="EUR",
        legend=[LegendEntry("line-load", mean_name), LegendEntry("area-pv", range_name)],
        table=Table(
            tr("community.curve_caption"),
            [tr(f"community.{name}") for name in ("round", *columns)],
            [
                [tr.number(iteration), *(tr.euro(value) for value in values)]
                for iteration, *values in zip(
                    iterations, *(table[column].tolist() for column in columns), strict=True
                )
            ],
        ),
    )


class SavedRun(NamedTuple):
    """Run that a visitor saved for comparison.

    Attributes:
        name: Displayed name.
        outcome: Outcome of the run.
        key: Serialized job specification, which identifies the run.
    """

    name: str
    outcome: CommunityOutcome
    key: str


def comparison_charts(tr: Translator, runs: Sequence[SavedRun]) -> dict[str, RenderedChart]:
    """Draw saved runs side by side, one chart each for cost, efficiency and fairness.

    Args:
        tr: Translator of the page's language.
        runs: Saved runs.
    """
    theme = page_theme(tr.lang)
    return {
        criterion: page_chart(comparison_figure(table, theme, tr))
        for criterion, table in comparison_data(runs).items()
    }


def comparison_data(runs: Sequence[SavedRun]) -> dict[str, pd.DataFrame]:
    """Return `run`, `value`, `homes`, `low` and `high` by criterion.

    The last two columns are the range over the seeds of a training, `None` without one.

    Args:
        runs: Saved runs.
    """
    values: dict[str, list[float]] = {
        "cost": [sum(run.outcome.saving_cents) / 100 for run in runs],
        "efficiency": [100 * (run.outcome.shared_share or 0.0) for run in runs],
        "fairness": [sum(saving > 0 for saving in run.outcome.saving_cents) for run in runs],
    }
    ranges: dict[str, Sequence[tuple[float, float] | None]] = {
        "cost": [_saving_range(run.outcome) for run in runs],
        "efficiency": [_shared_range(run.outcome) for run in runs],
        "fairness": [None] * len(runs),
    }
    homes = [len(run.outcome.names) for run in runs]
    upper = {"cost": None, "efficiency": 100, "fairness": max(homes, default=1)}
    tables = {}
    for criterion, numbers in values.items():
        rows = [
            (run.name, value, count, *(limits or (None, None)))
            for run, value, count, limits in zip(
                runs, numbers, homes, ranges[criterion], strict=True
            )
        ]
        columns = ["run", "value", "homes", "low", "high"]
        table = pd.DataFrame(rows, columns=columns, dtype=object)
        table.attrs |= {"criterion": criterion, "upper": upper[criterion]}
        tables[criterion] = table
    return tables


def comparison_figure(table: pd.DataFrame, theme: Theme, tr: Translator) -> Figure:
    """Draw one dot per run, with a whisker over the seeds of a training.

    Args:
        table: A table of `comparison_data`.
        theme: Fonts and number formats.
        tr: Translator of the page's language.
    """
    criterion = table.attrs["criterion"]
    dots = [
        Dot(
            name,
            value,
            _criterion_text(tr, criterion, value, homes),
            None if low is None else (low, high),
        )
        for name, value, homes, low, high in table.to_numpy().tolist()
    ]
    return Figure(
        id=f"comparison-{criterion}",
        title=tr(f"community.compare_{criterion}"),
        summary="; ".join(f"{dot.name}: {dot.label}" for dot in dots) + ".",
        option=labeled_dots(
            dots,
            tr(f"community.better_{criterion}"),
            color=theme.meanings["load"].color,
            theme=theme,
            high=table.attrs["upper"],
        ),
        unit="",
        table=Table(
            tr(f"community.compare_{criterion}"),
            [tr("community.rule"), tr(f"community.verdict_{criterion}")],
            [[dot.name, dot.label] for dot in dots],
        ),
    )


def _criterion_text(tr: Translator, criterion: str, value: float, homes: int) -> str:
    match criterion:
        case "cost":
            return tr.euro(value)
        case "efficiency":
            return tr("community.of_hundred", n=tr.number(value))
        case _:
            return tr("community.n_of_m", n=value, m=homes)


def comparison_sentence(tr: Translator, runs: Sequence[SavedRun]) -> str:
    """Compare the two runs with the highest savings, and report losing homes.

    Args:
        tr: Translator of the page's language.
        runs: Saved runs.
    """
    if len(runs) < 2:
        return tr("community.keep_another")
    ranked = sorted(runs, key=lambda run: -sum(run.outcome.saving_cents))
    first = ranked[0]
    second = ranked[1]
    more = (sum(first.outcome.saving_cents) - sum(second.outcome.saving_cents)) / 100
    if more < _MIN_DIFFERENCE:
        sentence = tr("community.compare_equal", first=first.name, second=second.name)
    else:
        amount = tr.euro(more)
        sentence = tr("community.compare_more", first=first.name, second=second.name, amount=amount)
    worst = max(runs, key=lambda run: run.outcome.losers)
    if worst.outcome.losers:
        lose = tr("community.compare_lose", name=worst.name, n=worst.outcome.losers)
        sentence += f" {lose}"
    return sentence


def _saving_range(outcome: CommunityOutcome) -> tuple[float, float] | None:
    """Return lowest and highest saving over the seeds of a training, EUR."""
    spread = outcome.spread
    if spread is None:
        return None
    pairs = zip(spread.baseline_cost, spread.cost, strict=True)
    savings = [baseline - cost for baseline, cost in pairs]
    return min(savings), max(savings)


def _shared_range(outcome: CommunityOutcome) -> tuple[float, float] | None:
    """Return lowest and highest share of the surplus kept over the seeds of a training, %."""
    spread = outcome.spread
    if spread is None:
        return None
    return 100 * min(spread.shared_share), 100 * max(spread.shared_share)
