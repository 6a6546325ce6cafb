"""Disk cache of generated series, keyed by everything the series depend on, code included."""

import contextlib
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from prosumax.files import cache_dir

Array = TypeVar("Array", bound=ArrayLike)

MAX_CACHE_BYTES = 2**30
"""Size limit of all cached series together; the least recently used ones are deleted first."""

_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def load_or_compute(
    kind: str, key: Mapping[str, object], compute: Callable[[], dict[str, Array]]
) -> dict[str, Array]:
    """Load the arrays cached under a key, or compute and cache them.

    Each entry is a file of its own that is written atomically, so an interrupted run leaves no
    partial entry. A damaged entry is computed again, and a cache that cannot be written is skipped.

    Args:
        kind: Kind of series, used as the beginning of the file name.
        key: Everything the arrays depend on, as JSON values.
        compute: Function that computes the arrays.

    Returns:
        The arrays by name.
    """
    text = json.dumps(key, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    path = cache_dir() / "profiles" / f"{kind}-{digest}.npz"
    with contextlib.suppress(*_UNREADABLE), np.load(path, allow_pickle=False) as stored:
        arrays: dict[str, Array] = {name: stored[name] for name in stored.files}
        with contextlib.suppress(OSError):
            os.utime(path)  # The modification time is the time of the last use.
        return arrays
    arrays = compute()
    with contextlib.suppress(OSError):
        _write(arrays, path)
        _prune(path.parent)
    return arrays


@lru_cache
def source_digest(*modules: ModuleType) -> str:
    """Hash the source code of modules.

    A cache key that includes the digest of the modules that compute a series never matches an entry
    written by other code.

    Args:
        modules: Modules, in an order that is always the same.

    Returns:
        The first 16 hexadecimal digits of the SHA-256 digest.
    """
    sources = [Path(str(module.__file__)).read_bytes() for module in modules]
    return hashlib.sha256(b"".join(sources)).hexdigest()[:16]


def index_fingerprint(index: pd.DatetimeIndex) -> list[int]:
    """Return the first start, the last start (s since 1970 UTC) and the length of an index.

    Args:
        index: Evenly spaced step starts.
    """
    seconds = index[[0, -1]].as_unit("s").asi8
    return [int(seconds[0]), int(seconds[1]), len(index)]


def file_digest(path: Path) -> str:
    """Return the SHA-256 digest of the content of a file.

    Args:
        path: File to hash.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _prune(folder: Path) -> None:
    """Delete the least recently used files until the rest fit `MAX_CACHE_BYTES`."""
    files = []
    for path in folder.glob("*.npz"):
        with contextlib.suppress(OSError):  # Another process may have deleted it.
            stat = path.stat()
            files.append((stat.st_mtime_ns, stat.st_size, path))
    total = 0
    for _, size, path in sorted(files, reverse=True):
        total += size
        if total > MAX_CACHE_BYTES:
            path.unlink(missing_ok=True)


def _write(arrays: Mapping[str, ArrayLike], path: Path) -> None:
    """Write the arrays to a temporary file and move it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".series-", suffix=".npz")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
