"""Layers of the feeder maps: branches, transformers, buses, source, homes and trade."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prosumax.viz.chart import LegendEntry
from prosumax.viz.language import Language
from prosumax.viz.network.map_data import MapElements
from prosumax.viz.network.map_text import bus_label
from prosumax.viz.parts import Values, json_numbers
from prosumax.viz.text import several
from prosumax.viz.theme import (
    ACTIVITIES,
    INK,
    LOADING_STYLES,
    LOADINGS,
    VOLTAGES,
    Option,
    Theme,
    VoltageStyle,
)

_RING_PX = 13  # from the middle of a bus to a name beside it
_LINE_POINTS = 40  # sampled on a line, to see whether a name would cover it
# Two overlapping rings, the symbol of a transformer.
_RINGS = "path://M0,6a6,6 0 1,0 12,0a6,6 0 1,0 -12,0M8,6a6,6 0 1,0 12,0a6,6 0 1,0 -12,0"
_SIDES = {"right": (1, 0), "left": (-1, 0), "top": (0, -1), "bottom": (0, 1)}


class Canvas(NamedTuple):
    """Size of a drawing in pixels.

    Attributes:
        width, height: Inner size.
        left, right: Margins.
        letter: Width of a letter.
        max_label: Width of the longest label.
    """

    width: float
    height: float
    left: float
    right: float
    letter: float
    max_label: float


def loading_classes(loading: Values, rated: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the position of each branch in `LOADING_STYLES`."""
    classes = np.searchsorted([style.limit for style in LOADINGS[:-1]], loading, side="left")
    return np.where(rated, classes, len(LOADINGS))


def voltage_classes(voltage: Values) -> NDArray[np.int64]:
    """Return the position of each bus in `VOLTAGES`."""
    return np.searchsorted([style.limit for style in VOLTAGES[:-1]], voltage, side="right")


def activity_classes(kwh: Values) -> NDArray[np.int64]:
    """Return the position of each bus in `ACTIVITIES`."""
    busiest = max(float(kwh.max()), 1e-9)
    limits = [style.limit for style in ACTIVITIES[:-1]]
    return np.searchsorted(limits, kwh / busiest - 1e-9, side="left")


def branch_layers(elements: MapElements, loading: Values, tooltips: Sequence[str]) -> list[Option]:
    """Return a layer of lines per class of loading, the highest on top."""
    classes = loading_classes(loading, elements.branches["rated"].to_numpy(bool))
    ends = elements.ends.tolist()
    return [
        {
            "type": "lines",
            "name": style.label,
            "coordinateSystem": "cartesian2d",
            "z": 1 + number % len(LOADINGS),
            "data": [
                {"coords": ends[at]} | ({"name": tooltips[at]} if tooltips[at] else {})
                for at in np.flatnonzero(classes == number).tolist()
            ],
            "lineStyle": {
                "color": style.color,
                "width": style.width,
                "type": style.dash or "solid",
                "opacity": 1,
            },
        }
        for number, style in enumerate(LOADING_STYLES)
    ]


def transformer_layer(elements: MapElements) -> Option:
    """Return a symbol in the middle of every transformer."""
    middle = elements.ends.mean(axis=1)
    is_transformer = elements.branches["is_transformer"].to_numpy(bool)
    return {
        "type": "scatter",
        "name": "transformers",
        "z": 7,
        "silent": True,
        "symbol": _RINGS,
        "symbolSize": [22, 13],
        "itemStyle": {"color": "#FFFFFF", "borderColor": INK, "borderWidth": 1.5, "opacity": 1},
        "data": middle[is_transformer].round(3).tolist(),
    }


def bus_layers(
    elements: MapElements, voltage: Values | None, tooltips: Sequence[str], size: int
) -> list[Option]:
    """Return a layer of buses per class of voltage; one for all where there are no voltages."""
    styles: Sequence[VoltageStyle] = VOLTAGES
    classes = np.zeros(len(elements.buses), np.int64)
    if voltage is None:
        styles = VOLTAGES[len(VOLTAGES) // 2 :][:1]
    else:
        classes = voltage_classes(voltage)
    has_home = [bool(homes) for homes in elements.buses["homes"]]
    places = elements.places.tolist()
    return [
        {
            "type": "scatter",
            "name": style.label,
            "z": 10,
            "symbol": style.symbol,
            "symbolRotate": style.rotation,
            "symbolSize": size + style.extra_size,
            "itemStyle": {
                "color": style.color,
                "borderColor": style.outline,
                "borderWidth": 1,
                "opacity": 1,
            },
            "data": [
                {"value": places[bus]}
                | ({"name": tooltips[bus]} if tooltips[bus] else {})
                | ({"symbolSize": 10 + style.extra_size} if has_home[bus] else {})
                for bus in np.flatnonzero(classes == number).tolist()
            ],
        }
        for number, style in enumerate(styles)
    ]


def source_layer(elements: MapElements) -> Option:
    """Return a square, moved away from its lines so that a transformer beside it stays visible."""
    source = elements.places[elements.source]
    name = elements.buses["name"].iloc[elements.source]
    starts = elements.ends[elements.branches["from_bus"].to_numpy() == name, 1]
    stops = elements.ends[elements.branches["to_bus"].to_numpy() == name, 0]
    away = source - np.concatenate([starts, stops]).mean(0)
    away = 8 * away / max(float(np.abs(away).max()), 10.0)
    label = bus_label(elements.buses.iloc[elements.source])
    return {
        "type": "scatter",
        "name": "source",
        "z": 11,
        "symbol": "rect",
        "symbolSize": 15,
        "symbolOffset": [round(float(away[0])), round(-float(away[1]))],
        "itemStyle": {"color": INK, "opacity": 1},
        "data": [{"value": source.tolist(), "name": f"The upstream grid: {label}"}],
    }


def home_layer(elements: MapElements, canvas: Canvas, theme: Theme) -> Option:
    """Return a ring around each bus with homes, and their names where there is room."""
    texts = {bus: several(homes) for bus, homes in enumerate(elements.buses["homes"]) if homes}
    data = [
        {
            "value": elements.places[bus].tolist(),
            "name": texts[bus],
            "label": {"position": side},
        }
        for bus, side in _label_sides(elements, texts, canvas).items()
    ]
    return {
        "type": "scatter",
        "name": "homes",
        "z": 8,
        "silent": True,
        "symbol": "circle",
        "symbolSize": 19,
        "itemStyle": {"color": "#FFFFFF", "borderColor": INK, "borderWidth": 2, "opacity": 1},
        "label": {
            "show": True,
            "formatter": "{b}",
            "color": INK,
            "fontSize": theme.font_size,
            "width": 220,
            "overflow": "truncate",
            "distance": 3,
            "textBorderColor": "#FFFFFF",
            "textBorderWidth": 3,
        },
        "labelLayout": {"hideOverlap": True},
        "data": data,
    }


def _label_sides(elements: MapElements, texts: dict[int, str], canvas: Canvas) -> dict[int, str]:
    """Return the side of each label that covers least, chosen one after the other."""
    scale = np.array([canvas.width, -canvas.height]) / 100
    places = elements.places * scale
    along = np.linspace(0, 1, _LINE_POINTS)[:, None, None]
    starts = elements.ends[:, 0] * scale
    stops = elements.ends[:, 1] * scale
    on_lines = ((1 - along) * starts + along * stops).reshape(-1, 2)
    low = np.array([-canvas.left, -canvas.height - 30])
    high = np.array([canvas.width + canvas.right, 30])
    taken: list[NDArray[np.float64]] = []
    sides: dict[int, str] = {}
    for bus, text in texts.items():
        half = np.array([min(len(text) * canvas.letter, canvas.max_label), 14.0]) / 2
        costs: dict[str, float] = {}
        boxes = {}
        for side, direction in _SIDES.items():
            middle = places[bus] + np.array(direction) * (half + _RING_PX)
            box = boxes[side] = np.array([middle - half, middle + half])
            overlaps = sum(
                bool((box[0] < other[1]).all() and (other[0] < box[1]).all()) for other in taken
            )
            cost = 1.0 * _within(places, box, 6).sum() + 0.1 * _within(on_lines, box, 0).sum()
            outside = bool((box[0] < low).any() or (box[1] > high).any())
            costs[side] = cost + 6.0 * overlaps + 9.0 * outside
        sides[bus] = min(costs, key=costs.__getitem__)
        taken.append(boxes[sides[bus]])
    return sides


def _within(
    points: NDArray[np.float64], box: NDArray[np.float64], margin: float
) -> NDArray[np.bool_]:
    above = points > box[0] - margin
    below = points < box[1] + margin
    inside: NDArray[np.bool_] = (above & below).all(1)
    return inside


def activity_layers(elements: MapElements, shown: bool, language: Language) -> list[Option]:
    """Return a layer of buses per class of traded energy; without data unless shown."""
    kwh = elements.buses["traded_kwh"].to_numpy(np.float64)
    classes = activity_classes(kwh)
    places = elements.places.tolist()
    return [
        {
            "type": "scatter",
            "name": f"trade {number}",
            "z": 10,
            "symbol": "circle",
            "symbolSize": 9 + style.extra_size,
            "itemStyle": {"color": style.color, "borderColor": INK, "borderWidth": 1, "opacity": 1},
            "data": [
                {
                    "value": places[bus],
                    "name": f"traded here: {language.energy(float(kwh[bus]))}",
                }
                for bus in np.flatnonzero(classes == number).tolist()
                if shown
            ],
        }
        for number, style in enumerate(ACTIVITIES)
    ]


def activity_legend(elements: MapElements, language: Language) -> list[LegendEntry]:
    """Return the classes of traded energy that occur."""
    kwh = elements.buses["traded_kwh"].to_numpy(np.float64)
    busiest = float(kwh.max())
    occurring = set(activity_classes(kwh).tolist())
    limits = np.array([busiest * style.limit for style in ACTIVITIES])
    labels = [
        "no trade",
        *(f"up to {language.energy(limit)} traded" for limit in json_numbers(limits, 6)[1:]),
    ]
    return [
        LegendEntry(f"activity-{at}", label) for at, label in enumerate(labels) if at in occurring
    ]
