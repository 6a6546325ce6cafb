"""Charts of page one, one for each of its five ideas."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from prosumax.web.charts.clock import clock_legend, clock_option
from prosumax.web.charts.common import (
    EXPORT_COLOR,
    IMPORT_COLOR,
    INK,
    LOAD_COLOR,
    MUTED,
    PAPER,
    SHARED_EDGE_COLOR,
    SOLAR_COLOR,
    STORAGE_COLOR,
    ChartTable,
    LegendItem,
    Option,
    RenderedChart,
    axis_label,
    base_option,
    time_axis,
    tooltip,
    value_axis,
    value_label,
)
from prosumax.web.charts.home import HomeEnergy, HomePower
from prosumax.web.model.translations import Translator

Series = NDArray[np.float64]

DOT_KWH = 0.1
_HOMES = "ABCD"
_MIN_FLOW_KWH = 0.05  # flows below it are not drawn


def day_clock(tr: Translator, power: HomePower) -> RenderedChart:
    """Draw the load and PV generation of one home as a day clock.

    Args:
        tr: Translator of the page's language.
        power: Load and PV generation of the day.
    """
    load_kw = power.load.reshape(24, -1).mean(axis=1)
    solar_kw = power.solar.reshape(24, -1).mean(axis=1)
    text = tr(
        "basics.clock",
        n=int((solar_kw > load_kw).sum()),
        top=tr.kw(float(solar_kw.max())),
        peak=tr.kw(float(load_kw.max())),
    )
    rows = tuple(
        (
            f"{tr.time(hour)}–{tr.time(hour + 1)}",
            tr.number(float(load), 2),
            tr.number(float(solar), 2),
        )
        for hour, (load, solar) in enumerate(zip(load_kw, solar_kw, strict=True))
    )
    header = (
        tr("home.hour"),
        f"{tr('home.you_use')} (kW)",
        f"{tr('home.panels_make')} (kW)",
    )
    return RenderedChart(
        clock_option(tr, load_kw, solar_kw),
        text,
        ChartTable(tr("home.when_caption"), header, rows),
        clock_legend(tr),
    )


def energy_flows(tr: Translator, energy: HomeEnergy, earned: float, paid: float) -> RenderedChart:
    """Draw the energy flows of one day as a Sankey diagram.

    Args:
        tr: Translator of the page's language.
        energy: Energy of the day.
        earned: Revenue of the exported energy, EUR.
        paid: Cost of the imported energy, EUR.
    """
    flows = [
        ("grid", "home_node", energy.imported, IMPORT_COLOR),
        ("panels_node", "home_node", energy.direct, SOLAR_COLOR),
        ("panels_node", "battery_node", energy.to_battery, SOLAR_COLOR),
        ("battery_node", "home_node", energy.from_battery, STORAGE_COLOR),
        ("panels_node", "sent_node", energy.exported, EXPORT_COLOR),
    ]
    shown = [flow for flow in flows if flow[2] > _MIN_FLOW_KWH]
    colors = {
        "grid": IMPORT_COLOR,
        "panels_node": SOLAR_COLOR,
        "battery_node": STORAGE_COLOR,
        "home_node": LOAD_COLOR,
        "sent_node": EXPORT_COLOR,
    }
    nodes = [name for name in colors if any(name in flow[:2] for flow in shown)]
    named = {name: tr(f"basics.{name}") for name in colors}
    option = base_option(
        tooltip=tooltip(tr.lang, "kWh", trigger="item"),
        series=[
            {
                "type": "sankey",
                "left": 2,
                "right": 118,
                "top": 8,
                "bottom": 8,
                "nodeWidth": 20,
                "nodeGap": 26,
                "draggable": False,
                "layoutIterations": 0,
                "emphasis": {"disabled": True},
                "data": [
                    {
                        "name": named[name],
                        "itemStyle": {"color": colors[name], "borderWidth": 0},
                        "label": {"width": 108, "overflow": "break"}
                        if name.endswith("home_node")
                        else {},
                    }
                    for name in nodes
                ],
                "links": [
                    {
                        "source": named[source],
                        "target": named[target],
                        "value": round(kwh, 2),
                        "lineStyle": {"color": color, "opacity": 0.36},
                    }
                    for source, target, kwh, color in shown
                ],
                "label": {
                    "color": INK,
                    "fontSize": 14,
                    "lineHeight": 18,
                    "width": 108,
                    "overflow": "break",
                },
            }
        ],
    )
    kept = energy.direct + energy.to_battery
    text = tr(
        "basics.where" if energy.to_battery <= _MIN_FLOW_KWH else "basics.where_battery",
        made=tr.kwh(energy.generation),
        kept=tr.kwh(kept),
        sent=tr.kwh(energy.exported),
        earned=tr.euro(earned),
        bought=tr.kwh(energy.imported),
        paid=tr.euro(paid),
    )
    rows = tuple(
        (f"{named[source]} → {named[target]}", tr.number(kwh, 2))
        for source, target, kwh, _ in shown
    )
    return RenderedChart(
        option, text, ChartTable(tr("basics.where_caption"), (tr("basics.flow"), "kWh"), rows)
    )


def duck_curve(tr: Translator, net_kw: Series, pv_homes: int, homes: int) -> RenderedChart:
    """Draw the net load of a street over one day.

    Args:
        tr: Translator of the page's language.
        net_kw: Net load, kW [96]; negative values are exported.
        pv_homes: Number of homes with PV.
        homes: Number of homes.
    """
    import_kw = np.maximum(net_kw, 0.0)
    export_kw = np.minimum(net_kw, 0.0)
    import_kwh = float(import_kw.sum()) / 4
    export_kwh = -float(export_kw.sum()) / 4
    lowest = float(min(net_kw.min(), -1.0))
    highest = float(max(net_kw.max(), 1.0))
    import_name = tr("basics.street_import")
    export_name = tr("basics.street_export")
    option = base_option(
        tooltip=tooltip(tr.lang, "kW"),
        grid={"left": 8, "right": 16, "top": 28, "bottom": 8, "containLabel": True},
        xAxis={**time_axis(), "axisLine": {"onZero": False, "lineStyle": {"color": MUTED}}},
        yAxis=value_axis(
            "kW",
            axisLabel=value_label(tr.lang),
            min=float(np.floor(lowest / 2) * 2),
            max=float(np.ceil(highest / 2) * 2),
            splitNumber=5,
            nameGap=10,
        ),
        series=[
            _band(import_name, import_kw, IMPORT_COLOR, IMPORT_COLOR, 0.3),
            _band(
                export_name,
                export_kw if export_kwh > 0 else None,
                SOLAR_COLOR,
                SHARED_EDGE_COLOR,
                0.55,
            ),
        ],
    )
    key = "basics.duck_curve" if export_kwh > _MIN_FLOW_KWH else "basics.duck_curve_none"
    text = tr(key, n=pv_homes, sent=tr.kwh(export_kwh), bought=tr.kwh(import_kwh))
    hourly = net_kw.reshape(24, 4).mean(axis=1)
    rows = tuple(
        (f"{tr.time(hour)}–{tr.time(hour + 1)}", tr.number(float(kw), 1))
        for hour, kw in enumerate(hourly)
    )
    caption = tr("basics.duck_caption", homes=homes)
    legend = (
        LegendItem(import_name, "area", IMPORT_COLOR),
        LegendItem(export_name, "area", SOLAR_COLOR),
    )
    return RenderedChart(option, text, ChartTable(caption, (tr("home.hour"), "kW"), rows), legend)


def _band(name: str, kw: Series | None, fill: str, edge: str, opacity: float) -> Option:
    return {
        "type": "line",
        "name": name,
        "data": [] if kw is None else kw.round(2).tolist(),
        "symbol": "none",
        "lineStyle": {"color": edge, "width": 2},
        "itemStyle": {"color": fill, "borderColor": edge, "borderWidth": 1.5},
        "areaStyle": {"color": fill, "opacity": opacity},
    }


def allocation_dots(
    tr: Translator, rule: str, allocated_kwh: Sequence[float], demand_kwh: Sequence[float]
) -> RenderedChart:
    """Draw the allocation of a rule to four homes, one dot per tenth of a kWh.

    Args:
        tr: Translator of the page's language.
        rule: `equal`, `use`, `auction` or `none`.
        allocated_kwh: Allocated energy of each home.
        demand_kwh: Demand of each home.
    """
    filled: list[list[int]] = []
    hollow: list[list[int]] = []
    for home, (allocated, demand) in enumerate(zip(allocated_kwh, demand_kwh, strict=True)):
        count = round(allocated / DOT_KWH)
        for dot in range(round(demand / DOT_KWH)):
            (filled if dot < count else hollow).append([dot, home])
    labels = [
        tr("basics.wants", home=_HOMES[home], kwh=tr.short(kwh))
        for home, kwh in enumerate(demand_kwh)
    ]
    option = base_option(
        tooltip={"show": False},
        grid={"left": 8, "right": 8, "top": 4, "bottom": 4, "containLabel": True},
        xAxis={
            "type": "value",
            "min": -1,
            "max": max(round(max(demand_kwh) / DOT_KWH), 10),
            "show": False,
        },
        yAxis={
            "type": "category",
            "inverse": True,
            "data": labels,
            "axisLine": {"show": False},
            "axisTick": {"show": False},
            "axisLabel": axis_label(interval=0, hideOverlap=False),
        },
        series=[
            {
                "type": "scatter",
                "name": name,
                "data": data,
                "symbol": symbol,
                "symbolSize": 5.5,
                "silent": True,
                "itemStyle": style,
            }
            for name, data, symbol, style in (
                (
                    tr("basics.dot_shared"),
                    filled,
                    "circle",
                    {"color": SOLAR_COLOR, "borderColor": SHARED_EDGE_COLOR, "borderWidth": 1.5},
                ),
                (
                    tr("basics.dot_bought"),
                    hollow,
                    "circle",
                    {"color": PAPER, "borderColor": IMPORT_COLOR, "borderWidth": 1},
                ),
            )
        ],
    )
    rows = tuple(
        (
            tr("basics.home", home=_HOMES[home]),
            tr.short(demand, 2),
            tr.short(allocated, 2),
            tr.short(demand - allocated, 2),
        )
        for home, (allocated, demand) in enumerate(zip(allocated_kwh, demand_kwh, strict=True))
    )
    header = tuple(
        tr(f"basics.{key}") for key in ("one_home", "wanted", "dot_shared", "dot_bought")
    )
    return RenderedChart(
        option,
        allocation_sentence(tr, rule, allocated_kwh, demand_kwh),
        ChartTable(tr(f"basics.rule_{rule}"), header, rows),
    )


def allocation_sentence(
    tr: Translator, rule: str, allocated_kwh: Sequence[float], demand_kwh: Sequence[float]
) -> str:
    """Describe the allocation of a rule in one sentence.

    Args:
        tr: Translator of the page's language.
        rule: `equal`, `use`, `auction` or `none`.
        allocated_kwh: Allocated energy of each home.
        demand_kwh: Demand of each home.
    """
    shared = sum(allocated_kwh)
    if rule == "none" or shared <= 0:
        return tr("basics.dots_none")
    if sum(demand_kwh) - shared < DOT_KWH / 2:
        return tr("basics.dots_all")
    largest = max(range(len(allocated_kwh)), key=lambda home: allocated_kwh[home])
    without = [_HOMES[home] for home, kwh in enumerate(allocated_kwh) if kwh <= 0]
    values: Mapping[str, str] = {
        "home": _HOMES[largest],
        "kwh": tr.short(allocated_kwh[largest], 2),
        "least": tr.short(min(allocated_kwh), 2),
        "without": ", ".join(without),
    }
    key = "auction" if rule == "auction" and values["without"] else f"{rule}_some"
    return tr(f"basics.dots_{key}", **values)
