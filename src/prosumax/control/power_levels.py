"""Batteries that can only be asked for some powers, as in MAHTM's environment with its 40 actions."""

import numpy as np
from jaxtyping import Float


def power_levels(count: int, reach: float = 0.9, zero: bool = False) -> Float[np.ndarray, " level"]:
    """Evenly spread powers as shares of the capacity per hour, rising.

    Arguments:
        count: how many; an even number leaves zero out.
        reach: the largest; the smallest is minus that.
        zero: add zero where it is missing.

    Source: MAHTM's code, 40 levels between -0.9 and 0.9; with its limits the outermost ones do the same.
    """
    levels = np.linspace(-reach, reach, count)
    return np.unique(np.append(levels, 0.0)) if zero and count % 2 == 0 else levels
