"""Trading no more than the lines can carry: any cascade, scaled back afterwards."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from prosumax.batching import add_per_home
from prosumax.market.mechanism import Stage, clear, grid, remaining
from prosumax.types import Fills, Orders, Pooled, Prices, Trades

TradeShares = Callable[
    [Int[Array, " slot"], Int[Array, " slot"], Array, Array], Float[Array, " slot"]
]
"""Buyer, seller, kWh and worth of every trade -> the share of it that fits."""

PoolShare = Callable[[Float[Array, " home"]], Float[Array, ""]]
"""What each home sells minus buys through pools, kWh -> the share of it that fits."""


def within_limits(
    orders: Orders,
    prices: Prices,
    *,
    stages: tuple[Stage, ...],
    trade_shares: TradeShares,
    pool_share: PoolShare,
) -> tuple[Fills, Orders]:
    """A stage that runs other stages and scales back what overloads the network (congestion-aware clearing).

    What is cut stays open for the next stage, the grid: the energy flows as before, but as the supplier's and at the
    supplier's price. A trade is worth what bid and ask lie apart, per kWh. Pools are scaled as a whole.

    Arguments:
        orders, prices: as for any stage.
        stages: the local ones, run one after another.
        trade_shares, pool_share: how much fits.
    """
    local = clear((*stages, grid), orders, prices).local
    trades = local.trades
    assert trades is not None  # `clear` always gives them
    worth = orders.price[trades.buyer] - orders.price[trades.seller]
    kept = trades._replace(
        kwh=trades.kwh * trade_shares(trades.buyer, trades.seller, trades.kwh, worth)
    )
    homes = orders.quantity_kwh.shape[0]
    paired, paired_kept = _per_home(trades, homes), _per_home(kept, homes)
    bought, sold, paid, earned = (
        total - part for total, part in zip(local[:4], paired, strict=True)
    )
    share = pool_share(sold - bought)
    pooled = None if local.pooled is None else Pooled(*(part * share for part in local.pooled))
    fills = Fills(
        bought_kwh=jnp.maximum(bought, 0.0) * share + paired_kept[0],
        sold_kwh=jnp.maximum(sold, 0.0) * share + paired_kept[1],
        paid=paid * share + paired_kept[2],
        earned=earned * share + paired_kept[3],
        trades=kept,
        pooled=pooled,
    )
    return fills, remaining(orders, fills)


def _per_home(trades: Trades, homes: int) -> tuple[Array, Array, Array, Array]:
    """Bought, sold, paid and earned of each home in bilateral trades."""
    paid, earned = trades.kwh * trades.buyer_price, trades.kwh * trades.seller_price
    return (
        add_per_home(trades.buyer, trades.kwh, homes),
        add_per_home(trades.seller, trades.kwh, homes),
        add_per_home(trades.buyer, paid, homes),
        add_per_home(trades.seller, earned, homes),
    )
