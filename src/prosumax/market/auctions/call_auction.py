"""Call auctions: the matching core pairs bids and asks, and a price rule divides the gain.

An auction trades whole ticks. Quantities are rounded down to energy ticks (1 Wh by default), bids
down and asks up to price ticks, so that no home trades beyond its limit. Remainders below a tick
go to the grid. Orders at the marginal price share pro rata. The index decides which of two equal
bids is matched with which ask; with different asks this affects the prices of pairwise rules.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float, Int

from prosumax.batching import sum_per_home
from prosumax.market.auctions.matching import MAX_TOTAL_TICKS, Match, match, max_price_ticks
from prosumax.market.mechanism import (
    MarketOptions,
    Mechanism,
    Stage,
    mechanisms,
    remaining_orders,
)
from prosumax.types import Fills, Orders, Prices, Trades

PairPriceRule = Callable[[Array, Array, Array], Float[Array, " slot"]]
"""Function from bid, ask and reference price of a pair to the price of its trade."""

# Share of a tick that absorbs the rounding of prices such as 0.22 in single precision.
_ROUNDING_TICKS = 0.01


class TickSize(NamedTuple):
    """Smallest units of an auction: currency per kWh, and kWh."""

    price: Float[Array, ""]
    energy_kwh: Float[Array, ""]


class OrderBook(NamedTuple):
    """Orders in whole ticks.

    Attributes:
        buys: Whether each home buys; the others sell.
        price: Limit prices in ticks, offset so that none is negative.
        quantity: Quantities in energy ticks.
        price_offset: Ticks that were added to every price.
    """

    buys: Bool[Array, " home"]
    price: Int[Array, " home"]
    quantity: Int[Array, " home"]
    price_offset: int


def to_ticks(orders: Orders, ticks: TickSize, by_priority: bool = False) -> OrderBook:
    """Discretize orders: bids are rounded down, asks up, quantities down.

    Args:
        orders: Open orders.
        ticks: Tick size of the auction.
        by_priority: Whether the matching ranks equal prices by priority, which leaves fewer price
            levels.
    """
    homes = orders.price.shape[-1]
    levels = max_price_ticks(homes, by_priority)
    buys = orders.quantity_kwh > 0
    price = orders.price / ticks.price
    bid = jnp.floor(price + _ROUNDING_TICKS)
    ask = jnp.ceil(price - _ROUNDING_TICKS)
    price = jnp.where(buys, bid, ask).astype(jnp.int32) + levels // 4
    quantity = jnp.floor(jnp.abs(orders.quantity_kwh) / ticks.energy_kwh + _ROUNDING_TICKS)
    quantity = jnp.minimum(quantity, MAX_TOTAL_TICKS // homes).astype(jnp.int32)
    return OrderBook(buys, jnp.clip(price, 0, levels - 1), quantity, levels // 4)


def to_price(
    price_ticks: Int[Array, "..."], book: OrderBook, ticks: TickSize
) -> Float[Array, "..."]:
    """Convert prices in ticks to currency per kWh.

    Args:
        price_ticks: Prices in ticks of the book.
        book: The order book, which knows the offset.
        ticks: Tick size of the auction.
    """
    return (price_ticks - book.price_offset) * ticks.price


def filled_kwh(
    orders: Orders, matched: Match, ticks: TickSize
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """Return the energy bought and sold by each home in a match.

    The gradient of a fill is that of its order times the share of the order that was filled.

    Args:
        orders: Open orders.
        matched: Outcome of the matching core.
        ticks: Tick size of the auction.
    """
    amount = jnp.abs(orders.quantity_kwh)
    filled = jnp.minimum(matched.filled * ticks.energy_kwh, amount)
    share = jax.lax.stop_gradient(filled / jnp.where(amount > 0, amount, 1.0))
    filled = amount * share + jax.lax.stop_gradient(filled - amount * share)
    buys = orders.quantity_kwh > 0
    return jnp.where(buys, filled, 0.0), jnp.where(buys, 0.0, filled)


def uniform_price_auction(
    orders: Orders, prices: Prices, *, ticks: TickSize, k: Float[Array, ""]
) -> tuple[Fills, Orders]:
    """Clear all trades at one price between the last bid and the last ask (k-double auction).

    The price is k times the last bid that trades plus (1 - k) times the last ask. Where the last
    order of one side is filled only in part, the price that clears the market would be its own
    limit; the rule stays the same, and that order gets less than it would trade at the price.

    Args:
        orders: Open orders.
        prices: Prices of the grid side; not used.
        ticks: Tick size of the auction.
        k: Position of the price between the last ask (0) and the last bid (1).

    References:
        Wilson 1985, Econometrica 53(5); Chatterjee and Samuelson 1983, Operations Research 31(5).
    """
    book = to_ticks(orders, ticks)
    matched = match(book.buys, book.price, book.quantity)
    bought, sold = filled_kwh(orders, matched, ticks)
    last_bid = to_price(matched.last_bid, book, ticks)
    last_ask = to_price(matched.last_ask, book, ticks)
    price = k * last_bid + (1 - k) * last_ask
    price = jnp.where(matched.filled.sum() > 0, price, 0.0)
    slot_price = jnp.broadcast_to(price, matched.ticks.shape)
    kwh = matched.ticks * ticks.energy_kwh
    trades = Trades(matched.buyer, matched.seller, kwh, slot_price, slot_price)
    fills = Fills(bought, sold, bought * price, sold * price, trades)
    return fills, remaining_orders(orders, fills)


def discriminatory_auction(
    orders: Orders, prices: Prices, *, ticks: TickSize, pair_price: PairPriceRule
) -> tuple[Fills, Orders]:
    """Match the highest bid with the lowest ask and so on, each pair at its own price.

    The reference price is the midpoint of the grid prices, averaged over homes. (MARLEM uses the
    last clearing price, and this midpoint in the first step.)

    Args:
        orders: Open orders.
        prices: Prices of the grid side.
        ticks: Tick size of the auction.
        pair_price: Rule that prices each pair.

    References:
        MARLEM, section 3.3.3, equations 5 to 7.
    """
    book = to_ticks(orders, ticks)
    matched = match(book.buys, book.price, book.quantity)
    bid = to_price(book.price[matched.buyer], book, ticks)
    ask = to_price(book.price[matched.seller], book, ticks)
    reference = ((prices.reservation_price + prices.feed_in) / 2).mean()
    price = jnp.where(matched.ticks > 0, pair_price(bid, ask, reference), 0.0)
    kwh = matched.ticks * ticks.energy_kwh
    trades = Trades(matched.buyer, matched.seller, kwh, price, price)
    fills = settle_trades(orders, matched, trades, ticks)
    return fills, remaining_orders(orders, fills)


def settle_trades(orders: Orders, matched: Match, trades: Trades, ticks: TickSize) -> Fills:
    """Sum bilateral trades to the fills of each home.

    Args:
        orders: Open orders.
        matched: Outcome of the matching core.
        trades: The priced trades.
        ticks: Tick size of the auction.
    """
    bought, sold = filled_kwh(orders, matched, ticks)
    homes = orders.quantity_kwh.shape[0]
    paid = sum_per_home(trades.buyer, trades.kwh * trades.buyer_price, homes)
    earned = sum_per_home(trades.seller, trades.kwh * trades.seller_price, homes)
    return Fills(bought, sold, paid, earned, trades)


def midpoint_price(bid: Array, ask: Array, reference: Array) -> Array:
    """Return the midpoint of bid and ask (MARLEM, equation 5)."""
    return (bid + ask) / 2


def pay_as_ask(bid: Array, ask: Array, reference: Array) -> Array:
    """Return the seller's limit price.

    This is MARLEM's "pay-as-bid" (the released code uses the buyer's price by mistake). In
    economics "pay-as-bid" means the opposite, hence the name.
    """
    return ask


def pay_as_bid_price(bid: Array, ask: Array, reference: Array) -> Array:
    """Return the buyer's limit price, which is MARLEM's "pay-as-offer"."""
    return bid


def nash_bargaining(bid: Array, ask: Array, reference: Array) -> Array:
    """Return the price that splits the gain equally (MARLEM, equation 6), which is the midpoint."""
    return ask + (bid - ask) / 2


def proportional_surplus(bid: Array, ask: Array, reference: Array) -> Array:
    """Return the price that splits the gain by each side's distance from the reference price.

    The distances are at least zero; the price is the midpoint when both are zero. MARLEM, equation
    7 without this clamp collapses to bid + ask - reference, which may leave the interval between
    ask and bid.
    """
    buyer = jnp.maximum(bid - reference, 0.0)
    seller = jnp.maximum(reference - ask, 0.0)
    both = buyer + seller
    return ask + jnp.where(both > 0, buyer / jnp.where(both > 0, both, 1.0), 0.5) * (bid - ask)


def bid_ask_spread(bid: Array, ask: Array, reference: Array, *, share: Array) -> Array:
    """Return the ask plus a share of the spread, which the seller keeps.

    MARLEM names the rule without an equation. Its released code passes the reference price as the
    share, so that the seller gets the whole spread; its intended default of one half would be the
    midpoint. The default here is a quarter.

    Args:
        bid: Limit price of the buyer.
        ask: Limit price of the seller.
        reference: Reference price; not used.
        share: Share of the spread, 0 to 1.
    """
    return ask + jnp.clip(share, 0.0, 1.0) * (bid - ask)


def tick_size(options: MarketOptions) -> TickSize:
    """Return the tick size of a scenario as traced numbers.

    Args:
        options: Market settings of the scenario.
    """
    return TickSize(jnp.float32(options.price_tick), jnp.float32(options.energy_tick_kwh))


def _without_options(rule: PairPriceRule) -> Callable[[MarketOptions], PairPriceRule]:
    return lambda options: Partial(rule)


def _discriminatory(rule: Callable[[MarketOptions], PairPriceRule]) -> Mechanism:
    def build(options: MarketOptions) -> tuple[Stage, ...]:
        auction = Partial(
            discriminatory_auction, ticks=tick_size(options), pair_price=rule(options)
        )
        return (auction,)

    return Mechanism(build, uses_bids=True)


def _build_uniform(options: MarketOptions) -> tuple[Stage, ...]:
    return (Partial(uniform_price_auction, ticks=tick_size(options), k=jnp.float32(options.k)),)


mechanisms.register(
    "double_auction",
    "Auction: one price for all between the last bid and the last ask (k = 0.5).",
)(Mechanism(_build_uniform, uses_bids=True))
for _name, _summary, _rule in (
    (
        "midpoint",
        "Auction: each pair trades half-way between bid and ask (MARLEM's average).",
        midpoint_price,
    ),
    (
        "pay_as_ask",
        "Auction: each pair trades at the seller's price (MARLEM's pay-as-bid).",
        pay_as_ask,
    ),
    (
        "pay_as_bid_price",
        "Auction: each pair trades at the buyer's price (MARLEM's pay-as-offer).",
        pay_as_bid_price,
    ),
    (
        "nash_bargaining",
        "Auction: each pair splits its gain equally, which is the midpoint.",
        nash_bargaining,
    ),
    (
        "proportional_surplus",
        "Auction: each pair splits its gain by distance from the reference price.",
        proportional_surplus,
    ),
):
    mechanisms.register(_name, _summary)(_discriminatory(_without_options(_rule)))
mechanisms.register(
    "bid_ask_spread",
    "Auction: each pair trades at the ask plus a share of the spread (a quarter).",
)(_discriminatory(lambda options: Partial(bid_ask_spread, share=jnp.float32(options.spread_share))))
