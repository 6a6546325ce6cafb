"""The cascade: stages that trade one after another until the grid takes the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from prosumax.registry import Registry
from prosumax.types import ANYONE, GRID, Fills, Orders, Pooled, Prices, Trades

Stage = Callable[[Orders, Prices], tuple[Fills, Orders]]
"""A stage takes the open orders and what the grid offers; it returns what it traded and what is still open.

It must be pure (jit, vmap and grad go through it) and trade no more than was ordered.
Bind a stage's parameters with `jax.tree_util.Partial`: their arrays are traced and the function stays static.
"""


@dataclass(frozen=True)
class MarketOptions:
    """What a scenario says about its market, one entry per home where it says so; defaults filled in.

    Attributes:
        shares: fixed shares of the local energy, adding up to 1 [home].
        rank: order of service, 0 first [home].
        distance: between homes, 0 to 1 [home, home].
        price_rule: name of the price rule of pools with a key.
        price: the price of rule `fixed`, or the fraction of rule `share_of_retail`.
        compensation: what supply-demand pricing adds to the feed-in price (Liu 2018's lambda), per kWh.
        k: where between last ask (0) and last bid (1) the uniform price lies.
        spread_share: how much of the spread the seller keeps under bid-ask-spread pricing.
        price_tick, energy_tick_kwh: smallest units an auction trades in.
        incentive: premium per shared kWh from outside (Italy).
        microgrid: position of each home's microgrid in `microgrids` [home].
        microgrids: their names.
        price_policy: rule by which price agents that do not learn announce prices.
        feedback: how far rule `feedback` moves the price, in bands per step.
        individually_rational: whether announced prices leave nobody worse off than the grid, local charges included.
        nearest_first: whether the nearest homes trade first, or all share alike.
    """

    shares: NDArray[np.float64]
    rank: NDArray[np.int64]
    distance: NDArray[np.float64]
    price_rule: str = "mid_market"
    price: float = 0.0
    compensation: float = 0.0
    k: float = 0.5
    spread_share: float = 0.25
    price_tick: float = 1e-4
    energy_tick_kwh: float = 1e-3
    incentive: float = 0.11
    microgrid: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    microgrids: tuple[str, ...] = ("microgrid",)
    price_policy: str = "mid-market"
    feedback: float = 0.2
    individually_rational: bool = True
    nearest_first: bool = False

    @classmethod
    def default(cls, homes: int) -> "MarketOptions":
        """Equal shares, service in order of listing, distance along the street, one microgrid."""
        place = np.arange(homes)
        distance = np.abs(place[:, None] - place[None, :]) / max(homes - 1, 1)
        return cls(np.full(homes, 1 / homes), place, distance, microgrid=np.zeros(homes, np.int64))


class Accounts(NamedTuple):
    """A whole period as seen by a rule that settles afterwards; NumPy, double precision.

    Attributes:
        net_kwh: each home's meter, positive imports [step, home].
        charges: what homes owe on kWh to the grid side, taxes included, fixed fees not [step, home].
        feed_in: what they earned from the supplier [step, home].
        traded_kwh: bought plus sold locally [step, home].
        bill, bill_alone: totals with the mechanism so far, and without exchange [home].
        retail, worth_buying, feed_in_price: the offers of the grid side per kWh [step].
        step_hours: length of a step.
    """

    net_kwh: NDArray[np.float64]
    charges: NDArray[np.float64]
    feed_in: NDArray[np.float64]
    traded_kwh: NDArray[np.float64]
    bill: NDArray[np.float64]
    bill_alone: NDArray[np.float64]
    retail: NDArray[np.float64]
    worth_buying: NDArray[np.float64]
    feed_in_price: NDArray[np.float64]
    step_hours: float


Redistribution = Callable[[Accounts, MarketOptions], NDArray[np.float64]]
"""Settlement after the period: what each home still pays (positive) or receives (negative) [home]."""


class Mechanism(NamedTuple):
    """A rule for sharing electricity.

    Attributes:
        build: options -> the stages before the grid.
        balance: what is left between payments and receipts of the homes: nothing, a surplus the operator keeps, or a
            deficit that somebody outside covers.
        individually_rational: with the same grid offers to all, nobody who tells the truth ever trades at a loss.
        reads_bids: limit prices decide who trades and at what price; pools ignore them.
        redistribute: settlement after the period, if any.
        reads_distance: `MarketOptions.distance` counts, a matrix that is only worked out where it does.
        levels: local levels at which agents announce prices, the nearest first: `community`, `microgrid`, `district`.
        price_policy: the rule that announces them; None where price agents may learn.
    """

    build: Callable[[MarketOptions], tuple[Stage, ...]]
    balance: Literal["balanced", "surplus", "deficit"] = "balanced"
    individually_rational: bool = True
    reads_bids: bool = False
    redistribute: Redistribution | None = None
    reads_distance: bool = False
    levels: tuple[str, ...] = ()
    price_policy: str | None = None

    @property
    def has_agents(self) -> bool:
        """Whether its prices are set by agents, who may learn."""
        return bool(self.levels) and self.price_policy is None


mechanisms: Registry[Mechanism] = Registry("mechanism")
"""Every mechanism by name; a scenario's `market.mechanism` picks one."""


def cascade(
    *stages: Stage,
    balance: Literal["balanced", "surplus", "deficit"] = "balanced",
    individually_rational: bool = True,
    reads_bids: bool = False,
) -> Mechanism:
    """A mechanism from stages without options; the grid follows by itself. The arguments are those of `Mechanism`."""
    return Mechanism(lambda options: stages, balance, individually_rational, reads_bids)


def grid(orders: Orders, prices: Prices) -> tuple[Fills, Orders]:
    """The last stage: supplier and network operator fill every order at the retail and the feed-in price."""
    bought, sold = orders.buy_kwh, orders.sell_kwh
    nothing = jnp.zeros_like(orders.quantity_kwh)
    return Fills(bought, sold, bought * prices.retail, sold * prices.feed_in), orders._replace(
        quantity_kwh=nothing
    )


mechanisms.register(
    "none",
    "No exchange: every home trades with its supplier only. The baseline of every comparison.",
)(cascade())


class Cleared(NamedTuple):
    """What a cascade did: trades between neighbours (all stages but the last, added up) and with the grid."""

    local: Fills
    grid: Fills


def clear(stages: Sequence[Stage], orders: Orders, prices: Prices) -> Cleared:
    """Run the cascade.

    Arguments:
        stages: at least one; the last is the grid.
        orders: one per home. Those whose `partner` is `GRID` wait for the last stage.
        prices: what the grid offers each home.

    Returns:
        Local and grid trades; `local.trades` has the bilateral trades of all stages, `local.pooled` the rest.
    """
    return clear_by_stage(stages, orders, prices)[0]


def clear_by_stage(
    stages: Sequence[Stage], orders: Orders, prices: Prices
) -> tuple[Cleared, tuple[Fills, ...]]:
    """The same, with the fills of every stage but the last."""
    waiting = jnp.where(orders.partner == GRID, orders.quantity_kwh, 0.0)
    orders = orders._replace(quantity_kwh=orders.quantity_kwh - waiting)
    local = [jnp.zeros_like(orders.quantity_kwh)] * 4
    trades, pools, each = [], [], []
    for stage in stages[:-1]:
        fills, orders = jax.lax.optimization_barrier(stage(orders, prices))
        each.append(fills)
        local = [total + part for total, part in zip(local, fills[:4], strict=True)]
        trades += [] if fills.trades is None else [fills.trades]
        pools += [] if (through := _through_pool(fills)) is None else [through]
    last, _ = stages[-1](orders._replace(quantity_kwh=orders.quantity_kwh + waiting), prices)
    bought, sold, paid, earned = local
    pooled = jax.tree.map(lambda *parts: sum(parts), *pools) if pools else None
    return Cleared(Fills(bought, sold, paid, earned, _joined(trades, orders), pooled), last), tuple(
        each
    )


def _through_pool(fills: Fills) -> Pooled | None:
    if fills.trades is not None:
        return fills.pooled
    value = (jnp.maximum(fills.paid, 0.0) + jnp.maximum(fills.earned, 0.0)) / 2
    return Pooled(fills.bought_kwh + fills.sold_kwh, value)


def _joined(trades: list[Trades], orders: Orders) -> Trades:
    if trades:
        return jax.tree.map(lambda *slots: jnp.concatenate(slots), *trades)
    nobody, nothing = jnp.zeros(0, jnp.int32), jnp.zeros(0, orders.quantity_kwh.dtype)
    return Trades(nobody, nobody, nothing, nothing, nothing)


def remaining(orders: Orders, fills: Fills) -> Orders:
    """What is still open after a stage."""
    return orders._replace(quantity_kwh=orders.quantity_kwh - fills.bought_kwh + fills.sold_kwh)


def truthful_orders(
    net_kwh: Float[Array, " home"],
    prices: Prices,
    priority: Float[Array, " home"] | None = None,
    arrival: Float[Array, " home"] | None = None,
) -> Orders:
    """The order of a home that does not bargain: its net energy, at what the grid would charge or pay it."""
    nothing = jnp.zeros_like(net_kwh)
    return Orders(
        quantity_kwh=net_kwh,
        price=jnp.where(net_kwh > 0, prices.reservation_price, prices.feed_in),
        partner=jnp.full(net_kwh.shape, ANYONE, jnp.int32),
        priority=nothing if priority is None else priority,
        arrival=nothing if arrival is None else arrival,
    )
