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

_NONE = "nothing else"
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
    """Say what the half of the homes that saves least gets under the most and least even."""
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
        parts.append(f"{of_hundred} of every 100 saved under {labels[name][1]}")
    return f"The half of the homes that saves least gets {language.joined(parts)}."


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw the curves with the diagonal of equal shares."""
    labels = table.attrs["labels"]
    curves = _curves(table)
    drawn = _drawn(curves)
    lowest = min(y for curve in curves.values() for _, y in curve)
    series: list[Option] = [
        {
            "type": "line",
            "name": "equal shares",
            "data": [[0, 0], [100, 100]],
            "symbol": "none",
            "lineStyle": {"color": MUTED, "width": 1.5, "type": "solid"},
        },
        *(
            curve_line(
                style,
                name,
                curves[name],
                symbolSize=8 if len(curves[name]) <= _MAX_SYMBOLS else 0,
            )
            for name, style in zip(drawn, theme.curves, strict=False)
        ),
        {
            "type": "line",
            "name": "the mechanism you choose",
            "data": [],
            "symbol": "none",
            "lineStyle": {"color": INK, "width": 5, "opacity": 0.55},
        },
    ]
    bottom = 25 * math.floor(lowest / 25)
    option = line_chart(
        series,
        x=value_axis(theme, min=0, max=100, interval=25),
        y=value_axis(theme, "share of the savings, %", min=bottom, max=100, interval=25),
        theme=theme,
    )
    base_of(option)["tooltip"] |= {"order": "valueDesc"}
    unchanged: list[Option] = [{} for _ in series[:-1]]

    def chosen(curve: Curve) -> Option:
        return {"series": [*unchanged, {"data": curve}]}

    summary = sentence(table, language)
    return Figure(
        id="lorenz",
        title="How evenly the savings are shared",
        summary=summary,
        option=option,
        unit="%",
        height_px=440,
        line_swatches=True,
        legend=[
            LegendEntry("equal", "every home saves the same"),
            *(LegendEntry(f"curve-{at}", labels[name][0]) for at, name in enumerate(drawn)),
            LegendEntry("chosen", "the mechanism you choose"),
        ],
        choices=[
            Choice(_NONE, chosen([]), summary),
            *(
                Choice(name, chosen(curve), _half_sentence(table, {name: curve}, language))
                for name, curve in curves.items()
            ),
        ],
        choice_label="Show also",
        table=Table(
            "What these homes save together, of every 100 saved",
            ["Mechanism", *(f"the {mark} % that save least" for mark in _MARKS)],
            [
                [
                    name,
                    *(
                        language.number(float(np.interp(mark, *np.transpose(curve))), 1)
                        for mark in _MARKS
                    ),
                ]
                for name, curve in curves.items()
            ],
        ),
        note="Across: homes, from the one that saves least to the one that saves most. Up: what"
        " they save together, of every 100 saved. A curve below zero: some homes lose.",
    )


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
