"""Distributions over actions: tanh-squashed normal and categorical parts, independent given obs.

A network outputs the means and the logarithms of the standard deviations of continuous actions,
then the logits of every discrete action. Masked parts have probability 1 and entropy 0.
"""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from prosumax.rl.components.spaces import Action, ActionMask, ActionSpace

_LOG_STD_MIN = -5.0
_LOG_STD_MAX = 1.0
_LOG_STD_INIT = -0.5
"""Logarithm of the standard deviation that belongs to a network output of 0."""
_MASKED_LOGIT = -1e9
_LOG_2 = math.log(2.0)
_HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)
_NORMAL_ENTROPY = 0.5 * math.log(2 * math.pi * math.e)
"""Entropy of the standard normal distribution."""
_QUADRATURE = [
    (math.sqrt(2) * float(point), float(weight) / math.sqrt(math.pi))
    for point, weight in zip(*np.polynomial.hermite.hermgauss(6), strict=True)
]
"""Gauss-Hermite points and weights of a mean over the standard normal distribution."""


class ActionNoise(NamedTuple):
    """Pre-sampled noise with which actions are sampled.

    Attributes:
        normal: Standard normal number for every continuous action.
        uniform: Uniform number in [0, 1) for every discrete action, from which it is sampled.
        epsilon: Another one, which decides between greedy and random (epsilon-greedy).
    """

    normal: Float[Array, "*batch continuous"]
    uniform: Float[Array, "*batch discrete"]
    epsilon: Float[Array, "*batch discrete"]


class ActionDistribution(NamedTuple):
    """A distribution over actions.

    Attributes:
        mean: Means of the continuous actions before squashing.
        log_std: Logarithms of their standard deviations.
        log_probs: Log-probability of every value of every discrete action.
        mask: Valid actions.
    """

    mean: Float[Array, "*batch continuous"]
    log_std: Float[Array, "*batch continuous"]
    log_probs: Float[Array, "*batch discrete action"]
    mask: ActionMask


def num_outputs(space: ActionSpace) -> int:
    """Return the number of network outputs that parametrize a distribution over a space."""
    return 2 * space.continuous + space.discrete * space.num_actions


def action_distribution(
    out: Float[Array, "*batch output"], mask: ActionMask, space: ActionSpace
) -> ActionDistribution:
    """Return the distribution that a network's outputs parametrize."""
    mean, log_std, logits = jnp.split(out, (space.continuous, 2 * space.continuous), axis=-1)
    log_std = _clip_log_std(log_std)
    logits = logits.reshape(*out.shape[:-1], space.discrete, space.num_actions)
    logits = jnp.where(mask.discrete, logits, _MASKED_LOGIT)
    return ActionDistribution(mean, log_std, jax.nn.log_softmax(logits), mask)


def sample_noise(space: ActionSpace, key: PRNGKeyArray, batch: tuple[int, ...]) -> ActionNoise:
    """Sample the noise of actions [*batch].

    Noise of many steps is sampled at once, which is much cheaper than step by step.

    Args:
        space: Action space.
        key: Random key.
        batch: Leading axes.
    """
    first, second = jax.random.split(key)
    discrete = (*batch, space.discrete)
    return ActionNoise(
        normal=jax.random.normal(first, (*batch, space.continuous)),
        uniform=jax.random.uniform(second, discrete),
        epsilon=jax.random.uniform(first, discrete),
    )


def sample(
    out: Float[Array, "*batch output"],
    mask: ActionMask,
    space: ActionSpace,
    noise: ActionNoise | None,
) -> tuple[Action, Float[Array, "*batch"]]:
    """Sample an action from the distribution that a network's outputs parametrize.

    A discrete action is sampled by inversion of its cumulative distribution with one uniform
    number, which is much cheaper than one Gumbel number per value. Rows, the long axis, come last
    here, because XLA's sums over short trailing axes are slow on CPUs.

    Args:
        out: Network outputs.
        mask: Valid actions.
        space: Action space.
        noise: Pre-sampled noise; None returns the mode.

    Returns:
        The action, and its log-probability.
    """
    rows = math.prod(out.shape[:-1])

    def rows_last(part: Array, axes: int) -> Array:
        return jnp.moveaxis(part.reshape(rows, *part.shape[-axes:]), 0, -1)

    def rows_first(part: Array) -> Array:
        return jnp.moveaxis(part, -1, 0).reshape(*out.shape[:-1], -1)

    splits = (space.continuous, 2 * space.continuous)
    mean, log_std, logits = jnp.split(rows_last(out, 1), splits)
    log_std = _clip_log_std(log_std)
    is_valid = rows_last(mask.discrete, 2)
    value = jnp.arange(space.num_actions)[:, None]
    logits = jnp.where(is_valid, logits.reshape(is_valid.shape), _MASKED_LOGIT)
    logits -= logits.max(1, keepdims=True)
    odds = jnp.exp(logits)
    if noise is None:
        continuous = mean
        discrete = jnp.argmax(logits, axis=1)
    else:
        continuous = mean + jnp.exp(log_std) * rows_last(noise.normal, 1)
        # Cumulative sums are products with a triangular matrix, in full precision because GPUs
        # would otherwise round them to ten bits.
        triangle = np.tril(np.ones((space.num_actions,) * 2, np.float32))
        cumulate = partial(jnp.matmul, triangle, precision="highest")
        cumulative = jnp.stack([cumulate(one) for one in odds]) if space.discrete else odds
        # Thresholds are relative to the last sum, since rounding may put 1 out of reach. Masked
        # values have no width; a threshold equal to the last sum selects the last valid value.
        threshold = rows_last(noise.uniform, 1)[:, None] * cumulative[:, -1:]
        last_valid = jnp.where(is_valid, value, 0).max(1)
        discrete = jnp.minimum((threshold >= cumulative).sum(1), last_valid)
    selected = jnp.where(value == discrete[:, None], logits, 0.0).sum(1)
    log_prob_discrete = selected - jnp.log(odds.sum(1))
    density = _squashed_log_density(continuous, mean, log_std)
    log_prob_continuous = jnp.where(rows_last(mask.continuous, 1), density, 0.0)
    log_prob = (log_prob_continuous.sum(0) + log_prob_discrete.sum(0)).reshape(out.shape[:-1])
    return Action(rows_first(continuous), rows_first(discrete.astype(jnp.int32))), log_prob


def log_prob(distribution: ActionDistribution, action: Action) -> Float[Array, "*batch"]:
    """Return the log-probability of the discrete and log-density of the squashed actions."""
    density = _squashed_log_density(action.continuous, distribution.mean, distribution.log_std)
    density = jnp.where(distribution.mask.continuous, density, 0.0)
    selected = jnp.take_along_axis(distribution.log_probs, action.discrete[..., None], axis=-1)
    return density.sum(-1) + selected[..., 0].sum(-1)


def entropy(distribution: ActionDistribution) -> Float[Array, "*batch"]:
    """Return the entropy of the squashed continuous and the discrete actions.

    The squashing's part is a Gauss-Hermite quadrature of 6 points. Without it an entropy bonus
    would push continuous actions to both ends.
    """
    std = jnp.exp(distribution.log_std)
    normal = distribution.log_std + _NORMAL_ENTROPY
    squashed = normal + _mean_log_slope(distribution.mean, std)
    continuous = jnp.where(distribution.mask.continuous, squashed, 0.0).sum(-1)
    terms = jnp.exp(distribution.log_probs) * distribution.log_probs
    discrete = -jnp.where(distribution.mask.discrete, terms, 0.0).sum((-2, -1))
    return continuous + discrete


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def log_prob_and_entropy(
    out: Float[Array, "*batch output"], mask: ActionMask, action: Action, space: ActionSpace
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """Return `log_prob` and `entropy` of the distribution that a network's outputs parametrize.

    The derivative is written by hand, which keeps few residuals and is up to a third faster on
    CPUs than JAX's own.

    Args:
        out: Network outputs.
        mask: Valid actions.
        action: Action, continuous parts not squashed.
        space: Action space.
    """
    return _log_prob_and_entropy_fwd(out, mask, action, space)[0]


def _log_prob_and_entropy_fwd(
    out: Array, mask: ActionMask, action: Action, space: ActionSpace
) -> tuple[tuple[Array, Array], tuple[PyTree, ...]]:
    distribution = action_distribution(out, mask, space)
    raw = out[..., space.continuous : 2 * space.continuous] + _LOG_STD_INIT
    std = jnp.exp(distribution.log_std)
    is_free = mask.continuous
    squashing, (by_mean, by_std) = _mean_log_slope_fwd(distribution.mean, std)
    differential = distribution.log_std + _NORMAL_ENTROPY + squashing
    # Masked values have log-probabilities of about -1e9 and probabilities of 0.
    discrete = -(jnp.exp(distribution.log_probs) * distribution.log_probs).sum(-1)
    entropy = jnp.where(is_free, differential, 0.0).sum(-1) + discrete.sum(-1)
    z = (action.continuous - distribution.mean) / std
    is_unclipped = is_free & (raw > _LOG_STD_MIN) & (raw < _LOG_STD_MAX)
    slopes = (
        jnp.where(is_free, z / std, 0.0),
        jnp.where(is_free, by_mean, 0.0),
        jnp.where(is_unclipped, z**2 - 1.0, 0.0),
        jnp.where(is_unclipped, 1.0 + std * by_std, 0.0),
    )
    residuals = (slopes, distribution.log_probs, discrete, action.discrete)
    return (log_prob(distribution, action), entropy), residuals


def _log_prob_and_entropy_bwd(
    space: ActionSpace, residuals: tuple[PyTree, ...], cotangents: tuple[Array, Array]
) -> tuple[Array, None, None]:
    slopes, log_probs, discrete_entropy, discrete = residuals
    log_prob_by_mean, entropy_by_mean, log_prob_by_std, entropy_by_std = slopes
    by_log_prob, by_entropy = (part[..., None] for part in cotangents)
    probs = jnp.exp(log_probs)
    selected = jnp.arange(space.num_actions) == discrete[..., None]
    logits = by_log_prob[..., None] * (selected - probs) - by_entropy[..., None] * probs * (
        log_probs + discrete_entropy[..., None]
    )
    parts = (
        by_log_prob * log_prob_by_mean + by_entropy * entropy_by_mean,
        by_log_prob * log_prob_by_std + by_entropy * entropy_by_std,
        logits.reshape(*by_log_prob.shape[:-1], -1),
    )
    return jnp.concatenate(parts, axis=-1), None, None


log_prob_and_entropy.defvjp(_log_prob_and_entropy_fwd, _log_prob_and_entropy_bwd)


def decision_weight(mask: ActionMask) -> Float[Array, "*batch"]:
    """Return 1 where an agent has more than one valid action, else 0."""
    has_discrete = (mask.discrete.sum(-1) > 1).any(-1)
    return (mask.continuous.any(-1) | has_discrete).astype(jnp.float32)


def _clip_log_std(raw: Array) -> Array:
    return jnp.clip(raw + _LOG_STD_INIT, _LOG_STD_MIN, _LOG_STD_MAX)


def _squashed_log_density(continuous: Array, mean: Array, log_std: Array) -> Array:
    """Return the log-density of tanh of each continuous action."""
    z = (continuous - mean) * jnp.exp(-log_std)
    return -0.5 * z**2 - log_std - _HALF_LOG_2_PI - _log_slope(continuous)


def _log_slope(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Return the logarithm of the slope of tanh: 2 (log 2 - |x| - log(1 + exp(-2 |x|)))."""
    size = jnp.abs(x)
    # `log1p` is slower and no more accurate here, since the argument is at least 1.
    return 2.0 * (_LOG_2 - size - jnp.log(1.0 + jnp.exp(-2.0 * size)))


@jax.custom_vjp
def _mean_log_slope(
    mean: Float[Array, "*shape"], std: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Return the mean of `_log_slope` over a normal distribution."""
    return _mean_log_slope_fwd(mean, std)[0]


def _mean_log_slope_fwd(mean: Array, std: Array) -> tuple[Array, tuple[Array, Array]]:
    """Return the mean and its derivatives by mean and standard deviation.

    The slope of log(1 - tanh(x)^2) is -2 tanh(x). Value and slopes come from one exponential per
    quadrature point, so that no residual is kept per point.
    """
    value = jnp.zeros_like(mean)
    by_mean = jnp.zeros_like(mean)
    by_std = jnp.zeros_like(mean)
    for point, weight in _QUADRATURE:
        x = mean + point * std
        small = jnp.exp(-2.0 * jnp.abs(x))
        value += 2.0 * weight * (_LOG_2 - jnp.abs(x) - jnp.log(1.0 + small))
        slope = -2.0 * weight * jnp.sign(x) * (1.0 - small) / (1.0 + small)
        by_mean += slope
        by_std += point * slope
    return value, (by_mean, by_std)


def _mean_log_slope_bwd(slopes: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    by_mean, by_std = slopes
    return by_mean * cotangent, by_std * cotangent


_mean_log_slope.defvjp(_mean_log_slope_fwd, _mean_log_slope_bwd)
