"""Lorenz curves: how evenly savings are shared under a few mechanisms, and one to choose."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from prosumax import metrics
from prosumax.viz.chart import Chart, Choice, Figure, LegendEntry, Table
from prosumax.viz.language import Language
from prosumax.viz.mechanisms.groups import MechanismGroup, listed
from prosumax.viz.parts import base_of, curve_line, value_axis
from prosumax.viz.primitives import line_chart
from prosumax.viz.text import CENT
from prosumax.viz.theme import INK, MUTED, Option, Theme

_MAX_CURVES = 5
_MAX_SYMBOLS = 21
"""Points of a curve up to which each has a symbol."""

_MARKS = (25, 50, 75)

Curve = list[list[float]]
"""Points: share of the homes and share of the savings, %."""


def data(groups: Sequence[MechanismGroup]) -> pd.DataFrame:
    """Return `mechanism`, `homes_percent` and `savings_percent` where something is saved."""
    parts = []
    labels = {}
    for group in groups:
        homes, savings = metrics.lorenz_curve(group.savings)
        if group.total_saving < CENT or len(group.savings) < 2:
            continue
        labels[group.label] = (group.short_label, listed([group]))
        parts.append(
            pd.DataFrame(
                {
                    "mechanism": group.label,
                    "homes_percent": np.round(100 * np.asarray(homes), 2),
                    "savings_percent": np.round(100 * np.asarray(savings), 2),
                }
            )
        )
    columns = ["mechanism", "homes_percent", "savings_percent"]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    table.attrs["labels"] = labels
    return table


def _curves(table: pd.DataFrame) -> dict[str, Curve]:
    return {
        str(mechanism): rows[["homes_percent", "savings_percent"]].to_numpy().tolist()
        for mechanism, rows in table.groupby("mechanism", sort=False)
    }


def _drawn(curves: dict[str, Curve]) -> list[str]:
    """Return a few mechanisms from the most to the least even."""
    by_evenness = sorted(curves, key=lambda name: -sum(y for _, y in curves[name]))
    spaced = np.linspace(0, len(by_evenness) - 1, _MAX_CURVES)
    return [by_evenness[at] for at in np.unique(spaced.round().astype(int))]


def sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe the share of the lower half of the homes under the most and least even mechanism."""
    curves = _curves(table)
    drawn = _drawn(curves)
    ends = list(dict.fromkeys((drawn[0], drawn[-1])))
    return _half_sentence(table, {name: curves[name] for name in ends}, language)


def _half_sentence(table: pd.DataFrame, curves: dict[str, Curve], language: Language) -> str:
    labels = table.attrs["labels"]
    parts = []
    for name, curve in curves.items():
        share = np.interp(50, [x for x, _ in curve], [y for _, y in curve])
        of_hundred = language.number(float(share))
        parts.append(language("lorenz.half", share=of_hundred, mechanism=labels[name][1]))
    return language("lorenz.sentence", parts=language.joined(parts))


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw the curves with the diagonal of equal shares; several mechanisms can be chosen from."""
    labels = table.attrs["labels"]
    curves = _curves(table)
    drawn = _drawn(curves)
    several = len(curves) > 1
    series = _series({name: curves[name] for name in drawn}, several, theme, language)
    lowest = min(y for curve in curves.values() for _, y in curve)
    bottom = 25 * math.floor(lowest / 25)
    homes = value_axis(
        theme,
        language("lorenz.axis_homes"),
        min=0,
        max=100,
        interval=25,
        nameLocation="middle",
        nameGap=28,
    )
    option = line_chart(
        series,
        x=homes,
        y=value_axis(theme, language("lorenz.axis"), min=bottom, max=100, interval=25),
        theme=theme,
        grid={"bottom": 28},
    )
    base_of(option)["tooltip"] |= {"order": "valueDesc"}
    legend = [
        LegendEntry("equal", language("lorenz.equal")),
        *(LegendEntry(f"curve-{at}", labels[name][0]) for at, name in enumerate(drawn)),
    ]
    if several:
        legend.append(LegendEntry("chosen", language("lorenz.chosen")))
    return Figure(
        id="lorenz",
        title=language("lorenz.title"),
        summary=sentence(table, language),
        option=option,
        unit="%",
        height_px=440,
        line_swatches=True,
        legend=legend,
        choices=_choices(table, curves, len(series), language) if several else (),
        choice_label=language("lorenz.choose"),
        table=_quartiles(curves, language),
        note=language("lorenz.note"),
    )


def _series(
    curves: dict[str, Curve], several: bool, theme: Theme, language: Language
) -> list[Option]:
    """Return the diagonal, the curves and, for several, an empty one for the reader's choice."""
    series: list[Option] = [
        {
            "type": "line",
            "name": language("lorenz.equal"),
            "data": [[0, 0], [100, 100]],
            "symbol": "none",
            "lineStyle": {"color": MUTED, "width": 1.5, "type": "solid"},
        },
        *(
            curve_line(style, name, curve, symbolSize=8 if len(curve) <= _MAX_SYMBOLS else 0)
            for (name, curve), style in zip(curves.items(), theme.curves, strict=False)
        ),
    ]
    if several:
        chosen: Option = {
            "type": "line",
            "name": language("lorenz.chosen"),
            "data": [],
            "symbol": "none",
            "lineStyle": {"color": INK, "width": 5, "opacity": 0.55},
        }
        series.append(chosen)
    return series


def _choices(
    table: pd.DataFrame, curves: dict[str, Curve], series: int, language: Language
) -> list[Choice]:
    """Return a choice without a further curve, and one per mechanism."""
    unchanged: list[Option] = [{} for _ in range(series - 1)]

    def patch(curve: Curve) -> Option:
        return {"series": [*unchanged, {"data": curve}]}

    return [
        Choice(language("lorenz.nothing"), patch([]), sentence(table, language)),
        *(
            Choice(name, patch(curve), _half_sentence(table, {name: curve}, language))
            for name, curve in curves.items()
        ),
    ]


def _quartiles(curves: dict[str, Curve], language: Language) -> Table:
    """Return what the quarters of the homes that save least save together."""
    rows = []
    for name, curve in curves.items():
        homes, savings = np.transpose(curve)
        shares = (float(np.interp(mark, homes, savings)) for mark in _MARKS)
        rows.append([name, *(language.number(share, 1) for share in shares)])
    head = [language("lorenz.head", mark=mark) for mark in _MARKS]
    return Table(language("lorenz.caption"), [language("lorenz.mechanism"), *head], rows)


lorenz = Chart(
    "lorenz",
    "How evenly savings are shared",
    data,
    sentence,
    figure,
    source="comparison",
    section="comparison",
)
"""Lorenz curves of the savings under the mechanisms of a comparison."""
