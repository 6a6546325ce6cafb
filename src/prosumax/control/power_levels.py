"""Discrete levels of battery power."""

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray


def make_power_levels(
    num_levels: int, max_c_rate: float = 0.9, include_zero: bool = False
) -> Float[NDArray[np.float64], " level"]:
    """Build evenly spaced power levels as fractions of the battery capacity per hour.

    The defaults are those of MAHTM's code, which has 40 levels between -0.9 and 0.9; with its
    battery limits the outermost levels give the same power.

    Args:
        num_levels: Number of levels; an even number has no zero.
        max_c_rate: Largest level; the smallest is its negative.
        include_zero: True to add a level of zero to an even number of levels.

    Returns:
        Levels in increasing order.
    """
    levels = np.linspace(-max_c_rate, max_c_rate, num_levels)
    if include_zero and num_levels % 2 == 0:
        levels = np.unique(np.append(levels, 0.0))
    return levels
