"""Load duration curve: power at one meter around all homes, sorted from highest to lowest."""

import numpy as np
import pandas as pd

from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Figure, LegendEntry, Table
from prosumax.viz.language import Language
from prosumax.viz.parts import json_numbers, meaning_line, value_axis
from prosumax.viz.primitives import line_chart
from prosumax.viz.theme import MUTED, Theme

_POINTS = 301
_TABLE_PERCENT = (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)


def data(result: Result) -> pd.DataFrame:
    """Return `share_percent` of the time and `net_kw`, from the highest to the lowest."""
    hours = result.scenario.period.step_hours
    net = np.sort(result.trajectory.record.flows.net_kwh.sum(1) / hours)[::-1]
    share = 100 * (np.arange(len(net)) + 0.5) / len(net)
    table = pd.DataFrame({"share_percent": share, "net_kw": net.astype(np.float64)})
    table.attrs |= {
        "hours": len(net) * hours,
        "peak_kw": result.kpis["peak_kw"],
        "peak_export_kw": result.kpis["peak_export_kw"],
        "reverse_flow_hours": result.kpis["reverse_flow_hours"],
    }
    return table


def sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe the highest import and export, and for how long the homes export."""
    facts = table.attrs
    text = f"Together the homes draw at most {language.power(facts['peak_kw'])} from the grid"
    if table["net_kw"].iloc[-1] < 0:
        text += f" and send at most {language.power(facts['peak_export_kw'])} to it. They send more"
        text += f" than they draw in {language.number(facts['reverse_flow_hours'])} of"
        text += f" {language.number(facts['hours'])} hours"
    return f"{text}."


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw import above zero and export below, over the share of the time."""
    net = table["net_kw"].to_numpy()
    picked = np.unique(np.linspace(0, len(net) - 1, _POINTS).round().astype(int))
    kw = net[picked]
    share = json_numbers(table["share_percent"].to_numpy()[picked], 2)
    imported = [list(point) for point in zip(share, json_numbers(kw.clip(min=0)), strict=True)]
    exported = [list(point) for point in zip(share, json_numbers(kw.clip(max=0)), strict=True)]
    meanings = theme.meanings
    series = [meaning_line(meanings["grid_import"], "from the grid", imported, 0.35)]
    if net[-1] < 0:
        series.append(meaning_line(meanings["grid_export"], "to the grid", exported, 0.45))
    label = {"formatter": "{value} %", "color": MUTED, "fontSize": theme.font_size}
    pointer = {"label": {"formatter": "{value} % of the time", "precision": 1}}
    option = line_chart(
        series,
        x=value_axis(theme, min=0, max=100, axisLabel=label, axisPointer=pointer),
        y=value_axis(theme, "kW"),
        theme=theme,
    )
    legend = [
        LegendEntry("grid_import", "drawn from the grid"),
        LegendEntry("grid_export", "sent to the grid"),
    ]
    return Figure(
        id="duration",
        wide=True,
        title="Load duration curve",
        summary=sentence(table, language),
        option=option,
        unit="kW",
        line_swatches=True,
        legend=legend[: len(series)],
        table=Table(
            "Power at one meter around all homes, kW; negative is sent to the grid",
            ["Share of the time at or above", "kW"],
            [
                [f"{q} %", language.number(net[round(q / 100 * (len(net) - 1))], 2)]
                for q in _TABLE_PERCENT
            ],
        ),
        note="One meter around all homes, its readings sorted from highest to lowest. Across: share"
        " of the time.",
    )


duration = Chart("duration", "Load duration curve", data, sentence, figure, section="duration")
"""Load duration curve of all homes together."""
