"""Continuous double auction: orders arrive one by one and trade with the best resting order."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from prosumax.market.mechanism import cascade, mechanisms, remaining_orders
from prosumax.types import Fills, Orders, Prices, Trades


def continuous_double_auction(orders: Orders, prices: Prices) -> tuple[Fills, Orders]:
    """Match every order on arrival with resting orders, best price first, at the resting prices.

    The remainder of an order rests; orders that still rest at the end of the step go to the grid.
    Among equal prices the earlier order has priority, among equal arrivals the lower index. Energy
    is not discretized. Time and memory grow with the square of the number of homes: use a call
    auction for large books.

    Args:
        orders: Open orders; `arrival` decides the sequence.
        prices: Prices of the grid side; not used.

    References:
        Friedman and Rust 1993, The Double Auction Market; resting-price rule as on exchanges.
    """
    homes = orders.quantity_kwh.shape[0]
    buys = orders.quantity_kwh > 0
    amount = jnp.abs(orders.quantity_kwh)
    sequence = jnp.argsort(orders.arrival, stable=True)
    position = jnp.zeros(homes, jnp.int32).at[sequence].set(jnp.arange(homes, dtype=jnp.int32))
    # Books in matching order: lowest asks first and highest bids first, ties by arrival.
    ask_book = sequence[jnp.argsort(orders.price[sequence], stable=True)]
    bid_book = sequence[jnp.argsort(-orders.price[sequence], stable=True)]

    def process_arrival(
        open_kwh: Float[Array, " home"], home: Int[Array, ""]
    ) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
        book = jnp.where(buys[home], ask_book, bid_book)
        is_earlier = position < position[home]
        resting = is_earlier & (buys != buys[home]) & _crosses(orders, buys, home)
        offered = jnp.where(resting, open_kwh, 0.0)[book]
        before = jnp.cumsum(offered) - offered
        taken = jnp.clip(open_kwh[home] - before, 0.0, offered)
        taken = jnp.zeros_like(open_kwh).at[book].set(taken)
        return (open_kwh - taken).at[home].add(-taken.sum()), taken

    _, taken = jax.lax.scan(process_arrival, amount, sequence)
    incoming_buys = buys[sequence][:, None]
    money = taken * orders.price[None, :]
    incoming_kwh = jnp.zeros_like(amount).at[sequence].set(taken.sum(1))
    incoming_money = jnp.zeros_like(amount).at[sequence].set(money.sum(1))
    traded = incoming_kwh + taken.sum(0)
    value = incoming_money + money.sum(0)
    fills = Fills(
        bought_kwh=jnp.where(buys, traded, 0.0),
        sold_kwh=jnp.where(buys, 0.0, traded),
        paid=jnp.where(buys, value, 0.0),
        earned=jnp.where(buys, 0.0, value),
        trades=_list_trades(taken, sequence, incoming_buys, orders.price),
    )
    return fills, remaining_orders(orders, fills)


def _crosses(
    orders: Orders, buys: Bool[Array, " home"], home: Int[Array, ""]
) -> Bool[Array, " home"]:
    price = orders.price
    return jnp.where(buys[home], price <= price[home], price >= price[home])


def _list_trades(
    taken: Float[Array, "home home"],
    sequence: Int[Array, " home"],
    incoming_buys: Bool[Array, "home 1"],
    price: Float[Array, " home"],
) -> Trades:
    """List the trades; there are at most as many as homes, since each one uses up an order."""
    homes = taken.shape[0]
    row, column = jnp.nonzero(taken > 0, size=homes, fill_value=0)
    kwh = jnp.where(jnp.arange(homes) < (taken > 0).sum(), taken[row, column], 0.0)
    bought = incoming_buys[row, 0]
    buyer = jnp.where(bought, sequence[row], column).astype(jnp.int32)
    seller = jnp.where(bought, column, sequence[row]).astype(jnp.int32)
    trade_price = jnp.where(kwh > 0, price[column], 0.0)
    return Trades(buyer, seller, kwh, trade_price, trade_price)


mechanisms.register(
    "continuous_double_auction",
    "Auction: orders arrive at random and trade at the price of the resting order.",
)(cascade(continuous_double_auction, uses_bids=True))
