"""Charts for the curious, of training, and the comparison of kept runs."""

from collections.abc import Sequence
from typing import NamedTuple

from prosumax.web.charts.common import (
    BOUGHT,
    INK,
    QUIET,
    SENT,
    SUN,
    USE,
    Chart,
    Mark,
    Option,
    Table,
    amount_text,
    axis_text,
    base,
    tooltip,
    value_axis,
)
from prosumax.web.model.outcome import Outcome
from prosumax.web.model.translations import Words


def lorenz(words: Words, outcome: Outcome) -> Chart:
    """How evenly the savings are spread."""
    homes = len(outcome.names)
    points = outcome.lorenz or tuple(at / homes for at in range(homes + 1))
    data = [[round(100 * at / homes, 1), round(100 * share, 1)] for at, share in enumerate(points)]
    percent = amount_text(words.lang, "%")
    axis = {
        "type": "value",
        "min": 0,
        "max": 100,
        "axisLabel": percent,
        "nameTextStyle": {"color": QUIET},
    }
    option = base(
        grid={"left": 8, "right": 24, "top": 34, "bottom": 44, "containLabel": True},
        xAxis={**axis, "name": words("community.share_homes"), "nameLocation": "middle", "nameGap": 30},
        yAxis=value_axis(words("community.share_savings"), min=0, max=100, axisLabel=percent),
        series=[
            {
                "type": "line",
                "name": words("community.all_equal"),
                "data": [[0, 0], [100, 100]],
                "symbol": "none",
                "lineStyle": {"color": QUIET, "type": "dashed"},
            },
            {"type": "line", "name": words("community.savings"), "data": data, "lineStyle": {"color": USE, "width": 3},
             "itemStyle": {"color": USE}, "symbolSize": 8},
        ],
    )  # fmt: skip
    half = homes // 2
    share = points[half] if outcome.lorenz is not None else None
    if share is None:
        sentence = words("community.lorenz_none")
    else:
        sentence = words(
            "community.lorenz_sentence", n=half, m=homes, share=words.number(100 * share)
        )
    rows = tuple(
        (words.number(at), f"{words.number(x)} %", f"{words.number(y)} %")
        for at, (x, y) in enumerate(data)
    )
    head = (
        words("community.homes"),
        words("community.share_homes"),
        words("community.share_savings"),
    )
    marks = (
        Mark(words("community.savings"), "line", USE),
        Mark(words("community.all_equal"), "dash", QUIET),
    )
    return Chart(option, sentence, Table(words("community.lorenz_caption"), head, rows), marks)


def price(words: Words, outcome: Outcome) -> Chart:
    """What a neighbour's kWh costs by hour of the day, between what the grid pays and asks."""
    worth = outcome.retail - outcome.local_charges
    level: Option = {"type": "line", "symbol": "none"}
    hours = [words.time(hour) for hour in range(24)]
    levels = (
        (words("community.retail"), outcome.retail, BOUGHT, "dashed"),
        (words("community.worth"), worth, QUIET, "dotted"),
        (words("community.feed_in"), outcome.feed_in, SENT, "dashed"),
    )
    series = [
        {
            **level,
            "name": name,
            "data": [round(value, 4)] * 24,
            "lineStyle": {"color": colour, "type": kind, "width": 2},
            "itemStyle": {"color": colour},
        }
        for name, value, colour, kind in levels
    ]
    series.append(
        {
            **level,
            "name": words("community.price"),
            "step": "middle",
            "data": list(outcome.price),
            "lineStyle": {"color": USE, "width": 3},
            "itemStyle": {"color": USE},
        }
    )
    option = base(
        grid={"left": 8, "right": 16, "top": 34, "bottom": 8, "containLabel": True},
        tooltip=tooltip(words.lang, "€"),
        xAxis={"type": "category", "data": hours, "axisLabel": axis_text(interval=5)},
        yAxis=value_axis("", min=0, axisLabel=amount_text(words.lang, "€")),
        series=series,
    )
    known = [value for value in outcome.price if value is not None]
    if known and max(known) - min(known) < 0.005:
        sentence = words("community.price_same", price=words.price(known[0]))
    elif known:
        sentence = words(
            "community.price_sentence", low=words.price(min(known)), high=words.price(max(known))
        )
    else:
        sentence = words("community.price_none")
    rows = tuple(
        (hour, "–" if value is None else words.euro(value, 3))
        for hour, value in zip(hours, outcome.price, strict=True)
    )
    table = Table(
        words("community.price_caption"),
        (words("community.hour_of_day"), words("community.price")),
        rows,
    )
    marks = [Mark(name, "dash", colour) for name, _, colour, _ in levels]
    return Chart(option, sentence, table, (Mark(words("community.price"), "line", USE), *marks))


def learning(
    words: Words,
    rounds: Sequence[int],
    curve: Sequence[Sequence[float]],
    planned: int,
    what: str = "cost",
) -> Chart:
    """How agents learn: mean over tries, and the band between them.

    Arguments:
        rounds: at which it was looked at.
        curve: all bills per day by look and try.
        planned: rounds of the whole training.
        what: of `Spread.curve_of`.
    """
    low = [round(min(row), 4) for row in curve]
    high = [round(max(row), 4) for row in curve]
    mean = [round(sum(row) / len(row), 4) for row in curve]
    hidden: Option = {
        "type": "line",
        "symbol": "none",
        "stack": "band",
        "silent": True,
        "lineStyle": {"opacity": 0},
    }
    option = base(
        grid={"left": 8, "right": 16, "top": 34, "bottom": 44, "containLabel": True},
        xAxis={
            "type": "value",
            "min": 0,
            "max": planned,
            "name": words("community.rounds"),
            "nameLocation": "middle",
            "nameGap": 28,
            "axisLabel": axis_text(),
        },
        yAxis=value_axis(
            words("community.daily_bill" if what == "cost" else "community.daily_uneven"),
            scale=True,
            minInterval=0.01,  # labels have cents, and no two are the same
            axisLabel=amount_text(words.lang, "€"),
        ),
        series=[
            {**hidden, "data": [[at, value] for at, value in zip(rounds, low, strict=True)]},
            {
                **hidden,
                "name": words("community.tries"),
                "areaStyle": {"color": SUN, "opacity": 0.35},
                "data": [[at, round(b - a, 4)] for at, a, b in zip(rounds, low, high, strict=True)],
            },
            {
                "type": "line",
                "name": words("community.mean_tries"),
                "data": [[at, value] for at, value in zip(rounds, mean, strict=True)],
                "symbolSize": 6,
                "lineStyle": {"color": USE, "width": 3},
                "itemStyle": {"color": USE},
            },
        ],
    )
    rows = tuple(
        (words.number(at), words.euro(a), words.euro(m), words.euro(b))
        for at, a, m, b in zip(rounds, low, mean, high, strict=True)
    )
    head = tuple(words(f"community.{name}") for name in ("round", "lowest", "mean", "highest"))
    if mean:
        key = "community.curve_sentence" if what == "cost" else "community.uneven_sentence"
        sentence = words(key, first=words.euro(mean[0]), last=words.euro(mean[-1]))
    else:
        sentence = words("community.curve_waiting")
    marks = (
        Mark(words("community.mean_tries"), "line", USE),
        Mark(words("community.tries"), "area", SUN),
    )
    return Chart(option, sentence, Table(words("community.curve_caption"), head, rows), marks)


class Kept(NamedTuple):
    """A run that was kept: what it is called, what came out, and how it is told apart."""

    name: str
    outcome: Outcome
    key: str


def comparison(words: Words, kept: Sequence[Kept]) -> dict[str, Chart]:
    """Kept runs side by side, a chart each for cost, efficiency and fairness: rows of dots on an own axis."""
    savings = [sum(run.outcome.gain_cents) / 100 for run in kept]
    shares = [100 * (run.outcome.shared_share or 0.0) for run in kept]
    better = [float(sum(gain > 0 for gain in run.outcome.gain_cents)) for run in kept]
    cost_range = [_range(run.outcome, "saving") for run in kept]
    share_range = [_range(run.outcome, "share") for run in kept]
    most_homes = max((len(run.outcome.names) for run in kept), default=1)
    nothing = [None] * len(kept)
    counts = [
        words("community.n_of_m", n=int(n), m=len(run.outcome.names))
        for n, run in zip(better, kept, strict=True)
    ]
    return {
        "cost": _dots(words, kept, "cost", savings, cost_range, [words.euro(value) for value in savings], None),
        "efficiency": _dots(
            words, kept, "efficiency", shares, share_range,
            [words("community.of_hundred", n=words.number(value)) for value in shares], 100,
        ),
        "fairness": _dots(
            words, kept, "fairness", better, nothing, counts, most_homes,
        ),
    }  # fmt: skip


def comparison_sentence(words: Words, kept: Sequence[Kept]) -> str:
    """The best by savings against the second, and who pays for it; no total score."""
    if len(kept) < 2:
        return words("community.keep_another")
    ranked = sorted(kept, key=lambda run: -sum(run.outcome.gain_cents))
    first, second = ranked[0], ranked[1]
    more = (sum(first.outcome.gain_cents) - sum(second.outcome.gain_cents)) / 100
    if more < 0.005:
        said = words("community.compare_equal", first=first.name, second=second.name)
    else:
        said = words(
            "community.compare_more", first=first.name, second=second.name, amount=words.euro(more)
        )
    losers = [(run.name, run.outcome.losers) for run in kept if run.outcome.losers]
    if losers:
        name, n = max(losers, key=lambda entry: entry[1])
        said += " " + words("community.compare_lose", name=name, n=n)
    return said


def _range(outcome: Outcome, what: str) -> tuple[float, float] | None:
    spread = outcome.spread
    if spread is None:
        return None
    if what == "share":
        return 100 * min(spread.shared_share), 100 * max(spread.shared_share)
    saved = [alone - cost for alone, cost in zip(spread.cost_alone, spread.cost, strict=True)]
    return min(saved), max(saved)


def _dots(
    words: Words,
    kept: Sequence[Kept],
    what: str,
    values: Sequence[float],
    ranges: Sequence[tuple[float, float] | None],
    shown: Sequence[str],
    most: float | None,
) -> Chart:
    bound = {} if most is None else {"min": 0, "max": most}
    whiskers = [
        {"coords": [[low, at], [high, at]]}
        for at, pair in enumerate(ranges)
        if pair is not None
        for low, high in [pair]
    ]
    option = base(
        grid={"left": 8, "right": 30, "top": 8, "bottom": 48, "containLabel": True},
        tooltip={"renderMode": "richText", "confine": True, "trigger": "item", "formatter": "{b}"},
        xAxis=value_axis(
            words(f"community.better_{what}"), nameLocation="middle", nameGap=30, axisLabel=amount_text(words.lang),
            nameTextStyle={"color": QUIET, "fontSize": 13}, **bound,
        ),
        yAxis={
            "type": "category",
            "data": [run.name for run in kept],
            "inverse": True,
            "axisLabel": axis_text(interval=0, width=110, overflow="break", hideOverlap=False),
            "axisTick": {"show": False},
        },
        series=[
            {"type": "lines", "coordinateSystem": "cartesian2d", "silent": True, "data": whiskers,
             "lineStyle": {"color": INK, "width": 2, "opacity": 1}},
            {
                "type": "scatter",
                "symbolSize": 16,
                "itemStyle": {"color": USE},
                "data": [
                    {"value": [value, at], "name": f"{run.name}: {text}",
                     "label": {"show": True, "position": "top", "formatter": text, "color": INK, "fontSize": 13}}
                    for at, (value, run, text) in enumerate(zip(values, kept, shown, strict=True))
                ],
            },
        ],
    )  # fmt: skip
    rows = tuple((run.name, text) for run, text in zip(kept, shown, strict=True))
    table = Table(
        words(f"community.compare_{what}"),
        (words("community.rule"), words(f"community.verdict_{what}")),
        rows,
    )
    sentence = "; ".join(f"{run.name}: {text}" for run, text in zip(kept, shown, strict=True)) + "."
    return Chart(option, sentence, table)
