"""Guarded arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.numerics import safe_divide


@pytest.mark.parametrize("xp", [np, jnp])
def test_safe_divide_returns_the_default_where_the_denominator_is_too_small(xp):
    quotient = safe_divide(
        xp.asarray([3.0, 1.0, 2.0]), xp.asarray([2.0, 0.0, -1.0]), default=7.0, xp=xp
    )
    np.testing.assert_array_equal(quotient, [1.5, 7.0, 7.0])
    small = safe_divide(xp.asarray([1.0]), xp.asarray([1e-3]), minimum=1e-2, xp=xp)
    np.testing.assert_array_equal(small, [0.0])


def test_safe_divide_has_a_finite_gradient_at_zero():
    gradient = jax.grad(lambda whole: safe_divide(1.0, whole))(0.0)
    assert jnp.isfinite(gradient)
