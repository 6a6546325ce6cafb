"""Maps of the network: lines by loading, buses by voltage or by traded energy, homes by name."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Choice, Figure, LegendEntry
from prosumax.viz.language import Language
from prosumax.viz.network.map_data import MapElements, feeder_data, map_elements
from prosumax.viz.network.map_layers import (
    Canvas,
    activity_layers,
    activity_legend,
    branch_layers,
    bus_layers,
    home_layer,
    loading_classes,
    source_layer,
    transformer_layer,
    voltage_classes,
)
from prosumax.viz.network.map_text import (
    activity_sentence,
    branch_tooltips,
    branches_table,
    bus_tooltips,
    map_note,
    map_sentence,
)
from prosumax.viz.parts import Values, base_of
from prosumax.viz.primitives import map_chart
from prosumax.viz.theme import ACTIVITIES, LOADING_STYLES, VOLTAGES, Option, Theme

TRADE = "where trade happens, and mean loading"
"""Name of the choice that shows trading activity."""

_EDGE = 5  # of 100 across


class _View(NamedTuple):
    """Choice of what a map shows: the loading of branches and the voltage of buses."""

    name: str
    loading: Values
    voltage: Values | None


def _views(table: pd.DataFrame, elements: MapElements) -> list[_View]:
    highest = elements.branches["loading_max"].to_numpy(np.float64)
    mean = elements.branches["loading_mean"].to_numpy(np.float64)
    if not table.attrs["voltages"]:
        return [
            _View("the moment of highest loading", highest, None),
            _View("the mean of the period", mean, None),
        ]
    low, high, middle = (
        elements.buses[name].to_numpy(np.float64)
        for name in ("voltage_min", "voltage_max", "voltage_mean")
    )
    return [
        _View("highest loading, lowest voltage", highest, low),
        _View("highest loading, highest voltage", highest, high),
        _View("mean of the period", mean, middle),
    ]


def _canvases(elements: MapElements, height: float) -> tuple[Canvas, Canvas]:
    """Return the sizes on a desk and on a phone, with room for labels at the left edge."""
    has_home = [bool(homes) for homes in elements.buses["homes"]]
    at_edge = bool((elements.places[has_home, 0] < _EDGE).any())
    left = 170 if at_edge else 40
    narrow_left = 96 if at_edge else 24
    return (
        Canvas(1096 - left - 170, height - 64, left, 170, 7.2, 220),
        Canvas(336 - narrow_left - 96, height - 64, narrow_left, 96, 6.2, 92),
    )


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw the network at its own positions, or as a tree from its source."""
    elements = map_elements(table)
    count = len(elements.buses)
    views = _views(table, elements)
    branch_texts = branch_tooltips(elements, language)
    bus_texts = bus_tooltips(elements, language)
    size = 3
    if count <= 400:
        size = 9 if count <= 60 else 6
    height = min(900, max(420, 360 + 2 * count))
    wide, narrow = _canvases(elements, height)
    buses = bus_layers(elements, views[0].voltage, bus_texts, size)
    homes = home_layer(elements, wide, theme)
    series = [
        *branch_layers(elements, views[0].loading, branch_texts),
        transformer_layer(elements),
        *buses,
        source_layer(elements),
        homes,
        *activity_layers(elements, False, language),
    ]
    option = map_chart(
        series,
        theme,
        narrow=_layout(
            narrow, 0.65, buses, home_layer(elements, narrow, theme), theme.phone_font_size
        ),
        wide=_layout(wide, 1.0, buses, homes, theme.font_size),
    )

    def patch(loading: Values, layers: Sequence[Option], trade: bool) -> Option:
        parts = [
            *branch_layers(elements, loading, branch_texts),
            {},
            *layers,
            {},
            {},
            *activity_layers(elements, trade, language),
        ]
        return {"series": [{"data": part["data"]} if part else {} for part in parts]}

    legend = _legend(elements, views)
    choices = [
        Choice(
            view.name,
            patch(view.loading, bus_layers(elements, view.voltage, bus_texts, size), False),
            legend=legend,
        )
        for view in views
    ]
    if (elements.buses["traded_kwh"] > 0).any():
        mean = elements.branches["loading_mean"].to_numpy(np.float64)
        empty: list[Option] = [{"data": []} for _ in buses]
        entries = _legend(elements, [_View(TRADE, mean, None)])
        activity = activity_legend(elements, language)
        choices.append(Choice(TRADE, patch(mean, empty, True), legend=[*entries, *activity]))
    return Figure(
        id="feeder",
        wide=True,
        title="Map of the network",
        summary=map_sentence(table, language),
        option=option,
        unit="",
        height_px=height,
        legend=legend,
        table=branches_table(elements, language),
        choices=choices,
        note=map_note(elements),
    )


def _layout(
    canvas: Canvas, scale: float, buses: Sequence[Option], homes: Option, font_size: int
) -> Option:
    """Return margins, sizes of symbols and labels for one width of the drawing."""
    wide = scale == 1
    label: Option = {"fontSize": font_size, "width": canvas.max_label}
    return {
        "grid": {"left": canvas.left, "right": canvas.right},
        "series": [
            *({} for _ in LOADING_STYLES),
            {"symbolSize": [22, 13] if wide else [17, 10]},
            *({"symbolSize": round(scale * part["symbolSize"])} for part in buses),
            {"symbolSize": 15 if wide else 12},
            {"data": homes["data"], "label": label},
            *({} for _ in ACTIVITIES),
        ],
    }


def _legend(elements: MapElements, views: Sequence[_View]) -> list[LegendEntry]:
    """Return the classes that any view shows, and the symbols."""
    rated = elements.branches["rated"].to_numpy(bool)
    loadings = {
        int(kind) for view in views for kind in np.unique(loading_classes(view.loading, rated))
    }
    voltages = {
        int(kind)
        for view in views
        if view.voltage is not None
        for kind in np.unique(voltage_classes(view.voltage))
    }
    entries = [
        *(
            LegendEntry(f"loading-{at}", style.label)
            for at, style in enumerate(LOADING_STYLES)
            if at in loadings
        ),
        *(
            LegendEntry(f"voltage-{at}", style.label)
            for at, style in enumerate(VOLTAGES)
            if at in voltages
        ),
        LegendEntry("bus-home", "a bus with homes"),
        LegendEntry("bus-source", "the upstream grid"),
    ]
    if elements.branches["is_transformer"].any():
        entries.append(LegendEntry("transformer", "a transformer"))
    return entries


def activity_data(result: Result) -> pd.DataFrame:
    """Return the data of the map; empty where neighbors do not trade."""
    table = feeder_data(result)
    if table.empty or not (table["traded_kwh"] > 0).any():
        return pd.DataFrame()
    return table


def activity_figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw the map with trading activity first: the more traded at a bus, the darker."""
    drawn = figure(table, theme, language)
    *rest, trade = drawn.choices
    base = base_of(drawn.option)
    series = [
        part | change for part, change in zip(base["series"], trade.patch["series"], strict=True)
    ]
    return replace(
        drawn,
        id="activity",
        title="Where trade happens",
        summary=activity_sentence(table, language),
        option={**drawn.option, "baseOption": {**base, "series": series}},
        choices=[trade, *rest],
        legend=trade.legend,
    )


feeder_map = Chart(
    "feeder_map", "Map of the network", feeder_data, map_sentence, figure, section="network"
)
"""The network with the loading of its lines and the voltages of its buses."""

activity_map = Chart(
    "activity_map",
    "Where trade happens in the network",
    activity_data,
    activity_sentence,
    activity_figure,
)
"""The network with the energy traded at each bus (MARLEM, section 3.8)."""
