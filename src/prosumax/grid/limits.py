"""Network limits: curtailment of exports and scaling of trades by linear sensitivities."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.grid.feeder import BASE_KVA, Feeder
from prosumax.grid.power_flow.models import network_matrices

MAX_VOLTAGE_PU = 1.10
"""Upper voltage limit, 10 % over nominal (EN 50160, section 4.2.2)."""

_ROUNDS = 4
_MAX_BUSES = 3000
_UNLIMITED_KW = 1e9

# Relative and absolute tolerance of a limit in single precision.
_RELATIVE_TOLERANCE = 1e-4
_ABSOLUTE_TOLERANCE = 1e-6


class NetworkLimits(NamedTuple):
    """Linear limits: `sensitivity @ net_export_kw + background <= limit`, row by row.

    The rows are the branches in their own direction, the branches in the opposite direction, and
    the voltages at the homes.

    Attributes:
        sensitivity: Effect of 1 kW of net export of each home; kW for branches, per unit for
            voltages.
        background: Contribution of the network's own loads.
        limit: Branch rating or maximum voltage.
        is_branch: 1 for rows of branches, whose limit may be scaled by a threshold.
    """

    sensitivity: Float[Array, "row home"]
    background: Float[Array, " row"]
    limit: Float[Array, " row"]
    is_branch: Float[Array, " row"]


def build_limits(
    feeder: Feeder,
    home_bus: NDArray[np.int64],
    capacity_kw: NDArray[np.float64],
    background_kw: NDArray[np.float64],
    background_kvar: NDArray[np.float64],
    include_voltages: bool = True,
) -> NetworkLimits:
    """Linearize branch flows and voltages around the unloaded network (LinDistFlow).

    Args:
        feeder: The network.
        home_bus: Bus of each home.
        capacity_kw: Capacity of each branch.
        background_kw: Active power of the network's own loads [bus].
        background_kvar: Reactive power of the network's own loads [bus].
        include_voltages: Whether voltages limit exports too; not with power flow `path`.

    Raises:
        InputError: If the network is too large for a dense matrix.
    """
    if len(feeder.buses) > _MAX_BUSES:
        raise InputError(
            f"network {feeder.name}",
            f"the network has {len(feeder.buses):,} buses; limits are supported for at most"
            f" {_MAX_BUSES:,}",
            "Set trade_limit and operator.intervention to none.",
        )
    matrices = network_matrices(feeder)
    b = feeder.branches
    flat = matrices.no_load_voltage
    # Power into each branch per power drawn at each bus: a load s draws the current conj(s / v).
    inside = flat[b.from_bus] / b.ratio
    per_drawn = -inside[:, None] * np.conj(matrices.series / np.conj(flat)[None, :])
    voltage_ratio = np.conj(flat)[:, None] / np.conj(flat)[None, :]
    drop = matrices.impedance * voltage_ratio / np.abs(flat)[:, None]
    branch_flow = -per_drawn.real
    background = (background_kw + 1j * background_kvar) / BASE_KVA
    background_flow = (per_drawn @ background).real * BASE_KVA
    background_voltage = np.abs(flat) - (drop @ np.conj(background)).real
    buses = np.unique(home_bus)
    capacity = np.minimum(capacity_kw, _UNLIMITED_KW)
    flow_rows = branch_flow[:, home_bus]
    voltage_rows = drop.real[np.ix_(buses, home_bus)] / BASE_KVA
    max_voltage = np.full(len(buses), MAX_VOLTAGE_PU if include_voltages else np.inf)
    rows = {
        "sensitivity": np.concatenate([flow_rows, -flow_rows, voltage_rows]),
        "background": np.concatenate(
            [background_flow, -background_flow, background_voltage[buses]]
        ),
        "limit": np.concatenate([capacity, capacity, max_voltage]),
        "is_branch": np.concatenate([np.ones(2 * len(capacity)), np.zeros(len(buses))]),
    }
    return NetworkLimits(**{name: jnp.asarray(part, jnp.float32) for name, part in rows.items()})


def curtail_pro_rata(
    export_kw: Float[Array, " home"],
    import_kw: Float[Array, " home"],
    ask: Float[Array, " home"],
    threshold: Float[Array, ""],
    *,
    limits: NetworkLimits,
) -> Float[Array, " home"]:
    """Compute the curtailment that keeps branches and voltages within their limits, pro rata.

    Args:
        export_kw: Export of each home's meter, >= 0.
        import_kw: Import of each home's meter, >= 0.
        ask: Price that each home asks for its energy; not used.
        threshold: Admissible share of the branch ratings.
        limits: Limits of the network.

    Returns:
        Curtailed kW between 0 and `export_kw`. Overloads that loads alone cause remain: no home is
        disconnected.
    """
    return _curtail(limits, export_kw, import_kw, None, threshold)


def curtail_by_price(
    export_kw: Float[Array, " home"],
    import_kw: Float[Array, " home"],
    ask: Float[Array, " home"],
    threshold: Float[Array, ""],
    *,
    limits: NetworkLimits,
) -> Float[Array, " home"]:
    """Compute the curtailment that keeps the network within its limits, highest asks first.

    Args:
        export_kw: Export of each home's meter, >= 0.
        import_kw: Import of each home's meter, >= 0.
        ask: Price that each home asks for its energy.
        threshold: Admissible share of the branch ratings.
        limits: Limits of the network.

    Returns:
        Curtailed kW, as in `curtail_pro_rata`.
    """
    return _curtail(limits, export_kw, import_kw, -ask, threshold)


def _curtail(
    limits: NetworkLimits,
    export_kw: Float[Array, " home"],
    import_kw: Float[Array, " home"],
    value: Float[Array, " home"] | None,
    threshold: Float[Array, ""],
) -> Float[Array, " home"]:
    limit = limits.limit * jnp.where(limits.is_branch > 0, threshold, 1.0)
    margin = limit - limits.background + limits.sensitivity @ import_kw
    kept = scale_to_limits(limits.sensitivity * export_kw, margin, value)
    return export_kw * (1.0 - kept)


def limit_trades_pro_rata(
    buyer: Array,
    seller: Array,
    kwh: Float[Array, " slot"],
    spread: Float[Array, " slot"],
    *,
    limits: NetworkLimits,
    threshold: Float[Array, ""],
    step_hours: Float[Array, ""],
) -> Float[Array, " slot"]:
    """Compute the admissible share of each trade when only trades use the branches, pro rata.

    Args:
        buyer: Buying home [slot].
        seller: Selling home [slot].
        kwh: Energy of each trade, >= 0.
        spread: Bid minus ask per kWh; not used.
        limits: Limits of the network.
        threshold: Admissible share of the branch ratings.
        step_hours: Length of the step in hours.
    """
    use = _branch_use(limits, buyer, seller, kwh / step_hours)
    return scale_to_limits(use, _trade_limits(limits, threshold))


def limit_trades_by_value(
    buyer: Array,
    seller: Array,
    kwh: Float[Array, " slot"],
    spread: Float[Array, " slot"],
    *,
    limits: NetworkLimits,
    threshold: Float[Array, ""],
    step_hours: Float[Array, ""],
) -> Float[Array, " slot"]:
    """Compute the admissible share of each trade, trades of the largest spread first.

    Args:
        buyer: Buying home [slot].
        seller: Selling home [slot].
        kwh: Energy of each trade, >= 0.
        spread: Bid minus ask per kWh.
        limits: Limits of the network.
        threshold: Admissible share of the branch ratings.
        step_hours: Length of the step in hours.
    """
    use = _branch_use(limits, buyer, seller, kwh / step_hours)
    return scale_to_limits(use, _trade_limits(limits, threshold), spread)


def limit_pools_pro_rata(
    net_kwh: Float[Array, " home"],
    *,
    limits: NetworkLimits,
    threshold: Float[Array, ""],
    step_hours: Float[Array, ""],
) -> Float[Array, ""]:
    """Compute the admissible share of an exchange without pairs.

    Args:
        net_kwh: Energy that each home sells minus buys.
        limits: Limits of the network.
        threshold: Admissible share of the branch ratings.
        step_hours: Length of the step in hours.
    """
    used = limits.sensitivity @ (net_kwh / step_hours)
    limit = _trade_limits(limits, threshold)
    is_exceeded = used > limit
    return jnp.where(is_exceeded, limit / jnp.where(is_exceeded, used, 1.0), 1.0).min()


def _branch_use(
    limits: NetworkLimits, buyer: Array, seller: Array, kw: Float[Array, " slot"]
) -> Float[Array, "row slot"]:
    return (limits.sensitivity[:, seller] - limits.sensitivity[:, buyer]) * kw


def _trade_limits(limits: NetworkLimits, threshold: Float[Array, ""]) -> Float[Array, " row"]:
    """Return the limits for trades, which count against branches only.

    No share of a voltage can be attributed to trades.
    """
    return jnp.where(limits.is_branch > 0, limits.limit * threshold, _UNLIMITED_KW)


def scale_to_limits(
    use: Float[Array, "row item"],
    limit: Float[Array, " row"],
    value: Float[Array, " item"] | None = None,
) -> Float[Array, " item"]:
    """Find the largest shares of the items, row by row, such that no row exceeds its limit.

    An item is cut as far as its tightest row requires. Items with negative use relieve a row and
    make room for others. As cutting items may remove that relief, several rounds are done; if rows
    still exceed their limits in the end, no relief is counted.

    Args:
        use: Contribution of each whole item to each row; negative where it relieves the row.
        limit: Limit of each row; where it is negative no item may add to the row.
        value: Value of the items: those of highest value are kept first. None cuts all items that
            add to a row by the same share.

    Returns:
        Shares between 0 and 1. With them the positive part of every row is within its limit, or
        within its relief.
    """
    adds = jnp.maximum(use, 0.0)
    relieves = jnp.maximum(-use, 0.0)
    order = None if value is None else jnp.argsort(-value)

    def cut(share: Float[Array, " item"], relief: Float[Array, " row"]) -> Float[Array, " item"]:
        room = jnp.maximum(limit + relief, 0.0)
        current = adds * share
        if order is None:
            total = current.sum(1)
            is_exceeded = total > room
            row_share = jnp.where(is_exceeded, room / jnp.where(is_exceeded, total, 1.0), 1.0)
            kept = jnp.broadcast_to(row_share[:, None], current.shape)
        else:
            ranked = current[:, order]
            before = jnp.cumsum(ranked, axis=1) - ranked
            left = jnp.clip(room[:, None] - before, 0.0, ranked)
            ranked_share = jnp.where(ranked > 0, left / jnp.where(ranked > 0, ranked, 1.0), 1.0)
            kept = jnp.zeros_like(current).at[:, order].set(ranked_share)
        return share * jnp.where(adds > 0, kept, 1.0).min(0, initial=1.0)

    share = jnp.ones(use.shape[1], use.dtype)
    for _ in range(_ROUNDS):
        share = cut(share, (relieves * share).sum(1))
    tolerated = jnp.maximum(limit, 0.0) * (1 + _RELATIVE_TOLERANCE) + _ABSOLUTE_TOLERANCE
    is_exceeded = ((adds - relieves) * share).sum(1) > tolerated
    return jnp.where(is_exceeded.any(), cut(share, jnp.zeros_like(limit)), share)
