"""Power flow: AC and linear solvers on dense or tree-structured per-unit models."""

from prosumax.grid.power_flow.models import (
    PowerFlowModel,
    build_model,
    dense_model,
    tree_model,
)
from prosumax.grid.power_flow.solver import PowerFlowResult, ac_power_flow, linear_power_flow

__all__ = [
    "PowerFlowModel",
    "PowerFlowResult",
    "ac_power_flow",
    "build_model",
    "dense_model",
    "linear_power_flow",
    "tree_model",
]
