"""Sources of networks: generators, test feeders, pandapower, SimBench and tables of lines."""

from prosumax.grid.catalog.assembly import (
    branch_capacity_kw,
    build_network,
    build_trade_limits,
    relative_distances,
)
from prosumax.grid.catalog.loading import load_feeder
from prosumax.grid.catalog.pandapower_import import ImportedFeeder, from_pandapower
from prosumax.grid.catalog.placement import load_buses, place_homes

__all__ = [
    "ImportedFeeder",
    "branch_capacity_kw",
    "build_network",
    "build_trade_limits",
    "from_pandapower",
    "load_buses",
    "load_feeder",
    "place_homes",
    "relative_distances",
]
