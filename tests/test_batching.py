"""`prosumax.vmap` gives the results of `jax.vmap` for all kinds of functions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.batching import vmap

TABLE = jnp.arange(12.0).reshape(4, 3) ** 1.5


def gathers_and_scatters(x, index):
    """Gather and scatter rows and single entries, at fixed and at given positions."""
    rows = TABLE[index[0]]
    picked = x[index] + TABLE[index, 1].sum()
    fixed = x[jnp.array([2, 0])].sum()
    added = jnp.zeros(4).at[index].add(x).at[jnp.array([1, 3])].add(x[:2])
    return rows, picked * fixed, added.at[index[1]].set(7.0), x[jnp.array([[0, 1], [2, 2]])]


def sorts(x, index):
    value, position = jax.lax.top_k(x, 2)
    cumulative = jnp.cumsum(x)[::-1]
    return (
        jnp.sort(x),
        jnp.argsort(-x),
        cumulative,
        value,
        position,
        jnp.argmax(x),
        jnp.median(x),
    )


def reshapes(x, index):
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


def products(x, index):
    return x @ TABLE, TABLE.T @ x, jnp.outer(x, x) @ jnp.eye(4)[index], x @ x


def loops(x, index):
    def step(carry, row):
        total, count = carry
        return (total + row * x, count + 1), (total.sum(), count)

    carry, rows = jax.lax.scan(step, (jnp.zeros(4), 0), jnp.arange(5.0))
    until = jax.lax.while_loop(lambda v: v[0] < 20.0, lambda v: v * 1.7 + 0.1, jnp.abs(x) + 0.1)
    branch = jax.lax.cond(index[0] > 1, jnp.sin, jnp.cos, x)
    constant_branch = jax.lax.cond(True, jnp.sin, jnp.cos, x)
    return carry, rows, until, branch, constant_branch


def random_numbers(x, index):
    key = jax.random.fold_in(jax.random.key(3), index[0])
    uniform = jax.random.uniform(key, (4,))
    return jax.random.normal(key, (3,)), uniform < jax.nn.sigmoid(x), jnp.where(x > 0, x, -1)


FUNCTIONS = [gathers_and_scatters, sorts, reshapes, products, loops, random_numbers]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_results_equal_those_of_jax(function):
    rng = np.random.default_rng(0)
    x = jnp.float32(rng.normal(size=(5, 4)))
    index = jnp.asarray(rng.integers(0, 4, (5, 4)))
    for size, axes in ((5, (0, 0)), (5, (0, None)), (5, (None, 0)), (1, (0, 0)), (1, (None, 0))):
        arguments = [
            array[:size] if axis == 0 else array[0]
            for array, axis in zip((x, index), axes, strict=True)
        ]
        expected = jax.vmap(function, in_axes=axes)(*arguments)
        actual = jax.jit(vmap(function, axes))(*arguments)
        # Matrix products add up in another order.
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-6), actual, expected
        )


def nested(transform):
    """Apply a batching transform inside `jax.vmap`."""
    return lambda function: jax.vmap(transform(function))


@pytest.mark.parametrize("is_nested", [False, True])
def test_gradients_and_nested_batches_equal_those_of_jax(is_nested):
    def cost(x, index):
        stored = jax.lax.optimization_barrier(jnp.tanh(x))
        return (stored[index] * x).sum() + jax.nn.relu(x).sum()

    rng = np.random.default_rng(1)
    x = jnp.float32(rng.normal(size=(3, 5, 4)))
    index = jnp.asarray(rng.integers(0, 4, (3, 5, 4)))
    ours, theirs = vmap, jax.vmap
    if is_nested:
        ours, theirs = nested(vmap), nested(jax.vmap)
    else:
        x, index = x[0], index[0]
    np.testing.assert_allclose(ours(cost)(x, index), theirs(cost)(x, index), rtol=1e-6)
    actual, expected = (
        jax.grad(lambda v, transform=transform: transform(cost)(v, index).sum())(x)
        for transform in (ours, theirs)
    )
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_batches_of_different_sizes_raise_a_value_error():
    with pytest.raises(ValueError, match=r"one size, got \[2, 3\]"):
        vmap(jnp.add)(jnp.zeros(2), jnp.zeros(3))
    with pytest.raises(ValueError, match=r"got \[\]"):
        vmap(jnp.add, (None, None))(jnp.zeros(2), jnp.zeros(2))


# Bids, partners, an auction, a network, fees and reputation; powers and a pool.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["marlem-battery-strategic", "mahtm-train"])
def test_episodes_of_many_communities_equal_those_of_jax(name):
    env = prosumax.make(name)

    def episode(key):
        keys = jax.random.split(key, 6)

        def advance(state, key):
            timestep = env.step(key, state, env.action_space.sample(key))
            bill = timestep.info["record"].bill.total
            results = (timestep.obs, timestep.reward, timestep.truncated, bill)
            return timestep.state, results

        return jax.lax.scan(advance, env.reset(key)[1], keys)[1]

    keys = jax.random.split(jax.random.key(0), 8)
    expected = jax.jit(jax.vmap(episode))(keys)
    actual = jax.jit(vmap(episode))(keys)
    # In single precision, sums that are fused differently round differently.
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), actual, expected
    )
