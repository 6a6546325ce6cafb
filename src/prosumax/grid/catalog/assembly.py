"""Networks of a community from a feeder and its settings in the scenario."""

import math

import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from numpy.typing import NDArray

from prosumax.grid.feeder import BASE_KVA, Feeder
from prosumax.grid.limits import (
    NetworkLimits,
    build_limits,
    curtail_by_price,
    curtail_pro_rata,
)
from prosumax.grid.network import DistributionNetwork, NetworkOperator
from prosumax.grid.operator import FeeRates
from prosumax.grid.paths import build_paths, shortest_paths
from prosumax.grid.power_flow.models import build_model
from prosumax.grid.power_flow.solver import ac_power_flow, linear_power_flow
from prosumax.scenario.schema.network import NetworkConfig, OperatorConfig

# Smallest total that is divided by, far below any length or weight.
_MIN_TOTAL = 1e-12


def build_network(
    spec: NetworkConfig, feeder: Feeder, home_bus: NDArray[np.int64]
) -> DistributionNetwork:
    """Build the network of a community.

    Args:
        spec: Network settings of the scenario, with a flow other than `copper_plate`.
        feeder: The feeder, validated.
        home_bus: Position of each home's bus.
    """
    zones = sorted(set(feeder.zone))
    zone = [zones.index(feeder.zone[bus]) for bus in (*home_bus, feeder.source_bus)]
    solver = {"path": None, "linear": linear_power_flow, "ac": ac_power_flow}[spec.flow]
    share = spec.background_load_share
    return DistributionNetwork(
        power_flow=None if solver is None else Partial(solver, build_model(feeder)),
        paths=build_paths(feeder, home_bus),
        home_bus=jnp.asarray(home_bus, jnp.int32),
        zone=jnp.asarray(zone, jnp.int32),
        reactive_ratio=jnp.float32(math.tan(math.acos(spec.power_factor))),
        background_kw=jnp.asarray(share * feeder.load_kw, jnp.float32),
        background_kvar=jnp.asarray(share * feeder.load_kvar, jnp.float32),
        capacity_kw=jnp.asarray(branch_capacity_kw(spec, feeder), jnp.float32),
        loss_per_km=jnp.float32(spec.loss_per_km),
        operator=_build_operator(spec, feeder, home_bus),
    )


def build_trade_limits(
    spec: NetworkConfig, feeder: Feeder, home_bus: NDArray[np.int64]
) -> NetworkLimits:
    """Build the limits that apply to trades or exports.

    Args:
        spec: Network settings of the scenario.
        feeder: The feeder, validated.
        home_bus: Position of each home's bus.
    """
    return build_limits(
        feeder,
        home_bus,
        branch_capacity_kw(spec, feeder),
        spec.background_load_share * feeder.load_kw,
        spec.background_load_share * feeder.load_kvar,
        include_voltages=spec.flow != "path",
    )


def relative_distances(feeder: Feeder, home_bus: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the length of the shortest path between homes over the longest such path.

    Args:
        feeder: The feeder.
        home_bus: Position of each home's bus.

    Returns:
        Relative distances, 0 to 1 [home, home].
    """
    between = shortest_paths(feeder, home_bus).km[:, home_bus]
    return np.asarray(between / max(between.max(), _MIN_TOTAL))


def branch_capacity_kw(spec: NetworkConfig, feeder: Feeder) -> NDArray[np.float64]:
    """Return the capacity of each branch.

    Capacities are the ratings of the feeder, or shares of a total by inverse length, so that short
    branches carry more. Transformers, which have no length, get no share and stay unlimited.

    Args:
        spec: Network settings of the scenario.
        feeder: The feeder.

    Returns:
        Capacity in kW [branch].

    References:
        MARLEM, equation 15 and below.
    """
    b = feeder.branches
    if spec.capacity_kw is None:
        return np.minimum(b.rating_from_pu, b.rating_to_pu) * BASE_KVA
    has_length = b.length_km > 0
    weight = np.where(has_length, 1.0 / np.where(has_length, b.length_km, 1.0), 0.0)
    share = spec.capacity_kw * weight / max(weight.sum(), _MIN_TOTAL)
    return np.where(has_length, share, np.inf)


def _build_operator(
    spec: NetworkConfig, feeder: Feeder, home_bus: NDArray[np.int64]
) -> NetworkOperator:
    rules = spec.operator
    curtailment = None
    if rules.intervention == "curtail":
        curtail = curtail_by_price if rules.curtail_by == "price" else curtail_pro_rata
        curtailment = Partial(curtail, limits=build_trade_limits(spec, feeder, home_bus))
    intervenes = rules.intervention != "none"
    return NetworkOperator(
        fee_rates=_fee_rates(rules) if rules.fees else None,
        curtailment=curtailment,
        threshold=jnp.float32(rules.congestion_threshold),
        inspection_probability=jnp.float32(rules.inspection_probability if intervenes else 0.0),
        adaptive=jnp.float32(rules.adaptive and intervenes),
        penalizes=jnp.float32(rules.intervention == "penalize"),
    )


def _fee_rates(rules: OperatorConfig) -> FeeRates:
    penalizes = rules.intervention == "penalize"
    values = {
        name: getattr(rules, name)
        for name in FeeRates._fields
        if name not in ("penalty", "surcharge")
    }
    values["penalty"] = rules.penalty if penalizes else 1.0
    values["surcharge"] = rules.surcharge if penalizes else 0.0
    return FeeRates(**{name: jnp.float32(value) for name, value in values.items()})
