"""Files that are whole or as they were before, also when the machine stops in the middle."""

import csv
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO


def write_text(path: Path, text: str) -> None:
    """Write a file, in a folder that need not be there yet."""
    _write(path, lambda file: file.write(text))


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file."""

    def fill(file: TextIO) -> None:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)

    _write(path, fill)


def _write(path: Path, fill: Callable[[TextIO], Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        fill(file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
