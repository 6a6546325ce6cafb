"""Vectorization over communities with the batch on the last axis.

Arrays of a community have the homes on their last axis. `jax.vmap` puts the batch in front of them,
so a CPU loops over rows of a few homes. `vmap` in this module evaluates the same function on arrays
[home, batch]: adjacent memory holds the same home of different communities, and every operation on
homes works on whole vectors. Where the function calls `jax.lax.optimization_barrier`, its results
are stored rather than recomputed by every user. Together this more than doubles the speed of
batches of small communities (`benchmarks/environment.py`); results differ only by the rounding of
sums.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce, wraps
from typing import TypeVar, TypeVarTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core
from jaxtyping import Array, Float, Int, PyTree

Ts = TypeVarTuple("Ts")
R = TypeVar("R")

BatchedValue = tuple[Array, bool]
"""A value, and True if it has the batch as its last axis."""


def vmap(
    function: Callable[[*Ts], R], in_axes: Sequence[int | None] | int = 0
) -> Callable[[*Ts], R]:
    """Map a function over the leading axis of its arguments.

    Equivalent to `jax.vmap`, with the batch on the last axis of every intermediate array. Scans
    inside run on arrays [time, home, batch]. The result composes with `jit`, `grad` and `jax.vmap`.

    Args:
        function: Pure function of pytrees of arrays.
        in_axes: 0 for arguments with a leading batch axis, None for arguments without; one value
            applies to all arguments.

    Returns:
        Function that takes and returns arrays with the batch axis in front.

    Raises:
        ValueError: If the batches differ in size or no argument is batched.
    """

    def mapped(*parts: *Ts) -> R:
        arguments: tuple[PyTree, ...] = parts
        axes = [in_axes] * len(arguments) if isinstance(in_axes, int) else list(in_axes)
        pairs = [
            (leaf, axis is not None)
            for part, axis in zip(arguments, axes, strict=True)
            for leaf in _leaves(part)
        ]
        sizes = {leaf.shape[0] for leaf, is_batched in pairs if is_batched}
        if len(sizes) != 1:
            raise ValueError(f"vmap: batches must be of one size, got {sorted(sizes)}.")
        size = sizes.pop()
        structure = jax.tree.structure(arguments)
        if size == 1:
            # A single element needs no rearrangement and compiles faster without it.
            element: PyTree = (
                part if axis is None else jax.tree.map(lambda leaf: leaf[0], part)
                for part, axis in zip(arguments, axes, strict=True)
            )
            single: R = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], function(*element))
            return single

        def flat_function(*leaves: Array) -> PyTree:
            return function(*jax.tree.unflatten(structure, leaves))

        element_leaves = [
            jax.eval_shape(lambda x: x[0], leaf) if is_batched else leaf
            for leaf, is_batched in pairs
        ]
        closed, shape = jax.make_jaxpr(flat_function, return_shape=True)(*element_leaves)
        batch_last = [
            (jnp.moveaxis(leaf, 0, -1), True) if is_batched else (leaf, False)
            for leaf, is_batched in pairs
        ]
        out = [_batched(pair, size) for pair in _evaluate(closed, size, batch_last)]
        result: R = jax.tree.unflatten(
            jax.tree.structure(shape), [jnp.moveaxis(leaf, -1, 0) for leaf in out]
        )
        return result

    return mapped


def sum_per_home(
    index: Int[Array, " slot"], amount: Float[Array, " slot"], homes: int
) -> Float[Array, " home"]:
    """Sum the amounts of the slots that belong to each home.

    Comparing few slots with few homes vectorizes, whereas a scatter does not.

    Args:
        index: Home of each slot.
        amount: Amount of each slot.
        homes: Number of homes.
    """
    if index.shape[0] > 8 or index.shape[0] == 0:
        return jnp.zeros(homes, amount.dtype).at[index].add(amount)
    home = jnp.arange(homes)
    parts = [jnp.where(index[slot] == home, amount[slot], 0) for slot in range(index.shape[0])]
    return reduce(jnp.add, parts)


def with_fusion_barrier(function: Callable[[*Ts], R]) -> Callable[[*Ts], R]:
    """Keep XLA on CPU from fusing a batched function with the users of its results.

    Fused results are recomputed by every user, which doubles the time of a step. XLA removes
    optimization barriers before it fuses but keeps the branches of a conditional, so the function
    runs in a branch whose condition always holds, which XLA cannot prove.

    Args:
        function: Function of arrays; its outputs depend on all arguments or none.
    """

    def conditional(*arguments: *Ts) -> R:
        value = jax.tree.leaves(arguments)[0].reshape(-1)[0].astype(jnp.int32)
        zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(function, *arguments))
        result: R = jax.lax.cond((value | 1) != 0, function, lambda *_: zeros, *arguments)
        return result

    @wraps(function)
    def wrapped(*arguments: *Ts) -> R:
        if max(map(jnp.ndim, jax.tree.leaves(arguments))) < 2:
            return function(*arguments)
        result: R = jax.lax.platform_dependent(*arguments, cpu=conditional, default=function)
        return result

    return wrapped


def _leaves(part: PyTree) -> list[Array]:
    leaves = jax.tree.leaves(part)
    return [leaf if hasattr(leaf, "dtype") else jnp.asarray(leaf) for leaf in leaves]


def _batched(pair: BatchedValue, size: int) -> Array:
    """Return a value with the batch as its last axis."""
    value, is_batched = pair
    return value if is_batched else jnp.broadcast_to(value[..., None], (*value.shape, size))


def _evaluate(
    closed: core.ClosedJaxpr, size: int, arguments: Sequence[BatchedValue]
) -> list[BatchedValue]:
    """Evaluate a closed jaxpr on values with and without a batch axis."""
    jaxpr = closed.jaxpr
    environment: dict[core.Var, BatchedValue] = dict(
        zip(jaxpr.constvars, ((value, False) for value in closed.consts), strict=True)
    )
    environment.update(zip(jaxpr.invars, arguments, strict=True))

    def read(atom: core.Var | core.Literal) -> BatchedValue:
        if isinstance(atom, core.Literal):
            return jnp.asarray(atom.val), False
        return environment[atom]

    for equation in jaxpr.eqns:
        results = _apply(equation, size, [read(atom) for atom in equation.invars])
        environment.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: core.JaxprEqn, size: int, operands: list[BatchedValue]) -> list[BatchedValue]:
    """Evaluate one equation of a jaxpr."""
    name = equation.primitive.name
    params = equation.params
    if not any(is_batched for _, is_batched in operands):
        return [(value, False) for value in _bind(equation, *[value for value, _ in operands])]
    if name in _CALLS:
        inner = params[_CALLS[name]]
        closed = inner if hasattr(inner, "consts") else core.ClosedJaxpr(inner, ())
        return _evaluate(closed, size, operands)
    if name == "optimization_barrier":
        batched = [value for value, is_batched in operands if is_batched]
        stored = iter(with_fusion_barrier(_identity)(*batched))
        return [
            (next(stored), True) if is_batched else (value, False) for value, is_batched in operands
        ]
    if name == "scan":
        return _scan(params, size, operands)
    if name in _ELEMENTWISE:
        shape = (*_shape(equation.outvars[0]), size)
        values = [_spread(pair, shape) for pair in operands]
    elif name in _RULES and (result := _RULES[name](equation, size, operands)) is not None:
        return [(result, True)]
    elif name in _SAME_AXES:
        values = [_batched(pair, size) for pair in operands]
    else:
        axes = [-1 if is_batched else None for _, is_batched in operands]

        def bind(*element: Array) -> list[Array]:
            return _bind(equation, *element)

        run = jax.vmap(bind, in_axes=axes, out_axes=-1, axis_size=size)
        return [(value, True) for value in run(*[value for value, _ in operands])]
    return [(value, True) for value in _bind(equation, *values)]


def _identity(*values: Array) -> tuple[Array, ...]:
    return values


def _bind(equation: core.JaxprEqn, *operands: Array) -> list[Array]:
    # Some versions of JAX keep the functions that a primitive calls separate from its other
    # parameters.
    bind_params = equation.primitive.get_bind_params(equation.params)
    functions, params = bind_params if isinstance(bind_params, tuple) else ((), bind_params)
    result = equation.primitive.bind(*functions, *operands, **params)
    return list(result) if equation.primitive.multiple_results else [result]


def _shape(variable: core.Var) -> tuple[int, ...]:
    aval: PyTree = variable.aval
    shape: tuple[int, ...] = aval.shape
    return shape


def _spread(pair: BatchedValue, shape: tuple[int, ...]) -> Array:
    """Broadcast an operand of an elementwise primitive to its result; scalars stay unbatched."""
    value, is_batched = pair
    return jnp.broadcast_to(value if is_batched or value.ndim == 0 else value[..., None], shape)


def _scan(
    params: Mapping[str, PyTree], size: int, operands: list[BatchedValue]
) -> list[BatchedValue]:
    """Scan with the batch last in the whole carry: any part may be batched after one step."""
    # JAX 0.12 stores the operands as trees, earlier versions store their counts.
    if "ft_in" in params:
        num_consts, num_carry = map(len, params["ft_in"].unpack()[:2])
    else:
        num_consts = params["num_consts"]
        num_carry = params["num_carry"]
    constants = operands[:num_consts]
    initial = operands[num_consts:][:num_carry]
    rows = operands[num_consts + num_carry :]
    rows_batched = [is_batched for _, is_batched in rows]

    def step(carry: list[Array], row: list[Array]) -> tuple[list[Array], list[Array]]:
        carried = [(value, True) for value in carry]
        inputs = [*constants, *carried, *zip(row, rows_batched, strict=True)]
        out = [_batched(pair, size) for pair in _evaluate(params["jaxpr"], size, inputs)]
        return out[:num_carry], out[num_carry:]

    options = {key: params[key] for key in ("length", "reverse", "unroll")}
    start = [_batched(pair, size) for pair in initial]
    carry, stacked = lax.scan(step, start, [value for value, _ in rows], **options)
    return [(value, True) for value in (*carry, *stacked)]


def _broadcast_in_dim(
    equation: core.JaxprEqn, size: int, operands: list[BatchedValue]
) -> Array | None:
    value = operands[0][0]
    shape = equation.params["shape"]
    axes = equation.params["broadcast_dimensions"]
    return lax.broadcast_in_dim(value, (*shape, size), (*axes, len(shape)))


def _reshape(equation: core.JaxprEqn, size: int, operands: list[BatchedValue]) -> Array | None:
    return lax.reshape(operands[0][0], (*equation.params["new_sizes"], size))


def _transpose(equation: core.JaxprEqn, size: int, operands: list[BatchedValue]) -> Array | None:
    order = equation.params["permutation"]
    return lax.transpose(operands[0][0], (*order, len(order)))


def _slice(equation: core.JaxprEqn, size: int, operands: list[BatchedValue]) -> Array | None:
    params = equation.params
    strides = None if params["strides"] is None else (*params["strides"], 1)
    starts = (*params["start_indices"], 0)
    return lax.slice(operands[0][0], starts, (*params["limit_indices"], size), strides)


def _pad(equation: core.JaxprEqn, size: int, operands: list[BatchedValue]) -> Array | None:
    padding, padding_batched = operands[1]
    if padding_batched:
        return None
    config = (*equation.params["padding_config"], (0, 0, 0))
    return lax.pad(_batched(operands[0], size), padding, config)


def _dynamic_slice(
    equation: core.JaxprEqn, size: int, operands: list[BatchedValue]
) -> Array | None:
    (value, _), *starts = operands
    if any(is_batched for _, is_batched in starts):
        return None
    sizes = (*equation.params["slice_sizes"], size)
    return lax.dynamic_slice(value, [*(start for start, _ in starts), 0], sizes)


def _sort(equation: core.JaxprEqn, size: int, operands: list[BatchedValue]) -> Array | None:
    """Sort with the batch in front, since sorting is fast along the last axis only."""
    if len(operands) > 1:
        return None
    params = equation.params
    batch_first = jnp.moveaxis(_batched(operands[0], size), -1, 0)
    result = lax.sort(batch_first, dimension=params["dimension"] + 1, is_stable=params["is_stable"])
    return jnp.moveaxis(result, 0, -1)


def _dot_general(equation: core.JaxprEqn, size: int, operands: list[BatchedValue]) -> Array | None:
    """Contract with one batched operand, whose batch is one more free axis."""
    (left, left_batched), (right, right_batched) = operands
    (contracted, _), _ = equation.params["dimension_numbers"]
    if left_batched and right_batched:
        return None
    names = ("dimension_numbers", "precision", "preferred_element_type")
    params = {name: equation.params[name] for name in names}
    result = lax.dot_general(left, right, **params)
    return jnp.moveaxis(result, left.ndim - 1 - len(contracted), -1) if left_batched else result


def _gather(equation: core.JaxprEqn, size: int, operands: list[BatchedValue]) -> Array | None:
    (table, table_batched), (index, index_batched) = operands
    params = equation.params
    numbers = params["dimension_numbers"]
    sizes = params["slice_sizes"]
    names = ("unique_indices", "indices_are_sorted", "mode", "fill_value")
    options = {name: params[name] for name in names}
    options["indices_are_sorted"] &= not index_batched
    if index_batched:
        # The batch becomes the last of the axes that the result takes from the index.
        index = jnp.moveaxis(index, -1, -2)
    if not table_batched:
        return lax.gather(table, index, numbers, sizes, **options)
    if index_batched:
        numbers = numbers._replace(
            operand_batching_dims=(*numbers.operand_batching_dims, table.ndim - 1),
            start_indices_batching_dims=(*numbers.start_indices_batching_dims, index.ndim - 2),
        )
        return lax.gather(table, index, numbers, (*sizes, 1), **options)
    last = len(_shape(equation.outvars[0]))
    numbers = numbers._replace(offset_dims=(*numbers.offset_dims, last))
    return lax.gather(table, index, numbers, (*sizes, size), **options)


def _scatter(equation: core.JaxprEqn, size: int, operands: list[BatchedValue]) -> Array | None:
    base, (index, index_batched), updates = operands
    params = equation.params
    numbers = params["dimension_numbers"]
    values = _batched(base, size)
    changes = _batched(updates, size)
    names = ("indices_are_sorted", "unique_indices", "mode")
    options = {name: params[name] for name in names}
    scatter = lax.scatter_add if equation.primitive.name == "scatter-add" else lax.scatter
    if not index_batched:
        windows = (*numbers.update_window_dims, changes.ndim - 1)
        numbers = numbers._replace(update_window_dims=windows)
        return scatter(values, index, changes, numbers, **options)
    index = jnp.moveaxis(index, -1, -2)
    numbers = numbers._replace(
        operand_batching_dims=(*numbers.operand_batching_dims, values.ndim - 1),
        scatter_indices_batching_dims=(*numbers.scatter_indices_batching_dims, index.ndim - 2),
    )
    options["indices_are_sorted"] = False
    return scatter(values, index, changes, numbers, **options)


# Functions with a derivative of their own are not traced into: like every primitive not listed
# here, they are left to `jax.vmap`.
_CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr"}
_ELEMENTWISE = """
    abs acos acosh add and asin asinh atan atan2 atanh bessel_i0e bessel_i1e
    bitcast_convert_type cbrt ceil clamp clz complex conj convert_element_type copy copy_p cos
    cosh digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt imag integer_pow is_finite
    le lgamma log log1p logistic lt max min mul ne neg nextafter not or population_count pow
    real reduce_precision rem round rsqrt select_n shift_left shift_right_arithmetic
    shift_right_logical sign sin sinh sqrt square stop_gradient sub tan tanh xor
""".split()  # noqa: SIM905
_SAME_AXES = """
    argmax argmin concatenate cumlogsumexp cummax cummin cumprod cumsum expand_dims reduce_and
    reduce_max reduce_min reduce_or reduce_prod reduce_sum reduce_xor rev split squeeze stack
""".split()  # noqa: SIM905
_RULES: dict[str, Callable[[core.JaxprEqn, int, list[BatchedValue]], Array | None]] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "reshape": _reshape,
    "transpose": _transpose,
    "slice": _slice,
    "pad": _pad,
    "dynamic_slice": _dynamic_slice,
    "sort": _sort,
    "dot_general": _dot_general,
    "gather": _gather,
    "scatter-add": _scatter,
    "scatter": _scatter,
}
