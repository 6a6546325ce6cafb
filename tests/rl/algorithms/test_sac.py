"""Soft actor-critic solves probes; gradients and target agree with closed forms and quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.rl.algorithms.sac import SAC, SACConfig, target_entropy
from prosumax.rl.components.distributions import sample_noise
from prosumax.rl.components.normalization import init_statistics, update_statistics
from prosumax.rl.components.spaces import ActionMask, ActionSpace
from prosumax.rl.components.types import AgentSpec
from tests.rl import probes

FAST = {
    "hidden_sizes": [16],
    "gradient_steps": 4,
    "batch_size": 64,
    "buffer_size": 2000,
    "learning_rate": 1e-2,
    "critic_learning_rate": 1e-2,
    "tau": 0.1,
    "target_entropy_continuous": -2.5,
    "target_entropy_discrete": 0.1,
}
DISCRETE = ActionSpace(0, 1, 3)
CONTINUOUS = ActionSpace(1, 0, 1)


@pytest.mark.slow
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
def test_sac_reaches_the_best_reward(kind, paradigm):
    assert probes.solves(kind, "sac", paradigm, FAST)


def make_learner(space, rows, seed=0, **hyperparameters):
    """Return a learner, its initial state, and transitions of random observations."""
    spec = AgentSpec(3, 0, 1, space, space)
    config = SACConfig(hidden_sizes=(8,), buffer_size=rows, activation="tanh", **hyperparameters)
    learner = SAC(spec, config)
    state = learner.init(jax.random.key(seed))
    obs = jax.random.normal(jax.random.key(seed + 1), (2, rows, 3))
    transitions = state.buffer.transitions._replace(obs=obs[0], next_obs=obs[1])
    return learner, state, transitions


def make_noise(learner, rows):
    return sample_noise(learner.spec.action_space, jax.random.key(0), (rows,))


def test_gradient_of_discrete_actions_is_exact():
    """Of sum p (Q - alpha log p) by a logit it is p (Q - alpha log p - that sum)."""
    learner, state, transitions = make_learner(DISCRETE, 1)
    valid = jnp.array([[[True, False, True]]])
    transitions = transitions._replace(mask=ActionMask(jnp.ones((1, 0), bool), valid))
    gradient, entropy = jax.grad(learner.actor_loss, has_aux=True)(
        state.actor, state, transitions.obs, transitions, jnp.ones(1), make_noise(learner, 1)
    )
    out, _ = state.actor(transitions.obs, jnp.zeros((1, 0)))
    logits = np.asarray(out[0], float)[[0, 2]]
    probs = np.exp(logits) / np.exp(logits).sum()
    base, discrete = learner.q_values(
        state.critics, transitions.obs, jnp.zeros((1, 0)), transitions.mask
    )
    values = np.asarray(base, float)[:, 0, None] + np.asarray(discrete, float)[:, 0, 0][:, [0, 2]]
    # The lower of two critics counts.
    soft = values[np.argmin(values @ probs)] - 0.1 * np.log(probs)
    bias_gradient = gradient.layers[-1][1]
    expected = -probs * (soft - probs @ soft)
    np.testing.assert_allclose(bias_gradient[jnp.array([0, 2])], expected, atol=1e-6)
    assert bias_gradient[1] == 0.0  # This action is masked.
    assert entropy[0] == pytest.approx(-(probs * np.log(probs)).sum(), abs=1e-6)


def test_gradient_of_continuous_actions_is_that_of_the_integral():
    """Against central differences of a Gauss-Hermite quadrature of 40 points, with one critic."""
    rows = 40_000
    learner, state, transitions = make_learner(CONTINUOUS, rows)
    obs = jnp.broadcast_to(transitions.obs[:1], transitions.obs.shape)
    transitions = transitions._replace(obs=obs)
    critics = jax.tree.map(lambda leaf: leaf.at[1].set(leaf[0]), state.critics)
    state = state._replace(critics=critics)
    gradient, _ = jax.grad(learner.actor_loss, has_aux=True)(
        state.actor, state, transitions.obs, transitions, jnp.ones(rows), make_noise(learner, rows)
    )
    out, _ = state.actor(transitions.obs[:1], jnp.zeros((1, 0)))
    mean, raw_log_std = (float(part) for part in out[0])
    points, weights = np.polynomial.hermite.hermgauss(40)
    mask = ActionMask(jnp.ones((40, 1), bool), transitions.mask.discrete[:40])

    def loss(mean, log_std):
        actions = mean + np.sqrt(2) * np.exp(log_std) * points
        obs = jnp.broadcast_to(transitions.obs[:1], (40, 3))
        squashed = jnp.tanh(jnp.asarray(actions))[:, None]
        value, _ = learner.q_values(state.critics, obs, squashed, mask)
        z = (actions - mean) / np.exp(log_std)
        log_density = -0.5 * z**2 - log_std - 0.5 * np.log(2 * np.pi)
        log_density -= np.log(1 - np.tanh(actions) ** 2)
        soft_value = np.asarray(value[0], float) - 0.1 * log_density
        return -(weights / np.sqrt(np.pi)) @ soft_value

    log_std = raw_log_std - 0.5  # The standard deviation of an untrained network is exp(-0.5).
    step = 1e-2
    by_mean = (loss(mean + step, log_std) - loss(mean - step, log_std)) / (2 * step)
    by_log_std = (loss(mean, log_std + step) - loss(mean, log_std - step)) / (2 * step)
    # 40,000 samples with a deviation of about 0.1 have an error of 0.0005, here four times that.
    np.testing.assert_allclose(gradient.layers[-1][1], [by_mean, by_log_std], atol=2e-3)


def test_target_includes_the_next_value_and_its_entropy():
    learner, state, transitions = make_learner(DISCRETE, 2, gamma=0.9)
    transitions = transitions._replace(
        reward=jnp.array([1.0, 2.0]), terminated=jnp.array([False, True])
    )
    # Mean 3 and standard deviation 2.
    statistics = update_statistics(init_statistics(), jnp.array([1.0, 5.0]), jnp.ones(2))
    state = state._replace(value_statistics=statistics)
    target = learner.td_target(state, transitions, make_noise(learner, 2))
    out, _ = state.actor(transitions.next_obs, jnp.zeros((2, 0)))
    logits = np.asarray(out[0], float)
    probs = np.exp(logits) / np.exp(logits).sum()
    base, discrete = learner.q_values(
        state.target_critics, transitions.next_obs, jnp.zeros((2, 0)), transitions.next_mask
    )
    lower = min(np.asarray(base, float)[:, 0] + np.asarray(discrete, float)[:, 0, 0] @ probs)
    soft_value = lower - 0.1 * probs @ np.log(probs)
    assert target[0] == pytest.approx(1.0 + 0.9 * (3.0 + 2.0 * soft_value), rel=1e-4)
    assert target[1] == 2.0


def test_masked_actions_have_no_target_entropy():
    discrete = jnp.array(
        [
            [[True, True, True, True]],
            [[True, False, True, False]],
            [[True, False, False, False]],
        ]
    )
    mask = ActionMask(jnp.array([[True, True], [True, False], [False, False]]), discrete)
    config = SACConfig(target_entropy_continuous=-1.0, target_entropy_discrete=0.5)
    expected = [-2 + 0.5 * np.log(4), -1 + 0.5 * np.log(2), 0.0]
    np.testing.assert_allclose(target_entropy(mask, config), expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("target", "rises"), [(2.0, True), (-1.0, False)])
def test_temperature_rises_where_entropy_is_below_its_target(target, rises):
    config = SACConfig(
        target_entropy_discrete=target,
        hidden_sizes=(8,),
        gradient_steps=1,
        batch_size=8,
        buffer_size=8,
    )
    learner = SAC(AgentSpec(1, 0, 1, DISCRETE, DISCRETE), config)
    actions = jnp.array([[[0], [1], [2]]])
    batch = probes.make_batch(jnp.zeros((1, 3, 1, 1)), actions, (actions == 1).astype(jnp.float32))
    before = learner.init(jax.random.key(0))
    after, _ = learner.update(before, batch, jax.random.key(0))
    assert (after.log_temperature > before.log_temperature) == rises
