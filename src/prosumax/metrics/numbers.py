"""Safe division and spread, on NumPy and JAX arrays alike."""

from typing import Any

from prosumax.numerics import safe_divide

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
    return safe_divide(part, whole, default=xp.nan, xp=xp)


def nan_std(values: AnyArray, xp: Any) -> AnyArray:
    """Compute the population standard deviation without NaN entries; NaN where all are NaN.

    Args:
        values: Any shape.
        xp: Array namespace, `numpy` or `jax.numpy`.
    """
    known = ~xp.isnan(values)
    mean = ratio(xp.where(known, values, 0).sum(), known.sum(), xp)
    return xp.sqrt(ratio(xp.where(known, (values - mean) ** 2, 0).sum(), known.sum(), xp))
