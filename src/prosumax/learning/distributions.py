"""How likely an action is: normal numbers squashed by tanh, and choices; parts are independent given what is seen.

A network's outputs are means, logarithms of standard deviations, then the logits of every choice. Masked parts have
probability 1 and entropy 0.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from prosumax.learning.spaces import Action, Mask, Space

_LOWEST, _HIGHEST = -5.0, 1.0  # logarithm of the standard deviation
_FIRST = -0.5  # of an untrained network
_NEVER = -1e9  # logit of a masked option
_POINTS, _WEIGHTS = np.polynomial.hermite.hermgauss(6)


class Policy(NamedTuple):
    """A distribution over actions.

    Attributes:
        mean, log_std: of the numbers before they are squashed.
        logp: logarithm of the probability of every option.
        mask: what may be used.
    """

    mean: Float[Array, "*batch number"]
    log_std: Float[Array, "*batch number"]
    logp: Float[Array, "*batch choice option"]
    mask: Mask


def outputs(space: Space) -> int:
    """How many numbers a network puts out for a policy over this space."""
    return 2 * space.numbers + space.choices * space.options


def policy(out: Float[Array, "*batch output"], mask: Mask, space: Space) -> Policy:
    """The distribution that a network's outputs describe."""
    mean, log_std, logits = jnp.split(out, (space.numbers, 2 * space.numbers), axis=-1)
    log_std = jnp.clip(log_std + _FIRST, _LOWEST, _HIGHEST)
    logits = logits.reshape(*out.shape[:-1], space.choices, space.options)
    logp = jax.nn.log_softmax(jnp.where(mask.choices, logits, _NEVER), axis=-1)
    return Policy(mean, log_std, logp, mask)


def sample(of: Policy, key: PRNGKeyArray) -> Action:
    """Draw an action; gradients of its numbers pass to mean and deviation (reparameterised).

    A choice takes one uniform number and its cumulative distribution: much cheaper than a Gumbel number per option.
    """
    noise_key, choice_key = jax.random.split(key)
    numbers = of.mean + jnp.exp(of.log_std) * jax.random.normal(noise_key, of.mean.shape)
    # Sums of what comes before as a product with a triangle: XLA's cumulative sum is slow on CPUs.
    below = jnp.exp(of.logp) @ jnp.triu(jnp.ones((of.logp.shape[-1],) * 2))
    # Up to the last sum and not to 1, which rounding may put out of reach; below it, and a masked option has no width.
    drawn = jax.random.uniform(choice_key, of.logp.shape[:-1])[..., None] * below[..., -1:]
    return Action(numbers, _within(of.mask, (drawn >= below).sum(-1)))


def mode(of: Policy) -> Action:
    """The likeliest action: the mean of numbers before squashing, the likeliest options."""
    return Action(of.mean, jnp.argmax(of.logp, axis=-1))


def log_prob(of: Policy, action: Action) -> Float[Array, "*batch"]:
    """Logarithm of the density of an action's squashed numbers times the probability of its choices."""
    z = (action.numbers - of.mean) * jnp.exp(-of.log_std)
    density = -0.5 * z**2 - of.log_std - 0.5 * math.log(2 * math.pi) - _log_slope(action.numbers)
    chosen = jnp.take_along_axis(of.logp, action.choices[..., None], axis=-1)[..., 0]
    return jnp.where(of.mask.numbers, density, 0.0).sum(-1) + chosen.sum(-1)


def entropy(of: Policy) -> Float[Array, "*batch"]:
    """Of the squashed numbers (Gauss-Hermite quadrature of the squashing, 6 points) and the choices.

    Without the squashing's part a bonus on entropy would push actions to both ends.
    """
    normal = of.log_std + 0.5 * math.log(2 * math.pi * math.e)
    at = of.mean[..., None] + math.sqrt(2) * jnp.exp(of.log_std)[..., None] * jnp.asarray(_POINTS, jnp.float32)
    squash = (_log_slope(at) * jnp.asarray(_WEIGHTS / math.sqrt(math.pi), jnp.float32)).sum(-1)
    numbers = jnp.where(of.mask.numbers, normal + squash, 0.0).sum(-1)
    choices = -jnp.where(of.mask.choices, jnp.exp(of.logp) * of.logp, 0.0).sum((-2, -1))
    return numbers + choices


def freedom(mask: Mask) -> Float[Array, "*batch"]:
    """1 where there is anything to decide, else 0: the weight of an agent in a mean."""
    chooses = (mask.choices.sum(-1) > 1).any(-1)
    return (mask.numbers.any(-1) | chooses).astype(jnp.float32)


def _log_slope(numbers: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Logarithm of the slope of tanh, without overflow: 2 (log 2 - |x| - log(1 + exp(-2 |x|)))."""
    size = jnp.abs(numbers)
    return 2.0 * (math.log(2.0) - size - jnp.log1p(jnp.exp(-2.0 * size)))


def _within(mask: Mask, at: Array) -> Array:
    """An index of an option that exists, where a draw hit the very end of the last one."""
    last = mask.choices.shape[-1] - 1 - jnp.argmax(mask.choices[..., ::-1], axis=-1)
    return jnp.minimum(at, last).astype(jnp.int32)
