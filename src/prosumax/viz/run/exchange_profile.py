"""Import and export over the mean day, with and without exchange between the homes."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Figure, LegendEntry, Table
from prosumax.viz.compact import Band, Curve, Margins, axis_unit, day_axis, lines, number_axis
from prosumax.viz.language import Language
from prosumax.viz.parts import Values
from prosumax.viz.theme import Option, Theme

_SLOTS = 96

_LEGEND = {
    "bought_before": "dash-grid_import",
    "bought_after": "line-load",
    "from_neighbors": "area-pv",
    "sent_before": "dash-grid_import",
    "sent_after": "line-grid_export",
}
"""Swatch of each line, in the order of the legend and the table."""


def data(result: Result) -> pd.DataFrame:
    """Return the mean power of all homes by quarter-hour of the day, kW.

    Returns:
        `step`, `bought_before`, `bought_after`, `sent_before` and `sent_after`: import from and
        export to the grid without and with exchange.
    """
    local_time = result.profiles.local_index
    slot = (np.asarray(local_time.hour) * 60 + np.asarray(local_time.minute)) * 4 // 60
    flows = result.trajectory.record.flows
    local = result.trajectory.record.local
    kwh = {
        "bought_before": flows.import_kwh,
        "bought_after": np.float64(flows.import_kwh) - np.float64(local.bought_kwh),
        "sent_before": flows.export_kwh,
        "sent_after": np.float64(flows.export_kwh) - np.float64(local.sold_kwh),
    }
    hours = result.scenario.period.step_hours
    means = {
        name: _mean_power(np.asarray(values, np.float64), slot, hours)
        for name, values in kwh.items()
    }
    return pd.DataFrame({"step": range(_SLOTS), **means})


def _mean_power(kwh: Values, slot: NDArray[np.int64], step_hours: float) -> Values:
    """Return the mean power of all homes in each quarter-hour of the day, kW.

    A step longer than a quarter-hour gives its power to all of its quarter-hours.
    """
    total = np.maximum(kwh, 0).sum(1) / step_hours
    sums = np.bincount(slot, total, _SLOTS)
    counts = np.bincount(slot, minlength=_SLOTS)
    latest = np.maximum.accumulate(np.where(counts > 0, np.arange(_SLOTS), 0))
    return np.round(sums[latest] / np.maximum(counts[latest], 1), 4)


def sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe how much of the imported energy comes from neighbors."""
    before = table["bought_before"].sum() / 4
    shared = (table["bought_before"] - table["bought_after"]).sum() / 4
    return language(
        "exchange_profile.sentence", kwh=language.energy(shared), total=language.energy(before)
    )


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw import above and export below zero, with the exchanged energy between the lines."""
    names = {name: language(f"exchange_profile.{name}") for name in _LEGEND}
    return Figure(
        id="exchange-profile",
        title=language("exchange_profile.title"),
        summary=sentence(table, language),
        option=_option(table, theme, names),
        unit="kW",
        line_swatches=True,
        legend=[LegendEntry(swatch, names[name]) for name, swatch in _LEGEND.items()],
        table=_numbers(table, names, language),
    )


def _option(table: pd.DataFrame, theme: Theme, names: dict[str, str]) -> Option:
    imports = table["bought_after"]
    exports = -table["sent_after"]
    exchanged = (
        (names["from_neighbors"], imports, table["bought_before"] - imports),
        ("", exports, -table["sent_before"] - exports),
    )
    color = {name: style.color for name, style in theme.meanings.items()}
    bands = [
        Band(
            name, low.tolist(), height.round(4).tolist(), color["pv"], 0.45, "end", in_tooltip=False
        )
        for name, low, height in exchanged
    ]
    styles = {
        "bought_before": (table["bought_before"], color["grid_import"], "dashed"),
        "bought_after": (imports, color["load"], "solid"),
        "sent_before": (-table["sent_before"], color["grid_import"], "dotted"),
        "sent_after": (exports, color["grid_export"], "solid"),
    }
    curves = [
        Curve(names[name], kw.tolist(), line_color, 2.2, dash, step="end")
        for name, (kw, line_color, dash) in styles.items()
    ]
    unit = axis_unit(theme, "kW")
    return lines(
        curves,
        x=day_axis(theme, every_h=6, on_zero=False),
        y=number_axis(theme, unit, "kW"),
        margins=Margins(8, 16, 34 if unit else 12, 8),
        theme=theme,
        unit="kW",
        bands=bands,
    )


def _numbers(table: pd.DataFrame, names: dict[str, str], language: Language) -> Table:
    """Return the hourly means."""
    powers = table.assign(from_neighbors=table["bought_before"] - table["bought_after"])
    hourly = powers[list(names)].groupby(powers["step"] // 4).mean()
    rows = [
        [f"{hour:02d}:00", *(language.number(kw, 2) for kw in means)]
        for hour, means in enumerate(hourly.to_numpy().tolist())
    ]
    return Table(
        language("exchange_profile.caption"), [language("common.hour"), *names.values()], rows
    )


exchange_profile = Chart(
    "exchange_profile",
    "Import and export over the mean day, with and without exchange",
    data,
    sentence,
    figure,
)
"""Import and export over the mean day, with and without exchange."""
