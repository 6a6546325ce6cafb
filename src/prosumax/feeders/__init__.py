"""Where networks come from: drawn, published test feeders, pandapower, SimBench, a table of lines."""

from prosumax.feeders.assemble import capacity_kw, distances, trade_limits, wire
from prosumax.feeders.load import load_feeder
from prosumax.feeders.placement import load_buses, place_homes
from prosumax.feeders.powergrid import Imported, from_pandapower

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
