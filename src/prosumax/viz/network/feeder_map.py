"""A map of the network: lines by how full they are, buses by their voltage, homes by name."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prosumax.report import text as words
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Choice
from prosumax.viz.network import feeder_text as said
from prosumax.viz.network.feeder_activity import (
    ACTIVITIES,
    activity_key,
    activity_series,
    traded_at,
)
from prosumax.viz.series import Extremes, Wires, extremes
from prosumax.viz.theme import INK, LOADS, NOT_RATED, VOLTS, Option, base

TRADE = "where trade happens, and mean loading"
"""What the reader picks to see trading activity."""

_EDGE = 5  # of 100 across
_FLAT = 3  # times as many places across as up: such a network is drawn from top to bottom, so that names find room
_RING_PX = 13  # from the middle of a bus to a name beside it
_LINE_POINTS = 40  # of a line, to see whether a name would lie on it
# Two rings that overlap, as engineers draw a transformer.
_RINGS = "path://M0,6a6,6 0 1,0 12,0a6,6 0 1,0 -12,0M8,6a6,6 0 1,0 12,0a6,6 0 1,0 -12,0"


class _Paper(NamedTuple):
    """A drawing in pixels: its inner size, the room beside it, the width of a letter and of the longest name."""

    width: float
    height: float
    left: float
    right: float
    letter: float
    longest: float


def feeder_map(result: Result, wired: Wires) -> Chart:
    """The network as it lies, or as a tree from its source."""
    feeder, names = wired.feeder, [home["name"] for home in result.households]
    loading = extremes(wired.loading)
    voltage = None if wired.voltage is None else extremes(wired.voltage)
    x, y = _positions(feeder.x, feeder.y)
    at = np.column_stack([x, y]).round(3) + 0.0
    told = len(feeder.buses) <= said.TOLD_BUSES
    lines = said.line_names(wired, loading) if told else [""] * len(feeder.branches.name)
    buses = said.bus_names(wired, voltage, names) if told else [""] * len(feeder.buses)
    shown = _shown(loading, voltage)
    size = 9 if len(feeder.buses) <= 60 else 6 if len(feeder.buses) <= 400 else 3
    first = shown[0]
    height = min(900, max(420, 360 + 2 * len(feeder.buses)))
    # Room for names that stand to the left of the leftmost buses.
    at_edge = bool((at[wired.home_bus, 0] < _EDGE).any())
    on_desk, on_phone = (170, 96) if at_edge else (40, 24)
    wide = _Paper(1096 - on_desk - 170, height - 64, on_desk, 170, 7.2, 220)
    narrow = _Paper(336 - on_phone - 96, height - 64, on_phone, 96, 6.2, 92)
    drawn = _buses(wired, at, first[2], buses, size)
    homes = _homes(wired, at, names, wide)
    traded = traded_at(result, wired)
    idle_trade: list[Option] = [{} for _ in ACTIVITIES]
    series = [
        *_lines(wired, at, first[1], lines),
        _transformers(wired, at),
        *drawn,
        _source(wired, at, said.bus_name(wired, feeder.source, names)),
        homes,
        *activity_series(traded, at, False),
    ]
    idle: list[Option] = [{} for _ in [*LOADS, NOT_RATED]]
    option = base(
        "item",
        narrow={
            "grid": {"left": narrow.left, "right": narrow.right},
            "series": [
                *idle,
                {"symbolSize": [17, 10]},
                *({"symbolSize": round(0.65 * part["symbolSize"])} for part in drawn),
                {"symbolSize": 12},
                {
                    "data": _homes(wired, at, names, narrow)["data"],
                    "label": {"fontSize": 11, "width": narrow.longest},
                },
                *idle_trade,
            ],
        },
        wide={
            "grid": {"left": wide.left, "right": wide.right},
            "series": [
                *idle,
                {"symbolSize": [22, 13]},
                *({"symbolSize": part["symbolSize"]} for part in drawn),
                {"symbolSize": 15},
                {"data": homes["data"], "label": {"fontSize": 13, "width": wide.longest}},
                *idle_trade,
            ],
        },
    )
    hidden: Option = {"type": "value", "show": False, "min": 0, "max": 100}
    option["baseOption"] |= {"xAxis": hidden, "yAxis": hidden.copy(), "series": series}
    option["baseOption"]["grid"] = {"left": wide.left, "right": wide.right, "top": 34, "bottom": 30}
    option["baseOption"]["tooltip"]["formatter"] = "{b}"
    transformers = bool(feeder.branches.is_transformer.any())

    def patch(load: NDArray[np.float64], voltages: list[Option], trade: bool) -> Option:
        parts = [
            *_lines(wired, at, load, lines),
            {},
            *voltages,
            {},
            {},
            *activity_series(traded, at, trade),
        ]
        return {"series": [{"data": part["data"]} if part else {} for part in parts]}

    choices = [
        Choice(
            name,
            patch(load, _buses(wired, at, volt, buses, size), False),
            key=_key(wired, shown, transformers),
        )
        for name, load, volt in shown
    ]
    if traded.any():
        mean = [(TRADE, loading.mean, None)]
        empty: list[Option] = [{"data": []} for _ in drawn]
        choices.append(
            Choice(
                TRADE,
                patch(loading.mean, empty, True),
                key=[*_key(wired, mean, transformers), *activity_key(traded)],
            )
        )
    return Chart(
        id="feeder",
        wide=True,
        title="Map of the network",
        summary=said.summary(wired, loading, voltage, names),
        option=option,
        unit="",
        height_px=height,
        key=_key(wired, shown, transformers),
        table=said.table(wired, loading),
        choices=choices,
        note=said.note(wired),
    )


def _positions(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From 0 to 100; turned where nearly everything lies in a row."""
    if _FLAT * len(np.unique(y.round(6))) < len(np.unique(x.round(6))):
        x, y = y, -x
    scaled = []
    for values in (x, y):
        span = float(np.ptp(values))
        scaled.append(
            100 * (values - values.min()) / span if span > 0 else np.full(len(values), 50.0)
        )
    return scaled[0], scaled[1]


def _shown(
    loading: Extremes, voltage: Extremes | None
) -> list[tuple[str, NDArray[np.float64], NDArray[np.float64] | None]]:
    """What can be chosen: its name, the loading and the voltage that are drawn."""
    if voltage is None:
        return [
            ("the fullest moment", loading.highest, None),
            ("the mean of the period", loading.mean, None),
        ]
    return [
        ("fullest moment, lowest voltage", loading.highest, voltage.lowest),
        ("fullest moment, highest voltage", loading.highest, voltage.highest),
        ("mean of the period", loading.mean, voltage.mean),
    ]


def _load_class(loading: NDArray[np.float64], rated: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Position in `LOADS`, and one past them where no rating is known [branch]."""
    found = np.searchsorted([look.limit for look in LOADS[:-1]], loading, side="left")
    return np.where(rated, found, len(LOADS))


def _volt_class(voltage: NDArray[np.float64]) -> NDArray[np.int64]:
    """Position in `VOLTS` [bus]."""
    return np.searchsorted([look.limit for look in VOLTS[:-1]], voltage, side="right")


def _lines(
    wired: Wires, at: NDArray[np.float64], loading: NDArray[np.float64], names: Sequence[str]
) -> list[Option]:
    """A series per class, the fullest on top."""
    branches, kind = wired.feeder.branches, _load_class(loading, wired.rated)
    from_xy, to_xy = at[branches.from_bus].tolist(), at[branches.to_bus].tolist()
    return [
        {
            "type": "lines",
            "name": look.label,
            "coordinateSystem": "cartesian2d",
            "z": 1 + number % len(LOADS),
            "data": [
                {"coords": [from_xy[i], to_xy[i]]} | ({"name": names[i]} if names[i] else {})
                for i in np.flatnonzero(kind == number).tolist()
            ],
            "lineStyle": {
                "color": look.colour,
                "width": look.width,
                "type": look.dash or "solid",
                "opacity": 1,
            },
        }
        for number, look in enumerate([*LOADS, NOT_RATED])
    ]


def _buses(
    wired: Wires,
    at: NDArray[np.float64],
    voltage: NDArray[np.float64] | None,
    names: Sequence[str],
    size: int,
) -> list[Option]:
    """A series per class of voltage; one for all where there are no voltages."""
    looks = VOLTS if voltage is not None else VOLTS[len(VOLTS) // 2 :][:1]
    kind = np.zeros(len(at), np.int64) if voltage is None else _volt_class(voltage)
    has_home = np.isin(np.arange(len(at)), wired.home_bus)
    return [
        {
            "type": "scatter",
            "name": look.label,
            "z": 10,
            "symbol": look.symbol,
            "symbolRotate": look.turn,
            "symbolSize": size + look.larger,
            "itemStyle": {
                "color": look.colour,
                "borderColor": look.outline,
                "borderWidth": 1,
                "opacity": 1,
            },
            "data": [
                {"value": at[bus].tolist()}
                | ({"name": names[bus]} if names[bus] else {})
                | ({"symbolSize": 10 + look.larger} if has_home[bus] else {})
                for bus in np.flatnonzero(kind == number).tolist()
            ],
        }
        for number, look in enumerate(looks)
    ]


def _transformers(wired: Wires, at: NDArray[np.float64]) -> Option:
    branches = wired.feeder.branches
    middle = (at[branches.from_bus] + at[branches.to_bus]) / 2
    return {
        "type": "scatter",
        "name": "transformers",
        "z": 7,
        "silent": True,
        "symbol": _RINGS,
        "symbolSize": [22, 13],
        "itemStyle": {"color": "#FFFFFF", "borderColor": INK, "borderWidth": 1.5, "opacity": 1},
        "data": middle[branches.is_transformer].round(3).tolist(),
    }


def _source(wired: Wires, at: NDArray[np.float64], name: str) -> Option:
    """A square, moved a little away from its lines so that a transformer beside it is seen."""
    branches, source = wired.feeder.branches, wired.feeder.source
    ends = np.concatenate(
        [branches.to_bus[branches.from_bus == source], branches.from_bus[branches.to_bus == source]]
    )
    away = at[source] - at[ends].mean(0)
    away = 8 * away / max(float(np.abs(away).max()), 10.0)
    return {
        "type": "scatter",
        "name": "source",
        "z": 11,
        "symbol": "rect",
        "symbolSize": 15,
        "symbolOffset": [round(float(away[0])), round(-float(away[1]))],
        "itemStyle": {"color": INK, "opacity": 1},
        "data": [{"value": at[wired.feeder.source].tolist(), "name": f"The grid above: {name}"}],
    }


def _homes(wired: Wires, at: NDArray[np.float64], names: Sequence[str], paper: _Paper) -> Option:
    """A ring around each bus with homes, and their names where there is room."""
    texts = {
        bus: words.several([names[home] for home in np.flatnonzero(wired.home_bus == bus).tolist()])
        for bus in np.unique(wired.home_bus).tolist()
    }
    points = [
        {"value": at[bus].tolist(), "name": texts[bus], "label": {"position": side}}
        for bus, side in _sides(wired, at, texts, paper).items()
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
            "fontSize": 13,
            "width": 220,
            "overflow": "truncate",
            "distance": 3,
            "textBorderColor": "#FFFFFF",
            "textBorderWidth": 3,
        },
        "labelLayout": {"hideOverlap": True},
        "data": points,
    }


def _sides(
    wired: Wires, at: NDArray[np.float64], texts: dict[int, str], paper: _Paper
) -> dict[int, str]:
    """Where each name finds room beside its bus: on the side where it covers least, one after the other."""
    branches, scale = wired.feeder.branches, np.array([paper.width, -paper.height]) / 100
    place = at * scale
    along = np.linspace(0, 1, _LINE_POINTS)[:, None, None]
    points = ((1 - along) * place[branches.from_bus] + along * place[branches.to_bus]).reshape(
        -1, 2
    )
    inside = np.array([[-paper.left, -paper.height - 30], [paper.width + paper.right, 30]])
    taken: list[NDArray[np.float64]] = []
    found: dict[int, str] = {}
    for bus, text in texts.items():
        half = np.array([min(len(text) * paper.letter, paper.longest), 14.0]) / 2
        away = half + _RING_PX
        costs: dict[str, float] = {}
        boxes = {}
        for side, way in {
            "right": (1, 0),
            "left": (-1, 0),
            "top": (0, -1),
            "bottom": (0, 1),
        }.items():
            middle = place[bus] + np.array(way) * away
            box = boxes[side] = np.array([middle - half, middle + half])
            cost = 1.0 * _within(place, box, 6).sum() + 0.1 * _within(points, box, 0).sum()
            cost += 6.0 * sum(
                bool((box[0] < other[1]).all() and (other[0] < box[1]).all()) for other in taken
            )
            costs[side] = cost + (
                9.0 if (box[0] < inside[0]).any() or (box[1] > inside[1]).any() else 0.0
            )
        found[bus] = min(costs, key=lambda side: costs[side])
        taken.append(boxes[found[bus]])
    return found


def _within(
    points: NDArray[np.float64], box: NDArray[np.float64], margin: float
) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = ((points > box[0] - margin) & (points < box[1] + margin)).all(1)
    return inside


def _key(
    wired: Wires,
    shown: Sequence[tuple[str, NDArray[np.float64], NDArray[np.float64] | None]],
    transformers: bool,
) -> list[tuple[str, str]]:
    """Classes that some choice shows, and the symbols."""
    loads = set(np.concatenate([_load_class(load, wired.rated) for _, load, _ in shown]).tolist())
    volts = {
        int(kind)
        for _, _, volt in shown
        if volt is not None
        for kind in np.unique(_volt_class(volt))
    }
    return [
        *((f"load-{i}", look.label) for i, look in enumerate([*LOADS, NOT_RATED]) if i in loads),
        *((f"volt-{i}", look.label) for i, look in enumerate(VOLTS) if i in volts),
        ("bus-home", "a bus with homes"),
        ("bus-source", "the grid above"),
        *([("transformer", "a transformer")] if transformers else []),
    ]
