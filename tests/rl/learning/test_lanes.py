"""Seeds side by side: the same as one after another."""

import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.rl.engine.parallel_seeds import each, lanes, rounds, side_by_side


def test_every_state_goes_its_own_way():
    advance = lambda state: (state[0], state[1] + state[0])  # noqa: E731
    found = list(rounds(advance, [(step, 0) for step in range(9)], 4))
    assert found == [[(step, count * step) for step in range(9)] for count in range(1, 5)]
    assert list(rounds(advance, [(1, 0)], 0)) == []


def test_nobody_is_more_than_a_round_ahead():
    done, lock = [0] * 5, threading.Lock()

    def advance(number):
        with lock:
            done[number] += 1
        return number

    for count, _ in enumerate(rounds(advance, range(5), 6), start=1):
        time.sleep(0.02)
        assert all(count <= own <= count + 1 for own in done)


def test_who_stops_asking_does_not_wait():
    free, began = threading.Event(), []

    def advance(number):
        began.append(number)
        if len(began) > 3:
            free.wait(5)
        return number

    looks = rounds(advance, range(3), 100)
    next(looks)
    begin = time.perf_counter()
    looks.close()
    assert time.perf_counter() - begin < 2
    free.set()
    time.sleep(0.05)
    assert len(began) <= 6


def test_what_goes_wrong_is_heard():
    def advance(number):
        if number == 3:
            raise ValueError("three")
        return number + 1

    looks = rounds(advance, [0, 1], 5)
    assert next(looks) == [1, 2]
    with pytest.raises(ValueError, match="three"):
        list(looks)
    with pytest.raises(ValueError, match="three"):
        side_by_side(advance, [1, 2, 3])


def test_a_lane_of_several_is_each_by_itself(monkeypatch):
    call = lambda state: {"sum": state["x"].sum(), "draw": jax.random.normal(state["key"], (2,))}  # noqa: E731
    states = [{"x": jnp.arange(3.0) * seed, "key": jax.random.key(seed)} for seed in range(3)]
    alone = [one for lane in lanes(states) for one in jax.jit(lambda lane: each(call, lane))(lane)]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    (lane,) = lanes(states)
    together = jax.jit(lambda lane: each(call, lane))(lane)
    jax.tree.map(np.testing.assert_array_equal, tuple(alone), together)
