"""Reference AC power flow in double precision, written for clarity instead of speed."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array
from scipy.sparse.linalg import splu

from prosumax.grid.feeder import BASE_KVA, Feeder


class Solution(NamedTuple):
    voltage: NDArray[np.complex128]  # pu [bus]
    from_pu: NDArray[np.complex128]  # current into either end [branch]
    to_pu: NDArray[np.complex128]
    losses_kw: float
    source_kw: float

    @property
    def magnitude(self) -> NDArray[np.float64]:
        return np.abs(self.voltage)


def loading(feeder: Feeder, solved: Solution) -> NDArray[np.float64]:
    """Return the loading of each branch."""
    wires = feeder.branches
    return np.maximum(
        np.abs(solved.from_pu) / wires.rating_from_pu, np.abs(solved.to_pu) / wires.rating_to_pu
    )


def solve(feeder: Feeder, share: float = 1.0) -> Solution:
    """Solve v = Y^-1 (-conj(s / v)) by iteration, for a share of the feeder's own loads."""
    wires, count, source = feeder.branches, len(feeder.buses), feeder.source_bus
    series = 1 / wires.series_pu
    yff = (series + wires.shunt_from_pu) / wires.ratio**2
    yft = -series / wires.ratio
    ytt = series + wires.shunt_to_pu
    a, b = wires.from_bus, wires.to_bus
    every = np.arange(count)
    values = np.concatenate([yff, yft, yft, ytt, feeder.shunt_pu])
    rows, columns = np.concatenate([a, a, b, b, every]), np.concatenate([a, b, a, b, every])
    admittance = csc_array(coo_array((values, (rows, columns)), shape=(count, count)))
    rest = np.flatnonzero(every != source)
    inner = splu(csc_array(admittance[rest][:, rest]))
    power = share * (feeder.load_kw + 1j * feeder.load_kvar) / BASE_KVA
    voltage = np.full(count, feeder.source_voltage_pu, np.complex128)
    coupling = admittance[rest][:, [source]].toarray()[:, 0] * feeder.source_voltage_pu
    for _ in range(200):
        fresh = inner.solve(-np.conj(power[rest] / voltage[rest]) - coupling)
        moved = np.abs(fresh - voltage[rest]).max(initial=0.0)
        voltage[rest] = fresh
        if moved < 1e-11:  # below it, the rounding of very short lines is all that moves
            break
    else:
        raise AssertionError("the power flow does not converge")
    from_pu = yff * voltage[a] + yft * voltage[b]
    to_pu = yft * voltage[a] + ytt * voltage[b]
    lost = (voltage[a] * np.conj(from_pu) + voltage[b] * np.conj(to_pu)).real.sum()
    drawn = voltage[source] * np.conj((admittance @ voltage)[source]) + power[source]
    return Solution(voltage, from_pu, to_pu, lost * BASE_KVA, drawn.real * BASE_KVA)
