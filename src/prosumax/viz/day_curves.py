"""Measures over the day, a curve per run, and dashboards of several of them."""

import math
from typing import NamedTuple

import numpy as np

from prosumax.errors import InputError
from prosumax.report import text
from prosumax.report.metrics import (
    DASHBOARDS,
    INDICATORS,
    Indicator,
    Runs,
    hourly_values,
    overall_value,
    values_per_seed,
    unit_text,
)
from prosumax.viz.chart import Chart, Table
from prosumax.viz.series import Values, plain
from prosumax.viz.theme import LINES, Option, base, category_axis, value_axis

HOURS = [f"{hour:02}:00" for hour in range(24)]
_PANEL_PX = 230
_DECIMALS = 5  # in the page
_TOLD = 3  # runs that a sentence can name one by one


class Dashboard(NamedTuple):
    """Several small charts of the same runs, and all their figures over the whole period.

    Attributes:
        id: of the element, unique in the page.
        title, summary: a heading, and what one reads from it.
        key: meaning and label of each run, for the key above the panels; empty for a single run.
        panels: one chart per measure.
        table: every measure of every run.
        note: small print.
    """

    id: str
    title: str
    summary: str
    key: tuple[tuple[str, str], ...]
    panels: tuple[Chart, ...]
    table: Table
    note: str = ""


def day_curve(runs: Runs, measure: str) -> Chart:
    """A measure by local hour, mean over days and seeds; a curve per run.

    Arguments:
        runs: from `traces`; of more than seven the first seven are drawn, the table has all.
        measure: one of `MEASURES`.

    Raises:
        InputError: there is no such measure.
    """
    if measure not in INDICATORS:
        raise InputError("measure", f"{measure!r} is not known", f"One of {', '.join(INDICATORS)}.")
    what = INDICATORS[measure]
    curves = {name: hourly_values(seeds, what) for name, seeds in runs.items()}
    table = Table(
        f"{what.label} by local hour, {unit_text(runs, what)}",
        ["Hour", *curves],
        [
            [hour, *(_text(values[at], what.digits) for values in curves.values())]
            for at, hour in enumerate(HOURS)
            if any(math.isfinite(values[at]) for values in curves.values())
        ],
        ["All", *(_text(overall_value(seeds, what), what.digits) for seeds in runs.values())],
    )
    return Chart(
        id=f"day-curve-{measure.replace('_', '-')}",
        wide=True,
        title=f"{what.label} over the day ({unit_text(runs, what)})",
        summary=_sentence(runs, what, curves),
        option=_option(curves, unit_text(runs, what)),
        unit=unit_text(runs, what),
        height_px=340,
        drawn_as="lines",
        key=_key(runs),
        table=table,
        note=_note(runs, what),
    )


def dashboard(runs: Runs, board: str) -> Dashboard:
    """A dashboard of section 3.8 of MARLEM: a panel per measure, by local hour, a curve per run.

    Arguments:
        runs: from `traces`; of more than seven the first seven are drawn, the table has all.
        board: `stability`, `economy`, `resources` or `operator`.

    Raises:
        InputError: there is no such dashboard.
    """
    if board not in DASHBOARDS:
        raise InputError("dashboard", f"{board!r} is not known", f"One of {', '.join(DASHBOARDS)}.")
    shown = DASHBOARDS[board]
    panels, rows = [], []
    for name in shown.indicators:
        what = INDICATORS[name]
        totals = {run: overall_value(seeds, what) for run, seeds in runs.items()}
        curves = {run: hourly_values(seeds, what) for run, seeds in runs.items()}
        if not any(np.nan_to_num(values).any() for values in curves.values()):
            continue
        rows.append(
            [
                f"{what.label}, {unit_text(runs, what)}",
                *(_text(total, what.digits) for total in totals.values()),
            ]
        )
        panels.append(
            Chart(
                id=f"board-{board}-{name.replace('_', '-')}",
                title=f"{what.label} ({unit_text(runs, what)})",
                summary=f"{what.definition[:1].upper()}{what.definition[1:]}.",
                option=_option(curves, ""),
                unit=unit_text(runs, what),
                height_px=_PANEL_PX,
                drawn_as="lines",
            )
        )
    head = ["Indicator", *(runs if len(runs) > 1 else ["value"])]
    return Dashboard(
        f"board-{board}",
        shown.title,
        shown.lead,
        tuple(_key(runs)),
        tuple(panels),
        Table(f"{shown.title}, whole period", head, rows),
        _several(runs),
    )


def _option(curves: dict[str, Values], name: str) -> Option:
    known = [at for at in range(24) if any(math.isfinite(values[at]) for values in curves.values())]
    hours = range(known[0], known[-1] + 1) if known else range(24)
    ticks = [at - hours[0] for at in hours if at % 3 == 0] or [0]
    frame = base("axis", narrow={"xAxis": {"axisLabel": {"customValues": ticks[::2]}}}, wide={})
    frame["media"][1]["option"] = {"xAxis": {"axisLabel": {"customValues": ticks}}}
    frame["baseOption"] |= {
        "xAxis": category_axis([HOURS[at] for at in hours], ticks, boundaryGap=len(hours) == 1),
        "yAxis": value_axis(
            name, splitNumber=4, scale=_far_from_zero(curves), minInterval=_finest(curves)
        ),
        "series": [
            {
                "type": "line",
                "name": run,
                "data": [
                    None if math.isnan(v) else v for v in plain(values[list(hours)], _DECIMALS)
                ],
                "symbol": look.symbol,
                "symbolSize": 7 if len(curves) > 1 else 5,
                "showAllSymbol": True,
                "lineStyle": {"color": look.colour, "width": 2, "type": look.dash or "solid"},
                "itemStyle": {"color": look.colour},
            }
            for (run, values), look in zip(curves.items(), LINES, strict=False)
        ],
    }
    if name:
        frame["baseOption"]["yAxis"]["nameTextStyle"] |= {"align": "left"}
    else:
        frame["baseOption"]["grid"] |= {"top": 14}
    return frame


def _far_from_zero(curves: dict[str, Values]) -> bool:
    """Whether an axis from zero would hide the shape (prices, voltages)."""
    values = np.concatenate([values[np.isfinite(values)] for values in curves.values()])
    return bool(len(values)) and float(np.ptp(values)) < 0.5 * float(np.abs(values).min())


def _finest(curves: dict[str, Values]) -> float:
    """Ticks closer than their labels can tell would all look the same."""
    highest = max(
        (float(np.nanmax(np.abs(v))) for v in curves.values() if np.isfinite(v).any()), default=0.0
    )
    return 0.01 if highest >= 1 else 0.0001


def _key(runs: Runs) -> list[tuple[str, str]]:
    names = list(runs)[: len(LINES)]
    return [(f"curve-{at}", name) for at, name in enumerate(names)] if len(runs) > 1 else []


def _sentence(runs: Runs, what: Indicator, curves: dict[str, Values]) -> str:
    """The whole period of each run; of a single one also its highest hour."""
    shown = unit_text(runs, what)
    if len(runs) > 1:
        seeds = max(len(each) for each in runs.values())
        told = [f"{name} {_with_spread(values_per_seed(each, what), what)}" for name, each in runs.items()]
        if len(told) > _TOLD:
            totals = {name: overall_value(each, what) for name, each in runs.items()}
            known = {name: total for name, total in totals.items() if math.isfinite(total)}
            if not known:
                return "It means nothing here."
            ends = [end(known, key=known.__getitem__) for end in (min, max)]
            low, high = (f"{_text(known[name], what.digits)} ({name})" for name in ends)
            return f"Over the whole period between {low} and {high} {shown}."
        spread = f" (mean ± standard deviation over {seeds} seeds)" if seeds > 1 else ""
        return f"Over the whole period, {shown}: {text.joined(told)}{spread}."
    ((_, seeds_of),), ((_, values),) = runs.items(), curves.items()
    if not np.isfinite(values).any():
        return "It means nothing here."
    most = int(np.nanargmax(values))
    return (
        f"{_text(overall_value(seeds_of, what), what.digits)} {shown} over the whole period; highest at {HOURS[most]},"
        f" {_text(values[most], what.digits)} {shown}."
    )


def _with_spread(values: Values, what: Indicator) -> str:
    known = values[np.isfinite(values)]
    if not len(known):
        return "–"
    said = text.number(float(known.mean()), what.digits)
    return (
        said if len(known) < 2 else f"{said} ± {text.number(float(known.std(ddof=1)), what.digits)}"
    )


def _note(runs: Runs, what: Indicator) -> str:
    several = _several(runs)
    return f"{what.definition[:1].upper()}{what.definition[1:]}. Mean of each local hour over all days.{several}"


def _several(runs: Runs) -> str:
    seeds, more = max(len(each) for each in runs.values()), len(runs) - len(LINES)
    said = f" Over all {seeds} seeds." if seeds > 1 else ""
    return said + (
        f" Only the first {len(LINES)} of {len(runs)} are drawn; the table has all."
        if more > 0
        else ""
    )


def _text(value: float, digits: int) -> str:
    return text.number(value if math.isfinite(value) else None, digits)
