"""The wires: feeders, flows, voltages, losses, and what the operator of the network charges."""

from prosumax.network.feeder import BASE_KVA, Branches, Feeder
from prosumax.network.flow import Flow, ac_flow, linear_flow
from prosumax.network.grid import Decision, GridRecord, Network, Operator, decide, fees_alone, record
from prosumax.network.limits import (
    HIGHEST_PU,
    Limits,
    cut_dearest,
    cut_pro_rata,
    limits_of,
    pools_pro_rata,
    trades_by_worth,
    trades_pro_rata,
)
from prosumax.network.operator import TERMS, FeeRates, remembered
from prosumax.network.routes import Paths, paths_of, shortest
from prosumax.network.wires import Wires, dense, tree, wires_of

__all__ = [
    "BASE_KVA",
    "HIGHEST_PU",
    "TERMS",
    "Branches",
    "Decision",
    "FeeRates",
    "Feeder",
    "Flow",
    "GridRecord",
    "Limits",
    "Network",
    "Operator",
    "Paths",
    "Wires",
    "ac_flow",
    "cut_dearest",
    "cut_pro_rata",
    "decide",
    "dense",
    "fees_alone",
    "limits_of",
    "linear_flow",
    "paths_of",
    "pools_pro_rata",
    "record",
    "remembered",
    "shortest",
    "trades_by_worth",
    "trades_pro_rata",
    "tree",
    "wires_of",
]
