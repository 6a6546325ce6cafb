"""Settled clearings per second: the matching core, plain Python, and a straightforward JAX version.

    python benchmarks/clearing.py

A settled clearing is the list of trades, and the energy and money of each home. All versions serve
equal prices by priority, then index, see the same random order books (with ties) and agree; they
are timed in turns, so compare ratios. Row "pro rata" is the matching core with the other rule for
ties; row "leading" is the matching core under `jax.vmap`, with the batch on the first axis.
"""

import statistics
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

import timing
from prosumax.batching import sum_per_home
from prosumax.market.auctions.matching import match

# Batches at which each of the JAX versions is about fastest.
BATCH = {7: 8192, 100: 512, 1000: 64, 10_000: 64}
# Least ratios to the Python matcher and to the naive JAX version, and the most microseconds.
TARGETS = {7: (40, 5, None), 100: (12, 2.5, 5), 1000: (8, 2, 80), 10_000: (5, None, None)}
ROUNDS = 15


def random_books(homes, books, seed=0):
    random = np.random.default_rng(seed)
    shape = (homes, books)
    return (
        random.random(shape) < 0.5,
        random.integers(0, 500, shape, dtype=np.int32),
        random.integers(1, 3000, shape, dtype=np.int32),
        random.integers(0, 32, shape, dtype=np.int32),
    )


def settle(buys, price, quantity, priority, uniform):
    """Settle one order book with the matching core.

    Money is in energy ticks times price ticks, positive when paid.
    """
    result = match(buys, price, quantity, priority)
    if uniform:
        paid = (result.last_bid + result.last_ask) / 2 * result.filled
        return (
            result.buyer,
            result.seller,
            result.ticks,
            result.filled,
            jnp.where(buys, paid, -paid),
        )
    paid = (price[result.buyer] + price[result.seller]) / 2 * result.ticks
    homes = len(price)
    money = sum_per_home(result.buyer, paid, homes) - sum_per_home(result.seller, paid, homes)
    return result.buyer, result.seller, result.ticks, result.filled, money


def per_home(buyer, to_buyer, seller, to_seller):
    index, amount = jnp.concatenate([buyer, seller]), jnp.concatenate([to_buyer, to_seller])
    return jnp.zeros(len(buyer)).at[index].add(amount)


def naive(buys, price, quantity, priority, uniform):
    """Settle one order book with float sorts of the orders, then of their end points."""
    homes, index = len(price), jnp.arange(len(price))
    price, size = price.astype(jnp.float32), quantity.astype(jnp.float32)
    # Buyers from dear to cheap, then sellers from cheap to dear.
    key = jnp.where(buys, -price, 1e6 + price)
    _, _, home, size = jax.lax.sort((key, -priority.astype(jnp.float32), index, size), num_keys=2)
    sells = ~buys[home]
    buyers = homes - sells.sum()
    end = jnp.where(
        sells, jnp.cumsum(jnp.where(sells, size, 0.0)), jnp.cumsum(jnp.where(sells, 0.0, size))
    )
    end, is_sell = jax.lax.sort((end, sells.astype(jnp.int32)), num_keys=1)
    sellers_done = jnp.cumsum(is_sell) - is_sell
    at_buyer, at_seller = index - sellers_done, buyers + sellers_done
    exists = (at_buyer < buyers) & (at_seller < homes)
    buyer, seller = home[jnp.minimum(at_buyer, homes - 1)], home[jnp.minimum(at_seller, homes - 1)]
    length = jnp.diff(end, prepend=0.0)
    trades = exists & (length > 0) & (price[buyer] >= price[seller])
    ticks = jnp.where(trades, length, 0.0)
    filled = per_home(buyer, ticks, seller, ticks)
    if uniform:
        last_bid = jnp.min(jnp.where(trades, price[buyer], jnp.inf))
        last_ask = jnp.max(jnp.where(trades, price[seller], -jnp.inf))
        paid = jnp.where(filled > 0, (last_bid + last_ask) / 2 * filled, 0.0)
        return buyer, seller, ticks, filled, jnp.where(buys, paid, -paid)
    paid = (price[buyer] + price[seller]) / 2 * ticks
    return buyer, seller, ticks, filled, per_home(buyer, paid, seller, -paid)


def python(buys, price, quantity, priority, uniform):
    """Settle one order book of plain lists: sort both sides, match with two pointers."""
    buyers = sorted((-price[i], -priority[i], i) for i in range(len(price)) if buys[i])
    sellers = sorted((price[i], -priority[i], i) for i in range(len(price)) if not buys[i])
    filled, money, trades = [0] * len(price), [0.0] * len(price), []
    b = s = 0
    while b < len(buyers) and s < len(sellers) and -buyers[b][0] >= sellers[s][0]:
        buyer, seller = buyers[b][2], sellers[s][2]
        ticks = min(quantity[buyer] - filled[buyer], quantity[seller] - filled[seller])
        filled[buyer] += ticks
        filled[seller] += ticks
        trades.append((buyer, seller, ticks))
        if not uniform:
            paid = (price[buyer] + price[seller]) / 2 * ticks
            money[buyer] += paid
            money[seller] -= paid
        b += filled[buyer] == quantity[buyer]
        s += filled[seller] == quantity[seller]
    if uniform and trades:
        level = (price[trades[-1][0]] + price[trades[-1][1]]) / 2
        money = [
            level * amount if side else -level * amount
            for side, amount in zip(buys, filled, strict=True)
        ]
    return trades, filled, money


def pro_rata(buys, price, quantity, priority, uniform):
    """Settle one order book with pro-rata rationing of ties, which matches twice."""
    del priority
    return settle(buys, price, quantity, None, uniform)


def compiled(function, books, batch_axis=None):
    """Return the compiled program and its compile time in seconds."""
    start = time.perf_counter()
    if batch_axis is not None:
        function = jax.vmap(function, in_axes=batch_axis, out_axes=batch_axis)
    program = jax.jit(function).lower(*books).compile()
    return partial(program, *books), time.perf_counter() - start


def best_and_median(runs, rounds):
    """Return the best and the median seconds of each run, timed in turns."""
    seconds = timing.alternate(runs, rounds)
    return {name: (min(taken), statistics.median(taken)) for name, taken in seconds.items()}


def as_lists(books):
    """Return every order book of a batch as plain lists."""
    return [[part[:, k].tolist() for part in books] for k in range(books[0].shape[1])]


def check_agreement(homes, uniform):
    """Check that all versions settle alike, up to the rounding of float sums."""
    books = random_books(homes, 8)
    for function in (settle, naive):
        over_batch = jax.vmap(partial(function, uniform=uniform), in_axes=-1)
        *_, filled, money = map(np.asarray, jax.jit(over_batch)(*books))
        for k, book in enumerate(as_lists(books)):
            _, want_filled, want_money = python(*book, uniform)
            np.testing.assert_allclose(filled[k], want_filled, err_msg=function.__name__)
            np.testing.assert_allclose(money[k], want_money, rtol=1e-4, err_msg=function.__name__)


def batched(homes, uniform, batch, rounds):
    """Return {version: (best us, median us, batch, compile s)} per clearing."""
    books = random_books(homes, batch)
    lists = as_lists([part[:, : min(batch, max(2, 10_000 // homes))] for part in books])
    behind, leading = [jnp.asarray(part) for part in books], [jnp.asarray(part.T) for part in books]
    runs = {"python": (lambda: [python(*book, uniform) for book in lists], 0.0)}
    runs["prosumax"] = compiled(partial(settle, uniform=uniform), behind, -1)
    if uniform:
        runs["pro rata"] = compiled(partial(pro_rata, uniform=uniform), behind, -1)
    else:
        runs["leading"] = compiled(partial(settle, uniform=uniform), leading, 0)
    runs["naive jax"] = compiled(partial(naive, uniform=uniform), leading, 0)
    found = {}
    for name, (best, median) in best_and_median(
        {name: run for name, (run, _) in runs.items()}, rounds
    ).items():
        size = len(lists) if name == "python" else batch
        found[name] = (best / size * 1e6, median / size * 1e6, size, runs[name][1])
    return found


def report_batched(uniform, sizes, rounds):
    print(f"\nbatched, {'uniform price' if uniform else 'each pair at its midpoint'}")
    print(
        f"{'homes':>6} {'version':>10} {'batch':>6} {'us best':>9} {'median':>9}"
        f" {'per second':>12} {'compile s':>10}"
        "   prosumax is faster by: best, median (target)"
    )
    for homes, size in sizes.items():
        to_python, to_naive, limit = TARGETS[homes]
        found = batched(homes, uniform, size, rounds)
        for name, (best, median, batch, seconds) in found.items():
            ratio = best / found["prosumax"][0]
            note = ""
            if name in ("python", "naive jax"):
                target = to_python if name == "python" else to_naive
                note = f"{ratio:6.1f}x {median / found['prosumax'][1]:6.1f}x" + verdict(
                    target, target and ratio >= target
                )
            elif name == "prosumax" and limit:
                note = " " * 15 + verdict(f"< {limit} us", best < limit)
            print(
                f"{homes:>6} {name:>10} {batch:>6} {best:>9.3f} {median:>9.3f}"
                f" {1e6 / best:>12,.0f} {seconds:>10.1f}   {note}"
            )


def verdict(target, met):
    if not target:
        return ""
    outcome = "met" if met else "MISSED"
    return f" ({target}: {outcome})"


def report_single(sizes, rounds):
    print(
        "\none book at a time, each pair at its midpoint:"
        " one call of a jitted clearing; one step of a scan; Python"
    )
    print(
        f"{'homes':>6} {'call us':>9} {'median':>9} {'scan us':>9} {'python us':>10}"
        f" {'compile s':>10}"
    )
    for homes in sizes:
        steps = 4 if rounds == 1 else max(4, 2000 // homes)
        books = random_books(homes, steps)
        one = partial(settle, uniform=False)
        call, seconds = compiled(one, [part[:, 0] for part in books])

        def episode(*books, one=one):
            return jax.lax.map(lambda book: one(*book), books)

        scan, _ = compiled(episode, [jnp.asarray(part.T) for part in books])
        lists = as_lists(books)
        taken = best_and_median(
            {
                "call": call,
                "scan": scan,
                "python": lambda lists=lists: [python(*book, False) for book in lists],
            },
            rounds,
        )
        scan_us, python_us = (taken[name][0] / steps * 1e6 for name in ("scan", "python"))
        best, median = (seconds * 1e6 for seconds in taken["call"])
        print(
            f"{homes:>6} {best:>9.1f} {median:>9.1f} {scan_us:>9.1f} {python_us:>10.1f}"
            f" {seconds:>10.1f}"
        )


def main() -> None:
    """Check that all versions agree, and time them."""
    options = timing.parser(__doc__).parse_args()
    sizes, rounds = ({7: 4}, 1) if options.toy else (BATCH, ROUNDS)
    print(timing.machine())
    for uniform in (False, True):
        for homes in (7,) if options.toy else (7, 100):
            check_agreement(homes, uniform)
        report_batched(uniform, sizes, rounds)
    report_single(sizes, rounds)


if __name__ == "__main__":
    main()
