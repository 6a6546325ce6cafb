"""Distribution networks: feeders, power flow, voltages, losses, limits, and operator fees."""

from prosumax.grid.feeder import BASE_KVA, Branches, Feeder
from prosumax.grid.limits import (
    MAX_VOLTAGE_PU,
    NetworkLimits,
    build_limits,
    curtail_by_price,
    curtail_pro_rata,
    limit_pools_pro_rata,
    limit_trades_by_value,
    limit_trades_pro_rata,
)
from prosumax.grid.network import (
    DistributionNetwork,
    GridRecord,
    NetworkOperator,
    OperatorDecision,
    decide_intervention,
    network_step,
    standalone_fees,
)
from prosumax.grid.operator import FEE_TERMS, FeeRates, update_stress
from prosumax.grid.paths import Paths, build_paths, shortest_paths
from prosumax.grid.power_flow import (
    PowerFlowModel,
    PowerFlowResult,
    ac_power_flow,
    build_model,
    dense_model,
    linear_power_flow,
    tree_model,
)

__all__ = [
    "BASE_KVA",
    "FEE_TERMS",
    "MAX_VOLTAGE_PU",
    "Branches",
    "DistributionNetwork",
    "FeeRates",
    "Feeder",
    "GridRecord",
    "NetworkLimits",
    "NetworkOperator",
    "OperatorDecision",
    "Paths",
    "PowerFlowModel",
    "PowerFlowResult",
    "ac_power_flow",
    "build_limits",
    "build_model",
    "build_paths",
    "curtail_by_price",
    "curtail_pro_rata",
    "decide_intervention",
    "dense_model",
    "limit_pools_pro_rata",
    "limit_trades_by_value",
    "limit_trades_pro_rata",
    "linear_power_flow",
    "network_step",
    "shortest_paths",
    "standalone_fees",
    "tree_model",
    "update_stress",
]
