"""Section of the report about the network, beside its charts."""

from typing import NamedTuple

from prosumax.report import text
from prosumax.report.kpi_glossary import KPIEntry, network_entries
from prosumax.report.tables import network_tiles, operator_table
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Table
from prosumax.viz.network.series import (
    NetworkSeries,
    home_distances_km,
    network_series,
)


class NetworkSection(NamedTuple):
    """Texts, KPIs and tables about the network.

    Attributes:
        lead: Description of the network and its power flow.
        warning: Warning of steps without a solution; empty without any.
        tiles: Main KPIs.
        kpis: Further KPIs with explanations.
        homes: Position of each home.
        operator: Sentences about the network operator.
        income: Money of the network operator.
    """

    lead: str
    warning: str
    tiles: list[KPIEntry]
    kpis: list[KPIEntry]
    homes: Table
    operator: list[str]
    income: Table


def network_section(result: Result) -> NetworkSection | None:
    """Return the section about the network; `None` without a network."""
    network = network_series(result)
    if network is None or result.kpis["network"] is None:
        return None
    return NetworkSection(
        lead=text.network_description(result),
        warning=text.convergence_warning(result),
        tiles=network_tiles(result),
        kpis=network_entries(result),
        homes=_homes_table(result, network),
        operator=text.operator_sentences(result),
        income=operator_table(result),
    )


def _homes_table(result: Result, network: NetworkSeries) -> Table:
    """Return the bus, the distance to the source and the voltages of each home."""
    distances = home_distances_km(network)[:, -1]
    buses = network.feeder.buses
    zones = network.feeder.zone
    head = ["Home", "bus", "part of the network", "distance to the source"]
    columns = [
        [buses[bus] for bus in network.home_bus],
        [zones[bus] for bus in network.home_bus],
        [text.length(float(km)) for km in distances],
    ]
    if network.voltage is not None and len(network.steps):
        head += ["lowest voltage", "highest voltage"]
        at_homes = network.voltage[:, network.home_bus]
        ends = (at_homes.min(0), at_homes.max(0))
        columns += [[text.percent(float(value)) for value in end] for end in ends]
    rows = [
        [home["name"], *(column[at] for column in columns)]
        for at, home in enumerate(result.households)
    ]
    return Table("Position of the homes", head, rows)
