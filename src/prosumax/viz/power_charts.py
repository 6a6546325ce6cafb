"""Charts of power over time: a mean day, two weeks, and how often how much is needed."""

import numpy as np

from prosumax.report import text
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Choice, Table
from prosumax.viz.series import Values, clock_labels, extreme_weeks, mean_day, plain
from prosumax.viz.theme import FAINT, Option, base, category_axis, line, nice_bounds, value_axis

_POINTS_TO_CHOOSE_FROM = (
    120_000  # numbers in the page for its choice of homes: keeps it below a megabyte
)
_DURATION_POINTS = 301
_ALL_HOMES = "All homes together"
_SEASONS = {"June to August": (6, 7, 8), "December to February": (12, 1, 2)}
_POWER_NAMES = {
    "bought": "bought from the grid",
    "sent": "sent to the grid (below zero)",
    "shared": "shared between neighbours",
    "sun": "made by panels",
    "battery": "battery (below zero: discharging)",
    "use": "used",
}
_AREAS = {"bought": 0.35, "sent": 0.45, "sun": 0.25}


def day_charts(result: Result, power: dict[str, Values]) -> list[Chart]:
    """The mean day by local hour: of summer and winter if the period has a day of both, else of all of it."""
    local, period = result.profiles.local, result.scenario.period
    masks = {name: np.isin(local.month, months) for name, months in _SEASONS.items()}
    if any(mask.sum() * period.step_hours < 24 for mask in masks.values()):
        masks = {"the whole period": np.ones(len(local), bool)}
    hour = np.asarray(local.hour)
    days = {
        name: mean_day({meaning: values[mask] for meaning, values in power.items()}, hour[mask])
        for name, mask in masks.items()
    }
    count = _subjects(
        len(result.households), sum(len(hours) * len(power) for hours, _ in days.values())
    )
    bounds = _shared_bounds([day for _, day in days.values()], count)
    charts = []
    for number, (season, (hours, day)) in enumerate(days.items()):
        labels = [f"{hour:02}:00" for hour in hours]
        table = Table(
            f"Mean power of all homes together by hour, kW, {season}",
            ["Hour", *(_POWER_NAMES[meaning] for meaning in reversed(day))],
            [
                [label, *(text.number(v[i, 0], 2) for v in reversed(day.values()))]
                for i, label in enumerate(labels)
            ],
        )
        use, sun = day["use"][:, 0], day.get("sun", np.zeros((len(hours), 1)))[:, 0]
        summary = f"On average the homes use most at {labels[int(use.argmax())]} ({text.power(use.max())})"
        if sun.max() > 0:
            summary += (
                f"; their panels make most at {labels[int(sun.argmax())]} ({text.power(sun.max())})"
            )
        charts.append(
            Chart(
                id=f"day-{number}",
                wide=len(days) == 1,
                title=f"A mean day, {season}" if len(days) > 1 else "A mean day",
                summary=f"{summary}.",
                option=_power_option(
                    labels,
                    [i for i, hour in enumerate(hours) if hour % 3 == 0] or [0],
                    day,
                    bounds[0],
                ),
                unit="kW",
                drawn_as="lines",
                key=[(meaning, _POWER_NAMES[meaning]) for meaning in reversed(day)],
                table=table,
                choices=_choices(result, day, bounds[:count]),
                note="Each point is the mean of the hour that begins there, local time.",
            )
        )
    return charts


def week_charts(result: Result, power: dict[str, Values]) -> list[Chart]:
    """The sunniest and the darkest week at the scenario's own step; all of a shorter period."""
    weeks = extreme_weeks(result) or {"whole": slice(0, len(result.profiles.local))}
    cut = {name: {m: values[week] for m, values in power.items()} for name, week in weeks.items()}
    count = _subjects(
        len(result.households), sum(len(week["use"]) * len(week) for week in cut.values())
    )
    bounds = _shared_bounds(list(cut.values()), count)
    hours, charts = result.scenario.period.step_hours, []
    for name, week in cut.items():
        local = result.profiles.local[weeks[name]]
        labels, ticks = clock_labels(local)
        dates = text.days(local[0], local[-1])
        total = {meaning: values[:, 0].sum() * hours for meaning, values in week.items()}
        summary = f"The homes use {text.energy(total['use'])}"
        if "sun" in total:
            summary += f" and their panels make {text.energy(total['sun'])}"
        summary += f"; {text.energy(total['bought'])} are bought from the grid"
        if "sent" in total:
            summary += f" and {text.energy(-total['sent'])} sent to it"
        charts.append(
            Chart(
                id=f"week-{name}",
                wide=True,
                title=f"The whole period, {dates}"
                if name == "whole"
                else f"The {name} week, {dates}",
                summary=f"{summary}.",
                option=_power_option(labels, ticks, week, bounds[0]),
                unit="kW",
                drawn_as="lines",
                key=[(meaning, _POWER_NAMES[meaning]) for meaning in reversed(week)],
                table=_daily_table(
                    result, weeks[name], week, f"All homes together, kWh per day, {dates}"
                ),
                choices=_choices(result, week, bounds[:count]),
            )
        )
    return charts


def duration_chart(result: Result) -> Chart:
    """The power at one meter around all homes, from the highest to the lowest."""
    hours, kpis = result.scenario.period.step_hours, result.kpis
    net = np.sort(result.trajectory.record.flows.net_kwh.sum(1) / hours)[::-1]
    picked = np.unique(np.linspace(0, len(net) - 1, _DURATION_POINTS).round().astype(int))
    kw, share = net[picked], 100 * (picked + 0.5) / len(net)
    bought = [[*point] for point in zip(plain(share, 2), plain(kw.clip(min=0)), strict=True)]
    sent = [[*point] for point in zip(plain(share, 2), plain(kw.clip(max=0)), strict=True)]
    series = [line("bought", "from the grid", bought, 0.35)]
    if net[-1] < 0:
        series.append(line("sent", "to the grid", sent, 0.45))
    option = base("axis") | {
        "xAxis": value_axis(
            min=0,
            max=100,
            axisLabel={"formatter": "{value} %", "color": FAINT, "fontSize": 13},
            axisPointer={"label": {"formatter": "{value} % of the time", "precision": 1}},
        ),
        "yAxis": value_axis("kW"),
        "series": series,
    }
    period_hours = len(net) * hours
    summary = f"Together the homes draw at most {text.power(kpis['peak_kw'])} from the grid"
    if net[-1] < 0:
        summary += f" and send at most {text.power(kpis['peak_export_kw'])} to it. They send more than they draw in "
        summary += f"{text.number(kpis['reverse_flow_hours'])} of {text.number(period_hours)} hours"
    marks = (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)
    at = [net[round(q / 100 * (len(net) - 1))] for q in marks]
    return Chart(
        id="duration",
        wide=True,
        title="How much power is needed, and how often",
        summary=f"{summary}.",
        option=option,
        unit="kW",
        drawn_as="lines",
        key=[("bought", "drawn from the grid"), ("sent", "sent to the grid")][: len(series)],
        table=Table(
            "Power at one meter around all homes, kW; negative is sent to the grid",
            ["Share of the time at or above", "kW"],
            [[f"{q} %", text.number(kw, 2)] for q, kw in zip(marks, at, strict=True)],
        ),
        note="One meter around all homes, its readings sorted from highest to lowest. Across: share of the time.",
    )


def _power_option(
    labels: list[str], ticks: list[int], power: dict[str, Values], bounds: tuple[float, float]
) -> Option:
    """Lines over time of all homes together."""
    # The sun is drawn over the grid and the use over both; the reader is told in the opposite order.
    thin = [{"lineStyle": {"width": 1.2}} for _ in power]
    frame = base(
        "axis", narrow={"xAxis": {"axisLabel": {"customValues": ticks[::2]}}, "series": thin}
    )
    frame["baseOption"] |= {
        "tooltip": frame["baseOption"]["tooltip"] | {"order": "seriesDesc"},
        "xAxis": category_axis(labels, ticks, boundaryGap=False),
        "yAxis": value_axis("kW", min=bounds[0], max=bounds[1]),
        "series": [
            line(meaning, _POWER_NAMES[meaning], plain(values[:, 0]), _AREAS.get(meaning, 0))
            for meaning, values in power.items()
        ],
    }
    return frame


def _choices(
    result: Result, power: dict[str, Values], bounds: list[tuple[float, float]]
) -> list[Choice]:
    """All homes together and as many homes as there are bounds, each with its own y axis."""
    names = [_ALL_HOMES, *(home["name"] for home in result.households)]
    return [
        Choice(
            name,
            {
                "yAxis": {"min": low, "max": high},
                "series": [{"data": plain(values[:, i])} for values in power.values()],
            },
        )
        for i, (name, (low, high)) in enumerate(zip(names, bounds, strict=False))
    ]


def _subjects(homes: int, points: int) -> int:
    """How many can be chosen from, all homes together among them, when each takes so many points."""
    return min(homes + 1, max(1, _POINTS_TO_CHOOSE_FROM // points)) if homes > 1 else 1


def _shared_bounds(cuts: list[dict[str, Values]], count: int) -> list[tuple[float, float]]:
    """The y axis of each choice, over all charts that are read side by side."""
    low = np.min([values[:, :count].min(0) for cut in cuts for values in cut.values()], axis=0)
    high = np.max([values[:, :count].max(0) for cut in cuts for values in cut.values()], axis=0)
    return [nice_bounds(*ends) for ends in zip(low.tolist(), high.tolist(), strict=True)]


def _daily_table(result: Result, week: slice, power: dict[str, Values], caption: str) -> Table:
    local, hours = result.profiles.local[week], result.scenario.period.step_hours
    starts = np.flatnonzero(np.append(True, np.diff(local.dayofyear) != 0)).tolist()
    sums = {
        meaning: np.add.reduceat(values[:, 0], starts) * hours
        for meaning, values in reversed(power.items())
    }
    rows = [
        [text.day(local[start]), *(text.number(kwh[i], 1) for kwh in sums.values())]
        for i, start in enumerate(starts)
    ]
    return Table(caption, ["Day", *(_POWER_NAMES[meaning] for meaning in sums)], rows)
