"""The wires: feeders, flows, voltages, losses, and what the operator of the network charges."""

from prosumax.grid.feeder import BASE_KVA, Branches, Feeder
from prosumax.grid.limits import (
    HIGHEST_PU,
    Limits,
    cut_dearest,
    cut_pro_rata,
    limits_of,
    pools_pro_rata,
    trades_by_worth,
    trades_pro_rata,
)
from prosumax.grid.network import (
    Decision,
    GridRecord,
    Network,
    Operator,
    decide,
    fees_alone,
    record,
)
from prosumax.grid.operator import TERMS, FeeRates, remembered
from prosumax.grid.paths import Paths, paths_of, shortest
from prosumax.grid.power_flow.solver import Flow, ac_flow, linear_flow
from prosumax.grid.power_flow.wires import Wires, dense, tree, wires_of

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
