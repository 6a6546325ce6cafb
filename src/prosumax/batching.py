"""A `vmap` that puts the batch last, where a CPU's vector units want it.

Arrays of a community have the homes on their last axis. `jax.vmap` puts the batch in front of them, so a CPU goes
through rows of seven homes one by one. `vmap` here runs the same function on arrays [home, batch]: neighbours in memory
are the same home in different communities, and every operation on homes is one on whole vectors. Where the function
says `optimization_barrier`, its results are stored and not computed again by everything that uses them. Both together
make batches of small communities more than twice as fast (`benchmarks/environment.py`), with the same numbers but for
the last digit of sums.
"""

from collections.abc import Callable, Sequence
from functools import reduce, wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core
from jaxtyping import Array, Float, Int

Marked = tuple[Any, bool]
"""A value, and whether the batch stands behind its own axes."""


def vmap(
    function: Callable[..., Any], in_axes: Sequence[int | None] | int = 0
) -> Callable[..., Any]:
    """Map a function over the leading axis of its arguments; `jax.vmap` with another arrangement in memory.

    Scans inside are run on arrays [time, home, batch]. jit, grad and a further `jax.vmap` go through it.

    Arguments:
        function: of pytrees of arrays, pure.
        in_axes: 0 or None for every argument: whether it has a leading axis to map over.

    Returns:
        A function that takes and returns arrays with the batch in front.

    Raises:
        ValueError: batches of different size, or none at all.
    """

    def mapped(*arguments: Any) -> Any:
        axes = [in_axes] * len(arguments) if isinstance(in_axes, int) else list(in_axes)
        pairs = [
            (leaf, axis is not None)
            for part, axis in zip(arguments, axes, strict=True)
            for leaf in _leaves(part)
        ]
        sizes = {leaf.shape[0] for leaf, is_batched in pairs if is_batched}
        if len(sizes) != 1:
            raise ValueError(f"vmap needs batches of one size, got {sorted(sizes)}")
        size, structure = sizes.pop(), jax.tree.structure(arguments)
        if size == 1:  # which needs no arrangement, and compiles sooner without
            alone = (jax.tree.map(lambda leaf: leaf[0], part) if axis is not None else part
                     for part, axis in zip(arguments, axes, strict=True))  # fmt: skip
            return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], function(*alone))
        single = [
            jax.eval_shape(lambda x: x[0], leaf) if is_batched else leaf
            for leaf, is_batched in pairs
        ]
        flat = lambda *leaves: function(*jax.tree.unflatten(structure, leaves))  # noqa: E731
        closed, shape = jax.make_jaxpr(flat, return_shape=True)(*single)
        behind = [
            (jnp.moveaxis(leaf, 0, -1), True) if is_batched else (leaf, False)
            for leaf, is_batched in pairs
        ]
        out = [_batched(pair, size) for pair in _evaluate(closed, size, behind)]
        return jax.tree.unflatten(
            jax.tree.structure(shape), [jnp.moveaxis(leaf, -1, 0) for leaf in out]
        )

    return mapped


def add_per_home(
    index: Int[Array, " slot"], amount: Float[Array, " slot"], homes: int
) -> Float[Array, " home"]:
    """Sum of the slots of each home. Comparing few slots with few homes vectorises, scattering does not."""
    if index.shape[0] > 8 or index.shape[0] == 0:
        return jnp.zeros(homes, amount.dtype).at[index].add(amount)
    home = jnp.arange(homes)
    return reduce(
        jnp.add, [jnp.where(index[slot] == home, amount[slot], 0) for slot in range(index.shape[0])]
    )


def apart(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compute a function of a batch where XLA cannot fuse it with its users, each of which would compute it again.

    On a CPU that halves the time. An optimization barrier is gone by the time XLA fuses; the branch of a conditional
    stays. The condition always holds, which XLA does not find out.
    """

    def conditional(*arguments: Any) -> Any:
        some_number = jax.tree.leaves(arguments)[0].reshape(-1)[0].astype(jnp.int32)
        nothing = jax.tree.map(jnp.zeros_like, jax.eval_shape(function, *arguments))
        return jax.lax.cond((some_number | 1) != 0, function, lambda *_: nothing, *arguments)

    @wraps(function)
    def either(*arguments: Any) -> Any:
        if max(map(jnp.ndim, jax.tree.leaves(arguments))) < 2:
            return function(*arguments)
        return jax.lax.platform_dependent(*arguments, cpu=conditional, default=function)

    return either


def _leaves(part: Any) -> list[Any]:
    return [
        jnp.asarray(leaf) if not hasattr(leaf, "dtype") else leaf for leaf in jax.tree.leaves(part)
    ]


def _batched(pair: Marked, size: int) -> Any:
    value, is_batched = pair
    return value if is_batched else jnp.broadcast_to(value[..., None], (*value.shape, size))


def _evaluate(closed: Any, size: int, arguments: Sequence[Marked]) -> list[Marked]:
    """Run a jaxpr on marked values."""
    jaxpr = closed.jaxpr
    known: dict[Any, Marked] = dict(
        zip(jaxpr.constvars, ((value, False) for value in closed.consts), strict=True)
    )
    known.update(zip(jaxpr.invars, arguments, strict=True))
    read = lambda atom: (
        (jnp.asarray(atom.val), False) if isinstance(atom, core.Literal) else known[atom]
    )  # noqa: E731
    for equation in jaxpr.eqns:
        found = _apply(equation, size, [read(atom) for atom in equation.invars])
        known.update(zip(equation.outvars, found, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: Any, size: int, operands: list[Marked]) -> list[Marked]:
    """One operation."""
    name, params = equation.primitive.name, equation.params
    if not any(is_batched for _, is_batched in operands):
        return [(value, False) for value in _bind(equation, *[value for value, _ in operands])]
    if name in _CALLS:
        inner = params[_CALLS[name]]
        return _evaluate(
            inner if hasattr(inner, "consts") else core.ClosedJaxpr(inner, ()), size, operands
        )
    if name == "optimization_barrier":
        kept = iter(
            apart(lambda *own: own)(*[value for value, is_batched in operands if is_batched])
        )
        return [
            (next(kept), True) if is_batched else (value, False) for value, is_batched in operands
        ]
    if name == "scan":
        return _scan(params, size, operands)
    if name in _ELEMENTWISE:
        shape = (*equation.outvars[0].aval.shape, size)
        values = [_spread(pair, shape) for pair in operands]
    elif name in _RULES and (result := _RULES[name](equation, size, operands)) is not None:
        return [(result, True)]
    elif name in _SAME_AXES:
        values = [_batched(pair, size) for pair in operands]
    else:
        axes = [-1 if is_batched else None for _, is_batched in operands]
        run = jax.vmap(
            lambda *own: _bind(equation, *own), in_axes=axes, out_axes=-1, axis_size=size
        )
        return [(value, True) for value in run(*[value for value, _ in operands])]
    return [(value, True) for value in _bind(equation, *values)]


def _bind(equation: Any, *operands: Any) -> list[Any]:
    # Some versions of JAX keep the functions that an operation calls apart from its other parameters.
    found = equation.primitive.get_bind_params(equation.params)
    functions, params = found if isinstance(found, tuple) else ((), found)
    found = equation.primitive.bind(*functions, *operands, **params)
    return list(found) if equation.primitive.multiple_results else [found]


def _spread(pair: Marked, shape: tuple[int, ...]) -> Any:
    """An operand of an elementwise operation with a result of this shape; scalars may be without axes."""
    value, is_batched = pair
    return jnp.broadcast_to(value if is_batched or value.ndim == 0 else value[..., None], shape)


def _scan(params: dict[str, Any], size: int, operands: list[Marked]) -> list[Marked]:
    """A scan whose carry has the batch last; all of it, for what is not batched at first may be after a step."""
    # JAX 0.12 keeps the parts of its operands as trees, earlier ones their numbers.
    trees = params["ft_in"].unpack() if "ft_in" in params else None
    constants, carried = (
        map(len, trees[:2]) if trees else (params["num_consts"], params["num_carry"])
    )
    fixed, start, rows = (
        operands[:constants],
        operands[constants:][:carried],
        operands[constants + carried :],
    )
    marks = [is_batched for _, is_batched in rows]

    def step(carry: Any, row: Any) -> Any:
        inputs = [*fixed, *((value, True) for value in carry), *zip(row, marks, strict=True)]
        out = [_batched(pair, size) for pair in _evaluate(params["jaxpr"], size, inputs)]
        return out[:carried], out[carried:]

    begin = [_batched(pair, size) for pair in start]
    options = {key: params[key] for key in ("length", "reverse", "unroll")}
    carry, stacked = lax.scan(step, begin, [value for value, _ in rows], **options)
    return [(value, True) for value in (*carry, *stacked)]


def _broadcast_in_dim(equation: Any, size: int, operands: list[Marked]) -> Any:
    params, value = equation.params, operands[0][0]
    shape, axes = params["shape"], params["broadcast_dimensions"]
    return lax.broadcast_in_dim(value, (*shape, size), (*axes, len(shape)))


def _reshape(equation: Any, size: int, operands: list[Marked]) -> Any:
    return lax.reshape(operands[0][0], (*equation.params["new_sizes"], size))


def _transpose(equation: Any, size: int, operands: list[Marked]) -> Any:
    order = equation.params["permutation"]
    return lax.transpose(operands[0][0], (*order, len(order)))


def _slice(equation: Any, size: int, operands: list[Marked]) -> Any:
    params = equation.params
    strides = None if params["strides"] is None else (*params["strides"], 1)
    return lax.slice(
        operands[0][0], (*params["start_indices"], 0), (*params["limit_indices"], size), strides
    )


def _pad(equation: Any, size: int, operands: list[Marked]) -> Any:
    (value, _), (filling, varies) = operands
    if varies:
        return None
    return lax.pad(
        _batched(operands[0], size), filling, (*equation.params["padding_config"], (0, 0, 0))
    )


def _dynamic_slice(equation: Any, size: int, operands: list[Marked]) -> Any:
    (value, _), *starts = operands
    if any(varies for _, varies in starts):
        return None
    return lax.dynamic_slice(
        value, [*(start for start, _ in starts), 0], (*equation.params["slice_sizes"], size)
    )


def _sort(equation: Any, size: int, operands: list[Marked]) -> Any:
    """Sorting is fast along the last axis only."""
    params = equation.params
    front = [jnp.moveaxis(_batched(pair, size), -1, 0) for pair in operands]
    if len(front) > 1:
        return None
    found = lax.sort(front[0], dimension=params["dimension"] + 1, is_stable=params["is_stable"])
    return jnp.moveaxis(found, 0, -1)


def _dot_general(equation: Any, size: int, operands: list[Marked]) -> Any:
    """With one operand batched, its batch is one more free axis."""
    (left, left_varies), (right, right_varies) = operands
    (contracted, _), (shared, _) = equation.params["dimension_numbers"]
    if left_varies and right_varies:
        return None
    params = {
        key: equation.params[key]
        for key in ("dimension_numbers", "precision", "preferred_element_type")
    }
    found = lax.dot_general(left, right, **params)
    return jnp.moveaxis(found, left.ndim - 1 - len(contracted), -1) if left_varies else found


def _gather(equation: Any, size: int, operands: list[Marked]) -> Any:
    (table, table_varies), (index, index_varies) = operands
    params = equation.params
    numbers, sizes = params["dimension_numbers"], params["slice_sizes"]
    kept = {
        key: params[key] for key in ("unique_indices", "indices_are_sorted", "mode", "fill_value")
    }
    kept["indices_are_sorted"] &= not index_varies
    if index_varies:
        index = jnp.moveaxis(
            index, -1, -2
        )  # the batch is the last of the axes that the result takes from the index
    if not table_varies:
        return lax.gather(table, index, numbers, sizes, **kept)
    if index_varies:
        numbers = numbers._replace(
            operand_batching_dims=(*numbers.operand_batching_dims, table.ndim - 1),
            start_indices_batching_dims=(*numbers.start_indices_batching_dims, index.ndim - 2),
        )
        return lax.gather(table, index, numbers, (*sizes, 1), **kept)
    last = equation.outvars[0].aval.ndim
    return lax.gather(
        table,
        index,
        numbers._replace(offset_dims=(*numbers.offset_dims, last)),
        (*sizes, size),
        **kept,
    )


def _scatter_add(equation: Any, size: int, operands: list[Marked]) -> Any:
    base, (index, index_varies), updates = operands
    params = equation.params
    numbers = params["dimension_numbers"]
    values, changes = _batched(base, size), _batched(updates, size)
    kept = {key: params[key] for key in ("indices_are_sorted", "unique_indices", "mode")}
    scatter = lax.scatter_add if equation.primitive.name == "scatter-add" else lax.scatter
    if not index_varies:
        windows = (*numbers.update_window_dims, changes.ndim - 1)
        return scatter(values, index, changes, numbers._replace(update_window_dims=windows), **kept)
    index = jnp.moveaxis(index, -1, -2)
    numbers = numbers._replace(
        operand_batching_dims=(*numbers.operand_batching_dims, values.ndim - 1),
        scatter_indices_batching_dims=(*numbers.scatter_indices_batching_dims, index.ndim - 2),
    )
    kept["indices_are_sorted"] = False
    return scatter(values, index, changes, numbers, **kept)


# What has a derivative of its own is not looked into: it is left to `jax.vmap`, like all that is not named here.
_CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr"}
_ELEMENTWISE = """
    abs acos acosh add and asin asinh atan atan2 atanh bessel_i0e bessel_i1e bitcast_convert_type cbrt ceil clamp
    clz complex conj convert_element_type copy copy_p cos cosh digamma div eq erf erf_inv erfc exp exp2 expm1
    floor ge gt imag integer_pow is_finite le lgamma log log1p logistic lt max min mul ne neg nextafter not or
    population_count pow real reduce_precision rem round rsqrt select_n shift_left shift_right_arithmetic
    shift_right_logical sign sin sinh sqrt square stop_gradient sub tan tanh xor
""".split()  # noqa: SIM905
_SAME_AXES = """
    argmax argmin concatenate cumlogsumexp cummax cummin cumprod cumsum expand_dims reduce_and reduce_max
    reduce_min reduce_or reduce_prod reduce_sum reduce_xor rev split squeeze stack
""".split()  # noqa: SIM905
_RULES: dict[str, Callable[[Any, int, list[Marked]], Any]] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "reshape": _reshape,
    "transpose": _transpose,
    "slice": _slice,
    "pad": _pad,
    "dynamic_slice": _dynamic_slice,
    "sort": _sort,
    "dot_general": _dot_general,
    "gather": _gather,
    "scatter-add": _scatter_add,
    "scatter": _scatter_add,
}
