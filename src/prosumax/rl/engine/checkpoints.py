"""Pytrees of arrays on disk: one npz file that any NumPy reads, each array named by its path."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_flatten_with_path, tree_unflatten
from jaxtyping import Array, PyTree, Shaped
from numpy.typing import ArrayLike, NDArray

from prosumax.errors import InputError

_FIX = "Name the run that the file belongs to."


def save_tree(path: Path, tree: PyTree) -> None:
    """Write a pytree; the file is complete or absent.

    Args:
        path: Path of the npz file.
        tree: Pytree of arrays, which may include random keys.
    """
    leaves: dict[str, PyTree] = {
        keystr(place): _to_numpy(leaf) for place, leaf in tree_flatten_with_path(tree)[0]
    }
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **leaves)
    partial.replace(path)


def load_tree(path: Path, template: PyTree) -> PyTree:
    """Read a pytree.

    Args:
        path: Path of the npz file.
        template: Pytree of the same structure, of arrays or their shapes.

    Raises:
        InputError: The file does not exist, or has another structure.
    """
    if not path.is_file():
        raise InputError(
            str(path), "the file does not exist", "Name a folder that `prosumax train` wrote."
        )
    places, structure = tree_flatten_with_path(template)
    names = [keystr(place) for place, _ in places]
    with np.load(path) as stored:
        different = sorted(set(names) ^ set(stored.files))
        if different:
            problem = f"the array {different[0]} is missing or unknown"
            raise InputError(str(path), problem, _FIX)
        leaves = [
            _from_numpy(stored[name], leaf, f"{path}: {name}")
            for name, (_, leaf) in zip(names, places, strict=True)
        ]
    return tree_unflatten(structure, leaves)


def _is_key(leaf: PyTree) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _to_numpy(leaf: Array) -> Shaped[NDArray[np.float64], "..."]:
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def _from_numpy(values: ArrayLike, template: PyTree, where: str) -> Array:
    array = jnp.asarray(values)
    if _is_key(template):
        array = jax.random.wrap_key_data(array)
    if array.shape != template.shape:
        problem = f"the array must have shape {template.shape}, got {array.shape}"
        raise InputError(where, problem, _FIX)
    return array
