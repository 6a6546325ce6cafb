"""Where networks come from: drawn, published test feeders, pandapower, SimBench, a table of lines."""

from prosumax.grid.catalog.assembly import capacity_kw, distances, trade_limits, wire
from prosumax.grid.catalog.loading import load_feeder
from prosumax.grid.catalog.pandapower_import import Imported, from_pandapower
from prosumax.grid.catalog.placement import load_buses, place_homes

__all__ = [
    "Imported",
    "capacity_kw",
    "distances",
    "from_pandapower",
    "load_buses",
    "load_feeder",
    "place_homes",
    "trade_limits",
    "wire",
]
