"""Arrays of a feeder for the power flow solvers, in one of two equivalent forms.

`DenseModel` holds matrices from injected currents to voltages and branch currents, for any
topology; one matrix product per iteration is fastest up to a few hundred buses. `TreeModel`
traverses a radial feeder by cumulative sums over its buses in depth-first order; its work grows
with the number of buses instead of its square.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.grid.feeder import Feeder

MAX_DENSE_BUSES = 256
"""Largest radial feeder in dense form (measured in `benchmarks/network.py`)."""

_MAX_MESHED_BUSES = 3000

# Shunts are about one percent of the load, so that the no-load voltage converges in a few rounds.
_NO_LOAD_ITERATIONS = 30


class BranchArrays(NamedTuple):
    """Branch parameters for losses and loading, per unit; see `feeder.Branches`."""

    resistance: Float[Array, " branch"]
    shunt_from: Complex[Array, " branch"]
    shunt_to: Complex[Array, " branch"]
    ratio: Float[Array, " branch"]
    rating_from: Float[Array, " branch"]
    rating_to: Float[Array, " branch"]
    from_bus: Int[Array, " branch"]
    to_bus: Int[Array, " branch"]
    bus_conductance: Float[Array, " bus"]


class DenseModel(NamedTuple):
    """Matrices of a network, real parts above imaginary parts.

    The row and the column of the source bus are zero.

    Attributes:
        impedance: Injected currents -> change of the voltages.
        series: Injected currents -> change of the currents through the series impedances.
        source_row: Injected currents -> change of the current out of the source, complex.
        no_load_voltage: Voltages without load.
        no_load_series: Currents through the series impedances without load.
        no_load_source: Current out of the source without load.
        source: Bus at which the upstream grid holds its voltage.
        source_voltage: That voltage.
        squared_voltage_drop: Active and reactive power drawn -> drop of the squared voltages
            (LinDistFlow).
        branch: Further branch parameters.
    """

    impedance: Float[Array, "twobus twobus"]
    series: Float[Array, "twobranch twobus"]
    source_row: Complex[Array, " bus"]
    no_load_voltage: Complex[Array, " bus"]
    no_load_series: Complex[Array, " branch"]
    no_load_source: Complex[Array, ""]
    source: Int[Array, ""]
    source_voltage: Float[Array, ""]
    squared_voltage_drop: Float[Array, "bus twobus"]
    branch: BranchArrays


class TreeModel(NamedTuple):
    """A radial feeder in depth-first order, referred to the source through the turns ratios.

    Attributes:
        order: Position in the feeder of each bus in this order; the source comes first.
        position: Inverse of `order`.
        feeding_branch: Branch that feeds each bus in this order (0 for the source).
        branch_sign: +1 where the branch points away from the source, -1 where it points toward it
            (0 for the source).
        subtree_end: One past the last bus of the subtree of each bus.
        tour_bus: Buses of an Euler tour that enters and leaves every bus once.
        tour_sign: +1 where the tour enters a bus and -1 where it leaves it.
        tour_entry: Position in the tour at which each bus is entered.
        series: Impedance of the feeding branch, referred.
        shunt: Admittance at the bus, referred.
        voltage_scale: Referred voltage over voltage at the bus.
        impedance_scale: Scale inside the feeding branch, between its impedance and its ideal
            transformer.
        no_load_voltage: Referred voltage without load.
        source_voltage: Voltage of the source.
        branch: Further branch parameters.
    """

    order: Int[Array, " bus"]
    position: Int[Array, " bus"]
    feeding_branch: Int[Array, " bus"]
    branch_sign: Float[Array, " bus"]
    subtree_end: Int[Array, " bus"]
    tour_bus: Int[Array, " twobus"]
    tour_sign: Float[Array, " twobus"]
    tour_entry: Int[Array, " bus"]
    series: Complex[Array, " bus"]
    shunt: Complex[Array, " bus"]
    voltage_scale: Float[Array, " bus"]
    impedance_scale: Float[Array, " bus"]
    no_load_voltage: Complex[Array, " bus"]
    source_voltage: Float[Array, ""]
    branch: BranchArrays


PowerFlowModel = DenseModel | TreeModel


def build_model(feeder: Feeder) -> PowerFlowModel:
    """Build the form that suits the size and topology of a feeder.

    Args:
        feeder: The network.

    Raises:
        InputError: If a meshed network is too large for dense matrices.
    """
    buses = len(feeder.buses)
    if is_radial(feeder):
        return dense_model(feeder) if buses <= MAX_DENSE_BUSES else tree_model(feeder)
    if buses > _MAX_MESHED_BUSES:
        raise InputError(
            f"network {feeder.name}",
            f"the network is meshed and has {buses:,} buses, too many for dense matrices",
            f"Use at most {_MAX_MESHED_BUSES:,} buses, or open the loops.",
        )
    return dense_model(feeder)


def is_radial(feeder: Feeder) -> bool:
    """Return whether there is exactly one path from the source to every bus.

    Args:
        feeder: The network, connected.
    """
    return len(feeder.branches.name) == len(feeder.buses) - 1


def dense_model(feeder: Feeder) -> DenseModel:
    """Build the matrices of a feeder of any topology, in double precision.

    Args:
        feeder: The network.
    """
    matrices = network_matrices(feeder)
    no_load = matrices.no_load_voltage
    ratio = np.conj(no_load)[:, None] / np.conj(no_load)[None, :]
    # Real part after multiplication with conj(s).
    drop = 2.0 * matrices.impedance * ratio
    return DenseModel(
        impedance=_stack_parts(matrices.impedance),
        series=_stack_parts(matrices.series),
        source_row=jnp.asarray(matrices.source_row, jnp.complex64),
        no_load_voltage=jnp.asarray(no_load, jnp.complex64),
        no_load_series=jnp.asarray(matrices.no_load_series, jnp.complex64),
        no_load_source=jnp.asarray(matrices.no_load_source, jnp.complex64),
        source=jnp.int32(feeder.source_bus),
        source_voltage=jnp.float32(feeder.source_voltage_pu),
        squared_voltage_drop=jnp.asarray(
            np.concatenate([drop.real, drop.imag], axis=1), jnp.float32
        ),
        branch=_branch_arrays(feeder),
    )


class NetworkMatrices(NamedTuple):
    """Matrices behind `DenseModel` in double precision, complex [.., bus]; see there."""

    impedance: NDArray[np.complex128]
    series: NDArray[np.complex128]
    source_row: NDArray[np.complex128]
    no_load_voltage: NDArray[np.complex128]
    no_load_series: NDArray[np.complex128]
    no_load_source: complex


def network_matrices(feeder: Feeder) -> NetworkMatrices:
    """Solve the network for every unit current (bus impedance matrix).

    Args:
        feeder: The network.

    References:
        Grainger and Stevenson 1994, Power System Analysis, chapter 8.
    """
    b = feeder.branches
    buses = len(feeder.buses)
    source = feeder.source_bus
    y = 1.0 / b.series_pu
    admittance = np.zeros((buses, buses), complex)
    np.add.at(admittance, (b.from_bus, b.from_bus), (y + b.shunt_from_pu) / b.ratio**2)
    np.add.at(admittance, (b.to_bus, b.to_bus), y + b.shunt_to_pu)
    np.add.at(admittance, (b.from_bus, b.to_bus), -y / b.ratio)
    np.add.at(admittance, (b.to_bus, b.from_bus), -y / b.ratio)
    admittance[np.diag_indices(buses)] += feeder.shunt_pu
    rest = np.arange(buses) != source
    inner = np.ix_(rest, rest)
    impedance = np.zeros_like(admittance)
    impedance[inner] = np.linalg.inv(admittance[inner])
    no_load = np.full(buses, feeder.source_voltage_pu, complex)
    no_load[rest] = -impedance[inner] @ admittance[rest, source] * feeder.source_voltage_pu
    branch_admittance = np.zeros((len(y), buses), complex)
    number = np.arange(len(y))
    branch_admittance[number, b.from_bus] = y / b.ratio
    branch_admittance[number, b.to_bus] -= y
    source_row = admittance[source]
    return NetworkMatrices(
        impedance=impedance,
        series=branch_admittance @ impedance,
        source_row=source_row @ impedance,
        no_load_voltage=no_load,
        no_load_series=branch_admittance @ no_load,
        no_load_source=complex(source_row @ no_load),
    )


def tree_model(feeder: Feeder) -> TreeModel:
    """Build the depth-first form of a radial feeder, in time and memory linear in its buses.

    Args:
        feeder: The network, radial.
    """
    b = feeder.branches
    buses = len(feeder.buses)
    order, parent, feeding_branch, subtree_end = depth_first_order(feeder)
    position = np.empty(buses, np.int64)
    position[order] = np.arange(buses)
    # Otherwise the branch ends at the parent.
    is_outward = b.to_bus[feeding_branch] == order
    scale = np.ones(buses)
    inner_scale = np.ones(buses)
    for bus in range(1, buses):
        ratio = b.ratio[feeding_branch[bus]]
        parent_scale = scale[parent[bus]]
        scale[bus] = parent_scale * ratio if is_outward[bus] else parent_scale / ratio
        inner_scale[bus] = scale[bus] if is_outward[bus] else parent_scale
    series = b.series_pu[feeding_branch] * inner_scale**2
    series[0] = 0.0
    sign = np.where(is_outward, 1.0, -1.0)
    sign[0] = 0.0
    shunt = feeder.shunt_pu[order] / scale**2
    inside = np.empty(len(b.name))
    inside[feeding_branch[1:]] = inner_scale[1:]
    for ends, admittance in ((b.from_bus, b.shunt_from_pu), (b.to_bus, b.shunt_to_pu)):
        np.add.at(shunt, position[ends], admittance / inside**2)
    # The Euler tour enters a bus after the entries of all earlier buses and the exits before it.
    depth = np.zeros(buses, np.int64)
    for bus in range(1, buses):
        depth[bus] = depth[parent[bus]] + 1
    entry = 2 * np.arange(buses) - depth
    leave = 2 * subtree_end - depth - 1
    tour_bus = np.empty(2 * buses, np.int64)
    tour_sign = np.empty(2 * buses)
    for positions, direction in ((entry, 1.0), (leave, -1.0)):
        tour_bus[positions] = np.arange(buses)
        tour_sign[positions] = direction
    no_load = np.full(buses, feeder.source_voltage_pu, complex)
    tour = _EulerTour(subtree_end, entry, leave)
    for _ in range(_NO_LOAD_ITERATIONS):
        current = tour.subtree_sum(shunt * no_load)
        no_load = feeder.source_voltage_pu - tour.path_sum(series * current)
    return TreeModel(
        order=jnp.asarray(order, jnp.int32),
        position=jnp.asarray(position, jnp.int32),
        feeding_branch=jnp.asarray(feeding_branch, jnp.int32),
        branch_sign=jnp.asarray(sign, jnp.float32),
        subtree_end=jnp.asarray(subtree_end, jnp.int32),
        tour_bus=jnp.asarray(tour_bus, jnp.int32),
        tour_sign=jnp.asarray(tour_sign, jnp.float32),
        tour_entry=jnp.asarray(entry, jnp.int32),
        series=jnp.asarray(series, jnp.complex64),
        shunt=jnp.asarray(shunt, jnp.complex64),
        voltage_scale=jnp.asarray(scale, jnp.float32),
        impedance_scale=jnp.asarray(inner_scale, jnp.float32),
        no_load_voltage=jnp.asarray(no_load, jnp.complex64),
        source_voltage=jnp.float32(feeder.source_voltage_pu),
        branch=_branch_arrays(feeder),
    )


class _EulerTour(NamedTuple):
    """Subtree and path sums of a tree in double precision."""

    subtree_end: NDArray[np.int64]
    entry: NDArray[np.int64]
    leave: NDArray[np.int64]

    def subtree_sum(self, values: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Sum over each bus and its descendants."""
        total = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(total[self.subtree_end] - total[:-1])

    def path_sum(self, values: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Sum over the path from the source to each bus."""
        steps = np.zeros(2 * len(values), complex)
        steps[self.entry] = values
        steps[self.leave] = -values
        return np.asarray(np.cumsum(steps)[self.entry])


def depth_first_order(
    feeder: Feeder,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Order the buses of a radial feeder depth first from the source.

    Args:
        feeder: The network, radial.

    Returns:
        Position in the feeder, place of the parent in this order (0 for the source), feeding
        branch (0 for the source), and one past the last bus of the subtree; all [bus], in this
        order.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import depth_first_order as scipy_depth_first_order

    b = feeder.branches
    buses = len(feeder.buses)
    number = np.arange(1, len(b.name) + 1)
    ends = (np.r_[b.from_bus, b.to_bus], np.r_[b.to_bus, b.from_bus])
    graph = coo_array((np.tile(number, 2), ends), shape=(buses, buses)).tocsr()
    order, predecessor = scipy_depth_first_order(graph, feeder.source_bus, directed=False)
    position = np.empty(buses, np.int64)
    position[order] = np.arange(buses)
    parent = np.zeros(buses, np.int64)
    parent[1:] = position[predecessor[order[1:]]]
    pairs = zip(b.from_bus.tolist(), b.to_bus.tolist(), strict=True)
    branch_between = {frozenset(pair): n for n, pair in enumerate(pairs)}
    feeding = zip(order[1:].tolist(), predecessor[order[1:]].tolist(), strict=True)
    feeding_branch = np.zeros(buses, np.int64)
    feeding_branch[1:] = [branch_between[frozenset(pair)] for pair in feeding]
    subtree_end = np.arange(1, buses + 1)
    for bus in range(buses - 1, 0, -1):
        subtree_end[parent[bus]] = max(subtree_end[parent[bus]], subtree_end[bus])
    return np.asarray(order, np.int64), parent, feeding_branch, subtree_end


def _branch_arrays(feeder: Feeder) -> BranchArrays:
    b = feeder.branches
    return BranchArrays(
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


def _stack_parts(matrix: NDArray[np.complex128]) -> Float[Array, "tworow twocolumn"]:
    """Convert a complex matrix to a real one on stacked parts, which is faster on a CPU."""
    real = np.block([[matrix.real, -matrix.imag], [matrix.imag, matrix.real]])
    return jnp.asarray(real, jnp.float32)
