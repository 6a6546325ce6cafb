"""How much is traded at each bus of a network, for its map: the darker, the more."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prosumax.report import text
from prosumax.simulation.results.result import Result
from prosumax.viz.series import Values, Wires, plain
from prosumax.viz.theme import INK, Option


class Activity(NamedTuple):
    """How a bus is drawn at which up to this share of the busiest bus is traded."""

    limit: float
    colour: str
    size: int


ACTIVITIES = (
    Activity(0.0, "#FFFFFF", 0),
    Activity(0.2, "#FDE0C5", 2),
    Activity(0.4, "#F8B58B", 4),
    Activity(0.6, "#EB7F5B", 6),
    Activity(0.8, "#C8412F", 8),
    Activity(1.0, "#7F0F1F", 10),
)
"""From nothing to the busiest bus; lightness falls throughout, so that shades are told apart in grey too."""


def traded_at(result: Result, wired: Wires) -> Values:
    """Energy that homes at each bus buy from and sell to neighbours, kWh [bus]."""
    local = result.trajectory.record.local
    homes = np.asarray(local.bought_kwh, np.float64).sum(0) + np.asarray(
        local.sold_kwh, np.float64
    ).sum(0)
    at_bus: Values = np.bincount(
        wired.home_bus, weights=homes, minlength=len(wired.feeder.buses)
    ).astype(np.float64)
    return at_bus


def activity_series(kwh: Values, at: NDArray[np.float64], shown: bool) -> list[Option]:
    """A series per class; without data unless shown."""
    kind = _class(kwh)
    return [
        {
            "type": "scatter",
            "name": f"trade {number}",
            "z": 10,
            "symbol": "circle",
            "symbolSize": 9 + look.size,
            "itemStyle": {"color": look.colour, "borderColor": INK, "borderWidth": 1, "opacity": 1},
            "data": [
                {"value": at[bus].tolist(), "name": f"traded here: {text.energy(float(kwh[bus]))}"}
                for bus in np.flatnonzero(kind == number).tolist()
                if shown
            ],
        }
        for number, look in enumerate(ACTIVITIES)
    ]


def activity_key(kwh: Values) -> list[tuple[str, str]]:
    """The classes that occur."""
    busiest, found = float(kwh.max()), set(_class(kwh).tolist())
    ends = plain(np.array([0.0, *(busiest * look.limit for look in ACTIVITIES[1:])]), 6)
    labels = ["no trade", *(f"up to {text.energy(end)} traded" for end in ends[1:])]
    return [(f"activity-{at}", label) for at, label in enumerate(labels) if at in found]


def _class(kwh: Values) -> NDArray[np.int64]:
    busiest = max(float(kwh.max()), 1e-9)
    return np.searchsorted(
        [look.limit for look in ACTIVITIES[:-1]], kwh / busiest - 1e-9, side="left"
    )
