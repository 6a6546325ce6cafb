"""Power over time: a mean day and the extreme weeks, of all homes together or of one."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import pandas as pd

from prosumax.errors import InputError
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Choice, Figure, LegendEntry, Table
from prosumax.viz.language import Language
from prosumax.viz.parts import (
    Values,
    category_axis,
    event_lines,
    hour_ticks,
    json_numbers,
    meaning_line,
    round_axis,
    value_axis,
)
from prosumax.viz.primitives import line_chart
from prosumax.viz.run.series import clock_labels, extreme_weeks, hourly_means, power_series
from prosumax.viz.text import day, days
from prosumax.viz.theme import Option, Theme

ALL_HOMES = ""
"""Value of the column `home` for all homes together."""

_CHOICE_POINTS = 120_000
"""Numbers in a page for the choice of homes; keeps it below a megabyte."""

_PERIOD = "period"
_SEASONS = {"summer": (6, 7, 8), "winter": (12, 1, 2)}
_AREAS = {"grid_import": 0.35, "grid_export": 0.45, "pv": 0.25}

Cut = dict[str, Values]
"""Power by flow, kW [step or hour, 1 + home]."""


def seasons(result: Result) -> list[dict[str, str]]:
    """Return the options of the mean days: summer and winter where the period has a day of both."""
    months = result.profiles.local_index.month
    hours = {
        name: np.isin(months, of).sum() * result.scenario.period.step_hours
        for name, of in _SEASONS.items()
    }
    names = list(_SEASONS) if min(hours.values()) >= 24 else [_PERIOD]
    return [{"season": name} for name in names]


def _mean_days(result: Result, season: str | None) -> dict[str, tuple[list[int], Cut]]:
    """Return hours and mean power of every season that is drawn beside the given one."""
    local = result.profiles.local_index
    powers = power_series(result)
    hour = np.asarray(local.hour)
    names = [options["season"] for options in seasons(result)]
    if season == _PERIOD:
        names = [_PERIOD]
    means = {}
    for name in names:
        months = _SEASONS.get(name)
        mask = np.ones(len(local), bool) if months is None else np.isin(local.month, months)
        cut = {flow: kw[mask] for flow, kw in powers.items()}
        means[name] = hourly_means(cut, hour[mask])
    return means


def mean_day_data(result: Result, season: str | None = None, by_home: bool = True) -> pd.DataFrame:
    """Return `time`, `home`, `flow` and `kw`: mean power by local hour.

    Args:
        result: Result of a run.
        season: `summer` or `winter`, where the period has a day of both, or `period` for all of
            it; the first that the report shows by default.
        by_home: Whether the table has every home beside all of them together.

    Raises:
        InputError: The period has no such season.
    """
    means = _mean_days(result, season)
    chosen = season or next(iter(means))
    if chosen not in means:
        raise InputError(
            "season", f"{chosen!r} is not in the period", f"Choose one of {', '.join(means)}."
        )
    hours, cut = means[chosen]
    names = [home["name"] for home in result.households]
    count = _choice_count(len(names), [cut for _, cut in means.values()]) if by_home else 1
    table = _tidy([f"{hour:02}:00" for hour in hours], cut, names[: count - 1])
    table.attrs |= {
        "season": chosen,
        "number": list(means).index(chosen),
        "seasons": len(means),
        "ticks": hour_ticks(hours),
        "bounds": _shared_bounds([cut for _, cut in means.values()], count),
    }
    return table


def mean_day_sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe when the load and the PV generation are highest."""
    labels, powers = _home_series(table, ALL_HOMES)
    load = powers["load"]
    pv = powers.get("pv", np.zeros(len(labels)))
    return language(
        "power.peak_load_pv" if pv.max() > 0 else "power.peak_load",
        hour=labels[int(load.argmax())],
        power=language.power(load.max()),
        pv_hour=labels[int(pv.argmax())],
        pv_power=language.power(pv.max()),
    )


def mean_day_figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw lines over the hours of the day."""
    labels, powers = _home_series(table, ALL_HOMES)
    season = language(f"power.{table.attrs['season']}")
    several = table.attrs["seasons"] > 1
    head = [language("common.hour"), *(language(f"power.{flow}") for flow in reversed(powers))]
    return Figure(
        id=f"day-{table.attrs['number']}",
        wide=not several,
        title=language("power.mean_day_season" if several else "power.mean_day", season=season),
        summary=mean_day_sentence(table, language),
        table=Table(
            language("power.mean_day_caption", season=season),
            head,
            [
                [label, *(language.number(kw[at], 2) for kw in reversed(powers.values()))]
                for at, label in enumerate(labels)
            ],
        ),
        note=language("power.mean_day_note"),
        **_drawing(table, labels, theme, language),
    )


def weeks(result: Result) -> list[dict[str, str]]:
    """Return the options of the weeks that the report shows."""
    return [{"week": name} for name in extreme_weeks(result) or ("whole",)]


def week_data(result: Result, week: str | None = None) -> pd.DataFrame:
    """Return `time`, `home`, `flow` and `kw` at the scenario's own step.

    Args:
        result: Result of a run.
        week: `sunniest`, `darkest`, `busiest`, `quietest` or, for a period without seven whole
            days, `whole`; the first that the report shows by default.
    """
    powers = power_series(result)
    spans = extreme_weeks(result) or {"whole": slice(0, len(result.profiles.local_index))}
    chosen = week or next(iter(spans))
    cuts = {name: {flow: kw[span] for flow, kw in powers.items()} for name, span in spans.items()}
    names = [home["name"] for home in result.households]
    count = _choice_count(len(names), list(cuts.values()))
    local = result.profiles.local_index[spans[chosen]]
    labels, ticks = clock_labels(local)
    table = _tidy(labels, cuts[chosen], names[: count - 1])
    table.attrs |= {
        "week": chosen,
        "dates": days(local[0], local[-1]),
        "days": [day(moment) for moment in local],
        "ticks": ticks,
        "step_hours": result.scenario.period.step_hours,
        "bounds": _shared_bounds(list(cuts.values()), count),
        "events": _events_between(result, local),
    }
    return table


def _events_between(result: Result, local: pd.DatetimeIndex) -> dict[int, str]:
    """Return what starts in some steps by position of the step."""
    wall_times = local.tz_localize(None)
    lines: dict[int, str] = {}
    for event in result.events:
        at = int(wall_times.searchsorted(pd.Timestamp(event["start"])))
        if wall_times[0] < pd.Timestamp(event["start"]) and at < len(local):
            homes = event["homes"]
            text = f"{homes[0]}: {event['what']}" if len(homes) == 1 else event["what"]
            lines[at] = f"{lines[at]}; {text}" if at in lines else text
    return lines


def week_sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe how much energy is used, generated, imported and exported."""
    _, powers = _home_series(table, ALL_HOMES)
    hours = table.attrs["step_hours"]
    total = {flow: float(kw.sum()) * hours for flow, kw in powers.items()}
    text = f"The homes use {language.energy(total['load'])}"
    if "pv" in total:
        text += f" and their panels make {language.energy(total['pv'])}"
    text += f"; {language.energy(total['grid_import'])} are bought from the grid"
    if "grid_export" in total:
        text += f" and {language.energy(-total['grid_export'])} sent to it"
    return f"{text}."


def week_figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw lines over the steps of a week."""
    labels, powers = _home_series(table, ALL_HOMES)
    name = table.attrs["week"]
    dates = table.attrs["dates"]
    moments = np.asarray(table.attrs["days"])
    starts = np.flatnonzero(np.append(True, moments[1:] != moments[:-1])).tolist()
    sums = {
        flow: np.add.reduceat(kw, starts) * table.attrs["step_hours"]
        for flow, kw in reversed(powers.items())
    }
    return Figure(
        id=f"week-{name}",
        wide=True,
        title=f"The whole period, {dates}" if name == "whole" else f"The {name} week, {dates}",
        summary=week_sentence(table, language),
        table=Table(
            f"All homes together, kWh per day, {dates}",
            ["Day", *(language(f"power.{flow}") for flow in sums)],
            [
                [moments[start], *(language.number(kwh[at], 1) for kwh in sums.values())]
                for at, start in enumerate(starts)
            ],
        ),
        **_drawing(table, labels, theme, language),
    )


def _tidy(times: Sequence[str], cut: Cut, homes: Sequence[str]) -> pd.DataFrame:
    """Return a row per home, flow and time; the first home is all of them together."""
    names = [ALL_HOMES, *homes]
    flows = list(cut)
    kw = np.stack([cut[flow][:, : len(names)].T for flow in flows], axis=1)  # [home, flow, time]
    return pd.DataFrame(
        {
            "time": np.tile(np.asarray(times, object), len(names) * len(flows)),
            "home": np.repeat(np.asarray(names, object), len(flows) * len(times)),
            "flow": np.tile(np.repeat(np.asarray(flows, object), len(times)), len(names)),
            "kw": kw.reshape(-1),
        }
    )


def _stacked(table: pd.DataFrame) -> tuple[list[str], list[str], list[str], Values]:
    """Return homes, flows, times and power [home, flow, time] of a table from `_tidy`."""
    first = table["home"] == ALL_HOMES
    flows = list(dict.fromkeys(table["flow"]))
    count = int((first & (table["flow"] == flows[0])).sum())
    kw = table["kw"].to_numpy().reshape(-1, len(flows), count)
    homes = table["home"].to_numpy()[:: len(flows) * count].tolist()
    return homes, flows, table["time"].to_numpy()[:count].tolist(), kw


def _home_series(table: pd.DataFrame, home: str) -> tuple[list[str], dict[str, Values]]:
    """Return the times, and the power of each flow of a home."""
    homes, flows, times, kw = _stacked(table)
    return times, dict(zip(flows, kw[homes.index(home)], strict=True))


class _Drawing(TypedDict):
    """Parts of a figure of lines over time."""

    option: Option
    unit: str
    line_swatches: bool
    legend: list[LegendEntry]
    choices: list[Choice]
    choice_label: str


def _drawing(table: pd.DataFrame, labels: list[str], theme: Theme, language: Language) -> _Drawing:
    """Return option, legend and choices of lines over time of all homes together."""
    homes, flows, _, kw = _stacked(table)
    bounds = table.attrs["bounds"]
    events = table.attrs.get("events")
    names = {flow: language(f"power.{flow}") for flow in flows}
    # PV is drawn over grid import and load over both; the tooltip lists them in reverse order.
    series = [
        meaning_line(theme.meanings[flow], names[flow], json_numbers(values), _AREAS.get(flow, 0))
        for flow, values in zip(flows, kw[0], strict=True)
    ]
    if events:
        series[0] |= {"markLine": event_lines(theme, events)}
    option = line_chart(
        series,
        x=category_axis(theme, labels, table.attrs["ticks"], boundaryGap=False),
        y=value_axis(theme, "kW", **bounds[0]),
        theme=theme,
        ticks=table.attrs["ticks"],
        narrow_series=[{"lineStyle": {"width": 1.2}} for _ in flows],
        reverse_tooltip=True,
    )
    choices = [
        Choice(home or language("common.all_homes"), _patch(values, ends))
        for home, values, ends in zip(homes, kw, bounds, strict=True)
    ]
    return {
        "option": option,
        "unit": "kW",
        "line_swatches": True,
        "legend": [LegendEntry(flow, names[flow]) for flow in reversed(flows)],
        "choices": choices,
        "choice_label": language("common.choose"),
    }


def _patch(kw: Values, bounds: dict[str, float]) -> Option:
    """Return what changes when another home is chosen: its series, and its own vertical axis."""
    return {
        "yAxis": dict(bounds),
        "series": [{"data": json_numbers(values)} for values in kw],
    }


def _choice_count(homes: int, cuts: Sequence[Cut]) -> int:
    """Return how many can be chosen from, all homes together included, within the page's budget."""
    points = sum(len(cut) * len(cut["load"]) for cut in cuts)
    return min(homes + 1, max(1, _CHOICE_POINTS // points)) if homes > 1 else 1


def _shared_bounds(cuts: Sequence[Cut], count: int) -> list[dict[str, float]]:
    """Return the vertical axis of each choice, over all charts that are read side by side."""
    low = np.min([kw[:, :count].min(0) for cut in cuts for kw in cut.values()], axis=0)
    high = np.max([kw[:, :count].max(0) for cut in cuts for kw in cut.values()], axis=0)
    return [round_axis(*ends) for ends in zip(low.tolist(), high.tolist(), strict=True)]


mean_day = Chart(
    "mean_day",
    "Power over a mean day",
    mean_day_data,
    mean_day_sentence,
    mean_day_figure,
    section="power",
    variants=seasons,
)
"""Mean power by local hour: load, PV generation, battery, energy shared, grid import and export."""

week = Chart(
    "week",
    "Power over the sunniest and the darkest week",
    week_data,
    week_sentence,
    week_figure,
    section="power",
    variants=weeks,
)
"""Power at the scenario's own step over an extreme week."""
