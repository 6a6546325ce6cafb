"""Parallel execution of independent seeds.

XLA spreads only large matrix products over the cores of a CPU. On CPUs every seed is therefore a
call of its own, one per core: on two cores this takes two thirds of the time of one seed after
another, while one program of all seeds takes longer than that, because its data exceed the caches.
On other devices all seeds are one call.
"""

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

Item = TypeVar("Item")
State = TypeVar("State")


def group_seeds(items: Sequence[Item]) -> list[tuple[Item, ...]]:
    """Group seeds into calls: one per call on CPUs, all in one call on other devices."""
    if jax.default_backend() == "cpu":
        return [(item,) for item in items]
    return [tuple(items)]


def map_seeds(function: Callable[[Item], PyTree], items: tuple[Item, ...]) -> tuple[PyTree, ...]:
    """Apply a function to every seed of a call, within a compiled function.

    Args:
        function: Function of one seed.
        items: Seeds of one call; several are mapped by `jax.vmap`.
    """
    if len(items) == 1:
        return (function(items[0]),)
    results = jax.vmap(function)(jax.tree.map(lambda *leaves: jnp.stack(leaves), *items))
    return tuple(
        jax.tree.map(lambda leaf, index=index: leaf[index], results) for index in range(len(items))
    )


def iterate_parallel(
    advance: Callable[[State], State], states: Sequence[State], num_rounds: int
) -> Generator[list[State], None, None]:
    """Advance several states in parallel, and yield all of them after every round.

    A state may be one round ahead of the others, so that no core waits for the slowest. Closing
    the generator does not wait for rounds that have started.

    Args:
        advance: Function from a state to the next one, called in threads.
        states: Initial states.
        num_rounds: Number of rounds.
    """
    pool = ThreadPoolExecutor(os.cpu_count())

    def advance_result(future: Future[State]) -> State:
        # Work starts in the order of submission, so this future is already running or done.
        return advance(future.result())

    try:
        current: list[Future[State]] = []
        if num_rounds:
            current = [pool.submit(advance, state) for state in states]
        for remaining in reversed(range(num_rounds)):
            following: list[Future[State]] = []
            if remaining:
                following = [pool.submit(advance_result, future) for future in current]
            yield [future.result() for future in current]
            current = following
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def map_parallel(function: Callable[[Item], State], items: Iterable[Item]) -> list[State]:
    """Apply a function to every item, as many at a time as there are cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, items))
