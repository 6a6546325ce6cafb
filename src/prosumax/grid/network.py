"""A community's network: where the homes are, how flows are computed, and what the operator does in a step."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from prosumax.batching import add_per_home
from prosumax.grid import operator as dso
from prosumax.grid.operator import FeeRates
from prosumax.grid.paths import Paths
from prosumax.grid.power_flow.solver import magnitude
from prosumax.types import Fills, Flows, Trades

_LOOKS = (
    1 << 16
)  # what the operator's draw folds into a step's key; keys that a split gives have small numbers
_STRESS_SHIFT = 0.5  # share of its threshold by which an adaptive operator lowers it when lines are always overloaded


class Operator(NamedTuple):
    """What the network operator does; all arrays, so that a batch may vary them.

    Attributes:
        rates: of the fees; None when it charges none.
        curtail: what it cuts, `limits.cut_pro_rata` or `cut_dearest` with their limits bound; None when it cuts none.
        threshold: congestion from which it intervenes.
        frequency: probability that it looks at a step.
        adaptive: 1 when frequency and threshold follow the overloads of the last steps.
        punishes: 1 when trades over the threshold cost more in a step with intervention.
    """

    rates: FeeRates | None
    curtail: Partial | None
    threshold: Float[Array, ""]
    frequency: Float[Array, ""]
    adaptive: Float[Array, ""]
    punishes: Float[Array, ""]


class Network(NamedTuple):
    """The wires of a community.

    Attributes:
        flow: (p_kw, q_kvar) [bus] -> `Flow`; None for flow `path`, where trades load their shortest paths.
        paths: between the homes.
        home_bus: bus of each home.
        zone: of each home, and of the source.
        reactive: reactive power per active power of what homes use.
        background_kw, background_kvar: what the network's own loads draw.
        capacity_kw: of each branch, for flow `path`.
        loss_per_km: share of a trade lost on a km, for flow `path` and the usage fee.
        operator: what it charges and does.
    """

    flow: Partial | None
    paths: Paths
    home_bus: Int[Array, " home"]
    zone: Int[Array, " place"]
    reactive: Float[Array, ""]
    background_kw: Float[Array, " bus"]
    background_kvar: Float[Array, " bus"]
    capacity_kw: Float[Array, " branch"]
    loss_per_km: Float[Array, ""]
    operator: Operator


class Decision(NamedTuple):
    """What the operator has decided for a step before anybody trades.

    Attributes:
        intervenes: whether it acts.
        threshold: congestion over which it does.
        curtailed_kwh: export it forbids each home.
    """

    intervenes: Bool[Array, ""]
    threshold: Float[Array, ""]
    curtailed_kwh: Float[Array, " home"]


class GridRecord(NamedTuple):
    """What happened in the network in a step.

    Attributes:
        voltage: magnitude, per unit; NaN-free, and 1 everywhere under flow `path`, which knows none [bus].
        loading: of each branch; 1 is 100 % (congestion, equation 15) [branch].
        loss_kwh: heat in all branches together.
        background_kwh: drawn by the network's own loads.
        source_kwh: through the source, positive into the network.
        residual: of the power flow, per unit.
        balance_kwh: exported minus imported by all homes (equation 16).
        intervened: whether the operator cut an export or punished a trade.
        curtailed_kwh: export it cut [home].
        penalised_kwh: local trade over the threshold in a step with intervention.
        fees: paid by each home, negative for a bonus [home].
        fee_terms: all fees by term of equation 4, `operator.TERMS` [term].
    """

    voltage: Float[Array, " bus"]
    loading: Float[Array, " branch"]
    loss_kwh: Float[Array, ""]
    background_kwh: Float[Array, ""]
    source_kwh: Float[Array, ""]
    residual: Float[Array, ""]
    balance_kwh: Float[Array, ""]
    intervened: Bool[Array, ""]
    curtailed_kwh: Float[Array, " home"]
    penalised_kwh: Float[Array, ""]
    fees: Float[Array, " home"]
    fee_terms: Float[Array, " term"]


def decide(
    network: Network,
    flows: Flows,
    ask: Float[Array, " home"],
    stress: Float[Array, ""],
    step_hours: Float[Array, ""],
    key: PRNGKeyArray,
) -> Decision:
    """Whether the operator acts in this step, and which exports it forbids before the market opens.

    Arguments:
        network: with its operator.
        flows: what the homes would do.
        ask: price each home wants for its energy.
        stress: how often lines were overloaded lately, 0 to 1.
        step_hours: length of the step.
        key: of the step; from it comes the draw whether the operator looks at all.
    """
    rules = network.operator
    pressure = rules.adaptive * stress
    frequency = rules.frequency + (1.0 - rules.frequency) * pressure
    threshold = rules.threshold * (1.0 - _STRESS_SHIFT * pressure)
    # An operator who always looks needs no draw.
    draw = lambda: jax.random.bernoulli(jax.random.fold_in(key, _LOOKS), frequency)  # noqa: E731
    acts = jax.lax.cond(rules.frequency >= 1.0, lambda: jnp.bool_(True), draw)
    nothing = jnp.zeros_like(flows.export_kwh)
    if rules.curtail is None:
        return Decision(acts, threshold, nothing)
    # Only panels can be turned down; what a battery gives is its owner's decision.
    can = jnp.minimum(flows.export_kwh, flows.solar_kwh) / step_hours
    cut_kw = rules.curtail(
        flows.export_kwh / step_hours, flows.import_kwh / step_hours, ask, threshold
    )
    cut = jnp.minimum(cut_kw, can) * step_hours
    return Decision(acts, threshold, jnp.where(acts, cut, nothing))


def record(
    network: Network,
    flows: Flows,
    local: Fills,
    grid: Fills,
    decision: Decision,
    step_hours: Float[Array, ""],
) -> GridRecord:
    """What the meters and the trades of a step do to the network, and what the operator charges for it.

    Arguments:
        network: the wires.
        flows: of the homes, after what the operator cut.
        local, grid: what was traded between neighbours and with the grid side.
        decision: of the operator.
        step_hours: length of the step.
    """
    homes = flows.load_kwh.shape[0]
    trades = _no_trades() if local.trades is None else local.trades
    paths, everyone, source = network.paths, jnp.arange(homes), jnp.full(homes, homes)
    between_km, away_km = (
        paths.distance_km(trades.buyer, trades.seller),
        paths.distance_km(everyone, source),
    )
    between_loss, away_loss = (
        jnp.minimum(km * network.loss_per_km, 1.0) for km in (between_km, away_km)
    )
    # Energy of a pool has no pairs: it goes by the source, each home paying the fees of its own half of the way.
    with_grid = grid.bought_kwh + grid.sold_kwh
    by_source = with_grid if local.pooled is None else with_grid + local.pooled.kwh
    net, drawn = flows.net_kwh / step_hours, flows.load_kwh / step_hours
    background = network.background_kw.sum() * step_hours
    if network.flow is None:
        carried = paths.carried(
            (trades.buyer, trades.seller, trades.kwh), (everyone, source, by_source)
        )
        loading = carried / (network.capacity_kw * step_hours)
        voltage = jnp.ones_like(network.background_kw)
        loss, residual = (
            (between_loss * trades.kwh).sum() + (away_loss * by_source).sum(),
            jnp.zeros_like(step_hours),
        )
        drawn_kwh = flows.net_kwh.sum() + background + loss
    else:
        p = network.background_kw.at[network.home_bus].add(net)
        q = network.background_kvar.at[network.home_bus].add(network.reactive * drawn)
        found = network.flow(p, q)
        loading, voltage, residual = found.loading, magnitude(found.voltage), found.residual
        loss = (found.loss_kw.sum() + found.bus_loss_kw.sum()) * step_hours
        drawn_kwh = found.source_kw * step_hours
    balance = -flows.net_kwh.sum()
    paid, terms, penalised = (
        jnp.zeros(homes, loss.dtype),
        jnp.zeros(len(dso.TERMS), loss.dtype),
        jnp.zeros_like(loss),
    )
    rates = network.operator.rates
    if rates is not None:
        punished = decision.intervenes & (network.operator.punishes > 0)

        def charge(
            kwh: Array, value: Array, way: dso.Way, zone: Array
        ) -> tuple[dso.LocalFees, Array]:
            over = punished & (kwh > 0) & (way.congestion > decision.threshold)
            fees = dso.local_fees(rates, value, way, zone, decision.threshold, decision.intervenes)
            return fees, jnp.where(over, kwh, 0.0).sum()

        way = dso.Way(paths.worst(trades.buyer, trades.seller, loading), between_km, between_loss)
        price = jnp.maximum((trades.buyer_price + trades.seller_price) / 2, 0.0)
        zone = dso.zone_rate(rates, network.zone[trades.buyer] == network.zone[trades.seller])
        fees, penalised = charge(trades.kwh, trades.kwh * price, way, zone)
        half = sum(fees[1:], fees[0]) / 2
        paid = add_per_home(trades.buyer, half, homes) + add_per_home(trades.seller, half, homes)
        sums = [term.sum() for term in fees]
        if local.pooled is not None:
            way = dso.Way(paths.worst(everyone, source, loading), away_km, away_loss)
            fees, more = charge(*local.pooled, way, jnp.float32(0.0))
            paid, penalised = paid + sum(fees[1:], fees[0]), penalised + more
            sums = [total + term.sum() for total, term in zip(sums, fees, strict=True)]
        imbalance = dso.imbalance_fee(rates, with_grid, _worth(grid), balance)
        by_name = dict(zip(dso.LocalFees._fields, sums, strict=True)) | {
            "imbalance": imbalance.sum()
        }
        paid, terms = paid + imbalance, jnp.stack([by_name[name] for name in dso.TERMS])
    return GridRecord(
        voltage=voltage,
        loading=loading,
        loss_kwh=loss,
        background_kwh=background,
        source_kwh=drawn_kwh,
        residual=residual,
        balance_kwh=balance,
        intervened=(decision.curtailed_kwh.sum() > 0) | (penalised > 0),
        curtailed_kwh=decision.curtailed_kwh,
        penalised_kwh=penalised,
        fees=paid,
        fee_terms=terms,
    )


def _no_trades() -> Trades:
    nobody, nothing = jnp.zeros(0, jnp.int32), jnp.zeros(0)
    return Trades(nobody, nobody, nothing, nothing, nothing)


def fees_alone(network: Network, grid: Fills) -> Float[Array, " home"]:
    """What each home would pay the operator if all traded with the grid side only: the imbalance term.

    Arguments:
        network: the wires.
        grid: trades with the grid side.
    """
    rates = network.operator.rates
    if rates is None:
        return jnp.zeros_like(grid.bought_kwh)
    balance = (grid.sold_kwh - grid.bought_kwh).sum()
    return dso.imbalance_fee(rates, grid.bought_kwh + grid.sold_kwh, _worth(grid), balance)


def _worth(grid: Fills) -> Float[Array, " home"]:
    """Money that each home's trade with the grid side is about, >= 0."""
    return jnp.maximum(grid.paid, 0.0) + jnp.maximum(grid.earned, 0.0)
