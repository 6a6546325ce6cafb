"""Numerical tolerances and guarded arithmetic shared by all rooms."""

from typing import Any

import jax.numpy as jnp

ENERGY_TOLERANCE_KWH = 1e-5
"""Energy per step below which a single-precision result counts as zero."""

MONEY_TOLERANCE = 1e-5
"""Money per step below which a single-precision result counts as zero."""

SMALL = 1e-9
"""Denominators at most this large count as zero in double-precision ratios."""


def safe_divide(
    numerator: Any, denominator: Any, default: float = 0.0, *, minimum: float = 0.0, xp: Any = jnp
) -> Any:
    """Divide where the denominator is above a minimum, without dividing by zero elsewhere.

    The denominator is replaced before the division, so that gradients stay finite.

    Args:
        numerator: Array or number.
        denominator: Array or number that broadcasts with the numerator.
        default: Result where the denominator is at most `minimum`.
        minimum: Largest denominator that counts as zero, >= 0.
        xp: Array namespace, `jax.numpy` or `numpy`.

    Returns:
        The quotient, or `default` where the denominator is too small.
    """
    is_valid = denominator > minimum
    return xp.where(is_valid, numerator / xp.where(is_valid, denominator, 1), default)
