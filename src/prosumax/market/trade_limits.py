"""Congestion-aware clearing: any cascade, scaled back to what the network can carry."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from prosumax.batching import sum_per_home
from prosumax.market.mechanism import Stage, clear, grid_stage, remaining_orders
from prosumax.types import Fills, Orders, PoolTrades, Prices, Trades

TradeShares = Callable[
    [Int[Array, " slot"], Int[Array, " slot"], Array, Array], Float[Array, " slot"]
]
"""Function from buyer, seller, kWh and bid-ask spread of every trade to its admissible share."""

PoolShare = Callable[[Float[Array, " home"]], Float[Array, ""]]
"""Function from the kWh that each home sells minus buys through pools to the admissible share."""


def clear_within_limits(
    orders: Orders,
    prices: Prices,
    *,
    stages: tuple[Stage, ...],
    trade_shares: TradeShares,
    pool_share: PoolShare,
) -> tuple[Fills, Orders]:
    """Run other stages and scale back the trades that overload the network.

    The energy that is cut stays open for the next stage, the grid: it flows as before, but is
    bought from the supplier at the supplier's price. The value of a trade is the spread between
    bid and ask per kWh. Pools are scaled as a whole.

    Args:
        orders: Open orders.
        prices: Prices of the grid side.
        stages: Local stages, run one after another.
        trade_shares: Admissible share of every bilateral trade.
        pool_share: Admissible share of the energy exchanged through pools.
    """
    local = clear((*stages, grid_stage), orders, prices).local
    trades = local.trades
    assert trades is not None  # `clear` always sets them.
    spread = orders.price[trades.buyer] - orders.price[trades.seller]
    admissible = trade_shares(trades.buyer, trades.seller, trades.kwh, spread)
    kept = trades._replace(kwh=trades.kwh * admissible)
    homes = orders.quantity_kwh.shape[0]
    bilateral = _totals_per_home(trades, homes)
    bilateral_kept = _totals_per_home(kept, homes)
    bought, sold, paid, earned = (
        total - part for total, part in zip(local[:4], bilateral, strict=True)
    )
    share = pool_share(sold - bought)
    pooled = None if local.pooled is None else PoolTrades(*(part * share for part in local.pooled))
    fills = Fills(
        bought_kwh=jnp.maximum(bought, 0.0) * share + bilateral_kept[0],
        sold_kwh=jnp.maximum(sold, 0.0) * share + bilateral_kept[1],
        paid=paid * share + bilateral_kept[2],
        earned=earned * share + bilateral_kept[3],
        trades=kept,
        pooled=pooled,
    )
    return fills, remaining_orders(orders, fills)


def _totals_per_home(trades: Trades, homes: int) -> tuple[Array, Array, Array, Array]:
    """Return kWh bought and sold, and money paid and earned, of each home in bilateral trades."""
    paid = trades.kwh * trades.buyer_price
    earned = trades.kwh * trades.seller_price
    return (
        sum_per_home(trades.buyer, trades.kwh, homes),
        sum_per_home(trades.seller, trades.kwh, homes),
        sum_per_home(trades.buyer, paid, homes),
        sum_per_home(trades.seller, earned, homes),
    )
