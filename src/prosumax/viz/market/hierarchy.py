"""Hierarchical pricing: energy, prices and emissions of a run with microgrids, by level."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Figure, Table
from prosumax.viz.language import Language
from prosumax.viz.parts import (
    Values,
    category_axis,
    curve_line,
    hour_ticks,
    optional_numbers,
    value_axis,
)
from prosumax.viz.primitives import line_chart, sankey
from prosumax.viz.theme import CATEGORIES, INK, Option, Theme

_GRID = "the grid"
_MIN_SHARE = 1e-4
"""Flows below this share of all energy are in the table but not drawn."""

_MAX_CURVES = 12  # microgrids with a price curve of their own
_NAMED = 4  # microgrids that a sentence names


def flows_data(result: Result) -> pd.DataFrame:
    """Return `source`, `target` and `kwh` between microgrids and the grid; empty without levels."""
    levels = result.hierarchy
    columns = ["source", "target", "kwh"]
    if levels is None:
        return pd.DataFrame(columns=columns)
    names = [*levels.microgrids, _GRID]
    flows = levels.energy_flows_kwh
    source, target = np.nonzero(flows > 0)
    table = pd.DataFrame(
        {
            "source": np.asarray(names, object)[source],
            "target": np.asarray(names, object)[target],
            "kwh": flows[source, target].astype(np.float64),
        }
    )
    distributor = levels.distributor
    imports = (distributor.import_1, distributor.import_2, distributor.import_3)
    table.attrs |= {
        "names": names,
        "imports_kwh": [float(part.sum()) for part in imports],
        "total_kwh": float(flows.sum()),
    }
    return table


def flows_sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe how much of the import comes from neighbors, by level."""
    own, near, far = table.attrs["imports_kwh"]
    whole = own + near + far
    share = "nothing"
    if whole > 0:
        share = f"{language.percent((own + near) / whole, 0)} of what homes import"
    return (
        f"Neighbors deliver {share}: {language.number(own, 1)} kWh come from the own microgrid,"
        f" {language.number(near, 1)} kWh from other microgrids."
    )


def flows_figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw the flows from those who give on the left to those who take on the right."""
    names = table.attrs["names"]
    grid = theme.meanings["grid_import"].color
    colors = {
        name: grid if name == _GRID else CATEGORIES[at % len(CATEGORIES)]
        for at, name in enumerate(names)
    }
    nodes: dict[str, str] = {}
    links = []
    drawn = table[table["kwh"] >= _MIN_SHARE * table.attrs["total_kwh"]]
    for source, target, kwh in drawn.itertuples(index=False):
        nodes[f"from {source}"] = colors[source]
        nodes[f"to {target}"] = colors[target]
        links.append((f"from {source}", f"to {target}", float(kwh)))
    return Figure(
        id="levels-flows",
        title="Who imports from where (kWh)",
        summary=flows_sentence(table, language),
        option=sankey(nodes, links, theme),
        unit="kWh",
        height_px=max(280, 34 * len(nodes)),
        wide=True,
        table=Table(
            "Energy over the period, kWh",
            ["From", "To", "kWh"],
            [
                [source, target, language.number(kwh, 1)]
                for source, target, kwh in table.itertuples(index=False)
            ],
        ),
        note="Left who gives, right who takes. What a pool sells is split among its sellers in"
        " proportion.",
    )


def _hourly(curves: dict[str, Values], hour: NDArray[np.int64]) -> pd.DataFrame:
    """Return `curve`, `hour` and `value`: the mean of each local hour that occurs."""
    hours = np.unique(hour)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "curve": name,
                    "hour": hours,
                    "value": [float(values[hour == at].mean()) for at in hours],
                }
            )
            for name, values in curves.items()
        ],
        ignore_index=True,
    )


def prices_data(result: Result) -> pd.DataFrame:
    """Return `curve`, `hour` and `value`: the price of every level by local hour."""
    levels = result.hierarchy
    if levels is None:
        return pd.DataFrame(columns=["curve", "hour", "value"])
    curves: dict[str, Values] = {
        "the grid sells": levels.grid_sell_price,
        "the grid buys": levels.grid_buy_price,
    }
    if np.isfinite(levels.distributor_sell_price).any():
        curves["between microgrids"] = levels.distributor_sell_price
    if np.isfinite(levels.microgrid_sell_price).any():
        for at, name in enumerate(levels.microgrids[:_MAX_CURVES]):
            curves[name] = levels.microgrid_sell_price[:, at]
    table = _hourly(curves, np.asarray(result.profiles.local_index.hour))
    table.attrs["unit"] = f"{result.scenario.tariff.currency}/kWh"
    return table


def prices_sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe which prices are drawn."""
    return (
        "What a kWh costs a buyer: at home in its microgrid, from other microgrids, from the grid."
    )


def prices_figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw a curve per level and microgrid."""
    unit = table.attrs["unit"]
    return _figure(
        table,
        theme,
        language,
        id="levels-prices",
        title=f"Prices of every level over the day ({unit})",
        summary=prices_sentence(table, language),
        unit=unit,
        note="Mean of each local hour over all days. Every posted price lies between what the grid"
        " pays and takes.",
    )


def emissions_data(result: Result) -> pd.DataFrame:
    """Return `curve`, `hour` and `value`: emissions of grid imports by microgrid, kg/h."""
    levels = result.hierarchy
    if levels is None:
        return pd.DataFrame(columns=["curve", "hour", "value"])
    hours = result.scenario.period.step_hours
    curves = {name: levels.emissions_kg[:, at] / hours for at, name in enumerate(levels.microgrids)}
    table = _hourly(curves, np.asarray(result.profiles.local_index.hour))
    table.attrs["total_kg"] = dict(
        zip(levels.microgrids, levels.emissions_kg.sum(0).tolist(), strict=True)
    )
    return table


def emissions_sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe the emissions of each microgrid over the period."""
    total = table.attrs["total_kg"]
    named = [f"{name} {language.number(kg, 1)}" for name, kg in list(total.items())[:_NAMED]]
    more = f", {len(total) - _NAMED} more" if len(total) > _NAMED else ""
    return f"Over the whole period, kg: {language.joined(named)}{more}. Local energy has none."


def emissions_figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw a curve per microgrid."""
    return _figure(
        table,
        theme,
        language,
        id="levels-carbon",
        title="Emissions of level 3 imports over the day (kg/h)",
        summary=emissions_sentence(table, language),
        unit="kg/h",
        note="Mean of each local hour over all days: what a microgrid buys from the grid times the"
        " grid's emission factor.",
    )


def _figure(
    table: pd.DataFrame,
    theme: Theme,
    language: Language,
    *,
    id: str,
    title: str,
    summary: str,
    unit: str,
    note: str,
) -> Figure:
    """Return curves over the hours that occur, with a legend that scrolls."""
    curves = {
        str(name): rows["value"].to_numpy(np.float64)
        for name, rows in table.groupby("curve", sort=False)
    }
    hours: Sequence[int] = table["hour"].drop_duplicates().tolist()
    labels = [f"{hour:02}:00" for hour in hours]
    ticks = hour_ticks(hours)
    series = []
    for at, (name, values) in enumerate(curves.items()):
        style = theme.curves[at % 5]._replace(color=CATEGORIES[at % len(CATEGORIES)])
        data = optional_numbers(values, 5)
        series.append(curve_line(style, name, data, symbolSize=6, showAllSymbol=True))
    option = line_chart(
        series,
        x=category_axis(theme, labels, ticks, boundaryGap=len(labels) == 1),
        y=value_axis(theme, unit, splitNumber=4),
        theme=theme,
        ticks=ticks,
        grid={"bottom": 40},
    )
    text: Option = {"color": INK, "fontSize": theme.font_size}
    option["baseOption"]["legend"] = {"type": "scroll", "bottom": 0, "textStyle": text}

    def cell(value: float) -> str:
        return language.number(None if np.isnan(value) else float(value), 3)

    return Figure(
        id=id,
        title=title,
        summary=summary,
        option=option,
        unit=unit,
        height_px=360,
        line_swatches=True,
        wide=True,
        table=Table(
            f"{title}, by local hour",
            ["Hour", *curves],
            [
                [label, *(cell(values[at]) for values in curves.values())]
                for at, label in enumerate(labels)
            ],
        ),
        note=note,
    )


level_flows = Chart(
    "level_flows",
    "Energy between microgrids and the grid",
    flows_data,
    flows_sentence,
    flows_figure,
    section="levels",
)
"""Energy between microgrids and the grid over the period."""

level_prices = Chart(
    "level_prices",
    "Prices of every level over the day",
    prices_data,
    prices_sentence,
    prices_figure,
    section="levels",
)
"""Prices of households, microgrids and the grid over the day."""

level_emissions = Chart(
    "level_emissions",
    "Emissions of grid imports over the day",
    emissions_data,
    emissions_sentence,
    emissions_figure,
    section="levels",
)
"""Emissions of the energy that each microgrid buys from the grid."""
