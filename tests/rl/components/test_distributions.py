"""Action distributions agree with closed forms, sampling and JAX's own derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.rl.components import distributions
from prosumax.rl.components.spaces import Action, ActionMask, ActionSpace

SPACE = ActionSpace(continuous=2, discrete=2, num_actions=4)
MASK = ActionMask(
    jnp.array([True, False]), jnp.array([[True, True, False, False], [False, True, True, True]])
)
"""The second continuous action and three values of discrete actions are masked."""
OUT = jax.random.normal(jax.random.key(0), (distributions.num_outputs(SPACE),))
SPACES = [SPACE, ActionSpace(1, 0, 1), ActionSpace(0, 1, 3)]


@pytest.fixture(scope="module")
def policy():
    return distributions.action_distribution(OUT, MASK, SPACE)


def sample(key, out=OUT, mask=MASK, space=SPACE):
    noise = distributions.sample_noise(space, key, out.shape[:-1])
    return distributions.sample(out, mask, space, noise)[0]


def test_probabilities_of_all_actions_add_up_to_one(policy):
    # Values before squashing; the slope of tanh makes densities of them.
    grid = np.linspace(-12, 12, 20001)
    total = 0.0
    for first in range(2):
        for second in range(1, 4):
            discrete = jnp.broadcast_to(jnp.array([first, second]), (len(grid), 2))
            continuous = jnp.stack([jnp.asarray(grid, jnp.float32), jnp.zeros(len(grid))], axis=1)
            log_prob = jax.vmap(distributions.log_prob, in_axes=(None, 0))(
                policy, Action(continuous, discrete)
            )
            density = np.exp(np.asarray(log_prob, np.float64)) / np.cosh(grid) ** 2
            total += np.trapezoid(density, grid)
    assert total == pytest.approx(1.0, abs=1e-3)  # Sums of 20,000 float32 terms.


def test_masked_actions_are_never_sampled_and_do_not_affect_log_prob(policy):
    samples = jax.vmap(sample)(jax.random.split(jax.random.key(1), 2000))
    assert set(np.unique(samples.discrete[:, 0])) == {0, 1}
    assert set(np.unique(samples.discrete[:, 1])) == {1, 2, 3}
    shares = [(samples.discrete[:, 1] == value).mean() for value in (1, 2, 3)]
    # Four standard errors of 2000 samples.
    np.testing.assert_allclose(shares, np.exp(policy.log_probs[1, 1:]), atol=0.04)
    action = jax.tree.map(lambda leaf: leaf[0], samples)
    changed = action._replace(continuous=action.continuous.at[1].add(5.0))
    assert distributions.log_prob(policy, action) == distributions.log_prob(policy, changed)


@pytest.mark.slow
@pytest.mark.parametrize("space", SPACES)
def test_without_noise_the_mode_is_returned(space):
    out = jax.random.normal(jax.random.key(4), (3, 5, distributions.num_outputs(space)))
    shape = (3, 5, space.discrete, space.num_actions)
    discrete = jax.random.bernoulli(jax.random.key(5), 0.7, shape).at[..., -1].set(True)
    mask = ActionMask(jnp.ones((3, 5, space.continuous), bool), discrete)
    policy = distributions.action_distribution(out, mask, space)
    action, log_prob = distributions.sample(out, mask, space, None)
    np.testing.assert_array_equal(action.continuous, policy.mean)
    np.testing.assert_array_equal(action.discrete, np.argmax(policy.log_probs, axis=-1))
    expected = distributions.log_prob(policy, action)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5, atol=1e-5)


def test_continuous_samples_have_the_mean_and_deviation_of_the_policy(policy):
    samples = jax.vmap(sample)(jax.random.split(jax.random.key(6), 10_000))
    std = np.exp(policy.log_std)
    # Four standard errors of the mean of 10,000 samples; that of the deviation is smaller.
    tolerance = 0.04 * float(std.max())
    np.testing.assert_allclose(np.mean(samples.continuous, axis=0), policy.mean, atol=tolerance)
    np.testing.assert_allclose(np.std(samples.continuous, axis=0), std, atol=tolerance)


def test_samples_are_returned_with_their_log_prob(policy):
    noise = distributions.sample_noise(SPACE, jax.random.key(6), (50,))
    mask = ActionMask(*(jnp.stack([part] * 50) for part in MASK))
    action, log_prob = distributions.sample(jnp.tile(OUT, (50, 1)), mask, SPACE, noise)
    expected = jax.vmap(distributions.log_prob, in_axes=(None, 0))(policy, action)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("uniform", "expected"),
    [(0.0, [0, 1]), (float(np.nextafter(np.float32(1.0), np.float32(0.0))), [1, 3])],
)
def test_extreme_noise_selects_valid_actions(uniform, expected):
    noise = distributions.ActionNoise(jnp.zeros(2), jnp.full(2, uniform), jnp.zeros(2))
    action, _ = distributions.sample(OUT, MASK, SPACE, noise)
    np.testing.assert_array_equal(action.discrete, expected)


def test_entropy_is_the_mean_of_minus_log_prob(policy):
    keys = jax.random.split(jax.random.key(2), 40_000)
    log_prob = jax.vmap(lambda key: distributions.log_prob(policy, sample(key)))(keys)
    four_errors = 4 * float(log_prob.std()) / 200
    assert distributions.entropy(policy) == pytest.approx(-float(log_prob.mean()), abs=four_errors)


@pytest.mark.slow
@pytest.mark.parametrize("space", SPACES)
def test_log_prob_and_entropy_has_the_values_and_gradients_of_the_plain_formulas(space):
    rows = (3, 5)
    keys = jax.random.split(jax.random.key(3), 4)
    # Outputs of 3 clip some standard deviations.
    out = 3.0 * jax.random.normal(keys[0], (*rows, distributions.num_outputs(space)))
    shape = (*rows, space.discrete, space.num_actions)
    discrete = jax.random.bernoulli(keys[1], 0.7, shape).at[..., 0].set(True)
    mask = ActionMask(jax.random.bernoulli(keys[1], 0.7, (*rows, space.continuous)), discrete)
    action = sample(keys[2], out, mask, space)
    weight = jax.random.normal(keys[3], (2, *rows))

    def plain(out):
        policy = distributions.action_distribution(out, mask, space)
        return distributions.log_prob(policy, action), distributions.entropy(policy)

    def by_hand(out):
        return distributions.log_prob_and_entropy(out, mask, action, space)

    def weighted_sum(function):
        return lambda out: sum((w * v).sum() for w, v in zip(weight, function(out), strict=True))

    for value, expected in zip(by_hand(out), plain(out), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5)
    gradient = jax.grad(weighted_sum(by_hand))(out)
    expected = jax.grad(weighted_sum(plain))(out)
    # Single precision, with sums in another order.
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-4)


def test_mean_log_slope_has_the_slopes_of_finite_differences():
    mean = jnp.linspace(-3.0, 3.0, 7)
    std = jnp.linspace(0.1, 2.7, 7)

    def value(mean, std):
        return distributions._mean_log_slope(mean, std).sum()

    by_mean, by_std = jax.grad(value, (0, 1))(mean, std)
    step = 1e-2
    difference = float(value(mean + step, std) - value(mean - step, std)) / (2 * step)
    assert float(by_mean.sum()) == pytest.approx(difference, abs=2e-3)
    difference = float(value(mean, std + step) - value(mean, std - step)) / (2 * step)
    assert float(by_std.sum()) == pytest.approx(difference, abs=2e-3)


def test_an_agent_with_one_valid_action_has_no_decision_weight():
    idle = ActionMask(jnp.zeros(2, bool), jnp.zeros((2, 4), bool).at[:, 0].set(True))
    assert distributions.decision_weight(idle) == 0
    assert distributions.decision_weight(MASK) == 1
