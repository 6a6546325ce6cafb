"""How likely an action is: normal numbers squashed by tanh, and choices; parts are independent given what is seen.

A network's outputs are means, logarithms of standard deviations, then the logits of every choice. Masked parts have
probability 1 and entropy 0.
"""

import math
from functools import partial
from itertools import accumulate
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from prosumax.learning.spaces import Action, Mask, Space

_LOWEST, _HIGHEST = -5.0, 1.0  # logarithm of the standard deviation
_FIRST = -0.5  # of an untrained network
_NEVER = -1e9  # logit of a masked option
_QUADRATURE = [
    (math.sqrt(2) * float(point), float(weight) / math.sqrt(math.pi))
    for point, weight in zip(*np.polynomial.hermite.hermgauss(6), strict=True)
]
"""Points and weights of a mean over the standard normal distribution (Gauss and Hermite)."""
_product = partial(jnp.matmul, precision="highest")
"""Of numbers that are only added up or moved: GPUs would round them to ten bits."""


class Dice(NamedTuple):
    """What is thrown where a learner tries things.

    Attributes:
        normal: a standard normal number for every number of an action.
        uniform, other: two numbers between 0 and 1 for every choice.
    """

    normal: Float[Array, "*batch number"]
    uniform: Float[Array, "*batch choice"]
    other: Float[Array, "*batch choice"]


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
    log_std = _log_std(log_std)
    logits = logits.reshape(*out.shape[:-1], space.choices, space.options)
    logits = jnp.where(mask.choices, logits, _NEVER)
    return Policy(mean, log_std, jax.nn.log_softmax(logits), mask)


def roll(space: Space, key: PRNGKeyArray, batch: tuple[int, ...]) -> Dice:
    """Throw the dice for actions [*batch]: at once for many steps, which is much cheaper than step by step."""
    first, second = jax.random.split(key)
    choices = (*batch, space.choices)
    return Dice(
        jax.random.normal(first, (*batch, space.numbers)),
        jax.random.uniform(second, choices),
        jax.random.uniform(first, choices),
    )


def draw(out: Float[Array, "*batch output"], mask: Mask, space: Space, dice: Dice | None) -> Action:
    """Draw an action from the policy that a network's outputs describe, or take the likeliest without dice.

    A choice takes one uniform number and its cumulative distribution: much cheaper than a Gumbel number per option.
    As in `score`, rows come last.
    """
    mean, raw, logits = _parts_first(out, mask, space)
    if dice is None:
        numbers, at = mean, jnp.argmax(logits, axis=1)
    else:
        numbers = mean + jnp.exp(_log_std(raw)) * _rows_last(dice.normal, 1)
        odds = jnp.exp(logits)
        upto = jnp.stack(list(accumulate(odds[:, option] for option in range(space.options))), axis=1)
        # Up to the last sum and not to 1, which rounding may put out of reach; below it, and a masked option has no
        # width. Where a draw hits the very end: the last option that exists.
        drawn = _rows_last(dice.uniform, 1)[:, None] * upto[:, -1:]
        last = jnp.where(_rows_last(mask.choices, 2), jnp.arange(space.options)[:, None], 0).max(1)
        at = jnp.minimum((drawn >= upto).sum(1), last)
    back = lambda part: jnp.moveaxis(part, -1, 0).reshape(*out.shape[:-1], -1)  # noqa: E731
    return Action(back(numbers), back(at.astype(jnp.int32)))


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
    numbers = jnp.where(of.mask.numbers, normal + _mean_log_slope(of.mean, jnp.exp(of.log_std)), 0.0).sum(-1)
    choices = -jnp.where(of.mask.choices, jnp.exp(of.logp) * of.logp, 0.0).sum((-2, -1))
    return numbers + choices


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def score(
    out: Float[Array, "*batch output"], mask: Mask, action: Action, space: Space
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """`log_prob` and `entropy` of the policy that a network's outputs describe, fast where many rows are learned from.

    Parts come first here and rows last, the long axis, and derivatives are written down: XLA's own way through the
    short axes takes three times as long on CPUs.
    """
    return _scored(out, mask, action, space)[0]


def _scored(out: Array, mask: Mask, action: Action, space: Space) -> tuple[tuple[Array, Array], tuple[Array, ...]]:
    lead = out.shape[:-1]
    mean, raw, logits = _parts_first(out, mask, space)
    free, numbers = _rows_last(mask.numbers, 1), _rows_last(action.numbers, 1)

    odds = jnp.exp(logits)
    whole = odds.sum(1, keepdims=True)
    logp, p = logits - jnp.log(whole), odds / whole
    surprise = p * logp
    chosen = jnp.arange(space.options)[:, None] == _rows_last(action.choices, 1)[:, None]
    doubt = -surprise.sum(1, keepdims=True)

    log_std = _log_std(raw)
    std = jnp.exp(log_std)
    z = (numbers - mean) / std
    density = -0.5 * z**2 - log_std - 0.5 * math.log(2 * math.pi) - _log_slope(numbers)
    squash, (by_mean, by_std) = _with_slopes(mean, std)
    spread = log_std + 0.5 * math.log(2 * math.pi * math.e) + squash

    log_prob = jnp.where(free, density, 0.0).sum(0) + jnp.where(chosen, logp, 0.0).sum((0, 1))
    entropy = jnp.where(free, spread, 0.0).sum(0) + doubt.sum((0, 1))
    moves = free & (raw + _FIRST > _LOWEST) & (raw + _FIRST < _HIGHEST)
    slopes = (
        jnp.where(free, z / std, 0.0),
        jnp.where(free, by_mean, 0.0),
        jnp.where(moves, z**2 - 1.0, 0.0),
        jnp.where(moves, 1.0 + std * by_std, 0.0),
        jnp.where(chosen, 1.0 - p, -p),
        -(surprise + p * doubt),
    )
    return (log_prob.reshape(lead), entropy.reshape(lead)), slopes


def _unscored(space: Space, slopes: tuple[Array, ...], change: tuple[Array, Array]) -> tuple[Array, None, None]:
    # Stored, by a product with the identity: XLA would compute them again for every output.
    a, b = _product(jnp.eye(2), jnp.stack([part.reshape(-1) for part in change]))
    mean, doubt_mean, std, doubt_std, choice, doubt_choice = slopes
    choices = (a * choice + b * doubt_choice).reshape(-1, a.size)
    parts = jnp.concatenate([a * mean + b * doubt_mean, a * std + b * doubt_std, choices])
    return parts.T.reshape(*change[0].shape, -1), None, None


score.defvjp(_scored, _unscored)


def _parts_first(out: Array, mask: Mask, space: Space) -> tuple[Array, Array, Array]:
    """Means, unscaled deviations [number, row] and logits [choice, option, row], the highest of every choice 0."""
    # A product with the identity has the outputs turned once; XLA would turn them again in whatever reads them.
    turned = _product(np.eye(out.shape[-1], dtype=np.float32), _rows_last(out, 1))
    mean, raw, logits = jnp.split(turned, (space.numbers, 2 * space.numbers))
    allowed = _rows_last(mask.choices, 2)
    logits = jnp.where(allowed, logits.reshape(allowed.shape), _NEVER)
    return mean, raw, logits - jax.lax.stop_gradient(logits.max(1, keepdims=True))


def _rows_last(part: Array, axes: int) -> Array:
    """All axes but the last so many as one, behind those."""
    kept = part.shape[part.ndim - axes :]
    return jnp.moveaxis(part.reshape(math.prod(part.shape[: part.ndim - axes]), *kept), 0, -1)


def _log_std(raw: Array) -> Array:
    return jnp.clip(raw + _FIRST, _LOWEST, _HIGHEST)


def freedom(mask: Mask) -> Float[Array, "*batch"]:
    """1 where there is anything to decide, else 0: the weight of an agent in a mean."""
    chooses = (mask.choices.sum(-1) > 1).any(-1)
    return (mask.numbers.any(-1) | chooses).astype(jnp.float32)


@jax.custom_vjp
def _mean_log_slope(mean: Float[Array, "*shape"], std: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Mean of `_log_slope` over a normal distribution.

    One point after the other, value and slopes from one exponential: so nothing is kept per point for the gradient.
    """
    return _with_slopes(mean, std)[0]


def _with_slopes(mean: Array, std: Array) -> tuple[Array, tuple[Array, Array]]:
    """Its value, and how it changes with mean and deviation: the slope of log(1 - tanh(x)^2) is -2 tanh(x)."""
    value = by_mean = by_std = jnp.zeros_like(mean)
    for point, weight in _QUADRATURE:
        x = mean + point * std
        small = jnp.exp(-2.0 * jnp.abs(x))
        value += 2.0 * weight * (math.log(2.0) - jnp.abs(x) - jnp.log(1.0 + small))
        slope = -2.0 * weight * jnp.sign(x) * (1.0 - small) / (1.0 + small)
        by_mean, by_std = by_mean + slope, by_std + point * slope
    return value, (by_mean, by_std)


_mean_log_slope.defvjp(_with_slopes, lambda slopes, change: (slopes[0] * change, slopes[1] * change))


def _log_slope(numbers: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Logarithm of the slope of tanh, without overflow: 2 (log 2 - |x| - log(1 + exp(-2 |x|)))."""
    size = jnp.abs(numbers)
    return 2.0 * (math.log(2.0) - size - jnp.log(1.0 + jnp.exp(-2.0 * size)))  # log1p is slow, and gains nothing here
