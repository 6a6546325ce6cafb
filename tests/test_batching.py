"""`prosumax.vmap` against `jax.vmap`: the same numbers, whatever the function is made of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.batching import vmap

TABLE = jnp.arange(12.0).reshape(4, 3) ** 1.5


def summed(x, index):
    """Gathers and scatters of every kind: of a row, of single entries, by fixed and by given places."""
    rows = TABLE[index[0]]
    picked = x[index] + TABLE[index, 1].sum()
    fixed = x[jnp.array([2, 0])].sum()
    put = jnp.zeros(4).at[index].add(x).at[jnp.array([1, 3])].add(x[:2]).at[index[1]].set(7.0)
    return rows, picked * fixed, put, x[jnp.array([[0, 1], [2, 2]])]


def ordered(x, index):
    value, place = jax.lax.top_k(x, 2)
    return (
        jnp.sort(x),
        jnp.argsort(-x),
        jnp.cumsum(x)[::-1],
        value,
        place,
        jnp.argmax(x),
        jnp.median(x),
    )


def shaped(x, index):
    wide = jnp.broadcast_to(x, (2, 4)) * jnp.arange(2.0)[:, None]
    both = jnp.concatenate([wide, TABLE.T[:2]], axis=1)
    return (
        both.T.reshape(2, -1),
        jnp.pad(x, (1, 2)),
        jnp.stack([x, x]),
        both[:, 1:6:2].squeeze(),
        jnp.diff(x),
        x[::-1],
    )


def multiplied(x, index):
    return x @ TABLE, TABLE.T @ x, jnp.outer(x, x) @ jnp.eye(4)[index], x @ x


def looped(x, index):
    def step(carry, row):
        total, count = carry
        return (total + row * x, count + 1), (total.sum(), count)

    carry, rows = jax.lax.scan(step, (jnp.zeros(4), 0), jnp.arange(5.0))
    until = jax.lax.while_loop(lambda v: v[0] < 20.0, lambda v: v * 1.7 + 0.1, jnp.abs(x) + 0.1)
    chosen = jax.lax.cond(index[0] > 1, jnp.sin, jnp.cos, x)
    steady = jax.lax.cond(True, jnp.sin, jnp.cos, x)
    return carry, rows, until, chosen, steady


def drawn(x, index):
    key = jax.random.fold_in(jax.random.key(3), index[0])
    return (
        jax.random.normal(key, (3,)),
        jax.random.uniform(key, (4,)) < jax.nn.sigmoid(x),
        jnp.where(x > 0, x, -1),
    )


@pytest.mark.parametrize("function", [summed, ordered, shaped, multiplied, looped, drawn])
def test_the_same_as_jax(function):
    rng = np.random.default_rng(0)
    x, index = jnp.float32(rng.normal(size=(5, 4))), jnp.asarray(rng.integers(0, 4, (5, 4)))
    for size, axes in ((5, (0, 0)), (5, (0, None)), (5, (None, 0)), (1, (0, 0)), (1, (None, 0))):
        given = [
            part[:size] if axis == 0 else part[0]
            for part, axis in zip((x, index), axes, strict=True)
        ]
        expected = jax.vmap(function, in_axes=axes)(*given)
        found = jax.jit(vmap(function, axes))(*given)
        # Matrix products add up in another order.
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-6), found, expected
        )


def test_gradients_and_a_further_batch():
    def cost(x, index):
        kept = jax.lax.optimization_barrier(jnp.tanh(x))
        return (kept[index] * x).sum() + jax.nn.relu(x).sum()

    rng = np.random.default_rng(1)
    x, index = jnp.float32(rng.normal(size=(3, 5, 4))), jnp.asarray(rng.integers(0, 4, (3, 5, 4)))
    for own, theirs in (
        (vmap, jax.vmap),
        (lambda f: jax.vmap(vmap(f)), lambda f: jax.vmap(jax.vmap(f))),
    ):
        given = (x[0], index[0]) if own is vmap else (x, index)
        np.testing.assert_allclose(own(cost)(*given), theirs(cost)(*given), rtol=1e-6)
        found, expected = (
            jax.grad(lambda v, i=given[1], f=f: f(cost)(v, i).sum())(given[0])
            for f in (own, theirs)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_batches_of_different_size_are_refused():
    with pytest.raises(ValueError, match=r"one size, got \[2, 3\]"):
        vmap(jnp.add)(jnp.zeros(2), jnp.zeros(3))
    with pytest.raises(ValueError, match=r"got \[\]"):
        vmap(jnp.add, (None, None))(jnp.zeros(2), jnp.zeros(2))


@pytest.mark.parametrize("name", ["marlem-battery-strategic", "mahtm-train"])
def test_an_episode_of_many_communities(name):
    """Bids, partners, an auction, a network, fees and reputation; powers and a pool."""
    env = prosumax.make(name)

    def episode(key):
        keys = jax.random.split(key, 6)

        def advance(state, key):
            ts = env.step(key, state, env.sample_action(key))
            return ts.state, (ts.obs, ts.reward, ts.truncated, ts.info["record"].bill.total)

        return jax.lax.scan(advance, env.reset(key)[1], keys)[1]

    keys = jax.random.split(jax.random.key(0), 8)
    expected, found = jax.jit(jax.vmap(episode))(keys), jax.jit(vmap(episode))(keys)
    # Single precision; fused in another way, a sum rounds in another way.
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), found, expected
    )
