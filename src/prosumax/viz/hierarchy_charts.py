"""A run with microgrids level by level: who imports from where, prices, and the carbon of what the grid delivers."""

import math

import numpy as np

from prosumax.report import text
from prosumax.simulation.results.hierarchy import Levels
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Table
from prosumax.viz.series import Values, plain
from prosumax.viz.theme import CURVES, INK, LOOKS, Option, base, category_axis, value_axis

_GRID = "the grid"
_SHADES = ("#005B96", "#B36B00", "#762A83", "#1B7837", "#5B6770", "#B04A7F")
_MOST = 12  # microgrids with a price curve of their own


def level_charts(result: Result) -> list[Chart]:
    """Sankey, prices and carbon by level; nothing where no prices are announced."""
    levels = result.levels
    if levels is None:
        return []
    return [_sankey(levels), _prices(result, levels), _carbon(result, levels)]


def _sankey(levels: Levels) -> Chart:
    sources, kwh = [*levels.microgrids, _GRID], levels.flows
    least = kwh.sum() * 1e-4
    nodes, links, rows = {}, [], []
    for at, giver in enumerate(sources):
        for other, taker in enumerate(sources):
            amount = float(kwh[at, other])
            if amount <= 0:
                continue
            rows.append([giver, taker, text.number(amount, 1)])
            if amount < least:
                continue
            for number, name, end in ((at, f"from {giver}", giver), (other, f"to {taker}", taker)):
                colour = LOOKS["bought"].colour if end == _GRID else _SHADES[number % len(_SHADES)]
                nodes[name] = {"name": name, "itemStyle": {"color": colour, "borderColor": INK}}
            links.append(
                {"source": f"from {giver}", "target": f"to {taker}", "value": round(amount, 3)}
            )
    narrow: Option = {"series": [{"left": 4, "right": 96, "label": {"width": 92, "fontSize": 11}}]}
    option = base(
        "item",
        narrow=narrow,
        wide={"series": [{"left": 12, "right": 180, "label": {"width": 170}}]},
    )
    option["baseOption"]["series"] = [
        {
            "type": "sankey",
            "left": 12,
            "right": 180,
            "data": list(nodes.values()),
            "links": links,
            "lineStyle": {"color": "source", "opacity": 0.35},
            "label": {"color": INK, "fontSize": 13, "width": 170, "overflow": "truncate"},
            "emphasis": {"focus": "adjacency"},
        }
    ]
    imports = (
        levels.distributor.import_1,
        levels.distributor.import_2,
        levels.distributor.import_3,
    )
    own, near, far = (float(part.sum()) for part in imports)
    whole = own + near + far
    share = f"{100 * (own + near) / whole:.0f} % of what homes import" if whole > 0 else "nothing"
    return Chart(
        id="levels-flows",
        title="Who imports from where (kWh)",
        summary=f"Neighbours deliver {share}: {text.number(own, 1)} kWh come from the own microgrid,"
        f" {text.number(near, 1)} kWh from other microgrids.",
        option=option,
        unit="kWh",
        height_px=max(280, 34 * len(nodes)),
        wide=True,
        table=Table("Energy over the period, kWh", ["From", "To", "kWh"], rows),
        note="Left who gives, right who takes. What a pool sells is split among its sellers in proportion.",
    )


def _prices(result: Result, levels: Levels) -> Chart:
    hour = np.asarray(result.profiles.local.hour)
    curves: dict[str, Values] = {
        "the grid sells": levels.sell_grid,
        "the grid buys": levels.buy_grid,
    }
    if np.isfinite(levels.sell_microgrid).any():
        curves |= {"between microgrids": levels.sell_microgrid}
    if np.isfinite(levels.sell_home).any():
        for number, name in enumerate(levels.microgrids[:_MOST]):
            curves[name] = levels.sell_home[:, number]
    currency = result.scenario.tariff.currency
    return _over_the_day(
        "levels-prices",
        f"Prices of every level over the day ({currency}/kWh)",
        "What a kWh costs a buyer: at home in its microgrid, from other microgrids, from the grid.",
        {name: _mean_day(values, hour) for name, values in curves.items()},
        np.unique(hour),
        f"{currency}/kWh",
        3,
        "Mean of each local hour over all days. Every announced price lies between what the grid pays and takes.",
    )


def _carbon(result: Result, levels: Levels) -> Chart:
    hour, hours = np.asarray(result.profiles.local.hour), result.scenario.period.step_hours
    curves = {
        name: _mean_day(levels.emissions_kg[:, number], hour) / hours
        for number, name in enumerate(levels.microgrids)
    }
    total = levels.emissions_kg.sum(0)
    told = [
        f"{name} {text.number(float(total[at]), 1)}"
        for at, name in enumerate(levels.microgrids[:4])
    ]
    more = f", {len(total) - 4} more" if len(total) > 4 else ""
    return _over_the_day(
        "levels-carbon",
        "Emissions of level 3 imports over the day (kg/h)",
        f"Over the whole period, kg: {text.joined(told)}{more}. Local energy has none.",
        curves,
        np.unique(hour),
        "kg/h",
        3,
        "Mean of each local hour over all days: what a microgrid buys from the grid times the grid's carbon intensity.",
    )


def _mean_day(values: Values, hour: np.ndarray) -> Values:
    """Mean of each hour that occurs."""
    return np.array([values[hour == at].mean() for at in np.unique(hour)])


def _over_the_day(
    name: str,
    title: str,
    summary: str,
    curves: dict[str, Values],
    hours: np.ndarray,
    unit: str,
    digits: int,
    note: str,
) -> Chart:
    labels = [f"{at:02}:00" for at in hours]
    ticks = [at for at in range(len(labels)) if hours[at] % 3 == 0] or [0]
    option = base("axis", narrow={"xAxis": {"axisLabel": {"customValues": ticks[::2]}}}, wide={})
    option["media"][1]["option"] = {"xAxis": {"axisLabel": {"customValues": ticks}}}
    series = []
    for at, (curve, values) in enumerate(curves.items()):
        look, colour = CURVES[at % len(CURVES)], _SHADES[at % len(_SHADES)]
        series.append(
            {
                "type": "line",
                "name": curve,
                "data": [None if math.isnan(value) else value for value in plain(values, 5)],
                "symbol": look.symbol,
                "symbolSize": 6,
                "showAllSymbol": True,
                "lineStyle": {"color": colour, "width": 2, "type": look.dash or "solid"},
                "itemStyle": {"color": colour},
            }
        )
    option["baseOption"] |= {
        "legend": {"type": "scroll", "bottom": 0, "textStyle": {"color": INK, "fontSize": 13}},
        "xAxis": category_axis(labels, ticks, boundaryGap=len(labels) == 1),
        "yAxis": value_axis(unit, splitNumber=4),
        "series": series,
    }
    option["baseOption"]["yAxis"]["nameTextStyle"] |= {"align": "left"}
    option["baseOption"]["grid"] |= {"bottom": 40}
    cell = lambda value: text.number(None if math.isnan(value) else float(value), digits)  # noqa: E731
    rows = [
        [label, *(cell(values[at]) for values in curves.values())]
        for at, label in enumerate(labels)
    ]
    return Chart(
        id=name,
        title=title,
        summary=summary,
        option=option,
        unit=unit,
        height_px=360,
        drawn_as="lines",
        wide=True,
        table=Table(f"{title}, by local hour", ["Hour", *curves], rows),
        note=note,
    )
