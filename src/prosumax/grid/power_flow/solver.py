"""Power flow: voltages, currents and losses from the power drawn at every bus.

All functions are pure and differentiable, take one step of one network, and batch with `vmap`.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from prosumax.grid.feeder import BASE_KVA
from prosumax.grid.power_flow.models import DenseModel, PowerFlowModel, TreeModel

DEFAULT_ITERATIONS = 8
"""Sweeps of the AC solution: the residual is below 1e-5 pu down to about 0.8 pu (see tests)."""

# Length of the blocks of a cumulative sum.
_BLOCK = 32

# Voltage below which a load draws no more current, so that infeasible cases stay finite.
_MIN_VOLTAGE_PU = 0.5

# Smallest squared magnitude, which keeps gradients finite.
_MIN_SQUARE = 1e-24


class PowerFlowResult(NamedTuple):
    """State of a network in one step.

    Attributes:
        voltage_pu: Complex voltage; with LinDistFlow the angles are those without load.
        loading: Current over rating of each branch, the larger of both ends; 1 is 100 %.
        loss_kw: Losses of each branch, iron losses and line charging conductance included.
        bus_loss_kw: Power drawn by constant admittances at buses.
        source_kw: Active power fed in at the source; negative when the network exports.
        source_kvar: Reactive power fed in at the source.
        residual_pu: Largest change of a voltage in the last iteration; 0 for LinDistFlow.
    """

    voltage_pu: Complex[Array, " bus"]
    loading: Float[Array, " branch"]
    loss_kw: Float[Array, " branch"]
    bus_loss_kw: Float[Array, " bus"]
    source_kw: Float[Array, ""]
    source_kvar: Float[Array, ""]
    residual_pu: Float[Array, ""]


def ac_power_flow(
    model: PowerFlowModel,
    p_kw: Float[Array, " bus"],
    q_kvar: Float[Array, " bus"],
    iterations: int = DEFAULT_ITERATIONS,
) -> PowerFlowResult:
    """Solve the AC power flow of constant-power loads with backward/forward sweeps.

    Args:
        model: Arrays of the network.
        p_kw: Active power drawn at each bus, negative where fed in.
        q_kvar: Reactive power drawn at each bus.
        iterations: Number of sweeps; static.

    Returns:
        The result; it is a solution where `residual_pu` is small, and finite in any case.

    References:
        Shirmohammadi et al. 1988, IEEE Trans. Power Systems 3(2), in the fixed-point form
        v = w - Z conj(s / v) of Bernstein et al. 2018, IEEE Trans. Power Systems 33(6), equation 8
        (which covers meshed networks).
    """
    p = p_kw / BASE_KVA
    q = q_kvar / BASE_KVA
    if isinstance(model, DenseModel):
        voltage, residual = _dense_sweeps(model, p, q, iterations)
    else:
        voltage, residual = _tree_sweeps(model, p, q, iterations)
    current = _load_current(p + 1j * q, voltage)
    source = _source_power(model, current, voltage) * BASE_KVA
    series = _series_current(model, current, voltage)
    result = _branch_results(model, voltage, series, residual)
    return result._replace(source_kw=source.real, source_kvar=source.imag)


def linear_power_flow(
    model: PowerFlowModel, p_kw: Float[Array, " bus"], q_kvar: Float[Array, " bus"]
) -> PowerFlowResult:
    """Solve the linear power flow (LinDistFlow).

    Squared voltages are linear in the power drawn; losses are those of the lossless currents.

    Args:
        model: Arrays of the network.
        p_kw: Active power drawn at each bus, negative where fed in.
        q_kvar: Reactive power drawn at each bus.

    References:
        Baran and Wu 1989, IEEE Trans. Power Delivery 4(2), equation 5, without the loss terms.
    """
    p = p_kw / BASE_KVA
    q = q_kvar / BASE_KVA
    flat = _no_load_voltage(model)
    squared = complex_magnitude(flat) ** 2 - _squared_voltage_drop(model, p, q)
    squared = jnp.maximum(squared, _MIN_VOLTAGE_PU**2)
    voltage = flat * jnp.sqrt(squared) / complex_magnitude(flat)
    series = _series_current(model, _load_current(p + 1j * q, voltage), voltage)
    result = _branch_results(model, voltage, series, jnp.float32(0))
    losses = result.loss_kw.sum() + result.bus_loss_kw.sum()
    return result._replace(source_kw=p_kw.sum() + losses, source_kvar=q_kvar.sum())


def _load_current(
    drawn: Complex[Array, " bus"], voltage: Complex[Array, " bus"]
) -> Complex[Array, " bus"]:
    """Return the injected currents of constant-power loads."""
    size = jnp.maximum(voltage.real**2 + voltage.imag**2, _MIN_VOLTAGE_PU**2)
    return -jnp.conj(drawn) * voltage / size


def _no_load_voltage(model: PowerFlowModel) -> Complex[Array, " bus"]:
    if isinstance(model, DenseModel):
        return model.no_load_voltage
    return (model.no_load_voltage / model.voltage_scale)[model.position]


# The sweeps keep real and imaginary parts separate, because CPUs do not vectorize complex numbers.


def _dense_sweeps(
    model: DenseModel, p: Float[Array, " bus"], q: Float[Array, " bus"], iterations: int
) -> tuple[Complex[Array, " bus"], Float[Array, ""]]:
    """Return the voltages and their largest change in the last iteration."""
    flat = jnp.concatenate([model.no_load_voltage.real, model.no_load_voltage.imag])
    voltage = flat
    before = flat
    for _ in range(iterations):
        real, imag = jnp.split(voltage, 2)
        size = jnp.maximum(real**2 + imag**2, _MIN_VOLTAGE_PU**2)
        current = jnp.concatenate([(p * real + q * imag) / size, (p * imag - q * real) / size])
        before = voltage
        voltage = flat - current @ model.impedance.T
    real, imag = jnp.split(voltage, 2)
    return real + 1j * imag, _max_magnitude(*jnp.split(voltage - before, 2))


def _tree_sweeps(
    model: TreeModel, p: Float[Array, " bus"], q: Float[Array, " bus"], iterations: int
) -> tuple[Complex[Array, " bus"], Float[Array, ""]]:
    """Sweep a tree in depth-first order, referred to the source."""
    p = p[model.order]
    q = q[model.order]
    min_square = (_MIN_VOLTAGE_PU * model.voltage_scale) ** 2
    g = model.shunt.real
    b = model.shunt.imag
    r = model.series.real
    x = model.series.imag
    real = model.no_load_voltage.real
    imag = model.no_load_voltage.imag
    old_real = real
    old_imag = imag
    for _ in range(iterations):
        old_real = real
        old_imag = imag
        size = jnp.maximum(real**2 + imag**2, min_square)
        current_real = _subtree_sum(model, (p * real + q * imag) / size + g * real - b * imag)
        current_imag = _subtree_sum(model, (p * imag - q * real) / size + g * imag + b * real)
        drop_real = _path_sum(model, r * current_real - x * current_imag)
        drop_imag = _path_sum(model, r * current_imag + x * current_real)
        real = model.source_voltage - drop_real
        imag = -drop_imag
    voltage = ((real + 1j * imag) / model.voltage_scale)[model.position]
    change_real = (real - old_real) / model.voltage_scale
    change_imag = (imag - old_imag) / model.voltage_scale
    return voltage, _max_magnitude(change_real, change_imag)


def _max_magnitude(real: Float[Array, " bus"], imag: Float[Array, " bus"]) -> Float[Array, ""]:
    return jnp.sqrt(jnp.maximum(real**2 + imag**2, _MIN_SQUARE).max())


def _series_current(
    model: PowerFlowModel, current: Complex[Array, " bus"], voltage: Complex[Array, " bus"]
) -> Complex[Array, " branch"]:
    """Return the current through each series impedance in the direction from -> to."""
    if isinstance(model, DenseModel):
        return model.no_load_series + _complex_product(model.series, current)
    behind = _subtree_sum(model, _drawn_current(model, current, voltage))
    flows = (model.branch_sign * model.impedance_scale * behind)[1:]
    return jnp.zeros(flows.shape, flows.dtype).at[model.feeding_branch[1:]].set(flows)


def _source_power(
    model: PowerFlowModel, current: Complex[Array, " bus"], voltage: Complex[Array, " bus"]
) -> Complex[Array, ""]:
    """Return the complex power out of the source."""
    if isinstance(model, DenseModel):
        induced = (model.source_row * current).sum()
        out = model.no_load_source + induced - current[model.source]
    else:
        out = _drawn_current(model, current, voltage).sum()
    return model.source_voltage * jnp.conj(out)


def _squared_voltage_drop(
    model: PowerFlowModel, p: Float[Array, " bus"], q: Float[Array, " bus"]
) -> Float[Array, " bus"]:
    if isinstance(model, DenseModel):
        return jnp.concatenate([p, q]) @ model.squared_voltage_drop.T
    p_behind = _subtree_sum(model, p[model.order])
    q_behind = _subtree_sum(model, q[model.order])
    weighted = model.series.real * p_behind + model.series.imag * q_behind
    return (2.0 * _path_sum(model, weighted) / model.voltage_scale**2)[model.position]


def _branch_results(
    model: PowerFlowModel,
    voltage: Complex[Array, " bus"],
    series: Complex[Array, " branch"],
    residual: Float[Array, ""],
) -> PowerFlowResult:
    """Compute loading and losses; the source power is left at zero."""
    b = model.branch
    from_voltage = voltage[b.from_bus] / b.ratio
    to_voltage = voltage[b.to_bus]
    from_current = (series + b.shunt_from * from_voltage) / b.ratio
    to_current = series - b.shunt_to * to_voltage
    from_loading = complex_magnitude(from_current) / b.rating_from
    to_loading = complex_magnitude(to_current) / b.rating_to
    iron = b.shunt_from.real * _square(from_voltage) + b.shunt_to.real * _square(to_voltage)
    zero = jnp.zeros_like(residual)
    return PowerFlowResult(
        voltage_pu=voltage,
        loading=jnp.maximum(from_loading, to_loading),
        loss_kw=(b.resistance * _square(series) + iron) * BASE_KVA,
        bus_loss_kw=b.bus_conductance * _square(voltage) * BASE_KVA,
        source_kw=zero,
        source_kvar=zero,
        residual_pu=residual,
    )


def _drawn_current(
    model: TreeModel, current: Complex[Array, " bus"], voltage: Complex[Array, " bus"]
) -> Complex[Array, " bus"]:
    """Return the current drawn by loads and shunts at each bus, referred, in depth-first order."""
    shunt = model.shunt * voltage[model.order] * model.voltage_scale
    return shunt - current[model.order] / model.voltage_scale


def _subtree_sum(model: TreeModel, values: Array) -> Array:
    """Sum over each bus and its descendants."""
    total = _cumulative_sum(values)
    return total[model.subtree_end - 1] - total + values


def _path_sum(model: TreeModel, values: Array) -> Array:
    """Sum over the path from the source to each bus (Euler tour)."""
    return _cumulative_sum(values[model.tour_bus] * model.tour_sign)[model.tour_entry]


def _cumulative_sum(values: Array) -> Array:
    """Compute a cumulative sum by two small matrix products, which is faster on a CPU."""
    size = values.shape[0]
    blocks = -(-size // _BLOCK)
    padded = jnp.zeros(blocks * _BLOCK, values.dtype).at[:size].set(values)
    block_upper = jnp.triu(jnp.ones((_BLOCK, _BLOCK), values.dtype))
    inside = padded.reshape(blocks, _BLOCK) @ block_upper
    before = inside[:, -1] @ jnp.triu(jnp.ones((blocks, blocks), values.dtype), 1)
    return (inside + before[:, None]).reshape(-1)[:size]


def _complex_product(
    matrix: Float[Array, "tworow twocolumn"], vector: Complex[Array, " column"]
) -> Complex[Array, " row"]:
    """Multiply a complex matrix, given by stacked real parts, with a complex vector."""
    product = jnp.concatenate([vector.real, vector.imag]) @ matrix.T
    rows = product.shape[0] // 2
    return product[:rows] + 1j * product[rows:]


def _square(values: Complex[Array, "..."]) -> Float[Array, "..."]:
    return values.real**2 + values.imag**2


def complex_magnitude(values: Complex[Array, "..."]) -> Float[Array, "..."]:
    """Return absolute values whose gradient at zero is zero instead of NaN.

    Args:
        values: Complex numbers.
    """
    return jnp.sqrt(jnp.maximum(_square(values), _MIN_SQUARE))
