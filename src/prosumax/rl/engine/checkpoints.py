"""Pytrees of arrays on disk: one npz file that any NumPy can read, each array under its path in the tree."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_flatten_with_path, tree_unflatten
from jaxtyping import Array

from prosumax.errors import InputError

_CURE = "Name the run it belongs to."


def save_tree(path: Path, tree: Any) -> None:
    """Write a pytree; the file is whole or not there.

    Arguments:
        path: of the npz file.
        tree: of arrays, random keys among them.
    """
    leaves: dict[str, Any] = {
        keystr(where): _plain(leaf) for where, leaf in tree_flatten_with_path(tree)[0]
    }
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **leaves)
    partial.replace(path)


def load_tree(path: Path, like: Any) -> Any:
    """Read a pytree back.

    Arguments:
        path: of the npz file.
        like: a pytree of the same structure, of arrays or their shapes.

    Raises:
        InputError: the file is not there, or is of something else.
    """
    if not path.is_file():
        raise InputError(str(path), "does not exist", "Name a folder that `prosumax train` wrote.")
    places, structure = tree_flatten_with_path(like)
    with np.load(path) as stored:
        names = [keystr(where) for where, _ in places]
        if set(names) != set(stored.files):
            odd = sorted(set(names) ^ set(stored.files))[0]
            raise InputError(
                str(path),
                f"is of another kind: {odd} is missing or unknown",
                "Name the run it belongs to.",
            )
        leaves = [
            _restored(stored[name], leaf, f"{path}: {name}")
            for name, (_, leaf) in zip(names, places, strict=True)
        ]
    return tree_unflatten(structure, leaves)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _plain(leaf: Array) -> np.ndarray:
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def _restored(values: np.ndarray, like: Any, where: str) -> Array:
    array = jax.random.wrap_key_data(jnp.asarray(values)) if _is_key(like) else jnp.asarray(values)
    if array.shape != like.shape:
        raise InputError(where, f"has shape {array.shape}, and {like.shape} is needed", _CURE)
    return array
