"""Lines in ohm, nanofarad and ampere as per-unit branches."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prosumax.grid.feeder import BASE_KVA, Branches

LV_KV = 0.4
"""Line-to-line voltage of European low-voltage networks."""


class CableType(NamedTuple):
    """Electrical parameters of one km of a cable.

    Attributes:
        r_ohm_per_km: Resistance.
        x_ohm_per_km: Reactance.
        c_nf_per_km: Capacitance.
        max_a: Rated current.
    """

    r_ohm_per_km: float
    x_ohm_per_km: float
    c_nf_per_km: float
    max_a: float


NAYY_4X150 = CableType(r_ohm_per_km=0.208, x_ohm_per_km=0.080, c_nf_per_km=261.0, max_a=270.0)
"""Usual aluminum cable of European low-voltage streets, 150 mm2, in ground.

The values are those of pandapower's standard type.
"""


def line_branches(
    name: Sequence[str],
    from_bus: ArrayLike,
    to_bus: ArrayLike,
    *,
    r_ohm: ArrayLike,
    x_ohm: ArrayLike,
    kv: ArrayLike,
    length_km: ArrayLike,
    c_nf: ArrayLike = 0.0,
    max_a: ArrayLike = np.inf,
    hz: float = 50.0,
) -> Branches:
    """Build lines from their total impedances; numbers hold for all lines, arrays are [branch].

    Args:
        name: Name of every line.
        from_bus: Position of the first bus of every line.
        to_bus: Position of the second bus of every line.
        r_ohm: Resistance of the whole line.
        x_ohm: Reactance of the whole line.
        kv: Line-to-line voltage.
        length_km: Length, for fees and reports.
        c_nf: Capacitance of the whole line, half of which is at either end.
        max_a: Rated current.
        hz: Grid frequency.
    """
    count = len(name)

    def broadcast(value: ArrayLike) -> NDArray[np.float64]:
        return np.broadcast_to(np.asarray(value, np.float64), count).copy()

    base_mva = BASE_KVA / 1000.0
    kv = broadcast(kv)
    base_ohm = kv**2 / base_mva
    impedance_ohm = broadcast(r_ohm) + 1j * broadcast(x_ohm)
    half_charging = np.asarray(
        0.5j * 2 * np.pi * hz * broadcast(c_nf) * 1e-9 * base_ohm, np.complex128
    )
    rating = broadcast(max_a) / 1000.0 * np.sqrt(3.0) * kv / base_mva
    return Branches(
        name=tuple(name),
        from_bus=np.asarray(from_bus, np.int64),
        to_bus=np.asarray(to_bus, np.int64),
        is_transformer=np.zeros(count, bool),
        series_pu=np.asarray(impedance_ohm / base_ohm, np.complex128),
        shunt_from_pu=half_charging,
        shunt_to_pu=half_charging.copy(),
        ratio=np.ones(count),
        rating_from_pu=rating,
        rating_to_pu=rating.copy(),
        length_km=broadcast(length_km),
    )
