"""Power flow: voltages, currents and losses from what is drawn at every bus.

All functions are pure and differentiable, take one step of one network, and batch with `vmap`.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from prosumax.grid.feeder import BASE_KVA
from prosumax.grid.power_flow.wires import Dense, Tree, Wires

ITERATIONS = 8
"""Of the AC solution: residual below 1e-5 pu down to voltages of about 0.8 pu (see tests)."""

_BLOCK = 32  # of a running sum
_LOWEST_PU = (
    0.5  # voltage below which a load draws no more current, so that a hopeless case stays finite
)


class Flow(NamedTuple):
    """State of a network in one step.

    Attributes:
        voltage: complex, per unit; LinDistFlow leaves the angles as they are without load.
        loading: current through each branch over its rating, the larger of both ends; 1 is 100 %.
        loss_kw: heat in each branch, iron losses and line charging conductance included.
        bus_loss_kw: drawn by constant admittances at buses.
        source_kw, source_kvar: fed in at the source; negative when the network exports.
        residual: change of the worst voltage in the last iteration, per unit; 0 for LinDistFlow.
    """

    voltage: Complex[Array, " bus"]
    loading: Float[Array, " branch"]
    loss_kw: Float[Array, " branch"]
    bus_loss_kw: Float[Array, " bus"]
    source_kw: Float[Array, ""]
    source_kvar: Float[Array, ""]
    residual: Float[Array, ""]


def ac_flow(
    wires: Wires,
    p_kw: Float[Array, " bus"],
    q_kvar: Float[Array, " bus"],
    iterations: int = ITERATIONS,
) -> Flow:
    """AC power flow of constant-power loads with a fixed number of backward/forward sweeps.

    Arguments:
        wires: of the network.
        p_kw, q_kvar: drawn at each bus, negative where fed in.
        iterations: sweeps; static.

    Returns:
        The flow; it is right where `residual` is small, and finite in any case.

    Source: Shirmohammadi et al. 1988, IEEE Trans. Power Systems 3(2), in the fixed-point form v = w - Z conj(s / v) of
    Bernstein et al. 2018, IEEE Trans. Power Systems 33(6), equation 8 (for meshed networks too).
    """
    p, q = p_kw / BASE_KVA, q_kvar / BASE_KVA
    voltage, residual = (
        _dense_sweep(wires, p, q, iterations)
        if isinstance(wires, Dense)
        else _tree_sweep(wires, p, q, iterations)
    )
    current = _current(p + 1j * q, voltage)
    source = _source(wires, current, voltage) * BASE_KVA
    measured = _measured(wires, voltage, _series(wires, current, voltage), residual)
    return measured._replace(source_kw=source.real, source_kvar=source.imag)


def linear_flow(wires: Wires, p_kw: Float[Array, " bus"], q_kvar: Float[Array, " bus"]) -> Flow:
    """LinDistFlow: squared voltages linear in the power drawn; losses are those of the lossless currents.

    Arguments and result as `ac_flow`.

    Source: Baran and Wu 1989, IEEE Trans. Power Delivery 4(2), equations 5, simplified by dropping the loss terms.
    """
    p, q = p_kw / BASE_KVA, q_kvar / BASE_KVA
    flat = _no_load(wires)
    squared = jnp.maximum(magnitude(flat) ** 2 - _squared_drop(wires, p, q), _LOWEST_PU**2)
    voltage = flat * jnp.sqrt(squared) / magnitude(flat)
    measured = _measured(
        wires, voltage, _series(wires, _current(p + 1j * q, voltage), voltage), jnp.float32(0)
    )
    lost = measured.loss_kw.sum() + measured.bus_loss_kw.sum()
    return measured._replace(source_kw=p_kw.sum() + lost, source_kvar=q_kvar.sum())


def _current(
    drawn: Complex[Array, " bus"], voltage: Complex[Array, " bus"]
) -> Complex[Array, " bus"]:
    """Injected currents of constant-power loads."""
    size = jnp.maximum(voltage.real**2 + voltage.imag**2, _LOWEST_PU**2)
    return -jnp.conj(drawn) * voltage / size


def _no_load(wires: Wires) -> Complex[Array, " bus"]:
    if isinstance(wires, Dense):
        return wires.no_load_voltage
    return (wires.no_load / wires.scale)[wires.rank]


# The sweeps keep real and imaginary parts apart: CPUs vectorise that, and complex numbers not.


def _dense_sweep(
    wires: Dense, p: Float[Array, " bus"], q: Float[Array, " bus"], iterations: int
) -> tuple[Complex[Array, " bus"], Float[Array, ""]]:
    """Voltages, and how much the worst of them changed in the last iteration."""
    flat = jnp.concatenate([wires.no_load_voltage.real, wires.no_load_voltage.imag])
    voltage, before = flat, flat
    for _ in range(iterations):
        real, imag = jnp.split(voltage, 2)
        size = jnp.maximum(real**2 + imag**2, _LOWEST_PU**2)
        current = jnp.concatenate([(p * real + q * imag) / size, (p * imag - q * real) / size])
        before, voltage = voltage, flat - current @ wires.impedance.T
    real, imag = jnp.split(voltage, 2)
    return real + 1j * imag, _largest(*jnp.split(voltage - before, 2))


def _tree_sweep(
    wires: Tree, p: Float[Array, " bus"], q: Float[Array, " bus"], iterations: int
) -> tuple[Complex[Array, " bus"], Float[Array, ""]]:
    """The same on a tree, in its own order and referred to the source."""
    p, q = p[wires.order], q[wires.order]
    lowest = (_LOWEST_PU * wires.scale) ** 2
    g, b, r, x = wires.shunt.real, wires.shunt.imag, wires.series.real, wires.series.imag
    real, imag = wires.no_load.real, wires.no_load.imag
    old_real, old_imag = real, imag
    for _ in range(iterations):
        old_real, old_imag = real, imag
        size = jnp.maximum(real**2 + imag**2, lowest)
        i_real = _behind(wires, (p * real + q * imag) / size + g * real - b * imag)
        i_imag = _behind(wires, (p * imag - q * real) / size + g * imag + b * real)
        real = wires.source_voltage - _from_source(wires, r * i_real - x * i_imag)
        imag = -_from_source(wires, r * i_imag + x * i_real)
    voltage = ((real + 1j * imag) / wires.scale)[wires.rank]
    return voltage, _largest((real - old_real) / wires.scale, (imag - old_imag) / wires.scale)


def _largest(real: Float[Array, " bus"], imag: Float[Array, " bus"]) -> Float[Array, ""]:
    return jnp.sqrt(jnp.maximum(real**2 + imag**2, 1e-24).max())


def _series(
    wires: Wires, current: Complex[Array, " bus"], voltage: Complex[Array, " bus"]
) -> Complex[Array, " branch"]:
    """Current through the series impedance of each branch, in the direction from -> to."""
    if isinstance(wires, Dense):
        return wires.no_load_series + _product(wires.series, current)
    flows = (wires.sign * wires.level * _behind(wires, _drawn(wires, current, voltage)))[1:]
    return jnp.zeros(flows.shape, flows.dtype).at[wires.branch_of[1:]].set(flows)


def _source(
    wires: Wires, current: Complex[Array, " bus"], voltage: Complex[Array, " bus"]
) -> Complex[Array, ""]:
    """Complex power out of the source."""
    if isinstance(wires, Dense):
        out = wires.no_load_source + (wires.source_row * current).sum() - current[wires.source]
    else:
        out = _drawn(wires, current, voltage).sum()
    return wires.source_voltage * jnp.conj(out)


def _squared_drop(
    wires: Wires, p: Float[Array, " bus"], q: Float[Array, " bus"]
) -> Float[Array, " bus"]:
    if isinstance(wires, Dense):
        return jnp.concatenate([p, q]) @ wires.squared.T
    weighted = wires.series.real * _behind(wires, p[wires.order]) + wires.series.imag * _behind(
        wires, q[wires.order]
    )
    return (2.0 * _from_source(wires, weighted) / wires.scale**2)[wires.rank]


def _measured(
    wires: Wires,
    voltage: Complex[Array, " bus"],
    series: Complex[Array, " branch"],
    residual: Float[Array, ""],
) -> Flow:
    """Loading and losses; what the source feeds in is left at zero."""
    b = wires.branch
    inside, end = voltage[b.from_bus] / b.ratio, voltage[b.to_bus]
    into, out = (series + b.shunt_from * inside) / b.ratio, series - b.shunt_to * end
    iron = b.shunt_from.real * _square(inside) + b.shunt_to.real * _square(end)
    zero = jnp.zeros_like(residual)
    return Flow(
        voltage=voltage,
        loading=jnp.maximum(magnitude(into) / b.rating_from, magnitude(out) / b.rating_to),
        loss_kw=(b.resistance * _square(series) + iron) * BASE_KVA,
        bus_loss_kw=b.bus_conductance * _square(voltage) * BASE_KVA,
        source_kw=zero,
        source_kvar=zero,
        residual=residual,
    )


def _drawn(
    tree: Tree, current: Complex[Array, " bus"], voltage: Complex[Array, " bus"]
) -> Complex[Array, " bus"]:
    """Current drawn at each bus of a tree by loads and shunts, referred, in the tree's order."""
    return tree.shunt * voltage[tree.order] * tree.scale - current[tree.order] / tree.scale


def _behind(tree: Tree, values: Array) -> Array:
    """Sum over each bus and all that hang behind it (Euler tour)."""
    total = _running_sum(values)
    return total[tree.last - 1] - total + values


def _from_source(tree: Tree, values: Array) -> Array:
    """Sum over the way from the source to each bus."""
    return _running_sum(values[tree.walk_bus] * tree.walk_sign)[tree.enter]


def _running_sum(values: Array) -> Array:
    """Cumulative sum by two small matrix products, several times faster than XLA's on a CPU."""
    blocks = -(-values.shape[0] // _BLOCK)
    padded = (
        jnp.zeros(blocks * _BLOCK, values.dtype)
        .at[: values.shape[0]]
        .set(values)
        .reshape(blocks, _BLOCK)
    )
    inside = padded @ jnp.triu(jnp.ones((_BLOCK, _BLOCK), values.dtype))
    before = inside[:, -1] @ jnp.triu(jnp.ones((blocks, blocks), values.dtype), 1)
    return (inside + before[:, None]).reshape(-1)[: values.shape[0]]


def _product(
    matrix: Float[Array, "twor twoc"], vector: Complex[Array, " c"]
) -> Complex[Array, " r"]:
    """A complex product from stacked real parts."""
    found = jnp.concatenate([vector.real, vector.imag]) @ matrix.T
    rows = found.shape[0] // 2
    return found[:rows] + 1j * found[rows:]


def _square(values: Complex[Array, "..."]) -> Float[Array, "..."]:
    return values.real**2 + values.imag**2


def magnitude(values: Complex[Array, "..."]) -> Float[Array, "..."]:
    """Absolute value whose gradient at zero is zero rather than NaN."""
    return jnp.sqrt(jnp.maximum(_square(values), 1e-24))
