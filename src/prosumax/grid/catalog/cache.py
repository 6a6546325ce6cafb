"""Cache of feeders on disk, since pandapower and SimBench take many seconds to build them."""

import contextlib
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
from jaxtyping import PyTree

from prosumax.files import cache_dir
from prosumax.grid.feeder import Branches, Feeder

_FORMAT = 2
"""Version of the files; increase it whenever the same source gives another feeder than before."""

_METADATA = "metadata"
_READ_ERRORS = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


def cached_feeder(key: tuple[str, ...], build: Callable[[], Feeder]) -> Feeder:
    """Read a feeder from the cache, or build and store it.

    A feeder that cannot be stored is returned all the same.

    Args:
        key: Everything that the feeder depends on: its source and the versions of the packages
            that build it.
        build: Function that builds the feeder.
    """
    stem = re.sub(r"[^\w.-]+", "_", "-".join((*key, f"v{_FORMAT}")))
    path = cache_dir() / "feeders" / f"{stem}.npz"
    with contextlib.suppress(*_READ_ERRORS):
        return read_feeder(path)
    feeder = build()
    with contextlib.suppress(OSError):
        write_feeder(feeder, path)
    return feeder


def write_feeder(feeder: Feeder, path: Path) -> None:
    """Write a feeder to an npz file, atomically.

    Args:
        feeder: The feeder.
        path: The file; its folder is created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, PyTree] = {}
    metadata: dict[str, object] = {}
    for prefix, part in (("", feeder), ("branches.", feeder.branches)):
        for item in fields(part):
            value = getattr(part, item.name)
            if isinstance(value, np.ndarray):
                arrays[prefix + item.name] = value
            elif not isinstance(value, Branches):
                metadata[prefix + item.name] = value
    arrays[_METADATA] = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".feeder-", suffix=".npz")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, **arrays)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def read_feeder(path: Path) -> Feeder:
    """Read a feeder from an npz file.

    A missing or damaged file raises one of the errors of `numpy.load` or of the constructors.

    Args:
        path: The file.
    """
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files if name != _METADATA}
        metadata = json.loads(stored[_METADATA].tobytes())
    values: dict[str, PyTree] = {**arrays}
    for name, value in metadata.items():
        values[name] = tuple(value) if isinstance(value, list) else value
    branches = {
        name.removeprefix("branches."): value for name, value in values.items() if "." in name
    }
    own = {name: value for name, value in values.items() if "." not in name}
    return Feeder(branches=Branches(**branches), **own)
