"""Net metering: exports offset imports of the same register over the period.

This is the Belgian "compensation".
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from prosumax.errors import InputError

Array = NDArray[np.float64]

MAX_REGISTERS = 12
"""Largest number of registers of a meter."""


class NetMeteringResult(NamedTuple):
    """Energy and revenue removed by net metering.

    Attributes:
        register: Register of each step; steps with the same prices share one.
        netted_kwh: Purchases offset by exports.
        lost_feed_in: Feed-in revenue of the offsetting exports, in money.
    """

    register: Int[NDArray[np.int64], " step"]
    netted_kwh: Float[Array, "register home"]
    lost_feed_in: Float[Array, " home"]


def assign_registers(*prices: Float[Array, " step"]) -> Int[NDArray[np.int64], " step"]:
    """Assign each step to a register, one per distinct combination of prices.

    Args:
        *prices: Price series of the tariff.

    Raises:
        InputError: More than `MAX_REGISTERS` registers are needed.
    """
    _, inverse = np.unique(np.stack(prices), axis=1, return_inverse=True)
    register = np.asarray(inverse, np.int64).ravel()
    if register.max() >= MAX_REGISTERS:
        raise InputError(
            "tariff",
            f"the tariff has {register.max() + 1} different prices, more than the registers of a"
            " meter with "
            "net metering",
            f"Use at most {MAX_REGISTERS} prices, or remove net_metering_kw.",
        )
    return register


def apply_net_metering(
    bought_kwh: Float[Array, "step home"],
    sold_kwh: Float[Array, "step home"],
    register: Int[NDArray[np.int64], " step"],
    feed_in: Float[Array, " step"],
    metered: Float[Array, " home"],
) -> NetMeteringResult:
    """Offset each home's grid purchases by its grid sales, register by register.

    Args:
        bought_kwh: Energy bought from the grid.
        sold_kwh: Energy sold to the grid.
        register: Register of each step.
        feed_in: Feed-in price, constant within a register.
        metered: 1 for homes with net metering, 0 for others.

    References:
        The rule of Wallonia, and formerly of Flanders and Brussels: a register is billed at
        `price * max(net import, 0)`, and excess exports earn the feed-in price.
    """
    registers = int(register.max()) + 1
    bought = np.zeros((registers, len(metered)))
    sold = np.zeros((registers, len(metered)))
    np.add.at(bought, register, bought_kwh)
    np.add.at(sold, register, sold_kwh)
    netted = np.minimum(bought, sold) * metered
    _, first = np.unique(register, return_index=True)
    return NetMeteringResult(register, netted, feed_in[first] @ netted)
