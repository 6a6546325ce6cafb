"""Loading and voltages of the network over the day."""

import numpy as np
import pandas as pd

from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Choice, Figure, LegendEntry, Table
from prosumax.viz.language import Language
from prosumax.viz.network.series import hourly_steps, network_series
from prosumax.viz.parts import (
    Values,
    base_of,
    category_axis,
    close_axis,
    curve_line,
    hour_ticks,
    json_numbers,
    limit_lines,
    round_axis,
    value_axis,
)
from prosumax.viz.primitives import line_chart
from prosumax.viz.theme import Option, Theme

_NEAR_LIMIT = 80.0
"""Loading in % from which the line at 100 % is drawn."""

_LOADING_STYLES = {
    ("line", "mean"): 0,
    ("line", "highest"): 1,
    ("transformer", "mean"): 4,
    ("transformer", "highest"): 3,
}
_VOLTAGE_STYLES = {"highest": 3, "median": 0, "lowest": 1}


def loading_data(result: Result) -> pd.DataFrame:
    """Return `hour`, `kind`, `statistic` and `percent`: loading of the most loaded branch."""
    columns = ["hour", "kind", "statistic", "percent"]
    network = network_series(result)
    if network is None or not len(network.steps):
        return pd.DataFrame(columns=columns)
    is_transformer = network.feeder.branches.is_transformer
    kinds = {"line": ~is_transformer & network.rated, "transformer": is_transformer & network.rated}
    hours, groups = hourly_steps(network)
    parts = []
    for kind, branches in kinds.items():
        if not branches.any():
            continue
        percent = 100 * network.loading[:, branches].max(1).astype(np.float64)
        for statistic, reduce in (("mean", np.mean), ("highest", np.max)):
            values = [float(reduce(percent[steps])) for steps in groups]
            parts.append(
                pd.DataFrame(
                    {"hour": hours, "kind": kind, "statistic": statistic, "percent": values}
                )
            )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _loading_curves(table: pd.DataFrame) -> dict[tuple[str, str], Values]:
    return {
        (str(kind), str(statistic)): rows["percent"].to_numpy(np.float64)
        for (kind, statistic), rows in table.groupby(["kind", "statistic"], sort=False)
    }


def _hours(table: pd.DataFrame) -> list[int]:
    hours: list[int] = table["hour"].drop_duplicates().tolist()
    return hours


def loading_sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe the hour at which the most loaded branch peaks, on average and at most."""
    labels = [f"{hour:02}:00" for hour in _hours(table)]
    curves = _loading_curves(table)
    parts = []
    for kind in ("line", "transformer"):
        if (kind, "mean") not in curves:
            continue
        mean = curves[kind, "mean"]
        peak = curves[kind, "highest"]
        at = int(mean.argmax())
        highest = int(peak.argmax())
        parts.append(
            f"The most loaded {kind} is loaded most at {labels[at]},"
            f" {language.percent(mean[at] / 100)} on average; the highest is"
            f" {language.percent(peak[highest] / 100)}, at {labels[highest]}."
        )
    return " ".join(parts)


def loading_figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw mean and highest loading by local hour."""
    hours = _hours(table)
    labels = [f"{hour:02}:00" for hour in hours]
    curves = _loading_curves(table)
    names = {key: f"most loaded {key[0]}, {key[1]}" for key in curves}
    styles = {key: _LOADING_STYLES[key] for key in curves}
    if ("line", "mean") not in curves:
        styles = dict(zip(curves, (4, 3), strict=True))
    highest = max(float(values.max()) for values in curves.values())
    near = highest >= _NEAR_LIMIT
    option = _over_the_day(
        hours,
        {names[key]: values for key, values in curves.items()},
        list(styles.values()),
        value_axis(theme, "%", **round_axis(0, max(highest, 100.0 if near else 0.0))),
        theme,
    )
    if near:
        base_of(option)["series"][0]["markLine"] = limit_lines(theme, {100: "100 %"})
    return Figure(
        id="feeder-day",
        title="Loading of the network over the day",
        summary=loading_sentence(table, language),
        option=option,
        unit="%",
        line_swatches=True,
        legend=[LegendEntry(f"curve-{styles[key]}", names[key]) for key in curves],
        table=Table(
            "Loading by local hour, %",
            ["Hour", *names.values()],
            [
                [label, *(language.number(values[at], 1) for values in curves.values())]
                for at, label in enumerate(labels)
            ],
        ),
        note="In every step the branch with the highest loading counts, wherever it is. 100 %: the"
        " highest continuous loading. Local time.",
    )


def voltage_data(result: Result) -> pd.DataFrame:
    """Return `hour`, `statistic` and `percent`: voltages of all buses, of nominal."""
    columns = ["hour", "statistic", "percent"]
    network = network_series(result)
    if network is None or not len(network.steps) or network.voltage is None:
        return pd.DataFrame(columns=columns)
    hours, groups = hourly_steps(network)
    quantiles = np.array([np.quantile(network.voltage[steps], [1, 0.5, 0]) for steps in groups])
    return pd.concat(
        [
            pd.DataFrame({"hour": hours, "statistic": statistic, "percent": 100 * values})
            for statistic, values in zip(
                ("highest", "median", "lowest"), quantiles.astype(np.float64).T, strict=True
            )
        ],
        ignore_index=True,
    )


def _voltage_curves(table: pd.DataFrame) -> dict[str, Values]:
    return {
        str(statistic): rows["percent"].to_numpy(np.float64)
        for statistic, rows in table.groupby("statistic", sort=False)
    }


def voltage_sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe the range of the voltages, and whether they stay in the band of ±10 %."""
    labels = [f"{hour:02}:00" for hour in _hours(table)]
    curves = _voltage_curves(table)
    lowest = curves["lowest"]
    highest = curves["highest"]
    low = float(lowest.min())
    high = float(highest.max())
    text = f"Voltages are between {language.percent(low / 100)} (at {labels[int(lowest.argmin())]})"
    text += f" and {language.percent(high / 100)} (at {labels[int(highest.argmax())]}) of nominal"
    if low >= 90 and high <= 110:
        return f"{text}, inside the band of ±10 %."
    return f"{text}; the band of ±10 % is left."


def voltage_figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw lowest, median and highest voltage by local hour."""
    hours = _hours(table)
    labels = [f"{hour:02}:00" for hour in hours]
    curves = _voltage_curves(table)
    low = float(curves["lowest"].min())
    high = float(curves["highest"].max())
    band = close_axis(min(low, 90.0), max(high, 110.0))
    option = _over_the_day(
        hours,
        curves,
        [_VOLTAGE_STYLES[name] for name in curves],
        value_axis(theme, "% of nominal", **band),
        theme,
    )
    limits: dict[float, str] = {90: "90 %", 110: "110 %"}
    base_of(option)["series"][0]["markLine"] = limit_lines(theme, limits)
    return Figure(
        id="feeder-voltage",
        title="Voltages over the day",
        summary=voltage_sentence(table, language),
        option=option,
        unit="%",
        line_swatches=True,
        legend=[LegendEntry(f"curve-{_VOLTAGE_STYLES[name]}", name) for name in curves],
        table=Table(
            "Voltage of all buses by local hour, % of nominal",
            ["Hour", *curves],
            [
                [label, *(language.number(values[at], 2) for values in curves.values())]
                for at, label in enumerate(labels)
            ],
        ),
        choices=[
            Choice("the whole band of EN 50160, ±10 %", {"yAxis": band}),
            Choice("close up", {"yAxis": close_axis(low, high)}),
        ],
        note="Over all buses and all steps of the hour, local time. EN 50160: within ±10 %, 95 % of"
        " each week.",
    )


def _over_the_day(
    hours: list[int],
    curves: dict[str, Values],
    styles: list[int],
    y: Option,
    theme: Theme,
) -> Option:
    ticks = hour_ticks(hours)
    series = [
        curve_line(theme.curves[style], name, json_numbers(values))
        for (name, values), style in zip(curves.items(), styles, strict=True)
    ]
    labels = [f"{hour:02}:00" for hour in hours]
    x = category_axis(theme, labels, ticks, boundaryGap=False)
    return line_chart(series, x=x, y=y, theme=theme)


loading_day = Chart(
    "loading_day",
    "Loading of the network over the day",
    loading_data,
    loading_sentence,
    loading_figure,
    section="network",
)
"""Loading of the most loaded line and transformer by local hour."""

voltage_day = Chart(
    "voltage_day",
    "Voltages over the day",
    voltage_data,
    voltage_sentence,
    voltage_figure,
    section="network",
)
"""Lowest, median and highest voltage of all buses by local hour."""
