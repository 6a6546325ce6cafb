"""Seeds side by side: chains of work that do not wait for each other.

XLA fills the cores of a CPU within large products only. So there every seed is a call of its own, one on each core: on
two cores this takes two thirds of the time of one seed after another, while a program of all seeds at once takes longer
than that, for what it touches no longer fits the caches. On other devices all seeds are one call.
"""

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

Item = TypeVar("Item")
State = TypeVar("State")


def lanes(items: Sequence[Item]) -> list[tuple[Item, ...]]:
    """What goes into one call: on CPUs each item by itself, elsewhere all together."""
    return [(item,) for item in items] if jax.default_backend() == "cpu" else [tuple(items)]


def each(call: Callable[[Item], Any], lane: tuple[Item, ...]) -> tuple[Any, ...]:
    """`call` for every item of a lane, within a compiled function; at once where there are several."""
    if len(lane) == 1:
        return (call(lane[0]),)
    done = jax.vmap(call)(jax.tree.map(lambda *leaves: jnp.stack(leaves), *lane))
    return tuple(jax.tree.map(lambda leaf, at=at: leaf[at], done) for at in range(len(lane)))


def rounds(
    advance: Callable[[State], State], states: Sequence[State], count: int
) -> Generator[list[State], None, None]:
    """Advance several states `count` times side by side; yields where all are after every round.

    A state may be one round ahead of the others, so that no core waits for the slowest. Who stops asking (or is
    interrupted) does not wait for what has begun.

    Arguments:
        advance: from a state to the next; called in threads.
        states: where they begin.
        count: rounds.
    """
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        now: list[Future[State]] = (
            [pool.submit(advance, state) for state in states] if count else []
        )
        for left in reversed(range(count)):
            # Work begins in the order in which it was handed in: who waits for `before` knows that it is under way.
            after = lambda before: advance(before.result())  # noqa: E731
            later = [pool.submit(after, before) for before in now] if left else []
            yield [before.result() for before in now]
            now = later
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def side_by_side(call: Callable[[Item], State], items: Iterable[Item]) -> list[State]:
    """`call` for every item, as many at a time as there are cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(call, items))
