"""The network of a community: location of homes, power flow, and the operator's actions."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from prosumax.batching import sum_per_home
from prosumax.grid.operator import (
    FEE_TERMS,
    FeeRates,
    LocalTradeFees,
    PathProperties,
    imbalance_fee,
    local_trade_fees,
    zone_rate,
)
from prosumax.grid.paths import Paths
from prosumax.grid.power_flow.solver import complex_magnitude
from prosumax.types import Fills, Flows, Trades

# Folded into the key of a step for the inspection draw; keys from a split have small numbers.
_INSPECTION_STREAM = 1 << 16

# Largest reduction of the threshold of an adaptive operator, when branches are always overloaded.
_MAX_THRESHOLD_REDUCTION = 0.5


class NetworkOperator(NamedTuple):
    """Rules of the network operator; all fields are arrays, so that a batch may vary them.

    Attributes:
        fee_rates: Rates of the fees; None when there are none.
        curtailment: `limits.curtail_pro_rata` or `curtail_by_price` with their limits bound; None
            without curtailment.
        threshold: Loading above which the operator intervenes.
        inspection_probability: Probability that the operator inspects a step.
        adaptive: 1 if inspection probability and threshold follow recent overloads.
        penalizes: 1 if trades above the threshold cost more in a step with intervention.
    """

    fee_rates: FeeRates | None
    curtailment: Partial | None
    threshold: Float[Array, ""]
    inspection_probability: Float[Array, ""]
    adaptive: Float[Array, ""]
    penalizes: Float[Array, ""]


class DistributionNetwork(NamedTuple):
    """The network of a community.

    Attributes:
        power_flow: Function (p_kw, q_kvar) [bus] -> `PowerFlowResult`; None for power flow `path`,
            in which trades load their shortest paths.
        paths: Paths between the homes.
        home_bus: Bus of each home.
        zone: Zone of each home, and of the source.
        reactive_ratio: Reactive over active power of the loads of homes.
        background_kw: Active power of the network's own loads.
        background_kvar: Reactive power of the network's own loads.
        capacity_kw: Capacity of each branch, for power flow `path`.
        loss_per_km: Share of a trade that is lost per km, for power flow `path` and the usage fee.
        operator: Rules of the network operator.
    """

    power_flow: Partial | None
    paths: Paths
    home_bus: Int[Array, " home"]
    zone: Int[Array, " place"]
    reactive_ratio: Float[Array, ""]
    background_kw: Float[Array, " bus"]
    background_kvar: Float[Array, " bus"]
    capacity_kw: Float[Array, " branch"]
    loss_per_km: Float[Array, ""]
    operator: NetworkOperator


class OperatorDecision(NamedTuple):
    """Decision of the operator for a step, before the market opens.

    Attributes:
        intervenes: Whether the operator intervenes.
        threshold: Loading above which it does.
        curtailed_kwh: Export that it curtails at each home.
    """

    intervenes: Bool[Array, ""]
    threshold: Float[Array, ""]
    curtailed_kwh: Float[Array, " home"]


class GridRecord(NamedTuple):
    """State of the network and the operator's fees in a step.

    Attributes:
        voltage_pu: Voltage magnitude; 1 everywhere with power flow `path`, which has none [bus].
        loading: Loading of each branch; 1 is 100 % (congestion, equation 15) [branch].
        loss_kwh: Losses of all branches.
        background_kwh: Energy drawn by the network's own loads.
        source_kwh: Energy through the source, positive into the network.
        residual_pu: Residual of the power flow.
        balance_kwh: Exports minus imports of all homes (equation 16).
        intervened: Whether the operator curtailed an export or penalized a trade.
        curtailed_kwh: Curtailed export [home].
        penalized_kwh: Local trade above the threshold in a step with intervention.
        fees: Fees paid by each home, negative for a bonus [home].
        fee_terms: Sum of the fees by term of equation 4, in the order of `FEE_TERMS` [term].
    """

    voltage_pu: Float[Array, " bus"]
    loading: Float[Array, " branch"]
    loss_kwh: Float[Array, ""]
    background_kwh: Float[Array, ""]
    source_kwh: Float[Array, ""]
    residual_pu: Float[Array, ""]
    balance_kwh: Float[Array, ""]
    intervened: Bool[Array, ""]
    curtailed_kwh: Float[Array, " home"]
    penalized_kwh: Float[Array, ""]
    fees: Float[Array, " home"]
    fee_terms: Float[Array, " term"]


def decide_intervention(
    network: DistributionNetwork,
    flows: Flows,
    ask: Float[Array, " home"],
    stress: Float[Array, ""],
    step_hours: Float[Array, ""],
    key: PRNGKeyArray,
) -> OperatorDecision:
    """Decide on the operator's intervention and curtailment before the market opens.

    Args:
        network: The network with its operator.
        flows: Energy flows that the homes intend.
        ask: Price that each home asks for its energy.
        stress: Recent frequency of overloads, 0 to 1.
        step_hours: Length of the step in hours.
        key: Key of the step, from which the inspection draw is derived.
    """
    operator = network.operator
    pressure = operator.adaptive * stress
    remainder = 1.0 - operator.inspection_probability
    probability = operator.inspection_probability + remainder * pressure
    threshold = operator.threshold * (1.0 - _MAX_THRESHOLD_REDUCTION * pressure)

    def draw_inspection() -> Bool[Array, ""]:
        return jax.random.bernoulli(jax.random.fold_in(key, _INSPECTION_STREAM), probability)

    # An operator that inspects every step needs no draw.
    always_inspects = operator.inspection_probability >= 1.0
    intervenes = jax.lax.cond(always_inspects, lambda: jnp.bool_(True), draw_inspection)
    zero = jnp.zeros_like(flows.export_kwh)
    if operator.curtailment is None:
        return OperatorDecision(intervenes, threshold, zero)
    # Only PV generation can be curtailed; the dispatch of batteries is up to their owners.
    curtailable_kw = jnp.minimum(flows.export_kwh, flows.solar_kwh) / step_hours
    curtailed_kw = operator.curtailment(
        flows.export_kwh / step_hours, flows.import_kwh / step_hours, ask, threshold
    )
    curtailed_kwh = jnp.minimum(curtailed_kw, curtailable_kw) * step_hours
    return OperatorDecision(intervenes, threshold, jnp.where(intervenes, curtailed_kwh, zero))


def network_step(
    network: DistributionNetwork,
    flows: Flows,
    local: Fills,
    grid: Fills,
    decision: OperatorDecision,
    step_hours: Float[Array, ""],
) -> GridRecord:
    """Compute the state of the network in a step, and the operator's fees.

    Args:
        network: The network.
        flows: Energy flows of the homes, after curtailment.
        local: Trades between homes.
        grid: Trades with the grid side.
        decision: Decision of the operator.
        step_hours: Length of the step in hours.
    """
    trades = _no_trades() if local.trades is None else local.trades
    background = network.background_kw.sum() * step_hours
    if network.power_flow is None:
        loading, loss = _load_paths(network, trades, local, grid, step_hours)
        voltage = jnp.ones_like(network.background_kw)
        residual = jnp.zeros_like(step_hours)
        source_kwh = flows.net_kwh.sum() + background + loss
    else:
        net_kw = flows.net_kwh / step_hours
        reactive_kvar = network.reactive_ratio * (flows.load_kwh / step_hours)
        result = network.power_flow(
            network.background_kw.at[network.home_bus].add(net_kw),
            network.background_kvar.at[network.home_bus].add(reactive_kvar),
        )
        loading = result.loading
        voltage = complex_magnitude(result.voltage_pu)
        residual = result.residual_pu
        loss = (result.loss_kw.sum() + result.bus_loss_kw.sum()) * step_hours
        source_kwh = result.source_kw * step_hours
    balance = -flows.net_kwh.sum()
    fees = jnp.zeros(flows.load_kwh.shape[0], loss.dtype)
    fee_terms = jnp.zeros(len(FEE_TERMS), loss.dtype)
    penalized = jnp.zeros_like(loss)
    if network.operator.fee_rates is not None:
        fees, fee_terms, penalized = _charge_fees(
            network, trades, local, grid, loading, balance, decision
        )
    return GridRecord(
        voltage_pu=voltage,
        loading=loading,
        loss_kwh=loss,
        background_kwh=background,
        source_kwh=source_kwh,
        residual_pu=residual,
        balance_kwh=balance,
        intervened=(decision.curtailed_kwh.sum() > 0) | (penalized > 0),
        curtailed_kwh=decision.curtailed_kwh,
        penalized_kwh=penalized,
        fees=fees,
        fee_terms=fee_terms,
    )


def _load_paths(
    network: DistributionNetwork,
    trades: Trades,
    local: Fills,
    grid: Fills,
    step_hours: Float[Array, ""],
) -> tuple[Float[Array, " branch"], Float[Array, ""]]:
    """Return branch loading and total losses if every trade takes its shortest path."""
    paths = network.paths
    home, source = _source_pairs(local)
    trade_loss = _loss_share(network, paths.distance_km(trades.buyer, trades.seller))
    source_loss = _loss_share(network, paths.distance_km(home, source))
    # Energy of pools has no pairs and flows via the source, as trades with the grid do.
    via_source = grid.bought_kwh + grid.sold_kwh
    if local.pooled is not None:
        via_source = via_source + local.pooled.kwh
    carried = paths.branch_flow(
        (trades.buyer, trades.seller, trades.kwh), (home, source, via_source)
    )
    loss = (trade_loss * trades.kwh).sum() + (source_loss * via_source).sum()
    return carried / (network.capacity_kw * step_hours), loss


def _charge_fees(
    network: DistributionNetwork,
    trades: Trades,
    local: Fills,
    grid: Fills,
    loading: Float[Array, " branch"],
    balance: Float[Array, ""],
    decision: OperatorDecision,
) -> tuple[Float[Array, " home"], Float[Array, " term"], Float[Array, ""]]:
    """Return the fees of each home, their sums by term, and the penalized energy, kWh.

    The parties of a bilateral trade pay half each. For energy of a pool, each home pays the fees
    of the path between itself and the source.
    """
    rates = network.operator.fee_rates
    assert rates is not None
    is_penalizing = decision.intervenes & (network.operator.penalizes > 0)

    def charge(
        kwh: Array, value: Array, path: PathProperties, zone: Array
    ) -> tuple[LocalTradeFees, Array]:
        is_over = is_penalizing & (kwh > 0) & (path.max_loading > decision.threshold)
        charged = local_trade_fees(
            rates, value, path, zone, decision.threshold, decision.intervenes
        )
        return charged, jnp.where(is_over, kwh, 0.0).sum()

    homes = grid.bought_kwh.shape[0]
    path = _path_properties(network, trades.buyer, trades.seller, loading)
    price = jnp.maximum((trades.buyer_price + trades.seller_price) / 2, 0.0)
    zone = zone_rate(rates, network.zone[trades.buyer] == network.zone[trades.seller])
    charged, penalized = charge(trades.kwh, trades.kwh * price, path, zone)
    half = sum(charged[1:], charged[0]) / 2
    fees = sum_per_home(trades.buyer, half, homes) + sum_per_home(trades.seller, half, homes)
    sums = [term.sum() for term in charged]
    if local.pooled is not None:
        path = _path_properties(network, *_source_pairs(local), loading)
        charged, pool_penalized = charge(*local.pooled, path, jnp.float32(0.0))
        fees = fees + sum(charged[1:], charged[0])
        penalized = penalized + pool_penalized
        sums = [total + term.sum() for total, term in zip(sums, charged, strict=True)]
    grid_kwh = grid.bought_kwh + grid.sold_kwh
    imbalance = imbalance_fee(rates, grid_kwh, _trade_value(grid), balance)
    by_name = dict(zip(LocalTradeFees._fields, sums, strict=True))
    by_name["imbalance"] = imbalance.sum()
    return fees + imbalance, jnp.stack([by_name[name] for name in FEE_TERMS]), penalized


def _path_properties(
    network: DistributionNetwork,
    start: Int[Array, " transfer"],
    end: Int[Array, " transfer"],
    loading: Float[Array, " branch"],
) -> PathProperties:
    distance_km = network.paths.distance_km(start, end)
    max_loading = network.paths.max_on_path(start, end, loading)
    return PathProperties(max_loading, distance_km, _loss_share(network, distance_km))


def _loss_share(
    network: DistributionNetwork, distance_km: Float[Array, " transfer"]
) -> Float[Array, " transfer"]:
    """Return the share of the energy that is lost over a distance (equation 14)."""
    return jnp.minimum(distance_km * network.loss_per_km, 1.0)


def _source_pairs(fills: Fills) -> tuple[Int[Array, " home"], Int[Array, " home"]]:
    """Pair every home with the source, which is the place after the last home."""
    homes = fills.bought_kwh.shape[0]
    return jnp.arange(homes), jnp.full(homes, homes)


def _no_trades() -> Trades:
    no_home = jnp.zeros(0, jnp.int32)
    no_amount = jnp.zeros(0)
    return Trades(no_home, no_home, no_amount, no_amount, no_amount)


def standalone_fees(network: DistributionNetwork, grid: Fills) -> Float[Array, " home"]:
    """Compute the operator's fees if all homes traded with the grid side only.

    Of the fee terms only the imbalance fee applies then.

    Args:
        network: The network.
        grid: Trades with the grid side.
    """
    rates = network.operator.fee_rates
    if rates is None:
        return jnp.zeros_like(grid.bought_kwh)
    balance = (grid.sold_kwh - grid.bought_kwh).sum()
    return imbalance_fee(rates, grid.bought_kwh + grid.sold_kwh, _trade_value(grid), balance)


def _trade_value(grid: Fills) -> Float[Array, " home"]:
    """Return the money of each home's trade with the grid side, >= 0."""
    return jnp.maximum(grid.paid, 0.0) + jnp.maximum(grid.earned, 0.0)
