"""Lines in ohm, nanofarad and ampere become branches per unit."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prosumax.grid.feeder import BASE_KVA, Branches

LV_KV = 0.4


class Cable(NamedTuple):
    """What one km of a line is like."""

    r_ohm_per_km: float
    x_ohm_per_km: float
    c_nf_per_km: float
    max_a: float


NAYY_4X150 = Cable(r_ohm_per_km=0.208, x_ohm_per_km=0.080, c_nf_per_km=261.0, max_a=270.0)
"""The usual aluminium cable of European low-voltage streets, 150 mm2, in ground; as in pandapower's standard types."""


def lines(
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
    """Lines by their totals; numbers hold for all of them, arrays are [branch].

    Arguments:
        name: of every line.
        from_bus, to_bus: positions of the buses.
        r_ohm, x_ohm: series impedance of the whole line.
        kv: line-to-line voltage.
        length_km: for fees and reports.
        c_nf: capacitance of the whole line, half of which sits at either end.
        max_a: current that counts as 100 %.
        hz: frequency of the grid.
    """
    count = len(name)

    def each(value: ArrayLike) -> NDArray[Any]:
        return np.broadcast_to(np.asarray(value, np.float64), count).copy()

    base_mva, kv = BASE_KVA / 1000.0, each(kv)
    base_ohm = kv**2 / base_mva
    half_charging = 0.5j * 2 * np.pi * hz * each(c_nf) * 1e-9 * base_ohm
    rating = each(max_a) / 1000.0 * np.sqrt(3.0) * kv / base_mva
    return Branches(
        name=tuple(name),
        from_bus=np.asarray(from_bus, np.int64),
        to_bus=np.asarray(to_bus, np.int64),
        is_transformer=np.zeros(count, bool),
        series_pu=(each(r_ohm) + 1j * each(x_ohm)) / base_ohm,
        shunt_from_pu=half_charging,
        shunt_to_pu=half_charging.copy(),
        ratio=np.ones(count),
        rating_from_pu=rating,
        rating_to_pu=rating.copy(),
        length_km=each(length_km),
    )
