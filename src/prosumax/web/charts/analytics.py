"""Detailed charts of page three: savings, prices, training, and the comparison of saved runs."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from prosumax.viz.catalog import lorenz
from prosumax.web.charts.common import (
    EXPORT_COLOR,
    IMPORT_COLOR,
    INK,
    LOAD_COLOR,
    MUTED,
    SOLAR_COLOR,
    ChartTable,
    LegendItem,
    Option,
    RenderedChart,
    axis_label,
    base_option,
    tooltip,
    value_axis,
    value_label,
)
from prosumax.web.charts.shared import figure_chart
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
    line: Option = {"type": "line", "symbol": "none"}
    hours = [tr.time(hour) for hour in range(24)]
    reservation_price = outcome.retail_price - outcome.local_grid_fee
    levels = (
        (tr("community.retail_price"), outcome.retail_price, IMPORT_COLOR, "dashed"),
        (tr("community.reservation_price"), reservation_price, MUTED, "dotted"),
        (tr("community.feed_in_price"), outcome.feed_in_price, EXPORT_COLOR, "dashed"),
    )
    series = [
        {
            **line,
            "name": name,
            "data": [round(value, 4)] * 24,
            "lineStyle": {"color": color, "type": line_type, "width": 2},
            "itemStyle": {"color": color},
        }
        for name, value, color, line_type in levels
    ]
    series.append(
        {
            **line,
            "name": tr("community.price"),
            "step": "middle",
            "data": list(outcome.local_price),
            "lineStyle": {"color": LOAD_COLOR, "width": 3},
            "itemStyle": {"color": LOAD_COLOR},
        }
    )
    option = base_option(
        grid={"left": 8, "right": 16, "top": 34, "bottom": 8, "containLabel": True},
        tooltip=tooltip(tr.lang, "€"),
        xAxis={"type": "category", "data": hours, "axisLabel": axis_label(interval=5)},
        yAxis=value_axis("", min=0, axisLabel=value_label(tr.lang, "€")),
        series=series,
    )
    prices = [price for price in outcome.local_price if price is not None]
    if prices and max(prices) - min(prices) < _MIN_DIFFERENCE:
        sentence = tr("community.price_same", price=tr.price(prices[0]))
    elif prices:
        low = tr.price(min(prices))
        sentence = tr("community.price_sentence", low=low, high=tr.price(max(prices)))
    else:
        sentence = tr("community.price_none")
    rows = tuple(
        (hour, "–" if price is None else tr.euro(price, 3))
        for hour, price in zip(hours, outcome.local_price, strict=True)
    )
    header = (tr("community.hour_of_day"), tr("community.price"))
    legend = (
        LegendItem(tr("community.price"), "line", LOAD_COLOR),
        *(LegendItem(name, "dash", color) for name, _, color, _ in levels),
    )
    table = ChartTable(tr("community.price_caption"), header, rows)
    return RenderedChart(option, sentence, table, legend)


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
    lowest = [round(min(row), 4) for row in curve]
    highest = [round(max(row), 4) for row in curve]
    mean = [round(sum(row) / len(row), 4) for row in curve]
    height = [round(high - low, 4) for low, high in zip(lowest, highest, strict=True)]
    hidden: Option = {
        "type": "line",
        "symbol": "none",
        "stack": "band",
        "silent": True,
        "lineStyle": {"opacity": 0},
    }
    option = base_option(
        grid={"left": 8, "right": 16, "top": 34, "bottom": 44, "containLabel": True},
        xAxis={
            "type": "value",
            "min": 0,
            "max": planned_rounds,
            "name": tr("community.rounds"),
            "nameLocation": "middle",
            "nameGap": 28,
            "axisLabel": axis_label(),
        },
        yAxis=value_axis(
            tr("community.daily_bill" if metric == "cost" else "community.daily_uneven"),
            scale=True,
            minInterval=0.01,  # Labels show cents; a finer interval would repeat labels.
            axisLabel=value_label(tr.lang, "€"),
        ),
        series=[
            {**hidden, "data": _points(rounds, lowest)},
            {
                **hidden,
                "name": tr("community.tries"),
                "areaStyle": {"color": SOLAR_COLOR, "opacity": 0.35},
                "data": _points(rounds, height),
            },
            {
                "type": "line",
                "name": tr("community.mean_tries"),
                "data": _points(rounds, mean),
                "symbolSize": 6,
                "lineStyle": {"color": LOAD_COLOR, "width": 3},
                "itemStyle": {"color": LOAD_COLOR},
            },
        ],
    )
    rows = tuple(
        (tr.number(count), *(tr.euro(value) for value in values))
        for count, *values in zip(rounds, lowest, mean, highest, strict=True)
    )
    header = tuple(tr(f"community.{name}") for name in ("round", "lowest", "mean", "highest"))
    if mean:
        key = "community.curve_sentence" if metric == "cost" else "community.uneven_sentence"
        sentence = tr(key, first=tr.euro(mean[0]), last=tr.euro(mean[-1]))
    else:
        sentence = tr("community.curve_waiting")
    legend = (
        LegendItem(tr("community.mean_tries"), "line", LOAD_COLOR),
        LegendItem(tr("community.tries"), "area", SOLAR_COLOR),
    )
    table = ChartTable(tr("community.curve_caption"), header, rows)
    return RenderedChart(option, sentence, table, legend)


def _points(x: Sequence[float], y: Sequence[float]) -> list[list[float]]:
    return [list(point) for point in zip(x, y, strict=True)]


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
    savings = [sum(run.outcome.saving_cents) / 100 for run in runs]
    shares = [100 * (run.outcome.shared_share or 0.0) for run in runs]
    winners = [sum(saving > 0 for saving in run.outcome.saving_cents) for run in runs]
    return {
        "cost": _dot_chart(
            tr,
            runs,
            "cost",
            values=savings,
            texts=[tr.euro(value) for value in savings],
            ranges=[_saving_range(run.outcome) for run in runs],
        ),
        "efficiency": _dot_chart(
            tr,
            runs,
            "efficiency",
            values=shares,
            texts=[tr("community.of_hundred", n=tr.number(value)) for value in shares],
            ranges=[_shared_range(run.outcome) for run in runs],
            upper=100,
        ),
        "fairness": _dot_chart(
            tr,
            runs,
            "fairness",
            values=winners,
            texts=[
                tr("community.n_of_m", n=count, m=len(run.outcome.names))
                for count, run in zip(winners, runs, strict=True)
            ],
            ranges=[None] * len(runs),
            upper=max((len(run.outcome.names) for run in runs), default=1),
        ),
    }


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


def _dot_chart(
    tr: Translator,
    runs: Sequence[SavedRun],
    criterion: str,
    *,
    values: Sequence[float],
    texts: Sequence[str],
    ranges: Sequence[tuple[float, float] | None],
    upper: float | None = None,
) -> RenderedChart:
    """Draw one dot per run, with a whisker over the seeds of a training."""
    bounds = {} if upper is None else {"min": 0, "max": upper}
    whiskers = [
        {"coords": [[bound, row] for bound in limits]}
        for row, limits in enumerate(ranges)
        if limits is not None
    ]
    option = base_option(
        grid={"left": 8, "right": 30, "top": 8, "bottom": 48, "containLabel": True},
        tooltip={"renderMode": "richText", "confine": True, "trigger": "item", "formatter": "{b}"},
        xAxis=value_axis(
            tr(f"community.better_{criterion}"),
            nameLocation="middle",
            nameGap=30,
            axisLabel=value_label(tr.lang),
            nameTextStyle={"color": MUTED, "fontSize": 13},
            **bounds,
        ),
        yAxis={
            "type": "category",
            "data": [run.name for run in runs],
            "inverse": True,
            "axisLabel": axis_label(interval=0, width=110, overflow="break", hideOverlap=False),
            "axisTick": {"show": False},
        },
        series=[
            {
                "type": "lines",
                "coordinateSystem": "cartesian2d",
                "silent": True,
                "data": whiskers,
                "lineStyle": {"color": INK, "width": 2, "opacity": 1},
            },
            {
                "type": "scatter",
                "symbolSize": 16,
                "itemStyle": {"color": LOAD_COLOR},
                "data": [
                    {
                        "value": [value, row],
                        "name": f"{run.name}: {text}",
                        "label": {
                            "show": True,
                            "position": "top",
                            "formatter": text,
                            "color": INK,
                            "fontSize": 13,
                        },
                    }
                    for row, (value, run, text) in enumerate(zip(values, runs, texts, strict=True))
                ],
            },
        ],
    )
    rows = tuple((run.name, text) for run, text in zip(runs, texts, strict=True))
    table = ChartTable(
        tr(f"community.compare_{criterion}"),
        (tr("community.rule"), tr(f"community.verdict_{criterion}")),
        rows,
    )
    sentence = "; ".join(f"{name}: {text}" for name, text in rows) + "."
    return RenderedChart(option, sentence, table)
