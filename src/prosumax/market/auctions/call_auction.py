"""Double auctions: buyers bid, sellers ask, the matching core pairs them, a price rule splits the gain.

An auction trades whole ticks: quantities are cut down to whole energy ticks (1 Wh by default) and limit prices to whole
price ticks, bids down and asks up, so nobody trades beyond its limit. What is below a tick goes to the grid. Orders at
the marginal price share pro rata. Which of two equal bids meets which ask is decided by index; with different asks that
decides what they pay under the pairwise price rules.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float, Int

from prosumax.batching import add_per_home
from prosumax.market.auctions.matching import MAX_TOTAL_TICKS, Match, match, price_ticks_available
from prosumax.market.mechanism import MarketOptions, Mechanism, Stage, mechanisms, remaining
from prosumax.types import Fills, Orders, Prices, Trades

PairPrice = Callable[..., Float[Array, " slot"]]
"""Bid, ask and reference price of a pair -> the price of the trade."""


class Ticks(NamedTuple):
    """Smallest units of an auction: currency per kWh, and kWh."""

    price: Float[Array, ""]
    energy_kwh: Float[Array, ""]


class Book(NamedTuple):
    """Orders in whole ticks."""

    buys: Bool[Array, " home"]
    price: Int[Array, " home"]
    quantity: Int[Array, " home"]
    lowest: int
    """Ticks that are added to a price so that negative prices have room."""


def to_ticks(orders: Orders, ticks: Ticks, by_priority: bool = False) -> Book:
    """Orders as integers; bids rounded down, asks up, quantities down."""
    homes = orders.price.shape[-1]
    levels = price_ticks_available(homes, by_priority)
    buys = orders.quantity_kwh > 0
    # A hundredth of a tick absorbs the rounding of prices such as 0.22 in single precision.
    price = orders.price / ticks.price
    price = (
        jnp.where(buys, jnp.floor(price + 0.01), jnp.ceil(price - 0.01)).astype(jnp.int32)
        + levels // 4
    )
    quantity = jnp.floor(jnp.abs(orders.quantity_kwh) / ticks.energy_kwh + 0.01)
    quantity = jnp.minimum(quantity, MAX_TOTAL_TICKS // homes).astype(jnp.int32)
    return Book(buys, jnp.clip(price, 0, levels - 1), quantity, levels // 4)


def to_price(ticks_of_price: Int[Array, "..."], book: Book, ticks: Ticks) -> Float[Array, "..."]:
    """Currency per kWh of a price in ticks."""
    return (ticks_of_price - book.lowest) * ticks.price


def filled_kwh(
    orders: Orders, match: Match, ticks: Ticks
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """Bought and sold kWh; their gradient is that of the order times the share that was filled."""
    amount = jnp.abs(orders.quantity_kwh)
    filled = jnp.minimum(match.filled * ticks.energy_kwh, amount)
    share = jax.lax.stop_gradient(filled / jnp.where(amount > 0, amount, 1.0))
    filled = amount * share + jax.lax.stop_gradient(filled - amount * share)
    buys = orders.quantity_kwh > 0
    return jnp.where(buys, filled, 0.0), jnp.where(buys, 0.0, filled)


def uniform_auction(
    orders: Orders, prices: Prices, *, ticks: Ticks, k: Float[Array, ""]
) -> tuple[Fills, Orders]:
    """One price for all: k times the last bid that trades plus (1 - k) times the last ask (k-double auction).

    When the last order on one side is filled only in part, a price that leaves it content would be its own limit; the
    rule stays the same, and that order gets less than it would take at this price.

    Source: Wilson 1985, Econometrica 53(5); Chatterjee and Samuelson 1983, Operations Research 31(5).
    """
    book = to_ticks(orders, ticks)
    found = match(book.buys, book.price, book.quantity)
    bought, sold = filled_kwh(orders, found, ticks)
    price = k * to_price(found.last_bid, book, ticks) + (1 - k) * to_price(
        found.last_ask, book, ticks
    )
    price = jnp.where(found.filled.sum() > 0, price, 0.0)
    slots = jnp.broadcast_to(price, found.ticks.shape)
    trades = Trades(found.buyer, found.seller, found.ticks * ticks.energy_kwh, slots, slots)
    fills = Fills(bought, sold, bought * price, sold * price, trades)
    return fills, remaining(orders, fills)


def pairwise_auction(
    orders: Orders, prices: Prices, *, ticks: Ticks, pair_price: PairPrice
) -> tuple[Fills, Orders]:
    """Discriminatory auction: dearest bid with cheapest ask and so on, each pair at its own price.

    The reference price is the middle of what the grid offers, averaged over homes (MARLEM takes the last clearing
    price, and this middle in the first step).

    Source: the MARLEM paper, section 3.3.3, equations 5 to 7.
    """
    book = to_ticks(orders, ticks)
    found = match(book.buys, book.price, book.quantity)
    bid, ask = (to_price(book.price[home], book, ticks) for home in (found.buyer, found.seller))
    reference = ((prices.reservation_price + prices.feed_in) / 2).mean()
    price = jnp.where(found.ticks > 0, pair_price(bid, ask, reference), 0.0)
    trades = Trades(found.buyer, found.seller, found.ticks * ticks.energy_kwh, price, price)
    fills = settled(orders, found, trades, ticks)
    return fills, remaining(orders, fills)


def settled(orders: Orders, found: Match, trades: Trades, ticks: Ticks) -> Fills:
    """Add the trades up per home."""
    bought, sold = filled_kwh(orders, found, ticks)
    homes = orders.quantity_kwh.shape[0]
    paid = add_per_home(trades.buyer, trades.kwh * trades.buyer_price, homes)
    earned = add_per_home(trades.seller, trades.kwh * trades.seller_price, homes)
    return Fills(bought, sold, paid, earned, trades)


def average(bid: Array, ask: Array, reference: Array) -> Array:
    """Half-way (MARLEM equation 5)."""
    return (bid + ask) / 2


def pay_as_bid(bid: Array, ask: Array, reference: Array) -> Array:
    """The seller's price (MARLEM's "pay-as-bid"; its released code uses the buyer's by mistake)."""
    return ask


def pay_as_offer(bid: Array, ask: Array, reference: Array) -> Array:
    """The buyer's price (MARLEM's "pay-as-offer")."""
    return bid


def nash_bargaining(bid: Array, ask: Array, reference: Array) -> Array:
    """Splits the gain equally (MARLEM equation 6), which is the average by definition."""
    return ask + (bid - ask) / 2


def proportional_surplus(bid: Array, ask: Array, reference: Array) -> Array:
    """Splits the gain in proportion to each side's distance from the reference price, each at least zero.

    MARLEM equation 7 without the clamps collapses to bid + ask - reference, which may leave the interval between ask
    and bid; clamped as here it cannot. Half-way when both distances are zero.
    """
    buyer, seller = jnp.maximum(bid - reference, 0.0), jnp.maximum(reference - ask, 0.0)
    both = buyer + seller
    return ask + jnp.where(both > 0, buyer / jnp.where(both > 0, both, 1.0), 0.5) * (bid - ask)


def bid_ask_spread(bid: Array, ask: Array, reference: Array, *, share: Array) -> Array:
    """The ask plus a share of the spread, which the seller keeps.

    MARLEM names the rule without an equation; its released code hands the reference price over as the share, so that
    the seller gets the whole spread. Its intended default of one half would be the average again; ours is a quarter.
    """
    return ask + jnp.clip(share, 0.0, 1.0) * (bid - ask)


def ticks_of(options: MarketOptions) -> Ticks:
    """The scenario's ticks as traced numbers."""
    return Ticks(jnp.float32(options.price_tick), jnp.float32(options.energy_tick_kwh))


def _constant(rule: PairPrice) -> Callable[[MarketOptions], PairPrice]:
    return lambda options: Partial(rule)


def _pairwise(rule: Callable[[MarketOptions], PairPrice]) -> Mechanism:
    def build(options: MarketOptions) -> tuple[Stage, ...]:
        return (Partial(pairwise_auction, ticks=ticks_of(options), pair_price=rule(options)),)

    return Mechanism(build, reads_bids=True)


mechanisms.register(
    "double_auction", "Auction: one price for all between the last bid and the last ask (k = 0.5)."
)(
    Mechanism(
        lambda options: (
            Partial(uniform_auction, ticks=ticks_of(options), k=jnp.float32(options.k)),
        ),
        reads_bids=True,
    )
)
for _name, _summary, _rule in (
    (
        "midpoint",
        "Auction: each pair trades half-way between bid and ask (MARLEM's average).",
        average,
    ),
    ("pay_as_bid", "Auction: each pair trades at the seller's price.", pay_as_bid),
    ("pay_as_offer", "Auction: each pair trades at the buyer's price.", pay_as_offer),
    (
        "nash_bargaining",
        "Auction: each pair splits its gain equally, which is the midpoint.",
        nash_bargaining,
    ),
    (
        "proportional_surplus",
        "Auction: each pair splits its gain by distance from the middle price.",
        proportional_surplus,
    ),
):
    mechanisms.register(_name, _summary)(_pairwise(_constant(_rule)))
mechanisms.register(
    "bid_ask_spread", "Auction: each pair trades at the ask plus a share of the spread (a quarter)."
)(_pairwise(lambda options: Partial(bid_ask_spread, share=jnp.float32(options.spread_share))))
