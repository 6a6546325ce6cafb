"""Soft actor-critic: its gradients and target against closed forms and quadrature, probes against their best reward."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.rl.algorithms.sac import SAC, Hyper, wanted
from prosumax.rl.components import distributions, normalization
from prosumax.rl.components.spaces import Mask, Space
from prosumax.rl.components.types import Spec

FAST = {
    "hidden": [16], "updates": 4, "batch_size": 64, "capacity": 2000, "learning_rate": 1e-2,
    "critic_learning_rate": 1e-2, "follow": 0.1, "number_entropy": -2.5, "choice_entropy": 0.1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "paradigm"),
    [
        ("bid", "ctde"),
        ("delay", "dtde-shared"),
        pytest.param("number", "dtde", marks=pytest.mark.slow),
        pytest.param("masked", "ctde-shared", marks=pytest.mark.slow),
        pytest.param("team", "ctce", marks=pytest.mark.slow),
    ],
)
def test_it_reaches_the_best_reward(probes, kind, paradigm):
    assert probes.reaches_the_best(kind, "sac", paradigm, FAST)


def setting(space, rows, seed=0):
    """A learner with fresh networks, its state, and rows of random observations."""
    learner = SAC(Spec(3, 0, 1, space, space), hidden=(8,), capacity=rows, activation="tanh")
    state = learner.init(jax.random.key(seed), Hyper())
    obs = jax.random.normal(jax.random.key(seed + 1), (2, rows, 3))
    return learner, state, state.buffer.rows._replace(obs=obs[0], next_obs=obs[1])


def dice(learner, rows):
    return distributions.roll(learner.spec.space, jax.random.key(0), (rows,))


def test_of_choices_the_gradient_is_exact():
    """Of sum p (Q - alpha log p) by a logit: p (Q - alpha log p - that sum); the lower of two critics counts."""
    space = Space(0, 1, 3)
    learner, state, rows = setting(space, 1)
    rows = rows._replace(mask=Mask(jnp.ones((1, 0), bool), jnp.array([[[True, False, True]]])))
    gradient, entropy = jax.grad(learner.actor_loss, has_aux=True)(
        state.actor, state, rows.obs, rows, jnp.ones(1), dice(learner, 1)
    )
    logits = np.asarray(state.actor(rows.obs, jnp.zeros((1, 0)))[0][0], float)[[0, 2]]
    p = np.exp(logits) / np.exp(logits).sum()
    base, options = learner.worth(state.critics, rows.obs, jnp.zeros((1, 0)), rows.mask)
    both = np.asarray(base, float)[:, 0, None] + np.asarray(options, float)[:, 0, 0][:, [0, 2]]
    soft = both[np.argmin(both @ p)] - 0.1 * np.log(p)
    np.testing.assert_allclose(
        gradient.layers[-1][1][jnp.array([0, 2])], -p * (soft - p @ soft), atol=1e-6
    )
    assert gradient.layers[-1][1][1] == 0.0  # masked
    assert entropy[0] == pytest.approx(-(p * np.log(p)).sum(), abs=1e-6)


def test_of_numbers_the_gradient_is_that_of_the_integral():
    """Against central differences of an integral over the number (Gauss-Hermite, 40 points), one critic alone."""
    space, many = Space(1, 0, 1), 40_000
    learner, state, rows = setting(space, many)
    rows = rows._replace(obs=jnp.broadcast_to(rows.obs[:1], rows.obs.shape))
    state = state._replace(
        critics=jax.tree.map(lambda leaf: leaf.at[1].set(leaf[0]), state.critics)
    )
    gradient, _ = jax.grad(learner.actor_loss, has_aux=True)(
        state.actor, state, rows.obs, rows, jnp.ones(many), dice(learner, many)
    )
    mean, spread = (float(part) for part in state.actor(rows.obs[:1], jnp.zeros((1, 0)))[0][0])
    points, weights = np.polynomial.hermite.hermgauss(40)

    def loss(mean, log_std):
        numbers = mean + np.sqrt(2) * np.exp(log_std) * points
        see = jnp.broadcast_to(rows.obs[:1], (40, 3))
        mask = Mask(jnp.ones((40, 1), bool), rows.mask.choices[:40])
        worth, _ = learner.worth(state.critics, see, jnp.tanh(jnp.asarray(numbers))[:, None], mask)
        density = (
            -0.5 * ((numbers - mean) / np.exp(log_std)) ** 2 - log_std - 0.5 * np.log(2 * np.pi)
        )
        surprise = density - np.log(1 - np.tanh(numbers) ** 2)
        return -(weights / np.sqrt(np.pi)) @ (np.asarray(worth[0], float) - 0.1 * surprise)

    log_std, step = spread - 0.5, 1e-2  # an untrained network's deviation is exp(-0.5)
    by_mean = (loss(mean + step, log_std) - loss(mean - step, log_std)) / (2 * step)
    by_spread = (loss(mean, log_std + step) - loss(mean, log_std - step)) / (2 * step)
    # Drawn 40 000 times with a deviation of about 0.1: an error of 0.0005, here four times that.
    np.testing.assert_allclose(gradient.layers[-1][1], [by_mean, by_spread], atol=2e-3)


def test_the_target_has_what_comes_after_and_its_randomness():
    space = Space(0, 1, 3)
    learner, state, rows = setting(space, 2)
    rows = rows._replace(reward=jnp.array([1.0, 2.0]), terminated=jnp.array([False, True]))
    state = state._replace(
        scale=normalization.see(normalization.begin(), jnp.array([1.0, 5.0]), jnp.ones(2))
    )  # mean 3, deviation 2
    found = learner.target(state, rows, Hyper(discount=0.9), dice(learner, 2))
    logits = np.asarray(state.actor(rows.next_obs, jnp.zeros((2, 0)))[0][0], float)
    p = np.exp(logits) / np.exp(logits).sum()
    base, options = learner.worth(state.targets, rows.next_obs, jnp.zeros((2, 0)), rows.next_mask)
    careful = min(np.asarray(base, float)[:, 0] + np.asarray(options, float)[:, 0, 0] @ p)
    assert found[0] == pytest.approx(
        1.0 + 0.9 * (3.0 + 2.0 * (careful - 0.1 * p @ np.log(p))), rel=1e-4
    )
    assert found[1] == 2.0


def test_what_is_masked_wants_no_entropy():
    choices = jnp.array(
        [[True, True, True, True], [True, False, True, False], [True, False, False, False]]
    )[:, None]
    mask = Mask(jnp.array([[True, True], [True, False], [False, False]]), choices)
    hp = Hyper(number_entropy=-1.0, choice_entropy=0.5)
    np.testing.assert_allclose(
        wanted(mask, hp), [-2 + 0.5 * np.log(4), -1 + 0.5 * np.log(2), 0.0], atol=1e-6
    )


@pytest.mark.parametrize(("share", "dearer"), [(2.0, True), (-1.0, False)])
def test_randomness_pays_more_where_there_is_too_little(probes, share, dearer):
    learner = SAC(
        Spec(1, 0, 1, Space(0, 1, 3), Space(0, 1, 3)),
        hidden=(8,),
        updates=1,
        batch_size=8,
        capacity=8,
    )
    hp, choices = Hyper(choice_entropy=share), jnp.array([[[0], [1], [2]]])
    batch = probes.batch(jnp.zeros((1, 3, 1, 1)), choices, (choices == 1).astype(jnp.float32))
    before = learner.init(jax.random.key(0), hp)
    after, _ = learner.update(before, batch, hp, jax.random.key(0))
    assert (after.log_temperature > before.log_temperature) == dearer
