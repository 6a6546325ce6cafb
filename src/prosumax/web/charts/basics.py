"""Charts of page one, one for each of its five ideas."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.viz.chart import Figure, LegendEntry, Table
from prosumax.viz.compact import (
    Curve,
    Dots,
    Flow,
    Margins,
    compact_sankey,
    day_axis,
    dot_counts,
    lines,
    number_axis,
)
from prosumax.viz.theme import PAPER, Theme
from prosumax.web.charts.clock import clock_data, clock_figure
from prosumax.web.charts.common import RenderedChart, page_chart, page_theme
from prosumax.web.charts.home import HomeEnergy, HomePower
from prosumax.web.model.translations import Translator

Series = NDArray[np.float64]

DOT_KWH = 0.1
_HOMES = "ABCD"
_MIN_FLOW_KWH = 0.05  # flows below it are not drawn
_NODES = {
    "grid": "grid_import",
    "panels_node": "pv",
    "battery_node": "battery",
    "home_node": "load",
    "sent_node": "grid_export",
}
"""Meaning of each node of the energy flows."""


def day_clock(tr: Translator, power: HomePower) -> RenderedChart:
    """Draw the load and PV generation of one home as a day clock.

    Args:
        tr: Translator of the page's language.
        power: Load and PV generation of the day.
    """
    table = clock_data(power.load, power.solar)
    sentence = tr(
        "basics.clock",
        n=int((table["solar_kw"] > table["load_kw"]).sum()),
        top=tr.kw(float(table["solar_kw"].max())),
        peak=tr.kw(float(table["load_kw"].max())),
    )
    head = [tr("home.hour"), f"{tr('home.you_use')} (kW)", f"{tr('home.panels_make')} (kW)"]
    hourly = zip(table["hour"], table["load_kw"], table["solar_kw"], strict=True)
    rows = [
        [f"{tr.time(hour)}–{tr.time(hour + 1)}", tr.number(load, 2), tr.number(solar, 2)]
        for hour, load, solar in hourly
    ]
    numbers = Table(tr("home.when_caption"), head, rows)
    return page_chart(clock_figure(table, page_theme(tr.lang), tr, sentence, numbers))


def energy_flows(tr: Translator, energy: HomeEnergy, earned: float, paid: float) -> RenderedChart:
    """Draw the energy flows of one day as a Sankey diagram.

    Args:
        tr: Translator of the page's language.
        energy: Energy of the day.
        earned: Revenue of the exported energy, EUR.
        paid: Cost of the imported energy, EUR.
    """
    return page_chart(flows_figure(flows_data(energy, earned, paid), page_theme(tr.lang), tr))


def flows_data(energy: HomeEnergy, earned: float, paid: float) -> pd.DataFrame:
    """Return `source`, `target`, `meaning` and `kwh` of every flow of a day.

    Args:
        energy: Energy of the day.
        earned: Revenue of the exported energy, EUR.
        paid: Cost of the imported energy, EUR.
    """
    table = pd.DataFrame(
        [
            ("grid", "home_node", "grid_import", energy.imported),
            ("panels_node", "home_node", "pv", energy.direct),
            ("panels_node", "battery_node", "pv", energy.to_battery),
            ("battery_node", "home_node", "battery", energy.from_battery),
            ("panels_node", "sent_node", "grid_export", energy.exported),
        ],
        columns=["source", "target", "meaning", "kwh"],
    )
    table.attrs |= {"earned": earned, "paid": paid}
    return table


def _flows_sentence(table: pd.DataFrame, tr: Translator) -> str:
    imported, direct, to_battery, _, exported = table["kwh"].tolist()
    return tr(
        "basics.where" if to_battery <= _MIN_FLOW_KWH else "basics.where_battery",
        made=tr.kwh(direct + to_battery + exported),
        kept=tr.kwh(direct + to_battery),
        sent=tr.kwh(exported),
        earned=tr.euro(table.attrs["earned"]),
        bought=tr.kwh(imported),
        paid=tr.euro(table.attrs["paid"]),
    )


def flows_figure(table: pd.DataFrame, theme: Theme, tr: Translator) -> Figure:
    """Draw the flows that are large enough to be visible.

    Args:
        table: Table of `flows_data`.
        theme: Fonts and number formats.
        tr: Translator of the page's language.
    """
    shown = table[table["kwh"] > _MIN_FLOW_KWH]
    used = {*shown["source"], *shown["target"]}
    names = {node: tr(f"basics.{node}") for node in _NODES}
    flows = [
        Flow(names[source], names[target], kwh, theme.meanings[meaning].color)
        for source, target, meaning, kwh in shown.to_numpy().tolist()
    ]
    return Figure(
        id="energy-flows",
        title=tr("basics.where_title"),
        summary=_flows_sentence(table, tr),
        option=compact_sankey(
            {
                names[node]: theme.meanings[meaning].color
                for node, meaning in _NODES.items()
                if node in used
            },
            flows,
            unit="kWh",
            theme=theme,
            wrapped=[names["home_node"]],
        ),
        unit="kWh",
        table=Table(
            tr("basics.where_caption"),
            [tr("basics.flow"), "kWh"],
            [[f"{flow.source} → {flow.target}", tr.number(flow.amount, 2)] for flow in flows],
        ),
    )


def duck_curve(tr: Translator, net_kw: Series, pv_homes: int, homes: int) -> RenderedChart:
    """Draw the net load of a street over one day.

    Args:
        tr: Translator of the page's language.
        net_kw: Net load, kW [96]; negative values are exported.
        pv_homes: Number of homes with PV.
        homes: Number of homes.
    """
    table = pd.DataFrame({"step": range(len(net_kw)), "net_kw": net_kw})
    table.attrs |= {"pv_homes": pv_homes, "homes": homes}
    return page_chart(duck_figure(table, page_theme(tr.lang), tr))


def duck_figure(table: pd.DataFrame, theme: Theme, tr: Translator) -> Figure:
    """Draw import above and export below zero.

    Args:
        table: `step` and `net_kw` of every quarter-hour, with the numbers of homes as attributes.
        theme: Fonts and number formats.
        tr: Translator of the page's language.
    """
    net_kw = table["net_kw"].to_numpy()
    import_kw = np.maximum(net_kw, 0.0)
    export_kw = np.minimum(net_kw, 0.0)
    import_kwh = float(import_kw.sum()) / 4
    export_kwh = -float(export_kw.sum()) / 4
    key = "basics.duck_curve" if export_kwh > _MIN_FLOW_KWH else "basics.duck_curve_none"
    sentence = tr(
        key, n=table.attrs["pv_homes"], sent=tr.kwh(export_kwh), bought=tr.kwh(import_kwh)
    )
    import_name = tr("basics.street_import")
    export_name = tr("basics.street_export")
    imports = theme.meanings["grid_import"].color
    exports = theme.meanings["local"]
    curves = [
        Curve(import_name, import_kw.round(2).tolist(), imports, 2.0, fill=0.3, fill_color=imports),
        Curve(
            export_name,
            export_kw.round(2).tolist() if export_kwh > 0 else [],
            exports.outline,
            2.0,
            fill=0.55,
            fill_color=exports.color,
        ),
    ]
    lowest = float(min(net_kw.min(), -1.0))
    highest = float(max(net_kw.max(), 1.0))
    y = number_axis(
        theme,
        "kW",
        "",
        low=float(np.floor(lowest / 2) * 2),
        high=float(np.ceil(highest / 2) * 2),
        splitNumber=5,
        nameGap=10,
    )
    return Figure(
        id="duck-curve",
        title=tr("basics.duck_chart"),
        summary=sentence,
        option=lines(
            curves,
            x=day_axis(theme, on_zero=False),
            y=y,
            margins=Margins(8, 16, 28, 8),
            theme=theme,
            unit="kW",
        ),
        unit="kW",
        legend=[LegendEntry("area-grid_import", import_name), LegendEntry("area-pv", export_name)],
        table=Table(
            tr("basics.duck_caption", homes=table.attrs["homes"]),
            [tr("home.hour"), "kW"],
            [
                [f"{tr.time(hour)}–{tr.time(hour + 1)}", tr.number(float(kw), 1)]
                for hour, kw in enumerate(net_kw.reshape(24, 4).mean(axis=1))
            ],
        ),
    )


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
    table = pd.DataFrame(
        {
            "home": list(_HOMES[: len(demand_kwh)]),
            "demand_kwh": list(demand_kwh),
            "allocated_kwh": list(allocated_kwh),
        }
    )
    table.attrs |= {"rule": rule}
    return page_chart(allocation_figure(table, page_theme(tr.lang), tr))


def allocation_figure(table: pd.DataFrame, theme: Theme, tr: Translator) -> Figure:
    """Draw filled dots for allocated energy and hollow ones for imported energy.

    Args:
        table: `home`, `demand_kwh` and `allocated_kwh`, with the rule as an attribute.
        theme: Fonts and number formats.
        tr: Translator of the page's language.
    """
    allocated_kwh = table["allocated_kwh"].tolist()
    demand_kwh = table["demand_kwh"].tolist()
    rule = table.attrs["rule"]
    filled: list[list[int]] = []
    hollow: list[list[int]] = []
    for row, (allocated, demand) in enumerate(zip(allocated_kwh, demand_kwh, strict=True)):
        count = round(allocated / DOT_KWH)
        for dot in range(round(demand / DOT_KWH)):
            (filled if dot < count else hollow).append([dot, row])
    shared = theme.meanings["local"]
    homes = list(zip(table["home"], allocated_kwh, demand_kwh, strict=True))
    kinds = [
        Dots(tr("basics.dot_shared"), filled, shared.color, shared.outline, 1.5),
        Dots(tr("basics.dot_bought"), hollow, PAPER, theme.meanings["grid_import"].color, 1),
    ]
    head = [tr(f"basics.{key}") for key in ("one_home", "wanted", "dot_shared", "dot_bought")]
    return Figure(
        id=f"allocation-{rule}",
        title=tr(f"basics.rule_{rule}"),
        summary=allocation_sentence(tr, rule, allocated_kwh, demand_kwh),
        option=dot_counts(
            kinds,
            [tr("basics.wants", home=home, kwh=tr.short(demand)) for home, _, demand in homes],
            columns=max(round(max(demand_kwh) / DOT_KWH), 10),
            theme=theme,
        ),
        unit="kWh",
        table=Table(
            tr(f"basics.rule_{rule}"),
            head,
            [
                [
                    tr("basics.home", home=home),
                    tr.short(demand, 2),
                    tr.short(allocated, 2),
                    tr.short(demand - allocated, 2),
                ]
                for home, allocated, demand in homes
            ],
        ),
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
