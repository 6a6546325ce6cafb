"""Statistics of a study: means, confidence intervals and paired comparisons of variants."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

Array = NDArray[np.float64]

CONFIDENCE = 0.95
SIGNIFICANCE_LEVEL = 0.05
"""Highest corrected p-value of a difference that counts as significant."""

RELATIVE_TOLERANCE = 1e-5
"""Relative difference below which two values are equal: single precision leaves less."""


class Estimate(NamedTuple):
    """A metric of a variant over the seeds.

    Attributes:
        num_seeds: Number of seeds in which the metric is defined; all that follows is of these.
        mean: Mean over the seeds.
        std: Sample standard deviation over the seeds, NaN of a single one.
        ci_low: Lower end of the 95 % confidence interval of the mean (Student's t).
        ci_high: Upper end of the 95 % confidence interval of the mean.
        difference: Mean difference from the reference variant, over the seeds in which both are
            defined; None for the very first variant.
        p_value: Two-sided Wilcoxon signed-rank test of that difference; 1 where all pairs are
            equal.
        corrected_p_value: p-value after Holm's correction for all comparisons of the study.
    """

    num_seeds: int
    mean: float
    std: float
    ci_low: float
    ci_high: float
    difference: float | None
    p_value: float | None
    corrected_p_value: float | None

    @property
    def is_significant(self) -> bool:
        """True where the difference from the reference variant is significant."""
        return self.corrected_p_value is not None and self.corrected_p_value < SIGNIFICANCE_LEVEL

    @property
    def varies(self) -> bool:
        """True where seeds differ by more than single precision explains."""
        return self.std > RELATIVE_TOLERANCE * abs(self.mean)


def make_estimates(
    values: Float[Array, "variant metric seed"],
    names: Sequence[str],
    references: Sequence[int | None],
) -> list[dict[str, Estimate]]:
    """Estimate every metric of every variant and compare it with its reference variant.

    Args:
        values: Metrics of every variant and seed; NaN where a metric is undefined.
        names: Names of the metrics.
        references: Position of the variant that each variant is compared with.

    Returns:
        For every variant, the estimate of each metric by name.
    """
    p_values = np.full(values.shape[:2], np.nan)
    for position, reference in enumerate(references):
        if reference is not None:
            pairs = zip(values[position], values[reference], strict=True)
            p_values[position] = [paired_p_value(new, old) for new, old in pairs]
    corrected = holm_correction(p_values)

    def estimate(position: int, row: int) -> Estimate:
        own = _mean_and_interval(values[position, row])
        reference = references[position]
        if reference is None:
            return Estimate(*own, None, None, None)
        _, difference, *_ = _mean_and_interval(values[position, row] - values[reference, row])
        p_value = float(p_values[position, row])
        return Estimate(*own, difference, p_value, float(corrected[position, row]))

    return [
        {name: estimate(position, row) for row, name in enumerate(names)}
        for position in range(len(values))
    ]


def paired_p_value(new: Float[Array, " seed"], old: Float[Array, " seed"]) -> float:
    """Compute the p-value of a two-sided Wilcoxon signed-rank test of paired values.

    Differences within single precision count as none; without any other the p-value is 1. Seeds in
    which either value is NaN are left out; NaN where none is left.

    Args:
        new: A metric of one variant over the seeds.
        old: The same metric of the reference variant over the same seeds.

    References:
        Wilcoxon 1945, Biometrics Bulletin 1(6):80.
    """
    from scipy import stats

    both = np.isfinite(new) & np.isfinite(old)
    if not both.any():
        return float("nan")
    new = new[both]
    old = old[both]
    difference = new - old
    size = np.maximum(np.abs(new), np.abs(old)).max()
    difference = np.where(np.abs(difference) <= RELATIVE_TOLERANCE * size, 0.0, difference)
    if not difference.any():
        return 1.0
    return float(stats.wilcoxon(difference).pvalue)


def holm_correction(p_values: Float[Array, "..."]) -> Float[Array, "..."]:
    """Correct p-values for the number of comparisons; NaN stays and does not count.

    Args:
        p_values: p-values of all comparisons.

    References:
        Holm 1979, Scandinavian Journal of Statistics 6(2):65.
    """
    corrected = np.full(p_values.shape, np.nan)
    tested = np.isfinite(p_values)
    order = np.argsort(p_values[tested])
    weights = np.arange(len(order), 0, -1)
    scaled = np.maximum.accumulate(p_values[tested][order] * weights)
    unsorted = np.empty(len(order))
    unsorted[order] = np.minimum(scaled, 1.0)
    corrected[tested] = unsorted
    return corrected


def _mean_and_interval(
    values: Float[Array, " seed"],
) -> tuple[int, float, float, float, float]:
    """Compute number, mean, standard deviation and confidence interval of the finite values."""
    from scipy import stats

    known = values[np.isfinite(values)]
    count = len(known)
    nan = float("nan")
    if count < 2:
        return count, float(known[0]) if count else nan, nan, nan, nan
    mean = float(known.mean())
    std = float(known.std(ddof=1))
    half_width = std / np.sqrt(count) * float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1))
    return count, mean, std, mean - half_width, mean + half_width
