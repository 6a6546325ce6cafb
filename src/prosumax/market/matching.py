"""The matching core of every auction: sort, cumulate, merge. All measured tricks live here and nowhere else.

Quantities and prices are whole ticks, so nothing is lost to rounding and sorting is on integers. One packed key per
order gives one sort; the cumulated end points of buyers (ascending) and sellers (descending) already form a bitonic
sequence, so pairing them needs a merge and no second sort. Under `vmap` the batch becomes the last axis of every array,
where the compare-exchanges vectorise; the arithmetic is the same.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool, Int

MAX_TOTAL_TICKS = 2**29
"""The quantities of one book must add up to no more than this."""

_NETWORK_LIMIT = 256  # above this a sorting network compiles slowly and loses to the library sort
_NOTHING = 2**31 - 1
_SELLS = 1 << 30  # the bit of a packed key that puts sellers behind buyers
_PRIORITY_BITS = 5


class Match(NamedTuple):
    """The outcome of matching one book.

    Attributes:
        filled: ticks traded by each home.
        buyer, seller, ticks: the pairs, in price order; empty slots have zero ticks.
        last_bid, last_ask: prices of the worst orders that trade (undefined without trade).
        next_bid, next_ask: best prices among what stays open; the lowest and highest tick when nothing does.
    """

    filled: Int[Array, " home"]
    buyer: Int[Array, " slot"]
    seller: Int[Array, " slot"]
    ticks: Int[Array, " slot"]
    last_bid: Int[Array, ""]
    last_ask: Int[Array, ""]
    next_bid: Int[Array, ""]
    next_ask: Int[Array, ""]


def price_ticks_available(homes: int, by_priority: bool) -> int:
    """How many price ticks the packed key can tell apart for a book of this size."""
    return 1 << (30 - _index_bits(homes) - (_PRIORITY_BITS if by_priority else 0))


def match(
    buys: Bool[Array, " home"],
    price: Int[Array, " home"],
    quantity: Int[Array, " home"],
    priority: Int[Array, " home"] | None = None,
) -> Match:
    """Match buyers from the dearest with sellers from the cheapest while the bid is not below the ask.

    Arguments:
        buys: which homes buy; the others sell.
        price: limit prices in ticks, from 0 to `price_ticks_available` - 1.
        quantity: ticks of energy, >= 0; zero stays out. Their sum must not exceed `MAX_TOTAL_TICKS`.
        priority: 0 to 31. Given, equal prices are served by it, then by index. Absent, orders at the marginal price
            share pro rata (whole ticks, the remainder to the lowest indices).

    Works under jit and vmap; integers carry no gradient.
    """
    if priority is None:
        return _match_pro_rata(buys, price, quantity)
    return _match_by_priority(buys, price, quantity, priority)


@custom_vmap
def _match_pro_rata(buys: Array, price: Array, quantity: Array) -> Match:
    return _match_leading(buys, price, quantity, None)


@custom_vmap
def _match_by_priority(buys: Array, price: Array, quantity: Array, priority: Array) -> Match:
    return _match_leading(buys, price, quantity, priority)


def _batch_last(axis_size: int, in_batched: list[bool], *arguments: Array, single: bool) -> tuple[Match, Match]:
    """Vmap rule: put the batch behind the homes and run the same code once."""
    moved = [
        jnp.moveaxis(argument, 0, -1)
        if batched
        else jnp.broadcast_to(argument[..., None], (*argument.shape, axis_size))
        for argument, batched in zip(arguments, in_batched, strict=True)
    ]
    shape = moved[0].shape
    flat = [argument.reshape(shape[0], -1) for argument in moved]  # nested vmaps become one batch
    out = _match_leading(*flat, *([None] if single else []))
    out = Match(*(jnp.moveaxis(leaf.reshape(*leaf.shape[:-1], *shape[1:]), -1, 0) for leaf in out))
    return out, Match(*([True] * len(Match._fields)))


_match_pro_rata.def_vmap(partial(_batch_last, single=True))
_match_by_priority.def_vmap(partial(_batch_last, single=False))


def _match_leading(buys: Array, price: Array, quantity: Array, priority: Array | None) -> Match:
    """`match` for arrays [home] or [home, batch]."""
    homes = buys.shape[0]
    highest = price_ticks_available(homes, priority is not None) - 1
    # Up to a power of two, with sellers of nothing, for the merge.
    padded = [_pad(argument) for argument in (buys, price, quantity, *([] if priority is None else [priority]))]
    buys, price, quantity = padded[:3]
    book = _sorted_book(buys, price, padded[3] if len(padded) > 3 else None, highest)
    pairs = _pairs(book, quantity)
    # Bids fall and asks rise along the segments, so those that cross come first.
    crossing = pairs.exists & (_take(book.price, pairs.buyer) >= _take(book.price, pairs.seller))
    ticks = jnp.where(crossing, pairs.length, 0)
    if priority is None:
        filled = _separate(_ration(buys, price, quantity, book, _separate(pairs), ticks))
        pairs = _pairs(book, filled)
        ticks = jnp.where(pairs.exists, pairs.length, 0)
    buyer, seller = _take(book.home, pairs.buyer), _take(book.home, pairs.seller)
    if priority is not None:
        filled = _add_at(_add_at(jnp.zeros_like(quantity), buyer, ticks), seller, ticks)
    still_open = quantity - filled
    return Match(
        filled=filled[:homes],
        buyer=jnp.minimum(buyer, homes - 1),
        seller=jnp.minimum(seller, homes - 1),
        ticks=ticks,
        last_bid=jnp.min(jnp.where(buys & (filled > 0), price, highest), axis=0),
        last_ask=jnp.max(jnp.where(~buys & (filled > 0), price, 0), axis=0),
        next_bid=jnp.max(jnp.where(buys & (still_open > 0), price, 0), axis=0),
        next_ask=jnp.min(jnp.where(~buys & (still_open > 0), price, highest), axis=0),
    )


class _Book(NamedTuple):
    """The sorted book: buyers, then sellers, each from dear to cheap."""

    sells: Array
    home: Array
    price: Array


class _Pairs(NamedTuple):
    """One entry per segment: positions in the book of its buyer and its seller, and its ticks."""

    buyer: Array
    seller: Array
    length: Array
    exists: Array  # both sides reach this far


def _sorted_book(buys: Array, price: Array, priority: Array | None, highest: int) -> _Book:
    """Sort by one packed key and read everything back out of it.

    Read backwards, sellers go from cheap to dear, so what breaks ties among them is stored the other way round.
    """
    last, bits = buys.shape[0] - 1, _index_bits(buys.shape[0])
    index = _positions(buys)
    key = highest - price
    if priority is not None:
        top = (1 << _PRIORITY_BITS) - 1
        key = (key << _PRIORITY_BITS) | jnp.where(buys, top - priority, priority)
    key = (key << bits) | jnp.where(buys, index, last - index)
    key = _separate(_sort(_separate(jnp.where(buys, key, key | _SELLS))))
    sells, tie = key >= _SELLS, key & last
    levels = (key & (_SELLS - 1)) >> (bits + (_PRIORITY_BITS if priority is not None else 0))
    return _Book(sells, jnp.where(sells, last - tie, tie), highest - levels)


def _pairs(book: _Book, quantity: Array) -> _Pairs:
    """Lay the cumulated quantities of both sides over each other; every segment in between is one trade."""
    last = quantity.shape[0] - 1
    amount = _take(quantity, book.home)
    cumulated = _cumsum(amount)
    # Sellers are counted from the cheap end, which is the far end.
    end = jnp.where(book.sells, cumulated[-1:] - cumulated + amount, cumulated)
    # The side travels in the lowest bit. Equal ends give segments of no length, in whatever order.
    merged = _separate(_merge(_separate((end << 1) | book.sells)))
    end, is_sell = merged >> 1, merged & 1
    sellers_with_this = _cumsum(is_sell)
    sellers_done = sellers_with_this - is_sell
    buyers_done = _positions(end) - sellers_done
    sellers = sellers_with_this[-1:]
    return _Pairs(
        buyer=jnp.minimum(buyers_done, last),
        seller=jnp.maximum(last - sellers_done, 0),
        length=end - jnp.concatenate([jnp.zeros_like(end[:1]), end[:-1]]),
        exists=(buyers_done <= last - sellers) & (sellers_done < sellers),
    )


def _ration(buys: Array, price: Array, quantity: Array, book: _Book, pairs: _Pairs, ticks: Array) -> Array:
    """What each home trades when orders at the marginal price share pro rata."""
    volume = jnp.sum(ticks, axis=0)
    last = jnp.max(jnp.where(ticks > 0, _positions(ticks), 0), axis=0, keepdims=True)
    worst_bid = jnp.where(volume > 0, _take(book.price, _take(pairs.buyer, last))[0], _NOTHING)
    worst_ask = jnp.where(volume > 0, _take(book.price, _take(pairs.seller, last))[0], -1)
    better = jnp.where(buys, price > worst_bid, price < worst_ask)
    marginal = jnp.where(buys, price == worst_bid, price == worst_ask)
    filled = jnp.where(better, quantity, 0)
    left = volume - jnp.sum(jnp.where(buys, filled, 0), axis=0)
    bids = jnp.sum(jnp.where(buys & marginal, quantity, 0), axis=0)
    # Had both sides something left at the margin they would trade on, so only one has to share.
    buyers_share = left < bids
    left = jnp.where(buyers_share, left, volume - jnp.sum(jnp.where(buys, 0, filled), axis=0))
    sharing = marginal & (buys == buyers_share)
    filled = jnp.where(marginal & ~sharing, quantity, filled)
    return filled + _share_out(jnp.where(sharing, quantity, 0), left)


def _share_out(wanted: Array, available: Array) -> Array:
    """Whole shares of `available` in proportion to `wanted`, adding up to it exactly (0 <= available <= sum)."""
    total = jnp.maximum(jnp.sum(wanted, axis=0), 1)
    # The float quotient is off by at most one; its exact remainder fits although the product may wrap around.
    share = jnp.floor(wanted * (available / total).astype(jnp.float32)).astype(jnp.int32)
    for _ in range(2):
        remainder = wanted * available - share * total
        share = share + (remainder >= total) - (remainder < 0)
    has_remainder = wanted * available - share * total > 0
    spare = available - jnp.sum(share, axis=0)
    return share + (has_remainder & (_cumsum(has_remainder.astype(jnp.int32)) <= spare))


def _separate(values: Any) -> Any:
    """Keep XLA from fusing what comes before into what comes after: it would compute the former several times over."""
    return jax.lax.optimization_barrier(values)


def _index_bits(homes: int) -> int:
    return max(homes - 1, 1).bit_length()


def _pad(values: Array) -> Array:
    missing = (1 << _index_bits(values.shape[0])) - values.shape[0]
    return jnp.pad(values, [(0, missing)] + [(0, 0)] * (values.ndim - 1))


def _positions(like: Array) -> Array:
    return jnp.arange(like.shape[0], dtype=jnp.int32).reshape(-1, *([1] * (like.ndim - 1)))


def _take(values: Array, index: Array) -> Array:
    return jnp.take_along_axis(values, index, axis=0, mode="promise_in_bounds")


def _add_at(values: Array, index: Array, amount: Array) -> Array:
    if values.ndim == 1:
        return values.at[index].add(amount, mode="promise_in_bounds")
    return jax.vmap(lambda v, i, a: v.at[i].add(a, mode="promise_in_bounds"), in_axes=-1, out_axes=-1)(
        values, index, amount
    )


def _cumsum(values: Array) -> Array:
    if values.ndim == 1:
        return jnp.cumsum(values)

    def advance(total: Array, row: Array) -> tuple[Array, Array]:
        return total + row, total + row

    return jax.lax.scan(advance, jnp.zeros_like(values[0]), values)[1]


def _sort(values: Array) -> Array:
    if values.ndim == 1:
        return jax.lax.sort(values, is_stable=False)
    if values.shape[0] > _NETWORK_LIMIT:
        return jax.lax.sort(values.T, dimension=1, is_stable=False).T
    size = 2
    while size <= values.shape[0]:
        # Each pair of sorted runs becomes one: the second reversed makes them bitonic.
        runs = values.reshape(-1, size, *values.shape[1:])
        runs = jnp.concatenate([runs[:, : size // 2], runs[:, : size // 2 - 1 : -1]], axis=1)
        values = _compare_exchange(runs, size // 2).reshape(values.shape)
        size *= 2
    return values


def _merge(values: Array) -> Array:
    """Sort a sequence that rises and then falls."""
    return _compare_exchange(values[None], values.shape[0] // 2).reshape(values.shape)


def _compare_exchange(runs: Array, distance: int) -> Array:
    """Sort bitonic runs [run, position, ...] by compare-exchanges over `distance`, half of it, ..., 1."""
    shape = runs.shape
    while distance >= 1:
        blocks = runs.reshape(-1, 2, distance, *shape[2:])
        low, high = blocks[:, 0], blocks[:, 1]
        runs = jnp.stack([jnp.minimum(low, high), jnp.maximum(low, high)], axis=1)
        distance //= 2
    return runs.reshape(shape)
