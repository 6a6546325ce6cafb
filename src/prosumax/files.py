"""Atomic writing of text files, and the cache folder.

A file is written beside its destination and moved there when it is complete, so that an interrupted
process leaves an earlier file intact.
"""

import csv
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TextIO

from platformdirs import user_cache_path


def cache_dir() -> Path:
    """Return the cache folder; the environment variable `PROSUMAX_CACHE_DIR` overrides it."""
    return Path(os.environ.get("PROSUMAX_CACHE_DIR") or user_cache_path("prosumax"))


def write_text(path: Path, text: str) -> None:
    """Write a text file, and create its folder.

    Args:
        path: File to write or replace.
        text: Content.
    """
    _write(path, lambda file: file.write(text))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file, and create its folder.

    Args:
        path: File to write or replace.
        header: Names of the columns.
        rows: Cells of each row.
    """

    def write_table(file: TextIO) -> None:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)

    _write(path, write_table)


def _write(path: Path, write_content: Callable[[TextIO], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        write_content(file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
