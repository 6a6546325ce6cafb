"""Fixtures of the tests of table files."""

from pathlib import Path

import pytest

from tests.data.meter_tables import TableWriter


@pytest.fixture
def write_table(tmp_path: Path) -> TableWriter:
    """Writer of a text file into a temporary folder."""

    def write(text: str, name: str = "meters.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write
