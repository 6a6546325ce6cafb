"""Series that took a while to make, kept as files: named by all they depend on, so a file is never out of date."""

import contextlib
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.data.datasets import cache_folder

Arrays = dict[str, NDArray[Any]]

MOST_BYTES = 2**30
"""Of all kept series together; those that were not asked for longest go first."""

_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def cached(kind: str, key: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
    """The arrays kept under this key, or else what `make` gives, kept for the next time where that is possible.

    Each call is a file of its own that appears at once or not at all: who is interrupted loses one series, and carries
    on from there. A damaged file is made again.

    Arguments:
        kind: what it is, the beginning of the file's name.
        key: all that the arrays depend on, as JSON: numbers, texts, lists and mappings.
        make: makes the arrays.
    """
    text = json.dumps(key, sort_keys=True)
    path = (
        cache_folder() / "profiles" / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"
    )
    with contextlib.suppress(*_UNREADABLE), np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
        with contextlib.suppress(OSError):
            os.utime(path)  # asked for just now
        return arrays
    arrays = make()
    with contextlib.suppress(OSError):
        _write(arrays, path)
        _prune(path.parent)
    return arrays


@lru_cache
def code_key(*modules: str) -> str:
    """What tells versions of the modules of this room apart that make a series, given by name.

    Their text, so that no file made by earlier code is ever taken, and nobody must think of it.
    """
    folder = Path(__file__).parent
    parts = [(folder / f"{name}.py").read_bytes() for name in modules]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def index_key(index: pd.DatetimeIndex) -> list[int]:
    """First and last step start and their number: what tells evenly spaced indices apart."""
    seconds = index[[0, -1]].as_unit("s").asi8
    return [int(seconds[0]), int(seconds[1]), len(index)]


def file_key(path: Path) -> str:
    """What tells the content of files apart."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _prune(folder: Path) -> None:
    """Keep the newest files, `MOST_BYTES` in all: visitors of a public demo may ask for ever other homes."""
    files = []
    for path in folder.glob("*.npz"):
        with contextlib.suppress(OSError):  # somebody else's pruning took it
            found = path.stat()
            files.append((found.st_mtime_ns, found.st_size, path))
    total = 0
    for _, size, path in sorted(files, reverse=True):
        total += size
        if total > MOST_BYTES:
            path.unlink(missing_ok=True)


def _write(arrays: Arrays, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".series-", suffix=".npz")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
