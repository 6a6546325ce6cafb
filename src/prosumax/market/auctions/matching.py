"""The matching core of every auction: sort, cumulate, merge. All measured tricks live here and nowhere else.

Quantities and prices are whole ticks, so nothing is lost to rounding and sorting is on integers. One packed key per
order gives one sort; the cumulated end points of buyers (ascending) and sellers (descending) already form a bitonic
sequence, so pairing them needs a merge and no second sort. Under `vmap` the batch becomes the last axis of every array,
where the compare-exchanges vectorise. Batches of 64 books and more are best (`benchmarks/clearing.py` has figures).
"""

from functools import reduce
from itertools import accumulate
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool, Int

from prosumax.batching import apart

MAX_TOTAL_TICKS = 2**29
"""The quantities of one book must add up to no more than this."""

_NOTHING = 2**31 - 1
_SELLS = 1 << 30  # the bit of a packed key that puts sellers behind buyers
_PRIORITY_BITS = 5
_DIGIT_BITS = 15  # half of the bits of a quantity


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
    return _match((buys, price, quantity, priority))


@custom_vmap
def _match(orders: tuple[Array, Array, Array, Array | None]) -> Match:
    """`match` for arrays [home, ...], whatever axes follow the homes."""
    homes, *batch = orders[0].shape
    if not batch:
        return _match_flat(*orders)
    out = _match_flat(*jax.tree.map(lambda leaf: leaf.reshape(homes, -1), orders))
    return jax.tree.map(lambda leaf: leaf.reshape(*leaf.shape[:-1], *batch), out)


@_match.def_vmap
def _batch_last(size: int, batched: Any, orders: Any) -> tuple[Match, Match]:
    """Put the batch behind the homes and call again; another vmap adds one more axis there."""

    def behind(leaf: Array, is_batched: bool) -> Array:
        return (
            jnp.moveaxis(leaf, 0, -1)
            if is_batched
            else jnp.broadcast_to(leaf[..., None], (*leaf.shape, size))
        )

    out = jax.tree.map(
        lambda leaf: jnp.moveaxis(leaf, -1, 0), _match(jax.tree.map(behind, orders, batched[0]))
    )
    return out, jax.tree.map(lambda _: True, out)


def _match_flat(buys: Array, price: Array, quantity: Array, priority: Array | None) -> Match:
    """`match` for arrays [home] or [home, batch]."""
    if (
        len(buys) == 1
    ):  # nobody to trade with: beside a second home that wants nothing the same code holds
        own = (buys, price, quantity, priority)
        found = _match_flat(
            *jax.tree.map(lambda part: jnp.concatenate([part, jnp.zeros_like(part)]), own)
        )
        return found._replace(
            filled=found.filled[:1], buyer=found.buyer * 0, seller=found.seller * 0
        )
    highest = price_ticks_available(len(buys), priority is not None) - 1
    tie_bits = _index_bits(len(buys)) + (0 if priority is None else _PRIORITY_BITS)
    key = _keys(buys, highest - price, priority)
    book = _sort(key)
    bid, ask, ticks = _trades(tie_bits, book, quantity)
    volume, worst_bid, worst_ask = _margin(bid, ask, ticks)
    if priority is None:
        filled, *claims = _claims(key, worst_bid, worst_ask, tie_bits, buys, quantity, volume)
        filled += _pro_rata(*claims)
        bid, ask, ticks = _trades(tie_bits, book, filled)
    else:  # one order alone is at the margin
        filled, claim, left, *_ = _claims(key, worst_bid, worst_ask, 0, buys, quantity, volume)
        filled += jnp.where(claim > 0, left, 0)
    is_open = filled < quantity
    return Match(
        filled=filled,
        buyer=_home(bid, len(buys)),
        seller=_home(ask, len(buys)),
        ticks=ticks,
        last_bid=highest - (worst_bid >> tie_bits),
        last_ask=highest - ((worst_ask & (_SELLS - 1)) >> tie_bits),
        next_bid=jnp.max(jnp.where(buys & is_open, price, 0), axis=0),
        next_ask=jnp.min(jnp.where(~buys & is_open, price, highest), axis=0),
    )


@apart
def _keys(buys: Array, level: Array, priority: Array | None) -> Array:
    """One number per order; ascending, they run over the buyers, then the sellers, each from dear to cheap.

    Read backwards, sellers go from cheap to dear, so what breaks ties among them is stored the other way round.
    """
    if priority is not None:
        level = (level << _PRIORITY_BITS) | jnp.where(
            buys, (1 << _PRIORITY_BITS) - 1 - priority, priority
        )
    bits, index = _index_bits(len(buys)), _positions(buys)
    return (level << bits) | jnp.where(buys, index, _SELLS | ((1 << bits) - 1 - index))


def _home(key: Array, homes: int) -> Array:
    """The index that `_keys` stored."""
    last = (1 << _index_bits(homes)) - 1
    return jnp.where(key >= _SELLS, last - (key & last), key & last)


def _trades(tie_bits: int, book: Array, amount: Array) -> tuple[Array, Array, Array]:
    """Lay both sides over each other; every segment in between is one trade: keys of its bid and ask, its ticks."""
    ends = _ends(book, _take(amount, _home(book, len(book))))
    buyer, seller, length = _segments(_merge(ends))
    bid, ask = _take(book, buyer), _take(book, seller)
    # Does not hold either when one side has come to its end, so that its key is one of the other side.
    crosses = (bid >> tie_bits) + (_SELLS >> tie_bits) <= ask >> tie_bits
    return bid, ask, jnp.where(crosses, length, 0)


@apart
def _ends(book: Array, amount: Array) -> Array:
    """Twice where each order ends when its side is laid out from the best price on (for sellers: from the far end)."""
    sells, cumulated = book >= _SELLS, _cumsum(amount)
    return (jnp.where(sells, cumulated[-1:] - cumulated + amount, cumulated) << 1) | sells


@apart
def _segments(ends: Array) -> tuple[Array, Array, Array]:
    """Positions in the book of buyer and seller, and length. Equal ends give no length, in whatever order."""
    sells = ends & 1
    sellers_done = _cumsum(sells) - sells
    return (
        _positions(ends) - sellers_done,
        len(ends) - 1 - sellers_done,
        jnp.diff(ends >> 1, axis=0, prepend=0),
    )


@apart
def _margin(bid: Array, ask: Array, ticks: Array) -> tuple[Array, Array, Array]:
    """How much trades, and the keys of the last bid and ask that do (-1 and all ones without trade)."""
    bid, ask = jnp.where(ticks > 0, bid, -1), jnp.where(ticks > 0, ask, _NOTHING)
    return jnp.sum(ticks, axis=0), jnp.max(bid, axis=0), jnp.min(ask, axis=0)


@apart
def _claims(
    key: Array,
    worst_bid: Array,
    worst_ask: Array,
    shared_bits: Any,
    buys: Array,
    quantity: Array,
    volume: Array,
) -> tuple[Array, ...]:
    """What is filled in any case; then what each home claims beyond, how much there is for all, and how many claim."""
    rank, worst_bid, worst_ask = (
        key >> shared_bits,
        worst_bid >> shared_bits,
        worst_ask >> shared_bits,
    )
    filled = jnp.where(jnp.where(buys, rank < worst_bid, rank > worst_ask), quantity, 0)
    wanted = jnp.where(jnp.where(buys, rank == worst_bid, rank == worst_ask), quantity, 0)
    (bids_filled, asks_filled), (bids, asks) = _by_side(filled, buys), _by_side(wanted, buys)
    # Had both sides something left at the margin they would trade on, so only one has to share.
    bids_share = volume - bids_filled < bids
    shares = buys == bids_share
    left = volume - jnp.where(bids_share, bids_filled, asks_filled)
    total = jnp.maximum(jnp.where(bids_share, bids, asks), 1)
    filled, wanted = jnp.where(shares, filled, filled + wanted), jnp.where(shares, wanted, 0)
    # Divided here, once per book, and not once per home.
    return filled, wanted, left, total, left / total, (1 << _DIGIT_BITS) / total


def _by_side(values: Array, buys: Array) -> tuple[Array, Array]:
    return jnp.sum(jnp.where(buys, values, 0), axis=0), jnp.sum(jnp.where(buys, 0, values), axis=0)


def _pro_rata(*claims: Array) -> Array:
    """Whole shares of what there is, the remainder to the lowest indices."""
    share, has_remainder = _shares(*claims)
    spare = claims[1] - jnp.sum(share, axis=0)
    return share + (has_remainder & (_cumsum(has_remainder) <= spare))


@apart
def _shares(
    wanted: Array, available: Array, total: Array, ratio: Array, unit: Array
) -> tuple[Array, Array]:
    """Whole part of `wanted * available / total`, and 1 where there is a remainder (0 <= available <= total).

    A float guesses each of two digits to within one; the remainder tells, as it fits although products wrap around.
    """

    def correct(guess: Array, dividend: Array) -> tuple[Array, Array]:
        quotient = guess.astype(jnp.int32)
        remainder = dividend - quotient * total
        step = (remainder >= total).astype(jnp.int32) - (remainder < 0).astype(jnp.int32)
        return quotient + step, remainder - step * total

    high, low = wanted >> _DIGIT_BITS, wanted & ((1 << _DIGIT_BITS) - 1)
    first, carried = correct(high * ratio, high * available)
    second, remainder = correct(
        carried * unit + low * ratio, (carried << _DIGIT_BITS) + low * available
    )
    return (first << _DIGIT_BITS) + second, (remainder > 0).astype(jnp.int32)


def _index_bits(homes: int) -> int:
    return max(homes - 1, 1).bit_length()


def _positions(like: Array) -> Array:
    return jnp.arange(len(like), dtype=jnp.int32).reshape(-1, *([1] * (like.ndim - 1)))


def _take(values: Array, index: Array) -> Array:
    """Positions beyond the ends, in segments that do not trade, give whatever order."""
    if (
        values.ndim == 2 and len(values) <= 8
    ):  # choosing among few rows vectorises, gathering does not
        return reduce(
            lambda found, k: jnp.where(index == k, values[k], found),
            range(1, len(values)),
            values[0],
        )
    return jnp.take_along_axis(values, index, axis=0, mode="clip")


def _cumsum(values: Array) -> Array:
    """Sums of eight rows at a time, which XLA keeps in registers."""
    size, block = len(values), 8
    if values.ndim == 1:
        return jnp.cumsum(values)
    if size <= 2 * block:
        return jnp.stack(list(accumulate(values)))
    rows = _padded(values, -(-size // block) * block, 0).reshape(-1, block, *values.shape[1:])
    totals = jnp.sum(rows, axis=1)
    sums = accumulate(
        (rows[:, position] for position in range(block)), initial=_cumsum(totals) - totals
    )
    return jnp.stack(list(sums)[1:], axis=1).reshape(-1, *values.shape[1:])[:size]


def _sort(values: Array) -> Array:
    if values.ndim == 1:
        return jax.lax.sort(values, is_stable=False)
    runs = _padded(values, 1 << _index_bits(len(values)), _NOTHING)[:, None]
    while len(runs) > 1:
        pairs = runs.reshape(-1, 2, *runs.shape[1:])
        runs = _sort_bitonic(
            pairs[:, 0], pairs[:, 1, ::-1]
        )  # one read backwards makes the pair rise, then fall
    return runs[0, : len(values)]


def _merge(values: Array) -> Array:
    """Sort a sequence that rises and then falls."""
    half = 1 << (_index_bits(len(values)) - 1)
    runs = _padded(values, 2 * half, -1)[None]
    return _sort_bitonic(runs[:, :half], runs[:, half:])[0, 2 * half - len(values) :]


def _sort_bitonic(first: Array, second: Array) -> Array:
    """Sort runs [run, position, ...], given in halves, by compare-exchanges over half their length, ..., 1."""
    whole = (len(first), -1, *first.shape[2:])
    parts = [jnp.minimum(first, second), jnp.maximum(first, second)]
    while (half := parts[0].shape[1] // 2) > 0:
        if len(parts) == 4:  # two rounds at a time: what is between them fits the registers
            parts = [jnp.stack(parts, axis=1).reshape(-1, *parts[0].shape[1:])]
        parts = [
            choose(part[:, :half], part[:, half:])
            for part in parts
            for choose in (jnp.minimum, jnp.maximum)
        ]
    return jnp.stack(parts, axis=1).reshape(whole)


def _padded(values: Array, size: int, value: int) -> Array:
    return jnp.pad(
        values, [(0, size - len(values))] + [(0, 0)] * (values.ndim - 1), constant_values=value
    )
