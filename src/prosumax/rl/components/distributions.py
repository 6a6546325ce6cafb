"""How likely an action is: normal numbers squashed by tanh, and choices; parts are independent given what is seen.

A network's outputs are means, logarithms of standard deviations, then the logits of every choice. Masked parts have
probability 1 and entropy 0.
"""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from prosumax.rl.components.spaces import Action, Mask, Space

_LOWEST, _HIGHEST = -5.0, 1.0  # logarithm of the standard deviation
_FIRST = -0.5  # of an untrained network
_NEVER = -1e9  # logit of a masked option
_QUADRATURE = [
    (math.sqrt(2) * float(point), float(weight) / math.sqrt(math.pi))
    for point, weight in zip(*np.polynomial.hermite.hermgauss(6), strict=True)
]
"""Points and weights of a mean over the standard normal distribution (Gauss and Hermite)."""


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


def draw(
    out: Float[Array, "*batch output"], mask: Mask, space: Space, dice: Dice | None
) -> tuple[Action, Float[Array, "*batch"]]:
    """Draw from the policy that a network's outputs describe, or take the likeliest without dice; and its `log_prob`.

    A choice takes one uniform number and its cumulative distribution: much cheaper than a Gumbel number per option.
    Rows, the long axis, come last here: XLA's sums over short axes are slow on CPUs.
    """
    rows = math.prod(out.shape[:-1])
    last = lambda part, axes: jnp.moveaxis(part.reshape(rows, *part.shape[-axes:]), 0, -1)  # noqa: E731
    mean, raw, logits = jnp.split(last(out, 1), (space.numbers, 2 * space.numbers))
    log_std, allowed, option = (
        _log_std(raw),
        last(mask.choices, 2),
        jnp.arange(space.options)[:, None],
    )
    logits = jnp.where(allowed, logits.reshape(allowed.shape), _NEVER)
    logits -= logits.max(1, keepdims=True)
    odds = jnp.exp(logits)
    if dice is None:
        numbers, at = mean, jnp.argmax(logits, axis=1)
    else:
        numbers = mean + jnp.exp(log_std) * last(dice.normal, 1)
        # Cumulative sums as products with a triangle, in full precision: GPUs would round them to ten bits.
        up_to = partial(
            jnp.matmul, np.tril(np.ones((space.options,) * 2, np.float32)), precision="highest"
        )
        summed = jnp.stack([up_to(one) for one in odds]) if space.choices else odds
        # Up to the last sum and not to 1, which rounding may put out of reach; below it, and a masked option has no
        # width. Where a draw hits the very end: the last option that exists.
        drawn = last(dice.uniform, 1)[:, None] * summed[:, -1:]
        at = jnp.minimum((drawn >= summed).sum(1), jnp.where(allowed, option, 0).max(1))
    chosen = jnp.where(option == at[:, None], logits, 0.0).sum(1) - jnp.log(odds.sum(1))
    density = jnp.where(last(mask.numbers, 1), _density(numbers, mean, log_std), 0.0)
    back = lambda part: jnp.moveaxis(part, -1, 0).reshape(*out.shape[:-1], -1)  # noqa: E731
    action = Action(back(numbers), back(at.astype(jnp.int32)))
    return action, (density.sum(0) + chosen.sum(0)).reshape(out.shape[:-1])


def log_prob(of: Policy, action: Action) -> Float[Array, "*batch"]:
    """Logarithm of the density of an action's squashed numbers times the probability of its choices."""
    density = jnp.where(of.mask.numbers, _density(action.numbers, of.mean, of.log_std), 0.0)
    return density.sum(-1) + jnp.take_along_axis(of.logp, action.choices[..., None], axis=-1)[
        ..., 0
    ].sum(-1)


def entropy(of: Policy) -> Float[Array, "*batch"]:
    """Of the squashed numbers (Gauss-Hermite quadrature of the squashing, 6 points) and the choices.

    Without the squashing's part a bonus on entropy would push actions to both ends.
    """
    normal = of.log_std + 0.5 * math.log(2 * math.pi * math.e)
    numbers = jnp.where(
        of.mask.numbers, normal + _mean_log_slope(of.mean, jnp.exp(of.log_std)), 0.0
    ).sum(-1)
    choices = -jnp.where(of.mask.choices, jnp.exp(of.logp) * of.logp, 0.0).sum((-2, -1))
    return numbers + choices


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def score(
    out: Float[Array, "*batch output"], mask: Mask, action: Action, space: Space
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """`log_prob` and `entropy` of the policy that a network's outputs describe.

    Derivatives are written down, so that little is kept for them: up to a third faster on CPUs than JAX's own.
    """
    return _scored(out, mask, action, space)[0]


def _scored(
    out: Array, mask: Mask, action: Action, space: Space
) -> tuple[tuple[Array, Array], tuple[Any, ...]]:
    of, raw = policy(out, mask, space), out[..., space.numbers : 2 * space.numbers] + _FIRST
    std, free = jnp.exp(of.log_std), mask.numbers
    squash, (by_mean, by_std) = _with_slopes(of.mean, std)
    spread = of.log_std + 0.5 * math.log(2 * math.pi * math.e) + squash
    doubt = -(jnp.exp(of.logp) * of.logp).sum(
        -1
    )  # what is masked has logarithms of -1e9, and odds of 0
    entropy = jnp.where(free, spread, 0.0).sum(-1) + doubt.sum(-1)
    z, moves = (action.numbers - of.mean) / std, free & (raw > _LOWEST) & (raw < _HIGHEST)
    slopes = (
        jnp.where(free, z / std, 0.0),
        jnp.where(free, by_mean, 0.0),
        jnp.where(moves, z**2 - 1.0, 0.0),
        jnp.where(moves, 1.0 + std * by_std, 0.0),
    )
    return (log_prob(of, action), entropy), (slopes, of.logp, doubt, action.choices)


def _unscored(
    space: Space, kept: tuple[Any, ...], change: tuple[Array, Array]
) -> tuple[Array, None, None]:
    (mean, doubt_mean, std, doubt_std), logp, doubt, at = kept
    a, b = (part[..., None] for part in change)
    p, chosen = jnp.exp(logp), jnp.arange(space.options) == at[..., None]
    choices = a[..., None] * (chosen - p) - b[..., None] * p * (logp + doubt[..., None])
    parts = (a * mean + b * doubt_mean, a * std + b * doubt_std, choices.reshape(*a.shape[:-1], -1))
    return jnp.concatenate(parts, axis=-1), None, None


score.defvjp(_scored, _unscored)


def _density(numbers: Array, mean: Array, log_std: Array) -> Array:
    """Logarithm of that of every squashed number."""
    z = (numbers - mean) * jnp.exp(-log_std)
    return -0.5 * z**2 - log_std - 0.5 * math.log(2 * math.pi) - _log_slope(numbers)


def _log_std(raw: Array) -> Array:
    return jnp.clip(raw + _FIRST, _LOWEST, _HIGHEST)


def freedom(mask: Mask) -> Float[Array, "*batch"]:
    """1 where there is anything to decide, else 0: the weight of an agent in a mean."""
    chooses = (mask.choices.sum(-1) > 1).any(-1)
    return (mask.numbers.any(-1) | chooses).astype(jnp.float32)


@jax.custom_vjp
def _mean_log_slope(
    mean: Float[Array, "*shape"], std: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
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


_mean_log_slope.defvjp(
    _with_slopes, lambda slopes, change: (slopes[0] * change, slopes[1] * change)
)


def _log_slope(numbers: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Logarithm of the slope of tanh, without overflow: 2 (log 2 - |x| - log(1 + exp(-2 |x|)))."""
    size = jnp.abs(numbers)
    return 2.0 * (
        math.log(2.0) - size - jnp.log(1.0 + jnp.exp(-2.0 * size))
    )  # log1p is slow, and gains nothing here
