"""Safe division and spread, on NumPy and JAX arrays alike."""

from types import ModuleType

from prosumax.numerics import AnyArray, safe_divide


def ratio(part: AnyArray | float, whole: AnyArray | float, xp: ModuleType) -> AnyArray:
    """Divide two arrays; NaN where the divisor is not positive and the ratio is undefined.

    Args:
        part: Dividend.
        whole: Divisor.
        xp: Array namespace, `numpy` or `jax.numpy`.
    """
    return safe_divide(part, whole, default=xp.nan, xp=xp)


def nan_std(values: AnyArray, xp: ModuleType) -> AnyArray:
    """Compute the population standard deviation without NaN entries; NaN where all are NaN.

    Args:
        values: Any shape.
        xp: Array namespace, `numpy` or `jax.numpy`.
    """
    known = ~xp.isnan(values)
    mean = ratio(xp.where(known, values, 0).sum(), known.sum(), xp)
    variance = ratio(xp.where(known, (values - mean) ** 2, 0).sum(), known.sum(), xp)
    deviation: AnyArray = xp.sqrt(variance)
    return deviation
