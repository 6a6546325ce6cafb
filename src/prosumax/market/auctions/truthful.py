"""Incentive-compatible auctions: McAfee's trade reduction and Vickrey-Clarke-Groves."""

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float, Int

from prosumax.market.auctions.call_auction import (
    OrderBook,
    TickSize,
    filled_kwh,
    settle_trades,
    tick_size,
    to_price,
    to_ticks,
)
from prosumax.market.auctions.matching import Match, match
from prosumax.market.mechanism import Mechanism, mechanisms, remaining_orders
from prosumax.types import Fills, Orders, Prices, Trades

_MAX_PRIORITY = 31


def mcafee(orders: Orders, prices: Prices, *, ticks: TickSize) -> tuple[Fills, Orders]:
    """Clear a double auction with McAfee's trade reduction.

    If the midpoint of the next bid and the next ask suits the last pair, all pairs trade at it.
    Otherwise the last buyer and the last seller are excluded and set the prices of the others, and
    the operator keeps the difference. Among equal orders the earlier one has priority; after a
    reduction the longer side shares pro rata.

    The mechanism is truthful for homes that trade one unit. With divisible orders, as here, a home
    whose order is rationed may still gain from shading its bid; `prosumax mechanisms --table`
    measures by how much. It is weakly budget balanced and individually rational.

    Args:
        orders: Open orders.
        prices: Prices of the grid side; not used.
        ticks: Tick size of the auction.

    References:
        McAfee 1992, Journal of Economic Theory 56(2); several units in the spirit of Huang,
        Scheller-Wolf, Sycara 2002, Computational Intelligence 18(4).
    """
    book = to_ticks(orders, ticks, by_priority=True)
    arrival_priority = jnp.floor((1.0 - orders.arrival) * _MAX_PRIORITY).astype(jnp.int32)
    full = match(book.buys, book.price, book.quantity, arrival_priority)
    open_ticks = book.quantity - full.filled
    is_open = open_ticks > 0
    both_sides_open = (book.buys & is_open).any() & (~book.buys & is_open).any()
    next_bid = to_price(full.next_bid, book, ticks)
    next_ask = to_price(full.next_ask, book, ticks)
    midpoint = (next_bid + next_ask) / 2
    last_bid = to_price(full.last_bid, book, ticks)
    last_ask = to_price(full.last_ask, book, ticks)
    all_trade = both_sides_open & (last_ask <= midpoint) & (midpoint <= last_bid)
    reduced = _exclude_last_pair(book, full)
    matched: Match = jax.tree.map(
        lambda whole, rest: jnp.where(all_trade, whole, rest), full, reduced
    )
    traded = matched.ticks > 0
    buyer_price = jnp.where(traded, jnp.where(all_trade, midpoint, last_bid), 0.0)
    seller_price = jnp.where(traded, jnp.where(all_trade, midpoint, last_ask), 0.0)
    kwh = matched.ticks * ticks.energy_kwh
    trades = Trades(matched.buyer, matched.seller, kwh, buyer_price, seller_price)
    fills = settle_trades(orders, matched, trades, ticks)
    return fills, remaining_orders(orders, fills)


def _exclude_last_pair(book: OrderBook, full: Match) -> Match:
    """Match again without the marginal buyer and the marginal seller."""
    slot = jnp.max(jnp.where(full.ticks > 0, jnp.arange(full.ticks.shape[0]), 0))
    home = jnp.arange(book.quantity.shape[0])
    is_excluded = (home == full.buyer[slot]) | (home == full.seller[slot])
    quantity = jnp.where(is_excluded, 0, full.filled)
    # Equal prices make the matching core share the longer side pro rata, and all others trade at
    # one price per side: any bid above any ask will do.
    return match(book.buys, book.buys.astype(jnp.int32), quantity)


def vcg(orders: Orders, prices: Prices, *, ticks: TickSize) -> tuple[Fills, Orders]:
    """Clear an auction with Vickrey-Clarke-Groves payments (Clarke pivot rule).

    Every home pays what its presence costs the others. With the maximum surplus W, a buyer pays
    W(without it) - (W - its own value) and a seller receives (W + its own cost) - W(without it).
    For unit orders, buyers pay max(last ask, next bid) and sellers receive min(last bid, next
    ask). The mechanism is efficient and truthful; receipts exceed payments by the declared
    deficit. It takes O(N^2 log N) time: one matching per home.

    Args:
        orders: Open orders.
        prices: Prices of the grid side; not used.
        ticks: Tick size of the auction.

    References:
        Vickrey 1961; Clarke 1971; Groves 1973. Deficit: Myerson and Satterthwaite 1983.
    """
    book = to_ticks(orders, ticks)
    matched = match(book.buys, book.price, book.quantity)
    sign = jnp.where(book.buys, 1.0, -1.0)
    tick_value = sign * to_price(book.price, book, ticks) * ticks.energy_kwh

    def externality(home: Int[Array, ""]) -> Float[Array, ""]:
        """Compute what the others would gain without this home; negative for a seller.

        Fills are subtracted before they are valued, which is more precise.
        """
        without = match(book.buys, book.price, book.quantity.at[home].set(0)).filled
        return (tick_value * (without - matched.filled.at[home].set(0))).sum()

    payment = jax.vmap(externality)(jnp.arange(book.quantity.shape[0]))
    bought, sold = filled_kwh(orders, matched, ticks)
    trades_any = matched.filled > 0
    paid = jnp.where(book.buys & trades_any, payment, 0.0)
    earned = jnp.where(~book.buys & trades_any, -payment, 0.0)
    volume = jnp.where(trades_any, bought + sold, 1.0)
    unit_price = (paid + earned) / volume
    trades = Trades(
        matched.buyer,
        matched.seller,
        matched.ticks * ticks.energy_kwh,
        unit_price[matched.buyer],
        unit_price[matched.seller],
    )
    fills = Fills(bought, sold, paid, earned, trades)
    return fills, remaining_orders(orders, fills)


mechanisms.register(
    "mcafee",
    "Auction: drops the last trade to be truthful; the operator keeps the difference.",
)(
    Mechanism(
        lambda options: (Partial(mcafee, ticks=tick_size(options)),),
        budget_balance="surplus",
        uses_bids=True,
    )
)
mechanisms.register(
    "vcg",
    "Auction: every home pays its cost to the others; truthful and efficient, needs a subsidy.",
)(
    Mechanism(
        lambda options: (Partial(vcg, ticks=tick_size(options)),),
        budget_balance="deficit",
        uses_bids=True,
    )
)
