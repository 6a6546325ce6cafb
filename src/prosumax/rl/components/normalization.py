"""Running normalization of value targets to mean 0 and standard deviation 1.

It makes critics independent of the units of money and energy. The output layer is not rescaled
when the statistics change, as PopArt does (van Hasselt et al. 2016, Learning values across many
orders of magnitude): the statistics move slowly, and a batch is learned right after they moved.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

_DECAY = 0.98
"""Weight of the past in the moving averages, per batch."""


class RunningStatistics(NamedTuple):
    """Exponential moving averages of targets.

    Attributes:
        mean: Moving average of the targets, not corrected for its initial bias.
        mean_square: Moving average of the squared targets, likewise.
        weight: Moving average of 1, by which both are divided to correct the bias.
    """

    mean: Float[Array, ""]
    mean_square: Float[Array, ""]
    weight: Float[Array, ""]


def init_statistics() -> RunningStatistics:
    """Return the statistics before the first batch, which stand for mean 0 and deviation 1."""
    return RunningStatistics(jnp.float32(0.0), jnp.float32(0.0), jnp.float32(0.0))


def update_statistics(
    statistics: RunningStatistics,
    values: Float[Array, "*batch"],
    weight: Float[Array, "*batch"],
) -> RunningStatistics:
    """Update the statistics with a batch of targets.

    Args:
        statistics: Statistics so far.
        values: Targets.
        weight: Weight of each target.
    """
    count = jnp.maximum(weight.sum(), 1e-8)
    mean = (values * weight).sum() / count
    mean_square = (values**2 * weight).sum() / count

    def average(old: Array, new: Array | float) -> Array:
        return _DECAY * old + (1 - _DECAY) * new

    return RunningStatistics(
        average(statistics.mean, mean),
        average(statistics.mean_square, mean_square),
        average(statistics.weight, 1.0),
    )


def mean_and_std(statistics: RunningStatistics) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Return mean and standard deviation of the targets."""
    is_known = statistics.weight > 0
    weight = jnp.where(is_known, statistics.weight, 1.0)
    mean = statistics.mean / weight
    std = jnp.sqrt(jnp.maximum(statistics.mean_square / weight - mean**2, 1e-8))
    return jnp.where(is_known, mean, 0.0), jnp.where(is_known, std, 1.0)


def normalize(
    statistics: RunningStatistics, values: Float[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """Convert values from units of the reward to normalized ones."""
    mean, std = mean_and_std(statistics)
    return (values - mean) / std


def denormalize(
    statistics: RunningStatistics, values: Float[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """Convert normalized values to units of the reward."""
    mean, std = mean_and_std(statistics)
    return mean + std * values
