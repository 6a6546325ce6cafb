"""Feeders kept as files: what takes pandapower and SimBench many seconds to build is built once."""

import contextlib
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from prosumax.data.datasets import cache_folder
from prosumax.grid.feeder import Branches, Feeder

_FORMAT = 1
"""To be raised whenever the same source gives another feeder than before."""

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


def cached(key: tuple[str, ...], build: Callable[[], Feeder]) -> Feeder:
    """The feeder kept under this key, or else what `build` gives, kept for the next time where that is possible.

    Arguments:
        key: all that the feeder depends on: its source and the versions of the packages that build it.
        build: makes the feeder.
    """
    path = (
        cache_folder()
        / "feeders"
        / (re.sub(r"[^\w.-]+", "_", "-".join((*key, f"v{_FORMAT}"))) + ".npz")
    )
    with contextlib.suppress(*_UNREADABLE):
        return read_feeder(path)
    feeder = build()
    with contextlib.suppress(OSError):
        write_feeder(feeder, path)
    return feeder


def write_feeder(feeder: Feeder, path: Path) -> None:
    """Keep a feeder in an npz file, which appears at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    words: dict[str, Any] = {}
    for prefix, part in (("", feeder), ("branches.", feeder.branches)):
        for item in fields(part):
            value = getattr(part, item.name)
            if isinstance(value, np.ndarray):
                arrays[prefix + item.name] = value
            elif not isinstance(value, Branches):
                words[prefix + item.name] = value
    arrays["words"] = np.frombuffer(json.dumps(words).encode(), np.uint8)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".feeder-", suffix=".npz")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, **arrays)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def read_feeder(path: Path) -> Feeder:
    """A feeder from its npz file; one of the usual errors of reading files when it is missing or damaged."""
    with np.load(path, allow_pickle=False) as stored:
        values: dict[str, Any] = {name: stored[name] for name in stored.files if name != "words"}
        words = json.loads(stored["words"].tobytes())
    values |= {
        name: tuple(word) if isinstance(word, list) else word for name, word in words.items()
    }
    branches = {
        name.removeprefix("branches."): value for name, value in values.items() if "." in name
    }
    return Feeder(
        branches=Branches(**branches),
        **{name: value for name, value in values.items() if "." not in name},
    )
