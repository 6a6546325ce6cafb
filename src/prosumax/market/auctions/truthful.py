"""Mechanisms in which telling the truth pays: McAfee's trade reduction and Vickrey-Clarke-Groves."""

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float, Int

from prosumax.market.auctions.call_auction import (
    Book,
    Ticks,
    filled_kwh,
    settled,
    ticks_of,
    to_price,
    to_ticks,
)
from prosumax.market.auctions.matching import Match, match
from prosumax.market.mechanism import Mechanism, mechanisms, remaining
from prosumax.types import Fills, Orders, Prices, Trades


def mcafee(orders: Orders, prices: Prices, *, ticks: Ticks) -> tuple[Fills, Orders]:
    """Trade reduction: if the next bid and ask suggest a price that suits the last pair, all trade at it; if not, the
    last buyer and the last seller stay out and set the prices of the others, and the operator keeps the difference.

    Of equal orders the earlier one goes first. After a reduction the longer side shares pro rata. Truthful for homes
    that trade one unit; with divisible orders, as here, a home whose order is cut may still gain from shading it
    (`prosumax mechanisms --table` measures by how much). Weakly budget balanced, individually rational.

    Source: McAfee 1992, Journal of Economic Theory 56(2); several units in the spirit of Huang, Scheller-Wolf, Sycara
    2002, Computational Intelligence 18(4).
    """
    book = to_ticks(orders, ticks, by_priority=True)
    first_come = jnp.floor((1.0 - orders.arrival) * 31).astype(jnp.int32)
    found = match(book.buys, book.price, book.quantity, first_come)
    left = book.quantity - found.filled
    both_sides_left = (book.buys & (left > 0)).any() & (~book.buys & (left > 0)).any()
    suggested = (to_price(found.next_bid, book, ticks) + to_price(found.next_ask, book, ticks)) / 2
    last_bid, last_ask = (
        to_price(found.last_bid, book, ticks),
        to_price(found.last_ask, book, ticks),
    )
    all_trade = both_sides_left & (last_ask <= suggested) & (suggested <= last_bid)
    reduced = _without_the_last_pair(book, found)
    chosen: Match = jax.tree.map(
        lambda everybody, fewer: jnp.where(all_trade, everybody, fewer), found, reduced
    )
    traded = chosen.ticks > 0
    buyer_price = jnp.where(traded, jnp.where(all_trade, suggested, last_bid), 0.0)
    seller_price = jnp.where(traded, jnp.where(all_trade, suggested, last_ask), 0.0)
    trades = Trades(
        chosen.buyer, chosen.seller, chosen.ticks * ticks.energy_kwh, buyer_price, seller_price
    )
    fills = settled(orders, chosen, trades, ticks)
    return fills, remaining(orders, fills)


def _without_the_last_pair(book: Book, found: Match) -> Match:
    """Match again without the worst buyer and the worst seller that trade; all others trade at one price a side."""
    slot = jnp.max(jnp.where(found.ticks > 0, jnp.arange(found.ticks.shape[0]), 0))
    home = jnp.arange(book.quantity.shape[0])
    out = (home == found.buyer[slot]) | (home == found.seller[slot])
    quantity = jnp.where(out, 0, found.filled)
    # Equal prices make the matching core share the longer side pro rata; any bid above any ask will do.
    return match(book.buys, book.buys.astype(jnp.int32), quantity)


def vcg(orders: Orders, prices: Prices, *, ticks: Ticks) -> tuple[Fills, Orders]:
    """Everybody pays what its presence costs the others (Clarke pivot): efficient and truthful, but it needs a subsidy.

    A buyer pays W(without it) - (W - its own value), a seller receives (W + its own cost) - W(without it), where W is
    the greatest surplus. For unit orders: buyers pay max(last ask, next bid), sellers get min(last bid, next ask).
    O(N^2 log N): one matching per home. What receipts exceed payments by is the declared deficit.

    Source: Vickrey 1961; Clarke 1971; Groves 1973; the deficit is Myerson and Satterthwaite 1983.
    """
    book = to_ticks(orders, ticks)
    found = match(book.buys, book.price, book.quantity)
    unit_value = (
        jnp.where(book.buys, 1.0, -1.0) * to_price(book.price, book, ticks) * ticks.energy_kwh
    )

    def cost_to_others(home: Int[Array, ""]) -> Float[Array, ""]:
        """What the others would gain without this home; negative for a seller. Differences first, for precision."""
        without = match(book.buys, book.price, book.quantity.at[home].set(0)).filled
        return (unit_value * (without - found.filled.at[home].set(0))).sum()

    payment = jax.vmap(cost_to_others)(jnp.arange(book.quantity.shape[0]))
    bought, sold = filled_kwh(orders, found, ticks)
    trades_at_all = found.filled > 0
    paid = jnp.where(book.buys & trades_at_all, payment, 0.0)
    earned = jnp.where(~book.buys & trades_at_all, -payment, 0.0)
    per_kwh = jnp.where(
        trades_at_all, jnp.abs(payment) / jnp.where(trades_at_all, bought + sold, 1.0), 0.0
    )
    trades = Trades(
        found.buyer,
        found.seller,
        found.ticks * ticks.energy_kwh,
        per_kwh[found.buyer],
        per_kwh[found.seller],
    )
    fills = Fills(bought, sold, paid, earned, trades)
    return fills, remaining(orders, fills)


mechanisms.register(
    "mcafee",
    "Auction: gives up the last trade to make truth pay; the operator keeps the difference.",
)(
    Mechanism(
        lambda options: (Partial(mcafee, ticks=ticks_of(options)),),
        balance="surplus",
        reads_bids=True,
    )
)
mechanisms.register(
    "vcg",
    "Auction: everybody pays its cost to the others; truthful and efficient, needs a subsidy.",
)(
    Mechanism(
        lambda options: (Partial(vcg, ticks=ticks_of(options)),), balance="deficit", reads_bids=True
    )
)
