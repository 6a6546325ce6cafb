"""Market mechanisms: cascades of clearing stages that end with the grid."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from prosumax.registry import Registry
from prosumax.types import GRID_ONLY, NO_PREFERENCE, Fills, Orders, PoolTrades, Prices, Trades

Stage = Callable[[Orders, Prices], tuple[Fills, Orders]]
"""A clearing stage: takes the open orders and the grid prices, returns fills and what stays open.

A stage must be pure, because jit, vmap and grad go through it, and must not trade more than was
ordered. Bind its parameters with `jax.tree_util.Partial`: the arrays are then traced and the
function stays static.
"""

BudgetBalance = Literal["balanced", "surplus", "deficit"]
"""What is left between the payments and the receipts of the homes."""


@dataclass(frozen=True)
class MarketOptions:
    """Market settings of a scenario with all defaults filled in.

    Attributes:
        shares: Fixed shares of the local energy, adding up to 1 [home].
        rank: Order of service, 0 first [home].
        distance: Distance between homes, 0 to 1 [home, home].
        price_rule: Name of the price rule of pools with an allocation key.
        price: Price of rule `fixed`, or the fraction of rule `share_of_retail`.
        compensation_price: Amount that supply-demand pricing adds to the feed-in price
            (lambda of Liu et al. 2018), per kWh.
        k: Position of the uniform price between the last ask (0) and the last bid (1).
        spread_share: Share of the spread that the seller keeps under bid-ask-spread pricing.
        price_tick: Smallest price increment of an auction, per kWh.
        energy_tick_kwh: Smallest quantity of an auction.
        incentive_per_kwh: Premium per shared kWh that is paid from outside (Italy).
        microgrid_index: Position of each home's microgrid in `microgrid_names` [home].
        microgrid_names: Names of the microgrids.
        price_policy: Name of the rule by which price agents that do not learn post prices.
        feedback_gain: Largest price move of the rule `feedback`, as a share of the price band
            per step.
        individually_rational: Whether posted prices leave no home worse off than trading with the
            grid alone, local grid fees included.
        nearest_first: Whether the nearest homes trade first; otherwise all share pro rata.
    """

    shares: NDArray[np.float64]
    rank: NDArray[np.int64]
    distance: NDArray[np.float64]
    price_rule: str = "mid_market"
    price: float = 0.0
    compensation_price: float = 0.0
    k: float = 0.5
    spread_share: float = 0.25
    price_tick: float = 1e-4
    energy_tick_kwh: float = 1e-3
    incentive_per_kwh: float = 0.11
    microgrid_index: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    microgrid_names: tuple[str, ...] = ("microgrid",)
    price_policy: str = "mid-market"
    feedback_gain: float = 0.2
    individually_rational: bool = True
    nearest_first: bool = False

    @classmethod
    def default(cls, homes: int) -> "MarketOptions":
        """Return options with equal shares and one microgrid for homes along a street.

        Args:
            homes: Number of homes; they are served in order of listing.
        """
        position = np.arange(homes)
        distance = np.abs(position[:, None] - position[None, :]) / max(homes - 1, 1)
        microgrid = np.zeros(homes, np.int64)
        return cls(np.full(homes, 1 / homes), position, distance, microgrid_index=microgrid)


class SettlementAccounts(NamedTuple):
    """Energy and money of a whole period, for rules that settle after it; double precision.

    Attributes:
        net_kwh: Meter of each home, positive when importing [step, home].
        grid_charges: Amount each home owes the grid side for its kWh, taxes included and fixed
            fees excluded [step, home].
        feed_in_revenue: Amount each home earned from the supplier [step, home].
        traded_kwh: Energy bought plus energy sold locally [step, home].
        bill: Total with the mechanism so far [home].
        standalone_bill: Total without any exchange between homes [home].
        retail_price: Retail price per kWh [step].
        reservation_price: Value of a local kWh to its buyer [step].
        feed_in_price: Feed-in price per kWh [step].
        step_hours: Length of a step in hours.
    """

    net_kwh: NDArray[np.float64]
    grid_charges: NDArray[np.float64]
    feed_in_revenue: NDArray[np.float64]
    traded_kwh: NDArray[np.float64]
    bill: NDArray[np.float64]
    standalone_bill: NDArray[np.float64]
    retail_price: NDArray[np.float64]
    reservation_price: NDArray[np.float64]
    feed_in_price: NDArray[np.float64]
    step_hours: float


Redistribution = Callable[[SettlementAccounts, MarketOptions], NDArray[np.float64]]
"""Settlement after the period: the amount each home still pays (+) or receives (-) [home]."""


class Mechanism(NamedTuple):
    """A rule for exchanging electricity between homes.

    Attributes:
        build: Function from options to the stages before the grid.
        budget_balance: Whether payments equal receipts, leave a surplus to the operator, or need a
            subsidy from outside.
        individually_rational: Whether a truthful home never trades at a loss, given that all homes
            face the same grid prices.
        uses_bids: Whether limit prices decide the trades and their prices; pools ignore them.
        redistribute: Settlement after the period, if any.
        uses_distance: Whether `MarketOptions.distance` matters; it is only computed if so.
        levels: Local levels at which agents post prices, the nearest first: `community`,
            `microgrid`, `district`.
        price_policy: Rule that posts the prices; None where price agents may learn.
    """

    build: Callable[[MarketOptions], tuple[Stage, ...]]
    budget_balance: BudgetBalance = "balanced"
    individually_rational: bool = True
    uses_bids: bool = False
    redistribute: Redistribution | None = None
    uses_distance: bool = False
    levels: tuple[str, ...] = ()
    price_policy: str | None = None

    @property
    def has_price_agents(self) -> bool:
        """True if prices are set by agents, which may learn."""
        return bool(self.levels) and self.price_policy is None


mechanisms: Registry[Mechanism] = Registry(
    "mechanism", group="prosumax.mechanisms", package="prosumax.market", base=Mechanism
)
"""All mechanisms by name; `market.mechanism` of a scenario selects one."""


def cascade(
    *stages: Stage,
    budget_balance: BudgetBalance = "balanced",
    individually_rational: bool = True,
    uses_bids: bool = False,
) -> Mechanism:
    """Build a mechanism from stages that take no options; the grid stage is appended when it runs.

    Args:
        *stages: Clearing stages, in order.
        budget_balance: See `Mechanism`.
        individually_rational: See `Mechanism`.
        uses_bids: See `Mechanism`.
    """
    return Mechanism(lambda options: stages, budget_balance, individually_rational, uses_bids)


def grid_stage(orders: Orders, prices: Prices) -> tuple[Fills, Orders]:
    """Fill every open order at the retail and the feed-in price (the last stage).

    Args:
        orders: Open orders.
        prices: Prices of the grid side.
    """
    bought = orders.buy_kwh
    sold = orders.sell_kwh
    fills = Fills(bought, sold, bought * prices.retail, sold * prices.feed_in)
    return fills, orders._replace(quantity_kwh=jnp.zeros_like(orders.quantity_kwh))


mechanisms.register(
    "none",
    "No exchange: every home trades with its supplier only. The baseline of every comparison.",
)(cascade())


class ClearingResult(NamedTuple):
    """Outcome of a cascade.

    Attributes:
        local: Trades between homes, summed over all stages but the last.
        grid: Trades with the grid side.
    """

    local: Fills
    grid: Fills


def clear(stages: Sequence[Stage], orders: Orders, prices: Prices) -> ClearingResult:
    """Clear the orders of a step with a cascade of stages.

    Args:
        stages: At least one stage; the last is the grid.
        orders: One order per home. Those with partner `GRID_ONLY` skip to the last stage.
        prices: Prices that the grid side offers each home.

    Returns:
        Local and grid trades; `local.trades` holds the bilateral trades of all stages and
        `local.pooled` the energy that was exchanged without pairs.
    """
    return clear_by_stage(stages, orders, prices)[0]


def clear_by_stage(
    stages: Sequence[Stage], orders: Orders, prices: Prices
) -> tuple[ClearingResult, tuple[Fills, ...]]:
    """Clear the orders of a step and also return the fills of every local stage.

    Args:
        stages: At least one stage; the last is the grid.
        orders: One order per home.
        prices: Prices that the grid side offers each home.

    Returns:
        The result as `clear` returns it, and the fills of every stage but the last.
    """
    deferred = jnp.where(orders.partner == GRID_ONLY, orders.quantity_kwh, 0.0)
    orders = orders._replace(quantity_kwh=orders.quantity_kwh - deferred)
    totals = [jnp.zeros_like(orders.quantity_kwh)] * 4
    trades = []
    pools = []
    stage_fills = []
    for stage in stages[:-1]:
        fills, orders = jax.lax.optimization_barrier(stage(orders, prices))
        stage_fills.append(fills)
        totals = [total + part for total, part in zip(totals, fills[:4], strict=True)]
        trades += [] if fills.trades is None else [fills.trades]
        pooled = _pooled_trades(fills)
        pools += [] if pooled is None else [pooled]
    last, _ = stages[-1](orders._replace(quantity_kwh=orders.quantity_kwh + deferred), prices)
    bought, sold, paid, earned = totals
    pooled = jax.tree.map(lambda *parts: sum(parts), *pools) if pools else None
    local = Fills(bought, sold, paid, earned, _concatenate(trades, orders), pooled)
    return ClearingResult(local, last), tuple(stage_fills)


def _pooled_trades(fills: Fills) -> PoolTrades | None:
    if fills.trades is not None:
        return fills.pooled
    value = (jnp.maximum(fills.paid, 0.0) + jnp.maximum(fills.earned, 0.0)) / 2
    return PoolTrades(fills.bought_kwh + fills.sold_kwh, value)


def _concatenate(trades: list[Trades], orders: Orders) -> Trades:
    if trades:
        together: Trades = jax.tree.map(lambda *slots: jnp.concatenate(slots), *trades)
        return together
    no_home = jnp.zeros(0, jnp.int32)
    no_amount = jnp.zeros(0, orders.quantity_kwh.dtype)
    return Trades(no_home, no_home, no_amount, no_amount, no_amount)


def remaining_orders(orders: Orders, fills: Fills) -> Orders:
    """Return the orders that are still open after a stage.

    Args:
        orders: Orders that entered the stage.
        fills: Fills of the stage.
    """
    return orders._replace(quantity_kwh=orders.quantity_kwh - fills.bought_kwh + fills.sold_kwh)


def truthful_orders(
    net_kwh: Float[Array, " home"],
    prices: Prices,
    priority: Float[Array, " home"] | None = None,
    arrival: Float[Array, " home"] | None = None,
) -> Orders:
    """Return price-taking orders: net energy at the price that the grid would charge or pay.

    Args:
        net_kwh: Net energy of each home, positive when buying.
        prices: Prices of the grid side.
        priority: Reputation between 0 and 1; zero when absent.
        arrival: Arrival time between 0 and 1 of the step; zero when absent.
    """
    zero = jnp.zeros_like(net_kwh)
    return Orders(
        quantity_kwh=net_kwh,
        price=jnp.where(net_kwh > 0, prices.reservation_price, prices.feed_in),
        partner=jnp.full(net_kwh.shape, NO_PREFERENCE, jnp.int32),
        priority=zero if priority is None else priority,
        arrival=zero if arrival is None else arrival,
    )
