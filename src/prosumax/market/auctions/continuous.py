"""Continuous double auction: orders come in one by one and trade at once with the best resting order."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from prosumax.market.mechanism import cascade, mechanisms, remaining
from prosumax.types import Fills, Orders, Prices, Trades


def continuous_double_auction(orders: Orders, prices: Prices) -> tuple[Fills, Orders]:
    """Every order, at its `arrival`, takes what it can from resting orders, best price first, at their prices.

    What is left of it rests; what rests at the end of the step goes to the grid. Of equal prices the earlier order goes
    first, of equal arrivals the lower index. Energy is not cut into ticks. Time and memory grow with the square of the
    number of homes: for large books use a call auction.

    Source: Friedman and Rust 1993, The Double Auction Market; resting-price rule as on exchanges.
    """
    homes = orders.quantity_kwh.shape[0]
    buys, amount = orders.quantity_kwh > 0, jnp.abs(orders.quantity_kwh)
    sequence = jnp.argsort(orders.arrival, stable=True)
    position = jnp.zeros(homes, jnp.int32).at[sequence].set(jnp.arange(homes, dtype=jnp.int32))
    # Books in the order in which they are hit: cheapest sellers first, dearest buyers first; ties by arrival.
    cheap_first = sequence[jnp.argsort(orders.price[sequence], stable=True)]
    dear_first = sequence[jnp.argsort(-orders.price[sequence], stable=True)]

    def arrive(
        open_kwh: Float[Array, " home"], home: Int[Array, ""]
    ) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
        line = jnp.where(buys[home], cheap_first, dear_first)
        resting = (position < position[home]) & (buys != buys[home]) & _crosses(orders, buys, home)
        offered = jnp.where(resting, open_kwh, 0.0)[line]
        before = jnp.cumsum(offered) - offered
        taken = jnp.clip(open_kwh[home] - before, 0.0, offered)
        taken = jnp.zeros_like(open_kwh).at[line].set(taken)
        return (open_kwh - taken).at[home].add(-taken.sum()), taken

    _, taken = jax.lax.scan(arrive, amount, sequence)
    incoming = buys[sequence][:, None]
    money = taken * orders.price[None, :]
    per_incoming = jnp.zeros_like(amount).at[sequence].set(taken.sum(1))
    money_incoming = jnp.zeros_like(amount).at[sequence].set(money.sum(1))
    traded, value = per_incoming + taken.sum(0), money_incoming + money.sum(0)
    fills = Fills(
        bought_kwh=jnp.where(buys, traded, 0.0),
        sold_kwh=jnp.where(buys, 0.0, traded),
        paid=jnp.where(buys, value, 0.0),
        earned=jnp.where(buys, 0.0, value),
        trades=_listed(taken, sequence, incoming, orders.price),
    )
    return fills, remaining(orders, fills)


def _crosses(
    orders: Orders, buys: Bool[Array, " home"], home: Int[Array, ""]
) -> Bool[Array, " home"]:
    return jnp.where(
        buys[home], orders.price <= orders.price[home], orders.price >= orders.price[home]
    )


def _listed(
    taken: Float[Array, "home home"],
    sequence: Int[Array, " home"],
    incoming_buys: Bool[Array, "home 1"],
    price: Float[Array, " home"],
) -> Trades:
    """At most as many trades as homes, since each trade uses up an order."""
    homes = taken.shape[0]
    row, column = jnp.nonzero(taken > 0, size=homes, fill_value=0)
    kwh = jnp.where(jnp.arange(homes) < (taken > 0).sum(), taken[row, column], 0.0)
    bought = incoming_buys[row, 0]
    buyer = jnp.where(bought, sequence[row], column).astype(jnp.int32)
    seller = jnp.where(bought, column, sequence[row]).astype(jnp.int32)
    at = jnp.where(kwh > 0, price[column], 0.0)
    return Trades(buyer, seller, kwh, at, at)


mechanisms.register(
    "continuous_double_auction",
    "Auction: orders come in at random and trade at the price of the resting order.",
)(cascade(continuous_double_auction, reads_bids=True))
