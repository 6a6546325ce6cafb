"""From a feeder to the arrays that a power flow needs, in one of two forms with the same meaning.

Both answer one question: what do given currents do to voltages and branch currents? `Dense` holds the answer as
matrices, for any topology; one matrix product per iteration is fastest up to a few hundred buses. `Tree` walks a radial
feeder by running sums over its buses in depth-first order; its work grows with the buses, not with their square.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.grid.feeder import Feeder

DENSE_BUSES = 256
"""Radial feeders with more buses get the tree form (measured in benchmarks/network.py)."""

_MOST_MESHED_BUSES = 3000


class Branch(NamedTuple):
    """What losses and loading are computed from, per unit [branch]; meaning as in `feeder.Branches`."""

    resistance: Float[Array, " branch"]
    shunt_from: Complex[Array, " branch"]
    shunt_to: Complex[Array, " branch"]
    ratio: Float[Array, " branch"]
    rating_from: Float[Array, " branch"]
    rating_to: Float[Array, " branch"]
    from_bus: Int[Array, " branch"]
    to_bus: Int[Array, " branch"]
    bus_conductance: Float[Array, " bus"]


class Dense(NamedTuple):
    """Matrices of a network, real parts above imaginary parts; the source's own row and column are zero.

    Attributes:
        impedance: injected currents -> change of the voltages.
        series: injected currents -> change of the currents through the branches' series impedance.
        source_row: injected currents -> change of the current out of the source, complex.
        no_load_voltage, no_load_series, no_load_source: the same quantities without any load.
        source, source_voltage: bus at which the grid above holds its voltage.
        squared: p and q drawn -> drop of the squared voltages (LinDistFlow).
        branch: what is left to know of the branches.
    """

    impedance: Float[Array, "twobus twobus"]
    series: Float[Array, "twobranch twobus"]
    source_row: Complex[Array, " bus"]
    no_load_voltage: Complex[Array, " bus"]
    no_load_series: Complex[Array, " branch"]
    no_load_source: Complex[Array, ""]
    source: Int[Array, ""]
    source_voltage: Float[Array, ""]
    squared: Float[Array, "bus twobus"]
    branch: Branch


class Tree(NamedTuple):
    """A radial feeder in depth-first order, everything referred to the source through the turns ratios.

    Attributes:
        order: position in the feeder of each bus in this order; the source comes first.
        rank: the other way round.
        branch_of: branch that feeds each bus in this order (0 for the source).
        sign: +1 where the branch points away from the source, -1 where it points back (0 for the source).
        last: one past the last bus behind each bus.
        walk_bus, walk_sign: a walk that enters (+1) and leaves (-1) every bus once, two entries per bus.
        enter: where in this walk each bus is entered.
        series: impedance of the feeding branch, referred.
        shunt: admittance at the bus, referred; acts in every iteration.
        scale: voltage referred / voltage at the bus.
        level: scale inside the feeding branch, between its impedance and its ideal transformer.
        no_load: referred voltage without load.
        source_voltage: of the source.
        branch: what is left to know of the branches.
    """

    order: Int[Array, " bus"]
    rank: Int[Array, " bus"]
    branch_of: Int[Array, " bus"]
    sign: Float[Array, " bus"]
    last: Int[Array, " bus"]
    walk_bus: Int[Array, " twobus"]
    walk_sign: Float[Array, " twobus"]
    enter: Int[Array, " bus"]
    series: Complex[Array, " bus"]
    shunt: Complex[Array, " bus"]
    scale: Float[Array, " bus"]
    level: Float[Array, " bus"]
    no_load: Complex[Array, " bus"]
    source_voltage: Float[Array, ""]
    branch: Branch


Wires = Dense | Tree


def wires_of(feeder: Feeder) -> Wires:
    """The form that suits a feeder.

    Raises:
        InputError: a meshed network is too large for matrices.
    """
    if not is_radial(feeder):
        if len(feeder.buses) > _MOST_MESHED_BUSES:
            what = f"is meshed and has {len(feeder.buses):,} buses; matrices would not fit"
            raise InputError(
                f"network {feeder.name}",
                what,
                f"Use at most {_MOST_MESHED_BUSES:,}, or open its loops.",
            )
        return dense(feeder)
    return dense(feeder) if len(feeder.buses) <= DENSE_BUSES else tree(feeder)


def is_radial(feeder: Feeder) -> bool:
    """Whether there is only one way from the source to every bus."""
    return len(feeder.branches.name) == len(feeder.buses) - 1


def dense(feeder: Feeder) -> Dense:
    """Matrices of a feeder of any topology, computed in double precision."""
    found = matrices(feeder)
    ratio = np.conj(found.no_load_voltage)[:, None] / np.conj(found.no_load_voltage)[None, :]
    squared = 2.0 * found.impedance * ratio  # times conj(s), real part
    return Dense(
        impedance=_stacked(found.impedance),
        series=_stacked(found.series),
        source_row=jnp.asarray(found.source_row, jnp.complex64),
        no_load_voltage=jnp.asarray(found.no_load_voltage, jnp.complex64),
        no_load_series=jnp.asarray(found.no_load_series, jnp.complex64),
        no_load_source=jnp.asarray(found.no_load_source, jnp.complex64),
        source=jnp.int32(feeder.source),
        source_voltage=jnp.float32(feeder.source_pu),
        squared=jnp.asarray(np.concatenate([squared.real, squared.imag], axis=1), jnp.float32),
        branch=_branch(feeder),
    )


class Matrices(NamedTuple):
    """Double-precision matrices behind `Dense`, complex [.., bus]; see there."""

    impedance: NDArray[np.complex128]
    series: NDArray[np.complex128]
    source_row: NDArray[np.complex128]
    no_load_voltage: NDArray[np.complex128]
    no_load_series: NDArray[np.complex128]
    no_load_source: complex


def matrices(feeder: Feeder) -> Matrices:
    """Solve the network once for every unit current (Z-bus; Grainger and Stevenson 1994, chapter 8)."""
    b, buses = feeder.branches, len(feeder.buses)
    y = 1.0 / b.series_pu
    admittance = np.zeros((buses, buses), complex)
    np.add.at(admittance, (b.from_bus, b.from_bus), (y + b.shunt_from_pu) / b.ratio**2)
    np.add.at(admittance, (b.to_bus, b.to_bus), y + b.shunt_to_pu)
    np.add.at(admittance, (b.from_bus, b.to_bus), -y / b.ratio)
    np.add.at(admittance, (b.to_bus, b.from_bus), -y / b.ratio)
    admittance[np.diag_indices(buses)] += feeder.shunt_pu
    rest = np.arange(buses) != feeder.source
    impedance = np.zeros_like(admittance)
    impedance[np.ix_(rest, rest)] = np.linalg.inv(admittance[np.ix_(rest, rest)])
    no_load = np.full(buses, feeder.source_pu, complex)
    no_load[rest] = (
        -impedance[np.ix_(rest, rest)] @ admittance[rest, feeder.source] * feeder.source_pu
    )
    through = np.zeros((len(y), buses), complex)
    number = np.arange(len(y))
    through[number, b.from_bus] = y / b.ratio
    through[number, b.to_bus] -= y
    row = admittance[feeder.source]
    return Matrices(
        impedance,
        through @ impedance,
        row @ impedance,
        no_load,
        through @ no_load,
        complex(row @ no_load),
    )


def tree(feeder: Feeder) -> Tree:
    """A radial feeder in depth-first order, in time and memory that grow with its buses."""
    b, buses = feeder.branches, len(feeder.buses)
    order, parent, branch_of, last = depth_first(feeder)
    rank = np.empty(buses, np.int64)
    rank[order] = np.arange(buses)
    outward = b.to_bus[branch_of] == order  # else the branch ends at the parent
    scale, level = np.ones(buses), np.ones(buses)
    for place in range(1, buses):
        ratio, above = b.ratio[branch_of[place]], scale[parent[place]]
        scale[place] = above * ratio if outward[place] else above / ratio
        level[place] = scale[place] if outward[place] else above
    series = b.series_pu[branch_of] * level**2
    series[0] = 0.0
    sign = np.where(outward, 1.0, -1.0)
    sign[0] = 0.0
    shunt = feeder.shunt_pu[order] / scale**2
    for ends, admittance in ((b.from_bus, b.shunt_from_pu), (b.to_bus, b.shunt_to_pu)):
        inside = np.empty(len(b.name))
        inside[branch_of[1:]] = level[1:]
        np.add.at(shunt, rank[ends], admittance / inside**2)
    # In a walk that enters and leaves every bus once, a bus is entered after `place` entries and the exits before it.
    depth = np.zeros(buses, np.int64)
    for place in range(1, buses):
        depth[place] = depth[parent[place]] + 1
    enter = 2 * np.arange(buses) - depth
    leave = 2 * last - depth - 1
    walk_bus, walk_sign = np.empty(2 * buses, np.int64), np.empty(2 * buses)
    for places, direction in ((enter, 1.0), (leave, -1.0)):
        walk_bus[places], walk_sign[places] = np.arange(buses), direction
    no_load = np.full(buses, feeder.source_pu, complex)
    walk = _Walk(last, enter, leave)
    for _ in range(30):  # shunts are a percent or so of the load: this converges in a few rounds
        no_load = feeder.source_pu - walk.from_source(series * walk.behind(shunt * no_load))
    return Tree(
        order=jnp.asarray(order, jnp.int32),
        rank=jnp.asarray(rank, jnp.int32),
        branch_of=jnp.asarray(branch_of, jnp.int32),
        sign=jnp.asarray(sign, jnp.float32),
        last=jnp.asarray(last, jnp.int32),
        walk_bus=jnp.asarray(walk_bus, jnp.int32),
        walk_sign=jnp.asarray(walk_sign, jnp.float32),
        enter=jnp.asarray(enter, jnp.int32),
        series=jnp.asarray(series, jnp.complex64),
        shunt=jnp.asarray(shunt, jnp.complex64),
        scale=jnp.asarray(scale, jnp.float32),
        level=jnp.asarray(level, jnp.float32),
        no_load=jnp.asarray(no_load, jnp.complex64),
        source_voltage=jnp.float32(feeder.source_pu),
        branch=_branch(feeder),
    )


class _Walk(NamedTuple):
    """The two sums of a tree in double precision."""

    last: NDArray[np.int64]
    enter: NDArray[np.int64]
    leave: NDArray[np.int64]

    def behind(self, values: NDArray[np.complex128]) -> NDArray[np.complex128]:
        total = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(total[self.last] - total[:-1])

    def from_source(self, values: NDArray[np.complex128]) -> NDArray[np.complex128]:
        steps = np.zeros(2 * len(values), complex)
        steps[self.enter], steps[self.leave] = values, -values
        return np.asarray(np.cumsum(steps)[self.enter])


def depth_first(
    feeder: Feeder,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Buses of a radial feeder in depth-first order from the source, all [bus] in that order.

    Returns:
        Position in the feeder, place of the parent in this order (0 for the source), feeding branch (0 for the source),
        and one past the last bus behind each.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import depth_first_order

    b, buses = feeder.branches, len(feeder.buses)
    number = np.arange(1, len(b.name) + 1)
    graph = coo_array(
        (np.tile(number, 2), (np.r_[b.from_bus, b.to_bus], np.r_[b.to_bus, b.from_bus])),
        shape=(buses, buses),
    ).tocsr()
    order, before = depth_first_order(graph, feeder.source, directed=False)
    rank = np.empty(buses, np.int64)
    rank[order] = np.arange(buses)
    parent = np.zeros(buses, np.int64)
    parent[1:] = rank[before[order[1:]]]
    branch_of = np.zeros(buses, np.int64)
    feeding = {
        frozenset(pair): n
        for n, pair in enumerate(zip(b.from_bus.tolist(), b.to_bus.tolist(), strict=True))
    }
    ends = zip(order[1:].tolist(), before[order[1:]].tolist(), strict=True)
    branch_of[1:] = [feeding[frozenset(pair)] for pair in ends]
    last = np.arange(1, buses + 1)
    for place in range(buses - 1, 0, -1):
        last[parent[place]] = max(last[parent[place]], last[place])
    return np.asarray(order, np.int64), parent, branch_of, last


def _branch(feeder: Feeder) -> Branch:
    b = feeder.branches
    return Branch(
        resistance=jnp.asarray(b.series_pu.real, jnp.float32),
        shunt_from=jnp.asarray(b.shunt_from_pu, jnp.complex64),
        shunt_to=jnp.asarray(b.shunt_to_pu, jnp.complex64),
        ratio=jnp.asarray(b.ratio, jnp.float32),
        rating_from=jnp.asarray(b.rating_from_pu, jnp.float32),
        rating_to=jnp.asarray(b.rating_to_pu, jnp.float32),
        from_bus=jnp.asarray(b.from_bus, jnp.int32),
        to_bus=jnp.asarray(b.to_bus, jnp.int32),
        bus_conductance=jnp.asarray(feeder.shunt_pu.real, jnp.float32),
    )


def _stacked(matrix: NDArray[np.complex128]) -> Float[Array, "twor twoc"]:
    """A complex matrix as a real one on stacked parts, which CPUs multiply several times faster."""
    return jnp.asarray(
        np.block([[matrix.real, -matrix.imag], [matrix.imag, matrix.real]]), jnp.float32
    )
