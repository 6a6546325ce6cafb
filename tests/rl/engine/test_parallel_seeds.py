"""Seeds in parallel have the results of one after another."""

import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.rl.engine.parallel_seeds import (
    group_seeds,
    iterate_parallel,
    map_parallel,
    map_seeds,
)


def test_every_state_advances_independently():
    def advance(state):
        step, total = state
        return step, total + step

    states = list(iterate_parallel(advance, [(step, 0) for step in range(9)], 4))
    assert states == [[(step, count * step) for step in range(9)] for count in range(1, 5)]
    assert list(iterate_parallel(advance, [(1, 0)], 0)) == []


def test_no_state_is_more_than_a_round_ahead():
    counts = [0] * 5
    lock = threading.Lock()

    def advance(number):
        with lock:
            counts[number] += 1
        return number

    for round_number, _ in enumerate(iterate_parallel(advance, range(5), 6), start=1):
        time.sleep(0.02)
        assert all(round_number <= count <= round_number + 1 for count in counts)


def test_closing_does_not_wait_for_running_work():
    release = threading.Event()
    started = []

    def advance(number):
        started.append(number)
        if len(started) > 3:
            release.wait(5)
        return number

    rounds = iterate_parallel(advance, range(3), 100)
    next(rounds)
    begin = time.perf_counter()
    rounds.close()
    assert time.perf_counter() - begin < 2
    release.set()
    time.sleep(0.05)
    assert len(started) <= 6


def test_exceptions_reach_the_caller():
    def advance(number):
        if number == 3:
            raise ValueError("three")
        return number + 1

    rounds = iterate_parallel(advance, [0, 1], 5)
    assert next(rounds) == [1, 2]
    with pytest.raises(ValueError, match="three"):
        list(rounds)
    with pytest.raises(ValueError, match="three"):
        map_parallel(advance, [1, 2, 3])


def test_several_seeds_in_one_call_have_the_results_of_single_calls(monkeypatch):
    def call(state):
        return {"sum": state["x"].sum(), "sample": jax.random.normal(state["key"], (2,))}

    def run(seeds):
        return jax.jit(lambda seeds: map_seeds(call, seeds))(seeds)

    states = [{"x": jnp.arange(3.0) * seed, "key": jax.random.key(seed)} for seed in range(3)]
    single = [result for seeds in group_seeds(states) for result in run(seeds)]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    (seeds,) = group_seeds(states)
    jax.tree.map(np.testing.assert_array_equal, tuple(single), run(seeds))
