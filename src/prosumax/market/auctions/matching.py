"""Matching core of all auctions: sort, cumulate, merge.

Quantities and prices are whole ticks, so that there is no rounding and sorting is on integers. One
packed key per order needs one sort. The cumulated end points of buyers (ascending) and sellers
(descending) form a bitonic sequence, so that pairing them needs a merge and no second sort. Under
`vmap` the batch becomes the last axis of every array, where the compare-exchanges vectorize.
Batches of at least 64 books are most efficient; `benchmarks/clearing.py` measures them.
"""

from functools import reduce
from itertools import accumulate
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool, Int, PyTree

from prosumax.batching import with_fusion_barrier

MAX_TOTAL_TICKS = 2**29
"""Largest sum of the quantities of one book."""

_SENTINEL = 2**31 - 1
_PRIORITY_BITS = 5

# Bit of a packed key that sorts sellers behind buyers.
_SELLS = 1 << 30

# Half of the bits of a quantity.
_DIGIT_BITS = 15

# Selecting among so few rows vectorizes, whereas gathering does not.
_MAX_SELECT_ROWS = 8

# Rows that are summed at a time, which XLA keeps in registers.
_SUM_BLOCK = 8


class Match(NamedTuple):
    """Outcome of matching one book.

    Attributes:
        filled: Ticks traded by each home.
        buyer: Buyer of each pair, in price order.
        seller: Seller of each pair.
        ticks: Quantity of each pair; empty slots have zero ticks.
        last_bid: Lowest bid that trades (undefined without trade).
        last_ask: Highest ask that trades (undefined without trade).
        next_bid: Highest bid that stays open; the lowest tick when there is none.
        next_ask: Lowest ask that stays open; the highest tick when there is none.
    """

    filled: Int[Array, " home"]
    buyer: Int[Array, " slot"]
    seller: Int[Array, " slot"]
    ticks: Int[Array, " slot"]
    last_bid: Int[Array, ""]
    last_ask: Int[Array, ""]
    next_bid: Int[Array, ""]
    next_ask: Int[Array, ""]


def max_price_ticks(homes: int, by_priority: bool) -> int:
    """Return the number of price levels that the packed key can represent.

    Args:
        homes: Number of orders in the book.
        by_priority: Whether equal prices are ranked by priority.
    """
    return 1 << (30 - _index_bits(homes) - (_PRIORITY_BITS if by_priority else 0))


def match(
    buys: Bool[Array, " home"],
    price: Int[Array, " home"],
    quantity: Int[Array, " home"],
    priority: Int[Array, " home"] | None = None,
) -> Match:
    """Match the highest bids with the lowest asks as long as the bid is not below the ask.

    Works under jit and vmap; integers carry no gradient.

    Args:
        buys: Whether each home buys; the others sell.
        price: Limit prices in ticks, from 0 to `max_price_ticks` - 1.
        quantity: Ticks of energy, >= 0; a home with zero takes no part. Their sum must not exceed
            `MAX_TOTAL_TICKS`.
        priority: Priority from 0 to 31. If given, equal prices are served by priority, then by
            index. Otherwise orders at the marginal price share pro rata (whole ticks, the
            remainder to the lowest indices).
    """
    match: Match = _match((buys, price, quantity, priority))
    return match


@custom_vmap
def _match(orders: tuple[Array, Array, Array, Array | None]) -> Match:
    """Match books of shape [home, ...] with any further axes."""
    homes, *batch = orders[0].shape
    if not batch:
        return _match_flat(*orders)
    out = _match_flat(*jax.tree.map(lambda leaf: leaf.reshape(homes, -1), orders))
    match: Match = jax.tree.map(lambda leaf: leaf.reshape(*leaf.shape[:-1], *batch), out)
    return match


@_match.def_vmap
def _batch_last(size: int, batched: PyTree, orders: PyTree) -> tuple[Match, Match]:
    """Move the batch axis behind the homes and match; a nested vmap adds one more axis there."""

    def batch_last(leaf: Array, is_batched: bool) -> Array:
        return (
            jnp.moveaxis(leaf, 0, -1)
            if is_batched
            else jnp.broadcast_to(leaf[..., None], (*leaf.shape, size))
        )

    matched = _match(jax.tree.map(batch_last, orders, batched[0]))
    out = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), matched)
    return out, jax.tree.map(lambda _: True, out)


def _match_flat(buys: Array, price: Array, quantity: Array, priority: Array | None) -> Match:
    """Match books of shape [home] or [home, batch]."""
    if len(buys) == 1:
        # The code below needs two homes: add one with an empty order.
        single = (buys, price, quantity, priority)
        padded = jax.tree.map(lambda part: jnp.concatenate([part, jnp.zeros_like(part)]), single)
        matched = _match_flat(*padded)
        return matched._replace(
            filled=matched.filled[:1], buyer=matched.buyer * 0, seller=matched.seller * 0
        )
    highest = max_price_ticks(len(buys), priority is not None) - 1
    tie_bits = _index_bits(len(buys)) + (0 if priority is None else _PRIORITY_BITS)
    key = _pack_keys(buys, highest - price, priority)
    book = _sort(key)
    bid, ask, ticks = _pair_orders(tie_bits, book, quantity)
    volume, worst_bid, worst_ask = _marginal_orders(bid, ask, ticks)
    if priority is None:
        filled, *claims = _marginal_claims(
            key, worst_bid, worst_ask, tie_bits, buys, quantity, volume
        )
        filled += _pro_rata(*claims)
        bid, ask, ticks = _pair_orders(tie_bits, book, filled)
    else:
        # Only one order is marginal.
        filled, claim, left, *_ = _marginal_claims(
            key, worst_bid, worst_ask, 0, buys, quantity, volume
        )
        filled += jnp.where(claim > 0, left, 0)
    is_open = filled < quantity
    return Match(
        filled=filled,
        buyer=_unpack_home(bid, len(buys)),
        seller=_unpack_home(ask, len(buys)),
        ticks=ticks,
        last_bid=highest - (worst_bid >> tie_bits),
        last_ask=highest - ((worst_ask & (_SELLS - 1)) >> tie_bits),
        next_bid=jnp.max(jnp.where(buys & is_open, price, 0), axis=0),
        next_ask=jnp.min(jnp.where(~buys & is_open, price, highest), axis=0),
    )


@with_fusion_barrier
def _pack_keys(buys: Array, level: Array, priority: Array | None) -> Array:
    """Pack each order into one integer that sorts buyers first, both sides by falling price.

    Sellers are read backwards, by rising price, so their tie-breakers are stored in reverse.
    """
    if priority is not None:
        reversed_priority = (1 << _PRIORITY_BITS) - 1 - priority
        level = (level << _PRIORITY_BITS) | jnp.where(buys, reversed_priority, priority)
    bits = _index_bits(len(buys))
    index = _positions(buys)
    return (level << bits) | jnp.where(buys, index, _SELLS | ((1 << bits) - 1 - index))


def _unpack_home(key: Array, homes: int) -> Array:
    """Return the home index in a packed key."""
    last = (1 << _index_bits(homes)) - 1
    return jnp.where(key >= _SELLS, last - (key & last), key & last)


def _pair_orders(tie_bits: int, book: Array, amount: Array) -> tuple[Array, Array, Array]:
    """Overlay the merit orders of both sides and pair them segment by segment.

    Returns:
        Keys of the bid and the ask of every pair, and its ticks.
    """
    ends = _end_points(book, _take(amount, _unpack_home(book, len(book))))
    buyer, seller, length = _segments(_merge(ends))
    bid = _take(book, buyer)
    ask = _take(book, seller)
    # This is also false when one side is exhausted, as its key is then one of the other side.
    crosses = (bid >> tie_bits) + (_SELLS >> tie_bits) <= ask >> tie_bits
    return bid, ask, jnp.where(crosses, length, 0)


@with_fusion_barrier
def _end_points(book: Array, amount: Array) -> Array:
    """Return the cumulated quantity up to each order in the merit order, with the side as last bit.

    Sellers are cumulated from the other end of the book.
    """
    sells = book >= _SELLS
    cumulated = _cumsum(amount)
    return (jnp.where(sells, cumulated[-1:] - cumulated + amount, cumulated) << 1) | sells


@with_fusion_barrier
def _segments(ends: Array) -> tuple[Array, Array, Array]:
    """Return the book positions of buyer and seller of every segment, and its length.

    Equal end points give segments of length zero, so their order does not matter.
    """
    sells = ends & 1
    sellers_done = _cumsum(sells) - sells
    buyer = _positions(ends) - sellers_done
    seller = len(ends) - 1 - sellers_done
    return buyer, seller, jnp.diff(ends >> 1, axis=0, prepend=0)


@with_fusion_barrier
def _marginal_orders(bid: Array, ask: Array, ticks: Array) -> tuple[Array, Array, Array]:
    """Return the traded volume and the keys of the last bid and ask (-1 and all ones if none)."""
    bid = jnp.where(ticks > 0, bid, -1)
    ask = jnp.where(ticks > 0, ask, _SENTINEL)
    return jnp.sum(ticks, axis=0), jnp.max(bid, axis=0), jnp.min(ask, axis=0)


@with_fusion_barrier
def _marginal_claims(
    key: Array,
    worst_bid: Array,
    worst_ask: Array,
    shared_bits: Array | int,
    buys: Array,
    quantity: Array,
    volume: Array,
) -> tuple[Array, ...]:
    """Split the fills into certain ones and claims on a rest that marginal orders share.

    Returns:
        Ticks that are filled in any case, claims beyond them [home], the rest that is shared, the
        sum of the claims, and two quotients that `_shares` needs.
    """
    rank = key >> shared_bits
    worst_bid = worst_bid >> shared_bits
    worst_ask = worst_ask >> shared_bits
    is_better = jnp.where(buys, rank < worst_bid, rank > worst_ask)
    filled = jnp.where(is_better, quantity, 0)
    is_marginal = jnp.where(buys, rank == worst_bid, rank == worst_ask)
    marginal = jnp.where(is_marginal, quantity, 0)
    bids_filled, asks_filled = _sum_by_side(filled, buys)
    bids, asks = _sum_by_side(marginal, buys)
    # If both sides had an open marginal order they would trade, so that only one side shares.
    bids_share = volume - bids_filled < bids
    shares = buys == bids_share
    left = volume - jnp.where(bids_share, bids_filled, asks_filled)
    total = jnp.maximum(jnp.where(bids_share, bids, asks), 1)
    filled = jnp.where(shares, filled, filled + marginal)
    claimed = jnp.where(shares, marginal, 0)
    # The divisions are done here, once per book instead of once per home.
    return filled, claimed, left, total, left / total, (1 << _DIGIT_BITS) / total


def _sum_by_side(values: Array, buys: Array) -> tuple[Array, Array]:
    bids = jnp.sum(jnp.where(buys, values, 0), axis=0)
    asks = jnp.sum(jnp.where(buys, 0, values), axis=0)
    return bids, asks


def _pro_rata(*claims: Array) -> Array:
    """Share the rest in whole ticks, the remainder to the lowest indices."""
    share, has_remainder = _shares(*claims)
    remainder = claims[1] - jnp.sum(share, axis=0)
    return share + (has_remainder & (_cumsum(has_remainder) <= remainder))


@with_fusion_barrier
def _shares(
    claimed: Array, available: Array, total: Array, ratio: Array, unit: Array
) -> tuple[Array, Array]:
    """Return the integer part of `claimed * available / total`, and 1 where there is a remainder.

    Requires 0 <= available <= total. Each of two digits is estimated in floating point to within
    one and corrected by its remainder, which fits in 32 bits although the products wrap around.
    """

    def correct(estimate: Array, dividend: Array) -> tuple[Array, Array]:
        quotient = estimate.astype(jnp.int32)
        remainder = dividend - quotient * total
        step = (remainder >= total).astype(jnp.int32) - (remainder < 0).astype(jnp.int32)
        return quotient + step, remainder - step * total

    high = claimed >> _DIGIT_BITS
    low = claimed & ((1 << _DIGIT_BITS) - 1)
    first, carried = correct(high * ratio, high * available)
    estimate = carried * unit + low * ratio
    second, remainder = correct(estimate, (carried << _DIGIT_BITS) + low * available)
    return (first << _DIGIT_BITS) + second, (remainder > 0).astype(jnp.int32)


def _index_bits(homes: int) -> int:
    return max(homes - 1, 1).bit_length()


def _positions(values: Array) -> Array:
    return jnp.arange(len(values), dtype=jnp.int32).reshape(-1, *([1] * (values.ndim - 1)))


def _take(values: Array, index: Array) -> Array:
    """Gather rows; positions beyond the ends occur in empty segments and give an arbitrary row."""
    if values.ndim == 2 and len(values) <= _MAX_SELECT_ROWS:
        return reduce(
            lambda chosen, k: jnp.where(index == k, values[k], chosen),
            range(1, len(values)),
            values[0],
        )
    return jnp.take_along_axis(values, index, axis=0, mode="clip")


def _cumsum(values: Array) -> Array:
    """Return the cumulative sum over the first axis, block by block."""
    size = len(values)
    if values.ndim == 1:
        return jnp.cumsum(values)
    if size <= 2 * _SUM_BLOCK:
        return jnp.stack(list(accumulate(values)))
    padded = _padded(values, -(-size // _SUM_BLOCK) * _SUM_BLOCK, 0)
    rows = padded.reshape(-1, _SUM_BLOCK, *values.shape[1:])
    totals = jnp.sum(rows, axis=1)
    block_rows = (rows[:, position] for position in range(_SUM_BLOCK))
    sums = accumulate(block_rows, initial=_cumsum(totals) - totals)
    return jnp.stack(list(sums)[1:], axis=1).reshape(-1, *values.shape[1:])[:size]


def _sort(values: Array) -> Array:
    if values.ndim == 1:
        return jax.lax.sort(values, is_stable=False)
    runs = _padded(values, 1 << _index_bits(len(values)), _SENTINEL)[:, None]
    while len(runs) > 1:
        pairs = runs.reshape(-1, 2, *runs.shape[1:])
        # Reversing the second run makes the pair bitonic.
        runs = _sort_bitonic(pairs[:, 0], pairs[:, 1, ::-1])
    return runs[0, : len(values)]


def _merge(values: Array) -> Array:
    """Sort a sequence that rises and then falls (bitonic merge)."""
    half = 1 << (_index_bits(len(values)) - 1)
    runs = _padded(values, 2 * half, -1)[None]
    return _sort_bitonic(runs[:, :half], runs[:, half:])[0, 2 * half - len(values) :]


def _sort_bitonic(first: Array, second: Array) -> Array:
    """Sort bitonic runs [run, position, ...], given in halves, by compare-exchanges."""
    whole = (len(first), -1, *first.shape[2:])
    parts = [jnp.minimum(first, second), jnp.maximum(first, second)]
    while (half := parts[0].shape[1] // 2) > 0:
        if len(parts) == 4:
            # Two rounds at a time: their intermediate results fit the registers.
            parts = [jnp.stack(parts, axis=1).reshape(-1, *parts[0].shape[1:])]
        parts = [
            select(part[:, :half], part[:, half:])
            for part in parts
            for select in (jnp.minimum, jnp.maximum)
        ]
    return jnp.stack(parts, axis=1).reshape(whole)


def _padded(values: Array, size: int, value: int) -> Array:
    padding = [(0, size - len(values))] + [(0, 0)] * (values.ndim - 1)
    return jnp.pad(values, padding, constant_values=value)
