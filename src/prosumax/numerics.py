"""Numerical tolerances and guarded arithmetic shared by all rooms."""

from types import ModuleType
from typing import TypeAlias, overload

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

AnyArray: TypeAlias = Array | NDArray[np.float64]
"""A JAX or NumPy array, for formulas that hold on both."""

ENERGY_TOLERANCE_KWH = 1e-5
"""Energy per step below which a single-precision result counts as zero."""

MONEY_TOLERANCE = 1e-5
"""Money per step below which a single-precision result counts as zero."""

SMALL = 1e-9
"""Denominators at most this large count as zero in double-precision ratios."""


@overload
def safe_divide(
    numerator: Array,
    denominator: AnyArray | float,
    default: float = 0.0,
    *,
    minimum: float = 0.0,
    xp: ModuleType = jnp,
) -> Array: ...


@overload
def safe_divide(
    numerator: NDArray[np.float64] | float,
    denominator: AnyArray | float,
    default: float = 0.0,
    *,
    minimum: float = 0.0,
    xp: ModuleType,
) -> NDArray[np.float64]: ...


def safe_divide(
    numerator: AnyArray | float,
    denominator: AnyArray | float,
    default: float = 0.0,
    *,
    minimum: float = 0.0,
    xp: ModuleType = jnp,
) -> AnyArray:
    """Divide where the denominator is above a minimum, without dividing by zero elsewhere.

    The denominator is replaced before the division, so that gradients stay finite.

    Args:
        numerator: Any shape.
        denominator: Any shape that broadcasts with the numerator.
        default: Result where the denominator is at most `minimum`.
        minimum: Largest denominator that counts as zero, >= 0.
        xp: Array namespace, `jax.numpy` or `numpy`.

    Returns:
        The quotient, or `default` where the denominator is too small.
    """
    is_valid = denominator > minimum
    quotient: AnyArray = xp.where(is_valid, numerator / xp.where(is_valid, denominator, 1), default)
    return quotient
