"""Safe division and spread, on NumPy and JAX arrays alike."""

from typing import Any

# NumPy and JAX arrays share the interface of the array API; jaxtyping would tie the functions to
# one of them.
AnyArray = Any


def ratio(part: AnyArray, whole: AnyArray, xp: Any) -> AnyArray:
    """Divide two arrays; NaN where the divisor is not positive and the ratio is undefined.

    Args:
        part: Dividend.
        whole: Divisor.
        xp: Array namespace, `numpy` or `jax.numpy`.
    """
    return xp.where(whole > 0, part / xp.where(whole > 0, whole, 1), xp.nan)


def nan_std(values: AnyArray, xp: Any) -> AnyArray:
    """Compute the population standard deviation without NaN entries; NaN where all are NaN.

    Args:
        values: Any shape.
        xp: Array namespace, `numpy` or `jax.numpy`.
    """
    known = ~xp.isnan(values)
    mean = ratio(xp.where(known, values, 0).sum(), known.sum(), xp)
    return xp.sqrt(ratio(xp.where(known, (values - mean) ** 2, 0).sum(), known.sum(), xp))
