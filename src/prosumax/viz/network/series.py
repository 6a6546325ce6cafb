"""Loading and voltages of a run's network, in the steps in which the power flow converged."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.grid.feeder import Feeder
from prosumax.grid.paths import shortest_paths
from prosumax.metrics.network import CONVERGENCE_TOLERANCE_PU
from prosumax.simulation.results.result import Result
from prosumax.viz.parts import Values


class NetworkSeries(NamedTuple):
    """State of the network in the steps in which the power flow found a solution.

    Attributes:
        feeder: Its buses and branches.
        home_bus: Position of each home's bus.
        steps: Positions of those steps.
        local: Their local times.
        step_hours: Length of a step.
        loading: Loading of each branch, 1 is 100 % [step, branch].
        voltage: Voltage per unit [step, bus]; `None` for the flow model `path`, which has none.
        rated: Branches whose loading is known [branch].
    """

    feeder: Feeder
    home_bus: NDArray[np.int64]
    steps: NDArray[np.int64]
    local: pd.DatetimeIndex
    step_hours: float
    loading: Values
    voltage: Values | None
    rated: NDArray[np.bool_]


def network_series(result: Result) -> NetworkSeries | None:
    """Return the state of a run's network; `None` without a network."""
    feeder = result.profiles.feeder
    home_bus = result.profiles.home_bus
    grid = result.trajectory.record.grid
    if feeder is None or home_bus is None or grid is None:
        return None
    solved = np.asarray(grid.residual_pu) <= CONVERGENCE_TOLERANCE_PU
    voltage, loading = (
        np.asarray(part) if solved.all() else np.asarray(part)[solved] for part in grid[:2]
    )
    branches = feeder.branches
    spec = result.scenario.network
    rated = np.isfinite(np.minimum(branches.rating_from_pu, branches.rating_to_pu))
    if spec.flow == "path" and spec.capacity_kw is not None:
        rated = branches.length_km > 0  # The capacity is shared by all branches with a length.
    return NetworkSeries(
        feeder=feeder,
        home_bus=np.asarray(home_bus, dtype=np.int64),
        steps=np.flatnonzero(solved),
        local=result.profiles.local_index[solved],
        step_hours=result.scenario.period.step_hours,
        loading=loading,
        voltage=None if spec.flow == "path" else voltage,
        rated=rated | (loading > 0).any(0),
    )


def home_distances_km(network: NetworkSeries) -> Values:
    """Return lengths of the shortest paths between homes, and to the source in the last column."""
    starts, place = np.unique(network.home_bus, return_inverse=True)
    ends = np.append(network.home_bus, network.feeder.source_bus)
    distances: Values = shortest_paths(network.feeder, starts).km[place][:, ends]
    return distances


class Extremes(NamedTuple):
    """Extremes of every branch or bus over the period.

    Attributes:
        highest, mean, lowest: Values [place].
        when, when_lowest: Positions of the extremes in `NetworkSeries.local` [place].
    """

    highest: Values
    when: NDArray[np.int64]
    mean: Values
    lowest: Values
    when_lowest: NDArray[np.int64]


def extremes(values: Values) -> Extremes:
    """Return the extremes of [step, place]; there must be a step."""
    when = values.argmax(0)
    when_lowest = values.argmin(0)
    places = np.arange(values.shape[1])
    return Extremes(
        np.asarray(values[when, places], np.float64),
        when,
        values.mean(0, dtype=np.float64),
        np.asarray(values[when_lowest, places], np.float64),
        when_lowest,
    )


def hourly_steps(network: NetworkSeries) -> tuple[list[int], list[NDArray[np.int64]]]:
    """Return the local hours that occur, and the steps of each."""
    hour = np.asarray(network.local.hour)
    hours = np.unique(hour)
    return hours.tolist(), [np.flatnonzero(hour == each) for each in hours]
