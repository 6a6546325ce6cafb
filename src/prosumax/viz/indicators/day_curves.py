"""Indicators over the day, a curve per run, and dashboards of several of them."""

import math
from collections.abc import Mapping, Sized
from typing import NamedTuple

import numpy as np
import pandas as pd

from prosumax.errors import InputError
from prosumax.viz.chart import Chart, Figure, LegendEntry, Table
from prosumax.viz.indicators.indicators import (
    DASHBOARDS,
    INDICATORS,
    Indicator,
    Runs,
    hourly_values,
    overall_value,
    unit_text,
    values_per_seed,
)
from prosumax.viz.language import ENGLISH, Language
from prosumax.viz.parts import Values, category_axis, curve_line, optional_numbers, value_axis
from prosumax.viz.primitives import line_chart
from prosumax.viz.theme import THEME, Option, Theme

HOURS = [f"{hour:02}:00" for hour in range(24)]
_PANEL_PX = 230
_DECIMALS = 5
_NAMED = 3  # runs that a sentence can name one by one


class Dashboard(NamedTuple):
    """Several small figures of the same runs, with their values over the whole period.

    Attributes:
        id: Identifier of the element, unique in the page.
        title: Heading.
        summary: One sentence below it.
        legend: One entry per run; empty for a single run.
        panels: One figure per indicator.
        table: Every indicator of every run.
        note: Small print.
    """

    id: str
    title: str
    summary: str
    legend: tuple[LegendEntry, ...]
    panels: tuple[Figure, ...]
    table: Table
    note: str = ""


def data(runs: Runs, indicator: str = "p2p_ratio") -> pd.DataFrame:
    """Return `run`, `hour` and `value`: an indicator by local hour, mean over days and seeds.

    Args:
        runs: Summary series by run.
        indicator: One of `INDICATORS`.

    Raises:
        InputError: There is no such indicator.
    """
    if indicator not in INDICATORS:
        raise InputError(
            "indicator", f"{indicator!r} does not exist", f"Choose one of {', '.join(INDICATORS)}."
        )
    definition = INDICATORS[indicator]
    table = pd.concat(
        [
            pd.DataFrame({"run": run, "hour": range(24), "value": hourly_values(seeds, definition)})
            for run, seeds in runs.items()
        ],
        ignore_index=True,
    )
    table.attrs |= {
        "indicator": indicator,
        "unit": unit_text(runs, definition),
        "period": {run: overall_value(seeds, definition) for run, seeds in runs.items()},
        "seeds": {run: values_per_seed(seeds, definition).tolist() for run, seeds in runs.items()},
    }
    return table


def _curves(table: pd.DataFrame) -> dict[str, Values]:
    """Return the 24 values of every run."""
    values = table["value"].to_numpy().reshape(-1, 24)
    return dict(zip((str(run) for run in table["run"].iloc[::24]), values, strict=True))


def sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe the value of each run over the period; of a single run also its highest hour."""
    period: Mapping[str, float] = table.attrs["period"]
    unit = table.attrs["unit"]
    digits = INDICATORS[table.attrs["indicator"]].digits
    if len(period) > 1:
        return _runs_sentence(table, language)
    (values,) = _curves(table).values()
    if not np.isfinite(values).any():
        return "It is undefined here."
    ((_, total),) = period.items()
    highest = int(np.nanargmax(values))
    return (
        f"{_number(total, digits, language)} {unit} over the whole period; highest at"
        f" {HOURS[highest]}, {_number(values[highest], digits, language)} {unit}."
    )


def _runs_sentence(table: pd.DataFrame, language: Language) -> str:
    seeds: Mapping[str, list[float]] = table.attrs["seeds"]
    unit = table.attrs["unit"]
    digits = INDICATORS[table.attrs["indicator"]].digits
    if len(seeds) <= _NAMED:
        named = [
            f"{run} {_with_deviation(np.asarray(values), digits, language)}"
            for run, values in seeds.items()
        ]
        count = max(len(values) for values in seeds.values())
        spread = f" (mean ± standard deviation over {count} seeds)" if count > 1 else ""
        return f"Over the whole period, {unit}: {language.joined(named)}{spread}."
    known = {run: value for run, value in table.attrs["period"].items() if math.isfinite(value)}
    if not known:
        return "It is undefined here."
    ends = [end(known, key=known.__getitem__) for end in (min, max)]
    low, high = (f"{_number(known[run], digits, language)} ({run})" for run in ends)
    return f"Over the whole period between {low} and {high} {unit}."


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw a curve per run."""
    name = table.attrs["indicator"]
    indicator = INDICATORS[name]
    unit = table.attrs["unit"]
    curves = _curves(table)
    period = table.attrs["period"].values()
    rows = [
        [hour, *(_number(values[at], indicator.digits, language) for values in curves.values())]
        for at, hour in enumerate(HOURS)
        if any(math.isfinite(values[at]) for values in curves.values())
    ]
    return Figure(
        id=f"day-curve-{name.replace('_', '-')}",
        wide=True,
        title=f"{indicator.label} over the day ({unit})",
        summary=sentence(table, language),
        option=_option(curves, unit, theme),
        unit=unit,
        height_px=340,
        line_swatches=True,
        legend=_legend(curves, theme),
        table=Table(
            f"{indicator.label} by local hour, {unit}",
            [language("common.hour"), *curves],
            rows,
            [
                language("common.all"),
                *(_number(value, indicator.digits, language) for value in period),
            ],
        ),
        note=f"{_capitalized(indicator.definition)}. Mean of each local hour over all days."
        f"{_runs_note(table.attrs['seeds'], theme)}",
    )


day_curve = Chart(
    "day_curve",
    "An indicator over the day",
    data,
    sentence,
    figure,
    source="runs",
)
"""An indicator by local hour, a curve per run (MARLEM, section 3.8, figures 5 and 6)."""


def dashboard(
    runs: Runs, name: str, *, theme: Theme = THEME, language: Language = ENGLISH
) -> Dashboard:
    """Return a dashboard of section 3.8 of MARLEM: a panel per indicator, a curve per run.

    Args:
        runs: Summary series by run; of more than seven the first seven are drawn, the table has
            all.
        name: `stability`, `economy`, `resources` or `operator`.
        theme: Colors, dashes and fonts.
        language: Language of number formats.

    Raises:
        InputError: There is no such dashboard.
    """
    if name not in DASHBOARDS:
        raise InputError(
            "dashboard", f"{name!r} does not exist", f"Choose one of {', '.join(DASHBOARDS)}."
        )
    spec = DASHBOARDS[name]
    tables = [data(runs, indicator) for indicator in spec.indicators]
    shown = [table for table in tables if np.nan_to_num(table["value"].to_numpy()).any()]
    head = ["Indicator", *(runs if len(runs) > 1 else ["value"])]
    return Dashboard(
        f"board-{name}",
        spec.title,
        spec.lead,
        tuple(_legend(runs, theme)),
        tuple(_panel(name, table, theme) for table in shown),
        Table(
            f"{spec.title}, whole period", head, [_total_row(table, language) for table in shown]
        ),
        _runs_note(runs, theme),
    )


def _panel(board: str, table: pd.DataFrame, theme: Theme) -> Figure:
    name = table.attrs["indicator"]
    indicator = INDICATORS[name]
    return Figure(
        id=f"board-{board}-{name.replace('_', '-')}",
        title=f"{indicator.label} ({table.attrs['unit']})",
        summary=f"{_capitalized(indicator.definition)}.",
        option=_option(_curves(table), "", theme),
        unit=table.attrs["unit"],
        height_px=_PANEL_PX,
        line_swatches=True,
    )


def _total_row(table: pd.DataFrame, language: Language) -> list[str]:
    indicator: Indicator = INDICATORS[table.attrs["indicator"]]
    values = table.attrs["period"].values()
    return [
        f"{indicator.label}, {table.attrs['unit']}",
        *(_number(value, indicator.digits, language) for value in values),
    ]


def _option(curves: Mapping[str, Values], name: str, theme: Theme) -> Option:
    known = [at for at in range(24) if any(math.isfinite(v[at]) for v in curves.values())]
    hours = range(known[0], known[-1] + 1) if known else range(24)
    ticks = [at - hours[0] for at in hours if at % 3 == 0] or [0]
    series = [
        curve_line(
            style,
            run,
            optional_numbers(values[list(hours)], _DECIMALS),
            symbolSize=7 if len(curves) > 1 else 5,
            showAllSymbol=True,
        )
        for (run, values), style in zip(curves.items(), theme.curves, strict=False)
    ]
    return line_chart(
        series,
        x=category_axis(theme, [HOURS[at] for at in hours], ticks, boundaryGap=len(hours) == 1),
        y=value_axis(
            theme,
            name,
            splitNumber=4,
            scale=_far_from_zero(curves),
            minInterval=_min_interval(curves),
        ),
        theme=theme,
        ticks=ticks,
        grid=None if name else {"top": 14},
    )


def _far_from_zero(curves: Mapping[str, Values]) -> bool:
    """Return whether an axis from zero would hide the shape, as for prices and voltages."""
    values = np.concatenate([values[np.isfinite(values)] for values in curves.values()])
    return bool(len(values)) and float(np.ptp(values)) < 0.5 * float(np.abs(values).min())


def _min_interval(curves: Mapping[str, Values]) -> float:
    """Return a distance of ticks that their labels can tell apart."""
    finite = [np.abs(values[np.isfinite(values)]) for values in curves.values()]
    highest = max((float(values.max()) for values in finite if len(values)), default=0.0)
    return 0.01 if highest >= 1 else 0.0001


def _legend(runs: Mapping[str, object], theme: Theme) -> list[LegendEntry]:
    if len(runs) < 2:
        return []
    return [
        LegendEntry(f"curve-{at}", run) for at, run in enumerate(list(runs)[: len(theme.curves)])
    ]


def _with_deviation(values: Values, digits: int, language: Language) -> str:
    known = values[np.isfinite(values)]
    if not len(known):
        return language.number(None)
    mean = language.number(float(known.mean()), digits)
    if len(known) < 2:
        return mean
    return f"{mean} ± {language.number(float(known.std(ddof=1)), digits)}"


def _runs_note(runs: Mapping[str, Sized], theme: Theme) -> str:
    seeds = max(len(each) for each in runs.values())
    note = f" Over all {seeds} seeds." if seeds > 1 else ""
    if len(runs) > len(theme.curves):
        note += f" Only the first {len(theme.curves)} of {len(runs)} are drawn; the table has all."
    return note


def _number(value: float, digits: int, language: Language) -> str:
    return language.number(value if math.isfinite(value) else None, digits)


def _capitalized(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
