"""Net metering: exports cancel imports of the same register over the period (the Belgian "compensation")."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from prosumax.errors import InputError

Array = NDArray[np.float64]

MAX_REGISTERS = 12


class NetMeteringResult(NamedTuple):
    """What net metering cancels.

    Attributes:
        register: number of each step's register: steps with the same prices.
        bought_kwh: cancelled purchases per register.
        sold: money for feed-in that is not earned, per home.
    """

    register: Int[NDArray[np.int64], " step"]
    netted_kwh: Float[Array, "register home"]
    lost_feed_in: Float[Array, " home"]


def assign_registers(*prices: Float[Array, " step"]) -> Int[NDArray[np.int64], " step"]:
    """Number of the register of each step: steps in which all prices are the same count on one.

    Raises:
        InputError: there would be more than `MOST_REGISTERS`, which no meter has.
    """
    _, number = np.unique(np.stack(prices), axis=1, return_inverse=True)
    register = np.asarray(number, np.int64).ravel()
    if register.max() >= MAX_REGISTERS:
        what = f"has {register.max() + 1} different prices, more than a meter has registers for net metering"
        raise InputError(
            "tariff", what, f"Use at most {MAX_REGISTERS}, or leave net_metering_kw out."
        )
    return register


def apply_net_metering(
    bought_kwh: Float[Array, "step home"],
    sold_kwh: Float[Array, "step home"],
    register: Int[NDArray[np.int64], " step"],
    feed_in: Float[Array, " step"],
    metered: Float[Array, " home"],
) -> NetMeteringResult:
    """Cancel what each home bought from and sold to the grid, register by register.

    Arguments:
        bought_kwh, sold_kwh: traded with the grid.
        register: of each step.
        feed_in: what a sold kWh earned, the same within a register.
        metered: 1 for homes with such a meter, 0 for others.

    Source: the Walloon and formerly Flemish and Brussels rule: bill = price * max(sum of net imports, 0) per register;
    excess is paid as feed-in.
    """
    rows = int(register.max()) + 1
    bought, sold = (np.zeros((rows, len(metered))) for _ in range(2))
    np.add.at(bought, register, bought_kwh)
    np.add.at(sold, register, sold_kwh)
    cancelled = np.minimum(bought, sold) * metered
    _, first = np.unique(register, return_index=True)
    return NetMeteringResult(register, cancelled, feed_in[first] @ cancelled)
