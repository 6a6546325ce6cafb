"""Data of the feeder maps: a row per branch and per bus, with position, loading and voltage."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.simulation.results.result import Result
from prosumax.viz.network.series import NetworkSeries, extremes, network_series
from prosumax.viz.parts import Values

_ROW_RATIO = 3
"""Ratio of places across to places up from which a network is turned, so that names find room."""


def feeder_data(result: Result) -> pd.DataFrame:
    """Return a row per branch and per bus; empty where no step has a solution.

    Columns of branches: `name`, `x`, `y`, `x_to`, `y_to`, `from_bus`, `to_bus`, `is_transformer`,
    `length_km`, `rated`, `loading_max`, `loading_max_time`, `loading_mean`, `overload_hours`.
    Columns of buses: `name`, `x`, `y`, `homes`, `is_source`, `voltage_min`, `voltage_min_time`,
    `voltage_max`, `voltage_mean` (per unit), `traded_kwh`.
    """
    network = network_series(result)
    if network is None or not len(network.steps):
        return pd.DataFrame()
    x, y = _positions(network.feeder.x, network.feeder.y)
    table = pd.concat([_branches(network, x, y), _buses(result, network, x, y)], ignore_index=True)
    table.attrs |= {"voltages": network.voltage is not None}
    return table


def _branches(network: NetworkSeries, x: Values, y: Values) -> pd.DataFrame:
    branches = network.feeder.branches
    buses = np.asarray(network.feeder.buses, object)
    loading = extremes(network.loading)
    return pd.DataFrame(
        {
            "element": "branch",
            "name": list(branches.name),
            "x": x[branches.from_bus],
            "y": y[branches.from_bus],
            "x_to": x[branches.to_bus],
            "y_to": y[branches.to_bus],
            "from_bus": buses[branches.from_bus],
            "to_bus": buses[branches.to_bus],
            "is_transformer": np.asarray(branches.is_transformer),
            "length_km": np.asarray(branches.length_km, np.float64),
            "rated": network.rated,
            "loading_max": loading.highest,
            "loading_max_time": [network.local[at] for at in loading.when],
            "loading_mean": loading.mean,
            "overload_hours": (network.loading > 1).sum(0) * network.step_hours,
        }
    )


def _buses(result: Result, network: NetworkSeries, x: Values, y: Values) -> pd.DataFrame:
    feeder = network.feeder
    names = [home["name"] for home in result.households]
    homes: list[tuple[str, ...]] = [() for _ in feeder.buses]
    for home, bus in enumerate(network.home_bus.tolist()):
        homes[bus] = (*homes[bus], names[home])
    table = pd.DataFrame(
        {
            "element": "bus",
            "name": list(feeder.buses),
            "x": x,
            "y": y,
            "homes": homes,
            "is_source": np.arange(len(feeder.buses)) == feeder.source_bus,
            "traded_kwh": traded_at_buses(result, network),
        }
    )
    if network.voltage is not None:
        voltage = extremes(network.voltage)
        table["voltage_min"] = voltage.lowest
        table["voltage_min_time"] = [network.local[at] for at in voltage.when_lowest]
        table["voltage_max"] = voltage.highest
        table["voltage_mean"] = voltage.mean
    return table


def traded_at_buses(result: Result, network: NetworkSeries) -> Values:
    """Return the energy that homes at each bus buy from and sell to neighbors, kWh [bus]."""
    local = result.trajectory.record.local
    bought = np.asarray(local.bought_kwh, np.float64).sum(0)
    sold = np.asarray(local.sold_kwh, np.float64).sum(0)
    buses = len(network.feeder.buses)
    traded = np.bincount(network.home_bus, weights=bought + sold, minlength=buses)
    return traded.astype(np.float64)


def _positions(x: Values, y: Values) -> tuple[Values, Values]:
    """Return positions from 0 to 100; nearly flat networks are drawn from top to bottom."""
    if _ROW_RATIO * len(np.unique(y.round(6))) < len(np.unique(x.round(6))):
        x, y = y, -x
    return _scaled(x), _scaled(y)


def _scaled(values: Values) -> Values:
    span = float(np.ptp(values))
    if span <= 0:
        return np.full(len(values), 50.0)
    scaled: Values = 100 * (values - values.min()) / span
    return scaled


class MapElements(NamedTuple):
    """Rows of a table from `feeder_data` as arrays.

    Attributes:
        branches, buses: Rows of either kind.
        ends: Positions of both ends of each branch [branch, end, axis].
        places: Position of each bus [bus, axis].
        source: Position of the source among the buses.
    """

    branches: pd.DataFrame
    buses: pd.DataFrame
    ends: NDArray[np.float64]
    places: NDArray[np.float64]
    source: int


def map_elements(table: pd.DataFrame) -> MapElements:
    """Return the branches and buses of a table."""
    branches = table[table["element"] == "branch"].reset_index(drop=True)
    buses = table[table["element"] == "bus"].reset_index(drop=True)
    starts = _rounded(branches[["x", "y"]])
    stops = _rounded(branches[["x_to", "y_to"]])
    return MapElements(
        branches,
        buses,
        np.stack([starts, stops], axis=1),
        _rounded(buses[["x", "y"]]),
        int(np.flatnonzero(buses["is_source"].to_numpy(bool))[0]),
    )


def _rounded(columns: pd.DataFrame) -> NDArray[np.float64]:
    positions: NDArray[np.float64] = columns.to_numpy(np.float64).round(3) + 0.0
    return positions
