"""Small numerics that the figures share, on NumPy and JAX arrays alike."""

from typing import Any

# NumPy and JAX arrays share this interface (the array API); jaxtyping would tie the functions to one of them.
Values = Any


def ratio(part: Values, whole: Values, xp: Any) -> Values:
    """Part / whole; NaN where the whole is not positive and the ratio means nothing."""
    return xp.where(whole > 0, part / xp.where(whole > 0, whole, 1), xp.nan)


def deviation(values: Values, xp: Any) -> Values:
    """Population standard deviation of what is not NaN; NaN when nothing is."""
    known = ~xp.isnan(values)
    mean = ratio(xp.where(known, values, 0).sum(), known.sum(), xp)
    return xp.sqrt(ratio(xp.where(known, (values - mean) ** 2, 0).sum(), known.sum(), xp))
